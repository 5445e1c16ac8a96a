"""`mailwright inbox` with its page, and with a program behind it."""

from __future__ import annotations

import http.client
import json
import re
import signal
import smtplib
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mailwright import Mailer, Message
from mailwright.errors import MailError
from tests.unit.cli.running import PROGRAM, Command, program, surroundings, without
from tests.unit.cli.test_inbox import running

HELLO = Message("ada@example.org", "bob@example.org", "Hello", "Text")
SEND = "import os, smtplib; c = smtplib.SMTP(os.environ['SMTP_HOST'], int(os.environ['SMTP_PORT'])); c.sendmail('a@example.org', 'bob@example.org', 'Subject: from the program\\n\\nText\\n'); c.quit()"


def page_of(text: str) -> tuple[str, int]:
    found = re.search(r"page +http://([\d.]+):(\d+)/", text)
    assert found, text
    return found[1], int(found[2])


def asked(place: tuple[str, int], path: str, **fields: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(*place, timeout=20)
    try:
        connection.request("GET", path, headers={name.replace("_", "-"): text for name, text in fields.items()})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_the_page_shows_what_is_printed() -> None:
    with running("--web", "0") as inbox, Mailer(inbox.url) as mailer:
        mailer.send(HELLO)
        inbox.read_until("Subject: Hello")
        place = page_of(inbox.introduction)
        assert "Hello" in asked(place, "/")[1] and "bob@example.org" in asked(place, "/m/1")[1]
        assert json.loads(asked(place, "/api/v1/about")[1])["smtp"]["port"] == int(inbox.url.rpartition(":")[2])
        inbox.process.send_signal(signal.SIGTERM)
        assert inbox.rest() == (0, "", "")


def test_a_usual_port_that_is_taken_is_no_trouble() -> None:
    with running() as one, running() as another:
        places = {page_of(one.introduction), page_of(another.introduction)}
        assert len(places) == 2
        for place in places:
            assert asked(place, "/")[0] == 200


def test_without_the_extra_it_says_how_to_get_the_page() -> None:
    code = "import sys; sys.modules['starlette'] = None; from mailwright.cli import main; sys.exit(main())"
    start = [sys.executable, "-c", code]
    with subprocess.Popen(
        [*start, "inbox", "--port", "0", "--count", "1"], stdout=subprocess.PIPE, env=surroundings(), text=True
    ) as process:
        assert process.stdout is not None
        seen = ""
        while "Ctrl-C ends it." not in seen:
            seen += process.stdout.readline()
        url = re.search("MAILWRIGHT_URL='(.*)'", seen)
        assert url and "pip install 'mailwright[inbox]'" in seen and "http://" not in seen
        with Mailer(url[1]) as mailer:
            mailer.send(HELLO)
        assert "Subject: Hello" in process.stdout.read() and process.wait(30) == 0
    ran = program("inbox", "--port", "0", "--web", "0", start=start)
    assert ran.code == 69 and "pip install 'mailwright[inbox]'" in ran.err and ran.out == ""


def test_off_is_off() -> None:
    with running("--web", "off") as inbox:
        assert "http://" not in inbox.introduction and "pip install" not in inbox.introduction


def test_messages_are_kept_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mail.db"
    for number in (1, 2):
        with running("--save", str(file), "--web", "0") as inbox, Mailer(inbox.url) as mailer:
            mailer.send(HELLO)
            inbox.read_until(f"── {1} ──")
            assert json.loads(asked(page_of(inbox.introduction), "/api/v1/messages")[1])["count"] == number
            inbox.process.send_signal(signal.SIGINT)
            assert inbox.rest()[0] == 0


@pytest.mark.parametrize(
    ("words", "kept"),
    [(("--max", "3"), 3), (("--max-size", "60kb"), 2), (("--max", "4", "--max-size", "1gb"), 4)],
)
def test_the_oldest_make_room_as_it_is_told_to(words: tuple[str, ...], kept: int) -> None:
    with running("--web", "0", *words) as inbox, Mailer(inbox.url) as mailer:
        for number in range(6):
            mailer.send(Message("ada@example.org", "bob@example.org", f"No {number}", "x" * 20_000))
            inbox.read_until(f"Subject: No {number}")
        told = json.loads(asked(page_of(inbox.introduction), "/api/v1/messages")[1])
        assert [row["subject"] for row in told["messages"]] == [f"No {number}" for number in range(5, 5 - kept, -1)]


def test_a_file_of_an_earlier_run_is_brought_down_to_what_is_kept_now(tmp_path: Path) -> None:
    file = str(tmp_path / "mails.sqlite")
    for number, bounds in enumerate([(), (), ("--max", "1")]):
        with running("--web", "0", "--save", file, *bounds) as inbox, Mailer(inbox.url) as mailer:
            place = page_of(inbox.introduction)
            before = json.loads(asked(place, "/api/v1/about")[1])["messages"]
            assert before == (1 if bounds else number)
            mailer.send(HELLO)
            inbox.read_until("Subject: Hello")
            assert json.loads(asked(place, "/api/v1/about")[1])["messages"] == (1 if bounds else number + 1)


def test_the_largest_message_that_is_taken(tmp_path: Path) -> None:
    large = Message("ada@example.org", "bob@example.org", "Large", "x" * 30_000)
    with running("--web", "off", "--max-message", "20kb") as inbox, Mailer(inbox.url) as mailer:
        with pytest.raises(MailError, match="20,480"):
            mailer.send(large)
        mailer.send(HELLO)
    with running("--web", "off", "--max-message", "1gb") as inbox:
        with smtplib.SMTP("127.0.0.1", int(inbox.url.rpartition(":")[2]), timeout=20) as client:
            client.ehlo()
            assert client.esmtp_features["size"] == str(1 << 30)


def test_locked_with_a_password_made_up() -> None:
    with running("--web", "0", "--locked") as inbox:
        place = page_of(inbox.introduction)
        made_up = re.search(r"password (\S{16}) \(made up", inbox.introduction)
        assert made_up and asked(place, "/")[0] == 401
        import base64

        credentials = base64.b64encode(f"x:{made_up[1]}".encode()).decode()
        assert asked(place, "/", Authorization=f"Basic {credentials}")[0] == 200


def test_a_password_from_the_environment_is_not_printed() -> None:
    words = [*PROGRAM, "inbox", "--port", "0", "--web", "0", "--locked", "--", sys.executable, "-c", "pass"]
    ran = subprocess.run(
        words, env=surroundings(INBOX_PASSWORD="canary-4711-canary"), capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0 and "canary" not in ran.stdout + ran.stderr
    ran = subprocess.run(words, env=surroundings(INBOX_PASSWORD="short"), capture_output=True, text=True, timeout=60)
    assert ran.returncode == 78 and "short" not in ran.stderr.replace("shorter", "")


@pytest.mark.parametrize(
    "words",
    [("--web", "x"), ("--web", "70000"), ("--web", "0.0.0.0:8025"), ("--web", ":1"), ("--web", "example.org:0"), ("--host", "a b"), ("--as", "gmial"), ("--fault", "nonsense"),
     ("--release-to", "*"), ("--spamd", "0"), ("--save", "/dev/null/x")],
    ids=" ".join,
)  # fmt: skip
def test_settings_that_can_not_be_meant(words: tuple[str, ...], command: Command) -> None:
    ran = command("inbox", "--port", "0", *words)
    assert ran.code == 78 and ran.out == "" and ran.err.count("\n") == 1


@pytest.mark.parametrize(
    "words", [("--",), ("--max", "0"), ("--max", "x"), ("--max-size", "0"), ("--max-size", "big"), ("--max-size", "1tb"), ("--max-message", "0"), ("--max-message", "1gb", "--as", "gmail"), ("--count", "1", "--", "true"), ("--expect", "-1"), ("--expect", "x"), ("--tls", "ssl"), ("--account", "x"), ("stray", "--", "true"), ("--password",), ("--password", "x")], ids=" ".join
)  # fmt: skip
def test_command_lines_that_can_not_be_meant(words: tuple[str, ...], command: Command) -> None:
    ran = command("inbox", "--port", "0", *words)
    assert ran.code == 64 and ran.out == "" and ran.err.count("\n") == 1


@pytest.mark.parametrize("service", ["gmail", "yahoo", "icloud", "office365"])
def test_speaking_as_a_service_lets_in_with_what_is_printed(service: str) -> None:
    with running("--as", service, "--web", "off", "--count", "1") as inbox, Mailer(inbox.url) as mailer:
        assert "security  starttls" in inbox.introduction
        mailer.send(HELLO)
        assert "Subject: Hello" in inbox.rest()[1]


def test_a_service_that_takes_no_password_gets_a_token() -> None:
    words = [*PROGRAM, "inbox", "--port", "0", "--as", "outlook", "--web", "off"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=surroundings(), text=True) as process:
        assert process.stdout is not None
        seen = ""
        while "Ctrl-C ends it." not in seen:
            seen += process.stdout.readline()
        process.terminate()
    assert re.search(r"token +\S+ \(made up", seen) and "MAILWRIGHT_URL" not in seen


def test_tls_from_the_first_byte() -> None:
    with running("--tls", "tls", "--login", "ada", "--web", "off") as inbox:
        assert "security  tls" in inbox.introduction and inbox.url.startswith("smtps://ada:")
        with Mailer(inbox.url) as mailer:
            assert mailer.send(HELLO).tls


def test_faults_from_the_command_line() -> None:
    with running("--fault", "greeting reply='421 4.3.2 Busy'", "--web", "off") as inbox:
        assert "fault     " in inbox.introduction
        host, port = inbox.url.rpartition("//")[2].split(":")
        with socket.create_connection((host, int(port)), timeout=20) as client:
            assert client.recv(100) == b"421 4.3.2 Busy\r\n"


# With a program.


def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, "inbox", *words], env=surroundings(**variables), capture_output=True, text=True, timeout=120
    )


def test_a_program_that_sends_is_content() -> None:
    ran = run("--expect", "1", "--", sys.executable, "-c", SEND + "; print('done')")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "done\n", "")


@pytest.mark.parametrize("code", [1, 3, 75])
def test_its_exit_code_is_passed_on_and_what_was_caught_is_shown(code: int) -> None:
    ran = run("--", sys.executable, "-c", f"{SEND}; print('out'); raise SystemExit({code})")
    assert ran.returncode == code and ran.stdout == "out\n"
    assert "1 message caught" in ran.stderr and "Subject: from the program\n   Text" in ran.stderr


@pytest.mark.parametrize("web", ["0", "0.0.0.0:0"])
def test_a_program_is_told_how_to_ask_a_locked_page(web: str) -> None:
    ask = (
        "import base64, os, urllib.request; r = urllib.request.Request(os.environ['MAILWRIGHT_INBOX_URL'] + '/api/v1/about');"
        "r.add_header('Authorization', 'Basic ' + base64.b64encode(b'x:' + os.environ['INBOX_PASSWORD'].encode()).decode());"
        "print(urllib.request.urlopen(r, timeout=20).status)"
    )
    ran = run("--web", web, "--locked", "--", sys.executable, "-c", ask)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "200\n", "")


def test_another_number_than_expected_fails() -> None:
    ran = run("--expect", "2", "--", sys.executable, "-c", SEND)
    assert ran.returncode == 1 and "2 messages were expected, and 1 arrived." in ran.stderr
    assert "Subject: from the program" in ran.stderr
    ran = run("--expect", "0", "--", sys.executable, "-c", SEND)
    assert ran.returncode == 1
    ran = run("--expect", "1", "--", sys.executable, "-c", "raise SystemExit(5)")
    assert ran.returncode == 5 and "nothing was sent" in ran.stderr


def test_the_count_without_a_program() -> None:
    with running("--count", "1", "--expect", "2") as inbox, Mailer(inbox.url) as mailer:
        mailer.send(HELLO)
        code, _, err = inbox.rest()
    assert code == 1 and "2 messages were expected, and 1 arrived." in err


def test_a_message_from_an_earlier_run_is_not_counted(tmp_path: Path) -> None:
    for _ in range(2):
        ran = run("--save", str(tmp_path / "mail.db"), "--expect", "1", "--", sys.executable, "-c", SEND)
        assert ran.returncode == 0, ran.stderr


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    assert run("--", "mailwright-no-such-program").returncode == 127
    (tmp_path / "file").write_text("x")
    assert run("--", str(tmp_path / "file")).returncode == 126


def test_a_program_that_is_killed_has_the_code_of_a_shell() -> None:
    ran = run("--", sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert ran.returncode == 137


def test_who_ends_us_ends_the_program() -> None:
    code = "import time, sys; print('ready', flush=True); time.sleep(60)"
    with subprocess.Popen(
        [*PROGRAM, "inbox", "--tls", "--", sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=surroundings(),
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 143


def test_its_words_are_its_own() -> None:
    ran = run(
        "--web", "off", "--", sys.executable, "-c", "import sys; print(sys.argv[1:])", "--port", "--", "--strange", "-x"
    )
    assert ran.stdout == "['--port', '--', '--strange', '-x']\n"


PRINT = "import json, os; print(json.dumps(dict(os.environ)))"


def test_no_setting_of_a_real_server_reaches_it() -> None:
    real = {
        "MAILWRIGHT_CATCH": "smtp://127.0.0.1:9", "MAILWRIGHT_CONFIG": "", "SMTP_PASSWORD": "real", "SMTP_PASSWORD_FILE": "real", "EMAIL_PASSWORD": "real", "EMAIL_HOST_PASSWORD": "real",
        "SMTP_HOST": "real.example", "MAIL_SERVER": "real.example", "EMAIL_URL": "smtp://real.example", "SENDER_EMAIL": "ada@example.org", "MAIL_FROM": "ada@example.org", "GMAIL_USER": "real",
    }  # fmt: skip
    told = json.loads(run("--web", "0", "--", sys.executable, "-c", PRINT, **real).stdout)
    assert "real" not in " ".join(told[name] for name in told if name.startswith(("SMTP", "MAIL", "EMAIL", "GMAIL")))
    assert "MAILWRIGHT_CATCH" not in told and told["SENDER_EMAIL"] == told["MAIL_FROM"] == "ada@example.org"
    assert told["SMTP_HOST"] == told["EMAIL_HOST"] == told["MAIL_SERVER"] == told["MAIL_HOST"] == "127.0.0.1"
    assert told["SMTP_PORT"] == told["EMAIL_PORT"] == told["MAIL_PORT"] != "0"
    assert (
        told["SMTP_SECURITY"] == "none"
        and told["EMAIL_USE_TLS"] == told["EMAIL_USE_SSL"] == "False"
        and told["MAIL_ENCRYPTION"] == "null"
    )
    assert told["MAILER_DSN"] == f"smtp://127.0.0.1:{told['SMTP_PORT']}"
    assert told["MAILWRIGHT_INBOX_URL"].startswith("http://127.0.0.1:")


def test_login_and_tls_reach_it_too() -> None:
    told = json.loads(run("--tls", "--login", "a/d@a", "--", sys.executable, "-c", PRINT).stdout)
    assert told["SMTP_USER"] == told["EMAIL_HOST_USER"] == told["MAIL_USERNAME"] == "a/d@a"
    assert (
        told["SMTP_PASSWORD"] == told["EMAIL_HOST_PASSWORD"] == told["MAIL_PASSWORD"]
        and len(told["SMTP_PASSWORD"]) == 12
    )
    assert (
        told["EMAIL_USE_TLS"] == "True"
        and told["EMAIL_USE_SSL"] == "False"
        and told["SMTP_SECURE"] == "false"
        and told["MAIL_ENCRYPTION"] == "tls"
    )
    assert told["MAILER_DSN"].startswith("smtp://a%2Fd%40a:") and told["NODE_EXTRA_CA_CERTS"].endswith(".pem")


@pytest.mark.parametrize(
    "options", [(), ("--tls",), ("--login", "ada"), ("--tls", "--login", "a/d@a"), ("--as", "gmail")], ids=" ".join
)
def test_mailwright_itself_finds_the_way(options: tuple[str, ...]) -> None:
    words = ("send", "--to", "bob@example.org", "--from", "ada@example.org", "--subject", "Hi", "--text", "there")
    ran = run(
        *options,
        "--web",
        "off",
        "--expect",
        "1",
        "--",
        *PROGRAM,
        *words,
        SMTP_HOST="real.example",
        MAILWRIGHT_CATCH="smtp://127.0.0.1:9",
    )
    assert (ran.returncode, ran.stderr) == (0, "")


# The demo.


def test_the_demo_stays_until_it_is_told_to_go() -> None:
    with subprocess.Popen(
        [*PROGRAM, "demo", "--stay"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=surroundings(), text=True
    ) as process:
        assert process.stdout is not None
        seen = ""
        while "Ctrl-C ends it." not in seen:
            line = process.stdout.readline()
            assert line, seen
            seen += line
        host, port = re.search(r"page http://([\d.]+):(\d+)/", seen).groups()  # type: ignore[union-attr]
        status, page = asked((host, int(port)), "/m/1")
        assert status == 200 and "Ein Gruß aus der Demo ✉" in page
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")


def test_the_demo_says_what_staying_needs() -> None:
    ran = program("demo", "--stay", "--quiet", start=without("uvicorn"))
    assert ran.code == 69 and "pip install 'mailwright[inbox]'" in ran.err
    assert program("demo", start=without("uvicorn")).out.splitlines()[-1].startswith("The message came back equal")
