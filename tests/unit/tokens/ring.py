"""A backend for the keyring package that keeps its entries in memory, and can be as unhelpful as real ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keyring
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError


class Ring(KeyringBackend):
    """`limit`: characters of an entry, as on Windows. `broken`: raised whenever it is asked; `read_only`: when it is to
    keep something.
    """

    priority = 1  # type: ignore[assignment]

    def __init__(self, limit: int = 1 << 20, broken: Exception | None = None) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}
        self.limit = limit
        self.broken = broken
        self.read_only: Exception | None = None

    def get_password(self, service: str, username: str) -> str | None:
        if self.broken is not None:
            raise self.broken
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.broken is not None or self.read_only is not None:
            raise self.broken or self.read_only  # type: ignore[misc]
        if len(password) > self.limit:
            raise OSError(1783, "The stub received bad data")
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if (service, username) not in self.entries:
            raise PasswordDeleteError("Password not found")
        del self.entries[service, username]


@contextmanager
def installed(backend: KeyringBackend) -> Iterator[Ring]:
    """Make it the key ring of this process for a while."""
    before = keyring.get_keyring()
    keyring.set_keyring(backend)
    try:
        yield backend  # type: ignore[misc]
    finally:
        keyring.set_keyring(before)
