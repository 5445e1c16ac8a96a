"""Reading messages back: ours exactly, foreign ones as far as they make sense, hostile ones without harm."""

from __future__ import annotations

from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.message.attachment import Attachment
from mailwright.message.decode import decoded_words, text_of
from mailwright.message.message import Message
from mailwright.words.address import Address

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


def ours(**changes: object) -> Message:
    given: dict[str, object] = {
        "sender": ("Lovelace, Ada", "ada@example.org"),
        "to": ["bob@example.net", ("Bøb", "b@example.net")],
        "cc": "Carol <carol@example.net>",
        "reply_to": "replies@example.org",
        "subject": "Grüße aus Köln",
        "text": "Grüße\n\nZeile\n",
        "html": '<p>Grüße <img src="cid:logo.png"></p>\n',
        "inline": {"logo.png": PNG},
        "attachments": {"Übersicht 2025.csv": "ä;b\n".encode(), "daten.bin": bytes(range(256)), "empty": b""},
        "headers": [("X-Mark", "zwölf"), ("X-Mark", "again"), ("List-Unsubscribe", "<https://example.org/u?a=1>")],
        "in_reply_to": "<parent@example.org>",
        "references": ["<root@example.org>", "<parent@example.org>"],
        "priority": "high",
        "date": "Mon, 03 Feb 2025 10:00:00 +0100",
        "message_id": "<one@example.org>",
    }
    return Message(**{**given, **changes})  # type: ignore[arg-type]


def contents(attachments: tuple[Attachment, ...]) -> list[tuple[str | None, bytes, str | None]]:
    return [(one.name, one.read(), one.cid) for one in attachments]


class TestOurs:
    @pytest.mark.parametrize("eight_bit", [False, True])
    def test_everything_comes_back(self, eight_bit: bool) -> None:
        message = ours()

        found = Message.parse(bytes(message.render(eight_bit=eight_bit)))

        for name in (
            "sender", "to", "cc", "reply_to", "subject", "text", "html", "headers", "in_reply_to", "references",
            "priority", "date", "message_id",
        ):  # fmt: skip
            assert getattr(found, name) == getattr(message, name), name
        assert contents(found.attachments) == contents(message.attachments)
        assert contents(found.inline) == contents(message.inline)
        assert found.attachments[0].type == "text/csv; charset=utf-8"

    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"html": None, "inline": None},
            {"attachments": ()},
            {"text": ""},
            {"html": None, "inline": None, "attachments": ()},
            {"html": None, "inline": None, "attachments": (), "text": "no line end"},
            {"html": None, "inline": None, "attachments": (), "text": "x" * 5000},
            {"html": None, "inline": None, "attachments": {"a.txt": b"a"}, "text": None},
            {"text": None, "html": None, "inline": None, "attachments": ()},
        ],
    )
    def test_the_same_octets_are_made_of_what_was_read(self, changes: dict[str, object]) -> None:
        octets = bytes(ours(**changes).render())

        assert bytes(Message.parse(octets).render()) == octets

    @given(
        st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=200),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00"), max_size=200),
        st.text(
            st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters="/\\"),
            min_size=1,
            max_size=80,
        ),
    )
    def test_any_subject_text_and_file_name(self, subject: str, text: str, name: str) -> None:
        name = name.strip()
        if name in ("", ".", ".."):
            return
        message = ours(subject=subject, text=text or "x", attachments={name: b"x"})

        found = Message.parse(bytes(message.render()))

        assert found.subject == subject
        assert found.text == message.text
        assert found.attachments[0].name == name

    @given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=120), max_size=4))
    def test_any_names_of_people(self, names: list[str]) -> None:
        people = [Address(f"user{number}@example.net", name.strip(" ")) for number, name in enumerate(names)]

        assert list(Message.parse(bytes(ours(to=people).render())).to) == people

    def test_bcc_is_read_where_somebody_left_it(self) -> None:
        found = Message.parse(b"From: a@example.org\r\nBcc: eve@example.net\r\n\r\nx")
        assert found.bcc == (Address("eve@example.net"),)
        assert b"eve" not in bytes(found.render())


class TestForeign:
    def test_html_alone_gets_no_text(self) -> None:
        found = Message.parse(b"From: a@example.org\r\nContent-Type: text/html\r\n\r\n<p>x</p>\r\n")
        assert (found.text, found.html) == ("", "<p>x</p>")
        assert b"multipart" not in bytes(found.render())

    def test_what_the_email_package_writes(self) -> None:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "Ada <a@example.org>", "b@example.net", "Grüße " * 20
        message.set_content("Grüße\n")
        message.add_alternative("<p>Grüße <img src='cid:pic@example.org'></p>\n", subtype="html")
        message.get_payload()[1].add_related(PNG, "image", "png", cid="<pic@example.org>")  # type: ignore[index,union-attr]
        message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="Übersicht.pdf")
        inner = EmailMessage()
        inner["Subject"] = "inner"
        inner.set_content("inside")
        message.add_attachment(inner)

        found = Message.parse(message.as_bytes())

        assert found.subject.strip() == ("Grüße " * 20).strip()
        assert (found.text, found.html) == ("Grüße\n", "<p>Grüße <img src='cid:pic@example.org'></p>\n")
        assert [(one.cid, one.type, one.read()) for one in found.inline] == [("pic@example.org", "image/png", PNG)]
        assert [(one.name, one.type) for one in found.attachments] == [
            ("Übersicht.pdf", "application/pdf"),
            ("part-3.eml", "message/rfc822"),
        ]
        assert b"Subject: inner" in found.attachments[1].read()

    def test_texts_beside_each_other_are_one(self) -> None:
        found = Message.parse(
            b"From: a@example.org\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nbody\n--b\n"
            b"Content-Type: text/plain; charset=utf-8\n\nfooter\n--b\nContent-Type: text/html\n\n<p>one</p>\n--b\n"
            b"Content-Type: text/html\n\n<p>two</p>\n--b--\n"
        )
        assert found.text == "body\nfooter"
        assert found.html == "<p>one</p>"
        assert contents(found.attachments) == [("part-1.html", b"<p>two</p>", None)]

    def test_a_picture_is_inline_only_if_it_is_shown(self) -> None:
        def read(disposition: str, html: str = '<img src="cid:x1">') -> Message:
            return Message.parse(
                "From: a@example.org\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n\n"
                f"{html}\n--b\nContent-Type: image/png\nContent-ID: <x1>\nContent-Disposition: {disposition}\n\nP\n--b--\n"
            )

        assert len(read("attachment").inline) == 1
        assert len(read("inline").inline) == 1
        assert len(read("attachment", "<img src='cid:x2'>").attachments) == 1
        assert len(read("inline", "<img src='cid:x2'>").inline) == 1

    @pytest.mark.parametrize(
        "field, name",
        [
            (b"attachment; filename*=utf-8''%C3%9Cber.txt", "Über.txt"),
            (b"attachment; filename=\"plain.txt\"; filename*=iso-8859-1'de'%DCber.txt", "Über.txt"),
            (b"attachment; filename*0*=utf-8''%C3%9C; filename*1=ber; filename*2*=%2Etxt", "Über.txt"),
            (b"attachment; filename*0=very; filename*1=long", "verylong"),
            (b'attachment; filename="=?utf-8?q?=C3=9Cber.txt?="', "Über.txt"),
            ('attachment; filename="Über.txt"'.encode(), "Über.txt"),
            (b"attachment; filename=my file.txt", "my file.txt"),
            (b'attachment; filename="../../etc/passwd"', "passwd"),
            (b'attachment; filename="C:\\\\temp\\\\x.txt"', "x.txt"),
            (b'attachment; filename=".."', "part-1.bin"),
            (b"attachment; filename*=utf-8''a%0D%0Ab%00.txt", "a  b .txt"),
            (b"attachment; filename=" + b"x" * 300 + b".txt", "x" * 251 + ".txt"),
            (b"attachment; filename*=utf-8''%C2%A0%E3%80%80", "part-1.bin"),
            (b"attachment", "part-1.bin"),
        ],
    )
    def test_file_names(self, field: bytes, name: str) -> None:
        found = Message.parse(
            b"From: a@example.org\r\nContent-Type: application/x; a=b\r\nContent-Disposition: "
            + field
            + b"\r\n\r\nx\r\n"
        )
        assert [one.name for one in found.attachments] == [name]

    @pytest.mark.parametrize(
        "text, expected",
        [
            ("Ada <a@example.org>, b@example.net", [("Ada", "a@example.org"), ("", "b@example.net")]),
            ("b@example.net (Bob)", [("Bob", "b@example.net")]),
            ('"Doe, Jane" <j@example.net>, nonsense, x@y@z, b@example.net', [("Doe, Jane", "j@example.net"), ("", "b@example.net")]),
            ("=?utf-8?q?Doe=2C_J=C3=A4ne?= <j@example.net>", [("Doe, Jäne", "j@example.net")]),
            ("=?utf-8?q?Doe,_Jane?= <j@example.net>", [("Doe, Jane", "j@example.net")]),
            ("Team: a@example.org, bad, b@example.net;, c@example.net", [("", "a@example.org"), ("", "b@example.net"), ("", "c@example.net")]),
            ("undisclosed-recipients:;", []),
            ("user@good-corp.com(x)evil.com", []),
            ("user@good-corp.com (x) evil.com", []),
            ("user@good-corp.com (x) evil.com (y)", []),
            ("=?utf-8?q?a=0D=0ABcc:_x?= <a@example.org>", [("a  Bcc: x", "a@example.org")]),
            ("bad, =?utf-8, b@example.net", [("", "b@example.net")]),
            ("[list] <a@example.org>", [("[list]", "a@example.org")]),
            ("", []),
        ],
    )  # fmt: skip
    def test_addresses_that_are_sound_are_kept(self, text: str, expected: list[tuple[str, str]]) -> None:
        found = Message.parse(f"From: x@example.org\r\nTo: {text}\r\n\r\n")
        assert [(one.name, one.spec) for one in found.to] == expected

    def test_line_breaks_that_hide_in_encoded_words_become_spaces(self) -> None:
        found = Message.parse(
            b"From: a@example.org\r\nSubject: =?utf-8?b?YQ0KQmNjOiBleQ==?=\r\nX-A: =?utf-8?q?=0Ab?=\r\n\r\n"
        )
        assert found.subject == "a  Bcc: ey"
        assert b"Bcc" not in [line.partition(b":")[0] for line in bytes(found.render()).split(b"\r\n")]

    @pytest.mark.parametrize(
        "written, read",
        [
            ("Mon, 3 Feb 2025 10:00:00 GMT", "Mon, 3 Feb 2025 10:00:00 GMT"),
            ("Mon, 3 Feb 2025 10:00:00 +0000 (UTC)", "Mon, 3 Feb 2025 10:00:00 +0000"),
            ("Mon, 3 Feb 25 10:00:00 EST", "Mon, 03 Feb 2025 10:00:00 -0500"),
            ("yesterday", None),
            ("Mon, 99 Feb 2025 10:00:00 +0000", None),
            ("1" * 10_000, None),
        ],
    )
    def test_dates(self, written: str, read: str | None) -> None:
        assert Message.parse(f"Date: {written}\r\n\r\n").date == read

    @pytest.mark.parametrize(
        "written, read",
        [("<a@b>", "<a@b>"), ("a@b", None), ("<a b@c>", None), ("<>", None), ("<a@b> <c@d>", "<a@b>"), ("<a@b", None)],
    )
    def test_identifiers(self, written: str, read: str | None) -> None:
        assert Message.parse(f"Message-ID: {written}\r\n\r\n").message_id == read

    def test_headers_that_a_message_may_not_carry_are_left_out(self) -> None:
        found = Message.parse(
            b"From: a@example.org\r\nDKIM-Signature: v=1\r\nARC-Seal: x\r\nReturn-Path: <x@example.org>\r\nMIME-Version: 1.0\r\n"
            b"X-A: 1\r\nSender: s@example.org\r\nSender: t@example.org\r\nErrors-To: nonsense\r\nX-B: 2\r\n\r\n"
        )
        assert found.headers == (("X-A", "1"), ("Sender", "s@example.org"), ("X-B", "2"))


def nested(levels: int, kind: str) -> bytes:
    if kind == "message":
        return b"From: a@example.org\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * levels + b"\r\nx"
    parts = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\r\n\r\n--b{n}\r\n' for n in range(levels))
    return b"From: a@example.org\r\n" + parts.encode() + b"\r\nx"


class TestHostile:
    @pytest.mark.parametrize("kind", ["message", "multipart"])
    def test_ten_thousand_levels(self, kind: str) -> None:
        found = Message.parse(nested(10_000, kind))
        assert len(found.attachments) == 1
        assert found.attachments[0].size > 100_000

    def test_fifty_levels_are_read(self) -> None:
        assert Message.parse(nested(50, "multipart")).text == "x"

    @pytest.mark.parametrize(
        "charset",
        [
            "punycode",
            "idna",
            "unicode_escape",
            "undefined",
            "hex",
            "zip",
            "x" * 999,
            "a\x00b",
            "../x",
            "utf-16",
            "utf-7",
            "base64",
            "1",
        ],
    )
    def test_names_that_are_no_character_sets(self, charset: str) -> None:
        body = b"a" * 200_000
        found = Message.parse(
            f'From: a@example.org\r\nContent-Type: text/plain; charset="{charset}"\r\n\r\n'.encode() + body
        )
        assert found.text == (body.decode("utf-16") if charset == "utf-16" else body.decode())

    @pytest.mark.parametrize(
        "raw",
        [
            b"Subject: " + b"=?a?q?x" * 100_000,
            b"Subject: " + b"=?" * 500_000,
            b"To: " + b'"' * 1_000_000,
            b"To: " + b"<" * 1_000_000,
            b"To: " + b"a@b.c," * 50_000 + b"\x00",
            b"References: " + b"<" * 1_000_000,
            b"Content-Type: text/plain" + b";" * 1_000_000,
            b"Content-Type: text/plain; a=" + b'"\\' * 500_000,
            b"X: " + b"y" * 5_000_000,
            b"X: y\r\n" * 100_000,
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n" * 100_000,
            b"Content-Type: text/html\r\n\r\n" + b"cid:" * 300_000,
        ],
        ids=lambda raw: raw[:40].decode(),
    )
    def test_large_and_odd_input_is_read_at_leisure(self, raw: bytes) -> None:
        assert isinstance(Message.parse(b"From: a@example.org\r\n" + raw), Message)


PIECES = st.sampled_from(
    [b"\r\n", b"\r\n\r\n", b"\n", b"\r", b" ", b"\t", b"\x00", b"\xff", b"\xe4", b"=", b"=?", b"?=", b"?q?", b"?b?", b":", b";", b",",
     b'"', b"<", b">", b"(", b"\\", b"--b", b"--b--", b"From: ", b"To: ", b"Bcc: ", b"Subject: ", b"Date: ", b"Message-ID: ", b"X-A: ",
     b"Sender: ", b"References: ", b"List-Id: ", b"Reply-To: ", b"Content-Type: multipart/related; boundary=b", b"Content-Type: text/html",
     b"Content-Type: message/rfc822", b"Content-Type: image/png; name=x", b"Content-Disposition: inline; filename*0*=utf-7''%ff",
     b"Content-Transfer-Encoding: base64", b"Content-Transfer-Encoding: quoted-printable", b"Content-ID: <x>", b"cid:x",
     b"charset=utf-7", b"+2AA-", b"a@example.org", b"=?utf-8?q?=0D=0A?=", b"=?utf-7?q?+2AA-?=", b"\xf0\x9f\x98\x80", b"\xe2\x80\xa8"]
)  # fmt: skip


@given(st.one_of(st.lists(PIECES, max_size=40).map(b"".join), st.binary(max_size=300)))
def test_nothing_makes_it_raise_and_what_it_reads_can_be_sent(raw: bytes) -> None:
    found = Message.parse(raw)

    if found.sender is not None:
        octets = bytes(found.render())
        assert octets.count(b"\r\n") == octets.count(b"\r") == octets.count(b"\n")
        assert Message.parse(octets).subject == found.subject


@given(st.lists(PIECES, max_size=40).map(b"".join).map(lambda raw: raw.decode("latin-1")))
def test_text_is_read_as_well(raw: str) -> None:
    Message.parse(raw + "\ud800\udcff")


@pytest.mark.parametrize(
    "written, read",
    [
        ("plain", "plain"),
        ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a?=\t  =?iso-8859-1?q?=E4?= c", "aä c"),
        ("a =?utf-8?q?b?= c", "a b c"),
        ("=?utf-8?b?w6Q=?=", "ä"),
        ("=?utf-8?b?w6Q?=", "ä"),
        ("=?utf-8?q?=C3?= =?utf-8?q?=A4?=", "ä"),
        ("=?utf-8*de?q?=C3=A4?=", "ä"),
        ("=?utf-8?q?a_b=5F?=", "a b_"),
        ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
        ("=?utf-8?q?a", "=?utf-8?q?a"),
        ("=?utf-8?q?a?b?=", "=?utf-8?q?a?b?="),
        ("=?gibberish?q?=C3=A4?=", "ä"),
        ("=?us-ascii?q?=E4?=", "ä"),
        ("(=?utf-8?q?a?=)", "(a)"),
    ],
)
def test_encoded_words(written: str, read: str) -> None:
    assert decoded_words(written) == read


@given(
    st.binary(max_size=60),
    st.sampled_from(["utf-7", "utf-16", "utf-32", "shift_jis", "iso-2022-jp", "hz", "euc_kr", "cp037", ""]),
)
def test_decoded_text_can_always_be_encoded_again(octets: bytes, charset: str) -> None:
    text_of(octets, charset).encode()
