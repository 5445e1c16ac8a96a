"""A table: lined up in columns when it holds data, as paragraphs when it only places things."""

from __future__ import annotations

import re

from mailwright.message.markup.flow import Flow, width

#: Characters: wider than this, columns are of no use in a mail; each row is then told in words.
WIDTH_LIMIT = 100
#: More columns than this can't be lined up within `WIDTH_LIMIT` anyway.
COLUMN_LIMIT = 50
#: Characters of a heading that is repeated in front of each value.
TITLE_LIMIT = 60

_NUMBER = re.compile(r"[-+−]?(?:[A-Z]{3} |[$€£¥] ?)?[-+−]?[0-9][0-9.,' ]*(?: ?(?:%|[$€£¥]|[A-Za-z]{1,3}))?")
_NO_NUMBER = frozenset(("", "-", "–", "—", "NaN", "None", "n/a"))


class Cell:
    """One cell: its `lines`, whether it is a heading, and how many columns and rows it spans."""

    __slots__ = ("columns", "heading", "lines", "rows", "structured")

    def __init__(self, flow: Flow, heading: bool, columns: int, rows: int) -> None:
        self.lines = flow.finished()
        self.structured = flow.structured or "" in self.lines
        self.heading = heading
        self.columns = columns
        self.rows = rows


class Table:
    """The rows of one table as they come; `lines` decides at the end what kind of table it was."""

    def __init__(self, role: str, marked: bool) -> None:
        self.caption: list[str] = []
        self.rows: list[list[Cell]] = []
        self._role = role
        self._marked = marked or role in ("table", "grid")

    def add(self, cell: Cell) -> None:
        """Add a cell to the last row."""
        if not self.rows:
            self.rows.append([])
        self.rows[-1].append(cell)

    def lines(self) -> list[str]:
        """The table as text."""
        rows = [row for row in self.rows if any(cell.lines for cell in row)]
        whole = Flow()
        whole.block(self.caption, 1)
        grid = _Grid(rows) if self._may_hold_data(rows) else None
        if grid is None or not (self._says_data(rows) or grid.looks_like_data()):
            for row in rows:
                for cell in row:
                    whole.block(cell.lines, 2)
        elif grid.fits:
            whole.block(grid.aligned(), 1)
        else:
            for told in grid.told():
                whole.block(told, 2)
        return whole.finished()

    def _may_hold_data(self, rows: list[list[Cell]]) -> bool:
        return self._role not in ("presentation", "none") and not any(c.structured for row in rows for c in row)

    def _says_data(self, rows: list[list[Cell]]) -> bool:
        if self._marked or self.caption:
            return True
        headings = [cell.heading for row in rows for cell in row]
        # Some frameworks place things with <th> only, all in one row.
        return any(headings) and (len(rows) > 1 or not all(headings))


class _Grid:
    """The cells in their columns."""

    def __init__(self, rows: list[list[Cell]]) -> None:
        self._rows = rows
        self._places = _placed(rows)
        self._heads = 0
        while self._heads < len(rows) and all(cell.heading for cell in rows[self._heads] if cell.lines):
            self._heads += 1
        if self._heads == len(rows):
            self._heads = 0
        self._widths: dict[int, int] = {}
        for row in self._places:
            for column, cell in row.items():
                if cell.columns == 1 and cell.lines:
                    widest = max(map(width, cell.lines))
                    self._widths[column] = max(self._widths.get(column, 0), widest)
        # Columns in which nothing stands are left out; `_starts` says where each of the others begins.
        self._starts: dict[int, int] = {}
        end = 0
        for column in sorted(self._widths):
            self._starts[column] = end
            end += self._widths[column] + 2
        self.fits = (
            len(self._places) == len(rows)
            and end - 2 <= WIDTH_LIMIT
            and all(
                width(line) <= WIDTH_LIMIT for row in rows for cell in row if cell.columns > 1 for line in cell.lines
            )
        )

    def looks_like_data(self) -> bool:
        """Whether short single lines stand side by side, again and again; there is no better sign."""
        paired = sum(sum(bool(cell.lines) for cell in row) > 1 for row in self._rows)
        single = all(len(cell.lines) < 2 for row in self._rows for cell in row)
        return self.fits and single and paired > 1 and 2 * paired >= len(self._rows)

    def aligned(self) -> list[str]:
        """The columns side by side, numbers to the right, a rule under the headings."""
        right = {column for column in self._widths if self._is_numeric(column)}
        lines: list[str] = []
        for number, row in enumerate(self._places):
            if number == self._heads and number:
                lines.append("  ".join("-" * self._widths[column] for column in sorted(self._widths)))
            for level in range(max((len(cell.lines) for cell in row.values()), default=0)):
                lines.append(self._line(row, level, right))
        return lines

    def _line(self, row: dict[int, Cell], level: int, right: set[int]) -> str:
        line, end = "", 0
        for column, cell in row.items():
            if level >= len(cell.lines):
                continue
            text, start = cell.lines[level], self._start(column)
            if column in right and cell.columns == 1:
                start += self._widths[column] - width(text)
            space = max(start - end, 2 if line else 0)
            line += " " * space + text
            end += space + width(text)
        return line

    def _start(self, column: int) -> int:
        # A spanning cell may begin in a column that was left out.
        return next((self._starts[c] for c in range(column, COLUMN_LIMIT) if c in self._starts), 0)

    def _is_numeric(self, column: int) -> bool:
        found = False
        for row in self._places[self._heads :]:
            cell = row.get(column)
            if cell is None or cell.columns > 1:
                continue
            text = " ".join(cell.lines)
            if text not in _NO_NUMBER:
                if not _NUMBER.fullmatch(text):
                    return False
                found = True
        return found

    def told(self) -> list[list[str]]:
        """Each row by itself: lines of ``Title: value`` if there are titles, else its cells between bars."""
        if not self._heads or len(self._places) < len(self._rows):
            return [[" | ".join(" ".join(cell.lines) for cell in row if cell.lines)] for row in self._rows]
        titles: dict[int, str] = {}
        for row in self._places[: self._heads]:
            for column, cell in row.items():
                title = " ".join(cell.lines)
                titles[column] = f"{titles[column]} {title}".strip() if column in titles else title
        # A title stands in every row: a long one would fill the mail.
        leads = {column: f"{title}: " for column, title in titles.items() if 0 < len(title) <= TITLE_LIMIT}
        return [
            [leads.get(column, "") + " ".join(cell.lines) for column, cell in row.items() if cell.lines]
            for row in self._places[self._heads :]
        ]


def _placed(rows: list[list[Cell]]) -> list[dict[int, Cell]]:
    """Each row's cells by column, spans counted; fewer rows than given if there are too many columns."""
    places: list[dict[int, Cell]] = []
    held: dict[int, int] = {}  # column: for how many more rows a cell from above reaches into it
    for row in rows:
        placed: dict[int, Cell] = {}
        begun: dict[int, int] = {}
        column = 0
        for cell in row:
            while column in held:
                column += 1
            if column + cell.columns > COLUMN_LIMIT:
                return places
            placed[column] = cell
            if cell.rows > 1:
                begun |= dict.fromkeys(range(column, column + cell.columns), cell.rows)
            column += cell.columns
        held = {c: left - 1 for c, left in (held | begun).items() if left > 1}
        places.append(placed)
    return places
