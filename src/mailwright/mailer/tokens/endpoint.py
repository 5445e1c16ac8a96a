"""One question to an endpoint of an authorisation server, and its answer: over HTTPS, bounded in time and size.

Redirects are not followed: what is sent is secret. A proxy that the system names for HTTPS is used.
"""

from __future__ import annotations

from mailwright.words.errors import ConfigError, LoginError
from mailwright.words.reply import visible
from mailwright.words.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from http.client import HTTPConnection
    from typing import Any
    from urllib.parse import SplitResult

SECONDS = 30.0  # for one answer; providers take less than one
ANSWER_LIMIT = 256 * 1024  # octets; the largest tokens in use have 20 kB
TOKEN_LIMIT = 64 * 1024  # characters of one token, as for passwords
_LIFETIME_LIMIT = 30 * 86400.0  # seconds; who says more is wrong, and the token is asked for again sooner
_LOOPBACK = ("localhost", "::1")
_TEMPORARY = ("temporarily_unavailable", "server_error", "internal_failure", "rate_limit_exceeded")


class Answer:
    """The members of the JSON object that an endpoint sent. What may be secret is given only as a `Secret`.

    `status` is that of HTTP, `place` the host that answered. `error` is the code of a refusal (RFC 6749 §5.2), or
    empty; `description` is what the endpoint adds to it: one line that is safe to print.
    """

    __slots__ = ("_members", "description", "error", "place", "status")

    def __init__(self, status: int, members: Mapping[str, Any], place: str, sent: Secret) -> None:
        self.status = status
        self.place = place
        self._members = members
        self.error, self.description = _refusal(members, sent)
        if not self.error and status >= 400:
            self.error = f"status {status}"

    @property
    def temporary(self) -> bool:
        """Whether a refusal has to do with this moment only."""
        return self.status >= 500 or self.status in (408, 429) or self.error in _TEMPORARY

    def secret(self, name: str) -> Secret | None:
        """A member that must not be seen; `None` if it is missing or not a token (RFC 6749, appendix A.12)."""
        found = self._members.get(name)
        if not isinstance(found, str) or not 0 < len(found) <= TOKEN_LIMIT or not all("!" <= c <= "~" for c in found):
            return None
        return Secret(found)

    def text(self, name: str, limit: int = 300) -> str:
        """A member that is for people, safe to print; empty if it is missing."""
        found = self._members.get(name)
        return visible(found, limit) if isinstance(found, str) else ""

    def seconds(self, name: str, otherwise: float) -> float:
        """A member that is a number of seconds; providers write it as text, too."""
        found = self._members.get(name)
        if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) < 12:
            found = int(found)
        if isinstance(found, bool) or not isinstance(found, int | float) or not found >= 0:
            return otherwise
        return float(min(found, _LIFETIME_LIMIT))

    def __repr__(self) -> str:
        return f"<Answer of {self.place}: {self.error or 'granted'}>"


def check_url(url: str) -> str:
    """`url`, if a secret may be sent there: HTTPS, or HTTP that stays on this machine. Raises `ConfigError`."""
    from urllib.parse import urlsplit

    complaint = ""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        complaint = "is not a URL"
    else:
        if not all("!" <= c <= "~" for c in url) or not host or port == 0:
            complaint = "is not a URL"
        elif parts.username is not None or parts.fragment:
            complaint = "holds more than a place"
        elif parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
            complaint = "is not HTTPS, and a secret would go there"
    if complaint:
        raise ConfigError(
            f"The URL of the authorisation server {complaint}.", "Write it like https://example.org/token."
        )
    return url


def ask(url: str, form: Secret, seconds: float = SECONDS) -> Answer:
    """POST `form` (already encoded) to `url` and give the answer, a refusal included.

    Takes `seconds` at most, the name included. Raises `LoginError`: temporary when nobody answered, permanent when what
    answered is no such endpoint.
    """
    from urllib.parse import urlsplit

    parts = urlsplit(check_url(url))
    place = visible(parts.netloc, 200)
    outcome = _within(seconds, parts, form)
    if isinstance(outcome, str):
        raise _unanswered(place, outcome)
    status, kind, members = outcome
    if members is not None:
        return Answer(status, members, place, form)
    what = "a web page" if "html" in kind.lower() else f"{visible(kind, 60) or 'something'}, which is no JSON object"
    raise LoginError(
        f"{place} should answer with a token and answered with {what} (HTTP status {status}).",
        "It is away for now: try again later."
        if _passes(status)
        else f"Is {visible(url, 200)} the token endpoint, and does a proxy stand in between?",
        phase="auth",
        temporary=_passes(status),
    )


def _passes(status: int) -> bool:
    return status >= 500 or status in (408, 429)


def _unanswered(place: str, complaint: str) -> LoginError:
    certificate = complaint.startswith("its certificate")
    return LoginError(
        f"No access token from {place}: {complaint}.",
        "Something in between may be reading along; if that is your organisation, name its CA in SSL_CERT_FILE."
        if certificate
        else "Check the network (and HTTPS_PROXY, if there is a proxy), and try again later.",
        phase="auth",
        temporary=not certificate,
    )


def _within(seconds: float, parts: SplitResult, form: Secret) -> tuple[int, str, dict[str, Any] | None] | str:
    """Status, type and members of the answer, or what went wrong. In a thread of its own, because neither looking up a
    name nor an answer that comes letter by letter can be given a limit of time otherwise.
    """
    from threading import Thread

    outcome: list[tuple[int, str, dict[str, Any] | None] | str] = []
    connections: list[HTTPConnection] = []

    def converse() -> None:
        try:
            connections.append(_connection(parts, seconds))
            outcome.append(_posted(connections[0], parts, form))
        except Exception as problem:
            outcome.append(_complaint(problem))
        finally:
            for connection in connections:
                connection.close()

    thread = Thread(target=converse, name="mailwright token", daemon=True)
    thread.start()
    thread.join(seconds)
    if outcome:
        return outcome[0]
    for connection in connections:
        _cut(connection)
    return f"no answer within {seconds:g} seconds"


def _posted(connection: HTTPConnection, parts: SplitResult, form: Secret) -> tuple[int, str, dict[str, Any] | None]:
    import json

    from mailwright import __version__

    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
        "User-Agent": f"mailwright/{__version__}",
        "Connection": "close",
    }
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection.request("POST", target, form.reveal().encode("ascii"), headers)
    response = connection.getresponse()
    octets = response.read(ANSWER_LIMIT + 1)
    kind = (response.getheader("Content-Type") or "").partition(";")[0].strip()
    if len(octets) > ANSWER_LIMIT:
        return response.status, f"more than {ANSWER_LIMIT >> 10} kB", None
    if response.length:  # what is missing; http.client leaves it to us when it is asked for a part
        raise ConnectionResetError("cut short")
    try:
        members = json.loads(octets)
    except (ValueError, RecursionError):
        members = None
    return response.status, kind, members if isinstance(members, dict) else None


def _connection(parts: SplitResult, seconds: float) -> HTTPConnection:
    """A connection, not yet made, to the host of a URL, through the system's proxy for it."""
    from http.client import HTTPConnection, HTTPSConnection
    from urllib.parse import urlsplit
    from urllib.request import getproxies, proxy_bypass

    host = parts.hostname or ""
    if parts.scheme == "http":
        return HTTPConnection(host, parts.port or 80, timeout=seconds)
    import ssl

    context = ssl.create_default_context()
    proxy = "" if _is_loopback(host) or proxy_bypass(host) else getproxies().get("https", "")
    if not proxy:
        return HTTPSConnection(host, parts.port or 443, timeout=seconds, context=context)
    way = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    connection = HTTPSConnection(way.hostname or "", way.port or 3128, timeout=seconds, context=context)
    connection.set_tunnel(host, parts.port or 443, _proxy_login(way))
    return connection


def _proxy_login(way: SplitResult) -> dict[str, str]:
    if way.username is None:
        return {}
    from binascii import b2a_base64
    from urllib.parse import unquote

    pair = f"{unquote(way.username)}:{unquote(way.password or '')}"
    return {"Proxy-Authorization": f"Basic {b2a_base64(pair.encode(), newline=False).decode('ascii')}"}


def _cut(connection: HTTPConnection) -> None:
    """End a connection under the hands of the thread that reads from it."""
    import socket

    try:
        connection.sock.shutdown(socket.SHUT_RDWR)
    except (OSError, AttributeError):  # it is not made yet, or just ended
        pass


def _complaint(problem: Exception) -> str:
    """What went wrong, in words that hold nothing of what was sent."""
    import ssl
    from http.client import HTTPException

    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"its certificate is not good ({visible(problem.verify_message, 120)})"
    if isinstance(problem, TimeoutError):
        return "no answer in time"
    if isinstance(problem, OSError):
        return visible(problem.strerror or type(problem).__name__, 120)
    if isinstance(problem, HTTPException):
        return f"what answered does not speak HTTP ({type(problem).__name__})"
    return f"the question could not be sent ({type(problem).__name__})"


def _is_loopback(host: str) -> bool:
    parts = host.split(".")
    dotted = len(parts) == 4 and parts[0] == "127" and all(p.isascii() and p.isdigit() and int(p) < 256 for p in parts)
    return host in _LOOPBACK or dotted


def _refusal(members: Mapping[str, Any], sent: Secret) -> tuple[str, str]:
    """Code and description of a refusal, without anything of what was sent."""
    error, description = members.get("error"), members.get("error_description")
    if error is None:
        return "", ""
    if isinstance(error, dict):  # how Google's other services put it
        nested: Mapping[str, Any] = error
        error, description = nested.get("status"), nested.get("message")
    code = visible(_masked(error, sent), 60) if isinstance(error, str) and error else "an unnamed error"
    return code, visible(_masked(description, sent), 300) if isinstance(description, str) else ""


def _masked(text: str, sent: Secret) -> str:
    from urllib.parse import parse_qsl, unquote

    for name, secret in parse_qsl(sent.reveal()):
        if name not in ("grant_type", "scope", "client_id", "redirect_uri") and len(secret) > 3:
            text = text.replace(secret, "***")
            plain = unquote(text).replace("\\/", "/")  # as it stood in the request, or in other JSON
            text = plain.replace(secret, "***") if secret in plain else text
    return text
