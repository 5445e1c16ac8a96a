"""A handshake that is worked out before it is its turn: nothing of it is said early, and nothing stale is said at all."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from mailwright.drivers import memory
from mailwright.drivers.tickets import Tickets
from mailwright.errors import ConfigError
from mailwright.options import TLS
from mailwright.steps import Ask, Close, PrepareTLS, Read, Sleep, StartTLS, Write


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(made / "ca.pem"))
    issued = authority.issue_cert("mx.example.org", "mail.example.org")
    issued.private_key_and_cert_chain_pem.write_to_path(str(made / "server.pem"))
    return made


class Other:
    """The server's side. `early` is what came before it was ready for a handshake, `asked` the names that it was asked
    for.
    """

    def __init__(self, folder: Path) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / "server.pem")
        self.context.sni_callback = lambda talk, name, _: self.asked.append(name)
        self.early = b""
        self.asked: list[str | None] = []

    async def play(self) -> None:
        """Wait for what comes too early, shake hands, and say hello."""
        try:
            self.early = await Read(5)
        except TimeoutError:
            pass
        await Write(b"220 go\r\n", 10)
        await StartTLS(TLS(context=self.context), "", 5000, server_side=True)
        await Write(b"hello", 10)


def start(folder: Path, name: str = "mx.example.org") -> StartTLS:
    return StartTLS(TLS(ca_file=str(folder / "ca.pem")), name, 10)


def meet(
    folder: Path, client: Any, segment: int = 0, tickets: Tickets | None = None, other: Other | None = None
) -> tuple[Any, Other, Any]:
    """What came of the client's plan, the other side, and the client's link."""
    time, other = memory.Time(), other or Other(folder)
    near, far = memory.pair(time, segment)
    near.secured.tickets = tickets
    result, _ = memory.converse((client, near), (other.play(), far), time=time)
    return result, other, near


async def prepared(
    planned: StartTLS, actual: StartTLS, between: Any = lambda: None, seconds: float = 0.0, whiles: int = 2
) -> Any:
    """A handshake that was prepared, for so many whiles; gives its facts and what was said behind it."""
    for _ in range(whiles):
        await PrepareTLS(planned)
    heard = b""
    while not heard.endswith(b"\r\n"):
        heard += await Read(10)
    between()
    await Sleep(seconds)
    facts = await StartTLS(actual.tls, actual.host, actual.timeout)
    return facts, await Read(10)


@pytest.mark.parametrize("whiles", [1, 2, 3])
@pytest.mark.parametrize("segment", [0, 1, 100])
def test_nothing_is_said_before_its_turn(folder: Path, segment: int, whiles: int) -> None:
    (facts, heard), other, _ = meet(folder, prepared(start(folder), start(folder), whiles=whiles), segment)
    assert facts.verified and heard == b"hello"
    assert other.early == b"" and other.asked == ["mx.example.org"]


@pytest.mark.parametrize("segment", [0, 100])
@pytest.mark.parametrize("whiles", [0, 2])
def test_once_the_first_words_have_left_there_is_time_for_something_else(
    folder: Path, segment: int, whiles: int
) -> None:
    order: list[str] = []

    async def client() -> Any:
        planned = start(folder)
        for _ in range(whiles):
            await PrepareTLS(planned)
        heard = b""
        while not heard.endswith(b"\r\n"):
            heard += await Read(10)
        order.append("begun")
        facts = await StartTLS(planned.tls, planned.host, 10, meanwhile=Ask(lambda: order.append("meanwhile")))
        order.append("done")
        return facts, await Read(10)

    (facts, heard), other, _ = meet(folder, client(), segment)
    assert facts.verified and heard == b"hello" and other.asked == ["mx.example.org"]
    assert order == ["begun", "meanwhile", "done"]


def test_what_was_prepared_for_another_name_is_not_used(folder: Path) -> None:
    (facts, _), other, _ = meet(folder, prepared(start(folder), start(folder, "mail.example.org")))
    assert facts.verified and other.asked == ["mail.example.org"]


def test_what_can_not_be_prepared_is_told_by_the_handshake(folder: Path) -> None:
    lost = StartTLS(TLS(ca_file=str(folder / "nowhere.pem")), "mx.example.org", 10)
    seen = []

    async def client() -> None:
        seen.append(await PrepareTLS(lost))
        await lost

    problem, _, _ = meet(folder, client())
    assert seen == [None] and isinstance(problem, ConfigError) and "nowhere.pem" in str(problem)


def test_the_next_connection_begins_anew(folder: Path) -> None:
    async def client() -> None:
        await PrepareTLS(start(folder))
        await Close()

    _, _, link = meet(folder, client())
    assert link.secured.prepared is None


@pytest.mark.parametrize("meanwhile", ["nothing", "another connection was refused", "its hour is over"])
def test_a_ticket_that_is_not_to_be_used_any_more_is_not_shown(folder: Path, meanwhile: str) -> None:
    tickets, other = Tickets(), Other(folder)

    async def first() -> None:
        await prepared(start(folder), start(folder))
        await Close()

    meet(folder, first(), tickets=tickets, other=other)
    between = tickets.close if meanwhile.startswith("another") else lambda: None
    plan = prepared(start(folder), start(folder), between, 3601.0 if meanwhile.startswith("its") else 0.0)
    (facts, _), _, _ = meet(folder, plan, tickets=tickets, other=other)
    assert facts.verified and facts.resumed is (meanwhile == "nothing")
