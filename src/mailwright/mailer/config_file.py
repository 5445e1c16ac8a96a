"""What a config.toml says: named accounts, one of which may be the default.

::

    default = "work"
    outbox = "sqlite:////var/lib/app/mail.db"

    [accounts.work]
    url = "smtps://ada@smtp.example.org"
    password = {command = ["pass", "show", "mail/work"]}
    sender = "Ada Lovelace <ada@example.org>"

    [aliases]
    root = "ada@example.org"
"""

from __future__ import annotations

from mailwright.mailer.account import Account
from mailwright.mailer.catching import catches_all
from mailwright.mailer.files import Command, KeyringEntry, PasswordFile, UnsetVariable, located, refuse_readers
from mailwright.words import url
from mailwright.words.address import Address
from mailwright.words.errors import AddressError, ConfigError
from mailwright.words.options import OPTIONS, did_you_mean
from mailwright.words.reply import visible
from mailwright.words.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from mailwright.mailer.account import PasswordPlace
    from mailwright.mailer.files import TextFile
    from mailwright.mailer.tokens.source import TokenCommand, TokenSource

KEYS = ("url", *OPTIONS, "token", "sender")
#: What a URL says itself, so that it can't be said beside it.
_IN_URL = ("host", "port", "security", "protocol", "path", "user")
_PATHS = ("ca_file", "certificate", "key")
_PASSWORD = {
    "command": 'the words of a command: {command = ["pass", "show", "mail"]}',
    "keyring": 'true, or the name of the service: {keyring = "mail"}',
    "env": 'the name of a variable: {env = "MAIL_PASSWORD"}',
    "file": 'the path of a file: {file = "mail.password"}',
}
_TOKEN = {
    "keyring": "true, for what mailwright login stored there",
    "file": 'the path of a file from mailwright login, or of the key of a service account: {file = "ada.token"}',
    "command": 'the words of a command that prints an access token: {command = ["oama", "access", "ada@gmail.com"]}',
}


class ConfigFile:
    """A config.toml that was read and whose names are all known. Raises `ConfigError`.

    `path` is where it stands, `accounts` its accounts by name, and `default` the name of the one that is
    meant when none is named: the one that it says, or its only one; or `None`. `aliases` are the addresses that local
    names lead to, for ``mailwright sendmail``. `outbox` names the database of the outbox, for ``mailwright outbox``.
    """

    def __init__(self, file: TextFile) -> None:
        document = _parsed(file)
        self.path = file.path
        self._refuse_unknown(document, ("default", "accounts", "aliases", "outbox"), "")
        accounts = document.get("accounts", {})
        if not _is_table(accounts) or not all(_is_table(one) for one in accounts.values()):
            raise ConfigError(f"{self._shown}: accounts are tables.", "Write them like [accounts.work].")
        self.accounts: Mapping[str, Mapping[str, Any]] = accounts
        for name, table in self.accounts.items():
            self._refuse_unknown(table, KEYS, f" of account {visible(name, 60)}")
        self.outbox = self._outbox(document)
        holders: list[Mapping[str, Any]] = [*self.accounts.values(), {"url": self.outbox}]
        if any(map(_holds_password, holders)):
            refuse_readers(file)
        self.default = self._default(document)
        self.aliases = self._aliases(document)

    def account(self, name: str, variables: Mapping[str, str]) -> Account:
        """The account of that name. Raises `ConfigError`.

        `variables` are looked into for a password that is said to be one of them.
        """
        table = self.accounts[name]
        where = f"account {visible(name, 60)} in {self._shown}"
        complaint: ConfigError
        try:
            options = _options(table, self.path)
            given = table.get("password", options.pop("password", None))
            password = _password(given, options, self.path, variables)
            token = _token(table.get("token"), options, self.path)
            if token is not None and password is not None:
                raise ConfigError("Both a password and a token are given.", "Keep one of them.")
            sender = table.get("sender")
            if sender is not None and not isinstance(sender, str):
                raise ConfigError("sender is not text.", 'Write it like sender = "ada@example.org".')
        except ConfigError as problem:
            complaint = ConfigError(f"{where}: {problem.what}", problem.advice)
        else:
            return Account(
                where,
                options,
                encrypted='Write security = "tls" or security = "starttls" (smtps:// or smtp:// in a URL)',
                unlocked="Add password = {command = …}, {keyring = true}, {env = …} or {file = …}.",
                sender=sender,
                password=password,
                token=token,
            )
        raise complaint

    def account_of(self, sender: str) -> str | None:
        """The name of the account for a sender's address: one of that name or with that `sender`, the default first."""
        names = [name for name, table in self.accounts.items() if sender in (name, _spec(table.get("sender")))]
        return self.default if self.default in names else next(iter(names), None)

    @property
    def _shown(self) -> str:
        return visible(self.path, 300)

    def _default(self, document: Mapping[str, Any]) -> str | None:
        name = document.get("default")
        if name is None:
            return next(iter(self.accounts)) if len(self.accounts) == 1 else None
        if not isinstance(name, str) or name not in self.accounts:
            raise ConfigError(
                f"{self._shown}: default is not the name of an account in this file.",
                visible(did_you_mean(str(name), self.accounts), 300) if self.accounts else "It has no accounts.",
            )
        return name

    def _outbox(self, document: Mapping[str, Any]) -> str | None:
        given = document.get("outbox")
        if given is None or (isinstance(given, str) and given):
            return given
        raise ConfigError(
            f"{self._shown}: outbox names no database.", 'Write it like outbox = "sqlite:////var/lib/app/mail.db".'
        )

    def _aliases(self, document: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
        table = document.get("aliases", {})
        found = {}
        for name, given in table.items() if _is_table(table) else ():
            texts = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, list) else ()
            if texts and all(isinstance(text, str) and text.strip() for text in texts):
                found[name] = texts
        if not _is_table(table) or len(found) != len(table):
            raise ConfigError(
                f"{self._shown}: an alias is no address.", 'Write [aliases], and lines like root = "ada@example.org".'
            )
        return found

    def _refuse_unknown(self, table: Mapping[str, Any], known: tuple[str, ...], of: str) -> None:
        for key in table:
            if key not in known:
                raise ConfigError(
                    f"{self._shown}: the key {visible(key, 60)}{of} is not known.", did_you_mean(key, known)
                )


def _parsed(file: TextFile) -> dict[str, Any]:
    import tomllib  # 20 ms; only who keeps a file pays for it

    try:
        return tomllib.loads(file.text)
    except (ValueError, RecursionError) as problem:
        # Only the place: what the parser says may quote the text, and newer ones carry all of it.
        place = str(problem).rpartition("(at ")[2].rstrip(")") if "(at " in str(problem) else ""
    path = visible(file.path, 300)
    del file
    what = f"{path} is not TOML{' at ' if place else ''}{place}."
    raise ConfigError(what, "Text goes in quotation marks, a table in [brackets].")


def _is_table(given: object) -> bool:
    return isinstance(given, dict)


def _holds_password(table: Mapping[str, Any]) -> bool:
    urls = [table.get(name) for name in ("url", "proxy")]
    return isinstance(table.get("password"), str) or any(
        isinstance(one, str) and url.holds_password(one) for one in urls
    )


def _options(table: Mapping[str, Any], path: str) -> dict[str, object]:
    options = {key: given for key, given in table.items() if key not in ("url", "password", "token", "sender")}
    for name in _PATHS:
        if isinstance(options.get(name), str):
            options[name] = located(options[name], path)
    if "url" not in table:
        return options
    if not isinstance(table["url"], str):
        raise ConfigError("url is not text.", 'Write it like url = "smtps://ada@smtp.example.org".')
    from_url = url.options_from_url(table["url"])
    for name in (*_IN_URL, *from_url):
        if name in table:
            raise ConfigError(f"{name} is given beside url.", f"Say the {name} in the URL, or do without url.")
    return {**from_url, **options}


def _spec(sender: object) -> str | None:
    try:
        return Address.parse(sender).spec if isinstance(sender, str) else None
    except AddressError:
        return None


def _password(
    given: object, options: Mapping[str, object], path: str, variables: Mapping[str, str]
) -> Secret | PasswordPlace | None:
    if given is None:
        return None
    if isinstance(given, str):
        if not given:
            raise ConfigError("password is empty.", "Write it, or leave it out.")
        return Secret(given)
    kind, place = _only_place("password", given, _PASSWORD)
    found = _place(kind, place, options, path, variables)
    if found is None:
        raise ConfigError(f"password.{kind} can't be that.", f"Give {_PASSWORD[kind]}.")
    return found


def _token(given: object, options: Mapping[str, object], path: str) -> TokenSource | TokenCommand | None:
    if given is None:
        return None
    from mailwright.mailer.tokens.keeping import InFile, InKeyring
    from mailwright.mailer.tokens.source import TokenCommand, TokenSource

    kind, place = _only_place("token", given, _TOKEN)
    user = options.get("user")
    if not isinstance(user, str):
        raise ConfigError("token needs a user to log in as.", 'Add user = "…".')
    if kind == "keyring" and place is True:
        return TokenSource(InKeyring(user))
    if kind == "file" and isinstance(place, str) and place:
        return TokenSource(InFile(located(place, path), user))
    command = _command(place) if kind == "command" else None
    if command is not None:
        return TokenCommand(command)
    raise ConfigError(f"token.{kind} can't be that.", f"Give {_TOKEN[kind]}.")


def _only_place(name: str, given: object, kinds: Mapping[str, str]) -> tuple[str, Any]:
    """Kind and place of a secret, from a table with one entry."""
    if not isinstance(given, dict):
        what = "neither text nor a table" if name == "password" else "not a table"
        raise ConfigError(f"{name} is {what}.", "Write it like {keyring = true}.")
    for key in given:
        if key not in kinds:
            raise ConfigError(f"{name} has a key that is not known.", did_you_mean(key, kinds))
    if len(given) != 1:
        raise ConfigError(f"{name} needs exactly one place.", f"Give one of {', '.join(kinds)}.")
    ((kind, place),) = given.items()
    return kind, place


def _command(place: Any) -> Command | None:
    """A command from its words, or from one text for the shell; `None` if it is neither."""
    if isinstance(place, list) and place and all(isinstance(word, str) for word in place) and place[0]:
        return Command(tuple(place))
    return Command(place) if isinstance(place, str) and place else None


def _place(
    kind: str, place: Any, options: Mapping[str, object], path: str, variables: Mapping[str, str]
) -> Secret | PasswordPlace | None:
    """Where the password is, or `None` if `place` has not the form for its kind."""
    is_text = isinstance(place, str) and bool(place)
    if kind == "command":
        return _command(place)
    if kind == "keyring" and (place is True or is_text):
        user = options.get("user")
        if not isinstance(user, str):
            raise ConfigError("password.keyring needs a user to ask for.", 'Add user = "…".')
        return KeyringEntry("mailwright" if place is True else place, user)
    if kind == "file" and is_text:
        return PasswordFile(located(place, path))
    if kind == "env" and is_text:
        if variables.get(place):
            return Secret(variables[place])
        unset = UnsetVariable(place)
        return unset if catches_all() else unset.fetch()
    return None
