"""The finished octets: size, chunks, line ends, and what a server must offer for them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.message.content import Content
from mailwright.message.message import Message
from mailwright.message.source import Octets
from mailwright.message.transfer import Base64Stream
from mailwright.words.errors import MessageError


@given(st.lists(st.sampled_from(["a", "", ".", "é" * 40])).map("\r\n".join))
def test_finished_octets_stay_as_they_are(text: str) -> None:
    octets = text.encode()
    made = bytes(Content.of(octets))
    assert made == octets + b"\r\n" * (not octets.endswith(b"\r\n"))


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 200_000])
def test_chunks_again_and_again(size: int) -> None:
    content = Content.of(b"x" * size)
    chunks = list(content.chunks())
    assert list(content.chunks()) == chunks
    assert max(map(len, chunks)) <= 65_536
    assert b"".join(chunks) == bytes(content) == b"x" * size + b"\r\n"
    assert content.size == len(content) == size + 2


def test_pieces_in_memory_and_streams() -> None:
    content = Content([b"head\r\n\r\n", Base64Stream(Octets(b"x" * 100_000)), b"\r\n"], eight_bit=False)
    assert content.size == len(bytes(content))
    assert bytes(content).startswith(b"head\r\n\r\neHh4")


@pytest.mark.parametrize(
    "octets", [b"a\nb\r\n", b"a\rb\r\n", b"\n.\n", b"\r\r\n", b"\r\n.\n", b"\n\r\n", b"a\r", b"\n\r"]
)
def test_a_line_end_that_stands_alone_is_refused(octets: bytes) -> None:
    with pytest.raises(MessageError, match="stands alone"):
        Content.of(octets)


@pytest.mark.parametrize(
    ("octets", "eight_bit", "utf8"),
    [
        ("Subject: x\r\n\r\nplain\r\n", False, False),
        ("Subject: x\r\n\r\ngrün\r\n", True, False),
        ("Subject: grün\r\n\r\nplain\r\n", False, True),
        ("Subject: grün\r\n\r\ngrün\r\n", True, True),
        ("Subject: grün\r\n", False, True),
    ],
)
def test_what_the_server_must_offer(octets: str, eight_bit: bool, utf8: bool) -> None:
    content = Content.of(octets.encode())
    assert (content.eight_bit, content.utf8) == (eight_bit, utf8)


def test_repr_says_how_much_and_what_it_needs() -> None:
    assert repr(Content.of(b"x")) == "<Content of 3 octets>"
    assert repr(Content.of("ü: ü\r\n\r\nü".encode())) == "<Content of 14 octets, needs 8BITMIME SMTPUTF8>"


def test_who_knows_that_the_line_ends_were_checked() -> None:
    assert Content.of(b"a\r\nb").checked
    assert not Content((b"a\nb",)).checked


awkward = st.text(st.sampled_from("a\r\n\t =.-\x00\x0b\x1b\x85é\u2028日😀"), max_size=60)


@given(awkward, awkward, st.lists(st.binary(max_size=40)), st.booleans())
def test_what_says_that_it_was_checked_is_sound(text: str, html: str, files: list[bytes], eight_bit: bool) -> None:
    attached = {f"{number}.{('txt', 'bin', 'eml')[number % 3]}": data for number, data in enumerate(files)}
    content = Message("ada@example.org", "bob@example.net", "x", text, html, attachments=attached).render(eight_bit)
    octets = bytes(content)
    assert content.checked
    assert octets.count(b"\r\n") == octets.count(b"\n") == octets.count(b"\r")
    assert octets.endswith(b"\r\n")


@pytest.mark.parametrize(
    ("text", "body"),
    [("", b""), ("\n", b"\r\n"), ("x", b"x\r\n"), ("x\n", b"x\r\n"), ("x\n\n", b"x\r\n\r\n"), ("ä", b"w6Q=\r\n")],
)
def test_the_last_line_has_its_end_and_no_line_is_added(text: str, body: bytes) -> None:
    octets = bytes(Message("ada@example.org", "bob@example.net", "x", text))
    assert octets.partition(b"\r\n\r\n")[2] == body
