"""What the tests of the face share: certificates, and an environment without anything of ours."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from mailwright.inbox.certificate import issue


class Trust(NamedTuple):
    """A server's TLS: its context, the file of its CA, and a context for clients that trusts it."""

    server: ssl.SSLContext
    ca_file: str
    client: ssl.SSLContext


@pytest.fixture(scope="session")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    """TLS for 127.0.0.1 and localhost."""
    made = issue("localhost", "127.0.0.1")
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    path.write_bytes(made.authority)
    return Trust(made.context, str(path), ssl.create_default_context(cafile=str(path)))


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    """TLS for another host, by another CA."""
    made = issue("mail.example.org", "192.0.2.1")
    path: Path = tmp_path_factory.mktemp("other") / "ca.pem"
    path.write_bytes(made.authority)
    return Trust(made.context, str(path), ssl.create_default_context(cafile=str(path)))


@pytest.fixture(autouse=True)
def nothing_is_caught(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("MAILWRIGHT_CATCH", "MAILWRIGHT_CATCH_EXCEPT", "MAILWRIGHT_URL"):
        monkeypatch.delenv(name, raising=False)
    yield
