"""Log in to a mail provider once, so that programs can send from then on:

  mailwright login ada@gmail.com
  mailwright login ada@outlook.com --client-id 11111111-2222-3333-4444-555555555555

The address decides how. Where the provider takes an app password, or any other password, you are told how to get it,
step by step, and type it in (or pipe it in); where it takes OAuth 2, a client of yours that is registered with the
provider (--client-id, --client-file) asks for your consent in the browser. It is tried once, put into the key ring, and
an account of that name is written into config.toml, so that `send` finds it.
"""

from __future__ import annotations

import os

from mailwright.cli.exit_codes import USAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from mailwright.cli.asking import Ways
    from mailwright.mailer.tokens.access import Kept
    from mailwright.mailer.tokens.client_file import ClientFile
    from mailwright.mailer.tokens.consent import AuthorizationServer
    from mailwright.mailer.tokens.grants import ClientCredentials
    from mailwright.providers.provider import Provider
    from mailwright.words.address import Address
    from mailwright.words.errors import MailError
    from mailwright.words.secret import Secret
    from mailwright.words.server import Server

EPILOG = """a client of your own, which is free:
  Google     https://console.cloud.google.com/apis/credentials: OAuth client ID, Desktop app; give its JSON as
             --client-file. While its consent screen is in “Testing”, a consent ends after 7 days.
  Microsoft  https://entra.microsoft.com, App registrations: platform “Mobile and desktop applications” with the
             redirect http://localhost, permission SMTP.Send; give its Application ID as --client-id.

exit codes:
   0  stored                              77  the login, or the consent, was refused
  75  not now: the same later may work    69  something is not installed here
  78  settings, or no key ring            64  this command line
"""
#: What others call it, and our word for it.
FAMILIAR = {
    "--oauth": "--client-id", "--oauth2": "--client-id", "--client": "--client-file", "--user": "the address alone",
    "--headless": "--paste", "--no-browser": "--paste", "--device-code": "--device", "--account": "--name",
}  # fmt: skip
FILE_LIMIT = 64 * 1024  # octets of a client's or robot's file
WAIT_LIMIT = 3600.0  # seconds
TRIAL_SECONDS = 60.0  # for connecting, TLS and login


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add = parser.add_argument
    add("address", metavar="ADDRESS", help="the address that will send")
    add("--server", metavar="URL", help="such as smtps://smtp.example.org; else the one of the address")
    group = parser.add_argument_group("OAuth 2, with a client of yours")
    add = group.add_argument
    add("--client-id", metavar="ID", help="its id, as registered with the provider")
    add(
        "--client-file",
        metavar="FILE",
        help="the JSON that Google gives for it; or, with --client-id, its secret alone",
    )
    add("--tenant", metavar="ID", help="of Microsoft: an organisation, by id or domain; or consumers")
    way = group.add_mutually_exclusive_group().add_argument
    way("--device", action="store_true", help="consent by a code that is typed on another device")
    way("--paste", action="store_true", help="consent in another machine's browser, and paste the address it ends at")
    way(
        "--app-only", action="store_true", help="Microsoft 365: the client sends for itself, an administrator consented"
    )
    way("--service-account", metavar="FILE", help="Google Workspace: the key of a robot that may act for the address")
    add("--wait", type=float, default=300.0, metavar="SECONDS", help="for the browser to come back (default 300)")
    add = parser.add_argument_group("where it is kept").add_argument
    add("--file", metavar="FILE", help="in this file, for you alone, instead of the key ring")
    add("--name", metavar="NAME", help="of the account in config.toml (default: the address)")
    add("--default", action="store_true", help="make it the default account")
    add("--no-check", action="store_true", help="store it without trying it")


def run(arguments: argparse.Namespace) -> int:
    """Get a credential, try it, store it; give the exit code. Raises a `MailError`."""
    from mailwright.cli import complain, tell
    from mailwright.cli.asking import way_in
    from mailwright.mailer.files import located
    from mailwright.words.address import Address
    from mailwright.words.errors import AddressError

    problem = _misuse(arguments)
    try:
        address = Address.parse(arguments.address)
    except AddressError as error:
        problem = problem or str(error)
    if problem:
        complain(f"{problem} See mailwright login --help.", "mailwright login")
        return USAGE
    with_client = bool(arguments.client_id or arguments.client_file or arguments.service_account)
    ways = way_in(address, arguments.server)
    if not with_client:
        _refuse_password(ways.provider)
    file = located(arguments.file, os.path.join(os.getcwd(), "here")) if arguments.file else ""
    store = _Store(arguments.name or address.spec, ways, file)
    store.check()
    if not with_client:
        from mailwright.cli.asking import password

        secret = password(ways.provider, ways.user)
        if not arguments.no_check:
            _try(ways, password=secret)
        kept = store.password(secret)
    else:
        consent = _consent(arguments, address, ways)
        if not arguments.no_check:
            consent = _tried(ways, consent)
        kept = store.token(consent)
    tell(store.write(kept, address, arguments.default))
    return 0


def _misuse(arguments: argparse.Namespace) -> str:
    with_client = arguments.device or arguments.paste or arguments.app_only
    if with_client and not (arguments.client_id or arguments.client_file):
        return "that way needs a client: give --client-id, or --client-file."
    if arguments.service_account and (arguments.client_id or arguments.client_file):
        return "a service account is a client itself: leave --client-id and --client-file out."
    if not 0 < arguments.wait <= WAIT_LIMIT:
        return f"--wait is a number of seconds, at most {WAIT_LIMIT:g}."
    return ""


def _refuse_password(provider: Provider | None) -> None:
    """Raise `ConfigError` where no password is taken."""
    from mailwright.words.errors import ConfigError

    if provider is None or provider.takes_password:
        return
    if provider.takes_oauth2:
        raise ConfigError(
            f"{provider.title} takes only OAuth 2 from programs, for which you need a client of your own.",
            "Register one, and give it as --client-id or --client-file; mailwright login --help tells where and how.",
        )
    raise ConfigError(f"{provider.title} takes no login of a program.", f"See mailwright providers {provider.id}.")


# Consent


def _consent(arguments: argparse.Namespace, address: Address, ways: Ways) -> Kept:
    """What an account's owner, or an administrator, consents to."""
    from mailwright.cli import asking
    from mailwright.mailer.tokens.access import Kept
    from mailwright.mailer.tokens.grants import ServiceAccount

    if arguments.service_account:
        text = _secret_file(arguments.service_account, "--service-account")
        return Kept(ServiceAccount.from_json(text, ways.user))
    described = _client(arguments)
    if arguments.app_only:
        return Kept(_app_only(described, ways.provider, arguments.tenant or address.domain))
    server = _authorization_server(described, ways.provider, arguments.tenant or "", address)
    if arguments.device:
        return asking.device(server, described.client, ways)
    return asking.browser(server, described.client, ways, arguments.paste, arguments.wait)


def _authorization_server(
    described: ClientFile, provider: Provider | None, tenant: str, address: Address
) -> AuthorizationServer:
    """The provider's authorisation server, or the one that the client's file names."""
    from mailwright.mailer.tokens.consent import AuthorizationServer
    from mailwright.words.value import replace

    if provider is not None and provider.oauth2 is not None:
        per_tenant = "{tenant}" in provider.oauth2.authorize_url
        known = AuthorizationServer.of(provider.oauth2, tenant or (address.domain if per_tenant else ""))
        own = described.server.device_url if described.server is not None else ""
        return replace(known, device_url=known.device_url or own)
    if described.server is None or not described.server.authorize_url:
        raise _no_oauth2(provider)
    return described.server


def _app_only(described: ClientFile, provider: Provider | None, tenant: str) -> ClientCredentials:
    """The client's own access, without a person."""
    from mailwright.mailer.tokens.grants import ClientCredentials
    from mailwright.words.errors import ConfigError

    if provider is None and described.server is not None:
        return ClientCredentials(described.server.token_url, described.client, described.server.scopes)
    if provider is None or provider.oauth2 is None:
        raise _no_oauth2(provider)
    if provider.oauth2.app_only is None:
        raise ConfigError(
            f"{provider.title} has no access for programs alone.", "Leave --app-only out, and consent yourself."
        )
    return ClientCredentials.microsoft365(tenant, described.client)


def _no_oauth2(provider: Provider | None) -> MailError:
    from mailwright.words.errors import ConfigError

    name = provider.title if provider is not None else "That server"
    return ConfigError(
        f"{name} has no OAuth 2 that is known here.",
        "Log in with a password, which takes no client; or name the authorisation server in the file of --client-file.",
    )


def _client(arguments: argparse.Namespace) -> ClientFile:
    """The client that was named. Raises `ConfigError`, which shows nothing of its file."""
    from mailwright.mailer.tokens.client_file import ClientFile, client_in
    from mailwright.mailer.tokens.grants import Client

    if arguments.client_file:
        return client_in(_secret_file(arguments.client_file, "--client-file"), arguments.client_id or "")
    return ClientFile(Client(arguments.client_id), None)


def _secret_file(path: str, option: str) -> Secret:
    """The text of a file. Raises `ConfigError`, which does not repeat the path: it might be the secret itself."""
    from mailwright.mailer.files import read_file
    from mailwright.words.errors import ConfigError
    from mailwright.words.secret import Secret

    try:
        return Secret(read_file(path, FILE_LIMIT).text)
    except ConfigError:
        pass
    raise ConfigError(f"The file of {option} can't be read, or is not a text.", "Give the path of the file.")


# The trial


def _tried(ways: Ways, consent: Kept) -> Kept:
    """`consent` after one login with it, with whatever the provider gave along."""
    from mailwright.mailer.tokens.keeping import InMemory
    from mailwright.mailer.tokens.source import TokenSource

    place = InMemory(consent)
    _try(ways, token=TokenSource(place))
    return place.load()


def _try(ways: Ways, **credential: Any) -> None:
    """Log in once. Raises a `MailError` that says that nothing was stored."""
    from time import monotonic

    from mailwright.cli import tell
    from mailwright.drivers.sync import Link, run
    from mailwright.smtp.opening import open_session
    from mailwright.smtp.session import Session, quit_session
    from mailwright.words.errors import MailError
    from mailwright.words.server import Login
    from mailwright.words.value import replace

    server: Server = replace(ways.server, login=Login(ways.user, **credential))
    tell(f"Trying it at {server} …")
    link, session = Link(), Session(server, monotonic)
    link.deadline = monotonic() + TRIAL_SECONDS
    try:
        run(open_session(session), link)
        run(quit_session(session), link)
    except MailError as problem:
        _nothing_stored(problem)
        raise
    finally:
        link.close()


def _nothing_stored(problem: MailError) -> None:
    untried = "; --no-check stores it untried" if getattr(problem, "temporary", False) else ""
    problem.what = f"{problem.what} Nothing was stored{untried}."


# Storing


class _Store:
    """Where the credential of the account `name` goes: a key ring or a `file`, and config.toml for all else."""

    def __init__(self, name: str, ways: Ways, file: str) -> None:
        self._name = name
        self._ways = ways
        self._file = file

    def check(self) -> None:
        """Find out now what would fail after somebody took the trouble. Raises `ConfigError` or `MissingExtra`."""
        from mailwright.mailer.files import KeyringEntry, exists, read_file
        from mailwright.words.errors import ConfigError

        self._config()
        if not self._file:
            KeyringEntry("mailwright", self._ways.user).read()
        elif exists(self._file):
            lines = read_file(self._file, FILE_LIMIT).text.count("\n")
            if lines > 1:
                raise ConfigError("The file of --file holds something else already.", "Name one that does not exist.")

    def password(self, secret: Secret) -> dict[str, Any]:
        """Store a password; gives its part of the account."""
        from mailwright.mailer.files import KeyringEntry, write_private_file

        if self._file:
            write_private_file(self._file, secret)
            return {"password": {"file": self._file}}
        KeyringEntry("mailwright", self._ways.user).store(secret)
        return {"password": {"keyring": True}}

    def token(self, consent: Kept) -> dict[str, Any]:
        """Store a grant; gives its part of the account."""
        from mailwright.mailer.files import write_private_file
        from mailwright.mailer.tokens.keeping import InKeyring, written

        if self._file:
            write_private_file(self._file, written(consent))
            return {"token": {"file": self._file}}
        InKeyring(self._ways.user).store(consent)
        return {"token": {"keyring": True}}

    def write(self, credential: dict[str, Any], address: Address, default: bool) -> str:
        """Put the account into config.toml; gives what there is to say about it. Raises `ConfigError`."""
        from mailwright.mailer.config_edit import with_account
        from mailwright.mailer.config_file import ConfigFile
        from mailwright.mailer.files import TextFile, write_private_file
        from mailwright.words.reply import visible

        path, text = self._config()
        account = {**self._ways.place, **credential, "sender": address.spec}
        new = with_account(text.reveal(), self._name, account, default=default)
        is_default = ConfigFile(TextFile(path, new)).default == self._name
        write_private_file(path, new)
        where = f"the file {visible(self._file, 300)}" if self._file else "the key ring"
        name = visible(self._name, 100)
        return (
            f"Stored: the account {name} in {visible(path, 300)}{', the default' if is_default else ''}; its secret in "
            f"{where}.\nTry it: mailwright send --account {name} --to {address.spec} --subject Hello --text Hello"
        )

    def _config(self) -> tuple[str, Secret]:
        """Path and text of the user's config.toml. Raises `ConfigError` if it can't be read, or there is no place."""
        from mailwright.mailer.config_file import ConfigFile
        from mailwright.mailer.files import SYSTEM_CONFIG, config_places, exists, read_file
        from mailwright.words.errors import ConfigError
        from mailwright.words.secret import Secret

        path = next((place for place in config_places(os.environ) if place != SYSTEM_CONFIG), None)
        if path is None:
            raise ConfigError("There is no place for a config.toml of yours.", "Set HOME, or MAILWRIGHT_CONFIG.")
        if not exists(path):
            return path, Secret("")
        file = read_file(path)
        ConfigFile(file)
        return path, Secret(file.text)
