"""The description of the API (OpenAPI 3.1), made from the table of its operations, as JSON and as a page."""

from __future__ import annotations

import re
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, Response

from mailwright.inbox.web.answers import Pretty
from mailwright.inbox.web.api import OPERATIONS
from mailwright.inbox.web.facts import SHAPES, TYPES

if TYPE_CHECKING:
    from starlette.requests import Request

    from mailwright.inbox.web.facts import Fact
    from mailwright.inbox.web.operations import Field, Operation

PREFIX = "/api/v1"
_PLACES = {"id": ("integer", "The id of a message."), "number": ("string", "The number of a part, such as 2.1.")}
_COMMON = {
    400: "What was given can't be understood.",
    401: "The inbox asks for a password (HTTP Basic, any user name).",
    403: "A page of another origin caused the request.",
    421: "The name in Host is not one of this inbox.",
}


async def description(request: Request) -> Response:
    """The description as JSON."""
    return Pretty(document())


@cache
def document() -> dict[str, Any]:
    """The whole description."""
    from mailwright import __version__

    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(PREFIX + operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mailwright inbox",
            "version": __version__,
            "description": "What a program sent, for those who test it. Nothing leaves this machine but by release.",
        },
        "paths": paths,
        "components": {
            "schemas": {**{name: _shape(facts) for name, facts in SHAPES.items()}, "Refusal": _REFUSAL},
            "securitySchemes": {"password": {"type": "http", "scheme": "basic"}},
        },
        "security": [{}, {"password": []}],
    }


def _operation(operation: Operation) -> dict[str, Any]:
    places = re.findall(r"{(\w+)}", operation.path)
    given = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": _PLACES[name][0]},
            "description": _PLACES[name][1],
        }
        for name in places
    ] + [
        {"name": one.name, "in": "query", "required": one.required, "schema": _field(one), "description": one.meaning}
        for one in operation.query
    ]
    told: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.does,
        "parameters": given,
        "responses": _responses(operation),
    }
    if operation.body:
        told["requestBody"] = {
            "required": any(field.required for field in operation.body),
            "content": {"application/json": {"schema": _object(operation.body)}},
        }
    return told


def _responses(operation: Operation) -> dict[str, Any]:
    kind, schema = "application/json", _ref(operation.gives)
    if "/" in operation.gives:
        kind, schema = operation.gives, {"type": "string", "format": "binary"}
    found: dict[str, Any] = {"200": {"description": operation.does, "content": {kind: {"schema": schema}}}}
    for status, why in sorted({**_COMMON, **dict(operation.refuses)}.items()):
        found[str(status)] = {"description": why, "content": {"application/json": {"schema": _ref("Refusal")}}}
    return found


def _object(fields: tuple[Field, ...]) -> dict[str, Any]:
    properties = {field.name: {**_field(field), "description": field.meaning} for field in fields}
    required = [field.name for field in fields if field.required]
    return {"type": "object", "properties": properties, "additionalProperties": False, "required": required}


def _field(field: Field) -> dict[str, Any]:
    schema = dict(TYPES[field.kind])
    if field.kind in ("integer", "number"):
        schema["minimum"] = field.lowest
        if field.highest < 1 << 62:
            schema["maximum"] = field.highest
    if field.default not in (None, (), ""):
        schema["default"] = field.default
    return schema


def _shape(facts: tuple[Fact, ...]) -> dict[str, Any]:
    properties = {fact.name: _typed(fact) for fact in facts}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _typed(fact: Fact) -> dict[str, Any]:
    if fact.kind in TYPES:
        return {**TYPES[fact.kind], "description": fact.meaning}
    if fact.kind.startswith("["):
        return {"type": "array", "items": _ref(fact.kind.strip("[]")), "description": fact.meaning}
    return {"oneOf": [_ref(fact.kind), {"type": "null"}], "description": fact.meaning}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


_REFUSAL: dict[str, Any] = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "what": {"type": "string", "description": "What is wrong."},
                "advice": {"type": "string", "description": "What to do; may be empty."},
            },
            "required": ["what", "advice"],
        },
        "messages": {"type": "array", "items": _ref("Row"), "description": "What did arrive, after a wait in vain."},
        "fired": {**TYPES["texts"], "description": "The faults that happened last, after a wait in vain."},
    },
    "required": ["error"],
}


def page(request: Request) -> Response:
    """The description as a page, with nothing on it that is not ours."""
    nonce = request.scope["state"]["nonce"]
    body = "".join(_told(operation) for operation in OPERATIONS)
    shapes = "".join(_shape_told(name, facts) for name, facts in SHAPES.items())
    return HTMLResponse(
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        '<link rel="icon" href="/static/icon.svg" type="image/svg+xml">'
        f'<title>API of the inbox</title><style nonce="{nonce}">{_STYLE}</style><main><h1>API of the inbox</h1>'
        f"<p>Everything is below <code>{PREFIX}</code> and speaks JSON; the description for programs is "
        '<a href="/api/openapi.json">openapi.json</a>. Back to the <a href="/">messages</a>.</p>'
        f"{body}<h2>What comes back</h2>{shapes}</main></html>"
    )


def _told(operation: Operation) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(one.name)}</code><td>{escape(one.kind)}<td>{escape(one.meaning)}"
        f"{f' Default: {escape(str(one.default))}.' if one.default not in (None, (), '') else ''}"
        for one in (*operation.query, *operation.body)
    )
    refuses = "".join(f"<li><code>{status}</code> {escape(why)}" for status, why in operation.refuses)
    return (
        f'<section><h2 id="{operation.name}"><code>{operation.method} {escape(PREFIX + operation.path)}</code></h2>'
        f"<p>{escape(operation.does)} Gives <code>{escape(operation.gives)}</code>.</p>"
        + (f"<table><tr><th>Name<th>Type<th>Meaning{rows}</table>" if rows else "")
        + (f"<ul>{refuses}</ul>" if refuses else "")
        + "</section>"
    )


def _shape_told(name: str, facts: tuple[Fact, ...]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(fact.name)}</code><td>{escape(fact.kind)}<td>{escape(fact.meaning)}" for fact in facts
    )
    return f'<h3 id="{name}"><code>{name}</code></h3><table><tr><th>Name<th>Type<th>Meaning{rows}</table>'


_STYLE = (
    ":root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;margin:0}"
    "main{max-width:60rem;margin:auto;padding:1rem}table{border-collapse:collapse;display:block;overflow-x:auto}"
    "th,td{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top;border-bottom:1px solid #8884}"
    "h2{font-size:1.05rem;margin-top:2rem}h3{font-size:1rem}"
)
