"""How services refuse, in their own words: `data/refusals.json`, and for logins `data/manners.json`."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from mailwright.words.errors import ConfigError
from mailwright.words.options import did_you_mean
from mailwright.words.reply import Reply

if TYPE_CHECKING:
    from typing import Any


def refusal(service: str, occasion: str) -> tuple[str, Reply]:
    """The stage at which that service says so, and its reply. Raises `ConfigError`."""
    known = _data()
    if service not in known:
        raise ConfigError(f"No words of {service!a:.60} are known.", did_you_mean(service, known))
    row = known[service].get(occasion)
    if row is None:
        what = f"What {service} says on the occasion {occasion!a:.60} is not known."
        raise ConfigError(what, did_you_mean(occasion, known[service]))
    code, *lines = row["reply"]
    return row["stage"], Reply(code, tuple(lines))


def occasions() -> tuple[tuple[str, str], ...]:
    """Every service with each occasion on which its words are known."""
    return tuple((service, occasion) for service, rows in _data().items() for occasion in rows)


@cache
def _data() -> dict[str, dict[str, Any]]:
    text = files("mailwright.inbox").joinpath("data", "refusals.json").read_text("utf-8")
    rows: dict[str, dict[str, Any]] = json.loads(text)["services"]
    return rows
