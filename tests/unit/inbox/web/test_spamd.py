"""SpamAssassin's verdict, from whatever listens on spamd's port."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mailwright.inbox.web.spamd import ANSWER_LIMIT, Spamd, SpamdError
from mailwright.words.errors import ConfigError
from tests.unit.inbox.web.asking import opened

REPORT = b"""Spam detection software, running on the system "x",
has identified this incoming email as possible spam.

Content analysis details:   (6.2 points, 5.0 required)

 pts rule name              description
---- ---------------------- --------------------------------------------------
 5.0 GTUBE_LIKE             BODY: Something that everybody agrees on
-0.0 NO_RELAYS              Informational: message was not relayed via SMTP
 1.2 MISSING_HEADERS        Missing To: header, which
                            goes on here \x1b[2J
"""


@contextmanager
def answering(answer: bytes, asked: list[bytes]) -> Iterator[int]:
    """A server that says this to whoever has said everything; and its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with listening.accept()[0] as client:
                heard = b""
                try:
                    while piece := client.recv(65536):
                        heard += piece
                    asked.append(heard)
                    client.sendall(answer)
                except OSError:
                    asked.append(heard)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(20)


def said(verdict: bytes, body: bytes = b"") -> bytes:
    return b"SPAMD/1.1 0 EX_OK\r\nContent-length: %d\r\nSpam: %s\r\n\r\n%s" % (len(body), verdict, body)


def test_the_verdict_reaches_whoever_asks() -> None:
    asked: list[bytes] = []
    with answering(said(b"True ; 6.2 / 5.0", REPORT), asked) as port, opened(spamd=Spamd(port)) as client:
        client.deliver("Subject: x\r\n\r\ny\r\n")
        assert client.api("/messages/1/spam").json == {
            "spam": True, "score": 6.2, "threshold": 5.0,
            "hits": [
                {"score": 5.0, "name": "GTUBE_LIKE", "meaning": "BODY: Something that everybody agrees on"},
                {"score": -0.0, "name": "NO_RELAYS", "meaning": "Informational: message was not relayed via SMTP"},
                {"score": 1.2, "name": "MISSING_HEADERS", "meaning": "Missing To: header, which goes on here \\x1b[2J"},
            ],
        }  # fmt: skip
    assert asked == [b"REPORT SPAMC/1.5\r\nContent-length: 17\r\n\r\nSubject: x\r\n\r\ny\r\n"]


def test_the_verdict_stands_among_the_checks() -> None:
    with answering(said(b"True ; 6.2 / 5.0", REPORT), []) as port, opened(spamd=Spamd(port)) as client:
        client.deliver()
        page = client.ask("/m/1/checks")
        assert (
            page.status == 200
            and "6.2 of 5.0 points" in page.text
            and "MISSING_HEADERS" in page.text
            and "\x1b" not in page.text
        )


@pytest.mark.parametrize("answer", [said(b"False ; -0.5 / 5.0"), said(b"No ; -0.5/5"), said(b"false;-.5 / 5.00")])
def test_ham_is_ham(answer: bytes) -> None:
    with answering(answer, []) as port:
        verdict = Spamd(port).verdict([b"x\r\n"], 3)
    assert (verdict.spam, verdict.score, verdict.threshold, verdict.hits) == (False, -0.5, 5.0, ())


@pytest.mark.parametrize(
    "answer",
    [b"", b"220 mx ESMTP\r\n", b"SPAMD/1.1 74 EX_IOERR\r\n\r\n", b"SPAMD/1.1 0 EX_OK\r\n\r\n", said(b"True ; ... / 5"), said(b"maybe ; 1 / 2"), b"SPAMD/1.1 0", b"\0" * 100_000,
     b"SPAMD/1.1 0 EX_OK\r\n" + b"X: y\r\n" * 100_000, b"SPAMD/1.1 0 EX_OK\r\n" + b" " * ANSWER_LIMIT * 2],
    ids=lambda answer: repr(answer[:20]),
)  # fmt: skip
def test_whatever_else_is_said_is_no_verdict(answer: bytes) -> None:
    with answering(answer, []) as port, opened(spamd=Spamd(port)) as client:
        client.deliver()
        told = client.api("/messages/1/spam")
        assert told.status == 502 and told.json["error"]["what"].isprintable()


# As SpamAssassin 4.0.1 says it of a message whose text is made to look like the table.
OF_TEN_AND_MORE = b"""Spam detection software, running on the system "x",
has identified this incoming email as possible spam.

Content preview:   pts rule name              description ----
   ---------------------- ---- --- ---
   5.0 FORGED_RULE            The message says so itself

Content analysis details:   (1006.6 points, 5.0 required)

 pts rule name              description
---- ---------------------- --------------------------------------------------
-0.0 NO_RECEIVED            Informational: message has no Received headers
1000 GTUBE                  BODY: Generic Test for Unsolicited Bulk Email
-100 USER_IN_WELCOMELIST    User is listed in 'welcomelist_from'
  11 Of_Ten                 DNS: Lower case, and two digits
                            [URIs: example.org]
 0.1 MIME_HEADER_CTYPE_ONLY 'Content-Type' found without required MIME
                            headers


"""


def test_points_from_ten_on_are_whole_and_the_preview_is_no_table() -> None:
    with answering(said(b"True ; 1006.6 / 5.0", OF_TEN_AND_MORE), []) as port:
        hits = Spamd(port).verdict([b"x"], 1).hits
    assert [(hit.score, hit.name) for hit in hits] == [
        (-0.0, "NO_RECEIVED"),
        (1000.0, "GTUBE"),
        (-100.0, "USER_IN_WELCOMELIST"),
        (11.0, "Of_Ten"),
        (0.1, "MIME_HEADER_CTYPE_ONLY"),
    ]
    assert hits[3].meaning == "DNS: Lower case, and two digits [URIs: example.org]"
    assert hits[4].meaning == "'Content-Type' found without required MIME headers"


def test_a_table_without_end_is_cut() -> None:
    body = b" 1.0 RULE_X                 meaning\n" * 20_000
    with answering(said(b"True ; 9 / 5", body), []) as port:
        assert len(Spamd(port).verdict([b"x"], 1).hits) == 500


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(SpamdError) as caught:
        Spamd(port).verdict([b"x"], 1)
    assert "Start it" in caught.value.advice


def test_large_messages_are_not_asked_about() -> None:
    with pytest.raises(SpamdError, match="8 MB"):
        Spamd(1).verdict([b"x"], 1 << 30)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_ports_that_are_none(port: int) -> None:
    with pytest.raises(ConfigError):
        Spamd(port)
