"""The waist of the house: what everything above carries, a mail object (RFC 5321 §2.3.1).

Above this line nobody asks whether a message was written here, made by the ``email`` package or read from a file.
"""

from __future__ import annotations

import sys

from mailwright.message.content import Content
from mailwright.message.message import Message
from mailwright.words.address import Address, addresses
from mailwright.words.envelope import Envelope
from mailwright.words.errors import MessageError, Unsupported
from mailwright.words.value import replace, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from email.message import Message as EmailMessage
    from typing import Protocol, TypeAlias

    Raw: TypeAlias = bytes | bytearray | memoryview | str
    AddressLike: TypeAlias = str | Address | tuple[str, str]
    Mailable: TypeAlias = "Message | MailObject | EmailMessage | Raw | tuple[Envelope, EmailMessage | Raw | Content]"

    class Form(Protocol):
        """A message that can be set in type, with 8-bit bodies or without."""

        def content(self, eight_bit: bool) -> Content:
            """The finished octets."""
            ...

        @property
        def utf8(self) -> bool:
            """True when header fields hold octets above 127."""
            ...


@value
class MailObject:
    """An `envelope` and the content that goes with it, ready for any number of attempts at delivery.

    `message_id` is the Message-ID with its angle brackets, or empty when a signed message came without one.
    The octets are fixed: asking again, here or in a copy that is `readdressed`, gives the same ones.
    """

    envelope: Envelope
    message_id: str
    form: Form

    def content_for(self, eight_bit_offered: bool) -> Content:
        """The octets for a server that offers 8BITMIME (RFC 6152), or for one that does not.

        Raises `MessageError` when an attachment is gone, and `Unsupported` when the content is 8-bit, the
        server is not, and the message is signed or too odd to be encoded anew.
        """
        return self.form.content(eight_bit_offered)

    @property
    def binary(self) -> Content | None:
        """The octets for a server that offers BINARYMIME (RFC 3030), if the message asks for that; else `None`."""
        return self.form.binary if isinstance(self.form, _Composed) else None

    @property
    def needs_utf8(self) -> bool:
        """True when only a server with SMTPUTF8 (RFC 6531) can take the envelope or the header fields."""
        return self.envelope.needs_utf8 or self.form.utf8

    def readdressed(self, recipients: tuple[Address, ...]) -> MailObject:
        """The same octets with the same Message-ID for other envelope recipients."""
        return MailObject(replace(self.envelope, recipients=recipients), self.message_id, self.form)


class _Composed:
    """A message of ours, set in type when somebody asks, once for each of its forms.

    Not before: only the server decides which form it is, and a message is frozen, so nothing can change until then.
    """

    __slots__ = ("_binary", "_eight", "_message", "_seven", "_stamp")

    def __init__(self, message: Message, stamp: tuple[str, str]) -> None:
        self._message = message
        self._stamp = stamp
        self._seven: Content | None = None
        self._eight: Content | None = None
        self._binary: Content | None = None

    def content(self, eight_bit: bool) -> Content:
        if eight_bit:
            if self._eight is None:
                self._eight = self._message.render(True, self._stamp)
            return self._eight
        if self._seven is None:
            self._seven = self._message.render(False, self._stamp)
        return self._seven

    @property
    def binary(self) -> Content | None:
        message = self._message
        if self._binary is None and any(one.binary for one in (*message.attachments, *message.inline)):
            self._binary = message.render(True, self._stamp, binary=True)
        return self._binary

    @property
    def utf8(self) -> bool:
        # The header fields are the same in both forms: no need to make another.
        return (self.content(False) if self._eight is None else self._eight).utf8


class _Adopted:
    """A message from elsewhere: its octets stay as they are for as long as the server can take them."""

    __slots__ = ("_given", "_seven", "_signed")

    def __init__(self, given: Content, signed: str) -> None:
        self._given = given
        self._seven = None if given.eight_bit else given
        self._signed = signed

    def content(self, eight_bit: bool) -> Content:
        if eight_bit:
            return self._given
        if self._seven is None:
            self._seven = self._in_seven_bits()
        return self._seven

    def _in_seven_bits(self) -> Content:
        if self._signed:
            raise Unsupported(
                f"The server has no 8BITMIME, and the message can't be encoded anew: it is signed ({self._signed}).",
                "Send it through a server with 8BITMIME, or encode it in 7 bits before it is signed.",
            )
        from mailwright.message.reencode import seven_bit

        try:
            return Content((seven_bit(bytes(self._given)),), utf8=self._given.utf8)
        except MessageError as problem:
            raise Unsupported(
                f"The server has no 8BITMIME, and the message can't be encoded anew: {problem.what}",
                "Send it through a server with 8BITMIME, or encode it in 7 bits.",
            ) from problem

    @property
    def utf8(self) -> bool:
        return self._given.utf8


def mail_object(
    given: Mailable,
    *,
    now: float,
    token: str,
    sender: AddressLike | None = None,
    to: AddressLike | Iterable[AddressLike] | None = None,
) -> MailObject:
    """The mail object of anything that can be sent: a `Message`, an ``email.message.Message``, raw RFC 5322
    octets (text is taken as UTF-8), or a pair of an `Envelope` and one of the latter two, or of an `Envelope` and a
    finished `Content`, which goes out as it is.

    `now` (seconds since 1970) and `token` (unique) make a missing Date and Message-ID. `sender` and `to`
    replace the envelope's, whatever the header fields say; ``sender=""`` is the null reverse-path. Without
    them the envelope is read from the header fields. Raises `MessageError`, `HeaderError` or `AddressError`.
    """
    if isinstance(given, Message):
        return _of_message(given, now, token, sender, to)
    if isinstance(given, MailObject):
        return replace(given, envelope=_changed(given.envelope, sender, to))
    envelope: Envelope | None = None
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], Envelope):
        envelope = _changed(given[0], sender, to)
        if isinstance(given[1], Content):  # finished, and checked when it was made: nothing is read or added
            return finished(envelope, given[1])
        given = given[1]
    return _of_foreign(_octets(given), now, token, envelope, sender, to)


def finished(envelope: Envelope, content: Content) -> MailObject:
    """The mail object of octets that go out as they are: no header field is read, added or taken out."""
    form = _Adopted(content, "it is finished content") if content.eight_bit else content
    return MailObject(envelope, "", form)


def _of_message(
    message: Message,
    now: float,
    token: str,
    sender: AddressLike | None,
    to: AddressLike | Iterable[AddressLike] | None,
) -> MailObject:
    if message.sender is None and sender:
        message = replace(message, sender=Address.of(sender))
    envelope = message.envelope() if to is None else None
    stamp = message.stamp(now, token)
    if envelope is None:
        envelope = Envelope(message.sender, addresses(to), message.dsn, message.require_tls)
    if sender is not None:
        envelope = _changed(envelope, sender, None)
    return MailObject(envelope, stamp[1], _Composed(message, stamp))


def _of_foreign(
    octets: bytes,
    now: float,
    token: str,
    envelope: Envelope | None,
    sender: AddressLike | None,
    to: AddressLike | Iterable[AddressLike] | None,
) -> MailObject:
    from mailwright.message.foreign import adopt

    adopted = adopt(octets, now=now, token=token, envelope=envelope, sender=sender, to=to)
    return MailObject(adopted.envelope, adopted.message_id, _Adopted(adopted.content, adopted.signed))


def _changed(
    envelope: Envelope, sender: AddressLike | None, to: AddressLike | Iterable[AddressLike] | None
) -> Envelope:
    if sender is not None:
        envelope = replace(envelope, sender=Address.of(sender) if sender else None)
    if to is not None:
        envelope = replace(envelope, recipients=addresses(to))
    return envelope


def _octets(given: object) -> bytes:
    """Raw octets as `bytes`; what can't be one is a `MessageError`."""
    if isinstance(given, bytes):
        return given
    if isinstance(given, (bytearray, memoryview)):
        return bytes(given)
    if isinstance(given, str):
        try:
            return given.encode("utf-8")
        except UnicodeEncodeError as problem:
            raise MessageError(
                f"The message holds half a character (a lone surrogate) at position {problem.start + 1}.",
                "It was decoded wrongly before: give the octets as they were read (bytes).",
            ) from None
    package = sys.modules.get("email.message")  # if nobody imported it, this is none of its messages
    if package is not None and isinstance(given, package.Message):
        from mailwright.message.standard import octets_of

        return octets_of(given)
    raise MessageError(
        f"{type(given).__name__} is not a message.",
        "Give a Message, an email.message.EmailMessage, bytes, or a pair (Envelope, bytes).",
    )
