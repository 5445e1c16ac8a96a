"""mailwright against real servers, blocking, under asyncio and under Trio: what arrives is read by an independent parser and compared."""

from __future__ import annotations

import asyncio
import uuid
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

import pytest
import trio

from mailwright import AsyncMailer, Attachment, DeliveryError, Login, Mailer, Message, Server
from mailwright.options import TLS, Limits
from mailwright.words.errors import LoginError, RecipientsRefused, Unsupported
from mailwright.words.receipt import Receipt
from tests.servers import RealServer
from tests.servers.fixtures import real_servers

pytestmark = pytest.mark.real

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
MECHANISMS = ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"]
SENDER = "ada@mail.test"


@pytest.fixture(params=real_servers())
def server(request: pytest.FixtureRequest) -> RealServer:
    """Each real server in turn."""
    found: RealServer = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["blocking", "asyncio", "trio", "one message"])
def door(request: pytest.FixtureRequest) -> str:
    """Every door."""
    return str(request.param)


def reach(real: RealServer, **changes: Any) -> Server:
    """Our settings for that server: encrypted and logged in as far as it can."""
    login = Login(real.user, real.password) if real.user and real.security != "none" else None
    tls = TLS(ca_file=str(real.ca_file)) if real.ca_file else TLS()
    settings: dict[str, Any] = {"login": login, "tls": tls, "protocol": real.protocol} | changes
    return Server(real.host, real.port, real.security, **settings)


def send(door: str, server: Server, message: Any, **options: Any) -> Receipt:
    """One message through one of the doors; where it is known to be the only one, it goes in one flight with QUIT."""
    if door in ("blocking", "one message"):
        with Mailer(server, limits=Limits(messages=1 if door == "one message" else 100)) as mailer:
            return mailer.send(message, **options)

    async def task() -> Receipt:
        async with AsyncMailer(server) as mailer:
            return await mailer.send(message, **options)

    return asyncio.run(task()) if door == "asyncio" else trio.run(task)


def marked() -> str:
    """A word that finds this test's message in a mailbox that others use too."""
    return f"mark{uuid.uuid4().hex}"


def read(stored: bytes) -> EmailMessage:
    """The message as the standard library's parser sees it."""
    return BytesParser(policy=policy.default).parsebytes(stored)  # type: ignore[return-value]


def test_everything_a_message_can_hold(server: RealServer, door: str) -> None:
    mark = marked()
    message = Message(
        ("Ada Łucja", SENDER),
        [("Grace, Hüpper", "grace@analytical.test")],
        f"Grüße ✉ {mark}",
        f"Erste Zeile\n.\n..zwei\nlong {'wörter ' * 300}\n{mark}\n",
        '<p>Grüße <img src="cid:logo"></p>',
        inline={"logo": PICTURE},
        attachments=[Attachment(b"a;b\r\n" * 100, "Übersicht – 2026.csv", "text/csv")],
    )
    receipt = send(door, reach(server), message)
    assert receipt.complete and str(receipt).endswith("for 1 of 1 recipients")
    assert (receipt.tls is not None) == (server.security == "starttls")
    stored = server.find(mark.encode())
    back = read(stored)
    text, html = back.get_body(("plain",)), back.get_body(("html",))
    assert text is not None and html is not None
    assert back["Subject"] == f"Grüße ✉ {mark}"
    assert back["From"].addresses[0].display_name == "Ada Łucja"
    assert back["To"].addresses[0].display_name == "Grace, Hüpper"
    assert text.get_content().splitlines() == message.text.splitlines()  # type: ignore[union-attr]
    assert "cid:" in html.get_content()
    assert [part.get_content() for part in back.walk() if part.get_content_type() == "image/png"] == [PICTURE]
    (attachment,) = list(back.iter_attachments())
    assert attachment.get_filename() == "Übersicht – 2026.csv"
    assert attachment.get_payload(decode=True) == b"a;b\r\n" * 100


def test_finished_octets_arrive_octet_for_octet(server: RealServer, door: str) -> None:
    mark = marked()
    raw = (
        f"From: {SENDER}\r\nTo: b@analytical.test\r\nSubject: {mark}\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n"
        f"Message-ID: <{mark}@mail.test>\r\n\r\n.\r\n..\r\n.x\r\nno line end at the end\r\n."
    ).encode()
    send(door, reach(server), raw)
    assert server.find(mark.encode()).endswith(raw + b"\r\n")


def test_eight_bit_octets(server: RealServer, door: str) -> None:
    mark = marked()
    raw = (
        f"From: {SENDER}\r\nTo: b@analytical.test\r\nSubject: {mark}\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n"
        f"Message-ID: <{mark}@mail.test>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\nGrüße ✉\r\n"
    ).encode()
    send(door, reach(server), raw)
    body = read(server.find(mark.encode())).get_body()
    assert body is not None and body.get_content().strip() == "Grüße ✉"


def test_ten_megabytes(server: RealServer, door: str, tmp_path: Any) -> None:
    mark = marked()
    size = 10_000_000 if server.name != "aiosmtpd_server" else 5_000_000
    data = bytes(range(251)) * (size // 251)
    (tmp_path / "data.bin").write_bytes(data)
    message = Message(SENDER, "b@analytical.test", mark, "see file", attachments=[tmp_path / "data.bin"])
    try:
        receipt = send(door, reach(server), message)
    except Unsupported as error:
        assert "takes at most" in str(error)
        assert "SIZE" in server.features
        return
    assert receipt.complete
    (attachment,) = list(read(server.find(mark.encode(), 30)).iter_attachments())
    assert attachment.get_payload(decode=True) == data


def test_fifty_recipients_some_refused(server: RealServer, door: str) -> None:
    mark = marked()
    good = [f"user{n}@analytical.test" for n in range(44)]
    bad = [f"reject{n}@analytical.test" for n in range(3)]
    late = [f"later{n}@analytical.test" for n in range(3)]
    with pytest.raises(RecipientsRefused) as caught:
        send(door, reach(server), Message(SENDER, good + bad + late, mark, "to many"))
    error = caught.value
    assert error.receipt is not None and not error.temporary
    assert [a.spec for a in error.receipt.accepted] == good
    assert {o.recipient.spec for o in error.receipt.refused if o.fate == "refused"} == set(bad)
    assert [a.spec for a in error.remaining.envelope.recipients] == late
    assert server.find(mark.encode())


def test_stop_at_a_refusal_sends_nothing(server: RealServer, door: str) -> None:
    mark = marked()
    message = Message(SENDER, ["good@analytical.test", "reject@analytical.test"], mark, "x")
    with pytest.raises(RecipientsRefused) as caught:
        send(door, reach(server), message, on_refusal="stop")
    assert caught.value.receipt is not None and not caught.value.receipt.accepted
    after = marked()
    send(door, reach(server), Message(SENDER, "b@analytical.test", after, "later"))
    server.find(after.encode())
    assert not any(mark.encode() in stored for stored in server.mailbox())


def test_non_ascii_addresses(server: RealServer, door: str) -> None:
    mark = marked()
    message = Message(SENDER, "jõhn@bücher.test", f"Ü {mark}", "ü")
    if "SMTPUTF8" not in server.features:
        with pytest.raises(Unsupported, match="jõhn@xn--bcher-kva.test"):
            send(door, reach(server), message)
        return
    assert send(door, reach(server), message).complete
    assert "ü" in read(server.find(mark.encode())).get_body().get_content()  # type: ignore[union-attr]


def test_wrong_password(server: RealServer, door: str) -> None:
    if server.security == "none":
        with pytest.raises(DeliveryError, match="STARTTLS|login|encrypt"):
            send(door, reach(server, login=Login("ada", "wrong")), Message(SENDER, "b@analytical.test", "x", "y"))
        return
    with pytest.raises(LoginError) as caught:
        send(door, reach(server, login=Login("ada", "wrong-secret")), Message(SENDER, "b@x.test", "x", "y"))
    assert caught.value.phase == "auth" and caught.value.reply is not None
    assert "wrong-secret" not in str(caught.value) + str(caught.value.transcript)


def test_untrusted_certificate(server: RealServer, door: str) -> None:
    if server.security == "none":  # nothing to distrust: asked for encryption, it is refused as a whole
        demanding = Server(server.host, server.port, "starttls")
        with pytest.raises(DeliveryError, match="does not offer STARTTLS"):
            send(door, demanding, Message(SENDER, "b@analytical.test", "x", "y"))
        return
    with pytest.raises(DeliveryError, match="not from a CA that this machine trusts"):
        send(door, reach(server, tls=TLS()), Message(SENDER, "b@analytical.test", "x", "y"))


@pytest.mark.parametrize("name", ["postfix", "exim", "npm_smtp_server"])
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_every_mechanism(name: str, mechanism: str, door: str, request: pytest.FixtureRequest) -> None:
    real: RealServer = request.getfixturevalue(name)
    server = reach(real, login=Login(real.user or "", real.password, mechanism=mechanism))
    message = Message(SENDER, "b@analytical.test", marked(), "y")
    if mechanism in real.mechanisms:
        receipt = send(door, server, message)
        assert receipt.login == real.user
        assert f"AUTH {mechanism}" in str(receipt.transcript)
        assert (real.password or "") not in str(receipt.transcript)
    else:
        with pytest.raises(LoginError, match=mechanism):
            send(door, server, message)


def test_xoauth2(npm_smtp_server: RealServer, door: str) -> None:
    real = npm_smtp_server
    asked: list[int] = []

    def token() -> str:
        asked.append(1)
        return real.token or ""

    message = Message(SENDER, "b@analytical.test", marked(), "y")
    server = reach(real, login=Login(real.user or "", token=token, mechanism="XOAUTH2"))
    assert send(door, server, message).complete and len(asked) == 1
    with pytest.raises(LoginError):
        send(door, reach(real, login=Login(real.user or "", token="stale", mechanism="XOAUTH2")), message)


def test_tls_from_the_first_byte(postfix: RealServer, door: str) -> None:
    server = Server(
        postfix.host, postfix.tls_port or 0, "tls", Login("ada", postfix.password), TLS(ca_file=str(postfix.ca_file))
    )
    receipt = send(door, server, Message(SENDER, "b@analytical.test", marked(), "y"))
    assert receipt.tls is not None and receipt.tls.version.startswith("TLSv1.")


def test_a_pin_replaces_the_ca(postfix: RealServer, door: str) -> None:
    message = Message(SENDER, "b@analytical.test", marked(), "y")
    learnt = send(door, reach(postfix), message).tls
    assert learnt is not None
    assert send(door, reach(postfix, tls=TLS(pin=learnt.certificate_sha256)), message).complete
    with pytest.raises(DeliveryError, match="not the pinned one"):
        send(door, reach(postfix, tls=TLS(pin="0" * 64)), message)


def test_many_messages_on_one_connection(server: RealServer) -> None:
    marks = [marked() for _ in range(20)]
    with Mailer(reach(server)) as mailer:
        transcripts = [str(mailer.send(Message(SENDER, "b@analytical.test", m, "x")).transcript) for m in marks]
    assert sum("connecting to" in transcript for transcript in transcripts) == 1
    for mark in marks:
        server.find(mark.encode())


def test_lmtp_has_one_fate_for_each(dovecot: RealServer, door: str) -> None:
    mark = marked()
    message = Message(SENDER, ["b@analytical.test", "full@analytical.test"], mark, "x")
    with pytest.raises(RecipientsRefused) as caught:
        send(door, reach(dovecot), message)
    assert caught.value.receipt is not None
    assert [o.fate for o in caught.value.receipt.outcomes] == ["accepted", "refused"]
    assert dovecot.find(mark.encode())


def test_require_tls(npm_smtp_server: RealServer, door: str) -> None:
    mark = marked()
    message = Message(SENDER, "b@analytical.test", mark, "y", require_tls=True)
    for server in (
        reach(npm_smtp_server),
        Server(
            npm_smtp_server.host,
            npm_smtp_server.tls_port or 0,
            "tls",
            Login(npm_smtp_server.user or "", npm_smtp_server.password),
            TLS(ca_file=str(npm_smtp_server.ca_file)),
        ),
    ):
        receipt = send(door, server, message)
        (said,) = [line for line in str(receipt.transcript).splitlines() if "MAIL FROM" in line]
        assert receipt.complete and said.endswith(" REQUIRETLS")
    assert npm_smtp_server.find(mark.encode())
    with pytest.raises(Unsupported, match="REQUIRETLS"):
        send(door, Server(npm_smtp_server.host, npm_smtp_server.port, "none"), message)


def test_require_tls_where_it_is_not_offered(postfix: RealServer, door: str) -> None:
    mark = marked()
    with pytest.raises(Unsupported, match="REQUIRETLS"):
        send(door, reach(postfix), Message(SENDER, "b@analytical.test", mark, "y", require_tls=True))
    assert not any(mark.encode() in stored for stored in postfix.mailbox())
