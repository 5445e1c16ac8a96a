"""The server's side of SMTP and LMTP, as a plan over the same steps as the client's (RFC 5321 §4, RFC 2033).

::

    greeting ── EHLO ──┬── STARTTLS ── EHLO …        what was said before TLS is forgotten
                       ├── AUTH
                       └── MAIL ── RCPT … ── DATA or BDAT …  ── the message is handed to `deliver`

The client is a stranger. Nothing that it says makes the server hold more than its `Rules` allow or wait longer, and whoever says
nonsense too often is shown out. The replies to a group of commands (PIPELINING) leave together, when nothing is left to read.
"""

from __future__ import annotations

from mailwright.smtp.commands import (
    Inflow,
    bad,
    read_address,
    read_number,
    read_parameters,
    read_path,
    read_xtext,
    split_command,
)
from mailwright.smtp.content_in import receive_chunk, receive_data
from mailwright.smtp.letting_in import offered_mechanisms, receive_login
from mailwright.smtp.received import Received
from mailwright.steps import Ask, Clock, Read, StartTLS, Write
from mailwright.words.envelope import DSN, Envelope
from mailwright.words.errors import MessageError, ProtocolError, TLSError
from mailwright.words.reply import Reply, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeAlias

    from mailwright.sasl.verify import Verifier
    from mailwright.smtp.rules import Rules
    from mailwright.words.address import Address
    from mailwright.words.receipt import TLSFacts

    #: What became of a message: `None` or a 2yz reply takes it, any other refuses it. With LMTP several replies may
    #: be given, one for each recipient that was accepted.
    Decision: TypeAlias = "Reply | tuple[Reply, ...] | None"
    Deliver: TypeAlias = Callable[[Received], "Decision | Awaitable[Decision]"]

FLUSH_SIZE = 65536  # octets of replies that are kept back at most
_COUNTED = frozenset((500, 501, 502, 503, 504, 535, 555))  # codes that say: this was nonsense, or a wrong password
_PARAMETERS = {  # name: the extension that brings it
    "MAIL": {
        "SIZE": "SIZE",
        "BODY": "8BITMIME",
        "SMTPUTF8": "SMTPUTF8",
        "RET": "DSN",
        "ENVID": "DSN",
        "REQUIRETLS": "REQUIRETLS",
        "AUTH": "AUTH",
    },
    "RCPT": {"NOTIFY": "DSN", "ORCPT": "DSN"},
}


class Transaction:
    """One mail transaction: sender, recipients as they were accepted, and the content as far as it came (BDAT)."""

    __slots__ = ("chunks", "parameters", "recipients", "sender", "too_big", "utf8")

    def __init__(self, sender: Address | None, parameters: dict[str, str]) -> None:
        self.sender = sender
        self.parameters = parameters
        self.utf8 = "SMTPUTF8" in parameters
        self.recipients: list[tuple[Address, dict[str, str]]] = []
        self.chunks: bytearray | None = None
        self.too_big = False

    def envelope(self) -> Envelope:
        """The envelope; parameters that recipients differ in are not part of it."""
        notify = {given.get("NOTIFY", "") for _, given in self.recipients}
        wanted = tuple(notify.pop().upper().split(",")) if len(notify) == 1 and "" not in notify else ()
        ret, envid = self.parameters.get("RET"), self.parameters.get("ENVID")
        dsn = None
        if wanted or ret or envid:
            dsn = DSN(wanted, ret.upper() if ret else None, read_xtext(envid, "ENVID") if envid else None)
        return Envelope(
            self.sender, tuple(address for address, _ in self.recipients), dsn, "REQUIRETLS" in self.parameters
        )


class Visit:
    """One client's stay: what it said about itself, what it is in the middle of, and what it was not told yet."""

    __slots__ = (
        "deliver",
        "extended",
        "hello",
        "inflow",
        "login",
        "over",
        "peer",
        "rules",
        "secured",
        "transaction",
        "verifier",
        "_deadline",
        "_nonsense",
        "_replies",
        "_waited",
    )

    def __init__(self, rules: Rules, deliver: Deliver, verifier: Verifier | None, peer: str) -> None:
        self.rules = rules
        self.deliver = deliver
        self.verifier = verifier
        self.peer = peer
        self.secured: TLSFacts | None = None
        self.over = False
        self.inflow = Inflow()
        self._replies = bytearray()
        self._nonsense = 0
        self._waited = False
        self._deadline: float | None = None
        self.forget()

    def forget(self) -> None:
        """Know nothing of the client again, as after TLS began (RFC 3207 §4.2)."""
        self.hello = ""
        self.extended = False  # it said EHLO (or LHLO) and not HELO
        self.login: str | None = None
        self.transaction: Transaction | None = None

    def offers(self, extension: str) -> bool:
        """Whether an extension is there for this client now."""
        if extension == "AUTH":
            return bool(offered_mechanisms(self))
        if extension == "REQUIRETLS" and self.secured is None:
            return False
        return extension in self.rules.extensions

    def say(self, reply: Reply) -> None:
        """Answer; the reply leaves with `flush`."""
        if reply.code in _COUNTED:
            self._nonsense += 1
            if self._nonsense > self.rules.bad_commands:
                reply = Reply(421, (f"4.7.0 {self.rules.name} Too many errors, goodbye",))
        if reply.code == 421:
            self.over = True
        lines = reply.lines or ("OK" if reply.ok else "No",)
        code, last = reply.code, len(lines) - 1
        enhanced = "ENHANCEDSTATUSCODES" in self.rules.extensions
        for number, line in enumerate(lines):
            if not line.isprintable():
                line = visible(line, 500)
            if not enhanced and reply.enhanced:
                line = line.removeprefix(reply.enhanced).lstrip()
            self._replies += f"{code}{'-' if number < last else ' '}{line}\r\n".encode("utf-8", "replace")

    async def flush(self) -> None:
        """Hand over what was said."""
        if self._replies:
            replies = bytes(self._replies)
            self._replies.clear()
            await Write(replies, self.rules.timeout)

    async def listen(self, patience: float) -> None:
        """Hear more, after everything was said. All of one command or one content (until `heard`) must come
        within about `patience` seconds, however many small pieces it comes in.
        """
        await self.flush()
        timeout = self.rules.timeout
        if self._waited:
            now = await Clock()
            if self._deadline is None:
                self._deadline = now + patience
            timeout = min(timeout, self._deadline - now)
            if timeout <= 0:
                raise TimeoutError
        self._waited = True
        data = await Read(timeout)
        if not data:
            raise ConnectionResetError("the client left")
        self.inflow.feed(data)

    def heard(self) -> None:
        """A command or content is complete: the next one has the whole time again."""
        self._waited, self._deadline = False, None

    async def line(self, limit: int | None = None) -> str:
        """The next line. Raises `ProtocolError` for one that can't be read."""
        while True:
            found = self.inflow.line(limit) if limit else self.inflow.line()
            if found is not None:
                self.heard()
                return found
            await self.listen(self.rules.timeout)


async def receive(rules: Rules, deliver: Deliver, verifier: Verifier | None = None, peer: str = "") -> None:
    """Serve one client until it leaves or is shown out; the owner of the link closes it then.

    `deliver` is given each message as `Received`, before its sender is told that it was taken; what it returns is told instead of
    "accepted". An exception of it is answered with a 451. `verifier` checks logins.
    """
    visit = Visit(rules, deliver, verifier, peer)
    try:
        if rules.security == "tls":
            await _begin_tls(visit)
        visit.say(Reply(220, (f"{rules.name} {'LMTP' if rules.protocol == 'lmtp' else 'ESMTP'} mailwright",)))
        while not visit.over:
            try:
                await _obey(visit, await visit.line())
            except ProtocolError as problem:
                visit.heard()
                visit.say(problem.reply or Reply(500, (f"5.5.2 {problem.what}",)))
            if len(visit._replies) > FLUSH_SIZE:
                await visit.flush()
        await visit.flush()
    except TimeoutError:
        await Write(b"421 4.4.2 You took too long, goodbye\r\n", 1.0)
    except (ConnectionError, TLSError):
        return  # the client left, or can't be talked to


async def _obey(visit: Visit, line: str) -> None:
    verb, argument = split_command(line)
    answer = _ANSWERS.get(verb)
    if answer is not None:
        visit.say(answer(visit, argument))
        return
    act = _ACTS.get(verb)
    if act is None:
        raise bad(500, "5.5.1 The command is not known")
    await act(visit, argument)


# Commands that are answered at once.


def _greet(visit: Visit, argument: str, extended: bool) -> Reply:
    if not argument or " " in argument:
        raise bad(501, "5.5.4 Your name is wanted: one word, without blanks")
    visit.transaction = None  # §4.1.4: EHLO in the middle of a session acts like RSET
    visit.hello = argument
    visit.extended = extended
    if not extended:
        return Reply(250, (visit.rules.name,))
    keywords = [name for name in visit.rules.extensions if name not in ("SIZE", "REQUIRETLS")]
    if "SIZE" in visit.rules.extensions:
        keywords.append(f"SIZE {visit.rules.size}")
    if visit.offers("REQUIRETLS"):
        keywords.append("REQUIRETLS")
    if visit.rules.security == "starttls" and visit.secured is None:
        keywords.append("STARTTLS")
    mechanisms = offered_mechanisms(visit)
    if mechanisms:
        keywords.append(f"AUTH {' '.join(mechanisms)}")
    return Reply(250, (visit.rules.name, *keywords))


def _ehlo(visit: Visit, argument: str) -> Reply:
    if visit.rules.protocol == "lmtp":
        raise bad(500, "5.5.1 This is LMTP: say LHLO")  # RFC 2033 §4.1
    return _greet(visit, argument, True)


def _helo(visit: Visit, argument: str) -> Reply:
    if visit.rules.protocol == "lmtp":
        raise bad(500, "5.5.1 This is LMTP: say LHLO")
    return _greet(visit, argument, False)


def _lhlo(visit: Visit, argument: str) -> Reply:
    if visit.rules.protocol != "lmtp":
        raise bad(500, "5.5.1 This is SMTP: say EHLO")
    return _greet(visit, argument, True)


def _known(visit: Visit, verb: str) -> frozenset[str]:
    if not visit.extended:
        return frozenset()
    return frozenset(name for name, extension in _PARAMETERS[verb].items() if visit.offers(extension))


def _mail(visit: Visit, argument: str) -> Reply:
    if not visit.hello:
        raise bad(503, "5.5.1 Say EHLO first")
    if visit.transaction is not None:
        raise bad(503, "5.5.1 The sender was given already")
    if visit.rules.login_required and visit.login is None:
        return Reply(530, ("5.7.0 Log in first",))
    path, rest = read_path(argument, "FROM:")
    parameters = read_parameters(rest, _known(visit, "MAIL")) if rest else {}
    _check_mail_parameters(parameters)
    if "SIZE" in parameters and read_number(parameters["SIZE"], "SIZE") > visit.rules.size:
        return Reply(552, (f"5.3.4 More than {visit.rules.size} octets are not taken",))
    sender = read_address(path, "SMTPUTF8" in parameters, "5.1.7") if path else None
    refusal = _refusal(visit, sender)
    if refusal is not None:
        return refusal
    visit.transaction = Transaction(sender, parameters)
    return _SENDER_OK


def _check_mail_parameters(given: dict[str, str]) -> None:
    if not given:
        return
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
            raise bad(501, "5.5.4 ENVID holds 1 to 100 printable characters") from None


def _rcpt(visit: Visit, argument: str) -> Reply:
    transaction = visit.transaction
    if transaction is None:
        raise bad(503, "5.5.1 Give the sender first (MAIL)")
    if transaction.chunks is not None:
        raise bad(503, "5.5.1 The content has begun")
    path, rest = read_path(argument, "TO:")
    parameters = read_parameters(rest, _known(visit, "RCPT")) if rest else {}
    if "NOTIFY" in parameters:
        try:
            DSN(tuple(parameters["NOTIFY"].split(",")))
        except MessageError:
            raise bad(501, "5.5.4 NOTIFY is NEVER, or any of SUCCESS, FAILURE, DELAY") from None
    if path.upper() == "POSTMASTER":  # §4.1.1.3: the one address without a domain
        path = f"{path}@{visit.rules.name}"
    recipient = read_address(path, transaction.utf8, "5.1.3")
    refusal = _refusal(visit, recipient)
    if refusal is not None:
        return refusal
    if len(transaction.recipients) >= visit.rules.recipients:
        return Reply(452, ("4.5.3 Too many recipients",))
    transaction.recipients.append((recipient, parameters))
    return _RECIPIENT_OK


def _refusal(visit: Visit, address: Address | None) -> Reply | None:
    refuse = visit.rules.refuse
    if not refuse:
        return None
    if address is None:
        return refuse.get("")
    return refuse.get(address.spec) or refuse.get(address.local)


def _rset(visit: Visit, argument: str) -> Reply:
    visit.transaction = None
    return _OK


def _noop(visit: Visit, argument: str) -> Reply:
    return _OK


def _vrfy(visit: Visit, argument: str) -> Reply:
    if not argument:
        raise bad(501, "5.5.4 Whom?")
    return Reply(252, ("2.5.0 Nobody is told who is here; send the mail and see",))


def _help(visit: Visit, argument: str) -> Reply:
    return Reply(214, (f"2.0.0 Known: {' '.join((*_ANSWERS, *_ACTS))}",))


def _quit(visit: Visit, argument: str) -> Reply:
    visit.over = True
    return Reply(221, (f"2.0.0 {visit.rules.name} Goodbye",))


def _not_here(visit: Visit, argument: str) -> Reply:
    raise bad(502, "5.5.1 The command is not offered here")


# Commands that need more than an answer.


async def _starttls(visit: Visit, argument: str) -> None:
    if visit.rules.security != "starttls":
        raise bad(502, "5.5.1 STARTTLS is not offered")
    if visit.secured is not None:
        raise bad(503, "5.5.1 TLS is on already")
    if not visit.hello:
        raise bad(503, "5.5.1 Say EHLO first")
    if argument:
        raise bad(501, "5.5.4 STARTTLS has no parameter")
    if len(visit.inflow):
        # Whoever put these octets there may be somebody else than the one who speaks inside TLS (CVE-2011-0411 and its
        # sisters). They are neither obeyed nor kept, and nobody goes on from here.
        visit.say(Reply(421, ("4.5.0 Nothing may follow STARTTLS before TLS begins (RFC 3207)",)))
        visit.inflow.take_all()
        return
    visit.say(Reply(220, ("2.0.0 Begin TLS",)))
    await visit.flush()
    await _begin_tls(visit)
    visit.forget()


async def _begin_tls(visit: Visit) -> None:
    tls = visit.rules.tls
    if tls is None:
        raise bad(454, "4.7.0 There is no certificate")
    try:
        visit.secured = await StartTLS(tls, "", visit.rules.timeout, server_side=True)
    except TimeoutError:
        raise ConnectionAbortedError("no TLS handshake in time") from None


async def _auth(visit: Visit, argument: str) -> None:
    if not visit.extended:
        raise bad(503, "5.5.1 Say EHLO first")
    if visit.login is not None:
        raise bad(503, "5.5.1 You are logged in already")
    if visit.transaction is not None:
        raise bad(503, "5.5.1 Not in the middle of a transaction")
    await receive_login(visit, argument)


async def _data(visit: Visit, argument: str) -> None:
    if argument:
        raise bad(501, "5.5.4 DATA has no parameter")
    transaction = _with_recipients(visit)
    if transaction.chunks is not None:
        raise bad(503, "5.5.1 BDAT has begun; go on with it or say RSET")
    visit.say(_GO_ON)
    content = await receive_data(visit)
    visit.transaction = None
    await _finish(visit, transaction, content)


async def _bdat(visit: Visit, argument: str) -> None:
    content = await receive_chunk(visit, argument, _with_recipients)
    if content is None:
        return
    transaction, visit.transaction = visit.transaction, None
    if transaction is not None:
        await _finish(visit, transaction, None if transaction.too_big else content)


def _with_recipients(visit: Visit) -> Transaction:
    """The transaction, ready for its content. Raises `ProtocolError`."""
    transaction = visit.transaction
    if transaction is None:
        raise bad(503, "5.5.1 Give the sender first (MAIL)")
    if not transaction.recipients:
        raise bad(554 if visit.hello else 503, "5.5.1 There is no valid recipient")
    return transaction


async def _finish(visit: Visit, transaction: Transaction, content: bytes | Reply | None) -> None:
    ...


_OK = Reply(250, ("2.0.0 OK",))
_SENDER_OK = Reply(250, ("2.1.0 OK",))
_RECIPIENT_OK = Reply(250, ("2.1.5 OK",))
_GO_ON = Reply(354, ("Go on, end with a dot on a line of its own",))
