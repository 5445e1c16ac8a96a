"""OpenSMTPD: a small, strict receiver, in clear and without logins.

In Debian 12 every TLS handshake with it fails, and it has no AUTH without TLS. What is left is worth having:
its own reading of the grammar, DSN, and neither PIPELINING nor CHUNKING nor SMTPUTF8. It drops Bcc and adds a
missing Date and Message-ID; a message without the one and with the others is stored as it was sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import DEFERRED, HOST, REJECTED, RealServer, maildir, private_system
from tests.servers.process import free_ports

FEATURES = frozenset({"8BITMIME", "DSN", "ENHANCEDSTATUSCODES", "HELP", "SIZE"})

SETTINGS = """
table boxes {{ "@" = "box" }}
table rejected {{ "^{rejected}" }}
table deferred {{ "^{deferred}" }}

filter unknown phase rcpt-to match rcpt-to regex <rejected> reject "550 5.1.1 there is no such mailbox"
filter busy phase rcpt-to match rcpt-to regex <deferred> reject "450 4.2.1 the mailbox is busy, try later"
filter conventions chain {{ unknown, busy }}

listen on {host} port {port} filter conventions hostname mail.test

action deliver maildir "/srv/box" virtual <boxes>
match from any for any action deliver
"""

# How the log tells of a message that was accepted, and how the message itself tells which one it is.
ACCEPTED = re.compile(rb" smtp message msgid=([0-9a-f]{8}) ")
MESSAGE_ID = re.compile(rb"\(OpenSMTPD\) with \w+ id ([0-9a-f]{8})")


def missing() -> str | None:
    return private_system.missing("opensmtpd")


@contextmanager
def running(folder: Path) -> Iterator[RealServer]:
    (port,) = free_ports(1)
    settings = SETTINGS.format(host=HOST, port=port, rejected=REJECTED, deferred=DEFERRED)
    private_system.configure(folder, "/etc/smtpd.conf", settings)
    private_system.configure(folder, "/etc/mailname", "mail.test\n")
    (folder / "over" / "var" / "spool" / "smtpd").mkdir(parents=True)
    private_system.owned(folder, "spool", "root", 0o711)
    private_system.owned(folder, "box", "box")
    script = "mount --bind /srv/spool /var/spool/smtpd\nsmtpd -d > /srv/smtpd.log 2>&1 &"
    with private_system.running(folder, ("opensmtpd",), script, [port]):
        yield RealServer(
            name="opensmtpd",
            host=HOST,
            port=port,
            security="none",
            stored=lambda: _stored(folder),
            features=FEATURES,
        )


def _stored(folder: Path) -> list[bytes]:
    copies = maildir.read_by_identity(folder / "box", MESSAGE_ID)
    arrived = ACCEPTED.findall((folder / "smtpd.log").read_bytes())
    return [copies[message_id] for message_id in arrived if message_id in copies]
