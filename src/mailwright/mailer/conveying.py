"""The work of one connection of a batch, as a plan: the same for every driver."""

from __future__ import annotations

from mailwright.smtp.belt import Belt
from mailwright.smtp.conveyor import convey
from mailwright.smtp.opening import open_session
from mailwright.smtp.session import is_stale, quit_session
from mailwright.steps import Ask, Attend, Close, Sleep
from mailwright.words.errors import DeliveryError, MailError, ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mailwright.mailer.dispatch import Lane
    from mailwright.smtp.session import Session

OPENINGS = 4  # tries at opening a connection again, the pause doubled after each
PAUSE = 0.5  # seconds before the second try
FOREVER = 1e9  # seconds: as long as it takes
HELD = 0.02  # seconds until a lane looks again whether an older message, on another one, was settled


async def carry(lane: Lane, arrival: Callable[[], Awaitable[object]] | None = None, patience: float = FOREVER) -> None:
    """Carry messages until the source has no more; the session is left open for others.

    `arrival` waits for a message of a source that has none at the moment; after `patience` seconds of that the
    connection is given up. The error that ends the whole batch is left in the dispatch.
    """
    dispatch, session = lane.dispatch, lane.session
    while not dispatch.over:
        if not lane.wanted():
            if arrival is not None and not dispatch.held_back:
                await _wait_for(arrival, session, patience)
            elif not dispatch.over:
                await Sleep(HELD)
            continue
        if session.open and await is_stale(session):
            await Close()
        if not session.open:
            problem = await _open(lane)
            if problem is not None:
                lane.give_up(problem)
                return
        await _convey(lane)
        if lane.full:
            await quit_session(session)


async def _wait_for(arrival: Callable[[], Awaitable[object]], session: Session, patience: float) -> None:
    """Until there is a message again. The server is heard meanwhile: it has nothing to say but that it closes."""
    if not session.open:
        await Ask(arrival)
        return
    try:
        heard = await Attend(arrival, patience)
    except TimeoutError:
        await quit_session(session)
        return
    except ConnectionError:
        heard = b""
    if heard is not None:
        session.open = False
        await Close()


async def _convey(lane: Lane) -> None:
    belt = Belt(lane.session, lane, lane.window)
    problem: MailError | None = None
    try:
        await convey(belt)
    except DeliveryError as error:
        problem = error
        lane.session.open = False
        # A server that loses count is spoken to command by command from now on.
        lane.dispatch.lock_step = lane.dispatch.lock_step or isinstance(error, ProtocolError)
    lane.again(belt.leftovers(problem), problem)
    if not lane.session.open:
        await Close()


async def _open(lane: Lane) -> MailError | None:
    """Open the session of the lane. Gives the error, when that can't be done."""
    dispatch = lane.dispatch
    lane.session.lock_step = dispatch.lock_step
    lane.carried = 0
    for attempt in range(OPENINGS):
        try:
            await open_session(lane.session)
        except DeliveryError as error:
            # What never worked is a mistake in the settings more often than bad luck: said at once.
            if not (dispatch.opened and error.temporary) or attempt == OPENINGS - 1 or dispatch.over:
                return error
            await Sleep(PAUSE * 2**attempt)
        except MailError as error:
            return error
        else:
            dispatch.opened += 1
            lane.opened()
            return None
    return None
