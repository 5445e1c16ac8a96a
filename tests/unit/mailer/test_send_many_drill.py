"""`send_many` over real sockets, blocking and under asyncio, against a server that refuses, leaves and slips at random:
what each receipt says is what the server has.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING

import pytest

from mailwright import AsyncMailer, Mailer, Receipt, Server
from mailwright.drivers.serving import Guest, serve
from mailwright.errors import DeliveryError
from mailwright.mailer import conveying
from mailwright.message.mail import MailObject
from mailwright.options import Limits, Timeouts
from tests.unit.smtp.test_conveyor import OFFERS, Model, Moody, mails

if TYPE_CHECKING:
    from mailwright.steps import Plan

Sender = Callable[[Server, Limits, list[MailObject]], list[Receipt]]
QUICK = Timeouts(reply=0.2, block=5, final=0.2)  # seconds; only a reply that never comes is waited for


class Swift(Moody):
    """As moody, but it does not keep real time waiting."""

    def pause(self) -> float:
        return min(super().pause(), 0.002)


class Street:
    """A listening socket in a thread of its own; each connection meets a server as the round wants it."""

    def __init__(self) -> None:
        self.port = 0
        self.delivered: list[tuple[str, tuple[str, ...], bytes]] = []
        self.offers: tuple[str, ...] = ()
        self.whim: Swift = Swift(0)

    def plan_for(self, link: Guest, peer: str) -> Plan[None]:
        model = Model(self.offers, self.whim)
        model.delivered = self.delivered
        return model.play()

    async def listen(self, ready: Future[Callable[[], None]]) -> None:
        ended = asyncio.Event()
        server = await serve(self.plan_for, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        ready.set_result(lambda: loop.call_soon_threadsafe(ended.set))
        await ended.wait()
        server.close()


@pytest.fixture
def street(monkeypatch: pytest.MonkeyPatch) -> Iterator[Street]:
    monkeypatch.setattr(conveying, "PAUSE", 0.001)  # seconds; a server that slams the door is met often here
    made, ready = Street(), Future[Callable[[], None]]()
    thread = threading.Thread(target=lambda: asyncio.run(made.listen(ready)))
    thread.start()
    end = ready.result(10)
    yield made
    end()
    thread.join(10)


def blocking(server: Server, limits: Limits, given: list[MailObject]) -> list[Receipt]:
    receipts: list[Receipt] = []
    with Mailer(server, limits=limits) as mailer:
        try:
            receipts.extend(mailer.send_many(given))
        except DeliveryError as problem:
            assert not problem.in_doubt
    return receipts


def in_asyncio(server: Server, limits: Limits, given: list[MailObject]) -> list[Receipt]:
    receipts: list[Receipt] = []

    async def program() -> None:
        async with AsyncMailer(server, limits=limits) as mailer:
            try:
                async for receipt in mailer.send_many(given):
                    receipts.append(receipt)
            except DeliveryError as problem:
                assert not problem.in_doubt

    asyncio.run(program())
    return receipts


def check(
    given: list[MailObject], receipts: list[Receipt], delivered: list[tuple[str, tuple[str, ...], bytes]]
) -> None:
    for sender, _, content in delivered:
        assert content == bytes(given[int(sender[1:].partition("@")[0])].content_for(True))
    for mail, receipt in zip(given, receipts, strict=False):
        copies = [set(r) for s, r, _ in delivered if s == mail.envelope.reverse_path]
        for outcome in receipt.outcomes:
            had = sum(outcome.recipient.spec in one for one in copies)
            expected = {"accepted": {1}, "in doubt": {0, 1}}.get(outcome.fate, {0})
            assert had in expected, f"{outcome} of message {receipt.number}: {had} copies"


def round_of(street: Street, send: Sender, seed: int) -> None:
    dice = random.Random(seed)
    given = mails(dice.choice([1, 5, 40]), dice.choice([1, 1, 3]), dice.choice([1, 30, 3000]))
    street.offers, street.whim, street.delivered = dice.choice(OFFERS), Swift(seed), []
    server = Server("127.0.0.1", street.port, "none", timeouts=QUICK)
    limits = Limits(size=dice.choice([1, 1, 3]), window=dice.choice([1, 4, 64]), messages=dice.choice([2, 1000]))
    receipts = send(server, limits, given)
    assert [receipt.number for receipt in receipts] == list(range(len(receipts)))
    check(given, receipts, list(street.delivered))


@pytest.mark.parametrize("send", [blocking, in_asyncio])
def test_every_receipt_is_true(street: Street, send: Sender) -> None:
    for seed in range(30):
        try:
            round_of(street, send, seed)
        except BaseException as problem:
            raise AssertionError(f"seed {seed}") from problem


@pytest.mark.drill
@pytest.mark.parametrize("send", [blocking, in_asyncio])
def test_every_receipt_is_true_for_long(street: Street, send: Sender) -> None:
    for seed in range(1000, 11000):
        try:
            round_of(street, send, seed)
        except BaseException as problem:
            raise AssertionError(f"seed {seed}") from problem
