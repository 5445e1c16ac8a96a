"""Everything that can go wrong, sorted by whom it blames.

::

    MailError
    ├── MessageError (ValueError)      yours; nothing left this machine
    │   ├── AddressError               an address is not one
    │   └── HeaderError                a header name or value can't be sent
    ├── ConfigError (ValueError)       yours: server, login, URL, settings
    ├── DeliveryError                  .temporary .in_doubt .phase .server .reply .receipt .transcript
    │   ├── ConnectError (ConnectionError)
    │   ├── TLSError                   no encrypted connection to the right server
    │   ├── LoginError                 the server did not let us in
    │   ├── Refused                    .reply says why
    │   │   ├── SenderRefused
    │   │   ├── RecipientsRefused      .receipt and .remaining say who got it and who did not
    │   │   └── ContentRefused
    │   ├── Unsupported                the server can't do what this message needs
    │   ├── Timeout (TimeoutError)
    │   ├── ConnectionLost (ConnectionError)
    │   └── ProtocolError              the other side does not speak SMTP as the standard has it
    ├── OutboxError                    the outbox can't do it; what is in it stays in it
    │   ├── KeyReused (ValueError)     its key was used for another message
    │   └── OutboxUnavailable          the database does not answer, is full, or is not as it must be
    └── MissingExtra (ImportError)     an optional part is not installed

``str(error)`` says in at most two sentences what happened and what to do, and ``error.diagnosis`` tells the causes,
what to do and whether to try again, as `mailwright.diagnose` knows it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mailwright._lazy import Diagnosis
    from mailwright.words.receipt import Receipt
    from mailwright.words.reply import Reply
    from mailwright.words.transcript import Transcript


_DIAGNOSED = "_diagnosed"


class MailError(Exception):
    """Root of all errors of mailwright: `what` happened and the `advice` what to do, one sentence each."""

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.what} {self.advice}".rstrip()

    @property
    def diagnosis(self) -> Diagnosis | None:
        """What this error means: the likely causes, what to do and whether to try again.

        It is found when it is read, from what the error holds then, and kept until that changes. `None` only where
        `mailwright.diagnose` is not installed.
        """
        facts = self._facts()
        told: Diagnosis | None
        seen, told = self.__dict__.get(_DIAGNOSED, ({}, None))
        if seen.keys() != facts.keys() or any(seen[name] is not fact for name, fact in facts.items()):
            from mailwright._lazy import diagnosis_of

            told = diagnosis_of(self)
            self.__dict__[_DIAGNOSED] = (facts, told)
        return told

    def _facts(self) -> dict[str, Any]:
        return {name: fact for name, fact in self.__dict__.items() if name != _DIAGNOSED}

    def __reduce__(self) -> tuple[Any, ...]:
        # Errors travel through task queues and process pools; the default pickling would call __init__ with
        # args only. The state comes last, for it may lead back here: a receipt holds the error that holds it.
        return (_rebuild, (type(self), self.args), self._facts())


def _rebuild(cls: type[MailError], args: tuple[object, ...]) -> MailError:
    error = cls.__new__(cls, *args)
    error.args = args
    return error


class MessageError(MailError, ValueError):
    """The message can't be built or sent as it stands. Nothing left this machine."""


class AddressError(MessageError):
    """Not an address. `text` is what was given and `position` (from 0) the place of the defect."""

    def __init__(self, what: str, advice: str = "", *, text: str = "", position: int = 0) -> None:
        super().__init__(what, advice)
        self.text = text
        self.position = position


class HeaderError(MessageError):
    """A header's name or value can't be sent; `field` names it."""

    def __init__(self, what: str, advice: str = "", *, field: str = "") -> None:
        super().__init__(what, advice)
        self.field = field


class ConfigError(MailError, ValueError):
    """A server, login, URL or settings file is not usable as given. Nothing was connected."""


class DeliveryError(MailError):
    """The talk with the server did not end as it should.

    `phase` is one of the words in `mailwright.smtp.phases`; `server` is ``host:port``. `temporary`: the same
    call later may work and can't make a second copy. `in_doubt`: the last octet of the content left
    this machine and no reply came; the message may or may not arrive (RFC 1047), so sending it
    again may make a second copy. `receipt` tells every recipient's fate as far as it is known.
    """

    #: Whether an error of this class is worth trying again when nothing else is known.
    usually_temporary = False

    def __init__(
        self,
        what: str,
        advice: str = "",
        *,
        phase: str = "",
        server: str = "",
        reply: Reply | None = None,
        temporary: bool | None = None,
        in_doubt: bool = False,
        receipt: Receipt | None = None,
        transcript: Transcript | None = None,
    ) -> None:
        super().__init__(what, advice)
        self.phase = phase
        self.server = server
        self.reply = reply
        self._temporary = temporary
        self.in_doubt = in_doubt
        self.receipt = receipt
        self.transcript = transcript

    def __str__(self) -> str:
        if self.reply is None or not self._advice_may_be_the_servers():
            return super().__str__()
        told = self.diagnosis
        if told is None or told.fallback or told.certainty != "high":
            return super().__str__()
        return f"{self.what} {told.advice or self.advice}".rstrip()

    def _advice_may_be_the_servers(self) -> bool:
        """Whether nobody has the message, and the reply speaks for all who were refused."""
        if self.in_doubt:
            return False
        return self.receipt is None or not (self.receipt.accepted or len({o.reply for o in self.receipt.refused}) > 1)

    @property
    def temporary(self) -> bool:
        """True when the same call later may work and can't deliver a second copy to anybody."""
        if self.in_doubt:
            return False
        if self._temporary is not None:
            return self._temporary
        return self.reply.temporary if self.reply is not None else self.usually_temporary


class ConnectError(DeliveryError, ConnectionError):
    """No connection: unknown name, refused, unreachable, or no answer in time."""

    usually_temporary = True


class TLSError(DeliveryError):
    """No encrypted connection to the right server: certificate, name, version, or STARTTLS not offered.

    `certificate_sha256` is the fingerprint (hex) of the certificate that the server showed, as far as it came to that,
    and `certificate_names` are those that it is for, where it is for another host.
    """

    certificate_sha256: str = ""
    certificate_names: tuple[str, ...] = ()


class LoginError(DeliveryError):
    """The server did not let us in, or there is no safe way to log in."""


class Refused(DeliveryError):
    """The server said no; `reply` says why."""


class SenderRefused(Refused):
    """The server does not take mail from this sender."""


class RecipientsRefused(Refused):
    """Some or all recipients were refused.

    `receipt` tells who was accepted. `remaining` is the same message with the same Message-ID, addressed
    only to those for whom another try may help, or `None` if there is nobody. When somebody was accepted the
    error is never `temporary`: repeating the call would deliver a second copy.
    """

    #: The message for another try, or `None`.
    remaining: Any = None


class ContentRefused(Refused):
    """The server took the envelope but not the content."""


class Unsupported(DeliveryError):
    """The server can't do what this message needs (SMTPUTF8, SIZE, 8BITMIME, DSN …)."""


class Timeout(DeliveryError, TimeoutError):
    """The server did not answer within the time-out of this phase, or the whole deadline passed."""

    usually_temporary = True


class ConnectionLost(DeliveryError, ConnectionError):
    """The server closed the connection, or the network did."""

    usually_temporary = True


class ProtocolError(DeliveryError):
    """The other side does not speak SMTP as the standard has it; the connection is not usable any more."""


class OutboxError(MailError):
    """The outbox can't do what was asked. What is in it stays in it."""


class KeyReused(OutboxError, ValueError):
    """Another message was put with this key. `key` is it, and `id` that of the message that has it."""

    def __init__(self, what: str, advice: str = "", *, key: str = "", id: str = "") -> None:
        super().__init__(what, advice)
        self.key = key
        self.id = id


class OutboxUnavailable(OutboxError):
    """The database does not answer, has no room, is another one, or is not set up so that nothing is lost. Nothing was
    put.
    """


class MissingExtra(MailError, ImportError):
    """An optional part is not installed; the text holds the command that installs it."""


def attach(error: MailError, **facts: Any) -> None:
    """Fill in facts (`phase`, `server`, `receipt`, `transcript`) that were not known where the error was
    raised. An error that has no such attribute is left as it is.
    """
    for name, fact in facts.items():
        if getattr(error, name, fact) in (None, ""):
            setattr(error, name, fact)
