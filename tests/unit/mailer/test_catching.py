"""MAILWRIGHT_CATCH through every door: what is caught, what is really sent, what is told, and no password of the real server anywhere."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

import mailwright
from mailwright import AsyncMailer, DeliveryError, Inbox, Login, Mailer, Message, Receipt, Server
from mailwright.errors import ConfigError, RecipientsRefused
from mailwright.mailer import catching
from mailwright.mailer.catching import divert
from mailwright.mailer.settings import resolve
from mailwright.options import TLS, Limits, Timeouts
from mailwright.words.address import Address
from mailwright.words.value import replace
from tests.dialogue import EHLO, RAW, C, Content, S, Script, following
from tests.unit.cli.running import program, surroundings
from tests.unit.settings.test_secrecy import CANARY, leaks

ADA, BOB, EVE = "ada@example.org", "bob@example.org", "eve@example.com"
MESSAGE = Message(ADA, [BOB, EVE], "Hi", "there")
DOORS = ["send", "Mailer", "send_async", "AsyncMailer", "Trio", "send_async, Trio"]
REAL = "smtp.example.invalid"  # a name that nobody can connect to


@pytest.fixture(autouse=True)
def nothing_else_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("MAILWRIGHT_URL", "SMTP_HOST", "SENDER_EMAIL", catching.CATCH, catching.EXCEPT, "MAILWRIGHT_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    with Inbox(tls=False, refuse={"nobody": "550 5.1.1 No such mailbox", "busy": "450 4.2.1 Later"}) as made:
        monkeypatch.setenv(catching.CATCH, f"smtp://127.0.0.1:{made.server.port}")
        yield made


def through(door: str, server: Server | str | None, message: Any = MESSAGE, **options: Any) -> Receipt:
    """Send `message` through one of the doors."""
    if door == "send":
        return mailwright.send(message, server=server)
    if door == "Mailer":
        assert server is not None
        with Mailer(server) as mailer:
            return mailer.send(message, **options)

    async def one() -> Receipt:
        if door.startswith("send_async"):
            return await mailwright.send_async(message, server=server)
        assert server is not None
        async with AsyncMailer(server) as mailer:
            return await mailer.send(message, **options)

    return trio.run(one) if door.endswith("Trio") else asyncio.run(one())


@contextmanager
def untouched() -> Iterator[Server]:
    """A server that must not be connected to."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield Server("127.0.0.1", listener.getsockname()[1], "none", Login("ada", CANARY))
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize("door", DOORS)
def test_whatever_is_named_the_inbox_gets_it(door: str, inbox: Inbox) -> None:
    with untouched() as real:
        receipt = through(door, real)
    assert [one.spec for one in inbox.messages[0].recipients] == [BOB, EVE] and len(inbox.messages) == 1
    assert inbox.messages[0].login is None
    assert (receipt.host, receipt.port, receipt.diverted) == ("127.0.0.1", inbox.server.port, str(real))
    assert str(receipt) == f"accepted by 127.0.0.1 for 2 of 2 recipients (caught: it was meant for {real})"
    assert receipt.complete and receipt.parts == () and receipt.login is None
    assert str(real) not in str(receipt.transcript)


@pytest.mark.parametrize("door", DOORS)
def test_no_form_of_the_real_password_reaches_the_inbox(door: str, monkeypatch: pytest.MonkeyPatch) -> None:
    greeting = [S("220 a"), C(EHLO), S("250-a", "250-AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2", "250 8BITMIME")]
    mail = [C(f"MAIL FROM:<{ADA}>"), S("250 ok"), C(f"RCPT TO:<{BOB}>"), S("250 ok"), C("DATA"), S("354 go")]
    tls = TLS(certificate=f"{CANARY}.pem", key_password=CANARY)
    for login in (Login("ada", CANARY), Login("ada", token=CANARY), Login("ada", token=lambda: CANARY)):
        script = Script([*greeting, *mail, Content(), S("250 ok"), C("QUIT"), S("221 bye")])
        with following(script) as port:
            monkeypatch.setenv(catching.CATCH, f"smtp://127.0.0.1:{port}")
            proxy = f"http://ada:{CANARY}@127.0.0.1:1"
            real = Server(REAL, security="starttls", login=login, proxy=proxy, tls=tls, hello="we.example.org")
            receipt = through(door, real, Message(ADA, BOB, "Hi", "there"))
        assert not leaks(b"".join(script.heard).decode()) and not leaks(f"{receipt!r} {receipt} {receipt.transcript}")


def test_said_once_in_a_process_and_in_every_receipt(inbox: Inbox) -> None:
    code = (
        "import sys, mailwright\n"
        "for host in ('smtp.gmail.com:465', 'smtp.office365.com:587'):\n"
        "    server = mailwright.Server.from_url(f'smtp://ada:secret@{host}')\n"
        "    with mailwright.Mailer(server) as mailer:\n"
        "        for _ in range(2):\n"
        "            print(mailer.send(mailwright.Message('ada@example.org', 'bob@example.org', 'Hi', 'x')))\n"
    )
    port = inbox.server.port
    ran = program(start=(sys.executable, "-c", code), env=surroundings(MAILWRIGHT_CATCH=f"smtp://127.0.0.1:{port}"))
    assert (
        ran.err
        == f"mailwright: MAILWRIGHT_CATCH is set: mail for smtp.gmail.com:465 goes to 127.0.0.1:{port} instead\n"
    )
    lines = ran.out.splitlines()
    assert len(lines) == 4 and all(
        line.startswith("accepted by 127.0.0.1 for 1 of 1 recipients (caught: ") for line in lines
    )
    assert lines[0].endswith("meant for smtp.gmail.com:465)") and lines[3].endswith("meant for smtp.office365.com:587)")


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/full"])
def test_who_has_no_standard_error_is_caught_all_the_same(closed: str, inbox: Inbox) -> None:
    env = surroundings(MAILWRIGHT_CATCH=f"smtp://127.0.0.1:{inbox.server.port}")
    words = ("send", "--to", BOB, "--from", ADA, "--subject", "Hi", "--text", "x", "--server", f"smtps://{REAL}")
    assert program(*words, env=env, redirected=closed).code == 0 and len(inbox.messages) == 1


def test_the_command_line_and_its_json(inbox: Inbox) -> None:
    env = surroundings(
        MAILWRIGHT_CATCH=f"smtp://127.0.0.1:{inbox.server.port}", MAILWRIGHT_URL=f"smtps://ada:{CANARY}@{REAL}"
    )
    words = ("send", "--to", BOB, "--from", ADA, "--subject", "Hi", "--text", "x", "--json")
    ran = program(*words, env=env)
    facts = json.loads(ran.out)
    assert ran.code == 0 and facts["port"] == inbox.server.port and REAL in ran.err and ran.err.count("\n") == 1
    assert not leaks(ran.out + ran.err)


@pytest.mark.parametrize("door", ["send", "send_async", "send_async, Trio"])
def test_without_any_server_the_inbox_is_enough(door: str, inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENDER_EMAIL", ADA)
    receipt = through(door, None, Message(None, BOB, "Hi", "there"))
    assert receipt.complete and receipt.diverted and inbox.messages[0].envelope.reverse_path == ADA
    settings = resolve()
    assert settings.origins["host"] == catching.CATCH and settings.server == inbox.server
    with pytest.raises(ConfigError, match="no account"):
        resolve(account="work")  # a name that nobody knows stays a mistake


def test_a_real_password_is_not_even_fetched(inbox: Inbox, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    config = tmp_path / "mailwright" / "config.toml"
    config.parent.mkdir()
    config.write_text(
        f'[accounts.work]\nurl = "smtps://ada@{REAL}"\nsender = "{ADA}"\npassword = {{command = "echo x >> {asked}; echo {CANARY}"}}\n'
    )
    for door in ("send", "send_async", "send_async, Trio"):
        assert through(door, None, Message(None, BOB, "Hi", "there")).diverted == f"{REAL}:465"
    assert not asked.exists() and len(inbox.messages) == 3


def test_without_any_server_an_exception_can_not_be_made(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(catching.EXCEPT, f"*@example.org, {EVE}")
    receipt = through("send", None)
    assert len(inbox.messages[0].recipients) == 2 and str(receipt).endswith("(caught: no other server is named)")


# The exceptions: a message in two parts


@contextmanager
def real_server(**options: Any) -> Iterator[Inbox]:
    """What stands for the real server: it demands the real login."""
    with Inbox(("ada", CANARY), tls=False, **options) as made:
        yield made


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "exceptions", [EVE, "*@example.com", " EVE@Example.COM , someone@else.example", ",*@EXAMPLE.com,"]
)
def test_who_is_excepted_really_gets_it(
    door: str, exceptions: str, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(catching.EXCEPT, exceptions)
    with real_server() as real:
        receipt = through(door, real.server)
        (sent,), (caught,) = real.messages, inbox.messages
        assert [one.spec for one in sent.recipients] == [EVE] and sent.login == "ada"
        assert [one.spec for one in caught.recipients] == [BOB] and caught.login is None
        assert sent.content == caught.content and receipt.message_id in sent.content.decode()
        assert (receipt.host, receipt.port, receipt.diverted) == ("127.0.0.1", real.server.port, str(real.server))
    assert [(one.recipient.spec, one.fate) for one in receipt.outcomes] == [(BOB, "accepted"), (EVE, "accepted")]
    first, second = receipt.parts
    assert (first.port, first.diverted, second.port, second.diverted) == (
        real_port(receipt), "", inbox.server.port, receipt.diverted,
    )  # fmt: skip
    assert str(receipt) == (
        "accepted by 127.0.0.1 for 1 of 1 recipients; accepted by 127.0.0.1 for 1 of 1 recipients "
        f"(caught: it was meant for {receipt.diverted})"
    )
    assert not leaks(f"{receipt!r} {first.transcript} {second.transcript}") and "AUTH" not in str(second.transcript)


def real_port(receipt: Receipt) -> int:
    return int(receipt.diverted.rpartition(":")[2])


def test_when_all_are_excepted_nothing_is_caught(inbox: Inbox, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    monkeypatch.setenv(catching.EXCEPT, f"*@example.org, {EVE}")
    with real_server() as real:
        receipt = through("Mailer", real.server)
        assert len(real.messages) == 1 and not inbox.messages and receipt.diverted == "" and receipt.parts == ()
    assert capfd.readouterr().err == ""


def test_a_domain_is_not_its_subdomains_and_a_name_not_another(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(catching.EXCEPT, "*@example.com, eve@example.org")
    others = [
        "eve@mail.example.com",
        "eve@example.com.evil.example",
        "x.eve@example.org",
        '"*"@example.net',
        "eve@notexample.com",
    ]
    with untouched() as real:
        receipt = through("Mailer", real, Message(ADA, others, "Hi", "there"))
    assert len(inbox.messages[0].recipients) == len(receipt.accepted) == 5


def two_ways(door: str, server: Server, *to: str, **options: Any) -> RecipientsRefused | DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        through(door, server, Message(ADA, to, "Hi", "there"), **options)
    return caught.value


def fates(receipt: Receipt | None) -> dict[str, str]:
    assert receipt is not None
    return {one.recipient.spec: one.fate for one in receipt.outcomes}


BOTH_DOORS = ["Mailer", "AsyncMailer", "Trio"]


@pytest.mark.parametrize("door", BOTH_DOORS)
def test_a_refusal_in_either_part_leaves_the_others_alone(
    door: str, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(catching.EXCEPT, "*@example.com")
    with real_server(refuse={"nobody@example.com": "550 5.1.1 no", "busy@example.com": "450 4.2.1 later"}) as real:
        error = two_ways(door, real.server, BOB, EVE, "nobody@example.com", "busy@example.com", "nobody@example.org")
        assert isinstance(error, RecipientsRefused) and len(real.messages) == len(inbox.messages) == 1
        assert fates(error.receipt) == {
            BOB: "accepted", EVE: "accepted", "nobody@example.com": "refused",
            "busy@example.com": "deferred", "nobody@example.org": "refused",
        }  # fmt: skip
        assert not error.temporary and str(real.server) in str(error)
        assert [one.spec for one in error.remaining.envelope.recipients] == ["busy@example.com"]
        reported = through(door, real.server, Message(ADA, [BOB, "nobody@example.com"], "Hi", "x"), on_refusal="report")
        assert fates(reported) == {BOB: "accepted", "nobody@example.com": "refused"}
        late = two_ways(door, real.server, "busy@example.com", "busy@example.org")
        assert late.temporary and isinstance(late, RecipientsRefused) and len(late.remaining.envelope.recipients) == 2


@pytest.mark.parametrize("door", BOTH_DOORS)
def test_stop_is_all_or_none_of_those_who_really_get_it(
    door: str, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(catching.EXCEPT, "*@example.com")
    with real_server(refuse={"nobody@example.com": "550 5.1.1 no"}) as real:
        error = two_ways(door, real.server, BOB, EVE, "nobody@example.com", on_refusal="stop")
        assert not real.messages and not inbox.messages
        assert fates(error.receipt) == {BOB: "not tried", EVE: "not tried", "nobody@example.com": "refused"}


@pytest.mark.parametrize("door", BOTH_DOORS)
def test_an_inbox_that_is_away_makes_no_copy_for_who_got_it(door: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(catching.EXCEPT, "*@example.com")
    monkeypatch.setenv(catching.CATCH, f"smtp://127.0.0.1:{free_port()}")
    with real_server() as real:
        error = two_ways(door, real.server, BOB, EVE)
        assert len(real.messages) == 1
        assert (
            fates(error.receipt) == {BOB: "not tried", EVE: "accepted"} and not error.temporary and not error.in_doubt
        )
    error = two_ways(door, replace(real_address(free_port()), login=None), BOB, EVE)
    assert fates(error.receipt) == {BOB: "not tried", EVE: "not tried"} and error.temporary


def real_address(port: int) -> Server:
    return Server("127.0.0.1", port, "none")


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_what_only_part_of_it_has_said_is_not_said_of_all(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An attachment that vanishes between the two parts: 'nothing left this machine' would not be true."""
    monkeypatch.setenv(catching.EXCEPT, "*@example.com")
    file = tmp_path / "table.csv"
    file.write_text("a;b\n" * 1000)

    def vanish(received: Any) -> None:
        file.unlink()

    with real_server(answer=vanish) as real:
        message = Message(ADA, [BOB, EVE], "Hi", "x", attachments=[file])
        with Mailer(real.server) as mailer, pytest.raises(DeliveryError) as caught:
            mailer.send(message)
    assert fates(caught.value.receipt) == {BOB: "not tried", EVE: "accepted"} and not caught.value.temporary
    assert not inbox.messages


# One mailer while the variable comes and goes; forks; the pool


@pytest.mark.parametrize("library", ["blocking", "asyncio", "trio"])
def test_a_kept_connection_to_the_real_server_is_not_used_for_what_is_caught(
    library: str, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, off = inbox.url, [False, True, False, True]
    sent: list[tuple[int, int]] = []
    with real_server() as real:

        def turn(receipt: Receipt | None, caught: bool) -> None:
            if receipt is not None:
                sent.append((len(real.messages), len(inbox.messages)))
            monkeypatch.setenv(catching.CATCH, "" if caught else there)

        if library == "blocking":
            with Mailer(real.server) as mailer:
                turn(None, True)
                for caught in off:
                    turn(mailer.send(MESSAGE), caught)
        else:

            async def main() -> None:
                async with AsyncMailer(real.server) as mailer:
                    turn(None, True)
                    for caught in off:
                        turn(await mailer.send(MESSAGE), caught)

            asyncio.run(main()) if library == "asyncio" else trio.run(main)
    assert sent == [(1, 0), (1, 1), (2, 1), (2, 2)]


def test_no_more_connections_than_allowed_whatever_they_lead_to(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(catching.EXCEPT, "*@example.com")
    with real_server() as real, Mailer(real.server, limits=Limits(size=1)) as mailer:
        for _ in range(3):
            assert mailer.send(MESSAGE).complete
            assert "0 connections in use, 1 idle" in repr(mailer)
        assert len(real.messages) == len(inbox.messages) == 3


def test_both_connections_are_kept_where_there_is_room(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(catching.EXCEPT, "*@example.com")
    with real_server() as real, Mailer(real.server) as mailer:
        for _ in range(3):
            receipt = mailer.send(MESSAGE)
        assert "2 idle" in repr(mailer) and not any("connecting" in str(part.transcript) for part in receipt.parts)


def test_a_connection_that_was_had_at_an_alternative_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    with Inbox(tls=False) as real:
        server = Server("127.0.0.1", free_port(), "none", alternatives=(("127.0.0.1", real.server.port, "none"),))
        with Mailer(server) as mailer:
            transcripts = [str(mailer.send(MESSAGE).transcript) for _ in range(2)]
    assert "connecting" in transcripts[0] and "connecting" not in transcripts[1]


def _in_a_child(mailer: Mailer, pipe: Any) -> None:
    pipe.send(str(mailer.send(MESSAGE)))
    mailer.close()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # the inbox has a thread
def test_a_fork_is_caught_too(inbox: Inbox) -> None:
    with untouched() as real, Mailer(real) as mailer:
        mailer.send(MESSAGE)
        context = multiprocessing.get_context("fork")
        ours, theirs = context.Pipe()
        child = context.Process(target=_in_a_child, args=(mailer, theirs))
        child.start()
        assert ours.poll(20) and "caught" in ours.recv()
        child.join(20)
        assert mailer.send(MESSAGE).diverted and len(inbox.messages) == 3


# What may stand in the variables


def caught_by(url: str, **more: str) -> Server:
    return divert(Server(REAL, timeouts=Timeouts(total=3)), {catching.CATCH: url, **more})


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("smtp://127.0.0.1:1025", Server("127.0.0.1", 1025, "none")),
        ("smtp://127.1.2.3:1025", Server("127.1.2.3", 1025, "none")),
        ("smtp://[::1]:1025\n", Server("::1", 1025, "none")),
        ("smtp://localhost:1025", Server("localhost", 1025, "none")),
        ("smtp+plain://localhost:1025", Server("localhost", 1025, "none")),
        ("smtp://localhost:1025?ca_file=ca.pem", Server("localhost", 1025, "starttls", tls=TLS(ca_file="ca.pem"))),
        ("smtps://localhost:1025?ca_file=ca.pem", Server("localhost", 1025, "tls", tls=TLS(ca_file="ca.pem"))),
        ("smtp://me:own@localhost:1025", Server("localhost", 1025, "starttls", Login("me", "own"))),
        ("smtp+plain://me:own@localhost:1025", Server("localhost", 1025, "none", Login("me", "own"))),
        ("lmtp://localhost:24", Server("localhost", 24, "none", protocol="lmtp")),
        ("lmtp:///run/inbox", Server("localhost", path="/run/inbox", protocol="lmtp")),
    ],
)
def test_the_inbox_may_be_named_so(url: str, wanted: Server) -> None:
    assert caught_by(url) == replace(wanted, timeouts=Timeouts(total=3))


def test_nothing_is_changed_when_it_is_not_set() -> None:
    server = Server(REAL)
    for environ in ({}, {catching.CATCH: ""}, {catching.CATCH: " "}):
        assert divert(server, environ) is server
    assert divert(server) is server


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("smtp://192.0.2.1:1025", "not on this machine"),
        ("smtp://mail.example.org:1025", "not on this machine"),
        ("smtp://localhost.example.org:1025", "not on this machine"),
        ("smtp://127.0.0.1.example.org:1025", "not on this machine"),
        ("smtp://[2001:db8::1]:1025", "not on this machine"),
        ("smtp://0.0.0.0:1025", "not on this machine"),
        ("smtp://127.0.0.1:1025?proxy=socks5://127.0.0.1:1080", "not on this machine"),
        ("smtp://127.0.0.1", "no port"),
        ("smtps://localhost", "no port"),
        ("127.0.0.1:1025", "scheme"),
        ("1", "scheme"),
        ("http://127.0.0.1:1025", "scheme"),
        ("smtp://127.0.0.1:0", "port"),
        (f"smtp://me:{CANARY}@192.0.2.1:1025", "not on this machine"),
        (f"smtp://me:{CANARY}/@127.0.0.1:1025", "%2F"),
    ],
)
@pytest.mark.parametrize("door", DOORS)
def test_a_url_that_can_not_be_meant_stops_the_mail(
    url: str, said: str, door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(catching.CATCH, url)
    with untouched() as real, pytest.raises(ConfigError, match="MAILWRIGHT_CATCH") as caught:
        through(door, real)
    assert said in str(caught.value) and not leaks(str(caught.value)) and "192.0.2.1" not in str(caught.value)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"MAILWRIGHT_CATCH_EXCEPT": EVE}, "MAILWRIGHT_CATCH is not"),
        ({"MAILWRIGHT_CACTH": "smtp://127.0.0.1:1025"}, "Did you mean MAILWRIGHT_CATCH?"),
        ({"MAILWRIGHT_CATCHALL": "1"}, "Did you mean MAILWRIGHT_CATCH?"),
        ({"MAILWRIGHT_CATCH": "smtp://127.0.0.1:1", "MAILWRIGHT_CATCH_EXCEPT": "ada"}, "entry 1"),
        ({"MAILWRIGHT_CATCH": "smtp://127.0.0.1:1", "MAILWRIGHT_CATCH_EXCEPT": f"{EVE}, *"}, "entry 2"),
        ({"MAILWRIGHT_CATCH": "smtp://127.0.0.1:1", "MAILWRIGHT_CATCH_EXCEPT": "*@*"}, "entry 1"),
        ({"MAILWRIGHT_CATCH": "smtp://127.0.0.1:1", "MAILWRIGHT_CATCH_EXCEPT": "e*@example.org@"}, "entry 1"),
    ],
)
@pytest.mark.parametrize("door", ["Mailer", "AsyncMailer"])
def test_a_slip_in_the_variables_sends_no_real_mail(
    variables: dict[str, str], said: str, door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    with untouched() as real, pytest.raises(ConfigError) as caught:
        through(door, real)
    assert said in str(caught.value)


def test_other_variables_of_ours_are_no_slip(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAILWRIGHT_DEBUG", "MAILWRIGHT_URL", "MAILWRIGHT_SOMETHING"):
        monkeypatch.setenv(name, "1")
    server = Server(REAL)
    assert divert(server) is server


def test_a_dotenv_file_that_would_not_count_is_refused(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("SMTP_HOST=smtp.example.org\nMAILWRIGHT_CATCH=smtp://127.0.0.1:1025\n")
    with pytest.raises(ConfigError, match="environment alone"):
        resolve(environ={}, files=[], dotenv=str(file))


def test_tls_and_a_login_of_the_inbox_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    with Inbox(("me", "own password"), tls=True) as inbox, untouched() as real:
        monkeypatch.setenv(catching.CATCH, inbox.url)
        receipt = through("Mailer", real)
        assert receipt.login == "me" and receipt.tls is not None and receipt.tls.verified
        assert inbox.messages[0].login == "me"
    with Inbox(tls=True, security="tls") as inbox, untouched() as real:
        monkeypatch.setenv(catching.CATCH, inbox.url)
        assert through("Trio", real).tls is not None


def test_the_same_octets_as_ever(inbox: Inbox) -> None:
    with untouched() as real, Mailer(real) as mailer:
        mailer.send(RAW)
    assert inbox.messages[0].content == RAW


def test_it_is_logged_as_caught(inbox: Inbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with untouched() as real:
        through("Mailer", real)
    assert f"(caught: it was meant for {real})" in caplog.text


# What would fail at the real server: nobody logs in there, so it does not matter here


WOULD_FAIL = {
    "only OAuth 2": ("ada@hotmail.com", "smtp-mail.outlook.com:587", "takes no password from programs"),
    "not sure": ("ada@freenet.de", "mx.freenet.de:465", "of medium certainty only"),
    "no SMTP": ("ada@tuta.com", "tuta.com:587", "lets no program send"),
    "placeholder": ("your_email@gmail.com", "smtp.gmail.com:587", "your_email@gmail.com is a placeholder"),
}


@pytest.mark.parametrize("case", WOULD_FAIL)
@pytest.mark.parametrize("door", ["send", "send_async", "send_async, Trio"])
def test_what_would_fail_at_a_provider_is_caught(
    case: str, door: str, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, meant, said = WOULD_FAIL[case]
    monkeypatch.setenv("SENDER_EMAIL", sender)
    monkeypatch.setenv("EMAIL_PASSWORD", "changeme")
    receipt = through(door, None, Message(None, BOB, "Hi", "there"))
    assert receipt.diverted == meant and inbox.messages[0].envelope.reverse_path == sender
    (remark,) = resolve().remarks  # what `mailwright config` shows
    assert said in remark


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("password", ["YOUR_16_CHAR_APP_PASSWORD", "changeme"])
def test_whatever_stands_for_the_password(door: str, password: str, inbox: Inbox) -> None:
    for host in ("smtp.gmail.com", REAL):
        server = Server(host, 465, login=Login("ada.lovelace@gmail.com", password))
        assert through(door, server).diverted == f"{host}:465"
    assert len(inbox.messages) == 2


def test_without_the_password_of_the_real_server(inbox: Inbox, tmp_path: Path) -> None:
    """A machine that never sends needs no secret."""
    config = tmp_path / "mailwright" / "config.toml"
    config.parent.mkdir()
    for password in ('password = {env = "UNSET"}', "", 'password = {file = "nowhere"}'):
        config.write_text(f'[accounts.work]\nurl = "smtps://ada@{REAL}"\nsender = "{ADA}"\n{password}\n')
        assert through("send", None, Message(None, BOB, "Hi", "there")).diverted == f"{REAL}:465"


def test_where_some_are_excepted_everything_must_be_right(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(catching.EXCEPT, EVE)
    with pytest.raises(ConfigError, match="mailwright login ada@hotmail.com"):
        mailwright.send(BOB, "Hi", "there", sender="ada@hotmail.com", password="hunter22")
    with pytest.raises(ConfigError, match="YOUR_16_CHAR_APP_PASSWORD"):
        Mailer(Server("smtp.gmail.com", 465, login=Login("ada.lovelace@gmail.com", "YOUR_16_CHAR_APP_PASSWORD")))


def test_a_mistake_of_another_kind_stays_one(inbox: Inbox) -> None:
    with pytest.raises(ConfigError, match="The URL holds a space"):
        mailwright.send(BOB, "Hi", "there", sender=ADA, server="smtps://a b")
    with pytest.raises(ConfigError, match="There is no account"):
        mailwright.send(BOB, "Hi", "there", sender=ADA, account="work")


def test_a_letter_of_another_script_is_another_mailbox() -> None:
    catch = catching.catch_in(
        {catching.CATCH: "smtp://127.0.0.1:1025", catching.EXCEPT: "Kim@example.org, *@example.com"}
    )
    assert catch is not None
    for spec, through in (("kIM@EXAMPLE.org", True), ("\u212aim@example.org", False), ("\u212a@example.com", True)):
        assert catch.lets_through(Address(spec)) is through
