"""The plan that finds deliveries by what is known of them, newest first, page by page."""

from __future__ import annotations

from mailwright.outbox.asking import Query
from mailwright.outbox.looking import delivery
from mailwright.outbox.states import STATES, state_named
from mailwright.words.errors import ConfigError
from mailwright.words.reply import visible
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mailwright.outbox.status import Delivery
    from mailwright.outbox.store import Store

PAGE = 100  # deliveries of one question

#: What may be asked for, and what it means for the statement. On a great outbox `state` with a final one, `key`, and a
#: span of time are quick; the others look at what is there, newest first, until the page is full.
CONDITIONS = {
    "state": "d.state = :state",
    "recipient": "lower(d.rcpt) = :recipient",
    "domain": "d.dest = :domain",
    "account": "d.account = :account",
    "key": "m.idem_key = :key",
    "stream": "m.stream = :stream",
    "message_id": "m.message_id = :message_id",
    "since": "d.message_id >= :since",
    "until": "d.message_id < :until",
    "after": "(d.message_id, d.n) < (:after, :after_n)",
}


TEXTS = ("state", "recipient", "domain", "account", "key", "stream", "message_id")


@value
class Wanted:
    """What `find` looks for; `None` is anything. `since` and `until` (ms) are when it was put."""

    state: str | None = None
    recipient: str | None = None
    domain: str | None = None
    account: str | None = None
    key: str | None = None
    stream: str | None = None
    message_id: str | None = None
    since: int | None = None
    until: int | None = None

    def __post_init__(self) -> None:
        for name in TEXTS:
            _check_text(name, getattr(self, name))
        if self.state is not None and self.state not in {state.name for state in STATES}:
            names = ", ".join(state.name for state in STATES)
            raise ConfigError(f"There is no state {self.state!r:.40}.", f"Use one of {names}.")


def _check_text(name: str, text: object) -> None:
    """Raises `ConfigError` for what no database takes as text."""
    if text is None or (isinstance(text, str) and "\0" not in text and text.encode(errors="ignore").decode() == text):
        return
    raise ConfigError(f"{name}={visible(repr(text), 60)} can't be looked for.", "Give text, or leave it out.")


async def find(store: Store, wanted: Wanted, after: tuple[bytes, int] | None, most: int) -> list[Delivery]:
    """Up to `most` deliveries older than the one `after` which to go on."""
    given: dict[str, Any] = {
        "state": state_named(wanted.state).number if wanted.state else None,
        "recipient": wanted.recipient and wanted.recipient.strip().lower(),
        "domain": wanted.domain and wanted.domain.strip().lower(),
        "account": wanted.account,
        "key": wanted.key,
        "stream": wanted.stream,
        "message_id": wanted.message_id and f"<{wanted.message_id.strip().strip('<>')}>",
        "since": _first_id(wanted.since),
        "until": _first_id(wanted.until),
        "after": after and after[0],
    }
    asked = {name: found for name, found in given.items() if found is not None}
    where = store.dialect.where(CONDITIONS[name] for name in asked)
    if after is not None:
        asked["after_n"] = after[1]
    rows = await Query(store.sql["find"].replace("{conditions}", where), asked | {"most": most})
    return [delivery(row) for row in rows]


def _first_id(milliseconds: int | None) -> bytes | None:
    """The least id of a message put at that time: ids follow the time."""
    return None if milliseconds is None else max(0, milliseconds).to_bytes(6, "big") + bytes(10)


def place_after(one: Delivery) -> tuple[bytes, int]:
    """Where to go on behind this one."""
    return bytes.fromhex(one.id.replace("-", "")), one.n
