"""Every failure that people meet, made here: what a program is told of it, and what the diagnosis says it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailwright import Inbox, Mailer, Message, explain
from mailwright.errors import DeliveryError
from mailwright.inbox import Rules
from mailwright.inbox.faults import Fault, parse
from mailwright.inbox.faults.words import occasions
from mailwright.options import Timeouts
from mailwright.words.value import replace

ROWS: list[dict[str, Any]] = json.loads((Path(__file__).parents[3] / "data" / "faults.json").read_text("utf-8"))
ALL = tuple(Rules().extensions)


@pytest.fixture(scope="module")
def inboxes() -> Iterator[dict[str, Inbox]]:
    """One that offers everything, and one for each extension without it."""
    with (
        Inbox(login=("ada", "correct horse")) as full,
        Inbox(login=("ada", "correct horse"), rules=Rules(extensions=tuple(x for x in ALL if x != "CHUNKING"))) as old,
        Inbox(login=("ada", "correct horse"), rules=Rules(extensions=("SIZE", "ENHANCEDSTATUSCODES"))) as oldest,
    ):
        yield {"full": full, "chunking": old, "pipelining": oldest}


def inbox_for(row: dict[str, Any], inboxes: dict[str, Inbox]) -> Inbox:
    """The inbox that has what the row needs."""
    return inboxes[next((name for name in ("chunking", "pipelining") if row.get(name) is False), "full")]


@pytest.mark.parametrize("row", ROWS, ids=[row["fault"] for row in ROWS])
def test_a_failure_is_made_and_explained(row: dict[str, Any], inboxes: dict[str, Inbox]) -> None:
    inbox = inbox_for(row, inboxes)
    inbox.clear()
    server = inbox.server
    if row["error"] == "Timeout":
        server = replace(server, timeouts=Timeouts(connect=0.8, reply=0.8, final=0.8))
    message = Message("ada@example.org", "grace@example.net", "Hello", "x" * row.get("size", 20) + "\n")
    with inbox.faults.add(row["fault"]) as fault:
        with Mailer(server) as mailer, pytest.raises(DeliveryError) as caught:
            mailer.send(message)
        assert fault.fired
    error = caught.value
    assert (type(error).__name__, error.phase) == (row["error"], row["phase"]), str(error)
    assert error.in_doubt == (row["phase"] == "final reply" and error.reply is None)
    told = explain(error, provider=row["provider"]) if "provider" in row else error.diagnosis
    assert told is not None and told.kind == row["kind"], str(error)
    assert len(inbox.messages) == (1 if row.get("kept") else 0)


def test_the_table_has_all_words_that_are_known() -> None:
    said = [parse(row["fault"]) for row in ROWS if row["fault"].startswith("says")]
    assert [one for one in occasions() if _of(*one) not in said and _of(*one).stage != "noop"] == []


def _of(service: str, occasion: str) -> Fault:
    return parse(f"says {service} '{occasion}'")
