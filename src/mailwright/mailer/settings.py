"""Which source of settings counts: the first that names a server, or an address with its password, and then that one
alone.

In this order: the arguments of a call, a named account, the environment, a ``.env`` file (only when it was
asked for), the user's config.toml, the system's. Values of two sources are never put together: a password from
here must not go to a host from there. What the provider data knows completes whichever source it is: an address and its
password are enough at a provider that is known well.
"""

from __future__ import annotations

import os

from mailwright.mailer.account import Account, Settings, origins_of, sender_address
from mailwright.mailer.preparing import prepared_or_caught
from mailwright.words.errors import ConfigError
from mailwright.words.options import OPTIONS, refuse_cleartext
from mailwright.words.secret import Secret
from mailwright.words.server import Server
from mailwright.words.url import options_from_url
from mailwright.words.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Settings", "resolve"]

_ARGUMENT = "server argument"
_SENDER = "sender argument"
_PAIR = "sender and password arguments"


def resolve(
    *,
    server: Server | str | None = None,
    account: str | None = None,
    sender: str | None = None,
    password: str | Secret | None = None,
    environ: Mapping[str, str] | None = None,
    files: Sequence[str] | None = None,
    dotenv: str | None = None,
) -> Settings:
    """The settings that count. Nothing is connected, no command is run and no keyring is asked.

    `server` is a `Server` or its URL, `account` the name of one in a config.toml, and `password` completes either
    when it names a user alone; `sender` is the address for messages that name none, and with a `password` but without
    a server the one that logs in. `environ` is by default the
    environment of this process; `files` are the paths of config.toml in the order in which they count, by
    default those of `config_places`; `dotenv` is the path of a ``.env`` file to look into.
    Raises `ConfigError`.
    """
    environ = os.environ if environ is None else environ
    if server is not None and account is not None:
        raise ConfigError("Both a server and an account are given.", "Give one of them.")
    secret = _given_password(password)
    if server is not None:
        settings = _argument(server, secret)
    elif account is None and sender is not None and secret is not None:
        settings = _pair(sender, secret)
    else:
        from mailwright.mailer.sources import first_account  # a server that is passed needs none of them

        found = first_account(account, sender, environ, files, dotenv)
        if secret is not None:
            found = _completed(found, account, secret)
        settings = found.settings()
    if sender is None:
        return settings
    sender_address(sender, _SENDER)
    return replace(settings, sender=sender, origins={**settings.origins, "sender": _SENDER})


def _given_password(password: str | Secret | None) -> Secret | None:
    if password is None:
        return None
    if not password:
        raise ConfigError("The password is empty.", "Is it filled from a variable that is not set?")
    return Secret(password)


def _argument(server: Server | str, password: Secret | None) -> Settings:
    """The settings of a server that was passed to the call."""
    if isinstance(server, Server):
        refuse_cleartext(server, "Use security 'tls' or 'starttls'")
        origins = dict.fromkeys((*OPTIONS, "sender"), _ARGUMENT)
        server = _with_password(server, password)
        done = prepared_or_caught(server, ("port", "security"))
        if done is None:
            return Settings(server, None, origins)
        return Settings(done.server, None, origins | origins_of(done, origins), remarks=done.remarks)
    complaint: ConfigError
    try:
        options: dict[str, object] = dict(options_from_url(server))
    except ConfigError as problem:
        complaint = problem.with_traceback(None)
    else:
        in_url = options.pop("password", None)
        if in_url is not None and password is not None:
            raise ConfigError("The password is given twice: in the URL, and beside it.", "Give it once.")
        return Account(
            _ARGUMENT,
            options,
            encrypted="Write smtps:// (TLS) or smtp:// (STARTTLS)",
            unlocked="Pass password=… along with it; a command line takes it from an --account or from MAILWRIGHT_URL.",
            password=Secret(str(in_url)) if in_url is not None else password,
        ).settings()
    del server  # it may hold a password, and crash reporters keep local variables
    raise complaint


def _pair(sender: str, password: Secret) -> Settings:
    """The settings that an address and its password lead to."""
    return Account(
        _PAIR,
        {"user": sender_address(sender, _SENDER).spec},
        encrypted="Use security 'tls' or 'starttls'",
        unlocked="Pass password=….",
        password=password,
    ).settings()


def _with_password(server: Server, password: Secret | None) -> Server:
    if password is None:
        return server
    if server.login is None:
        raise ConfigError("A password is given, but the server has no login.", "Give it Login(user, password).")
    if server.login.password is not None or server.login.token is not None:
        raise ConfigError("The server's login has a password or token already.", "Give the password once.")
    return replace(server, login=replace(server.login, password=password))


def _completed(found: Account, account: str | None, password: Secret) -> Account:
    """`found` with the password of the call; only an account that the call itself named may get it."""
    if account is None:
        raise ConfigError(
            f"A password is given, but no server; it is not sent to the one of {found.where}.",
            "Pass sender=, server= or account= along with it.",
        )
    if found.password is not None:
        raise ConfigError(f"{found.where} has a password already.", "Leave one of them out.")
    return replace(found, password=password)
