"""Dovecot: an LMTP server that answers for each recipient, and the one that checks logins for Postfix."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import DEFERRED, HOST, PASSWORD, REJECTED, USER, RealServer, maildir, private_system
from tests.servers.process import free_ports

MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256")
FEATURES = frozenset({"8BITMIME", "CHUNKING", "ENHANCEDSTATUSCODES", "PIPELINING"})

FULL = "full"
"""This recipient's mailbox is full: accepted at RCPT, refused with 552 after the content."""

COMMON = """
base_dir = /run/dovecot
state_dir = /srv/dovecot
log_path = /srv/dovecot.log
default_internal_user = dovecot
default_login_user = dovenull
ssl = no
"""

AUTH = """
protocols =
disable_plaintext_auth = no
auth_mechanisms = {mechanisms}
# A wrong password is meant; do not slow down the next.
auth_failure_delay = 0
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN /srv/passwords
}}
userdb {{
  driver = static
  args = uid=box gid=box home=/srv
}}
service auth {{
  unix_listener {socket} {{
    mode = 0600
    user = postfix
  }}
}}
"""

LMTP = """
protocols = lmtp
hostname = mail.test
mail_location = maildir:/srv/box
mail_plugins = quota
plugin {{
  quota = count:storage
  quota_vsizes = yes
}}
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = checkpassword
  args = /srv/lookup
}}
service lmtp {{
  inet_listener lmtp {{
    address = {host}
    port = {port}
  }}
}}
"""

# The interface that Dovecot calls checkpassword: the name on descriptor 3, 3 for "no such user", 111 for "try
# later", and what is known of a user as variables for the command in "$@".
LOOKUP = f"""#!/bin/sh
name=$(head -c 256 <&3 | tr '\\0' '\\n' | head -n 1)
case "$name" in
  {REJECTED}*) exit 3 ;;
  {DEFERRED}*) exit 111 ;;
  {FULL}@*) export userdb_quota_rule='*:bytes=1' EXTRA='userdb_uid userdb_gid userdb_quota_rule' ;;
  *) export EXTRA='userdb_uid userdb_gid' ;;
esac
export userdb_uid=box userdb_gid=box HOME=/srv AUTHORIZED=2
exec "$@"
"""


def missing(*others: str) -> str | None:
    """Why Dovecot, and with it what is in the folders `others`, cannot run here."""
    if reason := private_system.missing("dovecot", *others):
        return reason
    packages = (private_system.CACHE / "dovecot" / "packages.txt").read_text("ascii")
    if not re.search(r"^dovecot-core (?:\d+:)?2\.[0-3]\.", packages, re.MULTILINE):
        return "Dovecot 2.4 and later have other settings; run in: docker run --privileged debian:12"
    return None


def configure_logins(folder: Path, socket: str) -> None:
    """Let `dovecot -F` in this folder answer Postfix's questions at `socket`, and do nothing else."""
    private_system.owned(folder, "dovecot", "root")
    (folder / "passwords").write_text(f"{USER}:{PASSWORD}\n", "utf-8")
    settings = COMMON + AUTH.format(mechanisms=" ".join(MECHANISMS).lower(), socket=socket)
    private_system.configure(folder, "/etc/dovecot/dovecot.conf", settings)


@contextmanager
def running(folder: Path) -> Iterator[RealServer]:
    """LMTP, with three departures: `later` gets 451, `full` gets 552 after the content, and each recipient
    has a copy of its own in the mailbox, as LMTP has it."""
    (port,) = free_ports(1)
    private_system.owned(folder, "dovecot", "root")
    private_system.owned(folder, "box", "box")
    (folder / "lookup").write_text(LOOKUP, "utf-8")
    (folder / "lookup").chmod(0o755)
    private_system.configure(folder, "/etc/dovecot/dovecot.conf", COMMON + LMTP.format(host=HOST, port=port))
    with private_system.running(folder, ("dovecot",), "dovecot -F &", [port]):
        yield RealServer(
            name="dovecot",
            host=HOST,
            port=port,
            security="none",
            stored=lambda: maildir.read(folder / "box"),
            features=FEATURES,
            protocol="lmtp",
        )
