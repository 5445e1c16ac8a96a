"""The servers of known providers are shared with others: mailers keep within what those take, by every door."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mailwright import AsyncMailer, Inbox, Login, Mailer, Message, Server
from mailwright.errors import ConnectError, MessageError
from mailwright.mailer.preparing import GUEST_WINDOW
from mailwright.options import TLS, Limits
from mailwright.providers import catalog
from mailwright.providers.preflight import MailWarning
from tests.unit.drivers.driving import run_in

ADA, APP = "ada.lovelace@gmail.com", "qwmxzkptaabbccdd"
OFFICE = Server("smtp.office365.com", 587, login=Login("ada@firm.org", token="t"))
GMAIL = Server("smtp.gmail.com", 465, login=Login(ADA, APP))


@pytest.fixture(params=[Mailer, AsyncMailer])
def door(request: pytest.FixtureRequest) -> Any:
    """Each of the two classes."""
    return request.param


def test_what_is_known_bounds_what_is_asked_for(door: Any) -> None:
    assert door(OFFICE).limits == Limits(size=3, window=GUEST_WINDOW)
    assert door(OFFICE, limits=Limits(size=10, window=1000, messages=7)).limits == Limits(3, messages=7, window=4)
    assert door(GMAIL).limits == Limits(window=GUEST_WINDOW)
    assert door(Server("smtp.sparkpostmail.com", 587), limits=Limits(messages=10**6)).limits.messages == 100


def test_what_is_smaller_stays(door: Any) -> None:
    modest = Limits(size=1, window=1, messages=2)
    assert door(OFFICE, limits=modest).limits is modest


def test_nobody_else_is_held_back(door: Any) -> None:
    wide = Limits(size=50, window=1000, messages=10**9)
    for server in (Server("mail.firm.org"), Server("localhost"), Server("127.0.0.1", 2525)):
        assert door(server, limits=wide).limits is wide


def test_every_catalogued_server_has_a_small_window() -> None:
    for provider in catalog.everything():
        for way in provider.endpoints:
            if way.plain and not way.host.startswith("127.") and "*" not in way.host and way.host != "localhost":
                login = Login("ada", token="t")
                try:
                    limits = Mailer(Server(way.host, way.port, way.security, login)).limits
                except Exception as problem:  # the login would not do: nothing can be sent there anyway
                    assert "user" in str(problem) or "OAuth" in str(problem), problem
                    continue
                assert limits.window == GUEST_WINDOW, provider.id
                quota = provider.quota
                assert quota is None or limits.size <= (quota.concurrent_connections or limits.size)
                assert quota is None or limits.messages <= (quota.messages_per_connection or limits.messages)


def blocking(server: Server, messages: Any, **options: Any) -> Iterator[Any]:
    with Mailer(server, **options) as mailer:
        yield from mailer.send_many(messages)


def gathered(library: str) -> Callable[..., Iterator[Any]]:
    def door(server: Server, messages: Any, **options: Any) -> Iterator[Any]:
        async def main() -> list[Any]:
            async with AsyncMailer(server, **options) as mailer:
                return [receipt async for receipt in mailer.send_many(messages)]

        yield from run_in(library, main)

    return door


each_door = pytest.mark.parametrize(
    "send_many", [blocking, gathered("asyncio"), gathered("trio")], ids=["blocking", "asyncio", "trio"]
)


@pytest.fixture
def gmail(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Inbox, Server]]:
    """An inbox that answers in the place of Gmail, and our settings for it."""
    lookup = socket.getaddrinfo
    with Inbox(Login(ADA, APP), tls=True, security="tls", speaks_as="gmail") as inbox:
        port = inbox.server.port

        def there(host: Any, *given: Any, **named: Any) -> Any:
            name = host.decode() if isinstance(host, bytes) else host
            if name == "smtp.gmail.com":
                return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
            return lookup(host, *given, **named)

        monkeypatch.setattr(socket, "getaddrinfo", there)
        yield inbox, Server("smtp.gmail.com", 465, login=Login(ADA, APP), tls=TLS(ca_file=inbox.server.tls.ca_file))


def letter(number: int) -> Message:
    return Message(ADA, f"r{number}@example.net", f"Number {number}", "Hi!\n")


def test_few_are_in_flight(gmail: tuple[Inbox, Server]) -> None:
    """From the source comes only what there is room for, which tells how many are in flight."""
    inbox, server = gmail
    given = 0

    def source() -> Iterator[Message]:
        nonlocal given
        for number in range(200):
            given += 1
            yield letter(number)

    ahead = 0
    for done, receipt in enumerate(blocking(server, source(), limits=Limits(size=1, window=500))):
        assert receipt.complete
        ahead = max(ahead, given - done)
    assert len(inbox.messages) == 200
    assert ahead <= 4 * GUEST_WINDOW


@each_door
def test_what_the_provider_refuses_is_told_message_by_message(send_many: Any, gmail: tuple[Inbox, Server]) -> None:
    inbox, server = gmail
    huge = Message(ADA, "r@example.net", "Large", "Hi!\n", attachments={"big.bin": b"x" * (36 << 20)})
    receipts = list(send_many(server, [letter(0), letter(1), huge, letter(2)]))
    assert [receipt.error is None and receipt.complete for receipt in receipts] == [True, True, False, True]
    error = receipts[2].error
    assert isinstance(error, MessageError) and "at most 25 MB" in str(error)
    assert len(inbox.messages) == 3


@each_door
def test_more_recipients_than_the_provider_takes_get_it_in_several_transactions(
    send_many: Any, gmail: tuple[Inbox, Server]
) -> None:
    inbox, server = gmail
    readers = [f"r{number}@example.net" for number in range(250)]
    receipts = list(send_many(server, [letter(0), Message(ADA, readers, "Many", "Hi!\n"), letter(1)]))
    assert [receipt.number for receipt in receipts] == [0, 1, 2]
    assert all(receipt.complete and receipt.error is None for receipt in receipts)
    assert [outcome.recipient.spec for outcome in receipts[1].outcomes] == readers
    many = [received for received in inbox.messages if received.subject == "Many"]
    assert [len(received.recipients) for received in many] == [100, 100, 50]
    assert len({received.content for received in many}) == 1


def test_another_sender_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*given: Any, **named: Any) -> Any:
        raise socket.gaierror(socket.EAI_AGAIN, "no network here")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    server = Server("smtp.mail.ru", 465, login=Login("ada.lovelace@mail.ru", APP))
    with pytest.warns(MailWarning, match="takes mail only from the address that logs in"):
        with pytest.raises(ConnectError):
            list(blocking(server, [Message("bob@firm.org", "r@example.net", "Hi", "there\n")]))
