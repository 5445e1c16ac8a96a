"""The pool's decisions, one value without locks or clocks: what is used, kept, probed and closed."""

from __future__ import annotations

from typing import Any

import pytest

from mailwright.mailer.delivering import deliver
from mailwright.mailer.pool import Lease, Limits, Pool
from mailwright.smtp.ledger import Ledger
from mailwright.smtp.session import Session
from mailwright.words.errors import ConfigError
from mailwright.words.server import Server
from tests.dialogue import STAGES, C, Content, Drop, S, hello, play, raw_mail


def lease(opened: float = 0.0, used: float | None = None, messages: int = 0) -> Lease:
    """An idle lease over an open session."""
    session = Session(Server("127.0.0.1", 25, "none"))
    session.open = True
    made = Lease(object(), session, opened)
    made.used = opened if used is None else used
    made.messages = messages
    return made


def pool(*idle: Lease, **limits: Any) -> Pool:
    """A pool with these idle leases."""
    made = Pool(Limits(**limits))
    made.idle = list(idle)
    return made


@pytest.mark.parametrize(
    ("one", "gone"),
    [
        (lease(0, 0), False),
        (lease(0, 39), False),
        (lease(-60, 39), True),  # 100 seconds old at 40
        (lease(0, -21), True),  # 61 seconds without use at 40
        (lease(0, 39, messages=10), True),
    ],
)
def test_what_is_too_old_is_closed(one: Lease, gone: bool) -> None:
    made = pool(one, idle=60, age=99, messages=10)
    assert made.expired(40) == ([one] if gone else [])
    assert made.idle == ([] if gone else [one])


def test_the_one_used_last_is_used_next_so_that_the_others_age_out() -> None:
    first, last = lease(), lease()
    made = pool(first, last)
    assert made.take() is last and made.take() is first and made.take() is None
    assert made.out == 3


def test_no_more_than_its_size_at_a_time() -> None:
    made = pool(size=2)
    made.take()
    assert not made.full
    made.take()
    assert made.full


def test_only_a_good_connection_is_kept() -> None:
    made = pool(messages=3)
    good, broken, spent = lease(), lease(), lease(messages=3)
    broken.session.open = False
    for _ in range(3):
        made.take()
    for one, kept in ((good, True), (broken, False), (spent, False)):
        assert made.give_back(one, 5.0) is kept
    assert made.idle == [good] and good.used == 5.0 and made.out == 0
    assert made.drain() == [good] and made.closed
    made.take()
    assert made.give_back(lease(), 6.0) is False


def test_limits_that_can_not_be_kept_are_refused() -> None:
    with pytest.raises(ConfigError):
        Limits(size=0)


ONE = [C("MAIL FROM:<ada@example.org>"), S("250 ok"), C("RCPT TO:<bob@example.org>"), S("250 ok"), C("DATA"), S("354 go"),
       Content(), S("250 ok")]  # fmt: skip


async def two_messages(session: Session) -> Any:
    """A second message over a kept connection that was idle for long."""
    mail = raw_mail()
    await deliver(session, mail, Ledger(mail.envelope.recipients), "raise", False)
    return await deliver(session, mail, Ledger(mail.envelope.recipients), "raise", True)


@pytest.mark.parametrize("stage", STAGES)
def test_a_long_idle_connection_is_asked_first(stage: str) -> None:
    played = play([*hello(), *ONE, C("NOOP"), S("250 here"), *ONE], two_messages, stage)
    assert played.result.complete


@pytest.mark.parametrize("answer", [[S("421 gone"), Drop()], [S("500 what"), Drop()], [Drop()]])
def test_who_does_not_answer_well_is_replaced(answer: list[Any]) -> None:
    """In memory there is nobody to connect to a second time: that it is tried shows in the transcript."""
    played = play([*hello(), *ONE, C("NOOP"), *answer], two_messages, "memory")
    said = str(played.session.transcript)
    assert isinstance(played.result, Exception)
    assert said.rfind("connecting to") > said.find("NOOP") > 0
