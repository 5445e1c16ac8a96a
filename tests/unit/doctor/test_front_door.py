"""`doctor` and `doctor_async` over real sockets, and which server they take for whom."""

from __future__ import annotations

import asyncio
import traceback
from pathlib import Path
from typing import Any

import pytest
import trio

from mailwright import Inbox, Login, Server
from mailwright.checking import doctor, doctor_async
from mailwright.diagnose.checkup import Checkup
from mailwright.words.errors import AddressError, ConfigError
from mailwright.words.value import replace
from tests.unit.doctor.world import World, lines_of
from tests.unit.settings.test_secrecy import CANARY, leaks

ADA, PASSWORD = "ada@example.org", "correct horse"
MAIL_VARIABLES = ("MAILWRIGHT_URL", "MAILWRIGHT_CONFIG", "MAILWRIGHT_CATCH", "SMTP_HOST", "SENDER_EMAIL", "SMTP_USER")


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of whoever runs the tests."""
    for name in MAIL_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def by(door: str, *arguments: Any, **options: Any) -> Checkup:
    """The check through one of the doors."""
    if door == "blocking":
        return doctor(*arguments, **options)
    if door == "asyncio":
        return asyncio.run(doctor_async(*arguments, **options))

    async def task() -> Checkup:
        return await doctor_async(*arguments, **options)

    return trio.run(task)


def local(inbox: Inbox, **options: Any) -> dict[str, Any]:
    """What keeps a check to that one port."""
    return {"server": inbox.server, "ports": (inbox.server.port,), "timeout": 5.0, "papers": False, **options}


@pytest.mark.parametrize("door", ["blocking", "asyncio", "trio"])
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_every_door(door: str, security: Any) -> None:
    with Inbox(login=(ADA, PASSWORD), security=security) as inbox:
        checkup = by(door, **local(inbox))
        assert {stage.name: stage.worst for stage in checkup.stages[:6]} == dict.fromkeys(
            ("street", "door", "hallway", "lock", "ID", "desk"), "ok"
        ), str(checkup)
        assert inbox.messages == ()
    assert PASSWORD not in str(checkup)


@pytest.mark.parametrize("door", ["blocking", "asyncio", "trio"])
def test_a_wrong_password(door: str) -> None:
    with Inbox(login=(ADA, PASSWORD)) as inbox:
        server = replace(inbox.server, login=Login(ADA, "last year"))
        checkup = by(door, **local(inbox, server=server))
        assert lines_of(checkup, "ID")["login"].verdict == "failed"
        assert not checkup.ok


def test_an_inbox_without_tls(tmp_path: Path) -> None:
    with Inbox(tls=False) as inbox:
        checkup = doctor(ADA, **local(inbox))
        assert checkup.stages[2].worst == "ok" and lines_of(checkup, "desk")["recipient"].verdict == "ok"


def test_lmtp_over_a_socket_that_is_not_there(tmp_path: Path) -> None:
    checkup = doctor(ADA, server=f"lmtp://{tmp_path}/socket", papers=False)
    assert lines_of(checkup, "street")["socket"].verdict == "failed"


# Which server.


def test_the_environment_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with Inbox(login=(ADA, PASSWORD)) as inbox:
        monkeypatch.setenv("MAILWRIGHT_URL", inbox.url)
        checkup = doctor(ports=(inbox.server.port,), papers=False)
        assert checkup.subject == ADA and checkup.server == str(inbox.server)
        assert checkup.origin == "MAILWRIGHT_URL"
        assert lines_of(checkup, "ID")["login"].verdict == "ok"
        assert doctor(ADA, ports=(inbox.server.port,), papers=False).server == str(inbox.server)


def test_settings_that_name_somebody_else_are_not_hers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The password of one person is not tried for another."""
    with Inbox(login=("grace@example.org", PASSWORD)) as inbox:
        monkeypatch.setenv("MAILWRIGHT_URL", inbox.url)
        case = _case_of("ada@gmail.com")
        assert case.server.host == "smtp.gmail.com" and case.server.login is None
        assert _case_of("grace@example.org").server.login is not None


def _case_of(address: str, password: str | None = None, lookups: Any = None) -> Any:
    """What would be checked for an address; nothing is connected."""
    from mailwright.checking import _case_of_address, _case_of_settings
    from mailwright.drivers import sync
    from mailwright.words.address import Address

    found = _case_of_settings(Address(address), None, None, password)
    return found or sync.run(_case_of_address(Address(address), password, 1.0, lambda: lookups), sync.Link())


def test_an_address_alone_leads_to_its_provider() -> None:
    case = _case_of("ada@gmail.com")
    assert (case.server.host, case.server.security) == ("smtp.gmail.com", "tls")
    assert case.provider.id == "gmail" and "Gmail" in case.origin
    with_password = _case_of("ada@gmail.com", "qzkwvutjxmrbplsd")
    assert with_password.server.login.user == "ada@gmail.com"


def test_an_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with Inbox() as inbox:
        config = tmp_path / "config.toml"
        config.write_text(f'[accounts.local]\nurl = "{inbox.url}"\nsender = "{ADA}"\n')
        config.chmod(0o600)
        monkeypatch.setenv("MAILWRIGHT_CONFIG", str(config))
        checkup = doctor(account="local", ports=(inbox.server.port,), papers=False)
        assert checkup.subject == ADA and "account local" in checkup.origin
        assert lines_of(checkup, "desk")["sender"].verdict == "ok"


def test_what_can_not_be_meant() -> None:
    with pytest.raises(ConfigError):
        doctor()
    with pytest.raises(AddressError):
        doctor("not an address")
    with pytest.raises(ConfigError):
        doctor(server="smtp.example.org:x")
    with pytest.raises(ConfigError):
        doctor(server="smtps://smtp.example.org", account="work")


def test_a_port_brings_its_usual_security() -> None:
    from mailwright.checking import _adjusted
    from mailwright.diagnose.doctor import Case

    case = Case("x", Server("smtp.example.org", 465, "tls"))
    for port, security in ((587, "starttls"), (465, "tls"), (25, "starttls"), (2525, "tls")):
        made = _adjusted(case, (port,), (), 5.0)
        assert (made.server.port, made.server.security, made.ports) == (port, security, (port,))
        assert made.server.timeouts.reply == 5.0 and made.now > 1e9


def test_an_own_domain_is_looked_up() -> None:
    """Whom nobody vouches for is looked at, but gets no password."""
    records = {("SRV", "_submissions._tcp.example.org"): [(0, 1, 465, "mail.example.net")]}
    case = _case_of(ADA, lookups=World(records=records))
    assert str(case.server) == "mail.example.net:465" and case.server.login is None and "example.org" in case.origin
    with pytest.raises(ConfigError, match=r"mail\.example\.net"):
        _case_of(ADA, PASSWORD, lookups=World(records=records))


def test_the_papers_can_be_left_out() -> None:
    with Inbox() as inbox:
        line = lines_of(doctor(ADA, **local(inbox)), "papers")["domain"]
        assert line.verdict == "not checked"


@pytest.mark.parametrize("door", ["blocking", "asyncio", "trio"])
def test_the_papers_are_asked_for_side_by_side(door: str) -> None:
    records = {("TXT", "example.org"): ["v=spf1 -all"], ("MX", "example.org"): OSError("SERVFAIL")}
    with Inbox() as inbox:
        checkup = by(door, ADA, **local(inbox, papers=True, lookups=World(records=records)))
    lines = lines_of(checkup, "papers")
    assert {name: line.verdict for name, line in lines.items()} == {
        "MX": "not checked", "SPF": "ok", "DMARC": "warning", "DKIM": "not checked", "PTR": "not checked",
    }  # fmt: skip


def test_settings_that_are_wrong_are_told_before_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILWRIGHT_URL", "smtp:/example")
    with pytest.raises(ConfigError, match="MAILWRIGHT_URL"):
        doctor("ada@gmail.com")


def test_what_is_caught_at_present(monkeypatch: pytest.MonkeyPatch) -> None:
    with Inbox() as inbox, Inbox() as catcher:
        monkeypatch.setenv("MAILWRIGHT_CATCH", catcher.url)
        line = lines_of(doctor(ADA, **local(inbox)), "street")["settings"]
        assert line.verdict == "warning" and str(catcher.server) in line.said


def test_an_address_is_checked_at_its_provider_also_while_everything_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The inbox that catches is nobody's server: it says nothing of where mail would really go."""
    with Inbox(tls=False) as catcher:
        monkeypatch.setenv("MAILWRIGHT_CATCH", f"smtp://127.0.0.1:{catcher.server.port}")
        case = _case_of("ada@gmail.com")
        assert case.server.host == "smtp.gmail.com"
        assert f"mail goes to 127.0.0.1:{catcher.server.port} at present" in case.remarks[0]
        assert doctor(ports=(catcher.server.port,), papers=False).server == str(catcher.server)


def test_a_local_server_without_encryption_that_the_settings_expect() -> None:
    """The first thing that somebody tries with `mailwright inbox`."""
    with Inbox(tls=False) as inbox:
        port = inbox.server.port
        checkup = doctor(ADA, server=f"smtp://127.0.0.1:{port}", ports=(port,), papers=False)
    line = lines_of(checkup, "hallway")[f"port {port}"]
    assert line.verdict == "failed" and "smtp+plain://" in line.fix and "465" not in line.fix


@pytest.mark.parametrize("door", ["blocking", "asyncio", "trio"])
def test_no_frame_of_an_error_holds_the_password(door: str) -> None:
    with pytest.raises(ConfigError) as caught:
        by(door, "ada@gmail.com", password=CANARY, ports=("x",))
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    ours = [frame for frame in frames if "mailwright" in frame.f_code.co_filename.rpartition("/src/")[2]]
    assert ours and not any(leaks(repr(frame.f_locals)) for frame in ours)
