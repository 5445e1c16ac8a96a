"""Header fields: refusing what may not stand in one, encoding, folding, and checking the result.

Every function that writes a field returns it whole, ``Name: value`` with its folds and the CRLF at the end.
Lines are folded at 78 characters (RFC 5322 §2.1.1), at 76 where encoded words stand in them (RFC 2047 §2).
"""

from __future__ import annotations

from mailwright.message.encoded_words import LINE_LIMIT as ENCODED_FOLD
from mailwright.message.encoded_words import encoded_words
from mailwright.words.address import ATEXT, is_control
from mailwright.words.errors import HeaderError
from mailwright.words.remember import remember

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailwright.words.address import Address

    # A word with the spaces in front of it; or, to be encoded, those spaces and the parts of a text.
    Atom = str | list[str]

FOLD = 78  # characters of a line, RFC 5322 §2.1.1 (SHOULD)
LIMIT = 998  # characters of a line, RFC 5322 §2.1.1 (MUST)

_LONG_WORD = 900  # characters; a longer word can't stand in a line with its field's name
_LONG_GAP = 60  # spaces in a row; more are encoded, for no line may consist of spaces only
_PHRASE = ATEXT | {" "}
_KEPT = 200  # fields of one address that are remembered
_LONG_NAME = 60  # characters; a longer one is encoded, for then it can be folded anywhere
# RFC 5322 §3.6.8 allows any visible character but the colon; what is not a token only ever caused trouble.
_FIELD_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def refuse_controls(text: str, field: str) -> str:
    """`text` itself, if it is text and no control character, line separator or lone surrogate is in it.

    The one place that keeps CR, LF, NUL and their kin out of headers, names, file names, types and
    identifiers. Raises `HeaderError`, which names `field` and the position.
    """
    if not isinstance(text, str):
        raise HeaderError(f"{field} is {type(text).__name__}, not text.", "Give it as str.", field=field)
    if not text.isprintable():
        for position, character in enumerate(text):
            if is_control(character):
                raise HeaderError(
                    f"{field} holds the control character {character!a} at position {position + 1}.",
                    "A header is one line of text: take it out.",
                    field=field,
                )
    return text


def check_field_name(name: str) -> str:
    """`name` itself, if a field may be called so. Raises `HeaderError`."""
    refuse_controls(name, "header name")
    if not name or len(name) > 76 or not frozenset(name) <= _FIELD_NAME:
        raise HeaderError(
            f"“{name[:76]}” can't be the name of a header.",
            "Use letters, digits and hyphens.",
            field=name[:76],
        )
    return name


def unstructured(name: str, text: str) -> str:
    """A field of free text; what is not ASCII, or looks like an encoded word, becomes encoded words."""
    if len(name) + 2 + len(text) <= FOLD and text.isascii() and "=?" not in text and text == text.strip(" "):
        return f"{name}: {text}\r\n" if text else f"{name}:\r\n"
    return _folded(name, _words(text))


def structured(name: str, text: str) -> str:
    """A field whose text is meant for machines: ASCII only, folded at its spaces and not touched otherwise.

    Raises `HeaderError`.
    """
    text = text.strip(" ")
    if not text.isascii():
        raise HeaderError(
            f"{name} holds characters outside ASCII, which this header can't.",
            "Encode them as the header's own standard says.",
            field=name,
        )
    if len(name) + 2 + len(text) <= FOLD:
        return f"{name}: {text}\r\n"
    atoms: list[Atom] = []
    gap = " "
    for word in text.split(" "):
        if word:
            atoms.append(gap + word)
            gap = ""
        gap += " "
    return _folded(name, atoms)


def mailboxes(name: str, found: Sequence[Address]) -> str:
    """A field of addresses: names as phrase, quoted string or encoded words; addresses are never encoded."""
    if len(found) != 1:
        return _mailboxes(name, found)
    key = (name, found[0].name, found[0].spec)
    field = _known.get(key)
    return remember(_known, _KEPT, key, _mailboxes(name, found)) if field is None else field


_known: dict[tuple[str, str, str], str] = {}  # fields of one address, as that of the sender


def _mailboxes(name: str, found: Sequence[Address]) -> str:
    atoms: list[Atom] = []
    for address in found:
        shown = address.name
        if not shown:
            atoms.append(f" {address.spec},")
        elif len(shown) <= _LONG_NAME and shown.isascii() and "=?" not in shown:
            plain = frozenset(shown) <= _PHRASE and "  " not in shown and shown == shown.strip(" ")
            if not plain:
                shown = '"' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'
            # Name and address stay together, if there is a line that can hold both.
            together = len(shown) + len(address.spec) + 5 <= FOLD
            atoms += (f" {shown} <{address.spec}>,",) if together else (f" {shown}", f" <{address.spec}>,")
        else:
            atoms.append([" ", shown])
            atoms.append(f" <{address.spec}>,")
    if atoms:
        atoms[-1] = atoms[-1][:-1]
    return _folded(name, atoms)


def identifiers(name: str, found: Sequence[str]) -> str:
    """A field of message identifiers. The first stays in the first line: some programs look nowhere else."""
    line = f"{name}: {found[0]}"
    lines: list[str] = []
    for one in found[1:]:
        if len(line) + 1 + len(one) > FOLD:
            lines.append(line)
            line = ""
        line = f"{line} {one}"
    lines.append(line)
    return "\r\n".join(lines) + "\r\n"


def verify(block: str, names: Sequence[str]) -> None:
    """Check that the fields of a finished header block are those of `names`, in that order, and nothing else.

    The last gate before the octets: whatever slipped through above would show here as a field too many.
    Raises `HeaderError`.
    """
    lines = block.split("\r\n")
    last = lines.pop()
    fields = lines
    if len(lines) > len(names) and "\r\n " in block:
        fields = block.replace("\r\n ", " ").split("\r\n")[:-1]
    if (
        last
        or len(fields) != len(names)
        or not all(map(str.startswith, fields, [name + ":" for name in names]))
        or "\n" in (bare := "".join(lines))
        or "\r" in bare
        or (len(block) > LIMIT and max(map(len, lines)) > LIMIT)
        or (fields is not lines and not all(map(str.strip, lines)))
    ):
        found = [line.partition(":")[0] for line in fields]
        strange = next((one for one in found if one not in names), "")
        raise HeaderError(
            "The header fields of the finished message are not the intended ones; it was not sent.",
            "This is a defect of mailwright: please report it.",
            field=strange,
        )


def _words(text: str) -> list[Atom]:
    """The words of a free text with the spaces before them; neighbours that must be encoded are one."""
    core = text.strip(" ")
    if not core:
        return [[" ", text]] if text else []
    words = core.split(" ")
    plain = core == text and "=?" not in text and len(text) <= _LONG_WORD
    if not plain:
        begin = text.index(core[0])
        # Spaces at either end are dropped by readers unless they are inside an encoded word.
        words[0] = text[:begin] + words[0]
        words[-1] += text[begin + len(core) :]
    atoms: list[Atom] = []
    previous: Atom = ""
    gap = " "
    for word in words:
        if not word:
            gap += " "
            continue
        odd = not word.isascii() or not (plain or ("=?" not in word and " " not in word and len(word) <= _LONG_WORD))
        if len(gap) > _LONG_GAP and atoms:
            if isinstance(previous, str):
                bare = previous.lstrip(" ")
                previous = atoms[-1] = [" " * (len(previous) - len(bare)), bare]
            previous += (gap, word)
        elif odd and isinstance(previous, list):
            previous += (gap, word)
        else:
            previous = [gap, word] if odd else gap + word
            atoms.append(previous)
        gap = " "
    return atoms


def _folded(name: str, atoms: list[Atom]) -> str:
    """The field with its atoms, lines broken before those that would not fit.

    The first word stays in the line of the name: some readers take a break behind the colon for a space.
    """
    plain = [atom for atom in atoms if isinstance(atom, str)]
    fold = FOLD if len(plain) == len(atoms) else ENCODED_FOLD
    if fold == FOLD and len(line := f"{name}:{''.join(plain)}") <= FOLD:
        return line + "\r\n"
    out = [name, ":"]
    used = len(name) + 1
    keep = True
    for atom in atoms:
        if isinstance(atom, str):
            pieces = [atom]
        else:
            gap, *parts = atom
            pieces = [" " + word for word in encoded_words("".join(parts), fold - used - len(gap))]
            pieces[0] = gap + pieces[0][1:]
            keep = False  # it was cut to the room that there is, if there is any
        for piece in pieces:
            length = len(piece)
            if used + length > fold and not (keep and used + length <= LIMIT):
                out.append("\r\n")
                used = 0
                if length > LIMIT:
                    raise HeaderError(
                        f"{name} holds a word of {length} characters, which no line can hold.",
                        f"Keep every word under {_LONG_WORD} characters (RFC 5322 §2.1.1).",
                        field=name,
                    )
            out.append(piece)
            used += length
            keep = False
    out.append("\r\n")
    return "".join(out)
