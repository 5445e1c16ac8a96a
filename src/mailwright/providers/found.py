"""What is known of the server for one address: which, by what right, and how sure."""

from __future__ import annotations

from mailwright.providers.provider import Endpoint, Provider
from mailwright.words.errors import ConfigError
from mailwright.words.secret import Secret
from mailwright.words.server import Login, Server
from mailwright.words.value import replace, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from mailwright.words.address import Address

    How = Literal["domain", "srv", "autoconfig", "mx"]


@value
class Found:
    """The server for `address`, and how it is known. `print` it to read all of it.

    `ways` are the right endpoints of one host, the first one first. `user` is the name to log in with, `provider` what
    is known of who runs the host, if that is known. `how` is ``domain`` (the address is one of the provider's), ``srv``
    (the domain's own DNS record, RFC 6186), ``autoconfig`` (a file that the domain publishes over HTTPS) or ``mx`` (its
    mail is received by a provider that is known); `evidence` is what was found there. `as_of` is the day of the data.

    `trusted` says that a credential may go there (RFC 6186 §6): the host lies in the domain of the address, or the
    provider data knows it well enough. Otherwise the user must have `confirmed` it.
    """

    address: Address
    how: How
    evidence: str
    ways: tuple[Endpoint, ...]
    user: str
    provider: Provider | None
    trusted: bool
    as_of: str
    confirmed: bool = False

    @property
    def host(self) -> str:
        """The host of the server."""
        return self.ways[0].host

    @property
    def server(self) -> Server:
        """The server to connect to, still without a login; if its port can't be reached the other right one is tried.

        Raises `ConfigError` for a host that a credential must not go to before somebody confirmed it.
        """
        if not (self.trusted or self.confirmed):
            what, advice = self.doubt
            raise ConfigError(what, f"{advice} Or confirm it once: mailwright login {self.address.spec}")
        first, *others = self.ways
        alternatives = tuple((one.host, one.port, one.security) for one in others)
        return Server(first.host, first.port, first.security, alternatives=alternatives)

    def with_login(self, password: Secret | str) -> Server:
        """The server with `user` and this password. Raises `ConfigError` as `server` does."""
        password = Secret(password)  # before anything can fail: crash reporters keep local variables
        return replace(self.server, login=Login(self.user, password))

    @property
    def doubt(self) -> tuple[str, str]:
        """What is not sure about a host that is not trusted, and what to do; two empty texts for one that is."""
        if self.trusted:
            return "", ""
        pinned = f"server='{url_of_way(self.ways[0], self.user)}' or SMTP_HOST={self.host}"
        if self.how in ("srv", "autoconfig"):
            what = (
                f"{self.host}, named by {self.evidence}, lies outside of {self.address.domain} and is not known as a "
                "mail provider's: the password was not given to it."
            )
            return what, f"If your provider confirms that host, name it yourself: {pinned}."
        assert self.provider is not None  # a domain or MX host is known by its provider
        sure = self.provider.certainty
        grade = min(sure.smtp, sure.mx if self.how == "mx" else sure.smtp, key=("none", "low", "medium", "high").index)
        what = f"{self.host} is probably the server for {self.address.spec}, but that is of {grade} certainty only."
        return what, f"Look it up at {self.provider.title}; if it is right, name it yourself: {pinned}."

    def __str__(self) -> str:
        from mailwright.providers.telling import tell_found

        return "\n".join(tell_found(self))


def url_of_way(way: Endpoint, user: str) -> str:
    """An endpoint as the URL of a server, for showing."""
    from mailwright.words.url import url_of

    return url_of(Server(way.host, way.port, way.security, Login(user) if user else None))
