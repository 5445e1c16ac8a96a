"""Octets and header texts back into what their author meant: RFC 2045, 2047, 2231.

Nothing here raises, however odd the input: what can't be decoded is shown as it stands. All of it is linear.
"""

from __future__ import annotations

from binascii import Error as BinasciiError
from binascii import a2b_base64, a2b_qp

from mailwright.words.address import is_control

# Python has codecs of these names: no character sets, and some are not linear (CVE-2022-45061).
_NO_CHARSETS = frozenset(("idna", "mbcs", "oem", "punycode", "raw_unicode_escape", "undefined", "unicode_escape"))
_CHARSET_LIMIT = 40  # characters; the names that Python knows have at most 20
_SECTIONS_LIMIT = 1000  # RFC 2231 parts of one parameter
_BASE64 = bytes(
    c for c in range(256) if chr(c) not in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
)


def body_octets(body: bytes, encoding: str) -> bytes:
    """The body without its transfer encoding, which is base64 or quoted-printable, or else leaves it as it is."""
    if encoding == "quoted-printable":
        return a2b_qp(body)
    if encoding == "base64":
        try:
            return a2b_base64(body)
        except BinasciiError:
            letters = body.translate(None, _BASE64)
            letters = letters[: -1 if len(letters) % 4 == 1 else None]
            return a2b_base64(letters + b"=" * (-len(letters) % 4))
    return body


def text_of(octets: bytes, charset: str) -> str:
    """Octets in a character set as text; in UTF-8 or else Latin-1 if that is not known, or says ASCII and is not."""
    charset = _codec_name(charset)
    text = None
    if charset not in ("us_ascii", "ascii") and charset.replace("_", "a").replace(":", "a").isalnum():
        text = _decoded(octets, charset)
    if text is None:
        try:
            text = octets.decode("utf-8")
        except UnicodeDecodeError:
            text = octets.decode("latin-1")
    # Some decoders make halves of characters, which can't be encoded again.
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def is_charset(name: str) -> bool:
    """Whether text in a character set of that name can be read."""
    return _decoded(b"A", _codec_name(name)) is not None  # no octets would be decoded by any name


def _codec_name(charset: str) -> str:
    return charset.strip(" \"'").lower().replace("-", "_")


def _decoded(octets: bytes, charset: str) -> str | None:
    if len(charset) > _CHARSET_LIMIT or charset in _NO_CHARSETS or not charset.isascii():
        return None
    try:
        return octets.decode(charset, "replace")
    except (LookupError, ValueError):
        return None


def one_line(text: str) -> str:
    """The text without what no header may hold: every control character becomes a space."""
    return text if text.isprintable() else "".join([" " if is_control(c) else c for c in text])


def decoded_words(text: str) -> str:
    """A header's text with its encoded words decoded (RFC 2047); a character split between two is whole again."""
    if "=?" not in text:
        return text
    out: list[str] = []
    held: list[bytes] = []  # octets of neighbouring words in one character set
    charset = ""
    done = 0
    start = text.find("=?")
    while start >= 0:
        word = encoded_word(text, start)
        if word is None:
            start = text.find("=?", start + 2)
            continue
        word_charset, octets, end = word
        gap = text[done:start]
        if held and not gap.strip():
            gap = ""  # §6.2: white space between neighbouring words belongs to neither
        if held and (gap or word_charset != charset):
            out.append(text_of(b"".join(held), charset))
            held = []
        out.append(gap)
        held.append(octets)
        charset, done = word_charset, end
        start = text.find("=?", end)
    if held:
        out.append(text_of(b"".join(held), charset))
    out.append(text[done:])
    return "".join(out)


def encoded_word(text: str, start: int) -> tuple[str, bytes, int] | None:
    """Character set, octets and end of the encoded word that begins at `start`, if there is one.

    Looks no further than three question marks ahead, so that a search through a text stays linear.
    """
    second = text.find("?", start + 2)
    third = second + 2
    if second < 0 or text[third : third + 1] != "?":
        return None
    fourth = text.find("?", third + 1)
    if fourth < 0 or text[fourth + 1 : fourth + 2] != "=":
        return None
    data = text[third + 1 : fourth].encode("utf-8", "replace")
    encoding = text[second + 1].lower()
    if encoding == "q":
        octets = a2b_qp(data, header=True)
    elif encoding == "b":
        octets = body_octets(data, "base64")
    else:
        return None
    charset = text[start + 2 : second].partition("*")[0]  # “*en” names a language, RFC 2231 §5
    return charset, octets, fourth + 2


def parameter(found: dict[str, str], name: str) -> str:
    """One of the parameters `found`, whether it is plain, has a character set, or comes in sections (RFC 2231)."""
    if f"{name}*" in found:
        return _extended([(found[f"{name}*"], True)])
    sections: list[tuple[str, bool]] = []
    while len(sections) < _SECTIONS_LIMIT:
        key = f"{name}*{len(sections)}"
        if f"{key}*" in found:
            sections.append((found[f"{key}*"], True))
        elif key in found:
            sections.append((found[key], False))
        else:
            break
    if sections:
        return _extended(sections)
    return decoded_words(found.get(name, ""))  # not allowed there, but widely done


def _extended(sections: list[tuple[str, bool]]) -> str:
    from urllib.parse import unquote_to_bytes

    charset = ""
    octets: list[bytes] = []
    for number, (text, escaped) in enumerate(sections):
        if escaped and number == 0 and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)
        octets.append(unquote_to_bytes(text) if escaped else text.encode("utf-8", "replace"))
    return text_of(b"".join(octets), charset)
