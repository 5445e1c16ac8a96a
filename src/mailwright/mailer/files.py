"""What settings need from outside: files, systemd's credentials, the output of a command, the keyring.

Nothing is decided here except what is not safe to read. A password is fetched only when a server is really
used, by the `fetch()` of the value that says where it is. No error shows what was read.
"""

from __future__ import annotations

import os
import stat
import sys
from errno import EPERM

from mailwright.words.errors import ConfigError, MissingExtra
from mailwright.words.reply import visible
from mailwright.words.secret import Secret
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

FILE_LIMIT = 1024 * 1024  # octets of a settings file; a long one has a few thousand
SECRET_LIMIT = 64 * 1024  # octets of a password or token; the longest tokens in use have 20 kB
COMMAND_SECONDS = 120.0  # somebody may have to type the passphrase of a key first
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)  # of a lock's file: it is not somebody else's
SYSTEM_CONFIG = "/etc/mailwright/config.toml"
#: Container runtimes put secrets here, often readable by all; nobody else lives in the container.
CONTAINER_SECRETS = ("/run/secrets", "/var/run/secrets")
#: The credentials of a systemd unit (LoadCredential=) that are looked at, each named like a variable.
CREDENTIALS = ("mailwright_url", "smtp_password", "email_password")


_OTHER_PLACES = (
    "On a machine without a desktop, keep the secret in a file (mailwright login --file) or with a command, such as "
    'password = {command = ["pass", "show", "mail"]} in config.toml.'
)


@value
class TextFile:
    """A file that was read. `readers` says who else may read it, or is empty if nobody may."""

    path: str
    text: str
    readers: str = ""


@value
class PasswordFile:
    """A password in a file of its own. `guarded`: its directory keeps others out, whatever its own bits say."""

    path: str
    guarded: bool = False

    def fetch(self) -> Secret:
        """The file's only line. Raises `ConfigError` when it is missing, exposed, or not one line of UTF-8."""
        file = read_file(self.path, SECRET_LIMIT)
        if file.readers and not self.guarded and not in_container_secrets(self.path):
            refuse_readers(file)
        lines = file.text.splitlines()
        del file
        if len(lines) != 1 or not lines[0]:
            found = "is empty" if not any(lines) else "holds more than the one line of a password"
            del lines
            raise ConfigError(f"The {self} {found}.", "Put the password into it, and nothing else.")
        return Secret(lines[0])

    def __str__(self) -> str:
        return f"file {_shown(self.path)}"


@value
class Command:
    """A command that prints the password as its first line: words, or one text for the shell."""

    words: tuple[str, ...] | str

    def fetch(self, seconds: float = COMMAND_SECONDS) -> Secret:
        """Run it, without input, for at most `seconds`. Raises `ConfigError` when it fails or prints nothing."""
        output, complaint = _run(self.words, seconds)
        lines = output.decode("utf-8", "replace").splitlines()
        del output
        if not complaint:
            if lines and lines[0] and "\ufffd" not in lines[0]:
                return Secret(lines[0])
            complaint = "printed no password" if not lines or not lines[0] else "printed what is not UTF-8"
        del lines
        raise ConfigError(f"The {self} {complaint}.", "Run it by hand to see why.")

    def __str__(self) -> str:
        # Only the program: its arguments, too, may hold a secret.
        words = self.words.split() if isinstance(self.words, str) else self.words
        program = visible(words[0], 60) if words and "=" not in words[0] else ""
        return f"command {program} …".replace("  ", " ")


@value
class UnsetVariable:
    """A variable that should hold a password and is not set; nobody minds while everything is caught."""

    name: str

    def fetch(self) -> Secret:
        """Raises `ConfigError`."""
        raise ConfigError(f"The variable {visible(self.name, 80)} for the password is not set.", "Set it.")

    def __str__(self) -> str:
        return f"variable {visible(self.name, 80)}, which is not set"


@value
class KeyringEntry:
    """A password in the system's key ring (macOS Keychain, Secret Service, Windows Credential Locker)."""

    service: str
    user: str

    def fetch(self) -> Secret:
        """Ask the key ring. Raises `MissingExtra` or `ConfigError`."""
        password = self.read()
        if password is None:
            raise ConfigError(
                f"The {self} gave no password for {visible(self.user, 80)}.",
                f"Run: keyring set {_shell_word(self.service)} {_shell_word(self.user)}",
            )
        return password

    def read(self) -> Secret | None:
        """What is there, or `None`. Raises `MissingExtra` or `ConfigError`."""
        found = self._asked(lambda ring: ring.get_password(self.service, self.user))
        return Secret(found) if isinstance(found, str) and found else None

    def store(self, secret: Secret) -> None:
        """Put `secret` there. Raises `MissingExtra` or `ConfigError`."""
        self._asked(lambda ring: ring.set_password(self.service, self.user, secret.reveal()))

    def remove(self) -> None:
        """Take it away. Never fails: what can't be removed stays, and nobody asks for it."""
        try:
            self._asked(lambda ring: ring.delete_password(self.service, self.user))
        except (ConfigError, MissingExtra):
            pass

    def _asked(self, act: Callable[[Any], Any]) -> Any:
        from importlib import import_module

        try:
            ring = import_module("keyring")
        except ImportError:
            ring = None
        if ring is None:
            raise MissingExtra(
                "The password is in the keyring, and the package to ask it is not installed.",
                "Run: pip install 'mailwright[keyring]'",
            )
        try:
            return act(ring)
        except Exception as problem:  # every backend has its own errors
            kinds = {cls.__name__ for cls in type(problem).__mro__}
            name = visible(type(problem).__name__, 60)
        # Outside of the except block, so that the backend's variables don't travel along: the password is one of them.
        if "NoKeyringError" in kinds:
            raise ConfigError(f"The {self} can't be asked: this machine has no key ring.", _OTHER_PLACES)
        if "KeyringLocked" in kinds:
            raise ConfigError(f"The {self} can't be asked: the key ring is locked.", f"Unlock it. {_OTHER_PLACES}")
        raise ConfigError(
            f"The {self} can't be asked for {visible(self.user, 80)} ({name}).",
            f"Does this work? keyring get {_shell_word(self.service)} {_shell_word(self.user)}",
        )

    def __str__(self) -> str:
        return f"keyring entry {visible(self.service, 80)}"


def config_places(environ: Mapping[str, str], platform: str = sys.platform) -> tuple[str, ...]:
    """Where config.toml is looked for: the user's place, then the system's. ``MAILWRIGHT_CONFIG`` replaces the
    first.
    """
    system = () if platform == "win32" else (SYSTEM_CONFIG,)
    named = environ.get("MAILWRIGHT_CONFIG")
    if named:
        return (named, *system)
    if platform == "win32":
        roaming = environ.get("APPDATA")
        return (f"{roaming}\\mailwright\\config.toml",) if roaming else ()
    home = environ.get("HOME", "")
    if platform == "darwin":
        folder = f"{home}/Library/Application Support" if home else ""
    else:
        folder = environ.get("XDG_CONFIG_HOME", "")
        if not folder.startswith("/"):  # the XDG specification: a relative path is to be ignored
            folder = f"{home}/.config" if home else ""
    return (f"{folder}/mailwright/config.toml", *system) if folder else system


def read_file(path: str, limit: int = FILE_LIMIT) -> TextFile:
    """The text of a file of at most `limit` octets, in UTF-8. Raises `ConfigError`."""
    octets, mode, complaint = b"", 0, ""
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            octets = file.read(limit + 1)
    except OSError as problem:
        complaint = f"can't be read: {problem.strerror or type(problem).__name__}"
    except ValueError:
        complaint = "can't be read: its name holds a NUL"
    text = octets.decode("utf-8-sig", "surrogateescape")
    if not complaint and len(octets) > limit:
        complaint = f"has more than {limit} octets"
    elif any("\udc80" <= c <= "\udcff" for c in text):
        complaint = "is not UTF-8"
    if complaint:
        del octets, text
        raise ConfigError(f"The file {_shown(path)} {complaint}.", "Check the path and the file.")
    return TextFile(path, text, _readers(mode))


def write_private_file(path: str, text: Secret | str) -> None:
    """Put `text` into a file that only its owner may read, whole or not at all. Missing directories are made. Raises
    `ConfigError`.
    """
    text, complaint, draft = Secret(text), "", ""
    try:
        real = _real(path)
        draft = f"{real}.{os.urandom(4).hex()}.new"
        os.makedirs(os.path.dirname(real), 0o700, exist_ok=True)
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text.reveal().encode("utf-8", "surrogateescape"))
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, real)
    except OSError as problem:
        complaint = problem.strerror or type(problem).__name__
        if os.path.isfile(draft):
            os.unlink(draft)
    except ValueError:
        complaint = "its name holds a NUL"
    if complaint:
        raise ConfigError(
            f"The file {_shown(path)} can't be written: {complaint}.", "Check the path and its directory."
        )


def _real(path: str) -> str:
    """Where to write what is for `path`: who keeps it elsewhere, behind a link, still does afterwards. Raises `OSError`
    for a link that somebody else made, as anybody can in a directory for all.
    """
    try:
        found = os.lstat(path)
    except OSError:
        found = None  # nothing is there, or nothing that could be written
    if found is None or not stat.S_ISLNK(found.st_mode):
        return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    if os.name == "posix" and found.st_uid not in (0, os.geteuid()):
        raise OSError(EPERM, "it is a link that belongs to somebody else")
    return os.path.realpath(path)


def lock_file(path: str, seconds: float) -> int | None:
    """The descriptor of a lock on `path`, or `None` if it can't be had within `seconds`; closing it lets go. The system
    lets go, too, when a process dies.
    """
    from time import monotonic, sleep

    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), 0o700, exist_ok=True)
        held = os.open(path, os.O_RDWR | os.O_CREAT | _NO_FOLLOW, 0o600)
    except (OSError, ValueError):
        return None
    deadline = monotonic() + seconds
    while not _try_lock(held):
        if monotonic() >= deadline:
            os.close(held)
            return None
        sleep(0.05)
    return held


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def exists(path: str) -> bool:
    """Whether there is something at `path`; also when we may not read it."""
    return os.path.lexists(path)


def credentials(environ: Mapping[str, str]) -> dict[str, PasswordFile]:
    """Those of systemd's credentials that are ours to read, by name (systemd.exec(5), LoadCredential=)."""
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return {}
    places = {name: os.path.join(folder, name) for name in CREDENTIALS}
    # systemd mounts the directory for this unit alone; the files in it may show the bits of an access list.
    return {name: PasswordFile(path, guarded=True) for name, path in places.items() if os.path.isfile(path)}


def located(path: str, beside: str) -> str:
    """`path` as a settings file means it: ``~`` is the home directory, a relative path starts beside that file."""
    return os.path.join(os.path.dirname(os.path.abspath(beside)), os.path.expanduser(path))


def refuse_readers(file: TextFile) -> None:
    """Raise `ConfigError` if somebody else may read `file`, which holds a password."""
    if file.readers:
        raise ConfigError(
            f"{_shown(file.path)} holds a password, and {file.readers} may read it.",
            f"Run: chmod 600 {_shell_word(file.path)}",
        )


def _readers(mode: int) -> str:
    if os.name != "posix":  # elsewhere the bits say nothing about who may read
        return ""
    return "everybody on this machine" if mode & 0o007 else "its group" if mode & 0o070 else ""


def in_container_secrets(path: str) -> bool:
    """Whether `path` leads to where container runtimes put secrets; their bits don't say who may read them."""
    real = os.path.realpath(path)
    return any(real.startswith(folder + "/") for folder in CONTAINER_SECRETS)


def _run(words: tuple[str, ...] | str, seconds: float) -> tuple[bytes, str]:
    """The output of a command, and what went wrong with it or an empty text."""
    import subprocess
    from threading import Thread
    from time import monotonic

    deadline = monotonic() + seconds
    try:
        # Its complaints may hold what it was given, and what is typed or piped to us is not for it.
        process = subprocess.Popen(
            words,
            shell=isinstance(words, str),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except (OSError, ValueError) as problem:
        return (
            b"",
            f"could not be started: {getattr(problem, 'strerror', None) or 'it holds a NUL'}",
        )
    got: list[bytes] = []
    pipe = process.stdout
    assert pipe is not None
    # A pipe can't be read with a limit of time on every system, except from beside.
    reader = Thread(target=lambda: got.append(pipe.read(SECRET_LIMIT + 1)), daemon=True)
    try:
        reader.start()
        reader.join(seconds)
        if reader.is_alive():
            return b"", f"did not end within {seconds:g} seconds"
        if len(got[0]) > SECRET_LIMIT:
            return b"", f"printed more than {SECRET_LIMIT} octets"
        status = process.wait(max(0.0, deadline - monotonic()))
        return got[0], f"failed with exit status {status}" if status else ""
    except subprocess.TimeoutExpired:
        return b"", f"did not end within {seconds:g} seconds"
    finally:
        process.kill()
        process.wait()
        reader.join(1.0)
        if not reader.is_alive():
            pipe.close()


def _shell_word(word: str) -> str:
    plain = word and all(c.isalnum() or c in "@%+=:,./_-" for c in word)
    return visible(word, 300) if plain else "'" + visible(word, 300).replace("'", "'\\''") + "'"


def _shown(path: str) -> str:
    return visible(path, 300)
