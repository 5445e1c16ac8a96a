"""One source's account of where to send and as whom, and the settings that follow from it."""

from __future__ import annotations

from mailwright.mailer.catching import catches_all
from mailwright.mailer.preparing import known_for, looked_up, overlooked, prepared_or_caught, ready, warn_of
from mailwright.words.address import Address
from mailwright.words.errors import AddressError, ConfigError
from mailwright.words.options import OPTIONS, refuse_cleartext, server_from_options
from mailwright.words.secret import Secret
from mailwright.words.server import Server
from mailwright.words.value import replace, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailwright.mailer.files import Command, KeyringEntry, PasswordFile, UnsetVariable
    from mailwright.mailer.tokens.source import TokenCommand, TokenSource
    from mailwright.providers.preflight import Prepared

    PasswordPlace = Command | KeyringEntry | PasswordFile | UnsetVariable


#: The origin of what nobody said.
DEFAULT = "default"


class NotFetched(Secret):
    """Stands for a password whose place is known, where a server is only shown."""

    __slots__ = ()

    def reveal(self) -> str:
        """Raises `ConfigError`: there is nothing to reveal yet."""
        raise ConfigError("The password was not fetched.", "Connect with Settings.server, which fetches it.")


def sender_address(text: str, name: str) -> Address:
    """The address that the setting `name` gives as sender. Raises `ConfigError`, which does not repeat the text:
    the variables for sender and password stand next to each other.
    """
    position = -1
    try:
        return Address.parse(text)
    except AddressError as problem:
        position = problem.position
    del text
    raise ConfigError(
        f"{name} is not an address, at position {position + 1}.",
        "Write it like ada@example.org or Ada Lovelace <ada@example.org>.",
    )


@value
class Settings:
    """The effective settings: where to send, as whom, and who says so.

    `described` is the server for showing; where its password has to be fetched first, it holds only a
    placeholder, and `password` tells the place. `sender` is the address for messages that name none.
    `origins` maps every option (see `words.options`), and ``sender``, to where it came from. `remarks` say what was put
    right, a sentence each, and what would be refused while ``MAILWRIGHT_CATCH`` catches everything. `finding` is an
    address whose server is looked up when `server` is asked for; the host of `described` is then only its domain.
    """

    described: Server
    sender: str | None
    origins: Mapping[str, str]
    password: PasswordPlace | None = None
    remarks: tuple[str, ...] = ()
    finding: str = ""

    @property
    def said(self) -> tuple[str, ...]:
        """Those of port and security that the source chose itself."""
        return tuple(name for name in ("port", "security") if self.origins[name] != DEFAULT)

    @property
    def server(self) -> Server:
        """The server to connect to. It is looked up now where it must be, and then the password is fetched, each time:
        a command is run, a file read.

        Blocks for as long as that takes. What looks wrong is warned of (`mailwright.providers.preflight.MailWarning`).
        Raises `ConfigError`, `MissingExtra`, and `ConnectError` when nobody answers.
        """
        return ready(self._fetched(), self.remarks)

    @property
    def for_mail(self) -> Server:
        """The server for a `Mailer`, which looks at the login itself. While ``MAILWRIGHT_CATCH`` catches everything
        nothing is looked up or fetched, for nobody will log in; it is then only the name of the server that was meant.
        """
        if catches_all():
            return replace(self.described, login=None)
        server = self._fetched()
        warn_of(self.remarks)
        return server

    def _fetched(self) -> Server:
        server = looked_up(self.described, self.finding, self.said) if self.finding else self.described
        if self.password is not None and server.login is not None:
            server = replace(server, login=replace(server.login, password=self.password.fetch()))
        return server


@value
class Account:
    """What one source says, read whole; it is never mixed with what another source says.

    `options` are those of `words.options`, without the password, and `names` tells how the source calls them.
    `where` is the source, for errors and for showing. `encrypted` and `unlocked` are advice: how to say
    in this source that the connection is encrypted, and how to give it a password. `token` stands instead of that.
    """

    where: str
    options: Mapping[str, object]
    encrypted: str
    unlocked: str
    sender: str | None = None
    password: Secret | PasswordPlace | None = None
    names: Mapping[str, str] | None = None
    token: TokenSource | TokenCommand | None = None

    def settings(self) -> Settings:
        """The settings that follow. Raises `ConfigError`, which begins with the name of the source."""
        given = dict(self.options)
        place = None if isinstance(self.password, Secret) else self.password
        if self.password is not None:
            given["password"] = NotFetched(str(place)) if place is not None else self.password
        complaint: ConfigError
        said = dict(given)
        try:
            finding, remarks = self._complete(given)
            server = self._with_token(server_from_options(given, self._called))
            done = None if finding else prepared_or_caught(server, said)
            if done is not None:
                server, remarks = done.server, (*remarks, *done.remarks)
            refuse_cleartext(server, self.encrypted)
            remarks += self._check_login(server)
            if self.sender is not None:
                sender_address(self.sender, self._called("sender"))
            origins = self._origins(said, place)
            if finding:
                origins["host"] = f"looked up for {finding} when a message is sent"
            origins |= origins_of(done, origins, "host" in said)
            return Settings(server, self.sender, origins, place, tuple(dict.fromkeys(remarks)), finding)
        except ConfigError as problem:
            complaint = ConfigError(f"{self.where}: {problem.what}", problem.advice)
        raise complaint

    def _complete(self, given: dict[str, object]) -> tuple[str, tuple[str, ...]]:
        """Fill in what an address alone says; gives the address if its server must be looked up first, and remarks."""
        user = given.get("user")
        if {"host", "path"} & set(given) or given.get("protocol", "smtp") != "smtp" or not isinstance(user, str):
            return "", ()
        address = _address(user)
        if address is None:
            return "", ()
        found, remarks = known_for(address, with_password=self.token is None)
        given["host"] = address.domain if found is None else found.host
        given["user"] = address.spec if found is None else found.user
        return address.spec if found is None else "", remarks

    def _called(self, name: str) -> str:
        return (self.names or {}).get(name, name)

    def _with_token(self, server: Server) -> Server:
        if self.token is None:
            return server
        if server.login is None:
            raise ConfigError("A token is given, but no user to log in with.", f"Give {self._called('user')}.")
        return replace(server, login=replace(server.login, token=self.token))

    def _check_login(self, server: Server) -> tuple[str, ...]:
        login = server.login
        if login is not None and login.password is None and login.token is None and login.mechanism != "EXTERNAL":
            return (overlooked(ConfigError("A user is named, but no password.", self.unlocked)),)
        return ()

    def _origins(self, given: Mapping[str, object], place: PasswordPlace | None) -> dict[str, str]:
        said = [*given, "sender"] if self.sender is not None else given
        found = {name: self._called(name) if self.names else self.where for name in said}
        if place is not None:
            found["password"] = f"{place}, {found['password']}"
        if self.token is not None:
            found["token"] = f"{self.token}, {self.where}"
        return dict.fromkeys((*OPTIONS, "sender"), DEFAULT) | found


def origins_of(done: Prepared | None, before: Mapping[str, str], host_said: bool = True) -> dict[str, str]:
    """Where the options come from that a provider decided; what the source had said stands behind it."""
    if done is None:
        return {}
    name = f"provider {done.provider.title}" if done.provider else "provider data"
    said = {option: before[option] for option in (*done.decided, *(() if host_said else ("host",)))}
    found = {option: name if was == DEFAULT else f"{name}, not {was}" for option, was in said.items()}
    return found | ({"alternatives": name} if done.server.alternatives else {})


def _address(user: str) -> Address | None:
    try:
        return Address(user)
    except AddressError:
        return None
