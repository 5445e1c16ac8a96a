"""`mailwright login`, from the command line to a message that is sent with what it stored."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keyring.errors
import pytest
from keyring.backends.fail import Keyring as NoKeyring

from mailwright import Inbox, Login, send, send_async
from mailwright.mailer.tokens import InFile, InKeyring
from mailwright.smtp.receiving import Rules
from tests.unit.cli.running import PROGRAM, Command, Ran, surroundings, terminal
from tests.unit.test_house import forms
from tests.unit.tokens.authorization import CLIENT, SCOPES, SECRET, Authorization, authorization
from tests.unit.tokens.ring import Ring, installed
from tests.unit.tokens.test_source import key_file

ADA = "ada@example.org"
PASSWORD = "correct horse"
GMAIL = "ada.lovelace@gmail.com"


@pytest.fixture
def login(command: Command, home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """The command, in this process and with this home."""
    for name in ["dns", "dns.resolver", *(name for name in sys.modules if name.startswith("dns."))]:
        monkeypatch.setitem(sys.modules, name, None)  # nothing here is looked up

    def run(*words: str, stdin: str = "", **variables: str) -> Ran:
        config = str(home / "config" / "config.toml")
        return command("login", *words, stdin=stdin.encode(), MAILWRIGHT_CONFIG=config, HOME=str(home), **variables)

    return run


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    """A server that takes a password."""
    with Inbox(login=(ADA, PASSWORD), tls=False) as opened:
        yield opened


def place(inbox: Inbox) -> str:
    """The inbox as `--server` names it."""
    return f"smtp+plain://127.0.0.1:{inbox.server.port}"


def config(home: Path) -> dict[str, Any]:
    """What stands in config.toml."""
    path = home / "config" / "config.toml"
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return tomllib.loads(path.read_text())


def client_file(home: Path, server: Authorization, **more: Any) -> str:
    """The file of a client that is registered with the server."""
    path = home / "client.json"
    facts = {
        "client_id": CLIENT, "client_secret": SECRET, "auth_uri": f"{server.url}/authorize",
        "token_uri": f"{server.url}/token", "device_uri": f"{server.url}/device", "scopes": list(SCOPES),
    }  # fmt: skip
    path.write_text(json.dumps({"installed": facts | more}))
    return str(path)


def browser(home: Path, then: str = "urllib.request.urlopen(sys.argv[1], timeout=10).read()") -> str:
    """A program that is a browser: it opens a page and is led where it may."""
    script = home / "browser"
    script.write_text(f"#!{sys.executable}\nimport sys, urllib.request\n{then}\n")
    script.chmod(0o700)
    return str(script)


# Passwords


def test_a_password_is_tried_stored_and_found_again(login: Any, home: Path, inbox: Inbox, ring: Ring) -> None:
    ran = login(ADA, "--server", place(inbox), stdin=f"{PASSWORD}\n")
    assert (ran.code, ran.err) == (0, "")
    assert "Trying it at 127.0.0.1" in ran.out and f"Stored: the account {ADA}" in ran.out and "key ring" in ran.out
    assert ring.entries == {("mailwright", ADA): PASSWORD}
    assert config(home) == {"accounts": {ADA: {
        "url": f"smtp+plain://ada%40example.org@127.0.0.1:{inbox.server.port}",
        "password": {"keyring": True}, "sender": ADA,
    }}}  # fmt: skip
    assert PASSWORD not in ran.out
    send("grace@example.org", "By name", "x", account=ADA)
    send("grace@example.org", "By sender", "x", sender=ADA)
    send("grace@example.org", "By default", "x")
    assert [one.message.subject for one in inbox.messages] == ["By name", "By sender", "By default"]
    assert {one.login for one in inbox.messages} == {ADA}


def test_a_password_that_is_wrong_is_not_stored(login: Any, home: Path, inbox: Inbox, ring: Ring) -> None:
    ran = login(ADA, "--server", place(inbox), stdin="kanarienvogel\n")
    assert ran.code == 77 and "Nothing was stored." in ran.err and "no-check" not in ran.err
    for form in forms("kanarienvogel"):
        assert form not in ran.out + ran.err
    assert ring.entries == {} and not (home / "config").exists()


def test_a_server_that_is_away_can_be_stored_for_all_the_same(login: Any, home: Path, ring: Ring) -> None:
    with Inbox(tls=False) as closed:
        url = place(closed)
    ran = login(ADA, "--server", url, stdin=f"{PASSWORD}\n")
    assert ran.code == 75 and "--no-check stores it untried" in ran.err and ring.entries == {}
    ran = login(ADA, "--server", url, "--no-check", stdin=f"{PASSWORD}\n")
    assert ran.code == 0 and "Trying" not in ran.out and ring.entries == {("mailwright", ADA): PASSWORD}


def test_an_app_password_is_explained_and_cleaned(login: Any, home: Path, ring: Ring) -> None:
    ran = login(GMAIL, "--no-check", stdin="wxyz\u00a0efgh ijkl\u202fmnoq\r\n")
    assert (ran.code, ran.err) == (0, "")
    assert "Gmail takes an app password" in ran.out and "https://myaccount.google.com/apppasswords" in ran.out
    assert "1. Before: 2-Step Verification must be on" in ran.out
    assert ring.entries == {("mailwright", GMAIL): "wxyzefghijklmnoq"}
    assert config(home)["accounts"][GMAIL] == {
        "host": "smtp.gmail.com", "user": GMAIL, "password": {"keyring": True}, "sender": GMAIL,
    }  # fmt: skip


def test_a_shape_that_is_wrong_is_said(login: Any, ring: Ring) -> None:
    ran = login(GMAIL, "--no-check", stdin="my own password\n")
    assert ran.code == 0 and "does not look like an app password of Gmail: 16 lower-case letters" in ran.err
    assert "my own" not in ran.err + ran.out


@pytest.mark.parametrize(
    ("stdin", "said"),
    [("", "No password was given"), ("\n", "No password was given"), ("a\x07b\n", "control character"),
     ("YOUR_16_CHAR_APP_PASSWORD\n", "placeholder")],
)  # fmt: skip
def test_what_is_no_password(login: Any, ring: Ring, stdin: str, said: str) -> None:
    ran = login(GMAIL, stdin=stdin)
    assert ran.code == 78 and said in ran.err and ring.entries == {}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["ada@outlook.com"], 78, "takes only OAuth 2 from programs, for which you need a client of your own. Register one"),
        (["ada"], 64, "is not an address"),
        (["ada@"], 64, "is not an address"),
        (["ada@[127.0.0.1]"], 78, "Name the server itself"),
        (["ada@unknown-domain.example"], 69, "pip install 'mailwright[dns]'"),
        (["ada@tutanota.com"], 78, "lets no program send"),
        ([GMAIL, "--device"], 64, "needs a client"),
        ([GMAIL, "--app-only"], 64, "needs a client"),
        ([GMAIL, "--paste", "--device", "--client-id", "x"], 64, ""),
        ([GMAIL, "--service-account", "x", "--client-id", "y"], 64, "is a client itself"),
        ([GMAIL, "--client-id", "x", "--wait", "0"], 64, "--wait"),
        ([GMAIL, "--client-id", "x y"], 78, "client id"),
        ([GMAIL, "--client-id", "x", "--device"], 78, "gives no access to mail by a device code. Use --paste"),
        ([GMAIL, "--client-id", "x", "--app-only"], 78, "no access for programs alone"),
        (["ada@icloud.com", "--client-id", "x"], 78, "has no OAuth 2 that is known here"),
        ([ADA, "--server", "smtp+plain://127.0.0.1", "--client-id", "x"], 78, "That server has no OAuth 2"),
        ([ADA, "--server", "smtp+plain://smtp.example.org"], 78, "unencrypted"),
        (["ada@contoso.onmicrosoft.com", "--client-id", "x", "--tenant", "a/b"], 78, "is not a tenant"),
        ([GMAIL, "--client-file", "kanarienvogel"], 78, "The file of --client-file can't be read"),
        ([GMAIL, "--service-account", "kanarienvogel"], 78, "The file of --service-account can't be read"),
        ([GMAIL, "kanarienvogel"], 64, "belongs to no option"),
        ([GMAIL, "--password", "kanarienvogel"], 64, "must not stand on the command line"),
        ([GMAIL, "--headless"], 64, "Did you mean --paste?"),
        ([], 64, "ADDRESS"),
    ],
    ids=str,
)  # fmt: skip
def test_what_can_not_be(login: Any, home: Path, ring: Ring, words: list[str], code: int, said: str) -> None:
    ran = login(*words, stdin=f"{PASSWORD}\n")
    assert ran.code == code and said in ran.err, ran
    assert "kanarienvogel" not in ran.out + ran.err
    assert ring.entries == {} and not (home / "config").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not json", "With the secret alone, give the client id"),
        ("{}", "names no client"),
        ('{"installed": {"client_secret": "kanarie"}}', "names no client"),
        ('{"web": {"client_id": "x", "client_secret": "kanarie"}}', "Desktop app"),
        ('{"installed": {"client_id": "x", "token_uri": "http://kanarie.example/"}}', "no secret may go to"),
    ],
)
def test_a_client_file_that_is_none(login: Any, home: Path, ring: Ring, text: str, said: str) -> None:
    path = home / "client.json"
    path.write_text(text)
    ran = login(ADA, "--server", "smtp+plain://127.0.0.1:9", "--client-file", str(path))
    assert ran.code == 78 and said in ran.err and "kanarie" not in ran.err


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (keyring.errors.KeyringLocked("x"), "the key ring is locked"),
        (None, "has no key ring. On a machine without a desktop, keep the secret in a file (mailwright login --file)"),
    ],
)
def test_a_key_ring_that_does_not_answer_is_noticed_first(login: Any, inbox: Inbox, broken: Any, said: str) -> None:
    with installed(Ring(broken=broken) if broken else NoKeyring()):  # type: ignore[no-untyped-call]
        ran = login(GMAIL, stdin="")
    assert ran.code == 78 and said in ran.err and "app password" not in ran.out


def test_without_the_package_for_the_key_ring(login: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    ran = login(GMAIL)
    assert ran.code == 69 and "pip install 'mailwright[keyring]'" in ran.err


def test_a_file_instead_of_the_key_ring(login: Any, home: Path, inbox: Inbox) -> None:
    path = home / "keep" / "ada.password"
    with installed(NoKeyring()):  # type: ignore[no-untyped-call]
        ran = login(ADA, "--server", place(inbox), "--file", str(path), "--name", "work", stdin=f"{PASSWORD}\n")
        assert (ran.code, ran.err) == (0, "")
        assert path.read_text() == PASSWORD and stat.S_IMODE(path.stat().st_mode) == 0o600
        send("grace@example.org", "Hi", "x", account="work")
        send("grace@example.org", "Hi", "x", sender=ADA)
    assert len(inbox.messages) == 2
    # The same file once more is no trouble; one of something else is.
    assert login(ADA, "--server", place(inbox), "--file", str(path), stdin=f"{PASSWORD}\n").code == 0
    path.write_text("-----BEGIN\nkey\n-----END\n")
    ran = login(ADA, "--server", place(inbox), "--file", str(path), stdin=f"{PASSWORD}\n")
    assert ran.code == 78 and "holds something else" in ran.err and "BEGIN" in path.read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_at_a_terminal_the_password_is_not_shown(home: Path, inbox: Inbox) -> None:
    path = home / "ada.password"
    words = ["login", ADA, "--server", place(inbox), "--file", str(path)]
    with terminal() as screen:
        process = subprocess.Popen(
            [*PROGRAM, *words],
            stdin=screen.theirs, stdout=screen.theirs, stderr=screen.theirs,
            env=surroundings(home, MAILWRIGHT_CONFIG=str(home / "config.toml")), start_new_session=True,
        )  # fmt: skip
        screen.wait_for(f"Password for {ADA} (it is not shown): ")
        screen.type(f"{PASSWORD}\n")
        assert process.wait(30) == 0
        screen.wait_for("Stored")
        assert PASSWORD not in screen.text
    assert path.read_text() == PASSWORD


def unsure() -> str:
    """An address at a provider whose server is not known for sure."""
    from mailwright.providers import catalog

    return next(
        f"ada@{one.domains[0]}"
        for one in catalog.everything()
        if one.domains and one.certainty.smtp == "medium" and one.takes_password and one.ways(one.domains[0])
    )


def test_a_server_that_is_not_sure_gets_no_password_unasked(login: Any, ring: Ring, home: Path) -> None:
    ran = login(unsure(), "--no-check", stdin=f"{PASSWORD}\n")
    assert ran.code == 78 and "of medium certainty only" in ran.err and ring.entries == {}
    assert "mailwright login ada" not in ran.err  # that is what was just done
    assert not (home / "config").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("", 78)])
def test_a_person_may_vouch_for_a_server(home: Path, answer: str, code: int) -> None:
    path = home / "ada.password"
    with terminal() as screen:
        process = subprocess.Popen(
            [*PROGRAM, "login", unsure(), "--no-check", "--file", str(path)],
            stdin=screen.theirs, stdout=screen.theirs, stderr=screen.theirs,
            env=surroundings(home, MAILWRIGHT_CONFIG=str(home / "config.toml")), start_new_session=True,
        )  # fmt: skip
        screen.wait_for("your provider's server, as its own pages say? [y/N] ")
        screen.type(f"{answer}\n")
        if answer:
            screen.wait_for("(it is not shown): ")
            screen.type("kanarienvogel\n")
        assert process.wait(30) == code
        assert path.exists() is bool(answer) and "kanarienvogel" not in screen.text


# Consent


@pytest.fixture
def mailbox() -> Iterator[Inbox]:
    """A server that takes the first two access tokens of the authorisation server, and no password."""
    accounts = tuple(Login(ADA, token=f"access-{number}") for number in (1, 2))
    with Inbox(rules=Rules(accounts=accounts, login_required=True), tls=False) as opened:
        yield opened


@pytest.mark.skipif(os.name != "posix", reason="a script as the browser")
def test_consent_in_the_browser(login: Any, home: Path, server: Authorization, mailbox: Inbox, ring: Ring) -> None:
    words = [ADA, "--server", place(mailbox), "--client-file", client_file(home, server)]
    ran = login(*words, BROWSER=browser(home))
    assert (ran.code, ran.err) == (0, "")
    assert f"log in as {ADA}" in ran.out and f"{server.url}/authorize?" in ran.out and "Trying it" in ran.out
    assert config(home)["accounts"][ADA]["token"] == {"keyring": True}
    assert InKeyring(ADA).load().grant.token.reveal() == "refresh-1"  # type: ignore[union-attr]
    for secret in ("access-1", "refresh-1", "code-0", SECRET, server.asked[0]["code_verifier"]):
        assert secret not in ran.out + ran.err + (home / "config" / "config.toml").read_text()
    # What was stored is found again, and keeps itself fresh.
    send("grace@example.org", "Hi", "x", account=ADA)
    asyncio.run(send_async("grace@example.org", "Hi", "x", sender=ADA))
    assert len(mailbox.messages) == 2 and len(server.asked) == 1


@pytest.mark.skipif(os.name != "posix", reason="a script as the browser")
@pytest.mark.parametrize(
    ("consent", "code", "said"),
    [
        ("access_denied", 77, "consent was denied"),
        ("another state", 77, "another question"),
        ("server_error", 75, "later"),
    ],
)
def test_consent_that_is_not_given(
    login: Any, home: Path, mailbox: Inbox, ring: Ring, consent: str, code: int, said: str
) -> None:
    with authorization(consent=consent) as server:
        words = [ADA, "--server", place(mailbox), "--client-file", client_file(home, server)]
        # The right answer is waited for, whoever else sends one.
        patience = ["--wait", "3"] if consent == "another state" else []
        ran = login(*words, *patience, BROWSER=browser(home))
    assert ran.code == code and said in ran.err and ring.entries == {} and not (home / "config").exists()


def test_without_a_browser_the_page_is_printed(login: Any, home: Path, server: Authorization, ring: Ring) -> None:
    words = [ADA, "--server", "smtp+plain://127.0.0.1:9", "--client-file", client_file(home, server), "--wait", "0.1"]
    ran = login(*words, DISPLAY="", WAYLAND_DISPLAY="", BROWSER="")
    assert ran.code == 75 and f"{server.url}/authorize?" in ran.out
    assert "No browser was found" in ran.out and "--paste" in ran.out
    assert "did not come back within 0.1 seconds" in ran.err and "wrong client id" in ran.err


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
@pytest.mark.parametrize("right", [True, False])
def test_on_another_machine_the_address_is_pasted(
    home: Path, server: Authorization, mailbox: Inbox, right: bool
) -> None:
    path = home / "ada.token"
    words = ["login", ADA, "--server", place(mailbox), "--client-file", client_file(home, server), "--paste"]
    with terminal() as screen:
        process = subprocess.Popen(
            [*PROGRAM, *words, "--file", str(path)],
            stdin=screen.theirs, stdout=screen.theirs, stderr=screen.theirs,
            env=surroundings(home, MAILWRIGHT_CONFIG=str(home / "config.toml")),
        )  # fmt: skip
        screen.wait_for("Paste that whole address here: ")
        url = next(word for word in screen.text.split() if "/authorize?" in word)
        _, there = server.page(url.partition("?")[2])
        screen.type(f"{there}\n" if right else f"http://example.org/?{there.partition('?')[2]}\n")
        assert process.wait(30) == (0 if right else 77)
        screen.wait_for("Stored" if right else "That is not an address that begins with http://127.0.0.1:")
    assert path.exists() is right
    if right:
        assert InFile(str(path)).load().grant.token.reveal() == "refresh-1"  # type: ignore[union-attr]


def test_consent_on_another_device(login: Any, home: Path, mailbox: Inbox, ring: Ring) -> None:
    with authorization(interval=1) as server:
        words = [ADA, "--server", place(mailbox), "--client-file", client_file(home, server), "--device"]
        ran = login(*words)
    assert (ran.code, ran.err) == (0, "")
    assert f"Open {server.url}/activate on any device" in ran.out and "ABCD-EFGH" in ran.out and "10 minutes" in ran.out
    send("grace@example.org", "Hi", "x", account=ADA)
    assert len(mailbox.messages) == 1


def test_a_client_for_itself(login: Any, home: Path, server: Authorization, mailbox: Inbox, ring: Ring) -> None:
    words = [ADA, "--server", place(mailbox), "--client-file", client_file(home, server), "--app-only"]
    ran = login(*words)
    assert (ran.code, ran.err) == (0, "") and "Trying it" in ran.out
    send("grace@example.org", "Hi", "x", account=ADA)
    assert [one["grant_type"] for one in server.asked] == ["client_credentials"] and len(mailbox.messages) == 1


def test_a_robot(login: Any, home: Path, server: Authorization, mailbox: Inbox, ring: Ring) -> None:
    key = home / "robot.json"
    key.write_text(key_file(server))
    ran = login(ADA, "--server", place(mailbox), "--service-account", str(key))
    assert (ran.code, ran.err) == (0, "")
    send("grace@example.org", "Hi", "x", account=ADA)
    assert len(server.asked) == 1 and len(mailbox.messages) == 1


def test_a_token_that_the_mail_server_refuses_is_not_stored(
    login: Any, home: Path, server: Authorization, ring: Ring
) -> None:
    """Consent was given in somebody else's name, or the mailbox takes no programs."""
    with Inbox(Login(ADA, token="another"), tls=False) as elsewhere:
        words = [ADA, "--server", place(elsewhere), "--client-file", client_file(home, server), "--app-only"]
        ran = login(*words)
    assert ran.code == 77 and "Nothing was stored." in ran.err and ring.entries == {}
    assert len(server.asked) == 1  # a token that is new is not asked for again
    assert "access-1" not in ran.err + ran.out


def test_consent_that_ended_says_so_when_mail_is_sent(
    login: Any, home: Path, mailbox: Inbox, ring: Ring, command: Command
) -> None:
    with authorization(lifetime=1) as server:
        words = [
            ADA,
            "--server",
            place(mailbox),
            "--client-file",
            client_file(home, server, client_secret=""),
            "--device",
        ]
        server.interval = 1
        assert login(*words).code == 0
        server.current = "revoked"
        ran = command(
            "send", "--account", ADA, "--to", "grace@example.org", "--subject", "Hi", "--text", "x",
            MAILWRIGHT_CONFIG=str(home / "config" / "config.toml"), HOME=str(home),
        )  # fmt: skip
    assert ran.code == 77 and f"Run mailwright login {ADA} again" in ran.err and "7 days" in ran.err


# config.toml


def test_another_account_leaves_everything_else_alone(login: Any, home: Path, inbox: Inbox, ring: Ring) -> None:
    path = home / "config" / "config.toml"
    path.parent.mkdir()
    path.write_text('# mine\n[accounts.work]  # the only one, hence the default\nhost = "localhost"\nport = 1025\n')
    assert login(ADA, "--server", place(inbox), stdin=f"{PASSWORD}\n").code == 0
    text = path.read_text()
    assert "# mine\n[accounts.work]  # the only one, hence the default\n" in text
    assert config(home)["default"] == "work" and set(config(home)["accounts"]) == {"work", ADA}
    assert login(ADA, "--server", place(inbox), "--default", stdin=f"{PASSWORD}\n").out.count(", the default;") == 1
    assert config(home)["default"] == ADA and path.read_text().count("default =") == 1


def test_a_config_that_can_not_be_read_is_noticed_first(login: Any, home: Path, ring: Ring) -> None:
    path = home / "config" / "config.toml"
    path.parent.mkdir()
    for text in ("x = y", "[accounts]\nwork = 3\n"):
        path.write_text(text)
        ran = login(GMAIL)
        assert ran.code == 78 and "config.toml" in ran.err and "app password" not in ran.out
        assert path.read_text() == text


def test_what_can_not_be_is_said_before_a_key_ring_is_missed(login: Any) -> None:
    """Whoever has no key ring, and needs none, is not sent to look for one."""
    with installed(NoKeyring()):
        ran = login("ada@hotmail.com")
        assert ran.code == 78 and "takes only OAuth 2" in ran.err and "key ring" not in ran.err
        ran = login("ada@gmail.com")
        assert ran.code == 78 and "no key ring" in ran.err and "login --file" in ran.err
