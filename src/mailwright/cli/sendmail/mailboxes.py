"""Mailboxes as programs write them for sendmail: with comments, or as a name of this machine alone.

The strict grammar of the house comes first. What it refuses is read in the old way, and then written anew, so that the
header and the envelope can't be taken to mean different people.
"""

from __future__ import annotations

from mailwright.cli.sendmail.aliases import local_name
from mailwright.message.decode import decoded_words, one_line
from mailwright.message.fields import header_addresses
from mailwright.words.address import Address
from mailwright.words.errors import AddressError
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


@value
class Mailbox:
    """One mailbox: `spec` is an address or a local name, `name` what readers are shown."""

    spec: str
    name: str = ""

    @property
    def local(self) -> str | None:
        """The local name, or `None` for an address in the world."""
        return local_name(self.spec)

    @property
    def address(self) -> Address:
        """The address in the strict grammar. Raises `AddressError`."""
        return Address(self.spec, self.name)


def read_mailboxes(text: str) -> list[Mailbox]:
    """The mailboxes of a list; groups are dissolved. Raises `AddressError` for an address that is none."""
    try:
        return [Mailbox(one.spec, _shown(one.name)) for one in header_addresses(text)]
    except AddressError:
        found = [_read_one(piece) for piece in _pieces(text.replace("\t", " "))]
    boxes = [box for box in found if box.spec]
    for box in boxes:
        if box.local is None:
            Address(box.spec)
    return boxes


def _pieces(text: str) -> Iterator[str]:
    """What stands between commas and the frames of groups that are not quoted, in brackets, or in a comment."""
    start, quoted, bracket, depth, position = 0, False, "", 0, 0
    while position < len(text):
        character = text[position]
        if character == "\\" and (quoted or depth):
            position += 1
        elif quoted:
            quoted = character != '"'
        elif depth:
            depth += (character == "(") - (character == ")")
        elif bracket:
            bracket = "" if character == bracket else bracket
        elif character == '"':
            quoted = True
        elif character == "(":
            depth = 1
        elif character in "<[":
            bracket = ">" if character == "<" else "]"
        elif character in ",;:":
            if character != ":":  # before a colon stands the name of a group
                yield text[start:position]
            start = position + 1
        position += 1
    yield text[start:]


def _read_one(piece: str) -> Mailbox:
    plain, comment = _without_comments(piece)
    name, bracket, spec = plain.rpartition("<")
    if bracket and spec.endswith(">"):
        spec, name = spec[:-1].strip(), _unquoted(name.strip())
    else:
        spec, name = plain, ""
    if comment and not name:
        # “root (Cron Daemon)”: of a local name nothing else is left to be shown.
        name = f"{spec} ({comment})" if local_name(spec) is not None else comment
    return Mailbox(spec, _shown(name))


def _without_comments(piece: str) -> tuple[str, str]:
    """`piece` without its comments (RFC 5322 §3.2.2), and the text of these."""
    plain: list[str] = []
    comments: list[str] = []
    quoted, depth, position = False, 0, 0
    while position < len(piece):
        character = piece[position]
        kept = comments if depth else plain
        if character == "\\" and (quoted or depth):
            kept.append(piece[position : position + 2] if quoted else piece[position + 1 : position + 2])
            position += 2
            continue
        if depth:
            depth += (character == "(") - (character == ")")
            if depth:
                comments.append(character)
        elif character == "(" and not quoted:
            depth = 1
            comments.append(" ")
        else:
            quoted = quoted != (character == '"')
            plain.append(character)
        position += 1
    return "".join(plain).strip(), " ".join("".join(comments).split())


def _unquoted(name: str) -> str:
    if len(name) < 2 or not name.startswith('"') or not name.endswith('"'):
        return name
    out, position = [], 1
    while position < len(name) - 1:
        position += name[position] == "\\"
        out.append(name[position])
        position += 1
    return "".join(out)


def _shown(name: str) -> str:
    return one_line(decoded_words(name)).strip()
