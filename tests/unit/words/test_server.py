"""Where to connect: what is filled in, and what is refused before a connection is made."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.words.errors import ConfigError
from mailwright.words.secret import Secret
from mailwright.words.server import TLS, Login, Server, Timeouts

CANARY = "canary-7f3a9"
PIN = "0123456789abcdef" * 4


# Server


@pytest.mark.parametrize(
    ("given", "port"),
    [
        ({}, 587), ({"security": "tls"}, 465), ({"security": "starttls"}, 587), ({"security": "none"}, 25),
        ({"protocol": "lmtp"}, 24), ({"protocol": "lmtp", "security": "starttls"}, 24), ({"port": 2525}, 2525),
        ({"security": "starttls", "port": 25}, 25),
    ],
)  # fmt: skip
def test_the_usual_port(given: dict, port: int) -> None:
    assert Server("mail.example.org", **given).port == port


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"host": "mail.example.org"}, ("starttls", 587)),
        ({"host": "mail.example.org", "port": 25}, ("starttls", 25)),
        ({"host": "mail.example.org", "port": 465}, ("tls", 465)),
        ({"host": "localhost"}, ("none", 25)),
        ({"host": "127.0.0.1", "port": 1025}, ("none", 1025)),
        ({"host": "localhost", "login": Login("ada", "x")}, ("starttls", 587)),
        ({"host": "localhost", "proxy": "socks5://proxy.example.org"}, ("starttls", 587)),
        ({"host": "", "path": "/run/lmtp", "protocol": "lmtp"}, ("none", 24)),
    ],
)
def test_the_usual_security(given: dict, wanted: tuple[str, int]) -> None:
    server = Server(**given)
    assert (server.security, server.port) == wanted


def test_certificates_are_checked_and_logins_encrypted_unless_told_otherwise() -> None:
    assert not Server("mail.example.org").tls.unverified
    assert not Server("mail.example.org").cleartext_login


@pytest.mark.parametrize("port", [-1, 65536, 10**9, "587", 25.5, "smtp"])
def test_a_port_is_a_number_in_its_range(port: object) -> None:
    with pytest.raises(ConfigError, match="is not a port"):
        Server("mail.example.org", port)  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["security", "protocol"])
@pytest.mark.parametrize("word", ["SSL", "TLS", "smtps", "ssl", "tls\r\n"])
def test_unknown_words_are_refused(field: str, word: str) -> None:
    with pytest.raises(ConfigError, match=f"{field}=.* is not known"):
        Server("mail.example.org", **{field: word})


@pytest.mark.parametrize(
    "host", ["mail.example.org", "localhost", "192.0.2.1", "2001:db8::1", "bücher.example", "mail_1", "x."]
)
def test_hosts(host: str) -> None:
    assert Server(host).host == host


@pytest.mark.parametrize(
    "host",
    ["", " ", "a b", "smtp.example.org\r\n", "a\0b", "a\x7fb", "smtp://example.org", "user@example.org",
     "example.org/x", "a\\b", "<a>", '"a"', "a?b", "a#b", "\ud800", "x" * 256, None, 5],
)  # fmt: skip
def test_what_is_no_host(host: object) -> None:
    with pytest.raises(ConfigError, match=r"is not a host name|No host"):
        Server(host)  # type: ignore[arg-type]


@given(st.sampled_from("\0\t\n\v\f\r\x1b\x1f \x7f"), st.integers(0, 4))
def test_no_control_enters_by_host_or_hello(control: str, place: int) -> None:
    text = "mail"[:place] + control + "mail"[place:]
    with pytest.raises(ConfigError) as by_host:
        Server(text)
    with pytest.raises(ConfigError) as by_hello:
        Server("mail.example.org", hello=text)
    for caught in (by_host, by_hello):
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("hello", ["", "a b", "ü", "a\r\nMAIL"])
def test_what_can_not_be_said_in_ehlo(hello: str) -> None:
    with pytest.raises(ConfigError, match="can't be said in EHLO"):
        Server("mail.example.org", hello=hello)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.1.2.3", "127.255.255.255", "::1"]
)
def test_this_machine(host: str) -> None:
    assert Server(host).stays_here


@pytest.mark.parametrize(
    "host",
    ["example.org", "localhost.example.org", "xlocalhost", "127.0.0.256", "127.0.0", "127.0.0.1.1", "128.0.0.1",
     "127.0.0.x", "127.0.0.²", "127.0.0.١", "１２７.0.0.1", "127..0.1", "127.0.0.-1", "127.0.0.1.example.org", "::2",
     "::", "0.0.0.0"],
)  # fmt: skip
def test_another_machine(host: str) -> None:
    assert not Server(host).stays_here


def test_a_socket_in_the_file_system_stays_here_and_needs_no_host() -> None:
    server = Server("", path="/run/lmtp", protocol="lmtp")
    assert server.stays_here
    assert str(server) == "/run/lmtp"


def test_through_a_proxy_nothing_stays_here() -> None:
    assert not Server("localhost", proxy="socks5://proxy.example.org").stays_here
    assert not Server("127.0.0.1", proxy="http://localhost:8080").stays_here


@pytest.mark.parametrize(
    ("host", "wanted"), [("mail.example.org", "mail.example.org:587"), ("2001:db8::1", "[2001:db8::1]:587")]
)
def test_is_shown_as_host_and_port(host: str, wanted: str) -> None:
    assert str(Server(host)) == wanted


def test_a_server_is_read_from_a_url() -> None:
    assert Server.from_url("smtps://mail.example.org") == Server("mail.example.org", security="tls")
    assert Server.from_url(f"smtp://ada:{CANARY}@mail.example.org").login == Login("ada", CANARY)


def test_a_proxy_keeps_its_credentials_to_itself() -> None:
    url = f"socks5://ada:{CANARY}@proxy.example.org:1080"
    server = Server("mail.example.org", proxy=url)
    assert server.proxy == url
    assert CANARY not in f"{server} {server!r}"
    assert repr(server).count("proxy.example.org") == 1


def test_a_server_never_shows_its_secrets() -> None:
    server = Server("h", login=Login("ada", CANARY), tls=TLS(certificate="c.pem", key_password=CANARY))
    assert CANARY not in f"{server} {server!r} {copy.deepcopy(server)!r}"


# Login


def test_secrets_are_wrapped() -> None:
    assert Login("ada", CANARY).password == Secret(CANARY)
    assert Login("ada", Secret(CANARY)).password == Secret(CANARY)
    assert Login("ada", token=CANARY).token == Secret(CANARY)
    source = CANARY.upper
    assert Login("ada", token=source).token is source
    assert Login("ada").password is Login("ada").token is None


def test_a_password_or_a_token() -> None:
    with pytest.raises(ConfigError, match="both a password and a token") as caught:
        Login("ada", CANARY, CANARY)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("control", "\0\r\n\x1b\x7f")
def test_no_control_in_who_we_are(control: str) -> None:
    with pytest.raises(ConfigError, match="login's user holds a control"):
        Login(f"ada{control}", CANARY)
    with pytest.raises(ConfigError, match="login's authzid holds a control"):
        Login("ada", CANARY, authzid=f"{control}bob")


# Time-outs


@pytest.mark.parametrize("name", ["connect", "reply", "block", "final", "quit", "total"])
@pytest.mark.parametrize("limit", [0, -1, 0.0, float("nan"), float("-inf")])
def test_a_limit_is_a_positive_number(name: str, limit: float) -> None:
    with pytest.raises(ConfigError, match=f"time-out {name}=.* is not a positive number"):
        Timeouts(**{name: limit})


def test_the_patience_of_the_standard() -> None:
    patient = Timeouts.rfc5321()  # RFC 5321 §4.5.3.2: five, three and ten minutes
    assert (patient.reply, patient.block, patient.final) == (300, 180, 600)
    assert Timeouts().final == 600  # giving up earlier would doubt what is being taken
    assert Timeouts(total=0.5).total == 0.5


# TLS


@pytest.mark.parametrize(
    "pin", [PIN, PIN.upper(), ":".join(PIN[i : i + 2] for i in range(0, 64, 2)), f"sha256:{PIN}", f"SHA256:{PIN}"]
)
def test_pins_are_normalised(pin: str) -> None:
    assert TLS(pin=pin).pin == PIN


@pytest.mark.parametrize("pin", ["", PIN[:-1], PIN + "0", PIN[:-1] + "g", "sha1:" + PIN[:40], PIN[:-1] + "٣"])
def test_what_is_no_pin(pin: str) -> None:
    with pytest.raises(ConfigError, match="64 hexadecimal digits"):
        TLS(pin=pin)


def test_the_password_of_a_key_is_a_secret() -> None:
    assert TLS(key_password=CANARY).key_password == Secret(CANARY)
    assert CANARY not in repr(TLS(key_password=CANARY))
