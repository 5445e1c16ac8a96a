"""A message for more recipients than the server takes at a time: several transactions, and one receipt that names the
fate of each.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from mailwright import Mailer, Message, Receipt, Server
from mailwright.drivers.aio import Link
from mailwright.errors import ContentRefused, DeliveryError
from mailwright.mailer import conveying
from mailwright.options import Limits, Timeouts
from tests.unit.mailer.test_send_many import Door, letters, send_many  # noqa: F401 - a fixture
from tests.unit.mailer.test_send_many_drill import Street
from tests.unit.smtp.test_conveyor import OFFERS, Model, Whim

if TYPE_CHECKING:
    from mailwright.steps import Plan

MOST = 10  # recipients of a transaction
WORDS = ["452 4.5.3 too many", "452 too many", "552 too many", "552 5.5.3 too many"]


class Narrow(Model):
    """Takes ten recipients at a time. Says `word` to each more, and to some what is in the `street`'s `refused`."""

    def __init__(self, street: Narrows) -> None:
        super().__init__(street.offers, Whim())
        self.street = street
        self.delivered = street.delivered

    async def answer(self, line: str) -> None:
        if line.startswith("RCPT"):
            address = line.partition("<")[2].partition(">")[0]
            self.street.named[address] += 1
            no = self.street.refused.get(address.partition("@")[0])
            no = no or (self.street.word if len(self.recipients) >= MOST else None)
            if no is not None:
                await self.say(no.encode())
                return
        await super().answer(line)

    async def take(self, content: bytes) -> None:
        ending = self.street.endings.get(len(self.delivered))
        if ending == "gone":
            self.street.closed = True
            raise EOFError
        if ending is not None:
            await self.say(ending.encode())
            return
        await super().take(content)


class Narrows(Street):
    """Where such servers listen: what they offer, how often each address was named, and how the content of the
    transaction of a number ends, if not well.
    """

    def __init__(self, offers: tuple[str, ...], word: str = WORDS[0]) -> None:
        super().__init__()
        self.offers, self.word = offers, word
        self.named: Counter[str] = Counter()
        self.refused: dict[str, str] = {}
        self.endings: dict[int, str] = {}
        self.closed = False

    def plan_for(self, link: Link, peer: str) -> Plan[None]:
        return self.slam() if self.closed else Narrow(self).play()

    async def slam(self) -> None:
        """Nobody is let in any more."""

    @property
    def server(self) -> Server:
        """As a client knows it."""
        return Server("127.0.0.1", self.port, "none", timeouts=Timeouts(reply=5, block=5, final=5))

    @contextmanager
    def open(self) -> Iterator[Narrows]:
        """Listen in a thread."""
        import asyncio

        ready: Future[Any] = Future()
        thread = threading.Thread(target=lambda: asyncio.run(self.listen(ready)))
        thread.start()
        end = ready.result(10)
        try:
            yield self
        finally:
            end()
            thread.join(10)


READERS = [f"r{number}@example.net" for number in range(25)]
ONE = Limits(size=1)


def many() -> Message:
    return Message("ada@example.org", READERS, "Many", "Hi!\n")


def told(receipt: Receipt) -> dict[str, str]:
    """Each recipient's fate; every one is named once."""
    fates: dict[str, str] = {outcome.recipient.spec: outcome.fate for outcome in receipt.outcomes}
    assert len(receipt.outcomes) == len(fates) == len(READERS)
    return fates


@pytest.mark.parametrize("offers", OFFERS, ids=lambda offers: "+".join(offers) or "nothing")
def test_a_limit_that_is_offered_is_kept(send_many: Door, offers: tuple[str, ...]) -> None:  # noqa: F811
    with Narrows((*offers, f"LIMITS MAILMAX=99 RCPTMAX={MOST}")).open() as street:
        receipts = send_many(street.server, [*letters(2), many(), *letters(3)], limits=ONE)
        parts = [len(recipients) for _, recipients, _ in street.delivered if len(recipients) > 1]
    assert parts == [10, 10, 5]
    assert len(receipts) == 6 and all(receipt.complete and receipt.error is None for receipt in receipts)
    assert [outcome.recipient.spec for outcome in receipts[2].outcomes] == READERS
    assert all(street.named[reader] == 1 for reader in READERS[3:]), "nobody was named in vain"


@pytest.mark.parametrize("offers", OFFERS, ids=lambda offers: "+".join(offers) or "nothing")
@pytest.mark.parametrize("word", WORDS)
def test_who_was_one_too_many_gets_it_in_the_next_transaction(offers: tuple[str, ...], word: str) -> None:
    with Narrows(offers, word).open() as street, Mailer(street.server, limits=ONE) as mailer:
        (receipt,) = mailer.send_many([many()])
        got = [one for _, recipients, _ in street.delivered for one in recipients]
    assert receipt.complete and receipt.error is None and receipt.number == 0
    assert sorted(got) == sorted(READERS) and set(told(receipt).values()) == {"accepted"}
    assert max(street.named.values()) == 2, "what it takes at a time was learnt at the first try"


def test_everybody_has_a_fate_of_his_own(send_many: Door) -> None:  # noqa: F811
    with Narrows(OFFERS[0]).open() as street:
        street.refused = {"r1": "550 5.1.1 nobody", "r9": "450 4.2.1 busy", "r19": "550 5.1.1 nobody"}
        (receipt,) = send_many(street.server, [many()], limits=ONE)
        got = Counter(one for _, recipients, _ in street.delivered for one in recipients)
    fates = told(receipt)
    assert {one.partition("@")[0]: fate for one, fate in fates.items() if fate != "accepted"} == {
        "r1": "refused", "r9": "deferred", "r19": "refused",
    }  # fmt: skip
    assert receipt.error is None and [address.local for address in receipt.remaining] == ["r9"]
    assert dict(got) == dict.fromkeys([one for one, fate in fates.items() if fate == "accepted"], 1)


@pytest.mark.parametrize("offers", OFFERS, ids=lambda offers: "+".join(offers) or "nothing")
def test_a_content_that_is_refused_under_way(offers: tuple[str, ...]) -> None:
    with Narrows((*offers, f"LIMITS RCPTMAX={MOST}")).open() as street, Mailer(street.server, limits=ONE) as mailer:
        street.endings = {1: "554 5.7.1 spam after all"}
        (receipt,) = mailer.send_many([many()])
    assert isinstance(receipt.error, ContentRefused)
    assert list(told(receipt).values()) == ["accepted"] * 10 + ["refused"] * 10 + ["not tried"] * 5


@pytest.mark.parametrize("offers", OFFERS, ids=lambda offers: "+".join(offers) or "nothing")
def test_a_server_that_leaves_under_way(offers: tuple[str, ...]) -> None:
    """Who got it, who may have got it, and who surely has not."""
    with Narrows((*offers, f"LIMITS RCPTMAX={MOST}")).open() as street, Mailer(street.server, limits=ONE) as mailer:
        street.endings = {1: "gone"}
        (receipt,) = mailer.send_many([many()])
    assert list(told(receipt).values()) == ["accepted"] * 10 + ["in doubt"] * 10 + ["not tried"] * 5
    assert receipt.error is not None and receipt.in_doubt
    assert [address.spec for address in receipt.remaining] == READERS[20:]


@pytest.mark.parametrize("offers", OFFERS, ids=lambda offers: "+".join(offers) or "nothing")
def test_a_server_that_lets_nobody_in_again(offers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """The second transaction was never begun: not one of its recipients is forgotten."""
    monkeypatch.setattr(conveying, "PAUSE", 0.001)
    receipts: list[Receipt] = []

    class Closing(Narrow):
        async def answer(self, line: str) -> None:
            if self.delivered and line.startswith("MAIL"):
                self.street.closed = True
                await self.say(b"421 4.3.2 closing")
                await self.flush()
                raise EOFError
            await super().answer(line)

    street = Narrows((*offers, f"LIMITS RCPTMAX={MOST}"))
    monkeypatch.setattr(street, "plan_for", lambda *_: street.slam() if street.closed else Closing(street).play())
    with street.open(), Mailer(street.server, limits=ONE) as mailer, pytest.raises(DeliveryError):
        receipts.extend(mailer.send_many([many()]))
    assert len(street.delivered) == 1
    assert list(told(receipts[0]).values()) == ["accepted"] * 10 + ["not tried"] * 15
