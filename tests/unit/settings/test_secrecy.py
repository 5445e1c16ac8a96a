"""A canary in every place where a password can be: nothing that is printed, raised or shown holds it in any form."""

from __future__ import annotations

import base64
import json
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mailwright
from mailwright.cli import main
from mailwright.mailer.settings import Settings, resolve
from mailwright.words.errors import ConfigError, MailError
from mailwright.words.url import server_from_url, url_of

PIECES = ("Kx9qCanary", "Zv7wCanary", "Jt5mCanary")
CANARY = "".join(PIECES)


def forms(secret: str) -> set[str]:
    """A secret as it might leak: in clear, base64 (at each of its three offsets), hex, percent-encoded."""
    octets = secret.encode()
    shifted = {base64.b64encode(b"x" * n + octets).decode().rstrip("=")[n + 1 : -1] for n in range(3)}
    return {secret, repr(octets)[2:-1], octets.hex(), quote(secret, safe=""), *shifted}


def leaks(text: str, *secrets: str) -> set[str]:
    """The forms of `secrets` that stand in `text`, in whatever case."""
    text = text.lower()
    return {form for secret in secrets or (CANARY, *PIECES) for form in forms(secret) if form.lower() in text}


def shown(error: BaseException) -> str:
    """Everything that an error shows of itself, to a person or a log, with its causes and contexts."""
    told = [str(error), repr(error), repr(error.args), repr(vars(error))]
    told += traceback.format_exception(error)
    for chained in (error.__cause__, error.__context__):
        if chained is not None:
            told.append(shown(chained))
    return "\n".join(told)


def our_locals(trace: TracebackType | None) -> str:
    """The local variables of our own frames, as a crash reporter would send them."""
    ours = str(Path(mailwright.__file__).parent)
    found = []
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.startswith(ours):
            found.append(repr(trace.tb_frame.f_locals))
        trace = trace.tb_next
    return "\n".join(found)


def test_the_search_finds_every_form() -> None:
    for n in range(3):
        assert leaks(base64.b64encode(b"ada:"[:n] + CANARY.encode() + b"...").decode(), CANARY)
    assert leaks(CANARY) and leaks(CANARY.encode().hex()) and leaks(f"{PIECES[1]}")


WRONG_URLS = [
    "smtps://ada:{0}/{1}@mail.example.org",
    "smtps://ada:{0}#{1}@mail.example.org",
    "smtps://ada:{0}?{1}@mail.example.org",
    "smtps://ada:{0}?{1}={2}@mail.example.org",
    "smtps://ada:{0}?hello={1}&{2}@mail.example.org",
    "smtps://ada:{0}@{1}@mail.example.org",
    "smtps://ada:{0}@{1}/{2}@mail.example.org",
    "smtps://ada:{0}[{1}]{2}@mail.example.org",
    "smtps://ada:{0}%{1}@mail.example.org",
    "smtps://ada:{0}%zz{1}@mail.example.org",
    "smtps://ada:{0}%ff{1}@mail.example.org",
    "smtps://ada:{0} {1}@mail.example.org",
    "smtps://ada:{0}\n{1}@mail.example.org",
    "smtps://ada:{0}\udcff{1}@mail.example.org",
    "smtps://ada:{0}{1}{2}",
    "smtps://ada:{0}{1}{2}@",
    "smtps://:{0}{1}{2}@mail.example.org",
    "smtps://ada:{0}{1}{2}@mail.example.org:port",
    "smtps://ada:{0}{1}{2}@mail.example.org:70000",
    "smtps://ada:{0}{1}{2}@mail.example.org/path",
    "smtps://ada:{0}{1}{2}@[mail",
    "smtps://ada:{0}{1}{2}@mail.example.org?timout=3",
    "smtps://ada:{0}{1}{2}@mail.example.org?timeout={0}",
    "smtps://ada:{0}{1}{2}@mail.example.org?{0}={1}",
    "smtps://ada:{0}{1}{2}@mail.example.org?auth={0}.{1}.{2}",
    "smtps://ada:{0}{1}{2}@mail.example.org?pin={0}{1}{2}",
    "smtps://mail.example.org?proxy=socks5://ada:{0}{1}{2}@proxy",
    "smtp+plain://ada:{0}{1}{2}@mail.example.org",
    "smtsp://ada:{0}{1}{2}@mail.example.org",
    "ada:{0}{1}{2}@mail.example.org",
    "{0}{1}{2}",
    "{0}://{1}",
    "lmtp://ada:{0}/{1}@mail.example.org",
    "lmtp:///ada:{0}@{1}",
]


@pytest.mark.parametrize("wrong", WRONG_URLS)
@pytest.mark.parametrize(
    "use",
    [
        lambda url: server_from_url(url),
        lambda url: resolve(server=url, environ={}, files=[]),
        lambda url: resolve(environ={"MAILWRIGHT_URL": url}, files=[]),
    ],
    ids=["from_url", "argument", "variable"],
)
def test_no_error_about_a_url_shows_a_piece_of_it(use: Callable[[str], Any], wrong: str) -> None:
    url = wrong.format(*PIECES)
    with pytest.raises(ConfigError) as caught:
        use(url)
    assert leaks(shown(caught.value)) == set()


@pytest.mark.parametrize("wrong", WRONG_URLS)
def test_not_even_a_crash_reporter_gets_a_wrong_url(wrong: str) -> None:
    with pytest.raises(ConfigError) as caught:
        server_from_url(wrong.format(*PIECES))
    assert leaks(our_locals(caught.value.__traceback__)) == set()


@given(st.lists(st.sampled_from([*PIECES, *"/?#[]@:%&=+ ;", "%2", "%41"]), min_size=1, max_size=12).map("".join))
def test_whatever_the_password_it_is_understood_or_not_shown(password: str) -> None:
    try:
        server = server_from_url(f"smtps://ada:{password}@mail.example.org")
    except ConfigError as error:
        assert leaks(shown(error)) == set()
    else:
        assert leaks(repr(server) + str(server) + url_of(server)) == set()


def private(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def sources(folder: Path) -> dict[str, Callable[[], Settings]]:
    """Every way to give a password, with the canary in it."""
    file = private(folder / "password", CANARY + "\n")
    private(folder / "smtp_password", CANARY)
    private(folder / "mailwright_url", f"smtps://ada:{CANARY}@h")

    def account(line: str, **environ: str) -> Callable[[], Settings]:
        path = private(folder / f"{len(os.listdir(folder))}.toml", f"[accounts.a]\n{line}\n")
        return lambda: resolve(environ=environ, files=[path])

    def variables(**environ: str) -> Callable[[], Settings]:
        return lambda: resolve(environ=environ, files=[])

    pieces = {"SMTP_HOST": "h", "SMTP_USER": "ada"}
    systemd = {"CREDENTIALS_DIRECTORY": str(folder)}
    dotenv = private(folder / ".env", f"SMTP_HOST=h\nSMTP_USER=ada\nSMTP_PASSWORD='{CANARY}'\n")
    return {
        "argument": lambda: resolve(server=f"smtps://ada:{CANARY}@h", environ={}),
        "password argument": lambda: resolve(server="smtps://ada@h", password=CANARY, environ={}),
        "url variable": variables(MAILWRIGHT_URL=f"smtps://ada:{CANARY}@h"),
        "variable": variables(SMTP_PASSWORD=CANARY, **pieces),
        "file variable": variables(SMTP_PASSWORD_FILE=file, **pieces),
        "email variable": variables(SMTP_HOST="h", SENDER_EMAIL="ada@example.org", EMAIL_PASSWORD=CANARY),
        "credential": variables(**pieces, **systemd),
        "url credential": variables(**systemd),
        "dotenv": lambda: resolve(environ={}, files=[], dotenv=dotenv),
        "account": account(f'url = "smtps://ada@h"\npassword = "{CANARY}"'),
        "account url": account(f'url = "smtps://ada:{CANARY}@h"'),
        "account command": account(f'url = "smtps://ada@h"\npassword = {{command = ["printf", "{CANARY}"]}}'),
        "account shell": account(f'url = "smtps://ada@h"\npassword = {{command = "printf \'{CANARY}\'"}}'),
        "account variable": account('url = "smtps://ada@h"\npassword = {env = "PW"}', PW=CANARY),
        "account file": account(f'url = "smtps://ada@h"\npassword = {{file = "{file}"}}'),
    }


SOURCES = (
    "argument", "password argument", "url variable", "variable", "file variable", "email variable", "credential",
    "url credential", "dotenv", "account", "account url", "account command", "account shell", "account variable",
    "account file",
)  # fmt: skip


def test_every_source_is_tried(tmp_path: Path) -> None:
    assert tuple(sources(tmp_path)) == SOURCES


@pytest.mark.parametrize("source", SOURCES)
def test_settings_give_the_password_and_never_show_it(tmp_path: Path, source: str) -> None:
    settings = sources(tmp_path)[source]()
    login = settings.server.login
    assert login is not None and login.password is not None
    assert login.password.reveal() == CANARY  # type: ignore[union-attr]
    told = [repr(settings.server), str(settings.server), url_of(settings.server), url_of(settings.described)]
    told += [repr(settings.described), repr(settings.origins), str(settings.password), str(login.password)]
    assert leaks("\n".join(told)) == set()


ENVIRONMENTS: dict[str, dict[str, str]] = {
    "good": {"SMTP_HOST": "h", "SMTP_USER": "ada", "SMTP_PASSWORD": CANARY},
    "good url": {"MAILWRIGHT_URL": f"smtps://ada:{CANARY}@h?proxy=socks5://u%3A{CANARY}%40p:1080"},
    "url cut by a slash": {"MAILWRIGHT_URL": f"smtps://ada:{PIECES[0]}/{PIECES[1]}@h"},
    "no user": {"SMTP_HOST": "h", "SMTP_PASSWORD": CANARY},
    "in clear": {"SMTP_HOST": "h", "SMTP_USER": "ada", "SMTP_PASSWORD": CANARY, "SMTP_SECURITY": "none"},
    "swapped with the port": {"SMTP_HOST": "h", "SMTP_PORT": CANARY},
    "swapped with security": {"SMTP_HOST": "h", "SMTP_SECURITY": CANARY},
    "swapped with the sender": {"SMTP_HOST": "h", "SENDER_EMAIL": CANARY, "EMAIL_PASSWORD": "x"},
    "foreign": {"EMAIL_HOST_PASSWORD": CANARY, "SMTP_PASS": CANARY},
    "foreign beside ours": {"SMTP_HOST": "h", "SMTP_PASS": CANARY},
    "misspelt": {"MAILWRIGHT_ULR": f"smtps://ada:{CANARY}@h"},
    "without a host": {"SMTP_USER": "ada", "SMTP_PASSWORD": CANARY},
}


@pytest.mark.parametrize("options", [[], ["--json"]])
@pytest.mark.parametrize("environ", ENVIRONMENTS)
def test_the_command_prints_no_secret_from_the_environment(
    environ: str, options: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in os.environ:
        if name.startswith(("SMTP_", "MAILWRIGHT", "EMAIL", "MAIL_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("MAILWRIGHT_DEBUG", "1")  # the traceback, too
    for name, text in ENVIRONMENTS[environ].items():
        monkeypatch.setenv(name, text)
    code = main(["config", *options])
    out, err = capfd.readouterr()
    assert code == (0 if environ.startswith("good") else 78)
    assert leaks(out + err) == set()
    assert bool(out) == (code == 0) and bool(err) == (code != 0)
    if code == 0 and options:
        assert json.loads(out)["password"]["value"] == "***"


CONFIGS = {
    "url": f'url = "smtps://ada:{CANARY}@h"',
    "text": f'url = "smtps://ada@h"\npassword = "{CANARY}"',
    "command": f'url = "smtps://ada@h"\npassword = {{command = ["printf", "{CANARY}"]}}',
    "shell": f'url = "smtps://ada@h"\npassword = {{command = "X={CANARY} true"}}',
    "proxy": f'url = "smtps://h"\nproxy = "socks5://ada:{CANARY}@p"',
    "wrong url": f'url = "smtps://ada:{PIECES[0]}/{PIECES[1]}@h"',
    "wrong toml": f'url = "smtps://ada@h"\npassword = {CANARY}',
    "wrong text": f'url = "smtps://ada@h"\npassword = "{CANARY}',
    "wrong table": f'url = "smtps://ada@h"\npassword = ["{CANARY}"]',
    "wrong key": f'url = "smtps://ada@h"\npasword = "{CANARY}"',
    "wrong place": f'url = "smtps://ada@h"\npassword = {{command = [1, "{CANARY}"]}}',
    "wrong line": f'url = "smtps://ada@h"\nport = "{CANARY}"',
    "wrong sender": f'url = "smtps://h"\nsender = "{CANARY}"',
    "wrong mechanism": f'url = "smtps://h"\nauth = "{CANARY}"',
    "twice": f'url = "smtps://ada:{CANARY}@h"\npassword = "{CANARY}"',
}


@pytest.mark.parametrize("config", CONFIGS)
def test_the_command_prints_no_secret_from_a_file(
    config: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = private(tmp_path / "config.toml", f"[accounts.a]\n{CONFIGS[config]}\n")
    monkeypatch.setenv("MAILWRIGHT_CONFIG", path)
    monkeypatch.setenv("MAILWRIGHT_DEBUG", "1")
    code = main(["config", "--account", "a"])
    out, err = capfd.readouterr()
    assert code == (78 if config.startswith(("wrong", "twice")) else 0)
    assert leaks(out + err) == set()
    with pytest.raises(MailError) if code else pytest.MonkeyPatch.context() as caught:
        resolve(account="a", environ={}, files=[path])
    if code:
        assert leaks(shown(caught.value)) == set()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "argv",
    [
        ["--server", f"smtps://ada:{CANARY}@h"],
        [f"--server=smtps://ada:{CANARY}@h"],
        ["--server", f"smtps://ada:{PIECES[0]}/{PIECES[1]}#{PIECES[2]}@h"],
        ["--server", f"htpp://ada:{CANARY}@h"],
        ["--password", CANARY],
        [f"--password={CANARY}"],
        ["--pass", CANARY],
        [f"smtps://ada:{CANARY}@h"],
        ["--json", f"smtps://ada:{CANARY}@h"],
    ],
)
def test_a_secret_in_an_argument_is_refused_and_not_repeated(
    argv: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", *argv]) == 64
    out, err = capfd.readouterr()
    assert out == "" and leaks(err) == set()
    if "--" in argv[0] and argv[0] != "--json":
        for way in ("SMTP_PASSWORD_FILE", "MAILWRIGHT_URL", "--account"):
            assert way in err
