"""SpamAssassin itself: its verdict on spam and on a plain message, the same on the page, by the API and by lint."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from html import unescape
from pathlib import Path

import pytest

from mailwright.inbox.web.spamd import Spamd
from tests.servers import spamd
from tests.unit.inbox.web.asking import opened

pytestmark = pytest.mark.real

# What SpamAssassin takes for spam wherever it stands, so that its users can try it out.
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    reason = spamd.missing()
    if reason is not None:
        pytest.skip(reason)
    with spamd.running() as port:
        yield port


def letter(text: str) -> bytes:
    message = EmailMessage()
    message["From"], message["To"] = "Ada <ada@example.org>", "Bob <bob@example.org>"
    message["Date"], message["Message-ID"] = "Fri, 20 Nov 2026 12:00:00 +0000", "<20261120.1200.ada@example.org>"
    message["Subject"] = "The minutes of Friday"
    message.set_content(text)
    return message.as_bytes().replace(b"\n", b"\r\n")


@pytest.mark.parametrize(
    ("text", "spam", "score"),
    [("Dear Bob,\n\nhere are the minutes.\n\nAda\n", False, -10), (f"Dear Bob,\n\n{GTUBE}\n\nAda\n", True, 1000)],
    ids=["plain", "GTUBE"],
)
def test_every_side_tells_the_same_verdict(port: int, tmp_path: Path, text: str, spam: bool, score: float) -> None:
    with opened(spamd=Spamd(port)) as client:
        client.deliver(letter(text))
        told = client.api("/messages/1/spam").json
        page = client.ask("/m/1/checks").text
    assert told["spam"] is spam and told["threshold"] == 5.0
    assert score <= told["score"] < score + 14
    points = {hit["name"]: hit["score"] for hit in told["hits"]}
    assert points.get("GTUBE", 0) == (1000 if spam else 0)
    assert abs(sum(points.values()) - told["score"]) < 0.1 * len(points)  # each is rounded; none was passed over

    said = re.search(r"SpamAssassin: (\S+) of (\S+) points, ([a-z ]+)", page)
    assert said is not None
    assert said.groups() == (f"{told['score']:.1f}", "5.0", "spam" if spam else "no spam")
    row = r"<tr><td>(\S+)</td><td><code><bdi>(\w+)</bdi></code></td><td><bdi>([^<]*)</bdi></td>"
    shown = re.findall(row, page)
    assert [(one[1], unescape(one[2])) for one in shown] == [(hit["name"], hit["meaning"]) for hit in told["hits"]]

    file = tmp_path / "a.eml"
    file.write_bytes(letter(text))
    words = [sys.executable, "-m", "mailwright", "lint", "--json", "--spamd", str(port), str(file)]
    ran = subprocess.run(words, capture_output=True, timeout=60, check=False)
    (checked,) = json.loads(ran.stdout)["messages"]
    assert ran.returncode == int(spam) and ran.stderr == b""
    assert [one["rule"] for one in checked["findings"]] == (["spamassassin"] if spam else [])
    verdict = checked["spam"]
    # What came by SMTP differs by nothing but the way it took, of which the octets say nothing here.
    assert verdict == told
