"""Pytest fixtures for the servers, named like their modules. Each starts once in a run, when first asked for.

A server that cannot run here skips the test with the reason and the command that would enable it. A mailbox
is shared by all tests of a run: a test marks its own message and looks for it with `server.find(marker)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module

import pytest

from tests.servers import RealServer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer

Start = Callable[[pytest.TempPathFactory], Iterator[RealServer]]


def real_servers() -> list[str]:
    """The names of the servers that speak SMTP, each the name of a fixture.

    @pytest.mark.parametrize("name", real_servers())
    def test_it(name, request):
        server = request.getfixturevalue(name)
    """
    return ["postfix", "npm_smtp_server", "exim", "opensmtpd", "aiosmtpd_server"]


def _fixture(name: str) -> Start:
    # The module is loaded when a test asks for it, so that other tests do not pay for trustme and its like.
    @pytest.fixture(scope="session", name=name)
    def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
        module = import_module(f"tests.servers.{name}")
        reason = module.missing()
        if reason is not None:
            pytest.skip(reason)
        with module.running(tmp_path_factory.mktemp(name)) as server:
            yield server

    return start


postfix = _fixture("postfix")
npm_smtp_server = _fixture("npm_smtp_server")
exim = _fixture("exim")
opensmtpd = _fixture("opensmtpd")
aiosmtpd_server = _fixture("aiosmtpd_server")
dovecot = _fixture("dovecot")
"""LMTP, so it is not among `real_servers()`."""


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server, one for each process of the run."""
    module = import_module("tests.servers.postgres")
    reason = module.missing()
    if reason is not None:
        pytest.skip(reason)
    with module.running() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """The address of an empty database, which is removed after the test."""
    url = postgres.database()
    yield url
    postgres.drop(url)
