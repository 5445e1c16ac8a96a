"""The REST API: the one table of what it can do, and how each is done."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool

from mailwright.inbox import search
from mailwright.inbox.waiting import Wanted
from mailwright.inbox.web import facts
from mailwright.inbox.web.answers import Refusal
from mailwright.inbox.web.downloads import safe_name, streamed
from mailwright.inbox.web.facts import told
from mailwright.inbox.web.operations import Asking, Field, Operation, no_such_message
from mailwright.inbox.web.pages.message import content_of
from mailwright.inbox.web.parts import found, octets_of
from mailwright.message.check import check
from mailwright.words.address import Address

if TYPE_CHECKING:
    from starlette.responses import Response

    from mailwright.inbox.kept import Row

LONGEST_WAIT = 60.0  # seconds: what stands between here and the client may end a longer one
_SHOWN = 10  # messages that a wait in vain shows
_FIRED_SHOWN = 5  # faults

_QUERY = Field("q", "text", 'What to look for, as in the search box: from:ada subject:offer "two words".', "")
_GONE = ((404, "There is no such message or part."),)


def about(asking: Asking) -> dict[str, Any]:
    """What runs here, and how many messages it holds."""
    return told(facts.ABOUT, asking.resources)


def listed(asking: Asking) -> dict[str, Any]:
    """The newest messages."""
    store, given = asking.resources.store, asking.given
    found = store.rows(given["q"], before=given["before"], limit=given["limit"])
    return told(facts.ROWS, (found, store.count(given["q"])))


def opened(asking: Asking) -> dict[str, Any]:
    """One message."""
    row = asking.row()
    with asking.resources.opening(row.size):
        return told(facts.WHOLE, facts.opened(row, asking.received()))


def raw(asking: Asking) -> Response:
    """The octets."""
    row = asking.row()
    return streamed(asking.resources.store.chunks(row.id), f"message-{row.id}.eml", row.size)


def one_part(asking: Asking) -> Response:
    """The octets of one part."""
    number, received = asking.path["number"], asking.received()
    node = found(asking.resources, received, number)
    if node is None:
        raise Refusal(404, "There is no such part.", "GET the message; its parts have numbers.")
    return streamed(octets_of(received, node), safe_name(node.name, f"part-{number}"))


def deleted(asking: Asking) -> dict[str, Any]:
    """One message less."""
    if not asking.resources.store.delete([asking.id]):
        raise no_such_message(asking.id)
    return told(facts.DELETED, 1)


def deleted_all(asking: Asking) -> dict[str, Any]:
    """Those with these ids, or all."""
    return told(facts.DELETED, asking.resources.store.delete(asking.given["id"]))


def marked(asking: Asking) -> dict[str, Any]:
    """Seen or not."""
    if not asking.resources.store.mark(asking.id, asking.given["seen"]):
        raise no_such_message(asking.id)
    return told(facts.LISTED, asking.row())


def checked(asking: Asking) -> dict[str, Any]:
    """What the rules of lint find."""
    row, received = asking.row(), asking.received()
    with asking.resources.opening(row.size):
        return told(facts.CHECKS, check(content_of(received)[0], received.envelope, now=row.arrived))


def judged(asking: Asking) -> dict[str, Any]:
    """SpamAssassin's verdict."""
    return told(facts.VERDICT, asking.resources.verdict(asking.row()))


def released(asking: Asking) -> dict[str, Any]:
    """Really sent."""
    return told(facts.RELEASED, asking.resources.released(asking.id, asking.given["to"]))


async def waited(asking: Asking) -> dict[str, Any]:
    """The messages that were waited for."""
    given, store = asking.given, asking.resources.store
    to = None if given["to"] is None else Address.parse(given["to"])
    wanted = Wanted(to, given["subject"], given["sender"], given["contains"])
    query = wanted.query & search.parse(given["q"])
    end = time.monotonic() + given["timeout"]
    came: list[Row] = []
    looked: int = given["after"]

    def look() -> None:
        nonlocal looked
        latest = store.latest
        came.extend(store.rows_after(looked, query, limit=given["count"] - len(came)))
        looked = max(looked, latest, *(row.id for row in came[-1:]))

    with asking.live.seat() as bell:
        await run_in_threadpool(look)
        while len(came) < given["count"] and (left := end - time.monotonic()) > 0:
            if not await asking.live.heard(bell, left) and asking.live.closed:
                raise Refusal(503, "The inbox is being closed.")
            await run_in_threadpool(look)
    if len(came) < given["count"]:
        newest = await run_in_threadpool(store.rows, limit=_SHOWN)
        raise _in_vain(given, str(wanted), came, newest, asking.resources.fired_last(_FIRED_SHOWN))
    return told(facts.ARRIVED, came)


def played(asking: Asking) -> dict[str, Any]:
    """The faults that are in force."""
    return told(facts.FAULTS, asking.resources)


def broken(asking: Asking) -> dict[str, Any]:
    """Other faults."""
    asking.resources.play(asking.given["faults"])
    return played(asking)


def mended(asking: Asking) -> dict[str, Any]:
    """No faults."""
    asking.resources.play(())
    return played(asking)


def _in_vain(given: Any, wanted: str, found: list[Row], newest: list[Row], fired: list[str]) -> Refusal:
    asked = " and ".join(filter(None, (wanted, f"q={given['q']!r}" if given["q"] else "")))
    what = f"{len(found)} of {given['count']} messages{f' with {asked}' if asked else ''} arrived within"
    there = "See what did arrive." if newest else "The inbox is empty: check that the program sends here."
    if fired:
        there += " Faults happened: see fired."
    return Refusal(404, f"{what} {given['timeout']:g} seconds.", there, messages=facts.rows(newest), fired=fired)


_WAIT = (
    Field("to", "text", "One of the envelope's recipients."),
    Field("sender", "text", "The envelope's sender; empty for the null one."),
    Field("subject", "text", "A part of the subject."),
    Field("contains", "text", "A part of the text."),
    _QUERY,
    Field("count", "integer", "How many must have come.", 1, lowest=1, highest=1000),
    Field("after", "integer", "Only messages with a higher id count.", 0),
    Field("timeout", "number", "Seconds to wait.", 5.0, highest=LONGEST_WAIT),
)

OPERATIONS = (
    Operation("GET", "/about", "about", "What runs here, and how many messages it holds.", about, "About"),
    Operation(
        "GET", "/messages", "list", "The newest messages that fit, the newest first, and how many fit.", listed,
        "Rows",
        query=(
            _QUERY,
            Field("before", "integer", "Only messages with a lower id: the next page."),
            Field("limit", "integer", "How many at most.", 50, lowest=1, highest=1000),
        ),
    ),
    Operation(
        "DELETE", "/messages", "delete_all", "Delete these messages, or all of them.", deleted_all, "Deleted",
        query=(Field("id", "integers", "A message to delete; may be repeated. All, if none is given."),),
    ),
    Operation("GET", "/messages/{id}", "get", "A whole message.", opened, "Message", refuses=_GONE),
    Operation("DELETE", "/messages/{id}", "delete", "Delete a message.", deleted, "Deleted", refuses=_GONE),
    Operation(
        "PATCH", "/messages/{id}", "mark", "Note that a message was looked at, or was not.", marked, "Row",
        body=(Field("seen", "boolean", "Whether somebody looked at it.", required=True),), refuses=_GONE,
    ),
    Operation(
        "GET", "/messages/{id}/raw", "raw", "The octets of a message.", raw, "application/octet-stream", refuses=_GONE
    ),
    Operation(
        "GET", "/messages/{id}/parts/{number}", "part", "The octets of a part, without its transfer encoding.",
        one_part, "application/octet-stream", refuses=_GONE,
    ),
    Operation(
        "GET", "/messages/{id}/checks", "checks", "What the rules of `mailwright lint` find in a message.", checked,
        "Checks", refuses=_GONE,
    ),
    Operation(
        "GET", "/messages/{id}/spam", "spam", "SpamAssassin's verdict, where `--spamd` was given.", judged, "Verdict",
        refuses=(*_GONE, (409, "SpamAssassin is not asked here."), (502, "spamd gave no verdict.")),
    ),
    Operation(
        "POST", "/messages/{id}/release", "release",
        "Really send the octets of a message, where `--release-to` was given.", released, "Released",
        body=(Field("to", "texts", "To whom; by default to all whom it was meant for.", ()),),
        refuses=(
            *_GONE, (403, "Somebody may not get released messages; nothing was sent."),
            (409, "Nothing is released here."), (502, "The mail server did not take it."),
        ),
    ),
    Operation(
        "GET", "/wait", "wait",
        "Wait until messages that fit are there, and give the oldest of them. All conditions must hold.", waited,
        "Arrived", query=_WAIT, refuses=((404, "They did not come in time; `messages` shows what did."),
            (503, "Too many wait already.")),
    ),
    Operation("GET", "/faults", "faults", "What is broken on request.", played, "Faults"),
    Operation(
        "PUT", "/faults", "break", "Break these things, and nothing else.", broken, "Faults",
        body=(Field("faults", "texts", "Faults as on the command line.", required=True),),
        refuses=((400, "A fault is not known."),),
    ),
    Operation("DELETE", "/faults", "mend", "Break nothing.", mended, "Faults"),
)  # fmt: skip
