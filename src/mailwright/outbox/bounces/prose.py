"""Reports for people: the texts in which mail servers have told failures since before there was a standard.

Each `Manner` is the way of one family of servers: words by which its report is known, and words behind which nothing
belongs to it any more. What stands between is read alike for all of them: a line that is an address begins what is said
about it. Every line is looked at once.
"""

from __future__ import annotations

import re

from mailwright.outbox.bounces.report import Report
from mailwright.outbox.bounces.texts import address_in, said
from mailwright.words.value import replace, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LINES_LIMIT = 2000
LINE_LIMIT = 1000  # characters
ENTRIES_LIMIT = 200  # addresses of one report


@value
class Manner:
    """How a family of servers writes: its `name`, the words that open the list of addresses, those that end it, and
    whether it tells of a failure or of a delay.
    """

    name: str
    opens: tuple[str, ...]
    ends: tuple[str, ...] = ()
    kind: str = "bounced"


_COPY = (
    "below this line is a copy",
    "this is a copy of",
    "included below is the message header",
    "original message follows",
    "----- original message",
    "--- original message",
    "original message headers:",
    "returned message",
    "----- message header",
    "unsent message below",
    "below this line is the original bounce",
    "message contains:",
    "-- original message --",
    "the body of the message",
    "message headers follow",
    "copy of your message",
    "header of the original message",
)
#: In this order: what is more particular stands first, and delays before failures, for they quote them.
MANNERS = (
    Manner(
        "Exim, delayed",
        ("has not yet been delivered is", "have not yet been delivered"),
        ("no action is required",),
        "delayed",
    ),
    Manner("Sendmail, delayed", ("transient non-fatal errors", "this is a warning message only"), (), "delayed"),
    Manner(
        "Gmail, delayed",
        (
            "delivery to the following recipient has been delayed",
            "there was a temporary problem delivering your message to",
        ),
        (),
        "delayed",
    ),
    Manner(
        "Microsoft, delayed",
        (
            "delivery is delayed to these recipients",
            "this is an automatically generated delivery status notification. this is a warning",
        ),
        (),
        "delayed",
    ),
    Manner(
        "Exim", ("the following address(es) failed", "the following address failed", "the following addresses failed")
    ),
    Manner("qmail", ("hi. this is the",)),
    Manner(
        "Yahoo",
        (
            "sorry, we were unable to deliver your message to the following address",
            "unable to deliver your message to the following address",
        ),
    ),
    Manner(
        "Postfix",
        ("this is the postfix program at host", "this is the mail system at host", "this is the postfix mail system"),
    ),
    Manner(
        "Sendmail",
        ("had permanent fatal errors", "had permanent delivery errors", "the original message was received at"),
    ),
    Manner(
        "Gmail",
        (
            "delivery to the following recipient failed permanently",
            "delivery to the following recipients failed permanently",
            "your message wasn't delivered to",
            "your message couldn't be delivered to",
            "message not delivered",
        ),
    ),
    Manner("Microsoft 365", ("delivery has failed to these recipients or",), ("original message headers",)),
    Manner(
        "Exchange",
        (
            "the following recipient(s) cannot be reached",
            "the following recipient(s) could not be reached",
            "delivery to the following recipients failed",
            "your message did not reach some or all of the intended recipients",
        ),
    ),
    Manner("Lotus Domino", ("was not delivered to:", "was not delivered to")),
    Manner("Courier", ("undeliverable mail", "cannot be delivered")),
    Manner("Oracle", ("your message cannot be delivered to the following recipients",)),
    Manner(
        "GroupWise", ("the message that you sent was undeliverable to the following", "undeliverable to the following")
    ),
    Manner("MDaemon", ("failed address", "the following data may contain sections which represent bodies")),
    Manner(
        "IMail",
        ("unknown user:", "user mailbox exceeds allowed size:", "undeliverable to", "invalid final delivery userid:"),
    ),
    Manner(
        "others",
        (
            "could not be delivered to",
            "following recipient",
            "following address",
            "could not deliver",
            "unable to deliver",
            "delivery failed",
            "not delivered to",
            "undeliverable",
            "delivery failure",
            "could not be delivered",
            "wasn't delivered",
            "failed permanently",
        ),
    ),
)

#: What may stand in front of an address on its line.
_LABEL = re.compile(
    r"[\s>*•-]{0,20}(?:(?:final |original |failed |intended )?(?:recipient|address|to|user)(?: address)?s?"
    r"|unknown user|user mailbox exceeds allowed size|undeliverable to|invalid final delivery userid)? ?:? {0,8}",
    re.IGNORECASE,
)
_NAMED = re.compile(r"[^<>()@:]{0,100}[(<]([^()<>\s]{3,320})[)>][.:]?")
_CODE = re.compile(r"(?<![0-9.])[45][0-9][0-9](?![0-9.])|(?<![0-9.])[45]\.[0-9]{1,3}\.[0-9]{1,3}(?![0-9.])", re.ASCII)
_STATUS = re.compile(r"(?<![0-9.])([45]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9.])", re.ASCII)


def read_prose(text: str, failed: str = "") -> tuple[str, list[Report]]:
    """What a text tells, with the name of the manner it is in; nothing, and no name, where it is in none.

    `failed` are the addresses of a header field ``X-Failed-Recipients``, which some write beside the text.
    """
    lines = [line[:LINE_LIMIT].rstrip() for line in text.split("\n", LINES_LIMIT)[:LINES_LIMIT]]
    low = [line.lower().replace("’", "'") for line in lines]
    for manner in MANNERS:
        start = _opening(manner, low)
        if start is None:
            continue
        found = _listed(manner, lines, low, start) or _in_sentence(manner, lines, low, start)
        if found:
            return manner.name, [_of(manner, address, words) for address, words in found.items()]
    named = [address_in(one) for one in failed[:4000].split(",")[:ENTRIES_LIMIT]]
    words = "\n".join(line for line in lines if _CODE.search(line))
    reports = [_of(Manner("header", ()), address, [words]) for address in dict.fromkeys(filter(None, named))]
    return ("header" if reports else ""), reports


def _of(manner: Manner, address: str, words: list[str]) -> Report:
    diagnostic = said(" ".join(words))
    status = _STATUS.search(diagnostic)
    return Report(address, manner.kind, status=status[1] if status is not None else "", diagnostic=diagnostic)


def _opening(manner: Manner, low: list[str]) -> int | None:
    """The number of the line in which it opens. Sentences are broken anywhere, so two lines are read as one."""
    for number, line in enumerate(low[:300]):
        behind = low[number + 1].lstrip(" >") if number + 1 < len(low) else ""
        if any(words in line or (" " in words and words in f"{line} {behind}") for words in manner.opens):
            return number
    return None


def _ends(manner: Manner, line: str) -> bool:
    return any(words in line for words in (*manner.ends, *_COPY))


def _listed(manner: Manner, lines: list[str], low: list[str], start: int) -> dict[str, list[str]]:
    """The addresses that have lines of their own, each with what is said behind it."""
    found: dict[str, list[str]] = {}
    words: list[str] | None = None
    for number in range(start, len(lines)):
        if number > start and _ends(manner, low[number]):
            break
        address, rest = _head(lines[number])
        if address:
            if address not in found and len(found) >= ENTRIES_LIMIT:
                break
            words = found.setdefault(address, [])
            if rest:
                words.append(rest)
        elif words is not None and lines[number].strip() and len(words) < 40:
            words.append(lines[number].strip())
    if found and not any(found.values()):
        # All that is said stands in front of the addresses, or in the line that opens.
        before = [line.strip() for line in lines[:start] if _CODE.search(line)][:5] or [lines[start].strip()]
        return dict.fromkeys(found, before)
    return found


def _head(line: str) -> tuple[str, str]:
    """The address that a line begins with, and what follows it in the line; empty texts if it is no such line."""
    if "@" not in line:
        return "", ""
    named = _NAMED.fullmatch(line.strip())
    if named is not None and (address := address_in(named[1])):
        return address, ""
    label = _LABEL.match(line)
    rest = line[label.end() if label is not None else 0 :]
    for first, last in (("<", ">"), ("'", "'"), ('"', '"')):
        if rest.startswith(first):
            inside, closed, behind = rest[1:].partition(last)
            return (address_in(inside), behind.lstrip(" :,")) if closed else ("", "")
    word, _, behind = rest.partition(" ")
    bare, colon, more = word.partition(":")
    if "@" not in bare or (behind.strip() and not (colon or behind.lstrip().startswith(("(", "-", "on ", "..")))):
        return "", ""
    address = address_in(bare)
    return (address, f"{more} {behind}".strip()) if address else ("", "")


def _in_sentence(manner: Manner, lines: list[str], low: list[str], start: int) -> dict[str, list[str]]:
    """The one address in the sentence that opens, and what is said from there on."""
    behind = list(_until_end(manner, lines, low, start))
    sentence = " ".join(behind[:6])
    at = max((sentence.lower().replace("’", "'").find(words) for words in manner.opens), default=-1)
    for word in sentence[max(at, 0) :].split()[:60]:
        address = address_in(word.rstrip(".")) if "@" in word else ""
        if address:
            return {address: behind[:40]}
    return {}


def _until_end(manner: Manner, lines: list[str], low: list[str], start: int) -> Iterator[str]:
    for number in range(start, len(lines)):
        if number > start and _ends(manner, low[number]):
            return
        if lines[number].strip():
            yield lines[number].strip()


def unnamed(text: str, subject: str) -> Report | None:
    """What a text tells that names nobody, for a report that can be joined by its mark; `None` if it tells nothing."""
    lines = [line[:LINE_LIMIT].strip() for line in text.split("\n", LINES_LIMIT)[:LINES_LIMIT]]
    telling = [line for line in lines if _CODE.search(line)][:10] or [line for line in lines if line][:5]
    low = subject.lower()
    late = any(word in low for word in ("delayed", "delay)", "warning"))
    report = _of(Manner("", (), kind="delayed" if late else "bounced"), "", telling)
    return replace(report, recipient="") if report.diagnostic else None
