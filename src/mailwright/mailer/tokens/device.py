"""Consent from another device: a code to type there (RFC 8628)."""

from __future__ import annotations

import time

from mailwright.mailer.tokens.consent import consented
from mailwright.mailer.tokens.endpoint import SECONDS, ask, check_url
from mailwright.mailer.tokens.grants import encoded, oauthlib
from mailwright.mailer.tokens.refusals import refusal
from mailwright.words.errors import ConfigError, LoginError
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from mailwright.mailer.tokens.access import Kept
    from mailwright.mailer.tokens.consent import AuthorizationServer
    from mailwright.mailer.tokens.endpoint import Answer
    from mailwright.mailer.tokens.grants import Client
    from mailwright.words.secret import Secret

INTERVAL = 5.0  # seconds between two questions when the server does not say (§3.2)
SLOWER = 5.0  # seconds more after slow_down (§3.5)
_LIFETIME = 900.0  # seconds of a code when the server does not say; it must
_LONGEST_INTERVAL = 60.0  # seconds


@value
class Code:
    """What to show to the person: the `page` to open anywhere, and the `code` to type there, within `seconds`."""

    page: str
    code: str
    seconds: float


def by_device(
    server: AuthorizationServer,
    client: Client,
    user: str,
    show: Callable[[Code], None],
    *,
    seconds: float = SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> Kept:
    """Let `show` tell the person what to do, and ask until that was done: the grant and a first access token.

    `seconds` bounds each single question; the server bounds the whole. Raises `LoginError`, and `ConfigError` if the
    server has no such way.
    """
    if not server.device_url:
        raise ConfigError("This provider gives no access to mail by a device code.", "Leave --device out.")
    answer = ask(server.device_url, _request(server, client), seconds)
    if answer.error:
        raise refusal(answer, None, user)
    code, device = _code(answer), answer.secret("device_code")
    if code is None or device is None:
        raise LoginError(f"{answer.place} gave no device code.", "Is that the device endpoint?", phase="auth")
    interval = min(max(1.0, answer.seconds("interval", INTERVAL)), _LONGEST_INTERVAL)
    show(code)
    left = code.seconds
    while left > 0:
        sleep(interval)
        left -= interval
        began, polled = time.time(), _poll(server.token_url, _question(client, device), seconds)
        if polled is None or (polled.error and polled.temporary):
            interval = min(2 * interval, _LONGEST_INTERVAL)  # §3.5: back off when nobody answers
        elif polled.error == "slow_down":
            interval += SLOWER
        elif polled.error != "authorization_pending":
            return consented(polled, began, server, client, user)
    raise LoginError("Nobody entered the code in time.", "Run the same command again.", phase="auth", temporary=True)


def _code(answer: Answer) -> Code | None:
    # Google wrote verification_url before there was a standard.
    page = answer.text("verification_uri") or answer.text("verification_url")
    code = answer.text("user_code", 60)
    try:
        check_url(page)
    except ConfigError:
        return None
    if not code:
        return None
    return Code(page, code, answer.seconds("expires_in", _LIFETIME))


def _poll(url: str, question: Secret, seconds: float) -> Answer | None:
    """The answer, or `None` if nobody answered."""
    try:
        return ask(url, question, seconds)
    except LoginError as problem:
        if not problem.temporary:
            raise
        return None


def _request(server: AuthorizationServer, client: Client) -> Secret:
    from urllib.parse import urlencode

    # oauthlib would put this into the URL, where servers log it.
    return encoded(lambda: urlencode({"client_id": client.id, "scope": " ".join(server.scopes)}))


def _question(client: Client, device: Secret) -> Secret:
    maker = oauthlib().DeviceClient(client.id)
    return encoded(
        lambda: maker.prepare_request_body(device.reveal(), include_client_id=True, **client.secret_parameter())
    )
