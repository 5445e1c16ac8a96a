"""The real servers do what `tests/servers` promises; the standard library's smtplib is the witness."""

from __future__ import annotations

import os
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest

from tests.servers import HOST, RealServer
from tests.servers.dovecot import FULL
from tests.servers.fixtures import real_servers

pytestmark = pytest.mark.real

REPOSITORY = Path(__file__).resolve().parents[2]

SENDER = "ada@mail.test"
ACCEPTED = "charles@analytical.test"
SECOND = "mary@somerville.test"
REJECTED = "reject-me@mail.test"
DEFERRED = "later-please@mail.test"


@pytest.fixture(params=real_servers())
def server(request: pytest.FixtureRequest) -> RealServer:
    found: RealServer = request.getfixturevalue(request.param)
    return found


def trust(server: RealServer) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=server.ca_file)


@contextmanager
def connected(server: RealServer) -> Iterator[smtplib.SMTP]:
    """A connection on which EHLO is done, after STARTTLS where the server has it."""
    kind = smtplib.LMTP if server.protocol == "lmtp" else smtplib.SMTP
    with kind(server.host, server.port) as connection:
        connection.ehlo()
        if server.security == "starttls":
            connection.starttls(context=trust(server))
            connection.ehlo()
        yield connection


def message(body: bytes = b"Hello.\r\n") -> tuple[bytes, bytes]:
    """A message that no other test has sent, and the mark by which it is found."""
    mark = uuid.uuid4().hex.encode()
    fields = [
        b"Date: Sun, 10 Dec 1815 12:00:00 +0000",
        b"From: Ada Lovelace <ada@mail.test>",
        b'To: "Babbage, Charles" <charles@analytical.test>,\r\n\tmary@somerville.test',
        b"Message-ID: <" + mark + b"@mail.test>",
        b"Subject: =?utf-8?q?Z=C3=A4hlen?=",
    ]
    return b"\r\n".join(fields) + b"\r\n\r\n" + body, mark


def test_offers_what_is_declared(server: RealServer) -> None:
    with connected(server) as connection:
        offered = {keyword.upper() for keyword in connection.esmtp_features}
        mechanisms = frozenset(connection.esmtp_features.get("auth", "").split())
    assert server.features <= offered
    assert mechanisms == server.mechanisms


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_login(server: RealServer, mechanism: str) -> None:
    if mechanism not in server.mechanisms:
        assert server.name in {"aiosmtpd_server", "opensmtpd"}
        return
    with connected(server) as connection:
        connection.esmtp_features["auth"] = mechanism
        connection.login(str(server.user), str(server.password))
        connection.sendmail(SENDER, [ACCEPTED], message()[0])
    with connected(server) as connection:
        connection.esmtp_features["auth"] = mechanism
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            connection.login(str(server.user), "Difference-1822")
    assert refused.value.smtp_code == 535


def test_no_login_without_tls(server: RealServer) -> None:
    with smtplib.SMTP(server.host, server.port) as connection:
        connection.ehlo()
        code, _ = connection.docmd("AUTH", "PLAIN AGFkYQBBbmFseXRpY2FsLTE4NDM=")
    assert 500 <= code < 600


def test_port_with_tls_first(server: RealServer) -> None:
    if server.tls_port is None:
        assert server.name == "opensmtpd"
        return
    with smtplib.SMTP_SSL("localhost", server.tls_port, context=trust(server)) as connection:
        connection.login(str(server.user), str(server.password))
        content, mark = message()
        connection.sendmail(SENDER, [ACCEPTED], content)
    assert server.find(mark).endswith(content)


def test_stores_the_octets_once_for_two_recipients(server: RealServer) -> None:
    content, mark = message(
        b".\r\n..\r\n...\r\n.leading dot\r\n\r\n trailing space \r\n\xff\xfe\x80 8 bits\r\nA\tB\r\n.\r\n"
    )
    with connected(server) as connection:
        assert connection.sendmail(SENDER, [ACCEPTED, SECOND], content) == {}
        last, last_mark = message()
        connection.sendmail(SENDER, [ACCEPTED], last)
    assert server.find(last_mark).endswith(last)
    stored = server.find(mark)
    assert stored.endswith(content)
    assert sum(mark in one for one in server.mailbox()) == 1


def test_keeps_bcc(server: RealServer) -> None:
    content, mark = message()
    content = b"Bcc: secret@mail.test\r\n" + content
    with connected(server) as connection:
        connection.sendmail(SENDER, [ACCEPTED], content)
    assert server.find(mark).endswith(content) == (server.name != "opensmtpd")


def test_refuses_one_recipient_of_three_and_puts_one_off(server: RealServer) -> None:
    content, mark = message()
    with connected(server) as connection:
        refused = connection.sendmail(SENDER, [REJECTED, ACCEPTED, DEFERRED], content)
    assert {recipient: reply[0] for recipient, reply in refused.items()} == {REJECTED: 550, DEFERRED: 450}
    assert server.find(mark).endswith(content)


def test_keeps_the_order_of_arrival(server: RealServer) -> None:
    marks = []
    with connected(server) as first, connected(server) as second:
        for number in range(16):
            content, mark = message()
            (first if number % 3 else second).sendmail(SENDER, [ACCEPTED], content)
            marks.append(mark)
    for mark in marks:
        server.find(mark)
    stored = [mark for one in server.mailbox() for mark in marks if mark in one]
    assert stored == marks


def test_takes_chunks(server: RealServer) -> None:
    if "CHUNKING" not in server.features:
        assert server.name not in {"postfix", "exim"}
        return
    content, mark = message(b".\r\n")
    with connected(server) as connection:
        connection.mail(SENDER)
        connection.rcpt(ACCEPTED)
        connection.send(b"BDAT %d\r\n" % len(content[:100]) + content[:100])
        assert connection.getreply()[0] == 250
        connection.send(b"BDAT %d LAST\r\n" % len(content[100:]) + content[100:])
        assert connection.getreply()[0] == 250
    assert server.find(mark).endswith(content)


def test_takes_addresses_in_utf8(server: RealServer) -> None:
    if "SMTPUTF8" not in server.features:
        assert server.name == "opensmtpd"
        return
    content, mark = message("Grüße\r\n".encode())
    with connected(server) as connection:
        connection.sendmail("müller@mail.test", ["jürgen@mail.test"], content, ["SMTPUTF8", "BODY=8BITMIME"])
    assert server.find(mark).endswith(content)


def test_npm_smtp_server_takes_a_token(npm_smtp_server: RealServer) -> None:
    def xoauth2(token: str | None) -> str:
        return f"user={npm_smtp_server.user}\1auth=Bearer {token}\1\1"

    with connected(npm_smtp_server) as connection:
        connection.auth("XOAUTH2", lambda challenge=None: xoauth2(npm_smtp_server.token))
    with connected(npm_smtp_server) as connection:
        answers = iter([xoauth2("stale"), ""])
        with pytest.raises(smtplib.SMTPAuthenticationError):
            connection.auth("XOAUTH2", lambda challenge=None: next(answers))
    assert next(answers, None) is None, "the explanation in answer to a stale token was not sent"


def test_postfix_delivers_a_report(postfix: RealServer) -> None:
    content, mark = message()
    with connected(postfix) as connection:
        connection.sendmail(SENDER, [ACCEPTED], content, ["RET=HDRS", f"ENVID={mark.decode()}"], ["NOTIFY=SUCCESS"])
    report = postfix.find(b"Original-Envelope-Id: " + mark)
    assert b"Action: delivered" in report or b"Action: expanded" in report


def test_dovecot_answers_for_each_recipient(dovecot: RealServer) -> None:
    content, mark = message(b".dot\r\n")
    with connected(dovecot) as connection:
        assert dovecot.features <= {keyword.upper() for keyword in connection.esmtp_features}
        connection.mail(SENDER)
        recipients = [ACCEPTED, REJECTED, f"{FULL}@mail.test", DEFERRED, SECOND]
        assert [connection.rcpt(one)[0] for one in recipients] == [250, 550, 250, 451, 250]
        assert connection.data(content)[0] == 250
        assert [connection.getreply()[0] for _ in range(2)] == [552, 250]
    copies = [one for one in dovecot.wait_for(2) if mark in one]
    assert len(copies) == 2
    assert all(copy.endswith(content) for copy in copies)


# Ending


def descendants(ancestor: int) -> set[int]:
    """The processes that `ancestor` has started, and those that they have started."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_bytes().rpartition(b")")[2].split()
        except OSError:  # it has ended in the meantime
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    found = {ancestor}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {ancestor}


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def module_or_skip(name: str):  # type: ignore[no-untyped-def]
    module = import_module(f"tests.servers.{name}")
    if reason := module.missing():
        pytest.skip(reason)
    if not Path("/proc/self/stat").exists():
        pytest.skip("only Linux shows its processes in /proc")
    return module


@pytest.mark.parametrize("name", [*real_servers(), "dovecot"])
def test_ends_with_its_context(name: str, tmp_path: Path) -> None:
    module = module_or_skip(name)
    before = descendants(os.getpid())
    with module.running(tmp_path) as server:
        ports = [port for port in (server.port, server.tls_port) if port]
        started = descendants(os.getpid()) - before
        assert all(listens(port) for port in ports)
        assert started
    assert not any(Path("/proc", str(process)).exists() for process in started)
    assert not any(listens(port) for port in ports)


STARTS_AND_STAYS = """
import sys, time
from importlib import import_module
from pathlib import Path
with import_module(f"tests.servers.{sys.argv[1]}").running(Path(sys.argv[2])) as server:
    print(server.port, flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("name", ["postfix", "npm_smtp_server"])
def test_ends_when_the_tests_are_killed(name: str, tmp_path: Path) -> None:
    module_or_skip(name)
    command = [sys.executable, "-c", STARTS_AND_STAYS, name, str(tmp_path)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        started = descendants(process.pid)
        assert started and listens(port)
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any(Path("/proc", str(one)).exists() for one in started) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(Path("/proc", str(one)).exists() for one in started)
    assert not listens(port)


# tools/get_servers.py, from a copy whose repository is empty, so that it cannot find anything


SERVERS = [
    "postfix", "dovecot", "npm", "exim", "opensmtpd", "postgresql", "git-email", "chromium", "clients", "nodemailer",
    "spamassassin", "php",
]  # fmt: skip


def get_servers(folder: Path, programs: str) -> list[str]:
    (folder / "tools").mkdir()
    tool = shutil.copy(REPOSITORY / "tools" / "get_servers.py", folder / "tools")
    done = subprocess.run(
        [sys.executable, tool], env={"PATH": programs}, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_get_servers_says_what_is_in_the_way(tmp_path: Path) -> None:
    lines = get_servers(tmp_path, programs="")
    assert [line.partition(":")[0] for line in lines] == SERVERS
    missing = [line for line in lines if not line.endswith(": is there (installed)")]
    assert "postfix" in missing[0]
    assert all("not fetched" in line and "get_servers.py" in line for line in missing)
    assert not (tmp_path / ".cache").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="shell scripts stand in for programs")
def test_get_servers_announces_first_and_survives_failures(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    calls = tmp_path / "calls"
    for name in ("apt-get", "dpkg-deb", "node", "npm"):
        (programs / name).write_text(f'#!/bin/sh\necho {name} "$1" >> {calls}\nexit 1\n', "ascii")
        (programs / name).chmod(0o755)
    lines = get_servers(tmp_path, programs=str(programs))
    announced = [line for line in lines if ": will " in line]
    failed = [line for line in lines if ": not fetched: " in line]
    assert len(failed) == len(SERVERS) - sum(line.endswith(": is there (installed)") for line in lines)
    assert "npm: will install npm's smtp-server" in "\n".join(announced)
    first_attempt = next(index for index, line in enumerate(lines) if "is there a network" in line)
    assert lines[first_attempt:] == [line for line in failed if line in lines[first_attempt:]]
    assert "npm install" in calls.read_text("ascii")
    assert not list(tmp_path.glob(".cache/servers/*.part"))
