"""What the inbox tells of a message without opening it: one row of its list."""

from __future__ import annotations

from mailwright.words.value import value

PREVIEW = 140  # characters of the text in a row


@value
class Row:
    """One message in the list.

    `id`: its number in this store, which never comes again. `arrived`: Unix time. `sender` (empty for the null one)
    and `recipients`: the envelope's. `subject`, `from_header`, `to_header` and `date`: the header fields, decoded, on
    one line, as a stranger wrote them. `size`: octets. `attachments`: how many files it carries. `preview`: the
    beginning of its text. `seen`: somebody looked at it. `login`: the user who was let in, or `None`. `tls`: version
    and cipher, or empty. `note`: what the inbox has to say about it, such as that a fault was played.
    """

    id: int
    arrived: float
    sender: str
    recipients: tuple[str, ...]
    subject: str = ""
    from_header: str = ""
    to_header: str = ""
    date: str = ""
    size: int = 0
    attachments: int = 0
    preview: str = ""
    seen: bool = False
    login: str | None = None
    tls: str = ""
    note: str = ""
