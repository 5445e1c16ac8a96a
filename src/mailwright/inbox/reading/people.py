"""Who a message was for: what its headers say, what the envelope says, and where they differ."""

from __future__ import annotations

from mailwright.inbox.reading.structure import HEAD_LIMIT
from mailwright.message.fields import body_start
from mailwright.message.message import Message
from mailwright.words.errors import MailError
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailwright.words.address import Address
    from mailwright.words.envelope import Envelope

#: People of one message who are listed.
PEOPLE_LIMIT = 500
#: Where the people of the envelope stand who are named in no header: their copy is a blind one (RFC 5321 §7.2).
BLIND = "Bcc"


@value
class Person:
    """One address. `where`: the header that names it, or ``"Bcc"`` if only the envelope does. `delivered`: the
    envelope names it, so that a copy goes there.
    """

    name: str
    address: str
    where: str
    delivered: bool


@value
class People:
    """The author and everybody a message is for, at most `PEOPLE_LIMIT`; `left_out` counts the others.

    `said` is the message's own header as far as it can be read, without its text.
    """

    said: Message
    listed: tuple[Person, ...]
    left_out: int
    exposed: bool

    def among(self, where: str) -> tuple[Person, ...]:
        """Those who are named there."""
        return tuple(person for person in self.listed if person.where == where)

    @property
    def blind(self) -> tuple[Person, ...]:
        """Those whom only the envelope names."""
        return self.among(BLIND)

    @property
    def not_delivered(self) -> tuple[Person, ...]:
        """Those whom a header names and the envelope does not: no copy goes to them."""
        return tuple(person for person in self.listed if not person.delivered)


def header_of(content: bytes) -> Message:
    """What the header fields of a message say, its text left aside."""
    head = content[: min(body_start(content), HEAD_LIMIT)]
    try:
        return Message.parse(head if head.endswith(b"\r\n\r\n") else head + b"\r\n\r\n")
    except MailError:
        return Message(None, [], "", "")


def people(content: bytes, envelope: Envelope) -> People:
    """Everybody whom the headers or the envelope name, in the order of the headers."""
    said = header_of(content)
    wanted = {address.spec.lower(): address for address in envelope.recipients}
    found: dict[tuple[str, str], Person] = {}
    named: set[str] = set()
    for where, addresses in (("To", said.to), ("Cc", said.cc), ("Bcc header", said.bcc)):
        for address in addresses:
            key = address.spec.lower()
            named.add(key)
            found.setdefault((where, key), Person(address.name, address.spec, where, key in wanted))
    listed = [*found.values(), *_blind(address for key, address in wanted.items() if key not in named)]
    return People(said, tuple(listed[:PEOPLE_LIMIT]), max(0, len(listed) - PEOPLE_LIMIT), bool(said.bcc))


def _blind(addresses: Iterable[Address]) -> Iterable[Person]:
    return (Person("", address.spec, BLIND, True) for address in addresses)
