"""The way back from the browser: one request to this machine (RFC 8252 §7.3)."""

from __future__ import annotations

import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from mailwright.words.errors import ConfigError, LoginError
from mailwright.words.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

_PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>mailwright</title>
<p>mailwright has the answer. Close this page, and look at the terminal.</p></html>
"""
_REQUEST_SECONDS = 10.0  # a browser may open a connection ahead and say nothing


class Redirect:
    """Waits on a random port of 127.0.0.1 for the browser to come back: once, to the path ``/`` alone.

    Any program on this machine and any page in the browser can send an answer too: ``meant(query)`` says whether one is
    worth taking. For use in a ``with`` block. Raises `ConfigError` if no port can be had.
    """

    def __init__(self, meant: Callable[[Secret], bool] = lambda query: True) -> None:
        self._meant = meant
        self._came = threading.Event()
        self._lock = threading.Lock()
        self._query: Secret | None = None
        try:
            self._server = _Server(("127.0.0.1", 0), self)
        except OSError as problem:
            raise ConfigError(
                f"No port of this machine can be listened on: {problem.strerror}.",
                "Use --device, or --paste, which need none.",
            ) from None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._server.server_address[1]

    def uri(self, host: str = "127.0.0.1") -> str:
        """Where the browser should come back to; `host` is another name of this machine."""
        return f"http://{host}:{self.port}/"

    def wait(self, seconds: float) -> Secret:
        """The query with which the browser came back; after `seconds` one that was not worth taking, if there was one.
        Raises `LoginError` when nothing came.
        """
        self._came.wait(seconds)
        if self._query is None:
            raise LoginError(
                f"The browser did not come back within {seconds:g} seconds.",
                "Did the page show an error? It usually means a wrong client id, or a client that may not redirect to "
                "this machine; otherwise run the same command again.",
                phase="auth",
                temporary=True,
            )
        return self._query

    def take(self, query: Secret) -> bool:
        """Take the first answer that was meant; any other is refused."""
        with self._lock:
            if self._came.is_set():
                return False
            self._query = query
            if not self._meant(query):
                return False
            self._came.set()
            return True

    def __enter__(self) -> Redirect:
        serving = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="mailwright", daemon=True)
        serving.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 20
    allow_reuse_address = False  # on Windows that would let another program have the port too

    def __init__(self, address: tuple[str, int], redirect: Redirect) -> None:
        self.redirect = redirect
        super().__init__(address, _Request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: who connects here and breaks off is no concern of the person at the terminal."""


class _Request(BaseHTTPRequestHandler):
    server: _Server
    timeout = _REQUEST_SECONDS
    server_version = "mailwright"
    sys_version = ""

    def do_GET(self) -> None:
        """Take the answer, and give a page that holds nothing of it."""
        path, _, query = self.path.partition("?")
        # A page of somebody else that has itself resolved to this machine comes with its own name.
        hosts = [f"{name}:{self.server.redirect.port}" for name in ("127.0.0.1", "localhost")]
        if path != "/" or not query or self.headers.get("Host") not in hosts:
            self._say(HTTPStatus.NOT_FOUND, "Nothing is here.\n", "text/plain")
        elif self.server.redirect.take(Secret(query)):
            self._say(HTTPStatus.OK, _PAGE, "text/html")
        else:
            self._say(HTTPStatus.GONE, "Nobody waits for this answer.\n", "text/plain")

    def _say(self, status: HTTPStatus, text: str, kind: str) -> None:
        self.close_connection = True
        self.send_response(status)
        for name, value in (
            ("Content-Type", f"{kind}; charset=utf-8"),
            ("Content-Length", str(len(text))),
            ("Cache-Control", "no-store"),
            ("Content-Security-Policy", "default-src 'none'"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
            ("Connection", "close"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the line of a request holds the code."""
