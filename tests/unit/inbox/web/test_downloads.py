"""What leaves the server as octets: neutral types, safe names, and pictures that are pictures."""

from __future__ import annotations

import struct
import zlib
from email.message import EmailMessage
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.inbox.web.downloads import disposition, safe_name
from tests.unit.inbox.web.asking import Answer, Client


def png(width: int = 1, height: int = 1) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\0\0\0")) + chunk(b"IEND", b"")
    )


def carrying(data: bytes, kind: str, name: str | None = "file.bin") -> bytes:
    message = EmailMessage()
    message["From"] = "ada@example.org"
    message.set_content("See the file.")
    main, _, sub = kind.partition("/")
    message.add_attachment(data, maintype=main, subtype=sub, filename=name)
    return message.as_bytes(policy=message.policy.clone(linesep="\r\n"))


def is_neutral(answer: Answer) -> bool:
    fields = answer.fields
    return (
        fields["content-type"] == "application/octet-stream"
        and fields["content-disposition"].startswith("attachment; ")
        and fields["x-content-type-options"] == "nosniff"
        and fields["content-security-policy"].startswith("sandbox; default-src 'none'")
        and fields["cache-control"] == "no-store"
    )


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><script>alert(1)</script>"


@pytest.mark.parametrize(
    ("data", "kind"),
    [(HTML, "text/html"), (SVG, "image/svg+xml"), (HTML, "image/png"), (SVG, "image/gif"), (b"GIF89a" + HTML, "image/gif"), (HTML, "application/xhtml+xml"),
     (b"alert(1)", "text/javascript"), (b"%PDF-1.7", "application/pdf"), (b"BEGIN:VCALENDAR", "text/calendar"), (b"", "image/png"), (b"\x89PNG\r\n\x1a\n", "image/png"),
     (png(50_000, 50_000), "image/png")],
    ids=lambda one: str(one)[:24],
)  # fmt: skip
def test_nothing_that_a_browser_could_run_is_shown(data: bytes, kind: str, client: Client) -> None:
    client.deliver(carrying(data, kind, "evil"))
    for path in ("/m/1/part/2", "/api/v1/messages/1/parts/2", "/m/1/raw", "/api/v1/messages/1/raw"):
        assert is_neutral(client.ask(path)), path
    seen = client.ask("/m/1/part/2?preview=1")
    assert seen.status == 415 or seen.fields["content-type"] == "image/gif"  # to a browser its first octets make it one


@pytest.mark.parametrize("kind", ["image/png", "text/html", "application/octet-stream", "image/svg+xml"])
def test_a_picture_is_shown_as_what_its_octets_are(kind: str, client: Client) -> None:
    client.deliver(carrying(png(), kind, "square.html"))
    seen = client.ask("/m/1/part/2?preview")
    assert seen.fields["content-type"] == "image/png" and seen.body == png()
    assert seen.fields["content-disposition"].startswith("inline; ")
    assert seen.fields["cross-origin-resource-policy"] == "same-origin"
    assert is_neutral(client.ask("/m/1/part/2"))


NAMES = {
    "report.pdf": "report.pdf",
    "../../etc/passwd": "passwd",
    "..\\..\\windows\\system32\\cmd.exe": "cmd.exe",
    "/absolute": "absolute",
    "C:\\x\\y.txt": "y.txt",
    'a"; filename="b': "a_; filename=_b",
    "CON": "_CON",
    "nul.txt": "_nul.txt",
    "com1.tar.gz": "_com1.tar.gz",
    "..": "part-2",
    ".": "part-2",
    "   ": "part-2",
    "a\u202etxt.exe": "a_txt.exe",
    "x\r\nSet-Cookie: a=b": "x__Set-Cookie_ a=b",
    "tab\there": "tab_here",
    "trailing. . ": "trailing",
    "Größe ☃.csv": "Größe ☃.csv",
    "a%2f..%2fb": "a%2f..%2fb",
    "x" * 5000 + ".pdf": "x" * 146 + ".pdf",
    "x" * 5000: "x" * 150,
    "<script>": "_script_",
}


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name)[:20])
def test_a_name_never_is_a_path(name: str) -> None:
    assert safe_name(name, "part-2") == NAMES[name]


@given(st.text(max_size=400))
def test_any_name_makes_a_field_that_says_it_exactly(name: str) -> None:
    safe = safe_name(name, "part")
    assert safe and safe.isprintable() and not set(safe) & set('/\\"<>:|?*') and safe not in (".", "..")
    field = disposition("attachment", safe)
    assert field.isascii() and field.isprintable()
    plain, _, exact = field.removeprefix('attachment; filename="').partition("\"; filename*=UTF-8''")
    assert '"' not in plain and "\\" not in plain and "%" not in plain
    assert unquote(exact, errors="strict") == safe.encode("utf-8", "replace").decode()


def test_the_name_in_a_message_arrives_as_a_name(client: Client) -> None:
    client.deliver(carrying(b"x", "text/csv", "../Größe\u202e ☃.csv"))
    field = client.ask("/m/1/part/2").fields["content-disposition"]
    assert field == "attachment; filename=\"Gr__e_ _.csv\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe_%20%E2%98%83.csv"


@pytest.mark.parametrize("where", ["name", "filename", "cid", "message-id"])
def test_what_a_message_calls_itself_leads_nowhere(where: str, client: Client) -> None:
    evil = "../../../../x\x00y"
    message = (
        f"Message-ID: <{evil if where == 'message-id' else 'x'}>\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: text/csv; name="{evil if where == "name" else "x"}"\r\nContent-ID: <{evil if where == "cid" else "x"}>\r\n'
        f'Content-Disposition: attachment; filename="{evil if where == "filename" else "x"}"\r\n\r\nx\r\n'
    )
    client.deliver(message)
    for path in ("/m/1/raw", "/m/1/part/1", "/api/v1/messages/1/raw", "/api/v1/messages/1/parts/1"):
        answer = client.ask(path)
        assert is_neutral(answer) and ".." not in answer.fields["content-disposition"]


def test_the_frame_is_nobodys_origin(client: Client) -> None:
    client.deliver(
        b"Content-Type: text/html\r\n\r\n<p>Hi<script>alert(1)</script><img src='http://192.0.2.1/x.png'>\r\n"
    )
    for query, remote in (("", False), ("?images=0", False), ("?images=1", True)):
        answer = client.ask(f"/m/1/frame{query}")
        rules = {
            rule.partition(" ")[0]: rule.partition(" ")[2]
            for rule in answer.fields["content-security-policy"].split("; ")
        }
        assert "allow-scripts" not in rules["sandbox"] and "allow-same-origin" not in rules["sandbox"]
        assert (
            rules["default-src"] == rules["form-action"] == rules["base-uri"] == "'none'" and "script-src" not in rules
        )
        assert ("http:" in rules["img-src"]) is remote
        assert rules["frame-ancestors"] == "'self'" and answer.fields["x-frame-options"] == "SAMEORIGIN"
        assert b"<script" not in answer.body
