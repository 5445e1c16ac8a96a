"""For whom a certificate is, read from its octets: OpenSSL tells that only of one which it did not refuse."""

from __future__ import annotations

_SUBJECT_ALT_NAME = b"\x06\x03\x55\x1d\x11"  # the object identifier 2.5.29.17, RFC 5280 §4.2.1.6
_OCTET_STRING, _BOOLEAN, _DNS_NAME, _IP_ADDRESS = 0x04, 0x01, 0x82, 0x87
_OF_NAMES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._*")
_NAME_LENGTH = 253  # octets, RFC 1035 §2.3.4
NAMES_LIMIT = 6  # that are told; certificates with hundreds exist


def names_in(certificate: bytes) -> tuple[str, ...]:
    """Host names and addresses that a DER certificate is for, at most `NAMES_LIMIT`. Empty for what can't be read.

    They are shown in advice, so that what is no name is left out: a sentence, or what a shell would understand.
    """
    place = certificate.find(_SUBJECT_ALT_NAME)
    if place < 0:
        return ()
    try:
        return _names(certificate, place + len(_SUBJECT_ALT_NAME))
    except IndexError:
        return ()


def _names(data: bytes, place: int) -> tuple[str, ...]:
    if data[place] == _BOOLEAN:  # whether the extension is critical
        place = element(data, place)[1]
    if data[place] != _OCTET_STRING:
        return ()
    place, _ = element(data, place)
    place, end = element(data, place)  # the sequence of names
    found: list[str] = []
    while place < min(end, len(data)) and len(found) < NAMES_LIMIT:
        content, behind = element(data, place)
        name = _told(data[place], data[content:behind])
        if name:
            found.append(name)
        place = behind
    return tuple(found)


def _told(kind: int, content: bytes) -> str:
    if kind == _DNS_NAME:
        return content.decode("ascii") if len(content) <= _NAME_LENGTH and _OF_NAMES.issuperset(content) else ""
    if kind == _IP_ADDRESS and len(content) in (4, 16):
        from ipaddress import ip_address  # 5 ms that only an error needs

        return str(ip_address(content))
    return ""


def element(data: bytes, place: int) -> tuple[int, int]:
    """The place of the content, and of the end, of the DER element that begins at `place` (X.690 §8.1). Raises
    `IndexError` for octets that end too soon.
    """
    length, content = data[place + 1], place + 2
    if length & 0x80:
        count = length & 0x7F
        if content + count > len(data):
            raise IndexError("the element ends too soon")
        length, content = int.from_bytes(data[content : content + count], "big"), content + count
    return content, content + length
