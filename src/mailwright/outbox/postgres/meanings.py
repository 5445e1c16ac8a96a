"""What PostgreSQL's errors mean for an outbox, and what to do about them.

The numbers are SQLSTATEs (PostgreSQL's Appendix A). Texts of the server are shown without what could harm a terminal,
and addresses of databases without the password.
"""

from __future__ import annotations

import re

import psycopg

from mailwright.words.errors import OutboxUnavailable
from mailwright.words.reply import visible

AGAIN = ("40001", "40P01")  # no serial order, a circle of waiting: the same transaction works the next time
POOLER = (
    "The connection leads through a pool that changes servers between transactions (as PgBouncer does with "
    "pool_mode=transaction)."
)
_POOLED = "Set prepare_threshold=None where the application connects, or give the pool pool_mode=session."
_READ_ONLY = (
    "{place} takes no writes: it is a replica, or default_transaction_read_only is set.",
    "Name the primary; several hosts may be named, with target_session_attrs=read-write.",
)

_MEANINGS = {
    "25006": _READ_ONLY,
    "26000": (POOLER, _POOLED),
    "42P05": (POOLER, _POOLED),
    "08P01": (POOLER, _POOLED),
    "28P01": ("{place} does not accept the password.", "Correct it in the URL, in PGPASSWORD or in the password file."),
    "28000": ("{place} does not let this user in.", "Name a user that may connect, or let it in by pg_hba.conf."),
    "3D000": ("There is no such database: {place}.", "Make it with createdb, or correct its name."),
    "42501": ("This user has no right to the outbox's tables in {place}.",
              "Let their owner run `mailwright outbox migrate`, and grant SELECT, INSERT, UPDATE and DELETE on them."),
    "42P01": ("{place} has no tables of an outbox where this connection looks for them.",
              "Run `mailwright outbox migrate`, or set the search_path to the schema that has them."),
    "42703": ("The outbox's tables in {place} are of another version.", "Run `mailwright outbox migrate`."),
    "53100": ("The disk of {place} is full.", "Make room there; what was put before stays in it."),
    "53200": ("{place} has no memory left.", "Look at what else runs there; what was put before stays in it."),
    "53300": ("{place} has no connection left.", "Raise max_connections, or let fewer processes connect."),
    "55P03": ("Another transaction holds what is needed in {place}, longer than lock_timeout allows.",
              "Look in pg_stat_activity for a transaction that is left open."),
    "57014": ("{place} ended the statement: it took longer than statement_timeout allows, or somebody cancelled it.",
              "Look in pg_stat_activity for a transaction that is left open."),
    "57P01": ("{place} is being stopped, or somebody ended this connection.", "Try again when it is back."),
    "57P02": ("{place} has crashed and comes back by itself.", "Try again in a moment."),
    "57P03": ("{place} is starting or stopping.", "Try again in a moment."),
}  # fmt: skip


#: libpq does not tell the number of what keeps it from connecting, so its words have to do, where they are English.
_WORDS = {
    r"password authentication failed|no password supplied": "28P01",
    r"no pg_hba\.conf entry|role .* does not exist|authentication failed": "28000",
    r"database .* does not exist": "3D000",
    r"too many clients|remaining connection slots|too many connections": "53300",
    r"is starting up|is shutting down|not yet accepting": "57P03",
}


def state_of(problem: psycopg.Error) -> str:
    """The SQLSTATE of an error, empty where it is not known."""
    if problem.sqlstate:
        return problem.sqlstate
    return next((state for words, state in _WORDS.items() if re.search(words, str(problem))), "")


def worth_repeating(problem: BaseException) -> bool:
    """Whether the same transaction may well work now, on the same connection."""
    return isinstance(problem, psycopg.Error) and problem.sqlstate in AGAIN


def gone(problem: BaseException) -> bool:
    """Whether the server was not reached, or the connection to it was lost: it may be back in a moment."""
    if not isinstance(problem, psycopg.OperationalError):
        return False
    state = state_of(problem)
    if state == "08P01":  # a protocol error: a pool, and not a server that is away
        return False
    return not state or state[:2] == "08" or state in ("57P01", "57P02", "57P03", "53300")


def read_only_place(place: str) -> OutboxUnavailable:
    """The error for a database that takes no writes."""
    what, advice = _READ_ONLY
    return OutboxUnavailable(what.format(place=place), advice)


def unavailable(problem: psycopg.Error, place: str) -> OutboxUnavailable:
    """What an error of psycopg means for the outbox in `place`."""
    said = visible(" ".join(str(problem).split()), 300)
    state = state_of(problem)
    if state in _MEANINGS:
        what, advice = _MEANINGS[state]
        return OutboxUnavailable(what.format(place=place), advice)
    if state in AGAIN:
        what = f"Others wrote the same rows of {place} at the same time, again and again ({said})."
        return OutboxUnavailable(what, "Repeat the whole transaction.")
    if not state and "prepared statement" in said:
        return OutboxUnavailable(POOLER, _POOLED)
    if gone(problem):
        return OutboxUnavailable(f"{place} can't be reached ({said}).", "Look whether it runs, and try again.")
    return OutboxUnavailable(f"The database {place} failed ({said}).", "What was put before stays in it.")
