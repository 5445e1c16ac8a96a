"""The inbox as other programs see it: each sends it a message, with TLS and a login where it knows them."""

from __future__ import annotations

import asyncio
import os
import shutil
import smtplib
import ssl
import subprocess
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from mailwright import Inbox
from mailwright.inbox import Received
from mailwright.words.secret import Secret
from tests.servers import postfix

pytestmark = pytest.mark.real

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "servers"
CLIENTS = CACHE / "clients" / "root"
ADA, BOB, TEXT = "ada@example.org", "bob@example.org", "Grüße from a program.\n.\n..two dots\n"
MESSAGE = f"""\
From: {ADA}
To: {BOB}
Subject: From a program
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

{TEXT}"""


@pytest.fixture(params=["memory", "file"])
def inbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Inbox]:
    save = tmp_path / "mails.sqlite" if request.param == "file" else None
    with Inbox(("ada", "correct horse"), save=save) as made:
        yield made


def program(name: str, fetch: str = "clients") -> str:
    """Where the program is; skips the test if it is nowhere."""
    for candidate in (shutil.which(name), CLIENTS / "usr/bin" / name, CLIENTS / "usr/sbin" / name):
        if candidate and os.access(candidate, os.X_OK):
            return str(candidate)
    pytest.skip(f"{name} is not in .cache/servers; get it with: python3 tools/get_servers.py {fetch}")


def run(words: list[str], folder: Path, text: str = "", **env: str) -> None:
    library = str(CLIENTS / "usr/lib" / "x86_64-linux-gnu")
    surroundings = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "LD_LIBRARY_PATH": library,
        "PERL5LIB": f"{CLIENTS / 'usr/share/perl5'}:{CLIENTS / 'usr/lib/x86_64-linux-gnu/perl5/5.36'}",
        **env,
    }
    ran = subprocess.run(
        words, input=text, cwd=folder, env=surroundings, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran


def check(inbox: Inbox, secured: bool = True) -> Received:
    """What every client's message has to be; found in the index too."""
    received = inbox.wait(to=BOB)
    assert received.envelope.reverse_path == ADA and received.subject == "From a program"
    assert "Grüße from a program." in (received.message.text or "")
    assert ".\n..two dots" in (received.message.text or "").replace("\r\n", "\n")
    assert (received.tls is not None, received.login) == (secured, "ada")
    (row,) = inbox.store.rows("subject:program grüße from:ada to:bob")
    assert row.size == received.size == len(b"".join(inbox.store.chunks(row.id)))
    return received


def secret(inbox: Inbox) -> str:
    login = inbox.server.login
    assert login is not None and isinstance(login.password, Secret)
    return login.password.reveal()


def test_swaks(tmp_path: Path) -> None:
    """In clear, since it speaks TLS only with a Perl module that Debian does not bring along with it."""
    with Inbox(("ada", "correct horse"), tls=False) as inbox:
        words = [program("swaks"), "--server", f"127.0.0.1:{inbox.server.port}", "--from", ADA, "--to", BOB]
        words += ["--auth", "PLAIN", "--auth-user", "ada", "--auth-password", secret(inbox), "--data", "-"]
        run(words, tmp_path, MESSAGE)
        check(inbox, secured=False)


def test_msmtp(inbox: Inbox, tmp_path: Path) -> None:
    words = [program("msmtp"), "--host=127.0.0.1", f"--port={inbox.server.port}", "--tls=on", "--tls-starttls=on"]
    words += [
        f"--tls-trust-file={inbox.server.tls.ca_file}",
        "--auth=plain",
        "--user=ada",
        "--passwordeval=printf 'correct horse'",
    ]
    run([*words, f"--from={ADA}", BOB], tmp_path, MESSAGE)
    check(inbox)


def test_curl(inbox: Inbox, tmp_path: Path) -> None:
    (tmp_path / "message").write_bytes(MESSAGE.replace("\n", "\r\n").encode())
    words = [program("curl"), "--silent", "--show-error", f"smtp://127.0.0.1:{inbox.server.port}", "--ssl-reqd"]
    words += ["--cacert", str(inbox.server.tls.ca_file), "--user", f"ada:{secret(inbox)}"]
    run([*words, "--mail-from", ADA, "--mail-rcpt", BOB, "--upload-file", "message"], tmp_path)
    check(inbox)


def test_s_nail(inbox: Inbox, tmp_path: Path) -> None:
    name = shutil.which("s-nail") or program("s-nail")
    words = [name, "-:/", "-Sv15-compat", "-Ssendcharsets=utf-8", "-r", ADA, "-s", "From a program"]
    words += [
        "-S",
        f"mta=smtp://ada:correct%20horse@localhost:{inbox.server.port}",
        "-Ssmtp-use-starttls",
        "-Ssmtp-auth=plain",
    ]
    words += ["-S", f"tls-ca-file={inbox.server.tls.ca_file}", "-Stls-verify=strict"]
    run([*words, BOB], tmp_path, TEXT)
    check(inbox)


NODEMAILER = """
const nodemailer = require(process.argv[1]);
const [port, ca, from, to, text] = process.argv.slice(2);
nodemailer.createTransport({
    host: '127.0.0.1', port: Number(port), requireTLS: true, tls: { ca: require('fs').readFileSync(ca) },
    auth: { user: 'ada', pass: 'correct horse' }
}).sendMail({ from, to, subject: 'From a program', text });
"""


def test_nodemailer(inbox: Inbox, tmp_path: Path) -> None:
    found = [folder for folder in CACHE.glob("*/node_modules/nodemailer") if folder.is_dir()]
    if not found or not shutil.which("node"):
        pytest.skip("nodemailer is not in .cache/servers; get it with: python3 tools/get_servers.py npm")
    words = ["node", "-e", NODEMAILER, str(found[0]), str(inbox.server.port), str(inbox.server.tls.ca_file)]
    run([*words, ADA, BOB, TEXT], tmp_path)
    check(inbox)


def test_smtplib(inbox: Inbox) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = ADA, BOB, "From a program"
    message.set_content(TEXT)
    with smtplib.SMTP("127.0.0.1", inbox.server.port) as client:
        client.starttls(context=ssl.create_default_context(cafile=inbox.server.tls.ca_file))
        client.login("ada", secret(inbox))
        client.send_message(message)
    check(inbox)


def test_aiosmtplib(inbox: Inbox) -> None:
    aiosmtplib = pytest.importorskip("aiosmtplib", reason="aiosmtplib is not installed")
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = ADA, BOB, "From a program"
    message.set_content(TEXT)
    context = ssl.create_default_context(cafile=inbox.server.tls.ca_file)
    where = {"hostname": "127.0.0.1", "port": inbox.server.port, "start_tls": True, "tls_context": context}
    asyncio.run(aiosmtplib.send(message, username="ada", password=secret(inbox), **where))
    check(inbox)


#: Postfix as a relay: whatever it takes goes on to the inbox, over verified TLS.
RELAY = """
relayhost = [127.0.0.1]:{port}
virtual_mailbox_domains =
virtual_alias_maps =
default_transport = smtp
relay_transport = smtp
smtp_tls_security_level = verify
smtp_tls_verify_cert_match = localhost
smtp_tls_CAfile = /srv/inbox.pem
smtp_sasl_auth_enable = no
smtp_dns_support_level = disabled
"""


def test_postfix_as_a_relay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = postfix.missing()
    if lacking:
        pytest.skip(lacking)
    with Inbox() as inbox:
        monkeypatch.setattr(postfix, "MAIN", postfix.MAIN + RELAY.format(port=inbox.server.port))
        monkeypatch.setattr(postfix, "MASTER", postfix.MASTER + "smtp unix - - n - - smtp\n")
        folder = tmp_path / "postfix"
        folder.mkdir()
        shutil.copy(str(inbox.server.tls.ca_file), folder / "inbox.pem")
        (folder / "inbox.pem").chmod(0o644)
        with postfix.running(folder) as server, smtplib.SMTP(server.host, server.port) as client:
            message = MESSAGE.replace("\n", "\r\n").encode()
            assert client.sendmail(ADA, [BOB, "eve@example.org"], message, ["BODY=8BITMIME"]) == {}
            received = inbox.wait(to=BOB, timeout=30)
        assert (
            received.tls is not None and received.hello == "mail.test" and b"by mail.test (Postfix)" in received.content
        )
        assert received.message.text == TEXT.removesuffix("\n") and received.subject == "From a program"
        assert {to for one in inbox.messages for to in map(str, one.recipients)} == {BOB, "eve@example.org"}
