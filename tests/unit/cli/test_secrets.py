"""A password never stands on the command line, and none is ever printed, wherever it was given."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from mailwright import Inbox
from tests.dialogue import C, S, hello
from tests.unit.cli.running import WHO, WHOLE, Command, Ran, program, surroundings
from tests.unit.mailer.test_pool import listening
from tests.unit.test_house import CANARY, forms


def expect_no_canary(ran: Ran) -> None:
    for form in forms(CANARY):
        assert form not in ran.out + ran.err


URL = f"smtps://ada:{CANARY}@smtp.example.org"
PROXY = f"socks5://ada:{CANARY}@proxy.example.org:1080"


@pytest.mark.parametrize(
    "words",
    [
        ("send", *WHOLE, "--password", CANARY),
        ("send", *WHOLE, f"--password={CANARY}"),
        ("send", *WHOLE, "--pass", CANARY),
        ("send", *WHOLE, "--smtp-password", CANARY),
        ("send", *WHOLE, "--auth-token", CANARY),
        ("send", *WHOLE, "--api-key", CANARY),
        ("send", *WHOLE, f"-p{CANARY}"),
        ("send", *WHOLE, "-p", CANARY),
        ("send", *WHOLE, "-xp", CANARY),
        ("send", *WHOLE, "--server", URL),
        ("send", *WHOLE, f"--server={URL}"),
        ("send", *WHOLE, "--server", f"ada:{CANARY}@smtp.example.org"),
        ("send", *WHOLE, "--server", f"smtps://smtp.example.org?proxy={PROXY}"),
        ("send", *WHOLE, "--server", f"smtps://smtp.example.org?proxy={quote(PROXY, safe='')}"),
        ("send", *WHOLE, "--server", f"smtps://smtp.example.org?proxy={quote(PROXY, safe='').lower()}"),
        ("send", *WHOLE, "--url", URL),
        ("send", URL, *WHOLE),
        ("send", *WHO, "--to", URL),
        ("send", *WHOLE, f"MAILWRIGHT_URL={URL}"),
        ("send", "--help", "--password", CANARY),
        ("config", "--server", URL),
        ("config", "--password", CANARY),
        ("config", URL),
        ("inbox", "--login", "ada", "--password", CANARY),
        ("demo", "--password", CANARY),
        (URL,),
        ("--password", CANARY),
    ],
    ids=" ".join,
)
def test_a_secret_on_the_command_line_is_refused_with_the_ways_out(words: tuple[str, ...], command: Command) -> None:
    with Inbox(tls=False) as inbox:
        ran = command(*words, MAILWRIGHT_URL=inbox.url)
        assert not inbox.messages
    assert ran.code == 64 and ran.out == "" and ran.err.count("\n") == 1
    for way in ("MAILWRIGHT_URL", "SMTP_PASSWORD_FILE", "--account"):
        assert way in ran.err
    expect_no_canary(ran)


@pytest.mark.parametrize(
    "words",
    [
        ("--subject", "The password of https://example.org was changed"),
        ("--subject", "--password was given"),
        ("--text", "https://example.org:8080/@ada"),
        ("--header", "X-Link: https://example.org/a:b@c"),
        ("--to", "mailto@example.org"),
    ],
)
def test_what_only_looks_like_one_is_sent(words: tuple[str, ...], command: Command) -> None:
    with Inbox(tls=False) as inbox:
        assert command("send", *WHO, *words, MAILWRIGHT_URL=inbox.url).code == 0
        assert len(inbox.messages) == 1


@pytest.mark.parametrize(
    "words",
    [
        (CANARY,),
        ("send", CANARY),
        ("send", *WHOLE, CANARY),
        ("send", *WHOLE, f"--{CANARY}"),
        ("send", *WHOLE, f"--unknown={CANARY}"),
        ("send", *WHOLE, "--unknown", CANARY),
        ("send", *WHOLE, f"-z{CANARY}"),
        ("send", *WHOLE, f"--json={CANARY}"),
        ("send", *WHOLE, f"--s={CANARY}"),
        ("inbox", "--port", CANARY),
        ("inbox", "--login", f"ada:{CANARY}"),
        ("config", CANARY),
        ("config", f"--json={CANARY}"),
        ("demo", CANARY),
        ("help", CANARY),
    ],
    ids=" ".join,
)
def test_a_word_that_is_not_understood_is_not_repeated(words: tuple[str, ...], command: Command) -> None:
    ran = command(*words, MAILWRIGHT_URL="smtp+plain://127.0.0.1:9")
    assert ran.code == 64 and ran.err.count("\n") == 1
    expect_no_canary(ran)


@pytest.mark.parametrize("debug", ["", "1"])
@pytest.mark.parametrize(
    "variables",
    [
        {"MAILWRIGHT_URL": URL.replace("smtp.example.org", "127.0.0.1:9")},
        {"MAILWRIGHT_URL": URL.replace("://", ":/")},
        {"MAILWRIGHT_URL": URL.replace(CANARY, f"{CANARY}/#?")},
        {"MAILWRIGHT_URL": CANARY},
        {"MAILWRIGHT_URL": f"{CANARY}://host"},
        {"MAILWRIGHT_URL": f"smtp+plain://ada:{CANARY}@smtp.example.org"},
        {
            "MAILWRIGHT_URL": f"smtps://127.0.0.1:9?proxy={quote(PROXY.replace('proxy.example.org', '127.0.0.1'), safe='')}"
        },
        {"MAILWRIGHT_URL": f"smtps://127.0.0.1:9?{CANARY}=1"},
        {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": CANARY, "SMTP_USER": "ada", "SMTP_PASSWORD": CANARY},
        {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": "9", "SMTP_USER": "ada", "SMTP_PASSWORD": CANARY},
        {"SMTP_HOST": "127.0.0.1", "SMTP_PASSWORD": CANARY},
        {"SMTP_HOST": "127.0.0.1", "SMTP_USER": "ada", "SMTP_PASSWRD": CANARY},
        {"SMTP_PASSWORD": CANARY},
        {"EMAIL_HOST_PASSWORD": CANARY},
        {"SMTP_HOST": "127.0.0.1", "SENDER_EMAIL": CANARY},
    ],
    ids=lambda given: " ".join(given) if isinstance(given, dict) else f"debug={given}",
)
def test_a_secret_of_the_environment_is_not_printed(variables: dict[str, str], debug: str, command: Command) -> None:
    for words in (("send", *WHOLE), ("send", *WHOLE, "--json"), ("config",), ("config", "--json")):
        ran = command(*words, MAILWRIGHT_DEBUG=debug, **variables)
        assert ran.code in (0, 75, 78)
        expect_no_canary(ran)
    expect_no_canary(command("send", "--to", "bob@example.org", "--text", "x", "--dry-run", **variables))


def test_a_secret_of_a_file_is_not_printed(tmp_path: Path, command: Command) -> None:
    folder = tmp_path / ".config" / "mailwright"
    folder.mkdir(parents=True)
    config = folder / "config.toml"
    for text in (
        f'[accounts.a]\nhost = "127.0.0.1"\nuser = "ada"\npassword = "{CANARY}"\n',
        f'[accounts.a]\nhost = "127.0.0.1"\npassword = {CANARY}\n',
        f'default = "a"\n[accounts.a]\nurl = "{URL}"\n',
        CANARY,
    ):
        config.write_text(text)
        for mode in (0o644, 0o600):
            config.chmod(mode)
            for words in (("send", *WHOLE, "--account", "a"), ("config", "--account", "a"), ("config",)):
                ran = command(*words, HOME=str(tmp_path), MAILWRIGHT_DEBUG="1")
                assert ran.code in (0, 68, 75, 78), ran
                expect_no_canary(ran)


@pytest.mark.parametrize("debug", ["", "1"])
@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("json", [(), ("--json",)])
def test_a_login_does_not_print_it(right: bool, debug: str, json: tuple[str, ...]) -> None:
    with Inbox(("ada", CANARY if right else "another")) as inbox:
        server = inbox.server
        assert server.tls.ca_file
        url = f"smtp://ada:{CANARY}@127.0.0.1:{server.port}?ca_file={quote(server.tls.ca_file)}"
        env = surroundings(MAILWRIGHT_URL=url, MAILWRIGHT_DEBUG=debug)
        ran = program("send", *WHOLE, *json, env=env)
    assert ran.code == (0 if right else 77), ran
    expect_no_canary(ran)


def test_a_server_that_repeats_it_is_masked(command: Command) -> None:
    from base64 import b64encode

    plain = b64encode(f"\0ada\0{CANARY}".encode()).decode()
    turns = [*hello("AUTH PLAIN"), C(f"AUTH PLAIN {plain}"), S(f"535 5.7.8 no, not {CANARY}")]
    for words in ((), ("--json",)):
        with listening(turns) as server:
            url = f"smtp+plain://ada:{CANARY}@127.0.0.1:{server.port}"
            ran = command("send", *WHOLE, *words, MAILWRIGHT_URL=url)
        assert ran.code == 77 and "***" in ran.err
        expect_no_canary(ran)


def test_the_demo_does_not_print_its_password(command: Command) -> None:
    from mailwright.cli.demo import PASSWORD

    ran = command("demo")
    assert ran.code == 0
    for form in forms(PASSWORD):
        assert form not in ran.out + ran.err
