"""Inside, over one connection: the lock, the ID, the desk. No message is offered, and a login is tried once."""

from __future__ import annotations

from mailwright.diagnose import judging
from mailwright.diagnose.checkup import Line
from mailwright.diagnose.whose import mismatch
from mailwright.providers.preflight import right_password
from mailwright.smtp import phases
from mailwright.smtp.opening import open_session
from mailwright.smtp.refusals import refusal_advice
from mailwright.smtp.session import Session, command, quit_session, reset
from mailwright.steps import Close
from mailwright.words.errors import (
    ConfigError,
    DeliveryError,
    LoginError,
    MailError,
    RecipientsRefused,
    Refused,
    SenderRefused,
    Unsupported,
)
from mailwright.words.reply import visible
from mailwright.words.secret import Secret
from mailwright.words.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailwright.diagnose.doctor import Case
    from mailwright.diagnose.knocking import Knock
    from mailwright.providers.provider import Provider
    from mailwright.words.address import Address
    from mailwright.words.reply import Reply
    from mailwright.words.server import Login

MISMATCH = "user-of-another"
#: Extensions that make a difference to who sends, in the order in which they are told.
NOTABLE = ("PIPELINING", "8BITMIME", "SMTPUTF8", "CHUNKING", "DSN", "REQUIRETLS")
WANTS_LOGIN = (530, 550, 553, 554)  # replies to MAIL or RCPT of servers that want a login first


class Visit:
    """What came of going in: the lines of three stages. The plan `visit` fills them in."""

    __slots__ = ("case", "credential", "desk", "lock", "logged_in", "login")

    def __init__(self, case: Case) -> None:
        self.case = case
        self.lock: list[Line] = []
        self.login: list[Line] = []
        self.desk: list[Line] = []
        self.credential = case.server.login
        self.logged_in = False


async def visit(found: Visit, way: Knock) -> None:
    """Go in by that way and fill in `found`. Raises nothing that a server can cause."""
    case = found.case
    security = "none" if way.meant_in_clear else way.speaks or "none"
    server = replace(case.server, port=way.session.server.port, security=security, login=None, alternatives=())
    session = Session(server)
    try:
        await open_session(session)
    except DeliveryError as error:
        found.lock.append(judging.failed(case, "second visit", error, session))
        await Close()
        return
    found.lock += _lock(case, session)
    found.credential = _credential(case, found.lock)
    refused = next((line for line in found.lock if line.verdict == "failed"), None)
    try:
        await _show_id(found, session, refused)
        await _desk(found, session)
    except DeliveryError as error:
        (found.desk if found.login else found.login).append(judging.failed(case, "talk", error, session))
    await (quit_session(session) if session.open else Close())


# The lock.


def _lock(case: Case, session: Session) -> Iterator[Line]:
    if session.server.port != case.server.port:
        yield Line("way in", "warning", f"the check goes on at port {session.server.port}, which works")
    offered = session.features.mechanisms
    if offered:
        yield Line("logins", "ok", f"{visible(', '.join(offered[:12]), 200)} offered")
    elif case.server.login is not None or case.provider is not None:
        error = LoginError(
            f"{session.server} offers no login.",
            "Use the submission port, 465 with security 'tls' or 587 with 'starttls'; or leave the login away.",
            phase=phases.AUTH, server=str(session.server),
        )  # fmt: skip
        yield judging.failed(case, "logins", error, session)
    else:
        yield Line("logins", "ok", "none offered, and none is needed here")
    if case.provider is not None and case.provider.credentials.accepted:
        yield _accepted(case.provider, case.server.login)


def _accepted(provider: Provider, login: Login | None) -> Line:
    """What the provider takes today, held against what the settings have."""
    known = provider.credentials
    told = f"{provider.title} takes {_kinds(known.accepted)}"
    if known.refused:
        told += f", and not {_kinds(known.refused)}"
    if login is not None and login.password is not None and not provider.takes_password:
        what = f"{told}; the settings hold a password."
        fix = f"Log in with OAuth 2: mailwright login {visible(login.user, 100)}".rstrip()
        error = LoginError(what, fix, phase=phases.AUTH)
        return Line("accepted today", "failed", what, fix, kind="password-not-accepted", error=error)
    return Line("accepted today", "ok", told, link=known.page)


def _kinds(kinds: tuple[str, ...]) -> str:
    named = [_KINDS.get(kind, kind.replace("_", " ")) for kind in kinds]
    return f"{', '.join(named[:-1])} or {named[-1]}" if len(named) > 1 else "".join(named)


_KINDS = {
    "account_password": "the password of the account itself",
    "app_password": "an app password",
    "oauth2": "OAuth 2",
    "mail_password": "a password made for mail programs",
    "authorization_code": "an authorisation code made for mail programs",
    "api_key": "an API key",
    "smtp_credentials": "credentials made for SMTP",
    "smtp_token": "a token made for SMTP",
    "bridge_password": "the password of its bridge program",
    "ip_allowlist": "an allowed IP address",
    "aws_secret_key": "a secret key of AWS",
}


def _credential(case: Case, lines: list[Line]) -> Login | None:
    """The login as it is to be tried; what looks wrong about it is added to `lines`, before anything of it is sent."""
    login, provider = case.server.login, case.provider
    if login is None or provider is None:
        return login
    wrong = mismatch(login.user, provider)
    if wrong is not None:
        lines.append(Line("user", "warning", wrong.what, wrong.fix, kind=MISMATCH))
    if not isinstance(login.password, Secret):
        return login
    try:
        password, remarks = right_password(provider, login.password.reveal())
    except ConfigError as problem:
        error = LoginError(problem.what, problem.advice, phase=phases.AUTH)
        lines.append(Line("password", "failed", problem.what, problem.advice, kind="placeholder", error=error))
        return login
    lines += [Line("password", "warning", remark, kind="password-shape") for remark in remarks]
    return replace(login, password=Secret(password))


# The ID.


async def _show_id(found: Visit, session: Session, refused: Line | None) -> None:
    case, login = found.case, found.credential
    if login is None:
        found.login.append(Line("login", "not checked", "no credential is given", _GIVE))
    elif refused is not None:
        found.login.append(Line("login", "not checked", f"it would fail: {refused.said}"))
    elif session.secured is None or not session.secured.verified:
        why = "not verified" if session.secured is not None else "not encrypted"
        found.login.append(Line("login", "not checked", f"the connection is {why}, so the credential was not sent"))
    else:
        from mailwright.smtp.login import log_in

        try:
            await log_in(session, login)
        except MailError as problem:
            # A token source has errors of its own.
            known = problem if isinstance(problem, DeliveryError) else None
            error = known or LoginError(problem.what, problem.advice, phase=phases.AUTH)
            other = next((line.fix for line in found.lock if line.kind == MISMATCH), "")
            line = judging.failed(case, "login", error, session, other)
            found.login.append(replace(line, verdict=judging.verdict_of(error)))
        else:
            found.logged_in = True
            found.login.append(Line("login", "ok", f"{visible(login.user, 100) or 'the certificate'} is let in"))


_GIVE = (
    "To have it tried once, put it where mailwright finds it: an account in config.toml, or SMTP_HOST with SMTP_USER "
    "and SMTP_PASSWORD_FILE."
)


# The desk.


async def _desk(found: Visit, session: Session) -> None:
    case, sender = found.case, found.case.sender
    if not session.open or (case.server.login is not None and not found.logged_in):
        found.desk.append(Line("sender and recipient", "not checked", "that comes after the login"))
    elif sender is None:
        fix = "Name it: mailwright doctor ADDRESS, or a sender in the settings."
        found.desk.append(Line("sender and recipient", "not checked", "no sender is known", fix))
    else:
        found.desk += await _offer(case, session, sender, found.logged_in)
    found.desk.append(_limits(session))


async def _offer(case: Case, session: Session, sender: Address, logged_in: bool) -> list[Line]:
    """Offer a message of the sender to himself, and take it back before its content."""
    if sender.needs_utf8 and "SMTPUTF8" not in session.features:
        what = f"{session.server} does not take addresses that are not ASCII (SMTPUTF8), and {sender.spec} is one."
        error: DeliveryError = Unsupported(
            what, "Use an ASCII address of yours, or another server.", phase=phases.MAIL, server=str(session.server)
        )
        return [judging.failed(case, "sender", error, session)]
    utf8 = " SMTPUTF8" if sender.needs_utf8 else ""
    reply = await command(session, f"MAIL FROM:<{sender.spec}>{utf8}", phases.MAIL)
    if not reply.ok:
        return [_refused(case, session, sender, reply, "sender", logged_in)]
    lines = [Line("sender", "ok", f"{sender.spec} is taken")]
    reply = await command(session, f"RCPT TO:<{sender.spec}>", phases.RCPT)
    if reply.ok:
        lines.append(Line("recipient", "ok", f"{sender.spec} is taken; the offer was taken back"))
    else:
        lines.append(_refused(case, session, sender, reply, "recipient", logged_in))
    if session.open:
        await reset(session)
    return lines


def _refused(case: Case, session: Session, sender: Address, reply: Reply, what: str, logged_in: bool) -> Line:
    if reply.code in WANTS_LOGIN and not logged_in and session.features.mechanisms:
        return Line(what, "not checked", f"the server wants a login first: {reply}")
    kind: type[Refused] = SenderRefused if what == "sender" else RecipientsRefused
    told = f"{session.server} refused the {what} <{sender.spec}>: {reply}."
    error = kind(told, refusal_advice(reply), phase=session.phase, server=str(session.server), reply=reply)
    line = judging.failed(case, what, error, session)
    return replace(line, verdict=judging.verdict_of(error))


def _limits(session: Session) -> Line:
    features = session.features
    told = [f"messages up to {features.size / 1e6:.1f} MB" if features.size else "no limit of size is told"]
    if features.recipients:
        told.append(f"{features.recipients} recipients at once")
    known = [name for name in NOTABLE if name in features]
    return Line("limits", "ok", "; ".join([*told, ", ".join(known) or "no extensions that matter"]))
