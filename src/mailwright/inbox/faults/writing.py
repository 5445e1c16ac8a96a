"""Faults as text, for a command line, and as JSON.

::

    greeting delay=5
    rcpt reply="450 4.2.0 Greylisted" each times=1
    content drop=reset octets=2000
    after_dot times=1 sender=ada@example.org
    says gmail "app password wanted"

A stage is followed by an action, and a named fault (see `named`) by its arguments. Then come the other fields of
`Fault`; ``each`` alone means ``each=yes``.
"""

from __future__ import annotations

import shlex
from inspect import Parameter, signature
from typing import TYPE_CHECKING

from mailwright.inbox.faults.named import Named
from mailwright.smtp.receiving.faults import ACTIONS, STAGES, Fault
from mailwright.words.errors import ConfigError
from mailwright.words.options import did_you_mean
from mailwright.words.reply import Reply
from mailwright.words.value import fields_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_TEXT_LIMIT = 10_000  # characters
_NUMBERS = frozenset(("octets", "number", "after", "times", "seed", "code"))
_FRACTIONS = frozenset(("seconds", "chance"))
_SWITCHES = frozenset(("taken", "each"))
_YES = {"yes": True, "true": True, "1": True, "on": True, "no": False, "false": False, "0": False, "off": False}


class _Written(Named[Fault]):
    def arm(self, fault: Fault) -> Fault:
        return fault


def named() -> tuple[str, ...]:
    """The names of the faults that have one."""
    return tuple(name for name in vars(Named) if not name.startswith("_") and name not in ("add", "arm"))


def parse(text: str) -> Fault:
    """The fault that is written so. Raises `ConfigError`."""
    if len(text) > _TEXT_LIMIT:
        raise ConfigError(f"A fault is written in at most {_TEXT_LIMIT:,} characters.")
    try:
        first, *words = shlex.split(text)
    except ValueError as problem:
        raise ConfigError(f"{text!a:.60} is no fault.", f"{problem or 'It is empty'}.") from None
    name = first.replace("-", "_")
    if first in STAGES and (name not in named() or (words and words[0].partition("=")[0] in ACTIONS)):
        return _of_stage(first, words)
    if name in named():
        return _of_name(name, words)
    known = dict.fromkeys((*STAGES, *named()))  # some are both
    raise ConfigError(f"{first!a:.40} is neither a stage nor a fault.", did_you_mean(first, known))


def _of_stage(stage: str, words: list[str]) -> Fault:
    if not words:
        raise ConfigError(f"What is to happen at {stage}?", f"Write one of {', '.join(ACTIONS)} behind it.")
    action, _, main = words[0].partition("=")
    if action not in ACTIONS:
        raise ConfigError(f"There is no action {action!a:.40}.", did_you_mean(action, ACTIONS))
    fields = {name: _read(name, text) for name, text in map(_pair, words[1:])}
    if main:
        if not ACTIONS[action]:
            raise ConfigError(f"{action} has no value.")
        fields[ACTIONS[action]] = _read(ACTIONS[action], main)
    return _made(stage=stage, action=action, **fields)


def _of_name(name: str, words: list[str]) -> Fault:
    method = getattr(_Written(), name)
    own = signature(method).parameters
    given: list[Any] = [word for word in words if "=" not in word and word not in _SWITCHES and word != "drop"]
    fields: dict[str, Any] = {}
    for key, text in map(_pair, (word for word in words if word not in given)):
        known = own.get(key)
        if known is None or known.kind is Parameter.VAR_KEYWORD or key in _NUMBERS | _FRACTIONS | {"data"}:
            fields[key] = _read(key, text)
        else:
            fields[key] = _YES.get(text, text) if isinstance(known.default, bool) else text
    for place, parameter in enumerate(list(own.values())[: len(given)]):
        if parameter.name in _NUMBERS | _FRACTIONS:
            given[place] = _read(parameter.name, given[place])
    try:
        made: Fault = method(*given, **fields)
    except TypeError:
        raise ConfigError(f"{name} is not called like that.", f"It is {name}{signature(method)}.") from None
    return made


def _pair(word: str) -> tuple[str, str]:
    name, equals, text = word.partition("=")
    return name, text if equals else "yes"


def _read(name: str, text: str) -> Any:
    try:
        if name in _NUMBERS:
            return int(text)
        if name in _FRACTIONS:
            return float(text)
        if name in _SWITCHES:
            return _YES[text.lower()]
        if name == "data":
            return text.encode("ascii", "backslashreplace").decode("unicode_escape").encode("latin-1")
    except (ValueError, KeyError, UnicodeError):
        raise ConfigError(f"{name}={text!a:.40} can't be read.") from None
    return text.replace("\\n", "\n") if name == "reply" else text


def _made(**fields: Any) -> Fault:
    unknown = [name for name in fields if name not in Fault.__match_args__]
    if unknown:
        raise ConfigError(f"A fault has no {unknown[0]!a:.40}.", did_you_mean(unknown[0], _names()))
    return Fault(**fields)


def _names() -> tuple[str, ...]:
    names: tuple[str, ...] = Fault.__match_args__
    return names


def to_json(fault: Fault) -> dict[str, Any]:
    """The fields of a fault that say something, as JSON has them; `from_json` takes them back."""
    bare = Fault("noop", "omit")
    said: dict[str, Any] = {"stage": fault.stage, "action": fault.action}
    for name in fields_of(fault)[2:]:
        given = getattr(fault, name)
        if given != getattr(bare, name):
            said[name] = _told(given)
    return said


def _told(given: Any) -> Any:
    if isinstance(given, Reply):
        return "\n".join([f"{given.code} {given.lines[0] if given.lines else ''}", *given.lines[1:]])
    if isinstance(given, bytes):
        return given.decode("latin-1").encode("unicode_escape").decode("ascii")
    return list(given) if isinstance(given, tuple) else given


def from_json(said: Mapping[str, Any]) -> Fault:
    """The fault that `to_json` told so. Raises `ConfigError`."""
    fields = dict(said)
    for name, given in said.items():
        if name in _NUMBERS:
            fits = isinstance(given, int) and not isinstance(given, bool)
        elif name in _FRACTIONS:
            fits = isinstance(given, int | float) and not isinstance(given, bool)
        elif name in _SWITCHES:
            fits = isinstance(given, bool)
        elif name == "words":
            fits = isinstance(given, list) and all(isinstance(word, str) for word in given)
            fields[name] = tuple(given) if fits else ()
        else:
            fits = isinstance(given, str) and len(given) <= _TEXT_LIMIT
            fields[name] = _read(name, given) if fits and name == "data" else given
        if not fits:
            raise ConfigError(f"{name}={given!a:.40} is not of the kind that it must be.")
    if not {"stage", "action"} <= fields.keys():
        raise ConfigError("A fault has a stage and an action.")
    return _made(**fields)


def written(fault: Fault) -> str:
    """The fault as text, which `parse` reads."""
    said = to_json(fault)
    stage, action = said.pop("stage"), said.pop("action")
    main = ACTIONS[action]
    words = [stage, f"{action}={_word(said.pop(main))}" if main in said else action]
    for name, given in said.items():
        words.append(name if given is True else f"{name}={_word(given)}")
    return " ".join(map(shlex.quote, words))


def _word(given: Any) -> str:
    if isinstance(given, bool):
        return "yes" if given else "no"
    return ",".join(given) if isinstance(given, list) else str(given).replace("\n", "\\n")
