"""Many messages in flight: whatever the server does and when it leaves, what is said of each message is true."""

from __future__ import annotations

import random
import re
from collections import deque

import pytest

from mailwright.drivers import memory
from mailwright.message.mail import MailObject, mail_object
from mailwright.options import Timeouts
from mailwright.smtp.belt import Belt, Load
from mailwright.smtp.conveyor import convey
from mailwright.smtp.opening import open_session
from mailwright.smtp.session import Session
from mailwright.smtp.window import Window
from mailwright.steps import Read, Sleep, Write
from mailwright.words.envelope import Envelope
from mailwright.words.errors import DeliveryError, MailError
from mailwright.words.reply import Reply
from mailwright.words.server import Server

OFFERS = (("PIPELINING", "CHUNKING"), ("PIPELINING",), ("CHUNKING",), ())
QUICK = Timeouts(reply=20, block=20, final=40)


class Feed:
    """Messages to send, and the accounts of those that are done with."""

    def __init__(self, mails: list[MailObject]) -> None:
        self.waiting = deque(Load(mail, mail.envelope.recipients, number) for number, mail in enumerate(mails))
        self.settled: list[Load] = []

    def take(self, count: int) -> list[Load]:
        return [self.waiting.popleft() for _ in range(min(count, len(self.waiting)))]

    def accepted(self, load: Load, reply: Reply) -> None:
        load.ledger.accept(reply)
        self.settle(load)

    def settle(self, load: Load) -> None:
        assert load not in self.settled, "told twice"
        self.settled.append(load)


def mails(count: int, recipients: int = 1, lines: int = 3) -> list[MailObject]:
    return [
        mail_object(
            (
                Envelope.of(f"s{n}@example.org", [f"r{n}.{i}@example.org" for i in range(recipients)]),
                b"Message-ID: <%d@example.org>\r\n\r\n%b.\r\n..%d\r\n" % (n, b"some text\r\n" * lines, n),
            ),
            now=0,
            token="t",
        )
        for n in range(count)
    ]


class Model:
    """A server that keeps to the standard and remembers what it took; `whim` gives its refusals, pauses and partings.

    A refused content leaves its transaction open until RSET, which RFC 3030 §2 allows, and RCPT then adds to it.
    """

    def __init__(self, offers: tuple[str, ...], whim: Whim) -> None:
        self.offers, self.whim = offers, whim
        self.delivered: list[tuple[str, tuple[str, ...], bytes]] = []
        self.input = b""
        self.output = b""

    async def play(self) -> None:
        self.output = b"220 model\r\n"
        self.whim.begin()
        self.sender: str | None = None
        self.recipients: list[str] = []
        self.input = b""
        try:
            while True:
                line = await self.line()
                if self.whim.leaves():
                    return
                await self.answer(line.decode())
                if self.whim.closing():
                    await self.say(b"421 4.3.2 enough")
                    await self.flush()
                    return
        except EOFError:
            pass

    async def answer(self, line: str) -> None:
        verb = line[:4].upper()
        address = line.partition("<")[2].partition(">")[0]
        if verb == "EHLO":
            words = ["model", *self.offers]
            for word in words[:-1]:
                await self.say(f"250-{word}".encode())
            await self.say(f"250 {words[-1]}".encode())
        elif verb == "RSET":
            self.sender, self.recipients = None, []
            await self.say(b"250 2.0.0 flushed")
        elif verb == "QUIT":
            await self.say(b"221 2.0.0 goodbye")
            await self.flush()
            raise EOFError
        elif verb == "MAIL":
            if self.sender is not None:
                await self.say(b"503 5.5.1 nested")
            elif (no := self.whim.refusal()) is not None:
                await self.say(no)
            else:
                self.sender, self.recipients = address, []
                await self.say(b"250 2.1.0 ok")
        elif verb == "RCPT":
            no = self.whim.refusal() if self.sender is not None else b"503 5.5.1 MAIL first"
            if no is None:
                self.recipients.append(address)
            await self.say(no or b"250 2.1.5 ok")
        elif verb == "DATA":
            await self.data()
        elif verb == "BDAT":
            size = int(line.split()[1])
            while len(self.input) < size:
                if self.whim.early():
                    await self.say(b"552 5.3.4 too much")
                    await self.flush()
                    return
                await self.more()
            content, self.input = self.input[:size], self.input[size:]
            await self.take(content)
        else:
            await self.say(b"500 5.5.2 what?")

    async def data(self) -> None:
        if not self.recipients:
            await self.say(b"503 5.5.1 no recipients")
            return
        if (no := self.whim.refusal()) is not None:
            await self.say(no)
            return
        await self.say(b"354 go on")
        while b"\r\n.\r\n" not in b"\r\n" + self.input:
            await self.more()
        content, _, self.input = (b"\r\n" + self.input).partition(b"\r\n.\r\n")
        await self.take(re.sub(rb"(?m)^\.", b"", content[2:] + b"\r\n"))
        self.sender, self.recipients = None, []

    async def take(self, content: bytes) -> None:
        if not self.recipients:
            await self.say(b"503 5.5.1 no recipients")
        elif (no := self.whim.refusal()) is not None:
            await self.say(no)
        else:
            self.delivered.append((self.sender or "", tuple(self.recipients), content))
            self.sender, self.recipients = None, []
            if self.whim.leaves():
                raise EOFError
            await self.say(b"250 2.0.0 taken %d" % len(self.delivered))

    async def line(self) -> bytes:
        while b"\r\n" not in self.input:
            await self.more()
        line, _, self.input = self.input.partition(b"\r\n")
        return line

    async def more(self) -> None:
        await self.flush()
        data = await Read(1e6)
        if not data:
            raise EOFError
        self.input += data

    async def say(self, line: bytes) -> None:
        self.output += b"".join([line + b"\r\n"] * self.whim.times())
        if self.whim.hurried():
            await self.flush()

    async def flush(self) -> None:
        if (pause := self.whim.pause()) > 0:
            await Sleep(pause)
        if self.output:
            output, self.output = self.output, b""
            try:
                await Write(output, 1e6)
            except ConnectionError:
                raise EOFError from None


class Whim:
    """What a server does of its own will; this one nothing."""

    def begin(self) -> None:
        """A connection begins."""

    def leaves(self) -> bool:
        return False

    def closing(self) -> bool:
        return False

    def refusal(self) -> bytes | None:
        return None

    def early(self) -> bool:
        return False

    def times(self) -> int:
        return 1

    def hurried(self) -> bool:
        return False

    def pause(self) -> float:
        return 0.0


class Moody(Whim):
    """Refuses, pauses, hurries and leaves at random.

    A sloppy one says one reply of each connection twice, or not at all. Who withholds one does not say 421 behind it:
    to whom it says that instead of its yes, it has said no (RFC 5321 §3.8), and nobody can know better.
    """

    def __init__(self, seed: int, sloppy: bool = False) -> None:
        self.dice = random.Random(seed)
        self.sloppy = sloppy
        self.slips = 0
        self.withheld = False
        self.rate = self.dice.choice([0.0, 0.01, 0.05])

    def leaves(self) -> bool:
        return self.dice.random() < self.rate / 2

    def closing(self) -> bool:
        return self.dice.random() < self.rate / 2 and not self.withheld

    def refusal(self) -> bytes | None:
        if self.dice.random() < self.rate * 2:
            return self.dice.choice([b"450 4.2.1 later", b"550 5.1.1 no", b"452 4.5.3 too many", b"552 5.5.3 enough"])
        return None

    def early(self) -> bool:
        return self.dice.random() < self.rate / 5

    def begin(self) -> None:
        self.slips, self.withheld = int(self.sloppy), False

    def times(self) -> int:
        if self.slips and self.dice.random() < 0.01:
            self.slips = 0
            times = self.dice.choice([0, 2, 2])
            self.withheld = not times
            return times
        return 1

    def hurried(self) -> bool:
        return self.dice.random() < 0.2

    def pause(self) -> float:
        return 15.0 if self.dice.random() < 0.02 else 0.0


class Stubborn(Moody):
    """Says 421 to a single command, and goes on (against RFC 5321 §3.8): who is left of the recipients gets the message.

    It does not hang up then: of whom it says 421 to and hangs up, everybody believes that he got nothing.
    """

    def begin(self) -> None:
        super().begin()
        self.goes_on = False

    def refusal(self) -> bytes | None:
        if self.dice.random() < self.rate:
            self.goes_on = True
            return b"421 4.7.0 slow down"
        return super().refusal()

    def leaves(self) -> bool:
        return super().leaves() and not self.goes_on

    def closing(self) -> bool:
        return super().closing() and not self.goes_on


def play(feed: Feed, model: Model, window: Window, seed: int = 0, visits: int = 50) -> None:
    """Send all that the feed has, over as many connections as it takes."""
    fate = random.Random(seed)
    for _ in range(visits):
        time = memory.Time()
        ours, theirs = memory.pair(time, fate.choice([0, 0, 1, 7]), fate.choice([64, 5000, 1 << 20]))
        session = Session(Server("127.0.0.1", 2525, "none", timeouts=QUICK), time)

        async def client(session: Session = session) -> None:
            try:
                await open_session(session)
            except DeliveryError:
                return
            belt = Belt(session, feed, window)
            problem: MailError | None = None
            try:
                await convey(belt)
            except DeliveryError as error:
                problem = error
            feed.waiting.extendleft(reversed(belt.leftovers(problem)))

        problem, _ = memory.converse((client(), ours), (model.play(), theirs), time=time)
        if problem is not None:
            raise problem
        if not feed.waiting:
            return


def check(feed: Feed, model: Model, given: list[MailObject], strict: bool = True) -> None:
    """Hold what was said against what the server has."""
    for sender, recipients, content in model.delivered:
        number = sender[1:].partition("@")[0]
        assert all(r.startswith(f"r{number}.") for r in recipients), "somebody got another's mail"
        assert content == bytes(given[int(number)].content_for(True)), "the content is another one"
    for load in feed.settled:
        mail = load.mail
        copies = [set(r) for s, r, _ in model.delivered if s == mail.envelope.reverse_path]
        for recipient, (fate, reply) in load.ledger.fates.items():
            had = sum(recipient.spec in one for one in copies)
            if fate == "accepted":
                assert had == 1 if strict else had >= 1
                assert load.error is None and load.ledger.handed
            elif fate == "in doubt":
                assert had <= 1 and load.error is not None and load.error.in_doubt
            elif strict:
                assert had == 0, f"{fate}, but it was delivered"
            if fate in ("refused", "deferred"):
                assert reply is not None and not reply.ok


@pytest.mark.parametrize("offers", OFFERS)
@pytest.mark.parametrize("recipients", [1, 3])
def test_all_arrive(offers: tuple[str, ...], recipients: int) -> None:
    given = mails(100, recipients)
    feed, model = Feed(given), Model(offers, Whim())
    play(feed, model, Window(16))
    assert [load.mail for load in feed.settled] == given
    assert len(model.delivered) == 100
    assert all(load.ledger.with_fate("accepted") == load.recipients for load in feed.settled)
    check(feed, model, given)


def test_the_next_message_is_made_while_the_server_thinks() -> None:
    """Without CHUNKING every content waits for an answer: the one behind it is taken from the source before that."""
    given, left = mails(5), []
    feed = Feed(given)

    class Slow(Model):
        async def data(self) -> None:
            left.append(len(feed.waiting))
            await super().data()

    play(feed, Slow(("PIPELINING",), Whim()), Window(64))
    assert left == [3, 2, 1, 0, 0]
    assert [load.ledger.with_fate("accepted") for load in feed.settled] == [mail.envelope.recipients for mail in given]


def sizes(window: Window, answers: str) -> list[int]:
    """How wide the window is after each answer: a yes, a no for now (``"4"``), or nobody got it (``"5"``)."""
    found = []
    for answer in answers:
        window.answered(answer == "4", vain=answer != "y")
        found.append(window.size)
    return found


def test_the_window_is_soon_wide_where_nobody_asks_for_time() -> None:
    window = Window(1000)
    assert sizes(window, "yyyy") == [4, 4, 4, 16]
    assert sizes(window, "y" * 16)[-2:] == [16, 64]
    assert sizes(window, "y" * (64 + 256))[-1] == 1000
    assert sizes(window, "y" * 5000)[-1] == 1000, "and never wider than it may be"


def test_the_window_halves_at_each_4yz_and_grows_slowly_from_then_on() -> None:
    window = Window(64)
    sizes(window, "y" * 20)
    assert sizes(window, "44") == [32, 16]
    assert sizes(window, "y" * 15) == [16] * 15 and sizes(window, "y") == [32]
    assert sizes(window, "y" * 32)[-1] == 64
    assert sizes(window, "y4yyyyyyyy")[1:3] == [32, 32]
    assert sizes(Window(64), "4444")[-1] == 1, "never none"


def test_a_row_of_messages_that_nobody_gets_halves_it_as_well() -> None:
    window = Window(64)
    sizes(window, "y" * 20)
    assert sizes(window, "555y5") == [64, 32, 16, 16, 16]


@pytest.mark.parametrize("most", [1, 2, 4])
def test_a_small_window_never_grows(most: int) -> None:
    window = Window(most)
    assert set(sizes(window, "y" * 100)) == {most}


def round_of(seed: int, sloppy: bool = False, stubborn: bool = False) -> None:
    dice = random.Random(seed)
    given = mails(dice.choice([1, 5, 40]), dice.choice([1, 1, 3]), dice.choice([1, 30, 3000]))
    whim = Stubborn(seed) if stubborn else Moody(seed, sloppy)
    feed, model = Feed(given), Model(dice.choice(OFFERS[:2] if sloppy else OFFERS), whim)
    play(feed, model, Window(dice.choice([1, 4, 64])), seed)
    assert len(feed.settled) + len(feed.waiting) == len(given)
    check(feed, model, given, strict=not sloppy)


def check_rounds(first: int, count: int = 50, **kind: bool) -> None:
    for seed in range(first, first + count):
        try:
            round_of(seed, **kind)
        except BaseException as problem:
            raise AssertionError(f"seed {seed}") from problem


@pytest.mark.parametrize("block", range(2))
def test_whatever_the_server_does_every_account_is_true(block: int) -> None:
    check_rounds(block * 50)


def test_a_reply_too_many_or_too_few_shifts_nobodys_fate() -> None:
    check_rounds(0, sloppy=True)


def test_a_421_that_is_none_makes_no_message_untried_that_somebody_has() -> None:
    check_rounds(0, stubborn=True)


def test_a_server_that_says_nothing_to_the_first_command_is_out_of_step_with_all() -> None:
    round_of(3216, sloppy=True)  # its answer to each command was taken for that to the one before, RSET too


@pytest.mark.drill
@pytest.mark.parametrize("kind", [{}, {"sloppy": True}, {"stubborn": True}], ids=["moody", "sloppy", "stubborn"])
def test_every_account_is_true_for_long(kind: dict[str, bool]) -> None:
    check_rounds(1000, 10_000, **kind)
