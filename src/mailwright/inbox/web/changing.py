"""What a form changes. Each carries the token that only our pages know; then the browser is led back to a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from mailwright.inbox.web.answers import Refusal, form_of
from mailwright.inbox.web.operations import no_such_message, number_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from mailwright.inbox.store import Store
    from mailwright.inbox.web.resources import Resources

    Fields = dict[str, list[str]]

_ON = ("1", "true", "on")
_AT_ONCE = 500  # messages that are marked before the next ones are looked for


async def _fields(request: Request) -> tuple[Resources, Fields]:
    """What there is to work with, and the fields of the form, if it is one of ours. Raises `Refusal`."""
    resources: Resources = request.app.state.resources
    fields = await form_of(request)
    if not resources.is_ours(_one(fields, "csrf")):
        raise Refusal(403, "The form is not one of this server's.", "Load the page anew: the inbox was started again.")
    return resources, fields


async def delete_some(request: Request) -> Response:
    """The messages that are marked (`id`, repeated); with ``all=1`` all of them."""
    resources, fields = await _fields(request)
    ids = [number_of(text) for text in fields.get("id", [])]
    if not ids and _one(fields, "all") not in _ON:
        raise Refusal(400, "No message is marked.", "Mark some, or delete all.")
    await run_in_threadpool(resources.store.delete, ids or None)
    return _back_to("/")


async def read_some(request: Request) -> Response:
    """Note that the marked messages (`id`, repeated) were seen, or all if none is marked."""
    resources, fields = await _fields(request)
    ids = [number_of(text) for text in fields.get("id", [])]
    await run_in_threadpool(_seen, resources.store, ids)
    return _back_to("/")


def _seen(store: Store, ids: list[int]) -> None:
    if ids:
        for id in ids:
            store.mark(id, True)
        return
    while unread := store.rows("is:unread", limit=_AT_ONCE):
        for row in unread:
            store.mark(row.id, True)


async def delete(request: Request) -> Response:
    """One message."""
    resources, _ = await _fields(request)
    await run_in_threadpool(resources.store.delete, [_id(request)])
    return _back_to("/")


async def mark(request: Request) -> Response:
    """Note that a message was seen (``seen=1``) or was not (``seen=0``)."""
    resources, fields = await _fields(request)
    seen = _one(fields, "seen", "1") in _ON
    if not await run_in_threadpool(resources.store.mark, _id(request), seen):
        raise no_such_message(_id(request))
    return _back_to(f"/m/{_id(request)}" if seen else "/")


async def release(request: Request) -> Response:
    """Really send a message to the addresses in `to`, separated by commas or lines; to all it was meant for if there
    are none.
    """
    resources, fields = await _fields(request)
    wanted = [address.strip() for text in fields.get("to", []) for address in text.replace("\n", ",").split(",")]
    receipt = await run_in_threadpool(resources.released, _id(request), [one for one in wanted if one])
    return PlainTextResponse(f"{receipt}\n")


async def faults(request: Request) -> Response:
    """Break what the lines of `faults` name, and nothing else; nothing at all with ``clear=1``."""
    resources, fields = await _fields(request)
    asked = [line.strip() for text in fields.get("faults", []) for line in text.splitlines()]
    cleared = _one(fields, "clear") in _ON
    await run_in_threadpool(resources.play, [] if cleared else [line for line in asked if line])
    return _back_to("/faults")


def _one(fields: Fields, name: str, default: str = "") -> str:
    return fields.get(name, [default])[0]


def _id(request: Request) -> int:
    return number_of(request.path_params["id"])


def _back_to(path: str) -> Response:
    return RedirectResponse(path, 303)  # RFC 9110 §15.4.4: the answer to a change is looked at with GET


#: The forms by path; all of them are sent by POST.
FORMS: dict[str, Callable[[Request], Awaitable[Response]]] = {
    "/delete": delete_some,
    "/read": read_some,
    "/m/{id}/delete": delete,
    "/m/{id}/mark": mark,
    "/m/{id}/release": release,
    "/faults": faults,
}
