"""The list of messages: what arrived, what was looked for, and how to send the first one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailwright.inbox.search import LENGTH, SearchError
from mailwright.inbox.web.pages.described import author, counted, hue, initial
from mailwright.inbox.web.pages.page import Page
from mailwright.inbox.web.pages.pasting import settings, snippets
from mailwright.inbox.web.pages.render import render
from mailwright.words.value import value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailwright.inbox.kept import Row
    from mailwright.inbox.store import Store

#: Messages on one page of the list.
ROWS_LIMIT = 50
#: Recipients of one row that are named; the others are counted.
NAMED = 1

#: The grammar of the search, as it is explained: what to write, and what it finds.
GRAMMAR = (
    ("invoice draft", "both words, anywhere; the beginning of a word is enough"),
    ('"due on Friday"', "these words in this order"),
    ("from:ada", "who wrote it: name or address"),
    ("to:grace@example.org", "who gets it: To, Cc and the envelope, Bcc too"),
    ("subject:offer", "in the subject alone"),
    ("has:attachment", "carries a file"),
    ("is:unread", "nobody has looked at it yet; also is:read"),
    ("after:2026-11-18", "arrived on that day or later; also before:"),
    ("size>100kb", "larger than that; also size<"),
    ("-draft", "a minus turns any of these around"),
)


@value
class Entry:
    """A row of the list, ready to be shown."""

    row: Row
    name: str
    address: str
    initial: str
    hue: int
    more: int


def listing(store: Store, query: str = "", before: int | None = None, page: Page | None = None) -> str:
    """The list: the newest messages that `query` fits, with an id below `before`."""
    page = page or Page()
    total, unread = store.count(), store.count("is:unread")
    wrong, rows, found = "", [], total
    try:
        rows = store.rows(query, before=before, limit=ROWS_LIMIT + 1)
        found = store.count(query) if query else total
    except SearchError as problem:
        wrong, rows, found = f"{problem.what} {problem.advice}", [], 0
    older = rows[ROWS_LIMIT - 1].id if len(rows) > ROWS_LIMIT else None
    where = settings(page.smtp) if page.smtp else None
    return render(
        "listing.html",
        page=page,
        title=f"({unread:,}) Inbox" if unread else "Inbox",
        here="inbox",
        query=query[:LENGTH],
        before=before,
        older=older,
        entries=[entry(row) for row in rows[:ROWS_LIMIT]],
        found=found,
        total=total,
        dropped=store.dropped,
        unread=unread,
        latest=store.latest,
        wrong=wrong,
        grammar=GRAMMAR,
        settings=where,
        snippets=snippets(where) if where is not None and not total else (),
        counted=counted,
    )


def rows_fragment(rows: Iterable[Row], page: Page | None = None) -> str:
    """Rows alone, as list items, for a list that is shown already."""
    return render("rows.html", page=page or Page(), entries=[entry(row) for row in rows])


def entry(row: Row) -> Entry:
    """A row with what is shown of it."""
    name, address = author(row)
    return Entry(row, name, address, initial(name, address), hue(address), max(0, len(row.recipients) - NAMED))
