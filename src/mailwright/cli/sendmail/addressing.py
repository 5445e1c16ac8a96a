"""From the octets of a message and the command line to an envelope, and to header fields that others can read.

Nothing in a signed message is changed. In any other: local names become addresses, names and free text outside ASCII
become encoded words, Return-Path goes (RFC 5321 §4.4), and a missing From is added. Whatever else a message
needs before it may be sent is done for all messages alike, by `mailwright.message.foreign`.
"""

from __future__ import annotations

from mailwright.cli.sendmail.mailboxes import read_mailboxes
from mailwright.message.decode import decoded_words, one_line, text_of
from mailwright.message.fields import Field, body_start, first, header_addresses, read_fields
from mailwright.message.foreign import signature
from mailwright.message.headers import mailboxes, unstructured
from mailwright.words.address import Address
from mailwright.words.envelope import Envelope
from mailwright.words.errors import AddressError, ConfigError, HeaderError, MessageError
from mailwright.words.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from mailwright.cli.sendmail.aliases import Directory
    from mailwright.cli.sendmail.mailboxes import Mailbox
    from mailwright.cli.sendmail.options import Options

    Own = Callable[[], Address | None]

HOPS_LIMIT = 100  # Received fields, RFC 5321 §6.3: a message with more goes round in a circle
_AUTHORS = ("from", "sender", "reply-to")
_READERS = ("to", "cc")
_RESENT_KEYS = tuple(f"resent-{name}" for name in ("from", "sender", "to", "cc", "bcc"))
#: Fields for machines, which are not free text: what is wrong in them can't be mended by encoding it.
_FOR_MACHINES = ("date", "message-id", "in-reply-to", "references", "received", "mime-version")


class Addressing:
    """Finds sender and recipients of messages. `own` gives the account's address, or `None` if it has none."""

    def __init__(self, options: Options, directory: Directory, own: Own) -> None:
        self._options, self._directory, self._own = options, directory, own

    def addressed(self, octets: bytes) -> tuple[Envelope, bytes]:
        """The envelope of a message with CRLF line ends, and the octets to send. Raises `MessageError` or
        `ConfigError`.
        """
        start = body_start(octets)
        fields = read_fields(octets[:start])
        if sum(field.key == "received" for field in fields) > HOPS_LIMIT:
            raise MessageError(
                f"The message has passed more than {HOPS_LIMIT} mail servers: it goes round in a circle.",
                "Look for an alias or a forwarding that leads back here.",
            )
        prefix = _resent(fields) if self._options.from_headers or self._options.sender is None else ""
        envelope = Envelope(self._sender(fields, prefix), self._recipients(fields, prefix), self._options.dsn)
        if signature(fields):
            return envelope, octets
        body = octets[start:]
        kept = [self._mended(field) for field in fields if field.key != "return-path"]
        kept = self._completed(kept, envelope, body)
        return envelope, b"".join([*(field.raw for field in kept), b"\r\n", body])

    def readdressed(self, recipients: tuple[Address, ...]) -> tuple[Address, ...]:
        """The recipients, local names in a domain such as localhost replaced by what they lead to."""
        found: list[Address] = []
        for recipient in recipients:
            name = recipient.local if recipient.domain in ("localhost", "localhost.localdomain") else None
            found += (recipient,) if name is None else self._directory.meant(name)
        return tuple(found)

    def recipients_of(self, words: tuple[str, ...]) -> list[Address]:
        """The recipients that the command line names. Raises `AddressError` or `ConfigError`."""
        return [address for word in words for box in read_mailboxes(word) for address in self._meant(box)]

    def _recipients(self, fields: list[Field], prefix: str) -> tuple[Address, ...]:
        found = self.recipients_of(self._options.recipients)
        if self._options.from_headers:
            keys = [prefix + name for name in ("to", "cc", "bcc")]
            for field in fields:
                if field.key in keys:
                    found += [address for box in _read(field) for address in self._meant(box)]
        if not found:
            where = f"there is no address in its headers {prefix.title()}To, Cc or Bcc, and none on the command line"
            raise MessageError(f"The message has no recipients: {where}.", "Name somebody.")
        return tuple(found)

    def _meant(self, box: Mailbox) -> tuple[Address, ...]:
        return (box.address,) if box.local is None else self._directory.meant(box.local)

    def _sender(self, fields: list[Field], prefix: str) -> Address | None:
        """The envelope's sender: -f, or else who sends according to the header, or else the account's."""
        given = self._options.sender
        if given == "":
            return None
        if given is not None:
            boxes = read_mailboxes(given)
            if len(boxes) != 1:
                raise AddressError("-f names no sender, or several.", "Write -f ada@example.org.", text=given)
        else:
            found = [_read(field) for key in ("sender", "from") if (field := first(fields, prefix + key)) is not None]
            boxes = next((found_in for found_in in found if len(found_in) == 1), [])
        if boxes and boxes[0].local is None:
            return boxes[0].address
        return self._required_own()

    def _required_own(self) -> Address:
        own = self._own()
        if own is None:
            raise ConfigError(
                "The message names no sender that the world knows, and neither does the account.",
                'Write sender = "ada@example.org" into the account in config.toml, set SENDER_EMAIL, or give -f.',
            )
        return own

    def _mended(self, field: Field) -> Field:
        """A field of addresses with no local name in it, and no octet above 127 where that can be."""
        key = field.key.removeprefix("resent-")
        try:
            if key in _AUTHORS or key in _READERS:
                boxes = _read(field)
                if field.raw.isascii() and all(box.local is None for box in boxes) and _is_strict(field):
                    return field
                found = [self._shown(box, key in _AUTHORS) for box in boxes]
                return Field(field.name, mailboxes(field.name, found).encode())
            if field.raw.isascii() or key in _FOR_MACHINES or key.startswith("content-"):
                return field
            return Field(field.name, unstructured(field.name, one_line(decoded_words(_text(field)))).encode())
        except (AddressError, HeaderError, ConfigError):
            return field  # the next reader of it says what is wrong, if anybody needs it

    def _shown(self, box: Mailbox, author: bool) -> Address:
        """A mailbox as it stands in the header for the world."""
        if box.local is None:
            return box.address
        meant = () if author else self._directory.meant(box.local)
        address = meant[0] if len(meant) == 1 else self._required_own()
        return replace(address, name=box.name or box.local)

    def _completed(self, fields: list[Field], envelope: Envelope, body: bytes) -> list[Field]:
        author = first(fields, "from")
        if author is None or not author.text:
            address = replace(envelope.sender or self._required_own(), name=one_line(self._options.name).strip())
            fields = [field for field in fields if field.key != "from"]
            fields.append(Field("From", mailboxes("From", [address]).encode()))
        if not body.isascii() and first(fields, "content-type") is None:
            fields += _text_fields(body)
        return fields


def _resent(fields: list[Field]) -> str:
    """``resent-`` where the message is sent on by somebody who is not its author (RFC 5322 §3.6.6), else nothing."""
    keys = [field.key for field in fields if field.key in _RESENT_KEYS]
    if len(keys) != len(set(keys)):
        raise HeaderError(
            "The message was resent more than once, so that its headers don't say who gets it now.",
            "Take the older Resent- headers out, or name the recipients on the command line, without -t, and -f.",
            field="Resent-To",
        )
    return "resent-" if keys else ""


def _text(field: Field) -> str:
    value = field.raw[len(field.name) + 1 :].replace(b"\r\n", b"").replace(b"\t", b" ")
    return text_of(value.strip(b" "), "us-ascii")


def _read(field: Field) -> list[Mailbox]:
    try:
        return read_mailboxes(_text(field))
    except AddressError as problem:
        raise AddressError(
            f"In the header {field.name}: {problem.what}", problem.advice, text=problem.text, position=problem.position
        ) from None


def _is_strict(field: Field) -> bool:
    """Whether everybody reads the same addresses in it; else it is written anew."""
    try:
        header_addresses(_text(field))
    except AddressError:
        return False
    return True


def _text_fields(body: bytes) -> list[Field]:
    """What a text outside ASCII that says nothing of itself is said to be (RFC 2045; RFC 1428 for the unknown)."""
    try:
        body.decode("utf-8")
        charset = "utf-8"
    except UnicodeDecodeError:
        charset = "unknown-8bit"
    return [
        Field("MIME-Version", b"MIME-Version: 1.0\r\n"),
        Field("Content-Type", f"Content-Type: text/plain; charset={charset}\r\n".encode()),
        Field("Content-Transfer-Encoding", b"Content-Transfer-Encoding: 8bit\r\n"),
    ]
