"""The tables of an outbox: making them, bringing older ones up to date, refusing newer ones; and who this database is.

All of a migration is one transaction, so one that is killed leaves what was there before.
"""

from __future__ import annotations

from mailwright.outbox.asking import Query
from mailwright.outbox.ids import new_id, text_of
from mailwright.outbox.statements import schema
from mailwright.words.errors import OutboxUnavailable
from mailwright.words.reply import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from mailwright.outbox.store import Store

VERSION = 1  # of the tables, as ``sql/schema-….sql`` make them


async def identify(store: Store, tables: Collection[str], place: str) -> str | None:
    """The identity of a database that is up to date; `None` for one that has to be made or migrated.

    `tables`: those whose names begin with ``mw_``. Raises `OutboxUnavailable` for tables of a newer version.
    """
    if await version(store, tables, place) < VERSION:
        return None
    return await store.meta("identity")


async def version(store: Store, tables: Collection[str], place: str) -> int:
    """The version of the tables, 0 where there are none. Raises `OutboxUnavailable`."""
    if "mw_meta" not in tables:
        if "mw_message" in tables:
            what = f"{place} has a table mw_message that is none of an outbox."
            raise OutboxUnavailable(what, "Use another database; this one was left alone.")
        return 0
    told = await store.meta("version") or "0"
    if not (told.isascii() and told.isdigit()):
        what = f"{place} is damaged: the version of its tables is {visible(told, 40)!r}."
        raise OutboxUnavailable(what, "Restore a backup beside it, started paused.")
    found = int(told)
    if found > VERSION:
        what = f"{place} was migrated by a newer mailwright (its tables are version {found}, this one knows {VERSION})."
        raise OutboxUnavailable(what, "Use that version here too; this database was left alone.")
    return found


async def migrate(store: Store, tables: Collection[str], place: str) -> str:
    """Make the tables, or bring them up to date, in the performer's one transaction. Gives the identity."""
    for step in range(await version(store, tables, place) + 1, VERSION + 1):
        for statement in apart(schema(store.dialect, step)):
            await Query(statement, {})
    identity = await store.meta("identity")
    if identity is None:
        identity = text_of(new_id())
        await store.set_meta("identity", identity)
        await store.set_meta("epoch", "1")
    await store.set_meta("version", str(VERSION))
    return identity


def apart(script: str) -> Iterator[str]:
    """The statements of a script, without its comments."""
    held: list[str] = []
    for line in script.splitlines():
        code = line.partition("--")[0].rstrip()
        if code.strip():
            held.append(code)
            statement = "\n".join(held)
            if code.endswith(";"):
                held.clear()
                yield statement.strip().removesuffix(";")
    if held:
        yield "\n".join(held).strip()
