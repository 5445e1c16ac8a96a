"""What the server is told about a message, as opposed to what its headers say (RFC 5321 §2.3.1)."""

from __future__ import annotations

from mailwright.words.address import Address, addresses
from mailwright.words.errors import MessageError
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_NOTIFY = ("SUCCESS", "FAILURE", "DELAY")


@value
class DSN:
    """What delivery status notifications are wanted (RFC 3461).

    `notify`: any of ``"SUCCESS"``, ``"FAILURE"``, ``"DELAY"``, or ``("NEVER",)`` alone; empty leaves it to
    the server. `ret`: ``"FULL"`` or ``"HDRS"``, how much of the message a report of failure returns. `envid`:
    printable ASCII, at most 100 characters, which comes back in every report. A server without DSN is not
    asked, which is no error.
    """

    notify: tuple[str, ...] = ()
    ret: str | None = None
    envid: str | None = None

    def __post_init__(self) -> None:
        notify = tuple(word.upper() for word in self.notify)
        object.__setattr__(self, "notify", notify)
        if notify != ("NEVER",) and not set(notify) <= set(_NOTIFY):
            raise MessageError(
                f"notify={self.notify!r} is not a request for delivery reports.",
                "Use any of SUCCESS, FAILURE, DELAY, or NEVER alone (RFC 3461 §4.1).",
            )
        if self.ret not in (None, "FULL", "HDRS"):
            raise MessageError(f"ret={self.ret!r} is not known.", "Use FULL or HDRS (RFC 3461 §4.3).")
        if self.envid is not None and not (
            0 < len(self.envid) <= 100 and self.envid.isascii() and self.envid.isprintable()
        ):
            raise MessageError("The envelope id must be 1 to 100 printable ASCII characters.", "See RFC 3461 §4.4.")


@value
class Envelope:
    """Sender and recipients of one transaction; `sender` is `None` for the null reverse-path ``<>``.

    A recipient who is named twice is kept once. `require_tls` asks for RFC 8689. Raises `MessageError`
    without recipients.
    """

    sender: Address | None
    recipients: tuple[Address, ...]
    dsn: DSN | None = None
    require_tls: bool = False

    def __post_init__(self) -> None:
        first: dict[str, Address] = {}
        for recipient in self.recipients:
            first.setdefault(recipient.spec, recipient)
        unique = tuple(first.values())
        object.__setattr__(self, "recipients", unique)
        if not unique:
            raise MessageError("The message has no recipients.", "Name at least one in to, cc or bcc.")

    @classmethod
    def of(
        cls,
        sender: str | Address | tuple[str, str] | None,
        recipients: str | Address | Iterable[str | Address | tuple[str, str]],
        dsn: DSN | None = None,
        require_tls: bool = False,
    ) -> Envelope:
        """An envelope from addresses in any form; an empty sender means the null reverse-path."""
        return cls(Address.of(sender) if sender else None, addresses(recipients), dsn, require_tls)

    @property
    def needs_utf8(self) -> bool:
        """True when any address has a non-ASCII local part, so that only SMTPUTF8 can carry it (RFC 6531)."""
        if self.sender is not None and not self.sender.spec.isascii():
            return True
        for recipient in self.recipients:  # asked for every message, and there may be thousands
            if not recipient.spec.isascii():
                return True
        return False

    @property
    def reverse_path(self) -> str:
        """The sender as it stands between the angle brackets of MAIL FROM; empty for the null
        reverse-path.
        """
        return self.sender.spec if self.sender is not None else ""
