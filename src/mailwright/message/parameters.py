"""Parameters of header fields, above all file names (RFC 2045 §5.1, RFC 2231)."""

from __future__ import annotations

from mailwright.message.headers import FOLD, refuse_controls
from mailwright.words.errors import HeaderError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NAME_LIMIT = 255  # characters of a file name: no file system in use takes more

_TOKEN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`{|}~")
_ATTRIBUTE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$&+-.^_`{|}~")
_PERCENT = tuple(chr(octet) if octet in _ATTRIBUTE else f"%{octet:02X}" for octet in range(256))
_FALLBACK_LIMIT = 60  # characters


def with_parameters(name: str, value: str, parameters: Iterable[tuple[str, str]]) -> str:
    """A header field such as ``Content-Type: text/csv; charset=utf-8``, folded between parameters."""
    lines = [f"{name}: {value}"]
    for key, text in parameters:
        for written in _written(key, text):
            lines[-1] += ";"
            if len(lines[-1]) + 2 + len(written) <= FOLD:
                lines[-1] += f" {written}"
            else:
                lines.append(f" {written}")
    return "\r\n".join(lines) + "\r\n"


def _written(key: str, text: str) -> Sequence[str]:
    """``key=value`` in the plainest form that is exact, or in several sections if it is long."""
    if text.isascii() and len(text) <= _FALLBACK_LIMIT and "=?" not in text:
        if key == "charset" and text and frozenset(text) <= _TOKEN:
            return (f"{key}={text}",)
        return ('{}="{}"'.format(key, text.replace("\\", "\\\\").replace('"', '\\"')),)
    encoded = _percent(text)
    if len(key) + len(encoded) + 12 <= FOLD:
        return (f"{key}*=utf-8''{encoded}",)
    return _sections(key, text)


def _percent(text: str) -> str:
    return "".join([_PERCENT[octet] for octet in text.encode()])


def _sections(key: str, text: str) -> list[str]:
    # RFC 2231 §3 and §4.1. No character is split, for some readers decode section by section.
    sections: list[str] = []
    held = f"{key}*0*=utf-8''"
    for character in text:
        encoded = _percent(character)
        if len(held) + len(encoded) > FOLD - 2:
            sections.append(held)
            held = f"{key}*{len(sections)}*="
        held += encoded
    sections.append(held)
    return sections


def file_name(given: str) -> str:
    """The last component of a file name, which is all that a recipient may be told.

    Raises `HeaderError` for control characters, more than 255 characters, and names that are none.
    """
    refuse_controls(given, "file name")
    name = given.replace("\\", "/").rpartition("/")[2].strip()
    if name in ("", ".", ".."):
        raise HeaderError(f"“{given[:80]}” is not a file name.", "Give a name like report.pdf.", field="file name")
    if len(name) > NAME_LIMIT:
        raise HeaderError(
            f"A file name of {len(name)} characters is too long.",
            f"Use at most {NAME_LIMIT}.",
            field="file name",
        )
    return name


def ascii_fallback(name: str) -> str:
    """The file name for readers that know no RFC 2231: ASCII, short, with the same ending."""
    if not name.isascii():
        from unicodedata import normalize  # only names outside ASCII need it

        split = normalize("NFKD", name)
        name = "".join([c if " " <= c <= "~" else "_" for c in split if not "\u0300" <= c <= "\u036f"])
    name = name.replace("=?", "=_").replace('"', "'").replace("\\", "_")
    if len(name) > _FALLBACK_LIMIT:
        stem, dot, ending = name.rpartition(".")
        ending = dot + ending if stem and len(ending) <= 10 else ""
        name = name[: _FALLBACK_LIMIT - len(ending)] + ending
    return name


def parse_media_type(given: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """``"text/csv; charset=utf-8"`` as ``("text/csv", (("charset", "utf-8"),))``.

    The parameters `name` and `boundary` are left out, for they are written anew. Raises `HeaderError`.
    """
    refuse_controls(given, "type")
    kind, *rest = _split_quoted(given)
    main, slash, sub = kind.strip(" ").lower().partition("/")
    if not (slash and main and sub and frozenset(main) <= _TOKEN and frozenset(sub) <= _TOKEN):
        raise HeaderError(f"“{given[:80]}” is not a media type.", "Write it like text/csv or image/png.", field="type")
    found: list[tuple[str, str]] = []
    for one in rest:
        if not one.strip(" "):
            continue
        key, equals, text = one.strip(" ").partition("=")
        key = key.strip(" ").lower()
        if not (equals and key and frozenset(key) <= _TOKEN - frozenset("*'%")):
            raise HeaderError(
                f"“{one[:80].strip(' ')}” is not a parameter of a media type.",
                "Write it like charset=utf-8.",
                field="type",
            )
        if key in ("name", "boundary"):
            continue
        text = text.strip(" ")
        if text.startswith('"'):
            text = _unquoted(text[1:-1])
        found.append((key, text))
    return f"{main}/{sub}", tuple(found)


def _split_quoted(text: str) -> list[str]:
    """`text` at its semicolons outside quotation marks."""
    if '"' not in text:
        return text.split(";")
    parts: list[str] = []
    start = position = 0
    quoted = False
    while position < len(text):
        character = text[position]
        if character == "\\" and quoted:
            position += 1
        elif character == '"':
            quoted = not quoted
        elif character == ";" and not quoted:
            parts.append(text[start:position])
            start = position + 1
        position += 1
    parts.append(text[start:])
    return parts


def _unquoted(text: str) -> str:
    out: list[str] = []
    escaped = False
    for character in text:
        if escaped or character != "\\":
            out.append(character)
            escaped = False
        else:
            escaped = True
    return "".join(out)
