"""Asking the web server of the inbox, over real HTTP: as a browser, as a program, and as neither."""

from __future__ import annotations

import http.client
import json
import re
import smtplib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlencode

from mailwright.inbox import Inbox
from mailwright.inbox.web import Site

#: What a browser sends along when a page of ours asks for something.
FROM_OUR_PAGE = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}


class Answer(NamedTuple):
    """What came back; names of header fields in lower case."""

    status: int
    fields: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Asks one site, each time over a connection of its own."""

    def __init__(self, site: Site, inbox: Inbox) -> None:
        self.site = site
        self.inbox = inbox
        self.port = int(site.url.rpartition(":")[2].strip("/"))

    def ask(self, path: str, method: str = "GET", body: bytes | str | None = None, **fields: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            named = {name.replace("_", "-"): text for name, text in fields.items()}
            connection.putrequest(method, path, skip_host="Host" in named, skip_accept_encoding=True)
            octets = body.encode() if isinstance(body, str) else body
            if octets is not None:
                named.setdefault("Content-Length", str(len(octets)))
            for name, text in named.items():
                connection.putheader(name, text)
            connection.endheaders(octets)
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): text for name, text in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def api(self, path: str, method: str = "GET", given: object = None, **fields: str) -> Answer:
        """Ask the API as a program does."""
        body = None if given is None else json.dumps(given)
        more = {} if given is None else {"Content_Type": "application/json"}
        return self.ask(f"/api/v1{path}", method, body, **{**more, **fields})

    def csrf(self) -> str:
        """The token in our own pages."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.ask("/").text)
        assert found
        return found[1]

    def form(self, path: str, fields: dict[str, Any] | None = None, token: str | None = None, **more: str) -> Answer:
        """Send a form as our page does."""
        given = {"csrf": self.csrf() if token is None else token, **(fields or {})}
        kind = {"Content_Type": "application/x-www-form-urlencoded", "Sec_Fetch_Site": "same-origin"}
        return self.ask(path, "POST", urlencode(given, doseq=True), **{**kind, **more})

    def deliver(
        self,
        content: str | bytes = "Subject: Hello\r\nFrom: Ada <ada@example.org>\r\n\r\nText\r\n",
        to: Any = "bob@example.org",
        sender: str = "ada@example.org",
    ) -> int:
        """Send a message to the inbox by SMTP, and give its id."""
        with smtplib.SMTP("127.0.0.1", self.inbox.server.port) as client:
            client.sendmail(sender, to, content)
        return self.inbox.store.latest

    def connect(self) -> socket.socket:
        """A connection that says what it is told to."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def raw(self, octets: bytes) -> bytes:
        """Say these octets, and give all that comes until the server closes."""
        with self.connect() as connection:
            connection.sendall(octets)
            return heard(connection)

    @contextmanager
    def stream(self, path: str = "/events", **fields: str) -> Iterator[Stream]:
        """The stream of what arrives, as our page asks for it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            named = {name.replace("_", "-"): text for name, text in fields.items()}
            connection.request("GET", path, headers={**FROM_OUR_PAGE, **named})
            yield Stream(connection.getresponse())
        finally:
            connection.close()


class Stream:
    """Server-sent events, read as they come."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.answer = answer

    def next(self, wanted: str) -> tuple[str, str]:
        """The id and the data of the next event of that kind."""
        kind, number, data = "", "", []
        while True:
            octets = self.answer.readline()
            assert octets, "the stream ended"
            line = octets.decode().rstrip("\n")
            name, _, text = line.partition(": ")
            if name == "event":
                kind = text
            elif name == "id":
                number = text
            elif name == "data":
                data.append(text)
            elif not line:
                if kind == wanted:
                    return number, "\n".join(data)
                kind, number, data = "", "", []


def heard(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    octets = b""
    try:
        while piece := connection.recv(65536):
            octets += piece
    except ConnectionResetError:
        pass
    return octets


@contextmanager
def opened(**options: Any) -> Iterator[Client]:
    """An inbox and its page, each on a free port."""
    with Inbox(tls=False) as inbox:
        with Site(inbox.store, inbox.faults, smtp=inbox.server, smtp_url=inbox.url, port=0, **options) as site:
            yield Client(site, inbox)
