"""`InboxTestCase`: small suites of their own, run by unittest itself."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

CASE = """
import unittest, mailwright
from mailwright.testing import InboxTestCase

class TestMail(InboxTestCase):
    mail_dir = "caught"

    def test_sent(self):
        self.mailer.send(mailwright.Message("a@example.org", "b@example.org", "Hello", "."))
        self.assertSent(to="b@example.org", subject="Hello", has_attachment=False)

    def test_found_by_the_environment(self):
        mailwright.send("b@example.org", "Hello", "text", sender="a@example.org")
        self.assertEqual(len(self.inbox.messages), 1)

    def test_failing(self):
        self.mailer.send(mailwright.Message("a@example.org", "b@example.org", "Hello", "."))
        self.assertSent(subject="Goodbye", timeout=0.01)
"""


def test_a_case_has_an_inbox_and_a_failing_one_leaves_its_mail(tmp_path: Path) -> None:
    (tmp_path / "test_mail.py").write_text(textwrap.dedent(CASE), "utf-8")
    told = subprocess.run(
        [sys.executable, "-W", "error", "-m", "unittest", "test_mail"], cwd=tmp_path, capture_output=True, text=True
    ).stderr
    assert "Ran 3 tests" in told and "FAILED (failures=1)" in told
    assert "No message with subject='Goodbye' was sent. In the inbox, 1 in all:" in told
    assert "from <a@example.org> to b@example.org: 'Hello' (other subject)" in told
    (left,) = (tmp_path / "caught").rglob("*.eml")
    assert b"Subject: Hello" in left.read_bytes()
    assert str(left.parent.name) in told


def test_under_pytest_its_mail_is_left_too(tmp_path: Path) -> None:
    (tmp_path / "test_mail.py").write_text(textwrap.dedent(CASE), "utf-8")
    plugin = ["-p", "mailwright.testing.plugin", "-p", "no:cacheprovider", "--mail-dir", "beside"]
    told = subprocess.run(
        [sys.executable, "-m", "pytest", *plugin, "test_mail.py"], cwd=tmp_path, capture_output=True, text=True
    ).stdout
    assert "2 passed" in told and "1 failed" in told
    assert len(list((tmp_path / "beside").rglob("*.eml"))) == 1
