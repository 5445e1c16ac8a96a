"""Writing messages octet by octet, faults included, which no library would."""

from __future__ import annotations

from base64 import encodebytes

FIELDS = {
    "From": "Ada Lovelace <ada@example.org>",
    "To": "bob@example.net",
    "Subject": "The minutes",
    "Date": "Mon, 02 Nov 2026 10:00:00 +0000",
    "Message-ID": "<20261102.1@example.org>",
    "MIME-Version": "1.0",
}
TEXT = "Dear Bob,\r\n\r\nhere are the minutes.\r\n"
NOW = 1_793_620_800.0  # that Monday, at noon

Value = str | bytes | list[str] | None


def octets(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def head(fields: dict[str, Value]) -> bytes:
    """The header: the usual fields, changed and added to; `None` takes one out, a list writes it several times."""
    merged: dict[str, Value] = {**FIELDS, **{name.replace("_", "-"): value for name, value in fields.items()}}
    lines = b""
    for name, value in merged.items():
        for one in [] if value is None else value if isinstance(value, list) else [value]:
            lines += name.encode() + b": " + octets(one) + b"\r\n"
    return lines


def mail(body: str | bytes = TEXT, **fields: Value) -> bytes:
    """A message; of plain text, if no field says otherwise."""
    return head(fields) + b"\r\n" + octets(body)


def part(body: str | bytes, kind: str = "text/plain; charset=utf-8", **fields: str) -> bytes:
    """A part of a multipart."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"Content-Type: {kind}\r\n{lines}\r\n".encode() + octets(body)


def multipart(subtype: str, *parts: bytes, closed: bool = True, **fields: Value) -> bytes:
    """A message of parts."""
    body = b"".join(b"--=_b\r\n" + one + b"\r\n" for one in parts) + (b"--=_b--\r\n" if closed else b"")
    return mail(body, Content_Type=f'multipart/{subtype}; boundary="=_b"', **fields)


def page(html: str, text: str = TEXT, **fields: Value) -> bytes:
    """A message with plain text and this HTML."""
    return multipart("alternative", part(text), part(html, "text/html; charset=utf-8"), **fields)


def file(name: str, data: bytes = b"data", kind: str = "application/pdf", **fields: str) -> bytes:
    """An attachment."""
    disposition = f'attachment; filename="{name}"' if name else "attachment"
    return part(
        encodebytes(data).replace(b"\n", b"\r\n"), kind,
        **{"Content_Transfer_Encoding": "base64", "Content_Disposition": disposition, **fields},
    )  # fmt: skip


def with_file(name: str, data: bytes = b"data", kind: str = "application/pdf", **fields: str) -> bytes:
    """A message with one attachment."""
    return multipart("mixed", part(TEXT), file(name, data, kind, **fields))


def related(html: str, *parts: bytes) -> bytes:
    """A message whose HTML shows parts."""
    inner = b"".join(b"--=_i\r\n" + one + b"\r\n" for one in (part(html, "text/html"), *parts)) + b"--=_i--\r\n"
    return multipart("alternative", part(TEXT), part(inner, 'multipart/related; boundary="=_i"'))


def picture(cid: str, data: bytes = b"\x89PNG", kind: str = "image/png") -> bytes:
    """A picture to be shown."""
    encoded = encodebytes(data).replace(b"\n", b"\r\n")
    return part(encoded, kind, Content_Transfer_Encoding="base64", Content_ID=f"<{cid}>", Content_Disposition="inline")
