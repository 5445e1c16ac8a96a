"""The grants with which a program asks for access tokens again and again (RFC 6749 §1.3).

Each knows what to send to which token endpoint, and how it is written down for a key ring or a file.
"""

from __future__ import annotations

from mailwright.mailer.tokens.endpoint import check_url
from mailwright.words.errors import ConfigError
from mailwright.words.extras import extra
from mailwright.words.reply import visible
from mailwright.words.secret import Secret
from mailwright.words.value import replace, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeAlias

    Grant: TypeAlias = "RefreshToken | ClientCredentials | ServiceAccount"

GOOGLE_TOKEN_URL = "https://oauth2.googleapis.com/token"
GOOGLE_SCOPES = ("https://mail.google.com/",)  # SMTP takes no narrower one
MICROSOFT_TOKEN_URL = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"
MICROSOFT_APP_SCOPES = ("https://outlook.office365.com/.default",)
_TENANT = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")


@value
class Client:
    """A program as it was registered with a provider: its `id`, and its `secret` if it has one (RFC 6749 §2)."""

    id: str
    secret: Secret | str | None = None

    def __post_init__(self) -> None:
        if not self.id or not all("!" <= c <= "~" for c in self.id) or len(self.id) > 1000:
            raise ConfigError("The client id is empty, or holds what no client id has.", "Copy it once more.")
        if self.secret is not None:
            object.__setattr__(self, "secret", checked_secret(self.secret, "client secret"))

    def credentials(self) -> dict[str, str]:
        """What goes into a request so that the endpoint knows the client. Not for keeping: it holds the secret."""
        return {"client_id": self.id, **self.secret_parameter()}

    def secret_parameter(self) -> dict[str, str]:
        """The secret alone, if there is one, under the name that requests have for it."""
        return {"client_secret": self.secret.reveal()} if isinstance(self.secret, Secret) else {}


@value
class RefreshToken:
    """Somebody's consent: the refresh `token` that `client` got for `scopes` (RFC 6749 §6)."""

    token_url: str
    client: Client
    token: Secret
    scopes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_url(self.token_url)
        object.__setattr__(self, "token", checked_secret(self.token, "refresh token"))

    def request(self) -> Secret:
        """What to send to the token endpoint. Raises `MissingExtra`."""
        web = oauthlib().WebApplicationClient(self.client.id)
        return encoded(
            lambda: web.prepare_refresh_body(
                refresh_token=self.token.reveal(), scope=list(self.scopes) or None, **self.client.credentials()
            )
        )

    def renewed(self, token: Secret | None) -> RefreshToken:
        """The grant from now on, when the endpoint gave another refresh token along (RFC 6749 §6), or none."""
        return self if token is None else replace(self, token=token)

    def described(self) -> dict[str, Any]:
        """As it is written down. It holds the secrets."""
        return _described(self, refresh_token=self.token.reveal())


@value
class ClientCredentials:
    """A program that sends for itself, with nobody's consent but an administrator's (RFC 6749 §4.4)."""

    token_url: str
    client: Client
    scopes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_url(self.token_url)
        if self.client.secret is None:
            raise ConfigError("The client has no secret, and nobody else vouches for it.", "Give its secret.")

    @classmethod
    def microsoft365(cls, tenant: str, client: Client) -> ClientCredentials:
        """App-only access to Exchange Online. `tenant` is the organisation's id, or one of its domains.

        An administrator has to consent to the application permission ``SMTP.SendAsApp``, and to let it into the
        mailbox (``New-ServicePrincipal``, ``Add-MailboxPermission``).
        """
        return cls(MICROSOFT_TOKEN_URL.replace("{tenant}", checked_tenant(tenant)), client, MICROSOFT_APP_SCOPES)

    def request(self) -> Secret:
        """What to send to the token endpoint. Raises `MissingExtra`."""
        backend = oauthlib().BackendApplicationClient(self.client.id)
        return encoded(
            lambda: backend.prepare_request_body(
                scope=list(self.scopes), include_client_id=True, **self.client.secret_parameter()
            )
        )

    def renewed(self, _token: Secret | None) -> ClientCredentials:
        """The same: this grant does not change."""
        return self

    def described(self) -> dict[str, Any]:
        """As it is written down. It holds the secret."""
        return _described(self)


@value
class ServiceAccount:
    """A Google robot with a key of its own, which acts as `subject` (RFC 7523; domain-wide delegation).

    `email` is the robot's, `private_key` is in PEM. The administrator of the domain has to allow the robot's client
    id the `scopes`; there is no such thing for personal accounts.
    """

    email: str
    private_key: Secret
    subject: str
    scopes: tuple[str, ...] = GOOGLE_SCOPES
    token_url: str = GOOGLE_TOKEN_URL

    def __post_init__(self) -> None:
        check_url(self.token_url)
        if not self.subject:
            raise ConfigError("Nobody is named for the service account to act as.", "Name the mailbox that sends.")
        object.__setattr__(self, "private_key", Secret(self.private_key))

    @classmethod
    def from_json(cls, text: Secret | str, subject: str) -> ServiceAccount:
        """From the text of the key file that Google's console gives. Raises `ConfigError`."""
        found = grant_from(members_of(Secret(text)) or {}, subject)
        del text
        if isinstance(found, ServiceAccount):
            return found
        raise ConfigError(
            "That is not the key file of a service account, or a part of it is missing.",
            "Make a key in Google's console, of the type JSON.",
        )

    def request(self) -> Secret:
        """What to send to the token endpoint: a claim that is signed with the key, good for an hour. Raises
        `MissingExtra`, and `ConfigError` when the key is none.
        """
        extra("jwt", "oauth", "A service account")
        robot = oauthlib().ServiceApplicationClient(self.email)
        return encoded(
            lambda: robot.prepare_request_body(
                private_key=self.private_key.reveal(),
                subject=self.subject,
                issuer=self.email,
                audience=self.token_url,
                extra_claims={"scope": " ".join(self.scopes)},
            ),
            "The private key of the service account can't sign.",
            "Download its key file once more; it holds an RSA key in PEM.",
        )

    def renewed(self, _token: Secret | None) -> ServiceAccount:
        """The same: this grant does not change."""
        return self

    def described(self) -> dict[str, Any]:
        """As it is written down, in the form of Google's own files. It holds the key."""
        return {
            "type": "service_account",
            "client_email": self.email,
            "private_key": self.private_key.reveal(),
            "token_uri": self.token_url,
            "scopes": list(self.scopes),
            "subject": self.subject,
        }


_TYPES = {"refresh_token": RefreshToken, "client_credentials": ClientCredentials}


def grant_from(found: Mapping[str, Any], subject: str) -> Grant | None:
    """The grant that `described` wrote down, or that is in Google's key file (`subject`: whom its robot acts as);
    `None` if there is none in it.
    """
    text = {name: one for name, one in found.items() if isinstance(one, str) and one}
    scopes = found.get("scopes")
    scopes = tuple(scopes) if isinstance(scopes, list) and all(isinstance(one, str) for one in scopes) else ()
    try:
        if text.get("type") == "service_account":
            account = (text["client_email"], Secret(text["private_key"]), text.get("subject", subject))
            return ServiceAccount(*account, scopes or GOOGLE_SCOPES, text.get("token_uri", GOOGLE_TOKEN_URL))
        client = Client(text["client_id"], text.get("client_secret"))
        if text.get("type") == "client_credentials":
            return ClientCredentials(text["token_url"], client, scopes)
        if text.get("type") == "refresh_token":
            return RefreshToken(text["token_url"], client, Secret(text["refresh_token"]), scopes)
    except (KeyError, ConfigError):
        pass
    return None


def _described(grant: RefreshToken | ClientCredentials, **secrets: str) -> dict[str, Any]:
    kind = next(name for name, cls in _TYPES.items() if isinstance(grant, cls))
    where = {"type": kind, "token_url": grant.token_url}
    return {**where, **grant.client.credentials(), "scopes": list(grant.scopes), **secrets}


def checked_secret(secret: Secret | str, name: str) -> Secret:
    """`secret` without white space around it. Raises `ConfigError` if it is not one line of visible ASCII."""
    stripped = _stripped(Secret(secret))
    if not _is_plain(stripped):
        raise ConfigError(
            f"The {name} is empty, or holds a blank or another character that none has.", "Check where it is read from."
        )
    return stripped


def checked_tenant(tenant: str) -> str:
    """`tenant` if it may be a part of a URL. Raises `ConfigError`."""
    if not tenant or not set(tenant) <= _TENANT or len(tenant) > 255:
        raise ConfigError(
            f"{visible(tenant, 60)} is not a tenant.", "Give the organisation's id, or a domain such as example.org."
        )
    return tenant


def oauthlib() -> Any:
    """The library that puts requests together. Raises `MissingExtra`."""
    return extra("oauthlib.oauth2", "oauth", "OAuth 2")


def encoded(
    make: Callable[[], str],
    complaint: str = "The request for a token can't be put together.",
    advice: str = "Check client id and secret.",
) -> Secret:
    """What `make` gives; an error of it is not shown, and leaves none of its variables behind."""
    try:
        return Secret(make())
    except Exception:
        pass
    raise ConfigError(complaint, advice)


def members_of(text: Secret) -> dict[str, Any] | None:
    """The members of a JSON object; `None` if `text` is no such thing."""
    import json

    try:
        found = json.loads(text.reveal())
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _stripped(secret: Secret) -> Secret:
    return Secret(secret.reveal().strip())


def _is_plain(secret: Secret) -> bool:
    return bool(secret) and all("!" <= c <= "~" for c in secret.reveal())
