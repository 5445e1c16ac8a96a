"""Where a password may be, and that it is fetched safely and only when it is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mailwright.mailer import files
from mailwright.mailer.files import Command, KeyringEntry, PasswordFile, config_places
from mailwright.mailer.settings import resolve
from mailwright.words.errors import ConfigError, MissingExtra

posix = pytest.mark.skipif(os.name != "posix", reason="permission bits and the shell of POSIX")


def python(code: str) -> Command:
    return Command((sys.executable, "-c", code))


def secret_file(path: Path, content: bytes = b"correct horse\n", mode: int = 0o600) -> PasswordFile:
    path.write_bytes(content)
    path.chmod(mode)
    return PasswordFile(str(path))


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"correct horse", "correct horse"),
        (b" spaces stay \r\n", " spaces stay "),
        (b"\xef\xbb\xbfp\xc3\xa4ss\n", "päss"),
    ],
)
def test_a_file_gives_its_only_line(tmp_path: Path, content: bytes, password: str) -> None:
    assert secret_file(tmp_path / "p", content).fetch().reveal() == password


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"canary\nsecond\n", "more than the one line"),
        (b"canary\xff", "is not UTF-8"),
        (b"canary" * 20_000, "more than 65536 octets"),
    ],
)
def test_a_file_that_holds_something_else_is_refused_by_name(tmp_path: Path, content: bytes, named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        secret_file(tmp_path / "p", content).fetch()
    assert named in str(caught.value) and str(tmp_path / "p") in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("path", ["missing", "nul\0"])
def test_a_file_that_can_not_be_read_is_named(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        PasswordFile(str(tmp_path / path)).fetch()


def test_a_directory_is_no_password_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        PasswordFile(str(tmp_path)).fetch()


@posix
@pytest.mark.parametrize(("mode", "who"), [(0o640, "its group"), (0o604, "everybody"), (0o660, "its group")])
def test_a_file_that_others_may_read_is_refused_with_the_remedy(tmp_path: Path, mode: int, who: str) -> None:
    path = tmp_path / "it's a password"
    with pytest.raises(ConfigError) as caught:
        secret_file(path, mode=mode).fetch()
    assert who in str(caught.value)
    remedy = caught.value.advice.removeprefix("Run: ")
    assert remedy.startswith("chmod 600 ")
    assert os.system(remedy) == 0  # the line can be pasted as it is
    assert PasswordFile(str(path)).fetch().reveal() == "correct horse"


@posix
def test_what_a_container_runtime_mounts_is_read_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mount = tmp_path / "secrets"
    mount.mkdir()
    monkeypatch.setattr(files, "CONTAINER_SECRETS", (str(mount.resolve()),))
    assert secret_file(mount / "smtp", mode=0o444).fetch().reveal() == "correct horse"
    outside = secret_file(tmp_path / "smtp", mode=0o444)
    (mount / "link").symlink_to(outside.path)
    for path in (outside.path, f"{mount}/../smtp", f"{mount}/link"):
        with pytest.raises(ConfigError, match="chmod 600"):
            PasswordFile(path).fetch()


def test_a_command_gives_its_first_line() -> None:
    assert python("print('correct horse'); print('user: ada')").fetch().reveal() == "correct horse"


@posix
def test_text_is_for_the_shell_and_words_are_not() -> None:
    assert Command("printf %s 'correct horse' | tr a-z A-Z").fetch().reveal() == "CORRECT HORSE"
    assert Command(("printf", "%s", "$HOME; true")).fetch().reveal() == "$HOME; true"


def test_a_command_gets_no_input() -> None:
    program = (
        "import sys; from mailwright.mailer.files import Command\n"
        "code = 'import sys; print(repr(sys.stdin.read()))'\n"
        "print(Command((sys.executable, '-c', code)).fetch().reveal(), sys.stdin.read())"
    )
    done = subprocess.run([sys.executable, "-c", program], input="the message", capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("'' the message\n", "")


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("print('canary'); raise SystemExit(3)", "exit status 3"),
        ("", "printed no password"),
        ("print()", "printed no password"),
        ("import sys; sys.stdout.buffer.write(b'canary\\xff')", "not UTF-8"),
        ("print('canary' * 100000)", "more than 65536 octets"),
        ("import sys; sys.stderr.write('canary'); sys.exit(1)", "exit status 1"),
    ],
)
def test_a_command_that_fails_is_named_without_its_output(
    code: str, named: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        python(code).fetch()
    assert named in str(caught.value) and "canary" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "code",
    ["import time; time.sleep(3600)", "import os, time; print('x', flush=True); os.close(1); time.sleep(3600)"],
)
def test_a_command_that_does_not_end_is_ended(tmp_path: Path, code: str) -> None:
    pid_file = tmp_path / "pid"
    command = python(f"import os; open({str(pid_file)!r}, 'w').write(str(os.getpid())); {code}")
    with pytest.raises(ConfigError, match="did not end within 2 seconds"):
        command.fetch(seconds=2)
    if os.name == "posix":
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid_file.read_text()), 0)


@pytest.mark.parametrize("words", [("no-such-program-anywhere",), ("nul\0",)])
def test_a_command_that_can_not_be_started_is_named(words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="could not be started"):
        Command(words).fetch()


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("pass", "show", "canary"), "command pass …"),
        ("pass show canary", "command pass …"),
        ("TOKEN=canary fetch", "command …"),
    ],
)
def test_only_the_program_of_a_command_is_shown(words: tuple[str, ...] | str, shown: str) -> None:
    assert str(Command(words)) == shown


class Backend:
    """A key ring in memory; the smallest that the `keyring` package takes."""

    def __init__(self) -> None:
        import keyring
        from keyring.backend import KeyringBackend

        entries: dict[tuple[str, str], str] = {}

        class InMemory(KeyringBackend):
            priority = 1  # type: ignore[assignment]

            def get_password(self, service: str, username: str) -> str | None:
                if service == "locked":
                    raise RuntimeError("canary")
                return entries.get((service, username))

            def set_password(self, service: str, username: str, password: str) -> None:
                entries[service, username] = password

        self.before = keyring.get_keyring()
        keyring.set_keyring(InMemory())


@pytest.fixture
def keyring_in_memory():  # type: ignore[no-untyped-def]
    keyring = pytest.importorskip("keyring")
    backend = Backend()
    yield keyring
    keyring.set_keyring(backend.before)


def test_the_keyring_gives_the_password(keyring_in_memory) -> None:  # type: ignore[no-untyped-def]
    keyring_in_memory.set_password("mailwright", "ada", "correct horse")
    assert KeyringEntry("mailwright", "ada").fetch().reveal() == "correct horse"
    with pytest.raises(ConfigError, match=r"keyring set mailwright bob$"):
        KeyringEntry("mailwright", "bob").fetch()
    with pytest.raises(ConfigError, match="RuntimeError") as caught:
        KeyringEntry("locked", "ada").fetch()
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(("entry", "service"), [("true", "mailwright"), ('"mail at work"', "mail at work")])
def test_an_account_names_its_keyring_entry(  # type: ignore[no-untyped-def]
    keyring_in_memory, tmp_path: Path, entry: str, service: str
) -> None:
    keyring_in_memory.set_password(service, "ada", "correct horse")
    config = tmp_path / "config.toml"
    config.write_text(f'[accounts.work]\nurl = "smtps://ada@h"\npassword = {{keyring = {entry}}}\n')
    settings = resolve(environ={}, files=[str(config)])
    assert settings.origins["password"].startswith(f"keyring entry {service}, account work in")
    assert settings.server.login.password.reveal() == "correct horse"  # type: ignore[union-attr]


def test_without_the_package_the_keyring_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(MissingExtra, match=r"pip install 'mailwright\[keyring\]'"):
        KeyringEntry("mailwright", "ada").fetch()


def test_a_command_runs_when_the_server_is_used_and_not_before(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    config = tmp_path / "config.toml"
    code = f"open({str(marks)!r}, 'a').write('x'); print('correct horse')"
    config.write_text(
        f'[accounts.work]\nurl = \'smtps://ada@h\'\npassword = {{command = [{sys.executable!r}, \'-c\', """{code}"""]}}'
    )
    settings = resolve(environ={}, files=[str(config)])
    assert settings.origins["password"].startswith(f"command {sys.executable} …, account work in")
    assert settings.described.login is not None and not marks.exists()
    with pytest.raises(ConfigError, match="was not fetched"):
        settings.described.login.password.reveal()  # type: ignore[union-attr]
    login = settings.server.login
    assert login is not None and login.password.reveal() == "correct horse"  # type: ignore[union-attr]
    assert marks.read_text() == "x"


@pytest.mark.parametrize(
    ("platform", "environ", "places"),
    [
        ("linux", {"HOME": "/h/ada"}, ("/h/ada/.config/mailwright/config.toml", "/etc/mailwright/config.toml")),
        (
            "linux",
            {"HOME": "/h/ada", "XDG_CONFIG_HOME": "/x"},
            ("/x/mailwright/config.toml", "/etc/mailwright/config.toml"),
        ),
        (
            "linux",
            {"HOME": "/h/ada", "XDG_CONFIG_HOME": "relative"},
            ("/h/ada/.config/mailwright/config.toml", "/etc/mailwright/config.toml"),
        ),
        ("linux", {}, ("/etc/mailwright/config.toml",)),
        (
            "darwin",
            {"HOME": "/h/ada"},
            ("/h/ada/Library/Application Support/mailwright/config.toml", "/etc/mailwright/config.toml"),
        ),
        ("win32", {"APPDATA": r"C:\Roaming"}, (r"C:\Roaming\mailwright\config.toml",)),
        ("win32", {}, ()),
        (
            "linux",
            {"HOME": "/h/ada", "MAILWRIGHT_CONFIG": "mine.toml"},
            ("mine.toml", "/etc/mailwright/config.toml"),
        ),
    ],
)
def test_the_places_of_the_configuration_file(platform: str, environ: dict[str, str], places: tuple[str, ...]) -> None:
    assert config_places(environ, platform) == places
