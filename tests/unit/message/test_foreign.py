"""Adopting raw octets: line ends, header fields, envelope, what is added, what is taken out, what is refused."""

from __future__ import annotations

import email
import email.policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.message.fields import fold, header_addresses, parameters, read_fields
from mailwright.message.mail import MailObject, mail_object
from mailwright.words.envelope import Envelope
from mailwright.words.errors import AddressError, HeaderError, MailError, MessageError, Unsupported

ENVELOPE = Envelope.of("ada@example.org", "bob@example.net")
HEAD = b"From: ada@example.org\r\nTo: bob@example.net\r\n"
SEALS = {
    "DKIM": b"DKIM-Signature: v=1; a=rsa-sha256; b=x\r\n",
    "ARC": b"ARC-Seal: i=1; b=x\r\n",
    "S/MIME": b'Content-Type: multipart/signed; boundary="b"\r\n',
    "S/MIME sealed": b"Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n",
    "S/MIME old": b"content-type: Application/X-PKCS7-MIME\r\n",
    "PGP": b'Content-Type: multipart/encrypted;\r\n\tboundary="b"\r\n',
}


def adopted(raw: bytes | str, **envelope: object) -> MailObject:
    return mail_object(raw, now=0.0, token="t", **envelope)  # type: ignore[arg-type]


def carried(raw: bytes) -> bytes:
    """What is sent when the envelope is given."""
    return bytes(mail_object((ENVELOPE, raw), now=0.0, token="t").content_for(True))


def specs(mail: MailObject) -> list[str]:
    return [one.spec for one in mail.envelope.recipients]


def names(octets: bytes) -> list[str]:
    return [field.name for field in read_fields(octets.partition(b"\r\n\r\n")[0] + b"\r\n")]


class TestLineEnds:
    def test_lf_throughout_becomes_crlf(self) -> None:
        assert carried(b"Subject: x\nX-Folded: a\n b\n\none\n\ntwo\n").endswith(b"\r\n\r\none\r\n\r\ntwo\r\n")
        assert b"X-Folded: a\r\n b\r\n" in carried(b"Subject: x\nX-Folded: a\n b\n\none\n")

    def test_a_missing_last_line_end_is_added(self) -> None:
        assert carried(HEAD + b"\r\nno end").endswith(b"\r\n\r\nno end\r\n")
        assert carried(b"Subject: no body").endswith(b"\r\n\r\n")

    @pytest.mark.parametrize(
        "end",
        [
            b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\n.\n",
            b"\r\r\n.\r\r\n", b"\n\r.\n\r", b"\r\n\r.\r\n", b"\n\n.\r\n",
        ],
    )  # fmt: skip
    def test_no_smuggled_end_of_data_passes(self, end: bytes) -> None:
        with pytest.raises(MessageError, match=r"stands alone.*CRLF"):
            adopted(HEAD + b"\r\none" + end + b"MAIL FROM:<eve@example.org>\r\n")

    def test_lf_only_smuggling_becomes_plain_text(self) -> None:
        raw = HEAD.replace(b"\r\n", b"\n") + b"\none\n.\nMAIL FROM:<eve@example.org>\n"
        assert carried(raw).endswith(b"\r\none\r\n.\r\nMAIL FROM:<eve@example.org>\r\n")

    @pytest.mark.parametrize(
        "raw, said",
        [
            (b"A: b\r\nC: d\n\r\n", "Line 2 of the message has a LF"),
            (b"A: b\r\n\r\nx\ry\r\n", "Line 3 of the message has a CR"),
            (b"A: b\rC: d\r", "Line 1 of the message has a CR"),
        ],
    )
    def test_the_refusal_names_the_line(self, raw: bytes, said: str) -> None:
        with pytest.raises(MessageError, match=said):
            adopted(raw)

    @given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"x", b"\xe4", b"\x00"]), max_size=12))
    def test_whatever_is_carried_has_crlf_only(self, pieces: list[bytes]) -> None:
        try:
            sent = carried(HEAD + b"\r\n" + b"".join(pieces))
        except MessageError:
            return
        assert sent.count(b"\r\n") == sent.count(b"\r") == sent.count(b"\n")
        assert sent.endswith(b"\r\n")
        assert b"\x00" not in sent


class TestHeader:
    @pytest.mark.parametrize(
        "raw, said",
        [
            (b"Hello Bob,\r\n\r\nhow are you\r\n", "Line 1 .* neither a header field nor the empty line"),
            (b"Subject : x\r\n\r\n", "neither a header field"),
            (b": x\r\n\r\n", "neither a header field"),
            (b"Sub ject: x\r\n\r\n", "neither a header field"),
            (b"S\xc3\xbcbject: x\r\n\r\n", "neither a header field"),
            (b"Sub\x00ject: x\r\n\r\n", "neither a header field"),
            (b"A: b\r\nBcc\t: eve@example.org\r\n\r\n", "Line 2"),
            (b" folded: x\r\n\r\n", "no field to continue"),
            (b"From ada Thu Jan  1 00:00:00 1970\r\nSubject: x\r\n\r\n", "mbox"),
        ],
    )
    def test_what_readers_would_read_differently_is_refused(self, raw: bytes, said: str) -> None:
        with pytest.raises(HeaderError, match=said):
            carried(raw)

    @pytest.mark.parametrize("octet", [b"\x00", b"\x01", b"\x0b", b"\x0c", b"\x1b", b"\x1f", b"\x7f"])
    def test_controls_are_refused(self, octet: bytes) -> None:
        with pytest.raises(HeaderError, match="Subject holds the control character") as caught:
            carried(HEAD + b"Subject: a" + octet + b"b\r\n\r\n")
        assert caught.value.field == "Subject"

    @pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029", "\x9f"])
    def test_unicode_line_separators_are_refused(self, character: str) -> None:
        with pytest.raises(HeaderError, match="Subject holds the control character"):
            carried(HEAD + f"Subject: a{character}Bcc: eve@example.org\r\n\r\n".encode())

    def test_octets_of_an_unknown_character_set_are_refused(self) -> None:
        with pytest.raises(HeaderError, match="Subject holds the octet 0xfc, which is neither ASCII nor UTF-8"):
            carried(HEAD + "Subject: Grüße\r\n\r\n".encode("latin-1"))

    @pytest.mark.parametrize(
        "name",
        "From Sender Reply-To To Cc Bcc Date Message-ID Subject In-Reply-To References "
        "MIME-Version Content-Type Content-Transfer-Encoding".split(),
    )
    def test_a_single_field_may_not_stand_twice(self, name: str) -> None:
        with pytest.raises(HeaderError, match=f"more than one {name.upper()}") as caught:
            carried(f"{name}: a@example.org\r\nX: y\r\n{name.upper()}: b@example.org\r\n\r\n".encode())
        assert caught.value.field == name.upper()

    def test_other_fields_may_stand_twice_and_keep_their_order(self) -> None:
        head = b"Received: a\r\nX-A: 1\r\nReceived: b\r\nComments: c\r\nComments: d\r\n" + HEAD
        sent = carried(head + b"\r\n")
        assert sent.startswith(head)
        assert names(sent) == [
            "Received",
            "X-A",
            "Received",
            "Comments",
            "Comments",
            "From",
            "To",
            "Date",
            "Message-ID",
        ]

    def test_a_line_that_is_too_long_is_folded(self) -> None:
        value = b" ".join(b"<%d@example.org>" % number for number in range(400))
        sent = carried(HEAD + b"References: " + value + b"\r\n\r\n")
        head = sent.partition(b"\r\n\r\n")[0]
        assert max(map(len, head.split(b"\r\n"))) <= 78
        found = next(one for one in read_fields(head + b"\r\n") if one.name == "References")
        assert found.text.encode() == value

    def test_a_fold_of_white_space_only_is_mended(self) -> None:
        sent = carried(HEAD + b"Subject: one\r\n \t \r\n two\r\n\r\n")
        assert b"Subject: one" in sent
        assert all(line.strip() for line in sent.partition(b"\r\n\r\n")[0].split(b"\r\n"))
        assert " ".join(email.message_from_bytes(sent)["Subject"].split()) == "one two"

    def test_a_word_longer_than_a_line_is_refused(self) -> None:
        with pytest.raises(HeaderError, match="Subject has a line of more than 998 octets"):
            carried(HEAD + b"Subject: " + b"x" * 5_000_000 + b"\r\n\r\n")

    def test_millions_of_octets_of_header_are_no_trouble(self) -> None:
        sent = carried(HEAD + b"X-Long: " + b"word " * 1_000_000 + b"\r\n\r\nHello\r\n")
        assert max(map(len, sent.split(b"\r\n"))) <= 78
        assert sent.endswith(b"\r\n\r\nHello\r\n")

    @given(st.text(alphabet=" \tab", max_size=3000), st.sampled_from(["X", "Subject", "X-" + "n" * 80]))
    def test_folding_keeps_words_and_limits(self, text: str, name: str) -> None:
        (field,) = read_fields(f"{name}: x{text}x\r\n".encode())
        try:
            made = fold(field)
        except HeaderError:
            assert max(map(len, text.split() + [text])) > 900
            return
        lines = made.raw.split(b"\r\n")
        assert max(map(len, lines)) <= 998
        assert all(line.strip() for line in lines[:-1])
        assert made.text == field.text
        assert read_fields(made.raw) == [made]


class TestAdditions:
    def test_what_is_missing_is_added_and_what_is_there_is_kept(self) -> None:
        assert names(carried(b"Subject: x\r\n\r\n")) == ["Subject", "From", "Date", "Message-ID"]
        whole = b"Date: Thu, 01 Jan 1970 00:00:00 +0000\r\nMessage-ID: <mine@example.org>\r\n" + HEAD
        assert carried(whole + b"\r\nx\r\n") == whole + b"\r\nx\r\n"
        assert adopted(whole + b"\r\n").message_id == "<mine@example.org>"

    def test_empty_fields_count_as_missing(self) -> None:
        sent = carried(b"Date: \r\nFrom:\r\nMessage-ID:  \r\nSubject:\r\n\r\n")
        assert names(sent) == ["Subject", "From", "Date", "Message-ID"]
        assert b"From: ada@example.org\r\n" in sent

    def test_the_identifier_is_in_the_domain_of_the_author(self) -> None:
        raw = b"From: Ada <ada@author.example>\r\nTo: b@example.net\r\n\r\n"
        assert adopted(raw).message_id == "<t@author.example>"
        assert adopted(raw, sender="bounces@list.example").message_id == "<t@author.example>"
        assert adopted(raw, sender="").message_id == "<t@author.example>"

    def test_no_author_at_all_is_refused(self) -> None:
        with pytest.raises(HeaderError, match="no From"):
            adopted(b"To: b@example.net\r\n\r\n", sender="")

    @pytest.mark.parametrize("octets", [b"", b"\r\n", b"\n", b"\r\n\r\n"])
    def test_nothing_is_a_message_only_with_an_envelope(self, octets: bytes) -> None:
        with pytest.raises(HeaderError, match="does not say who sends it"):
            adopted(octets)
        assert names(carried(octets)) == ["From", "Date", "Message-ID"]


class TestEnvelope:
    @pytest.mark.parametrize(
        "field, expected",
        [
            (b"To: b@example.net", ["b@example.net"]),
            (b"To: b@example.net,\r\n\tc@example.net", ["b@example.net", "c@example.net"]),
            (b'To: "Bob, the Builder" <b@example.net>, c@example.net', ["b@example.net", "c@example.net"]),
            (b"To: =?utf-8?q?B=C3=B6b?= <b@example.net>", ["b@example.net"]),
            (b"To: b@example.net\r\nCc: c@example.net\r\nBcc: d@example.net", ["b@example.net", "c@example.net", "d@example.net"]),
            (b"To: undisclosed-recipients:;\r\nBcc: d@example.net", ["d@example.net"]),
            (b"To: Undisclosed recipients: ;\r\nBcc: d@example.net", ["d@example.net"]),
            (b"To: Team: b@example.net, C <c@example.net>;, d@example.net", ["b@example.net", "c@example.net", "d@example.net"]),
            (b"To: A:;, B: b@example.net;", ["b@example.net"]),
            (b'To: "a:b": b@example.net;', ["b@example.net"]),
            (b"To: b@[IPv6:2001:db8::1], c@[192.0.2.1]", ["b@[IPv6:2001:db8::1]", "c@[192.0.2.1]"]),
            (b'To: "b;b"@example.net', ['"b;b"@example.net']),
            ("To: b@bücher.example".encode(), ["b@xn--bcher-kva.example"]),
            (b"To: b@example.net, b@example.net", ["b@example.net"]),
            (b"TO: b@example.net", ["b@example.net"]),
        ],
    )  # fmt: skip
    def test_the_recipients(self, field: bytes, expected: list[str]) -> None:
        assert specs(adopted(b"From: a@example.org\r\n" + field + b"\r\n\r\n")) == expected

    @pytest.mark.parametrize(
        "text",
        [
            "user@good-corp.com(x)evil.com",
            "user@good-corp.com (x) evil.com",
            "user@good-corp.com\t.evil.com",
            '"a@gmail.com x"@internal@evil.com',
            "<@relay.example:b@example.net>",
            "b@example.net>",
            "a@example.net <b@example.net",
            "b@example.net c@example.net",
            "b@example.net,,c@example.net",
            "Team: b@example.net",
            "b@example.net;",
            ": b@example.net;",
            "A: B: b@example.net;;",
            "=?utf-8?q?b=40evil.com=3E?=",
            "b",
            "b@",
            "b@exa mple.net",
            "b@example..net",
            '"b@example.net',
        ],
    )
    def test_any_defect_is_an_address_error_that_names_the_field(self, text: str) -> None:
        with pytest.raises(AddressError, match="In the header To: "):
            adopted(f"From: a@example.org\r\nTo: {text}\r\n\r\n")
        assert specs(adopted(f"From: a@example.org\r\nTo: {text}\r\n\r\n", to="x@example.net")) == ["x@example.net"]

    def test_the_sender_field_says_who_sends(self) -> None:
        raw = b"From: a@example.org, b@example.org\r\nTo: x@example.net\r\n"
        assert adopted(b"Sender: s@example.org\r\n" + raw + b"\r\n").envelope.reverse_path == "s@example.org"
        with pytest.raises(HeaderError, match="2 addresses, but one must send"):
            adopted(raw + b"\r\n")
        assert adopted(raw + b"\r\n", sender="b@example.org").envelope.reverse_path == "b@example.org"

    def test_no_recipient_at_all_is_refused(self) -> None:
        with pytest.raises(MessageError, match="No recipients"):
            adopted(b"From: a@example.org\r\nTo: nobody:;\r\n\r\n")

    def test_ten_thousand_recipients(self) -> None:
        all_of_them = [f"user{number}@example.net" for number in range(10_000)]
        assert specs(adopted("From: a@example.org\r\nTo: " + ",\r\n ".join(all_of_them) + "\r\n\r\n")) == all_of_them

    @given(st.lists(st.sampled_from(list('a@x.,:;<>"\\[]() ')), max_size=24).map("".join))
    def test_groups_never_change_an_address(self, text: str) -> None:
        """What is read is there in the text, letter by letter, and never made up from the pieces around it."""
        try:
            found = header_addresses(text)
        except AddressError:
            return
        for address in found:
            assert address.spec.lower() in text.lower()


class TestResent:
    OLD = b"From: old@example.org\r\nTo: oldto@example.net\r\nCc: oldcc@example.net\r\n"
    BLOCK = (
        b"Resent-Date: Thu, 01 Jan 1970 00:00:00 +0000\r\nResent-From: r@example.org\r\n"
        b"Resent-To: to@example.net\r\nResent-Cc: cc@example.net\r\nResent-Bcc: bcc@example.net\r\n"
    )

    def test_the_block_is_the_envelope(self) -> None:
        mail = adopted(self.BLOCK + self.OLD + b"\r\n")
        assert mail.envelope == Envelope.of("r@example.org", ["to@example.net", "cc@example.net", "bcc@example.net"])
        assert b"bcc@" not in bytes(mail.content_for(True))

    def test_its_sender_comes_first(self) -> None:
        mail = adopted(b"Resent-Sender: s@example.org\r\n" + self.BLOCK + self.OLD + b"\r\n")
        assert mail.envelope.reverse_path == "s@example.org"

    def test_two_blocks_are_refused_without_an_envelope(self) -> None:
        raw = self.BLOCK + self.BLOCK + self.OLD + b"\r\n"
        with pytest.raises(HeaderError, match="resent more than once"):
            adopted(raw)
        assert specs(adopted(raw, sender="a@example.org", to="x@example.net")) == ["x@example.net"]
        assert b"bcc@" not in carried(raw)

    def test_a_block_without_sender_is_refused(self) -> None:
        with pytest.raises(HeaderError, match="Resent-From"):
            adopted(b"Resent-To: to@example.net\r\n" + self.OLD + b"\r\n")


class TestBcc:
    @pytest.mark.parametrize("name", ["Bcc", "BCC", "bcc", "Resent-Bcc"])
    def test_it_is_taken_out(self, name: str) -> None:
        sent = carried(HEAD + name.encode() + b": eve@example.net,\r\n mallory@example.net\r\nX: y\r\n\r\n")
        assert b"eve" not in sent and b"mallory" not in sent and b"bcc" not in sent.lower()
        assert names(sent) == ["From", "To", "X", "Date", "Message-ID"]

    def test_it_is_used_only_without_another_envelope(self) -> None:
        raw = HEAD + b"Bcc: eve@example.net\r\n\r\n"
        assert specs(adopted(raw)) == ["bob@example.net", "eve@example.net"]
        assert specs(adopted(raw, to="x@example.net")) == ["x@example.net"]

    @pytest.mark.parametrize("seal", SEALS)
    @pytest.mark.parametrize("name", ["Bcc", "Resent-Bcc"])
    def test_in_a_signed_message_it_is_refused(self, seal: str, name: str) -> None:
        with pytest.raises(HeaderError, match=f"{name} would be seen by all.*signed"):
            carried(HEAD + SEALS[seal] + name.encode() + b": eve@example.net\r\n\r\n")


class TestSigned:
    @pytest.mark.parametrize("seal", SEALS)
    def test_not_an_octet_is_changed(self, seal: str) -> None:
        raw = SEALS[seal] + b"FROM:  ada@example.org\r\nTo:\tbob@example.net\r\nX:  a \r\n\t b\r\n\r\nx \r\n\r\n"
        assert carried(raw) == raw
        mail = adopted(raw)
        assert mail.message_id == ""
        assert bytes(mail.content_for(False)) == raw

    @pytest.mark.parametrize("seal", SEALS)
    def test_line_ends_get_their_canonical_form(self, seal: str) -> None:
        raw = SEALS[seal] + HEAD + b"\r\nx\r\n"
        assert carried(raw.replace(b"\r\n", b"\n")) == raw

    @pytest.mark.parametrize("seal", SEALS)
    @pytest.mark.parametrize(
        "rest",
        [
            b"\r\n" + b"x" * 999,
            b"\r\nNUL \x00",
            b"X: " + b"x " * 600 + b"\r\n\r\n",
            b"X: a\r\n \r\n b\r\n\r\n",
            b"X: a\x00\r\n\r\n",
            b"To: twice@example.net\r\n\r\n",
            b"\r\nCR \r",
        ],
    )
    def test_what_would_have_to_be_changed_is_refused(self, seal: str, rest: bytes) -> None:
        with pytest.raises(MessageError):
            carried(SEALS[seal] + HEAD + rest)

    def test_without_from_it_is_refused(self) -> None:
        with pytest.raises(HeaderError, match="no From"):
            carried(SEALS["DKIM"] + b"To: bob@example.net\r\n\r\n")

    def test_eight_bits_pass_only_where_they_are_offered(self) -> None:
        mail = adopted(SEALS["S/MIME"] + HEAD + "\r\nä\r\n".encode())
        assert mail.content_for(True).eight_bit
        with pytest.raises(Unsupported, match="multipart/signed"):
            mail.content_for(False)


HEADER_PIECES = st.sampled_from(
    [b"\r\n", b"\r\n ", b"\n", b"\r", b":", b" ", b"\t", b"From", b"To", b"Bcc", b"Subject", b"x", b"\x00", b"\x0b",
     b"a@example.org", b",", b";", b'"', b"<", b">", "ü".encode(), "\u2028".encode(), b"\xff", b"=?utf-8?q?=0D=0ABcc:?="]
)  # fmt: skip


@given(st.lists(HEADER_PIECES, max_size=16).map(b"".join))
def test_two_readers_see_the_same_fields(pieces: bytes) -> None:
    """Whatever we carry, the email package reads the same names in it, and none of them is Bcc."""
    try:
        sent = carried(b"X-First: a" + pieces + b"\r\n\r\nbody\r\n")
    except MailError:
        return
    ours = names(sent)
    theirs = email.message_from_bytes(sent, policy=email.policy.compat32)
    assert theirs.keys() == ours
    assert not {"bcc", "resent-bcc"} & {name.lower() for name in ours}
    assert {"From", "Date", "Message-ID"} <= {name.title().replace("-Id", "-ID") for name in ours}


@pytest.mark.parametrize(
    "text, expected",
    [
        ("text/plain", ("text/plain", {})),
        ("Text/HTML; Charset=UTF-8", ("text/html", {"charset": "UTF-8"})),
        ('a/b; x="a;b=c"; y=d', ("a/b", {"x": "a;b=c", "y": "d"})),
        (r'a/b; x="q\"\\;"; y=d', ("a/b", {"x": 'q"\\;', "y": "d"})),
        ('a/b; x="never closed; y=d', ("a/b", {"x": "never closed; y=d"})),
        ("a/b; x=1; x=2", ("a/b", {"x": "1"})),
        ("a/b (comment); ; ;=; x = 1 ;", ("a/b", {"": "", "x": "1"})),
        ("", ("", {})),
    ],
)
def test_parameters(text: str, expected: tuple[str, dict[str, str]]) -> None:
    assert parameters(text) == expected
