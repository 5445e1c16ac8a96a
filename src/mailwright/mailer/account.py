"""One source's account of where to send and as whom, and the settings that follow from it."""

from __future__ import annotations

from mailwright.words.address import Address
from mailwright.words.errors import AddressError, ConfigError
from mailwright.words.options import OPTIONS, refuse_cleartext, server_from_options
from mailwright.words.secret import Secret
from mailwright.words.server import Server
from mailwright.words.value import replace, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailwright.mailer.files import Command, KeyringEntry, PasswordFile

    PasswordPlace = Command | KeyringEntry | PasswordFile


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
    `origins` maps every option (see `words.options`), and ``sender``, to where it came from.
    """

    described: Server
    sender: str | None
    origins: Mapping[str, str]
    password: PasswordPlace | None = None

    @property
    def server(self) -> Server:
        """The server to connect to. The password is fetched now, each time: a command is run, a file read.

        Blocks for as long as that takes. Raises `ConfigError` or `MissingExtra`.
        """
        login = self.described.login
        if self.password is None or login is None:
            return self.described
        return replace(self.described, login=replace(login, password=self.password.fetch()))


@value
class Account:
    """What one source says, read whole; it is never mixed with what another source says.

    `options` are those of `words.options`, without the password, and `names` tells how the source calls them.
    `where` is the source, for errors and for showing. `encrypted` and `unlocked` are advice: how to say
    in this source that the connection is encrypted, and how to give it a password.
    """

    where: str
    options: Mapping[str, object]
    encrypted: str
    unlocked: str
    sender: str | None = None
    password: Secret | PasswordPlace | None = None
    names: Mapping[str, str] | None = None

    def settings(self) -> Settings:
        """The settings that follow. Raises `ConfigError`, which begins with the name of the source."""
        given = dict(self.options)
        place = None if isinstance(self.password, Secret) else self.password
        if self.password is not None:
            given["password"] = NotFetched(str(place)) if place is not None else self.password
        complaint: ConfigError
        try:
            server = server_from_options(given, self._called)
            refuse_cleartext(server, self.encrypted)
            self._check_login(server)
            if self.sender is not None:
                sender_address(self.sender, self._called("sender"))
            return Settings(server, self.sender, self._origins(given, place), place)
        except ConfigError as problem:
            complaint = ConfigError(f"{self.where}: {problem.what}", problem.advice)
        raise complaint

    def _called(self, name: str) -> str:
        return (self.names or {}).get(name, name)

    def _check_login(self, server: Server) -> None:
        login = server.login
        if login is not None and login.password is None and login.mechanism != "EXTERNAL":
            raise ConfigError("A user is named, but no password.", self.unlocked)

    def _origins(self, given: Mapping[str, object], place: PasswordPlace | None) -> dict[str, str]:
        said = [*given, "sender"] if self.sender is not None else given
        found = {name: self._called(name) if self.names else self.where for name in said}
        if place is not None:
            found["password"] = f"{place}, {found['password']}"
        return dict.fromkeys((*OPTIONS, "sender"), "default") | found
