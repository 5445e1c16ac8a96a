"""A `Mailer` that is given the host of a known provider: the same is seen before connecting as by `send`."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

import mailwright
from mailwright import AsyncMailer, Login, Mailer, Message, Server
from mailwright.errors import ConfigError, MessageError
from mailwright.mailer.preparing import fit
from mailwright.providers import catalog
from mailwright.providers.preflight import MailWarning

ADA, APP = "ada.lovelace@gmail.com", "qwmxzkptaabbccdd"
LOGIN = Login(ADA, APP)


@pytest.fixture(params=[Mailer, AsyncMailer])
def door(request: pytest.FixtureRequest) -> Any:
    """Each of the two classes."""
    return request.param


def test_a_contradiction_is_put_right_and_warned_of(door: Any) -> None:
    with pytest.warns(MailWarning, match="speaks STARTTLS on port 587, not TLS from the first byte") as warned:
        mailer = door(Server("smtp.gmail.com", 587, "tls", LOGIN))
    assert (mailer.server.port, mailer.server.security) == (587, "starttls")
    assert warned[0].filename == __file__  # it shows the line of whoever made the mailer
    with pytest.warns(MailWarning, match="does not answer on port 465"):
        assert door("smtps://smtp.office365.com").server.port == 587


def test_a_historic_name_is_replaced(door: Any) -> None:
    with pytest.warns(MailWarning, match="The old name for Hotmail and Live.*Using smtp-mail.outlook.com"):
        mailer = door(Server("smtp.live.com", 587, login=Login("ada@hotmail.com", token="t")))
    assert mailer.server.host == "smtp-mail.outlook.com"


@pytest.mark.parametrize("blank", [" ", "\u00a0"], ids=ascii)
def test_the_blanks_of_an_app_password_are_removed(door: Any, blank: str) -> None:
    grouped = blank.join(["qwmx", "zkpt", "aabb", "ccdd"])
    assert door(Server("smtp.gmail.com", 465, login=Login(ADA, grouped))).server.login == LOGIN


def test_the_other_right_port_is_an_alternative(door: Any) -> None:
    server = door(Server("smtp.gmail.com", 465, login=LOGIN)).server
    assert server.alternatives == (("smtp.gmail.com", 587, "starttls"),)


@pytest.mark.parametrize(
    ("server", "named"),
    [
        (Server("smtp.gmail.com", 465, login=Login("your_email@gmail.com", APP)), "your_email@gmail.com"),
        (Server("smtp.gmail.com", 465, login=Login(ADA, "YOUR_16_CHAR_APP_PASSWORD")), "YOUR_16_CHAR_APP_PASSWORD"),
        (Server("mail.firm.org", 465, login=Login("ada", "your_password")), "password is a placeholder"),
        (Server("smtp-mail.outlook.com", login=Login("ada@hotmail.com", "pw")), "mailwright login ada@hotmail.com"),
        (Server("smtp.protonmail.com", login=LOGIN), "needs its Bridge"),
        (Server("gmail.com", login=LOGIN), "Use smtp.gmail.com"),
    ],
    ids=lambda given: str(given),
)
def test_what_can_not_succeed_is_refused_when_the_mailer_is_made(door: Any, server: Server, named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        door(server)
    assert named in str(caught.value)


def test_a_password_that_looks_wrong_is_warned_of_once(door: Any) -> None:
    with pytest.warns(MailWarning, match="does not look like an app password of Gmail") as warned:
        door(Server("smtp.gmail.com", 465, login=Login(ADA, "Tr0ub4dor&3")))
    assert len(warned) == 1


def test_who_sends_by_send_is_warned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the settings saw the mailer does not see again."""

    class Stopped(Exception):
        pass

    def stop(*given: Any, **named: Any) -> Any:
        raise Stopped

    monkeypatch.setattr(Mailer, "send", stop)
    server = Server("smtp.gmail.com", 587, "tls", Login("ada@yahoo.com", "Tr0ub4dor&3"))
    with pytest.warns(MailWarning) as warned, pytest.raises(Stopped):
        mailwright.send("bob@example.org", "Hi", "there", sender=ADA, server=server)
    said = [str(one.message) for one in warned]
    assert len(said) == 3 and {one.filename for one in warned} == {__file__}
    assert [word for word in ("speaks STARTTLS", "address of Yahoo", "does not look like") if word in " ".join(said)]


def test_limits_hold_for_a_mailer_too(door: Any) -> None:
    crowd = [f"a{number}@example.org" for number in range(101)]
    mailer = door(Server("smtp.gmail.com", 465, login=LOGIN))
    with pytest.raises(MessageError, match="at most 100 recipients for one message, and there are 101"):
        sent = mailer.send(Message(ADA, crowd, "Hi", "there"))
        asyncio.run(sent)


def test_a_server_that_nobody_knows_is_left_as_it_is(door: Any) -> None:
    for server in (
        Server("mail.firm.org", 465, "starttls", Login("ada", "password")),
        Server("127.0.0.1", 2525, "none", Login("your_email", "your_password")),
        Server("localhost", path="/run/lmtp", protocol="lmtp"),
    ):
        assert door(server).server is server


def test_what_was_put_right_is_right() -> None:
    """Nothing is changed, or said, a second time."""
    count = 0
    with warnings.catch_warnings():
        for one in catalog.everything():
            for way in one.endpoints:
                for security in ("tls", "starttls"):
                    warnings.simplefilter("ignore", MailWarning)
                    try:
                        once = fit(Server(way.host, way.port, security))
                    except ConfigError:
                        continue
                    warnings.simplefilter("error", MailWarning)
                    assert fit(once) == once
                    count += 1
    assert count > 300


def test_a_host_that_nobody_knows_costs_no_start_up(tmp_path: Path) -> None:
    """Neither the provider data nor what reads it is loaded for it."""
    code = (
        "import sys\nfrom mailwright import Login, Mailer, Server\nbefore = set(sys.modules)\n"
        "Mailer(Server('mail.firm.org', 587, login=Login('ada', 'correct horse'))).close()\n"
        "Mailer('smtp://127.0.0.1:2525').close()\n"
        "heavy = ('json', 'warnings', 'socket', 're')\n"
        "print([name for name in set(sys.modules) - before if 'providers' in name or name in heavy])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
