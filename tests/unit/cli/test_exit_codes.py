"""The exit code of every way in which a message may fail to leave, over real servers: 75 exactly when a retry helps."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mailwright import Inbox, Server
from mailwright.cli.exit_codes import code_for
from mailwright.inbox import Rules
from mailwright.words.errors import ConnectError, DeliveryError, Refused, Timeout
from mailwright.words.reply import Reply
from tests.dialogue import EHLO, C, Content, Drop, HangUp, S, hello
from tests.unit.cli.running import PROGRAM, WHO, WHOLE, Command, program, surroundings, without
from tests.unit.mailer.test_pool import listening

BOB, EVE = "bob@example.org", "eve@example.org"
ENVELOPE = [C("MAIL FROM:<ada@example.org>"), S("250 ok"), C(f"RCPT TO:<{BOB}>"), S("250 ok")]
CONTENT = [C("DATA"), S("354 go"), Content()]
QUIT = [C("QUIT"), S("221 bye"), Drop()]


def one_line(text: str) -> bool:
    return text.endswith("\n") and text.count("\n") == 1


def url(server: Server, scheme: str = "smtp+plain") -> str:
    return f"{scheme}://{server.host}:{server.port}"


@pytest.mark.parametrize(
    ("refuse", "code", "said"),
    [
        ({}, 0, ""),
        ({BOB: "550 5.1.1 No such mailbox"}, 67, "refused 1 of 2 recipients"),
        ({BOB: "550 5.1.1 No", EVE: "550 5.1.1 No"}, 67, "nobody got the message. Correct or remove"),
        ({BOB: "450 4.2.1 Later", EVE: "450 4.2.1 Later"}, 75, "nobody got the message. Try again later."),
        ({BOB: "450 4.2.1 Later"}, 67, "Send it later once more, but only to bob@example.org; the others must not"),
        ({BOB: "450 4.2.1 Later", EVE: "550 5.1.1 No"}, 67, "nobody got the message"),
        ({"ada@example.org": "550 5.7.1 Not you"}, 77, "refused the sender"),
        ({"ada@example.org": "451 4.7.1 Greylisted"}, 75, "refused the sender"),
    ],
)
def test_refusals_of_the_envelope(refuse: dict[str, str], code: int, said: str, command: Command) -> None:
    with Inbox(tls=False, refuse=refuse) as inbox:
        ran = command("send", *WHOLE, "--to", EVE, "--server", inbox.url)
        got = {address.spec for received in inbox.messages for address in received.recipients}
    assert ran.code == code and said in ran.err and ran.out == ""
    assert one_line(ran.err) or code == 0
    assert got == (set() if code and "ada@example.org" in refuse else {BOB, EVE} - set(refuse))


@pytest.mark.parametrize(
    ("reply", "code"), [(Reply(451, ("4.3.0 Full",)), 75), (Reply(554, ("5.6.0 Spam",)), 65), (None, 0)]
)
def test_refusals_of_the_content(reply: Reply | None, code: int, command: Command) -> None:
    with Inbox(tls=False, answer=lambda received: reply) as inbox:
        ran = command("send", *WHOLE, "--server", inbox.url)
    assert ran.code == code and (ran.err == "" if code == 0 else one_line(ran.err))


@pytest.mark.parametrize(
    ("turns", "code"),
    [
        ([Drop()], 75),
        ([S("421 busy"), Drop()], 75),
        ([S("554 go away"), Drop()], 75),  # what Postfix and others take for passing
        ([S("HTTP/1.1 400 Bad Request"), Drop()], 76),
        ([S("220 a"), C(EHLO), Drop()], 75),
        ([*hello("8BITMIME"), C("MAIL FROM:<ada@example.org>"), Drop()], 75),
        ([*hello("8BITMIME"), *ENVELOPE, C("DATA"), S("451 no"), C("RSET"), S("250 ok"), *QUIT], 75),
        ([*hello("8BITMIME"), *ENVELOPE, C("DATA"), S("554 no"), C("RSET"), S("250 ok"), *QUIT], 65),
        ([*hello("8BITMIME"), *ENVELOPE, *CONTENT, S("250 ok"), *QUIT], 0),
        ([*hello("8BITMIME"), *ENVELOPE, *CONTENT, S("250 ok"), Drop()], 0),  # it was taken; who cares for a goodbye
        ([*hello("8BITMIME"), *ENVELOPE, *CONTENT, S("452 full"), *QUIT], 75),
        ([*hello("8BITMIME"), *ENVELOPE, *CONTENT, S("552 too big"), *QUIT], 65),
        ([*hello("8BITMIME"), *ENVELOPE, *CONTENT, Drop()], 74),  # in doubt
        ([*hello("8BITMIME"), *ENVELOPE, *CONTENT, S("354 again?"), HangUp()], 74),
        ([*hello("SIZE 100"), *QUIT], 69),
    ],
    ids=lambda given: (
        given if isinstance(given, int) else "-".join(str(getattr(t, "lines", type(t).__name__)) for t in given[-2:])
    ),
)
def test_ways_in_which_a_talk_ends(turns: list[Any], code: int, command: Command) -> None:
    with listening(turns) as server:
        ran = command("send", *WHOLE, "--server", url(server), "--json")
    facts = json.loads(ran.out)
    assert ran.code == code, ran.err
    if code == 0:
        assert ran.err == "" and facts["recipients"][0]["fate"] == "accepted"
        return
    assert one_line(ran.err) and facts["exit_code"] == code
    assert facts["temporary"] == (code == 75) and facts["in_doubt"] == (code == 74)


def test_a_server_that_says_nothing_is_temporary_before_the_content_and_a_doubt_behind_it(command: Command) -> None:
    with listening([HangUp()]) as server:
        assert command("send", *WHOLE, "--server", f"{url(server)}?timeout=0.2").code == 75
    with listening([*hello("8BITMIME"), *ENVELOPE, *CONTENT, HangUp()]) as server:
        assert command("send", *WHOLE, "--server", f"{url(server)}?timeout=1").code == 74


def test_nobody_listens(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    ran = command("send", *WHOLE, "--server", f"smtp+plain://127.0.0.1:{port}")
    assert ran.code == 75 and "connection refused" in ran.err and one_line(ran.err)


def test_no_safe_connection(command: Command) -> None:
    with listening([*hello(), HangUp()]) as server:
        ran = command("send", *WHOLE, "--server", url(server, "smtp"))
    assert ran.code == 76 and "does not offer STARTTLS" in ran.err
    with Inbox(tls=True) as inbox:  # nobody knows who issued its certificate
        ran = command("send", *WHOLE, "--server", f"smtp://127.0.0.1:{inbox.server.port}")
    assert ran.code == 76 and "certificate" in ran.err and one_line(ran.err)


def test_a_wrong_password(command: Command) -> None:
    with Inbox(("ada", "right"), tls=False) as inbox:
        ran = command("send", *WHOLE, MAILWRIGHT_URL=inbox.url.replace("right", "wrong"))
    assert ran.code == 77 and one_line(ran.err)


def test_a_login_that_is_missing(command: Command) -> None:
    with Inbox(tls=False, rules=Rules(login_required=True)) as inbox:
        ran = command("send", *WHOLE, "--server", inbox.url)
    assert ran.code == 77 and "login" in ran.err


class Doing(S):
    """The server does something before it speaks."""

    def __init__(self, act: Any, *lines: str) -> None:
        self._act, self._lines = act, lines

    @property
    def lines(self) -> tuple[str, ...]:  # type: ignore[override]
        self._act()
        return self._lines


@contextmanager
def acting_before_the_content(act: Callable[[], object]) -> Iterator[str]:
    """A server that does something, and only then asks for the content; the client closes. Gives its URL."""

    def serve() -> None:
        connection = listener.accept()[0]
        with connection, connection.makefile("rb") as lines:
            connection.sendall(b"220 a\r\n")
            for line in lines:
                if line.startswith(b"DATA"):
                    act()
                    connection.sendall(b"354 go\r\n")
                    break
                connection.sendall(b"250 ok\r\n")
            lines.read()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"smtp+plain://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(15)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (lambda file: file.write_bytes(b"grown" * 300_000), 75),  # a log; the next run attaches it as it is then
        (lambda file: file.unlink(), 66),
    ],
    ids=["changed", "vanished"],
)
def test_an_attachment_that_is_not_the_same_when_it_is_sent(
    act: Callable[[Path], object], code: int, tmp_path: Path, command: Command
) -> None:
    file = tmp_path / "app.log"
    file.write_bytes(b"x" * 1000)
    with acting_before_the_content(lambda: act(file)) as url:
        ran = command("send", *WHOLE, "--attach", str(file), "--server", url, "--json")
    assert ran.code == code == json.loads(ran.out)["exit_code"] and one_line(ran.err)
    assert "app.log" in ran.err


@pytest.mark.parametrize(
    ("words", "stdin", "code", "said"),
    [
        ((*WHO, "--to", "not an address"), b"", 65, "not an address"),
        ((*WHOLE, "--header", "no colon"), b"", 65, "--header"),
        ((*WHOLE, "--subject", "two\nlines"), b"", 65, "control character"),
        ((*WHOLE, "--attach", "missing.pdf"), b"", 66, "missing.pdf"),
        ((*WHOLE, "--attach", "."), b"", 65, "directory"),
        ((*WHO, "--text-file", "missing.txt"), b"", 66, "missing.txt can't be read"),
        ((*WHO, "--text-file", "."), b"", 66, "can't be read"),
        ((*WHO, "--html", "missing.html"), b"", 66, "missing.html can't be read"),
        (WHO, b"fine\nGr\xfc\xdfe \x80", 65, "not UTF-8 text (octet 8, in line 2)"),
        ((*WHOLE, "--account", "work"), b"", 78, "There is no account work"),
        ((*WHOLE, "--server", "smtp.example.org"), b"", 78, "scheme"),
        ((*WHOLE, "--server", "smtp://ada@localhost"), b"", 78, "no password"),
        ((*WHOLE, "--server", "smtp://h", "--account", "work"), b"", 78, "Both a server and an account"),
        (("--to", "", "--from", "ada@example.org", "--text", "x"), b"", 64, "--to is empty"),
        (("--to", BOB, "--text", "x"), b"", 64, "no sender: give --from"),
        (("--from", "ada@example.org"), b"", 64, "no recipient"),
        ((*WHOLE, "--text-file", "x"), b"", 64, "either --text or --text-file"),
        ((*WHO, "--text-file", "-", "--html", "-"), b"", 64, "only one of"),
        ((*WHOLE, "--inline", "logo=logo.png"), b"", 64, "--html"),
        ((*WHO, "--html", "-", "--inline", "logo"), b"<p>", 65, "--inline logo=logo.png"),
        ((*WHO, "--html", "-", "--inline", f"a={__file__}", "--inline", f"a={__file__}"), b"<p>", 65, "'a'"),
        ((*WHOLE, "--preview", "--dry-run"), b"", 64, "either --preview or --dry-run"),
        ((*WHOLE, "--subjct", "x"), b"", 64, "--subjct is not known here. Did you mean --subject?"),
        ((*WHOLE, "--body", "x"), b"", 64, "Did you mean --text?"),
        ((*WHOLE, "-a", "x"), b"", 64, "Did you mean --attach?"),
        (("bob@example.org", *WHOLE), b"", 64, "A recipient is given as --to"),
        ((*WHOLE, "--to"), b"", 64, "expected one argument"),
    ],
)
def test_what_is_wrong_on_this_side(
    words: tuple[str, ...], stdin: bytes, code: int, said: str, command: Command
) -> None:
    server = {} if "--server" in words or "--account" in words else {"MAILWRIGHT_URL": "smtp+plain://127.0.0.1:9"}
    ran = command("send", *words, stdin=stdin, **server)
    assert ran.code == code and said in ran.err and one_line(ran.err) and ran.out == "", ran


def test_no_server_is_configured(command: Command) -> None:
    ran = command("send", *WHOLE)
    assert ran.code == 78 and "No mail server is configured" in ran.err and one_line(ran.err)


def test_every_error_of_ours_is_shown_as_json_too(command: Command) -> None:
    for words, kind, code in (
        (WHOLE, "ConfigError", 78),
        ((*WHOLE, "--to", "nobody", "--server", "smtp://h"), "AddressError", 65),
    ):
        ran = command("send", *words, "--json")
        facts = json.loads(ran.out)
        assert (ran.code, facts["error"], facts["exit_code"]) == (code, kind, code)
        assert facts["what"] in ran.err and facts["temporary"] is facts["in_doubt"] is False


def test_a_retry_never_helps_when_in_doubt() -> None:
    for kind in (DeliveryError, ConnectError, Timeout, Refused):
        assert code_for(kind("what", temporary=True, in_doubt=True)) == 74
        assert code_for(kind("what", temporary=True)) == 75
        assert code_for(kind("what", temporary=False)) not in (0, 75)
    assert code_for(ConnectError("no such host", temporary=False)) == 68


def test_a_missing_extra() -> None:
    ran = program("inbox", "--port", "0", "--tls", start=without("trustme"))
    assert ran.code == 69 and "pip install 'mailwright[inbox]'" in ran.err and one_line(ran.err)


def test_a_defect_is_called_one_and_shows_no_value(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILWRIGHT_DEBUG", "")
    monkeypatch.setattr("mailwright.cli.send.run", lambda arguments: {}["a secret key"])
    ran = command("send", *WHOLE)
    assert ran.code == 70 and one_line(ran.err) and "a secret key" not in ran.err
    assert "a defect of mailwright: KeyError in test_exit_codes.py, line " in ran.err
    assert "Traceback" in command("send", *WHOLE, MAILWRIGHT_DEBUG="1").err


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")
@pytest.mark.parametrize(("last", "said"), [(CONTENT, "may or may not arrive"), ([C("DATA")], "nothing was delivered")])
def test_ctrl_c_says_what_is_known(last: list[Any], said: str) -> None:
    started: list[subprocess.Popen[bytes]] = []
    ready = threading.Event()

    def interrupt() -> None:
        assert ready.wait(10)
        started[0].send_signal(signal.SIGINT)

    with listening([*hello("8BITMIME"), *ENVELOPE, *last, Doing(interrupt), HangUp()]) as server:
        words = [*PROGRAM, "send", *WHOLE, "--server", url(server)]
        with subprocess.Popen(words, stderr=subprocess.PIPE, env=surroundings()) as process:
            started.append(process)
            ready.set()
            _, err = process.communicate(timeout=30)
    assert process.returncode == 130 and said in err.decode() and one_line(err.decode())


@pytest.mark.parametrize(("words", "said"), [
    (["inbox", "--max", "many"], "mailwright inbox: argument --max: this takes a whole number. See"),
    (["doctor", "--timeout", "long"], "mailwright doctor: argument --timeout: this takes a number. See"),
])  # fmt: skip
def test_a_number_that_is_none_is_told_in_plain_words(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from mailwright.cli import main

    assert main(words) == 64
    assert capsys.readouterr().err.startswith(said)
