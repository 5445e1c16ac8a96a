"""Large parts are decoded piece by piece, and come out as if they had been decoded at once."""

from __future__ import annotations

import base64
import binascii
import random
import subprocess
import sys
from pathlib import Path

import pytest

from mailwright.inbox.web import parts
from tests.unit.inbox.web.asking import Client

NOISE = random.Random(4711).randbytes(300_000)
ENCODED = {
    "base64": base64.encodebytes(NOISE).replace(b"\n", b"\r\n"),
    "quoted-printable": binascii.b2a_qp(NOISE, istext=False).replace(b"\n", b"\r\n"),
    "7bit": (b"0123456789" * 7 + b"\r\n") * 4000,
    "x-unknown": (b"0123456789" * 7 + b"\r\n") * 4000,
}
ODD = {
    "base64, one line": base64.b64encode(NOISE),
    "base64, no padding": base64.b64encode(NOISE[:299_999]).rstrip(b"="),
    "base64, rubbish between": base64.b64encode(NOISE).replace(b"A", b"A*\x00\xe9 "),
    "base64, a letter too many": base64.b64encode(NOISE) + b"A",
    "base64, more behind the padding": base64.b64encode(NOISE[:299_999]) + b"AAAA",
    "base64, nothing": b"\r\n" * 100_000,
    "quoted-printable, one line": b"x" * 300_000,
    "quoted-printable, soft line ends": b"abc=\r\n" * 50_000,
    "quoted-printable, wrong": b"=XY=\r=3" * 50_000,
}


def sent(client: Client, encoding: str, body: bytes) -> int:
    head = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\none\r\n--x\r\nContent-Transfer-Encoding: "
    return client.deliver(head + encoding.encode() + b"\r\n\r\n" + body + b"\r\n--x--\r\n")


@pytest.mark.parametrize("encoding", ENCODED)
def test_all_encodings(encoding: str, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "LARGE", 1000)
    id = sent(client, encoding, ENCODED[encoding])
    octets = client.ask(f"/m/{id}/part/2").body
    expected = NOISE if encoding in ("base64", "quoted-printable") else ENCODED[encoding]
    assert octets.removesuffix(b"\r\n") == expected.removesuffix(b"\r\n")
    assert client.api(f"/messages/{id}/parts/2").body == octets
    told = client.api(f"/messages/{id}").json["parts"][-1]
    assert told["encoding"] == encoding and (encoding != "base64" or told["size"] == len(NOISE))


@pytest.mark.parametrize("case", ODD)
def test_odd_ones_come_out_the_same_either_way(case: str, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    id = sent(client, case.partition(",")[0], ODD[case].replace(b"\r=", b"="))
    at_once = client.ask(f"/m/{id}/part/2")
    monkeypatch.setattr(parts, "LARGE", 1000)
    piece_by_piece = client.ask(f"/m/{id}/part/2")
    assert at_once.status == piece_by_piece.status == 200 and at_once.body == piece_by_piece.body


LARGE = """
import resource, smtplib, sys, threading
from mailwright.inbox import Inbox, Rules
from tests.unit.inbox.web.asking import Client, Site

PARTS, SIZE = 6, 12 << 20
line = b"QUJD" * 18 + b"\\r\\n"
part = b"\\r\\n--b\\r\\nContent-Type: image/png\\r\\nContent-Transfer-Encoding: base64\\r\\n\\r\\n" + line * (SIZE * 4 // 3 // len(line))
head = b"Subject: large\\r\\nMIME-Version: 1.0\\r\\nContent-Type: multipart/mixed; boundary=b\\r\\n"
with Inbox(tls=False, rules=Rules(size=200 << 20), save=sys.argv[1]) as inbox, Site(inbox.store, port=0) as site:
    with smtplib.SMTP("127.0.0.1", inbox.server.port, timeout=60) as sender:
        sender.ehlo(), sender.mail("a@b.org"), sender.rcpt("c@d.org"), sender.docmd("DATA")
        sender.send(head)
        for _ in range(PARTS):
            sender.send(part)
        sender.send(b"\\r\\n--b--\\r\\n.\\r\\n")
        assert sender.getreply()[0] == 250
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    client, right = Client(site, inbox), []
    def get(number):
        import http.client, hashlib
        asking = http.client.HTTPConnection("127.0.0.1", client.port, timeout=60)
        asking.request("GET", f"/api/v1/messages/1/parts/{number}")
        answer, count = asking.getresponse(), 0
        while octets := answer.read(1 << 16):
            count += len(octets)
        right.append(count == part.count(b"QUJD") * 3)
        asking.close()
    threads = [threading.Thread(target=get, args=(number,)) for number in range(1, PARTS + 1)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    print(right == [True] * PARTS, inbox.store.rows()[0].size >> 20, grown)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of ru_maxrss is that of Linux")
def test_all_parts_of_100_megabytes_at_once_take_the_memory_of_one_copy(tmp_path: Path) -> None:
    words = [sys.executable, "-c", LARGE, str(tmp_path / "mails.sqlite")]
    ran = subprocess.run(words, capture_output=True, text=True, cwd=Path(__file__).parents[4], check=False)
    assert ran.stdout, ran
    right, size, grown = ran.stdout.split()
    assert right == "True" and int(size) >= 96 and int(grown) < 180, ran.stdout


MANY = """
import resource, threading
from mailwright.smtp.receiving import Received
from mailwright.words.envelope import Envelope
from tests.unit.inbox.web.asking import opened

head = b"Subject: many\\r\\nMIME-Version: 1.0\\r\\nContent-Type: multipart/mixed; boundary=b\\r\\n\\r\\n"
with opened() as client:
    client.inbox.store.add(Received(Envelope.of("a@b.org", "c@d.org"), head + b"--b\\r\\n\\r\\n\\r\\n" * 200_000))
    client.ask("/m/1/parts")
    before, right = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, []
    threads = [threading.Thread(target=lambda: right.append(client.ask("/m/1/parts").status)) for _ in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    print(right == [200] * 8, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of ru_maxrss is that of Linux")
def test_hundreds_of_thousands_of_parts_are_laid_open_once_at_a_time() -> None:
    words = [sys.executable, "-c", MANY]
    ran = subprocess.run(words, capture_output=True, text=True, cwd=Path(__file__).parents[4], check=False)
    assert ran.stdout, ran
    right, grown = ran.stdout.split()
    assert right == "True" and int(grown) < 35, ran.stdout
