"""The front door: `send` and `send_async`, for the first script and for the last."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from mailwright.mailer.outgoing import Sendable
    from mailwright.mailer.settings import Settings
    from mailwright.words.address import Address
    from mailwright.words.receipt import Receipt
    from mailwright.words.secret import Secret
    from mailwright.words.server import Server

    AddressLike = str | Address | tuple[str, str]
    Addresses = AddressLike | Iterable[AddressLike]


def send(
    to_or_message: Addresses | Sendable | None = None,
    /,
    subject: str | None = None,
    text: str | None = None,
    *,
    to: Addresses | None = None,
    html: Any = None,
    attachments: Any = (),
    inline: Mapping[str, Any] | None = None,
    cc: Addresses = (),
    bcc: Addresses = (),
    reply_to: Addresses = (),
    headers: Mapping[str, str] | None = None,
    sender: AddressLike | None = None,
    password: str | Secret | None = None,
    server: Server | str | None = None,
    account: str | None = None,
    **unknown: Any,
) -> Receipt:
    """Send one message and give its receipt.

    Either the parts of the message (see `Message` for each), or one finished message in first place:
    ``send(message)`` with a `Message`, an `email.message.EmailMessage`, or raw octets (then `sender` and `to`
    may give the envelope). Where to send it comes from `server` (a `Server` or URL), from the `account` of
    that name in the configuration file, or from the environment; `mailwright config` shows which. At a provider
    that is known well (`mailwright providers`) the address of the `sender` and a `password` are enough. Works
    inside a running event loop too, which it blocks. Raises `MessageError`, `ConfigError`, or a `DeliveryError`
    that says what to do.
    """
    message, envelope_to = _message(
        to_or_message, to, subject, text, html, attachments, inline, cc, bcc, reply_to, headers, sender, unknown
    )
    settings = _settings(server, account, sender, password, message)
    from mailwright.mailer.pool import ONE_MESSAGE
    from mailwright.mailer.sync import Mailer

    with Mailer(settings.for_mail, limits=ONE_MESSAGE, sender=settings.sender) as mailer:
        return mailer.send(message, sender=_envelope_sender(message, sender), to=envelope_to)


async def send_async(
    to_or_message: Addresses | Sendable | None = None,
    /,
    subject: str | None = None,
    text: str | None = None,
    *,
    to: Addresses | None = None,
    html: Any = None,
    attachments: Any = (),
    inline: Mapping[str, Any] | None = None,
    cc: Addresses = (),
    bcc: Addresses = (),
    reply_to: Addresses = (),
    headers: Mapping[str, str] | None = None,
    sender: AddressLike | None = None,
    password: str | Secret | None = None,
    server: Server | str | None = None,
    account: str | None = None,
    **unknown: Any,
) -> Receipt:
    """Send one message and give its receipt: `send` for asyncio and Trio, with the same parameters, results and
    errors.
    """
    message, envelope_to = _message(
        to_or_message, to, subject, text, html, attachments, inline, cc, bcc, reply_to, headers, sender, unknown
    )
    settings = _settings(server, account, sender, password, message)
    from mailwright.mailer.aio import AsyncMailer
    from mailwright.mailer.loops import running
    from mailwright.mailer.pool import ONE_MESSAGE

    # The password may come from a command or the keyring: that must not hold up the event loop.
    loop = running()
    found = await loop.run(_ask(lambda: settings.for_mail), loop.Link())
    async with AsyncMailer(found, limits=ONE_MESSAGE, sender=settings.sender) as mailer:
        return await mailer.send(message, sender=_envelope_sender(message, sender), to=envelope_to)


def _message(
    first: Any, to: Any, subject: Any, text: Any, html: Any, attachments: Any, inline: Any, cc: Any, bcc: Any,
    reply_to: Any, headers: Any, sender: Any, unknown: dict[str, Any],
) -> tuple[Any, Any]:  # fmt: skip
    """The message that was meant, and the recipients of its envelope where they are not its own."""
    from mailwright.message.message import Message

    message = unknown.pop("message", None)
    if unknown:
        from mailwright.message.keywords import explain_unknown

        raise explain_unknown(unknown)
    if message is None and _is_finished(first):
        message, first = first, None
    if first is not None and to is not None:
        raise TypeError("send() got recipients twice: in first place and as to=")
    recipients = first if first is not None else to
    if message is not None:
        return message, recipients or None
    if subject is None and text is None and html is None and not attachments:
        raise TypeError(
            "send() needs a subject, or a finished message in first place: send(to, subject, text) or send(message)"
        )
    message = Message(
        sender, recipients or (), subject or "", text, html,
        attachments=attachments, inline=inline, cc=cc, bcc=bcc, reply_to=reply_to, headers=headers,
    )  # fmt: skip
    return message, None


def _is_finished(given: Any) -> bool:
    from mailwright.message.mail import MailObject
    from mailwright.message.message import Message
    from mailwright.words.envelope import Envelope

    if isinstance(given, (Message, MailObject, bytes, bytearray)) or hasattr(given, "get_content_type"):
        return True
    return isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], Envelope)


def _envelope_sender(message: Any, sender: Any) -> Any:
    from mailwright.message.message import Message

    return None if isinstance(message, Message) else sender


async def _ask(act: Callable[[], Server]) -> Server:
    from mailwright.steps import Ask

    answer: Server = await Ask(act, blocking=True)
    return answer


def _settings(server: Any, account: str | None, sender: Any, password: Any, message: Any) -> Settings:
    from mailwright.mailer.settings import resolve
    from mailwright.message.message import Message
    from mailwright.words.address import Address

    if not sender and isinstance(message, Message):
        sender = message.sender
    spec = Address.of(sender).spec if sender else None
    return resolve(server=server, account=account, sender=spec, password=password)
