"""`mailwright explain`."""

from __future__ import annotations

import json

import pytest

from mailwright.cli.explain import READ_LIMIT
from tests.unit.cli.running import Command, command

__all__ = ["command"]

GMAIL = "535-5.7.8 Username and Password not accepted"


def test_words(command: Command) -> None:
    ran = command("explain", GMAIL)
    assert ran.code == 0 and ran.err == ""
    assert ran.out.startswith("Gmail: user name and password not accepted.") and "app password" in ran.out
    assert command("explain", *GMAIL.split()).out == ran.out


def test_standard_input(command: Command) -> None:
    ran = command("explain", "-", stdin="550 用户不存在\n".encode("gb18030"))
    assert ran.code == 0 and ran.out.startswith("No such recipient.") and "用户不存在" in ran.out


def test_json(command: Command) -> None:
    ran = command("explain", "--json", GMAIL)
    told = json.loads(ran.out)
    assert ran.code == 0 and told["kind"] == "gmail-535-bad" and told["causes"] and told["retry"] == "no"


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["--phase", "greeting", "--port", "465", "--security", "none", "timed out"], "closed-plain-on-465"),
        (["--phase", "connect", "--port", "25", "timed out"], "connect-timeout-25"),
        (["--provider", "qq", "535 no"], "qq-auth-code"),
        (["--provider", "smtp.qq.com", "535 no"], "qq-auth-code"),
        (["--host", "smtp.sendgrid.net", "535 no"], "sendgrid-apikey"),
        (["--banner", "220 smtp.qq.com ESMTP", "535 no"], "qq-auth-code"),
        (["--provider", "nowhere", "535 no"], "auth-535-generic"),
    ],
)
def test_the_surroundings(command: Command, words: list[str], kind: str) -> None:
    assert json.loads(command("explain", "--json", *words).out)["kind"] == kind


@pytest.mark.parametrize(
    "text",
    [
        "535 login failed for smtp://ada:hunter2@smtp.example.org",
        "error: --password=hunter2 was wrong: 535 login failed",
        "-p and --password differ: 535 login failed",
        "password=hunter2 is wrong, 535 login failed",
    ],
)
def test_pasted_text_may_speak_of_passwords_and_shows_none(command: Command, text: str) -> None:
    ran = command("explain", "-", stdin=text.encode())
    assert ran.code == 0 and "hunter2" not in ran.out and "535" in ran.out


def test_nothing_to_explain(command: Command) -> None:
    for words in ([], [""], ["-"]):
        ran = command("explain", *words)
        assert ran.code == 64 and ran.out == "" and "give the text" in ran.err


def test_what_is_not_known(command: Command) -> None:
    ran = command("explain", "the weather is fine")
    assert ran.code == 65 and "not known here" in ran.out and "Again?" not in ran.out


def test_a_phase_that_there_is_not(command: Command) -> None:
    ran = command("explain", "--phase", "lunch", "550 no")
    assert ran.code == 64 and "--phase" in ran.err


def test_one_megabyte_is_read(command: Command) -> None:
    ran = command("explain", "-", stdin=b"550 5.1.1 User unknown\n" + b"x\n" * READ_LIMIT)
    assert ran.code == 0 and ran.out.startswith("No such recipient.") and "first megabyte" in ran.err


def test_control_characters(command: Command) -> None:
    ran = command("explain", "-", stdin=b"550 \x1b[31mUser unknown\x1b]0;x\x07\x9b5n")
    assert ran.out.replace("\n", "").isprintable()
