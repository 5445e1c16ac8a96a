"""The application: all routes behind the guard, and what is said when something can't be answered."""

from __future__ import annotations

import inspect
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from mailwright.inbox.web import browsing, changing, openapi
from mailwright.inbox.web.answers import Pretty, Refusal, json_of, refusal_of, refused
from mailwright.inbox.web.api import OPERATIONS
from mailwright.inbox.web.operations import Asking, from_body, from_query
from mailwright.inbox.web.security import READING, Guard, is_from_our_page, is_no_other_page
from mailwright.words.errors import MailError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from mailwright.inbox.web.doors import Doors
    from mailwright.inbox.web.live import Live
    from mailwright.inbox.web.operations import Operation
    from mailwright.inbox.web.resources import Resources

    Endpoint = Callable[[Request], Awaitable[Response]]

API = "/api/v1"
_FIELDS = 100  # of one query
_STATIC_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
_STATUSES = {
    404: ("There is no such page.", "The list of messages is at /, the API at /api."),
    405: ("That can't be done with this page.", "/api tells which methods there are."),
}


def application(resources: Resources, live: Live, doors: Doors) -> ASGIApp:
    """Everything that the server answers."""
    made = Starlette(
        routes=list(_routes()),
        exception_handlers={
            Refusal: _refused,
            MailError: _mail_error,
            HTTPException: _http_error,
            Exception: _defect,
        },
    )
    made.router.redirect_slashes = False
    made.state.resources = resources
    made.state.live = live
    return Guard(made, doors)


def _routes() -> Iterator[Route]:
    for path, page in browsing.PAGES.items():
        yield Route(path, _in_thread(page), methods=["GET"])
    events = Route("/events", _strict(browsing.events, is_from_our_page), methods=["GET"])
    events.methods = {"GET"}  # a stream has no end, and so no head alone
    yield events
    for path, change in changing.FORMS.items():
        yield Route(path, _strict(change, is_from_our_page), methods=["POST"])
    for name, kind, octets in _static():
        yield Route(f"/static/{name}", _file(octets, kind), methods=["GET"])
    yield Route("/api", _in_thread(openapi.page), methods=["GET"])
    yield Route("/api/openapi.json", _strict(openapi.description, is_no_other_page), methods=["GET"])
    for operation in OPERATIONS:
        endpoint = _strict(_asked(operation), is_no_other_page)
        yield Route(API + operation.path, endpoint, methods=[operation.method])


def _in_thread(page: Callable[[Request], Response]) -> Endpoint:
    """A page is made in a thread of its own: the database and the templates take their time."""

    async def answer(request: Request) -> Response:
        return await run_in_threadpool(page, request)

    return answer


def _strict(endpoint: Endpoint, allows: Callable[[Any], bool]) -> Endpoint:
    """For what changes something, streams, or is for programs: here it is asked once more who caused the request."""

    async def answer(request: Request) -> Response:
        if not allows(request.scope):
            raise Refusal(
                403,
                "No page of the inbox caused this request.",
                "A browser says so by Sec-Fetch-Site or Origin; programs use /api/v1.",
            )
        return await endpoint(request)

    return answer


def _asked(operation: Operation) -> Endpoint:
    """The endpoint of an operation of the API: what is given is checked before anything is done."""
    waits = inspect.iscoroutinefunction(operation.call)

    async def answer(request: Request) -> Response:
        given = from_query(operation.query, _query(request))
        if operation.method not in READING and (operation.body or operation.method != "DELETE"):
            given |= from_body(operation.body, await json_of(request))
        asking = Asking(request.app.state.resources, request.app.state.live, request.path_params, given)
        done = await (operation.call(asking) if waits else run_in_threadpool(operation.call, asking))
        return done if isinstance(done, Response) else Pretty(done)

    return answer


def _query(request: Request) -> dict[str, list[str]]:
    try:
        text = request.scope["query_string"].decode("ascii")
        return parse_qs(text, keep_blank_values=True, max_num_fields=_FIELDS, errors="strict")
    except ValueError:
        raise Refusal(
            400, "The query of the address can't be read.", "Write it in UTF-8 and percent-encoded."
        ) from None


def _static() -> Iterator[tuple[str, str, bytes]]:
    """Our style sheet, script and pictures. Only these names are answered: no path leads to any other file."""
    for file in files("mailwright.inbox.web").joinpath("static").iterdir():
        kind = _STATIC_TYPES.get("." + file.name.rpartition(".")[2])
        if kind is not None:
            yield file.name, kind, file.read_bytes()


def _file(octets: bytes, kind: str) -> Endpoint:
    async def answer(request: Request) -> Response:
        return Response(octets, media_type=kind)

    return answer


async def _refused(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Refusal)
    return refused(request, problem)


async def _mail_error(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, MailError)
    return refused(request, refusal_of(problem))


async def _http_error(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    what, advice = _STATUSES.get(problem.status_code, (f"{problem.detail}.", ""))
    answer = refused(request, Refusal(problem.status_code, what, advice))
    answer.headers.update(problem.headers or {})
    return answer


async def _defect(request: Request, problem: Exception) -> Response:
    where = f"{type(problem).__name__}; the log “mailwright.inbox.web” tells more"
    return refused(request, Refusal(500, f"A defect of mailwright: {where}.", "Please report that."))
