"""Whom a local name such as ``root`` means: there are no mailboxes here, so that every name leads to an address.

The first of these that knows a name counts: the table ``[aliases]`` of the user's config.toml, the file ``aliases``
beside it, and then both of the system's. A name that nobody knows is the account's own sender.
"""

from __future__ import annotations

import os

from mailwright.mailer.config_file import ConfigFile
from mailwright.mailer.files import config_places, exists, read_file
from mailwright.words.address import Address
from mailwright.words.errors import AddressError, ConfigError
from mailwright.words.reply import visible
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

#: A name that a user or an alias has; an address may begin with "|" or "/", and no such name is let near a program.
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-")
_LOCAL_DOMAINS = ("localhost", "localhost.localdomain")
_LIMIT = 1000  # addresses that one name may mean
_DEPTH = 20  # names that lead to each other
_REFUSED = {"|": "a program", "/": "a file", ":": "a list in another file"}


@value
class Table:
    """The names that one source knows, in lower case, each with what it leads to. `where` is the source."""

    where: str
    entries: Mapping[str, tuple[str, ...]]


def local_name(spec: str) -> str | None:
    """The local name that `spec` is, or `None` for an address in the world."""
    name, at, domain = spec.rpartition("@")
    if not at:
        return spec
    return name if domain.lower() in _LOCAL_DOMAINS else None


class Directory:
    """Looks up local names. `own` gives the account's sender, or `None`. The files are read at the first look."""

    def __init__(self, environ: Mapping[str, str], own: Callable[[], Address | None]) -> None:
        self._environ = environ
        self._own = own
        self._tables: list[Table] | None = None

    def meant(self, name: str) -> tuple[Address, ...]:
        """The addresses that `name` leads to, at least one. Raises `AddressError` or `ConfigError`."""
        if not name or not set(name) <= _NAME or name.startswith("-"):
            raise AddressError(
                f"“{visible(name, 80)}” is neither an address nor a local name.",
                "Write a recipient like ada@example.org, and options before all recipients.",
                text=name,
            )
        found: dict[str, Address] = {}
        self._follow(name, (), found, set())
        return tuple(found.values())

    def _follow(self, name: str, chain: tuple[str, ...], found: dict[str, Address], done: set[str]) -> None:
        key = name.lower()
        if key in chain[:-1] or len(chain) > _DEPTH:
            raise ConfigError(
                f"The aliases lead in a circle from {chain[0]} to {key}.", "Let one of them be an address."
            )
        table = None if chain[-1:] == (key,) else next((one for one in self.tables() if key in one.entries), None)
        if table is None:
            self._add(self._sender(name), found)
            return
        if key in done:
            return
        for target in table.entries[key]:
            where = f"{table.where}, alias {visible(key, 60)}"
            name_there = self._address(target, where, found)
            if name_there:
                self._follow(name_there, (*chain, key), found, done)
        done.add(key)

    def _address(self, target: str, where: str, found: dict[str, Address]) -> str:
        """Add the address that `target` is, or give the local name that it is."""
        kind = target.lstrip('"')[:1]
        if kind in _REFUSED:
            raise ConfigError(
                f"{where}: it leads to {_REFUSED[kind]}, which is not done here; the message was not sent.",
                "Give addresses there.",
            )
        if kind == "\\":  # this name itself, not what it leads to: the mailbox that there is not
            self._add(self._sender(target[1:]), found)
        elif (name := local_name(target)) and set(name) <= _NAME:
            return name
        else:
            try:
                self._add(Address.parse(target), found)
            except AddressError as problem:
                raise ConfigError(f"{where}: {problem.what}", problem.advice) from None
        return ""

    def _add(self, address: Address, found: dict[str, Address]) -> None:
        found[address.spec] = address
        if len(found) > _LIMIT:
            raise ConfigError(f"An alias leads to more than {_LIMIT} addresses.", "Use a mailing list for that.")

    def _sender(self, name: str) -> Address:
        own = self._own()
        if own is None:
            raise ConfigError(
                f"Nobody knows where mail for the local name {visible(name, 80)} is to go.",
                "Give the account a sender, or write it into [aliases] of config.toml.",
            )
        return own

    def tables(self) -> list[Table]:
        """All that is known, the first first. A file that this user may not read is not there for it."""
        if self._tables is None:
            self._tables = list(_tables(self._environ))
        return self._tables


def _tables(environ: Mapping[str, str]) -> Iterator[Table]:
    for path in config_places(environ):
        if exists(path) and os.access(path, os.R_OK):
            config = ConfigFile(read_file(path))
            if config.aliases:
                entries = {name.lower(): _targets(texts) for name, texts in config.aliases.items()}
                yield Table(f"[aliases] in {visible(path, 300)}", entries)
        beside = os.path.join(os.path.dirname(path), "aliases")
        if exists(beside) and os.access(beside, os.R_OK):
            yield read_table(read_file(beside).text, beside)


def read_table(text: str, path: str) -> Table:
    """The names in a file like /etc/aliases: ``name: target, target``, comments, and lines that go on with white space.

    Raises `ConfigError`, showing no line.
    """
    where = visible(path, 300)
    lines: list[tuple[int, str]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line[:1] in (" ", "\t") and lines and line.strip():
            lines[-1] = (lines[-1][0], f"{lines[-1][1]} {line.strip()}")
        elif line.strip() and not line.lstrip().startswith("#"):
            lines.append((number, line.strip()))
    entries: dict[str, tuple[str, ...]] = {}
    for number, line in lines:
        name, colon, rest = line.partition(":")
        targets = _targets((rest,))
        if not colon or not name.strip() or not targets:
            raise ConfigError(
                f"Line {number} of {where} is not understood.", "Write name: ada@example.org, grace@example.net."
            )
        entries.setdefault(name.strip().strip('"').lower(), targets)
    return Table(where, entries)


def _targets(texts: tuple[str, ...]) -> tuple[str, ...]:
    """What stands between the commas that are not quoted."""
    found: list[str] = []
    for text in texts:
        piece, quoted = "", False
        for part in text.split(","):
            piece = f"{piece},{part}" if quoted else part
            quoted = piece.count('"') % 2 == 1
            if not quoted:
                found.append(piece.strip())
        if quoted:
            found.append(piece.strip())
    return tuple(filter(None, found))
