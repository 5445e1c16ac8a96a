"""`sendmail -bs`: SMTP on standard input and output, and answers that are true."""

from __future__ import annotations

import smtplib
import socket
import subprocess
from pathlib import Path

import pytest

from mailwright import Inbox
from tests.dialogue import EHLO, C, Content, Drop, S
from tests.unit.cli.running import PROGRAM, program, surroundings
from tests.unit.mailer.test_pool import listening

ADA, BOB = "ada@example.org", "bob@example.org"


def talk(*lines: str, url: str, home: Path, end: str = "\r\n", **variables: str) -> list[str]:
    """Say all lines at once and give the answers, without the greeting and the answer to EHLO."""
    env = surroundings(home, **({"MAILWRIGHT_URL": url} if url else {}), SENDER_EMAIL=ADA, **variables)
    spoken = "".join(line + end for line in ("EHLO here", *lines, "QUIT"))
    ran = program("sendmail", "-bs", stdin=spoken.encode(), env=env)
    assert ran.code == 0, ran
    answers = ran.out.split("\r\n")
    assert answers[0].startswith("220 ") and answers.pop() == ""
    begin = next(n for n, line in enumerate(answers) if line.startswith("250 "))
    return answers[begin + 1 :]


MAIL = (f"MAIL FROM:<{ADA}>", f"RCPT TO:<{BOB}>", "DATA", f"From: {ADA}", "Subject: Hi", "", "there", "..two", ".")


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_a_message_is_passed_on(end: str, tmp_path: Path) -> None:
    with Inbox(tls=False) as inbox:
        answers = talk(*MAIL, *MAIL, url=inbox.url, home=tmp_path, end=end)
        first, second = inbox.messages
    assert [line[:3] for line in answers] == ["250", "250", "354", "250"] * 2 + ["221"]
    assert "accepted by 127.0.0.1 for 1 of 1 recipients" in answers[3]
    assert first.content.startswith(b"Received: from here\r\n by localhost (mailwright sendmail) with ESMTP;\r\n ")
    assert first.content.endswith(b"\r\n\r\nthere\r\n.two\r\n") and first.envelope == second.envelope
    assert not (tmp_path / "dead.letter").exists()


def test_by_the_client_of_the_standard_library(tmp_path: Path) -> None:
    """Over a socket pair, as inetd starts it."""
    with Inbox(tls=False) as inbox:
        ours, theirs = socket.socketpair()
        env = surroundings(tmp_path, MAILWRIGHT_URL=inbox.url)
        with theirs, subprocess.Popen([*PROGRAM, "sendmail", "-bs"], stdin=theirs, stdout=theirs, env=env) as process:
            with ours, smtplib.SMTP() as client:
                client.sock, client.file = ours, None
                assert client.getreply()[0] == 220
                text = "From: ada@example.org\r\nSubject: Grüße\r\n\r\n.\r\nx\r\n"
                refused = client.sendmail(ADA, [BOB, "eve@example.com"], text.encode(), ["BODY=8BITMIME"])
                assert refused == {} and client.verify("x")[0] == 252
            assert process.wait(30) == 0
        assert [one.spec for one in inbox.messages[0].recipients] == [BOB, "eve@example.com"]
        assert inbox.messages[0].content.endswith(b"\r\n\r\n.\r\nx\r\n")


def test_no_half_truths(tmp_path: Path) -> None:
    """One answer for all: if one recipient is refused, nobody gets it."""
    two = (MAIL[0], MAIL[1], "RCPT TO:<%s>", *MAIL[2:])
    with Inbox(
        tls=False, refuse={"nobody": "550 5.1.1 no", "busy": "450 4.2.1 later", "eve@example.com": "553 5.7.1 no"}
    ) as inbox:
        for to, code in (("nobody@example.org", "554 5.1.1"), ("busy@example.org", "451 4.2.1")):
            answers = talk(*(line % to if "%" in line else line for line in two), url=inbox.url, home=tmp_path)
            assert answers[4].startswith(code) and to in answers[4], answers
        answers = talk("MAIL FROM:<eve@example.com>", *MAIL[1:], url=inbox.url, home=tmp_path)
        assert answers[3].startswith("554 5.7.1") and not inbox.messages


def test_the_answer_when_nothing_can_be_sent(tmp_path: Path) -> None:
    assert talk(*MAIL, url="", home=tmp_path)[3].startswith("451 4.3.5 No mail server is configured")
    answers = talk(*MAIL, url="smtp+plain://127.0.0.1:1", home=tmp_path)
    assert answers[3].startswith("451 4.3.0") and answers[4].startswith("221")
    twice = (*MAIL[:3], "Subject: a", "Subject: b", "", "x", ".")
    assert talk(*twice, url="smtp+plain://127.0.0.1:1", home=tmp_path)[3].startswith("554 5.6.0")


def test_doubt_is_no_invitation_to_try_again(tmp_path: Path) -> None:
    begin = [S("220 a"), C(EHLO), S("250 a"), C(f"MAIL FROM:<{ADA}>"), S("250 ok"), C(f"RCPT TO:<{BOB}>"), S("250 ok")]
    with listening([*begin, C("DATA"), S("354 go"), Content(), Drop()]) as server:
        answers = talk(*MAIL, url=f"smtp+plain://127.0.0.1:{server.port}", home=tmp_path)
    assert answers[3].startswith("554 ") and "may or may not arrive" in answers[3]


def test_local_names(tmp_path: Path) -> None:
    with Inbox(tls=False) as inbox:
        answers = talk(
            MAIL[0], "RCPT TO:<Postmaster>", "RCPT TO:<root@localhost>", *MAIL[1:], url=inbox.url, home=tmp_path
        )
        assert answers[5].startswith("250") and [one.spec for one in inbox.messages[0].recipients] == [ADA, BOB]
        assert talk(MAIL[0], "RCPT TO:<root>", url=inbox.url, home=tmp_path)[1].startswith("501")


def test_what_else_a_stranger_says(tmp_path: Path) -> None:
    answers = talk("NOOP", "FROB", "AUTH PLAIN AGEAYg==", "BDAT 3", url="", home=tmp_path)
    assert [line[:3] for line in answers[:2]] == ["250", "500"] and answers[2].startswith("5")
    ran = program("sendmail", "-bs", stdin=b"EHLO x\r\nMAIL FROM:<a@example.org>\r", env=surroundings(tmp_path))
    assert ran.code == 0 and ran.err == ""
    ran = program("sendmail", "-bs", stdin=b"", env=surroundings(tmp_path))
    assert ran.code == 0 and ran.out.startswith("220 ") and ran.err == ""
