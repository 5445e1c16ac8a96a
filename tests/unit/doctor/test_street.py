"""The street: names and ports, over both families of addresses."""

from __future__ import annotations

import pytest

from mailwright.cli.exit_codes import NOHOST, TEMPFAIL, code_for
from mailwright.words.errors import ConnectError
from mailwright.words.server import Login
from tests.unit.doctor.conftest import ADA, ADDRESS, HOST, PASSWORD, Lab
from tests.unit.doctor.world import BLACKHOLE, CLOSED, World, check, lines_of

LOGIN = Login(ADA, PASSWORD)


def test_all_in_order(lab: Lab) -> None:
    world = lab.world()
    world.places[ADDRESS, 465] = lab.rules("tls")
    world.places[ADDRESS, 25] = lab.rules()
    checkup = check(world, lab.case(login=LOGIN))
    assert checkup.ok and checkup.error is None
    assert [stage.name for stage in checkup.stages] == ["street", "door", "hallway", "lock", "ID", "desk", "papers"]
    assert {stage.name: stage.worst for stage in checkup.stages[:6]} == dict.fromkeys(
        ("street", "door", "hallway", "lock", "ID", "desk"), "ok"
    )
    assert lines_of(checkup, "street")["name"].said == f"{HOST} is {ADDRESS}"
    assert {port for _, port in world.connects} == {587, 465, 25}


def test_there_is_no_such_host(lab: Lab) -> None:
    world = World()
    checkup = check(world, lab.case(login=LOGIN))
    line = lines_of(checkup, "street")["name"]
    assert line.verdict == "failed" and HOST in line.said and line.fix
    assert isinstance(checkup.error, ConnectError) and code_for(checkup.error) == NOHOST
    assert world.connects == []
    assert [lines_of(checkup, stage).popitem()[1].verdict for stage in ("lock", "ID", "desk")] == ["not checked"] * 3


def test_nobody_answers_about_the_name(lab: Lab) -> None:
    checkup = check(World(names={HOST: OSError("temporary failure")}), lab.case())  # type: ignore[dict-item]
    assert lines_of(checkup, "street")["name"].verdict == "failed"
    assert checkup.error is not None and code_for(checkup.error) == TEMPFAIL


def test_a_name_that_can_not_be_asked_for(lab: Lab) -> None:
    problem = UnicodeError("label too long")
    checkup = check(World(names={HOST: problem}), lab.case())  # type: ignore[dict-item]
    assert checkup.error is not None and code_for(checkup.error) == NOHOST


@pytest.mark.parametrize(("there", "word"), [(BLACKHOLE, "no answer"), (CLOSED, "refused")])
def test_the_port_of_the_settings_is_shut_and_another_is_open(lab: Lab, there: str, word: str) -> None:
    world = lab.world(465)
    world.places[ADDRESS, 587] = there
    checkup = check(world, lab.case(587, login=LOGIN))
    street = lines_of(checkup, "street")
    assert street["port 587"].verdict == "failed" and word in street["port 587"].said
    assert "465" in street["port 587"].fix and "smtps://" in street["port 587"].fix
    assert street["port 465"].verdict == "ok"
    assert isinstance(checkup.error, ConnectError)
    # The check goes on where it can, so that all that is wrong is told at once.
    assert "465" in lines_of(checkup, "lock")["way in"].said
    assert lines_of(checkup, "ID")["login"].verdict == "ok"


def test_port_25_is_blocked(lab: Lab) -> None:
    """As on most networks; it is a fault only for who meant to send through it."""
    world = lab.world()
    world.places[ADDRESS, 25] = BLACKHOLE
    needless = lines_of(check(world, lab.case(587)), "street")["port 25"]
    assert needless.verdict == "ok" and "no answer" in needless.said
    needed = lines_of(check(world, lab.case(25)), "street")["port 25"]
    assert needed.verdict == "failed" and "587" in needed.fix


def test_everything_is_shut(lab: Lab) -> None:
    world = World({(ADDRESS, port): BLACKHOLE for port in (465, 587, 25)}, {HOST: [ADDRESS]})
    checkup = check(world, lab.case(587, login=LOGIN))
    assert "no port answers" in lines_of(checkup, "ID")["login"].said
    assert [stage.name for stage in checkup.stages] == ["street", "lock", "ID", "desk", "papers"]
    assert world.now < 30  # the ports were tried side by side
    assert world.said == []


def test_only_one_family_of_addresses_answers(lab: Lab) -> None:
    world = lab.world()
    world.names[HOST] = [ADDRESS, "2001:db8::1"]
    world.places["2001:db8::1", 587] = BLACKHOLE
    line = lines_of(check(world, lab.case()), "street")["port 587"]
    assert line.verdict == "warning" and "IPv4" in line.said and "not over IPv6" in line.said
    world.places["2001:db8::1", 587] = CLOSED  # told at once, so that nobody waits for it
    assert lines_of(check(world, lab.case()), "street")["port 587"].verdict == "ok"


def test_both_families_fail_in_their_own_way(lab: Lab) -> None:
    world = World({(ADDRESS, 587): BLACKHOLE}, {HOST: [ADDRESS, "2001:db8::1"]})
    line = lines_of(check(world, lab.case()), "street")["port 587"]
    assert "no answer in time over IPv4" in line.said and "connection refused over IPv6" in line.said


def test_many_addresses_are_not_all_knocked_at(lab: Lab) -> None:
    world = lab.world()
    world.names[HOST] = [ADDRESS, *(f"192.0.2.{n}" for n in range(2, 40))]
    checkup = check(world, lab.case())
    assert "38 more" in lines_of(checkup, "street")["name"].said
    assert {address for address, _ in world.connects} == {ADDRESS}


def test_a_host_name_of_former_times(lab: Lab) -> None:
    world = World({(ADDRESS, 587): CLOSED}, {"smtp.live.com": [ADDRESS]})
    line = lines_of(check(world, lab.case(host="smtp.live.com")), "street")["host"]
    assert line.verdict == "warning" and "smtp-mail.outlook.com" in line.fix


def test_only_the_ports_that_were_asked_for(lab: Lab) -> None:
    world = lab.world(2525)
    check(world, lab.case(2525, "starttls", ports=(2525,)))
    assert {port for _, port in world.connects} == {2525}


def test_a_proxy_looks_the_name_up(lab: Lab) -> None:
    from mailwright.words.value import replace

    case = lab.case()
    case = replace(case, server=replace(case.server, proxy="socks5://proxy.example.org:1080"))
    world = World()
    checkup = check(world, case)
    street = lines_of(checkup, "street")
    assert street["name"].verdict == "not checked"
    assert street["port 587"].verdict == "failed" and "through the socks5 proxy" in street["port 587"].said
    assert set(world.connects) == {("proxy.example.org", 1080)}


def test_another_port_that_mail_takes_by_itself(lab: Lab) -> None:
    """The settings know two right ways: that one of them is shut costs a wait, and no mail."""
    from mailwright.words.value import replace

    world = lab.world(587)
    world.places[ADDRESS, 465] = BLACKHOLE
    case = lab.case(465, login=LOGIN)
    case = replace(case, server=replace(case.server, alternatives=((HOST, 587, "starttls"),)))
    checkup = check(world, case)
    line = lines_of(checkup, "street")["port 465"]
    assert line.verdict == "warning" and "port 587" in line.fix
    assert checkup.ok and lines_of(checkup, "ID")["login"].verdict == "ok"


def test_what_was_put_right_in_the_settings(lab: Lab) -> None:
    checkup = check(lab.world(), lab.case(remarks=("Port 587 speaks STARTTLS. Using that.",)))
    assert lines_of(checkup, "street")["settings"].verdict == "warning"
