"""``sendmail --queue``: the message goes into the outbox, which is on this machine or near it, and not to a server."""

from __future__ import annotations

from contextlib import contextmanager

from mailwright.words.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mailwright.cli.sendmail.options import Options
    from mailwright.mailer.account import Settings
    from mailwright.words.envelope import Envelope

_SHOWN = 1000  # recipients that ``mailq`` lists


@contextmanager
def tray(options: Options) -> Iterator[Callable[[tuple[Envelope, bytes]], str]]:
    """Puts messages into the outbox, which is opened for the first one and closed behind the last."""
    from mailwright.cli.outbox.opening import where
    from mailwright.outbox.outbox import Outbox

    opened: list[Outbox] = []

    def put(message: tuple[Envelope, bytes]) -> str:
        if not opened:
            opened.append(Outbox(where(options.outbox)))
        return f"{opened[0].put(message, account=options.account or 'default')} is in the outbox."

    try:
        yield put
    finally:
        for one in opened:
            one.close()


def queued(octets: bytes, options: Options) -> None:
    """Put a message as it was read into the outbox. When this returns it is on the disk. Raises `MailError`."""
    from mailwright.cli import tell
    from mailwright.cli.sendmail import addressing_of
    from mailwright.cli.sendmail.reading import tidied

    with tray(options) as put:
        said = put(addressing_of(options, lambda: settings_or_none(options)).addressed(tidied(octets)))
    if options.verbose:
        try:
            tell(said)
        except OSError:
            pass  # the message is on the disk all the same


def tell_queue(options: Options) -> int:
    """What waits, as ``mailq`` prints it."""
    from mailwright.cli import complain, tell
    from mailwright.cli.exit_codes import code_for
    from mailwright.cli.outbox.opening import where
    from mailwright.outbox.outbox import Outbox
    from mailwright.outbox.states import OPEN
    from mailwright.words.errors import MailError
    from mailwright.words.reply import visible

    try:
        with Outbox(where(options.outbox)) as outbox:
            waiting = [
                one for state in OPEN for one, _ in zip(outbox.find(state=state.name), range(_SHOWN), strict=False)
            ]
    except MailError as error:
        complain(str(error), "mailwright sendmail")
        return code_for(error)
    if not waiting:
        tell("Mail queue is empty.")
    for one in waiting[:_SHOWN]:
        tell(f"{one.id}  {one.state.name:9} {visible(one.address, 254)}  {visible(one.text, 160)}".rstrip())
    return 0


def settings_or_none(options: Options) -> Settings | None:
    """The settings, for their sender alone: whoever puts needs no server."""
    from mailwright.cli.sendmail import settings_of

    try:
        return settings_of(options)
    except ConfigError:
        return None
