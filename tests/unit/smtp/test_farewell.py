"""The last message of a connection goes in one flight with QUIT, where that is right, and what is said of it is true."""

from __future__ import annotations

import asyncio
import random
import re
import threading
from typing import Any

import pytest
import trio

from mailwright import AsyncMailer, Mailer, Server, send_async
from mailwright import send as send_now
from mailwright.drivers import memory
from mailwright.errors import ConnectionLost, ContentRefused, DeliveryError, RecipientsRefused, SenderRefused
from mailwright.mailer.delivering import deliver
from mailwright.options import Limits
from mailwright.smtp.ledger import Ledger
from mailwright.smtp.session import Session
from tests.dialogue import (
    RAW,
    STAGES,
    C,
    Chunk,
    Content,
    Do,
    Drop,
    Played,
    Rest,
    S,
    Script,
    following,
    hello,
    raw_mail,
    send,
)
from tests.unit.smtp.test_conveyor import QUICK, Model, Moody, mails

each_stage = pytest.mark.parametrize("stage", STAGES)
OFFER = ("PIPELINING", "CHUNKING")
MAIL, BOB, EVE = (
    C("MAIL FROM:<ada@example.org>"),
    C("RCPT TO:<bob@example.org>"),
    C("RCPT TO:<eve@example.org>"),
)
BOTH = ("bob@example.org", "eve@example.org")


def flight(*answers: str, to: tuple[C, ...] = (BOB,)) -> list[Any]:
    """The server hears all there is before it says a word: who waits for one would wait for ever."""
    return [*hello(*OFFER), MAIL, *to, Chunk(), C("QUIT"), *([S(*answers)] if answers else []), Drop()]


def said(turns: list[Any], *recipients: str, **more: Any) -> Played:
    return send(turns, *recipients, parting=True, **more)


@each_stage
def test_all_goes_at_once(stage: str) -> None:
    turns = flight("250 2.1.0 ok", "250 2.1.5 ok", "250 2.0.0 queued as 4bX", "221 2.0.0 bye")
    played = said(turns, stage=stage)
    assert played.fates == {"bob@example.org": "accepted"} and played.result.reply.lines == ("2.0.0 queued as 4bX",)
    assert turns[5].octets == RAW and not played.session.open
    lines = str(played.result.transcript)
    assert lines.index("BDAT") < lines.index("queued as") < lines.index("QUIT") < lines.index("bye")


@each_stage
@pytest.mark.parametrize(
    "rest", [("503 5.5.1 no recipients", "221 bye"), ("503 5.5.1 no recipients",), (), ("221 bye",)]
)
def test_the_recipient_is_put_off(rest: tuple[str, ...], stage: str) -> None:
    played = said(flight("250 ok", "450 4.2.1 later", *rest), stage=stage)
    assert isinstance(played.error, RecipientsRefused) and played.fates == {"bob@example.org": "deferred"}
    assert played.error.temporary and not played.error.in_doubt


@pytest.mark.parametrize(
    "rest", [("503 5.5.1 MAIL first", "503 5.5.1 no recipients", "221 bye"), ("503 MAIL first",), ()]
)
def test_the_sender_is_refused(rest: tuple[str, ...]) -> None:
    played = said(flight("550 5.7.1 not you", *rest))
    assert isinstance(played.error, SenderRefused) and played.fates == {"bob@example.org": "not tried"}
    assert not played.error.in_doubt and not played.error.temporary


@pytest.mark.parametrize("rest", [("221 bye",), ()])
def test_the_content_is_refused(rest: tuple[str, ...]) -> None:
    played = said(flight("250 ok", "250 ok", "554 spam", *rest))
    assert isinstance(played.error, ContentRefused) and played.fates == {"bob@example.org": "refused"}


@pytest.mark.parametrize("before", range(3))
def test_a_421_says_that_nobody_gets_it(before: int) -> None:
    answers = ["250 ok", "250 ok"][:before]
    played = said(flight(*answers, "421 4.3.2 going down"))
    fate = "not tried" if before < 2 else "deferred"
    assert set(played.fates.values()) == {fate} and not played.error.in_doubt and played.error.temporary


@pytest.mark.parametrize("before", range(2))
def test_a_421_behind_which_the_content_is_taken_is_doubt(before: int) -> None:
    answers = ["250 ok", "250 ok"]
    answers[before] = "421 4.7.0 slow down"
    played = said(flight(*answers, "250 2.0.0 queued", "221 bye"))
    assert set(played.fates.values()) == {"in doubt"} and played.error.in_doubt


@each_stage
@pytest.mark.parametrize("before", range(3))
def test_an_end_before_the_last_word_is_doubt(before: int, stage: str) -> None:
    played = said(flight(*["250 2.1.0 ok", "250 2.1.5 ok"][:before]), stage=stage)
    assert played.fates == {"bob@example.org": "in doubt"} and played.error.in_doubt and not played.error.temporary


def test_a_server_that_hangs_up_without_a_goodbye_is_believed_if_its_last_word_is_clear() -> None:
    clear = said(flight("250 2.1.0 ok", "250 2.1.5 ok", "250 2.0.0 queued"))
    assert clear.fates == {"bob@example.org": "accepted"}
    assert "did not wait for the goodbye" in str(clear.result.transcript)
    for answers in (
        ("250 ok", "250 ok", "250 ok"),
        ("250 2.1.0 ok", "250 2.1.5 ok", "250 2.1.5 fine"),
        ("250 sender ok", "250 sender ok", "250 rcpt ok"),  # the first was said twice, and the content not answered
        ("250 sender ok", "250 sender ok", "250 rcpt ok", "421 enough"),
    ):
        unclear = said(flight(*answers))
        assert unclear.fates == {"bob@example.org": "in doubt"} and unclear.error.in_doubt


def test_a_goodbye_in_other_words_is_one_if_nothing_follows() -> None:
    played = said(flight("250 2.1.0 ok", "250 2.1.5 ok", "250 2.0.0 queued", "250 2.0.0 see you"))
    assert played.fates == {"bob@example.org": "accepted"}


@pytest.mark.parametrize(
    "answers",
    [
        ("250 2.1.0 ok", "250 2.1.0 ok", "250 2.1.5 ok", "250 2.0.0 queued", "221 bye"),
        ("250 2.1.0 ok", "250 2.1.5 ok", "250 2.1.5 ok", "554 5.7.1 spam", "221 bye"),
        ("250 2.1.0 ok", "250 2.1.5 ok", "250 2.0.0 queued", "502 what?"),
        ("250 ok", "250 ok", "221 bye"),
        ("250 ok", "354 go on", "250 ok", "221 bye"),
        ("250 ok", "550 5.1.1 nobody", "250 2.0.0 queued", "221 bye"),
        ("550 5.7.1 not you", "250 ok", "250 2.0.0 queued", "221 bye"),
    ],
)
def test_replies_that_do_not_fit_are_doubt_and_the_next_one_goes_step_by_step(answers: tuple[str, ...]) -> None:
    played = said(flight(*answers))
    assert played.fates == {"bob@example.org": "in doubt"} and played.error.in_doubt and not played.error.temporary
    assert played.session.lock_step


def test_what_could_not_be_handed_over_is_not_in_doubt() -> None:
    mail, time = raw_mail(content=RAW + b"more\r\n" * 200), memory.Time()
    ours, theirs = memory.pair(time, 0, 256)  # octets that fit on the way
    session, ledger = Session(Server("127.0.0.1", 2525, "none"), time), Ledger(mail.envelope.recipients)
    plan = deliver(session, mail, ledger, "raise", False, "", parting=True)
    script = Script([*hello(*OFFER), MAIL, BOB, Drop()])
    error, followed = memory.converse((plan, ours), (script.play(), theirs), time=time)
    assert followed is None and isinstance(error, ConnectionLost)
    assert not error.in_doubt and error.temporary and not ledger.handed


STEPWISE: list[Any] = [MAIL, BOB, S("250 ok", "250 ok"), Chunk(), S("250 2.0.0 queued")]


@pytest.mark.parametrize(
    "case", ["not the last", "stop", "large", "two recipients", "before_final"],
)  # fmt: skip
def test_otherwise_the_content_waits_for_the_recipients(case: str) -> None:
    """The server answers the envelope and demands that nothing is behind it before it has."""
    to = BOTH if case == "two recipients" else ("bob@example.org",)
    mail = raw_mail(*to, content=RAW + b"x" * 12_000 + b"\r\n" if case == "large" else RAW)
    waited: list[bytes] = []

    class Waiting(Script):
        async def _turn(self, turn: Any, number: int) -> bool:
            if turn is answer:
                waited.append(self.arrived)
            return await super()._turn(turn, number)

    async def client(session: Session) -> Any:
        ledger = Ledger(mail.envelope.recipients, (lambda: None) if case == "before_final" else None)
        return await deliver(session, mail, ledger, "stop" if case == "stop" else "raise", False, "",
                             case != "not the last")  # fmt: skip

    time = memory.Time()
    ours, theirs = memory.pair(time)
    answer, rcpts = S(*["250 ok"] * (1 + len(to))), [BOB, EVE][: len(to)]
    script = Waiting([*hello(*OFFER), MAIL, *rcpts, answer, Chunk(), S("250 2.0.0 queued")])
    result, followed = memory.converse(
        (client(Session(Server("127.0.0.1", 2525, "none"), time)), ours), (script.play(), theirs), time=time
    )
    assert followed is None and result.complete and waited == [b""]


def test_without_chunking_the_goodbye_waits() -> None:
    turns = [*hello("PIPELINING"), MAIL, BOB, C("DATA"), S("250 ok", "250 ok", "354 go"), Content(), S("250 ok")]
    played = said(turns)
    assert played.result.complete and played.session.open


@pytest.mark.parametrize("kind", ["send", "send_async", "Mailer", "AsyncMailer"])
def test_who_sends_one_message_over_a_connection_sends_it_at_once(kind: str) -> None:
    turns = flight("250 2.1.0 ok", "250 2.1.5 ok", "250 2.0.0 queued", "221 2.0.0 bye")
    one = Limits(messages=1)
    with following(Script(turns)) as port:
        url, mail = f"smtp+plain://127.0.0.1:{port}", raw_mail()

        async def in_asyncio() -> Any:
            if kind == "send_async":
                return await send_async(mail, server=url)
            async with AsyncMailer(url, limits=one) as mailer:
                return await mailer.send(mail)

        if kind == "send":
            receipt = send_now(mail, server=url)
        elif kind == "Mailer":
            with Mailer(url, limits=one) as mailer:
                receipt = mailer.send(mail)
        else:
            receipt = asyncio.run(in_asyncio())
    assert receipt.complete


def test_a_kept_connection_says_goodbye_by_itself() -> None:
    """It may have ended while nobody looked: then the message is in no doubt, and goes over a new one."""
    turns = [*hello(*OFFER), *STEPWISE, *STEPWISE, C("QUIT"), S("221 2.0.0 bye"), Rest()]
    with following(Script(turns)) as port:
        with Mailer(f"smtp+plain://127.0.0.1:{port}", limits=Limits(messages=2)) as mailer:
            assert mailer.send(raw_mail()).complete and mailer.send(raw_mail()).complete


@pytest.mark.parametrize("door", ["asyncio", "trio"])
def test_who_is_stopped_while_it_leaves_is_told_of_the_doubt(door: str) -> None:
    heard = threading.Event()
    turns = [*hello(*OFFER), MAIL, BOB, Chunk(), C("QUIT"), Do(heard.set), Rest()]

    async def stopped(url: str) -> Any:
        async with AsyncMailer(url, limits=Limits(messages=1)) as mailer:
            if door == "asyncio":
                task = asyncio.ensure_future(mailer.send(raw_mail()))
                await asyncio.to_thread(heard.wait, 20)
                task.cancel()
                try:
                    await task
                except asyncio.CancelledError as cancelled:
                    return cancelled.__cause__
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:

                    async def cut() -> None:
                        await trio.to_thread.run_sync(heard.wait, 20)
                        scope.cancel()

                    nursery.start_soon(cut)
                    try:
                        await mailer.send(raw_mail())
                    except trio.Cancelled as cancelled:
                        found.append(cancelled.__cause__)
                        raise
        return found[0]

    found: list[Any] = []
    with following(Script(turns), strict=False) as port:
        url = f"smtp+plain://127.0.0.1:{port}"
        cause = asyncio.run(stopped(url)) if door == "asyncio" else trio.run(stopped, url)
    assert isinstance(cause, ConnectionLost) and cause.in_doubt


class Slippery(Moody):
    """Says one reply twice, or not at all, in most connections."""

    def times(self) -> int:
        if self.slips and self.dice.random() < 0.2:
            self.slips = 0
            times = self.dice.choice([0, 2, 2])
            self.withheld = not times
            return times
        return 1


class Terse(Model):
    """Knows no enhanced status codes."""

    async def say(self, line: bytes) -> None:
        await super().say(re.sub(rb"^(\d{3} )\d\.\d\.\d ", rb"\1", line))


def round_of(seed: int, sloppy: bool) -> None:
    dice = random.Random(seed)
    (mail,) = mails(1, 1, dice.choice([1, 30, 300, 1000]))
    model = dice.choice([Model, Terse])(OFFER, Slippery(seed, sloppy=True) if sloppy else Moody(seed))
    model.whim.rate = dice.choice([0.0, 0.05, 0.2])  # type: ignore[attr-defined]
    time = memory.Time()
    ours, theirs = memory.pair(time, dice.choice([0, 0, 1, 7]), dice.choice([64, 5000, 1 << 20]))
    session = Session(Server("127.0.0.1", 2525, "none", timeouts=QUICK), time)
    ledger = Ledger(mail.envelope.recipients)
    plan = deliver(session, mail, ledger, "report", False, "", parting=True)
    result, _ = memory.converse((plan, ours), (model.play(), theirs), time=time)
    assert isinstance(result, DeliveryError) or result.outcomes == ledger.outcomes, result
    for recipient, (fate, _reply) in ledger.fates.items():
        had = sum(recipient.spec in one for _, one, _ in model.delivered)
        if fate == "accepted":
            assert had == 1
        elif fate == "in doubt":
            assert had <= 1 and result.in_doubt
        else:
            assert had == 0, f"{fate}, but it was delivered"


@pytest.mark.parametrize("sloppy", [False, True])
def test_whatever_the_server_does_the_account_is_true(sloppy: bool) -> None:
    for seed in range(400):
        try:
            round_of(seed, sloppy)
        except BaseException as problem:
            raise AssertionError(f"seed {seed}") from problem


@pytest.mark.drill
@pytest.mark.parametrize("sloppy", [False, True])
def test_the_account_is_true_for_long(sloppy: bool) -> None:
    for seed in range(1000, 21000):
        try:
            round_of(seed, sloppy)
        except BaseException as problem:
            raise AssertionError(f"seed {seed}") from problem
