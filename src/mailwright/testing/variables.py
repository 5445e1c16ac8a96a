"""The settings by which a program finds an inbox: mailwright's own, and those that other tools and languages read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailwright.words.secret import Secret

if TYPE_CHECKING:
    from mailwright.inbox import Inbox


def variables(inbox: Inbox) -> dict[str, str]:
    """Environment variables that point a program at an open `inbox`.

    ``MAILWRIGHT_URL`` holds everything, the CA too. ``SMTP_HOST`` and its kin are read by mailwright and by many
    scripts; ``EMAIL_HOST`` … are Django's names, ``MAIL_SERVER`` … Flask-Mail's and Laravel's, ``MAILER_DSN`` is
    Symfony's. What is not needed (a user where nobody logs in) is there and empty, so that it hides what the
    environment says of the real server. Raises `ConfigError` if the inbox is not open.
    """
    server = inbox.server
    user = server.login.user if server.login is not None else ""
    known = server.login.password if server.login is not None else None
    password = known.reveal() if isinstance(known, Secret) else ""
    port = str(server.port)
    wrapped, upgraded = server.security == "tls", server.security == "starttls"
    return {
        "MAILWRIGHT_URL": inbox.url,
        "SMTP_HOST": server.host, "SMTP_PORT": port, "SMTP_SECURITY": server.security,
        "SMTP_USER": user, "SMTP_PASSWORD": password, "SMTP_PASSWORD_FILE": "",
        "EMAIL_HOST": server.host, "EMAIL_PORT": port, "EMAIL_HOST_USER": user, "EMAIL_HOST_PASSWORD": password,
        "EMAIL_USE_TLS": str(upgraded and bool(user)), "EMAIL_USE_SSL": str(wrapped),
        "MAIL_SERVER": server.host, "MAIL_HOST": server.host, "MAIL_PORT": port, "MAIL_USERNAME": user,
        "MAIL_PASSWORD": password, "MAIL_USE_TLS": str(upgraded and bool(user)), "MAIL_USE_SSL": str(wrapped),
        "MAILER_DSN": _dsn(inbox, user, password),
    }  # fmt: skip


def _dsn(inbox: Inbox, user: str, password: str) -> str:
    from urllib.parse import quote

    server = inbox.server
    userinfo = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
    return f"{'smtps' if server.security == 'tls' else 'smtp'}://{userinfo}{server.host}:{server.port}"
