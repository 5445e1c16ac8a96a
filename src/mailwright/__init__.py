"""mailwright: send mail from Python, with verified TLS, honest receipts and errors that say what to do.

The map of the house, from the bottom up; imports go strictly down::

    words      values: Address, Envelope, Server, Reply, Receipt, the errors
    message    writing: Message, attachments, MIME; adopting what others wrote
    steps      what a conversation may need from outside
    smtp sasl  the conversation, as plans over those steps
    drivers    performing the steps: blocking, asyncio, in memory
    mailer     connections, settings, delivery
    inbox      the other side: a local mail server to try and test with
    sending    send() and send_async();  cli: the command line

`docs/topics/architecture.md` says why.
"""

from __future__ import annotations

from mailwright._lazy import lazily

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.inbox import Inbox
    from mailwright.mailer.aio import AsyncMailer
    from mailwright.mailer.sync import Mailer
    from mailwright.message.attachment import Attachment
    from mailwright.message.message import Message
    from mailwright.sending import send, send_async
    from mailwright.words.address import Address
    from mailwright.words.envelope import Envelope
    from mailwright.words.errors import DeliveryError, MailError
    from mailwright.words.receipt import Receipt
    from mailwright.words.server import Login, Server

__all__ = [
    "Address",
    "AsyncMailer",
    "Attachment",
    "DeliveryError",
    "Envelope",
    "Inbox",
    "Login",
    "MailError",
    "Mailer",
    "Message",
    "Receipt",
    "Server",
    "send",
    "send_async",
]

__getattr__ = lazily(
    __name__,
    {
        "Address": "mailwright.words.address",
        "AsyncMailer": "mailwright.mailer.aio",
        "Attachment": "mailwright.message.attachment",
        "DeliveryError": "mailwright.words.errors",
        "Envelope": "mailwright.words.envelope",
        "Inbox": "mailwright.inbox",
        "Login": "mailwright.words.server",
        "MailError": "mailwright.words.errors",
        "Mailer": "mailwright.mailer.sync",
        "Message": "mailwright.message.message",
        "Receipt": "mailwright.words.receipt",
        "Server": "mailwright.words.server",
        "send": "mailwright.sending",
        "send_async": "mailwright.sending",
    },
)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
