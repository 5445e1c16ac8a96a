"""Debian's Firefox, driven by the protocol that every browser is to speak: WebDriver BiDi, JSON over a WebSocket.

Playwright brings a Firefox of its own, which cannot be had everywhere; the protocol needs nothing that the standard
library does not have.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
import secrets
import shutil
import socket
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parent.parent.parent
SERVERS = ROOT / ".cache" / "servers"
PATIENCE = 60.0  # seconds for one answer of the browser
#: What goes straight and not through the listener that stands for every other host: the hosts that Firefox itself asks.
ITS_OWN = "mozilla.org,mozilla.com,mozilla.net,firefox.com,mozaws.net,firefoxusercontent.com"
PREFERENCES = {
    "app.update.enabled": False,
    "app.normandy.enabled": False,
    "browser.newtabpage.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.search.update": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage": "about:blank",
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.enabled": False,
    "network.proxy.type": 1,
    "network.proxy.no_proxies_on": f"127.0.0.1,localhost,{ITS_OWN}",
}


def firefox() -> tuple[str, dict[str, str]] | None:
    """The browser and the environment it needs: the system's, or the one that tools/get_servers.py unpacked."""
    installed = shutil.which("firefox-esr") or shutil.which("firefox")
    if installed:
        return installed, {}
    unpacked = SERVERS / "firefox" / "root" / "usr" / "lib"
    binary = unpacked / "firefox-esr" / "firefox-esr"
    if not binary.exists():
        return None
    # What a desktop has, and Chromium needs too: it was unpacked for it.
    folders = [*unpacked.glob("*-linux-gnu"), *(SERVERS / "chromium" / "root" / "usr" / "lib").glob("*-linux-gnu")]
    return str(binary), {"LD_LIBRARY_PATH": ":".join(map(str, folders))}


class Firefox:
    """A running browser with one tab, until `close`. `heard` is called with each event that was asked for."""

    def __init__(self, program: tuple[str, dict[str, str]], folder: Path, proxy_port: int) -> None:
        binary, environment = program
        settings = PREFERENCES | {
            f"network.proxy.{name}": given
            for kind in ("http", "ssl")
            for name, given in ((kind, "127.0.0.1"), (f"{kind}_port", proxy_port))
        }
        profile = folder / "profile"
        profile.mkdir()
        (profile / "user.js").write_text(
            "".join(f"user_pref({json.dumps(name)}, {json.dumps(given)});\n" for name, given in settings.items())
        )
        self._log = open(folder / "log.txt", "w+b")
        self._process = subprocess.Popen(
            [binary, "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"],
            env={**os.environ, **environment, "HOME": str(folder), "MOZ_CRASHREPORTER_DISABLE": "1"},
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self.heard: Callable[[str, dict[str, Any]], None] = lambda method, params: None
        self._numbers = itertools.count(1)
        try:
            self._wire = Wire(self._port(folder / "log.txt"))
            self.ask("session.new", capabilities={})
            self.tab: str = self.ask("browsingContext.getTree")["contexts"][0]["context"]
        except BaseException:
            self.close()
            raise

    def ask(self, method: str, **params: Any) -> Any:
        """The answer to a command; events that come before it are told. Raises `RuntimeError`."""
        number = next(self._numbers)
        self._wire.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            said = json.loads(self._wire.receive())
            if said.get("type") == "event":
                self.heard(said["method"], said["params"])
            elif said.get("id") == number:
                if said["type"] != "success":
                    raise RuntimeError(f"{method}: {said['error']}: {said['message']}")
                return said["result"]

    def open(self, url: str) -> None:
        """Go there, and wait until everything is loaded."""
        self.ask("browsingContext.navigate", context=self.tab, url=url, wait="complete")

    def run(self, function: str, *arguments: Any) -> Any:
        """What a function gives that runs in the page with these arguments; they and it are such as JSON has."""
        told = self.ask(
            "script.callFunction",
            functionDeclaration=f"(text) => Promise.resolve(({function})(...JSON.parse(text))).then(JSON.stringify)",
            arguments=[{"type": "string", "value": json.dumps(arguments)}],
            target={"context": self.tab},
            awaitPromise=True,
        )
        if told["type"] != "success":
            raise RuntimeError(told["exceptionDetails"]["text"])
        return json.loads(told["result"].get("value", "null"))

    def close(self) -> None:
        """End the browser."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if hasattr(self, "_wire"):
            self._wire.close()
        self._log.close()

    def _port(self, log: Path) -> int:
        """Where it listens, as it says when it is ready."""
        from time import monotonic, sleep

        end = monotonic() + PATIENCE
        while monotonic() < end and self._process.poll() is None:
            found = re.search(r"listening on (ws://\S+)", log.read_text("utf-8", "replace"))
            if found:
                return urlsplit(found[1]).port or 0
            sleep(0.1)
        raise RuntimeError(f"Firefox did not start: {log.read_text('utf-8', 'replace')[-2000:]}")


class Wire:
    """A client of one WebSocket on this machine (RFC 6455), for text."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        self._socket.sendall(
            f"GET /session HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._file = self._socket.makefile("rb")
        status = self._file.readline()
        while self._file.readline().strip():
            pass
        if b" 101 " not in status:
            raise RuntimeError(f"The browser speaks no WebDriver BiDi here: {status!r}")

    def send(self, text: str, opcode: int = 1) -> None:
        """One frame; a client has to mask what it says."""
        data = text.encode()
        size = len(data)
        head = bytes([0x80 | opcode])
        head += bytes([0x80 | size]) if size < 126 else bytes([0xFE]) + struct.pack(">H", size) if size < 65536 else (
            bytes([0xFF]) + struct.pack(">Q", size)
        )  # fmt: skip
        mask = secrets.token_bytes(4)
        masked = bytes(octet ^ mask[place % 4] for place, octet in enumerate(data))
        self._socket.sendall(head + mask + masked)

    def receive(self) -> str:
        """One message, whatever the number of its frames."""
        whole = b""
        while True:
            first, second = self._exactly(2)
            size = second & 0x7F
            if size > 125:
                size = int.from_bytes(self._exactly(2 if size == 126 else 8), "big")
            data = self._exactly(size)
            if first & 0x0F == 8:
                raise RuntimeError("The browser closed the connection.")
            if first & 0x0F == 9:
                self.send(data.decode(), 10)
            elif first & 0x0F in (0, 1, 2):
                whole += data
                if first & 0x80:
                    return whole.decode()

    def close(self) -> None:
        """Say nothing more."""
        self._file.close()
        self._socket.close()

    def _exactly(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise RuntimeError("The browser is gone.")
        return data
