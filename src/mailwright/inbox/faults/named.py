"""The common faults by name. Each is one `Fault`; what else they take (`times`, `chance`, `seed`, `sender`,
`recipient`, `number`, `after`, `each`) are the fields of `Fault` that say when.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar

from mailwright.inbox.faults.words import refusal
from mailwright.smtp.receiving.faults import Fault
from mailwright.words.errors import ConfigError

if TYPE_CHECKING:
    from typing import Unpack

T = TypeVar("T")


class When(TypedDict, total=False):
    """The fields of `Fault` that say when it happens."""

    number: int
    sender: str
    recipient: str
    after: int
    times: int | None
    each: bool
    chance: float
    seed: int


class Named(ABC, Generic[T]):
    """A method for each common fault; what becomes of it is for `arm`, which whoever inherits from this says."""

    @abstractmethod
    def arm(self, fault: Fault) -> T:
        """Put a fault in force."""

    def add(self, fault: Fault | str, action: str = "", **fields: Any) -> T:
        """Any fault: a `Fault`, its stage and action with other fields of `Fault`, or its text as on the command line.

        Raises `ConfigError`.
        """
        from mailwright.inbox.faults.writing import parse

        if isinstance(fault, Fault):
            return self.arm(fault)
        if not action and not fields:
            return self.arm(parse(fault))
        try:
            return self.arm(Fault(fault, action, **fields))
        except TypeError as problem:
            raise ConfigError(f"A fault is not made like that: {problem}.") from None

    # Before the envelope.

    def greeting(self, reply: str = "421 4.3.2 Service not available", **when: Unpack[When]) -> T:
        """The server greets with a refusal, 421 or 554, and closes."""
        return self.arm(Fault("greeting", "reply", reply, **when))

    def slow_greeting(self, seconds: float = 5.0, **when: Unpack[When]) -> T:
        """The greeting is late."""
        return self.arm(Fault("greeting", "delay", seconds=seconds, **when))

    def no_greeting(self, seconds: float = 0.0, **when: Unpack[When]) -> T:
        """The connection is taken, and then nothing is said."""
        return self.arm(Fault("greeting", "drop", how="silence", seconds=seconds, **when))

    def offers(self, *keywords: str, **when: Unpack[When]) -> T:
        """EHLO offers what is not done: ``offers("SIZE 1000")``, ``offers("CHUNKING", "DSN")``."""
        return self.arm(Fault("ehlo", "offer", words=keywords, **when))

    def hides(self, *keywords: str, **when: Unpack[When]) -> T:
        """EHLO keeps back what would be done: ``hides("STARTTLS")``, ``hides("AUTH")``."""
        return self.arm(Fault("ehlo", "hide", words=keywords, **when))

    def starttls_refused(self, reply: str = "454 4.7.0 TLS not available", **when: Unpack[When]) -> T:
        """STARTTLS is offered and then refused, with 454 or 502."""
        return self.arm(Fault("starttls", "reply", reply, **when))

    def garbage_for_tls(self, data: bytes = b"", **when: Unpack[When]) -> T:
        """After the go-ahead something comes that is no TLS."""
        return self.arm(Fault("tls", "garbage", data=data, **when))

    def tls_alert(self, code: int = 40, **when: Unpack[When]) -> T:
        """The handshake ends with a fatal alert (RFC 8446 §6.2): 40 is no cipher in common, 70 no version."""
        if not 0 <= code < 256:
            raise ConfigError(f"There is no TLS alert {code!a:.20}.")
        return self.arm(Fault("tls", "garbage", data=bytes((21, 3, 1, 0, 2, 2, code)), **when))

    def certificate(self, kind: str = "expired", **when: Unpack[When]) -> T:
        """A certificate that is ``expired``, ``not-yet-valid``, ``wrong-name``, ``self-signed`` or of an
        ``unknown-authority``.
        """
        return self.arm(Fault("tls", "certificate", how=kind, **when))

    def login(self, reply: str = "535 5.7.8 Authentication failed", **when: Unpack[When]) -> T:
        """Whatever the credential, the login is answered so."""
        return self.arm(Fault("auth", "reply", reply, **when))

    def says(self, service: str, occasion: str, **when: Unpack[When]) -> T:
        """A refusal in the words of a service, ``says("gmail", "wrong password")``, at the stage where it says that."""
        stage, reply = refusal(service, occasion)
        return self.arm(Fault(stage, "reply", reply, **when))

    # The envelope.

    def sender_refused(self, reply: str = "550 5.1.8 Sender address rejected", **when: Unpack[When]) -> T:
        """MAIL is refused."""
        return self.arm(Fault("mail", "reply", reply, **when))

    def recipient_refused(self, reply: str = "550 5.1.1 User unknown", **when: Unpack[When]) -> T:
        """RCPT is refused: all, or those that `number` or `recipient` says."""
        return self.arm(Fault("rcpt", "reply", reply, **when))

    def greylisting(self, reply: str = "451 4.7.1 Greylisted, try again later", **when: Unpack[When]) -> T:
        """The first try of each pair of sender and recipient is put off, the next one is taken."""
        once: When = {"times": 1, "each": True}
        once.update(when)
        return self.arm(Fault("rcpt", "reply", reply, **once))

    def rate_limited(self, reply: str = "450 4.7.1 Too much mail, slow down", **when: Unpack[When]) -> T:
        """MAIL is refused for now; with `after` so many messages are let pass first."""
        return self.arm(Fault("mail", "reply", reply, **when))

    def goodbye(self, stage: str = "mail", reply: str = "421 4.7.0 Closing connection", **when: Unpack[When]) -> T:
        """The server says 421 in the middle, and closes."""
        return self.arm(Fault(stage, "reply", reply, **when))

    # The content, and the reply to it.

    def too_big(self, reply: str = "552 5.3.4 Message too big", **when: Unpack[When]) -> T:
        """The content is refused for its size, when all of it was sent."""
        return self.arm(Fault("dot", "reply", reply, **when))

    def quota(self, reply: str = "552 5.2.2 Mailbox full", **when: Unpack[When]) -> T:
        """A recipient has no room left."""
        return self.arm(Fault("rcpt", "reply", reply, **when))

    def disk_full(self, reply: str = "452 4.3.1 Insufficient system storage", **when: Unpack[When]) -> T:
        """The server has no room left."""
        return self.arm(Fault("dot", "reply", reply, **when))

    def content_refused(self, reply: str = "554 5.7.1 Rejected as spam", **when: Unpack[When]) -> T:
        """The content is refused."""
        return self.arm(Fault("dot", "reply", reply, **when))

    def in_content(self, octets: int = 0, drop: bool | str = True, **when: Unpack[When]) -> T:
        """The connection ends when so many octets of the content came. `drop`: see `after_dot`."""
        return self.arm(Fault("content", "drop", how=_how(drop), octets=octets, **when))

    def after_dot(
        self,
        drop: bool | str = True,
        *,
        taken: bool = True,
        reply: str = "",
        seconds: float = 0.0,
        **when: Unpack[When],
    ) -> T:
        """The whole content came, and the reply does not: the client can't know whether it was taken.

        `drop`: true or ``"end"`` closes, ``"reset"`` resets, ``"silence"`` says nothing for `seconds`. `taken` false:
        the message is lost. With a `reply` the content is refused, and with ``drop=False`` and `seconds` the reply is
        late.
        """
        if reply:
            return self.arm(Fault("dot", "reply", reply, **when))
        if drop is False:
            return self.arm(Fault("dot", "delay", seconds=seconds or 5.0, **when))
        return self.arm(Fault("dot", "drop", how=_how(drop), taken=taken, seconds=seconds, **when))

    # Any stage.

    def drop(self, stage: str, how: str = "end", seconds: float = 0.0, **when: Unpack[When]) -> T:
        """The connection ends at that stage: closed (``end``), ``reset``, or there and dead (``silence``)."""
        return self.arm(Fault(stage, "drop", how=how, seconds=seconds, **when))

    def delay(self, stage: str = "any", seconds: float = 1.0, **when: Unpack[When]) -> T:
        """A reply is late."""
        return self.arm(Fault(stage, "delay", seconds=seconds, **when))

    def dribble(self, stage: str = "any", octets: int = 1, seconds: float = 0.01, **when: Unpack[When]) -> T:
        """A reply comes in pieces of so many octets, with so many seconds between them."""
        return self.arm(Fault(stage, "dribble", octets=octets, seconds=seconds, **when))

    def split(self, stage: str = "any", octets: int = 0, seconds: float = 0.05, **when: Unpack[When]) -> T:
        """A reply comes in two pieces, the first of so many octets (0: half)."""
        return self.arm(Fault(stage, "split", octets=octets, seconds=seconds, **when))

    def double(self, stage: str = "any", **when: Unpack[When]) -> T:
        """A reply comes twice."""
        return self.arm(Fault(stage, "double", **when))

    def omit(self, stage: str, **when: Unpack[When]) -> T:
        """A reply does not come, and the talk goes on."""
        return self.arm(Fault(stage, "omit", **when))

    def garbage(self, stage: str, data: bytes = b"", **when: Unpack[When]) -> T:
        """In place of a reply something comes that is none."""
        return self.arm(Fault(stage, "garbage", data=data, **when))

    def bandwidth(self, octets: int = 10_000, stage: str = "any", **when: Unpack[When]) -> T:
        """So many octets a second: replies, or with the stage ``content`` what the client sends."""
        return self.arm(Fault(stage, "bandwidth", octets=octets, **when))


def _how(drop: bool | str) -> str:
    if drop is False:
        raise ConfigError("Without drop there is no fault here.", "Use drop=True, reset or silence.")
    return "end" if drop is True else drop
