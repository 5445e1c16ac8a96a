"""Postfix, with a Dovecot of its own that checks its logins.

What tests may rely on beyond the common ground: STARTTLS and a port with TLS first, both with all of
Dovecot's mechanisms; SMTPUTF8, CHUNKING, DSN, PIPELINING. Nothing in a message is rewritten and no field is
dropped, not even Bcc. Reports that a sender asks for (NOTIFY=SUCCESS) arrive in the same mailbox.
Whether a bare LF is taken for a line end is Postfix's default: the version of Debian 12 does so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import (
    DEFERRED,
    HOST,
    PASSWORD,
    REJECTED,
    USER,
    RealServer,
    certificates,
    dovecot,
    maildir,
    private_system,
)
from tests.servers.process import free_ports

FEATURES = frozenset(
    {
        "8BITMIME",
        "AUTH",
        "CHUNKING",
        "DSN",
        "ENHANCEDSTATUSCODES",
        "ETRN",
        "PIPELINING",
        "SIZE",
        "SMTPUTF8",
        "VRFY",
    }
)

MAIN = """
compatibility_level = 3.6
queue_directory = /srv/queue
data_directory = /srv/data
maillog_file = /srv/postfix.log
maillog_file_prefixes = /srv
myhostname = mail.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mail_owner = postfix
setgid_group = postdrop
alias_maps =
enable_long_queue_ids = yes

# Everything goes into one maildir, once; nothing leaves.
virtual_mailbox_domains = static:all
virtual_alias_domains =
enable_original_recipient = no
virtual_alias_maps = static:box@mail.test
virtual_mailbox_maps = static:box/
virtual_mailbox_base = /srv
virtual_uid_maps = static:{box}
virtual_gid_maps = static:{box}
default_transport = error:this server sends nothing anywhere
relay_transport = error:this server sends nothing anywhere
disable_dns_lookups = yes
smtpd_peername_lookup = no

# What is stored is what was sent.
local_header_rewrite_clients =
message_drop_headers =

smtputf8_enable = yes
smtpd_error_sleep_time = 0
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_recipient_access regexp:/etc/postfix/recipients, permit
smtpd_tls_security_level = may
smtpd_tls_chain_files = /srv/chain.pem
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_sasl_security_options = noanonymous
"""

# service type private unpriv chroot wakeup maxproc command
MASTER = """
127.0.0.1:{port}     inet  n  -  n  -     -  smtpd
127.0.0.1:{tls_port} inet  n  -  n  -     -  smtpd -o smtpd_tls_wrappermode=yes
postlog    unix-dgram  n  -  n  -     1  postlogd
cleanup    unix        n  -  n  -     0  cleanup
qmgr       unix        n  -  n  300   1  qmgr
tlsmgr     unix        -  -  n  1000? 1  tlsmgr
rewrite    unix        -  -  n  -     -  trivial-rewrite
bounce     unix        -  -  n  -     0  bounce
defer      unix        -  -  n  -     0  bounce
trace      unix        -  -  n  -     0  bounce
verify     unix        -  -  n  -     1  verify
flush      unix        n  -  n  1000? 0  flush
proxymap   unix        -  -  n  -     -  proxymap
proxywrite unix        -  -  n  -     1  proxymap
showq      unix        n  -  n  -     -  showq
error      unix        -  -  n  -     -  error
retry      unix        -  -  n  -     -  error
discard    unix        -  -  n  -     -  discard
virtual    unix        -  n  n  -     -  virtual
anvil      unix        -  -  n  -     1  anvil
"""

RECIPIENTS = f"""
/^{REJECTED}/ 550 5.1.1 there is no such mailbox
/^{DEFERRED}/ 450 4.2.1 the mailbox is busy, try later
"""

# Postfix must find Dovecot's socket at its first look, or its server for SMTP gives up.
SCRIPT = """
dovecot -F &
until [ -S /srv/queue/private/auth ]; do sleep 0.02; done
/usr/lib/postfix/sbin/master -d &
"""

# Where the queue's folders belong to the user of Postfix, except those that others write into.
QUEUE = {
    **dict.fromkeys(("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming"), 0o700),
    **dict.fromkeys(("private", "saved", "trace"), 0o700),
    "public": 0o710,
    "maildrop": 0o730,
}

QUEUE_ID = re.compile(rb"\(Postfix\)\s+(?:with \S+\s+)?id (\w+)")


def missing() -> str | None:
    return dovecot.missing("postfix")


@contextmanager
def running(folder: Path) -> Iterator[RealServer]:
    port, tls_port = free_ports(2)
    certificate = certificates.issue(folder)
    _lay_out(folder, port, tls_port)
    dovecot.configure_logins(folder, "/srv/queue/private/auth")
    with private_system.running(folder, ("postfix", "dovecot"), SCRIPT, [port]):
        yield RealServer(
            name="postfix",
            host=HOST,
            port=port,
            tls_port=tls_port,
            security="starttls",
            stored=lambda: _stored(folder),
            features=FEATURES,
            mechanisms=frozenset(dovecot.MECHANISMS),
            ca_file=certificate.ca_file,
            user=USER,
            password=PASSWORD,
        )


def _lay_out(folder: Path, port: int, tls_port: int) -> None:
    box = private_system.ACCOUNTS["box"]
    private_system.configure(folder, "/etc/postfix/main.cf", MAIN.format(box=box))
    private_system.configure(folder, "/etc/postfix/master.cf", MASTER.format(port=port, tls_port=tls_port))
    private_system.configure(folder, "/etc/postfix/recipients", RECIPIENTS)
    private_system.owned(folder, "queue", "root", 0o755)
    private_system.owned(folder, "queue/pid", "root", 0o755)
    for name, mode in QUEUE.items():
        private_system.owned(folder, f"queue/{name}", "postfix", mode)
    private_system.owned(folder, "data", "postfix")
    private_system.owned(folder, "box", "box")


def _stored(folder: Path) -> list[bytes]:
    """A long queue id begins with the time to the microsecond, in digits that sort as ASCII does."""
    return [message for _, message in sorted(maildir.read_by_identity(folder / "box", QUEUE_ID).items())]
