"""What a mail reader makes of the structure: the text, the HTML, the pictures in it, and the attachments."""

from __future__ import annotations

from mailwright.inbox.reading.structure import octets, structure
from mailwright.message.decode import text_of
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailwright.inbox.reading.structure import Node

#: Octets of a text or of the HTML that are shown.
TEXT_LIMIT = 2_000_000


@value
class Bodies:
    """The parts by their use: `texts` and `html` to be read, `inline` by Content-ID, `attachments` to be saved."""

    root: Node
    texts: tuple[Node, ...]
    html: Node | None
    inline: tuple[Node, ...]
    attachments: tuple[Node, ...]


def bodies(content: bytes) -> Bodies:
    """Sort the parts of a message as readers do: text and HTML without a name are shown, named ones are files."""
    root = structure(content)
    texts: list[Node] = []
    html: Node | None = None
    inline: list[Node] = []
    attachments: list[Node] = []
    for node, related in _leaves(root, False):
        readable = node.disposition != "attachment" and not node.name
        if readable and (node.kind == "text/plain" or node.kind.startswith("multipart/")):  # one without its boundary
            texts.append(node)
        elif readable and node.kind == "text/html" and html is None:
            html = node
        elif node.cid and node.kind.startswith("image/") and (related or node.disposition == "inline"):
            inline.append(node)
        else:
            attachments.append(node)
    return Bodies(root, tuple(texts), html, tuple(inline), tuple(attachments))


def text(content: bytes, node: Node) -> tuple[str, int]:
    """The text of a part, and how many octets of it are left out because it is too long."""
    whole = octets(content, node)
    return text_of(whole[:TEXT_LIMIT], node.charset).replace("\r\n", "\n"), max(0, len(whole) - TEXT_LIMIT)


def _leaves(node: Node, related: bool) -> Iterator[tuple[Node, bool]]:
    """The parts that hold something, and whether each belongs to a ``multipart/related``."""
    if not node.children:
        yield node, related
    for child in node.children:
        yield from _leaves(child, related or node.kind == "multipart/related")
