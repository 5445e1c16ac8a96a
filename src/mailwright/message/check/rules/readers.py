"""HTML and CSS that common readers don't show; what and who stands in ``data/readers.json``."""

from __future__ import annotations

from functools import lru_cache

from mailwright.message.check.finding import INFO, WARNING, Group
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from mailwright.message.check.finding import Fault
    from mailwright.message.check.opened import Opened

group = Group("What readers don't show")
_OUTLOOK = "outlook-windows"


@value
class Feature:
    """A feature of HTML or CSS, and the readers that know it not at all or in part. `tested`: when that was last tried.
    `loss`: ``content`` if something is missing or does not work there, ``look`` if it only looks different.
    """

    id: str
    feature: str
    loss: str
    signs: frozenset[str]
    no: tuple[str, ...]
    partly: tuple[str, ...]
    tested: str
    instead: str


@value
class Readers:
    """The names of the readers by id, the features, and where and since when that is written."""

    names: dict[str, str]
    features: tuple[Feature, ...]
    source: str
    as_of: str


@lru_cache(maxsize=1)
def readers() -> Readers:
    """The table, loaded once."""
    import json

    loader: Any = __spec__.loader  # package data comes through the loader: it is found inside a zip, too
    folder = __file__.rpartition("rules")[0]
    table = json.loads(loader.get_data(f"{folder}data/readers.json"))
    rows = [
        Feature(**row | {"signs": frozenset(row["signs"]), "no": tuple(row["no"]), "partly": tuple(row["partly"])})
        for row in table["features"]
    ]
    return Readers(table["readers"], tuple(rows), table["source"], table["as_of"])


def _missed(mail: Opened, loss: str) -> Iterator[Fault]:
    """The features that the HTML uses and somebody does not know."""
    if mail.page is None:
        return
    signs = mail.page.signs | _attached_pictures(mail)
    for row in readers().features:
        if row.loss == loss and row.signs & signs:
            # Who writes conditional comments for Outlook gives it something else to show.
            lacking = [one for one in row.no if one != _OUTLOOK or not mail.page.for_outlook]
            if lacking:
                names = ", ".join(readers().names[one] for one in lacking)
                yield f"{row.feature} is not shown by {names}.", f"HTML, {row.id}", row.instead


def _attached_pictures(mail: Opened) -> set[str]:
    """The kinds of the pictures that come with the message and are shown in the HTML."""
    kinds = [one.kind.removeprefix("image/") for one in mail.files if one.cid and one.kind.startswith("image/")]
    return {f"image:{kind.partition('+')[0]}" for kind in kinds}


@group.rule(
    "content-not-shown", WARNING,
    why="Part of the message is missing, or does not work, for everybody who reads it there.",
    source="caniemail.com, see the table below",
    fix="Say it in a way that all show.",
)  # fmt: skip
def content_not_shown(mail: Opened) -> Iterator[Fault]:
    """HTML or pictures that a common reader leaves out."""
    yield from _missed(mail, "content")


@group.rule(
    "style-not-shown", INFO,
    why="It looks different there. That may be all right; have a look.",
    source="caniemail.com, see the table below",
    fix="See that the message can be read without it.",
)  # fmt: skip
def style_not_shown(mail: Opened) -> Iterator[Fault]:
    """CSS that a common reader leaves out."""
    yield from _missed(mail, "look")
