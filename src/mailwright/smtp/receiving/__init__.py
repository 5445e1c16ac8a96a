"""The server's side of SMTP and LMTP, as a plan over the same steps as the client's (RFC 5321 §4, RFC 2033).

::

    greeting ── EHLO ──┬── STARTTLS ── EHLO …        what was said before TLS is forgotten
                       ├── AUTH
                       └── MAIL ── RCPT … ── DATA or BDAT … ── the message is handed to `deliver`

The client is a stranger. Nothing that it says makes the server hold more than its `Rules` allow or wait
longer, and who says nonsense too often is shown out. The replies to a group of commands (PIPELINING) leave
together, when nothing is left to read.

`rules`: offers and limits. `grammar`: what a client's lines mean. `visit`: what is known of a client.
`manners`: speaking as a particular service. `answers`: the simple commands. `admission`: AUTH. `content`: DATA and
BDAT, and `gathering` where it is kept meanwhile. `received`: what comes out, and `minutes`: what was said. `faults` and
`mischief`: what goes wrong on request.
"""

from __future__ import annotations

from mailwright.sasl.verify import VERIFIABLE
from mailwright.smtp.receiving import answers
from mailwright.smtp.receiving.admission import auth
from mailwright.smtp.receiving.content import bdat, data
from mailwright.smtp.receiving.grammar import bad, split_command
from mailwright.smtp.receiving.mischief import Mischief
from mailwright.smtp.receiving.received import Received
from mailwright.smtp.receiving.rules import EXTENSIONS, Rules
from mailwright.smtp.receiving.visit import FLUSH_SIZE, Storage, Visit
from mailwright.steps import StartTLS
from mailwright.words.errors import ProtocolError, TLSError
from mailwright.words.reply import Reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mailwright.smtp.receiving.faults import Faults
    from mailwright.smtp.receiving.visit import Deliver
    from mailwright.words.server import TLS

__all__ = ["EXTENSIONS", "Received", "Rules", "Storage", "receive"]


async def receive(
    rules: Rules,
    deliver: Deliver,
    peer: str = "",
    storage: Storage | None = None,
    faults: Faults | None = None,
    clock: Callable[[], float] | None = None,
) -> None:
    """Serve one client until it leaves or is shown out; the owner of the link closes it then.

    `deliver` is given each message before its sender is told that it was taken, and may refuse it (see
    `Decision` in `visit`); an exception that it raises is told as a 451. `peer` is the client's address,
    for `Received`. `storage` bounds what all clients together may have in flight. `faults`: what is to go wrong on
    request. `clock` gives the seconds of the transcript. Never raises for what a client does.
    """
    visit = Visit(rules, deliver, peer, storage or Storage(), None if faults is None else Mischief(faults), clock)
    try:
        try:
            await _talk(visit)
        except TimeoutError:
            visit.say(Reply(421, ("4.4.2 That took too long, goodbye",)))
        await visit.flush()
    except (ConnectionError, TLSError):
        return  # it left, or can't be talked to
    finally:
        visit.end_transaction()


async def _talk(visit: Visit) -> None:
    rules, mischief, minutes = visit.rules, visit.mischief, visit.minutes
    if mischief is not None:
        await mischief.begins(visit)
    if rules.security == "tls" and rules.tls is not None:
        await _begin_tls(visit, rules.tls)
    greeting = Reply(220, (rules.greeting,))
    if mischief is not None:
        await mischief.greets(visit, greeting)
    else:
        visit.say(greeting)
    while not visit.over:
        try:
            line = visit.inflow.line(visit.command_limit)
            if line is None:
                await visit.listen(rules.timeout)
                continue
            visit.heard()
            verb, argument = split_command(line)
            answer = _ANSWERS.get(verb)
            if verb == "MAIL":
                minutes.begin()
            minutes.note("C", line if verb in _PLAIN else _shown(visit, verb, argument))
            if mischief is not None and mischief.armed and await mischief.instead(visit, verb, argument):
                pass
            elif answer is not None:
                visit.say(answer(visit, argument))
            elif verb in _ACTS:
                await _ACTS[verb](visit, argument)
            else:
                raise bad(500, "5.5.1 The command is not known")
        except ProtocolError as problem:
            visit.heard()
            visit.say(problem.reply or Reply(500, (f"5.5.2 {problem.what}",)))
        if mischief is not None and mischief.busy:
            await mischief.settle(visit)
        if len(visit.replies) > FLUSH_SIZE:
            await visit.flush()


def _shown(visit: Visit, verb: str, argument: str) -> str:
    """A command as it may be shown. What a confused client sends behind AUTH may be its password."""
    if verb == "AUTH":
        visit.tried_login = True
        mechanism, blank, _ = argument.partition(" ")
        known = mechanism.upper() in VERIFIABLE
        return f"AUTH {mechanism if known else '(not shown)'}{' (secret)' if blank else ''}"
    return "(not shown: it is no command, and came after AUTH)" if visit.tried_login else f"{verb} {argument}"


async def starttls(visit: Visit, argument: str) -> None:
    """STARTTLS, and the handshake (RFC 3207)."""
    tls = visit.rules.tls
    if visit.rules.security != "starttls" or tls is None:
        raise bad(502, "5.5.1 STARTTLS is not offered")
    if visit.secured is not None:
        raise bad(503, "5.5.1 TLS is on already")
    if not visit.extended:
        raise bad(503, "5.5.1 Say EHLO first")
    if argument:
        raise bad(501, "5.5.4 STARTTLS has no parameter")
    if len(visit.inflow):
        # Whoever put these octets there need not be who will speak inside TLS (CVE-2011-0411 and its
        # sisters): they are neither obeyed nor kept, and nobody goes on from here.
        raise bad(421, "4.5.0 Nothing may follow STARTTLS before TLS begins, goodbye")
    visit.say(Reply(220, ("2.0.0 Begin TLS",)))
    await visit.flush()
    await _begin_tls(visit, tls)
    visit.forget()


async def _begin_tls(visit: Visit, tls: TLS) -> None:
    if visit.mischief is not None:
        tls = await visit.mischief.handshake(visit, tls)
    try:
        visit.secured = await StartTLS(tls, "", visit.rules.timeout, server_side=True)
    except TimeoutError:
        raise ConnectionAbortedError("there was no TLS handshake") from None
    visit.minutes.note("*", f"TLS: {visit.secured.version}, {visit.secured.cipher}")


def _help(visit: Visit, argument: str) -> Reply:
    return Reply(214, (f"2.0.0 Known here: {' '.join([*_ANSWERS, *_ACTS])}",))


_ANSWERS: dict[str, Callable[[Visit, str], Reply]] = {
    "EHLO": answers.ehlo,
    "HELO": answers.helo,
    "LHLO": answers.lhlo,
    "MAIL": answers.mail,
    "RCPT": answers.rcpt,
    "RSET": answers.rset,
    "NOOP": answers.noop,
    "VRFY": answers.vrfy,
    "EXPN": answers.not_offered,
    "ETRN": answers.not_offered,
    "TURN": answers.not_offered,
    "HELP": _help,
    "QUIT": answers.quit_,
}
_PLAIN = frozenset((*_ANSWERS, "STARTTLS", "DATA", "BDAT"))  # shown as they are
_ACTS: dict[str, Callable[[Visit, str], Awaitable[None]]] = {
    "STARTTLS": starttls,
    "AUTH": auth,
    "DATA": data,
    "BDAT": bdat,
}
