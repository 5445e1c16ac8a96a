"""Release of a caught message: really sent, through an account of yours, to those whom you allowed. Off by default."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailwright.message.content import Content
from mailwright.words.address import Address
from mailwright.words.envelope import Envelope
from mailwright.words.errors import AddressError, ConfigError, MessageError
from mailwright.words.reply import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailwright.mailer.account import Settings
    from mailwright.smtp.receiving import Received
    from mailwright.words.receipt import Receipt

RECIPIENTS_LIMIT = 50  # of one release
_EXAMPLE = "Write it like ada@example.org, *@example.net."


class NotAllowed(MessageError):
    """Somebody is not on the allow-list. Nothing was sent."""


class Release:
    """Sends caught messages through the account of that name in config.toml, or through what the environment says.

    `allowed`: addresses, and ``*@domain`` for all of a domain (not of those below it), separated by commas. Nobody
    else ever gets anything. Raises `ConfigError`, also when ``MAILWRIGHT_CATCH`` is set, which would send everything
    back here.
    """

    def __init__(self, allowed: str, account: str | None = None) -> None:
        from mailwright.mailer.catching import CATCH, catch_in
        from mailwright.mailer.settings import resolve

        self.allowed = _patterns(allowed)
        self.settings: Settings = resolve(account=account)
        if catch_in() is not None:
            raise ConfigError(
                f"{CATCH} is set, so that nothing could be released.", f"Start the inbox without {CATCH}."
            )

    def allows(self, recipient: Address) -> bool:
        """Whether mail to `recipient` may be sent. Upper and lower case are the same here."""
        return not self.allowed.isdisjoint((_folded(recipient.spec), f"*@{recipient.domain}"))

    def send(self, received: Received, to: Iterable[str] = ()) -> Receipt:
        """Send the very octets of the message to these recipients, by default to all whom it was meant for.

        Blocks. Raises `NotAllowed`, `AddressError`, `MessageError` and `DeliveryError`.
        """
        from mailwright.mailer.pool import ONE_MESSAGE
        from mailwright.mailer.sync import Mailer

        wanted = tuple(_address(text) for text in to) or received.recipients
        if len(wanted) > RECIPIENTS_LIMIT:
            raise NotAllowed(f"A message is released to at most {RECIPIENTS_LIMIT} recipients.", "Name fewer.")
        strange = [address.spec for address in wanted if not self.allows(address)]
        if strange:
            raise NotAllowed(
                f"{visible(', '.join(strange[:5]), 300)} may not get released messages.",
                "Only those may who were named with --release-to when the inbox was started.",
            )
        envelope = Envelope(received.sender, wanted)
        with Mailer(self.settings.for_mail, limits=ONE_MESSAGE) as mailer:
            return mailer.send((envelope, Content.of(received.content)))


def _patterns(text: str) -> frozenset[str]:
    found = set()
    for number, item in enumerate(text.split(","), 1):
        pattern = item.strip()
        if not pattern:
            continue
        everybody = pattern.startswith("*@")
        try:
            address = Address.parse(f"x{pattern[1:]}" if everybody else pattern)
            if "*" in address.spec:  # a letter like any other in an address, but nobody means it so
                raise AddressError("A star stands for a whole local part.")
        except AddressError:
            raise ConfigError(
                f"--release-to: entry {number} is neither an address nor all of a domain.", _EXAMPLE
            ) from None
        found.add(f"*@{address.domain}" if everybody else _folded(address.spec))
    if not found:
        raise ConfigError("--release-to names nobody.", _EXAMPLE)
    return frozenset(found)


def _address(text: object) -> Address:
    if not isinstance(text, str):
        raise AddressError("A recipient is not a text.", 'Write it like "ada@example.org".')
    return Address.parse(text)


def _folded(spec: str) -> str:
    # Letters of other scripts may become those of ASCII (“K”, the sign for kelvin), and so another mailbox.
    return spec.lower() if spec.isascii() else spec
