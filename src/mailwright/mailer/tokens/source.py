"""Sources of access tokens: what a login calls whenever it needs a fresh one."""

from __future__ import annotations

import os
import threading
from copy import copy
from time import time

from mailwright.mailer.tokens.access import Kept, access_from
from mailwright.mailer.tokens.endpoint import SECONDS, ask
from mailwright.mailer.tokens.grants import ClientCredentials, RefreshToken, ServiceAccount
from mailwright.mailer.tokens.keeping import InMemory
from mailwright.mailer.tokens.refusals import refusal
from mailwright.words.errors import ConfigError, MailError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from mailwright.mailer.files import Command
    from mailwright.mailer.tokens.access import AccessToken
    from mailwright.mailer.tokens.grants import Grant
    from mailwright.mailer.tokens.keeping import Place
    from mailwright.words.secret import Secret


class TokenSource:
    """A source for ``Login(user, token=source)``. It is called once for each login and gives an access token.

    `kept` is the place of a grant, or a grant itself. The token is kept too, and another one is asked for from two
    minutes before it expires; a question to the endpoint takes `seconds` at most. When the mail server refuses a token
    that is not new, `renew` gives another one.

    Threads and tasks that share a source share a question and its outcome. Processes that share a place in the key ring
    or in a file ask one after the other, and each takes what the one before it stored; where no lock file can be made,
    two may ask at the same time. When the endpoint gives another refresh token along, that is stored before the access
    token is used.

    Calling it blocks, and raises `LoginError` (temporary when the endpoint is away), `ConfigError` or `MissingExtra`.
    """

    def __init__(self, kept: Place | Grant, *, seconds: float = SECONDS) -> None:
        self.place: Place
        if isinstance(kept, (RefreshToken, ClientCredentials, ServiceAccount)):
            self.place = InMemory(kept)
        else:
            self.place = kept
        self._seconds = seconds
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._access: AccessToken | None = None
        self._unstored: Kept | None = None
        self._failure: MailError | None = None
        self._outcomes = 0

    def __call__(self) -> Secret:
        """An access token that does not expire in the next two minutes."""
        return self._token(None)

    def renew(self, refused: Secret) -> Secret:
        """Another token than the `refused` one; the same if that is new, since another would fare no better."""
        return self._token(refused)

    def _token(self, unwelcome: Secret | None) -> Secret:
        if os.getpid() != self._process:
            self._begin()  # after a fork the lock may be held by a thread that is not there
        seen = self._outcomes
        with self._lock:
            # Who waited for another's question takes its outcome, also if it failed.
            shared = self._outcomes != seen and (self._failure or (self._access and self._access.token != unwelcome))
            if not shared:
                self._failure = None
                if self._access is None or not self._access.serves(time(), unwelcome):
                    self._ask(unwelcome)
            failure, access = self._failure, self._access
        if failure is not None:
            raise copy(failure)
        assert access is not None
        return access.token

    def _ask(self, unwelcome: Secret | None) -> None:
        try:
            self._access = self._fresh(unwelcome)
        except MailError as problem:
            self._failure = problem.with_traceback(None)
        self._outcomes += 1

    def _fresh(self, unwelcome: Secret | None) -> AccessToken:
        """The token in the place, if it will do, or one that is asked for and stored."""
        with self.place.alone(self._seconds + 5.0):
            if self._unstored is not None:
                self._keep(self._unstored)
            kept = self.place.load()
            if kept.access is not None and kept.access.serves(time(), unwelcome):
                return kept.access
            new, access = self._granted(kept.grant)
            if new.grant != kept.grant:
                self._keep(new)
            else:
                self._keep_if_possible(new)
            return access

    def _granted(self, grant: Grant) -> tuple[Kept, AccessToken]:
        began = time()
        answer = ask(grant.token_url, grant.request(), self._seconds)
        if answer.error:
            raise refusal(answer, grant, self.place.user)
        access = access_from(answer, began)
        return Kept(grant.renewed(answer.secret("refresh_token")), access), access

    def _keep(self, kept: Kept) -> None:
        """Store a grant that changed. What can't be stored is tried again the next time: the old one may be void."""
        self._unstored = kept
        self.place.store(kept)
        self._unstored = None

    def _keep_if_possible(self, kept: Kept) -> None:
        try:
            self.place.store(kept)
        except ConfigError:
            pass  # a place that can only be read: the token is in our memory

    def __repr__(self) -> str:
        return f"<TokenSource: {self.place}>"

    def __str__(self) -> str:
        return str(self.place)

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process has its own lock, and finds grant and token in the place.
        return (type(self), (self.place,), {"_seconds": self._seconds})


class TokenCommand:
    """A source that is another program, such as oama or pizauth, which prints an access token as its first line."""

    def __init__(self, command: Command) -> None:
        self.command = command

    def __call__(self) -> Secret:
        """Run it. Raises `ConfigError`."""
        return self.command.fetch()

    def __repr__(self) -> str:
        return f"<TokenCommand: {self.command}>"

    def __str__(self) -> str:
        return str(self.command)
