"""Whatever is handed in: an answer, no exception, and no text that takes for ever."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright import explain
from mailwright.diagnose.failure import PHASES
from mailwright.words.reply import Reply

MEGABYTE = 1 << 20
UNITS = {
    "spaces": " ",
    "digits": "5",
    "codes": "550 ",
    "enhanced": "5.7.1.",
    "dots": "5.",
    "dashes": "550-5.7.1-",
    "newlines": "\n",
    "replies": "550-5.7.1 no\n",
    "quotes": "'\"",
    "brackets": "([{<",
    "tags": "<br ",
    "entities": "&lt;",
    "escapes": "\x1b[",
    "backslashes": "\\x",
    "octets": "\\xe4\\xb8\\xad",
    "line ends": "\\r\\n",
    "tracebacks": "Traceback (most recent call last):\n",
    "frames": '  File "a.py", line 1, in f\n    g()\n',
    "causes": "Caused by: ",
    "chains": "During handling of the above exception, another exception occurred:\n",
    "urls": "smtp://a:",
    "ats": "a@",
    "hosts": "smtp.a.",
    "passwords": "password=",
    "base64": "QUJD",
    "logins": "AUTH PLAIN ",
    "dialogue": "C: EHLO x\nS: 250 x\n",
    "sent": "send: 'ehlo\\r\\n'\n",
    "time": "timeout = ",
    "errors": "errno ",
    "words": "connection unexpectedly closed ",
    "joined": "aB",
    "long word": "a",
    "capitals": "A",
    "accents": "e\u0301",
    "chinese": "认证失败",
    "korean": "인증",
    "russian": "ошибка ",
    "arabic": "\ufdfa",
    "surrogates": "\ud800",
    "nuls": "\0",
    "json": '{"code":550,"a":',
    "postfix": "Oct  1 10:00:00 mx postfix/smtp[1]: A: status=deferred (host x said: 450 4.7.1 no)\n",
}


@pytest.mark.parametrize("unit", UNITS.values(), ids=UNITS)
def test_a_megabyte_of_one_thing(unit: str) -> None:
    # A pattern that goes back over such a text again and again would not come to an end.
    text = (unit * (MEGABYTE // len(unit) + 1))[:MEGABYTE]
    told = explain(text)
    assert told.what and len(told.evidence) <= 320


@pytest.mark.parametrize("unit", ["550 ", "a", "\xff", "\x81\x40"])
def test_a_megabyte_of_octets(unit: str) -> None:
    assert explain(unit.encode("latin-1") * (MEGABYTE // len(unit))).what


@pytest.mark.parametrize(
    "text", ["550 5.1.1 User unknown", "smtplib.SMTPServerDisconnected: please run connect() first"]
)
def test_of_a_huge_text_the_end_is_read(text: str) -> None:
    noise = "all is well here, nothing to see\n" * 150_000
    assert explain(noise + text).kind == explain(text).kind


def test_of_a_huge_text_the_beginning_is_read() -> None:
    noise = "all is well here, nothing to see\n" * 150_000
    assert explain("550 5.1.1 User unknown\n" + noise).kind == "rcpt-unknown"


THINGS = st.one_of(
    st.text(max_size=400),
    st.binary(max_size=400),
    st.lists(
        st.sampled_from([*UNITS.values(), "550", "5.7.1", " ", "\n", "a", "'", "timed out", "relay"]), max_size=30
    ).map("".join),
)


@given(THINGS, st.sampled_from([*PHASES, "", "nowhere"]), st.integers(-1, 70_000), st.text(max_size=20))
def test_any_text(thing: Any, phase: str, port: int, word: str) -> None:
    told = explain(thing, phase=phase, port=port, security=word, provider=word, host=word, banner=word)
    assert told.what and told.retry in ("no", "once", "yes", "after_change")
    assert str(told).replace("\n", "").isprintable()


@given(st.integers(-5, 10_000), st.lists(st.text(max_size=80), max_size=4))
def test_any_reply(code: int, lines: list[str]) -> None:
    assert explain(Reply(code, tuple(lines))).what


@given(st.one_of(st.none(), st.integers(), st.floats(), st.dictionaries(st.text(), st.integers()), st.lists(st.text())))
def test_anything_else(thing: object) -> None:
    assert explain(thing).what


class Odd(Exception):
    """An exception that does what no exception should."""

    smtp_code = "five"
    recipients = {"a": None}  # noqa: RUF012
    exceptions = 7
    errno = "x"
    phase = 3

    def __str__(self) -> str:
        raise RuntimeError("never")


def test_an_odd_exception() -> None:
    loop = Odd()
    loop.__cause__ = ValueError("inner")
    loop.__cause__.__context__ = loop
    assert explain(loop).what


class Unspeakable:
    """An object that can't say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("never")


def test_an_object_that_can_not_be_shown() -> None:
    assert explain(Unspeakable()).kind == "unknown"


class Trap(Exception):
    """An exception of a library whose attributes fail when they are asked for."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    @property
    def recipients(self) -> Any:
        """Fails in another way."""
        return 1 // 0

    def __str__(self) -> str:
        raise ValueError


def test_an_exception_that_fails_when_it_is_looked_at() -> None:
    round_and_round = Exception()
    round_and_round.recipients = [round_and_round]  # type: ignore[attr-defined]
    for error in (Trap(), round_and_round):
        assert explain(error).kind
    assert explain(ExceptionGroup("x", [Trap(), ConnectionRefusedError(111, "refused")])).kind
