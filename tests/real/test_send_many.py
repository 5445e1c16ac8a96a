"""`send_many` against real servers: every message arrives once and as it was given, and every receipt is its own.

The servers here are started afresh, so that a mailbox holds nothing but what these tests sent, and that all of it can be
accounted for. Where a server names each message in its reply, the receipt's reply must name the very message that is in the
mailbox: no reply may be taken for its neighbour's.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from importlib import import_module
from typing import Any, NamedTuple

import pytest
import trio

from mailwright import AsyncMailer, Login, Mailer, Receipt, Server
from mailwright.errors import ContentRefused, MessageError, Unsupported
from mailwright.message.content import Content
from mailwright.options import TLS, Envelope, Limits
from tests.real.tap import Cut, Tap
from tests.servers import RealServer
from tests.servers.dovecot import FULL

pytestmark = pytest.mark.real

MANY = 1000
SENDER = "ada@mail.test"
FRIEND = "grace@analytical.test"

#: How each server names a message in its last reply; the trace fields of the message name it, too.
NAMES = {
    "postfix": r"queued as (\w+)",
    "exim": r"OK id=(\S+)",
    "opensmtpd": r"([0-9a-f]{8}) Message accepted",
    "dovecot": r"> (\S+) Saved",
}
#: Those that put nothing in front of a message name the place in their mailbox instead.
PLACES = {"npm_smtp_server": r"stored as (\d+)", "aiosmtpd_server": r"stored as (\d+)"}


@pytest.fixture(scope="module")
def real(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """The server of that name, started for this module alone."""
    name, _, hidden = request.param.partition(" without ")
    module = import_module(f"tests.servers.{name}")
    reason = module.missing()
    if reason is not None:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp(name)
    with module.running(folder, pipelining=False) if hidden else module.running(folder) as server:
        yield server


def through(**doors: str) -> Any:
    """Parametrize a test with servers and, for each, the doors by which it is entered."""
    several = [(name.replace("_NOPIPE", " without PIPELINING"), door) for name in doors for door in doors[name].split()]
    return pytest.mark.parametrize(("real", "door"), several, indirect=["real"])


def reach(real: RealServer, port: int = 0) -> Server:
    """Our settings for that server, encrypted and logged in as far as it can; in clear through another `port`."""
    if port:
        return Server(real.host, port, "none", protocol=real.protocol)
    login = Login(real.user, real.password) if real.user and real.security != "none" else None
    tls = TLS(ca_file=str(real.ca_file)) if real.ca_file else TLS()
    return Server(real.host, real.port, real.security, login=login, tls=tls, protocol=real.protocol)


def send_many(door: str, server: Server, given: Iterable[Any], limits: Limits, **options: Any) -> list[Receipt]:
    """All receipts, through one of the doors."""
    if door == "blocking":
        with Mailer(server, limits=limits) as mailer:
            return list(mailer.send_many(given, **options))

    async def later() -> AsyncIterator[Any]:
        for message in given:
            yield message

    async def task() -> list[Receipt]:
        async with AsyncMailer(server, limits=limits) as mailer:
            source = later() if door == "async_source" else given
            return [receipt async for receipt in mailer.send_many(source, **options)]

    return trio.run(task) if door == "trio" else asyncio.run(task())


class Letter(NamedTuple):
    """A finished message: who gets it, its octets, and its Message-ID, by which it is found again."""

    name: str
    recipients: tuple[str, ...]
    octets: bytes

    @property
    def envelope(self) -> Envelope:
        return Envelope.of(SENDER, self.recipients)

    @property
    def given(self) -> tuple[Envelope, Content]:
        return self.envelope, Content.of(self.octets)


def letter(
    name: str, body: bytes = b"Hello.\r\n", recipients: tuple[str, ...] = (FRIEND,), fields: bytes = b""
) -> Letter:
    head = (
        f"From: {SENDER}\r\nTo: {FRIEND}\r\nSubject: {name}\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n"
        f"Message-ID: <{name}@mail.test>\r\n"
    )
    return Letter(name, recipients, head.encode() + fields + b"\r\n" + body)


def body(number: int) -> bytes:
    """A text with dots where they matter, mostly short, now and then larger than what one write takes."""
    lines = 4000 if number % 100 == 7 else number % 40
    return b".\r\n..\r\n.x\r\n" + b"A line of text.%d\r\n" % number * lines + b"." * (number % 3)


MESSAGE_ID = re.compile(rb"^Message-ID: <(\S+)@mail\.test>\r$", re.MULTILINE)


def arrived(real: RealServer, prefix: str, letters: Iterable[Letter], seconds: float = 40) -> dict[str, list[bytes]]:
    """What is stored under names that begin so, as soon as all of these letters are among it."""
    wanted = {sent.name for sent in letters}
    deadline = time.monotonic() + seconds
    while True:
        began, boxes = time.monotonic(), dict[str, list[bytes]]()
        for stored in real.mailbox():
            found = MESSAGE_ID.search(stored)
            assert found, f"nobody sent this: {stored[:500]!r}"
            if (name := found[1].decode()).startswith(prefix):
                boxes.setdefault(name, []).append(stored)
        if wanted <= set(boxes) or time.monotonic() > deadline:
            return boxes
        time.sleep(0.05 + 2 * (time.monotonic() - began))  # reading a full mailbox is work that the server waits for


def whole(octets: bytes) -> bytes:
    """With the line end that every message has behind its last line."""
    return octets if octets.endswith(b"\r\n") else octets + b"\r\n"


def is_the_same(stored: bytes, sent: Letter) -> bool:
    """Whether it ends with what was sent, and has only header fields before that."""
    octets = whole(sent.octets)
    return stored.endswith(octets) and b"\r\n\r\n" not in stored[: -len(octets)]


def names_its_own(real: RealServer, receipt: Receipt, stored: bytes, mailbox: list[bytes]) -> bool:
    """Whether the reply in the receipt names this stored message."""
    assert receipt.reply is not None
    if real.name in NAMES:
        found = re.search(NAMES[real.name], receipt.reply.text)
        return found is not None and f"id {found[1]}\r\n".encode() in stored.partition(b"\r\n\r\n")[0]
    if real.name in PLACES:
        found = re.search(PLACES[real.name], receipt.reply.text)
        return found is not None and mailbox[int(found[1]) - 1] == stored
    return receipt.reply.code == 250


@through(
    postfix="blocking async_source",
    exim="blocking asyncio",
    opensmtpd="blocking asyncio",
    npm_smtp_server="blocking asyncio trio",
    aiosmtpd_server="blocking async_source trio",
    dovecot="blocking asyncio",
    smtp_sink="blocking asyncio trio",
    smtp_sink_NOPIPE="blocking asyncio trio",
)
def test_a_thousand_arrive_once_each_and_as_they_were_given(real: RealServer, door: str) -> None:
    prefix = f"thousand.{door}."
    count = MANY if real.protocol == "smtp" else MANY // 4
    letters = [letter(f"{prefix}{number}", body(number)) for number in range(count)]
    given = (  # in the three forms of a finished message
        sent.given if n % 3 == 0 else (sent.envelope, sent.octets) if n % 3 == 1 else sent.octets
        for n, sent in enumerate(letters)
    )
    receipts = send_many(door, reach(real), given, Limits(size=3, messages=90))
    boxes = arrived(real, prefix, letters)
    mailbox = real.mailbox()
    assert [receipt.number for receipt in receipts] == list(range(count))
    assert set(boxes) == {sent.name for sent in letters}
    for sent, receipt in zip(letters, receipts, strict=True):
        (stored,) = boxes[sent.name]
        assert is_the_same(stored, sent)
        assert receipt.error is None and receipt.complete and receipt.accepted[0].spec == FRIEND
        assert receipt.message_id in ("" if receipt.number % 3 == 0 else "no", f"<{sent.name}@mail.test>")
        assert receipt.size == len(whole(sent.octets))
        assert (receipt.host, receipt.port) == (real.host, real.port)
        assert (receipt.tls is not None) == (real.security == "starttls")
        assert receipt.login == (real.user if real.security == "starttls" else None)
        assert names_its_own(real, receipt, stored, mailbox)


class Kind(NamedTuple):
    """One kind of message of a mixture: what is special about it, and what its receipt must say."""

    recipients: tuple[str, ...]
    fates: tuple[str, ...]
    error: type[Exception] | None = None
    fields: bytes = b""
    body: bytes = b"Hello.\r\n"
    stored: int = 0  # copies: a server for LMTP makes one for each recipient


REJECTED, DEFERRED = "reject@analytical.test", "later@analytical.test"
LOOP = b"Received: from a.test by b.test; Fri, 20 Nov 2026 10:00:00 +0000\r\n" * 120
LONG_LINE = b"x" * 1200 + b"\r\n"


class Huge:
    """More than any of these servers takes; whoever asks for its octets has not looked at the server's limit."""

    size = 100_000_000

    def chunks(self) -> Iterator[bytes]:
        raise AssertionError("it can't be sent, and something of it was")


def kinds(real: RealServer) -> dict[str, Kind]:
    """What this server takes, and what it refuses, each in its way."""
    good = Kind((FRIEND,), ("accepted",), stored=1)
    if real.name.startswith("smtp_sink"):
        return {"good": good, "two": Kind((FRIEND, "mary@somerville.test"), ("accepted", "accepted"), stored=1)}
    several = {
        "good": good,
        "some refused": Kind(
            (REJECTED, FRIEND, DEFERRED, "mary@somerville.test"),
            ("refused", "accepted", "deferred", "accepted"),
            stored=2 if real.protocol == "lmtp" else 1,
        ),
        "all refused": Kind((REJECTED, DEFERRED), ("refused", "deferred")),
        "deferred": Kind((DEFERRED,), ("deferred",)),
    }
    if "SIZE" in real.features:
        several["too large"] = Kind((FRIEND,), ("not tried",), Unsupported)
    if real.name in ("postfix", "opensmtpd"):  # these count the servers that a message came through
        several["in a loop"] = Kind((FRIEND,), ("refused",), ContentRefused, fields=LOOP)
    if real.name == "aiosmtpd_server":
        several["a long line"] = Kind((FRIEND,), ("refused",), ContentRefused, body=LONG_LINE)
    if real.protocol == "lmtp":
        several["one is full"] = Kind((f"{FULL}@a.test", FRIEND), ("refused", "accepted"), stored=1)
    utf8 = ("jõhn@bücher.test",)
    if "SMTPUTF8" in real.features:
        several["not in ASCII"] = Kind(utf8, ("accepted",), stored=1)
    else:
        several["not in ASCII"] = Kind(utf8, ("not tried",), Unsupported)
    return several


@through(
    postfix="blocking asyncio",
    exim="trio",
    opensmtpd="asyncio",
    npm_smtp_server="blocking trio",
    aiosmtpd_server="blocking",
    dovecot="blocking async_source",
    smtp_sink="asyncio",
    smtp_sink_NOPIPE="blocking",
)
def test_a_mixture_with_all_that_can_be_refused(real: RealServer, door: str) -> None:
    prefix = f"mixture.{door}."
    every, dice = kinds(real), random.Random(door)
    chosen = [every["good"] if dice.random() < 0.8 else dice.choice(list(every.values())) for _ in range(150)]
    chosen += every.values()
    letters = [letter(f"{prefix}{n}", one.body, one.recipients, one.fields) for n, one in enumerate(chosen)]
    given = [
        (sent.envelope, Content([Huge()])) if one.error is Unsupported and one.recipients == (FRIEND,) else sent.given
        for one, sent in zip(chosen, letters, strict=True)
    ]
    given.append(b"no header fields and nobody to send it to")
    receipts = send_many(door, reach(real), given, Limits(size=3, messages=30))
    boxes = arrived(real, prefix, (sent for one, sent in zip(chosen, letters, strict=True) if one.stored))
    assert isinstance(receipts.pop().error, MessageError)
    for one, sent, receipt in zip(chosen, letters, receipts, strict=True):
        assert tuple(outcome.fate for outcome in receipt.outcomes) == one.fates, receipt.error
        assert tuple(outcome.recipient.spec for outcome in receipt.outcomes) == tuple(
            address.spec for address in sent.envelope.recipients
        )
        assert isinstance(receipt.error, one.error) if one.error else receipt.error is None
        stored = boxes.get(sent.name, [])
        assert len(stored) == one.stored and all(is_the_same(copy, sent) for copy in stored)
    refused = [
        outcome for receipt in receipts for outcome in receipt.outcomes if outcome.fate in ("refused", "deferred")
    ]
    assert all(outcome.reply is not None and outcome.reply.code >= 400 for outcome in refused)


COMMAND = re.compile(rb"^(?:MAIL|RCPT|DATA|RSET|BDAT|EHLO|LHLO|QUIT)\b", re.MULTILINE)


@through(
    postfix="blocking",
    exim="asyncio",
    opensmtpd="blocking",
    npm_smtp_server="asyncio",
    aiosmtpd_server="trio",
    dovecot="blocking",
    smtp_sink="blocking",
    smtp_sink_NOPIPE="blocking",
)
def test_what_the_server_offers_is_used_and_nothing_else(real: RealServer, door: str) -> None:
    prefix = f"offers.{door}."
    letters = [letter(f"{prefix}{n}", b"Hello.\r\n" * 5) for n in range(60)]
    with Tap(real) as tap:
        receipts = send_many(door, reach(real, tap.port), [sent.given for sent in letters], Limits(size=1))
    assert all(receipt.complete for receipt in receipts) and len(tap.talks) == 1
    turns = list(tap.said())
    many = max(turn.count(b"MAIL FROM:") for turn in turns)
    chunks = sum(turn.count(b" LAST\r\n") for turn in turns)
    behind_a_dot = sum(b"\r\n.\r\nRSET\r\nMAIL FROM:" in turn for turn in turns)
    if {"PIPELINING", "CHUNKING"} <= real.features:
        assert many >= 4 and chunks == len(letters)
        assert not any(b"DATA\r\n" in turn for turn in turns)
    elif "PIPELINING" in real.features:
        assert many == 1 and chunks == 0
        assert behind_a_dot >= len(letters) - 2  # the first has none before it; one more may be cut by the relay
    else:
        assert all(len(COMMAND.findall(turn)) <= 1 for turn in turns) and chunks == 0
    assert set(arrived(real, prefix, letters)) == {sent.name for sent in letters}


@through(
    postfix="blocking asyncio",
    exim="blocking",
    opensmtpd="trio",
    npm_smtp_server="blocking trio",
    aiosmtpd_server="blocking",
    dovecot="blocking async_source",
    smtp_sink="asyncio",
    smtp_sink_NOPIPE="blocking",
)
def test_a_wire_that_breaks_again_and_again(real: RealServer, door: str) -> None:
    prefix = f"breaks.{door}."
    letters = [letter(f"{prefix}{n}", body(n)) for n in range(150)]
    dice = random.Random(f"{real.name} {door}")
    # Behind the greetings, so that each connection is in the middle of something; the last ones hold.
    cuts = [Cut(said=dice.randrange(100, 9000)) if n % 2 else Cut(answered=dice.randrange(400, 3000)) for n in range(8)]
    with Tap(real, cuts) as tap:
        limits = Limits(size=2, window=16)
        receipts = send_many(door, reach(real, tap.port), [sent.given for sent in letters], limits)
        assert len(tap.talks) > 2
    sure = [sent for sent, receipt in zip(letters, receipts, strict=True) if receipt.complete]
    boxes = arrived(real, prefix, sure)
    assert len(receipts) == len(letters) and len(sure) > 50
    for sent, receipt in zip(letters, receipts, strict=True):
        (outcome,) = receipt.outcomes
        copies = boxes.get(sent.name, [])
        assert all(is_the_same(copy, sent) for copy in copies)
        if outcome.fate == "accepted":
            assert len(copies) == 1 and receipt.error is None
        elif outcome.fate == "in doubt":
            assert len(copies) <= 1 and receipt.error is not None and receipt.error.in_doubt
        else:
            assert outcome.fate == "not tried" and not copies and receipt.error is not None
    fates = Counter(outcome.fate for receipt in receipts for outcome in receipt.outcomes)
    assert fates["in doubt"] <= 16 * len(cuts)


@through(
    postfix="blocking asyncio",
    exim="blocking asyncio",
    opensmtpd="blocking",
    npm_smtp_server="blocking",
    aiosmtpd_server="asyncio",
    dovecot="blocking",
)
def test_a_row_of_refusals_costs_none_of_the_others(real: RealServer, door: str) -> None:
    """Postfix hangs up after 20 errors in a row (421), Exim after ten commands like RSET (554), each in the middle of a
    window.
    """
    prefix = f"row.{door}."
    who = [FRIEND] * 30 + [REJECTED] * 60 + [FRIEND] * 60
    letters = [letter(f"{prefix}{n}", recipients=(one,)) for n, one in enumerate(who)]
    limits = Limits(size=1, messages=95)
    receipts = send_many(door, reach(real), [sent.given for sent in letters], limits)
    boxes = arrived(real, prefix, (sent for sent in letters if sent.recipients == (FRIEND,)))
    doubtful = 0
    for sent, receipt in zip(letters, receipts, strict=True):
        (fate,) = [one.fate for one in receipt.outcomes]
        if sent.recipients == (FRIEND,):
            assert fate == "accepted" and len(boxes[sent.name]) == 1
        else:
            assert fate in ("refused", "in doubt"), receipt.error
            doubtful += fate == "in doubt"
    assert doubtful <= limits.window
    assert not {sent.name for sent in letters if sent.recipients == (REJECTED,)} & set(boxes)


@through(exim="blocking trio", postfix="blocking trio")
def test_who_hung_up_is_still_spoken_to_without_waiting(real: RealServer, door: str) -> None:
    prefix = f"after.{door}."
    who = [REJECTED] * 30 + [FRIEND] * 30
    letters = [letter(f"{prefix}{n}", recipients=(one,)) for n, one in enumerate(who)]
    with Tap(real) as tap:
        send_many(door, reach(real, tap.port), [sent.given for sent in letters], Limits(size=1, window=8))
    assert len(tap.talks) > 1
    assert max(turn.count(b"MAIL FROM:") for turn in list(tap.said())[-8:]) > 1
