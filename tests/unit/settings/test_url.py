"""A server as a URL: what each form means, that it reads back, and what is said about one that is wrong."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mailwright.words.errors import ConfigError
from mailwright.words.server import TLS, Login, Server, Timeouts
from mailwright.words.url import URL_LIMIT, holds_password, masked, server_from_url, url_of
from mailwright.words.value import replace


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtps://mail.example.org", Server("mail.example.org", 465, "tls")),
        ("smtp://mail.example.org", Server("mail.example.org", 587, "starttls")),
        ("smtp://localhost:1025", Server("localhost", 1025, "starttls")),
        ("smtp+plain://mail.example.org", Server("mail.example.org", 25, "none")),
        ("SMTPS://mail.example.org/", Server("mail.example.org", 465, "tls")),
        (
            "smtps://ada:secret@mail.example.org",
            Server("mail.example.org", security="tls", login=Login("ada", "secret")),
        ),
        ("smtps://ada%40example.org:a%3Ab%2F@h", Server("h", security="tls", login=Login("ada@example.org", "a:b/"))),
        ("smtps://ada:one:two+three@h", Server("h", security="tls", login=Login("ada", "one:two+three"))),
        ("smtps://ada:p%C3%A4ss@h", Server("h", security="tls", login=Login("ada", "päss"))),
        ("smtps://ada@h", Server("h", security="tls", login=Login("ada"))),
        ("smtp+plain://ada:secret@127.0.0.1:25", Server("127.0.0.1", 25, "none", Login("ada", "secret"))),
        ("smtps://[2001:db8::1]:2465", Server("2001:db8::1", 2465, "tls")),
        ("smtp://[fe80::1%25eth0]", Server("fe80::1%eth0", 587, "starttls")),
        (
            "smtps://h?hello=me.example.org&timeout=2.5",
            Server("h", security="tls", hello="me.example.org", timeouts=Timeouts(total=2.5)),
        ),
        (
            "smtps://h?ca_file=/etc/ssl/own%20ca.pem",
            Server("h", security="tls", tls=TLS(ca_file="/etc/ssl/own ca.pem")),
        ),
        ("smtps://h?pin=" + "AB" * 32, Server("h", security="tls", tls=TLS(pin="ab" * 32))),
        ("smtps://h?server_name=other.example", Server("h", security="tls", tls=TLS(name="other.example"))),
        (
            "smtps://h?certificate=me.pem&key=me.key",
            Server("h", security="tls", tls=TLS(certificate="me.pem", key="me.key")),
        ),
        ("smtps://h?proxy=socks5://127.0.0.1:1080", Server("h", security="tls", proxy="socks5://127.0.0.1:1080")),
        ("smtps://h?source_address=192.0.2.1", Server("h", security="tls", source_address="192.0.2.1")),
        (
            "smtps://ada:pw@h?auth=scram-sha-256",
            Server("h", security="tls", login=Login("ada", "pw", mechanism="SCRAM-SHA-256")),
        ),
        ("smtps://h?auth=EXTERNAL", Server("h", security="tls", login=Login("", mechanism="EXTERNAL"))),
        ("lmtp://localhost", Server("localhost", 24, "none", protocol="lmtp")),
        ("lmtp://h", Server("h", 24, "starttls", protocol="lmtp")),
        ("lmtp://h:465", Server("h", 465, "tls", protocol="lmtp")),
        ("lmtp://ada:pw@localhost", Server("localhost", 24, "starttls", Login("ada", "pw"), protocol="lmtp")),
        ("lmtp://h?security=none", Server("h", 24, "none", protocol="lmtp")),
        ("lmtp:///run/a%20b/lmtp", Server("localhost", 24, "none", path="/run/a b/lmtp", protocol="lmtp")),
    ],
)
def test_each_form_means_its_server(url: str, server: Server) -> None:
    assert server_from_url(url) == server
    assert Server.from_url(url) == server


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("mail.example.org", "scheme"),
        ("", "scheme"),
        ("smpts://h", "Did you mean smtps://?"),
        ("submission://h", "Did you mean smtp://?"),
        ("http://h", "smtp+plain://"),
        ("smtps://", "no host"),
        ("smtps://ada:pw@", "no host"),
        ("smtps://h:", "port is not a number"),
        ("smtps://h:port", "port is not a number"),
        ("smtps://h:99999", "from 1 to 65535"),
        ("smtps://h:0", "from 1 to 65535"),
        ("smtps://h:٤٦٥", "port is not a number"),
        ("smtps://2001:db8::1", "brackets"),
        ("smtps://[mail.example.org]", "no IPv6 address"),
        ("smtps://[::1", "no IPv6 address"),
        ("smtps://[::1]x", "no IPv6 address"),
        ("smtps://[fe80::1%25]", "no IPv6 address"),
        ("smtps://h%41", "“%”"),
        ("smtps://h/path", "path"),
        ("smtps://h\\x", "not a host name"),
        ("smtps://h#x", "%23"),
        ("smtps://h\n", "line break"),
        ("smtps://h\udc80", "control character"),
        ("smtps://h x", "%20"),
        ("smtps://ada:@h", "password in the URL is empty"),
        ("smtps://:pw@h", "user name in the URL is empty"),
        ("smtps://@h", "user name in the URL is empty"),
        ("smtps://ada%0a:pw@h", "control character"),
        ("smtps://h?hello=%C3", "not UTF-8"),
        ("smtps://h?timout=3", "Did you mean timeout?"),
        ("smtps://h?timeout=3&ca-file=x", "Option 2 of the URL is not known. Did you mean ca_file?"),
        ("smtps://h?x", "Known are hello"),
        ("smtps://h?hello=a&hello=b", "twice"),
        ("smtps://h?hello=", "empty"),
        ("smtps://h?timeout=soon", "number of seconds"),
        ("smtps://h?timeout=0", "number of seconds"),
        ("smtps://h?timeout=nan", "number of seconds"),
        ("smtps://h?timeout=1e9", "number of seconds"),
        ("smtps://h?pin=12", "64 hexadecimal digits"),
        ("smtps://ada:pw@h?auth=what%3F", "not a SASL mechanism"),
        ("smtps://h?auth=PLAIN", "no user"),
        ("smtps://h?security=none", "its scheme says already"),
        ("smtps://h?proxy=socks5://u:pw@p", "“@” as %40"),
        ("lmtp://h?security=nothing", "tls, starttls or none"),
        ("lmtp:///", "no socket"),
        ("lmtp:///run/a@b", "%40"),
        ("lmtp://h/run/lmtp", "path"),
        ("smtps://" + "h" * URL_LIMIT, "too long"),
        (None, "NoneType is not a URL"),
    ],
)
def test_what_is_wrong_is_named(url: str, named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        server_from_url(url)
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("mark", "code"), [("/", "%2F"), ("?", "%3F"), ("#", "%23"), ("@", "%40"), ("[", "%5B"), ("]", "%5D"), ("%", "%25")]
)
def test_a_reserved_character_in_a_password_is_named_with_its_encoding(mark: str, code: str) -> None:
    with pytest.raises(ConfigError) as caught:
        server_from_url(f"smtps://ada:correct{mark}horse@mail.example.org")
    assert f"“{mark}”" in str(caught.value) and code in str(caught.value)
    login = server_from_url(f"smtps://ada:correct{code}horse@mail.example.org").login
    assert login == Login("ada", f"correct{mark}horse")


def test_an_unencoded_at_sign_in_the_user_is_named() -> None:
    with pytest.raises(ConfigError, match=r"user name in the URL holds “@” unencoded\. Write @ as %40"):
        server_from_url("smtps://ada@example.org:secret@mail.example.org")


@pytest.mark.parametrize("url", ["smtp+plain://ada:pw@mail.example.org", "smtp+plain://ada:pw@127.example.org"])
def test_a_login_does_not_leave_this_machine_in_clear(url: str) -> None:
    with pytest.raises(ConfigError, match=r"smtps://.*cleartext_login=True"):
        server_from_url(url)


def test_behind_a_proxy_localhost_is_another_machine() -> None:
    with pytest.raises(ConfigError, match="unencrypted"):
        server_from_url("smtp+plain://ada:pw@localhost?proxy=socks5://192.0.2.1")
    assert server_from_url("lmtp://localhost?proxy=socks5://192.0.2.1").security == "starttls"


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
hosts = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?(\.[a-z]{2,5}){1,2}", fullmatch=True) | st.ip_addresses().map(
    str
)
optionals = st.fixed_dictionaries(
    {},
    optional={
        "hello": st.from_regex(r"[!-~]{1,20}", fullmatch=True),
        "ca_file": texts,
        "server_name": texts,
        "certificate": texts,
        "key": texts,
        "source_address": st.ip_addresses().map(str),
        "pin": st.binary(min_size=32, max_size=32).map(bytes.hex),
        "timeout": st.integers(1, 10**6).map(lambda milliseconds: f"{milliseconds / 1000:.3f}"),
    },
)


@given(
    st.sampled_from([("smtps", "tls"), ("smtp", "starttls"), ("smtp+plain", "none")]),
    hosts,
    st.integers(1, 65535),
    st.none() | st.tuples(texts, st.none() | texts, st.sampled_from([None, "PLAIN", "SCRAM-SHA-256-PLUS"])),
    optionals,
)
def test_a_url_reads_back(
    scheme: tuple[str, str],
    host: str,
    port: int,
    who: tuple[str, str | None, str | None] | None,
    options: dict[str, str],
) -> None:
    password = who[1] if who else None
    server = Server(
        host,
        port,
        scheme[1],  # type: ignore[arg-type]
        Login(who[0], password, mechanism=who[2]) if who else None,
        TLS(
            ca_file=options.get("ca_file"),
            pin=options.get("pin"),
            name=options.get("server_name"),
            certificate=options.get("certificate"),
            key=options.get("key"),
        ),
        Timeouts(total=float(options["timeout"]) if "timeout" in options else None),
        hello=options.get("hello"),
        source_address=options.get("source_address"),
    )
    assume(server.login is None or server.security != "none" or server.stays_here)
    if who and who[2]:
        options = {**options, "auth": who[2]}
    userinfo = (
        "".join([quote(who[0], safe=""), *([":", quote(password, safe="")] if password else []), "@"]) if who else ""
    )
    place = f"[{host}]" if ":" in host else host
    query = "&".join(f"{name}={quote(text, safe='')}" for name, text in options.items())
    url = f"{scheme[0]}://{userinfo}{place}:{port}?{query}"
    assert server_from_url(url) == server
    shown = url_of(server)
    assert server_from_url(shown.replace(":***@", f":{quote(password or '', safe='')}@")) == server


@given(
    st.sampled_from(["tls", "starttls", "none"]),
    st.sampled_from(["localhost", "mail.example.org"]),
    st.integers(1, 65535),
    st.booleans(),
)
def test_an_lmtp_url_reads_back(security: str, host: str, port: int, logs_in: bool) -> None:
    assume(not logs_in or security != "none" or host == "localhost")
    login = Login("ada") if logs_in else None
    server = Server(host, port, security, login, protocol="lmtp")  # type: ignore[arg-type]
    assert server_from_url(url_of(server)) == server


@given(st.text(max_size=60) | st.from_regex(r"(smtps?|lmtp)(\+plain)?://[a:@/?#\[\]%=&.0-9]*", fullmatch=True))
def test_any_text_is_a_server_or_a_config_error(text: str) -> None:
    try:
        server = server_from_url(text)
    except ConfigError:
        return
    again = server_from_url(url_of(server).replace(":***@", ":secret@"))
    assert (again.host, again.port, again.security, again.path) == (
        server.host,
        server.port,
        server.security,
        server.path,
    )


@pytest.mark.parametrize("url", ["lmtp://h:465", "lmtp://h:465?security=starttls", "lmtp://[fe80::1%25eth0]:24"])
def test_an_lmtp_url_says_no_more_than_it_must(url: str) -> None:
    assert url_of(server_from_url(url)) == url


def test_showing_masks_secrets() -> None:
    server = Server("h", login=Login("ada", token="canary"), proxy="socks5://user:canary@proxy:1080")
    assert "canary" not in url_of(server) and "ada:***@h" in url_of(server)
    assert url_of(replace(server, login=Login("ada", "canary"), proxy=None)) == "smtp://ada:***@h:587"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("smtps://ada:p/w@s@h:465", "smtps://***@h:465"),
        ("see smtp://u:p@h", "see smtp://***@h"),
        ("smtps://h", "smtps://h"),
        ("ada@example.org", "ada@example.org"),
    ],
)
def test_masking_covers_whatever_may_be_a_password(text: str, shown: str) -> None:
    assert masked(text) == shown


@pytest.mark.parametrize(
    ("url", "holds"),
    [
        ("smtps://ada:pw@h", True),
        ("smtps://ada:p/w@h", True),
        ("what://ada:p?w@h", True),
        ("smtps://ada@h:465", False),
        ("smtps://h:465", False),
    ],
)
def test_a_password_is_noticed_in_a_wrong_url_too(url: str, holds: bool) -> None:
    assert holds_password(url) is holds
