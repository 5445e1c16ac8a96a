"""The pytest plugin, as whoever installs mailwright meets it: small suites of their own, run by pytest itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

PLUGIN = ("-p", "mailwright.testing.plugin", "-p", "no:cacheprovider")


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini("[pytest]\nfilterwarnings = error\n")
    return pytester


def passes(suite: pytest.Pytester, source: str, count: int = 1) -> None:
    suite.makepyfile(source)
    suite.runpytest_subprocess(*PLUGIN).assert_outcomes(passed=count)


def test_mail_goes_from_the_mailer_to_the_inbox(suite: pytest.Pytester) -> None:
    passes(
        suite,
        """
        from mailwright import Message

        def test_it(inbox, mailer, assert_sent):
            mailer.send(Message("shop@example.org", "ada@example.org", "Receipt 42", "Thanks", attachments={"a.pdf": b"x"}))
            assert inbox.wait(to="ada@example.org").subject == "Receipt 42"
            assert inbox.expect(count=1)
            assert_sent(to="ada@example.org", subject="Receipt", contains="Thank", has_attachment="a.pdf", count=1)
            assert_sent(has_attachment=True, sender="shop@example.org")
        """,
    )


def test_an_asynchronous_program(suite: pytest.Pytester) -> None:
    passes(
        suite,
        """
        import asyncio
        from mailwright import Message

        def test_it(inbox, async_mailer):
            async def program():
                for number in range(3):
                    await async_mailer.send(Message("a@example.org", "b@example.org", str(number), "."))
                return await inbox.wait_async(subject="2")
            assert asyncio.run(program()).subject == "2"
        """,
    )


def test_each_test_has_an_inbox_of_its_own(suite: pytest.Pytester) -> None:
    passes(
        suite,
        """
        import pytest
        from mailwright import Message

        @pytest.mark.parametrize("number", range(4))
        def test_it(number, inbox, mailer):
            mailer.send(Message("a@example.org", "b@example.org", f"number {number}", "."))
            assert [one.subject for one in inbox.messages] == [f"number {number}"]
        """,
        count=4,
    )


def test_they_do_not_meet_under_xdist(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        """
        import pytest
        from mailwright import Message

        @pytest.mark.parametrize("number", range(8))
        def test_it(number, inbox, mailer):
            mailer.send(Message("a@example.org", "b@example.org", f"number {number}", "."))
            assert [one.subject for one in inbox.messages] == [f"number {number}"]
        """
    )
    suite.runpytest_subprocess(*PLUGIN, "-n", "2").assert_outcomes(passed=8)


def test_a_program_that_uses_smtplib_finds_the_inbox_by_the_environment(suite: pytest.Pytester) -> None:
    passes(
        suite,
        """
        import subprocess, sys

        PROGRAM = '''
        import os, smtplib
        with smtplib.SMTP(os.environ["SMTP_HOST"], int(os.environ["SMTP_PORT"])) as server:
            server.sendmail("a@example.org", ["b@example.org"], "Subject: from a script\\\\r\\\\n\\\\r\\\\n.")
        '''

        def test_it(inbox, assert_sent):
            import textwrap
            subprocess.run([sys.executable, "-c", textwrap.dedent(PROGRAM)], check=True)
            assert_sent(subject="from a script")
        """,
    )


def test_mailwright_itself_finds_it_by_the_environment_with_login_and_tls(suite: pytest.Pytester) -> None:
    passes(
        suite,
        """
        import pytest, mailwright

        @pytest.mark.inbox(login=("ada", "secret"), tls=True)
        def test_it(inbox, assert_sent):
            receipt = mailwright.send("b@example.org", "Hello", "text", sender="a@example.org")
            assert receipt.tls and receipt.login == "ada"
            assert_sent(subject="Hello")
        """,
    )


def test_the_environment_is_as_before_afterwards(suite: pytest.Pytester) -> None:
    passes(
        suite,
        """
        import os

        def test_one(inbox):
            assert os.environ["SMTP_PORT"] == str(inbox.server.port)

        def test_two():
            assert "SMTP_PORT" not in os.environ
        """,
        count=2,
    )


def test_a_marker_breaks_what_the_inbox_does(suite: pytest.Pytester) -> None:
    passes(
        suite,
        """
        import pytest
        from mailwright import Message
        from mailwright.errors import RecipientsRefused

        @pytest.mark.mail_fault("rcpt reply='450 4.2.0 Try again later' times=1")
        def test_it(inbox, mailer):
            message = Message("a@example.org", "b@example.org", "x", ".")
            with pytest.raises(RecipientsRefused):
                mailer.send(message)
            assert mailer.send(message).complete
        """,
    )


def test_no_setting_of_a_real_server_is_left(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMAIL_HOST", "smtp.example.com")
    monkeypatch.setenv("SMTP_PASSWORD_FILE", "nowhere")
    passes(
        suite,
        """
        import os

        def test_it(inbox):
            assert os.environ["EMAIL_HOST"] == "127.0.0.1" and "SMTP_PASSWORD_FILE" not in os.environ
        """,
    )


FAILING = """
from mailwright import Message

def test_it(inbox, mailer, assert_sent):
    mailer.send(Message("shop@example.org", "ada@example.org", "Receipt\\x1b[31m 42".replace(chr(27), "é"), "Thanks"))
    mailer.send(Message("shop@example.org", "bob@example.org", "Invoice", "Thanks", attachments={"i.pdf": b"x"}))
    assert_sent(to="ada@example.org", subject="Invoice", has_attachment=True, timeout=0.01)
"""


def test_a_failure_shows_what_was_sent_and_in_what_it_differs(suite: pytest.Pytester) -> None:
    suite.makepyfile(FAILING)
    result = suite.runpytest_subprocess(*PLUGIN)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*No message with to='ada@example.org' and subject='Invoice' and an attachment was sent.*In the inbox, 2*",
            "*from <shop@example.org> to ada@example.org: 'Receipt*42' (other subject, attachment)",
            "*from <shop@example.org> to bob@example.org: 'Invoice', attached: i.pdf (other recipient)",
        ]
    )


def test_a_failing_test_leaves_its_mail_beside_its_report(suite: pytest.Pytester) -> None:
    suite.makepyfile(FAILING)
    result = suite.runpytest_subprocess(*PLUGIN, "--junit-xml=out/report.xml")
    left = sorted((suite.path / "out" / "mail").rglob("*.eml"))
    assert [path.name for path in left] == ["001.eml", "002.eml"]
    assert b"Subject: Invoice" in left[1].read_bytes()
    result.stdout.fnmatch_lines(
        ["*- mail -*", "2 caught, in *", "001.eml  from <shop@example.org> to ada@example.org*"]
    )


@pytest.mark.parametrize("options", ["", "save='mail.db'"])
def test_a_fixture_that_fails_leaves_its_mail_too(suite: pytest.Pytester, options: str) -> None:
    suite.makepyfile(
        f"""
        import pytest
        from mailwright import Message

        def send(mailer, subject):
            mailer.send(Message("ada@example.org", "bob@example.org", subject, "Text"))

        @pytest.fixture
        def before(inbox, mailer):
            send(mailer, "Before")
            raise RuntimeError("no")

        @pytest.fixture
        def after(inbox, mailer):
            yield
            send(mailer, "After")
            raise RuntimeError("no")

        @pytest.mark.inbox({options})
        def test_one(before):
            pass

        @pytest.mark.inbox({options.replace("mail", "other")})
        def test_two(after):
            pass
        """
    )
    ran = suite.runpytest_subprocess(*PLUGIN, "--mail-dir", "beside")
    ran.assert_outcomes(errors=2, passed=1)
    ran.stdout.fnmatch_lines(["*001.eml*'Before'*", "*001.eml*'After'*"])
    left = sorted(path.read_text() for path in suite.path.glob("beside/*/001.eml"))
    assert len(left) == 2 and "Subject: After" in left[0] + left[1] and "Subject: Before" in left[0] + left[1]


def test_where_it_is_left_can_be_chosen_and_an_older_run_is_cleared(suite: pytest.Pytester) -> None:
    suite.makepyfile(FAILING)
    suite.runpytest_subprocess(*PLUGIN, "--mail-dir", "caught")
    (folder,) = (suite.path / "caught").iterdir()
    (folder / "009.eml").write_bytes(b"old")
    suite.runpytest_subprocess(*PLUGIN, "--mail-dir", "caught")
    assert sorted(path.name for path in folder.iterdir()) == ["001.eml", "002.eml"]


def test_a_passing_test_leaves_nothing(suite: pytest.Pytester) -> None:
    suite.makepyfile("def test_it(inbox): pass")
    suite.runpytest_subprocess(*PLUGIN, "--mail-dir", "caught").assert_outcomes(passed=1)
    assert not (suite.path / "caught").exists()


def test_a_test_id_is_no_path(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        """
        import pytest
        from mailwright import Message

        @pytest.mark.parametrize("name", ["../../../out", "a/b", "x" * 300])
        def test_it(name, inbox, mailer):
            mailer.send(Message("a@example.org", "b@example.org", "x", "."))
            assert not name
        """
    )
    suite.runpytest_subprocess(*PLUGIN, "--mail-dir", "caught").assert_outcomes(failed=3)
    folders = list((suite.path / "caught").iterdir())
    assert len(folders) == 3 and all(folder.is_dir() for folder in folders)


def test_it_costs_nothing_where_there_is_no_mail() -> None:
    program = "import sys, pytest; before = set(sys.modules); import mailwright.testing.plugin; "
    program += "print(*sorted(set(sys.modules) - before))"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert set(told.split()) == {"mailwright", "mailwright._lazy", "mailwright.testing", "mailwright.testing.plugin"}
