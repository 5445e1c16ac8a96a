"""Where settings are looked for when a call brings none: the environment, a ``.env`` file, the config.toml of the user
and of the system. The first of them that names a server counts, and then that one alone.

A file is looked into only when no variable names a server, and what reads files is loaded only then.
"""

from __future__ import annotations

from mailwright.mailer import catching, environment
from mailwright.words.errors import ConfigError
from mailwright.words.options import nearest
from mailwright.words.reply import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailwright.mailer.account import Account
    from mailwright.mailer.config_file import ConfigFile
    from mailwright.mailer.files import PasswordFile

_WAYS = (
    "Set SENDER_EMAIL and EMAIL_PASSWORD, MAILWRIGHT_URL (smtps://user:password@smtp.example.org) or SMTP_HOST, pass "
    "server=…"
)


def first_account(
    name: str | None, sender: str | None, environ: Mapping[str, str], files: Sequence[str] | None, dotenv: str | None
) -> Account:
    """The first source that names a server; with a `name`, the first config.toml that has that account. In a file the
    account of the `sender` comes before the default. Raises `ConfigError`.
    """
    variables = _dotenv(dotenv) if dotenv is not None else {}
    if name is None:
        found = environment.account_in(environ, _credentials(environ))
        found = found or environment.account_in(variables, file=dotenv or "")
        if found is not None:
            return found
    from mailwright.mailer.files import config_places, exists

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


def _credentials(environ: Mapping[str, str]) -> Mapping[str, PasswordFile]:
    if not environ.get("CREDENTIALS_DIRECTORY"):  # few programs are units of systemd that have any
        return {}
    from mailwright.mailer.files import credentials

    return credentials(environ)


def _dotenv(path: str) -> dict[str, str]:
    from mailwright.mailer.dotenv import variables_in
    from mailwright.mailer.files import read_file, refuse_readers

    file = read_file(path)
    variables = variables_in(file.text, path)
    if environment.holds_password(variables):
        refuse_readers(file)
    catching.refuse_in_file(variables, path)
    return variables


def _config_file(path: str) -> ConfigFile:
    from mailwright.mailer.config_file import ConfigFile
    from mailwright.mailer.files import read_file

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
    from mailwright.mailer.files import SYSTEM_CONFIG, config_places

    return visible(next(iter(config_places(environ)), SYSTEM_CONFIG), 300)
