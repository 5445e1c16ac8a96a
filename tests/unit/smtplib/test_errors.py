"""The exceptions: those of the original for who catches them, with an explanation for who reads them."""

from __future__ import annotations

import ast
import pickle
import smtplib as original
import socket
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

from mailwright import errors, smtplib
from mailwright.diagnose.diagnosis import Diagnosis
from tests.unit.smtplib.scripted import Client, mail_server, scripted

ADA, BOB = "ada@example.org", "bob@example.net"
NAMES = [name for name, found in vars(original).items() if isinstance(found, type) and issubclass(found, Exception)]
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "SMTPSenderRefused": (550, b"no", ADA),
    "SMTPRecipientsRefused": ({BOB: (550, b"no")},),
    "SMTPException": ("what",),
    "SMTPNotSupportedError": ("what",),
    "SMTPServerDisconnected": ("what",),
}


def arguments(name: str) -> tuple[Any, ...]:
    return ARGUMENTS.get(name, (535, b"5.7.8 no"))


@pytest.mark.parametrize("name", NAMES)
def test_each_is_a_kind_of_the_originals(name: str) -> None:
    ours, theirs = getattr(smtplib, name), getattr(original, name)
    assert issubclass(ours, theirs) and ours.__name__ == name and ours.__module__ == "mailwright.smtplib"
    for parent in theirs.__mro__[1:]:
        assert issubclass(ours, getattr(smtplib, parent.__name__, parent))
    made, pattern = ours(*arguments(name)), theirs(*arguments(name))
    assert made.args == pattern.args and repr(made) == repr(pattern)
    assert {key: getattr(made, key) for key in vars(pattern)} == vars(pattern)
    assert (made.errno, made.strerror) == (pattern.errno, pattern.strerror)
    assert str(made).splitlines()[0] == str(pattern)


@pytest.mark.parametrize("name", NAMES)
def test_each_can_be_pickled(name: str) -> None:
    made = getattr(smtplib, name)(*arguments(name))
    made.phase = "auth"
    assert isinstance(made.diagnosis, Diagnosis)
    copy = pickle.loads(pickle.dumps(made))
    assert type(copy) is type(made) and copy.args == made.args and str(copy) == str(made)


def failing(act: Any, **server: Any) -> Any:
    """The exception of ``act(client)``."""
    with scripted(mail_server(**server)) as there:
        with pytest.raises(OSError) as caught:
            with smtplib.SMTP("127.0.0.1", there.port, "c") as client:
                act(client)
    return caught.value


def send(client: smtplib.SMTP) -> None:
    client.sendmail(ADA, BOB, "x")


LOGIN = ("mx", "AUTH PLAIN")
REFUSALS: list[tuple[Any, dict[str, Any], str, type[BaseException], str]] = [
    (send, {"greeting": "554 5.7.1 not you"}, "SMTPConnectError", errors.Refused, "greeting"),
    (send, {"greeting": "hello"}, "SMTPConnectError", errors.ProtocolError, "greeting"),
    (send, {"replies": {"ehlo": "500 no", "helo": "550 no"}}, "SMTPHeloError", errors.Refused, "ehlo"),
    (send, {"replies": {"mail": "530 5.7.0 log in"}}, "SMTPSenderRefused", errors.SenderRefused, "mail"),
    (send, {"replies": {"rcpt": "550 5.1.1 no"}}, "SMTPRecipientsRefused", errors.RecipientsRefused, "rcpt"),
    (send, {"replies": {"data": "554 no"}}, "SMTPDataError", errors.ContentRefused, "data"),
    (send, {"replies": {".": "552 5.3.4 big"}}, "SMTPDataError", errors.ContentRefused, "ready"),
    (send, {"replies": {"mail": "close"}}, "SMTPServerDisconnected", errors.ConnectionLost, "mail"),
    (lambda c: c.login("a", "b"), {"features": LOGIN, "replies": {"auth": "535 5.7.8 no"}}, "SMTPAuthenticationError", errors.LoginError, "auth"),
    (lambda c: c.starttls(), {"features": ("mx", "STARTTLS"), "replies": {"star": "454 no"}}, "SMTPResponseException", errors.Refused, "starttls"),
    (lambda c: None, {"replies": {"quit": "500 no"}}, "SMTPResponseException", errors.Refused, "quit"),
]  # fmt: skip


@pytest.mark.parametrize(("act", "server", "name", "cause", "phase"), REFUSALS)
def test_a_refusal_has_its_cause_and_its_advice(act: Any, server: Any, name: str, cause: type, phase: str) -> None:
    error = failing(act, **server)
    assert type(error).__name__ == name and isinstance(error, getattr(original, name))
    assert type(error.__cause__) is cause and error.__suppress_context__
    assert error.phase == phase and error.host == "127.0.0.1" and error.port > 0 and error.security == "none"
    assert isinstance(error.diagnosis, Diagnosis) and error.diagnosis is error.diagnosis
    first, rest = str(error).split("\n", 1)
    assert first == str(getattr(original, name)(*error.args))
    assert "127.0.0.1" in rest and rest.count(". ") >= 1
    assert error.__cause__.transcript is not None and "S" in str(error.__cause__.transcript)


def test_advice_is_in_the_words_of_this_interface() -> None:
    from mailwright.smtplib.errors import _WORDS, in_these_words

    for ours, theirs in _WORDS:
        assert theirs in in_these_words(f"Use {ours}.")
    assert "security '" not in in_these_words(
        "Use security 'tls' (port 465) or 'starttls' (port 587); cleartext_login=True allows it."
    )


def test_the_words_are_those_of_the_engine() -> None:
    """A text that was changed there must be changed here: each of ours is found in the engine's sources."""
    from pathlib import Path

    import mailwright
    from mailwright.smtplib.errors import _WORDS

    rooms = ("smtp", "sasl", "drivers", "words", "smtplib")
    root = Path(mailwright.__file__).parent
    sources = "".join(
        path.read_text("utf-8")
        for room in rooms
        for path in sorted((root / room).glob("*.py"))
        if path.name != "errors.py"
    )
    joined = "".join(
        line.strip().strip('f"') if line.strip().startswith(('"', 'f"')) else line for line in sources.splitlines(True)
    )
    assert [ours for ours, _ in _WORDS if ours not in sources and ours not in joined] == []


def test_what_a_traceback_shows() -> None:
    error = failing(send, replies={"mail": "550 5.7.1 not you"})
    text = "".join(traceback.format_exception(error))
    assert "mailwright.smtplib.SMTPSenderRefused: (550, b'5.7.1 not you', 'ada@example.org')\n" in text
    assert "refused the sender <ada@example.org>" in text


@pytest.mark.parametrize(
    ("host", "port", "theirs", "words"),
    [
        ("127.0.0.1", "closed", ConnectionRefusedError, "connection refused"),
        ("no.such.host.invalid", 25, socket.gaierror, "no.such.host.invalid"),
        ("mail server", 25, socket.gaierror, "is not a host name"),
        ("smtp://mail.example.org", 25, socket.gaierror, "is not a host name"),
        ("127.0.0.1", "bogus", OSError, ""),
    ],
)
def test_no_connection(host: str, port: Any, theirs: type[OSError], words: str) -> None:
    if port == "closed":
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
    with pytest.raises(theirs) as caught:
        smtplib.SMTP(host, port, "c")
    error: Any = caught.value
    assert not isinstance(error, original.SMTPException)
    assert words in str(error) and isinstance(error.diagnosis, Diagnosis)
    assert isinstance(error.__cause__, errors.MailError) and error.args[0] == error.errno


def test_the_errors_of_connecting_are_those_of_the_original() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    found = []
    for module in (original, smtplib):
        with pytest.raises(ConnectionRefusedError) as caught:
            module.SMTP("127.0.0.1", port, "c")
        found.append((caught.value.args, caught.value.errno, caught.value.strerror))
    assert found[0] == found[1]


def test_an_error_that_nobody_foresaw_keeps_its_class(monkeypatch: pytest.MonkeyPatch) -> None:
    class ProxyError(OSError):
        pass

    def fails(*args: Any) -> Any:
        raise ProxyError("no route")

    monkeypatch.setattr(smtplib.socket, "create_connection", fails)
    with pytest.raises(ProxyError, match="no route") as caught:
        smtplib.SMTP("mail.example.org", 587, "c")
    assert "No connection to mail.example.org:587" in caught.value.__notes__[0]


def test_a_timeout_while_connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: Any) -> Any:
        raise TimeoutError("timed out")

    monkeypatch.setattr(smtplib.socket, "create_connection", fails)
    with pytest.raises(TimeoutError) as caught:
        smtplib.SMTP("mail.example.org", 587, "c")
    assert str(caught.value).startswith("timed out\nNo connection to mail.example.org:587: no answer in time. ")


@pytest.mark.parametrize(
    "line", ["SSH-2.0-OpenSSH_9.2", "* OK IMAP4rev1 ready", "+OK POP3 ready", "HTTP/1.1 400 Bad Request"]
)
def test_what_is_no_mail_server_is_named(line: str) -> None:
    def act(client: Client) -> None:
        client.say(line)
        client.line()

    with scripted(act) as there, pytest.raises(smtplib.SMTPConnectError) as caught:
        smtplib.SMTP("127.0.0.1", there.port, "c")
    assert caught.value.smtp_code == -1 and f"“{line}”" in str(caught.value)


def test_control_characters_of_a_server_are_made_visible() -> None:
    error = failing(send, replies={"mail": b"550 \x1b[31mno\x07"})
    assert error.smtp_error == b"\x1b[31mno\x07"  # what was sent
    assert "\x1b" not in str(error) and "\\x1b[31mno\\x07" in str(error)


def test_an_explanation_that_fails_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    import mailwright.diagnose.explain

    def fails(*args: Any, **options: Any) -> Any:
        raise RuntimeError

    monkeypatch.setattr(mailwright.diagnose.explain, "explain", fails)
    error = failing(send, replies={"mail": "550 5.7.1 not you"})
    assert "refused the sender <ada@example.org>: 550 5.7.1 not you." in str(error)


ORDERS = {
    "the original first": "import smtplib; from mailwright import smtplib as face",
    "ours first": "from mailwright import smtplib as face; face.SMTPException; import smtplib",
    "ours in its place": "import smtplib, sys; from mailwright import smtplib as face; sys.modules['smtplib'] = face",
}


@pytest.mark.parametrize("order", ORDERS)
def test_it_does_not_matter_who_is_loaded_first(order: str) -> None:
    code = f"{ORDERS[order]}\nassert issubclass(face.SMTPDataError, smtplib.SMTPException), face.SMTPDataError.__mro__"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_ours_in_the_place_of_one_that_was_never_loaded() -> None:
    code = (
        "import sys\nfrom mailwright import smtplib\nassert 'smtplib' not in sys.modules\nsys.modules['smtplib'] = smtplib\n"
        "import smtplib as again\nassert again is smtplib\n"
        "try: raise smtplib.SMTPDataError(550, b'no')\n"
        "except again.SMTPResponseException as error: assert isinstance(error, OSError) and '550' in str(error)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_word_of_the_engine_is_left_in_its_advice() -> None:
    """Whatever is advised below, it says ``SMTP_SSL`` and ``starttls()`` here."""
    from mailwright.smtplib.errors import in_these_words

    source = Path(smtplib.__file__).parents[1]
    advice = []
    for room in ("smtp", "sasl", "drivers"):
        for path in (source / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and " '" in node.value:
                    advice.append(in_these_words(node.value))
    assert len([text for text in advice if "SMTP_SSL" in text]) > 10
    assert [text for text in advice if "'tls'" in text or "'starttls'" in text or "cleartext_login" in text] == []


@pytest.mark.parametrize(
    ("host", "use"), [("smtp.live.com", "smtp-mail.outlook.com"), ("smtp.yahoo.com", "smtp.mail.yahoo.com")]
)
def test_a_historic_name_that_does_not_exist_any_more(host: str, use: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*given: Any, **named: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    with pytest.raises(socket.gaierror) as caught:
        smtplib.SMTP(host, 587, "c")
    assert f"{host} is not the server to send through: " in str(caught.value) and f"Use {use}." in str(caught.value)


def test_nobody_listens_on_this_machine() -> None:
    """What ``SMTP("localhost")`` says on a machine without a mail server is not about networks."""
    with pytest.raises(ConnectionRefusedError) as caught:
        smtplib.SMTP("localhost", 1, "c")
    assert "Nothing listens on that port" in str(caught.value)
