"""Floor 6: the other side. A local mail server that keeps what it is sent, to try and test with.

::

    with Inbox() as inbox:
        with Mailer(inbox.server) as mailer:
            mailer.send(message)
        assert inbox.wait(to="ada@example.org").message.subject == "Hello"

`mailbox` keeps what came, `certificate` makes TLS possible, `listening` is the socket and its thread; what
is said to a client is in `mailwright.smtp.receiving`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from mailwright.inbox.certificate import issue
from mailwright.inbox.listening import LOOPBACK, Listener, PrivateFile
from mailwright.inbox.mailbox import Mailbox, Search, Wanted
from mailwright.inbox.manners import hosts_of, rules_as
from mailwright.smtp.receiving import Received, Rules, Storage, receive
from mailwright.words.errors import ConfigError, MissingExtra
from mailwright.words.secret import Secret
from mailwright.words.server import TLS, Login, Server
from mailwright.words.value import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Self

    from mailwright.steps import Plan
    from mailwright.words.address import Address
    from mailwright.words.reply import Reply

    Answer = Callable[[Received], Reply | tuple[Reply | None, ...] | None]

__all__ = ["Inbox", "Received", "Rules"]


class Inbox:
    """A mail server on a free port of this machine's loopback interface, which keeps all messages and
    passes none on.

    `login`: ``(user, password)`` or a `Login` that clients must log in with; without one nobody needs to.
    `tls`: true for TLS with a certificate made on the spot (extra ``inbox``), false for none, and `None`
    for TLS if the extra is installed; `notice` says so if it is not. `security`: ``"starttls"``, or
    ``"tls"`` from the first byte.

    `refuse`: replies to addresses, as in `Rules`: ``{"nobody@example.org": "550 5.1.1 No such mailbox"}``.
    `answer` is called with each message before its sender is told that it was taken, in the inbox's thread;
    a `Reply` of 4yz or 5yz from it refuses the message. `rules`: everything else that a server can offer or
    limit. `speaks_as`: a service whose offers, words and refusals it takes on, such as ``"gmail"`` (see
    `mailwright.inbox.manners`); it then lets in nobody but `login`. `port`: 0 for a free one. At most `limit`
    messages and `size_limit` octets are kept; the oldest make room.

    For use in a ``with`` or ``async with`` block, or between `open()` and `close()`. Raises `MissingExtra`
    and `ConfigError`.
    """

    def __init__(
        self,
        login: Login | tuple[str, str] | None = None,
        tls: bool | None = None,
        *,
        security: Literal["starttls", "tls"] = "starttls",
        refuse: Mapping[str, Reply | str] | None = None,
        answer: Answer | None = None,
        rules: Rules | None = None,
        speaks_as: str | None = None,
        port: int = 0,
        limit: int = 10_000,
        size_limit: int = 256 << 20,
    ) -> None:
        if security not in ("starttls", "tls"):
            raise ConfigError(f"security={security!r} is not known.", "Use starttls or tls; tls=False for none.")
        self.notice = ""
        self.problem: Exception | None = None  # what `answer` raised last
        self._login = Login(*login) if isinstance(login, tuple) else login
        self._tls = tls
        self._security: Literal["starttls", "tls"] = security
        self._rules = rules or Rules()
        self._hosts: tuple[str, ...] = ()
        if speaks_as is not None:
            self._rules, self._hosts = rules_as(self._rules, speaks_as), hosts_of(speaks_as)
        if refuse is not None:
            self._rules = replace(self._rules, refuse=refuse)
        if self._login is not None:
            self._rules = replace(self._rules, accounts=(self._login,), login_required=True)
        self._answer = answer
        self._port = port
        self._mailbox = Mailbox(limit, size_limit)
        self._storage = Storage(size_limit)
        self._authority: PrivateFile | None = None
        self._listener: Listener | None = None
        self._server: Server | None = None

    # Beginning and end.

    def open(self) -> Self:
        """Begin to listen. Takes some milliseconds, with TLS some tens of them."""
        if self._listener is not None:
            return self
        rules = self._with_tls()
        listener = Listener(lambda peer: self._plan(rules, peer))
        try:
            port = listener.start(self._port)
        except OSError as problem:
            self.close()
            what = f"The inbox can't listen on port {self._port} of {LOOPBACK}: {problem.strerror or problem}."
            raise ConfigError(what, "Leave port away to get a free one.") from None
        except BaseException:
            self.close()
            raise
        self._listener = listener
        tls = TLS(ca_file=self._authority.path) if self._authority else TLS()
        self._server = Server(LOOPBACK, port, rules.security, self._login, tls, protocol=rules.protocol)
        return self

    def close(self) -> None:
        """Stop listening and end the thread. What was received can still be read."""
        listener, self._listener, self._server = self._listener, None, None
        if listener is not None:
            listener.stop()
        authority, self._authority = self._authority, None
        if authority is not None:
            authority.remove()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Where it is.

    @property
    def server(self) -> Server:
        """The inbox as a `Server`, ready for a `Mailer`: port, security, CA and login. Raises `ConfigError`
        when it is not open.
        """
        if self._server is None:
            raise ConfigError("The inbox is not open.", "Use it inside of: with Inbox() as inbox")
        return self._server

    @property
    def url(self) -> str:
        """The same as a URL for a setting of the program under test, its password included (a token can't
        be in a URL).
        """
        server = self.server
        scheme = {"tls": "smtps", "starttls": "smtp", "none": "smtp+plain"}[server.security]
        options = {}
        if server.tls.ca_file:
            options["ca_file"] = quote(server.tls.ca_file)
        if server.protocol == "lmtp":
            scheme, options["security"] = "lmtp", server.security
        userinfo = ""
        if server.login is not None and isinstance(server.login.password, Secret):
            userinfo = f"{quote(server.login.user, safe='')}:{quote(server.login.password.reveal(), safe='')}@"
        query = "&".join(f"{name}={text}" for name, text in options.items())
        return f"{scheme}://{userinfo}{server.host}:{server.port}" + (f"?{query}" if query else "")

    # What came.

    @property
    def messages(self) -> tuple[Received, ...]:
        """All messages that are kept, the oldest first."""
        return self._mailbox.messages

    @property
    def dropped(self) -> int:
        """How many messages had to make room for newer ones."""
        return self._mailbox.dropped

    def clear(self) -> None:
        """Throw all messages away."""
        self._mailbox.clear()

    def wait(
        self,
        to: str | Address | None = None,
        subject: str | None = None,
        sender: str | Address | None = None,
        timeout: float = 5.0,
    ) -> Received:
        """The first message that fits, among those which are there and those which arrive within `timeout`
        seconds.

        `to`: one of the envelope's recipients; `subject`: a part of the subject; `sender`: the envelope's
        sender, ``""`` for the null one. Raises `Timeout`, which shows what did arrive. Blocks the thread;
        `wait_async` does not.
        """
        search = Search(self._mailbox, Wanted(to, subject, sender))
        return self._checked(search, search.wait(timeout), timeout)

    async def wait_async(
        self,
        to: str | Address | None = None,
        subject: str | None = None,
        sender: str | Address | None = None,
        timeout: float = 5.0,
    ) -> Received:
        """The same as `wait` under asyncio and Trio: other tasks go on meanwhile."""
        search = Search(self._mailbox, Wanted(to, subject, sender))
        return self._checked(search, await search.wait_async(timeout), timeout)

    def _checked(self, search: Search, found: Received | None, timeout: float) -> Received:
        if found is None:
            raise search.failed(timeout) from self.problem
        return found

    def __repr__(self) -> str:
        where = str(self._server) if self._server else "not open"
        return f"<Inbox {where}, {len(self.messages)} messages>"

    def _plan(self, rules: Rules, peer: str) -> Plan[None]:
        return receive(rules, self._deliver, peer, self._storage)

    def _deliver(self, received: Received) -> Reply | tuple[Reply | None, ...] | None:
        decision = None
        try:
            if self._answer is not None:
                decision = self._answer(received)
            if decision is None or not _refused(decision):
                self._mailbox.add(received)
        except Exception as problem:
            self.problem = problem  # it is shown with what `wait` raises
            raise
        return decision

    def _with_tls(self) -> Rules:
        if self._tls is False:
            return self._rules
        try:
            certificate = issue("localhost", LOOPBACK, *self._hosts)
        except MissingExtra:
            if self._tls:
                raise
            self.notice = "The inbox speaks no TLS; to add it: pip install 'mailwright[inbox]'"
            return self._rules
        self._authority = PrivateFile(certificate.authority, ".pem")
        # RFC 5802 §6.1 wants tls-unique of whoever offers -PLUS, and TLS 1.3 has none: only who asks is offered it.
        bound = self._login is not None and (self._login.mechanism or "").endswith("-PLUS")
        return replace(
            self._rules,
            security=self._security,
            tls=TLS(context=certificate.context),
            channel_binding=certificate.channel_binding if bound else None,
        )


def _refused(decision: Reply | tuple[Reply | None, ...]) -> bool:
    """True when nobody gets the message."""
    each = decision if isinstance(decision, tuple) else (decision,)
    return all(reply is not None and not reply.ok for reply in each)
