"""The commands that need no more than an answer: they change what is known of the client and touch nothing
else.

Each takes the `Visit` and the command's argument and gives the reply; what a client must not say is a
`ProtocolError` with its reply (and is counted), while a refusal by the `Rules` is a reply like any other.
"""

from __future__ import annotations

from mailwright.smtp.receiving.admission import offered_mechanisms
from mailwright.smtp.receiving.grammar import (
    bad,
    read_address,
    read_number,
    read_parameters,
    read_path,
    read_xtext,
)
from mailwright.smtp.receiving.visit import Transaction
from mailwright.words.envelope import DSN
from mailwright.words.errors import MessageError
from mailwright.words.reply import Reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.smtp.receiving.visit import Visit

_NO_PARAMETERS: frozenset[str] = frozenset()
_PARAMETERS = (  # command, parameter, and the keyword of EHLO that brings it
    ("MAIL", "SIZE", "SIZE"),
    ("MAIL", "BODY", "8BITMIME"),
    ("MAIL", "SMTPUTF8", "SMTPUTF8"),
    ("MAIL", "RET", "DSN"),
    ("MAIL", "ENVID", "DSN"),
    ("MAIL", "REQUIRETLS", "REQUIRETLS"),
    ("MAIL", "AUTH", "AUTH"),
    ("RCPT", "NOTIFY", "DSN"),
    ("RCPT", "ORCPT", "DSN"),
)
_LOG_IN_FIRST = Reply(530, ("5.7.0 Log in first",))
_OK = Reply(250, ("2.0.0 OK",))
_SENDER_OK = Reply(250, ("2.1.0 OK",))
_RECIPIENT_OK = Reply(250, ("2.1.5 OK",))


def keywords(visit: Visit) -> list[str]:
    """The lines of the reply to EHLO, after the first one."""
    rules = visit.rules
    given = [f"SIZE {rules.size}" if name == "SIZE" else name for name in rules.extensions]
    if visit.secured is None and "REQUIRETLS" in given:
        given.remove("REQUIRETLS")
    if rules.security == "starttls" and visit.secured is None:
        given.append("STARTTLS")
    mechanisms = offered_mechanisms(visit)
    if mechanisms:
        given.append(f"AUTH {' '.join(mechanisms)}")
    return given


def ehlo(visit: Visit, argument: str) -> Reply:
    """EHLO: who are you, and what can we do for each other?"""
    if visit.rules.protocol == "lmtp":
        raise bad(500, "5.5.1 This is LMTP: say LHLO")  # RFC 2033 §4.1
    return _introduced(visit, argument)


def lhlo(visit: Visit, argument: str) -> Reply:
    """LHLO: the EHLO of LMTP."""
    if visit.rules.protocol != "lmtp":
        raise bad(500, "5.5.1 This is SMTP: say EHLO")
    return _introduced(visit, argument)


def helo(visit: Visit, argument: str) -> Reply:
    """HELO: the greeting of 1982, which brings no extensions."""
    if visit.rules.protocol == "lmtp":
        raise bad(500, "5.5.1 This is LMTP: say LHLO")
    _begin(visit, argument)
    visit.extended, visit.known = False, {}
    return Reply(250, (visit.rules.name,))


def _introduced(visit: Visit, argument: str) -> Reply:
    _begin(visit, argument)
    visit.extended = True
    offered = keywords(visit)
    names = {line.partition(" ")[0] for line in offered}
    if visit.mischief is not None and visit.mischief.busy:
        offered = visit.mischief.lied(offered)
        names -= visit.mischief.feigned
    visit.known = {
        command: frozenset(name for verb, name, brought_by in _PARAMETERS if verb == command and brought_by in names)
        for command in ("MAIL", "RCPT")
    }
    manners = visit.rules.manners
    first = visit.rules.name if manners is None else manners.hello.replace("{peer}", visit.peer)
    return Reply(250, (first, *offered))


def _begin(visit: Visit, argument: str) -> None:
    if not argument or " " in argument:
        raise bad(501, "5.5.4 Your name is wanted: one word, without blanks")
    visit.hello = argument
    visit.end_transaction()  # §4.1.4: EHLO in the middle of a session acts like RSET


def mail(visit: Visit, argument: str) -> Reply:
    """MAIL: a transaction begins, and this is its sender."""
    rules = visit.rules
    if not visit.hello:
        raise bad(503, f"5.5.1 Say {'LHLO' if rules.protocol == 'lmtp' else 'EHLO'} first")
    if visit.transaction is not None:
        raise bad(503, "5.5.1 The sender was given already")
    if rules.login_required and visit.login is None:
        unsafe = rules.security == "starttls" and visit.secured is None
        return rules.said("no tls" if unsafe else "no login", _LOG_IN_FIRST)
    path, rest = read_path(argument, "FROM:")
    given = read_parameters(rest, visit.known.get("MAIL", _NO_PARAMETERS)) if rest else {}
    _check_mail_parameters(given)
    if "SIZE" in given and read_number(given["SIZE"], "SIZE") > rules.size:
        return Reply(552, (f"5.3.4 More than {rules.size} octets are not taken",))
    sender = read_address(path, "SMTPUTF8" in given, "5.1.7") if path else None
    refusal = rules.refusal_of(sender)
    if refusal is not None:
        return refusal
    visit.transaction = Transaction(sender, given)
    return _SENDER_OK


def _check_mail_parameters(given: dict[str, str]) -> None:
    if given.get("BODY", "7BIT").upper() not in ("7BIT", "8BITMIME"):
        raise bad(501, "5.5.4 BODY is 7BIT or 8BITMIME")
    if given.get("RET", "FULL").upper() not in ("FULL", "HDRS"):
        raise bad(501, "5.5.4 RET is FULL or HDRS")
    if given.get("SMTPUTF8") or given.get("REQUIRETLS"):
        raise bad(501, "5.5.4 SMTPUTF8 and REQUIRETLS have no value")
    if "ENVID" in given:
        try:
            DSN(envid=read_xtext(given["ENVID"], "ENVID"))
        except MessageError:
            raise bad(501, "5.5.4 ENVID has 1 to 100 printable characters") from None


def rcpt(visit: Visit, argument: str) -> Reply:
    """RCPT: one recipient more."""
    transaction = visit.transaction
    if transaction is None:
        raise bad(503, "5.5.1 Give the sender first (MAIL)")
    if transaction.chunks is not None:
        raise bad(503, "5.5.1 The content has begun")
    path, rest = read_path(argument, "TO:")
    given = read_parameters(rest, visit.known.get("RCPT", _NO_PARAMETERS)) if rest else {}
    _check_rcpt_parameters(given)
    if path.upper() == "POSTMASTER":  # §4.1.1.3: the one address that needs no domain
        path = f"{path}@{visit.rules.name}"
    recipient = read_address(path, "SMTPUTF8" in transaction.parameters, "5.1.3")
    refusal = visit.rules.refusal_of(recipient)
    if refusal is not None:
        return refusal
    if len(transaction.recipients) >= visit.rules.recipients:
        return Reply(452, ("4.5.3 Too many recipients",))
    transaction.recipients.append((recipient, given))
    return _RECIPIENT_OK


def _check_rcpt_parameters(given: dict[str, str]) -> None:
    if "NOTIFY" in given:
        try:
            DSN(tuple(given["NOTIFY"].split(",")))
        except MessageError:
            raise bad(501, "5.5.4 NOTIFY is NEVER, or any of SUCCESS, FAILURE, DELAY") from None
    if "ORCPT" in given:
        kind, _, address = given["ORCPT"].partition(";")
        if not kind or not read_xtext(address, "ORCPT"):
            raise bad(501, "5.5.4 ORCPT is written like rfc822;ada@example.org")


def rset(visit: Visit, argument: str) -> Reply:
    """RSET: forget the transaction."""
    visit.end_transaction()
    return _OK


def noop(visit: Visit, argument: str) -> Reply:
    """NOOP: yes, somebody is here."""
    return _OK


def vrfy(visit: Visit, argument: str) -> Reply:
    """VRFY: who lives here is nobody's business (RFC 5321 §7.3)."""
    if not argument:
        raise bad(501, "5.5.4 Whom?")
    return Reply(252, ("2.5.0 Send the mail and see",))


def quit_(visit: Visit, argument: str) -> Reply:
    """QUIT."""
    visit.over = True
    return Reply(221, ("2.0.0 Goodbye",))


def not_offered(visit: Visit, argument: str) -> Reply:
    """A command that the standards know and this server does not."""
    raise bad(502, "5.5.1 The command is not offered")
