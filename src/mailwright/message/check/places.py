"""Where a link leads: its host, and to whom that belongs."""

from __future__ import annotations

from urllib.parse import unquote

#: Under these, and a country, names are given out: ``example.co.uk`` belongs to somebody, ``co.uk`` to nobody.
_SECOND_LEVEL = frozenset(
    "ac adm asn co com ed edu gen gob gouv gov govt go gv id ind info k12 kg lg ltd me mil mod mus name ne net nhs nic "
    "nom or org plc police re sch tm web".split()
)
#: RFC 2606, RFC 6761 and RFC 9476: names that lead nowhere, or to a page that says so.
RESERVED = ("example.com", "example.net", "example.org", "example", "invalid", "test")
#: Names that mean this machine or this network: RFC 6761, RFC 6762, RFC 8375, and ICANN's choice of 2024.
LOCAL = ("localhost", "localdomain", "local", "internal", "lan", "home.arpa", "intranet", "corp", "home")
#: Services whose addresses say nothing about the place behind them. Filters judge them by their worst users.
SHORTENERS = frozenset(
    "adf.ly bit.ly bl.ink buff.ly cutt.ly goo.gl is.gd j.mp lnkd.in ow.ly rb.gy rebrand.ly s.id shorturl.at soo.gd "
    "t.co t.ly tiny.cc tinyurl.com tr.im u.to v.gd x.co".split()
)
_HOST_LIMIT = 253  # octets of a domain name, RFC 1035 §2.3.4
_NO_BREAKS = dict.fromkeys(map(ord, "\t\r\n"))  # browsers take these out of a URL


def scheme_of(url: str) -> str:
    """The scheme in lower case, or the empty string for an address that has none."""
    head, colon, _ = url[:40].translate(_NO_BREAKS).strip().partition(":")
    return head.lower() if colon and head.replace("+", "").replace("-", "").replace(".", "").isalnum() else ""


def host_of(url: str) -> str:
    """The host of a URL in lower-case ASCII without port and user; empty if there is none."""
    rest = url[:2000].translate(_NO_BREAKS).replace("\\", "/").partition("//")[2]
    for end in "/?#":
        rest = rest.partition(end)[0]
    host = rest.rpartition("@")[2]
    if "%" in host:
        host = unquote(host)  # as browsers do
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return ascii_name(host.partition(":")[0].rstrip("."))


def has_user(url: str) -> bool:
    """Whether something stands before an ``@`` in front of the host, where a careless reader takes it for the host."""
    rest = url[:2000].partition("//")[2]
    for end in "/?#":
        rest = rest.partition(end)[0]
    return "@" in rest


def ascii_name(host: str) -> str:
    """A domain name in lower-case ASCII; as it is if it can't be one."""
    if host.isascii() or len(host) > _HOST_LIMIT:
        return host.lower()
    import idna  # links outside ASCII are rare

    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return host.lower()


def organization(domain: str) -> str:
    """The domain that somebody registered: ``example.co.uk`` for ``mail.example.co.uk`` (RFC 7489 §3.2).

    An approximation, without the list of public suffixes that changes every week: the last two labels, or three where
    the second-level label is one under which countries give out names. Customers of one hosting company
    (``a.github.io``, ``b.github.io``) are taken for the same; a rare registry is taken for one owner.
    """
    labels = domain.rstrip(".").lower().split(".")
    keep = 3 if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL else 2
    return ".".join(labels[-keep:])


def is_below(host: str, names: tuple[str, ...]) -> bool:
    """Whether a host is one of these names, or below one."""
    return any(host == name or host.endswith(f".{name}") for name in names)


def is_number(host: str) -> bool:
    """Whether a host is an IP address, in any of the ways in which browsers read one."""
    if host.startswith("["):
        return True
    last = host.rpartition(".")[2]
    return last.isdigit() or (last.startswith("0x") and last[2:].isalnum())


def is_private(host: str) -> bool:
    """Whether only this machine or its network knows that host: RFC 1918, RFC 3927, RFC 4193, loopback."""
    if not is_number(host):
        return "." not in host or is_below(host, LOCAL)
    if host.startswith("["):
        return host[1:].startswith(("::1]", "fc", "fd", "fe8", "fe9", "fea", "feb"))
    octets = host.split(".")
    if len(octets) != 4 or not all(one.isdigit() and len(one) < 4 for one in octets):
        return False
    first, second = int(octets[0]), int(octets[1])
    return (
        first in (0, 10, 127)
        or (first == 172 and 16 <= second < 32)
        or (first == 192 and second == 168)
        or (first == 169 and second == 254)
    )
