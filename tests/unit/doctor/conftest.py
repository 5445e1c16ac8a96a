"""Certificates for the servers of a check: good ones, and one of each kind that is refused."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import time

import pytest
import trustme

from mailwright.diagnose.doctor import Case
from mailwright.providers.catalog import by_host
from mailwright.smtp.receiving import Rules
from mailwright.words.address import Address
from mailwright.words.server import TLS, Login, Server, Timeouts
from tests.unit.doctor.world import World

HOST = "mail.example.org"
ADDRESS = "192.0.2.1"
ADA = "ada@example.org"
PASSWORD = "correct horse"
#: What the name system says of a domain that is in order.
RECORDS: dict[tuple[str, str], object] = {
    ("MX", "example.org"): [(10, "mx.example.org")],
    ("TXT", "example.org"): ["v=spf1 mx -all", "some-site-verification=1"],
    ("TXT", "_dmarc.example.org"): ["v=DMARC1; p=reject"],
}


@dataclass(frozen=True)
class Certificates:
    """`ca_file` is what a client trusts; each context holds a certificate by that CA, but for `unknown`."""

    ca_file: str
    good: ssl.SSLContext
    expired: ssl.SSLContext
    soon: ssl.SSLContext
    other_host: ssl.SSLContext
    unknown: ssl.SSLContext


def _context(authority: trustme.CA, *names: str, until: datetime | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    begun = until - timedelta(days=30) if until else None
    authority.issue_cert(*names, not_before=begun, not_after=until).configure_cert(context)
    return context


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Made once; the names are those of the tests' servers."""
    authority = trustme.CA()
    ca_file = tmp_path_factory.mktemp("doctor") / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    now = datetime.now(UTC)
    names = (HOST, "localhost", "127.0.0.1", "smtp.gmail.com", "smtp-mail.outlook.com", "smtp.mail.yahoo.com")
    return Certificates(
        str(ca_file),
        good=_context(authority, *names),
        expired=_context(authority, *names, until=now - timedelta(days=3)),
        soon=_context(authority, *names, until=now + timedelta(days=5, hours=1)),
        other_host=_context(authority, "other.example.net"),
        unknown=_context(trustme.CA(), *names),
    )


@dataclass(frozen=True)
class Lab:
    """Makes servers and cases out of the few things in which they differ."""

    certificates: Certificates

    def rules(self, security: str = "starttls", context: ssl.SSLContext | None = None, **others: object) -> Rules:
        """A well-behaved server, to which ada may log in."""
        tls = TLS(context=context or self.certificates.good) if security != "none" else None
        made: dict[str, object] = {"accounts": (Login(ADA, PASSWORD),), "login_required": True, **others}
        return Rules(HOST, security=security, tls=tls, **made)  # type: ignore[arg-type]

    def world(self, port: int = 587, at: object = None, **names: list[str]) -> World:
        """One host with one server, which is `at` that port; every other port is closed."""
        place = self.rules("tls" if port == 465 else "starttls") if at is None else at
        return World({(ADDRESS, port): place}, {HOST: [ADDRESS], **names}, dict(RECORDS))

    def case(
        self, port: int = 587, security: str = "", login: Login | None = None, host: str = HOST, **others: object
    ) -> Case:
        """What is to be checked; the settings trust the CA of the tests."""
        tls = others.pop("tls", TLS(ca_file=self.certificates.ca_file))
        patience = Timeouts(connect=10, reply=10, block=10, quit=5)
        server = Server(host, port, security, login, tls, patience)  # type: ignore[arg-type]
        sender = Address(ADA)
        made: dict[str, object] = {"sender": sender, "provider": by_host(host), "now": time(), **others}
        return Case(ADA, server, **made)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def lab(certificates: Certificates) -> Lab:
    """Where the servers of a check are made."""
    return Lab(certificates)
