"""A person's consent: the page to open, and the code that comes back from it (RFC 6749 §4.1, with PKCE, RFC 7636)."""

from __future__ import annotations

from time import time

from mailwright.mailer.tokens.access import Kept, access_from
from mailwright.mailer.tokens.endpoint import SECONDS, ask, check_url
from mailwright.mailer.tokens.grants import RefreshToken, checked_tenant, encoded, oauthlib
from mailwright.mailer.tokens.refusals import page_refusal, refusal
from mailwright.words.errors import LoginError
from mailwright.words.reply import visible
from mailwright.words.secret import Secret
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.mailer.tokens.endpoint import Answer
    from mailwright.mailer.tokens.grants import Client
    from mailwright.providers.provider import OAuth2

#: Scopes that are about the consent itself; a server need not repeat them.
_NOT_ACCESS = ("offline_access", "openid", "email", "profile")
#: By the host of the page: how this machine is named in the redirect, and what else the page must be told. Google gives
#: a refresh token only to who says so, and the second time only to who asks the person again.
_HABITS = {
    "accounts.google.com": ("127.0.0.1", (("access_type", "offline"), ("prompt", "consent"))),
    "login.microsoftonline.com": ("localhost", ()),
}


@value
class AuthorizationServer:
    """A provider's authorisation server: its endpoints, and the `scopes` that sending takes.

    `authorize_url` is the page for consent, `device_url` the endpoint of RFC 8628 §3.1; either may be empty.
    `redirect_host` is how this machine is named in the redirect: RFC 8252 §8.3 wants ``127.0.0.1``, Microsoft lets only
    ``localhost`` have any port. `extras` are further parameters of the page.
    """

    authorize_url: str
    token_url: str
    scopes: tuple[str, ...]
    device_url: str = ""
    redirect_host: str = "127.0.0.1"
    extras: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        for url in (self.authorize_url, self.token_url, self.device_url):
            if url:
                check_url(url)

    @classmethod
    def of(cls, oauth2: OAuth2, tenant: str) -> AuthorizationServer:
        """From a provider's data. `tenant` is whose accounts Microsoft should ask for; empty means what the data says.
        Raises `ConfigError`.
        """
        from urllib.parse import urlsplit

        urls = [oauth2.authorize_url, oauth2.token_url, oauth2.device_url]
        if tenant:
            named = f"/{checked_tenant(tenant)}/"
            urls = [url.replace("/{tenant}/", named).replace("/common/", named) for url in urls]
        authorize_url, token_url, device_url = urls
        redirect_host, extras = _HABITS.get(urlsplit(authorize_url).hostname or "", ("127.0.0.1", ()))
        return cls(authorize_url, token_url, oauth2.scopes, device_url, redirect_host, extras)


class Consent:
    """One question to a person: the page at `url` asks it, and what comes back is good once, for `redeem`."""

    def __init__(self, server: AuthorizationServer, client: Client, user: str, redirect_uri: str) -> None:
        from secrets import token_urlsafe

        self._server = server
        self._client = client
        self._user = user
        self._redirect_uri = redirect_uri
        self._state = Secret(token_urlsafe(32))
        web = oauthlib().WebApplicationClient(client.id)
        self._verifier = Secret(web.create_code_verifier(96))
        # oauthlib refuses HTTP also where it does not leave this machine; `check_url` has decided that.
        scheme, _, rest = server.authorize_url.partition("://")
        page = web.prepare_request_uri(
            f"https://{rest}",
            redirect_uri=redirect_uri,
            scope=list(server.scopes),
            state=self._state.reveal(),
            code_challenge=web.create_code_challenge(self._verifier.reveal(), "S256"),
            code_challenge_method="S256",
            login_hint=user,
            **dict(server.extras),
        )
        self.url: str = f"{scheme}://{page.partition('://')[2]}"

    def answered_by(self, query: Secret) -> bool:
        """Whether this is an answer to our question, and not somebody else's (RFC 6749 §10.12)."""
        from hmac import compare_digest

        state = _parameters(query).get("state", Secret(""))
        return compare_digest(state.reveal().encode("utf-8", "replace"), self._state.reveal().encode())

    def redeem(self, query: Secret, seconds: float = SECONDS) -> Kept:
        """The grant, and a first access token, for the `query` with which the browser came back.

        Raises `LoginError` when consent was denied, the answer is not one to our question, or the endpoint refuses.
        """
        found = _parameters(query)
        code = found.pop("code", None)
        if not self.answered_by(query):
            raise LoginError(
                "The browser came back with the answer to another question, which may be somebody else's.",
                f"Nothing was accepted; run mailwright login {visible(self._user, 100)} again.",
                phase="auth",
            )
        if "error" in found:
            shown = [visible(found[name].reveal(), 300) for name in ("error", "error_description") if name in found]
            place = visible(self._server.authorize_url.partition("://")[2].partition("/")[0], 200)
            raise page_refusal(shown[0], "".join(shown[1:]), place, self._user)
        if code is None:
            raise LoginError("The browser came back without a code.", "Try again.", phase="auth", temporary=True)
        began, answer = time(), ask(self._server.token_url, self._exchange(code), seconds)
        return consented(answer, began, self._server, self._client, self._user)

    def _exchange(self, code: Secret) -> Secret:
        web = oauthlib().WebApplicationClient(self._client.id)
        return encoded(
            lambda: web.prepare_request_body(
                code=code.reveal(),
                redirect_uri=self._redirect_uri,
                code_verifier=self._verifier.reveal(),
                **self._client.secret_parameter(),
            )
        )

    def __repr__(self) -> str:
        return f"<Consent of {visible(self._user, 100)}>"


def consented(answer: Answer, began: float, server: AuthorizationServer, client: Client, user: str) -> Kept:
    """The grant in the answer to a code that was asked for at `began`. Raises `LoginError`."""
    if answer.error:
        raise refusal(answer, None, user)
    access, token = access_from(answer, began), answer.secret("refresh_token")
    _check_scopes(answer, server.scopes)
    if token is None:
        raise LoginError(
            f"{answer.place} gave an access token, but none to refresh it with.",
            "Take the consent back in the settings of your account, then log in once more.",
            phase="auth",
        )
    return Kept(RefreshToken(server.token_url, client, token, server.scopes), access)


def _check_scopes(answer: Answer, wanted: tuple[str, ...]) -> None:
    """Pages for consent have boxes that can be left empty."""
    given = {_bare(scope) for scope in answer.text("scope", 4000).split()}
    missing = [scope for scope in wanted if scope not in _NOT_ACCESS and _bare(scope) not in given]
    if given and missing:
        raise LoginError(
            f"Consent was given, but not to send mail ({visible(' '.join(missing), 200)} is missing).",
            "Log in once more, and leave every box of the page ticked.",
            phase="auth",
        )


def _bare(scope: str) -> str:
    """A scope without the host before it: Microsoft has several names for that of mail."""
    return scope.lower().rstrip("/").rpartition("/")[2]


def _parameters(query: Secret) -> dict[str, Secret]:
    """The parameters of a query; one that is given twice is not taken at all (RFC 6749 §3.1)."""
    from urllib.parse import parse_qsl

    try:
        pairs = parse_qsl(query.reveal(), max_num_fields=50)
    except ValueError:
        return {}
    names = [name for name, _ in pairs]
    return {name: Secret(text) for name, text in pairs if names.count(name) == 1}
