"""Whom a refusal is about: the recipient, this message, the sender, the account, or the way to the destination.

Codes alone don't tell: Gmail says "550 5.4.5" when the day's quota is used up. So the words are asked of
`mailwright.diagnose`, whose data knows what services say.
"""

from __future__ import annotations

from mailwright.smtp import phases
from mailwright.words.remember import remember
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.words.reply import Reply

RECIPIENT, MESSAGE, SENDER, ACCOUNT, QUOTA, DESTINATION = (
    "recipient", "message", "sender", "account", "quota", "destination",
)  # fmt: skip

#: What blames the account, although its data entry is filed under a rule of the server.
_ACCOUNT = frozenset(
    "account-locked mail-disabled-by-host ms-outbound-spam mailru-disabled zoho-unusual ses-suspended "
    "ses-access-denied brevo-not-activated brevo-ip smtp2go-ip sendgrid-unauth mailgun-relay greeting-554".split()
)
#: Limits that are not the account's own: of a mailbox that gets too much, of one transaction.
_NOT_OURS = frozenset("gmail-rcpt-rate too-many-rcpt domain-policy-size mailbox-full greylist".split())
#: A no to MAIL that speaks of this message: its size, its spelling, what it needs, or a domain that does not exist.
_THIS_MESSAGE = frozenset(
    "too-big sender-syntax syntax-555 smtputf8-must-declare option-unsupported sender-domain-dns py-smtputf8-missing "
    "spam-content".split()
)
_CLOSING = 421  # the connection ends: whoever it was for
_WAIT = 60.0  # seconds, where nobody knows better
_LONGEST = 3600.0  # seconds: quotas end at times that nobody tells, so that one message asks again every hour

_KEPT = 500  # refusals that are remembered: a server says the same again and again
_told: dict[tuple[str, str, str], Blame] = {}


@value
class Blame:
    """`whom` a reply is about, and after how many seconds (`wait`) another try is worth it. `kind` is the name of the
    failure in the data.
    """

    whom: str
    wait: float = _WAIT
    kind: str = ""


def blame(reply: Reply, phase: str, provider: str = "") -> Blame:
    """Whom a 4yz or 5yz at this phase (of `mailwright.smtp.phases`) is about; `provider` is the server's, if known."""
    key = (reply.text, phase, provider)
    known = _told.get(key)
    return known if known is not None else remember(_told, _KEPT, key, _blame(reply, phase, provider))


def _blame(reply: Reply, phase: str, provider: str) -> Blame:
    from mailwright.diagnose.explain import explain
    from mailwright.diagnose.knowledge import knowledge

    told = explain(reply, phase=phase, provider=provider)
    entry = knowledge().entries.get(told.kind)
    blames = entry.blames if entry is not None and not told.fallback and told.certainty != "low" else ""
    wait = min(max(told.wait or _WAIT, 1.0), _LONGEST)
    ours = told.kind not in _NOT_OURS
    if ours and blames == "rate" and told.retry == "yes":
        return Blame(QUOTA, wait, told.kind)
    if ours and (blames == "credentials" or (told.kind in _ACCOUNT and not told.fallback)):
        return Blame(ACCOUNT, wait, told.kind)
    if reply.permanent:
        return Blame(_of_a_refusal(phase, told.kind), wait, told.kind)
    return Blame(_of_a_delay(reply, phase, told.kind), wait, told.kind)


def _of_a_refusal(phase: str, kind: str) -> str:
    if phase in (phases.CONNECT, phases.GREETING, phases.EHLO, phases.STARTTLS, phases.TLS, phases.AUTH, phases.READY):
        return ACCOUNT
    if phase == phases.MAIL:
        return MESSAGE if kind in _THIS_MESSAGE else SENDER
    return RECIPIENT if phase == phases.RCPT else MESSAGE


def _of_a_delay(reply: Reply, phase: str, kind: str) -> str:
    if kind == "greylist":
        return RECIPIENT  # "451 4.7.1" at RCPT asks for patience with this one pair, not for a slower pace
    enhanced = reply.enhanced or ""
    hurried = reply.code in (_CLOSING, 454) or enhanced.startswith("4.7.") or enhanced == "4.3.2"
    if not hurried:
        return RECIPIENT if phase == phases.RCPT else MESSAGE
    return DESTINATION if phase == phases.RCPT and reply.code != _CLOSING else QUOTA
