"""The doctor at real servers: what is in order is found in order, what is not is named, and no mail is sent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import trio

from mailwright import Login, Server
from mailwright.checking import doctor, doctor_async
from mailwright.cli.exit_codes import NOPERM, PROTOCOL, code_for
from mailwright.diagnose.checkup import Checkup, Line
from mailwright.options import TLS
from mailwright.words.value import replace
from tests.servers import RealServer
from tests.servers.fixtures import real_servers

pytestmark = pytest.mark.real

SENDER = "ada@mail.test"


@pytest.fixture(params=real_servers())
def server(request: pytest.FixtureRequest) -> RealServer:
    """Each real server in turn."""
    found: RealServer = request.getfixturevalue(request.param)
    return found


def reach(real: RealServer, **changes: Any) -> Server:
    """Our settings for that server: encrypted and logged in as far as it can."""
    login = Login(real.user, real.password) if real.user and real.security != "none" else None
    tls = TLS(ca_file=str(real.ca_file)) if real.ca_file else TLS()
    settings: dict[str, Any] = {"login": login, "tls": tls} | changes
    return Server(real.host, settings.pop("port", real.port), settings.pop("security", real.security), **settings)


def check(server: Server, sender: str = SENDER, door: str = "blocking") -> Checkup:
    """The check of that one port."""
    options: dict[str, Any] = {"server": server, "ports": (server.port,), "papers": False, "timeout": 10.0}
    if door == "blocking":
        return doctor(sender, **options)

    async def task() -> Checkup:
        return await doctor_async(sender, **options)

    return asyncio.run(task()) if door == "asyncio" else trio.run(task)


def line(checkup: Checkup, stage: str, what: str) -> Line:
    """One line of the report."""
    lines = next(one.lines for one in checkup.stages if one.name == stage)
    return next(one for one in lines if one.what == what)


@pytest.mark.parametrize("door", ["blocking", "asyncio", "trio"])
def test_all_in_order(server: RealServer, door: str) -> None:
    before = len(server.mailbox())
    checkup = check(reach(server), door=door)
    assert checkup.ok, str(checkup)
    verdicts = {stage.name: stage.worst for stage in checkup.stages}
    assert verdicts["street"] == verdicts["door"] == verdicts["lock"] == verdicts["desk"] == "ok", str(checkup)
    assert line(checkup, "desk", "recipient").verdict == "ok"
    if server.security != "none":
        assert "TLSv1.3" in line(checkup, "hallway", f"port {server.port}").said
        if server.user:
            assert verdicts["ID"] == "ok", str(checkup)
    assert len(server.mailbox()) == before


def test_tls_from_the_first_byte(server: RealServer) -> None:
    if server.tls_port is None:
        assert server.name not in ("postfix", "exim")
        return
    checkup = check(reach(server, port=server.tls_port, security="tls"))
    assert checkup.ok, str(checkup)
    assert line(checkup, "ID", "login").verdict == "ok"


def test_a_wrong_password(server: RealServer) -> None:
    if not server.user or server.security == "none":
        assert server.name == "opensmtpd"
        return
    checkup = check(reach(server, login=Login(server.user, "wrong")))
    found = line(checkup, "ID", "login")
    assert found.verdict == "failed" and "535" in found.said and found.fix
    assert checkup.error is not None and code_for(checkup.error) == NOPERM


def test_recipients_that_are_refused_or_put_off(server: RealServer) -> None:
    for sender, verdict, code in (("reject@mail.test", "failed", "550"), ("later@mail.test", "warning", "450")):
        found = line(check(reach(server), sender), "desk", "recipient")
        assert found.verdict == verdict and code in found.said, found


def test_a_certificate_that_nobody_vouches_for(server: RealServer) -> None:
    if server.security == "none":
        assert server.name == "opensmtpd"
        return
    checkup = check(reach(server, tls=TLS()))
    found = line(checkup, "hallway", f"port {server.port}")
    assert found.verdict == "failed" and "not from a CA" in found.said
    assert line(checkup, "ID", "login").verdict == "not checked"
    assert checkup.error is not None and code_for(checkup.error) == PROTOCOL


def test_the_wrong_security_for_the_port(server: RealServer) -> None:
    if server.security == "none":
        assert server.name == "opensmtpd"
        return
    checkup = check(reach(server, security="tls"))
    found = line(checkup, "hallway", f"port {server.port}")
    assert found.verdict == "failed" and found.kind == "port-speaks-starttls", str(checkup)
    assert line(checkup, "lock", "logins").verdict == "ok"


def test_the_wrong_name(server: RealServer) -> None:
    if server.security == "none":
        assert server.name == "opensmtpd"
        return
    settings = reach(server)
    checkup = check(replace(settings, tls=replace(settings.tls, name="smtp.example.org")))
    found = line(checkup, "hallway", f"port {server.port}")
    assert found.verdict == "failed" and "not for smtp.example.org" in found.said
