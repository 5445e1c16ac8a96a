"""The GS2 header (RFC 5801 §4), which SCRAM and OAUTHBEARER begin with."""

from __future__ import annotations


def gs2_header(flag: str, authzid: str) -> str:
    """`flag` is how the login is bound to TLS: ``p=`` and a type, ``n`` (not), ``y`` (not, but we could)."""
    return f"{flag},{'a=' + saslname(authzid) if authzid else ''},"


def saslname(name: str) -> str:
    """A name inside a message whose fields end at commas."""
    return name.replace("=", "=3D").replace(",", "=2C")


def parse_saslname(text: str) -> str:
    """The name that `saslname` made this of. Raises `ValueError` for a ``=`` that stands for neither."""
    if any(piece[:2] not in ("2C", "3D") for piece in text.split("=")[1:]):
        raise ValueError("not a saslname")
    return text.replace("=2C", ",").replace("=3D", "=")


def parse_gs2_header(message: str) -> tuple[str, str, str]:
    """Flag, authzid, and the rest of a `message` that begins with a header. Raises `ValueError`."""
    flag, authzid, rest = message.split(",", 2)
    if not (flag in ("n", "y") or flag.startswith("p=")) or (authzid and not authzid.startswith("a=")):
        raise ValueError("not a GS2 header")
    return flag, parse_saslname(authzid[2:]), rest
