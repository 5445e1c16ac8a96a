"""Date, identifier, subject, and the form of the header fields."""

from __future__ import annotations

import re
from datetime import UTC

from mailwright.message.check.finding import ERROR, INFO, WARNING, Group, shown
from mailwright.message.check.places import is_below
from mailwright.message.decode import encoded_word, is_charset, one_line
from mailwright.message.fields import ONCE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailwright.message.check.finding import Fault
    from mailwright.message.check.opened import Opened
    from mailwright.message.fields import Field

group = Group("Header")
_AHEAD = 3 * 3600  # seconds; filters begin to count a later date as a sign of spam about here
_SUBJECT_LIMIT = 120  # characters; a phone shows about 40, a wide window 70
_SHOUTED = 12  # capital letters
_DATE_LIMIT = 200  # characters
_WORD_LIMIT = 78  # characters of an encoded word; the standard says 75, Python's own library writes a little more
_ID = re.compile(r"<[^\s<>@]{1,900}@[^\s<>@]{1,900}>")
_ENCODED = frozenset("subject from to cc reply-to sender comments keywords".split())  # fields that people read
_NO_HOSTS = ("localhost", "localdomain", "local", "internal", "lan", "invalid")


@group.rule(
    "no-date", ERROR,
    why="Date is one of the two fields that every message must have; without it mail is sorted anywhere, or refused.",
    source="RFC 5322 §3.6.1",
    fix="Set Date (mailwright does so by itself).",
)  # fmt: skip
def no_date(mail: Opened) -> Iterator[Fault]:
    """No Date."""
    if not mail.header("date"):
        yield "There is no Date.", ""


@group.rule(
    "bad-date", WARNING,
    why="A date that can't be read is replaced by the time of arrival, or counts as a sign of spam.",
    source="RFC 5322 §3.3",
    fix="Write it like Tue, 15 Nov 1994 08:12:31 +0000.",
)  # fmt: skip
def bad_date(mail: Opened) -> Iterator[Fault]:
    """A Date that is none."""
    text = mail.header("date")
    if text and _seconds(text) is None:
        yield f"{shown(text)} is no date.", "header Date"


@group.rule(
    "date-in-future", WARNING,
    why="Mail from the future is held back or marked by filters, and stays on top of every list.",
    source="SpamAssassin DATE_IN_FUTURE",
    fix="Set the clock and the time zone of the machine that writes it.",
)  # fmt: skip
def date_in_future(mail: Opened) -> Iterator[Fault]:
    """A Date more than three hours ahead."""
    seconds = _seconds(mail.header("date"))
    if mail.now is not None and seconds is not None and seconds > mail.now + _AHEAD:
        yield f"The Date is {(seconds - mail.now) / 3600:,.0f} hours ahead.", "header Date"


def _seconds(text: str) -> float | None:
    """A date of RFC 5322 in seconds since 1970, or `None`."""
    from email.utils import parsedate_to_datetime  # knows the obsolete forms

    try:
        found = parsedate_to_datetime(text[:_DATE_LIMIT])
        # "-0000" is universal time of which nobody says where it was written (RFC 5322 §3.3).
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None


@group.rule(
    "no-message-id", ERROR,
    why="Gmail refuses mail without it (550 5.7.1), and no reply finds its thread.",
    source="RFC 5322 §3.6.4, Google: email sender guidelines",
    fix="Set a Message-ID that never comes again (mailwright does so by itself).",
)  # fmt: skip
def no_message_id(mail: Opened) -> Iterator[Fault]:
    """No Message-ID."""
    if not mail.header("message-id"):
        yield "There is no Message-ID.", ""


@group.rule(
    "bad-message-id", WARNING,
    why="What is not of the form <left@right> is no identifier: Gmail refuses it, others put another in its place.",
    source="RFC 5322 §3.6.4",
    fix="Write one <unique@domain-of-yours>, without spaces.",
)  # fmt: skip
def bad_message_id(mail: Opened) -> Iterator[Fault]:
    """A Message-ID that is not one <left@right>."""
    text = one_line(mail.top.text("message-id"))
    if text and not _ID.fullmatch(text):
        yield f"{shown(text)} is no message identifier.", "header Message-ID"


@group.rule(
    "local-message-id", INFO,
    why="Identifiers made for “localhost” can come twice, and tell filters that a desktop program wrote the mail.",
    source="RFC 5322 §3.6.4",
    fix="Use a domain of yours behind the @.",
)  # fmt: skip
def local_message_id(mail: Opened) -> Iterator[Fault]:
    """A Message-ID whose domain is no domain of the Internet."""
    text = one_line(mail.top.text("message-id"))
    domain = text.rpartition("@")[2].rstrip(">").lower()
    if _ID.fullmatch(text) and ("." not in domain or is_below(domain, _NO_HOSTS)) and not domain.startswith("["):
        yield f"The domain of the Message-ID is {shown(domain)}.", "header Message-ID"


@group.rule(
    "no-subject", WARNING,
    why="Mail without a subject is overlooked, and filters count it against the sender.",
    source="RFC 5322 §3.6.5",
    fix="Say in a few words what it is about.",
)  # fmt: skip
def no_subject(mail: Opened) -> Iterator[Fault]:
    """No Subject, or an empty one."""
    if not mail.subject.strip():
        yield "The Subject is empty." if "subject" in mail.keys else "There is no Subject.", ""


@group.rule(
    "long-subject", INFO,
    why="Lists of mail show 40 to 70 characters of it.",
    source="common readers",
    fix="Put what matters first, and the rest into the text.",
)  # fmt: skip
def long_subject(mail: Opened) -> Iterator[Fault]:
    """A Subject of more than 120 characters."""
    if len(mail.subject) > _SUBJECT_LIMIT:
        yield f"The Subject has {len(mail.subject):,} characters.", "header Subject"


@group.rule(
    "shouting-subject", INFO,
    why="Capitals throughout are what filters know from spam, and are slow to read.",
    source="SpamAssassin SUBJ_ALL_CAPS",
    fix="Write it in small letters.",
)  # fmt: skip
def shouting_subject(mail: Opened) -> Iterator[Fault]:
    """A Subject in capitals only."""
    subject = mail.subject
    if subject.isupper() and " " in subject.strip() and sum(map(str.isupper, subject)) >= _SHOUTED:
        yield "The Subject is written in capitals only.", "header Subject"


@group.rule(
    "repeated-field", ERROR,
    why="Programs differ on which of two counts, so that the filter judges one and the reader sees the other.",
    source="RFC 5322 §3.6, RFC 2045 §3",
    fix="Write it once.",
)  # fmt: skip
def repeated_field(mail: Opened) -> Iterator[Fault]:
    """A field that may come once comes twice."""
    seen: set[str] = set()
    for field in mail.fields:
        if field.key in seen and field.key in ONCE:
            yield f"{field.name} is there more than once.", f"header {field.name}"
            seen.discard(field.key)
        else:
            seen.add(field.key)


@group.rule(
    "no-mime-version", WARNING,
    why="Without MIME-Version a reader may show the whole structure as plain text.",
    source="RFC 2045 §4",
    fix="Add MIME-Version: 1.0.",
)  # fmt: skip
def no_mime_version(mail: Opened) -> Iterator[Fault]:
    """A Content-Type without MIME-Version."""
    if "mime-version" not in mail.keys and {"content-type", "content-transfer-encoding"} & mail.keys:
        yield "There is no MIME-Version.", ""


@group.rule(
    "broken-encoded-word", WARNING,
    why="It is shown as it stands, with question marks and equals signs.",
    source="RFC 2047 §2, §5",
    fix="Encode it anew: no spaces inside, at most 75 characters, no quotation marks around it.",
)  # fmt: skip
def broken_encoded_word(mail: Opened) -> Iterator[Fault]:
    """An encoded word that no reader can decode, or that is too long."""
    for field in mail.fields:
        text = field.text
        for start, end, charset in _encoded_words(field):
            if charset is None and text[start + 2 : start + 12].partition("?")[0].replace("-", "").isalnum():
                yield f"{shown(text[start : start + 60])} is no whole encoded word.", f"header {field.name}"
                break
            if charset is not None and (end - start > _WORD_LIMIT or " " in text[start:end]):
                yield f"{shown(text[start:end])} is too long, or holds spaces.", f"header {field.name}"
                break


@group.rule(
    "unknown-header-charset", ERROR,
    why="A reader without that character set shows question marks.",
    source="RFC 2047 §2",
    fix="Encode it in utf-8.",
)  # fmt: skip
def unknown_header_charset(mail: Opened) -> Iterator[Fault]:
    """An encoded word in a character set that nobody knows."""
    for field in mail.fields:
        for _, _, charset in _encoded_words(field):
            if charset is not None and not is_charset(charset):
                yield f"The character set {shown(charset)} is not known.", f"header {field.name}"
                break


def _encoded_words(field: Field) -> Iterator[tuple[int, int, str | None]]:
    """What begins like an encoded word in a field that people read: from where to where it reaches, and its character
    set; `None` for what is none.
    """
    text = field.text
    start = text.find("=?") if field.key in _ENCODED else -1
    while start >= 0:
        word = encoded_word(text, start)
        end = word[2] if word else start + 2
        yield start, end, word[0] if word else None
        start = text.find("=?", end)
