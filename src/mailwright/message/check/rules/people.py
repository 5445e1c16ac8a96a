"""Who wrote to whom: From, the envelope, and who can see whom."""

from __future__ import annotations

from mailwright.message.check.finding import ERROR, INFO, WARNING, Group, listed, shown
from mailwright.message.check.opened import without_comments
from mailwright.message.check.places import organization
from mailwright.message.check.signatures import signatures
from mailwright.message.decode import decoded_words, one_line
from mailwright.message.fields import BLIND, header_addresses
from mailwright.words.errors import AddressError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailwright.message.check.finding import Fault
    from mailwright.message.check.opened import Opened

group = Group("People")
VISIBLE_LIMIT = 20  # people in To and Cc: about as many as one knows by name
_LIST_LIMIT = 1 << 16  # characters of an address list that is checked
_LISTS = ("to", "cc", "reply-to", "sender")


@group.rule(
    "no-from", ERROR,
    why="From is one of the two fields that every message must have; Gmail and others refuse mail without it.",
    source="RFC 5322 §3.6.2, Google: email sender guidelines",
    fix="Name the author.",
)  # fmt: skip
def no_from(mail: Opened) -> Iterator[Fault]:
    """No From."""
    if not mail.header("from"):
        yield "There is no From.", ""


@group.rule(
    "bad-from", ERROR,
    why="Servers refuse a From that they can't read, and two readers may see two senders in it.",
    source="RFC 5322 §3.4, §3.6.2",
    fix='Write it like "Ada Lovelace" <ada@example.org>.',
)  # fmt: skip
def bad_from(mail: Opened) -> Iterator[Fault]:
    """A From that is no address."""
    for field in mail.all("from")[:1]:
        yield from _problem(field.name, field.text)


@group.rule(
    "bad-address", WARNING,
    why="An answer goes nowhere, and filters count broken address headers against the sender.",
    source="RFC 5322 §3.4",
    fix='Write each like "Ada Lovelace" <ada@example.org>, with commas between.',
)  # fmt: skip
def bad_address(mail: Opened) -> Iterator[Fault]:
    """An address outside the grammar in To, Cc, Reply-To or Sender."""
    for field in mail.fields:
        if field.key in _LISTS:
            yield from _problem(field.name, field.text)


def _problem(name: str, text: str) -> Iterator[Fault]:
    text = one_line(text)
    if not text or len(text) > _LIST_LIMIT:
        return
    try:
        header_addresses(without_comments(text))
    except AddressError:
        yield f"{shown(text)} is not a list of addresses.", f"header {name}"


@group.rule(
    "several-from-no-sender", ERROR,
    why="With several authors Sender says who sent it, and DMARC can check only one; most servers refuse it.",
    source="RFC 5322 §3.6.2, RFC 7489 §6.6.1",
    fix="Name one author in From, the others in the text.",
)  # fmt: skip
def several_from_no_sender(mail: Opened) -> Iterator[Fault]:
    """Several addresses in From and no Sender."""
    authors = mail.addresses("from")
    if len(authors) > 1 and "sender" not in mail.keys:
        yield f"From has {len(authors)} addresses and there is no Sender.", "header From"


@group.rule(
    "from-not-aligned", WARNING,
    why="DMARC asks that the domain of From is that of the envelope's sender or of a DKIM signature.",
    source="RFC 7489 §3.1, Google and Yahoo: sender guidelines",
    fix="Sign with DKIM for the domain of From, or let the envelope's sender be of that domain.",
)  # fmt: skip
def from_not_aligned(mail: Opened) -> Iterator[Fault]:
    """From belongs to another domain than the envelope's sender, and no DKIM signature is of its domain."""
    author, returns_to = _author_domain(mail), _return_domain(mail)
    if not author or not returns_to or organization(author) == organization(returns_to):
        return
    if any(organization(author) == organization(one.domain) for one in signatures(mail) if one.domain):
        return
    yield f"From is of {shown(author)}, the envelope's sender of {shown(returns_to)}.", "header From"


def _author_domain(mail: Opened) -> str:
    authors = mail.addresses("from")
    return authors[0].domain if len(authors) == 1 else ""


def _return_domain(mail: Opened) -> str:
    """The domain of the envelope's sender; a delivered message says it in Return-Path."""
    if mail.envelope is not None:
        return mail.envelope.sender.domain if mail.envelope.sender is not None else ""
    found = mail.addresses("return-path")
    return found[0].domain if found else ""


@group.rule(
    "many-visible-recipients", WARNING,
    why="Everybody sees the addresses of everybody else, and every answer to all goes to all of them.",
    source="RFC 5322 §5, GDPR art. 5",
    fix="Send each a message of their own, or use bcc.",
)  # fmt: skip
def many_visible_recipients(mail: Opened) -> Iterator[Fault]:
    """More than 20 addresses in To and Cc."""
    text = [field.text for key in ("to", "cc") for field in mail.all(key)]
    count = len({one.spec.lower() for key in ("to", "cc") for one in mail.addresses(key)})
    count = count or sum(one.count("@") for one in text)
    if count > VISIBLE_LIMIT:
        yield f"To and Cc show {count:,} addresses.", ""


@group.rule(
    "bcc-in-message", ERROR,
    why="Whoever gets the message can read who else got it.",
    source="RFC 5322 §3.6.3, §5",
    fix="Name them in the envelope only (mailwright does so with bcc=).",
)  # fmt: skip
def bcc_in_message(mail: Opened) -> Iterator[Fault]:
    """A Bcc header with addresses."""
    for field in mail.fields:
        if field.key in BLIND and field.text:
            yield f"{field.name} names somebody.", f"header {field.name}"


@group.rule(
    "no-visible-recipient", INFO,
    why="Mail that is addressed to nobody looks like spam to filters and readers.",
    source="RFC 5322 §3.6.3",
    fix="Write the recipient, or your own address, into To.",
)  # fmt: skip
def no_visible_recipient(mail: Opened) -> Iterator[Fault]:
    """Neither To nor Cc."""
    if not {"to", "cc"} & mail.keys:
        yield "There is neither To nor Cc.", ""


@group.rule(
    "misleading-name", WARNING,
    why="A name that shows another address than the real one is how forgeries are made; filters know that.",
    source="M3AAWG: sender best practices",
    fix="Let the name be a name.",
)  # fmt: skip
def misleading_name(mail: Opened) -> Iterator[Fault]:
    """The name in From shows an address of another domain."""
    for author in mail.addresses("from")[:1]:
        words = [word.strip("<>()[]\"',;") for word in one_line(decoded_words(author.name)).split()]
        shows = [word for word in words if "." in word.partition("@")[2]]
        other = [word for word in shows if organization(word.rpartition("@")[2]) != organization(author.domain)]
        if other:
            yield f"The name shows {listed(other)}, the address is {shown(author.spec)}.", "header From"
