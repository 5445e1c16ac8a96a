"""A server that means harm, or is broken: what it may say, when, how slowly and how much, and what is never believed."""

from __future__ import annotations

import base64
import random
import re
import tracemalloc
from typing import Any

import pytest

from mailwright.drivers import memory
from mailwright.mailer.delivering import deliver
from mailwright.smtp.ledger import Ledger
from mailwright.smtp.opening import open_session
from mailwright.smtp.session import Session
from mailwright.steps import Clock, Close, Read, Sleep, Write
from mailwright.words.errors import (
    ContentRefused,
    DeliveryError,
    LoginError,
    MailError,
    ProtocolError,
    RecipientsRefused,
    Refused,
    SenderRefused,
    Timeout,
    Unsupported,
)
from mailwright.words.server import Login, Server, Timeouts
from tests.dialogue import (
    ANYTHING,
    EHLO,
    RAW,
    STAGES,
    C,
    Content,
    Drop,
    HangUp,
    Pause,
    Raw,
    S,
    hello,
    patient,
    play,
    raw_mail,
    send,
)

each_stage = pytest.mark.parametrize("stage", STAGES)
MAIL, BOB = C("MAIL FROM:<ada@example.org>"), C("RCPT TO:<bob@example.org>")
ENVELOPE = [MAIL, S("250 ok"), BOB, S("250 ok")]
CONTENT = [C("DATA"), S("354 go"), Content(), S("250 ok")]


# Time: a limit is for the whole of what is waited for.


def drip(text: str, seconds: float) -> list[Any]:
    """The text, one octet at a time."""
    return [turn for octet in text.encode() for turn in (Raw(bytes([octet])), Pause(seconds))]


@pytest.mark.parametrize(
    "turns",
    [
        drip("220 " + "x" * 2000 + "\r\n", 10),
        [*hello()[:2], *drip("250 " + "x" * 2000 + "\r\n", 59)],
        [*hello(), MAIL, *drip("250-" + "x" * 2000 + "\r\n", 1)],
        [S("220 a"), C(EHLO), *[turn for _ in range(300) for turn in (S("250-again"), Pause(30))]],
    ],
    ids=["greeting", "ehlo", "mail", "lines"],
)
def test_a_dripping_reply_ends_at_its_limit(turns: list[Any]) -> None:
    played = send(turns)
    assert isinstance(played.error, Timeout) and played.error.temporary and "60 seconds" in str(played.error)
    client = Clocked(turns)
    assert client.seconds < 70


def test_the_final_reply_may_drip_for_ten_minutes_and_no_longer() -> None:
    before = [*hello(), *ENVELOPE, *CONTENT[:-1]]
    assert send([*before, *drip("250 ok then\r\n", 40)]).result.complete
    played = send([*before, *drip("250 " + "x" * 40, 40)])
    assert isinstance(played.error, Timeout) and played.error.in_doubt


class Clocked:
    """A dialogue of which the time of the client alone is taken."""

    def __init__(self, turns: list[Any], server: Server | None = None) -> None:
        self.seconds = 0.0
        mail = raw_mail()

        async def client(session: Session) -> Any:
            began = await Clock()
            try:
                return await deliver(session, mail, Ledger(mail.envelope.recipients), "raise", False)
            finally:
                self.ended = True
                self.seconds = session._clock() - began  # type: ignore[misc]

        play(turns, client, server=server)


def test_a_trickle_is_no_progress() -> None:
    """The server reads one octet of the content every 50 seconds: each chunk has its time, and that is over."""
    time = memory.Time()
    ours, theirs = memory.pair(time, capacity=4096)
    mail = raw_mail(content=RAW + b"x" * 70 + b"\r\n" + (b"y" * 76 + b"\r\n") * 2000)
    session, ledger = Session(patient(), time), Ledger(mail.envelope.recipients)

    async def server() -> None:
        for said in ("220 a", "250 a", "250 ok", "250 ok", "354 go"):
            await Write(said.encode() + b"\r\n", 10)
            if said != "354 go":
                await Read(10)
        for _ in range(100):
            theirs.incoming.capacity += 1  # as a window that opens by one octet
            await Sleep(50)

    result, _ = memory.converse((deliver(session, mail, ledger, "raise", False), ours), (server(), theirs), time=time)
    assert isinstance(result, Timeout) and result.temporary and result.phase == "content"


def test_commands_can_not_be_held_up_by_talk() -> None:
    """The server says a bit of a reply now and then and never listens: the flight of commands ends all the same."""
    time = memory.Time()
    ours, theirs = memory.pair(time, capacity=2000)
    mail = raw_mail(*(f"r{n}@example.org" for n in range(200)))
    session, ledger = Session(patient(), time), Ledger(mail.envelope.recipients)
    ended: list[float] = []

    async def client() -> Any:
        try:
            return await deliver(session, mail, ledger, "raise", False)
        finally:
            ended.append(time.now)

    async def server() -> None:
        await Write(b"220 a\r\n", 10)
        await Read(10)
        await Write(b"250-a\r\n250 PIPELINING\r\n", 10)
        await Read(10)
        for _ in range(5000):
            await Write(b"2", 10)
            await Sleep(30)

    result, _ = memory.converse((client(), ours), (server(), theirs), time=time)
    assert isinstance(result, DeliveryError) and ended[0] < 300


# Replies: each belongs to one command, and that command has left.


@each_stage
def test_a_reply_left_over_is_not_the_answer_to_the_next_message(stage: str) -> None:
    """The second 250 behind the content would answer the next MAIL, and each later reply the command before."""
    mail = raw_mail()

    async def twice(session: Session) -> Any:
        await deliver(session, mail, Ledger(mail.envelope.recipients), "raise", False)
        return await deliver(session, mail, Ledger(mail.envelope.recipients), "raise", False)

    turns = [*hello(), *ENVELOPE, *CONTENT[:-1], S("250 ok", "250 ok"), HangUp()]
    result = play(turns, twice, stage, patient(timeouts=Timeouts(reply=1.0))).result
    # The old connection is left, and (there is no second script) a new one fails: nothing is said on the old.
    assert isinstance(result, DeliveryError) and result.phase in ("connect", "greeting"), repr(result)


@each_stage
@pytest.mark.parametrize("keywords", [(), ("PIPELINING",)])
def test_a_reply_before_its_command_is_not_believed(stage: str, keywords: tuple[str, ...]) -> None:
    """Two recipients; in the first transaction's place the server has already said yes to everything."""
    names = ["a", *keywords]
    offer = "".join(f"250{'-' if n < len(names) - 1 else ' '}{name}\r\n" for n, name in enumerate(names))
    turns = [S("220 a"), C(EHLO), Raw(offer.encode() + b"250 ok\r\n250 ok\r\n354 go\r\n"), HangUp()]
    played = send(turns, stage=stage)
    assert isinstance(played.error, ProtocolError) and not played.error.in_doubt
    assert set(played.fates.values()) == {"not tried"}


@pytest.mark.parametrize("keywords", [(), ("PIPELINING",)])
def test_a_word_between_hello_and_mail_is_not_the_answer_to_mail(keywords: tuple[str, ...]) -> None:
    """It lies in the socket and not in our buffer: the client was busy when it came."""
    for stray, kind in (("250 hm", ProtocolError), ("421 bye", Refused)):
        time = memory.Time()
        ours, theirs = memory.pair(time)
        mail = raw_mail()
        session, ledger = Session(patient(), time), Ledger(mail.envelope.recipients)

        async def client(session: Session = session, mail: Any = mail, ledger: Ledger = ledger) -> Any:
            await open_session(session)
            await Sleep(5)
            # As a pool does that finds the connection good, and is then overtaken.
            from mailwright.smtp.transaction import transact

            await transact(session, mail, mail.envelope.recipients, ledger, False)

        async def server(stray: str = stray) -> None:
            await Write(b"220 a\r\n", 10)
            await Read(10)
            await Write(b"250 a\r\n" if not keywords else b"250-a\r\n250 PIPELINING\r\n", 10)
            await Sleep(1)
            await Write(stray.encode() + b"\r\n", 10)
            assert await Read(60) == b""

        error, seen = memory.converse((client(), ours), (server(), theirs), time=time)
        assert isinstance(error, kind) and error.temporary and seen is None
        assert ledger.fates[mail.envelope.recipients[0]][0] == "not tried"


@each_stage
@pytest.mark.parametrize("turns", [[MAIL, S("354 go")], [MAIL, S("250 ok"), BOB, S("334 go on")]], ids=["mail", "rcpt"])
def test_go_on_answers_nothing_but_data(stage: str, turns: list[Any]) -> None:
    played = send([*hello(), *turns, HangUp()], stage=stage)
    assert isinstance(played.error, ProtocolError) and played.error.temporary and not played.session.open
    assert set(played.fates.values()) == {"not tried"}


@each_stage
def test_another_go_on_at_data_is_no_354(stage: str) -> None:
    """It would take our RSET for the first line of the content."""
    played = send([*hello(), *ENVELOPE, C("DATA"), S("350 more"), HangUp()], stage=stage)
    assert isinstance(played.error, ProtocolError) and played.error.temporary


# A refusal stays what it is, whatever happens behind it.

PIPE = [*hello("PIPELINING"), MAIL, BOB, C("DATA")]


@each_stage
@pytest.mark.parametrize(
    ("turns", "kind"),
    [
        ([*hello(), *ENVELOPE, C("DATA"), S("550 5.7.1 no"), Drop()], ContentRefused),
        ([*hello(), MAIL, S("250 ok"), BOB, S("550 5.1.1 no"), Drop()], RecipientsRefused),
        ([*PIPE, S("550 5.7.1 no", "503 a", "503 b"), Drop()], SenderRefused),
        ([*PIPE, S("250 ok", "550 5.1.1 no", "554 b"), Drop()], RecipientsRefused),
    ],
    ids=["data", "rcpt", "mail-in-flight", "rcpt-in-flight"],
)
def test_a_refusal_before_the_server_closes_is_a_refusal(stage: str, turns: list[Any], kind: Any) -> None:
    played = send(turns, stage=stage)
    assert isinstance(played.error, kind) and not played.error.temporary
    assert played.error.reply.code == 550 and not played.session.open


@each_stage
def test_a_connection_that_refuses_reset_is_not_used_again(stage: str) -> None:
    turns = [*hello(), MAIL, S("250 ok"), BOB, S("550 no"), C("RSET"), S("502 what?"), HangUp()]
    played = send(turns, stage=stage)
    assert isinstance(played.error, RecipientsRefused) and not played.session.open


@each_stage
def test_all_or_none_is_not_split_over_transactions(stage: str) -> None:
    turns = [*hello("LIMITS RCPTMAX=1"), HangUp()]
    played = send(turns, "bob@example.org", "eve@example.org", stage=stage, on_refusal="stop")
    assert isinstance(played.error, Unsupported) and set(played.fates.values()) == {"not tried"}


# Memory: what a server can make us keep.


def test_a_flood_beside_our_commands_is_stopped() -> None:
    time = memory.Time()
    ours, theirs = memory.pair(time)
    mail = raw_mail()
    session, ledger = Session(patient(), time), Ledger(mail.envelope.recipients)

    async def server() -> None:
        await Write(b"220 a\r\n", 10)
        await Read(10)
        await Write(b"250-a\r\n250 PIPELINING\r\n", 10)
        await Read(10)
        await Write(b"550 no\r\n503 a\r\n354 go\r\n" + b"250 ok\r\n" * 40000, 10)
        for _ in range(300):
            await Write(b"250 ok\r\n" * 10000, 10)

    tracemalloc.start()
    try:
        result, _ = memory.converse(
            (deliver(session, mail, ledger, "raise", False), ours), (server(), theirs), time=time
        )
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(result, DeliveryError) and peak < 12_000_000


def test_long_replies_for_many_recipients_are_not_kept_whole() -> None:
    who = [f"r{n}@example.org" for n in range(50)]
    refusals = [turn for r in who for turn in (C(f"RCPT TO:<{r}>"), S(*["550-" + "x" * 8000] * 7, "550 no"))]
    played = send([*hello(), MAIL, S("250 ok"), *refusals, C("RSET"), S("250 ok")], *who)
    receipt = played.error.receipt
    assert len(receipt.refused) == 50
    assert sum(len(line) for outcome in receipt.outcomes for line in outcome.reply.lines) <= 50 * 1000
    assert sum(len(line.text) for line in receipt.transcript) < 450_000


# Secrets: a server may repeat what it heard.

SECRET = "correct horse battery"
KEY = base64.b64encode(f"\0ada\0{SECRET}".encode()).decode()
TOKEN = "ya29.a0Af-a-token-of-some-length"


def leaks(played: Any, *secrets: str) -> list[str]:
    """The secrets that can be read in the error, its transcript or its repr."""
    error = played.error
    seen = " ".join([str(error), repr(error), str(error.transcript), repr(error.reply), str(error.args)])
    return [secret for secret in secrets if secret in seen]


def login(**given: Any) -> Server:
    """A server on this machine that wants a login."""
    return patient(login=Login("ada", **given))


@each_stage
@pytest.mark.parametrize(
    "answer",
    [f"501 unknown: AUTH PLAIN {KEY}", f"535-{KEY}", f"AUTH PLAIN {KEY}", f"250x{KEY}"],
    ids=["reply", "lines", "echo", "garbage"],
)
def test_an_echo_of_the_login_is_masked(stage: str, answer: str) -> None:
    more = ["535 no"] if answer.startswith("535-") else []
    turns = [*hello("AUTH PLAIN"), C(f"AUTH PLAIN {KEY}"), S(answer, *more)]
    played = send(turns, stage=stage, server=login(password=SECRET))
    assert isinstance(played.error, MailError) and not leaks(played, SECRET, KEY, KEY[:30])


@each_stage
def test_an_echo_of_the_token_in_the_servers_json_is_masked(stage: str) -> None:
    told = base64.b64encode(b'{"status":"400","schemes":"Bearer ' + TOKEN.encode() + b'"}').decode()
    turns = [*hello("AUTH XOAUTH2"), C(ANYTHING), S(f"334 {told}"), C(""), S("535 no")]
    played = send(turns, stage=stage, server=login(token=TOKEN))
    assert isinstance(played.error, LoginError) and not leaks(played, TOKEN)


# A server that does anything at any time.


class Hostile:
    """A server that mostly answers as it should, and sometimes anything. It knows what it got."""

    def __init__(self, seed: int, lmtp: bool) -> None:
        self.random = random.Random(seed)
        self.lmtp = lmtp
        self.malice = self.random.choice([0.0, 0.02, 0.05, 0.1, 0.3])
        self.got = b""
        self.said = b""
        self.rest = b""

    async def play(self) -> None:
        """Serve until the client or the mood ends it."""
        self.keywords = [
            k for k in ("PIPELINING", "CHUNKING", "8BITMIME", "SIZE 9999999") if self.random.random() < 0.5
        ]
        await self.say("220 hi")
        recipients = 0
        while (line := await self.line()) is not None:
            verb = line[:4].upper()
            if verb in (b"EHLO", b"LHLO"):
                await self.say(*["250-a", *[f"250-{k}" for k in self.keywords], "250 HELP"])
            elif verb == b"MAIL":
                recipients = 0
                await self.say("250 ok")
            elif verb == b"RCPT":
                recipients += 1
                await self.say(
                    self.random.choice(["250 ok"] * 6 + ["550 no", "450 later", "452 4.5.3 many", "552 much"])
                )
            elif verb == b"DATA":
                await self.say("354 go")
                await self.until(b"\r\n.\r\n")
                await self.final(recipients)
            elif verb == b"BDAT" and line.split()[1:2] and line.split()[1].isdigit():
                await self.octets(int(line.split()[1]))
                await self.final(recipients)
            elif verb == b"QUIT":
                return await self.say("221 bye")
            else:
                await self.say("250 ok")
        return None

    async def final(self, recipients: int) -> None:
        """The word on the content."""
        for _ in range(recipients if self.lmtp else 1):
            await self.say(self.random.choice(["250 taken"] * 4 + ["451 later", "554 no"]))

    async def say(self, *lines: str) -> None:
        """These lines, or something else."""
        if self.random.random() < self.malice:
            return await self.mischief()
        return await self.send("".join(line + "\r\n" for line in lines).encode())

    async def send(self, data: bytes) -> None:
        """Octets, in one or several pieces, now or later."""
        self.said += data
        while data:
            cut = self.random.choice([len(data), 1, 3, len(data)])
            await Write(data[:cut], 1e9)
            data = data[cut:]
            if self.random.random() < 0.05:
                await Sleep(self.random.choice([0.1, 5, 50, 100]))

    async def mischief(self) -> None:
        """One of many misdeeds."""
        pick = self.random.randrange(11)
        code = self.random.randrange(200, 600)
        if pick <= 2:
            await self.send(b"%d whatever\r\n" % code)
        elif pick == 3:
            await self.send(b"%d-a\r\n%d b\r\n%d c\r\n" % (code, code, self.random.randrange(200, 600)))
        elif pick == 4:
            await self.send(b"250 ok\r\n" * self.random.randrange(2, 6) + b"354 go\r\n")
        elif pick == 5:
            await self.send(self.random.randbytes(self.random.randrange(1, 400)))
        elif pick == 6:
            await self.send(b"421 bye\r\n")
            await self.leave()
        elif pick == 7:
            await self.leave()
        elif pick == 8:
            await self.send(b"250-" + b"x" * self.random.choice([100, 9000, 70000]))
        elif pick == 9:
            await self.send(b"250 ok\r\n" * 20000)
        else:
            await Sleep(self.random.choice([30, 100, 700]))

    async def leave(self) -> None:
        """Close."""
        await Close()
        raise ConnectionAbortedError

    async def more(self) -> bool:
        """Hear more, if there is any."""
        if self.random.random() < self.malice / 4:
            await self.mischief()
        data = await Read(1e7)
        self.got += data
        self.rest += data
        return bool(data)

    async def line(self) -> bytes | None:
        """The next line, or `None` at the end."""
        while b"\r\n" not in self.rest:
            if not await self.more():
                return None
        line, _, self.rest = self.rest.partition(b"\r\n")
        return line

    async def until(self, mark: bytes) -> None:
        """Read up to the mark."""
        while mark not in b"\r\n" + self.rest:
            if not await self.more():
                return
        place = (b"\r\n" + self.rest).index(mark) + len(mark) - 2
        self.rest = self.rest[place:]

    async def octets(self, count: int) -> None:
        """Read so many."""
        while len(self.rest) < count:
            if not await self.more():
                return
        self.rest = self.rest[count:]


def visit(seed: int) -> None:
    """Two messages over one connection to such a server; whatever happens, what is said about them is true."""
    fate = random.Random(-seed - 1)
    time = memory.Time()
    ours, theirs = memory.pair(time, fate.choice([0, 0, 1, 7]), fate.choice([64, 5000, 1 << 20]))
    lmtp = fate.random() < 0.2
    server = Hostile(seed, lmtp)
    session = Session(Server("127.0.0.1", 2525, "none", protocol="lmtp" if lmtp else "smtp"), time)
    who = [f"r{n}@example.org" for n in range(fate.choice([1, 2, 5]))]
    bodies = [
        b"X-Number: %d of %d\r\n" % (n, seed) + RAW + b"." * n + b"line\r\n" * fate.choice([1, 3, 9000]) for n in (0, 1)
    ]
    tried: list[tuple[bytes, Ledger, Any]] = []

    async def client() -> None:
        for body in bodies:
            mail = raw_mail(*who, content=body)
            ledger = Ledger(mail.envelope.recipients)
            on_refusal: Any = fate.choice(["raise", "stop", "report"])
            try:
                came: Any = await deliver(session, mail, ledger, on_refusal, fate.random() < 0.2)
            except MailError as error:
                came = error
            tried.append((body, ledger, came))
            if not (session.open and session.phase == "ready"):
                return

    problem, _ = memory.converse((client(), ours), (server.play(), theirs), time=time)
    assert problem is None, repr(problem)
    assert tried
    stream = server.got + b"".join(ours.outgoing.pieces)
    for body, ledger, came in tried:
        check(server, stream, body, ledger, came)


def check(server: Hostile, stream: bytes, body: bytes, ledger: Ledger, came: Any) -> None:
    """Hold what was said against what the server has."""
    stuffed = re.sub(rb"(?m)^\.", b"..", body)
    copies = stream.count(stuffed + b".\r\n") + stream.count(b" LAST\r\n" + body)
    fates = {recipient: fate for recipient, (fate, _) in ledger.fates.items()}
    if "accepted" in fates.values():
        assert copies >= 1
        yes = len(re.findall(rb"(?m)^2\d\d(?: .*)?\r$", server.said))
        assert yes >= 3 + 1 + 1
    if "in doubt" in fates.values():
        assert copies >= 1
        assert came.in_doubt and not came.temporary and came.receipt.in_doubt
    if set(fates.values()) == {"not tried"}:
        assert copies == 0, "it may have been delivered"
    if getattr(came, "temporary", False):
        assert not {"accepted", "in doubt"} & set(fates.values())


@pytest.mark.parametrize("block", range(6))
def test_whatever_a_server_does_what_we_say_of_it_is_true(block: int) -> None:
    for seed in range(block * 50, block * 50 + 50):
        try:
            visit(seed)
        except BaseException as problem:
            raise AssertionError(f"seed {seed}") from problem


@pytest.mark.drill
def test_whatever_a_server_does_for_long() -> None:
    for seed in range(1000, 21000):
        try:
            visit(seed)
        except BaseException as problem:
            raise AssertionError(f"seed {seed}") from problem


def test_the_limits_of_time_hold_whatever_the_server_does() -> None:
    """`Timeouts` without an end are allowed, and are not too much for the system's own calls."""
    endless = Timeouts(connect=1e12, reply=float("inf"), block=float("inf"), final=float("inf"), quit=1.0)
    for stage in ("memory", "sync", "aio"):
        assert send([*hello(), *ENVELOPE, *CONTENT], stage=stage, server=patient(timeouts=endless)).result.complete
