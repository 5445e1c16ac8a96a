"""The statements, by name: those that both engines share, and each engine's own.

They stand in ``sql/``: SQL is read best as SQL. `:name` is a parameter, ``{now}`` and ``{never}`` are times, and
``IN [:name]`` is a list, each put into the engine's own words when the file is read.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from mailwright.outbox.rows import NEVER
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)")
_LIST = re.compile(r"IN \[:([a-z_]+)\]")


@value
class Dialect:
    """How an engine wants to be asked: its `name`, its clock in milliseconds (`now`), how a `parameter` and a list of
    them (`listed`) are written, each a format with the name.
    """

    name: str
    now: str
    parameter: str
    among: str

    def words(self, text: str) -> str:
        """A statement as this engine takes it."""
        text = _LIST.sub(lambda found: self.among.format(f":{found[1]}"), text)
        text = text.replace("{now}", self.now).replace("{never}", str(NEVER))
        return _PARAMETER.sub(lambda found: self.parameter.format(found[1]), text)

    def where(self, conditions: Iterable[str]) -> str:
        """Conditions, written as in ``sql/``, all of which must hold."""
        return " AND ".join(map(self.words, conditions)) or "1 = 1"

    def listed(self, values: Iterable[object]) -> Any:
        """A list as the parameter of ``IN [:name]``."""
        if self.name == "sqlite":
            from json import dumps

            return dumps(list(values))
        return list(values)


SQLITE = Dialect(
    "sqlite",
    # Every release has julianday; unixepoch('subsec') came with 3.42.
    "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
    ":{}",
    "IN (SELECT value FROM json_each({}))",
)
POSTGRES = Dialect("postgres", "(extract(epoch FROM statement_timestamp()) * 1000)::bigint", "%({})s", "= ANY({})")


@cache
def statements(dialect: Dialect) -> Mapping[str, str]:
    """All statements for this engine, by their names."""
    found: dict[str, str] = {}
    for file in ("common.sql", f"{dialect.name}.sql"):
        parts = _NAME.split(files("mailwright.outbox").joinpath("sql", file).read_text("utf-8"))
        for name, text in zip(parts[1::2], parts[2::2], strict=True):
            lines = [line for line in text.splitlines() if not line.startswith("--")]
            found[name] = dialect.words("\n".join(lines).strip().removesuffix(";"))
    return found


def schema(dialect: Dialect, version: int) -> str:
    """The script that brings a database from the version before to `version`. Raises `FileNotFoundError`."""
    return files("mailwright.outbox").joinpath("sql", f"schema-{version}.{dialect.name}.sql").read_text("utf-8")
