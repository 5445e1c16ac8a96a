"""Hostile mail through every route: always an answer, never a defect, and no connection to anywhere."""

from __future__ import annotations

import http.client
import json
import smtplib
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.inbox.web.asking import Client

VIEWS = (
    "",
    "/html",
    "/text",
    "/headers",
    "/parts",
    "/source",
    "/transcript",
    "/checks",
    "/frame",
    "/frame?images=1&scheme=dark",
    "/raw",
    "/part/1",
    "/part/1?preview=1",
)
PAYLOADS = [
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "'-alert(1)-'", "javascript:alert(1)", "</title><script>", "{{7*7}}{% debug %}", "<svg/onload=alert(1)>",
    "\x00\x01\x1b[2J\x7f", "\u202e\u2066", "=?utf-8?q?=3Cscript=3Ealert(1)=3C/script=3E?=", "a" * 3000, "../../etc/passwd", "\r\n\r\n<script>alert(1)</script>", "%0d%0aSet-Cookie:x=1", "]]><script>",
]  # fmt: skip
PLACES = [
    "Subject: {}\r\n\r\nx", "From: {} <a@example.org>\r\n\r\nx", "To: {}\r\n\r\nx", "X-{}: y\r\n\r\nx", "X-Y: {}\r\n\r\nx", "Date: {}\r\n\r\nx", "Content-Type: {}\r\n\r\nx",
    "Content-Type: text/html\r\n\r\n<p>{}</p>", 'Content-Type: image/png; name="{}"\r\nContent-Disposition: attachment; filename="{}"\r\n\r\nx', "Content-ID: <{}>\r\n\r\nx",
    "Content-Type: text/plain; charset={}\r\n\r\nx", "Content-Type: multipart/mixed; boundary={}\r\n\r\n--{}\r\n\r\nx", "Content-Transfer-Encoding: {}\r\n\r\nx", "Message-ID: {}\r\n\r\n{}",
]  # fmt: skip


class Inspector(HTMLParser):
    """Fails for anything in HTML that could run."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert tag not in ("object", "embed", "link", "meta") or not str(given).count("192.0.2")
        assert tag != "script" or (given.get("src") == "/static/app.js" and given.get("nonce"))
        assert not any(name.startswith("on") for name in given), (tag, attrs)
        for name in ("href", "src", "action", "formaction", "xlink:href"):
            address = (given.get(name) or "").strip().lower()
            assert not address.startswith(("javascript:", "vbscript:", "data:text")), (tag, attrs)


def check(client: Client, id: int) -> None:
    for view in VIEWS:
        answer = client.ask(f"/m/{id}{view}")
        assert answer.status in (200, 415) or (answer.status == 404 and view.startswith("/part")), (view, answer)
        kind = answer.fields["content-type"]
        assert kind.startswith(("text/html", "application/octet-stream", "image/", "text/plain"))
        if kind.startswith("text/html"):
            Inspector().feed(answer.text)
    assert client.ask("/").status == 200
    assert client.api(f"/messages/{id}").json["id"] == id


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.partition(":")[0])
def test_hostile_words_wherever_they_stand(place: str, client: Client) -> None:
    for payload in PAYLOADS:
        check(
            client,
            client.deliver(place.replace("{}", payload).encode().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")),
        )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(content=st.binary(max_size=400))
def test_any_octets_have_a_page(content: bytes, client: Client) -> None:
    check(client, client.deliver(content.replace(b"\r", b"").replace(b"\n", b"\r\n")))


GUARDED = """
import json, sys
met = []
def watch(name, given):
    if name in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "subprocess.Popen", "os.system"):
        met.append([name, repr(given)])
sys.addaudithook(watch)
from mailwright.inbox import Inbox
from mailwright.inbox.web import Site
with Inbox() as inbox, Site(inbox.store, inbox.faults, port=0, smtp=inbox.server, smtp_url=inbox.url) as site:
    met.clear()
    print(inbox.server.port, site.url.rpartition(":")[2].strip("/"), flush=True)
    sys.stdin.read()
    print(json.dumps(met))
"""
REMOTE = b"""From: a@example.org\r
List-Unsubscribe: <https://192.0.2.1/u>, <mailto:u@example.com>\r
List-Unsubscribe-Post: List-Unsubscribe=One-Click\r
DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=x; h=from; bh=x; b=x\r
Content-Type: text/html\r
\r
<link rel=stylesheet href=http://192.0.2.1/a.css><img src=http://192.0.2.1/a.png srcset="http://192.0.2.1/b.png 2x"><style>@import "http://192.0.2.1/c.css";</style>\r
<a href="http://192.0.2.1/">x</a><iframe src=http://192.0.2.1/></iframe><meta http-equiv=refresh content="0;url=http://192.0.2.1/"><video poster=http://192.0.2.1/p.png>\r
"""


def test_the_server_connects_to_nobody() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", GUARDED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        smtp, web = map(int, process.stdout.readline().split())
        with smtplib.SMTP("127.0.0.1", smtp) as client:
            client.sendmail("a@example.org", "b@example.org", REMOTE)
        answered = 0
        for path in (
            *(f"/m/1{view}" for view in VIEWS),
            "/",
            "/charts",
            "/faults",
            "/api",
            "/api/openapi.json",
            "/api/v1/messages/1",
            "/api/v1/wait",
            "/api/v1/messages/1/spam",
        ):
            connection = http.client.HTTPConnection("127.0.0.1", web, timeout=20)
            connection.request("GET", path)
            answered += connection.getresponse().status == 200
            connection.close()
        process.stdin.close()
        assert json.loads(process.stdout.read()) == []
    assert answered >= 19
