"""The token endpoint as it may be: away, slow, talkative, an HTML page, or saying no."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.cli.exit_codes import CONFIG, NOPERM, TEMPFAIL, code_for
from mailwright.mailer.tokens import Client, ClientCredentials, InKeyring, RefreshToken, ServiceAccount, TokenSource
from mailwright.mailer.tokens.access import Kept
from mailwright.mailer.tokens.endpoint import ANSWER_LIMIT, ask
from mailwright.words.errors import LoginError, MailError
from mailwright.words.secret import Secret
from tests.unit.tokens.authorization import CLIENT, SECRET, Authorization, authorization, told
from tests.unit.tokens.ring import Ring
from tests.unit.tokens.test_source import ADA, consent, key_file

CANARY = "kanarienvogel-7f3a"


def error_of(source: TokenSource) -> LoginError:
    with pytest.raises(LoginError) as caught:
        source()
    assert caught.value.phase == "auth"
    return caught.value


@pytest.mark.parametrize(
    ("answer", "temporary", "said"),
    [
        ((200, "text/html; charset=utf-8", b"<html>Welcome to the hotel"), False, "answered with a web page (HTTP status 200)"),
        ((404, "text/html", b"<h1>Not Found"), False, "a web page (HTTP status 404)"),
        ((502, "text/html", b"<h1>Bad Gateway"), True, "It is away for now: try again later."),
        ((302, "text/html", b""), False, "HTTP status 302"),
        ((200, "application/json", b""), False, "no JSON object"),
        ((200, "application/json", b"[1]"), False, "no JSON object"),
        ((200, "application/json", b"[" * 100_000), False, "no JSON object"),
        ((200, "application/json", b"9" * 9000), False, "no JSON object"),
        ((200, "application/json", b'{"access_token": "\xff"}'), False, "no JSON object"),
        ((200, "application/x-www-form-urlencoded", b"access_token=a&token_type=bearer"), False, "no JSON object"),
        ((200, "application/json", b" " * (ANSWER_LIMIT + 1)), False, "more than 256 kB"),
        ((503, "", b""), True, "something, which is no JSON object"),
        (told(200), False, "none that could be used"),
        (told(200, access_token=17), False, "none that could be used"),
        (told(200, access_token=""), False, "none that could be used"),
        (told(200, access_token="a b"), False, "none that could be used"),
        (told(200, access_token="a\r\nRCPT TO:<x@example.net>"), False, "none that could be used"),
        (told(200, access_token="x" * 70_000), False, "none that could be used"),
        (told(200, access_token="a", token_type="mac"), False, "one of the type mac"),
        (told(500, error="server_error"), True, "Try again later."),
        (told(503, error="temporarily_unavailable", error_description="maintenance"), True, "maintenance"),
        (told(200, error="temporarily_unavailable"), True, "Try again later."),
        (told(429, error="rate_limit_exceeded"), True, "Try again later."),
        (told(500), True, "status 500"),
        (told(400), False, "status 400"),
        (told(200, error="invalid_grant", access_token="a"), False, "invalid_grant"),
        (told(400, error={"code": 400, "message": "Bad", "status": "INVALID_ARGUMENT"}), False, "INVALID_ARGUMENT: Bad"),
        (told(400, error=["x"]), False, "an unnamed error"),
        (told(400, error="x" * 5000, error_description="y" * 5000), False, "…"),
        (told(400, error="a\x1b[2Jb", error_description="c\r\nd\u202e"), False, "a\\x1b[2Jb: c\\x0d\\x0ad\\u202e"),
    ],
    ids=str,
)  # fmt: skip
def test_what_comes_back(server: Authorization, answer: Any, temporary: bool, said: str) -> None:
    server.script = [answer]
    error = error_of(TokenSource(consent(server)))
    assert error.temporary is temporary and said in str(error)
    assert code_for(error) == (TEMPFAIL if temporary else NOPERM)
    assert len(str(error)) < 1000 and str(error).isprintable()
    assert len(server.asked) == 1  # a redirect is not followed


@pytest.mark.parametrize(
    ("error", "description", "said"),
    [
        ("invalid_grant", "Token has been expired or revoked.", "7 days while the consent screen of a Google project"),
        ("invalid_grant", "", "when the password is changed, when it is revoked, after six months without use"),
        ("invalid_grant", "AADSTS700082: The refresh token has expired due to inactivity.", "not used for too long"),
        (
            "invalid_grant",
            "AADSTS50173: The provided grant has expired due to it being revoked",
            "password was changed",
        ),
        ("invalid_grant", "AADSTS50076: … you must use multi-factor authentication", "second factor"),
        ("invalid_grant", "AADSTS53003: Access has been blocked by Conditional Access", "Ask the administrator"),
        ("invalid_grant", "AADSTS65001: The user or administrator has not consented", "nobody consented"),
        ("invalid_grant", "reauth related error (invalid_rapt)", "session control"),
        ("invalid_client", "AADSTS7000215: Invalid client secret provided.", "the secret's value, not its id"),
        ("invalid_client", "AADSTS7000222: The provided client secret keys are expired.", "Make a new one"),
        ("invalid_client", "AADSTS7000218: The request body must contain client_assertion", "public client flows"),
        ("unauthorized_client", "AADSTS700016: Application was not found in the directory", "no client of this id"),
        ("invalid_client", "The OAuth client was not found.", "Check the client id"),
        ("invalid_client", "", "Check the client id"),
        ("deleted_client", "The OAuth client was deleted.", "deleted"),
        ("unauthorized_client", "Unauthorized", "Desktop app"),
        ("invalid_scope", "", "access to mail"),
        ("something_new", "", "Look the code up"),
    ],
)
def test_a_refusal_is_explained(server: Authorization, ring: Ring, error: str, description: str, said: str) -> None:
    server.script = [told(400, error=error, error_description=description)]
    InKeyring(ADA).store(Kept(consent(server)))
    problem = error_of(TokenSource(InKeyring(ADA)))
    assert said in str(problem) and error in str(problem) and not problem.temporary
    assert "{user}" not in str(problem) and "ADDRESS" not in str(problem)
    if "mailwright login" in str(problem):
        assert f"mailwright login {ADA}" in str(problem)


def test_a_refusal_of_a_program_speaks_of_programs(server: Authorization) -> None:
    server.script = [told(401, error="unauthorized_client")] * 2 + [told(400, error="invalid_grant")]
    app = ClientCredentials(f"{server.url}/token", Client(CLIENT, SECRET), ("x",))
    assert "SMTP.SendAsApp" in str(error_of(TokenSource(app)))
    robot = ServiceAccount.from_json(key_file(server), ADA)
    assert "domain-wide delegation" in str(error_of(TokenSource(robot)))
    assert "the robot's key" in str(error_of(TokenSource(robot)))


def test_what_was_sent_is_not_repeated(server: Authorization) -> None:
    """Some servers say which token they did not like."""
    grant = RefreshToken(f"{server.url}/token", Client(CLIENT, SECRET), Secret(CANARY))
    server.script = [told(400, error=f"x{CANARY}", error_description=f"no token {CANARY} for {SECRET}")]
    error = error_of(TokenSource(grant))
    assert CANARY not in str(error) and SECRET not in str(error) and "no token *** for ***" in str(error)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=5),
       st.sampled_from(["error", "error_description", "access_token", "expires_in", "token_type", "refresh_token"]),
       st.sampled_from([200, 400, 500]))  # fmt: skip
def test_any_json_is_a_token_or_an_error_of_ours(shared: Authorization, found: Any, name: str, status: int) -> None:
    members = {"access_token": "a", "error_description": "d", name: found}
    shared.script = [(status, "application/json", json.dumps(members).encode())]
    try:
        assert TokenSource(consent(shared))().reveal().isprintable()
    except MailError as error:
        assert str(error).isprintable()


@pytest.fixture(scope="module")
def shared() -> Iterator[Authorization]:
    with authorization() as opened:
        yield opened


# The network


def test_nobody_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    error = error_of(TokenSource(RefreshToken(f"http://127.0.0.1:{port}/token", Client(CLIENT), Secret("r"))))
    assert error.temporary and code_for(error) == TEMPFAIL and f"127.0.0.1:{port}: Connection refused" in str(error)


@pytest.fixture
def talker() -> Iterator[Callable[[Callable[[socket.socket, threading.Event], None]], str]]:
    """A server that does with each connection what it is told; gives its URL."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def begin(act: Callable[[socket.socket, threading.Event], None]) -> str:
        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                try:
                    act(connection, over)
                except OSError:
                    pass

        threads.append(threading.Thread(target=serve, daemon=True))
        threads[-1].start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/token"

    yield begin
    over.set()
    for thread in threads:
        thread.join(10)
    listener.close()


def silent(_: socket.socket, over: threading.Event) -> None:
    over.wait(30)


def dripping(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Drip: ")
    while not over.wait(0.02):
        connection.sendall(b"x")


def dripping_body(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{")
    while not over.wait(0.02):
        connection.sendall(b" ")


@pytest.mark.parametrize("act", [silent, dripping, dripping_body])
def test_an_endpoint_that_takes_for_ever(talker: Any, act: Any) -> None:
    grant = RefreshToken(talker(act), Client(CLIENT), Secret("r"))
    error = error_of(TokenSource(grant, seconds=0.3))
    assert error.temporary and ("no answer" in str(error))


def smtp(connection: socket.socket, _: threading.Event) -> None:
    connection.sendall(b"220 mx.example.org ESMTP\r\n")
    connection.recv(65536)


def endless_headers(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 1000)
    over.wait(5)


def cut_short(connection: socket.socket, _: threading.Event) -> None:
    connection.recv(65536)
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"access_token": "abc"')


def gone(connection: socket.socket, _: threading.Event) -> None:
    connection.recv(10)


@pytest.mark.parametrize("act", [smtp, endless_headers, cut_short, gone])
def test_what_does_not_speak_http(talker: Any, act: Any) -> None:
    error = error_of(TokenSource(RefreshToken(talker(act), Client(CLIENT), Secret(CANARY)), seconds=5.0))
    assert error.temporary and CANARY not in str(error)


def test_https_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with authorization(tls=context) as server:
        error = error_of(TokenSource(consent(server)))
        assert "its certificate is not good" in str(error) and "SSL_CERT_FILE" in str(error) and not error.temporary
        assert server.asked == []
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert TokenSource(consent(server))().reveal() == "access-1"


def test_a_proxy_is_asked_to_connect_and_hears_no_secret(talker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[bytes] = []

    def proxy(connection: socket.socket, _: threading.Event) -> None:
        heard.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")

    place = talker(proxy).removeprefix("http://").removesuffix("/token")
    monkeypatch.setenv("HTTPS_PROXY", f"http://ada:open%20sesame@{place}")
    error = error_of(TokenSource(RefreshToken("https://token.example.org/", Client(CLIENT), Secret(CANARY))))
    assert error.temporary and "HTTPS_PROXY" in str(error)
    (said,) = heard
    assert said.startswith(b"CONNECT token.example.org:443 HTTP/1.") and b"Basic YWRhOm9wZW4gc2VzYW1l" in said
    assert CANARY.encode() not in said
    # What is on this machine is not asked through it.
    with authorization() as server:
        assert TokenSource(consent(server))().reveal() == "access-1"


def test_what_can_not_be_sent_is_not_shown(server: Authorization) -> None:
    with pytest.raises(LoginError, match="could not be sent") as caught:
        ask(f"{server.url}/token", Secret(f"{CANARY}-ä"))
    assert CANARY not in str(caught.value) and caught.value.__context__ is None


def test_settings_that_are_wrong_have_their_own_exit_code() -> None:
    with pytest.raises(MailError) as caught:
        RefreshToken("http://example.org", Client(CLIENT), Secret("r"))
    assert code_for(caught.value) == CONFIG


@pytest.mark.parametrize(
    "said",
    [
        "refresh_token={quoted}&client_secret={secret}",
        "what is {lower}?",
        '{{"refresh_token": "{escaped}"}}',
        "{plain} {quoted}",
        "%{quoted}",
    ],
)
def test_a_refusal_that_repeats_the_request_as_it_was_sent(server: Authorization, said: str) -> None:
    """Tokens hold slashes, which stand encoded in a request: also in that form they are masked."""
    token = f"1//{CANARY}+/=~"
    quoted = quote(token, safe="")
    forms = {
        "plain": token,
        "quoted": quoted,
        "lower": quoted.replace("%2F", "%2f"),
        "escaped": token.replace("/", "\\/"),
    }
    server.script = [told(400, error="invalid_grant", error_description=said.format(**forms, secret=SECRET))]
    grant = RefreshToken(f"{server.url}/token", Client(CLIENT, SECRET), Secret(token), ())
    text = str(error_of(TokenSource(grant)))
    assert CANARY not in text and SECRET not in text and "***" in text
