"""Opening connections to PostgreSQL, and what must hold so that nothing is lost."""

from __future__ import annotations

from urllib.parse import quote, unquote, urlencode, urlsplit, urlunsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

from mailwright.outbox.asking import Query
from mailwright.outbox.postgres.meanings import read_only_place
from mailwright.words.errors import ConfigError, OutboxUnavailable
from mailwright.words.reply import visible
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OLDEST = 13  # of PostgreSQL
# Unless the URL says otherwise: 10 seconds for one try to connect, and 30 until a server that is silent counts as gone.
USUAL = {
    "connect_timeout": "10", "client_encoding": "utf8", "application_name": "mailwright",
    "keepalives_idle": "15", "keepalives_interval": "5", "keepalives_count": "3", "tcp_user_timeout": "30000",
}  # fmt: skip

# A worker's statements are all short ways through an index. On tables that were empty when a plan was made, PostgreSQL
# takes others, and keeps them: drained at a quarter of the rate. And what it then thinks to cost much it compiles.
PLANS = {
    "enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "enable_bitmapscan": "off",
    "plan_cache_mode": "force_generic_plan", "jit": "off",
}  # fmt: skip

# Whoever puts says the same few statements again and again, and to plan one anew takes longer than to perform it.
LASTING = b"SET plan_cache_mode = force_generic_plan"

FACTS = """SELECT current_setting('server_version_num')::int / 10000, current_setting('server_encoding'),
current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'),
pg_is_in_recovery(), current_setting('transaction_read_only'), pg_backend_pid()"""
TABLES = (
    "SELECT relname::text FROM pg_class WHERE relkind IN ('r', 'p') AND relname ~ '^mw_' AND pg_table_is_visible(oid)"
)
MIGRATING = "SELECT pg_advisory_xact_lock(1835100525)::text"


@value
class Address:
    """Where the database is: `dsn` for psycopg, `place` for people, `prepare`: after how many uses a statement is
    prepared, `None` for never.
    """

    dsn: str
    place: str
    prepare: int | None

    def __repr__(self) -> str:
        return f"<Address {self.place}>"

    def options(self) -> dict[str, Any]:
        """Arguments for `psycopg.connect`."""
        return {"autocommit": True, "prepare_threshold": self.prepare}


def address(url: str) -> Address:
    """From ``postgresql://user@host/name``. ``prepare_threshold`` is ours, other parameters are libpq's.

    Raises `ConfigError`.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _unreadable() from None
    # As libpq reads them: a plus is a plus.
    pairs = [pair.partition("=") for pair in parts.query.split("&") if pair]
    given = [(unquote(name), unquote(text)) for name, _, text in pairs]
    prepare: int | None = 5
    for name, text in given:
        if name == "prepare_threshold":
            if text.lower() != "none" and not text.isdecimal():
                raise ConfigError(f"prepare_threshold={visible(text, 40)} can't be used.", "Give a number, or none.")
            prepare = None if text.lower() == "none" else int(text)
    rest = [(name, text) for name, text in given if name != "prepare_threshold"]
    known = {name for name, _ in rest}
    rest += [(name, text) for name, text in USUAL.items() if name not in known]
    dsn = urlunsplit(parts._replace(query=urlencode(rest, quote_via=quote)))
    try:
        named = conninfo_to_dict(dsn)
    except (psycopg.ProgrammingError, ValueError):
        raise _unreadable() from None
    where = visible(str(named.get("host") or named.get("hostaddr") or "localhost"), 80)
    port = f":{named['port']}" if named.get("port") else ""
    return Address(dsn, f"postgresql://{where}{port}/{visible(str(named.get('dbname', '')), 60)}", prepare)


def _unreadable() -> ConfigError:
    """The error for a URL that is none; without what was raised, whose text may repeat it with the password in it."""
    how = "Write postgresql://user@host:5432/name; in a password [ is %5B, ] is %5D, / is %2F, @ is %40 and % is %25."
    return ConfigError("The URL of the database can't be read.", how)


def plans(how: str, before: str = "") -> bytes:
    """The statements that make the plans, for the connection (SET) or its next transaction (SET LOCAL)."""
    return (before + "; ".join(f"{how} {name} = {setting}" for name, setting in PLANS.items())).encode()


async def check(place: str, durable: bool) -> int:
    """A plan: raises `OutboxUnavailable` if this database could lose what it said was committed, or takes no writes.
    Gives the server process that answered: another than that of the connection is behind a pool.
    """
    version, encoding, fsync, pages, commit, replica, read_only, process = (await Query(FACTS, {}))[0]
    if version < OLDEST:
        raise OutboxUnavailable(
            f"{place} is PostgreSQL {version}; an outbox needs {OLDEST} or newer.", "Use a newer one."
        )
    if encoding != "UTF8":
        what = f"The database {place} keeps its texts in {encoding}; the outbox needs UTF8."
        raise OutboxUnavailable(what, "Make one with: createdb --encoding=UTF8 --template=template0 NAME")
    if replica or read_only == "on":
        raise read_only_place(place)
    if durable:
        check_durable(place, fsync, pages, commit)
    return int(process)


def check_durable(place: str, fsync: str, pages: str, commit: str) -> None:
    """Raises `OutboxUnavailable` for settings under which a committed transaction may be lost when the power fails."""
    for name, setting in (("fsync", fsync), ("full_page_writes", pages), ("synchronous_commit", commit)):
        if setting == "off":
            what = f"{name} is off in {place}: what was committed may be lost when the power fails."
            raise OutboxUnavailable(what, f"Set {name} = on, for the server, the database or this user.")


async def connect_to_listen(where: Address) -> psycopg.AsyncConnection[Any] | None:
    """A connection that hears when something is put; `None` where a pool stands between, through which nothing is
    heard.
    """
    made = await psycopg.AsyncConnection.connect(where.dsn, **where.options())
    try:
        process = await (await made.execute(b"SELECT pg_backend_pid()")).fetchone()
        if process is None or process[0] != made.info.backend_pid:
            await made.close()
            return None
        await made.execute(b"LISTEN mailwright")
    except BaseException:
        await made.close()
        raise
    return made
