"""What is broken on request, how often it happened, and what could be broken."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mailwright.inbox.faults import written
from mailwright.inbox.faults.words import occasions
from mailwright.inbox.web.pages.described import counted
from mailwright.inbox.web.pages.page import Page
from mailwright.inbox.web.pages.plots import Bar, bars
from mailwright.inbox.web.pages.render import render
from mailwright.words.reply import visible
from mailwright.words.value import value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailwright.inbox.faults import Faults
    from mailwright.inbox.web.pages.plots import Plot

#: Times that are told one by one, the newest first.
FIRED_LIMIT = 50
#: Faults that get a bar of their own.
BARS_LIMIT = 12

#: What is offered to be broken with one press: what happens, and the fault as it is written.
OFFERED = (
    ("The greeting comes five seconds late", "slow_greeting seconds=5"),
    ("No greeting comes at all", "no_greeting seconds=60"),
    ("STARTTLS is refused", "starttls_refused"),
    ("The certificate has expired", "certificate expired"),
    ("The login is refused", "login"),
    ("The sender is refused", "sender_refused"),
    ("The second recipient is refused", "recipient_refused number=2"),
    ("Greylisting: the first try is put off", "greylisting"),
    ("Closed with 421 in the middle", "goodbye"),
    ("Dropped in the middle of the content", "in_content octets=1000"),
    ("Dropped after the final dot, before the reply", "after_dot"),
    ("The content is refused as spam", "content_refused"),
    ("The mailbox is full", "quota"),
    ("Every reply dribbles in, octet by octet", "dribble"),
    ("Every reply comes twice", "double"),
    ("One kilobyte a second", "bandwidth octets=1000"),
)


@value
class Playing:
    """A fault in force: as it is written, and how often it happened."""

    text: str
    times: int = 0


def faults(playing: Iterable[str] | None, page: Page | None = None, of: Faults | None = None) -> str:
    """The page of faults. `playing`: those in force, as they are written; `None` where there is no mail server that
    could play any. `of`: where they come from, for what is known of how often they happened.
    """
    listed = [Playing(text) for text in playing or ()]
    fired: list[tuple[float, str]] = []
    if of is not None:
        listed = [Playing(written(armed.fault), len(armed.fired)) for armed in of.active]
        fired = [(one.seconds, str(one)) for one in reversed(of.fired[-FIRED_LIMIT:])]
    return render(
        "faults.html",
        page=page or Page(),
        title="Faults",
        here="faults",
        playing=listed,
        able=playing is not None or of is not None,
        counts=of is not None,
        fired=fired,
        plot=happened(of) if of is not None else None,
        offered=OFFERED,
        occasions=occasions(),
        counted=counted,
    )


def happened(of: Faults) -> Plot | None:
    """How often each fault happened; `None` if none did."""
    counts = Counter(written(one.fault) for one in of.fired)
    if not counts:
        return None
    given = [
        Bar(visible(text, 12), number, f"{visible(text, 200)}: {counted(number, 'time')}")
        for text, number in counts.most_common(BARS_LIMIT)
    ]
    return bars("Faults that happened", f"{counted(sum(counts.values()), 'time')} altogether.", given)
