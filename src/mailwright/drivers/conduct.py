"""What every driver shares: stepping a plan, and what lies below it (TLS, a proxy).

`conducted` turns a plan into the few primitive steps that a driver must know (`Connect`, `Read`, `Write`,
`Exchange`, `Attend`, `Close`, `Clock`, `Sleep`, `Ask`, `Together`). TLS is done here with the plan's own octets, so
that handshake, certificate checks and encryption exist once for all drivers; so is the way through a proxy.
`driven` and `answer_of` are what the asynchronous drivers share.
"""

from __future__ import annotations

from mailwright.steps import (
    Ask,
    Attend,
    BindChannel,
    Clock,
    Close,
    Connect,
    Exchange,
    NotResumed,
    Outgoing,
    Peer,
    PrepareTLS,
    Read,
    Sleep,
    StartTLS,
    Step,
    Together,
    Write,
)
from mailwright.words.errors import TLSError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterator
    from typing import Any, TypeVar

    from mailwright.drivers.tickets import Tickets
    from mailwright.drivers.tls import TLSLayer
    from mailwright.steps import Plan
    from mailwright.words.receipt import TLSFacts

    T = TypeVar("T")
    Need = TypeVar("Need")
    Primitive = Generator[Step[Any], Any, T]


#: Steps that neither TLS nor a proxy has anything to do with.
_ASIDE = frozenset((Clock, Sleep, Ask, Together))
_MOVING = frozenset((Read, Write, Exchange, Attend))


class Secured:
    """What lies between a plan and the octets of one link: the TLS `layer`, if there is one, and what came `early`,
    behind the answer of a proxy, and was not read yet. `prepared` is a layer for the step that it was made for.
    `tickets` are given to links that may resume TLS sessions.
    """

    __slots__ = ("early", "layer", "prepared", "tickets")

    def __init__(self) -> None:
        self.layer: TLSLayer | None = None
        self.prepared: tuple[StartTLS, TLSLayer] | None = None
        self.early = b""
        self.tickets: Tickets | None = None


def conducted(plan: Plan[T], secured: Secured, step: Step[Any] | None = None) -> Generator[Step[Any], Any, T]:
    """Step the plan; give the driver primitive steps, and the plan their answers. Returns the plan's
    result. `step`: what a plan that has begun waits for.
    """
    answer: Any = None
    problem: BaseException | None = None
    try:
        while True:
            if step is None:
                try:
                    step = plan.send(answer) if problem is None else plan.throw(problem)
                except StopIteration as end:
                    result: T = end.value
                    return result
            answer, problem = None, None
            try:
                kind = type(step)
                if kind in _ASIDE or (kind in _MOVING and secured.layer is None and not secured.early):
                    answer = yield step
                elif kind in _LOWER:
                    answer = yield from _LOWER[kind](step, secured)
                elif isinstance(step, Step):
                    answer = yield step
                else:
                    raise TypeError(f"a plan may await steps only, not {step!r}")
            except Exception as error:
                problem = error
            step = None
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


def _connect(step: Connect, secured: Secured) -> Primitive[Peer]:
    _forget(secured)
    if step.proxy is None:
        peer: Peer = yield step
        return peer
    from mailwright.drivers.proxy import through_proxy

    secured.early = yield from through_proxy(step)
    return Peer(step.host, "")


def _close(step: Close, secured: Secured) -> Primitive[None]:
    _forget(secured)
    yield step


def _forget(secured: Secured) -> None:
    """The connection ends: nothing of it holds for another, but for the ticket that it may have brought."""
    if secured.layer is not None:
        secured.layer.keep_ticket()
    secured.layer, secured.prepared, secured.early = None, None, b""


def _bind_channel(step: BindChannel, secured: Secured) -> Primitive[bytes | None]:
    yield from ()
    return secured.layer.channel_binding(step.kind) if secured.layer is not None else None


def _prepare_tls(step: PrepareTLS, secured: Secured) -> Primitive[None]:
    now, prepared = (yield Clock()), secured.prepared
    try:
        if prepared is None or not _alike(prepared[0], step.start):
            secured.prepared = step.start, _new_layer(step.start, secured, now)
        else:
            prepared[1].handshake()
    except Exception:
        secured.prepared = None  # the step itself will fail in the same way, and say it in its own phase


def _alike(one: StartTLS, other: StartTLS) -> bool:
    """Whether what was prepared for the one serves the other."""
    return (one.host, one.server_side, one.tls) == (other.host, other.server_side, other.tls)


def _new_layer(step: StartTLS, secured: Secured, now: float) -> TLSLayer:
    from mailwright.drivers.tls import TLSLayer  # the ssl module costs 19 ms: only who encrypts pays

    return TLSLayer(step.tls, step.host, step.server_side, secured.tickets, now)


def _start_tls(step: StartTLS, secured: Secured) -> Primitive[TLSFacts]:
    now, tickets = (yield Clock()), secured.tickets
    prepared, secured.prepared = secured.prepared, None
    if prepared is not None and _alike(prepared[0], step) and prepared[1].is_fresh(now):
        layer = prepared[1]
    else:
        layer = _new_layer(step, secured, now)
    if secured.early:
        layer.feed(secured.early)
    try:
        yield from _handshake(step, layer, now + step.timeout)
    except (TLSError, OSError) as problem:
        if not layer.offered or tickets is None:
            raise
        tickets.close()
        if isinstance(problem, TimeoutError):
            raise
        raise NotResumed from problem
    facts = layer.facts()
    secured.layer = layer
    return facts


def _handshake(step: StartTLS, layer: TLSLayer, deadline: float) -> Primitive[None]:
    """Raises `TLSError`, `TimeoutError`, and `ConnectionError`."""
    done, outgoing = False, layer.outgoing()  # the first words, where they were prepared
    meanwhile = step.meanwhile
    while True:
        if not outgoing:
            try:
                done = layer.handshake()
            except TLSError:
                if alert := layer.outgoing():  # tell the other side why, as far as it still listens
                    try:
                        yield Write(alert, step.timeout)
                    except OSError:
                        pass
                raise
            if done and not step.server_side:
                return  # what is left to say goes out with the first words: the server wakes once for both
            outgoing = layer.outgoing()
        if outgoing:
            yield Write(outgoing, step.timeout)
            outgoing = b""
        if done:
            return
        if meanwhile is not None:
            yield meanwhile
            meanwhile = None
        left = deadline - (yield Clock())
        if left <= 0:
            raise TimeoutError
        data = yield Read(left)
        if not data:
            raise ConnectionResetError("closed during the TLS handshake")
        layer.feed(data)


def _early(secured: Secured) -> bytes:
    early, secured.early = secured.early, b""
    return early


def _write(step: Write, secured: Secured) -> Primitive[None]:
    yield step if secured.layer is None else Write(secured.layer.encrypt(step.data), step.timeout)


def _read(step: Read, secured: Secured) -> Primitive[bytes]:
    layer, timeout = secured.layer, step.timeout
    if layer is None:
        return _early(secured)
    plain = layer.decrypt()
    if plain is not None:
        return plain
    if outgoing := layer.outgoing():  # the end of the handshake, or an answer to another one's new keys
        yield Write(outgoing, timeout)
    # What begins in time must be whole within as much again, or an octet of half a record now and then could hold us
    # for ever. Most records come in one piece, and need no clock.
    left, until = timeout, 0.0
    while True:
        layer.feed((yield Read(left)))
        plain = layer.decrypt()
        if plain is not None:
            return plain
        now = yield Clock()
        until = until or now + timeout
        left = until - now
        if left < 0:
            raise TimeoutError


def _attend(step: Attend, secured: Secured) -> Primitive[bytes | None]:
    layer = secured.layer
    if layer is None:
        return _early(secured)
    while (plain := layer.decrypt()) is None:
        if outgoing := layer.outgoing():
            yield Write(outgoing, step.timeout)
        arrived = yield step
        if arrived is None:
            return None
        layer.feed(arrived)
    return plain


def _exchange(step: Exchange, secured: Secured) -> Primitive[bytes | None]:
    layer = secured.layer
    if layer is None:
        return _early(secured)
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


#: What is done, under TLS or behind a proxy, for the steps with which either has to do.
_LOWER: dict[type, Callable[[Any, Secured], Primitive[Any]]] = {
    Connect: _connect,
    Close: _close,
    PrepareTLS: _prepare_tls,
    StartTLS: _start_tls,
    BindChannel: _bind_channel,
    Write: _write,
    Read: _read,
    Exchange: _exchange,
    Attend: _attend,
}
