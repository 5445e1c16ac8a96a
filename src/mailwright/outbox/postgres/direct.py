"""What is done for every message, said to libpq without psycopg's cursors in between.

A cursor adapts each parameter by its Python type, keeps count of statements and describes every column of the answer:
for a statement that puts one message this takes longer than the database does. Here the types are known beforehand,
values go over in binary form, and the statement is prepared when it is used the second time. Waiting is psycopg's own,
so that Ctrl-C and cancelled tasks end it as they end any other statement.
"""

from __future__ import annotations

import re
import struct
from itertools import count

from psycopg import generators, pq
from psycopg.errors import InvalidSqlStatementName, error_from_result

from mailwright.outbox.postgres.arrays import Array, octets_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, Self

    from psycopg.abc import PQGen
    from psycopg.pq.abc import PGconn, PGresult

    Row = tuple[Any, ...]

_PARAMETER = re.compile(r"%\((\w+)\)s")
_BINARY = pq.Format.BINARY
_FAILED = pq.ExecStatus.FATAL_ERROR


def _packed(column: Array[Any]) -> bytes:
    return column.packed


def _signed(octets: bytes) -> int:
    return int.from_bytes(octets, "big", signed=True)


#: How a value becomes PostgreSQL's binary form, by the number of its type.
_FORMS: Mapping[int, Callable[[Any], bytes]] = {
    17: bytes, 25: octets_of, 23: struct.Struct("!i").pack, 20: struct.Struct("!q").pack,
    16: struct.Struct("!?").pack, 1001: _packed, 1009: _packed, 1007: _packed, 1016: _packed,
}  # fmt: skip


#: How a value comes back from that form.
_READERS: Mapping[int, Callable[[bytes], Any]] = {
    17: bytes, 25: bytes.decode, 23: _signed, 20: _signed, 16: any,
}  # fmt: skip


class Whole(str):
    """A statement that is the only write of its plan, and so a transaction by itself."""

    __slots__ = ()


class Known(str):
    """A statement whose parameters have known types, in a known order; sessions that may prepare it let `Direct`
    perform it. The columns of its answer are of types that `_READERS` has.
    """

    names: Sequence[str]
    text: bytes
    types: Sequence[int]
    formats: Sequence[int]
    forms: Sequence[Callable[[Any], bytes]]
    readers: Sequence[Callable[[bytes], Any]] = ()  # of the columns of its answer, once one was seen

    @classmethod
    def of(cls, sql: str, kinds: Mapping[str, int]) -> Self:
        """From the text as psycopg takes it, and the types of all parameters by their names, in the order in which the
        values will come.
        """
        made = cls(sql)
        made.names = list(kinds)
        text = _PARAMETER.sub(lambda found: f"${made.names.index(found[1]) + 1}", sql)
        made.text = text.replace("%%", "%").encode()
        made.types = list(kinds.values())
        made.formats = [_BINARY] * len(kinds)
        made.forms = [_FORMS[kind] for kind in kinds.values()]
        return made

    def packed(self, given: Sequence[Any]) -> list[bytes | None]:
        """The parameters in their binary form."""
        return [None if one is None else form(one) for form, one in zip(self.forms, given, strict=True)]


class KnownWhole(Known, Whole):
    """One that is both."""


class Series(Known):
    """One that is performed for each of several sets of values, an iterable. They are drawn one by one: what it takes
    to make the next is done while the database is busy with the one before.
    """


class Direct:
    """A connection of ours below psycopg's cursors, whose methods are generators for its `wait`."""

    __slots__ = ("_names", "_numbers", "_pgconn")

    def __init__(self, pgconn: PGconn) -> None:
        self._pgconn = pgconn
        self._names: dict[Known, bytes] = {}  # empty for one that was used only once: many never are again
        self._numbers = count()

    def ask(self, statement: Known, given: Sequence[Any]) -> PQGen[list[Row]]:
        """The rows of the statement; of a `Series` those for each set of values."""
        if isinstance(statement, Series):
            return (yield from self._ask_each(statement, given))
        yield from self._begin(statement, given)
        return (yield from self._rows(statement))

    def _ask_each(self, statement: Series, several: Iterable[Sequence[Any]]) -> PQGen[list[Row]]:
        rows: list[Row] = []
        waiting = iter(several)
        given = next(waiting, None)
        while given is not None:
            yield from self._begin(statement, given)
            yield from generators.send(self._pgconn)
            problem: BaseException | None = None
            try:
                given = next(waiting, None)
            except BaseException as raised:  # Ctrl-C as well: the statement under way comes to its end first
                problem = raised
            rows += yield from self._rows(statement)
            if problem is not None:
                raise problem
        return rows

    def _begin(self, statement: Known, given: Sequence[Any]) -> PQGen[None]:
        values, formats = statement.packed(given), statement.formats
        name = self._names.get(statement)
        if name is None:
            self._names[statement] = b""
            self._pgconn.send_query_params(statement.text, values, statement.types, formats, _BINARY)
        else:
            if not name:
                name = b"mw_%d" % next(self._numbers)
                self._pgconn.send_prepare(name, statement.text, statement.types)
                _checked((yield from generators.execute(self._pgconn)))
                self._names[statement] = name
            self._pgconn.send_query_prepared(name, values, formats, _BINARY)

    def _rows(self, statement: Known) -> PQGen[list[Row]]:
        try:
            (result,) = _checked((yield from generators.execute(self._pgconn)))
        except InvalidSqlStatementName:  # somebody on the way has forgotten them
            self._names.clear()
            raise
        if not statement.readers:
            statement.readers = [_READERS[result.ftype(place)] for place in range(result.nfields)]
        columns, value = list(enumerate(statement.readers)), result.get_value
        return [tuple([_read(value(n, place), reader) for place, reader in columns]) for n in range(result.ntuples)]

    def say(self, command: bytes) -> PQGen[None]:
        """Commands that give nothing."""
        self._pgconn.send_query(command)
        _checked((yield from generators.execute(self._pgconn)))


def _read(octets: bytes | None, reader: Callable[[bytes], Any]) -> Any:
    return None if octets is None else reader(octets)


def _checked(results: Sequence[PGresult]) -> Sequence[PGresult]:
    """The results. Raises psycopg's error for what the database refused."""
    for result in results:
        if result.status == _FAILED:
            raise error_from_result(result)
    return results
