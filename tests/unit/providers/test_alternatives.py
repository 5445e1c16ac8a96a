"""Another right way in: tried when the first can't be reached, and never once anything was said."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from mailwright import AsyncMailer, Inbox, Mailer, Message
from mailwright.drivers import memory
from mailwright.smtp.opening import FIRST_TRY, open_session
from mailwright.smtp.session import Session
from mailwright.steps import Connect, Peer
from mailwright.words.errors import ConfigError, ConnectError, DeliveryError, TLSError
from mailwright.words.server import Login, Server, Timeouts
from mailwright.words.value import replace
from tests.dialogue import STAGES, C, S, hello, play

MESSAGE = Message("ada@example.org", "bob@example.org", "Hi", "there")


@pytest.fixture
def closed() -> Iterator[int]:
    """A port of loopback on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


# The value


def test_every_way_is_a_server_that_knows_the_others() -> None:
    server = Server(
        "a.example", 465, "tls", alternatives=[("b.example", 587, "starttls"), ("c.example", 25, "starttls")]
    )  # type: ignore[arg-type]
    assert server.alternatives == (("b.example", 587, "starttls"), ("c.example", 25, "starttls"))
    assert [str(way) for way in server.ways] == ["a.example:465", "b.example:587", "c.example:25"]
    assert server.ways[0] == server and hash(server)
    for way in server.ways:
        assert set(way.ways) == set(server.ways) and way.ways[0] == way
    alone = Server("a.example", 465)
    assert alone.ways == (alone,)


@pytest.mark.parametrize(
    "wrong", [("", 25, "tls"), ("a b", 25, "tls"), ("a", 0.5, "tls"), ("a", 70000, "tls"), ("a", 25, "ssl")]
)
def test_an_alternative_is_checked_as_a_server(wrong: Any) -> None:
    with pytest.raises(ConfigError):
        Server("a.example", alternatives=(wrong,))


def test_no_way_may_carry_a_login_in_plain_text() -> None:
    server = Server("a.example", 465, "tls", Login("ada", "pw"), alternatives=(("a.example", 25, "none"),))
    link, _ = memory.pair(memory.Time())
    with pytest.raises(ConfigError, match=r"a\.example:25 unencrypted"):
        memory.alone(open_session(Session(server)), link)


# The plan


class Street:
    """Drives `open_session` by hand: says which connections are made, and notes what was asked for."""

    def __init__(self, **outcomes: Any) -> None:
        self.outcomes = outcomes
        self.tried: list[tuple[str, int, float]] = []

    def walk(self, session: Session) -> Any:
        """Answer each `Connect` until one succeeds; gives the step behind it, or the error."""
        plan = open_session(session)
        try:
            step = plan.send(None)
            while isinstance(step, Connect):
                self.tried.append((step.host, step.port, step.timeout))
                outcome = self.outcomes.get(
                    f"port{step.port}", ConnectError(f"No connection to {step.host}:{step.port}: silence.")
                )
                step = plan.throw(outcome) if isinstance(outcome, Exception) else plan.send(outcome)
            return step
        except DeliveryError as error:
            return error
        finally:
            plan.close()


SERVER = Server("a.example", 465, "tls", alternatives=(("a.example", 587, "starttls"), ("b.example", 2525, "starttls")))
PEER = Peer("192.0.2.1", "192.0.2.2")


def test_the_first_that_is_reached() -> None:
    street, session = Street(port587=PEER), Session(SERVER)
    street.walk(session)
    assert street.tried == [("a.example", 465, FIRST_TRY), ("a.example", 587, FIRST_TRY)]
    assert str(session.server) == "a.example:587" and session.server.security == "starttls"
    assert "No connection to a.example:465: silence. Trying a.example:587 instead" in str(session.transcript)


def test_no_other_is_tried_when_the_first_answers() -> None:
    street, session = Street(port465=PEER), Session(SERVER)
    street.walk(session)
    assert street.tried == [("a.example", 465, FIRST_TRY)] and session.server == SERVER


def test_the_last_has_all_the_time() -> None:
    street = Street()
    error = street.walk(Session(replace(SERVER, timeouts=Timeouts(connect=25.0))))
    assert [seconds for *_, seconds in street.tried] == [FIRST_TRY, FIRST_TRY, 25.0]
    assert error.what == (
        "No connection to a.example:465: silence; no connection to a.example:587: silence; "
        "no connection to b.example:2525: silence."
    )
    assert error.temporary and error.phase == "connect" and error.server == "a.example:465"
    street = Street()
    street.walk(Session(replace(SERVER, timeouts=Timeouts(connect=2.0))))
    assert [seconds for *_, seconds in street.tried] == [2.0, 2.0, 2.0]


def test_a_host_that_does_not_exist_is_not_tried_on_another_port() -> None:
    missing = ConnectError("No connection to a.example:465: there is no such host name.", temporary=False)
    street, session = Street(port465=missing, port2525=PEER), Session(SERVER)
    street.walk(session)
    assert [port for _, port, _ in street.tried] == [465, 2525]
    alone = Street(port465=missing)
    assert alone.walk(Session(replace(SERVER, alternatives=(("a.example", 587, "starttls"),)))) is missing


def test_the_next_time_begins_where_it_worked() -> None:
    street, session = Street(port587=PEER), Session(SERVER)
    street.walk(session)
    again = Street(port587=PEER)
    again.walk(session)
    assert [port for _, port, _ in again.tried] == [587]


@pytest.mark.parametrize("stage", STAGES)
def test_a_word_that_was_said_ends_the_search(stage: str) -> None:
    server = Server("127.0.0.1", 2525, "none", alternatives=(("127.0.0.1", 9, "none"),))
    played = play([S("554 5.3.0 go away")], open_session, stage, server)
    assert "go away" in str(played.error) and not isinstance(played.error, ConnectError)
    assert "instead" not in str(played.session.transcript)


def test_no_answer_to_starttls_is_no_reason_to_try_another() -> None:
    server = Server("127.0.0.1", 2525, "starttls", alternatives=(("127.0.0.1", 9, "none"),))
    played = play([*hello("SIZE"), C("RSET")][:-1], open_session, "memory", server)
    assert isinstance(played.error, TLSError)


# Over sockets


@pytest.mark.parametrize("door", ["blocking", "asyncio"])
def test_the_receipt_says_which_it_was(door: str, closed: int) -> None:
    with Inbox(login=("ada", "correct horse")) as inbox:
        place = (inbox.server.host, inbox.server.port, inbox.server.security)
        server = replace(inbox.server, port=closed, security="tls", alternatives=(place,))

        async def task() -> Any:
            async with AsyncMailer(server) as mailer:
                return await mailer.send(MESSAGE)

        if door == "asyncio":
            receipt = asyncio.run(task())
        else:
            with Mailer(server) as mailer:
                receipt = mailer.send(MESSAGE)
    assert (receipt.host, receipt.port, receipt.login) == ("127.0.0.1", place[1], "ada") and receipt.tls is not None
    assert f"Trying 127.0.0.1:{place[1]} instead" in str(receipt.transcript)


def test_a_connection_that_was_made_another_way_is_kept(closed: int) -> None:
    with Inbox(tls=False) as inbox:
        place: Any = (inbox.server.host, inbox.server.port, "none")
        with Mailer(Server("127.0.0.1", closed, "none", alternatives=(place,))) as mailer:
            transcripts = [str(mailer.send(MESSAGE).transcript) for _ in range(3)]
    assert [text.count("connecting to") for text in transcripts] == [2, 0, 0]


def test_when_none_is_reached_nothing_is_sent(closed: int) -> None:
    server = Server("127.0.0.1", closed, "none", alternatives=(("localhost", closed, "none"),))
    with (
        Mailer(server) as mailer,
        pytest.raises(ConnectError, match="refused.*; no connection to localhost:") as caught,
    ):
        mailer.send(MESSAGE)
    assert "Every right way in was tried" in caught.value.advice and caught.value.temporary
