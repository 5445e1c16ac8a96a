"""The last message of a connection goes in one flight with QUIT, where that is right, and what is said of it is true."""

from __future__ import annotations

import random
from typing import Any

import pytest

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
def test_a_refused_recipient_does_not_stop_the_others(stage: str) -> None:
    answers = ("250 ok", "550 5.1.1 nobody", "250 ok", "250 2.0.0 queued", "221 bye")
    played = said(flight(*answers, to=(BOB, EVE)), *BOTH, stage=stage)
    assert isinstance(played.error, RecipientsRefused)
    assert played.fates == {"bob@example.org": "refused", "eve@example.org": "accepted"}


def test_nobody_is_taken() -> None:
    played = said(flight("250 ok", "450 4.2.1 later", "503 5.5.1 no recipients", "221 bye"))
    assert isinstance(played.error, RecipientsRefused) and played.fates == {"bob@example.org": "deferred"}
    assert played.error.temporary and not played.error.in_doubt


def test_the_sender_is_refused() -> None:
    played = said(flight("550 5.7.1 not you", "503 5.5.1 MAIL first", "503 5.5.1 no recipients", "221 bye"))
    assert isinstance(played.error, SenderRefused) and played.fates == {"bob@example.org": "not tried"}
    assert not played.error.in_doubt and not played.error.temporary


def test_the_content_is_refused() -> None:
    played = said(flight("250 ok", "250 ok", "554 5.7.1 spam", "221 bye"))
    assert isinstance(played.error, ContentRefused) and played.fates == {"bob@example.org": "refused"}


@pytest.mark.parametrize("before", range(4))
def test_a_421_says_that_nobody_gets_it(before: int) -> None:
    answers = ["250 ok", "250 ok", "250 ok"][:before]
    played = said(flight(*answers, "421 4.3.2 going down", to=(BOB, EVE)), *BOTH)
    fate = "not tried" if before < 3 else "deferred"
    assert set(played.fates.values()) == {fate} and not played.error.in_doubt and played.error.temporary


@each_stage
@pytest.mark.parametrize("before", range(3))
def test_an_end_before_the_last_word_is_doubt(before: int, stage: str) -> None:
    played = said(flight(*["250 2.1.0 ok", "250 2.1.5 ok"][:before]), stage=stage)
    assert played.fates == {"bob@example.org": "in doubt"} and played.error.in_doubt and not played.error.temporary


def test_whom_the_server_refused_before_it_left_is_in_no_doubt() -> None:
    played = said(flight("250 ok", "550 5.1.1 nobody", "250 ok", to=(BOB, EVE)), *BOTH)
    assert played.fates == {"bob@example.org": "refused", "eve@example.org": "in doubt"}
    refused = said(flight("250 ok", "550 5.1.1 nobody"))
    assert refused.fates == {"bob@example.org": "refused"} and not refused.error.in_doubt


def test_a_server_that_hangs_up_without_a_goodbye_is_believed_if_its_last_word_is_clear() -> None:
    clear = said(flight("250 2.1.0 ok", "250 2.1.5 ok", "250 2.0.0 queued"))
    assert clear.fates == {"bob@example.org": "accepted"}
    assert "did not wait for the goodbye" in str(clear.result.transcript)
    for last in ("250 ok", "250 2.1.5 fine"):
        unclear = said(flight("250 ok", "250 ok", last))
        assert unclear.fates == {"bob@example.org": "in doubt"} and unclear.error.in_doubt


def test_a_goodbye_in_other_words_is_one_if_nothing_follows() -> None:
    played = said(flight("250 2.1.0 ok", "250 2.1.5 ok", "250 2.0.0 queued", "250 2.0.0 see you"))
    assert played.fates == {"bob@example.org": "accepted"}


@pytest.mark.parametrize(
    "answers",
    [
        ("250 2.1.0 ok", "250 2.1.0 ok", "250 2.1.5 ok", "250 2.0.0 queued", "221 bye"),
        ("250 2.1.0 ok", "250 2.1.5 ok", "250 2.1.5 ok", "554 5.7.1 spam", "221 bye"),
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
    "case", ["not the last", "stop", "large", "before_final"],
)  # fmt: skip
def test_otherwise_the_content_waits_for_the_recipients(case: str) -> None:
    """The server answers the envelope and demands that nothing is behind it before it has."""
    mail = raw_mail(content=RAW + b"x" * 70_000 + b"\r\n" if case == "large" else RAW)
    waited: list[bytes] = []

    class Waiting(Script):
        async def _turn(self, turn: Any, number: int) -> bool:
            if isinstance(turn, S) and number == 5:
                waited.append(self.arrived)
            return await super()._turn(turn, number)

    async def client(session: Session) -> Any:
        ledger = Ledger(mail.envelope.recipients, (lambda: None) if case == "before_final" else None)
        return await deliver(session, mail, ledger, "stop" if case == "stop" else "raise", False, "",
                             case != "not the last")  # fmt: skip

    time = memory.Time()
    ours, theirs = memory.pair(time)
    script = Waiting([*hello(*OFFER), *STEPWISE])
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
    import asyncio

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


def test_a_kept_connection_says_no_goodbye_before_its_last_message() -> None:
    first = [*STEPWISE[:-1], S("250 2.0.0 queued")]
    last = flight("250 2.1.0 ok", "250 2.1.5 ok", "250 2.0.0 queued", "221 2.0.0 bye")[3:]
    with following(Script([*hello(*OFFER), *first, *last])) as port:
        with Mailer(f"smtp+plain://127.0.0.1:{port}", limits=Limits(messages=2)) as mailer:
            assert mailer.send(raw_mail()).complete and mailer.send(raw_mail()).complete


@pytest.mark.parametrize("full", ["452 4.5.3 too many", "552 too many"])  # 552: RFC 5321 §4.5.3.1.10
def test_recipients_for_whom_there_was_no_room_get_it_over_another_connection(full: str) -> None:
    first = flight("250 2.1.0 ok", "250 2.1.5 ok", full, "250 2.0.0 queued", "221 bye", to=(BOB, EVE))
    second = [*hello(*OFFER), MAIL, EVE, S("250 ok", "250 ok"), Chunk(), S("250 2.0.0 queued"), C("QUIT"), S("221 bye")]
    with following(Script(first), Script([*second, Rest()])) as port:
        with Mailer(f"smtp+plain://127.0.0.1:{port}", limits=Limits(messages=1)) as mailer:
            assert mailer.send(raw_mail(*BOTH)).complete


class Slippery(Moody):
    """Says one reply twice, or not at all, in most connections."""

    def times(self) -> int:
        if self.slips and self.dice.random() < 0.2:
            self.slips = 0
            times = self.dice.choice([0, 2, 2])
            self.withheld = not times
            return times
        return 1


def round_of(seed: int, sloppy: bool) -> None:
    dice = random.Random(seed)
    (mail,) = mails(1, dice.choice([1, 1, 3]), dice.choice([1, 30, 300]))
    model = Model(OFFER, Slippery(seed, sloppy=True) if sloppy else Moody(seed))
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
        elif not sloppy:
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
