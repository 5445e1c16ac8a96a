"""Which source of settings counts: the first that names a server, or an address with its password, and then that one
alone.

In this order: the arguments of a call, a named account, the environment, a ``.env`` file (only when it was
asked for), the user's config.toml, the system's. Values of two sources are never put together: a password from
here must not go to a host from there. What the provider data knows completes whichever source it is: an address and its
password are enough at a provider that is known well.
"""

from __future__ import annotations

import os

from mailwright.mailer import catching, environment
from mailwright.mailer.account import Account, Settings, origins_of, sender_address
from mailwright.mailer.files import SYSTEM_CONFIG, config_places, credentials, exists, read_file, refuse_readers
from mailwright.mailer.preparing import prepared_or_caught
from mailwright.words.errors import ConfigError
from mailwright.words.options import OPTIONS, nearest, refuse_cleartext
from mailwright.words.reply import visible
from mailwright.words.secret import Secret
from mailwright.words.server import Server
from mailwright.words.url import options_from_url
from mailwright.words.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailwright.mailer.config_file import ConfigFile

__all__ = ["Settings", "resolve"]

_ARGUMENT = "server argument"
_SENDER = "sender argument"
_PAIR = "sender and password arguments"
_WAYS = (
    "Set SENDER_EMAIL and EMAIL_PASSWORD, MAILWRIGHT_URL (smtps://user:password@smtp.example.org) or SMTP_HOST, pass "
    "server=…"
)


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
        found = _first_account(account, sender, environ, files, dotenv)
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


def _first_account(
    name: str | None, sender: str | None, environ: Mapping[str, str], files: Sequence[str] | None, dotenv: str | None
) -> Account:
    """The first source that names a server; with a `name`, the first config.toml that has that account. In a file the
    account of the `sender` comes before the default.
    """
    variables = _dotenv(dotenv) if dotenv is not None else {}
    if name is None:
        found = environment.account_in(environ, credentials(environ))
        found = found or environment.account_in(variables, file=dotenv or "")
        if found is not None:
            return found
    looked_into: list[ConfigFile] = []
    for path in config_places(environ) if files is None else files:
        if not exists(path) and path != environ.get("MAILWRIGHT_CONFIG"):
            continue
        config = _config_file(path)
        mine = config.account_of(sender) if sender is not None else None
        chosen = name if name is not None else mine or config.default
        if chosen is not None and chosen in config.accounts:
            return config.account(chosen, {**variables, **environ})
        looked_into.append(config)
    if name is not None:
        raise _no_such_account(name, looked_into, environ)
    caught = catching.account_in(environ)
    if caught is not None:
        return caught
    raise _nothing(looked_into, {**variables, **environ})


def _dotenv(path: str) -> dict[str, str]:
    from mailwright.mailer.dotenv import variables_in

    file = read_file(path)
    variables = variables_in(file.text, path)
    if environment.holds_password(variables):
        refuse_readers(file)
    catching.refuse_in_file(variables, path)
    return variables


def _config_file(path: str) -> ConfigFile:
    from mailwright.mailer.config_file import ConfigFile

    return ConfigFile(read_file(path))


def _no_such_account(name: str, looked_into: Sequence[ConfigFile], environ: Mapping[str, str]) -> ConfigError:
    known = [one for config in looked_into for one in config.accounts]
    meant = nearest(name, known)
    if meant:
        advice = f"Did you mean {visible(meant, 60)}?"
    elif known:
        advice = f"There are {visible(', '.join(known), 200)}."
    else:
        advice = f"Accounts are written into {_first_place(environ)}."
    return ConfigError(f"There is no account {visible(name, 60)}.", advice)


def _nothing(looked_into: Sequence[ConfigFile], variables: Mapping[str, str]) -> ConfigError:
    """The error when no source names a server: what was found instead, and the ways to name one."""
    reasons = list(environment.clues(variables))
    for config in looked_into:
        if config.accounts:
            names = visible(", ".join(config.accounts), 200)
            reasons.append(f"{visible(config.path, 300)} has the accounts {names}, but no default")
    what = "; ".join(["No mail server is configured", *reasons[:6]])
    advice = f"{_WAYS}, or write an account into {_first_place(variables)}."
    return ConfigError(f"{what}.", advice)


def _first_place(environ: Mapping[str, str]) -> str:
    return visible(next(iter(config_places(environ)), SYSTEM_CONFIG), 300)
