"""Which outbox is meant, and how its commands speak."""

from __future__ import annotations

import json
import os
import re

from mailwright.cli.exit_codes import USAGE
from mailwright.words.errors import ConfigError
from mailwright.words.reply import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from datetime import datetime, timedelta
    from typing import Any

    from mailwright.outbox.outbox import Outbox

VARIABLE = "MAILWRIGHT_OUTBOX"
_SPAN = re.compile(r"\+?([0-9]{1,9}(?:\.[0-9]{1,3})?) ?(s|m|h|d|w)", re.ASCII)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def where(given: str | None) -> str:
    """The outbox that is meant: as `given`, in the environment, or in the first config.toml that names one. Raises
    `ConfigError`.
    """
    named = given or os.environ.get(VARIABLE)
    if named:
        return named
    from mailwright.mailer.config_file import ConfigFile
    from mailwright.mailer.files import config_places, exists, read_file

    places = config_places(os.environ)
    for path in places:
        if exists(path):
            named = ConfigFile(read_file(path)).outbox
            if named:
                return _beside(named, path)
    first = visible(next(iter(places), "config.toml"), 300)
    raise ConfigError(
        "No outbox is configured.",
        f'Give --outbox sqlite:////var/lib/app/mail.db, set {VARIABLE}, or write outbox = "…" into {first}.',
    )


def _beside(named: str, path: str) -> str:
    """A file as the settings mean it: a relative path starts beside them."""
    from mailwright.mailer.files import located
    from mailwright.outbox.database import where_is

    kind, place = where_is(named)
    return located(place, path) if kind == "sqlite" else named


def opened(arguments: argparse.Namespace, *, paused: bool = False) -> Outbox:
    """The outbox of a command line, open. Raises `ConfigError`, `OutboxUnavailable`."""
    from mailwright.outbox.outbox import Outbox

    return Outbox(where(arguments.outbox), paused=paused)


def moment(text: str | None, option: str) -> datetime | timedelta | None:
    """A time as it is written on a command line: ``2026-11-24T08:00:00+01:00``, or a span from now on such as ``2h``.
    Raises `ConfigError`.
    """
    from datetime import datetime, timedelta

    if text is None:
        return None
    span = _SPAN.fullmatch(text.strip())
    if span is not None:
        return timedelta(seconds=float(span[1]) * _UNITS[span[2]])
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ConfigError(
            f"--{option} is no time.", "Write it like 2026-11-24T08:00:00+01:00, or as a span: 90s, 30m, 2h, 5d, 1w."
        ) from None
    return found if found.tzinfo is not None else found.astimezone()  # the time zone of this machine


def past(text: str | None, option: str) -> datetime | None:
    """The same, but a span goes back from now."""
    from datetime import UTC, datetime, timedelta

    found = moment(text, option)
    return datetime.now(UTC) - found if isinstance(found, timedelta) else found


def span(text: str | None, option: str) -> timedelta | None:
    """A span such as ``30d``. Raises `ConfigError`."""
    from datetime import timedelta

    found = moment(text, option)
    if found is None or isinstance(found, timedelta):
        return found
    raise ConfigError(f"--{option} is no span of time.", "Write it like 90s, 30m, 2h, 5d or 1w.")


def refuse(problem: str, action: str) -> int:
    """Complain about the command line, and give the exit code."""
    from mailwright.cli import complain

    complain(f"{problem} See mailwright outbox {action} --help.", f"mailwright outbox {action}")
    return USAGE


def tell_json(facts: object) -> None:
    """Print a value of ours as one line of JSON."""
    from mailwright.cli import tell

    tell(json.dumps(plain(facts), ensure_ascii=False))


def plain(thing: Any) -> Any:
    """A value as JSON has it: its fields by name, times in ISO 8601, a state as its name."""
    from datetime import datetime

    from mailwright.words.value import fields_of

    if isinstance(thing, datetime):
        return thing.isoformat(timespec="milliseconds")
    if isinstance(thing, dict):
        return {name: plain(one) for name, one in thing.items()}
    if isinstance(thing, (list, tuple)):
        return [plain(one) for one in thing]
    if thing is None or isinstance(thing, (str, int, float, bool)):
        return thing
    if isinstance(thing, bytes):
        return thing.hex()
    if type(thing).__name__ == "State":
        return thing.name
    return {name: plain(getattr(thing, name)) for name in fields_of(thing)}


def ago(when: datetime | None) -> str:
    """How long ago something ended, in the one unit that fits."""
    from datetime import UTC, datetime

    return "-" if when is None else f"{spoken(max(0.0, (datetime.now(UTC) - when).total_seconds()))} ago"


def due(when: datetime) -> str:
    """When something is next tried."""
    from datetime import UTC, datetime

    seconds = (when - datetime.now(UTC)).total_seconds()
    return f"next in {spoken(seconds)}" if seconds > 0 else "due now"


def spoken(seconds: float | None) -> str:
    """A span in the one unit that fits."""
    if seconds is None:
        return "-"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 or seconds == 0 else f"{seconds:.2g} s"
