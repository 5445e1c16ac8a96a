"""A file that changes or vanishes while it is sent ends the transfer without its end: nothing half-sent is called sent."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mailwright import AsyncMailer, Inbox, Mailer, MailError, Message, Server
from mailwright.mailer.outgoing import outgoing_mail
from mailwright.smtp.receiving import rules as receiving
from mailwright.words.value import replace
from tests.dialogue import ANYTHING, C, Do, Rest, S, hello, send

EXTENSIONS = {"BDAT": receiving.EXTENSIONS, "DATA": tuple(e for e in receiving.EXTENSIONS if e != "CHUNKING")}


def shrink(path: Path) -> None:
    """The file loses its second half."""
    with path.open("r+b") as file:
        file.truncate(1_000_000)


def grow(path: Path) -> None:
    """The file gets longer."""
    with path.open("ab") as file:
        file.write(b"more")


def vanish(path: Path) -> None:
    """The file is gone."""
    path.unlink()


@pytest.mark.parametrize("door", ["blocking", "async"])
@pytest.mark.parametrize("way", ["BDAT", "DATA"])
@pytest.mark.parametrize("change", [shrink, grow, vanish])
def test_a_file_that_changes_before_it_is_sent(tmp_path: Path, door: str, way: str, change: Any) -> None:
    path = tmp_path / "data.bin"
    path.write_bytes(b"0123456789" * 300_000)
    message = Message("ada@example.org", "bob@example.org", "Hi", "see file", attachments=[path])
    message.envelope()
    change(path)
    with Inbox(tls=False, rules=replace(receiving.Rules(), extensions=EXTENSIONS[way])) as inbox:
        error = _send(door, inbox.server, message)
        assert isinstance(error, MailError), error
        assert "data.bin" in str(error)
        assert not getattr(error, "in_doubt", False)
        again = _send(door, inbox.server, Message("ada@example.org", "bob@example.org", "after", "x"))
        assert again is None and [m.subject for m in inbox.messages] == ["after"]


def _send(door: str, server: Server, message: Message) -> Exception | None:
    async def task() -> None:
        async with AsyncMailer(server) as mailer:
            await mailer.send(message)

    try:
        if door == "async":
            asyncio.run(task())
        else:
            with Mailer(server) as mailer:
                mailer.send(message)
    except Exception as error:
        return error
    return None


@pytest.mark.parametrize("stage", ["memory", "sync", "aio"])
@pytest.mark.parametrize("way", ["BDAT", "DATA"])
@pytest.mark.parametrize("change", [shrink, grow, vanish])
def test_a_file_that_changes_while_it_is_sent(tmp_path: Path, stage: str, way: str, change: Any) -> None:
    """The change comes between RCPT and its reply, when the size was already told."""
    path = tmp_path / "data.bin"
    path.write_bytes(b"0123456789" * 300_000)
    message = Message("ada@example.org", "bob@example.org", "Hi", "see file", attachments=[path])
    rest = Rest()
    turns = [
        *hello(*(["CHUNKING"] if way == "BDAT" else [])),
        C(ANYTHING),
        S("250 ok"),
        C(ANYTHING),
        Do(lambda: change(path)),
        S("250 ok"),
        *([C("DATA"), S("354 go")] if way == "DATA" else []),
        rest,
    ]
    played = send(turns, stage=stage, mail=outgoing_mail(message, None, None))
    assert isinstance(played.error, MailError) and "data.bin" in str(played.error)
    assert not played.session.open and set(played.fates.values()) == {"not tried"}
    assert b"\r\n.\r\n" not in rest.octets
    if way == "BDAT":
        line, _, octets = rest.octets.partition(b"\r\n")
        assert len(octets) < int(line.split()[1])
