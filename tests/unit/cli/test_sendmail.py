"""`mailwright sendmail` over a real loopback server: who gets what, what others see, and what is done when it fails."""

from __future__ import annotations

import contextlib
import mailbox
import os
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

import pytest

from mailwright import Inbox
from tests.dialogue import EHLO, C, Content, Drop, S
from tests.unit.cli.running import PROGRAM, Command, Ran, program, surroundings
from tests.unit.mailer.test_pool import listening
from tests.unit.settings.test_secrecy import CANARY, leaks

ADA, BOB, EVE = "ada@example.org", "bob@example.org", "eve@example.com"
WHOLE = b"From: Ada <ada@example.org>\nTo: Bob <bob@example.org>\nSubject: Hi\n\nthere\n"


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox(tls=False, refuse={"nobody": "550 5.1.1 No such mailbox", "busy": "450 4.2.1 Later"}) as made:
        yield made


def sent(command: Command, inbox: Inbox, *words: str, stdin: bytes = WHOLE, **variables: str) -> EmailMessage:
    """Send one message that must arrive; gives it as it did."""
    before = len(inbox.messages)
    ran = command("sendmail", *words, stdin=stdin, **{"MAILWRIGHT_URL": inbox.url, "SENDER_EMAIL": ADA, **variables})
    assert ran == (0, "", "") and len(inbox.messages) == before + 1
    return parsed(inbox.messages[-1].content)


def parsed(octets: bytes) -> EmailMessage:
    return BytesParser(policy=policy.default).parsebytes(octets)  # type: ignore[arg-type]


def text_of(message: EmailMessage) -> str:
    return str(message.get_content()).replace("\r\n", "\n")


def envelope(inbox: Inbox) -> tuple[str, list[str]]:
    received = inbox.messages[-1]
    return received.envelope.reverse_path, [one.spec for one in received.recipients]


# Who gets it


def test_named_on_the_command_line(command: Command, inbox: Inbox) -> None:
    message = sent(command, inbox, "-i", "eve@example.com, Grace <grace@example.org>", "carol@example.org")
    assert envelope(inbox) == (ADA, [EVE, "grace@example.org", "carol@example.org"])  # not Bob: without -t
    assert message["To"] == "Bob <bob@example.org>" and message["Message-ID"] and message["Date"]


def test_named_in_the_message(command: Command, inbox: Inbox) -> None:
    head = b"From: ada@example.org\nTo: Bob <bob@example.org>,\n eve@example.com\nCc: Team: carl@example.org;\nBcc: secret@example.org\n"
    message = sent(command, inbox, "-t", "too@example.org", stdin=head + b"Subject: Hi\n\nx\n")
    assert envelope(inbox)[1] == ["too@example.org", BOB, EVE, "carl@example.org", "secret@example.org"]
    assert message["Bcc"] is None and b"secret" not in inbox.messages[-1].content


def test_bcc_is_taken_out_without_t_as_well(command: Command, inbox: Inbox) -> None:
    sent(command, inbox, BOB, stdin=b"Bcc: secret@example.org\nSubject: Hi\n\nx\n")
    assert envelope(inbox)[1] == [BOB] and b"secret" not in inbox.messages[-1].content


def test_sent_on_by_somebody_else(command: Command, inbox: Inbox) -> None:
    head = b"Resent-From: eve@example.com\nResent-To: grace@example.org\nResent-Bcc: carl@example.org\n" + WHOLE
    sent(command, inbox, "-t", stdin=head)
    assert envelope(inbox) == (EVE, ["grace@example.org", "carl@example.org"])
    assert b"carl@" not in inbox.messages[-1].content and b"Resent-To: grace" in inbox.messages[-1].content
    ran = command("sendmail", "-t", stdin=b"Resent-To: x@example.org\n" + head, MAILWRIGHT_URL=inbox.url)
    assert ran.code == 65 and "more than once" in ran.err


@pytest.mark.parametrize("head", [b"Subject: Hi\n", b"To: undisclosed-recipients:;\nSubject: Hi\n", b"To:\nCc: \n"])
def test_nobody_in_the_message(head: bytes, command: Command, inbox: Inbox, tmp_path: Path) -> None:
    ran = command(
        "sendmail", "-t", stdin=head + b"\nx\n", MAILWRIGHT_URL=inbox.url, SENDER_EMAIL=ADA, HOME=str(tmp_path)
    )
    assert ran.code == 65 and "no recipients" in ran.err and not inbox.messages


# Who sends it


@pytest.mark.parametrize(
    ("words", "head", "sender"),
    [
        ((), b"", ADA),
        ((), b"From: Eve <eve@example.com>\n", EVE),
        ((), b"From: eve@example.com, bob@example.org\nSender: bob@example.org\n", BOB),
        ((), b"From: eve@example.com, bob@example.org\n", ADA),
        ((), b"From: root (Cron Daemon)\n", ADA),
        ((), b"From: eve@example.com (Eve)\n", EVE),
        (("-f", "grace@example.org"), b"From: Eve <eve@example.com>\n", "grace@example.org"),
        (("-f", "Grace <grace@example.org>"), b"", "grace@example.org"),
        (("-r", "grace@example.org"), b"", "grace@example.org"),
        (("-f", "root"), b"From: Eve <eve@example.com>\n", ADA),
        (("-f", "www-data@localhost"), b"", ADA),
        (("-f", ""), b"From: Eve <eve@example.com>\n", ""),
        (("-f", "<>"), b"", ""),
    ],
)
def test_the_sender_of_the_envelope(
    words: tuple[str, ...], head: bytes, sender: str, command: Command, inbox: Inbox
) -> None:
    sent(command, inbox, *words, BOB, stdin=head + b"Subject: Hi\n\nx\n")
    assert envelope(inbox)[0] == sender


@pytest.mark.parametrize(
    ("words", "author"),
    [
        ((), ADA),
        (("-F", "Ada, Countess of Lovelace"), '"Ada, Countess of Lovelace" <ada@example.org>'),
        (("-F", "Łucja"), "Łucja <ada@example.org>"),
        (("-f", "grace@example.org", "-F", "Grace"), "Grace <grace@example.org>"),
        (("-f", "<>", "-F", "Ada"), "Ada <ada@example.org>"),
        (("-F", "Ada\nBcc: eve@example.com"), '"Ada Bcc: eve@example.com" <ada@example.org>'),
    ],
)
def test_a_message_without_from_gets_one(words: tuple[str, ...], author: str, command: Command, inbox: Inbox) -> None:
    assert sent(command, inbox, *words, BOB, stdin=b"Subject: Hi\n\nx\n")["From"] == author
    assert sent(command, inbox, *words, BOB, stdin=b"just a text\n")["From"] == author


def test_the_sender_is_the_accounts_else_its_user(command: Command, tmp_path: Path) -> None:
    with Inbox(("grace@example.org", "pw"), tls=False) as inbox:
        sent(command, inbox, BOB, stdin=b"x\n", SENDER_EMAIL="")
        assert envelope(inbox)[0] == "grace@example.org"


def test_no_sender_at_all(tmp_path: Path, inbox: Inbox, monkeypatch: pytest.MonkeyPatch, command: Command) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "here")
    ran = command("sendmail", BOB, stdin=b"x\n", MAILWRIGHT_URL=inbox.url, HOME=str(tmp_path))
    assert ran.code == 78 and "SENDER_EMAIL" in ran.err and "was saved" in ran.err
    monkeypatch.setattr(socket, "gethostname", lambda: "web1.example.org")
    assert command("sendmail", BOB, stdin=b"x\n", MAILWRIGHT_URL=inbox.url).code == 0
    assert envelope(inbox)[0].endswith("@web1.example.org")


# What others see


def test_what_cron_writes_becomes_a_message_that_providers_take(command: Command, inbox: Inbox) -> None:
    mail = (
        "From: root (Cron Daemon)\nTo: ada\nSubject: Cron <root@web1> tar Bücher\nMIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\nX-Cron-Env: <SHELL=/bin/sh>\n"
        "Auto-Submitted: auto-generated\n\ntar: Bücher: not found\n.\nnot the end\n"
    )
    message = sent(command, inbox, "-FCronDaemon", "-i", "-B8BITMIME", "-oem", "ada", stdin=mail.encode())
    assert envelope(inbox) == (ADA, [ADA])
    assert message["From"] == '"root (Cron Daemon)" <ada@example.org>' and message["To"] == "ada <ada@example.org>"
    assert message["Subject"] == "Cron <root@web1> tar Bücher" and message["X-Cron-Env"] == "<SHELL=/bin/sh>"
    assert text_of(message) == "tar: Bücher: not found\n.\nnot the end\n"
    assert inbox.messages[-1].content.partition(b"\r\n\r\n")[0].isascii()  # nobody needs SMTPUTF8 for it


def test_headers_in_other_encodings(command: Command, inbox: Inbox) -> None:
    mail = 'From: Ada Łucja <ada@example.org>\nTo: "Hüpper, Bob" <bob@example.org>\nSubject: Grüße =?utf-8?q?und_K=C3=BCsse?=\n\nx\n'
    message = sent(command, inbox, "-t", stdin=mail.encode())
    assert message["From"] == "Ada Łucja <ada@example.org>" and message["To"].addresses[0].display_name == "Hüpper, Bob"
    assert message["Subject"] == "Grüße und Küsse" and inbox.messages[-1].content.isascii()
    latin = "From: ada@example.org\nTo: bob@example.org\nSubject: Gr\xfc\xdfe\n\nx\n".encode("latin-1")
    assert sent(command, inbox, "-t", stdin=latin)["Subject"] == "Grüße"


def test_what_is_written_well_is_left_alone(command: Command, inbox: Inbox) -> None:
    head = b'From: "Ada" <ada@example.org>\r\nTo: =?utf-8?q?B=C3=B6b?= <bob@example.org>\r\nCc: Team:\r\n eve@example.com;\r\n'
    head += b"Subject:  =?utf-8?q?x?=  two  spaces\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n"
    sent(command, inbox, "-t", stdin=head + b"\r\nx\r\n")
    assert inbox.messages[-1].content == head + b"\r\nx\r\n"


def test_a_text_says_what_it_is_written_in(command: Command, inbox: Inbox) -> None:
    assert sent(command, inbox, BOB, stdin="Grüße\n".encode()).get_content() == "Grüße\r\n"
    assert sent(command, inbox, BOB, stdin=b"Gr\xfc\xdfe\n").get_content_charset() == "unknown-8bit"
    assert sent(command, inbox, BOB, stdin=b"plain\n")["Content-Type"] is None


def test_the_path_of_a_message_that_comes_from_a_mailbox_is_no_news(command: Command, inbox: Inbox) -> None:
    head = b"From ada Mon Jan  1 00:00:00 2024\nReturn-Path: <x@example.org>\nReceived: from a by b; x\n"
    message = sent(command, inbox, BOB, stdin=head + WHOLE)
    assert message["Return-Path"] is None and message["Received"] == "from a by b; x"


def test_a_message_that_goes_round_in_a_circle(command: Command, inbox: Inbox) -> None:
    ran = command(
        "sendmail", BOB, stdin=b"Received: from a by b; x\n" * 101 + WHOLE, MAILWRIGHT_URL=inbox.url, SENDER_EMAIL=ADA
    )
    assert ran.code == 65 and "circle" in ran.err and not inbox.messages


def test_a_signed_message_is_not_touched(command: Command, inbox: Inbox) -> None:
    head = b"DKIM-Signature: v=1; a=x\r\nFrom: root (Cron Daemon)\r\nTo: ada\r\nReturn-Path: <x@example.org>\r\nSubject: Hi\r\n"
    sent(command, inbox, BOB, stdin=head + b"\r\nx\r\n")
    assert inbox.messages[-1].content == head + b"\r\nx\r\n" and envelope(inbox) == (ADA, [BOB])


def test_php_mixes_its_line_ends(command: Command, inbox: Inbox) -> None:
    mail = b"To: bob@example.org\r\nSubject: Hi\r\nFrom: shop@example.org\r\nX-Mailer: PHP/8\r\n\r\none\ntwo\r\n"
    message = sent(command, inbox, "-t", "-i", stdin=mail)
    assert text_of(message) == "one\ntwo\n" and envelope(inbox) == ("shop@example.org", [BOB])


def test_delivery_reports(command: Command, inbox: Inbox) -> None:
    sent(command, inbox, "-N", "failure,delay", "-R", "hdrs", "-V", "id+17", BOB)
    received = inbox.messages[-1]
    assert received.mail_parameters["RET"] == "HDRS" and received.mail_parameters["ENVID"] == "id+2B17"
    assert received.rcpt_parameters[0]["NOTIFY"] == "FAILURE,DELAY"


def test_verbose_shows_the_talk(command: Command, inbox: Inbox) -> None:
    ran = command("sendmail", "-v", BOB, stdin=WHOLE, MAILWRIGHT_URL=inbox.url)
    assert ran.code == 0 and "RCPT TO:<bob@example.org>" in ran.out and "accepted by 127.0.0.1 for 1 of 1" in ran.out
    ran = command("sendmail", "-v", "nobody@example.org", stdin=WHOLE, MAILWRIGHT_URL=inbox.url)
    assert ran.code == 67 and "550 5.1.1" in ran.out


# When it fails


def dead(home: Path) -> bytes:
    return (home / "dead.letter").read_bytes()


@pytest.mark.parametrize(
    ("to", "code", "undelivered"),
    [
        (["nobody@example.org"], 67, b"nobody@example.org"),
        (["busy@example.org"], 75, b"busy@example.org"),
        ([BOB, "busy@example.org"], 67, b"busy@example.org"),
        (["nobody@example.org", "busy@example.org"], 67, b"nobody@example.org,\n busy@example.org"),
    ],
)
def test_a_message_that_was_refused_is_kept(
    to: list[str], code: int, undelivered: bytes, command: Command, inbox: Inbox, tmp_path: Path
) -> None:
    ran = command("sendmail", *to, stdin=WHOLE, MAILWRIGHT_URL=inbox.url, HOME=str(tmp_path))
    assert ran.code == code and ran.err.count("\n") == 1 and ran.out == ""
    assert f"The message was saved in {tmp_path}/dead.letter." in ran.err and "error.remaining" not in ran.err
    letter = dead(tmp_path)
    assert (
        letter.startswith(b"From MAILER-DAEMON ")
        and letter.partition(b"\n")[2] == b"X-Undelivered-To: " + undelivered + b"\n" + WHOLE + b"\n"
    )
    assert stat.S_IMODE((tmp_path / "dead.letter").stat().st_mode) == 0o600
    assert b"error.remaining" not in letter


def test_the_line_says_to_whom_it_may_be_sent_again(command: Command, inbox: Inbox, tmp_path: Path) -> None:
    ran = command("sendmail", BOB, "busy@example.org", stdin=WHOLE, MAILWRIGHT_URL=inbox.url, HOME=str(tmp_path))
    assert "only to busy@example.org; the others must not get it again" in ran.err and len(inbox.messages) == 1


def test_a_long_story_does_not_hide_where_the_message_is(command: Command, tmp_path: Path) -> None:
    refuse = {f"u{n}": f"550 5.1.1 {'no ' * 300}" for n in range(4)}
    with Inbox(tls=False, refuse=refuse) as inbox:
        to = [f"u{n}@{'long' * 12}.example.org" for n in range(4)]
        ran = command("sendmail", *to, stdin=WHOLE, MAILWRIGHT_URL=inbox.url, HOME=str(tmp_path))
    assert ran.code == 67 and ran.err.endswith(f"The message was saved in {tmp_path}/dead.letter.\n")


def failing(home: Path, *words: str, stdin: bytes = WHOLE, **variables: str) -> Ran:
    return program("sendmail", *(words or (BOB,)), stdin=stdin, env=surroundings(home, SENDER_EMAIL=ADA, **variables))


def test_75_exactly_when_a_retry_helps(tmp_path: Path) -> None:
    begin = [S("220 a"), C(EHLO), S("250 a"), C(f"MAIL FROM:<{ADA}>"), S("250 ok"), C(f"RCPT TO:<{BOB}>"), S("250 ok")]
    refused = [C("QUIT"), S("221 bye"), Drop()]
    cases = [
        ([*begin, C("DATA"), S("451 4.3.0 full"), C("RSET"), S("250 ok"), *refused], 75),
        ([*begin, C("DATA"), S("354 go"), Content(), S("452 4.3.1 full"), *refused], 75),
        ([*begin, C("DATA"), Drop()], 75),
        ([*begin, C("DATA"), S("354 go"), Content(), S("554 5.7.1 spam"), *refused], 65),
        ([*begin, C("DATA"), S("354 go"), Content(), Drop()], 74),
    ]
    for number, (script, code) in enumerate(cases):
        home = tmp_path / str(number)
        home.mkdir()
        with listening(script) as server:
            ran = failing(home, MAILWRIGHT_URL=f"smtp+plain://127.0.0.1:{server.port}")
        assert ran.code == code and ran.err.count("\n") == 1 and "was saved" in ran.err, ran
        assert WHOLE in dead(home)
    ran = failing(tmp_path, MAILWRIGHT_URL="smtp+plain://127.0.0.1:1")
    assert ran.code == 75 and "was saved" in ran.err
    ran = failing(tmp_path)
    assert ran.code == 78 and "No mail server is configured" in ran.err and "was saved" in ran.err


def test_letters_are_added_and_can_be_told_apart(tmp_path: Path, command: Command) -> None:
    for text in (b"From here\n>From there\n", b"no header, no end", b"Subject: x\n\ny\n"):
        command("sendmail", BOB, stdin=text, HOME=str(tmp_path), SENDER_EMAIL=ADA)
    with contextlib.closing(mailbox.mbox(tmp_path / "dead.letter")) as box:
        letters = [letter.get_payload() for letter in box]
    assert letters == [">From here\n>>From there\n", "no header, no end\n", "y\n"]


def test_another_place_for_dead_letters(tmp_path: Path, command: Command) -> None:
    ran = command("sendmail", BOB, stdin=WHOLE, DEAD=str(tmp_path / "letters"), SENDER_EMAIL=ADA)
    assert (
        ran.code == 78 and f"saved in {tmp_path}/letters." in ran.err and WHOLE in (tmp_path / "letters").read_bytes()
    )
    ran = command("sendmail", BOB, stdin=WHOLE, DEAD=os.devnull, HOME=str(tmp_path), SENDER_EMAIL=ADA)
    assert ran.code == 78 and not (tmp_path / "dead.letter").exists()


def test_no_place_for_dead_letters_is_said(tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "target"
    target.write_text("precious\n")
    (tmp_path / "link").symlink_to(target)
    os.link(target, tmp_path / "second")
    os.mkfifo(tmp_path / "pipe")
    for place in ("missing/dead.letter", "link", "second", "pipe", "."):
        ran = command("sendmail", BOB, stdin=WHOLE, DEAD=str(tmp_path / place), SENDER_EMAIL=ADA)
        assert ran.code == 78 and "could not be saved" in ran.err and ran.err.count("\n") == 1, place
    assert target.read_text() == "precious\n"
    assert "could not be saved" in command("sendmail", BOB, stdin=WHOLE, DEAD="letters", SENDER_EMAIL=ADA).err
    from mailwright.cli.sendmail import dead_letter

    monkeypatch.setattr(dead_letter, "FILE_LIMIT", 100)
    ran = command("sendmail", BOB, stdin=WHOLE, DEAD=str(tmp_path / "full"), SENDER_EMAIL=ADA)
    assert "would have more than" in ran.err and (tmp_path / "full").read_bytes() == b""


def test_others_can_not_read_a_letter_that_is_added(tmp_path: Path, command: Command) -> None:
    (tmp_path / "dead.letter").write_text("old\n")
    (tmp_path / "dead.letter").chmod(0o644)
    command("sendmail", BOB, stdin=WHOLE, HOME=str(tmp_path), SENDER_EMAIL=ADA)
    assert stat.S_IMODE((tmp_path / "dead.letter").stat().st_mode) == 0o600 and dead(tmp_path).startswith(b"old\nFrom ")


def test_what_can_not_be_sent_as_it_is(command: Command, inbox: Inbox, tmp_path: Path) -> None:
    for head, said in (
        (b"Subject: a\nSubject: b\n", "more than one Subject"),
        (b"From: eve@@example.com\nSubject: b\n", "In the header From"),
        (b"Subject: a\x00b\n", "control character"),
    ):
        ran = command(
            "sendmail", BOB, stdin=head + b"\nx\n", MAILWRIGHT_URL=inbox.url, SENDER_EMAIL=ADA, HOME=str(tmp_path)
        )
        assert ran.code == 65 and said in ran.err and ran.err.count("\n") == 1
    ran = command("sendmail", "bob@@example.org", stdin=WHOLE, MAILWRIGHT_URL=inbox.url, HOME=str(tmp_path))
    assert ran.code == 65 and not inbox.messages


@pytest.mark.parametrize(
    "word", ["|/bin/sh", "/etc/passwd", ":include:/etc/passwd", "bob smith", "-x", "a@b@c", '"|x"@localhost']
)
def test_a_recipient_is_never_a_program_or_a_file(word: str, command: Command, inbox: Inbox, tmp_path: Path) -> None:
    ran = command("sendmail", "--", word, stdin=WHOLE, MAILWRIGHT_URL=inbox.url, SENDER_EMAIL=ADA, HOME=str(tmp_path))
    assert ran.code == 65 and not inbox.messages


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is a signal there")
def test_interrupted(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        env = surroundings(
            tmp_path, SENDER_EMAIL=ADA, MAILWRIGHT_URL=f"smtp+plain://127.0.0.1:{listener.getsockname()[1]}"
        )
        words = [*PROGRAM, "sendmail", BOB]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as process:
            assert process.stdin is not None and process.stderr is not None
            process.stdin.write(WHOLE)
            process.stdin.close()
            listener.settimeout(30)
            with listener.accept()[0]:
                process.send_signal(signal.SIGINT)
                assert process.wait(30) == 130
            said = process.stderr.read().decode()
    assert "nothing was delivered" in said and said.count("\n") == 1 and WHOLE in dead(tmp_path)


def test_no_secret_is_shown_or_kept(tmp_path: Path) -> None:
    with Inbox(("ada", CANARY + "x"), tls=False) as inbox:
        url = f"smtp+plain://ada:{CANARY}@127.0.0.1:{inbox.server.port}"
        for words in ((BOB,), ("-v", BOB)):
            ran = failing(tmp_path, *words, MAILWRIGHT_URL=url)
            assert ran.code == 77 and not leaks(ran.out + ran.err + dead(tmp_path).decode())
        assert not leaks(program("sendmail", f"--account={url}", BOB, env=surroundings(tmp_path)).err)


@pytest.mark.skipif(os.name != "posix", reason="streams are closed as POSIX shells do it")
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(closed: str, tmp_path: Path) -> None:
    with Inbox(tls=False) as inbox:
        env = surroundings(tmp_path, MAILWRIGHT_URL=inbox.url, SENDER_EMAIL=ADA)
        ran = program("sendmail", BOB, stdin=WHOLE, env=env, redirected=closed)
        assert ran.code == 0 and len(inbox.messages) == 1


def test_under_the_name_of_sendmail(tmp_path: Path, inbox: Inbox) -> None:
    """As cron finds it: a link of that name, an environment of four variables, and the user's settings."""
    config = tmp_path / ".config" / "mailwright" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'[accounts.relay]\nurl = "{inbox.url}"\nsender = "{ADA}"\n[aliases]\nroot = "{BOB}"\n')
    names = {"sendmail": ["-i", "root"], "mailwright-sendmail": ["-i", "root"], "mailq": [], "newaliases": []}
    script = Path(PROGRAM[0]).with_name("mailwright")
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", "LOGNAME": "ada"}
    for name, words in names.items():
        link = tmp_path / name
        link.symlink_to(script)
        ran = subprocess.run([link, *words], input=WHOLE, env=env, capture_output=True, timeout=60, check=False)
        assert ran.returncode == 0 and ran.stderr == b"", ran
        assert (b"queue is empty" in ran.stdout) == (name == "mailq")
    assert [[one.spec for one in received.recipients] for received in inbox.messages] == [[BOB], [BOB]]


def test_help_names_what_it_knows(command: Command) -> None:
    ran = command("sendmail", "--help")
    assert ran.code == 0 and all(f"  -{letter} " in ran.out for letter in ("t", "i", "f", "F", "bs", "bv", "N", "v"))
    assert command("sendmail", "--version").out.startswith("mailwright ")
