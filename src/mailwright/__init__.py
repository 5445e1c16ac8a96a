"""mailwright: send mail from Python, with verified TLS, honest receipts and errors that say what to do.

The map of the house, from the bottom up; imports go strictly down::

    words      values: Address, Envelope, Server, Reply, Receipt, the errors
    message    writing: Message, attachments, MIME; adopting what others wrote
    steps      what a conversation may need from outside
    smtp sasl  the conversation, as plans over those steps
    providers  what is known of mail providers;  diagnose: of failures
    drivers    performing the steps: blocking, asyncio, in memory
    mailer     connections, settings, delivery
    outbox     a durable tray between an application and its mail server
    inbox      the other side: a local mail server to try and test with
    sending    send() and send_async();  checking: doctor();  smtplib: the standard library's interface;
               cli: the command line;  errors, options: more public names

`docs/topics/architecture.md` says why.
"""

from __future__ import annotations

from mailwright._lazy import lazily

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.checking import doctor, doctor_async
    from mailwright.diagnose.explain import explain
    from mailwright.inbox import Inbox
    from mailwright.mailer.aio import AsyncMailer
    from mailwright.mailer.finding import server_for, server_for_async
    from mailwright.mailer.sync import Mailer
    from mailwright.message.attachment import Attachment
    from mailwright.message.message import Message
    from mailwright.outbox.aio import AsyncOutbox
    from mailwright.outbox.outbox import Outbox
    from mailwright.sending import send, send_async
    from mailwright.words.address import Address
    from mailwright.words.errors import DeliveryError, MailError
    from mailwright.words.receipt import Receipt
    from mailwright.words.server import Login, Server

__all__ = [
    "Address",
    "AsyncMailer",
    "AsyncOutbox",
    "Attachment",
    "DeliveryError",
    "Inbox",
    "Login",
    "MailError",
    "Mailer",
    "Message",
    "Outbox",
    "Receipt",
    "Server",
    "doctor",
    "doctor_async",
    "explain",
    "send",
    "send_async",
    "server_for",
    "server_for_async",
]

__getattr__ = lazily(
    __name__,
    {
        "Address": "mailwright.words.address",
        "AsyncMailer": "mailwright.mailer.aio",
        "AsyncOutbox": "mailwright.outbox.aio",
        "Attachment": "mailwright.message.attachment",
        "DeliveryError": "mailwright.words.errors",
        "Inbox": "mailwright.inbox",
        "Login": "mailwright.words.server",
        "MailError": "mailwright.words.errors",
        "Mailer": "mailwright.mailer.sync",
        "Message": "mailwright.message.message",
        "Outbox": "mailwright.outbox.outbox",
        "Receipt": "mailwright.words.receipt",
        "Server": "mailwright.words.server",
        "doctor": "mailwright.checking",
        "doctor_async": "mailwright.checking",
        "explain": "mailwright.diagnose.explain",
        "send": "mailwright.sending",
        "send_async": "mailwright.sending",
        "server_for": "mailwright.mailer.finding",
        "server_for_async": "mailwright.mailer.finding",
    },
)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
