"""The file that describes a client: the JSON that Google's console gives, or one written in its form.

::

    {"installed": {"client_id": "…", "client_secret": "…", "auth_uri": "https://id.example.org/authorize",
                   "token_uri": "https://id.example.org/token", "device_uri": "…", "scopes": ["…"]}}

What it says of the authorisation server counts where the provider data has none: for a server of one's own.
"""

from __future__ import annotations

from mailwright.mailer.tokens.consent import AuthorizationServer
from mailwright.mailer.tokens.grants import Client, members_of
from mailwright.words.errors import ConfigError
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from mailwright.words.secret import Secret

_AGAIN = "Download the client's JSON once more."


@value
class ClientFile:
    """A client, and the authorisation server that its file names, if it names one."""

    client: Client
    server: AuthorizationServer | None


def client_in(text: Secret, client_id: str = "") -> ClientFile:
    """The client that a file describes; with a `client_id` the file may hold its secret alone. Raises `ConfigError`,
    which shows nothing of the file.
    """
    members = members_of(text)
    if members is None:
        if client_id:
            return ClientFile(Client(client_id, text), None)
        raise ConfigError("The client's file is not JSON.", "With the secret alone, give the client id as well.")
    kind, facts = next(((name, one) for name, one in members.items() if isinstance(one, dict)), ("", members))
    found = _read(facts)
    del members, facts
    if kind == "web":
        raise ConfigError(
            "The client is one of a web site, which can't send a browser back to this machine.",
            "Make a client of the type “Desktop app”.",
        )
    if found is None:
        raise ConfigError("The client's file names no client, or a server that no secret may go to.", _AGAIN)
    if client_id not in ("", found.client.id):
        raise ConfigError("The client's file is about another client than the id.", "Leave the id out.")
    return found


def _read(facts: Mapping[str, Any]) -> ClientFile | None:
    texts = {name: one for name, one in facts.items() if isinstance(one, str) and one}
    scopes = facts.get("scopes")
    scopes = tuple(map(str, scopes)) if isinstance(scopes, list) else ()
    try:
        client = Client(texts["client_id"], texts.get("client_secret"))
        if "token_uri" not in texts:
            return ClientFile(client, None)
        places = (texts.get("auth_uri", ""), texts["token_uri"], scopes, texts.get("device_uri", ""))
        return ClientFile(client, AuthorizationServer(*places))
    except (KeyError, ConfigError):
        return None
