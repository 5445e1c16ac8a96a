"""A person consents: in the browser of this machine, and on another device."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from mailwright.mailer.tokens import Client, RefreshToken, TokenSource
from mailwright.mailer.tokens.access import Kept
from mailwright.mailer.tokens.consent import AuthorizationServer, Consent
from mailwright.mailer.tokens.device import Code, by_device
from mailwright.mailer.tokens.keeping import InMemory
from mailwright.mailer.tokens.redirect import Redirect
from mailwright.words.errors import ConfigError, LoginError
from mailwright.words.secret import Secret
from tests.unit.tokens.authorization import CLIENT, SCOPES, SECRET, Authorization, authorization, browse, told

ADA = "ada@example.org"


def known(server: Authorization, **more: Any) -> AuthorizationServer:
    """The server as its provider's data would describe it."""
    urls = {"authorize_url": f"{server.url}/authorize", "token_url": f"{server.url}/token"}
    return AuthorizationServer(scopes=SCOPES, device_url=f"{server.url}/device", **urls, **more)


def by_browser(server: Authorization, client: Client | None = None, **more: Any) -> tuple[Kept, str]:
    """Consent in a browser; gives what came of it, and the page that the person saw last."""
    with Redirect() as redirect:
        described = known(server, **more)
        uri = redirect.uri(described.redirect_host)
        consent = Consent(described, client or Client(CLIENT, SECRET), ADA, uri)
        shown = browse(consent.url)
        return consent.redeem(redirect.wait(10)), shown


@pytest.mark.parametrize("client", [Client(CLIENT, SECRET), Client(CLIENT)])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_code_with_pkce(server: Authorization, client: Client, host: str) -> None:
    kept, page = by_browser(server, client, redirect_host=host, extras=(("access_type", "offline"),))
    (asked,) = server.pages
    assert asked["login_hint"] == ADA and asked["access_type"] == "offline"
    assert asked["redirect_uri"].startswith(f"http://{host}:") and asked["redirect_uri"].endswith("/")
    assert len(asked["state"]) >= 43 and len(asked["code_challenge"]) == 43
    (redeemed,) = server.asked
    assert len(redeemed["code_verifier"]) >= 43 and redeemed.get("client_secret") == (SECRET if client.secret else None)
    assert isinstance(kept.grant, RefreshToken) and kept.grant.token.reveal() == "refresh-1"
    assert kept.grant.scopes == SCOPES and kept.access is not None and kept.access.token.reveal() == "access-1"
    assert "look at the terminal" in page
    for secret in ("code-0", asked["state"], "access-1", "refresh-1"):
        assert secret not in page
    # What was consented to keeps itself fresh.
    source = TokenSource(InMemory(kept))
    assert source().reveal() == "access-1"
    assert TokenSource(kept.grant)().reveal() == "access-2"


def test_two_questions_have_nothing_in_common(server: Authorization) -> None:
    first, second = (Consent(known(server), Client(CLIENT), ADA, "http://127.0.0.1:1/") for _ in range(2))
    for name in ("state", "code_challenge"):
        one, other = (parse_qs(urlsplit(consent.url).query)[name] for consent in (first, second))
        assert one != other
    assert repr(first) == f"<Consent of {ADA}>"


@pytest.mark.parametrize(
    ("consent", "said"),
    [
        ("another state", "answer to another question"),
        ("two codes", "came back without a code"),
        ("no code", "came back without a code"),
        ("access_denied", "consent was denied (access_denied: as the person wished)"),
        ("invalid_scope", "may not ask for access to mail"),
        ("admin_policy_enforced", "Ask its administrator"),
        ("server_error", "Try again later."),
        ("\x1b[2J", "\\x1b[2J"),
    ],
)
def test_what_the_page_may_come_back_with(consent: str, said: str) -> None:
    with authorization(consent=consent) as server:
        with pytest.raises(LoginError) as caught:
            by_browser(server)
        assert said in str(caught.value) and server.asked == []
        assert caught.value.temporary is (consent in ("server_error", "two codes", "no code"))
        assert str(caught.value).isprintable() and "code-x" not in str(caught.value)


@pytest.mark.parametrize("query", ["", "state", "&" * 100, "code=a", "code=a&state=", "state=%ff&code=a", "error=x"])
def test_an_answer_without_the_state_is_none(server: Authorization, query: str) -> None:
    consent = Consent(known(server), Client(CLIENT), ADA, "http://127.0.0.1:1/")
    with pytest.raises(LoginError, match="another question"):
        consent.redeem(Secret(query))
    assert server.asked == []


def test_a_code_is_good_for_who_asked_alone(server: Authorization) -> None:
    """Somebody who got hold of the code has not the verifier."""
    with Redirect() as redirect:
        ours, theirs = (Consent(known(server), Client(CLIENT, SECRET), ADA, redirect.uri()) for _ in range(2))
        browse(ours.url)
        query = dict(parse_qsl(redirect.wait(10).reveal()))
    state = parse_qs(urlsplit(theirs.url).query)["state"][0]
    with pytest.raises(LoginError, match="was used before or is too old"):
        theirs.redeem(Secret(f"state={state}&code={query['code']}"))


def test_a_code_is_good_once(server: Authorization) -> None:
    with Redirect() as redirect:
        consent = Consent(known(server), Client(CLIENT, SECRET), ADA, redirect.uri())
        browse(consent.url)
        query = redirect.wait(10)
    consent.redeem(query)
    with pytest.raises(LoginError, match="was used before"):
        consent.redeem(query)


def test_a_wrong_client_id_leads_nowhere(server: Authorization) -> None:
    with Redirect() as redirect:
        consent = Consent(known(server), Client("client-2"), ADA, redirect.uri())
        with pytest.raises(HTTPError):
            browse(consent.url)
        with pytest.raises(LoginError, match="wrong client id") as caught:
            redirect.wait(0.05)
    assert caught.value.temporary


@pytest.mark.parametrize(
    ("scope", "missing"),
    [
        ("https://mail.example.org/", ""),
        ("https://MAIL.example.org openid", ""),
        ("openid email", "https://mail.example.org/ is missing"),
        ("", ""),
    ],
)
def test_a_box_that_was_not_ticked(scope: str, missing: str) -> None:
    with authorization(scope=scope) as server:
        if missing:
            with pytest.raises(LoginError, match=missing):
                by_browser(server)
        else:
            by_browser(server)


def test_an_access_token_alone_is_no_consent_to_keep(server: Authorization) -> None:
    server.script = [told(200, access_token="a", token_type="Bearer")]
    with pytest.raises(LoginError, match="none to refresh it with"):
        by_browser(server)


# The way back


def get(port: int, path: str, host: str = "", method: str = "GET") -> tuple[int, dict[str, str], str]:
    """One request to the redirect's port."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, headers={"Host": host or f"127.0.0.1:{port}"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, dict(answer.headers), text


def test_only_the_first_answer_to_the_right_place_is_taken() -> None:
    with Redirect() as redirect:
        port = redirect.port
        for path in (
            "/favicon.ico",
            "/",
            "/callback?code=a",
            "/x/?code=a",
            "/?",
            "/%2e?code=a",
            f"http://127.0.0.1:{port}/?code=a",
        ):
            assert get(port, path)[0] == 404
        for host in ("evil.example.org", f"evil.example.org:{port}", "127.0.0.1", f"127.0.0.1:{port + 1}"):
            assert get(port, "/?code=rebound", host)[0] == 404
        assert get(port, "/?code=posted", method="POST")[0] == 501
        status, headers, text = get(port, "/?code=kanarie&state=1", f"localhost:{port}")
        assert status == 200 and "kanarie" not in text + repr(headers)
        assert headers["Cache-Control"] == "no-store" and headers["Content-Security-Policy"] == "default-src 'none'"
        assert headers["Referrer-Policy"] == "no-referrer" and "Python" not in headers["Server"]
        assert get(port, "/?code=second")[0] == 410
        assert redirect.wait(5).reveal() == "code=kanarie&state=1"
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_it_listens_on_this_machine_alone() -> None:
    with Redirect() as redirect:
        assert redirect._server.server_address[0] == "127.0.0.1"
        # Windows lets another program have a port that may be used again.
        assert redirect._server.socket.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) == 0


def test_answers_of_others_do_not_end_the_wait(server: Authorization) -> None:
    """Any page that is open in the browser, and anybody on this machine, can send one."""
    asked: list[Consent] = []
    with Redirect(lambda query: any(one.answered_by(query) for one in asked)) as redirect:
        assert get(redirect.port, "/?code=early&state=x")[0] == 410
        consent = Consent(known(server), Client(CLIENT), ADA, redirect.uri())
        asked.append(consent)
        for path in ("/?code=x", "/?error=access_denied&state=x", "/?state=%ff", "/?" + "state=x&" * 100, "/?x"):
            assert get(redirect.port, path)[0] == 410
        browse(consent.url)
        assert consent.redeem(redirect.wait(10)).grant.token.reveal() == "refresh-1"  # type: ignore[union-attr]


def test_if_nobody_else_answers_it_is_said() -> None:
    with Redirect(lambda query: False) as redirect:
        get(redirect.port, "/?code=x&state=x")
        assert redirect.wait(0.1).reveal() == "code=x&state=x"  # which `Consent.redeem` refuses


def test_who_connects_and_says_nothing_holds_nobody_up(capsys: pytest.CaptureFixture[str]) -> None:
    """Browsers open connections ahead; port scanners send what they like."""
    with Redirect() as redirect:
        silent = [socket.create_connection(("127.0.0.1", redirect.port)) for _ in range(5)]
        silent[0].sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        silent[1].sendall(b"GET /?code=" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n")
        silent[2].close()
        assert get(redirect.port, "/?code=a")[0] == 200
        for one in silent:
            one.close()
        assert redirect.wait(5).reveal() == "code=a"
    assert capsys.readouterr() == ("", "")


def test_of_many_answers_at_once_one_is_taken() -> None:
    with Redirect() as redirect, ThreadPoolExecutor(8) as pool:
        together = threading.Barrier(8)

        def answer(number: int) -> int:
            together.wait(10)
            return get(redirect.port, f"/?code={number}")[0]

        statuses = list(pool.map(answer, range(8)))
        assert sorted(statuses) == [200] + [410] * 7
        assert redirect.wait(5).reveal() == f"code={statuses.index(200)}"


# A code to type elsewhere


class Clock:
    """Notes how long it should have slept."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)


def device(server: Authorization, client: Client | None = None) -> tuple[Kept, list[Code], list[float]]:
    shown: list[Code] = []
    clock = Clock()
    kept = by_device(known(server), client or Client(CLIENT, SECRET), ADA, shown.append, sleep=clock)
    return kept, shown, clock.slept


@pytest.mark.parametrize("client", [Client(CLIENT, SECRET), Client(CLIENT)])
def test_a_device_code(client: Client) -> None:
    pending = ["authorization_pending", "slow_down", "authorization_pending"]
    with authorization(pending=pending) as server:
        kept, shown, slept = device(server, client)
        assert shown == [Code(f"{server.url}/activate", "ABCD-EFGH", 600)]
        assert server.devices == [{"client_id": CLIENT, "scope": " ".join(SCOPES)}]
        assert [one.get("client_secret") for one in server.asked] == [SECRET if client.secret else None] * 4
        assert {one["client_id"] for one in server.asked} == {CLIENT}
    assert slept == [5, 5, 10, 10]
    assert isinstance(kept.grant, RefreshToken) and kept.grant.token.reveal() == "refresh-1"
    assert kept.access is not None and kept.access.token.reveal() == "access-1" and kept.access.obtained <= time.time()


@pytest.mark.parametrize(("interval", "slept"), [(0, 1), (None, 5), ("7", 7), (1e9, 60), ("soon", 5)])
def test_how_often_is_asked(interval: Any, slept: float) -> None:
    with authorization(interval=interval) as server:
        assert device(server)[2] == [slept]


@pytest.mark.parametrize(
    ("refusal", "said", "temporary"),
    [
        ("access_denied", "consent was denied", False),
        ("authorization_declined", "consent was denied", False),
        ("expired_token", "nobody entered the code in time", False),
        ("invalid_client", "Check the client id", False),
    ],
)
def test_a_device_that_is_refused(refusal: str, said: str, temporary: bool) -> None:
    with authorization(pending=["authorization_pending", refusal]) as server:
        with pytest.raises(LoginError, match=said) as caught:
            device(server)
        assert len(server.asked) == 2 and caught.value.temporary is temporary


def test_a_code_that_nobody_enters_ends(server: Authorization) -> None:
    server.pending = ["authorization_pending"] * 1000
    with pytest.raises(LoginError, match="Nobody entered the code in time"):
        device(server)
    assert len(server.asked) == 600 / 5


def test_an_endpoint_that_is_away_for_a_moment_is_asked_more_slowly(server: Authorization) -> None:
    server.script = [
        told(200, device_code="device-1", user_code="A", verification_uri="https://example.org/", expires_in=600),
        (502, "text/html", b"<h1>"),
        told(503, error="temporarily_unavailable"),
    ]
    assert device(server)[2] == [5, 10, 20]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (told(200), "no device code"),
        (told(200, device_code="d", user_code="u"), "no device code"),
        (told(200, device_code="d", user_code="u", verification_uri="javascript:alert(1)"), "no device code"),
        (told(200, device_code="d", user_code="u", verification_uri="http://example.org/"), "no device code"),
        (told(200, device_code="d", user_code="u", verification_uri="https://a@example.org/"), "no device code"),
        (told(200, device_code="d", user_code="u", verification_uri="https://e.org/ and say your"), "no device code"),
        (told(200, user_code="u", verification_uri="https://example.org/"), "no device code"),
        (told(400, error="invalid_scope"), "access to mail"),
        ((200, "text/html", b"<html>"), "a web page"),
    ],
)
def test_no_device_code(server: Authorization, answer: Any, said: str) -> None:
    server.script = [answer]
    with pytest.raises(LoginError, match=said):
        device(server)
    assert server.asked == []


def test_google_s_older_name_for_the_page(server: Authorization) -> None:
    server.script = [
        told(200, device_code="device-1", user_code="A\x1b", verification_url="https://example.org/\u202e")
    ]
    assert device(server)[1] == [Code("https://example.org/\\u202e", "A\\x1b", 900)]


def test_a_provider_without_device_codes(server: Authorization) -> None:
    without = AuthorizationServer(f"{server.url}/authorize", f"{server.url}/token", SCOPES)
    with pytest.raises(ConfigError, match="no access to mail by a device code"):
        by_device(without, Client(CLIENT), ADA, print)


def test_no_port_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    import os

    used = os.open(os.devnull, os.O_RDONLY)
    os.close(used)
    resource.setrlimit(resource.RLIMIT_NOFILE, (used, hard))
    try:
        with pytest.raises(ConfigError, match="No port of this machine"):
            Redirect()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
