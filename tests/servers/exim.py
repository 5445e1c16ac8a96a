"""Exim: a second full server, with ideas of its own about pipelining and chunking.

What tests may rely on beyond the common ground: STARTTLS and a port with TLS first, both with PLAIN, LOGIN
and CRAM-MD5; SMTPUTF8, CHUNKING, DSN, PIPELINING. It hangs up on a client that speaks before its turn.
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
    maildir,
    private_system,
)
from tests.servers.process import free_ports

MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5")
FEATURES = frozenset({"8BITMIME", "AUTH", "CHUNKING", "DSN", "HELP", "PIPELINING", "SIZE", "SMTPUTF8"})

SETTINGS = """
primary_hostname = mail.test
qualify_domain = mail.test
spool_directory = /srv/spool
log_file_path = /srv/log/%s.log
pid_file_path = /run/exim.pid
keep_environment =
disable_ipv6
local_interfaces = {host}
daemon_smtp_ports = {port} : {tls_port}
tls_on_connect_ports = {tls_port}
tls_advertise_hosts = *
tls_certificate = /srv/certificate.pem
tls_privatekey = /srv/key.pem
auth_advertise_hosts = ${{if def:tls_in_cipher {{*}}}}
chunking_advertise_hosts = *
dsn_advertise_hosts = *
smtputf8_advertise_hosts = *
# By default the eleventh message of a connection and those after it wait for the next run of the queue.
smtp_accept_queue_per_connection = 0
smtp_accept_max = 100
acl_smtp_rcpt = recipient

begin acl
recipient:
  deny
    local_parts = ^(?i){rejected}
    message = 550 5.1.1 there is no such mailbox
  defer
    local_parts = ^(?i){deferred}
    message = 450 4.2.1 the mailbox is busy, try later
  accept

begin routers
# Everything goes into one maildir, once; nothing leaves.
collect:
  driver = redirect
  local_parts = ! box
  data = box@mail.test
deliver:
  driver = accept
  transport = box

begin transports
box:
  driver = appendfile
  directory = /srv/box
  maildir_format
  return_path_add
  user = box
  group = box

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{ {{eq{{$auth2}}{{{user}}}}} {{eq{{$auth3}}{{{password}}}}} }}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if and{{ {{eq{{$auth1}}{{{user}}}}} {{eq{{$auth2}}{{{password}}}}} }}}}
  server_set_id = $auth1
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${{if eq{{$auth1}}{{{user}}}{{{password}}}fail}}
  server_set_id = $auth1
"""

# How the log tells of a message that arrived, and how the message itself tells which one it is.
ARRIVED = re.compile(rb" (\w+-\w+-\w+) <= ")
MESSAGE_ID = re.compile(rb"^\tid (\w+-\w+-\w+)", re.MULTILINE)


def missing() -> str | None:
    return private_system.missing("exim")


@contextmanager
def running(folder: Path) -> Iterator[RealServer]:
    port, tls_port = free_ports(2)
    certificate = certificates.issue(folder)
    certificate.key_file.chmod(0o644)  # Exim reads it after it has given up being root
    settings = SETTINGS.format(
        host=HOST,
        port=port,
        tls_port=tls_port,
        user=USER,
        password=PASSWORD,
        rejected=REJECTED,
        deferred=DEFERRED,
    )
    private_system.configure(folder, "/etc/exim4/exim4.conf", settings)
    private_system.owned(folder, "spool", "Debian-exim")
    private_system.owned(folder, "log", "Debian-exim")
    private_system.owned(folder, "box", "box")
    with private_system.running(folder, ("exim",), "exim4 -bdf &", [port]):
        yield RealServer(
            name="exim",
            host=HOST,
            port=port,
            tls_port=tls_port,
            security="starttls",
            stored=lambda: _stored(folder),
            features=FEATURES,
            mechanisms=frozenset(MECHANISMS),
            ca_file=certificate.ca_file,
            user=USER,
            password=PASSWORD,
        )


def _stored(folder: Path) -> list[bytes]:
    copies = maildir.read_by_identity(folder / "box", MESSAGE_ID)
    log = folder / "log" / "main.log"  # Exim makes it with its first line
    arrived = ARRIVED.findall(log.read_bytes()) if log.exists() else []
    return [copies[message_id] for message_id in arrived if message_id in copies]
