"""Real mail servers for the tests, each started for them alone and ended with them.

Every module beside this one runs one server and has the same two doors:

    missing() -> str | None          why it cannot run here, and the command that would enable it
    running(folder) -> RealServer    a context manager; `folder` is empty and belongs to the server

What holds for all of them:

* They listen on 127.0.0.1 only, on ports that were free, and send nothing anywhere.
* A recipient's local part that begins with `reject` is refused with 550, one that begins with `later` is put
  off with 450, each in answer to RCPT. Every other recipient, at whatever domain, is accepted.
* `mailbox()` has one entry for each message that was accepted, however many recipients it had.
  (For these two points Dovecot's LMTP differs; `dovecot` says how.)
* Servers put trace header fields in front: compare with `stored.endswith(sent)`.
* They live as long as a pipe from this process is open. So they end with the context manager, and if the
  process is killed they end all the same.

`certificates` has the one CA of a run, `private_system` the mount namespace in which Debian's servers run,
`fixtures` the pytest fixtures. Programs come from `tools/get_servers.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

T = TypeVar("T")

HOST = "127.0.0.1"
USER = "ada"
PASSWORD = "Analytical-1843"
TOKEN = "ya29.an-access-token"

REJECTED = "reject"
DEFERRED = "later"


@dataclass(frozen=True)
class RealServer:
    """A server that runs now: where it listens, what it offers, and what it has stored."""

    name: str
    host: str
    port: int
    """Speaks in clear at first; STARTTLS follows where `security` says so."""

    security: Literal["starttls", "tls", "none"]
    stored: Callable[[], list[bytes]] = field(repr=False)
    features: frozenset[str]
    """EHLO keywords, as they are offered once TLS stands."""

    mechanisms: frozenset[str] = frozenset()
    """SASL mechanisms. A server with STARTTLS takes them only after it, even if it names them before."""

    tls_port: int | None = None
    """Where TLS comes first (RFC 8314, 3.3)."""

    ca_file: Path | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    """The access token of `user`, for XOAUTH2."""

    protocol: Literal["smtp", "lmtp"] = "smtp"

    def mailbox(self) -> list[bytes]:
        """Every message stored until now, in order of arrival, with CRLF at the line ends."""
        return self.stored()

    def wait_for(self, count: int, timeout: float = 10) -> list[bytes]:
        """The mailbox as soon as it holds `count` messages.

        Servers answer 250 before they deliver, hence the wait. `TimeoutError` after `timeout` seconds.
        """

        def enough(messages: list[bytes]) -> list[bytes] | None:
            return messages if len(messages) >= count else None

        return self._wait(enough, f"{count} messages", timeout)

    def find(self, marker: bytes, timeout: float = 10) -> bytes:
        """The first message in which `marker` stands: several tests may share one server.

        `TimeoutError` if there is none after `timeout` seconds.
        """

        def first(messages: list[bytes]) -> bytes | None:
            return next((message for message in messages if marker in message), None)

        return self._wait(first, f"a message with {marker!r}", timeout)

    def _wait(self, look: Callable[[list[bytes]], T | None], wanted: str, timeout: float) -> T:
        deadline = time.monotonic() + timeout
        while True:
            messages = self.mailbox()
            found = look(messages)
            if found is not None:
                return found
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name}: {len(messages)} messages after {timeout} s, but not {wanted}")
            time.sleep(0.02)
