"""Services that the inbox can speak as. What they say is data (`data/manners.json`), not code."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from mailwright.smtp.receiving.manners import Manners
from mailwright.words.errors import ConfigError
from mailwright.words.options import did_you_mean
from mailwright.words.reply import Reply
from mailwright.words.value import replace

if TYPE_CHECKING:
    from typing import Any

    from mailwright.smtp.receiving import Rules


def rules_as(rules: Rules, service: str) -> Rules:
    """`rules` with the offers and the words of that service, which lets nobody in without a login. Raises
    `ConfigError` for one that is not known.
    """
    row = _row(service)
    replies = {occasion: Reply(code, tuple(lines)) for occasion, (code, *lines) in row["replies"].items()}
    return replace(
        rules,
        name=row["hosts"][0],
        size=row["size"],
        extensions=tuple(row["extensions"]),
        mechanisms=tuple(row["mechanisms"]),
        login_required=True,
        manners=Manners(row["greeting"], row["hello"], row["password"], replies),
    )


def hosts_of(service: str) -> tuple[str, ...]:
    """The names under which its users know it: the inbox's certificate is for them too."""
    return tuple(_row(service)["hosts"])


def services() -> tuple[str, ...]:
    """The names that `rules_as` takes."""
    return tuple(_data())


@cache
def _data() -> dict[str, Any]:
    text = files("mailwright.inbox").joinpath("data", "manners.json").read_text("utf-8")
    rows: dict[str, Any] = json.loads(text)["services"]
    return rows


def _row(service: str) -> dict[str, Any]:
    rows = _data()
    if service not in rows:
        raise ConfigError(f"The inbox can't speak as {service!a:.60}.", did_you_mean(service, rows))
    row: dict[str, Any] = rows[service]
    return row
