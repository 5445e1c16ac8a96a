"""`Outbox`: the durable tray, from blocking code."""

from __future__ import annotations

from time import sleep

from mailwright.outbox import changing, looking
from mailwright.outbox.asking import conduct
from mailwright.outbox.batches import Batches
from mailwright.outbox.database import database
from mailwright.outbox.finding import PAGE, Wanted, find, place_after
from mailwright.outbox.grouping import Group
from mailwright.outbox.ids import id_of, text_of
from mailwright.outbox.putting import MAX_SIZE, House, Terms, draft_of, milliseconds, put, seconds, written
from mailwright.outbox.stats import stats
from mailwright.outbox.suppressing import names_on_list, suppress, suppressions, unsuppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import timedelta
    from os import PathLike
    from types import TracebackType
    from typing import Any

    from mailwright.mailer.outgoing import Sendable
    from mailwright.outbox.bounces import Heard, Rules
    from mailwright.outbox.changing import Pruned
    from mailwright.outbox.putting import InDoubt, Lane, Put, When
    from mailwright.outbox.rows import Draft
    from mailwright.outbox.status import Delivery, Stats, Status
    from mailwright.outbox.store import Store
    from mailwright.outbox.suppressing import Suppression
    from mailwright.outbox.work.telling import Done
    from mailwright.outbox.work.worker import Servers
    from mailwright.words.address import Address


class Outbox:
    """A durable tray between an application and its mail server, kept in the database `where`: ``sqlite:///mail.db``,
    a path, or ``postgresql://…``.

    ::

        outbox = Outbox("sqlite:///mail.db")
        id = outbox.put(Message("ada@example.org", "bob@example.net", "Minutes", "Dear Bob, …"))

    Opening makes the tables or brings them up to date. `max_size`: octets that a message may have. `in_doubt`:
    what `put` means where it does not say it, for all messages or, as a mapping, by their streams. `durable`: refuse
    connections whose settings may lose what was committed. `paused`: tell all workers to claim nothing until `resume`,
    as for a database that may be a restored backup. Threads may share it, and a child process after a fork has
    connections of its own. Use it as a context manager, or call `close`. Raises `ConfigError`, `OutboxUnavailable`.
    """

    def __init__(
        self,
        where: str | PathLike[str],
        *,
        max_size: int = MAX_SIZE,
        in_doubt: InDoubt | Mapping[str, InDoubt] = "retry",
        durable: bool = True,
        paused: bool = False,
    ) -> None:
        self.house = House(max_size, in_doubt)
        self.database = database(where, durable=durable)
        self._group = Group(self.database)
        if paused:
            self.pause()

    @property
    def store(self) -> Store:
        """The statements of its database."""
        return self.database.store

    def put(
        self,
        message: Sendable,
        *,
        key: str | None = None,
        connection: Any = None,
        account: str = "default",
        stream: str = "default",
        lane: Lane = "normal",
        at: When | None = None,
        expires: When | None = None,
        in_doubt: InDoubt | None = None,
        sender: str | Address | None = None,
        to: Iterable[str | Address] | str | Address | None = None,
        held: bool = False,
    ) -> str:
        """Put a message in, and give its id. When this returns the message is on the disk and will not be lost.

        `message`, `sender` and `to` are as in `Mailer.send`; octets, Date and Message-ID are fixed now.

        ``key``
            At most 255 characters. Putting the same content again with the same key, in the same stream, gives the id
            of the first and puts nothing; other content raises `KeyReused`. Content is what the author gave: a Date,
            Message-ID or boundary that was made for it does not count, the envelope does.
        ``connection``
            The application's own connection to the same database: of sqlite3, psycopg, SQLAlchemy (connection or
            session) or Django. The message is then part of its transaction: it is there when that is committed, and
            not when it is rolled back. In autocommit it is a transaction of its own. See `mailwright.outbox.joining`.
        ``account``
            Through which of the worker's servers it goes.
        ``stream``
            A name for what belongs together; keys are unique within it.
        ``lane``
            ``"urgent"``, ``"normal"`` or ``"bulk"``.
        ``at``, ``expires``
            Not before, and not after: a datetime with a time zone, a timedelta from now on, or seconds since 1970.
        ``in_doubt``
            When the reply to the whole message is lost: ``"retry"`` sends again, so that a copy may arrive twice;
            ``"hold"`` sets it aside until somebody decides. Without it, as the outbox was told for the stream.
        ``held``
            Send nothing before `release` is called.

        A recipient on the suppression list gets nothing, which `status` tells. Raises `MessageError`, `ConfigError`,
        `KeyReused`, `OutboxUnavailable`.
        """
        terms = Terms(account, stream, lane, at, expires, in_doubt, held)
        draft = draft_of(message, key, terms, sender, to, self.house)
        if connection is None:
            return text_of(self._group.put(draft))
        (answer,) = self.database.joined(connection, lambda: put(self.store, [draft]))
        return text_of(written(answer))

    def put_many(
        self,
        messages: Iterable[Sendable | Put],
        *,
        connection: Any = None,
        account: str = "default",
        stream: str = "default",
        lane: Lane = "normal",
        at: When | None = None,
        expires: When | None = None,
        in_doubt: InDoubt | None = None,
        held: bool = False,
    ) -> list[str]:
        """Put the messages of any iterable in, a thousand in a commit, and give their ids in order.

        A `Put` is a message with a key and options of its own; the other options are as in `put`. Of a generator no
        more than one batch is in memory. What the iterable raises is raised; the batches before are in then, and so
        when the process is killed: with a key for each message the same call again puts only what is missing. The
        first `KeyReused` is raised after its batch, whose other messages are in.
        """
        terms = Terms(account, stream, lane, at, expires, in_doubt, held)
        found: list[str] = []

        def write(drafts: list[Draft], group: Group) -> None:
            answers: Sequence[Any]
            if connection is not None:
                answers = self.database.joined(connection, lambda: put(self.store, drafts))
            else:
                answers = group.put_all(drafts)
            found.extend([text_of(written(answer)) for answer in answers])

        batches = Batches(terms, self.house)
        with self.database.loading() as loading:
            full = Group(loading)
            for one in messages:
                if drafts := batches.add(one):
                    write(drafts, full)
        if rest := batches.rest():
            write(rest, self._group)
        return found

    def status(self, id: str) -> Status:
        """The message, and what became of every recipient. Raises `OutboxError` if there is none with this `id`."""
        wanted = id_of(id)
        return self.database.read(lambda: looking.status(self.store, wanted))

    def find(
        self,
        *,
        state: str | None = None,
        recipient: str | None = None,
        domain: str | None = None,
        account: str | None = None,
        key: str | None = None,
        stream: str | None = None,
        message_id: str | None = None,
        since: When | None = None,
        until: When | None = None,
    ) -> Iterator[Delivery]:
        """The recipients to whom all of this applies, newest first; a page is read when the iterator comes to it.

        `state` is the name of one; `since` and `until` are when the message was put, as `at` in `put`.
        """
        put_since, put_until = milliseconds("since", since), milliseconds("until", until)
        wanted = Wanted(state, recipient, domain, account, key, stream, message_id, put_since, put_until)
        return self._pages(wanted)

    def _pages(self, wanted: Wanted) -> Iterator[Delivery]:
        after: tuple[bytes, int] | None = None
        while True:
            page = self.database.read(lambda after=after: find(self.store, wanted, after, PAGE))  # type: ignore[misc]
            yield from page
            if len(page) < PAGE:
                return
            after = place_after(page[-1])

    def stats(self) -> Stats:
        """How much is in which state, how old the oldest is, how fast it goes, and what is paused."""
        return self.database.read(lambda: stats(self.store))

    def cancel(self, id: str, *, recipient: str | None = None) -> int:
        """Take back what was not sent yet, for all recipients or one. What a worker has in hand is stopped if its turn
        has not come, for which it looks every second, and with ``in_doubt="hold"`` as long as its last octet has not
        left; what is held because it may have been sent is then unknown, and not cancelled. Gives how many recipients
        that concerns. Raises `OutboxError`, as all the following do.
        """
        wanted = id_of(id)
        return self.database.write(lambda: changing.cancel(self.store, wanted, recipient))

    def retry(self, id: str, *, recipient: str | None = None, expires: When | None = None) -> int:
        """Send again what failed, expired, was cancelled, suppressed or settled as unknown, and at once what is
        deferred. `expires`: where its time is over, the new one; without it there is none. Gives how many recipients
        that concerns; who is still on the suppression list is left out.
        """
        wanted, end = id_of(id), milliseconds("expires", expires)
        return self.database.write(lambda: changing.retry(self.store, wanted, recipient, end))

    def hold(self, id: str, *, recipient: str | None = None, reason: str = changing.HELD_BY_REQUEST) -> int:
        """Set aside what waits; what a worker has goes on. Gives how many recipients that concerns."""
        wanted = id_of(id)
        return self.database.write(lambda: changing.hold(self.store, wanted, recipient, reason))

    def release(self, id: str, *, recipient: str | None = None) -> int:
        """Send what is held, at once. What was set aside in doubt is then sent again, and may arrive twice. Gives how
        many recipients that concerns.
        """
        wanted = id_of(id)
        return self.database.write(lambda: changing.release(self.store, wanted, recipient))

    def settle(self, id: str, verdict: str, *, recipient: str | None = None) -> int:
        """Say what became of what is held, so that it is not sent again: ``"sent"``, ``"failed"``, or ``"unknown"``
        for what nobody can tell any more. Gives how many recipients that concerns.
        """
        wanted = id_of(id)
        return self.database.write(lambda: changing.settle(self.store, wanted, recipient, verdict))

    def pause(self) -> None:
        """Tell all workers to claim nothing until `resume`. What they have in flight is finished."""
        self.database.write(lambda: changing.pause(self.store, True))

    def resume(self) -> None:
        """Let the workers go on."""
        self.database.write(lambda: changing.pause(self.store, False))

    @property
    def paused(self) -> bool:
        """Whether the workers were told to claim nothing."""
        return self.database.read(lambda: changing.is_paused(self.store))

    def restored(self) -> int:
        """Say that this database is a restored backup: it is paused, and all that is open in it is held, because it
        may have been sent since the backup was made. Gives how many recipients are open. Then `release` or `settle`
        them, and `resume`.
        """
        return conduct(changing.restored(self.store), self.database, sleep)

    def prune(
        self, older_than: timedelta | float | None = None, *, bodies_older_than: timedelta | float | None = None
    ) -> Pruned:
        """Delete messages whose last recipient came to an end longer ago than that (a timedelta, or seconds), with all
        that is known of them; or of others the content alone. What is open stays. Many short transactions.

        A key is free again when its message is gone. On SQLite the content is overwritten with zeros; old copies may
        stand in the write-ahead log until the next checkpoint, which `prune` asks for at its end. Room in the file is
        used again; ``VACUUM`` gives it back to the system.
        """
        ages = seconds("older_than", older_than), seconds("bodies_older_than", bodies_older_than)
        return self.database.prune(lambda: changing.prune(self.store, *ages), sleep)

    def suppress(self, names: Iterable[str] | str, reason: str, *, until: When | None = None) -> int:
        """Put addresses, or whole domains (``@example.org``), on the suppression list: nothing is sent to them `until`
        then, or for ever. Gives how many they are. Raises `AddressError`.
        """
        listed, end = names_on_list(names), milliseconds("until", until)
        return self.database.write(lambda: suppress(self.store, listed, reason, end))

    def unsuppress(self, names: Iterable[str] | str) -> list[str]:
        """Take them off the list. Gives those that were on it."""
        listed = names_on_list(names)
        return self.database.write(lambda: unsuppress(self.store, listed))

    def suppressions(self) -> Iterator[Suppression]:
        """The suppression list, by address; a page is read when the iterator comes to it."""
        after: str | None = ""
        while after is not None:
            page = self.database.read(lambda after=after: suppressions(self.store, after))  # type: ignore[misc]
            yield from page
            after = page[-1].address if page else None

    def hear(self, report: bytes, rules: Rules | None = None) -> list[Heard]:
        """Read a delivery report or a complaint, as mail brought it: join it to what was sent, record what it says, and
        put the address on the suppression list where `rules` say so. Empty when it is no report. The same report
        counts once. See `mailwright.outbox.bounces`.
        """
        from mailwright.outbox.bounces import Rules, name_of, read_reports, record

        name, reports = name_of(report), read_reports(report)  # before the transaction, which is to be short
        return self.database.write(lambda: record(self.store, name, reports, rules or Rules())) if reports else []

    def work(self, servers: Servers = None, **options: Any) -> Done:
        """Deliver what is in the outbox, until SIGTERM comes or with ``once=True`` until nothing is due. It blocks, and
        is a program of its own: ``mailwright outbox work`` is this. See `mailwright.outbox.work.worker.work`.
        """
        from mailwright.outbox.work.worker import work

        return work(self.database, servers, **options)

    def close(self) -> None:
        """Let go of the database. What was put stays in it."""
        self.database.close()

    def __enter__(self) -> Outbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Outbox in {self.database.place}>"
