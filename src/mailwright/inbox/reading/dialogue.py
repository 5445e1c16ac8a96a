"""The talk by which a message came, told again from what the server knows of it.

Where the server kept what was said, that is shown; otherwise the commands are rebuilt from the envelope, which holds
all of them that decide where the message goes.
"""

from __future__ import annotations

from mailwright.words.reply import visible
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mailwright.smtp.receiving.received import Received

#: Recipients that are told one by one.
RECIPIENTS_LIMIT = 200
_LINE = 500


@value
class Said:
    """One line: who said it, ``"C"``, ``"S"`` or ``"*"`` for what happened, and what."""

    mark: str
    text: str
    seconds: float | None = None


@value
class Dialogue:
    """What was said. `kept`: as it was heard, not rebuilt. `facts`: pairs of a name and what is known."""

    lines: tuple[Said, ...]
    kept: bool
    facts: tuple[tuple[str, str], ...]


def dialogue(received: Received) -> Dialogue:
    """The talk by which a message came."""
    kept = received.transcript
    if kept:
        lines = tuple(Said(line.mark, visible(line.text, _LINE), line.seconds) for line in kept)
    else:
        lines = tuple(_rebuilt(received))
    return Dialogue(lines, bool(kept), tuple(_facts(received)))


def _facts(received: Received) -> Iterator[tuple[str, str]]:
    yield "Client", visible(received.peer or "unknown", _LINE)
    yield "Called itself", visible(received.hello or "nothing", _LINE)
    tls = received.tls
    if tls is None:
        yield "TLS", "none: it came in the clear"
    else:
        yield "TLS", visible(f"{tls.version}, {tls.cipher}", _LINE)
    yield "Login", visible(received.login, _LINE) if received.login is not None else "none"
    dsn = received.envelope.dsn
    if dsn is not None:
        asked = [*(f"NOTIFY={word}" for word in dsn.notify), *([f"RET={dsn.ret}"] if dsn.ret else [])]
        yield "Delivery reports", visible(", ".join([*asked, *([f"ENVID={dsn.envid}"] if dsn.envid else [])]), _LINE)
    if received.envelope.require_tls:
        yield "REQUIRETLS", "asked for: it may only go on over verified TLS (RFC 8689)"
    yield "Content", f"{received.size:,} octets"


def _rebuilt(received: Received) -> Iterator[Said]:
    yield Said("C", visible(f"EHLO {received.hello}", _LINE))
    if received.tls is not None:
        yield Said("*", visible(f"TLS: {received.tls.version}, {received.tls.cipher}", _LINE))
    if received.login is not None:
        yield Said("C", "AUTH …")
        yield Said("*", visible(f"logged in as {received.login}", _LINE))
    sender = received.envelope.reverse_path
    yield Said("C", visible(f"MAIL FROM:<{sender}>{_written(received.mail_parameters)}", _LINE))
    recipients = received.recipients
    parameters: Iterable[dict[str, str]] = received.rcpt_parameters or ({} for _ in recipients)
    for place, (recipient, given) in enumerate(zip(recipients, parameters, strict=False)):
        if place == RECIPIENTS_LIMIT:
            yield Said("*", f"… and {len(recipients) - place} more recipients")
            break
        yield Said("C", visible(f"RCPT TO:<{recipient.spec}>{_written(given)}", _LINE))
    yield Said("C", "DATA")
    yield Said("*", f"{received.size:,} octets of content, then the final dot")
    yield Said("S", "250: the message was taken")


def _written(parameters: dict[str, str]) -> str:
    return "".join(f" {name}={text}" if text else f" {name}" for name, text in parameters.items())
