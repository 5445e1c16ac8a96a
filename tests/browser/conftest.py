"""A real browser: Debian's Chromium, driven by Playwright, beside an inbox with its page.

Whatever the browser asks is written down: requests by the browser's own account, and connections to any other host by
a listener through which all of them would have to go. What is not installed is skipped, and the skip says so.
"""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from mailwright import Message
from mailwright.inbox import Inbox
from mailwright.inbox.web import Site
from mailwright.smtp.receiving.received import Received
from mailwright.words.envelope import Envelope

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

ROOT = Path(__file__).parent.parent.parent
UNPACKED = ROOT / ".cache" / "servers" / "chromium" / "root"
PICTURES = ROOT / ".cache" / "pictures"
#: The browser may be a stranger's computer: it must not call home.
SWITCHES = (
    "--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-default-apps", "--disable-domain-reliability", "--disable-breakpad", "--metrics-recording-only",
    "--disable-gpu", "--disable-features=Translate,OptimizationHints,MediaRouter,AutofillServerCommunication,HttpsUpgrades,PaintHolding",
    "--host-resolver-rules=MAP *.google.com ~NOTFOUND,MAP *.googleapis.com ~NOTFOUND",
)  # fmt: skip
#: What goes straight and not through `Elsewhere`: this machine, and the hosts that Chromium itself asks for its own
#: sake, of which the switches above make names that do not exist.
STRAIGHT = "127.0.0.1,localhost,[::1],*.google.com,*.googleapis.com"


def chromium() -> tuple[str, dict[str, str]] | None:
    """The browser and the environment it needs: the system's, or the one that tools/get_servers.py unpacked."""
    installed = shutil.which("chromium") or shutil.which("chromium-browser")
    if installed:
        return installed, {}
    binary = UNPACKED / "usr" / "lib" / "chromium" / "chromium"
    if not binary.exists():
        return None
    libraries = [
        str(folder) for name in ("", "/pulseaudio") for folder in (UNPACKED / "usr" / "lib").glob(f"*-linux-gnu*{name}")
    ]
    fonts = UNPACKED / "etc" / "fonts" / "fonts.conf"
    environment = {"LD_LIBRARY_PATH": ":".join(libraries), "XDG_DATA_HOME": str(UNPACKED / "usr" / "share")}
    return str(binary), environment | ({"FONTCONFIG_FILE": str(fonts)} if fonts.exists() else {})


class Elsewhere:
    """Every other host: a listener that writes down whoever connects, and answers nobody."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The address of that host."""
        return f"http://127.0.0.1:{self.port}"

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(1)
                try:
                    self.asked.append(connection.recv(300))
                    connection.sendall(
                        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\nHi"
                    )
                except OSError:
                    self.asked.append(b"")

    def close(self) -> None:
        """Listen no more."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Elsewhere]:
    made = Elsewhere()
    yield made
    made.close()


@pytest.fixture(scope="module")
def browser(elsewhere: Elsewhere) -> Iterator[Browser]:
    """The browser. Every name but those of this machine leads to `elsewhere`.

    Playwright keeps an event loop in this thread, in which no other test could have one of its own: that is why the
    browser ends with each file.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.skip("playwright is not installed")
    found = chromium()
    if found is None:
        pytest.skip("there is no Chromium")
    path, environment = found
    with sync_playwright() as play:
        made = play.chromium.launch(
            executable_path=path,
            args=list(SWITCHES),
            env={**os.environ, **environment},
            proxy={"server": elsewhere.url, "bypass": STRAIGHT},
        )
        yield made
        made.close()


class Desk:
    """An inbox with its page, and a browser before it. `ran`: scripts of strangers that ran. `strange`: requests to
    another host than the page's, and errors of our own script.
    """

    def __init__(self, inbox: Inbox, site: Site, context: BrowserContext) -> None:
        self.inbox = inbox
        self.site = site
        self.url = site.url
        self.context = context
        self.ran: list[str] = []
        self.strange: list[str] = []
        host = urlsplit(site.url).netloc
        context.expose_binding("pwned", lambda source, *_: self.ran.append(source["frame"].url))
        context.on("request", lambda request: self._asked(request.url, host))
        context.on("page", self._watch)
        self.page: Page = context.new_page()

    def _asked(self, url: str, host: str) -> None:
        if urlsplit(url).scheme not in ("data", "about") and urlsplit(url).netloc != host:
            self.strange.append(url)

    def _watch(self, page: Page) -> None:
        page.on("dialog", lambda dialog: (self.ran.append("dialog"), dialog.dismiss()))
        page.on("pageerror", lambda error: self.strange.append(str(error)))

    def open(self, path: str = "") -> Page:
        """Go to a page of the inbox."""
        self.page.goto(self.url + path)
        return self.page

    def keep(self, content: bytes, *recipients: str, sender: str = "mallory@evil.test") -> int:
        """A message that arrives, whatever its octets; its id."""
        envelope = Envelope.of(sender, recipients or ("grace@example.org",))
        return self.inbox.store.add(Received(envelope, content))

    def send(self, message: Message, **facts: Any) -> int:
        """A message that arrives as its author meant it, with its envelope; `facts` are those of `Received`."""
        return self.inbox.store.add(Received(message.envelope(), b"".join(message.render().chunks()), **facts))

    def picture(self, name: str, **how: Any) -> Path:
        """What is to be seen now, kept below `.cache/pictures/`."""
        path = PICTURES / f"{name}.png"
        self.page.screenshot(path=path, animations="disabled", **how)
        return path


@pytest.fixture
def desk(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Desk]:
    """A desk with an empty inbox. ``@pytest.mark.parametrize("desk", [{…}], indirect=True)`` gives the browser's
    context more settings.
    """
    settings = {"viewport": {"width": 1280, "height": 860}, **getattr(request, "param", {})}
    with (
        Inbox(tls=False) as inbox,
        Site(inbox.store, inbox.faults, port=0, smtp=inbox.server, smtp_url=inbox.url) as site,
    ):
        context = browser.new_context(**settings)
        try:
            yield Desk(inbox, site, context)
        finally:
            context.close()
