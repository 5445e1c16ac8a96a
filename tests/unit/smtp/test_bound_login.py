"""SCRAM-SHA-256-PLUS against another implementation (scramp), bound to real TLS connections."""

from __future__ import annotations

import ssl
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest
import scramp

from mailwright.drivers import memory
from mailwright.sasl.channel_binding import ChannelBinding
from mailwright.sasl.scram import ScramSHA1Plus, ScramSHA256Plus
from mailwright.smtp.opening import open_session
from mailwright.steps import BindChannel, Read, StartTLS, Write
from mailwright.words.errors import LoginError
from mailwright.words.secret import Secret
from mailwright.words.server import TLS, Login, Server
from tests.dialogue import Answer, Bound, C, HangUp, S, Script, Secure, hello, play
from tests.unit.smtp import secured

each_stage = pytest.mark.parametrize("stage", ["memory", "sevens", "sync", "aio", "trio"])
PASSWORD = "sésame, and more"
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
UNIQUE, END_POINT = "tls-unique", "tls-server-end-point"


class Scramp:
    """The other implementation's side of one login. `binding` is what it believes of the connection; a certificate in
    PEM form it hashes itself.
    """

    def __init__(self, mechanism: str, kind: str, binding: bytes | str = b"", password: str = PASSWORD) -> None:
        self.mechanism, self.kind, self.binding, self.password = mechanism, kind, binding, password
        self._server: Any = None

    def bind(self, data: bytes) -> None:
        """Learn the binding from the connection."""
        self.binding = data

    def first(self, message: str) -> str:
        """The server's first message for the client's."""
        known = scramp.ScramMechanism(self.mechanism)
        account = known.make_auth_info(self.password)
        self._server = known.make_server(lambda name: account, channel_binding=(self.kind, self.binding))
        self._server.set_client_first(message)
        return str(self._server.get_server_first())

    def final(self, message: str) -> str:
        """The server's final message for the client's: ``v=`` and its signature, or ``e=`` and a reason."""
        try:
            self._server.set_client_final(message)
        except scramp.ScramException as problem:
            assert problem.server_error, problem
        return str(self._server.get_server_final())

    def turns(self, *, ending: tuple[Any, ...]) -> list[Any]:
        """The login as turns of a dialogue."""
        return [
            Answer(lambda line: self._challenge(self.first, line.removeprefix(f"AUTH {self.mechanism} "))),
            Answer(lambda line: self._challenge(self.final, line)),
            *ending,
        ]

    def _challenge(self, step: Any, line: str) -> str:
        return "334 " + b64encode(step(b64decode(line).decode()).encode()).decode()


LET_IN = (C(""), S("235 2.7.0 welcome"))
REFUSED = (C(""), S("535 5.7.8 no"), HangUp())


def offered(folder: Path, version: ssl.TLSVersion, *mechanisms: str) -> list[Any]:
    """All up to the login, over TLS of that version."""
    return [Secure(secured.context(folder, version, version)), *hello(f"AUTH {' '.join(mechanisms)}")]


def server(folder: Path, mechanism: str | None = None) -> Server:
    """Our settings."""
    return secured.server(folder, "tls", Login("ada", PASSWORD, mechanism=mechanism))


def certificate(folder: Path) -> str:
    """The server's certificate."""
    return (folder / "certificate.pem").read_text("ascii")


@each_stage
def test_tls_1_2_is_bound_by_its_finished_message_unasked(folder: Path, stage: str) -> None:
    other = Scramp("SCRAM-SHA-256-PLUS", UNIQUE)
    turns = [*offered(folder, V12, "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"), Bound(UNIQUE, other.bind)]
    played = play([*turns, *other.turns(ending=LET_IN)], open_session, stage, server(folder))
    assert played.result is None and played.session.login == "ada"
    assert "AUTH SCRAM-SHA-256-PLUS" in str(played.session.transcript)


@each_stage
def test_tls_1_3_is_bound_by_the_certificate_where_it_is_asked_for(folder: Path, stage: str) -> None:
    other = Scramp("SCRAM-SHA-256-PLUS", END_POINT, certificate(folder))
    turns = [*offered(folder, V13, "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"), *other.turns(ending=LET_IN)]
    played = play(turns, open_session, stage, server(folder, "SCRAM-SHA-256-PLUS"))
    assert played.result is None and played.session.login == "ada"


@pytest.mark.parametrize(
    ("version", "kind", "binding"),
    [(V12, UNIQUE, b"the finished message of another connection"), (V13, END_POINT, b"another certificate's hash")],
)
def test_who_sits_in_between_is_noticed(folder: Path, version: ssl.TLSVersion, kind: str, binding: bytes) -> None:
    """Somebody whose certificate we trust passes the login on: the real server sees another connection than we do."""
    other = Scramp("SCRAM-SHA-256-PLUS", kind, binding)
    taken_back = (C("*"), S("501 5.7.0 cancelled"), HangUp())
    turns = [*offered(folder, version, "SCRAM-SHA-256-PLUS"), *other.turns(ending=taken_back)]
    error = play(turns, open_session, "memory", server(folder, "SCRAM-SHA-256-PLUS")).error
    assert isinstance(error, LoginError) and "channel-bindings-dont-match" in str(error)
    assert "something in between" in str(error)


def test_a_wrong_password_is_refused_as_such(folder: Path) -> None:
    other = Scramp("SCRAM-SHA-256-PLUS", END_POINT, certificate(folder), "another")
    turns = [*offered(folder, V13, "SCRAM-SHA-256-PLUS"), *other.turns(ending=REFUSED)]
    error = play(turns, open_session, "memory", server(folder, "SCRAM-SHA-256-PLUS")).error
    assert isinstance(error, LoginError) and error.reply is not None and error.reply.code == 535
    assert "in between" not in str(error)


@pytest.mark.parametrize("mechanism", [ScramSHA1Plus, ScramSHA256Plus])
@pytest.mark.parametrize(("version", "kind"), [(V12, UNIQUE), (V12, END_POINT), (V13, END_POINT)])
def test_every_binding_on_every_tls(folder: Path, mechanism: Any, version: ssl.TLSVersion, kind: str) -> None:
    """The mechanism itself, with the binding that the driver gives for the connection it runs over."""
    other = Scramp(mechanism.name, kind, certificate(folder))

    async def client() -> None:
        await StartTLS(TLS(ca_file=str(folder / "ca.pem")), "127.0.0.1", 10)
        data = await BindChannel(kind)
        assert data
        ours = mechanism("ada", Secret(PASSWORD), nonce="clientnonce", channel_binding=ChannelBinding(kind, data))
        await Write(ours.initial() + b"\r\n", 10)
        await Write(ours.respond(await line()) + b"\r\n", 10)
        assert ours.respond(await line()) == b""
        ours.finish()

    arrived = bytearray()

    async def line() -> bytes:
        while b"\r\n" not in arrived:
            arrived.extend(await Read(10))
        end = arrived.index(b"\r\n")
        found = bytes(arrived[:end])
        del arrived[: end + 2]
        return found

    learn = [Bound(kind, other.bind)] if kind == UNIQUE else []
    script = Script(
        [Secure(secured.context(folder, version, version)), *learn, Answer(other.first), Answer(other.final)]
    )
    clock = memory.Time()
    near, far = memory.pair(clock)
    assert memory.converse((client(), near), (script.play(), far), time=clock) == [None, None]


@pytest.mark.parametrize("version", [V12, V13])
def test_a_kind_that_can_not_be_had_is_none(folder: Path, version: ssl.TLSVersion) -> None:
    async def client() -> list[bytes | None]:
        await StartTLS(TLS(ca_file=str(folder / "ca.pem")), "127.0.0.1", 10)
        found = [await BindChannel(UNIQUE), await BindChannel("tls-exporter")]
        assert await Read(10) == b""  # the handshake's last octets leave with the first step that talks or listens
        return found

    script = Script([Secure(secured.context(folder, version, version))])
    clock = memory.Time()
    near, far = memory.pair(clock)
    (unique, exporter), _ = memory.converse((client(), near), (script.play(), far), time=clock)
    assert exporter is None
    assert (unique is None) == (version == V13)
