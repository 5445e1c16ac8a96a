"""The hallway: encryption, and the proof of who the other side is."""

from __future__ import annotations

from typing import Any

import pytest

from mailwright.cli.exit_codes import PROTOCOL, code_for
from mailwright.words.errors import ConfigError, TLSError
from mailwright.words.server import TLS, Login
from tests.dialogue import C, S, Secure
from tests.unit.doctor.conftest import ADA, ADDRESS, PASSWORD, RECORDS, Lab
from tests.unit.doctor.world import World, check, lines_of

LOGIN = Login(ADA, PASSWORD)
EHLO = C("EHLO [192.0.2.200]")


def hallway(lab: Lab, at: Any, port: int = 587, security: str = "", **others: Any) -> Any:
    """The worst line of that port, the whole checkup, and the world."""
    world = lab.world(port, at, **{"smtp.gmail.com": [ADDRESS]})
    checkup = check(world, lab.case(port, security, LOGIN, **others))
    return lines_of(checkup, "hallway")[f"port {port}"], checkup, world


@pytest.mark.parametrize(("port", "security"), [(465, "tls"), (587, "starttls")])
def test_encrypted_and_proved(lab: Lab, port: int, security: str) -> None:
    line, _, _ = hallway(lab, lab.rules(security), port)
    assert line.verdict == "ok" and "TLSv1.3" in line.said and "more days" in line.said


@pytest.mark.parametrize(("port", "security"), [(465, "tls"), (587, "starttls")])
@pytest.mark.parametrize(
    ("which", "word"),
    [
        ("expired", "has expired"),
        ("other_host", "for other.example.net, and not for mail.example.org"),
        ("unknown", "not from a CA"),
    ],
)
def test_a_certificate_that_proves_nothing(lab: Lab, port: int, security: str, which: str, word: str) -> None:
    context = getattr(lab.certificates, which)
    line, checkup, world = hallway(lab, lab.rules(security, context), port)
    assert line.verdict == "failed" and word in line.said and line.fix
    assert isinstance(checkup.error, TLSError) and code_for(checkup.error) == PROTOCOL
    assert not any(b"AUTH" in said for said in world.said)
    assert "no port lets us in safely" in lines_of(checkup, "ID")["login"].said
    for word in ("unverified", "check_hostname", "CERT_NONE"):
        assert word not in str(checkup)


def test_a_certificate_that_ends_soon(lab: Lab) -> None:
    line, checkup, _ = hallway(lab, lab.rules("starttls", lab.certificates.soon))
    assert line.verdict == "warning" and "5 more days" in line.said
    assert checkup.ok


def test_a_pin_that_fits_and_one_that_does_not(lab: Lab) -> None:
    line, _, _ = hallway(lab, None, tls=TLS(pin="ab" * 32))
    assert line.verdict == "failed" and "not the pinned one" in line.said
    fingerprint = line.said.rpartition("SHA-256 ")[2].rstrip(".")
    line, checkup, _ = hallway(lab, None, tls=TLS(pin=fingerprint))
    assert line.verdict == "ok" and "pinned" in line.said
    assert lines_of(checkup, "ID")["login"].verdict == "ok"


def test_whoever_switched_the_checks_off_is_told_and_no_password_goes_out(lab: Lab) -> None:
    with pytest.warns(RuntimeWarning):
        line, checkup, world = hallway(lab, lab.rules("starttls", lab.certificates.unknown), tls=TLS(unverified=True))
    assert line.verdict == "warning" and "pin=" in line.fix
    assert lines_of(checkup, "ID")["login"].verdict == "not checked"
    assert not any(b"AUTH" in said for said in world.said)


# STARTTLS that is not there.


def plain(*keywords: str) -> list[Any]:
    """A server that offers no encryption."""
    lines = [f"250-{word}" for word in ("mx", *keywords)]
    return [S("220 hi"), EHLO, S(*lines, "250 HELP"), C("QUIT"), S("221 bye")]


def test_no_starttls_at_a_server_of_nobody(lab: Lab) -> None:
    line, checkup, _ = hallway(lab, plain("SIZE"))
    assert line.verdict == "failed" and line.kind == "starttls-not-offered" and "465" in line.fix
    assert isinstance(checkup.error, TLSError)


def test_no_starttls_where_the_provider_always_has_it(lab: Lab) -> None:
    line, _, world = hallway(lab, plain("SIZE"), host="smtp.gmail.com")
    assert line.verdict == "failed" and line.kind == "starttls-stripped" and "Gmail always does" in line.said
    assert not any(b"AUTH" in said for said in world.said)


def test_starttls_overwritten_on_the_way(lab: Lab) -> None:
    line, _, _ = hallway(lab, plain("XXXXXXXX", "SIZE"))
    assert line.kind == "starttls-stripped" and "overwritten" in line.said


def test_starttls_offered_and_refused(lab: Lab) -> None:
    turns = [S("220 hi"), EHLO, S("250-mx", "250 STARTTLS"), C("STARTTLS"), S("454 4.7.0 TLS not available")]
    line, _, _ = hallway(lab, turns)
    assert line.verdict == "failed" and "454 4.7.0 TLS not available" in line.said


def test_words_smuggled_in_before_tls(lab: Lab) -> None:
    turns = [S("220 hi"), EHLO, S("250-mx", "250 STARTTLS"), C("STARTTLS"), S("220 go", "250 already in")]
    line, checkup, _ = hallway(lab, turns)
    assert line.verdict == "failed" and code_for(checkup.error) == PROTOCOL


# What the settings say, and what the port does.


def test_plain_on_465(lab: Lab) -> None:
    """The settings begin in plain text where TLS comes first."""
    line, checkup, _ = hallway(lab, None, 465, "starttls")
    assert line.verdict == "failed" and "speaks TLS from the first byte" in line.said
    assert "security 'tls'" in line.fix and "465" in line.fix
    assert code_for(checkup.error) == PROTOCOL
    assert lines_of(checkup, "ID")["login"].verdict == "ok"  # the same port, in the right way


def test_tls_on_587(lab: Lab) -> None:
    """The settings begin with TLS where plain text comes first."""
    line, checkup, _ = hallway(lab, None, 587, "tls")
    assert line.verdict == "failed" and "begins in plain text" in line.said and "security 'starttls'" in line.fix
    assert lines_of(checkup, "ID")["login"].verdict == "ok"


@pytest.mark.parametrize(
    ("port", "does", "settings"), [(587, "tls", "starttls"), (2525, "tls", "starttls"), (465, "starttls", "tls")]
)
def test_a_port_that_does_what_it_usually_does_not(lab: Lab, port: int, does: str, settings: str) -> None:
    """A server set up against custom: the check finds out what it speaks, by asking in the other way too."""
    line, checkup, _ = hallway(lab, lab.rules(does), port, settings)
    assert line.verdict == "failed" and line.kind == f"port-speaks-{does}"
    assert lines_of(checkup, "lock")["logins"].verdict == "ok"


def test_in_clear_as_the_settings_say(lab: Lab) -> None:
    """Nothing is forbidden to who says so in so many words; but a password does not go out."""
    rules = lab.rules("none", accounts=(), login_required=False)
    world = lab.world(25, rules)
    checkup = check(world, lab.case(25, "none"))
    assert lines_of(checkup, "hallway")["port 25"].verdict == "warning"
    assert lines_of(checkup, "desk")["sender"].verdict == "ok"


def local(rules: object) -> World:
    """A server on this machine."""
    return World({("127.0.0.1", 25): rules}, {"localhost": ["127.0.0.1"]}, dict(RECORDS))


def test_in_clear_on_this_machine(lab: Lab) -> None:
    rules = lab.rules("none", accounts=(), login_required=False)
    checkup = check(local(rules), lab.case(25, "none", host="localhost"))
    assert lines_of(checkup, "hallway")["port 25"].verdict == "ok"


def test_a_self_signed_certificate_is_no_matter_to_who_wants_no_encryption(lab: Lab) -> None:
    """As Debian's Postfix on port 25 of this machine offers."""
    rules = lab.rules("starttls", lab.certificates.unknown, accounts=(), login_required=False)
    checkup = check(local(rules), lab.case(25, "none", host="localhost"))
    assert checkup.ok and lines_of(checkup, "desk")["sender"].verdict == "ok"


def test_a_port_that_can_not_be_plain_at_all(lab: Lab) -> None:
    line, _, _ = hallway(lab, None, 465, "none")
    assert line.verdict == "failed" and "no encryption" in line.said


def test_tls_that_breaks_off(lab: Lab) -> None:
    line, _, _ = hallway(lab, [S("220 hi"), EHLO, S("250-mx", "250 STARTTLS"), C("STARTTLS"), S("220 go")])
    assert line.verdict == "failed" and "TLS handshake" in line.said


def test_an_answer_inside_tls_that_never_comes(lab: Lab) -> None:
    turns = [S("220 hi"), EHLO, S("250-mx", "250 STARTTLS"), C("STARTTLS"), S("220 go"), Secure(lab.certificates.good)]
    _, checkup, _ = hallway(lab, turns)
    assert not checkup.ok


def test_a_ca_file_that_is_not_there(lab: Lab) -> None:
    """That is a mistake in the settings, and no fault of a server."""
    with pytest.raises(ConfigError, match="nowhere"):
        hallway(lab, None, tls=TLS(ca_file="nowhere.pem"))


def test_which_name_the_certificate_is_for(lab: Lab) -> None:
    line, _, _ = hallway(lab, lab.rules("starttls", lab.certificates.other_host))
    assert "the host, other.example.net" in line.fix
