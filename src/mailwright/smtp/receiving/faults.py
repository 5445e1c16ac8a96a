"""What can go wrong on request, as values: `Fault` says what and when, `Moment` where a visit has come to.

A fault belongs to a stage of the talk::

    connect ── greeting ── ehlo ── starttls ── tls ── auth ── mail ── rcpt ── data ── content ── dot ── rset, noop, quit

``dot`` is the reply to the whole content. How a visit carries faults out is in `mischief`; which of them are in force,
and how often they were, is for the floor above (`Faults`).
"""

from __future__ import annotations

from mailwright.words.errors import ConfigError
from mailwright.words.options import did_you_mean
from mailwright.words.reply import Reply
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from mailwright.words.server import TLS

#: Where something can go wrong, and when that is. ``any`` stands for every reply.
STAGES = {
    "connect": "before anything is said, TLS included",
    "greeting": "the first line, 220",
    "ehlo": "the reply to EHLO, HELO or LHLO",
    "starttls": "the reply to STARTTLS",
    "tls": "the TLS handshake",
    "auth": "the login (AUTH)",
    "mail": "the reply to MAIL, the sender",
    "rcpt": "the reply to RCPT, a recipient",
    "data": "the reply to DATA or BDAT, before the content is taken",
    "content": "while the content comes",
    "dot": "the reply to the whole content, after its final dot",
    "rset": "the reply to RSET",
    "noop": "the reply to NOOP, VRFY, HELP and unknown commands",
    "quit": "the reply to QUIT",
    "any": "every reply, from the greeting on",
}
#: What can go wrong, each with the field that says how.
ACTIONS = {
    "reply": "reply",  # say this instead, and do not obey
    "drop": "how",  # the connection ends: "end", "reset" or "silence"
    "delay": "seconds",  # wait before the reply
    "dribble": "octets",  # so many octets at a time, `seconds` between them
    "split": "octets",  # in two pieces, the first of so many octets, `seconds` between them
    "double": "",  # the reply twice
    "omit": "",  # no reply
    "garbage": "data",  # these octets in place of the reply
    "offer": "words",  # EHLO offers what the server does not do
    "hide": "words",  # EHLO keeps back what the server does
    "certificate": "how",  # one of `CERTIFICATES`
    "bandwidth": "octets",  # a second, for replies and for content
}
DROPS = ("end", "reset", "silence")
CERTIFICATES = ("expired", "not-yet-valid", "wrong-name", "self-signed", "unknown-authority")
#: Of these a moment has one at most; the others add to it.
DECISIVE = frozenset(("reply", "drop", "garbage", "omit"))
_SILENT = ("connect", "tls", "content")  # stages at which nothing is said
_FITTING = {
    "connect": ("drop", "delay", "garbage"),
    "tls": ("drop", "delay", "garbage", "certificate"),
    "content": ("drop", "delay", "bandwidth"),
}
_LONGEST = 86400.0  # seconds
_GARBAGE = b"\x00\x7f this is no reply \xff\xfe\r\n"


@value
class Fault:
    """One thing that goes wrong: the `action` at the `stage`, `times` times, or always.

    `reply`, `how`, `seconds`, `octets`, `words`, `data`: what the action needs, see `ACTIONS`. A `reply` may be written
    as text, ``"550 5.1.1 No such user"``, its lines parted by line feeds. With ``drop`` after the ``dot``, `taken`
    says whether the message is kept all the same; with ``drop`` or ``delay`` in the ``content``, `octets` of it are
    heard first. A ``silence`` lasts `seconds`, or if that is 0 until the server's own time is up.

    When: with a `number` (from 1) only at that recipient of a message, or that moment of the stage on a connection;
    only for this `sender` or this `recipient` (an address; text without an @ is a domain). Of the moments that
    fit the first `after` are let pass, then it happens `times` times (`None`: always), with this `chance`: a `seed`
    always makes the same choices. With `each`, `after` and `times` are counted for each pair of sender and recipient.

    Raises `ConfigError`.
    """

    stage: str
    action: str
    reply: Reply | str | None = None
    how: str = ""
    seconds: float = 0.0
    octets: int = 0
    words: tuple[str, ...] | str = ()
    data: bytes = b""
    taken: bool = True
    number: int = 0
    sender: str | None = None
    recipient: str | None = None
    after: int = 0
    times: int | None = None
    each: bool = False
    chance: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.stage not in STAGES:
            raise ConfigError(f"There is no stage {self.stage!a:.40}.", did_you_mean(str(self.stage), STAGES))
        if self.action not in ACTIONS:
            raise ConfigError(f"There is no action {self.action!a:.40}.", did_you_mean(str(self.action), ACTIONS))
        fitting = _FITTING.get(self.stage, tuple(ACTIONS))
        if self.action not in fitting:
            what = f"The action {self.action} does not fit the stage {self.stage}."
            raise ConfigError(what, f"There it can be {', '.join(fitting)}.")
        if self.action in ("offer", "hide") and self.stage != "ehlo":
            raise ConfigError(f"{self.action} belongs to the stage ehlo, not to {self.stage}.")
        if self.action == "certificate" and self.stage != "tls":
            raise ConfigError(f"certificate belongs to the stage tls, not to {self.stage}.")
        self._check_when()
        for name, checked in (("reply", self._checked_reply()), ("how", self._checked_how())):
            object.__setattr__(self, name, checked)
        words = (self.words,) if isinstance(self.words, str) else self.words
        object.__setattr__(
            self, "words", tuple([one.strip() for word in words for one in word.split(",") if one.strip()])
        )
        if self.action in ("offer", "hide"):
            self._check_words()
        if self.action == "garbage" and not self.data:
            object.__setattr__(self, "data", _GARBAGE)
        if self.action in ("dribble", "bandwidth") and not self.octets:
            object.__setattr__(self, "octets", 1 if self.action == "dribble" else 10_000)

    def _check_when(self) -> None:
        if not 0 <= self.seconds <= _LONGEST:
            raise ConfigError(f"seconds={self.seconds!r} is not between 0 and {_LONGEST:g}.")
        for name in ("octets", "number", "after"):
            number = getattr(self, name)
            if not isinstance(number, int) or number < 0:
                raise ConfigError(f"{name}={number!a:.40} is not a whole number from 0 on.")
        if self.times is not None and (not isinstance(self.times, int) or self.times < 1):
            raise ConfigError(f"times={self.times!a:.40} is not a whole number from 1 on.", "Leave it out for always.")
        if not 0 <= self.chance <= 1:
            raise ConfigError(f"chance={self.chance!r} is not between 0 and 1.")

    def _check_words(self) -> None:
        if not self.words:
            raise ConfigError(f"{self.action} needs keywords of EHLO.", f"Write {self.action}=STARTTLS,SIZE.")
        for word in self.words:
            if not word.isprintable() or len(word) > 200:
                raise ConfigError(f"{word!a:.40} is no keyword of EHLO.")

    def _checked_reply(self) -> Reply | None:
        if self.action != "reply":
            return None
        reply = reply_of(self.reply) if isinstance(self.reply, str) else self.reply
        if reply is None or not 400 <= reply.code < 600:
            raise ConfigError("A fault's reply refuses.", "Write one like 450 4.2.1 Mailbox busy.")
        return reply

    def _checked_how(self) -> str:
        known = {"drop": DROPS, "certificate": CERTIFICATES}.get(self.action)
        if known is None:
            return ""
        how = self.how or known[0]
        if how not in known:
            raise ConfigError(f"There is no {self.action} {how!a:.40}.", did_you_mean(how, known))
        return how

    def fits(self, moment: Moment) -> bool:
        """Whether this is a moment at which it may happen."""
        if self.stage != moment.stage and (self.stage != "any" or moment.stage in _SILENT):
            return False
        if self.number and self.number != moment.number:
            return False
        if self.sender is not None and (moment.sender is None or not _is(self.sender, moment.sender)):
            return False
        return self.recipient is None or any(_is(self.recipient, one) for one in moment.recipients)


@value
class Moment:
    """Where a visit has come to. `connection`: its number, from 1. `number`: which recipient of the message, or which
    of its stage on the connection, from 1. `sender` is `None` before MAIL and ``""`` for the null reverse-path;
    `recipients` are those accepted so far, or at RCPT the one that is named. `message`: its number on the connection.
    """

    stage: str
    connection: int = 0
    number: int = 1
    sender: str | None = None
    recipients: tuple[str, ...] = ()
    message: int = 0
    peer: str = ""
    hello: str = ""
    login: str | None = None


if TYPE_CHECKING:

    class Faults(Protocol):
        """The faults in force. `armed` is false while there is none."""

        armed: bool

        def arrived(self) -> int:
            """A client came: gives the number of its connection, from 1."""

        def at(self, moment: Moment) -> tuple[Fault, ...]:
            """What happens at this moment; it is counted and noted."""

        def tls(self, kind: str, usual: TLS) -> TLS:
            """The server's side of TLS with a certificate of one of the `CERTIFICATES`."""


def reply_of(text: str) -> Reply:
    """The reply that is written as ``"550 5.1.1 No such user"``. Raises `ConfigError`."""
    first, *others = text.split("\n")
    code, _, said = first.partition(" ")
    if not (len(code) == 3 and code.isascii() and code.isdigit()):
        raise ConfigError(f"{text!a:.60} is no reply.", "Write one like 450 4.2.1 Mailbox busy.")
    return Reply(int(code), (said, *others))


def _is(wanted: str, address: str) -> bool:
    if "@" not in wanted and wanted:
        return address.rpartition("@")[2].lower() == wanted.lower()
    return address.lower() == wanted.lower()
