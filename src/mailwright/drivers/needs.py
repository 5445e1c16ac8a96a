"""What a step over a plain socket needs from whoever runs it: to wait, to look up a name.

A step itself is the need where it is for the runner alone (`Ask`; under Trio `Attend` and `Together`).
"""

from __future__ import annotations

from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Generator
    from typing import Any, TypeVar

    from mailwright.steps import Ask, Attend, Together

    T = TypeVar("T")


@value
class Wait:
    """A need to wait until one of these sockets can be read or written, or `until` (seconds of the clock) has
    come.
    """

    reading: tuple[socket.socket, ...]
    writing: tuple[socket.socket, ...]
    until: float


#: Nothing to wait for: a moment for others who run beside this plan.
TURN = Wait((), (), 0.0)


@value
class Resolve:
    """A need to look up a name, until `until` at most; the blocking driver can't stop a look-up and ignores it."""

    host: str
    port: int
    until: float


if TYPE_CHECKING:
    Need = Wait | Resolve | Ask | Attend | Together
    Waiting = Generator[Need, Any, T]
