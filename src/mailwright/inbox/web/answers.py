"""Answers that are no page: what went wrong, in plain English, for people and for programs; and what was asked."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from mailwright.inbox.database import StoreError
from mailwright.inbox.web import pages
from mailwright.inbox.web.release import NotAllowed
from mailwright.inbox.web.spamd import SpamdError
from mailwright.words.errors import ConfigError, DeliveryError, MailError, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

BODY_LIMIT = 65_536  # octets of what a form or a program sends
BODY_TIMEOUT = 10.0  # seconds for it to arrive
FIELDS_LIMIT = 1000  # fields of one form; a list of marked messages is the longest


class Refusal(Exception):
    """A request that can't be met: `status` (RFC 9110 §15), `what` is wrong, and the `advice` what to do."""

    def __init__(self, status: int, what: str, advice: str = "", **facts: Any) -> None:
        super().__init__(what)
        self.status = status
        self.what = what
        self.advice = advice
        self.facts = facts


class Pretty(JSONResponse):
    """JSON that a person can read too."""

    def render(self, content: Any) -> bytes:
        """The octets."""
        return json.dumps(content, ensure_ascii=False, indent=2).encode("utf-8", "backslashreplace") + b"\n"


def plain(status: int, what: str, advice: str = "") -> Response:
    """A refusal as text. The connection ends with it: what the client may still be sending is not waited for."""
    return PlainTextResponse(f"{what} {advice}".strip() + "\n", status, {"connection": "close"})


def refused(request: Request, refusal: Refusal) -> Response:
    """A refusal: as JSON for programs, as a page for browsers, else as text."""
    if not request.scope["path"].startswith("/api/"):
        if "text/html" not in request.headers.get("accept", ""):
            return plain(refusal.status, refusal.what, refusal.advice)
        page = pages.Page(nonce=request.scope["state"]["nonce"], csrf=request.app.state.resources.csrf)
        html = pages.problem(refusal.status, refusal.what, page, refusal.advice)
        return HTMLResponse(html, refusal.status, {"connection": "close"})
    error = {"what": refusal.what, "advice": refusal.advice}
    return Pretty({"error": error, **refusal.facts}, refusal.status, {"connection": "close"})


def refusal_of(problem: MailError) -> Refusal:
    """An error of mailwright as a refusal."""
    if isinstance(problem, NotAllowed):
        status = 403
    elif isinstance(problem, (DeliveryError, SpamdError)):
        status = 502  # the server behind us did not do as asked
    elif isinstance(problem, StoreError):
        status = 500
    elif isinstance(problem, MissingExtra):
        status = 501
    elif isinstance(problem, ConfigError):
        status = 409  # nothing that the one who asks can put right
    else:
        status = 400
    return Refusal(status, problem.what, problem.advice)


async def body_of(request: Request) -> bytes:
    """The body of a request, held only within limits. Raises `Refusal`."""
    octets = bytearray()
    declared = request.headers.get("content-length", "0")
    if len(declared) > 10 or int(declared) > BODY_LIMIT:  # the HTTP library has seen to it that these are digits
        raise _too_long()
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            async for chunk in request.stream():
                octets += chunk
                if len(octets) > BODY_LIMIT:
                    raise _too_long()
    except TimeoutError:
        raise Refusal(408, "The request did not arrive in time.") from None
    return bytes(octets)


async def form_of(request: Request) -> dict[str, list[str]]:
    """The fields of a form. Raises `Refusal`."""
    _check_type(request, "application/x-www-form-urlencoded")
    try:
        text = (await body_of(request)).decode("utf-8")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_LIMIT, errors="strict")
    except ValueError:
        raise Refusal(400, "The form can't be read.", f"It is UTF-8 with at most {FIELDS_LIMIT} fields.") from None
    fields: dict[str, list[str]] = {}
    for name, text in pairs:
        fields.setdefault(name, []).append(text)
    return fields


async def json_of(request: Request) -> dict[str, Any]:
    """The JSON object that a program sent; no body is an empty one. Raises `Refusal`."""
    octets = await body_of(request)
    if not octets:
        return {}
    _check_type(request, "application/json")  # no form of another page can say so
    try:
        given = json.loads(octets)
    except (ValueError, RecursionError):
        raise Refusal(400, "The body is not JSON.", 'Send an object such as {"seen": true}.') from None
    if not isinstance(given, dict):
        raise Refusal(400, "The body is not a JSON object.", 'Send one such as {"seen": true}.')
    return given


def known_fields(given: Mapping[str, object], known: tuple[str, ...]) -> None:
    """Refuse a field that would be passed over: it was meant for something. Raises `Refusal`."""
    strange = [name for name in given if name not in known]
    if strange:
        there = ", ".join(known) or "none"
        raise Refusal(400, f"{strange[0][:60]!r} is not known here.", f"There is: {there}.")


def _check_type(request: Request, wanted: str) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != wanted:
        raise Refusal(415, f"The body must be {wanted}.", f"Send the header field Content-Type: {wanted}.")


def _too_long() -> Refusal:
    return Refusal(413, f"The request is longer than {BODY_LIMIT:,} octets.")
