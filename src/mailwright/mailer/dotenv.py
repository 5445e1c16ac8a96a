"""The text of a ``.env`` file, read as what it says: no variables are put into values and no command is run.

::

    # a comment
    SMTP_HOST=smtp.example.org
    export SMTP_USER='ada'
    SMTP_PASSWORD="a \\"quoted\\" word"     # after a quoted value, or behind a space, a comment may follow
"""

from __future__ import annotations

from mailwright.words.errors import ConfigError
from mailwright.words.reply import visible

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$", "`": "`"}


def variables_in(text: str, path: str) -> dict[str, str]:
    """Every variable in `text`; of two with the same name the last. Raises `ConfigError`, showing no line."""
    variables: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, rest = line.removeprefix("export ").partition("=")
        name = name.strip()
        found = _value(rest.strip()) if equals and name.isidentifier() else None
        if found is None:
            del text, line, name, rest, variables
            raise ConfigError(
                f"Line {number} of {visible(path, 300)} is not understood.",
                "Write NAME=value, and close quotation marks on the same line.",
            )
        variables[name] = found
    return variables


def _value(rest: str) -> str | None:
    """The value that `rest` of a line holds, or `None` when its quotation is not closed."""
    if not rest or rest[0] not in "'\"":
        # "#" begins a comment only behind a space: passwords hold it too.
        return "" if rest.startswith("#") else rest.partition(" #")[0].rstrip()
    quote, position = rest[0], 1
    parts: list[str] = []
    while position < len(rest):
        character = rest[position]
        if character == quote:
            behind = rest[position + 1 :].strip()
            return "".join(parts) if not behind or behind.startswith("#") else None
        if character == "\\" and quote == '"':
            position += 1
            escaped = rest[position : position + 1]
            character = _ESCAPES.get(escaped, "\\" + escaped)
        parts.append(character)
        position += 1
    return None
