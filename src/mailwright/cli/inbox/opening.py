"""The inbox and its page, opened as the options say."""

from __future__ import annotations

import os
from contextlib import contextmanager

from mailwright.words.errors import ConfigError, MissingExtra

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator
    from types import FrameType, TracebackType
    from typing import Self

    from mailwright.inbox import Inbox, Received
    from mailwright.inbox.web import Site
    from mailwright.words.server import Login

PASSWORD = "INBOX_PASSWORD"
USER = "ada@example.org"  # who logs in where a service demands it and nobody was named
WITHOUT_PAGE = "A page with all messages: pip install 'mailwright[inbox]'"


class Terminated(KeyboardInterrupt):
    """Somebody ends us politely (SIGTERM)."""


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Whoever ends it politely gets the same end as with Ctrl-C: no file with a certificate stays behind."""
    import signal

    def end(number: int, frame: FrameType | None) -> None:
        raise Terminated

    try:
        before = signal.signal(signal.SIGTERM, end)
    except ValueError:  # only the main thread may ask for signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Opened:
    """An `inbox` and its `site`, while the block lasts. `password`: that of the page, if it was made up. `notice`: why
    there is no page.
    """

    def __init__(self, arguments: argparse.Namespace, answer: Callable[[Received], None] | None) -> None:
        from mailwright.cli.inbox import DEFAULT_PORT
        from mailwright.inbox import Inbox
        from mailwright.inbox.faults import parse
        from mailwright.smtp.receiving import Rules

        self._arguments = arguments
        self._port = arguments.port if arguments.port is not None else 0 if arguments.program else DEFAULT_PORT
        faults = [parse(text) for text in arguments.fault]
        service = arguments.speaks_as
        login = _login(arguments.login, service)
        self.inbox: Inbox = Inbox(
            login,
            arguments.tls is not None or service is not None,
            security=arguments.tls or "starttls",
            port=self._port,
            answer=answer,
            rules=Rules(size=arguments.max_message) if arguments.max_message is not None else None,
            speaks_as=service,
            save=arguments.save,
            limit=arguments.max,
            size_limit=arguments.max_size,
        )
        self.inbox.faults.replace(*faults)
        self.site: Site | None = None
        self.password = ""
        self.notice = ""
        self._before = 0

    @property
    def arrived(self) -> int:
        """How many messages arrived since it was opened."""
        return self.inbox.store.latest - self._before

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End both; nobody can ask the page for what is not there any more."""
        if self.site is not None:
            self.site.close()
        self.inbox.close()

    def _open(self) -> None:
        try:
            self.inbox.open()
        except ConfigError as problem:
            if "listen on port" not in problem.what:
                raise
            advice = f"Choose another port than {self._port} with --port; 0 takes a free one."
            raise ConfigError(problem.what, advice) from None
        self._before = self.inbox.store.latest
        if self._arguments.web == "off":
            return
        try:
            self.site = self._opened_site()
        except MissingExtra:
            if self._asks_for_a_page():
                raise
            self.notice = WITHOUT_PAGE

    def _asks_for_a_page(self) -> bool:
        asked = self._arguments
        return bool(asked.web or asked.locked or asked.host or asked.release_to or asked.spamd)

    def _opened_site(self) -> Site:
        from mailwright.inbox.web import Site
        from mailwright.inbox.web.release import Release
        from mailwright.inbox.web.serving import PORT
        from mailwright.inbox.web.spamd import Spamd

        asked = self._arguments
        address, port = _place(asked.web or str(PORT))
        password = self._page_password() if asked.locked else None

        def site(port: int) -> Site:
            return Site(
                self.inbox.store,
                self.inbox.faults,
                address=address,
                port=port,
                hosts=tuple(asked.host),
                password=password,
                release=Release(asked.release_to, asked.account) if asked.release_to is not None else None,
                spamd=Spamd(asked.spamd) if asked.spamd is not None else None,
                smtp=self.inbox.server,
                smtp_url=self.inbox.url,
            )

        return site(port).open() if asked.web else site_at_usual_port(site)

    def _page_password(self) -> str:
        from mailwright.mailer.outgoing import fresh_token

        given = os.environ.get(PASSWORD, "")
        if not given:
            self.password = fresh_token()[:16]
        return given or self.password


def site_at_usual_port(made: Callable[[int], Site]) -> Site:
    """The page, opened at the usual port, or at another one: nobody asked for that, and another inbox may have it."""
    from mailwright.inbox.web.serving import PORT, PortTaken

    try:
        return made(PORT).open()
    except PortTaken:
        return made(0).open()


def _place(text: str) -> tuple[str, int]:
    """The address and the port of the page."""
    address, colon, port = text.rpartition(":")
    address = address.removeprefix("[").removesuffix("]") if colon else "127.0.0.1"
    if not (port.isascii() and port.isdigit() and len(port) < 6 and int(port) <= 65535 and address):
        raise ConfigError("--web is neither a port nor ADDRESS:PORT.", "Write it like 8025, 0.0.0.0:8025, or off.")
    return address, int(port)


def _login(user: str | None, service: str | None) -> Login | None:
    """Who may log in, with a credential such as the service would give."""
    from mailwright.inbox.manners import rules_as
    from mailwright.mailer.outgoing import fresh_token
    from mailwright.smtp.receiving import Rules
    from mailwright.words.server import Login

    if service is None:
        return Login(user, fresh_token()[:12]) if user else None
    manners = rules_as(Rules(), service).manners
    assert manners is not None  # a service has some
    if "any password" in (manners.replies or {}):
        return Login(user or USER, token=fresh_token())
    return Login(user or USER, _fitting_password(manners.password))


def _fitting_password(pattern: str) -> str:
    """A password made up in the form that the service gives out."""
    import re
    from secrets import choice
    from string import ascii_lowercase

    letters = "".join(choice(ascii_lowercase) for _ in range(16))
    forms = (letters, "-".join(letters[place : place + 4] for place in range(0, 16, 4)))
    return next((form for form in forms if not pattern or re.fullmatch(pattern, form)), letters)
