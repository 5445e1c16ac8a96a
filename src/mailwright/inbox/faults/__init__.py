"""What goes wrong on request: the faults of an inbox.

::

    with inbox.faults.after_dot(drop=True, times=1):
        mailer.send(message)        # the message is there, and nobody said so
    assert inbox.faults.fired

`named` has a method for each common fault, `writing` their form as text and as JSON, `words` what services say, and
`certificates` those that must not be trusted. What a fault is: `mailwright.smtp.receiving.faults`.
"""

from __future__ import annotations

from collections import deque
from hashlib import blake2b
from threading import Lock
from time import time
from typing import TYPE_CHECKING

from mailwright.inbox.faults.named import Named
from mailwright.inbox.faults.writing import from_json, parse, to_json, written
from mailwright.smtp.receiving.faults import STAGES, Fault, Moment
from mailwright.smtp.receiving.mischief import decisive
from mailwright.words.errors import ConfigError
from mailwright.words.value import replace, value

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from mailwright.words.server import TLS

__all__ = ["STAGES", "Armed", "Fault", "Faults", "Fired", "Moment", "from_json", "parse", "to_json", "written"]

_FIRED = 1000  # firings that are remembered
_SHOWN = 20  # recipients that a firing names
_PAIRS = 10_000  # pairs of sender and recipient that one fault counts
_ARMED = 1000  # faults at once


@value
class Fired:
    """A fault that happened: which (`number` is that of its `Armed`), at which `Moment` (with twenty of its recipients
    at most), and when (`seconds` since 1970).
    """

    fault: Fault
    moment: Moment
    seconds: float
    number: int

    def __str__(self) -> str:
        moment = self.moment
        whom = f", {', '.join(moment.recipients[:3])}" if moment.recipients else ""
        message = f", message {moment.message}" if moment.message else ""
        return f"{written(self.fault)}: connection {moment.connection}{message}{whom}"


class Armed:
    """A fault in force, until `remove` or the end of its ``with`` block. `number` is its own, from 1."""

    def __init__(self, number: int, fault: Fault, faults: Faults) -> None:
        self.number = number
        self.fault = fault
        self._faults = faults
        self._seen: dict[int, tuple[int, int]] = {}  # opportunities and firings, for each pair

    @property
    def fired(self) -> tuple[Fired, ...]:
        """When it happened, the oldest first."""
        return tuple(one for one in self._faults.fired if one.number == self.number)

    def remove(self) -> None:
        """Let it happen no more; no error if it is gone."""
        self._faults.remove(self.number)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def __repr__(self) -> str:
        return f"<Armed {self.number}: {written(self.fault)}>"

    def _happens(self, moment: Moment) -> bool:
        """Count an opportunity, and say whether the fault happens."""
        fault = self.fault
        pair = hash((moment.sender, moment.recipients)) if fault.each else 0
        met, happened = self._seen.pop(pair, (0, 0))
        fires = met >= fault.after and (fault.times is None or happened < fault.times)
        fires = fires and (fault.chance >= 1 or _draw(fault.seed, met) < fault.chance)
        self._seen[pair] = (met + 1, happened + fires)
        if len(self._seen) > _PAIRS:
            del self._seen[next(iter(self._seen))]
        return fires


def _draw(seed: int, number: int) -> float:
    """A number from 0 to 1 that depends on these two and on nothing else, for runs that can be repeated."""
    digest = blake2b(f"{seed}:{number}".encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big") / 2**56


class Faults(Named[Armed]):
    """The faults in force, in the order in which they were added; safe for threads.

    Of several that fit a moment all happen that only shape the reply (``delay``, ``dribble``, ``double`` …), and the
    first of those that take its place (``reply``, ``drop``, ``omit``, ``garbage``). The others are not counted then,
    so that a script can be written as a list: two refusals with ``times=1`` come one after the other.
    """

    def __init__(self) -> None:
        self.armed = False
        self._lock = Lock()
        self._added = 0
        self._connections = 0
        self._all: tuple[Armed, ...] = ()
        self._fired: deque[Fired] = deque(maxlen=_FIRED)
        self._certificates: Callable[[str], TLS] | None = None

    # What a test says.

    def arm(self, fault: Fault) -> Armed:
        """Put a fault in force. Raises `ConfigError` when there are a thousand already."""
        with self._lock:
            if len(self._all) >= _ARMED:
                raise ConfigError(f"There are {_ARMED:,} faults in force already.", "Remove some with clear().")
            self._added += 1
            armed = Armed(self._added, fault, self)
            self._all = (*self._all, armed)
            self.armed = True
        return armed

    def replace(self, *faults: Fault) -> tuple[Armed, ...]:
        """These faults and no others."""
        self.clear()
        return tuple([self.arm(fault) for fault in faults])

    def remove(self, number: int) -> bool:
        """Remove one by its number; false if it is not there."""
        with self._lock:
            kept = tuple([one for one in self._all if one.number != number])
            found, self._all, self.armed = len(kept) < len(self._all), kept, bool(kept)
        return found

    def clear(self) -> None:
        """Let nothing go wrong any more. What happened stays in `fired`."""
        with self._lock:
            self._all, self.armed = (), False

    @property
    def active(self) -> tuple[Armed, ...]:
        """The faults in force."""
        return self._all

    @property
    def fired(self) -> tuple[Fired, ...]:
        """What happened, the oldest first; the last thousand of it."""
        with self._lock:
            return tuple(self._fired)

    def __repr__(self) -> str:
        return f"<Faults {[written(armed.fault) for armed in self._all]!r}, {len(self._fired)} fired>"

    # What the server asks.

    def arrived(self) -> int:
        """A client came: gives the number of its connection, from 1."""
        with self._lock:
            self._connections += 1
            return self._connections

    def at(self, moment: Moment) -> tuple[Fault, ...]:
        """What happens at this moment; it is counted, and noted in `fired`."""
        found: list[Fault] = []
        with self._lock:
            for armed in self._all:
                fault = armed.fault
                if fault.fits(moment) and not (decisive((fault,)) and decisive(found)) and armed._happens(moment):
                    found.append(fault)
                    shown = replace(moment, recipients=moment.recipients[:_SHOWN])
                    self._fired.append(Fired(fault, shown, time(), armed.number))
        return tuple(found)

    def tls(self, kind: str, usual: TLS) -> TLS:
        """The server's side of TLS with a certificate of that kind; `usual` where the inbox makes no certificates."""
        return self._certificates(kind) if self._certificates is not None else usual

    def certify(self, make: Callable[[str], TLS]) -> None:
        """Take note of what makes certificates of each of the `CERTIFICATES`, for an inbox with TLS."""
        made: dict[str, TLS] = {}
        lock = Lock()

        def once(kind: str) -> TLS:
            with lock:
                if kind not in made:
                    made[kind] = make(kind)
                return made[kind]

        self._certificates = once
