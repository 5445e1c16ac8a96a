"""What a browser asks for: the list, a message from all sides, its parts, and the stream of what arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response, StreamingResponse

from mailwright.inbox.reading.pictures import OCTETS_LIMIT, picture
from mailwright.inbox.search import SearchError
from mailwright.inbox.web import pages
from mailwright.inbox.web.answers import Refusal
from mailwright.inbox.web.downloads import safe_name, shown, streamed
from mailwright.inbox.web.live import event
from mailwright.inbox.web.operations import no_such_message, number_of
from mailwright.inbox.web.parts import found, octets_of
from mailwright.inbox.web.security import OCTETS_POLICY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request

    from mailwright.inbox.web.live import Live
    from mailwright.inbox.web.resources import Resources
    from mailwright.smtp.receiving import Received

HEARTBEAT = 15.0  # seconds after which a stream with nothing to tell says so: proxies end silent ones
_AT_ONCE = 50  # messages of one event


def page_of(request: Request) -> pages.Page:
    """What every page must know of the request."""
    resources = _resources(request)
    return pages.Page(
        nonce=request.scope["state"]["nonce"],
        csrf=resources.csrf,
        smtp=resources.smtp_url,
        release=resources.release is not None,
        verdict=resources.verdict if resources.spamd is not None else None,
    )


def listing(request: Request) -> Response:
    """The list, and what was looked for in it."""
    before = request.query_params.get("before")
    query = request.query_params.get("q", "")
    until = None if not before else number_of(before)
    return HTMLResponse(pages.listing(_resources(request).store, query, until, page_of(request)))


def message(request: Request) -> Response:
    """A message from one side."""
    resources, id = _resources(request), _id(request)
    view, asked = request.path_params.get("view", ""), dict(request.query_params)
    row = resources.store.row(id)
    if row is None:
        raise no_such_message(id)
    with resources.opening(row.size):
        html = pages.message(resources.store, id, view, page_of(request), asked)
    if html is None:
        raise Refusal(404, "There is no such view of the message, or it is gone.")
    return HTMLResponse(html)


def frame(request: Request) -> Response:
    """The HTML of a message, for the frame in the sandbox."""
    asked = request.query_params
    images = asked.get("images") == "1"
    received, scheme = _received(request), cast("Any", asked.get("scheme", "light"))
    with _resources(request).opening(received.size):
        document = pages.frame(received, asked.get("part", ""), images, scheme)
    fields = {
        "content-security-policy": pages.frame_policy(images),
        "referrer-policy": "no-referrer",
        "x-frame-options": "SAMEORIGIN",
    }
    return HTMLResponse(document, headers=fields)


def one_part(request: Request) -> Response:
    """A part as a download, or as the picture that its octets are."""
    number, received = request.path_params["number"], _received(request)
    node = found(_resources(request), received, number)
    if node is None:
        raise Refusal(404, "The message has no such part.")
    name = safe_name(node.name, f"part-{number}")
    if "preview" not in request.query_params:
        return streamed(octets_of(received, node), name)
    octets = b"".join(octets_of(received, node)) if node.size <= 2 * OCTETS_LIMIT else b""
    seen = picture(octets)
    if seen is None:
        raise Refusal(415, "That part is no picture that can be shown.", "It can be downloaded.")
    return shown(octets, seen.kind, name)


def raw(request: Request) -> Response:
    """The octets of the message."""
    resources, id = _resources(request), _id(request)
    row = resources.store.row(id)
    if row is None:
        raise no_such_message(id)
    return streamed(resources.store.chunks(id), f"message-{id}.eml", row.size)


def charts(request: Request) -> Response:
    """Messages per minute, sizes, faults."""
    resources = _resources(request)
    return HTMLResponse(pages.charts(resources.store, page_of(request), resources.faults))


def faults(request: Request) -> Response:
    """What is broken on request."""
    resources = _resources(request)
    playing = None if resources.faults is None else resources.faults_told()
    return HTMLResponse(pages.faults(playing, page_of(request), resources.faults))


async def events(request: Request) -> Response:
    """What arrives while somebody looks: `rows`, a fragment of the list; `count`, how many there are."""
    resources, live = _resources(request), request.app.state.live
    query = request.query_params.get("q", "")
    seen = request.headers.get("last-event-id") or request.query_params.get("after")
    latest = resources.store.latest if seen is None else number_of(seen)
    await run_in_threadpool(resources.store.count, query)  # a search that can't be understood is refused at once
    stream = _told(resources, live, page_of(request), query, latest)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"content-security-policy": OCTETS_POLICY})


async def _told(resources: Resources, live: Live, page: pages.Page, query: str, latest: int) -> AsyncIterator[bytes]:
    store = resources.store
    more = False

    def news() -> bytes:
        nonlocal latest, more
        rows = store.rows_after(latest, query, limit=_AT_ONCE)
        more = len(rows) == _AT_ONCE
        said = b""
        if rows:
            latest = rows[-1].id
            said = event("rows", pages.rows_fragment(rows[::-1], page), latest)
        return said + event("count", f'{{"total": {store.count()}, "unread": {store.count("is:unread")}}}')

    with live.seat() as bell:
        yield b"retry: 2000\n\n"
        while not live.closed:
            try:
                told = await run_in_threadpool(news)
            except SearchError:
                return  # more mail made it too much work; who asks again is told so
            yield told
            while not more and not await live.heard(bell, HEARTBEAT) and not live.closed:
                yield b": nothing new\n\n"


def _resources(request: Request) -> Resources:
    found: Resources = request.app.state.resources
    return found


def _id(request: Request) -> int:
    return number_of(request.path_params["id"])


def _received(request: Request) -> Received:
    found = _resources(request).store.received(_id(request))
    if found is None:
        raise no_such_message(_id(request))
    return found


#: The pages by path.
PAGES: dict[str, Callable[[Request], Response]] = {
    "/": listing,
    "/charts": charts,
    "/faults": faults,
    "/m/{id}": message,
    "/m/{id}/frame": frame,
    "/m/{id}/part/{number}": one_part,
    "/m/{id}/raw": raw,
    "/m/{id}/{view}": message,
}
