"""PostgreSQL as the outbox's database, through psycopg 3: for many machines, on the server that is already there.

============  ========================================================================
`arrays`      columns of values in PostgreSQL's binary form
`store`       the plans, with whole batches in one statement each
`session`     performing steps on a connection, and transactions
`connecting`  opening connections, and what must hold so that nothing is lost
`meanings`    what PostgreSQL's errors mean here, and what to do
`pool`        connections shared by threads, or by tasks
`engine`      `PostgresDatabase` and `AsyncPostgresDatabase`
`joining`     the application's own connections
`desk`        what a worker has, and how it hears of new rows
============  ========================================================================
"""

from __future__ import annotations

from mailwright.words.extras import extra

extra("psycopg", "postgres", "An outbox in PostgreSQL")  # before the modules that import it: raises MissingExtra

from mailwright.outbox.postgres.desk import PostgresDesk  # noqa: E402
from mailwright.outbox.postgres.engine import AsyncPostgresDatabase, PostgresDatabase  # noqa: E402
from mailwright.outbox.postgres.session import AsyncPostgresSession, PostgresSession  # noqa: E402
from mailwright.outbox.postgres.store import PostgresStore  # noqa: E402

__all__ = [
    "AsyncPostgresDatabase",
    "AsyncPostgresSession",
    "PostgresDatabase",
    "PostgresDesk",
    "PostgresSession",
    "PostgresStore",
]
