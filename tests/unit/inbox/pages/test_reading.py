"""A caught message made ready to be looked at: structure, people, headers, pictures, source, dialogue."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright import Attachment, Message
from mailwright.inbox.reading.bodies import bodies, text
from mailwright.inbox.reading.dialogue import dialogue
from mailwright.inbox.reading.headers import headers, known_names, meaning_of
from mailwright.inbox.reading.people import people
from mailwright.inbox.reading.pictures import picture
from mailwright.inbox.reading.source import LINES_LIMIT, source
from mailwright.inbox.reading.structure import PARTS_LIMIT, decoded_size, octets, part, structure
from mailwright.smtp.receiving.received import Received
from mailwright.words.envelope import DSN, Envelope
from mailwright.words.receipt import TLSFacts
from mailwright.words.transcript import Transcript


def png(width: int, height: int) -> bytes:
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + size + b"\x08\x02\0\0\0" + b"\0\0\0\0"


FULL = Message(
    ("Ada", "ada@example.org"),
    [("Grace", "grace@example.org"), "absent@example.org"],
    "Größe",
    "Text äöü",
    '<p>HTML <img src="cid:logo"></p>',
    inline={"logo": png(4, 3)},
    attachments=[Attachment(b"x" * 1000, "Größe.bin"), Attachment(b"a;b\n", "t.csv")],
    cc=["cc@example.org"],
)
CONTENT = b"".join(FULL.render().chunks())


def test_the_structure_is_numbered_as_imap_does() -> None:
    root = structure(CONTENT)
    assert [(node.number, node.kind, node.name) for node in root.walk()] == [
        ("", "multipart/mixed", ""),
        ("1", "multipart/alternative", ""),
        ("1.1", "text/plain", ""),
        ("1.2", "multipart/related", ""),
        ("1.2.1", "text/html", ""),
        ("1.2.2", "image/png", "logo.png"),
        ("2", "application/octet-stream", "Größe.bin"),
        ("3", "text/csv", "t.csv"),
    ]
    assert not any(node.remark for node in root.walk())


def test_octets_of_a_part_are_what_was_attached() -> None:
    node = part(structure(CONTENT), "2")
    assert node is not None
    assert octets(CONTENT, node) == b"x" * 1000 and decoded_size(CONTENT, node) == 1000 < node.size
    assert part(structure(CONTENT), "9") is None and part(structure(CONTENT), "") is None


def test_a_message_without_parts_has_one() -> None:
    content = b"Subject: x\r\n\r\nBody\r\n"
    node = part(structure(content), "1")
    assert node is not None and octets(content, node) == b"Body\r\n" and node.kind == "text/plain"


def test_bodies_are_sorted_by_their_use() -> None:
    found = bodies(CONTENT)
    assert [text(CONTENT, node)[0] for node in found.texts] == ["Text äöü"]
    assert found.html is not None and found.html.number == "1.2.1"
    assert [node.cid for node in found.inline] == ["logo"]
    assert [node.name for node in found.attachments] == ["Größe.bin", "t.csv"]


@pytest.mark.parametrize(
    ("content", "remark"),
    [
        (b'Content-Type: multipart/mixed; boundary="b"\r\n\r\nnothing', "does not occur"),
        (b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nx', "not closed"),
        (b"Content-Transfer-Encoding: x-uuencode\r\n\r\nx", "not one of RFC 2045"),
    ],
)
def test_what_is_odd_is_told(content: bytes, remark: str) -> None:
    assert remark in structure(content).remark


@pytest.mark.parametrize("tail", [b"--b--", b"--b--\r\n", b"--b--  \r\nepilogue\r\n"])
def test_a_closed_multipart_is_not_called_open(tail: bytes) -> None:
    head = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nx\r\n'
    assert structure(head + tail).remark == ""


def test_depth_and_number_of_parts_are_bounded() -> None:
    deep = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n) for n in range(200))
    assert max(node.number.count(".") for node in structure(deep).walk()) < 50
    many = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--b\r\n\r\nx\r\n" * 50_000
    root = structure(many)
    assert len(list(root.walk())) == PARTS_LIMIT + 1 and "rest is not told apart" in root.remark


@given(st.binary(max_size=400))
def test_any_octets_can_be_read(content: bytes) -> None:
    found = bodies(content)
    assert (found.root.start, found.root.end) == (0, len(content))
    for node in found.root.walk():
        assert 0 <= node.start <= node.body <= node.end <= len(content)
        assert len(octets(content, node)) <= node.size
        assert all(node.body <= child.start and child.end <= node.end for child in node.children)
    leaves = [node for node in found.root.walk() if not node.children]
    sorted_in = [*found.texts, *found.inline, *found.attachments, *([found.html] if found.html else [])]
    assert sorted(node.start for node in sorted_in) == sorted(node.start for node in leaves)
    shown = source(content)
    assert shown.total == len(content.split(b"\n")) - content.endswith(b"\n")
    assert len(shown.lines) == min(shown.total, LINES_LIMIT) or content == b""
    assert "Date" in headers(content).missing or b"date" in content.lower()
    delivered = [one for one in people(content, Envelope.of(None, "a@example.org")).listed if one.delivered]
    assert {one.address for one in delivered} == {"a@example.org"}


def test_people_tell_who_is_named_where_and_who_gets_it() -> None:
    envelope = Envelope.of("ada@example.org", ["grace@example.org", "cc@example.org", "audit@example.org"])
    found = people(CONTENT, envelope)
    assert [(one.address, one.where, one.delivered) for one in found.listed] == [
        ("grace@example.org", "To", True),
        ("absent@example.org", "To", False),
        ("cc@example.org", "Cc", True),
        ("audit@example.org", "Bcc", True),
    ]
    assert [one.address for one in found.blind] == ["audit@example.org"]
    assert [one.address for one in found.not_delivered] == ["absent@example.org"]
    assert not found.exposed


def test_a_bcc_field_that_was_left_in_is_told() -> None:
    found = people(
        b"To: a@example.org\r\nBcc: b@example.org\r\n\r\n", Envelope.of(None, ["a@example.org", "b@example.org"])
    )
    assert (
        found.exposed and found.blind == () and [one.address for one in found.among("Bcc header")] == ["b@example.org"]
    )


def test_thousands_of_people_are_counted() -> None:
    found = people(b"Subject: x\r\n\r\n", Envelope.of(None, [f"u{n}@example.org" for n in range(1500)]))
    assert (len(found.listed), found.left_out) == (500, 1000)


def test_headers_have_meanings_with_their_source() -> None:
    found = headers(CONTENT)
    by_name = {field.name: field for field in found.fields}
    assert by_name["Subject"].meant == "Größe" and by_name["Subject"].raw.lower().startswith("=?utf-8?")
    assert by_name["Subject"].rfc == "RFC 5322 §3.6.5" and by_name["Date"].raw == "" and found.missing == ()
    assert headers(b"Subject: a\r\nSubject: b\r\n\r\n").fields[0].remark.startswith("Stands here more than once")
    assert headers(b"X: y\r\n\r\n").missing == ("From", "Date")


def test_every_field_that_is_written_here_has_a_meaning() -> None:
    for field in headers(CONTENT).fields:
        assert field.rfc, field.name
    assert meaning_of("X-Anything")[0].startswith("Private") and meaning_of("Zzz")[1] == ""
    assert all(name == name.lower() and meaning_of(name)[0].endswith(".") for name in known_names())


def test_headers_are_bounded() -> None:
    found = headers(b"A: b\r\n" * 1000 + b"\r\n")
    assert (len(found.fields), found.left_out) == (300, 700)
    assert len(headers(b"A: " + b"x" * 200_000 + b"\r\n\r\n").fields[0].meant) == 4000


@pytest.mark.parametrize(
    ("data", "kind", "width", "height"),
    [
        (png(640, 480), "image/png", 640, 480),
        (b"GIF89a" + (3).to_bytes(2, "little") + (5).to_bytes(2, "little"), "image/gif", 3, 5),
        (b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x11\x08\x00\x0a\x00\x14\x03xxx", "image/jpeg", 20, 10),
        (b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0\x09\0\0\x04\0\0", "image/webp", 10, 5),
        (b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + (99 | 49 << 14).to_bytes(4, "little"), "image/webp", 100, 50),
        (b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x40\x01\xf0\x00", "image/webp", 320, 240),
    ],
)
def test_pictures_tell_their_kind_and_size(data: bytes, kind: str, width: int, height: int) -> None:
    found = picture(data)
    assert found is not None and (found.kind, found.width, found.height) == (kind, width, height)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.4", b"\x89PNG\r\n\x1a\n", b"GIF8", b"\xff\xd8\xff",
        png(0, 5), png(60_000, 60_000), b"\xff\xd8\xff" + b"\xff\xe0\x00\x02" * 5000, b"BM" + bytes(60),
    ],
)  # fmt: skip
def test_what_is_no_picture_or_unfolds_to_too_much_is_not_shown(data: bytes) -> None:
    assert picture(data) is None


@given(st.sampled_from([b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff", b"RIFFxxxxWEBP"]), st.binary(max_size=60))
def test_broken_pictures_raise_nothing(beginning: bytes, rest: bytes) -> None:
    found = picture(beginning + rest)
    assert found is None or found.width * found.height <= 40_000_000


def test_lines_of_the_source_are_numbered_and_come_in_stretches() -> None:
    content = b"Subject: x\r\n folded\r\n\r\n" + b"".join(b"line %d\r\n" % n for n in range(5000))
    first = source(content)
    assert (first.first, first.last, first.total) == (1, LINES_LIMIT, 5003)
    assert first.lines[0].text == "Subject: x" and first.lines[0].name == len("Subject")
    assert first.lines[1].name == 0 and first.lines[3].text == "line 0" and first.lines[3].name == 0
    later = source(content, 4501)
    assert later.lines[0].text == "line 4497" and later.last == 5003
    assert source(content, 10**9).lines[0].number == 5003


def test_invisible_and_long_lines_of_the_source_are_shown_within_limits() -> None:
    found = source(b"a\x00b\x1b[31m\xe2\x80\xae\xff\tc\r\n" + b"x" * 1_000_000)
    assert found.lines[0].text == "a\\x00b\\x1b[31m\\u202e\\xff\tc"
    assert len(found.lines[1].text) <= 2001 and found.lines[1].octets == 1_000_000
    assert source(b"").lines == ()


def test_the_dialogue_is_the_one_that_was_taken_down() -> None:
    transcript = Transcript()
    transcript.note("C", "EHLO client")
    transcript.note("S", "250 fine\x1b[0m")
    received = Received(Envelope.of(None, "a@example.org"), b"x", transcript=transcript)
    found = dialogue(received)
    assert found.kept and [(line.mark, line.text) for line in found.lines] == [
        ("C", "EHLO client"),
        ("S", "250 fine\\x1b[0m"),
    ]


def test_without_one_it_is_told_from_the_envelope() -> None:
    tls = TLSFacts("TLSv1.3", "AES", "00")
    envelope = Envelope.of("a@example.org", ["b@example.org"], DSN(("FAILURE",), "HDRS", "x1"), require_tls=True)
    found = dialogue(
        Received(
            envelope,
            b"xyz",
            hello="client.example",
            peer="127.0.0.1",
            login="ada",
            tls=tls,
            mail_parameters={"SIZE": "3", "SMTPUTF8": ""},
        )
    )
    assert not found.kept
    said = [line.text for line in found.lines]
    assert "MAIL FROM:<a@example.org> SIZE=3 SMTPUTF8" in said and "RCPT TO:<b@example.org>" in said
    facts = dict(found.facts)
    assert facts["TLS"] == "TLSv1.3, AES" and facts["Login"] == "ada" and facts["Client"] == "127.0.0.1"
    assert facts["Delivery reports"] == "NOTIFY=FAILURE, RET=HDRS, ENVID=x1" and "RFC 8689" in facts["REQUIRETLS"]


def test_thousands_of_recipients_do_not_make_an_endless_dialogue() -> None:
    found = dialogue(Received(Envelope.of(None, [f"u{n}@example.org" for n in range(1000)]), b"x"))
    assert len(found.lines) < 220 and any("800 more recipients" in line.text for line in found.lines)
