"""The plain text of an HTML message, as a person would have written it by hand."""

from __future__ import annotations

from mailwright.message.markup.flow import Flow, bounded
from mailwright.message.markup.marks import (
    RULE,
    counted,
    is_hidden,
    led,
    number,
    quoted,
    says,
    shown_target,
    underlined,
)
from mailwright.message.markup.table import COLUMN_LIMIT, Cell, Table
from mailwright.message.markup.tokens import tokens

#: How deep quotations, lists and tables may nest; what is deeper is still read but not indented any further.
DEPTH_LIMIT = 32

# HTML standard §13.1.2: these have no end tag.
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_UNSHOWN = frozenset("datalist iframe noembed noframes script select style svg template textarea title xml".split())
# How far a block parts from what is around it: 1 begins a new line, 2 leaves a blank line.
_GAPS = dict.fromkeys(
    "address article aside body center dd details dir div dt fieldset figcaption footer form header legend li"
    " main nav search section summary".split(),
    1,
) | dict.fromkeys("blockquote dl figure h1 h2 h3 h4 h5 h6 listing menu ol p pre table ul xmp".split(), 2)
_HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
_PRE = frozenset(("listing", "pre", "xmp"))
_LISTS = frozenset(("dir", "dl", "menu", "ol", "ul"))
_ITEMS = frozenset(("dd", "dt", "li"))
_CELLS = frozenset(("caption", "td", "th"))
_SECTIONS = ("tbody", "tfoot", "thead")
_ROWS = frozenset((*_SECTIONS, "tr"))
_OWN_FLOW = _HEADINGS | _PRE | _CELLS | {"blockquote", "dd", "li"}
_KEEPS_P_OPEN = _ITEMS | {"body", "legend"}


def text_from_html(html: str) -> str:
    """The text of `html`: paragraphs, headings, lists, quotations, links as ``text (https://…)``, tables.

    Lines end in a bare LF and are not wrapped, but none is longer than 998 octets of UTF-8. What a reader of
    the HTML does not see (scripts, styles, ``display:none``) is left out; rules of a style sheet are not
    followed. Any input is taken, however broken, in time linear to its length.

    >>> text_from_html("<p>Read <a href='https://example.org/terms'>the terms</a>.</p>")
    'Read the terms (https://example.org/terms).'
    """
    writer = _Writer()
    for kind, text, attributes in tokens(html):
        if kind == "text":
            writer.text(text)
        elif kind == "start":
            writer.start(text, attributes)
        else:
            writer.end(text)
    return "\n".join(bounded(writer.finished()))


class _Element:
    """An open element and what is to be done at its end."""

    __slots__ = (
        "attributes",
        "flow",
        "gap",
        "heading",
        "hidden",
        "item",
        "lead",
        "list",
        "mark",
        "name",
        "number",
        "own",
        "table",
    )

    def __init__(self, name: str, attributes: dict[str, str], flow: Flow, hidden: bool) -> None:
        self.name = name
        self.attributes = attributes
        self.flow = flow
        self.own = False  # whether `flow` is its own, to be put into its parent's at the end
        self.gap = _GAPS.get(name, 1 if name in _CELLS else 0)
        self.hidden = hidden
        self.list: _Element | None = None  # the list to which an item inside of it belongs
        self.item: _Element | None = None  # of a list: its open item
        self.number = 1  # of a list: the number of the next item
        self.lead = "  " if name in _LISTS else ""  # of an item: what stands before it, and indents the rest
        self.heading = False  # of a cell: whether it names its column or row
        self.mark = (0, 0)  # of a link: the place where its text begins
        self.table: Table | None = None


class _Writer:
    """Takes tokens and keeps the stack of open elements as a browser does, as far as text depends on it.

    The stack is cut into scopes by tables and cells: an end tag never closes anything outside of its own
    cell. For each scope the open elements are counted by name: an end tag without a start costs nothing.
    """

    def __init__(self) -> None:
        root = _Element("", {}, Flow(), False)
        self._stack = [root]
        self._barriers = [root]
        self._open: list[dict[str, int]] = [{}]
        self._depth = 0

    def finished(self) -> list[str]:
        """All lines, after everything that is still open was closed."""
        while len(self._stack) > 1:
            self._pop()
        return self._stack[0].flow.finished()

    def text(self, text: str) -> None:
        """Running text."""
        top = self._stack[-1]
        if not top.hidden:
            top.flow.text(text)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """A start tag."""
        top = self._stack[-1]
        if name in _VOID:
            if not (top.hidden or is_hidden(attributes)):
                _write_void(top.flow, name, attributes)
            return
        self._close_implied(name)
        top = self._stack[-1]
        hidden = top.hidden or name in _UNSHOWN or is_hidden(attributes)
        if name == "q" and not hidden:
            top.flow.text("“")
        element = _Element(name, attributes, top.flow, hidden)
        element.list = top.list
        if self._barriers[-1].name == "table" and (name in _CELLS or name in _ROWS):
            self._start_part_of_table(element, self._barriers[-1].table)
        elif hidden or name in _GAPS or name in _CELLS or (name == "a" and "href" in attributes):
            self._start_block_or_link(element)

    def end(self, name: str) -> None:
        """An end tag; one without a start tag in its scope is left out."""
        barrier = self._barriers[-1]
        inside = self._stack[-1].list
        if name in _ITEMS and inside is not None and inside.item is None:
            return
        if self._open[-1].get(name):
            self._pop_through(name)
        elif barrier.name == name and name:
            self._pop_scope()
        elif barrier.name in _CELLS and (name in _ROWS or name == "table"):
            self._pop_scope()
            self.end(name)
        elif name == "q" and not self._stack[-1].hidden:
            self._stack[-1].flow.text("”")
        elif name == "br":
            self.start(name, {})

    def _close_implied(self, name: str) -> None:
        """Close what the start of `name` ends without an end tag (HTML standard §13.2.6.4)."""
        counts = self._open[-1]
        if counts.get("p") and name in _GAPS and name not in _KEEPS_P_OPEN:
            self._pop_through("p")
        if name == "a" and counts.get("a"):
            self._pop_through("a")
        elif name in _ITEMS:
            inside = self._stack[-1].list
            if inside is not None:
                self._pop_item(inside)
            else:
                for item in _ITEMS:
                    if counts.get(item):
                        self._pop_through(item)
        elif name == "table" and self._barriers[-1].name == "table":
            self._pop_scope()
        elif name in _CELLS or name in _ROWS:
            if self._barriers[-1].name in _CELLS:
                self._pop_scope()
            ended = () if name in _CELLS else ("tr",) if name == "tr" else ("tr", *_SECTIONS)
            for part in ended:
                if self._open[-1].get(part):
                    self._pop_through(part)

    def _start_part_of_table(self, element: _Element, table: Table | None) -> None:
        name = element.name
        if name not in _CELLS:
            if name == "tr" and table is not None:
                table.rows.append([])
            self._push(element)
            return
        element.list = None
        if table is not None and not element.hidden:
            element.heading = name == "th" or self._open[-1].get("thead", 0) > 0
            self._give_flow(element)
        self._push(element, barrier=True)

    def _start_block_or_link(self, element: _Element) -> None:
        name, flow, around = element.name, element.flow, element.list
        if name in _LISTS:
            element.list = element
            element.number = number(element.attributes.get("start", ""), 1)
            element.gap = 2 if around is None else 1
        elif name in _ITEMS and around is not None:
            around.item = element
        if element.hidden:
            self._push(element, barrier=name == "table")
            return
        if element.gap:
            flow.part(element.gap)
        element.mark = flow.mark()
        if name == "li":
            element.lead = _bullet(element, around)
        elif name == "dd":
            element.lead = "    "
        if name == "table":
            element.list = None
            if self._depth < DEPTH_LIMIT:
                element.table = _table(element.attributes)
        elif name in _OWN_FLOW or (name in _LISTS and around is not None and around.item is None):
            self._give_flow(element)
        self._push(element, barrier=name == "table")

    def _give_flow(self, element: _Element) -> None:
        if self._depth < DEPTH_LIMIT:
            self._depth += 1
            element.flow = Flow(raw=element.name in _PRE)
            element.own = True

    def _push(self, element: _Element, barrier: bool = False) -> None:
        self._stack.append(element)
        if barrier:
            self._barriers.append(element)
            self._open.append({})
        else:
            counts = self._open[-1]
            counts[element.name] = counts.get(element.name, 0) + 1

    def _pop_through(self, name: str) -> None:
        while self._pop().name != name:
            pass

    def _pop_scope(self) -> None:
        barrier = self._barriers[-1]
        while self._pop() is not barrier:
            pass

    def _pop_item(self, inside: _Element) -> None:
        while inside.item is not None:
            self._pop()

    def _pop(self) -> _Element:
        element = self._stack.pop()
        if element is self._barriers[-1]:
            self._barriers.pop()
            self._open.pop()
        else:
            self._open[-1][element.name] -= 1
        if element.list is not None and element.list.item is element:
            element.list.item = None
        if element.own:
            self._depth -= 1
        if not element.hidden:
            self._leave(element)
        return element

    def _leave(self, element: _Element) -> None:
        """Put what the element gathered into the flow around it."""
        flow = self._stack[-1].flow
        if element.name == "a":
            _close_link(element)
            return
        if not element.own and element.table is None:
            flow.part(element.gap)
            return
        table = self._barriers[-1].table
        if element.name in _CELLS and table is not None:
            if element.name == "caption":
                table.caption += element.flow.finished()
            else:
                table.add(_cell(element))
            return
        lines = element.flow.finished() if element.table is None else element.table.lines()
        flow.block(_framed(element, lines), element.gap)
        flow.structured = flow.structured or bool(lines)


def _write_void(flow: Flow, name: str, attributes: dict[str, str]) -> None:
    if name == "br":
        flow.line_break()
    elif name == "hr":
        flow.block([RULE], 2)
        flow.structured = True
    elif name == "img":
        flow.text(attributes.get("alt", ""))


def _framed(element: _Element, lines: list[str]) -> list[str]:
    if element.name == "blockquote":
        return quoted(lines)
    if element.lead:
        return led(lines, element.lead)
    return lines if element.flow.structured else underlined(lines, element.name)


def _bullet(item: _Element, inside: _Element | None) -> str:
    if inside is None or inside.name != "ol":
        return "- "
    count = number(item.attributes.get("value", ""), inside.number)
    inside.number = count + 1
    return f"{counted(count, inside.attributes.get('type', '1'))}. "


def _table(attributes: dict[str, str]) -> Table:
    border = attributes.get("border", "").strip()
    marked = border not in ("", "0") or "dataframe" in attributes.get("class", "").split()
    return Table(attributes.get("role", "").strip().lower(), marked)


def _cell(element: _Element) -> Cell:
    columns = max(1, number(element.attributes.get("colspan", ""), 1, COLUMN_LIMIT))
    rows = max(1, number(element.attributes.get("rowspan", ""), 1))
    return Cell(element.flow, element.heading, columns, rows)


def _close_link(element: _Element) -> None:
    target = shown_target(element.attributes["href"])
    text = element.flow.since(element.mark)
    if target and not text:
        element.flow.text(target)
    elif target and not says(text, target):
        element.flow.append(f"({target})")
