"""Reports as servers write them, and as nobody should: `mailwright.outbox.bounces.read_reports`."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailwright.outbox.bounces import Report, mark_of, read_reports
from mailwright.outbox.bounces.marks import id_of_mark, id_of_words, mark_in, marked
from mailwright.outbox.bounces.report import is_hard
from mailwright.words.errors import AddressError

CORPUS = Path(__file__).resolve().parents[2] / "data" / "reports"
EXPECTED: dict[str, dict[str, Any]] = tomllib.loads((CORPUS / "expected.toml").read_text("utf-8"))


def octets_of(name: str) -> bytes:
    return (CORPUS / f"{name}.eml").read_bytes()


def told(report: Report) -> dict[str, Any]:
    """A report as the table has it."""
    names = ("recipient", "kind", "status", "envelope_id", "verp", "hard", "original")
    return {name: getattr(report, name) for name in names}


def test_the_corpus_is_whole() -> None:
    assert {path.stem for path in CORPUS.glob("*.eml")} == set(EXPECTED)
    assert len(EXPECTED) >= 30


@pytest.mark.parametrize("name", EXPECTED)
def test_a_report_says_whom_it_is_about(name: str) -> None:
    found = read_reports(octets_of(name))
    wanted = EXPECTED[name]["reports"]
    empty = {"recipient": "", "status": "", "envelope_id": "", "verp": "", "hard": False}
    for report, one in zip(found, wanted, strict=True):
        facts = told(report)
        assert {key: facts[key] for key in {**empty, **one} if key != "says"} == {
            key: text for key, text in {**empty, **one}.items() if key != "says"
        }
        assert one.get("says", "") in report.diagnostic
        assert report.message_id == EXPECTED[name]["message_id"]


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_line_ends_do_not_matter(name: str, ends: bytes) -> None:
    octets = octets_of(name).replace(b"\r\n", b"\n")
    assert read_reports(octets.replace(b"\n", ends)) == read_reports(octets)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_report_that_was_cut_off_invents_nobody(name: str) -> None:
    octets = octets_of(name)
    text = octets.decode().replace("\\x{F8}", "ø").lower() + "grace@example.net" * (name == "status-in-base64")
    for end in range(0, len(octets), 97):
        for report in read_reports(octets[:end]):
            assert report.recipient in text, report


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=4000))
def test_any_octets_at_all(octets: bytes) -> None:
    assert isinstance(read_reports(octets), tuple)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(EXPECTED)), st.data())
def test_a_report_with_something_odd_in_it(name: str, data: st.DataObject) -> None:
    octets = octets_of(name)
    place = data.draw(st.integers(0, len(octets)))
    odd = data.draw(st.binary(max_size=40))
    for report in read_reports(octets[:place] + odd + octets[place:]):
        assert report.diagnostic.isprintable() and len(report.diagnostic) <= 510
        assert report.recipient == report.recipient.strip() and len(report.recipient) <= 320
        assert all(text.isprintable() for text in (report.status, report.envelope_id, report.message_id, report.verp))


STATUS_HEAD = (
    b"Return-Path: <>\r\nFrom: MAILER-DAEMON@x.example\r\nSubject: Undelivered\r\nContent-Type: multipart/report;"
    b" boundary=b; report-type=delivery-status\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
)
PROSE_HEAD = b"Return-Path: <>\r\nFrom: MAILER-DAEMON@x.example\r\nSubject: failure notice\r\n\r\n"
HOSTILE = {
    "recipients": lambda n: STATUS_HEAD + b"Final-Recipient: rfc822; a@b.example\r\nAction: failed\r\n\r\n" * n,
    "parts with recipients": lambda n: STATUS_HEAD.rpartition(b"--b")[0] + b"".join(
        b"--b\r\nContent-Type: message/delivery-status\r\n\r\nFinal-Recipient: rfc822; a%d@b.example\r\nAction: failed\r\n"
        b"Diagnostic-Code: smtp; 550 %d no such user\r\n\r\nFinal-Recipient: rfc822; c%d@b.example\r\nAction: failed\r\n" % (i, i, i) for i in range(n // 10)
    ),
    "continuations": lambda n: STATUS_HEAD + b"Final-Recipient: rfc822; a@b.example\r\nDiagnostic-Code: smtp;\r\n" + b" x\r\n" * n,
    "escapes": lambda n: STATUS_HEAD + b"Final-Recipient: utf-8; " + b"\\x{E9}" * n + b"@b.example\r\nAction: failed\r\n",
    "addresses": lambda n: PROSE_HEAD + b"Hi. This is the qmail-send program\r\n" + b"<a@b.example>:\r\n" * n,
    "words": lambda n: PROSE_HEAD + b"Hi. This is the qmail-send program\r\n" + b"a@" * n + b"\r\n",
    "brackets": lambda n: PROSE_HEAD + b"Hi. This is the qmail-send program\r\n" + (b"(<" * 400 + b"\r\n") * (n // 100),
    "parts": lambda n: b"From: MAILER-DAEMON@x\r\nContent-Type: multipart/report; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * n,
    "nesting": lambda n: b"From: MAILER-DAEMON@x\r\n" + b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(n // 10)),
    "fields": lambda n: b"X-Failed-Recipients: a@b.example\r\n" * n + b"\r\n",
    "encoded words": lambda n: STATUS_HEAD + b"Final-Recipient: rfc822; a@b.example\r\nDiagnostic-Code: smtp; " + b"=?utf-8?q?a" * n + b"\r\n",
    "html": lambda n: PROSE_HEAD.replace(b"\r\n\r\n", b"\r\nContent-Type: text/html\r\n\r\n") + b"<b><a href=x>undeliverable " * n,
    "blank": lambda n: PROSE_HEAD + b"Hi. This is the qmail-send program\r\n" + b" " * n * 20 + b"a@b.example\r\n",
}  # fmt: skip


def steps(octets: bytes) -> int:
    """How many lines of Python are run for a report."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += 1
        return trace

    read_reports(octets_of("postfix-unknown"))  # what is loaded once is not counted
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        read_reports(octets)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("name", HOSTILE)
def test_the_work_grows_no_faster_than_the_octets(name: str) -> None:
    few, many = steps(HOSTILE[name](300)), steps(HOSTILE[name](1200))
    assert many < 4.5 * few, f"{few} steps for 300, {many} for 1200"


@pytest.mark.parametrize("name", HOSTILE)
def test_four_megabytes_of_it_end(name: str) -> None:
    assert len(read_reports(HOSTILE[name](200_000))) <= 500


def test_many_parts_with_many_recipients_are_not_all_told() -> None:
    groups = [
        b"".join(b"Final-Recipient: rfc822; r%d.%d@b.example\r\nAction: failed\r\n\r\n" % (part, n) for n in range(400))
        for part in range(90)
    ]
    octets = STATUS_HEAD.rpartition(b"--b")[0] + b"".join(
        b"--b\r\nContent-Type: message/delivery-status\r\n\r\n" + one for one in groups
    )
    assert len(read_reports(octets)) == 500


def test_no_more_is_kept_than_a_report_may_have() -> None:
    for name, make in HOSTILE.items():
        found = read_reports(make(20_000))
        assert len(found) <= 500, name
        assert all(len(one.diagnostic) <= 510 for one in found), name


def test_what_steers_a_terminal_is_shown_as_text() -> None:
    octets = octets_of("postfix-unknown").replace(b"User unknown in virtual", b"\x1b[2J\xe2\x80\xaeUser unknown")
    (report,) = read_reports(octets)
    assert "\x1b" not in report.diagnostic and "\u202e" not in report.diagnostic and "User unknown" in report.diagnostic


@pytest.mark.parametrize(
    ("status", "diagnostic", "hard"),
    [
        ("5.1.1", "550 5.1.1 User unknown", True),
        ("5.0.0", "550 No such user here", True),
        ("5.1.2", "", True),
        ("5.1.10", "550 5.1.10 Recipient not found", True),
        ("5.2.1", "550 5.2.1 The email account that you tried to reach is disabled", True),
        ("5.2.2", "552 5.2.2 mailbox full", False),
        ("5.7.1", "550 5.7.1 message blocked as spam", False),
        ("5.7.1", "550 5.7.1 Service unavailable; client host blocked using a block list", False),
        ("5.3.4", "552 5.3.4 message too large", False),
        ("4.4.7", "delivery time expired", False),
        ("4.1.1", "450 4.1.1 user unknown, perhaps", False),
        ("5.0.0", "", False),
        ("", "something went wrong", False),
    ],
)
def test_only_what_speaks_against_the_address_is_hard(status: str, diagnostic: str, hard: bool) -> None:
    assert is_hard(Report("grace@example.net", "bounced", "failed", status, diagnostic)) is hard
    assert not is_hard(Report("grace@example.net", "delayed", "delayed", status, diagnostic))


# Marks

ID = bytes(range(16))


@given(st.binary(min_size=16, max_size=16))
def test_a_mark_is_read_back(id: bytes) -> None:
    mark = mark_of(id)
    assert id_of_mark(mark) == id
    path = marked("bounces+*@example.org", id)
    assert mark_in(path) == mark and mark_in(f"<{path.upper()}>") == mark


def test_only_a_star_asks_for_a_mark() -> None:
    for sender in ("", "ada@example.org", "ada+news@example.org", "*@example.org", "a*@example.org"):
        assert marked(sender, ID) == sender
    with pytest.raises(AddressError):
        marked(f"{'b' * 40}+*@example.org", ID)


@pytest.mark.parametrize("text", ["", "mw", "mw" + "a" * 25, "mw" + "a" * 27, "mw" + "1" * 26, "xx" + "a" * 26])
def test_what_is_no_mark(text: str) -> None:
    assert id_of_mark(text) is None


def test_an_id_in_words_is_found() -> None:
    assert id_of_words(f"<{ID.hex()}@example.org>") == ID
    assert id_of_words("00010203-0405-0607-0809-0a0b0c0d0e0f") == ID
    for text in ("", "invoice-17", "<a@b>", "f" * 31, "g" * 32):
        assert id_of_words(text) is None
