"""What the command line and its files say, as text: whatever the locale, and with an end."""

from __future__ import annotations

import os
import sys

from mailwright.words.errors import MessageError

TEXT_LIMIT = 64 << 20  # octets of a text; mail servers take a fraction of that
STANDARD_INPUT = "-"


def pair(word: str, mark: str, option: str, example: str) -> tuple[str, str]:
    """Name and value of an option such as --header, on both sides of `mark`. Raises `MessageError`."""
    name, found, value = word.partition(mark)
    if not found or not name.strip():
        raise MessageError(f"--{option} has no name before a “{mark}”.", f"Write it like --{option} {example}.")
    return said(name, option).strip(), value.strip()


def said(word: str, option: str) -> str:
    """A word of the command line as it was meant: in UTF-8, also where the locale says otherwise. Raises
    `MessageError`.
    """
    if word.isascii() or not any("\udc80" <= character <= "\udcff" for character in word):
        return word
    try:
        return os.fsencode(word).decode("utf-8")
    except UnicodeDecodeError:
        raise MessageError(
            f"--{option} is neither UTF-8 nor in the encoding of this locale.",
            "Write it in UTF-8; a file with such a name has to be renamed first.",
        ) from None


def read_text(name: str) -> str:
    """The text of a file, or of standard input. Raises `MessageError`."""
    where = "Standard input" if name == STANDARD_INPUT else name
    try:
        if name == STANDARD_INPUT:
            if sys.stdin.isatty():
                end = "Ctrl-D" if os.name == "posix" else "Ctrl-Z and Enter"
                print(f"Type the text; end it with {end} on a line of its own.", file=sys.stderr)
            octets = sys.stdin.buffer.read(TEXT_LIMIT + 1)
        else:
            with open(name, "rb") as file:
                octets = file.read(TEXT_LIMIT + 1)
    except OSError as problem:
        raise MessageError(
            f"{where} can't be read: {problem.strerror}.", "Check the name and the permissions."
        ) from problem
    if len(octets) > TEXT_LIMIT:
        raise MessageError(
            f"{where} holds more than {TEXT_LIMIT >> 20} MB, which is too much for a text.",
            "Write it to a file and send that with --attach.",
        )
    return _decoded(octets, where)


def _decoded(octets: bytes, where: str) -> str:
    """Text in UTF-8, in UTF-16 with its mark (PowerShell writes that), or in the encoding of the locale."""
    encodings = ["utf-8-sig"]
    if octets.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings.append("utf-16")
    elif not octets.isascii():
        from locale import getencoding

        encodings.append(getencoding())
    wrong = 0
    for encoding in encodings:
        try:
            return octets.decode(encoding)
        except (UnicodeDecodeError, LookupError) as problem:
            wrong = wrong or getattr(problem, "start", 0) + 1
    line = octets.count(b"\n", 0, wrong) + 1
    raise MessageError(
        f"{where} is not UTF-8 text (octet {wrong}, in line {line}).",
        "Convert it, as in iconv -f ISO-8859-1 -t UTF-8, or send it as a file with --attach.",
    )
