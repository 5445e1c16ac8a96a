"""The settings by which a program finds an inbox: mailwright's own, and those that other tools and languages read."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from mailwright.mailer.environment import FOREIGN, OURS
from mailwright.words.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailwright.inbox import Inbox


def variables(inbox: Inbox, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment variables that point a program at an open `inbox`: the environment `given`, in which no setting of a
    real server is left, and every name that is known leads here (``MAILWRIGHT_URL``, ``SMTP_HOST``, Django's
    ``EMAIL_HOST``, Flask-Mail's and Laravel's ``MAIL_SERVER``, Symfony's ``MAILER_DSN`` and their kin). Raises
    `ConfigError` if the inbox is not open.

    The certificate of an inbox with TLS is trusted by Node.js too (``NODE_EXTRA_CA_CERTS``); other programs are told of
    it by the ``ca_file`` in ``MAILWRIGHT_URL``.
    """
    senders = {"SENDER_EMAIL", *(name for name, ours in FOREIGN.items() if ours == "SENDER_EMAIL")}
    ours = {name: text for name, text in (given or {}).items() if name in senders or name not in (*OURS, *FOREIGN)}
    server = inbox.server
    values = {"SMTP_HOST": server.host, "SMTP_PORT": str(server.port), "SMTP_SECURITY": server.security}
    credentials = ""
    if server.login is not None and isinstance(server.login.password, Secret):
        values |= {"SMTP_USER": server.login.user, "SMTP_PASSWORD": server.login.password.reveal()}
        credentials = f"{quote(server.login.user, safe='')}:{quote(values['SMTP_PASSWORD'], safe='')}@"
    scheme = "smtps" if server.security == "tls" else "smtp"
    values["MAILWRIGHT_URL"] = f"{scheme}://{credentials}{server.host}:{server.port}"
    for name, meaning in FOREIGN.items():
        if meaning == "SMTP_SECURITY":
            ours[name] = _flag(name, server.security)
        elif meaning in values:
            ours[name] = values[meaning]
    ours |= values
    if credentials or server.login is None:
        ours["MAILWRIGHT_URL"] = inbox.url
    else:  # a token can't stand in a URL
        del ours["MAILWRIGHT_URL"]
    if server.tls.ca_file:
        ours["NODE_EXTRA_CA_CERTS"] = server.tls.ca_file
    return ours


def _flag(name: str, security: str) -> str:
    """What a variable of another tool says about encryption: TLS means STARTTLS there, and SSL or SECURE means TLS from
    the first octet; ENCRYPTION has a word for each.
    """
    if name.endswith("ENCRYPTION"):
        return {"starttls": "tls", "tls": "ssl"}.get(security, "null")
    meant = "tls" if name.endswith(("SSL", "SSL_TLS", "SECURE")) else "starttls"
    word = str(security == meant)
    return word.lower() if name.endswith("SECURE") else word
