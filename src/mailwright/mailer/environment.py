"""What environment variables say: the ones we read, and the ones that we only recognise.

``MAILWRIGHT_URL`` says everything in one line, or ``SMTP_HOST`` and its kin say it in pieces; never both. Without
either ``SENDER_EMAIL`` and ``EMAIL_PASSWORD`` are enough where the server follows from the address.
Variables of other tools are not read, since nobody knows what they were set for; but an error names them.
"""

from __future__ import annotations

from mailwright.mailer.account import Account, sender_address
from mailwright.words.errors import ConfigError
from mailwright.words.options import nearest
from mailwright.words.secret import Secret
from mailwright.words.url import options_from_url

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mailwright.mailer.files import PasswordFile

#: Option by option, the variable that gives it.
PIECES = {"host": "SMTP_HOST", "port": "SMTP_PORT", "user": "SMTP_USER", "security": "SMTP_SECURITY"}
PASSWORDS = ("SMTP_PASSWORD", "SMTP_PASSWORD_FILE")
OURS = (
    *("MAILWRIGHT_URL", "MAILWRIGHT_CONFIG", "MAILWRIGHT_CATCH", "MAILWRIGHT_CATCH_EXCEPT", "MAILWRIGHT_OUTBOX"),
    *(*PIECES.values(), *PASSWORDS, "SENDER_EMAIL", "EMAIL_PASSWORD"),
)

#: Variables of other tools (Django, Flask-Mail, Laravel, Symfony, and common habits), and what to set here instead.
FOREIGN = {
    name: ours
    for ours, names in (
        ("MAILWRIGHT_URL", "EMAIL_URL MAILER_DSN MAILER_URL MAIL_URL SMTP_URL SMTP_URI SMTP_DSN"),
        ("SMTP_HOST", "EMAIL_HOST EMAIL_SERVER MAIL_HOST MAIL_SERVER MAILHOST"),
        ("SMTP_HOST", "SMTP_SERVER SMTP_HOSTNAME SMTP_ADDRESS"),
        ("SMTP_PORT", "EMAIL_PORT MAIL_PORT SMTP_SERVER_PORT"),
        ("SMTP_USER", "EMAIL_HOST_USER EMAIL_USER EMAIL_USERNAME MAIL_USER MAIL_USERNAME"),
        ("SMTP_USER", "SMTP_USERNAME SMTP_USER_NAME SMTP_LOGIN GMAIL_USER"),
        ("SMTP_PASSWORD", "EMAIL_HOST_PASSWORD EMAIL_PASS MAIL_PASSWORD MAIL_PASS"),
        ("SMTP_PASSWORD", "SMTP_PASS SMTP_PWD SMTP_PASSWD GMAIL_APP_PASSWORD GMAIL_PASSWORD"),
        ("SMTP_SECURITY", "EMAIL_USE_TLS EMAIL_USE_SSL MAIL_USE_TLS MAIL_USE_SSL MAIL_STARTTLS"),
        ("SMTP_SECURITY", "MAIL_SSL_TLS MAIL_ENCRYPTION SMTP_TLS SMTP_SSL SMTP_STARTTLS SMTP_USE_TLS"),
        ("SMTP_SECURITY", "SMTP_USE_SSL SMTP_SECURE SMTP_ENCRYPTION"),
        ("SENDER_EMAIL", "DEFAULT_FROM_EMAIL MAIL_DEFAULT_SENDER MAIL_FROM MAIL_FROM_ADDRESS"),
        ("SENDER_EMAIL", "EMAIL_FROM EMAIL_ADDRESS FROM_EMAIL SMTP_FROM SMTP_SENDER SMTP_FROM_EMAIL"),
    )
    for name in names.split()
}
#: Two variables that are enough together.
_PAIRS = {"SENDER_EMAIL": "EMAIL_PASSWORD", "EMAIL_PASSWORD": "SENDER_EMAIL"}
_ENCRYPTED = "Set SMTP_SECURITY=tls or SMTP_SECURITY=starttls"
_UNLOCKED = "Set SMTP_PASSWORD, or SMTP_PASSWORD_FILE to the path of a file that holds it."


def account_in(
    variables: Mapping[str, str], credentials: Mapping[str, PasswordFile] | None = None, file: str = ""
) -> Account | None:
    """The account that `variables` describe, or `None` if they name neither a server nor an address with its password.
    Raises `ConfigError`.

    `credentials` are those that systemd gave to this unit. `file` is the path of the file that the variables
    come from, when it is not the environment.
    """
    credentials = credentials or {}
    origin = f" in {file}" if file else ""
    # A line break at the end came from the file that the variable was filled from, and was never meant.
    said = {name: variables[name].rstrip("\r\n") for name in variables if name in OURS}
    said = {name: text for name, text in said.items() if text}
    _refuse_misspelt(variables, said, origin)
    if "MAILWRIGHT_URL" in said:
        return _from_url(said["MAILWRIGHT_URL"], f"MAILWRIGHT_URL{origin}", said.get("SENDER_EMAIL"))
    if "SMTP_HOST" in said:
        return _from_pieces(said, credentials, origin)
    if "mailwright_url" in credentials:
        url = credentials["mailwright_url"].fetch().reveal()
        return _from_url(url, "credential mailwright_url", said.get("SENDER_EMAIL"))
    if "SENDER_EMAIL" in said and not {"SMTP_USER", *PASSWORDS} & set(said):
        if "EMAIL_PASSWORD" in said or "email_password" in credentials:
            return _from_pieces(said, credentials, origin)
    return None


def holds_password(variables: Mapping[str, str]) -> bool:
    """Whether one of `variables` that we read holds a secret itself."""
    return any(variables.get(name) for name in ("SMTP_PASSWORD", "EMAIL_PASSWORD", "MAILWRIGHT_URL"))


def clues(variables: Mapping[str, str]) -> Iterator[str]:
    """For the error that nothing is configured: what in `variables` looks as if it had been meant for us."""
    foreign = [name for name in variables if variables[name] and name in FOREIGN][:6]
    if foreign:
        instead = ", ".join(dict.fromkeys(FOREIGN[name] for name in foreign))
        yield f"{', '.join(foreign)}: of other tools and not read (here: {instead})"
    for name in variables:
        if not variables[name] or name in FOREIGN or name.startswith("MAILWRIGHT_"):
            continue
        if name in OURS:
            yield f"{name} is set, but {_PAIRS.get(name, 'SMTP_HOST')} is not"
        elif len(name) < 30 and (meant := nearest(name, OURS, 0.85)):
            yield f"{name} is not known (did you mean {meant}?)"


def _refuse_misspelt(variables: Mapping[str, str], said: Mapping[str, str], origin: str) -> None:
    """A variable that was certainly, or beside ours very probably, meant for us must not be passed over."""
    for name in variables:
        if name in OURS or not variables[name]:
            continue
        prefix, _, rest = name.partition("_")
        if prefix.startswith(("MAILW", "MAILR")):
            family = "MAILWRIGHT_"
        elif sorted(prefix) == ["M", "P", "S", "T"] and (prefix != "SMTP" or "SMTP_HOST" in said):
            family = "SMTP_"
        else:
            continue
        if name in FOREIGN:
            ours = FOREIGN[name] if FOREIGN[name] in ("SMTP_PORT", "SMTP_USER", "SMTP_PASSWORD") else None
            what = f"{name} is set{origin}, a variable of other tools that is not read."
        else:
            known = [ours[len(family) :] for ours in OURS if ours.startswith(family)]
            meant = nearest(rest, known, 0.65)
            ours = family + meant if meant else None
            what = f"The variable {name} is not known{origin}."
        if ours and ours not in said and not (ours == "SMTP_PASSWORD" and "SMTP_PASSWORD_FILE" in said):
            raise ConfigError(what, f"Did you mean {ours}?")


def _from_url(url: str, where: str, sender: str | None) -> Account:
    complaint: ConfigError
    try:
        options: dict[str, object] = dict(options_from_url(url))
    except ConfigError as problem:
        complaint = ConfigError(f"{where}: {problem.what}", problem.advice)
    else:
        password = options.pop("password", None)
        return Account(
            where,
            options,
            encrypted="Write smtps:// (TLS) or smtp:// (STARTTLS)",
            unlocked="Write user:password@ in it, or set SMTP_HOST, SMTP_USER and SMTP_PASSWORD instead.",
            sender=sender,
            password=Secret(str(password)) if password is not None else None,
        )
    del url
    raise complaint


def _from_pieces(said: Mapping[str, str], credentials: Mapping[str, PasswordFile], origin: str) -> Account:
    options: dict[str, object] = {option: said[name] for option, name in PIECES.items() if name in said}
    names = PIECES | {"sender": "SENDER_EMAIL"}
    password, names["password"] = _password(said, credentials, origin)
    if password is not None and "user" not in options:
        options["user"] = _user_from_sender(said, names["password"], origin)
        names["user"] = "SENDER_EMAIL"
    return Account(
        f"{'SMTP_HOST' if 'SMTP_HOST' in said else 'SENDER_EMAIL'}{origin}",
        options,
        encrypted=_ENCRYPTED,
        unlocked=_UNLOCKED,
        sender=said.get("SENDER_EMAIL"),
        password=password,
        names={option: name + origin for option, name in names.items()},
    )


def _password(
    said: Mapping[str, str], credentials: Mapping[str, PasswordFile], origin: str
) -> tuple[Secret | PasswordFile | None, str]:
    """The password, or its place, and the name of what gives it. Each goes with a user of its own."""
    given = [name for name in PASSWORDS if name in said]
    if len(given) > 1:
        raise ConfigError(f"{' and '.join(given)} are both set{origin}.", "Keep one of them.")
    if given or "smtp_password" in credentials:
        name = given[0] if given else "credential smtp_password"
        if "SMTP_USER" not in said:
            raise ConfigError(f"{name} is given{origin}, but no user to log in with.", "Set SMTP_USER too.")
        if not given:
            return credentials["smtp_password"], name
        if name == "SMTP_PASSWORD_FILE":
            from mailwright.mailer.files import PasswordFile

            return PasswordFile(said[name]), name
        return Secret(said[name]), name
    if "SMTP_USER" in said:
        return None, "SMTP_PASSWORD"
    if "EMAIL_PASSWORD" in said:
        return Secret(said["EMAIL_PASSWORD"]), "EMAIL_PASSWORD"
    return credentials.get("email_password"), "credential email_password"


def _user_from_sender(said: Mapping[str, str], secret: str, origin: str) -> str:
    if "SENDER_EMAIL" not in said:
        raise ConfigError(f"{secret} is given{origin}, but SENDER_EMAIL is not.", "Set SENDER_EMAIL too.")
    return sender_address(said["SENDER_EMAIL"], f"SENDER_EMAIL{origin}").spec
