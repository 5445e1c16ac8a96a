"""Putting an account into the text of a config.toml, without touching what else stands there.

Lines are moved, not understood; the outcome is read back and compared with what was meant. What can't be changed so is
left alone.
"""

from __future__ import annotations

from mailwright.words.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_ESCAPED = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
#: Keys that an account replaces as a whole; others, such as time-outs, stay.
_REPLACED = ("url", "host", "port", "security", "user", "password", "token", "sender", "auth")


def with_account(text: str, name: str, account: Mapping[str, Any], *, default: bool = False) -> str:
    """`text` with that account, new or instead of the one of this name, whose other keys stay. `default` makes it the
    default; else the default stays what it is, also where nothing said so because there was but one account.

    Raises `ConfigError`, which tells the lines to add by hand.
    """
    lines = _block(name, account)
    new = _changed(text, name, account, default)
    del text  # it may hold passwords
    if new is None:
        raise ConfigError(
            "The configuration file is written in a way that can't be changed safely.",
            f"Put this into it by hand: {'; '.join(lines)}.",
        )
    return new


def _changed(text: str, name: str, account: Mapping[str, Any], default: bool) -> str | None:
    import tomllib

    try:
        document = tomllib.loads(text)
        accounts = document.get("accounts", {})
        kept = {key: given for key, given in accounts.get(name, {}).items() if key not in _REPLACED}
        table = {**account, **kept}
        meant = {**document, "accounts": {**accounts, name: table}}
        lines = _without(text, name)
        chosen = name if default else _silent_default(document, name)
        if chosen is not None:
            meant["default"] = chosen
            lines = [f"default = {_toml(chosen)}\n", *_without_default(lines)]
        body = "".join(lines).rstrip()
        new = "\n".join([*([body, ""] if body else []), *_block(name, table), ""])
        return new if tomllib.loads(new) == meant else None
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


def _silent_default(document: Mapping[str, Any], name: str) -> str | None:
    """The account that is the default only because it is alone, and will not be any more."""
    accounts = document.get("accounts", {})
    return next(iter(accounts)) if len(accounts) == 1 and name not in accounts and "default" not in document else None


def _block(name: str, table: Mapping[str, Any]) -> list[str]:
    return [f"[accounts.{_key(name)}]", *(f"{_key(key)} = {_toml(given)}" for key, given in table.items())]


def _without(text: str, name: str) -> list[str]:
    """The lines of `text` but for those of the account and its own tables."""
    kept, inside = [], False
    for line in text.splitlines(keepends=True):
        header = _header(line)
        if header is not None:
            inside = header[:2] == ["accounts", name]
        if not inside:
            kept.append(line)
    return kept


def _without_default(lines: list[str]) -> list[str]:
    """`lines` without the one that names the default account, which stands before all tables."""
    first = next((number for number, line in enumerate(lines) if _header(line) is not None), len(lines))
    head = [line for line in lines[:first] if line.partition("=")[0].strip() != "default"]
    return head + lines[first:]


def _header(line: str) -> list[str] | None:
    """The keys of a table's header, or `None` if the line is none."""
    if not line.lstrip().startswith("["):
        return None
    import tomllib

    try:
        found = tomllib.loads(line)
    except (ValueError, RecursionError):
        return None
    keys = []
    while isinstance(found, dict) and found:
        ((key, found),) = found.items()
        keys.append(key)
    return keys


def _key(key: str) -> str:
    return key if key and all(c.isascii() and (c.isalnum() or c in "-_") for c in key) else _toml(key)


def _toml(given: Any) -> str:
    """A value as TOML writes it. Raises `TypeError` for what an account can't hold."""
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, int | float):
        return repr(given)
    if isinstance(given, str):
        return '"' + "".join(_ESCAPED.get(c, c if c.isprintable() else f"\\U{ord(c):08x}") for c in given) + '"'
    if isinstance(given, list):
        return f"[{', '.join(map(_toml, given))}]"
    if isinstance(given, dict):
        return "{" + ", ".join(f"{_key(key)} = {_toml(one)}" for key, one in given.items()) + "}"
    raise TypeError(f"{type(given).__name__} has no place in an account")
