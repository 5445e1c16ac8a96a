"""SQLite as the outbox's database: a file on this machine's own disk.

A worker's write transactions are short (20 ms at most, see `working`), and it never waits for the lock inside SQLite:
it tries, and tries again a little later, so that whoever has the default time-out never sees "database is locked".

===========  =========================================================================
`engine`     `SqliteDatabase`: transactions for any number of threads
`threaded`   the same for asyncio, by threads
`desk`       the same for a worker, in its loop's own thread
`joining`    the application's own connection
`session`    performing steps on a connection, and what errors mean
`pool`       connections shared by threads, and let go before a fork
`file`       opening the file, and knowing that it is still the same one
`mounts`     which file systems are not this machine's own
===========  =========================================================================
"""

from __future__ import annotations

from mailwright.outbox.sqlite.engine import SqliteDatabase
from mailwright.outbox.sqlite.session import SqliteSession

__all__ = ["SqliteDatabase", "SqliteSession"]
