"""The same hostile messages in an engine of other makers: nothing of theirs runs in Firefox, and nobody is asked."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from mailwright.inbox import Inbox
from mailwright.inbox.reading.frame import SANDBOX
from mailwright.inbox.web import Site
from mailwright.inbox.web.pages import frame_policy
from mailwright.smtp.receiving.received import Received
from mailwright.words.envelope import Envelope
from tests.browser.conftest import Elsewhere
from tests.browser.firefox import Firefox, firefox
from tests.browser.test_hostile_mail import FRAMES, TOGETHER, VIEWS
from tests.unit.inbox.pages.hostile import messages, payloads

pytestmark = pytest.mark.drill  # a minute, and a browser of 300 MB

#: In every document before anything of its own: what a hostile script calls tells us so.
WATCH = "(tell) => { window.pwned = () => tell(location.href); }"
AT_LEISURE = "() => new Promise((done) => setTimeout(done, 2000, 0))"
PREFETCH = b"Sec-Purpose: prefetch"
EVENTS = ("script.message", "network.beforeRequestSent", "browsingContext.userPromptOpened")


class Watched:
    """A browser, and what it was seen to do. `ran`: scripts of strangers that ran; `strange`: requests to others."""

    def __init__(self, browser: Firefox) -> None:
        self.browser = browser
        self.host = ""
        self.ran: list[str] = []
        self.strange: list[str] = []
        browser.heard = self._heard
        browser.ask("session.subscribe", events=list(EVENTS))
        watcher = {"type": "channel", "value": {"channel": "pwned"}}
        browser.ask("script.addPreloadScript", functionDeclaration=WATCH, arguments=[watcher])

    def begin(self, host: str) -> None:
        """Count anew, with this host as the page's own."""
        self.host, self.ran, self.strange = host, [], []

    def _heard(self, method: str, params: dict[str, Any]) -> None:
        if method == "script.message":
            self.ran.append(params["data"].get("value", ""))
        elif method == "browsingContext.userPromptOpened":
            self.ran.append("a dialog")
        else:
            url = urlsplit(params["request"]["url"])
            if url.scheme not in ("data", "about", "chrome", "resource", "moz-extension") and url.netloc != self.host:
                self.strange.append(url.geturl())


@pytest.fixture(scope="module")
def watched(elsewhere: Elsewhere, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    program = firefox()
    if program is None:
        pytest.skip("there is no Firefox")
    folder: Path = tmp_path_factory.mktemp("firefox")
    browser = Firefox(program, folder, elsewhere.port)
    yield Watched(browser)
    browser.close()


@pytest.fixture
def page() -> Iterator[tuple[Inbox, str]]:
    with Inbox(tls=False) as inbox, Site(inbox.store, inbox.faults, port=0) as site:
        yield inbox, site.url


@contextmanager
def serving(pages: dict[str, tuple[str, str]]) -> Iterator[str]:
    """The address of a server with these pages by path: the HTML of each, and the policy for it."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            html, policy = pages.get(self.path, ("", ""))
            body = html.encode("utf-8", "surrogateescape")
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            if policy:
                self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_watch_sees_scripts_requests_and_connections(watched: Watched, elsewhere: Elsewhere) -> None:
    before = len(elsewhere.asked)
    watched.begin("")
    html = (
        f"<script>pwned()</script><img src='{elsewhere.url}/seen.gif'><img src='http://name.test/a.gif'>"
        "<iframe srcdoc='<script>pwned()</script>'></iframe>"
    )
    with serving({"/": (html, "")}) as url:
        watched.browser.open(url)
        watched.browser.run("() => 0")  # what was told before this is heard
    assert len(watched.ran) == 2
    assert any("seen.gif" in url for url in watched.strange) and any("name.test" in url for url in watched.strange)
    assert any(b"seen.gif" in asked for asked in elsewhere.asked[before:])
    assert any(b"name.test" in asked for asked in elsewhere.asked[before:])


def test_hostile_messages_run_nothing_and_ask_nobody(
    watched: Watched, elsewhere: Elsewhere, page: tuple[Inbox, str]
) -> None:
    inbox, url = page
    browser, before = watched.browser, len(elsewhere.asked)
    mail = list(messages(elsewhere.url))
    envelope = Envelope.of("mallory@evil.test", ("grace@example.org",))
    ids = [inbox.store.add(Received(envelope, content)) for _, content in mail]
    assert len(ids) >= 200
    watched.begin(urlsplit(url).netloc)
    browser.open(url)
    assert browser.run("() => document.querySelectorAll('li.row').length") == 50
    browser.open(f"{url}m/{ids[0]}/html")
    sandbox = browser.run("() => document.querySelector('iframe').getAttribute('sandbox')")
    assert "scripts" not in sandbox and "same-origin" not in sandbox
    for start in range(0, len(ids), TOGETHER):  # their HTML, in frames such as the page's own
        browser.run(FRAMES, {"ids": ids[start : start + TOGETHER], "sandbox": sandbox})
    for number, id in enumerate(ids):
        if not mail[number][0].startswith("html") or number % 10 == 0:
            browser.open(f"{url}m/{id}/{VIEWS[number % len(VIEWS)]}")
    browser.run(AT_LEISURE)
    assert watched.ran == []
    assert watched.strange == []
    assert elsewhere.asked[before:] == []


def test_the_frame_alone_would_do_for_scripts(watched: Watched, elsewhere: Elsewhere) -> None:
    """Here the HTML comes as it was sent, not written anew: what is left is the policy and the sandbox. Firefox fetches
    ahead all the same (``<link rel=prefetch>``), and that is what the other wall is for.
    """
    pages = {f"/m/{n}/frame": (payload, frame_policy(False)) for n, payload in enumerate(payloads(elsewhere.url))}
    browser, before = watched.browser, len(elsewhere.asked)
    with serving({"/": ("<!doctype html><body>", ""), **pages}) as url:
        watched.begin(urlsplit(url).netloc)
        browser.open(url)
        for start in range(0, len(pages), TOGETHER):
            ids = list(range(start, min(start + TOGETHER, len(pages))))
            browser.run(FRAMES, {"ids": ids, "sandbox": SANDBOX})
        browser.run(AT_LEISURE)
    assert len(pages) > 150
    assert watched.ran == []
    assert [asked for asked in elsewhere.asked[before:] if asked and PREFETCH not in asked] == []
