"""Logging in: once, in UTF-8, and not in the clear over a network."""

from __future__ import annotations

import base64
import smtplib as original
import traceback
from typing import Any

import pytest

from mailwright import Inbox, Login, smtplib
from mailwright.options import TLS
from mailwright.smtp.receiving import Rules
from tests.unit.smtplib.conftest import Trust
from tests.unit.smtplib.scripted import Client, mail_server, scripted

ADA, PASSWORD = "ada@example.org", "correct horse"


def auth(*mechanisms: str) -> tuple[str, ...]:
    return ("mx.example", f"AUTH {' '.join(mechanisms)}", "STARTTLS")


def commands(heard: bytes, verb: bytes = b"auth") -> list[bytes]:
    return [line for line in heard.split(b"\r\n") if line.lower().startswith(verb)]


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "PLAIN", "LOGIN", "CRAM-MD5"])
@pytest.mark.parametrize("password", [PASSWORD, "pässwörd 🐎", "x" * 2000])
def test_every_mechanism(mechanism: str, password: str) -> None:
    with Inbox((ADA, password), tls=False, rules=Rules(mechanisms=(mechanism,))) as inbox:
        with smtplib.SMTP("127.0.0.1", inbox.server.port, "c") as client:
            code, said = client.login(ADA, password)
            assert (code, said) == (235, b"2.7.0 Welcome")
            client.sendmail(ADA, "bob@example.net", "Subject: x\n\nhi")
        assert inbox.wait().login == ADA


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_the_mechanisms_of_the_original_by_hand(mechanism: str, at_once: bool) -> None:
    with Inbox((ADA, PASSWORD), tls=False, rules=Rules(mechanisms=(mechanism,))) as inbox:
        with smtplib.SMTP("127.0.0.1", inbox.server.port, "c") as client:
            client.ehlo()
            client.user, client.password = ADA, PASSWORD
            method = getattr(client, f"auth_{mechanism.lower().replace('-', '_')}")
            assert client.auth(mechanism.lower(), method, initial_response_ok=at_once)[0] == 235


def test_initial_response_ok() -> None:
    for at_once, expected in ((True, [b"AUTH PLAIN AGFkYQBzZWNyZXQ="]), (False, [b"AUTH PLAIN"])):
        with scripted(mail_server({"auth": "235 in" if at_once else "334 ", "agfk": "235 in"}, auth("PLAIN"))) as there:
            with smtplib.SMTP("127.0.0.1", there.port, "c") as client:
                assert client.login("ada", "secret", initial_response_ok=at_once) == (235, b"in")
        assert commands(there.heard) == expected


def test_one_attempt_where_the_original_makes_three() -> None:
    features = auth("CRAM-MD5", "PLAIN", "LOGIN")
    replies = {"auth": "535 5.7.8 no"}
    counts = []
    for module in (original, smtplib):
        with scripted(mail_server(replies, features)) as there:
            with module.SMTP("127.0.0.1", there.port, "c") as client:
                with pytest.raises(module.SMTPAuthenticationError) as caught:
                    client.login("ada", "secret")
                assert (caught.value.smtp_code, caught.value.smtp_error) == (535, b"5.7.8 no")
                assert client.noop() == (250, b"ok")
        counts.append(len(commands(there.heard)))
    assert counts == [3, 1]


@pytest.mark.parametrize("offered", ["LOGIN PLAIN", "PLAIN LOGIN", "XOAUTH2 PLAIN", "plain"])
def test_what_the_caller_makes_of_the_offer_counts(offered: str) -> None:
    with scripted(mail_server({"auth": "235 in"}, auth("CRAM-MD5", "PLAIN"))) as there:
        with smtplib.SMTP("127.0.0.1", there.port, "c") as client:
            client.ehlo()
            client.esmtp_features["auth"] = offered
            client.login("ada", "secret")
    assert commands(there.heard)[0].startswith(b"AUTH PLAIN ")


def test_nothing_in_common() -> None:
    with scripted(mail_server({}, auth("GSSAPI"))) as there, smtplib.SMTP("127.0.0.1", there.port, "c") as client:
        with pytest.raises(smtplib.SMTPException, match="GSSAPI"):
            client.login("ada", "secret")
    assert commands(there.heard) == []


def test_no_login_offered() -> None:
    with scripted(mail_server()) as there, smtplib.SMTP("127.0.0.1", there.port, "c") as client:
        with pytest.raises(smtplib.SMTPNotSupportedError, match="SMTP AUTH extension not supported by server"):
            client.login("ada", "secret")


def test_already_logged_in() -> None:
    with (
        scripted(mail_server({"auth": "503 already"}, auth("PLAIN"))) as there,
        smtplib.SMTP("127.0.0.1", there.port, "c") as client,
    ):
        assert client.login("ada", "secret") == (503, b"already")
        client.user, client.password = "ada", "secret"
        assert client.auth("PLAIN", client.auth_plain) == (503, b"already")


@pytest.mark.parametrize("user, password", [(None, "x"), ("x", None), (b"x", "x")])
def test_what_is_no_text(user: Any, password: Any) -> None:
    with scripted(mail_server({}, auth("PLAIN"))) as there, smtplib.SMTP("127.0.0.1", there.port, "c") as client:
        with pytest.raises(TypeError, match="not text"):
            client.login(user, password)
    assert commands(there.heard) == []


def test_a_server_that_leaves_during_the_login() -> None:
    with scripted(mail_server({"auth": "close"}, auth("PLAIN"))) as there:
        client = smtplib.SMTP("127.0.0.1", there.port, "c")
        with pytest.raises(smtplib.SMTPServerDisconnected, match="during the login"):
            client.login("ada", "secret")
        assert client.sock is None


@pytest.mark.parametrize(
    "said", [b"250-" + b"x" * 20_000 + b"\r\n", b"\x16\x03\x01 no line end", b"nonsense\r\n", b"421 4.3.2 bye\r\n"]
)
def test_a_server_that_talks_nonsense_during_the_login(said: bytes) -> None:
    def act(client: Client) -> None:
        client.say("220 mx")
        client.line()
        client.say("250-mx", "250 AUTH PLAIN")
        client.line()
        client.sock.sendall(said)

    with scripted(act) as there:
        client = smtplib.SMTP("127.0.0.1", there.port, "c")
        with pytest.raises(smtplib.SMTPException):
            client.login("ada", "secret")
        client.close()


# In the clear.


class Remote(smtplib.SMTP):
    """A client that believes to talk to another machine."""

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:
        return super()._get_socket("127.0.0.1", port, timeout)


class TestInTheClear:
    """A password goes over a network only encrypted, or when somebody says so."""

    @pytest.fixture
    def there(self) -> Any:
        with scripted(mail_server({"auth": "235 in"}, auth("PLAIN", "LOGIN"))) as there:
            yield there

    def test_it_is_refused(self, there: Any) -> None:
        with Remote("mail.example.org", there.port, "c") as client:
            with pytest.raises(smtplib.SMTPException, match="not encrypted") as caught:
                client.login("ada", "secret")
            assert "starttls()" in str(caught.value) and "ALLOW_CLEARTEXT_LOGIN" in str(caught.value)
            client.user, client.password = "ada", "secret"
            with pytest.raises(smtplib.SMTPException, match="not encrypted"):
                client.auth("PLAIN", client.auth_plain)
        assert commands(there.heard) == []

    def test_the_module_can_allow_it(self, there: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(smtplib, "ALLOW_CLEARTEXT_LOGIN", True)
        with Remote("mail.example.org", there.port, "c") as client:
            assert client.login("ada", "secret") == (235, b"in")

    def test_a_class_or_an_object_can_allow_it(self, there: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        class Allowed(Remote):
            ALLOW_CLEARTEXT_LOGIN = True

        with Allowed("mail.example.org", there.port, "c") as client:
            assert client.auth("XOAUTH2", lambda challenge=None: "token") == (235, b"in")
        monkeypatch.setattr(smtplib, "ALLOW_CLEARTEXT_LOGIN", True)
        with Remote("mail.example.org", there.port, "c") as client:
            client.ALLOW_CLEARTEXT_LOGIN = False
            with pytest.raises(smtplib.SMTPException, match="not encrypted"):
                client.login("ada", "secret")

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.5"])
    def test_this_machine_may_have_it(self, host: str, there: Any) -> None:
        with Remote(host, there.port, "c") as client:
            assert client.login("ada", "secret") == (235, b"in")

    def test_localhost_of_a_proxy_is_another_machine(self, there: Any) -> None:
        with Remote("localhost", there.port, "c") as client:
            client.sock = Proxied(client.sock)
            with pytest.raises(smtplib.SMTPException, match="not encrypted"):
                client.login("ada", "secret")

    def test_what_hides_the_password_may_go(self) -> None:
        with Inbox((ADA, PASSWORD), tls=False, rules=Rules(mechanisms=("SCRAM-SHA-256",))) as inbox:
            with Remote("mail.example.org", inbox.server.port, "c") as client:
                assert client.login(ADA, PASSWORD)[0] == 235

    def test_encrypted_it_goes(self, trust: Trust) -> None:
        with scripted(mail_server({"auth": "235 in"}, auth("PLAIN"), context=trust.server)) as there:
            with Remote("mail.example.org", there.port, "c") as client:
                client.starttls(context=TLS(ca_file=trust.ca_file, name="localhost"))
                assert client.login("ada", "secret") == (235, b"in")


class Proxied:
    """A socket as PySocks makes them."""

    proxy_peername = ("localhost", 25)

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


# Mechanisms of the caller's.


def test_a_mechanism_of_the_callers() -> None:
    asked: list[Any] = []

    def answer(challenge: bytes | None = None) -> str:
        asked.append(challenge)
        return "" if challenge else "user=ada\1auth=Bearer tökén\1\1"

    def act(client: Client) -> None:
        client.say("220 mx")
        client.line()
        client.say("250-mx", "250 AUTH XOAUTH2")
        assert client.line() == b"AUTH XOAUTH2 " + base64.b64encode("user=ada\1auth=Bearer tökén\1\1".encode())
        client.say("334 " + base64.b64encode(b'{"status":"401"}').decode())
        assert client.line() == b""
        client.say("535 5.7.8 no")
        client.line()
        client.say("221 bye")

    with scripted(act) as there, smtplib.SMTP("127.0.0.1", there.port, "c") as client:
        client.ehlo()
        with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
            client.auth("xoauth2", answer)
    assert caught.value.args == (535, b"5.7.8 no") and asked == [None, b'{"status":"401"}']
    assert there.problems == []


def test_what_the_object_raises_comes_out() -> None:
    class Own(Exception):
        pass

    def answer(challenge: bytes | None = None) -> str | None:
        if challenge is None:
            return None
        raise Own

    with (
        scripted(mail_server({"auth": "334 Kg=="}, auth("X"))) as there,
        smtplib.SMTP("127.0.0.1", there.port, "c") as client,
    ):
        with pytest.raises(Own):
            client.auth("X", answer)


def test_a_token_by_docmd() -> None:
    """How many scripts log in with OAuth 2."""
    with scripted(mail_server({"auth": "334 ", "dxnl": "235 in"}, auth("XOAUTH2"))) as there:
        with smtplib.SMTP("127.0.0.1", there.port, "c") as client:
            client.ehlo()
            assert client.docmd("AUTH", "XOAUTH2") == (334, b"")
            assert client.docmd("dXNlcj1hZGE=") == (235, b"in")


# What is shown.

CANARY = "canary-7f3a"


def shown_everywhere(client: smtplib.SMTP, error: BaseException | None) -> str:
    """Every text in which a credential might appear."""
    texts = [str(client._session.transcript)]
    while error is not None:
        texts += [str(error), repr(error), repr(error.args), repr(vars(error)), str(getattr(error, "transcript", ""))]
        texts.append(str(error.diagnosis) if hasattr(error, "diagnosis") else "")
        error = error.__cause__
    return "\n".join(texts)


@pytest.mark.parametrize("way", ["login", "auth", "docmd", "docmd in two"])
def test_no_credential_is_shown(way: str, capsys: pytest.CaptureFixture[str]) -> None:
    encoded = base64.b64encode(f"\0ada\0{CANARY}".encode()).decode()

    def act(client: Client) -> None:
        client.say("220 mx")
        while (line := client.line()) is not None:
            if line.startswith(b"ehlo"):
                client.say("250-mx", "250 AUTH PLAIN")
            elif line == b"AUTH PLAIN":
                client.say("334 ")
            else:
                client.say(b"535 5.7.8 you said " + line + b", " + CANARY.encode() * (way != "docmd in two"))

    with scripted(act) as there:
        client = smtplib.SMTP("127.0.0.1", there.port, "c")
        client.set_debuglevel(2)
        client.ehlo()
        problem: Any = None
        try:
            if way == "login":
                client.login("ada", CANARY)
            elif way == "auth":
                client.user, client.password = "ada", CANARY
                client.auth("PLAIN", client.auth_plain)
            elif way == "docmd":
                client.docmd("AUTH", f"PLAIN {encoded}")
            else:
                client.docmd("AUTH", "PLAIN")
                client.docmd(encoded)
        except smtplib.SMTPException as error:
            problem = error
        client.close()
    seen = shown_everywhere(client, problem) + capsys.readouterr().err
    assert "535" in seen and "***" in seen
    assert encoded not in seen
    if way == "login":  # by hand only what was sent is known to be secret
        assert CANARY not in seen


def test_no_password_in_the_local_variables_of_a_traceback() -> None:
    secret = [CANARY]  # not a variable of this frame
    with (
        scripted(mail_server({"auth": "535 no"}, auth("PLAIN"))) as there,
        smtplib.SMTP("127.0.0.1", there.port, "c") as client,
    ):
        with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
            client.login("ada", secret.pop())
    error: BaseException | None = caught.value
    while error is not None:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        assert CANARY not in "".join(str(frame.locals) for frame in told.stack)
        error = error.__cause__


def test_replies_behind_the_login_are_as_they_came() -> None:
    """A password that is a common word must not be blotted out of what a server says later."""
    features = ("mail.example", "AUTH PLAIN", "X-MAIL mail")
    with scripted(mail_server({"auth": "235 mail", "noop": "250 mail"}, features)) as there:
        with smtplib.SMTP("127.0.0.1", there.port, "c") as client:
            assert client.login("ada", "mail") == (235, b"***")
            assert client.noop() == (250, b"mail")
            assert client.ehlo()[1].startswith(b"mail.example") and client.esmtp_features["x-mail"] == "mail"


def test_a_login_object_is_what_logs_in() -> None:
    """The inbox asks for what its `Login` says; the face needs no more than user and password."""
    with Inbox(Login("ada", PASSWORD), tls=False) as inbox, smtplib.SMTP("127.0.0.1", inbox.server.port, "c") as client:
        with pytest.raises(smtplib.SMTPSenderRefused) as caught:
            client.sendmail(ADA, "bob@example.net", "x")
        assert caught.value.smtp_code == 530
        assert client.login("ada", PASSWORD)[0] == 235
        assert client.sendmail(ADA, "bob@example.net", "x") == {}


# What is known of the provider


def at_gmail(user: str, password: str, host: str = "smtp.gmail.com", refuse: str = "") -> tuple[Any, bytes]:
    """What became of a login at that host, and what the server heard."""
    replies = {"auth": refuse or "235 in"}
    with scripted(mail_server(replies, auth("PLAIN"))) as there:

        class Led(smtplib.SMTP):
            def _get_socket(self, host: str, port: int, timeout: float) -> Any:
                return super()._get_socket("127.0.0.1", there.port, timeout)

        with Led(host, 587, "c") as client:
            client.ALLOW_CLEARTEXT_LOGIN = True
            try:
                result: Any = client.login(user, password)
            except smtplib.SMTPAuthenticationError as error:
                result = error
    return result, there.heard


@pytest.mark.parametrize("blank", [" ", "\u00a0", "\u202f"], ids=ascii)
def test_the_blanks_of_an_app_password_are_not_sent(blank: str) -> None:
    sent = base64.b64encode(b"\0ada@gmail.com\0qwmxzkptaabbccdd")
    _, heard = at_gmail("ada@gmail.com", blank.join(["qwmx", "zkpt", "aabb", "ccdd"]))
    assert b"AUTH PLAIN " + sent in heard
    kept = base64.b64encode(f"\0ada\0qwmx{blank}zkpt".encode())
    _, heard = at_gmail("ada", f"qwmx{blank}zkpt", "mail.example.org")
    assert b"AUTH PLAIN " + kept in heard


@pytest.mark.parametrize(
    ("user", "password", "host", "said"),
    [
        ("your_email@gmail.com", "qwmxzkptaabbccdd", "smtp.gmail.com", "your_email@gmail.com is a placeholder"),
        ("ada@gmail.com", "YOUR_16_CHAR_APP_PASSWORD", "smtp.gmail.com", "placeholder from an example: YOUR_16_CHAR"),
        ("ada@gmail.com", "Tr0ub4dor&3", "smtp.gmail.com", "does not look like an app password of Gmail"),
        ("ada@yahoo.com", "qwmxzkptaabbccdd", "smtp.gmail.com", "is an address of Yahoo"),
        ("ada@hotmail.com", "hunter22", "smtp-mail.outlook.com", "mailwright login ada@hotmail.com"),
        ("ada@firm.org", "hunter22", "outlook.office365.com", "Use smtp.office365.com"),
    ],
)
def test_a_refused_login_says_what_is_known_to_be_wrong(user: str, password: str, host: str, said: str) -> None:
    error, _ = at_gmail(user, password, host, "535 5.7.8 no")
    assert isinstance(error, smtplib.SMTPAuthenticationError) and said in str(error)
    assert "Tr0ub4dor" not in str(error) and "hunter22" not in str(error)


def test_a_refused_login_where_nothing_is_known() -> None:
    error, _ = at_gmail("your_email@firm.org", "your_password", "mail.firm.org", "535 5.7.8 no")
    said = "A placeholder from an example stands for the user and for the password: write the real one."
    assert error.more == said
    error, _ = at_gmail("ada@firm.org", "Tr0ub4dor&3", "mail.firm.org", "535 5.7.8 no")
    assert error.more == ""
