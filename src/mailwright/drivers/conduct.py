"""What every driver shares: stepping a plan, and what lies below it (TLS, a proxy).

`conducted` turns a plan into the few primitive steps that a driver must know (`Connect`, `Read`, `Write`,
`Exchange`, `Close`, `Clock`, `Sleep`, `Ask`, `Together`). TLS is done here with the plan's own octets, so
that handshake, certificate checks and encryption exist once for all drivers; so is the way through a proxy.
`driven` and `answer_of` are what the asynchronous drivers share.
"""

from __future__ import annotations

from contextlib import suppress

from mailwright.steps import (
    Ask,
    BindChannel,
    Clock,
    Close,
    Connect,
    Exchange,
    Outgoing,
    Peer,
    Read,
    StartTLS,
    Step,
    Write,
)
from mailwright.words.errors import TLSError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterator
    from typing import Any, TypeVar

    from mailwright.drivers.tls import TLSLayer
    from mailwright.steps import Plan
    from mailwright.words.receipt import TLSFacts

    T = TypeVar("T")
    Need = TypeVar("Need")
    Primitive = Generator[Step[Any], Any, T]


class Secured:
    """What lies between a plan and the octets of one link: the TLS `layer`, if there is one, and what came `early`,
    behind the answer of a proxy, and was not read yet.
    """

    __slots__ = ("early", "layer")

    def __init__(self) -> None:
        self.layer: TLSLayer | None = None
        self.early = b""


def conducted(plan: Plan[T], secured: Secured) -> Generator[Step[Any], Any, T]:
    """Step the plan; give the driver primitive steps, and the plan their answers. Returns the plan's
    result.
    """
    answer: Any = None
    problem: BaseException | None = None
    try:
        while True:
            try:
                step = plan.send(answer) if problem is None else plan.throw(problem)
            except StopIteration as end:
                result: T = end.value
                return result
            answer, problem = None, None
            try:
                if not isinstance(step, Step):
                    raise TypeError(f"a plan may await steps only, not {step!r}")
                answer = yield from _primitive(step, secured)
            except Exception as error:
                problem = error
    finally:
        plan.close()


async def driven(needs: Generator[Need, Any, T], meet: Callable[[Need], Awaitable[Any]]) -> T:
    """Meet one need after another until the generator ends, and give its result; a failure goes to the line that
    waited.
    """
    answer: Any = None
    problem: BaseException | None = None
    try:
        while True:
            try:
                need = needs.send(answer) if problem is None else needs.throw(problem)
            except StopIteration as end:
                result: T = end.value
                return result
            answer, problem = None, None
            try:
                answer = await meet(need)
            except Exception as error:
                problem = error
    finally:
        needs.close()


async def answer_of(step: Ask, in_thread: Callable[[Callable[[], Any]], Awaitable[Any]]) -> Any:
    """What the act of the step gives; `in_thread` calls one that may take long."""
    from inspect import iscoroutinefunction

    if step.blocking and not iscoroutinefunction(step.act):
        answer = await in_thread(step.act)
    else:
        answer = step.act()
    return await answer if hasattr(answer, "__await__") else answer


def _primitive(step: Step[Any], secured: Secured) -> Primitive[Any]:
    layer = secured.layer
    kind = type(step)
    if kind is StartTLS:
        return (yield from _handshake(step, secured))  # type: ignore[arg-type]
    if kind is BindChannel:
        return layer.channel_binding(step.kind) if layer is not None else None  # type: ignore[attr-defined]
    if kind is Connect or kind is Close:
        secured.layer, secured.early = None, b""
        if isinstance(step, Connect) and step.proxy is not None:
            from mailwright.drivers.proxy import through_proxy

            secured.early = yield from through_proxy(step)
            return Peer(step.host, "")
        return (yield step)
    if layer is None:
        if secured.early and kind in (Read, Exchange):
            early, secured.early = secured.early, b""
            return early
        return (yield step)
    if isinstance(step, Read):
        return (yield from _read(step.timeout, layer))
    if isinstance(step, Write):
        yield Write(layer.encrypt(step.data), step.timeout)
        return None
    if isinstance(step, Exchange):
        return (yield from _exchange(step, layer))
    return (yield step)


def _handshake(step: StartTLS, secured: Secured) -> Primitive[TLSFacts]:
    from mailwright.drivers.tls import TLSLayer  # the ssl module costs 19 ms: only who encrypts pays

    layer = TLSLayer(step.tls, step.host, server_side=step.server_side)
    if secured.early:
        layer.feed(secured.early)
    deadline = (yield Clock()) + step.timeout
    while True:
        try:
            done = layer.handshake()
        except TLSError:
            if alert := layer.outgoing():  # tell the other side why, as far as it still listens
                with suppress(OSError):
                    yield Write(alert, step.timeout)
            raise
        outgoing = layer.outgoing()
        if outgoing:
            yield Write(outgoing, step.timeout)
        if done:
            break
        left = deadline - (yield Clock())
        if left <= 0:
            raise TimeoutError
        data = yield Read(left)
        if not data:
            raise ConnectionResetError("closed during the TLS handshake")
        layer.feed(data)
    facts = layer.facts()
    secured.layer = layer
    return facts


def _read(timeout: float, layer: TLSLayer) -> Primitive[bytes]:
    plain = layer.decrypt()
    if plain is not None:
        return plain
    # The time is that of the whole wait, or an octet of half a TLS record now and then could hold us for ever.
    left = timeout
    deadline = (yield Clock()) + timeout
    while True:
        layer.feed((yield Read(left)))
        plain = layer.decrypt()
        if plain is not None:
            return plain
        left = deadline - (yield Clock())
        if left < 0:
            raise TimeoutError


def _exchange(step: Exchange, layer: TLSLayer) -> Primitive[bytes | None]:
    plain = layer.decrypt()
    if plain is not None:
        return plain
    unsent = layer.unsent
    if unsent is None or unsent.done:
        unsent = layer.unsent = Outgoing(_encrypting(step.outgoing, layer))
    # Half a record now and then, while nothing of ours is taken, could hold us for ever: a trickle is no progress.
    piece, until = 0, 0.0
    while True:
        arrived = yield Exchange(unsent, step.timeout)
        if arrived is None:
            layer.unsent = None
            return None
        layer.feed(arrived)
        plain = layer.decrypt()
        if plain is not None:
            return plain
        now = yield Clock()
        if unsent.pieces != piece:
            piece, until = unsent.pieces, now + step.timeout
        elif now >= until:
            raise TimeoutError


def _encrypting(outgoing: Outgoing, layer: TLSLayer) -> Iterator[bytes]:
    # A chunk is taken from `outgoing` only when the octets that carry the one before it were handed over.
    taken = 0
    while True:
        outgoing.took(taken)
        chunk = outgoing.peek()
        if chunk is None:
            return
        taken = len(chunk)
        yield layer.encrypt(bytes(chunk))
