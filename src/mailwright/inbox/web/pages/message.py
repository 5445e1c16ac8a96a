"""One message, looked at from seven sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailwright.inbox.reading import frame as framing
from mailwright.inbox.reading.bodies import bodies
from mailwright.inbox.reading.people import people
from mailwright.inbox.reading.structure import part
from mailwright.inbox.web.pages import views
from mailwright.inbox.web.pages.described import author, hue, initial
from mailwright.inbox.web.pages.page import Page
from mailwright.inbox.web.pages.render import render

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from mailwright.inbox.kept import Row
    from mailwright.inbox.reading.bodies import Bodies
    from mailwright.inbox.reading.frame import Framed, Scheme
    from mailwright.inbox.store import Store
    from mailwright.smtp.receiving.received import Received

#: The views of a message, and what they are called.
VIEWS = {
    "html": "HTML",
    "text": "Text",
    "headers": "Headers",
    "parts": "Parts",
    "source": "Source",
    "transcript": "Transcript",
    "checks": "Checks",
}
#: Octets of a message that are looked at; the rest can be downloaded.
OCTETS_LIMIT = 30_000_000


def message(
    store: Store, id: int, view: str = "", page: Page | None = None, asked: Mapping[str, str] | None = None
) -> str | None:
    """The page of a message, which then counts as seen; `None` if there is no such message or view.

    `view`: one of `VIEWS`; empty for the HTML, or the text where there is none. `asked`: the parameters of the
    request's query, of which views understand ``width``, ``scheme``, ``images`` and ``from``.
    """
    page, asked = page or Page(), asked or {}
    row, received = store.row(id), store.received(id)
    if row is None or received is None or (view and view not in VIEWS):
        return None
    if not row.seen:
        store.mark(id, True)
    content, cut = content_of(received)
    found = bodies(content)
    view = view or ("html" if found.html is not None or not found.texts else "text")
    name, address = author(row)
    newer = next(iter(store.rows_after(id, limit=1)), None)
    older = next(iter(store.rows(before=id, limit=1)), None)
    return render(
        "message.html",
        page=page,
        title=row.subject or "(no subject)",
        here="message",
        row=row,
        name=name,
        address=address,
        initial=initial(name, address),
        hue=hue(address),
        people=people(content, received.envelope),
        bodies=found,
        newer=newer.id if newer else None,
        older=older.id if older else None,
        view=view,
        views=VIEWS,
        cut=cut,
        **_shown(view, received, content, found, asked, row, page),
    )


def frame(received: Received, number: str = "", images: bool = False, scheme: Scheme = "light") -> bytes:
    """The HTML of a message as a document for the frame, to be served under `frame_policy`.

    `number`: which part, empty for the one that readers show; `images`: let the browser load pictures from
    elsewhere; `scheme`: one of ``"light"``, ``"dark"`` and ``"inverted"``.
    """
    found = framed(received, number, images, scheme)
    return framing.plain_document("This message has no such part in HTML.") if found is None else found.document


def framed(received: Received, number: str = "", images: bool = False, scheme: Scheme = "light") -> Framed | None:
    """The same with what is known about it; `None` if there is no such part."""
    content, _ = content_of(received)
    found = bodies(content)
    node = part(found.root, number) if number else found.html
    if node is None or node.kind != "text/html":
        return None
    return framing.framed(content, found, node, images, framing.scheme_of(scheme))


def content_of(received: Received) -> tuple[bytes, int]:
    """The octets that are looked at, their lines ended by CRLF, and how many are left out."""
    if received.size > OCTETS_LIMIT:
        octets = next(iter(received.blocks(OCTETS_LIMIT)))
    else:
        octets = received.content
    if not octets.count(b"\r\n") == octets.count(b"\n") == octets.count(b"\r"):
        octets = octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    return octets, max(0, received.size - OCTETS_LIMIT)


def _shown(
    view: str, received: Received, content: bytes, found: Bodies, asked: Mapping[str, str], row: Row, page: Page
) -> dict[str, Any]:
    """What the template of that view is given."""
    if view == "html":
        return views.html(content, found, asked)
    if view == "text":
        return views.text(content, found)
    if view == "headers":
        return views.headers(content)
    if view == "parts":
        return views.parts(content, found)
    if view == "source":
        return views.source(content, asked)
    if view == "transcript":
        return views.transcript(received)
    return views.checks(content, received, row, page)
