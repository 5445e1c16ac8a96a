"""A server as one line of text, after RFC 3986.

::

    smtps://user:password@host:465          TLS from the first byte
    smtp://user:password@host:587           STARTTLS, required
    smtp+plain://host:25                    not encrypted; a login only to this machine
    lmtp://host:24                          LMTP (RFC 2033); security as in `words.options` when nobody says
    lmtp:///run/dovecot/lmtp                LMTP over a Unix socket

User, password, path and option values are percent-encoded. Options follow a ``?`` and are separated by ``&``:
``hello``, ``timeout`` (seconds for a whole call), ``ca_file``, ``pin``, ``server_name``, ``certificate``,
``key``, ``proxy``, ``source_address``, ``auth`` (a SASL mechanism), and with ``lmtp`` also ``security``.

An error repeats nothing of the URL: a ``/``, ``#`` or ``?`` that should have been encoded cuts a password in
pieces, and any piece might turn up where a host or an option is expected. A reserved character is named with
its encoding, and that is all.
"""

from __future__ import annotations

from mailwright.words.errors import ConfigError
from mailwright.words.options import did_you_mean, nearest, refuse_cleartext, server_from_options
from mailwright.words.server import Server

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

URL_LIMIT = 8192  # characters; what most HTTP servers take
#: Scheme: protocol, and security unless it depends on the rest.
SCHEMES: dict[str, tuple[str, str | None]] = {
    "smtps": ("smtp", "tls"),
    "smtp": ("smtp", "starttls"),
    "smtp+plain": ("smtp", "none"),
    "lmtp": ("lmtp", None),
}
#: What other tools write, and our word for it.
_FOREIGN_SCHEMES = {
    "submissions": "smtps",
    "smtp+ssl": "smtps",
    "smtp+tls": "smtps",
    "ssl": "smtps",
    "tls": "smtps",
    "submission": "smtp",
    "smtp+starttls": "smtp",
}
URL_OPTIONS = (
    "hello",
    "timeout",
    "ca_file",
    "pin",
    "server_name",
    "certificate",
    "key",
    "proxy",
    "source_address",
    "auth",
)
_ENCODED = {"/": "%2F", "?": "%3F", "#": "%23", "[": "%5B", "]": "%5D", "@": "%40"}
_HEX = frozenset("0123456789abcdefABCDEF")
_UNRESERVED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")  # RFC 3986 §2.3
_EXAMPLE = "Write it like smtps://user:password@smtp.example.org."
_ENCRYPTED = "Write smtps:// (TLS) or smtp:// (STARTTLS), or with lmtp:// the option security=starttls"


def server_from_url(url: str) -> Server:
    """The server that `url` describes.

    Raises `ConfigError`, which names a character to encode but never shows a part of the URL.
    """
    problem: ConfigError
    try:
        return _server(url)
    except ConfigError as error:
        problem = error.with_traceback(None)
    # A crash reporter keeps the local variables of every frame; the inner ones went with the old traceback.
    del url
    raise problem


def options_from_url(url: str) -> dict[str, str]:
    """The options (see `mailwright.words.options`) that `url` gives, decoded. Raises `ConfigError`."""
    _check_characters(url)
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise ConfigError("A server's URL needs a scheme, and “://” behind it.", _EXAMPLE)
    if scheme.lower() not in SCHEMES:
        _refuse_scheme(scheme.lower())
    protocol, security = SCHEMES[scheme.lower()]
    options = {"protocol": protocol}
    if security is not None:
        options["security"] = security
    end = min((place for mark in "/?#" if (place := rest.find(mark)) >= 0), default=len(rest))
    authority, tail = rest[:end], rest[end:]
    _check_tail(authority, tail)
    path, _, query = tail.partition("?")
    if protocol == "lmtp" and not authority and path:
        options["path"] = _socket(path)
    else:
        if path not in ("", "/"):
            raise ConfigError("The URL has a path behind the host, which means nothing here.", "Leave it away.")
        options |= _authority(authority)
    return options | _query(query, protocol)


def url_of(server: Server) -> str:
    """The URL of `server` for showing: a password or token is ``***``, and so are the credentials of a proxy.

    Without secrets it reads back as the same server, except for what a URL can't say (single time-outs,
    a TLS context, `unverified`, `authzid`, `cleartext_login`).
    """
    spoken = (server.protocol, server.security)
    scheme = next(name for name, meant in SCHEMES.items() if meant in (spoken, (server.protocol, None)))
    login, tls = server.login, server.tls
    options = {
        "hello": server.hello,
        "timeout": None if server.timeouts.total is None else _plain_number(server.timeouts.total),
        "ca_file": tls.ca_file,
        "pin": tls.pin,
        "server_name": tls.name,
        "certificate": tls.certificate,
        "key": tls.key,
        "proxy": None if server.proxy is None else masked(server.proxy),
        "source_address": server.source_address,
        "auth": login.mechanism if login else None,
        "security": server.security if scheme == "lmtp" and server.security != server.usual_security else None,
    }
    query = "&".join(f"{name}={_quoted(text, '/:*')}" for name, text in options.items() if text is not None)
    place = _quoted(server.path, "/") if server.path is not None else _userinfo(server) + _place(server)
    return f"{scheme}://{place}" + (f"?{query}" if query else "")


def masked(text: str) -> str:
    """`text` with ``***`` instead of whatever may be a password: all between first ``://`` and last ``@``."""
    start, end = text.find("://"), text.rfind("@")
    return f"{text[: start + 3]}***{text[end:]}" if 0 <= start < end else text


def holds_password(url: str) -> bool:
    """Whether `url`, well-formed or not, seems to carry a password; told without reading it."""
    rest = url.partition("://")[2]
    userinfo, at, _ = rest.rpartition("@")
    return bool(at) and ":" in userinfo


def _server(url: str) -> Server:
    server = server_from_options(options_from_url(url), _called)
    refuse_cleartext(server, _ENCRYPTED)
    return server


def _called(name: str) -> str:
    return f"The option {name} of the URL" if name in (*URL_OPTIONS, "security") else f"The {name} in the URL"


def _check_characters(url: str) -> None:
    if not isinstance(url, str):
        raise ConfigError(f"{type(url).__name__} is not a URL.", _EXAMPLE)
    if len(url) > URL_LIMIT:
        raise ConfigError(f"A URL of more than {URL_LIMIT} characters is too long.", _EXAMPLE)
    if " " in url:
        raise ConfigError("The URL holds a space.", "Remove it, or write it as %20 when it belongs to a password.")
    if not url.isprintable() and any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 for c in url):
        raise ConfigError(
            "The URL holds a line break or another control character.", "Remove it; is it left at the end?"
        )


def _refuse_scheme(scheme: str) -> NoReturn:
    # Not even the scheme is repeated: "hunter2://" may be a password that was pasted alone.
    meant = _FOREIGN_SCHEMES.get(scheme) or nearest(scheme, SCHEMES, 0.7)
    advice = f"Did you mean {meant}://?" if meant else "Use smtps://, smtp:// (STARTTLS), smtp+plain:// or lmtp://."
    raise ConfigError("The URL's scheme is not known.", advice)


def _check_tail(authority: str, tail: str) -> None:
    """Behind the host there is no bare ``@`` or ``#``: either betrays a password that was cut in pieces."""
    if "@" in tail:
        if not authority:
            raise ConfigError("The path in the URL holds an unencoded “@”.", "Write it as %40.")
        if tail[0] == "?" and ("@" in authority or ":" not in authority):
            raise ConfigError(
                "The URL holds an unencoded “@” behind a “?”.",
                "Write “@” as %40 in an option, and “?” as %3F in a password.",
            )
        _refuse_reserved(f"{authority}{tail}".rpartition("@")[0], "user name or password")
    if "#" in tail:
        raise ConfigError("The URL holds an unencoded “#”.", "Write it as %23.")


def _refuse_reserved(text: str, part: str) -> None:
    wrong = [mark for mark in _ENCODED if mark in text]
    if wrong:
        named = " and ".join(f"“{mark}”" for mark in wrong)
        advice = "; ".join(f"write {mark} as {_ENCODED[mark]}" for mark in wrong)
        raise ConfigError(f"The {part} in the URL holds {named} unencoded.", f"{advice[0].upper()}{advice[1:]}.")


def _authority(authority: str) -> dict[str, str]:
    userinfo, at, place = authority.rpartition("@")
    options = _host_and_port(place, bool(at))
    if at:
        user, colon, password = userinfo.partition(":")
        _refuse_reserved(user, "user name")
        _refuse_reserved(password, "password")
        if not user or (colon and not password):
            raise ConfigError(
                f"The {'password' if user else 'user name'} in the URL is empty.",
                "Is it filled from a variable that is not set?",
            )
        options["user"] = _decoded(user, "user name")
        if colon:
            options["password"] = _decoded(password, "password")
    return options


def _host_and_port(place: str, has_login: bool) -> dict[str, str]:
    if place.startswith("["):
        inside, bracket, behind = place[1:].partition("]")
        host = _ipv6(inside) if bracket and (not behind or behind[0] == ":") else ""
        if not host:
            raise ConfigError(
                "The URL's host begins with “[” and is no IPv6 address.",
                "Write it like [2001:db8::1]:465.",
            )
        _, colon, port = behind.partition(":")
    else:
        host, colon, port = place.partition(":")
        if ":" in port:
            raise ConfigError(
                "The URL's host holds several “:”.",
                "An IPv6 address goes in brackets: [2001:db8::1]:465.",
            )
        if "%" in host:
            raise ConfigError("The URL's host holds a “%”.", "Write the host name as it is.")
    if not host:
        raise ConfigError("The URL names no host.", _EXAMPLE)
    if not colon:
        return {"host": host}
    if not (port.isascii() and port.isdigit()):
        lost = "" if has_login else " A password needs “@” and the host behind it."
        raise ConfigError("The URL's port is not a number.", f"Write it like host:465.{lost}")
    return {"host": host, "port": port}


def _ipv6(inside: str) -> str:
    import ipaddress  # 3 ms; rare

    address, percent, zone = inside.partition("%25")  # RFC 6874: the % of a zone id is itself encoded
    try:
        ipaddress.IPv6Address(address if "%" not in address else "")
    except ValueError:
        return ""
    if percent and not (zone and set(zone) <= _UNRESERVED):
        return ""
    return f"{address}%{zone}" if percent else address


def _socket(path: str) -> str:
    decoded = _decoded(path, "path")
    if decoded.endswith("/"):
        raise ConfigError("The URL names no socket.", "Write it like lmtp:///run/dovecot/lmtp.")
    return decoded


def _query(query: str, protocol: str) -> dict[str, str]:
    known = (*URL_OPTIONS, "security") if protocol == "lmtp" else URL_OPTIONS
    options: dict[str, str] = {}
    for number, pair in enumerate(query.split("&") if query else (), 1):
        name, _, text = pair.partition("=")
        if name == "security" and protocol == "smtp":
            raise ConfigError(
                "The URL has the option security, which its scheme says already.",
                "Write smtps://, smtp:// (STARTTLS) or smtp+plain://.",
            )
        if name not in known:
            raise ConfigError(f"Option {number} of the URL is not known.", did_you_mean(name, known))
        if name in options:
            raise ConfigError(f"The option {name} stands twice in the URL.", "Keep one of them.")
        options[name] = _decoded(text, f"option {name}")
    return options


def _decoded(text: str, part: str) -> str:
    """`text` with its percent-encoding undone (RFC 3986 §2.1); what it encodes must be UTF-8. Linear."""
    if "%" not in text:
        return text
    first, *pieces = text.split("%")
    octets = [first.encode()]
    for piece in pieces:
        if len(piece) < 2 or piece[0] not in _HEX or piece[1] not in _HEX:
            raise ConfigError(f"The {part} in the URL holds an unencoded “%”.", "Write it as %25.")
        octets.append(bytes.fromhex(piece[:2]) + piece[2:].encode())
    decoded = b"".join(octets).decode("utf-8", "surrogateescape")
    if any("\udc80" <= c <= "\udcff" for c in decoded):
        raise ConfigError(
            f"The {part} in the URL is not UTF-8 when decoded.", "Encode its UTF-8 octets, such as %C3%A9."
        )
    return decoded


def _quoted(text: str, kept: str = "") -> str:
    return "".join(
        c if c in _UNRESERVED or c in kept else "".join(f"%{octet:02X}" for octet in c.encode("utf-8", "replace"))
        for c in text
    )


def _userinfo(server: Server) -> str:
    login = server.login
    if login is None or not login.user:
        return ""
    secret = ":***" if login.password is not None or login.token is not None else ""
    return f"{_quoted(login.user)}{secret}@"


def _place(server: Server) -> str:
    if ":" not in server.host:
        return f"{server.host}:{server.port}"
    return f"[{server.host.replace('%', '%25')}]:{server.port}"


def _plain_number(number: float) -> str:
    return f"{number:.6f}".rstrip("0").rstrip(".")
