"""Where a sender sends to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Security = Literal["none", "starttls", "tls"]


@dataclass(frozen=True)
class Place:
    """A server: any server, ours or a real one.

    `security` is what a sender must use: nothing, STARTTLS, or TLS from the first octet. With either it trusts the
    authority in `ca_file` (PEM) and checks the name `host`. `login` is a user and a password, or nothing.
    """

    host: str
    port: int
    security: Security = "none"
    ca_file: str | None = None
    login: tuple[str, str] | None = None

    @property
    def bare(self) -> bool:
        """Whether it takes mail without TLS and without a login."""
        return self.security == "none" and self.login is None
