"""The settings of the inbox, ready to be pasted where a newcomer's program wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from mailwright.words.value import value

if TYPE_CHECKING:
    from collections.abc import Iterator


@value
class Settings:
    """Where the inbox listens. `security`: ``"none"``, ``"starttls"`` or ``"tls"``; `user` and `password` are empty
    where nobody needs to log in.
    """

    host: str
    port: int
    security: str
    user: str
    password: str
    ca_file: str
    url: str


@value
class Snippet:
    """A piece of code to paste: for what, and the code."""

    name: str
    code: str


def settings(url: str) -> Settings | None:
    """The settings in an SMTP URL such as `Inbox.url`; `None` if it is none."""
    try:
        parts = urlsplit(url if "://" in url else f"smtp+plain://{url}")
        port = parts.port or 0
    except ValueError:
        return None
    if not parts.hostname or not port:
        return None
    ca_file = parse_qs(parts.query).get("ca_file", [""])[0]
    security = {"smtps": "tls", "smtp": "starttls"}.get(parts.scheme, "none")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Settings(parts.hostname, port, security, user, password, ca_file, url)


def snippets(of: Settings) -> tuple[Snippet, ...]:
    """The settings as code for those who send mail."""
    made = (
        ("mailwright", _mailwright(of)), ("Python’s smtplib", _smtplib(of)), ("Django", _django(of)),
        ("Node (nodemailer)", _nodemailer(of)), ("Laravel (.env)", _laravel(of)), ("Rails", _rails(of)),
        ("swaks, in a shell", _swaks(of)),
    )  # fmt: skip
    return tuple(Snippet(name, "\n".join(lines)) for name, lines in made)


def _mailwright(of: Settings) -> Iterator[str]:
    yield f"export MAILWRIGHT_URL={_shell(of.url)}"
    yield "python3 -c 'import mailwright; print(mailwright.send("
    yield '  sender="ada@example.org", to="grace@example.org",'
    yield '  subject="Hello", text="The first message."))\''


def _smtplib(of: Settings) -> Iterator[str]:
    secured = of.security != "none"
    yield "import smtplib" + (", ssl" if secured else "")
    yield "from email.message import EmailMessage"
    yield ""
    yield "message = EmailMessage()"
    yield 'message["From"] = "ada@example.org"'
    yield 'message["To"] = "grace@example.org"'
    yield 'message["Subject"] = "Hello"'
    yield 'message.set_content("The first message.")'
    if secured:
        yield f"context = ssl.create_default_context(cafile={of.ca_file!r})"
    kind, more = ("SMTP_SSL", ", context=context") if of.security == "tls" else ("SMTP", "")
    yield f"with smtplib.{kind}({of.host!r}, {of.port}{more}) as server:"
    if of.security == "starttls":
        yield "    server.starttls(context=context)"
    if of.user:
        yield f"    server.login({of.user!r}, {of.password!r})"
    yield "    server.send_message(message)"


def _django(of: Settings) -> Iterator[str]:
    yield 'EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"'
    yield f"EMAIL_HOST = {of.host!r}"
    yield f"EMAIL_PORT = {of.port}"
    if of.security != "none":
        yield f"EMAIL_USE_{'SSL' if of.security == 'tls' else 'TLS'} = True"
        yield f"# Start it with SSL_CERT_FILE={of.ca_file}"
    if of.user:
        yield f"EMAIL_HOST_USER = {of.user!r}"
        yield f"EMAIL_HOST_PASSWORD = {of.password!r}"


def _nodemailer(of: Settings) -> Iterator[str]:
    yield 'const mail = require("nodemailer").createTransport({'
    yield f'  host: "{of.host}", port: {of.port}, secure: {"true" if of.security == "tls" else "false"},'
    if of.security != "none":
        yield f'  tls: {{ ca: require("fs").readFileSync({_script(of.ca_file)}) }},'
    if of.user:
        yield f"  auth: {{ user: {_script(of.user)}, pass: {_script(of.password)} }},"
    yield "});"
    yield 'mail.sendMail({ from: "ada@example.org", to: "grace@example.org",'
    yield '  subject: "Hello", text: "The first message." });'


def _laravel(of: Settings) -> Iterator[str]:
    yield "MAIL_MAILER=smtp"
    yield f"MAIL_HOST={of.host}"
    yield f"MAIL_PORT={of.port}"
    if of.security == "tls":
        yield "MAIL_SCHEME=smtps"
    yield f"MAIL_USERNAME={_shell(of.user) if of.user else 'null'}"
    yield f"MAIL_PASSWORD={_shell(of.password) if of.user else 'null'}"
    if of.security != "none":
        yield f"# Start PHP with: -d openssl.cafile={of.ca_file}"


def _rails(of: Settings) -> Iterator[str]:
    yield "config.action_mailer.delivery_method = :smtp"
    yield "config.action_mailer.smtp_settings = {"
    yield f'  address: "{of.host}", port: {of.port},'
    if of.security == "tls":
        yield "  tls: true,"
    if of.security != "none":
        yield f"  ca_file: {_script(of.ca_file)},"
    if of.user:
        yield f"  authentication: :plain, user_name: {_script(of.user)}, password: {_script(of.password)},"
    yield "}"


def _swaks(of: Settings) -> Iterator[str]:
    secure = {"tls": " --tls-on-connect", "starttls": " --tls"}.get(of.security, "")
    ca_file = f" --tls-ca-path {_shell(of.ca_file)} --tls-verify" if secure and of.ca_file else ""
    login = f" --auth --auth-user {_shell(of.user)} --auth-password {_shell(of.password)}" if of.user else ""
    yield f"swaks --server {of.host}:{of.port}{secure}{ca_file}{login} \\"
    yield "  --from ada@example.org --to grace@example.org"


def _shell(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _script(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
