"""What the API tells of a message: each fact once, with type and meaning, for the answer and for its description."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mailwright.inbox.reading.bodies import Bodies, bodies, text
from mailwright.inbox.web.parts import decoded_size
from mailwright.message.decode import decoded_words, one_line
from mailwright.message.fields import body_start, read_fields
from mailwright.words.value import value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mailwright.inbox.kept import Row
    from mailwright.inbox.reading.structure import Node
    from mailwright.smtp.receiving import Received

HEADERS_LIMIT = 500  # header fields of one message that are told
_HEAD_LIMIT = 256_000  # octets of them
_VALUE_LIMIT = 10_000  # characters of one

#: The types of facts, as JSON Schema.
TYPES: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "number": {"type": "number"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "moment": {"type": "string", "format": "date-time"},
    "texts": {"type": "array", "items": {"type": "string"}},
    "integers": {"type": "array", "items": {"type": "integer"}},
    "text or null": {"type": ["string", "null"]},
}


@value
class Fact:
    """One thing that is told: its `name`, its `kind` (of `TYPES`, or ``Name`` and ``[Name]`` for facts of their own),
    what it means, and how it is found.
    """

    name: str
    kind: str
    meaning: str
    read: Callable[[Any], Any]


@value
class Opened:
    """A message with everything that its octets say."""

    row: Row
    received: Received
    content: bytes
    bodies: Bodies


def told(facts: tuple[Fact, ...], of: Any) -> dict[str, Any]:
    """These facts as JSON has them."""
    return {fact.name: fact.read(of) for fact in facts}


def moment(unix: float) -> str:
    """A Unix time as RFC 3339 has it, in UTC."""
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec="milliseconds")


def opened(row: Row, received: Received) -> Opened:
    """The whole message, read."""
    content = received.content
    return Opened(row, received, content, bodies(content))


LISTED = (
    Fact("id", "integer", "Its number here, which never comes again.", lambda row: row.id),
    Fact("arrived", "moment", "When it arrived.", lambda row: moment(row.arrived)),
    Fact("sender", "text", "The sender of the envelope; empty for the null one.", lambda row: row.sender),
    Fact("recipients", "texts", "The recipients of the envelope.", lambda row: list(row.recipients)),
    Fact("subject", "text", "The subject, decoded.", lambda row: row.subject),
    Fact("from", "text", "The From field, decoded.", lambda row: row.from_header),
    Fact("to", "text", "The To field, decoded.", lambda row: row.to_header),
    Fact("date", "text", "The Date field as it stands.", lambda row: row.date),
    Fact("size", "integer", "Octets of the message.", lambda row: row.size),
    Fact("attachments", "integer", "How many files it carries.", lambda row: row.attachments),
    Fact("preview", "text", "The beginning of its text.", lambda row: row.preview),
    Fact("seen", "boolean", "Whether somebody looked at it.", lambda row: row.seen),
    Fact("login", "text or null", "The user who was let in.", lambda row: row.login),
    Fact("tls", "text", "How the connection was secured; empty if it was not.", lambda row: row.tls),
    Fact("note", "text", "What the inbox has to say about it.", lambda row: row.note),
)

HEADER = (
    Fact("name", "text", "The name as written.", lambda field: field.name),
    Fact("value", "text", "The value, unfolded and decoded.", lambda field: _value(field.text)),
)

PART = (
    Fact("number", "text", "Its place, as IMAP counts: 2.1 is the first part of the second.", lambda of: _number(of)),
    Fact("type", "text", "The media type that the message names.", lambda of: of[1].kind),
    Fact("name", "text", "The file name that the message names; never a path to use.", lambda of: of[1].name),
    Fact("content_id", "text", "The Content-ID.", lambda of: of[1].cid),
    Fact("disposition", "text", "attachment, inline or empty.", lambda of: of[1].disposition),
    Fact("charset", "text", "The character set that it names.", lambda of: of[1].charset),
    Fact("encoding", "text", "The transfer encoding.", lambda of: of[1].encoding),
    Fact("size", "integer", "Octets without the transfer encoding, nearly.", lambda of: decoded_size(of[0], of[1])),
    Fact("parts", "integer", "How many parts it holds, if it is a multipart.", lambda of: len(of[1].children)),
    Fact("remark", "text", "What is odd about it.", lambda of: of[1].remark),
)

WHOLE = (
    *(Fact(one.name, one.kind, one.meaning, lambda of, read=one.read: read(of.row)) for one in LISTED),  # type: ignore[misc]
    Fact("hello", "text", "The name that the client gave.", lambda of: of.received.hello),
    Fact("peer", "text", "The address of the client.", lambda of: of.received.peer),
    Fact("headers", "[Header]", f"The first {HEADERS_LIMIT} header fields.", lambda of: headers(of.content)),
    Fact("text", "text or null", "The text; null if there is none.", lambda of: _texts(of)),
    Fact("html", "text or null", "The HTML as it was sent: hostile until proven otherwise.", lambda of: _html(of)),
    Fact("parts", "[Part]", "The MIME structure in the order of the message.", lambda of: parts(of)),
)

FINDING = (
    Fact("rule", "text", "The rule, as mailwright lint --rules lists them.", lambda one: one.rule),
    Fact("severity", "text", "error, warning or info.", lambda one: one.severity),
    Fact("what", "text", "What is wrong.", lambda one: one.what),
    Fact("fix", "text", "What to do.", lambda one: one.fix),
    Fact("where", "text", "In which part or field; may be empty.", lambda one: one.where),
)

CHECKS = (Fact("findings", "[Finding]", "The gravest first.", lambda found: [told(FINDING, one) for one in found]),)

HIT = (
    Fact("score", "number", "What it adds to the score.", lambda hit: hit.score),
    Fact("name", "text", "The rule.", lambda hit: hit.name),
    Fact("meaning", "text", "What it looks for.", lambda hit: hit.meaning),
)

VERDICT = (
    Fact("spam", "boolean", "Whether the score reached the threshold.", lambda verdict: verdict.spam),
    Fact("score", "number", "The sum.", lambda verdict: verdict.score),
    Fact("threshold", "number", "From where on it counts as spam.", lambda verdict: verdict.threshold),
    Fact("hits", "[Hit]", "The rules that fit.", lambda verdict: [told(HIT, hit) for hit in verdict.hits]),
)

FATE = (
    Fact("address", "text", "The recipient.", lambda one: one.recipient.spec),
    Fact("fate", "text", "accepted, refused, deferred, in doubt or not tried.", lambda one: one.fate),
    Fact("reply", "text", "What the server said.", lambda one: one.reply.text if one.reply is not None else ""),
)

RELEASED = (
    Fact("server", "text", "Where it went.", lambda receipt: f"{receipt.host}:{receipt.port}"),
    Fact(
        "recipients",
        "[Fate]",
        "What became of each recipient.",
        lambda receipt: [told(FATE, one) for one in receipt.outcomes],
    ),
)

PLACE = (
    Fact("host", "text", "Its address.", lambda server: server.host),
    Fact("port", "integer", "Its port.", lambda server: server.port),
    Fact("security", "text", "none, starttls or tls.", lambda server: server.security),
)

ABOUT = (
    Fact("version", "text", "Of mailwright.", lambda of: _version()),
    Fact(
        "smtp", "Place", "The mail server; null if there is none.", lambda of: told(PLACE, of.smtp) if of.smtp else None
    ),
    Fact("messages", "integer", "How many there are.", lambda of: of.store.count()),
    Fact("unread", "integer", "How many nobody has looked at.", lambda of: of.store.count("is:unread")),
    Fact("latest", "integer", "The highest id that was ever given.", lambda of: of.store.latest),
    Fact("dropped", "integer", "How many had to make room for newer ones.", lambda of: of.store.dropped),
)

ARRIVED = (Fact("messages", "[Row]", "The messages.", lambda found: rows(found)),)
ROWS = (
    Fact("messages", "[Row]", "The newest first.", lambda of: rows(of[0])),
    Fact("count", "integer", "How many fit altogether.", lambda of: of[1]),
)
DELETED = (Fact("deleted", "integer", "How many there were.", lambda number: number),)
FAULTS = (
    Fact("faults", "texts", "What is broken, as on the command line.", lambda of: of.faults_told()),
    Fact("fired", "texts", "What happened by it, the oldest first; the last thousand.", lambda of: of.fired()),
)

#: What has a name of its own in the description.
SHAPES: dict[str, tuple[Fact, ...]] = {
    "About": ABOUT,
    "Place": PLACE,
    "Rows": ROWS,
    "Arrived": ARRIVED,
    "Deleted": DELETED,
    "Faults": FAULTS,
    "Row": LISTED,
    "Message": WHOLE,
    "Header": HEADER,
    "Part": PART,
    "Checks": CHECKS,
    "Finding": FINDING,
    "Verdict": VERDICT,
    "Hit": HIT,
    "Released": RELEASED,
    "Fate": FATE,
}


def _version() -> str:
    from mailwright import __version__

    return __version__


def rows(found: Iterable[Row]) -> list[dict[str, Any]]:
    """Messages of the list."""
    return [told(LISTED, row) for row in found]


def headers(content: bytes) -> list[dict[str, Any]]:
    """The header fields of a message."""
    head = content[: min(body_start(content), _HEAD_LIMIT)]
    return [told(HEADER, field) for field in read_fields(head, lenient=True)[:HEADERS_LIMIT]]


def parts(of: Opened) -> list[dict[str, Any]]:
    """All parts of a message."""
    return [told(PART, (of.content, node)) for node in of.bodies.root.walk()]


def _number(of: tuple[bytes, Node]) -> str:
    """The number under which a part can be asked for: a message without parts is its own first."""
    node = of[1]
    return node.number or ("" if node.children else "1")


def _texts(of: Opened) -> str | None:
    found = [text(of.content, node)[0] for node in of.bodies.texts]
    return "\n".join(found) if found else None


def _html(of: Opened) -> str | None:
    return text(of.content, of.bodies.html)[0] if of.bodies.html is not None else None


def _value(raw: str) -> str:
    return one_line(decoded_words(raw[:_VALUE_LIMIT]))
