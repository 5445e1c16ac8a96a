"""The same words mean different things in different places; other languages, other programs, other codes."""

from __future__ import annotations

import json
import smtplib
import socket
import ssl
from typing import Any

import pytest

from mailwright import explain
from mailwright.words.reply import Reply

CLOSED = "Connection unexpectedly closed"


@pytest.mark.parametrize(
    ("words", "context", "kind"),
    [
        (CLOSED, {"phase": "greeting", "port": 465, "security": "none"}, "closed-plain-on-465"),
        (CLOSED, {"phase": "greeting", "port": 587}, "closed-at-greeting"),
        (CLOSED, {"phase": "auth"}, "closed-at-auth"),
        (CLOSED, {"phase": "mail_from"}, "closed-at-envelope"),
        (CLOSED, {"phase": "data"}, "closed-at-data"),
        (CLOSED, {}, "fallback-disconnect"),
        ("timed out", {"phase": "connect", "port": 25}, "connect-timeout-25"),
        ("timed out", {"phase": "connect", "port": 587}, "connect-timeout"),
        ("timed out", {"phase": "greeting", "port": 465, "security": "starttls"}, "closed-plain-on-465"),
        ("timed out", {"phase": "greeting", "port": 587}, "greeting-timeout"),
        ("timed out", {"phase": "tls"}, "tls-handshake-timeout"),
        ("timed out", {"phase": "auth"}, "timeout-at-auth"),
        ("timed out", {"phase": "data"}, "timeout-at-content"),
        ("timed out", {}, "timeout-unplaced"),
        ("421 Service not available", {"phase": "greeting"}, "greeting-421"),
        ("554 No", {"phase": "greeting"}, "greeting-554"),
        ("503 No", {"phase": "auth"}, "auth-disabled-503"),
        ("503 No", {"phase": "data"}, "no-valid-recipients"),
        ("452 No", {"phase": "rcpt_to"}, "too-many-rcpt"),
        ("550 mailbox unavailable", {"phase": "rcpt_to"}, "rcpt-unknown"),
        ("550 mailbox unavailable. Mail send limit exceeded.", {"host": "mail.gmx.net"}, "ionos-send-limit"),
        ("535 Authentication failed", {"provider": "qq"}, "qq-auth-code"),
        ("535 Authentication failed", {"banner": "220 smtp.sendgrid.net ESMTP"}, "sendgrid-apikey"),
    ],
)  # fmt: skip
def test_the_surroundings_weigh_in(words: str, context: dict[str, Any], kind: str) -> None:
    assert explain(words, **context).kind == kind


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (
            "550 5.7.1 Unauthenticated email from example.com is not accepted due to domain's DMARC policy",
            "dmarc-reject",
        ),
        (
            "550 5.7.26 This message does not pass authentication checks (SPF and DKIM both)",
            "gmail-unauthenticated-sender",
        ),
        ("554 5.7.1 <bob@example.org>: Relay access denied", "relay-denied"),
        (
            "550 5.1.1 <bob@example.org>: Recipient address rejected: User unknown in local recipient table",
            "rcpt-unknown",
        ),
        ("421 4.7.0 Too many connections from 192.0.2.1", "postfix-rate"),
        ("421-4.7.28 Our system has detected an unusual rate of unsolicited mail", "reputation-rate"),
        ("550 5.2.2 Mailbox full", "mailbox-full"),
        ("552 5.3.4 Message size exceeds fixed limit", "too-big"),
        ("450 4.7.1 Client host rejected: cannot find your hostname", "ptr-missing"),
        ("550 Blocked - see https://www.spamhaus.org/query/ip/192.0.2.1", "blocklisted-ip"),
        ("450 4.2.0 Greylisted, please try again in 300 seconds", "greylist"),
        ("550 5.4.6 Hop count exceeded - possible mail loop", "loop"),
        ("530 5.7.0 Must issue a STARTTLS command first", "must-starttls"),
        ("553 5.7.1 Sender address rejected: not owned by user ada", "sender-not-owned"),
    ],
)
def test_words_that_mislead(words: str, kind: str) -> None:
    told = explain(words)
    assert told.kind == kind and not told.fallback


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("[WinError 10060] Ein Verbindungsversuch ist fehlgeschlagen, da die Gegenstelle nach einer bestimmten "
         "Zeitspanne nicht richtig reagiert hat"), "connect-timeout"),
        ("[WinError 10061] Aucune connexion n’a pu être établie car l’ordinateur cible l’a expressément refusée",
         "connect-refused"),
        ("[WinError 10060] Se produjo un error durante el intento de conexión ya que la parte conectada no respondió",
         "connect-timeout"),
        ("[WinError 10061] Нет связи: подключение не установлено, т.к. конечный компьютер отверг запрос",
         "connect-refused"),
        ("[WinError 10054] 远程主机强迫关闭了一个现有的连接。", "connection-reset"),
        ("[WinError 10061] 由于目标计算机积极拒绝，无法连接。", "connect-refused"),
        ("[WinError 10061] 対象のコンピューターによって拒否されたため、接続できませんでした。", "connect-refused"),
        ("[WinError 10061] Nenhuma conexão pôde ser feita porque a máquina de destino as recusou ativamente",
         "connect-refused"),
        ("[Errno 111] Verbindungsaufbau abgelehnt", "connect-refused"),
        ("535 Anmeldung fehlgeschlagen: Benutzername oder Passwort falsch", "auth-535-generic"),
        ("535 Ошибка аутентификации: неверный пароль", "auth-535-generic"),
        ("550 用户不存在", "rcpt-unknown"),
        ("552 邮箱已满", "mailbox-full"),
        ("550 5.2.2 Boîte aux lettres pleine", "mailbox-full"),
        ("Zeitüberschreitung beim Verbindungsaufbau zum Server", "connect-timeout"),
        ("Превышено время ожидания подключения", "connect-timeout"),
        ("証明書の有効期限が切れています", "cert-expired"),
    ],
)  # fmt: skip
def test_other_languages(words: str, kind: str) -> None:
    assert explain(words).kind == kind


@pytest.mark.parametrize(
    ("octets", "kind"),
    [
        ("550 用户不存在".encode("gb18030"), "rcpt-unknown"),
        ("535 认证失败".encode("gb18030"), "auth-535-generic"),
        ("550 5.2.2 Boîte aux lettres pleine".encode("latin-1"), "mailbox-full"),
        ("535 Mot de passe erroné, échec d'authentification".encode("cp1252"), "auth-535-generic"),
        ("552 メールボックスの容量を超えました".encode("shift_jis"), "mailbox-full"),
        ("550 Пользователь не найден".encode("cp1251"), "rcpt-unknown"),
        ("550 Пользователь не найден".encode("utf-16"), "rcpt-unknown"),
        (b"\xef\xbb\xbf550 5.1.1 User unknown", "rcpt-unknown"),
        (bytearray(b"550 5.1.1 User unknown"), "rcpt-unknown"),
        ("550 5.2.2 Boîte aux lettres pleine".encode().decode("cp1252"), "mailbox-full"),  # read in the wrong encoding
        (r"b'550 5.2.2 Bo\xc3\xaete aux lettres pleine'", "mailbox-full"),
    ],
)
def test_encodings(octets: Any, kind: str) -> None:
    assert explain(octets).kind == kind


TRACEBACK = """Traceback (most recent call last):
  File "app.py", line 12, in send_mail
    with smtplib.SMTP("smtp.example.org", 465) as server:
  File "/usr/lib/python3.11/smtplib.py", line 255, in __init__
    (code, msg) = self.connect(host, port)
  File "/usr/lib/python3.11/smtplib.py", line 343, in connect
    (code, msg) = self.getreply()
  File "/usr/lib/python3.11/smtplib.py", line 405, in getreply
    raise SMTPServerDisconnected("Connection unexpectedly closed")
smtplib.SMTPServerDisconnected: Connection unexpectedly closed
"""
CHAINED = """Traceback (most recent call last):
  File "/usr/lib/python3.11/smtplib.py", line 739, in login
    raise last_exception
smtplib.SMTPAuthenticationError: (535, b'5.7.8 Username and Password not accepted. gsmtp')

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "app.py", line 20, in run
    raise RuntimeError("could not send the report") from None
RuntimeError: could not send the report
"""


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (TRACEBACK, "closed-plain-on-465"),
        (TRACEBACK.replace("465", "587"), "closed-at-greeting"),
        (CHAINED, "gmail-535-bad"),
        (("Oct  1 10:00:00 mx postfix/smtp[452]: 4AB: to=<bob@example.org>, relay=mx.example.org[192.0.2.1]:25, delay=3, "
         "dsn=5.1.1, status=bounced (host mx.example.org[192.0.2.1] said: 550 5.1.1 <bob@example.org>: Recipient address "
         "rejected: User unknown (in reply to RCPT TO command))"), "rcpt-unknown"),
        ("Oct  1 10:00:00 mx postfix/smtp[550]: connect to mx.example.org[192.0.2.1]:25: Connection timed out",
         "connect-timeout-25"),
        ("SMTP ERROR: Password command failed: 535-5.7.8 Username and Password not accepted. gsmtp", "gmail-535-bad"),
        ("Error: Invalid login: 534-5.7.9 Application-specific password required. gsmtp", "gmail-534-app-password"),
        (("javax.mail.MessagingException: Could not connect to SMTP host: smtp.example.org, port: 25;\n  nested exception "
         "is:\n\tjava.net.ConnectException: Connection refused"), "connect-refused"),
        ("x509: certificate signed by unknown authority", "cert-no-issuer"),
        ("msmtp: the server does not support TLS via the STARTTLS command", "starttls-not-offered"),
        ("curl: (67) Login denied", "auth-535-generic"),
        (("<-  220 mail.example.org ESMTP\n -> EHLO me\n<-  250 AUTH PLAIN\n -> MAIL FROM:<ada@example.org>\n"
         "<-  250 2.1.0 Ok\n -> RCPT TO:<bob@example.net>\n<** 554 5.7.1 <bob@example.net>: Relay access denied\n -> QUIT"),
         "relay-denied"),
        (("send: 'ehlo me\\r\\n'\nreply: b'250 SIZE 1000\\r\\n'\nsend: 'mail FROM:<ada@example.org> size=2000\\r\\n'\n"
         "reply: b'552 5.3.4 Message size exceeds fixed limit\\r\\n'\nreply: retcode (552); Msg: b'5.3.4 Message size "
         "exceeds fixed limit'"), "too-big"),
        (("System.Net.Mail.SmtpException: Exceeded storage allocation. The server response was: 5.3.4 Message size exceeds "
         "fixed maximum message size"), "too-big"),
        ("{:error, :no_more_hosts, {:permanent_failure, \"mx.example.org\", \"550 5.1.1 User unknown\\r\\n\"}}",
         "rcpt-unknown"),
    ],
)  # fmt: skip
def test_logs_of_other_programs(text: str, kind: str) -> None:
    assert explain(text).kind == kind


def test_a_log_is_explained_by_its_worst_line_and_shows_that() -> None:
    noise = [f"Oct  1 10:00:{n:02} host app[{n}]: accepted connection {n}" for n in range(60)]
    line = "Oct  1 10:01:00 host app[7]: sending failed: 535 5.7.8 Error: authentication failed: wrong password"
    told = explain("\n".join([*noise[:40], line, *noise[40:]]))
    assert told.kind == "auth-535-generic" and "535 5.7.8" in told.evidence and "accepted" not in told.evidence


class SMTPReadTimeoutError(TimeoutError):
    """Named as in aiosmtplib, which need not be there."""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (smtplib.SMTPAuthenticationError(535, b"5.7.8 Username and Password not accepted. gsmtp"), "gmail-535-bad"),
        (smtplib.SMTPSenderRefused(530, b"5.7.0 Authentication Required", "ada@example.org"), "auth-required-mail"),
        (smtplib.SMTPRecipientsRefused({"bob@example.org": (550, b"5.1.1 User unknown")}), "rcpt-unknown"),
        (smtplib.SMTPDataError(550, b"5.7.1 This message looks like spam"), "spam-content"),
        (smtplib.SMTPHeloError(501, b"Invalid domain name"), "helo-bad"),
        (smtplib.SMTPServerDisconnected("please run connect() first"), "py-not-connected"),
        (smtplib.SMTPNotSupportedError("SMTP AUTH extension not supported by server."), "auth-not-offered"),
        (ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed "
                                         "certificate (_ssl.c:1006)"), "cert-self-signed"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"), "tls-on-starttls-port"),
        (socket.gaierror(-2, "Name or service not known"), "dns-not-found"),
        (socket.gaierror(-3, "Temporary failure in name resolution"), "dns-temporary"),
        (ConnectionRefusedError(111, "Connection refused"), "connect-refused"),
        (OSError(101, "Network is unreachable"), "connect-unreachable"),
        (SMTPReadTimeoutError("Timed out waiting for server response"), "timeout-unplaced"),
        (ExceptionGroup("all tries failed", [ConnectionRefusedError(111, "Connection refused")]), "connect-refused"),
    ],
)  # fmt: skip
def test_exceptions(error: BaseException, kind: str) -> None:
    assert explain(error).kind == kind


def test_a_chain_is_explained_by_what_tells_most() -> None:
    try:
        try:
            raise smtplib.SMTPAuthenticationError(535, b"5.7.8 Username and Password not accepted. gsmtp")
        except smtplib.SMTPException as problem:
            raise RuntimeError("the report was not sent") from problem
    except RuntimeError as error:
        assert explain(error).kind == "gmail-535-bad"


def test_the_traceback_of_an_exception_tells_where_it_was() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(OSError, match="timed out") as caught:
            smtplib.SMTP(*silent.getsockname(), timeout=0.05)
    assert explain(caught.value).kind == "greeting-timeout"


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(550, ("5.1.1 User unknown",)), "rcpt-unknown"),
        (Reply(535, ("5.7.8 Username and Password not accepted.", "5.7.8 gsmtp")), "gmail-535-bad"),
        (Reply(451, ()), "temp-server-451"),
    ],
)
def test_replies(reply: Reply, kind: str) -> None:
    assert explain(reply).kind == kind


def test_what_sendmail_returned() -> None:
    assert explain({"bob@example.org": (550, b"5.1.1 User unknown")}).kind == "py-partial-refusal"


@pytest.mark.parametrize(
    ("text", "kind", "retry"),
    [
        ("599 qqq", "unknown", None),
        ("550 5.1.1 qqq", "rcpt-unknown", "no"),
        ("450 4.2.2 qqq", "mailbox-full", "yes"),
        ("550 5.7.25 qqq", "ptr-missing", "no"),
        ("451 qqq", "temp-server-451", "yes"),
        ("553 5.6.11 qqq", "code-553-mail_from", "no"),
        ("qqq", "unknown", None),
    ],
)
def test_what_nobody_listed_is_told_as_a_fallback(text: str, kind: str, retry: str | None) -> None:
    told = explain(text, phase="mail_from" if "5.6.11" in text else "")
    assert told.fallback and told.certainty != "high" and "not known here" in str(told)
    if retry is not None:
        assert (told.kind, told.retry) == (kind, retry)


def test_endings_and_small_words_may_differ() -> None:
    known = explain("Remote end closed the connection")
    assert explain("remote side closing connections").kind == known.kind == "fallback-disconnect"


def test_a_diagnosis_reads_and_is_json() -> None:
    told = explain("535-5.7.8 Username and Password not accepted. gsmtp")
    assert json.loads(json.dumps(told.as_dict())) == told.as_dict() and told.as_dict()["provider"] == "gmail"
    text = str(told)
    assert text.startswith(told.what) and "Most likely: " in text and told.fix in text and told.link in text
    assert text.count("Most likely") == 1, "the first cause is one cause"
    assert told.advice.count(". ") == 0
