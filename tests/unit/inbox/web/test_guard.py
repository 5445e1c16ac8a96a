"""Who may ask: the guard before every route, tried with names, pages and passwords that are not ours."""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import time
import urllib.error
import urllib.request

import pytest

from mailwright.inbox import Inbox
from mailwright.inbox.web import Site, security
from mailwright.inbox.web.api import OPERATIONS
from mailwright.inbox.web.app import API, application
from mailwright.inbox.web.browsing import PAGES
from mailwright.inbox.web.changing import FORMS
from mailwright.words.errors import ConfigError
from tests.unit.inbox.web.asking import Client, heard, opened

STATIC = ("/static/app.css", "/static/nothing")
PATHS = [
    *(("GET", path) for path in PAGES),
    *(("POST", path) for path in FORMS),
    *((one.method, API + one.path) for one in OPERATIONS),
    *(("GET", path) for path in ("/events", "/api", "/api/openapi.json", *STATIC, "/there/is/none", "//", "/%2e%2e/x")),
]
ROUTES = [(method, re.sub(r"{\w+}", "1", path)) for method, path in PATHS]
EVERY = pytest.mark.parametrize(("method", "path"), ROUTES, ids=[f"{method} {path}" for method, path in ROUTES])
STRICT = [(method, path) for method, path in ROUTES if path.startswith(("/api/", "/events")) or method != "GET"]


def test_every_route_of_the_application_is_tried_here() -> None:
    guard = application(None, None, None)  # type: ignore[arg-type]
    there = {(method, route.path) for route in guard._app.routes for method in route.methods - {"HEAD"}}  # type: ignore[attr-defined]
    assert {route for route in there if not route[1].startswith("/static/")} <= set(PATHS)


@EVERY
@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:{port}", "127.0.0.1.nip.example:{port}",
     "[::1]", "127.0.0.1:{port}@evil.example", "evil.example@127.0.0.1:{port}", "0.0.0.0:{port}", "", "127.0.0.1:{port}:{port}", "2130706433:{port}", "127.1:{port}"],
)  # fmt: skip
def test_no_other_name_is_answered(method: str, path: str, host: str, shared: Client) -> None:
    answer = shared.ask(path, method, Host=host.format(port=shared.port), Sec_Fetch_Site="same-origin")
    assert answer.status in (421, 400) and b"Text" not in answer.body
    assert answer.fields["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    "host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}", "localhost.:{port}", "[::1]:{port}"]
)
def test_our_own_names_are_answered(host: str, shared: Client) -> None:
    assert shared.ask("/", Host=host.format(port=shared.port)).status == 200


def test_further_names_are_answered_at_any_port() -> None:
    with opened(hosts=("DevBox.example", "192.0.2.7", "[2001:db8::1]")) as client:
        for host in ("devbox.example", "devbox.example.:80", "devbox.example:9000", "192.0.2.7:1", "[2001:db8::1]:443"):
            assert client.ask("/", Host=host).status == 200
        for host in ("box.example", "x.devbox.example", "devbox.example.evil.example"):
            assert client.ask("/", Host=host).status == 421


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%(port)d\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1:%(port)d\r\nConnection: close\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1:%(port)d\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%(port)d\r\nX-Bad\x00: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%(port)d\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nGET /api HTTP/1.1\r\nHost: 127.0.0.1:%(port)d\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"EHLO example.org\r\n\r\n",
    ],
    ids=["two hosts", "no host", "HTTP/1.0", "absolute", "asterisk", "NUL", "two lengths", "TLS", "SMTP"],
)  # fmt: skip
def test_what_is_no_request_of_ours_is_refused(head: bytes, shared: Client) -> None:
    answer = shared.raw(head % {b"port": shared.port} if b"%(" in head else head)
    assert answer[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 405")
    assert answer.count(b"HTTP/1.1 ") == 1  # the connection ends with it


@EVERY
@pytest.mark.parametrize(
    "fields",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "null", "Sec_Fetch_Site": "cross-site"},
        {"Origin": "null", "Sec_Fetch_Site": "none"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost:{port}"},
        {"Origin": "http://127.0.0.1:{port}.evil.example"},
        {"Origin": "http://127.0.0.1:{port}", "Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "script"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "image"},
    ],
    ids=str,
)
def test_no_other_page_is_answered(method: str, path: str, fields: dict[str, str], shared: Client) -> None:
    said = {name: text.format(port=shared.port) for name, text in fields.items()}
    answer = shared.ask(path, method, Host=f"127.0.0.1:{shared.port}", **said)
    assert answer.status == 403
    assert "access-control-allow-origin" not in answer.fields


@pytest.mark.parametrize(("method", "path"), STRICT, ids=[f"{method} {path}" for method, path in STRICT])
def test_a_link_elsewhere_leads_to_pages_only(method: str, path: str, shared: Client) -> None:
    link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    assert shared.ask(path, method, **link).status == 403


@pytest.mark.parametrize("name", ["Origin", "Sec-Fetch-Site"])
def test_fields_that_are_said_twice_are_not_believed(name: str, shared: Client) -> None:
    said = b"%s: http://localhost:%d\r\n" % (name.encode(), shared.port)
    head = b"GET / HTTP/1.1\r\nHost: localhost:%d\r\n%s%sConnection: close\r\n\r\n" % (shared.port, said, said)
    assert shared.raw(head).startswith(b"HTTP/1.1 403 ")


def test_heads_alone(shared: Client) -> None:
    for path in ("/", "/m/1", "/m/1/raw", "/api/v1/messages/1", "/api/openapi.json"):
        answer = shared.ask(path, "HEAD")
        assert answer.status == 200 and answer.body == b""
        check_fields(answer.fields)
    assert shared.ask("/events", "HEAD", Sec_Fetch_Site="same-origin").status == 405


def test_a_link_elsewhere_leads_to_a_page(shared: Client) -> None:
    link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    assert shared.ask("/", **link).status == 200
    assert shared.ask("/", Sec_Fetch_Site="none").status == 200


@pytest.mark.parametrize(
    "path", ["/events", "//events", "/%65vents", "/events/", "/./events", "/EVENTS", "/events%00", "/events?q=x"]
)
@pytest.mark.parametrize("origin", ["http://evil.example", "null", None], ids=str)
def test_the_stream_is_for_our_page_however_its_path_is_spelt(path: str, origin: str | None, shared: Client) -> None:
    fields = {} if origin is None else {"Origin": origin}
    assert shared.ask(path, **fields).status in (403, 404)


def test_the_stream_works_where_browsers_say_nothing_of_themselves() -> None:
    with opened(hosts=("devbox.example",)) as client:
        with (
            client.connect() as connection
        ):  # a page over plain HTTP under a name: no Sec-Fetch-Site, and no Origin with GET
            connection.sendall(b"GET /events HTTP/1.1\r\nHost: devbox.example\r\n\r\n")
            assert connection.recv(15) == b"HTTP/1.1 200 OK"
        assert client.ask("/events", Host="devbox.example", Origin="http://evil.example").status == 403
        assert client.form("/delete", {"all": 1}, Host="devbox.example", Sec_Fetch_Site="cross-site").status == 403
        kind = {"Content_Type": "application/x-www-form-urlencoded", "Host": "devbox.example"}
        assert client.ask("/delete", "POST", f"csrf={client.csrf()}&all=1", **kind).status == 403
        assert (
            client.ask("/delete", "POST", f"csrf={client.csrf()}&all=1", Origin="http://devbox.example", **kind).status
            == 303
        )


@pytest.mark.parametrize(
    ("method", "path"), [one for one in ROUTES if one[0] == "POST" and not one[1].startswith("/api")]
)
def test_a_form_needs_a_page_of_ours_behind_it(method: str, path: str, shared: Client) -> None:
    kind = {"Content_Type": "application/x-www-form-urlencoded"}
    body = f"csrf={shared.csrf()}"
    assert shared.ask(path, method, body, **kind).status == 403
    assert shared.ask(path, method, body, Sec_Fetch_Site="none", **kind).status == 403


@pytest.mark.parametrize(("method", "path"), [one for one in ROUTES if one[0] != "GET"])
def test_nothing_changes_by_get(method: str, path: str, client: Client) -> None:
    client.deliver()
    assert client.ask(path, Sec_Fetch_Site="same-origin").status in (200, 404, 405, 409)
    assert client.inbox.store.count() == 1 and client.inbox.store.count("is:unread") == 1


@EVERY
def test_no_method_opens_a_door_to_others(method: str, path: str, shared: Client) -> None:
    for asked in ("OPTIONS", "TRACE", "CONNECT", "PROPFIND"):
        answer = shared.ask(
            path, asked, Origin=f"http://127.0.0.1:{shared.port}", Access_Control_Request_Method="DELETE"
        )
        assert answer.status in (400, 404, 405)
        assert not any(name.startswith("access-control") for name in answer.fields)


@EVERY
def test_every_answer_defends_itself(method: str, path: str, shared: Client) -> None:
    if method == "GET" and path not in ("/events", "/api/v1/wait"):
        check_fields(shared.ask(path).fields)
    check_fields(shared.ask(path, "PUT").fields)


def check_fields(fields: dict[str, str]) -> None:
    assert fields["x-content-type-options"] == "nosniff"
    assert fields["referrer-policy"] in ("same-origin", "no-referrer")
    assert fields["cross-origin-opener-policy"] == "same-origin"
    assert fields["cross-origin-resource-policy"] == "same-origin"
    assert fields["cache-control"] == "no-store"
    assert "default-src 'none'" in fields["content-security-policy"]
    assert "server" not in fields


def test_the_nonce_is_new_each_time_and_the_only_way_to_a_script(shared: Client) -> None:
    policies = {shared.ask("/").fields["content-security-policy"] for _ in range(5)}
    assert len(policies) == 5
    for policy in policies:
        rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
        assert re.fullmatch(r"'nonce-[\w-]{24}'", rules["script-src"])
        assert rules["base-uri"] == rules["frame-ancestors"] == rules["default-src"] == "'none'"


# With a password.

PASSWORD = "correct horse ☃"


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.fixture(scope="module")
def locked():  # type: ignore[no-untyped-def]
    with opened(password=PASSWORD) as made:
        made.deliver()
        yield made


@EVERY
def test_nothing_is_told_without_the_password(method: str, path: str, locked: Client) -> None:
    answer = locked.ask(path, method, Sec_Fetch_Site="same-origin")
    assert answer.status == 401 and b"Text" not in answer.body
    assert answer.fields["www-authenticate"] == 'Basic realm="mailwright inbox", charset="UTF-8"'


@pytest.mark.parametrize(
    "given", [basic("x:wrong"), basic(PASSWORD), basic("x:"), basic(f"x:{PASSWORD} "), "Basic !!!", "Basic", "Bearer x", basic("x")[6:], ""],
)  # fmt: skip
def test_a_wrong_password_is_none(given: str, locked: Client) -> None:
    assert locked.ask("/api/v1/messages", Authorization=given).status == 401


def test_the_password_lets_in_whatever_the_user_is_called(locked: Client) -> None:
    for user in ("", "ada", "ada@example.org"):
        assert locked.ask("/api/v1/about", Authorization=basic(f"{user}:{PASSWORD}")).json["messages"] == 1
    assert locked.ask("/", Authorization=basic(f"x:{PASSWORD}"), Host="evil.example").status == 421
    assert locked.ask("/", Authorization=basic(f"x:{PASSWORD}"), Origin="null").status == 403


def test_passwords_are_guessed_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "_WRONG_PASSWORD_DELAY", 60.0)  # so that all of them wait at the same time
    wrong, right = (f"GET /api/v1/about HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: {basic(text)}\r\nConnection: close\r\n\r\n" for text in ("x:wrong guess", f"x:{PASSWORD}"))  # fmt: skip
    with opened(password=PASSWORD) as client, contextlib.ExitStack() as guesses:
        place = ("127.0.0.1", client.port)
        for _ in range(security._GUESSES):
            guess = guesses.enter_context(socket.create_connection(place, timeout=20))
            guess.sendall((wrong % client.port).encode())
        while not client.raw((right % client.port).encode()).startswith(b"HTTP/1.1 429 "):
            time.sleep(0.01)  # until the last of them is heard
        assert client.raw((wrong % client.port).encode()).startswith(b"HTTP/1.1 429 ")  # right or wrong: the same
        assert client.ask("/").status == 401
        with socket.create_connection(place, timeout=20, source_address=("127.0.0.2", 0)) as another:
            another.sendall((right % client.port).encode())
            assert heard(another).startswith(b"HTTP/1.1 200 ")
        # An answer that nobody waits for any more takes its time all the same.
        guesses.close()
        assert client.ask("/", Authorization=basic(f"x:{PASSWORD}")).status == 429


def test_who_guesses_wrong_now_and_then_is_let_in_with_the_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "_WRONG_PASSWORD_DELAY", 0.001)
    with opened(password=PASSWORD) as client:
        for _ in range(3 * security._GUESSES):
            assert client.ask("/", Authorization=basic("x:wrong guess")).status == 401
        assert client.ask("/", Authorization=basic(f"x:{PASSWORD}")).status == 200


@pytest.mark.parametrize(
    "address", ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1", "127.0.0.1.example.org", "example.org", ""]
)
def test_others_are_let_in_by_a_password_only(address: str, client: Client) -> None:
    with pytest.raises(ConfigError) as caught:
        Site(client.inbox.store, address=address)
    assert caught.value.advice


@pytest.mark.parametrize(
    "options",
    [
        {"password": "short"},
        {"password": ""},
        {"hosts": ("a b",)},
        {"hosts": ("x:80",)},
        {"hosts": ("*",)},
        {"hosts": ("",)},
        {"hosts": ("http://x",)},
    ],
)
def test_settings_that_can_not_be_meant(options: dict[str, object], client: Client) -> None:
    with pytest.raises(ConfigError):
        Site(client.inbox.store, **options)  # type: ignore[arg-type]


def test_the_password_is_nowhere_to_be_seen(locked: Client) -> None:
    for path in ("/", "/api", "/api/v1/about"):
        assert PASSWORD not in locked.ask(path, Authorization=basic(f"x:{PASSWORD}")).text
    assert PASSWORD not in repr(locked.site) and PASSWORD not in repr(vars(locked.site))


def test_everywhere_with_a_password_is_allowed() -> None:
    with opened(address="0.0.0.0", password=PASSWORD, hosts=("127.0.0.1",)) as client:
        assert client.ask("/").status == 401
        assert client.ask("/", Authorization=basic(f"x:{PASSWORD}")).status == 200


@pytest.mark.parametrize(("address", "reached"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]")])
def test_a_page_for_all_addresses_names_one_that_answers(address: str, reached: str) -> None:
    """0.0.0.0 is where to listen; nobody's browser can ask for a page there, and the guard knows no such name."""
    with Inbox(tls=False) as inbox:
        try:
            site = Site(inbox.store, address=address, port=0, password="correct horse").open()
        except ConfigError:
            pytest.skip("there is no IPv6")
        try:
            assert site.url.startswith(f"http://{reached}:")
            request = urllib.request.Request(f"{site.url}api/v1/about")
            with pytest.raises(urllib.error.HTTPError, match="401"):
                urllib.request.urlopen(request, timeout=20)
            request.add_header("Authorization", "Basic " + base64.b64encode(b"x:correct horse").decode())
            with urllib.request.urlopen(request, timeout=20) as answer:
                assert answer.status == 200
        finally:
            site.close()
