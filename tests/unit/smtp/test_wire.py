"""Octets: what is escaped comes back the same, what is refused never leaves, replies are read in whatever pieces they come."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.message.content import Content
from mailwright.smtp import wire
from mailwright.words.errors import MessageError, ProtocolError
from mailwright.words.reply import Reply

LINES = st.lists(
    st.one_of(st.sampled_from([b"", b".", b"..", b".x", b"x.", b"MAIL FROM:<x>"]), st.binary(max_size=20)), max_size=12
)


def received(stuffed: bytes) -> bytes:
    """What a server that knows RFC 5321 §4.5.2 and nothing else makes of it."""
    body, end, rest = (b"\r\n" + stuffed).partition(b"\r\n.\r\n")
    assert end and not rest, "the content ended early or not at all"
    return (body + b"\r\n").replace(b"\r\n..", b"\r\n.")[2:]


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """`data` in pieces."""
    marks = sorted({0, len(data), *(p % (len(data) + 1) for p in places)})
    return [data[a:b] for a, b in pairwise(marks)]


@given(LINES, st.lists(st.integers(0, 500), max_size=10))
def test_dots_come_back_the_same_wherever_the_chunks_are_cut(lines: list[bytes], places: list[int]) -> None:
    content = b"".join(line.replace(b"\r", b"").replace(b"\n", b"") + b"\r\n" for line in lines) or b"\r\n"
    stuffed = b"".join(wire.escape_dots(cut(content, places)))
    assert received(stuffed) == content
    assert stuffed.count(b"\r\n.\r\n") + stuffed.startswith(b".\r\n") == 1


@given(st.binary(max_size=60), st.lists(st.integers(0, 100), max_size=6))
def test_a_bare_line_end_never_passes(data: bytes, places: list[int]) -> None:
    whole = data.count(b"\r\n") == data.count(b"\r") == data.count(b"\n")
    try:
        passed = b"".join(wire.check_line_ends(cut(data, places)))
    except MessageError:
        assert not whole
    else:
        assert whole and passed == data


SMUGGLED = [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\n.\n", b"\r\r\n.\r\r\n"]


@pytest.mark.parametrize("ending", SMUGGLED)
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_smuggling_is_refused_before_it_leaves(ending: bytes, size: int) -> None:
    data = b"Subject: x\r\n\r\nhi" + ending + b"MAIL FROM:<eve@example.org>\r\n"
    with pytest.raises(MessageError):
        b"".join(wire.escape_dots(data[i : i + size] for i in range(0, len(data), size)))
    with pytest.raises(MessageError):
        Content.of(data)


def test_a_nul_line_is_content() -> None:
    data = b"a\r\n\x00.\r\nb\r\n"
    assert received(b"".join(wire.escape_dots([data]))) == data


@pytest.mark.parametrize("control", [*map(chr, range(32)), "\x7f"])
def test_a_command_holds_no_control_character(control: str) -> None:
    with pytest.raises(MessageError, match="control character"):
        wire.command_line(f"MAIL FROM:<a{control}RCPT TO:<x>@example.org>")


def test_a_command_has_a_limit_and_no_surrogate() -> None:
    with pytest.raises(MessageError, match="octets"):
        wire.command_line("RCPT TO:<" + "a" * 3000 + ">")
    with pytest.raises(MessageError, match="surrogate"):
        wire.command_line("RCPT TO:<\udc80>")


REPLIES = st.builds(
    Reply,
    st.integers(200, 559),
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=30), min_size=1, max_size=5).map(
        tuple
    ),
)


def written(reply: Reply) -> bytes:
    """The reply as a server writes it."""
    last = len(reply.lines) - 1
    return b"".join(
        f"{reply.code}{'-' if n < last else ' '}{line}".encode() + b"\r\n" for n, line in enumerate(reply.lines)
    )


@given(st.lists(REPLIES, min_size=1, max_size=6), st.lists(st.integers(0, 1000), max_size=20))
def test_replies_come_whole_whatever_the_pieces(replies: list[Reply], places: list[int]) -> None:
    reader = wire.ReplyReader()
    got: list[Reply] = []
    for piece in cut(b"".join(written(r) for r in replies), places):
        reader.feed(piece)
        while (reply := reader.next()) is not None:
            got.append(reply)
    assert got == replies and not reader.pending


@given(st.lists(REPLIES, min_size=2, max_size=4))
def test_looking_ahead_takes_nothing_away(replies: list[Reply]) -> None:
    reader = wire.ReplyReader()
    reader.feed(b"".join(written(r) for r in replies))
    for reply in replies:
        assert reader.ready and reader.ready
        assert reader.next() == reply
    assert not reader.ready and reader.next() is None


@given(st.binary(max_size=300))
def test_garbage_is_a_protocol_error_or_more_is_awaited(data: bytes) -> None:
    reader = wire.ReplyReader()
    reader.feed(data)
    try:
        while (reply := reader.next()) is not None:
            assert 200 <= reply.code <= 599
    except ProtocolError as error:
        assert str(error).isprintable()


@given(st.lists(st.sampled_from([b"250 ok\r\n", b"250-a\r\n", b"250 b\n", b"25", b"", b"0 c\r\n"]), max_size=8))
def test_a_reader_is_quiet_when_nothing_is_left_to_read(pieces: list[bytes]) -> None:
    reader = wire.ReplyReader()
    for piece in pieces:
        reader.feed(piece)
        try:
            assert reader.quiet is (reader.pending == b"")
            reader.next()
        except ProtocolError:
            return
        assert reader.quiet is (reader.pending == b"")


@given(st.integers(0, 30))
def test_what_another_connection_heard_before_is_read_alike(cut: int) -> None:
    said = b"235 2.7.0 Authentication done\r\n"
    for first in (len(said), cut):
        reader = wire.ReplyReader()
        reader.feed(said[:first])
        early = reader.next()
        reader.feed(said[first:])
        assert (early or reader.next()) == Reply(235, ("2.7.0 Authentication done",))
        assert reader.quiet


def test_undecodable_octets_are_kept() -> None:
    reader = wire.ReplyReader()
    reader.feed(b"550 caf\xe9 \xff\r\n")
    reply = reader.next()
    assert reply is not None and "\\xe9" in reply.lines[0]


@given(st.text(max_size=40))
def test_xtext_is_printable_ascii_and_comes_back(text: str) -> None:
    import re

    try:
        text.encode()
    except UnicodeEncodeError:
        return
    encoded = wire.xtext(text)
    assert encoded.isascii() and all("!" <= c <= "~" and c != "=" for c in encoded)
    back = re.sub(rb"\+([0-9A-F]{2})", lambda m: bytes([int(m[1], 16)]), encoded.encode())
    assert back.decode() == text
