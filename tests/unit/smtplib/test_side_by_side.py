"""The same call on the original and on ours, to servers that answer alike: the same octets, results and exceptions.

`test_differences.py` has what is meant to differ.
"""

from __future__ import annotations

import smtplib as original
from collections.abc import Callable
from email.message import EmailMessage
from email.mime.text import MIMEText
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright import smtplib
from tests.unit.smtplib.scripted import CLOSE, FEATURES, mail_server, scripted

ADA, BOB, EVE = "ada@example.org", "bob@example.net", "eve@example.net"
LETTER = "From: ada@example.org\nSubject: Hi\n\nA line.\n.A dot.\r\n..Two.\rThe end"
Act = Callable[[Any, Any], Any]


def account(module: Any, act: Act, server: Callable[..., Any], **options: Any) -> dict[str, Any]:
    """What came of ``act(client, module)``: the result or the exception, what the server heard, and how it stands."""
    with scripted(server) as there:
        found: dict[str, Any] = {}
        client = None
        try:
            client = module.SMTP("127.0.0.1", there.port, "client.example", 5, **options)
            found["result"] = act(client, module)
        except Exception as error:
            named = {"smtp_code", "smtp_error", "sender", "recipients", "errno", "strerror"}
            found["error"] = type(error).__name__, [same(arg) for arg in error.args]
            found |= {name: getattr(error, name) for name in named if hasattr(error, name)}
        if client is not None:
            found["open"] = client.sock is not None
            found["state"] = client.helo_resp, client.ehlo_resp, client.does_esmtp, client.esmtp_features
            client.close()
    found["heard"] = same(b"".join(each.heard for each in there.clients).decode())
    return found


def same(thing: Any) -> Any:
    """`thing` without what differs between two versions of Python, or between two runs."""
    if not isinstance(thing, str):
        return thing
    if thing.startswith("Connection unexpectedly closed"):  # the reason depends on who was quicker
        return "Connection unexpectedly closed"
    # Some versions of the original write FROM and TO in capitals.
    return thing.replace("mail FROM:", "mail from:").replace("rcpt TO:", "rcpt to:")


def compare(act: Act, server: Callable[..., Any], **options: Any) -> dict[str, Any]:
    """The account of ours, which must be that of the original."""
    theirs, ours = (account(module, act, server, **options) for module in (original, smtplib))
    assert ours == theirs
    return ours


ACTS: dict[str, Act] = {
    "nothing": lambda c, m: None,
    "helo": lambda c, m: c.helo(),
    "helo with a name": lambda c, m: c.helo("other.example"),
    "ehlo": lambda c, m: c.ehlo(),
    "ehlo with a name": lambda c, m: c.ehlo("other.example"),
    "ehlo twice": lambda c, m: (c.ehlo(), c.ehlo()),
    "ehlo or helo": lambda c, m: (c.ehlo_or_helo_if_needed(), c.ehlo_or_helo_if_needed()),
    "has_extn": lambda c, m: (c.has_extn("size"), c.ehlo()[0], c.has_extn("SIZE"), c.has_extn("nothing")),
    "help": lambda c, m: c.help(),
    "help on something": lambda c, m: c.help("mail"),
    "rset": lambda c, m: c.rset(),
    "noop": lambda c, m: c.noop(),
    "vrfy": lambda c, m: c.vrfy("Bob <bob@example.net>"),
    "verify nonsense": lambda c, m: c.verify("a b c"),
    "expn": lambda c, m: c.expn("list@example.net"),
    "mail": lambda c, m: c.mail(ADA),
    "mail with a name": lambda c, m: c.mail("Ada <ada@example.org>"),
    "mail from nobody": lambda c, m: c.mail("<>"),
    "mail, options before EHLO": lambda c, m: c.mail(ADA, ["body=8bitmime"]),
    "mail, options": lambda c, m: (c.ehlo(), c.mail(ADA, ["size=10", "body=8bitmime"])),
    "mail, SMTPUTF8 that is missing": lambda c, m: (c.ehlo(), c.mail("ädä@example.org", ["SMTPUTF8"])),
    "mail, not ASCII": lambda c, m: c.mail("ädä@example.org"),
    "rcpt": lambda c, m: c.rcpt(BOB),
    "rcpt, options": lambda c, m: (c.ehlo(), c.rcpt(BOB, ["notify=never"])),
    "data": lambda c, m: (c.mail(ADA), c.rcpt(BOB), c.data(LETTER)),
    "data in octets": lambda c, m: (c.mail(ADA), c.rcpt(BOB), c.data(b"Subject: Hi\r\n\r\n.dot\r\n")),
    "no data": lambda c, m: (c.mail(ADA), c.rcpt(BOB), c.data("")),
    "docmd": lambda c, m: (c.docmd("NOOP"), c.docmd("VRFY", "bob")),
    "putcmd and getreply": lambda c, m: (c.putcmd("noop"), c.getreply()),
    "putcmd with a line break": lambda c, m: c.putcmd("noop\r\nrset"),
    "send": lambda c, m: (c.send("NOOP\r\n"), c.getreply()),
    "send octets": lambda c, m: (c.send(b"NOOP\r\n"), c.getreply()),
    "send in pieces": lambda c, m: (c.send("NO"), c.send("OP\r"), c.send("\n"), c.getreply()),
    "quit": lambda c, m: c.quit(),
    "quit twice": lambda c, m: (c.quit(), c.quit()),
    "close twice": lambda c, m: (c.close(), c.close()),
    "after close": lambda c, m: (c.close(), c.noop()),
    "with": lambda c, m: c.__enter__().__exit__(None, None, None),
    "starttls that is missing": lambda c, m: c.starttls(),
    "login that is missing": lambda c, m: c.login("ada", "secret"),
    "sendmail": lambda c, m: c.sendmail(ADA, BOB, LETTER),
    "sendmail twice": lambda c, m: (c.sendmail(ADA, BOB, LETTER), c.sendmail(ADA, [EVE], LETTER)),
    "sendmail after helo": lambda c, m: (c.helo(), c.sendmail(ADA, BOB, LETTER, ["body=8bitmime"])),
    "sendmail to several": lambda c, m: c.sendmail(ADA, [BOB, "Eve <eve@example.net>"], LETTER),
    "sendmail to a tuple": lambda c, m: c.sendmail(ADA, (BOB, EVE), LETTER),
    "sendmail to nobody": lambda c, m: c.sendmail(ADA, [], LETTER),
    "sendmail, options": lambda c, m: c.sendmail(ADA, BOB, LETTER, ["ret=hdrs"], ["notify=never"]),
    "sendmail, text that is not ASCII": lambda c, m: c.sendmail(ADA, BOB, "Subject: Grüße\n\nHi"),
    "send_message": lambda c, m: c.send_message(message()),
    "send_message to others": lambda c, m: c.send_message(message(), "eve@example.net", [BOB]),
    "send_message, the old class": lambda c, m: c.send_message(old_message()),
    "send_message, resent": lambda c, m: c.send_message(message(("Resent-Date", "now"), ("Resent-To", EVE), ("Resent-From", BOB))),
    "send_message, resent twice": lambda c, m: c.send_message(message(("Resent-Date", "now"), ("Resent-Date", "then"))),
    "send_message, SMTPUTF8 that is missing": lambda c, m: c.send_message(message(("Cc", "é@example.net"))),
}  # fmt: skip


def message(*more: tuple[str, str]) -> EmailMessage:
    """A message with Bcc."""
    made = EmailMessage()
    made["From"], made["To"], made["Bcc"] = "Ada <ada@example.org>", f"{BOB}, Eve <{EVE}>", "carl@example.net"
    made["Subject"] = "Grüße"
    for name, text in more:
        made.add_header(name, text)
    made.set_content(".A dot\nand lines\n")
    return made


def old_message() -> MIMEText:
    """One of the class that most scripts use."""
    made = MIMEText("Grüße", "plain", "utf-8")
    made["From"], made["To"], made["Sender"], made["Subject"] = ADA, BOB, EVE, "Hi"
    return made


SERVERS: dict[str, dict[str, Any]] = {
    "usual": {},
    "bare": {"features": ("mx.example",)},
    "chatty": {"features": ("mx.example Hello", "AUTH=LOGIN PLAIN", "AUTH PLAIN CRAM-MD5", "size", "X-ODD 1 2", "-x", "HELP")},
    "EHLO unknown": {"replies": {"ehlo": "502 what?"}},
    "nothing known": {"replies": {"ehlo": "502 what?", "helo": "500 what?"}},
    "many lines": {"replies": {"noop": ("250-one", "250-  two  ", "250 three"), "help": ("214-a", "214 b")}},
    "no text": {"replies": {"noop": "250", "help": "214", "quit": "221"}},
    "no code": {"replies": {"noop": "hello", "vrfy": ("250-a", "nonsense"), "mail": "xyz no"}},
    "two codes": {"replies": {"noop": ("250-one", "450 two")}},
    "odd codes": {"replies": {"noop": "199 odd", "rset": "999 odd", "vrfy": "000 odd"}},
    "leaves at EHLO": {"replies": {"ehlo": CLOSE}},
    "leaves at NOOP": {"replies": {"noop": CLOSE}},
    "leaves at MAIL": {"replies": {"mail": CLOSE}},
    "leaves at RCPT": {"replies": {"rcpt": CLOSE}},
    "leaves at DATA": {"replies": {"data": CLOSE}},
    "leaves after the content": {"replies": {".": CLOSE}},
    "leaves at QUIT": {"replies": {"quit": CLOSE}},
    "no goodbye": {"replies": {"quit": "500 no"}},
    "no sender": {"replies": {"mail": "550 5.7.1 not you"}},
    "no sender, and goes": {"replies": {"mail": "421 4.7.0 busy"}},
    "one recipient": {"replies": {"rcpt": ["250 ok", "550 5.1.1 unknown"]}},
    "no recipient": {"replies": {"rcpt": "550 5.1.1 unknown"}},
    "moved recipient": {"replies": {"rcpt": "251 will forward"}},
    "busy recipient": {"replies": {"rcpt": ["250 ok", "421 4.7.0 enough"]}},
    "no data": {"replies": {"data": "554 no"}},
    "no content": {"replies": {".": "552 too much"}},
    "no content, and goes": {"replies": {".": "421 enough"}},
    "no greeting": {"greeting": "554 go away"},
    "odd greeting": {"greeting": "200 hm"},
    "greeting without a code": {"greeting": "Welcome"},
    "leaves at once": {"greeting": CLOSE},
    "latin-1": {"replies": {"noop": b"250 Gr\xfc\xdfe", "mail": b"550 \xff\xfe"}},
}  # fmt: skip


@pytest.mark.parametrize("act", ACTS)
def test_every_act_at_the_usual_server(act: str) -> None:
    compare(ACTS[act], mail_server())


@pytest.mark.parametrize("server", SERVERS)
def test_every_server(server: str) -> None:
    for act in (
        "nothing",
        "ehlo",
        "noop",
        "rset",
        "vrfy",
        "help",
        "mail",
        "data",
        "docmd",
        "quit",
        "with",
        "sendmail to several",
    ):
        compare(ACTS[act], mail_server(**SERVERS[server]))


def replies(usual: str) -> st.SearchStrategy[Any]:
    """A reply that is mostly the usual one."""
    lines = st.sampled_from(
        [usual] * 6 + ["250 ok", "251 later", "354 go", "421 bye", "450 later", "550 5.1.1 no", "no code", CLOSE]
    )
    return lines | st.tuples(st.just(f"{usual[:3]}-one"), lines.filter(lambda line: line != CLOSE))


@given(
    st.fixed_dictionaries(
        {
            "ehlo": st.sampled_from(
                [tuple(f"250{'-' if n < 3 else ' '}{f}" for n, f in enumerate(FEATURES)), "502 no", CLOSE]
            ),
            "mail": st.lists(replies("250 ok"), min_size=1, max_size=2),
            "rcpt": st.lists(replies("250 ok"), min_size=1, max_size=3),
            "data": st.sampled_from(["354 go on", "354 go on", "354 go on", "250 ok", "451 later", "no code", CLOSE]),
            ".": replies("250 taken"),
            "rset": replies("250 ok"),
            "quit": replies("221 bye"),
        }
    ),
    st.lists(st.sampled_from([BOB, EVE, "Carl <carl@example.net>"]), max_size=3, unique=True),
    st.text(st.sampled_from("a.\n\r "), max_size=12),
)
def test_whatever_a_server_answers(given_replies: dict[str, Any], recipients: list[str], text: str) -> None:
    def act(client: Any, module: Any) -> Any:
        first = client.sendmail(ADA, recipients, f"Subject: x\n\n{text}")
        return first, client.sendmail(ADA, BOB, "again"), client.quit()

    compare(act, mail_server(given_replies))


@given(st.text(max_size=30) | st.from_regex(r"[\w.+ -]{0,6}<?[\w.+-]{1,8}@[\w.-]{1,8}>?", fullmatch=True))
def test_addresses_are_quoted_alike(text: str) -> None:
    assert smtplib.quoteaddr(text) == original.quoteaddr(text)
    assert smtplib._addr_only(text) == original._addr_only(text)


@given(st.text(st.sampled_from("a.\r\né"), max_size=20))
def test_data_is_quoted_alike(text: str) -> None:
    assert smtplib.quotedata(text) == original.quotedata(text)
    assert smtplib._fix_eols(text) == original._fix_eols(text)
    assert smtplib._quote_periods(text.encode()) == original._quote_periods(text.encode())


def test_the_address_to_connect_from() -> None:
    assert (
        compare(lambda c, m: c.sock.getsockname()[0], mail_server(), source_address=("127.0.0.9", 0))["result"]
        == "127.0.0.9"
    )


@pytest.mark.parametrize("host", ["127.0.0.1:{}", "localhost:{}"])
def test_the_port_in_the_host(host: str) -> None:
    for module in (original, smtplib):
        with scripted(mail_server()) as there:
            client = module.SMTP(local_hostname="c")
            assert client.connect(host.format(there.port)) == (220, b"mx.example ESMTP")
            assert client.quit() == (221, b"bye")


@pytest.mark.parametrize("port", [str, int])
def test_the_port_as_text(port: Any) -> None:
    with scripted(mail_server()) as there, smtplib.SMTP("127.0.0.1", port(there.port)) as client:
        assert client.noop() == (250, b"ok")
