"""Messages made to be costly: small where they are sent, large, deep or many where they are read. Every view and the
API answer, within their limits, and whoever comes next is served.
"""

from __future__ import annotations

import io
import zipfile
from base64 import encodebytes

import pytest

from mailwright.smtp.receiving.received import Received
from mailwright.words.envelope import Envelope
from tests.unit.inbox.web.asking import Client

HEAD = (
    b"From: ada@example.org\r\nTo: bob@example.org\r\nDate: Sat, 21 Nov 2026 03:00:00 +0000\r\n"
    b"Message-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n"
)
MIXED = b'Content-Type: multipart/mixed; boundary="b'
HTML = b"Content-Type: text/html\r\n\r\n"
ENVELOPE = Envelope.of("ada@example.org", ["bob@example.org"])
VIEWS = ("html", "text", "headers", "parts", "source", "transcript", "checks", "frame")
ANSWER_LIMIT = 16_000_000  # octets: the longest is two megabytes of text, each of which may need an entity


def base64(kind: bytes, name: bytes, octets: bytes) -> bytes:
    head = b"Content-Type: %b; name=%b\r\nContent-Transfer-Encoding: base64\r\n\r\n" % (kind, name)
    return head + encodebytes(octets).replace(b"\n", b"\r\n")


def archive() -> bytes:
    """A zip file of 50 kB that unfolds to 50 MB."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros", bytes(50_000_000))
    return made.getvalue()


#: A picture of ten gigabytes, in thirty octets.
PICTURE = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + (50_000).to_bytes(4, "big") * 2 + b"\x08\x06\0\0\0" + bytes(4)

BOMBS = {
    "ten thousand parts": MIXED + b'"\r\n\r\n' + b"--b\r\nContent-Type: image/png; name=x.png\r\n\r\nx\r\n" * 10_000,
    "a thousand levels": b"".join(MIXED + b'%d"\r\n\r\n--b%d\r\n' % (n, n) for n in range(1000)),
    "the same boundary at each level": (MIXED + b'"\r\n\r\n--b\r\n') * 5000,
    "a message in a message": b"Content-Type: message/rfc822\r\n\r\n" * 2000,
    "a million header fields": b"X: y\r\n" * 1_000_000 + b"\r\nx",
    "a header field of a megabyte": b"Subject: " + b"x" * 1_000_000 + b"\r\n\r\nx",
    "a hundred thousand people": b"Cc: " + b", ".join(b"a%d@example.org" % n for n in range(100_000)) + b"\r\n\r\nx",
    "encoded words": b"Subject: " + b"=?utf-8?q?a?= " * 20_000 + b"\r\n\r\nx",
    "what begins like encoded words": b"Subject: " + b"=?" * 200_000 + b"\r\n\r\nx",
    "comments in comments": b"Sender: " + b"(" * 200_000 + b"\r\n\r\nx",
    "a name in a thousand pieces": b"Content-Type: text/plain; " + b"".join(b"name*%d=a; " % n for n in range(20_000)),
    "signatures": b"DKIM-Signature: v=1; d=a.example; h=from:to; b=x\r\n" * 5000 + b"\r\nx",
    "one line of twenty megabytes": b"\r\n" + b"x" * 20_000_000,
    "a million empty lines": b"\r\n" * 1_000_000,
    "tags that never end": HTML + b"<" * 2_000_000,
    "quotation marks that never end": HTML + b"<a " + b"a='" * 300_000,
    "links": HTML + b"<a href=http://x.example>" * 40_000,
    "tables in tables": HTML + b"<table><tr><td>" * 60_000,
    "comments that never end": HTML + b"<!--" * 300_000,
    "elements that are left out": HTML + b"<svg><math>" * 60_000,
    "half of an entity": HTML + b"&#x" * 300_000,
    "addresses in a style sheet": HTML + b"<style>" + b"a{b:url(x)}" * 80_000,
    "half of an address in a style sheet": HTML + b"<style>" + b"url('" * 200_000,
    "imports": HTML + b"<style>" + b"@import" * 100_000,
    "a style sheet in a style sheet": HTML + b"<style>" + b"@media(a){" * 100_000,
    "addresses in a text": b"\r\n" + b"http://a.example/x " * 50_000,
    "directions": b"\r\n" + "\u202e\u2066".encode() * 100_000,
    "an archive": base64(b"application/zip", b"x.zip", archive()),
    "a picture": base64(b"image/png", b"x.png", PICTURE),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_message_made_to_be_costly_is_shown_like_any_other(name: str, client: Client) -> None:
    id = client.inbox.store.add(Received(ENVELOPE, HEAD + BOMBS[name]))
    for view in VIEWS:
        answer = client.ask(f"/m/{id}/{view}")
        assert answer.status == 200 and 0 < len(answer.body) < ANSWER_LIMIT, view
    assert client.api(f"/messages/{id}").status == 200
    assert client.ask("/").text.count('<li class="row') == 1
    assert client.ask(f"/m/{id}/part/1?preview=1").status in (404, 415)  # nothing here is a picture that is shown
