"""What every page must know of the request that asked for it."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING

from mailwright.words.value import value

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailwright.inbox.kept import Row
    from mailwright.inbox.web.spamd import Verdict


@value
class Page:
    """`nonce`: which lets our script run, new for each request. `csrf`: the token that every form sends back.

    `smtp`: the mail server of the inbox as a URL (`Inbox.url`), for the settings ready to paste; empty where it is
    not to be told. `release`: whether a message can be released to somebody. `verdict`: asks
    SpamAssassin about a message, where it is to be asked. `now`: Unix time, 0 for the clock's.
    """

    nonce: str = ""
    csrf: str = ""
    smtp: str = ""
    release: bool = False
    verdict: Callable[[Row], Verdict] | None = None
    now: float = 0.0

    @property
    def moment(self) -> float:
        """Unix time at which the page is made."""
        return self.now or time()
