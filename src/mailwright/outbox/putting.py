"""From what an author gives to a draft whose octets are fixed, and the plan that writes drafts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from mailwright.mailer.outgoing import outgoing_mail
from mailwright.outbox.bounces.marks import marked
from mailwright.outbox.fingerprints import digest_of, fingerprint_of
from mailwright.outbox.ids import moment, new_id, text_of
from mailwright.outbox.rows import EIGHT_BIT, LANES, REQUIRE_TLS, UTF8, Consignee, Draft
from mailwright.outbox.states import HELD, QUEUED, SUPPRESSED
from mailwright.words.errors import ConfigError, KeyReused, MailError, MessageError, Unsupported
from mailwright.words.reply import visible
from mailwright.words.value import replace, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mailwright.mailer.outgoing import Sendable
    from mailwright.message.content import Content
    from mailwright.message.mail import MailObject
    from mailwright.outbox.store import Store
    from mailwright.words.address import Address
    from mailwright.words.envelope import DSN

    When = datetime | timedelta | float

MAX_SIZE = 50 << 20  # octets of a message, unless the outbox is told another limit
KEY_LIMIT = 255  # characters of a key, a stream, an account
WITHHELD = "Held back when it was put."

InDoubt = Literal["retry", "hold"]
Lane = Literal["urgent", "normal", "bulk"]


@value
class Put:
    """A message of `Outbox.put_many` with options of its own; they mean what they mean in `Outbox.put`. What is `None`
    is as the call of `put_many` says.
    """

    message: Sendable
    key: str | None = None
    account: str | None = None
    stream: str | None = None
    lane: Lane | None = None
    at: When | None = None
    expires: When | None = None
    in_doubt: InDoubt | None = None
    sender: str | Address | None = None
    to: Iterable[str | Address] | str | Address | None = None
    held: bool | None = None


@value
class Terms:
    """On which terms messages are put: the options of `Outbox.put` but for the message, the addresses and the key."""

    account: str = "default"
    stream: str = "default"
    lane: Lane = "normal"
    at: When | None = None
    expires: When | None = None
    in_doubt: InDoubt | None = None
    held: bool = False

    def __post_init__(self) -> None:
        for name in ("account", "stream"):
            _check_name(name, getattr(self, name))
        if self.lane not in LANES:
            raise ConfigError(f"There is no lane {self.lane!r:.40}.", f"Use one of {', '.join(LANES)}.")
        if self.in_doubt is not None:
            _check_in_doubt(self.in_doubt)


@value
class House:
    """What holds for all messages of one outbox: the most octets of one (`max_size`), and what happens `in_doubt` where
    a message does not say it, for all streams or for each by its name.
    """

    max_size: int = MAX_SIZE
    in_doubt: InDoubt | Mapping[str, InDoubt] = "retry"

    def __post_init__(self) -> None:
        for one in (self.in_doubt,) if isinstance(self.in_doubt, str) else self.in_doubt.values():
            _check_in_doubt(one)

    def holds(self, terms: Terms) -> bool:
        """Whether a message on these terms is set aside in doubt."""
        told = self.in_doubt if isinstance(self.in_doubt, str) else self.in_doubt.get(terms.stream, "retry")
        return (terms.in_doubt or told) == "hold"


def _check_in_doubt(word: object) -> None:
    if word not in ("retry", "hold"):
        raise ConfigError(f"in_doubt={word!r:.40} is not known.", "Use 'retry' or 'hold'.")


def draft_of(
    message: Sendable,
    key: str | None,
    terms: Terms,
    sender: str | Address | None,
    to: Iterable[str | Address] | str | Address | None,
    house: House,
) -> Draft:
    """The message with its octets, its Date and its Message-ID fixed. Raises `MessageError`, and `ConfigError` for an
    option that is none.
    """
    if key is not None:
        _check_name("key", key)
    id = new_id()
    mail = outgoing_mail(message, sender, to, token=id.hex())
    content, eight_bit = _seven_bit_if_possible(mail)
    if content.size > house.max_size:
        raise MessageError(
            f"The message has {content.size:,} octets; this outbox takes {house.max_size:,}.",
            "Make it smaller (a link in place of the file), or open the outbox with a larger max_size.",
        )
    envelope = mail.envelope
    utf8 = content.utf8 or envelope.needs_utf8
    needs = eight_bit * EIGHT_BIT | utf8 * UTF8 | envelope.require_tls * REQUIRE_TLS
    state, reason = (HELD, WITHHELD) if terms.held else (QUEUED, "")
    digest = digest_of(content)
    return Draft(
        id,
        terms.stream,
        key,
        None if key is None else fingerprint_of(message, mail, digest, sender, to),
        marked(envelope.reverse_path, id),
        mail.message_id,
        content,
        digest,
        needs,
        None if envelope.dsn is None else _dsn(envelope.dsn, id),
        terms.account,
        LANES.index(terms.lane),
        house.holds(terms),
        milliseconds("at", terms.at),
        milliseconds("expires", terms.expires),
        tuple([Consignee(n, to.spec, to.domain, state, reason) for n, to in enumerate(envelope.recipients)]),
    )


def _seven_bit_if_possible(mail: MailObject) -> tuple[Content, bool]:
    """The form that any server takes, for which server it will be is not known yet; and whether it is 8-bit after all,
    because it is signed, or finished by its author.
    """
    try:
        content = mail.content_for(False)
    except Unsupported:
        content = mail.content_for(True)
    return content, content.eight_bit


def _dsn(asked: DSN, id: bytes) -> str:
    """What reports are wanted. They name the message by its id, unless the author gave another (RFC 3461 §4.4)."""
    from json import dumps

    return dumps({"notify": asked.notify, "ret": asked.ret, "envid": asked.envid or text_of(id)})


def _check_name(name: str, text: object) -> None:
    if not isinstance(text, str) or not text or len(text) > KEY_LIMIT or not text.isprintable():
        raise ConfigError(
            f"{name}={visible(repr(text), 60)} can't be used.", f"Give 1 to {KEY_LIMIT} printable characters."
        )


def milliseconds(name: str, when: When | None) -> int | None:
    """A time for the store, from a moment with its zone, seconds since 1970, or a span from now on."""
    if when is None:
        return None
    if isinstance(when, datetime) and when.utcoffset() is None:
        raise ConfigError(f"{name}={when.isoformat()} has no time zone.", "Give it one: datetime.now(UTC).")
    try:
        if isinstance(when, timedelta):
            seconds = moment() + when.total_seconds()
        elif isinstance(when, datetime):
            seconds = when.timestamp()
        else:
            seconds = float(when)
        if not 0 <= seconds < 253402300799:
            raise ValueError
        return int(seconds * 1000)
    except (TypeError, ValueError, OverflowError):
        how = "Give a datetime with a time zone, a timedelta from now on, or seconds since 1970."
        raise ConfigError(f"{name}={when!r:.60} is no moment.", how) from None


def seconds(name: str, span: timedelta | float | None) -> float | None:
    """A span in seconds. Raises `ConfigError`."""
    if span is None:
        return None
    try:
        found = span.total_seconds() if isinstance(span, timedelta) else float(span)
        if not 0 <= found < 1e10:
            raise ValueError
    except (TypeError, ValueError):
        raise ConfigError(f"{name}={span!r:.60} is no span of time.", "Give a timedelta, or seconds.") from None
    return found


# Writing


def written(answer: bytes | BaseException) -> bytes:
    """The id that `put` gave, or its error raised."""
    if isinstance(answer, BaseException):
        raise answer
    return answer


async def put(store: Store, drafts: Sequence[Draft]) -> list[bytes | MailError]:
    """Write the drafts. Gives for each its id, that of the same message put before with its key, or `KeyReused`."""
    if not store.suppresses(drafts):
        drafts = await without_suppressed(store, drafts)
    taken = await store.insert(drafts)
    if not taken:
        return [draft.id for draft in drafts]
    answers: dict[bytes, bytes | MailError] = {}
    for stream in {draft.stream for draft in taken}:
        asked = [draft for draft in taken if draft.stream == stream]
        known = await store.by_key(stream, [draft.key for draft in asked if draft.key is not None])
        for draft in asked:
            answers[draft.id] = same(draft, *known[draft.key or ""])
    return [answers.get(draft.id, draft.id) for draft in drafts]


async def put_again(store: Store, drafts: Sequence[Draft]) -> list[bytes | MailError]:
    """The same for drafts of which it is not known whether they were written: they are looked for first."""
    there = await store.known([draft.id for draft in drafts])
    answers = iter(await put(store, [draft for draft in drafts if draft.id not in there]))
    return [draft.id if draft.id in there else next(answers) for draft in drafts]


def same(draft: Draft, id: bytes, fingerprint: bytes) -> bytes | MailError:
    """The id of the message that has the draft's key, or why it may not."""
    if fingerprint == draft.fingerprint:
        return id
    assert draft.key is not None
    return KeyReused(
        f"The key {visible(draft.key, 80)!r} of stream {visible(draft.stream, 40)!r} belongs to another message, "
        f"{text_of(id)}; this one was not put.",
        "Use a new key for a message whose content or addresses differ.",
        key=draft.key,
        id=text_of(id),
    )


async def without_suppressed(store: Store, drafts: Sequence[Draft]) -> Sequence[Draft]:
    """The drafts, with the recipients that are on the suppression list marked so."""
    if not await store.any_suppressed():
        return drafts
    names = {name for draft in drafts for one in draft.consignees for name in names_of(one.address, one.domain)}
    listed = await store.suppressed(names)
    if not listed:
        return drafts
    return [
        replace(draft, consignees=tuple([_suppressed(one, listed) for one in draft.consignees])) for draft in drafts
    ]


def _suppressed(one: Consignee, listed: dict[str, str]) -> Consignee:
    for name in names_of(one.address, one.domain):
        if name in listed:
            return replace(one, state=SUPPRESSED, reason=visible(listed[name], 200))
    return one


def names_of(address: str, domain: str) -> tuple[str, str]:
    """Under which names an address may be on the suppression list, which is kept in lower case."""
    return address.lower(), f"@{domain}"
