"""What is piped into sendmail: any line ends, with a header or without, until a lone dot or the end."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.cli.sendmail import reading
from mailwright.cli.sendmail.reading import read_message, tidied
from mailwright.message.foreign import canonical
from mailwright.words.errors import MessageError


def read(octets: bytes, dot_ends: bool = True) -> bytes:
    return read_message(io.BufferedReader(io.BytesIO(octets)), dot_ends)  # type: ignore[arg-type]


class Dripping(io.RawIOBase):
    """A pipe that gives an octet at a time."""

    def __init__(self, octets: bytes) -> None:
        self._left = octets

    def readable(self) -> bool:
        return True

    def readinto(self, room: object) -> int:
        assert isinstance(room, memoryview)
        piece, self._left = self._left[:1], self._left[1:]
        room[: len(piece)] = piece
        return len(piece)


@pytest.mark.parametrize(
    ("octets", "kept"),
    [
        (b"a\n.\nb\n", b"a\n"),
        (b"a\r\n.\r\nb\r\n", b"a\r\n"),
        (b"a\n.", b"a\n"),
        (b".\na\n", b""),
        (b".", b""),
        (b"..\n.a\n a.\n.", b"..\n.a\n a.\n"),
        (b"a\n. \nb\n", b"a\n. \nb\n"),
        (b"", b""),
        (b"no line end", b"no line end"),
    ],
)
def test_a_lone_dot(octets: bytes, kept: bytes) -> None:
    assert read(octets) == kept
    assert read_message(io.BufferedReader(Dripping(octets), 16), True) == kept  # type: ignore[arg-type]
    assert read(octets, dot_ends=False) == octets


@given(st.lists(st.sampled_from([b"\n", b".", b"\r", b"a", b"\n.\n", b" "]), max_size=30), st.integers(1, 7))
def test_the_dot_is_found_wherever_the_pieces_are_cut(pieces: list[bytes], size: int) -> None:
    octets = b"".join(pieces)
    lines = (b"\n" + octets).split(b"\n")
    place = next((n for n, line in enumerate(lines) if n and line.removesuffix(b"\r") == b"."), None)
    if place == len(lines) - 1 and lines[place] == b".\r":
        place = None  # a CR whose line has not ended
    wanted = octets if place is None else b"\n".join(lines[:place])[1:] + (b"\n" if place > 1 else b"")

    class Pieces(Dripping):
        def readinto(self, room: object) -> int:
            assert isinstance(room, memoryview)
            piece, self._left = self._left[:size], self._left[size:]
            room[: len(piece)] = piece
            return len(piece)

    assert read_message(io.BufferedReader(Pieces(octets), 16), True) == wanted  # type: ignore[arg-type]


def test_too_much_is_refused_and_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LIMIT", 1 << 20)
    with open("/dev/zero", "rb") as endless, pytest.raises(MessageError, match="more than 1 MB"):
        read_message(endless, True)


@pytest.mark.parametrize(
    ("octets", "wanted"),
    [
        (b"Subject: x\n\nhi\n", b"Subject: x\r\n\r\nhi\r\n"),
        (b"Subject: x\r\n\r\nhi\r\n", b"Subject: x\r\n\r\nhi\r\n"),
        (
            b"To: a\nSubject: x\r\nX-A: b\r\n\nhi\nthere\r\n",
            b"To: a\r\nSubject: x\r\nX-A: b\r\n\r\nhi\r\nthere\r\n",
        ),  # PHP
        (b"Subject: x\r\r\n\r\r\nhi\r\r\n", b"Subject: x\r\n\r\nhi\r\n"),
        (b"From ada Mon Jan  1 00:00:00 2024\nSubject: x\n\nhi\n", b"Subject: x\r\n\r\nhi\r\n"),
        (b">From ada Mon Jan  1 00:00:00 2024\nSubject: x\n\nFrom now on\n", b"Subject: x\r\n\r\nFrom now on\r\n"),
        (b"From now on\nit works\n", b"\r\nFrom now on\r\nit works\r\n"),
        (b"hi\nthere\n", b"\r\nhi\r\nthere\r\n"),
        (b"\nhi\n", b"\r\nhi\r\n"),
        (b"Subject: x\nhi there\nTo: b\n", b"Subject: x\r\n\r\nhi there\r\nTo: b\r\n"),
        (b"Subject: x\n folded\n\thi\n\nhi\n", b"Subject: x\r\n folded\r\n\thi\r\n\r\nhi\r\n"),
        (b" indented text\n", b"\r\n indented text\r\n"),
        (b"Subject: x", b"Subject: x\r\n\r\n"),
        (b"", b"\r\n"),
        (b"ERROR: the disk is full\n", b"\r\nERROR: the disk is full\r\n"),
        (b"http://example.org/ is away\n", b"\r\nhttp://example.org/ is away\r\n"),
        (b"Note: x\nSubject: y\n\nhi\n", b"Note: x\r\nSubject: y\r\n\r\nhi\r\n"),
        (b"Subject: x\n\n10%\r50%\r100%\n", b"Subject: x\r\n\r\n10%\r\n50%\r\n100%\r\n"),
    ],
)
def test_line_ends_and_header(octets: bytes, wanted: bytes) -> None:
    assert tidied(octets) == wanted


def test_a_signed_message_keeps_its_octets() -> None:
    signed = b"DKIM-Signature: v=1\nSubject: x\n\n10%\r50%\n"
    assert tidied(signed) == b"DKIM-Signature: v=1\r\nSubject: x\r\n\r\n10%\r50%\r\n"


@given(
    st.lists(
        st.sampled_from(
            [b"\n", b"\r\n", b"\r", b"Subject: x", b"From: a", b" ", b"\t", b"text", b":", b"\x00", b"\xff"]
        ),
        max_size=25,
    )
)
def test_anything_becomes_a_header_section_and_a_body(pieces: list[bytes]) -> None:
    octets = tidied(b"".join(pieces))
    head, blank, body = (b"\r\n" + octets).partition(b"\r\n\r\n")
    assert blank
    if b"\r" not in head.replace(b"\r\n", b""):
        assert canonical(head + blank + body)
    assert tidied(octets) == octets or body != tidied(octets)  # doing it twice changes no header
    assert all(line[:1] in (b" ", b"\t") or b":" in line for line in head.split(b"\r\n")[1:])
