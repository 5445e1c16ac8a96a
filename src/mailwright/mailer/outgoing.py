"""From whatever a caller gave to the mail object that is sent: the place where a message gets its time and
its token.
"""

from __future__ import annotations

from os import urandom
from time import time

from mailwright.message.content import Content
from mailwright.message.mail import MailObject, finished, mail_object
from mailwright.message.message import Message
from mailwright.words.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from email.message import Message as EmailMessage

    from mailwright.words.address import Address
    from mailwright.words.envelope import Envelope

    Sendable = (
        Message
        | MailObject
        | EmailMessage
        | bytes
        | bytearray
        | str
        | tuple[Envelope, bytes]
        | tuple[Envelope, Content]
    )


def outgoing_mail(
    given: Sendable,
    sender: str | Address | None,
    to: Iterable[str | Address] | str | Address | None,
    default_sender: str | None = None,
    token: str | None = None,
) -> MailObject:
    """The mail object for `given`, with Date and Message-ID, which is made of `token` if that is given and the message
    has none of its own. Raises `MessageError`; nothing was connected then.
    """
    if sender is None and to is None:
        if isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], Content):
            return finished(given[0], given[1])
        if isinstance(given, MailObject):
            return given
    if default_sender and isinstance(given, Message) and given.sender is None:
        given = replace(given, sender=default_sender)
    return mail_object(given, now=time(), token=token or fresh_token(), sender=sender, to=to)


def fresh_token() -> str:
    """A token for a Message-ID: 128 random bits, so that no two processes, forks or machines give the same
    (RFC 5322 §3.6.4).
    """
    return urandom(16).hex()
