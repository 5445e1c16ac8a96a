"""The town, and a provider in it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from mailwright import Inbox, Login
from mailwright.inbox import Rules
from mailwright.options import TLS
from tests.unit.rehearsals.town import Town

GMAIL = "smtp.gmail.com"
ADA, GRACE = "ada@gmail.com", "grace@example.net"
USUAL = "the cat sat on the mat"  # the password of the account
APP = "qzkwvutjxmrbplsd"  # one that Google made up


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town(tmp_path)
    try:
        yield made
    finally:
        made.close()


@dataclass
class Gmail:
    """Google's server in the town: port 587 and port 465. What was sent through either is in `arrived`."""

    town: Town
    submission: Inbox
    submissions: Inbox

    @property
    def arrived(self) -> list[tuple[str, tuple[str, ...]]]:
        """Sender and recipients of each message."""
        found = [*self.submission.messages, *self.submissions.messages]
        return [(one.envelope.reverse_path, tuple(r.spec for r in one.envelope.recipients)) for one in found]

    @property
    def delivered(self) -> bool:
        """Whether the one message is there."""
        return self.arrived == [(ADA, (GRACE,))]


@pytest.fixture
def gmail(town: Town) -> Gmail:
    """The provider, as it is: 587 with STARTTLS and 465 with TLS; nothing on 25."""
    submission = town.enter(Inbox(login=(ADA, APP), speaks_as="gmail"))
    submissions = town.enter(Inbox(login=(ADA, APP), speaks_as="gmail", security="tls"))
    town.build(GMAIL, 587, submission.server.port)
    town.build(GMAIL, 465, submissions.server.port)
    town.trust(submission.server.tls.ca_file, submissions.server.tls.ca_file)
    return Gmail(town, submission, submissions)


@dataclass
class OwnServer:
    """A server of one's own, ``smtp.example.org``, with whatever certificate it has been given."""

    town: Town
    authority: trustme.CA

    def start(self, *names: str, expired: bool = False) -> Inbox:
        """Run it with a certificate for these names."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        until = datetime.now(UTC) - timedelta(days=2) if expired else None
        begun = until - timedelta(days=90) if until else None
        self.authority.issue_cert(*names, not_before=begun, not_after=until).configure_cert(context)
        rules = Rules("smtp.example.org", security="starttls", tls=TLS(context=context))
        inbox: Inbox = self.town.enter(Inbox(Login("ada@example.org", USUAL), False, rules=rules))
        for host in ("smtp.example.org", "mail.example.org"):
            self.town.build(host, 587, inbox.server.port)
        return inbox


@pytest.fixture
def own_server(town: Town) -> OwnServer:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(town.folder / "own.pem"))
    town.trust(str(town.folder / "own.pem"))
    return OwnServer(town, authority)
