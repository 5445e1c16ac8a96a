"""The command line of sendmail, as every program that calls it has written it for forty years."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.cli.sendmail.options import Misuse, Options, read_options
from mailwright.options import DSN
from tests.unit.cli.running import Command

BOB = "bob@example.org"


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (BOB, Options(recipients=(BOB,))),
        (f"-- -x@example.org {BOB}", Options(recipients=("-x@example.org", BOB))),
        ("-t", Options(from_headers=True)),
        ("-ti", Options(from_headers=True, dot_ends=False)),
        ("-t -oi", Options(from_headers=True, dot_ends=False)),
        ("-t -o i", Options(from_headers=True, dot_ends=False)),
        ("-O IgnoreDots=True -t", Options(from_headers=True, dot_ends=False)),
        ("-i -OIgnoreDots=false -t", Options(from_headers=True)),
        (f"-f ada@example.org {BOB}", Options(recipients=(BOB,), sender="ada@example.org")),
        (f"-fada@example.org {BOB}", Options(recipients=(BOB,), sender="ada@example.org")),
        (f"-r ada@example.org {BOB}", Options(recipients=(BOB,), sender="ada@example.org")),
        (f"-f <> {BOB}", Options(recipients=(BOB,), sender="")),
        # Debian's cron, cronie, busybox, anacron, at
        ("-FCronDaemon -i -B8BITMIME -oem ada", Options(recipients=("ada",), name="CronDaemon", dot_ends=False)),
        ("-FCronDaemon -i -odi -oem -oi -t -f root", Options(from_headers=True, name="CronDaemon", dot_ends=False, sender="root")),
        ("-FAnacron -odi ada", Options(recipients=("ada",), name="Anacron")),
        ("-i ada", Options(recipients=("ada",), dot_ends=False)),
        # git send-email, PHP's mail(), PHPMailer, mutt, mailx, fail2ban, unattended-upgrades
        (f"-i {BOB} eve@example.org", Options(recipients=(BOB, "eve@example.org"), dot_ends=False)),
        ("-t -i", Options(from_headers=True, dot_ends=False)),
        ("-t -i -fshop@example.org", Options(from_headers=True, dot_ends=False, sender="shop@example.org")),
        ("-oi -fshop@example.org -t", Options(from_headers=True, dot_ends=False, sender="shop@example.org")),
        (f"-oem -oi -f ada@example.org -- {BOB}", Options(recipients=(BOB,), dot_ends=False, sender="ada@example.org")),
        (f"-i -r ada@example.org -- {BOB}", Options(recipients=(BOB,), dot_ends=False, sender="ada@example.org")),
        # What concerns a queue, a daemon or a file of settings
        (f"-C /etc/sendmail.cf -odb -oQ/var/spool -L tag -X log -h 3 -pSMTP -Am -n -m -G -U -d0.1 -em {BOB}", Options(recipients=(BOB,))),
        (f"-N failure,delay -R hdrs -V id17 {BOB}", Options(recipients=(BOB,), dsn=DSN(("FAILURE", "DELAY"), "HDRS", "id17"))),
        (f"-Nnever {BOB}", Options(recipients=(BOB,), dsn=DSN(("NEVER",)))),
        (f"-bm -v {BOB}", Options(recipients=(BOB,), verbose=True)),
        ("-bs", Options(mode="smtp")),
        (f"-bv {BOB}", Options(mode="verify", recipients=(BOB,))),
        ("-bp", Options(mode="queue")),
        ("-q", Options(mode="queue")),
        ("-q15m", Options(mode="queue")),
        ("-bi", Options(mode="aliases")),
        ("-I", Options(mode="aliases")),
        (f"--account work {BOB}", Options(account="work", recipients=(BOB,))),
        (f"--account=work -t {BOB}", Options(account="work", from_headers=True, recipients=(BOB,))),
    ],
)  # fmt: skip
def test_as_it_is_called(line: str, wanted: Options) -> None:
    assert read_options(line.split(" ")) == wanted


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"-Z {BOB}", "-Z is not an option"),
        ("-t\x1b", "an option is not"),
        (f"{BOB} -t", "stands behind a recipient"),
        ("-f", "-f needs a value"),
        ("-bd", "no daemon"),
        ("-bD -q15m", "no daemon"),
        ("-bt", "mailwright config"),
        ("-ba", "ARPANET"),
        ("-bx", "-b is followed by"),
        (f"-N sometimes {BOB}", "SUCCESS"),
        (f"-R all {BOB}", "FULL or HDRS"),
        (f"-N never,success {BOB}", "NEVER alone"),
        ("--to bob@example.org", "no long options"),
        ("--password hunter2", "no long options"),
        ("--account", "needs the name"),
        (f"-f smtps://ada:hunter2@example.org {BOB}", "must not stand on the command line"),
    ],
)
def test_what_can_not_be_meant(line: str, said: str, command: Command) -> None:
    with pytest.raises(Misuse) as caught:
        read_options(line.split(" "))
    assert said in str(caught.value) and "hunter2" not in str(caught.value)
    ran = command("sendmail", *line.split(" "), stdin=b"Subject: x\n\nx\n")
    assert (
        ran.code == 64 and ran.out == "" and ran.err.count("\n") == 1 and said in ran.err and "hunter2" not in ran.err
    )


def test_nobody_to_send_to(command: Command) -> None:
    ran = command("sendmail", "-i", stdin=b"x")
    assert ran.code == 64 and "no recipient" in ran.err


def test_what_has_no_meaning_here_is_harmless(command: Command) -> None:
    ran = command("sendmail", "-bp")
    assert ran.code == 0 and ran.out.startswith("Mail queue is empty") and ran.err == ""
    assert command("sendmail", "-q").code == 0 and command("sendmail", "-bi") == (0, "", "")


@given(st.lists(st.text(st.sampled_from("-tibofFqNRVOsmpe=x@,. \x00é"), max_size=6), max_size=5))
def test_any_words_are_options_or_misuse(words: list[str]) -> None:
    try:
        options = read_options(words)
    except Misuse as problem:
        assert str(problem)
    else:
        assert all(word in words for word in options.recipients)


def test_the_help_names_no_option_that_means_something_else(command: Command) -> None:
    """``-h`` has a value in sendmail, the hops that a message came."""
    ran = command("sendmail", "--help")
    assert ran.code == 0 and "  --help" in ran.out and "-h, --help" not in ran.out
    assert command("sendmail", "-h", "5", "-bp").code == 0
