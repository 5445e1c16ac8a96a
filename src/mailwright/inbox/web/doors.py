"""Who may come in: names under which we are asked, where we listen, and the password. Values only."""

from __future__ import annotations

import hmac
import re
from base64 import b64decode
from ipaddress import ip_address
from typing import TYPE_CHECKING

from mailwright.words.errors import ConfigError
from mailwright.words.reply import visible
from mailwright.words.value import value

if TYPE_CHECKING:
    from mailwright.words.secret import Secret

LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
#: Characters of a password that somebody chose.
SHORTEST_PASSWORD = 8

_AUTHORITY = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9_](?:[a-z0-9_.-]{0,252}[a-z0-9_])?)\.?(?::([0-9]{1,5}))?")


@value
class Doors:
    """Who may ask. `port` is where we listen, and `names` are further host names that we answer to, at any port.

    `password`: what a browser or program must give by HTTP Basic authentication (RFC 7617), with any user name;
    `None` where nobody needs one. Raises `ConfigError` for a name that is none.
    """

    port: int
    names: tuple[str, ...] = ()
    password: Secret | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(_host_name(name) for name in self.names))

    def knows(self, authority: str) -> bool:
        """Whether ``host[:port]``, as a Host field has it, is ours (RFC 9110 §7.2)."""
        found = _AUTHORITY.fullmatch(authority.lower())
        if found is None:
            return False
        host, port = found[1], int(found[2] or 80)
        return host in self.names or (host in LOCAL_NAMES and port == self.port)

    def lets_in(self, credentials: str) -> bool:
        """Whether an Authorization field holds the password. Takes the same time wherever a wrong one differs."""
        if self.password is None:
            return True
        scheme, _, encoded = credentials.partition(" ")
        try:
            pair = b64decode(encoded.strip(), validate=True) if scheme.lower() == "basic" else b""
        except ValueError:
            pair = b""
        given = pair.partition(b":")[2]
        # Digests of the same length: the comparison does not even tell how long the password is.
        key = b"mailwright inbox"
        right = hmac.digest(key, self.password.reveal().encode("utf-8", "surrogatepass"), "sha256")
        return hmac.compare_digest(hmac.digest(key, given, "sha256"), right)


def is_local(authority: str) -> bool:
    """Whether ``host[:port]`` names this machine, which browsers trust without TLS."""
    found = _AUTHORITY.fullmatch(authority.lower())
    return found is not None and found[1] in LOCAL_NAMES


def check_address(address: str, password: Secret | None) -> None:
    """Refuse to listen where others could come in without a password. Raises `ConfigError`."""
    try:
        loopback = address == "localhost" or ip_address(address).is_loopback
    except ValueError:
        raise ConfigError(
            f"The page can't listen on {visible(address, 100)}: that is not an IP address.",
            "Give one, such as 127.0.0.1; a name under which it is reached is given with --host.",
        ) from None
    if not loopback and password is None:
        raise ConfigError(
            f"The page would be open to everybody who reaches {address}.",
            "Listen on 127.0.0.1, or set a password for the page (mailwright inbox --locked).",
        )
    if password is not None and len(password.reveal()) < SHORTEST_PASSWORD:
        raise ConfigError(
            f"The password of the page has fewer than {SHORTEST_PASSWORD} characters.", "Take a longer one."
        )


def _host_name(name: str) -> str:
    found = _AUTHORITY.fullmatch(name.lower())
    if found is None or found[2]:
        raise ConfigError(
            f"{visible(name, 100)} is not a host name.", "Give a name or an address alone, as in --host devbox.example."
        )
    return found[1]
