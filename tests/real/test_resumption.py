"""TLS sessions of real servers are resumed, and a login over a resumed one is as good as over the first."""

from __future__ import annotations

import pytest

from mailwright import Login, Mailer, Message, Server
from mailwright.drivers import sync
from mailwright.drivers.tickets import Tickets
from mailwright.options import TLS, Limits
from mailwright.smtp.opening import open_session
from mailwright.smtp.session import Session, quit_session
from tests.servers import RealServer
from tests.servers.fixtures import real_servers

pytestmark = pytest.mark.real

#: Who is known to give tickets, as it is set up here. The others may.
RESUMING = ("postfix", "aiosmtpd")


@pytest.fixture(params=[name for name in real_servers() if name != "opensmtpd"])
def server(request: pytest.FixtureRequest) -> RealServer:
    """Each real server that speaks TLS here."""
    found: RealServer = request.getfixturevalue(request.param)
    return found


def reach(real: RealServer, mechanism: str | None = None) -> Server:
    login = Login(real.user, real.password, mechanism=mechanism) if real.user else None
    return Server(real.host, real.port, real.security, login, TLS(ca_file=str(real.ca_file)), protocol=real.protocol)


def opened(server: Server, times: int) -> list[tuple[bool, bool]]:
    """So many connections, one after another: whether each was resumed, and whether it could have been."""
    tickets, found = Tickets(), []
    for _ in range(times):
        link, session = sync.Link(), Session(server)
        link.secured.tickets = tickets
        try:
            sync.run(open_session(session), link)
            layer = link.secured.layer
            assert layer is not None and session.secured is not None and session.secured.verified
            assert session.login == (server.login.user if server.login else None)
            found.append((layer.resumed, session.secured.version == "TLSv1.3"))
            sync.run(quit_session(session), link)
        finally:
            link.close()
    return found


def test_every_mechanism_over_a_resumed_connection(server: RealServer) -> None:
    offered = sorted(name for name in server.mechanisms if name not in ("EXTERNAL", "XOAUTH2", "OAUTHBEARER"))
    for mechanism in (None, *offered):
        found = opened(reach(server, mechanism), 3)
        assert found[0][0] is False
        if server.name in RESUMING:
            assert found == [(False, True), (True, True), (True, True)]


def test_messages_over_resumed_connections_arrive(server: RealServer) -> None:
    with Mailer(reach(server), limits=Limits(size=1, messages=1)) as mailer:
        receipts = [mailer.send(Message("ada@mail.test", "bob@mail.test", f"No. {n}", "Hi!\n")) for n in range(3)]
    assert all(receipt.complete and receipt.tls is not None and receipt.tls.verified for receipt in receipts)
    assert len({receipt.tls.certificate_sha256 for receipt in receipts if receipt.tls}) == 1
