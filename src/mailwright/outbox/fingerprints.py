"""Digests: of a message's octets, to know a damaged row, and of what its author gave, to know the same put again."""

from __future__ import annotations

import re
from hashlib import sha256

from mailwright.message.content import CHUNK, Content
from mailwright.message.mail import MailObject, mail_object
from mailwright.message.message import Message
from mailwright.message.stamping import date_text, message_id
from mailwright.words.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailwright.mailer.outgoing import Sendable
    from mailwright.words.address import Address

#: The boundaries that Python's ``email`` makes are random, so the same message has others each time.
_MADE_BOUNDARY = re.compile(rb"={15}\d{15,25}==")
_TOKEN = "0" * 32


def digest_of(content: Content) -> bytes:
    """SHA-256 of the octets."""
    if content.size <= CHUNK:
        return sha256(content.whole()).digest()
    made = sha256()
    for chunk in content.chunks():
        made.update(chunk)
    return made.digest()


def fingerprint_of(
    given: Sendable,
    mail: MailObject,
    digest: bytes,
    sender: str | Address | None,
    to: Iterable[str | Address] | str | Address | None,
) -> bytes:
    """SHA-256 over the envelope of `mail` and the octets that `given` has with a fixed Date, Message-ID and boundary in
    place of generated ones. `digest` is that of the octets of `mail`.
    """
    envelope = mail.envelope
    made = sha256()
    for part in (envelope.reverse_path, *sorted(one.spec for one in envelope.recipients)):
        made.update(part.encode() + b"\n")
    made.update(repr((envelope.dsn, envelope.require_tls)).encode() + b"\n")
    made.update(digest if _is_finished(given) else _undated(given, mail, sender, to))
    return made.digest()


def _is_finished(given: Sendable) -> bool:
    """Whether its octets are what the author gave, every time."""
    if isinstance(given, Message):
        return given.date is not None and given.message_id is not None
    return isinstance(given, MailObject) or (isinstance(given, tuple) and isinstance(given[1], Content))


def _undated(
    given: Sendable,
    mail: MailObject,
    sender: str | Address | None,
    to: Iterable[str | Address] | str | Address | None,
) -> bytes:
    if isinstance(given, Message):
        author = given.sender or mail.envelope.sender  # who is told apart from the message is its author too
        assert author is not None
        stamp = given.date or date_text(0.0), given.message_id or message_id(_TOKEN, author.domain)
        return digest_of(replace(given, sender=author).render(False, stamp))
    octets = mail_object(given, now=0.0, token=_TOKEN, sender=sender, to=to).content_for(True).whole()
    return sha256(_MADE_BOUNDARY.sub(b"=", octets)).digest()
