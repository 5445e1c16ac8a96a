"""Other people's programs on our module: Django, the standard library's logging, yagmail."""

from __future__ import annotations

import logging
import logging.handlers
import ssl
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from mailwright import Inbox, smtplib

ADA, BOB, PASSWORD = "ada@example.org", "bob@example.net", "correct horse"


@pytest.fixture(params=["starttls", "tls"])
def inbox(request: pytest.FixtureRequest) -> Iterator[Inbox]:
    with Inbox(
        (ADA, PASSWORD), security=request.param, refuse={"nobody@example.net": "550 5.1.1 No such mailbox"}
    ) as made:
        yield made


@pytest.fixture
def context(inbox: Inbox) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=inbox.server.tls.ca_file)


def imported(name: str) -> Any:
    """The module, without what its dependencies warn of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, reason=f"{name} is not installed")


class TestDjango:
    """`django.core.mail` with its SMTP backend."""

    @pytest.fixture
    def mail(self, inbox: Inbox, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> Any:
        settings = imported("django.conf").settings
        if not settings.configured:
            settings.configure(DEFAULT_FROM_EMAIL=ADA, USE_I18N=False, EMAIL_TIMEOUT=5)
        backend = imported("django.core.mail.backends.smtp")
        monkeypatch.setattr(backend, "smtplib", smtplib)
        monkeypatch.setattr(backend.EmailBackend, "ssl_context", context)
        return imported("django.core.mail")

    @pytest.fixture
    def connection(self, mail: Any, inbox: Inbox) -> Any:
        tls = inbox.server.security == "tls"
        return mail.get_connection(
            "django.core.mail.backends.smtp.EmailBackend", host="127.0.0.1", port=inbox.server.port,
            username=ADA, password=PASSWORD, use_tls=not tls, use_ssl=tls,
        )  # fmt: skip

    def test_it_sends(self, mail: Any, connection: Any, inbox: Inbox) -> None:
        message = mail.EmailMultiAlternatives("Grüße", "Hallo\nWelt", ADA, [BOB], connection=connection)
        message.attach_alternative("<p>Hallo</p>", "text/html")
        message.attach("a.txt", "text", "text/plain")
        assert message.send() == 1
        got = inbox.wait(to=BOB)
        assert got.message.subject == "Grüße" and got.login == ADA and got.tls is not None
        assert [attachment.name for attachment in got.message.attachments] == ["a.txt"]

    def test_it_keeps_its_connection(self, mail: Any, connection: Any, inbox: Inbox) -> None:
        with connection:
            assert isinstance(connection.connection, smtplib.SMTP)
            assert connection.send_messages([mail.EmailMessage(f"n {n}", "x", ADA, [BOB]) for n in range(3)]) == 3
        assert len(inbox.messages) == 3

    def test_its_errors(self, mail: Any, connection: Any) -> None:
        with pytest.raises(smtplib.SMTPRecipientsRefused, match="No such mailbox"):
            mail.send_mail("x", "y", ADA, ["nobody@example.net"], connection=connection)
        connection.close()

    def test_it_fails_silently_when_asked(self, mail: Any, connection: Any) -> None:
        connection.password, connection.fail_silently = "wrong", True
        assert connection.send_messages([mail.EmailMessage("x", "y", ADA, [BOB])]) in (0, None)
        connection.close()


class TestLogging:
    """`logging.handlers.SMTPHandler` imports smtplib whenever it sends."""

    @pytest.fixture
    def swapped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "smtplib", smtplib)

    @pytest.fixture
    def inbox(self) -> Iterator[Inbox]:
        """With STARTTLS: the handler knows nothing else."""
        with Inbox((ADA, PASSWORD)) as made:
            yield made

    def test_a_record_is_mailed(self, swapped: None, context: ssl.SSLContext, inbox: Inbox) -> None:
        handler = Handler(("127.0.0.1", inbox.server.port), ADA, [BOB], "It broke", (ADA, PASSWORD), (), 5)
        handler.context = context
        record = logging.LogRecord("app", logging.ERROR, "app.py", 1, "the disk is %s", ("full",), None)
        handler.emit(record)
        got = inbox.wait(subject="It broke")
        assert "the disk is full" in got.message.text and got.login == ADA
        assert handler.problems == []

    def test_without_a_login(self, swapped: None) -> None:
        with Inbox(tls=False) as inbox:
            handler = Handler(("127.0.0.1", inbox.server.port), ADA, BOB, "It broke")
            handler.emit(logging.LogRecord("app", logging.ERROR, "app.py", 1, "no login", (), None))
            assert inbox.wait(subject="It broke") and handler.problems == []

    def test_a_server_that_is_not_verified_gets_nothing(self, swapped: None, inbox: Inbox) -> None:
        handler = Handler(("127.0.0.1", inbox.server.port), ADA, [BOB], "It broke", (ADA, PASSWORD), (), 5)
        handler.emit(logging.LogRecord("app", logging.ERROR, "app.py", 1, "x", (), None))
        assert [type(problem).__mro__[2] for problem in handler.problems] == [ssl.SSLCertVerificationError]
        assert not inbox.messages


class Handler(logging.handlers.SMTPHandler):
    """The handler, with an account of what went wrong."""

    context: ssl.SSLContext | None = None

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.problems: list[Any] = []

    def emit(self, record: logging.LogRecord) -> None:
        with pytest.MonkeyPatch.context() as patch:
            if self.context is not None:
                # The handler of Python 3.11 passes files or nothing; this is the CA of this machine for once.
                patch.setattr("mailwright.drivers.tls.client_context", lambda tls: self.context)
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        self.problems.append(sys.exc_info()[1])


class TestYagmail:
    """The most used wrapper of the original."""

    @pytest.fixture
    def client(self, inbox: Inbox, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> Any:
        yagmail = imported("yagmail")
        monkeypatch.setattr(imported("yagmail.sender"), "smtplib", smtplib)
        tls = inbox.server.security == "tls"
        options: Any = (
            {"smtp_ssl": True, "context": context}
            if tls
            else {"smtp_ssl": False, "smtp_starttls": {"context": context}}
        )
        return lambda password: yagmail.SMTP(ADA, password, host="127.0.0.1", port=inbox.server.port, **options)

    @pytest.mark.filterwarnings("ignore")
    def test_it_sends(self, client: Any, inbox: Inbox, tmp_path: Any) -> None:
        (tmp_path / "a.txt").write_text("a file")
        with client(PASSWORD) as yag:
            assert yag.send(BOB, "Grüße", ["Hallo", "<b>Welt</b>", str(tmp_path / "a.txt")]) == {}
            assert yag.send([BOB, "nobody@example.net"], "Second", "x") == {
                "nobody@example.net": (550, b"5.1.1 No such mailbox")
            }
        got = inbox.wait(subject="Grüße")
        assert got.login == ADA and [attachment.name for attachment in got.message.attachments] == ["a.txt"]

    @pytest.mark.filterwarnings("ignore")
    def test_a_wrong_password(self, client: Any) -> None:
        yag = client("wrong password")
        with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
            yag.send(BOB, "x", "y")
        assert caught.value.smtp_code == 535
        yag.smtp.close()
        yag.is_closed = True
