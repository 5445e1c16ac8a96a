"""The description of the API is made from its table, and says what is true."""

from __future__ import annotations

import json
import re
from html import escape

from mailwright.inbox.web.api import OPERATIONS
from mailwright.inbox.web.facts import SHAPES
from mailwright.inbox.web.openapi import document
from tests.unit.inbox.web.asking import Client


def test_it_is_served_and_complete(shared: Client) -> None:
    told = shared.ask("/api/openapi.json").json
    assert told == json.loads(json.dumps(document())) and told["openapi"] == "3.1.0"
    described = {(method.upper(), path) for path, methods in told["paths"].items() for method in methods}
    assert described == {(one.method, "/api/v1" + one.path) for one in OPERATIONS}
    names = [one["operationId"] for methods in told["paths"].values() for one in methods.values()]
    assert len(names) == len(set(names))


def test_every_reference_leads_somewhere_and_every_path_names_its_parameters() -> None:
    text = json.dumps(document())
    schemas = document()["components"]["schemas"]
    assert set(re.findall(r'"#/components/schemas/(\w+)"', text)) == set(schemas)
    for path, methods in document()["paths"].items():
        for one in methods.values():
            there = {given["name"] for given in one["parameters"] if given["in"] == "path"}
            assert there == set(re.findall(r"{(\w+)}", path))
            assert all(given["required"] for given in one["parameters"] if given["in"] == "path")


def conforms(told: object, schema: dict) -> bool:  # type: ignore[type-arg]
    """Whether JSON is what a schema of ours says."""
    if "$ref" in schema:
        return conforms(told, document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if "oneOf" in schema:
        return any(conforms(told, one) for one in schema["oneOf"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    names = {
        str: "string",
        int: "integer",
        bool: "boolean",
        float: "number",
        list: "array",
        dict: "object",
        type(None): "null",
    }
    if names[type(told)] not in kinds and not (type(told) is int and "number" in kinds):
        return False
    if isinstance(told, list):
        return all(conforms(one, schema["items"]) for one in told)
    if isinstance(told, dict):
        return set(told) == set(schema["properties"]) and all(
            conforms(told[name], one) for name, one in schema["properties"].items()
        )
    return True


def test_the_answers_are_what_it_says(client: Client) -> None:
    client.deliver()
    for path in ("/about", "/messages", "/messages/1", "/wait"):
        operation = document()["paths"]["/api/v1" + path.replace("/1", "/{id}")]["get"]
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        assert conforms(client.api(path).json, schema), path
    assert conforms(client.api("/messages/1", "PATCH", {"seen": True}).json, {"$ref": "/Row"})
    assert conforms(client.api("/messages/1", "DELETE").json, {"$ref": "/Deleted"})
    assert conforms(
        client.api("/messages/1").json["error"], document()["components"]["schemas"]["Refusal"]["properties"]["error"]
    )


def test_the_page_needs_nothing_from_elsewhere(shared: Client) -> None:
    page = shared.ask("/api")
    assert page.status == 200 and page.fields["content-type"] == "text/html; charset=utf-8"
    for one in OPERATIONS:
        assert f"<code>{one.method} /api/v1{one.path}</code>" in page.text and escape(one.does) in page.text
    for name in SHAPES:
        assert f'id="{name}"' in page.text
    assert "<script" not in page.text and "http" not in page.text.replace("http-equiv", "")
    nonce = re.search(r"'nonce-([\w-]+)'", page.fields["content-security-policy"])
    assert nonce and f'<style nonce="{nonce[1]}">' in page.text
