"""The guard in front of every route: who may ask, and what every answer says about itself.

The page shows what strangers wrote, and it runs on a machine whose browser visits other pages. So that none of them
reads or changes anything here: the name in ``Host`` must be one of ours (against DNS rebinding), no other page may
have caused the request (``Origin`` and ``Sec-Fetch-Site``), and an answer can neither be framed nor embedded nor
read from elsewhere. All of it is decided before a route is looked for, so that no spelling of a path gets around it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from ipaddress import IPv6Address
from secrets import token_urlsafe
from typing import TYPE_CHECKING

from mailwright.inbox.web.answers import plain
from mailwright.inbox.web.doors import is_local
from mailwright.words.reply import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from mailwright.inbox.web.doors import Doors

#: Methods that change nothing.
READING = frozenset(("GET", "HEAD"))

_WRONG_PASSWORD_DELAY = 0.5  # seconds: guessing is slow,
_GUESSES = 10  # also when somebody does so on many connections
_FIXED = (
    (b"referrer-policy", b"same-origin"),  # with no-referrer our own forms would come with "Origin: null"
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"x-frame-options", b"DENY"),
)


def policy(nonce: str) -> str:
    """The Content-Security-Policy of our own pages: only scripts that carry the nonce, nothing from elsewhere."""
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
        "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


#: That of anything that is given away as octets.
OCTETS_POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'"


class Guard:
    """Asks everybody, lets those in who may come, and completes the header fields of every answer.

    Behind it ``request.state`` holds ``nonce``, new for each request. To be used as the outermost layer of an
    application.
    """

    def __init__(self, app: ASGIApp, doors: Doors) -> None:
        self._app = app
        self._doors = doors
        self._guesses = Guesses()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']} is not spoken here")
        nonce = token_urlsafe(18)
        scope.setdefault("state", {})["nonce"] = nonce

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": _completed(message.get("headers", ()), nonce)}
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None and refusal.status_code == 401 and _field(scope, b"authorization"):
            await self._guesses.wait(_peer(scope))
        await (refusal or self._app)(scope, receive, complete)

    def _refusal(self, scope: Scope) -> Response | None:
        """Why this request gets no answer of its own, or `None` if it does."""
        host = _field(scope, b"host")
        if host is None or not scope["raw_path"].startswith(b"/"):
            return plain(400, "The request names no host, or several, or no path.", "Ask for a page of this server.")
        names = {name for name, _ in scope["headers"]}
        if {b"content-length", b"transfer-encoding"} <= names:  # a proxy may see another end of it (RFC 9112 §6.1)
            return plain(400, "The request says in two ways how long it is.", "Send one of them.")
        if not self._doors.knows(host):
            return plain(
                421,
                f"{visible(host, 100)!r} is not a name of this inbox.",
                "Use http://127.0.0.1 with its port, or start the inbox with --host and that name.",
            )
        if not _from_here(scope, host):
            return plain(403, "Another page caused this request.", "Open the inbox in a tab of its own.")
        credentials = _field(scope, b"authorization") or ""
        if self._doors.password is not None and credentials and self._guesses.too_many(_peer(scope)):
            # Without a look at the password: whoever guesses must not learn from this answer whether it was right.
            return plain(429, "Too many wrong passwords came from your address.", "Try again in a few seconds.")
        if not self._doors.lets_in(credentials):
            refusal = plain(401, "The inbox asks for a password.", "Any user name will do.")
            refusal.headers["www-authenticate"] = 'Basic realm="mailwright inbox", charset="UTF-8"'
            return refusal
        return None


class Guesses:
    """Wrong passwords that wait for their answer: those of one address get theirs one after another."""

    def __init__(self) -> None:
        self._waiting: Counter[str] = Counter()

    def too_many(self, peer: str) -> bool:
        """Whether no further one is listened to at present."""
        return self._waiting[peer] >= _GUESSES

    async def wait(self, peer: str) -> None:
        """Wait for the turn of one more. It takes its place until then, even if nobody hears the answer any more."""
        self._waiting[peer] += 1
        try:
            await asyncio.sleep(_WRONG_PASSWORD_DELAY * self._waiting[peer])
        finally:
            self._waiting[peer] -= 1
            if not self._waiting[peer]:
                del self._waiting[peer]


def is_from_our_page(scope: Scope) -> bool:
    """Whether a browser says that a page of ours caused this request; who says nothing is not believed. To be asked
    behind the `Guard`, which knows what of an Origin to believe.

    Without TLS and under another name than the local ones a browser does not send Sec-Fetch-Site (Fetch Metadata
    §2), and Origin not with what only reads; another page could start that then, but learn nothing of the answer.
    """
    site, origin = _field(scope, b"sec-fetch-site"), _field(scope, b"origin")
    if site is None and origin is None:
        return scope["method"] in READING and not is_local(_field(scope, b"host") or "")
    return site in (None, "same-origin")


def is_no_other_page(scope: Scope) -> bool:
    """Whether neither a page of others nor a link on it leads to what is for programs; a program says nothing."""
    return _field(scope, b"sec-fetch-site") in (None, "same-origin", "none")


def _from_here(scope: Scope, host: str) -> bool:
    """Whether no other page is behind this request. Programs that are no browser say nothing of either kind."""
    names = [name for name, _ in scope["headers"]]
    if any(names.count(name) > 1 for name in (b"origin", b"sec-fetch-site")):
        return False
    origin, site = _field(scope, b"origin"), _field(scope, b"sec-fetch-site")
    ours = (f"http://{host.lower()}", f"https://{host.lower()}")
    # "null" is what a frame in a sandbox says, but also a form of ours where no referrer is told (Fetch §3.2).
    if origin is not None and origin.lower() not in ours and not (origin == "null" and site == "same-origin"):
        return False
    if site in (None, "same-origin"):
        return True
    if site == "none":  # typed, or a bookmark
        return scope["method"] in READING
    # A link on another page may lead here, in a tab of its own.
    leads = _field(scope, b"sec-fetch-mode") == "navigate" and _field(scope, b"sec-fetch-dest") == "document"
    return leads and scope["method"] in READING


def _peer(scope: Scope) -> str:
    """Who asks: the address, or with IPv6 the network, of which anybody has as many addresses as he likes."""
    host = scope["client"][0] if scope.get("client") else ""
    try:
        address = IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    return host if address.ipv4_mapped is not None else address.exploded[:19]


def _field(scope: Scope, name: bytes) -> str | None:
    """The value of a header field that came exactly once, else `None`."""
    values = [text for key, text in scope["headers"] if key == name]
    return values[0].decode("latin-1").strip() if len(values) == 1 else None


def _completed(headers: Iterable[tuple[bytes, bytes]], nonce: str) -> list[tuple[bytes, bytes]]:
    given = list(headers)
    names = {name for name, _ in given}
    fixed = (*_FIXED, (b"content-security-policy", policy(nonce).encode("ascii")))
    return given + [(name, text) for name, text in fixed if name not in names]
