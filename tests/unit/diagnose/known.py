"""The data of the package, and the failures of its examples made real."""

from __future__ import annotations

import builtins
import json
import re
import smtplib
import socket
import ssl
from pathlib import Path
from typing import Any

import mailwright
from mailwright.words.reply import Reply

DATA = Path(mailwright.__file__).parent / "diagnose" / "data"


def read(name: str) -> Any:
    """One file of the data."""
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))


ENTRIES: list[dict[str, Any]] = read("failures")["failures"]
EXAMPLES = [(entry["kind"], example) for entry in ENTRIES for example in entry["examples"]]


def raised(name: str, text: str, code: int) -> Any:
    """The exception that `name` means, as its library raises it; what `sendmail` returns for ``(return value)``."""
    if name == "(return value)":
        return {"three@example.org": (550, b"User unknown")}
    if name == "UnicodeEncodeError":
        return UnicodeEncodeError("ascii", "\xe9", 0, 1, "ordinal not in range(128)")
    if name == "UnicodeDecodeError":
        return UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "invalid continuation byte")
    module, _, cls = name.rpartition(".")
    made: Any = getattr({"smtplib": smtplib, "ssl": ssl, "socket": socket}.get(module, builtins), cls)
    if code and issubclass(made, smtplib.SMTPResponseException):
        return made(code, text.encode())
    numbered = re.fullmatch(r"\[Errno (-?\d+)\] (.*)", text)
    if numbered is not None and issubclass(made, OSError):
        return made(int(numbered[1]), numbered[2])
    return made(1, text) if issubclass(made, ssl.SSLError) else made(text)


def met(example: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """What a program would hand to `explain`, and what it would say of the surroundings."""
    when = example.get("when", {})
    context = {
        "phase": example.get("phase", ""),
        "port": when.get("port", 0),
        "security": when.get("security", ""),
        "provider": example.get("provider", ""),
    }
    text, code = example["text"], example.get("code", 0)
    if example.get("enhanced") and example["enhanced"] not in text:
        text = f"{example['enhanced']} {text}"
    if "exception" in example:
        return raised(example["exception"], text, code), context
    return (Reply(code, tuple(text.split("\n"))) if code > 0 else text), context
