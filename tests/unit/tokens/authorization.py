"""An authorisation server on loopback: it checks what it is sent as the standards want it, and grants numbered tokens."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

CLIENT, SECRET = "client-1", "s3cret-of-the-client"
SCOPES = ("https://mail.example.org/", "offline_access")
Said = tuple[int, str, bytes]  # status, content type, body


def told(status: int, **members: Any) -> Said:
    """An answer in JSON."""
    return status, "application/json", json.dumps(members).encode()


@dataclass
class Authorization:
    """The server's side. `asked` holds the parameters of every request for a token, in order.

    `script`: answers that are given instead of the right ones, one for each request. `before` is called before each
    answer of the token endpoint. `consent` is what the person does on the page.
    """

    asked: list[dict[str, str]] = field(default_factory=list)
    script: list[Said | Callable[[], Said]] = field(default_factory=list)
    before: Callable[[], None] = lambda: None
    consent: str = "yes"  # or the error that the page comes back with
    secret: str = SECRET
    lifetime: Any = 3600
    scope: str | None = None
    rotate: bool = False
    pending: list[str] = field(default_factory=list)  # what a device hears before it is granted a token
    interval: Any = 5
    robot_key: Any = None  # the public key of a service account
    url: str = ""
    pages: list[dict[str, str]] = field(default_factory=list)
    grants: int = 0
    current: str = "refresh-0"  # the only refresh token that counts
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    devices: list[dict[str, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    lock: Any = field(default_factory=threading.Lock)

    # The page.

    def page(self, query: str) -> tuple[int, str]:
        """Status, and the URL that the browser is sent to."""
        asked = dict(parse_qsl(query))
        self.pages.append(asked)
        if asked.get("client_id") != CLIENT:
            return 401, ""
        assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256"
        assert set(asked["scope"].split()) == set(SCOPES), asked["scope"]
        back = {"state": asked["state"]}
        if self.consent == "yes":
            code = f"code-{len(self.codes)}"
            self.codes[code] = asked
            back["code"] = code
        elif self.consent == "another state":
            back = {"state": "somebody-elses", "code": "code-x"}
        elif self.consent == "two codes":
            return 302, f"{asked['redirect_uri']}?{urlencode(back)}&code=a&code=b"
        elif self.consent == "no code":
            pass
        else:
            back |= {"error": self.consent, "error_description": "as the person wished"}
        return 302, f"{asked['redirect_uri']}?{urlencode(back)}"

    # The endpoints.

    def answer(self, path: str, body: str) -> Said:
        """What the endpoint at `path` says."""
        asked = dict(parse_qsl(body, keep_blank_values=True, strict_parsing=True))
        with self.lock:
            (self.devices if path == "/device" else self.asked).append(asked)
            scripted = self.script.pop(0) if self.script else None
        if path == "/token":
            self.before()
        if scripted is not None:
            return scripted() if callable(scripted) else scripted
        with self.lock:
            return self._device(asked) if path == "/device" else self._token(asked)

    def _device(self, asked: dict[str, str]) -> Said:
        if asked.get("client_id") != CLIENT:
            return told(401, error="invalid_client")
        return told(
            200, device_code="device-1", user_code="ABCD-EFGH", verification_uri=f"{self.url}/activate",
            expires_in=600, interval=self.interval,
        )  # fmt: skip

    def _token(self, asked: dict[str, str]) -> Said:
        kind = asked["grant_type"]
        if kind == "urn:ietf:params:oauth:grant-type:jwt-bearer":
            return self._robot(asked["assertion"])
        if asked.get("client_id") != CLIENT or asked.get("client_secret", self.secret) != self.secret:
            return told(401, error="invalid_client", error_description="Unauthorized")
        if kind == "authorization_code":
            return self._redeem(asked)
        if kind == "refresh_token":
            if asked["refresh_token"] != self.current:
                return told(400, error="invalid_grant", error_description="Token has been expired or revoked.")
            return self._granted(refresh=self.rotate)
        if kind == "client_credentials":
            return self._granted() if "client_secret" in asked else told(401, error="invalid_client")
        assert kind == "urn:ietf:params:oauth:grant-type:device_code" and asked["device_code"] == "device-1"
        said = self.pending.pop(0) if self.pending else ""
        return told(400, error=said) if said else self._granted(refresh=True)

    def _redeem(self, asked: dict[str, str]) -> Said:
        page = self.codes.pop(asked["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(asked["code_verifier"].encode()).digest()).rstrip(b"=")
        if (
            page is None
            or page["code_challenge"].encode() != challenge
            or page["redirect_uri"] != asked["redirect_uri"]
        ):
            return told(400, error="invalid_grant", error_description="Bad Request")
        return self._granted(refresh=True)

    def _robot(self, assertion: str) -> Said:
        import jwt

        try:
            claim = jwt.decode(assertion, self.robot_key, ["RS256"], audience=f"{self.url}/token")
        except jwt.InvalidTokenError:
            return told(400, error="invalid_grant", error_description="Invalid JWT Signature.")
        self.pages.append(claim)
        return self._granted()

    def _granted(self, refresh: bool = False) -> Said:
        self.grants += 1
        more: dict[str, Any] = {"refresh_token": f"refresh-{self.grants}"} if refresh else {}
        self.current = more.get("refresh_token", self.current)
        if self.scope is not None:
            more["scope"] = self.scope
        if self.lifetime is not None:
            more["expires_in"] = self.lifetime
        return told(200, access_token=f"access-{self.grants}", token_type="Bearer", **more)


class _Handler(BaseHTTPRequestHandler):
    server: Any

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        status, place = self.server.authorization.page(url.query) if url.path == "/authorize" else (404, "")
        self.send_response(status)
        if place:
            self.send_header("Location", place)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        status, kind, answer = self.server.authorization.answer(self.path, body)
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            if status in (301, 302, 307):
                self.send_header("Location", f"{self.server.authorization.url}/elsewhere")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
        except OSError:  # whoever asked has given up
            pass

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


class _Server(ThreadingHTTPServer):
    block_on_close = False
    daemon_threads = True
    authorization: Authorization

    def handle_error(self, request: Any, client_address: Any) -> None:
        import sys

        if not isinstance(sys.exception(), OSError):
            self.authorization.wrong.append(repr(sys.exception()))


@contextmanager
def authorization(tls: Any = None, **options: Any) -> Iterator[Authorization]:
    """The server, as long as the block lasts. `tls` is a context for HTTPS."""
    made = Authorization(**options)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.authorization = made
    made.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
    assert made.wrong == []


def browse(url: str) -> str:
    """A browser that opens a page and is led where it may; gives the page that it sees in the end."""
    from urllib.request import ProxyHandler, build_opener

    with build_opener(ProxyHandler({})).open(url, timeout=10) as page:
        shown: str = page.read().decode()
        return shown
