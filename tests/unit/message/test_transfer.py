"""Bodies: read back exactly, in the shortest encoding that is safe."""

from __future__ import annotations

import base64 as standard
import quopri
import re
import subprocess
import sys
from importlib.util import find_spec

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailwright.message.message import Message
from mailwright.message.source import Octets
from mailwright.message.transfer import (
    Base64Stream,
    base64,
    base64_size,
    encoded,
    encoded_octets,
    encoded_text,
    ends_in_crlf,
    identity,
)
from tests.unit.message.reading import back, text_of

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)
lines = st.lists(st.sampled_from(["a", ".", "..", "From x", " ", "\t", "é", "=", "x" * 80, "y " * 50, ""])).map(
    "\n".join
)


def decoded(encoding: str, body: bytes) -> bytes:
    """The octets behind a transfer encoding, by the standard library."""
    if encoding == "base64":
        return standard.b64decode(body, validate=False)
    return quopri.decodestring(body) if encoding == "quoted-printable" else body


def check_safe(encoding: str, body: bytes) -> None:
    """What RFC 2045 §6 promises about an encoded body."""
    assert body.count(b"\r\n") == body.count(b"\n") == body.count(b"\r")
    limit = 76 if encoding in ("base64", "quoted-printable") else 998
    for line in body.split(b"\r\n"):
        assert len(line) <= limit
        if encoding == "quoted-printable":
            assert not line.endswith((b" ", b"\t"))
    if encoding != "8bit":
        assert body.isascii()
    assert b"\0" not in body


class TestText:
    @given(st.one_of(any_text, lines), st.booleans())
    @example("tail space \n", False)
    @example("no newline at the end ", False)
    @example("\r\n.\r\n\n\r", True)
    @example("x" * 997 + "é", True)
    def test_it_is_read_back_with_its_line_ends(self, text: str, eight_bit: bool) -> None:
        encoding, body = encoded_text(text, eight_bit)
        check_safe(encoding, body)
        expected = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
        assert decoded(encoding, body).decode() == expected

    @given(any_text)
    def test_no_other_encoding_would_be_shorter(self, text: str) -> None:
        encoding, body = encoded_text(text, False)
        octets = decoded(encoding, body)
        if encoding == "7bit":
            assert body == octets
        else:
            quoted = quopri.encodestring(octets.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
            assert len(body) <= min(len(base64(octets)), len(quoted))

    @pytest.mark.parametrize(
        ("text", "encoding"),
        [
            ("", "7bit"),
            ("Hello\n", "7bit"),
            ("tab\there\n", "7bit"),
            ("x" * 998, "7bit"),
            ("x" * 999, "quoted-printable"),
            ("Viele Grüße aus Köln am Rhein, deine Ada Lovelace\n", "quoted-printable"),
            ("Привет, мир! Привет, мир!", "base64"),
            ("日本語の本文", "base64"),
            ("escape \x1b[31m red, on a line that is long enough", "quoted-printable"),
            ("a NUL \0 in a line that is long enough", "quoted-printable"),
            ("next line \x85 and \u2028 in a text that is long enough to be mostly ASCII", "quoted-printable"),
        ],
    )
    def test_the_encoding_that_is_chosen(self, text: str, encoding: str) -> None:
        assert encoded_text(text, False)[0] == encoding

    def test_8bit_only_where_it_is_allowed_and_safe(self) -> None:
        assert encoded_text("Grüße\n", True) == ("8bit", "Grüße\r\n".encode())
        assert encoded_text("Grüße\x1b\n", True)[0] != "8bit"
        assert encoded_text("ü" * 500, True)[0] != "8bit"

    def test_ten_million_characters_in_one_line(self) -> None:
        message = Message("ada@example.org", "bob@example.net", text="x" * 10_000_000)
        assert text_of(back(message)).rstrip("\n") == "x" * 10_000_000


class TestFilesOfText:
    @given(st.one_of(st.binary(max_size=300), any_text.map(str.encode)), st.booleans())
    def test_they_are_read_back_to_the_last_octet(self, data: bytes, eight_bit: bool) -> None:
        encoding, body = encoded_octets(data, eight_bit)
        check_safe(encoding, body)
        assert decoded(encoding, body) == data

    def test_unix_line_ends_survive(self) -> None:
        encoding, body = encoded_octets(b"name,street,city\n" * 20, False)
        assert encoding == "quoted-printable"
        assert decoded(encoding, body) == b"name,street,city\n" * 20

    def test_crlf_needs_no_encoding(self) -> None:
        assert encoded_octets(b"a,b\r\nc,d\r\n", False) == ("7bit", b"a,b\r\nc,d\r\n")

    @pytest.mark.parametrize("data", [b"a\nb", b"a\rb", b"a\r\r\n", b"\0", b"x" * 999, b"\x7f"])
    def test_what_can_not_stand_as_it_is(self, data: bytes) -> None:
        assert identity(data) == ""


class TestBase64:
    @given(st.binary(max_size=1000))
    def test_size_and_lines(self, data: bytes) -> None:
        made = base64(data)
        check_safe("base64", made)
        assert len(made) == base64_size(len(data))
        assert standard.b64decode(made) == data
        assert all(len(line) == 76 for line in made.split(b"\r\n")[:-1])

    @pytest.mark.parametrize("size", [0, 1, 56, 57, 58, 47_879, 47_880, 47_881, 95_760, 200_001])
    def test_a_stream_is_the_same_in_chunks(self, size: int) -> None:
        data = bytes(range(256)) * (size // 256 + 1)
        stream = Base64Stream(Octets(data[:size]))
        chunks = list(stream.chunks())
        assert b"".join(chunks) == base64(data[:size])
        assert stream.size == sum(map(len, chunks))
        assert max(map(len, chunks), default=0) <= 65_536
        assert list(stream.chunks()) == chunks

    def test_the_shorter_of_two(self) -> None:
        assert encoded(b"\xff" * 90, b"")[0] == "base64"
        assert encoded(b"plain, but for one \xff at its end", b"")[0] == "quoted-printable"


class TestLineEnds:
    @given(st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b"\r\n", b"."]), max_size=12).map(b"".join))
    def test_every_one_is_whole(self, data: bytes) -> None:
        assert ends_in_crlf(data) == (re.search(rb"\r(?!\n)|(?<!\r)\n", data) is None)


ENCODE = """
import sys
if {hidden}:
    sys.modules["pybase64"] = None
from base64 import b64decode
from mailwright.message.source import Octets
from mailwright.message.transfer import Base64Stream, base64
data = bytes(range(251)) * 40_000
small = base64(data[:1000])
print("pybase64" in sys.modules)
large = b"".join(Base64Stream(Octets(data)).chunks())
print(sys.modules.get("pybase64") is not None)
print(b64decode(large) == data and large == base64(data) and base64(data[:1000]) == small)
print({{len(line) for line in large.split(b"\\r\\n")[:-1]}})
"""


class TestQuickEncoder:
    def answers(self, hidden: bool) -> list[str]:
        code = ENCODE.format(hidden=hidden)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.splitlines()

    def test_it_is_loaded_when_much_is_encoded_and_changes_nothing(self) -> None:
        there = find_spec("pybase64") is not None
        assert self.answers(hidden=False) == ["False", str(there), "True", "{76}"]

    def test_without_it(self) -> None:
        assert self.answers(hidden=True) == ["True", "False", "True", "{76}"]
