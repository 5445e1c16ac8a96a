"""The door: who greets, and whether that is a mail server."""

from __future__ import annotations

from typing import Any

import pytest

from mailwright.cli.exit_codes import PROTOCOL, TEMPFAIL, code_for
from mailwright.steps import Read, Write
from tests.dialogue import C, Drop, Pause, Raw, S
from tests.unit.doctor.conftest import ADDRESS, Lab
from tests.unit.doctor.world import SILENT, check, lines_of


async def web_server() -> None:
    """It waits to be asked, and knows one answer."""
    await Read(60)
    await Write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", 60)


def door(lab: Lab, at: Any, port: int = 587) -> Any:
    """The line of that port, and the whole checkup."""
    checkup = check(lab.world(port, at), lab.case(port))
    return lines_of(checkup, "door")[f"port {port}"], checkup


def test_a_greeting_is_shown(lab: Lab) -> None:
    line, _ = door(lab, None)
    assert line.verdict == "ok" and "ESMTP mailwright" in line.said


@pytest.mark.parametrize("port", [465, 587])
def test_a_web_server(lab: Lab, port: int) -> None:
    """It is as silent as a firewall until it is asked in its own language."""
    line, checkup = door(lab, web_server, port)
    assert line.verdict == "failed" and "web server" in line.fix
    assert code_for(checkup.error) == PROTOCOL


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "SSH"),
        (b"* OK IMAP4rev1 ready\r\n", "IMAP"),
        (b"+OK POP3 ready\r\n", "POP3"),
        (b"HTTP/1.1 408 Request Timeout\r\n\r\n", "web server"),
    ],
)
def test_another_protocol(lab: Lab, said: bytes, name: str) -> None:
    line, checkup = door(lab, lambda: _say(said))
    assert line.verdict == "failed" and name in line.fix
    assert code_for(checkup.error) == PROTOCOL


async def _say(data: bytes) -> None:
    await Write(data, 60)
    while await Read(60):
        pass


def test_nobody_says_anything(lab: Lab) -> None:
    line, checkup = door(lab, SILENT)
    assert line.verdict == "failed" and "did not answer within 10 seconds" in line.said
    assert code_for(checkup.error) == TEMPFAIL


def test_who_greets_late_is_not_taken_for_another(lab: Lab) -> None:
    line, _ = door(lab, [Pause(12), S("220 at last"), C("GET / HTTP/1.0"), C(""), S("500 what?"), Drop()])
    assert line.verdict == "failed" and "--timeout 60" in line.fix


def test_the_door_is_closed_at_once(lab: Lab) -> None:
    line, checkup = door(lab, [Drop()])
    assert line.verdict == "failed" and "closed the connection before it greeted us" in line.said
    assert code_for(checkup.error) == TEMPFAIL


@pytest.mark.parametrize(("code", "text"), [(421, "Too busy"), (554, "5.7.1 No access for 192.0.2.200")])
def test_a_refusal_at_the_door(lab: Lab, code: int, text: str) -> None:
    line, checkup = door(lab, [S(f"{code} {text}"), Drop()])
    assert line.verdict == "failed" and f"{code} {text}" in line.said
    assert code_for(checkup.error) == TEMPFAIL


def test_ehlo_is_refused(lab: Lab) -> None:
    line, _ = door(lab, [S("220 hi"), C("EHLO [192.0.2.200]"), S("550 5.7.1 Not with that name"), Drop()])
    assert line.verdict == "failed" and "550 5.7.1 Not with that name" in line.said


def test_a_firewall_hides_the_greeting(lab: Lab) -> None:
    stars = "220 " + "*" * 60
    turns: list[Any] = [
        S(stars),
        C("EHLO [192.0.2.200]"),
        S("250-mx", "250-XXXXXXXA", "250 SIZE"),
        C("QUIT"),
        S("221 bye"),
    ]
    line, checkup = door(lab, turns)
    assert line.verdict == "warning" and "465" in line.fix
    stripped = lines_of(checkup, "hallway")["port 587"]
    assert stripped.verdict == "failed" and stripped.kind == "starttls-stripped"


def test_what_a_server_says_steers_no_terminal(lab: Lab) -> None:
    turns = [S("220 \x1b[2J\x07\u202eevil"), C("EHLO [192.0.2.200]"), S("250-mx", "250 \x1b[2J"), C("QUIT"), Drop()]
    line, checkup = door(lab, turns)
    assert "\x1b" not in str(checkup) and "\u202e" not in str(checkup) and "evil" in line.said


def test_a_fault_of_a_port_that_nobody_uses_is_no_failure(lab: Lab) -> None:
    world = lab.world()
    world.places[ADDRESS, 25] = lambda: _say(b"SSH-2.0-x\r\n")
    checkup = check(world, lab.case(587))
    assert lines_of(checkup, "door")["port 25"].verdict == "warning"
    assert checkup.ok


def test_a_server_that_floods(lab: Lab) -> None:
    line, _ = door(lab, [Raw(b"220-" + b"x" * 100_000)])
    assert line.verdict == "failed" and len(line.said) < 400
