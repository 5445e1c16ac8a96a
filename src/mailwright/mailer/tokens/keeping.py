"""Places that keep a grant and the last access token: the key ring, a file, the memory.

A place has `load`, `store`, and `alone`, which keeps out other processes that would refresh the same grant.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, nullcontext

from mailwright.mailer.files import (
    SECRET_LIMIT,
    KeyringEntry,
    config_places,
    in_container_secrets,
    lock_file,
    read_file,
    refuse_readers,
    write_private_file,
)
from mailwright.mailer.tokens.access import AccessToken, Kept
from mailwright.mailer.tokens.grants import ServiceAccount, grant_from, members_of
from mailwright.words.errors import ConfigError
from mailwright.words.reply import visible
from mailwright.words.secret import Secret
from mailwright.words.value import replace, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from typing import Any, Protocol

    from mailwright.mailer.tokens.grants import Grant

    class Place(Protocol):
        """Keeps the grant of a `user`, which may be empty. `str()` says where, for errors."""

        @property
        def user(self) -> str:
            """Whose grant it is."""

        def load(self) -> Kept:
            """What is kept. Raises `ConfigError` or `MissingExtra`."""

        def store(self, kept: Kept) -> None:
            """Keep this from now on. Raises `ConfigError` or `MissingExtra`."""

        def alone(self, seconds: float) -> AbstractContextManager[object]:
            """While it lasts no other process changes the grant; waits at most `seconds`, and goes on without."""


SERVICE = "mailwright oauth2"  # the key ring's name for all that is kept here
#: Characters of one entry. The key ring of Windows takes 2,560 octets in UTF-16, and Microsoft's tokens are longer.
PART = 1200
_PARTS_LIMIT = SECRET_LIMIT // PART
_AGAIN = "Run mailwright login for this account again."


@value
class InKeyring:
    """Kept in the system's key ring (macOS Keychain, Secret Service, Windows Credential Locker), for `user`."""

    user: str
    service: str = SERVICE

    def load(self) -> Kept:
        """What is kept. Raises `ConfigError` or `MissingExtra`."""
        text = self._joined(self._entry().read())
        kept = None if text is None else kept_from(text, self.user)
        if kept is None:
            found = "no consent" if text is None else "something that is no consent"
            raise ConfigError(
                f"The {self} holds {found} for {visible(self.user, 80)}.",
                f"Run: mailwright login {visible(self.user, 80)}",
            )
        return kept

    def store(self, kept: Kept) -> None:
        """Keep this from now on; whole, or in parts where the key ring takes no long secrets."""
        before, text = self._parts(self._entry().read()), written(kept)
        try:
            self._entry().store(text)
            whole = True
        except ConfigError:
            if _length(text) <= PART:
                raise
            whole = False
        if not whole:
            self._store_in_parts(text)
        for name in before:
            self._entry(name).remove()

    def alone(self, seconds: float) -> AbstractContextManager[object]:
        """A lock file beside config.toml; none where there is no such place."""
        from hashlib import sha256

        places = config_places(os.environ)
        if not places:
            return nullcontext()
        name = sha256(f"{self.service}\0{self.user}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
        return _held(os.path.join(os.path.dirname(os.path.abspath(places[0])), f".{name}.lock"), seconds)

    def _entry(self, name: str = "") -> KeyringEntry:
        return KeyringEntry(self.service, self.user + name)

    def _store_in_parts(self, text: Secret) -> None:
        """The parts first, under names that nobody reads yet; then the entry that names them."""
        from secrets import token_hex

        tag = token_hex(4)
        parts = _cut(text)
        for number, part in enumerate(parts):
            self._entry(f" {tag}.{number}").store(part)
        self._entry().store(Secret(f"{len(parts)} parts {tag}"))

    def _parts(self, head: Secret | None) -> list[str]:
        """What is added to the user for each part that `head` names."""
        words = head.reveal().split(" ") if head is not None and len(head.reveal()) < 60 else []
        if len(words) != 3 or words[1] != "parts" or not words[0].isdecimal() or int(words[0]) > _PARTS_LIMIT:
            return []
        return [f" {words[2]}.{number}" for number in range(int(words[0]))]

    def _joined(self, head: Secret | None) -> Secret | None:
        names = self._parts(head)
        if not names:
            return head
        parts = [self._entry(name).read() for name in names]
        return Secret("".join(part.reveal() for part in parts if part is not None))

    def __str__(self) -> str:
        return f"keyring entry {visible(self.service, 80)}"


@value
class InFile:
    """Kept in a file that only its owner may read: for machines without a key ring.

    `user` is whom it is for. Google's key file of a service account will do as well; it then acts as `user`, and is not
    written to.
    """

    path: str
    user: str = ""

    def load(self) -> Kept:
        """What is kept. Raises `ConfigError`."""
        file = read_file(self.path, SECRET_LIMIT)
        text, file = Secret(file.text), replace(file, text="")
        if not in_container_secrets(self.path):
            refuse_readers(file)
        kept = kept_from(text, self.user)
        if kept is None:
            raise ConfigError(f"The {self} holds no consent, and no key of a service account.", _AGAIN)
        return kept

    def store(self, kept: Kept) -> None:
        """Keep this from now on. A key file of Google's stays as it is: nothing in it changes."""
        if not isinstance(kept.grant, ServiceAccount):
            write_private_file(self.path, written(kept))

    def alone(self, seconds: float) -> AbstractContextManager[object]:
        """A lock file beside it."""
        return _held(f"{self.path}.lock", seconds)

    def __str__(self) -> str:
        return f"file {visible(self.path, 300)}"


class InMemory:
    """Kept as long as the process lives: for grants that don't change, or that come from elsewhere."""

    user = ""

    def __init__(self, kept: Kept | Grant) -> None:
        self._kept = kept if isinstance(kept, Kept) else Kept(kept)

    def load(self) -> Kept:
        """What is kept."""
        return self._kept

    def store(self, kept: Kept) -> None:
        """Keep this from now on."""
        self._kept = kept

    def alone(self, seconds: float) -> AbstractContextManager[object]:
        """Nobody else has it."""
        return nullcontext()

    def __str__(self) -> str:
        return "memory"


def written(kept: Kept) -> Secret:
    """As JSON."""
    import json

    facts: dict[str, Any] = kept.grant.described()
    if kept.access is not None:
        facts["access_token"] = kept.access.token.reveal()
        facts |= {"expires_at": kept.access.expires, "obtained_at": kept.access.obtained}
    return Secret(json.dumps(facts))


def kept_from(text: Secret, subject: str) -> Kept | None:
    """What `written` wrote, or `None`. `subject` is whom a service account acts as when its file does not say."""
    members = members_of(text)
    grant = grant_from(members, subject) if members is not None else None
    if grant is None or members is None:
        return None
    token, expires, obtained = (members.get(name) for name in ("access_token", "expires_at", "obtained_at"))
    if isinstance(token, str) and token and isinstance(expires, float | int) and isinstance(obtained, float | int):
        return Kept(grant, AccessToken(Secret(token), expires, obtained))
    return Kept(grant)


@contextmanager
def _held(path: str, seconds: float) -> Iterator[None]:
    """Hold the lock on `path` if it can be had in time. Without one a second refresh at the same moment is possible;
    no mail is worth less for that.
    """
    held = lock_file(path, seconds)
    try:
        yield
    finally:
        if held is not None:
            os.close(held)


def _cut(text: Secret) -> list[Secret]:
    whole = text.reveal()
    return [Secret(whole[start : start + PART]) for start in range(0, len(whole), PART)]


def _length(text: Secret) -> int:
    return len(text.reveal())
