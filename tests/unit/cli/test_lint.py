"""`mailwright lint`: what it reads, prints and says by its exit code."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mailwright.cli import COMMANDS
from mailwright.message.check import RULES
from tests.unit.check.writing import mail, page
from tests.unit.cli.running import Command
from tests.unit.inbox.web.test_spamd import REPORT, answering, said

CLEAN = mail()
NO_SUBJECT = mail(Subject=None)  # a warning
NO_DATE = mail(Date=None)  # an error
SHOUTING = mail(Subject="SHOUTING AT EVERYBODY")  # an info


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(COMMANDS, "lint", "check messages before they are sent")
    monkeypatch.chdir(tmp_path)


def written(name: str, octets: bytes) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(octets)
    return name


def test_a_clean_message(command: Command) -> None:
    assert command("lint", written("a.eml", CLEAN)) == (0, "1 message: nothing found\n", "")


def test_what_is_found_is_said_with_what_to_do(command: Command) -> None:
    ran = command("lint", written("a.eml", NO_SUBJECT))
    assert ran.code == 1 and ran.err == ""
    assert ran.out == (
        "a.eml\n  warning  no-subject: There is no Subject.\n           Say in a few words what it is about.\n"
        "1 message: 1 warning\n"
    )


@pytest.mark.parametrize(
    ("octets", "level", "code"),
    [
        (NO_DATE, "error", 1), (NO_DATE, "warning", 1), (NO_DATE, "info", 1), (NO_DATE, "never", 0),
        (NO_SUBJECT, "error", 0), (NO_SUBJECT, "warning", 1), (NO_SUBJECT, "info", 1),
        (SHOUTING, "error", 0), (SHOUTING, "warning", 0), (SHOUTING, "info", 1),
    ],
)  # fmt: skip
def test_the_exit_code_follows_the_level(command: Command, octets: bytes, level: str, code: int) -> None:
    assert command("lint", "--fail-on", level, written("a.eml", octets)).code == code


def test_standard_input_is_read(command: Command) -> None:
    for words in (("lint",), ("lint", "-")):
        ran = command(*words, stdin=NO_SUBJECT)
        assert ran.code == 1 and ran.out.startswith("standard input\n")


def test_rules_are_left_out_or_chosen(command: Command) -> None:
    name = written("a.eml", mail(Subject=None, Date=None, Message_ID=None))
    assert command("lint", "--ignore", "no-date,no-subject", "--ignore", "no-message-id", name).code == 0
    ran = command("lint", "--only", "no-date", name)
    assert ran.code == 1 and "no-subject" not in ran.out
    assert command("lint", "--only", "no-date", "--ignore", "no-date", name).code == 0


@pytest.mark.parametrize("option", ["--only", "--ignore"])
def test_a_rule_that_does_not_exist_is_a_mistake(command: Command, option: str) -> None:
    ran = command("lint", option, "no-dat", written("a.eml", CLEAN))
    assert ran.code == 64 and "There is no rule “no-dat”. Did you mean no-date?" in ran.err and ran.out == ""


def test_the_rules_are_listed(command: Command) -> None:
    ran = command("lint", "--rules")
    assert ran.code == 0
    assert [line.split()[:2] for line in ran.out.splitlines()] == [[rule.severity, rule.id] for rule in RULES.values()]


def test_json_has_everything(command: Command) -> None:
    ran = command("lint", "--json", written("a.eml", NO_SUBJECT), written("b.eml", CLEAN))
    told = json.loads(ran.out)
    assert ran.code == 1
    assert told["messages"][1] == {"name": "b.eml", "size": len(CLEAN), "findings": []}
    assert told["messages"][0]["findings"] == [
        {
            "rule": "no-subject", "severity": "warning", "what": "There is no Subject.",
            "fix": "Say in a few words what it is about.", "where": "",
        }
    ]  # fmt: skip
    assert (told["errors"], told["warnings"], told["infos"]) == (0, 1, 0)


def test_quiet_leaves_out_what_is_only_worth_knowing(command: Command) -> None:
    ran = command("lint", "--quiet", written("a.eml", SHOUTING))
    assert ran == (0, "1 message: 1 info\n", "")
    assert json.loads(command("lint", "--quiet", "--json", "a.eml").out)["messages"][0]["findings"] == []


def test_a_folder_is_searched(command: Command) -> None:
    written("mail/b/2.eml", NO_SUBJECT)
    written("mail/a/1.EML", NO_DATE)
    written("mail/notes.txt", b"no message")
    ran = command("lint", "mail")
    assert ran.code == 1 and ran.out.splitlines()[-1] == "2 messages: 1 error, 1 warning"
    assert ran.out.index(os.path.join("mail", "a", "1.EML")) < ran.out.index(os.path.join("mail", "b", "2.eml"))


def test_a_maildir_is_searched(command: Command) -> None:
    for name in ("new/1.host", "cur/2.host:2,S", "tmp/3.host", "cur/.hidden"):
        written(f"box/{name}", NO_SUBJECT)
    assert command("lint", "box").out.splitlines()[-1] == "2 messages: 2 warnings"


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_a_mailbox_is_taken_apart(command: Command, line_end: bytes) -> None:
    separator = b"From ada@example.org Mon Nov  2 10:00:00 2026\r\n"
    quoted = mail("Dear Bob,\r\n\r\n>From here on\r\n>>From there\r\n")
    box = separator + CLEAN + b"\r\n" + separator + NO_SUBJECT + b"\r\n" + separator + quoted + b"\r\n"
    ran = command("lint", written("box", box.replace(b"\r\n", line_end)))
    assert ran.out.splitlines()[0] == "box, message 2" and ran.out.splitlines()[-1] == "3 messages: 1 warning"


def test_one_file_that_cant_be_read_does_not_stop_the_others(command: Command) -> None:
    ran = command("lint", "missing.eml", written("empty.eml", b"\r\n"), written("a.eml", NO_SUBJECT))
    assert ran.code == 66 and "no-subject" in ran.out
    assert "missing.eml can't be checked: No such file or directory" in ran.err
    assert "empty.eml can't be checked: it is empty" in ran.err


def test_a_folder_without_messages_is_a_mistake(command: Command) -> None:
    Path("empty").mkdir()
    ran = command("lint", "empty")
    assert ran.code == 66 and "there is no message in empty." in ran.err


def test_the_envelopes_sender_can_be_given(command: Command) -> None:
    name = written("a.eml", CLEAN)
    assert "from-not-aligned" in command("lint", "--envelope-from", "x@example.com", name).out
    assert command("lint", "--envelope-from", "x@mail.example.org", name).code == 0
    assert command("lint", "--envelope-from", "nobody", name).code == 64


def test_the_clock_is_asked(command: Command) -> None:
    assert "date-in-future" in command("lint", written("a.eml", mail(Date="Sat, 01 Jan 2095 00:00:00 +0000"))).out


def test_nothing_in_a_message_or_a_name_steers_the_terminal(command: Command) -> None:
    hostile = "\x1b]52;c;AAAA\x07\u202egpj.exe"
    name = written("a\x1b[31m.eml", page(f'<a href="/{hostile}">{hostile}</a>', Subject=f"{{{{{hostile}}}}}"))
    ran = command("lint", name)
    assert ran.code == 1
    assert all(character.isprintable() or character == "\n" for character in ran.out + ran.err)
    assert "\u202e" not in ran.out


@pytest.mark.parametrize("words", [("--frobnicate",), ("--fail-on", "sometimes")])
def test_what_is_not_understood_is_said(command: Command, words: tuple[str, ...]) -> None:
    assert command("lint", *words).code == 64


def test_options_of_other_linters_are_translated(command: Command) -> None:
    assert "Did you mean --ignore?" in command("lint", "--disable", "no-date", stdin=CLEAN).err


def test_spamassassin_is_asked_where_its_port_is_named(command: Command) -> None:
    with answering(said(b"True ; 6.2 / 5.0", REPORT), []) as port:
        ran = command("lint", "--spamd", str(port), written("a.eml", CLEAN))
    assert (ran.code, ran.err) == (1, "")
    assert "warning  spamassassin: SpamAssassin takes it for spam: 6.2 of 5 points (GTUBE_LIKE 5, MISS" in ran.out
    with answering(said(b"False ; 1.2 / 5.0"), []) as port:
        assert command("lint", "--spamd", str(port), "a.eml") == (0, "1 message: nothing found\n", "")
    with answering(said(b"False ; 1.2 / 5.0"), []) as port:
        told = json.loads(command("lint", "--json", "--spamd", str(port), "a.eml").out)
    assert told["messages"][0]["spam"] == {"spam": False, "score": 1.2, "threshold": 5.0, "hits": []}


def test_without_a_verdict_it_does_not_end_well(command: Command) -> None:
    with answering(b"220 mx ESMTP\r\n", []) as port:
        ran = command("lint", "--spamd", str(port), written("a.eml", CLEAN))
    assert ran.code == 69 and "a.eml: What listens there does not speak" in ran.err
    assert command("lint", "--spamd", "0", "a.eml").code == 64
