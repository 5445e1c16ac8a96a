"""For unittest: a test case with an inbox of its own."""

from __future__ import annotations

import os
import sys
import unittest
from functools import cached_property
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING
from unittest.mock import patch

from mailwright.inbox import Inbox
from mailwright.testing.leaving import leave
from mailwright.testing.sent import assert_sent
from mailwright.testing.variables import variables

if TYPE_CHECKING:
    from typing import Any, ClassVar

    from mailwright.inbox import Received
    from mailwright.mailer.sync import Mailer


class InboxTestCase(unittest.TestCase):
    """A test case that has a fresh `inbox` in every test, to which the environment variables of mail settings point.

    `inbox_options`: how it is made, as `mailwright.Inbox` takes it. `mail_dir`: where a failing test leaves what was
    caught, as .eml files; by default a folder among the temporary files. A line on standard error names it.
    """

    inbox: Inbox
    inbox_options: ClassVar[dict[str, Any]] = {"tls": False}
    mail_dir: ClassVar[str | os.PathLike[str] | None] = None

    def setUp(self) -> None:
        """Open the inbox."""
        super().setUp()
        self.inbox = self.enterContext(Inbox(**self.inbox_options))
        self.enterContext(patch.dict(os.environ, variables(self.inbox, os.environ), clear=True))

    @cached_property
    def mailer(self) -> Mailer:
        """A `mailwright.Mailer` that sends to the inbox; it is closed after the test."""
        from mailwright.mailer.sync import Mailer

        return self.enterContext(Mailer(self.inbox.server))

    def assertSent(self, **wanted: Any) -> Received:
        """See `mailwright.testing.assert_sent`."""
        return assert_sent(self.inbox, **wanted)

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        """Run the test; if it fails, leave what was caught."""
        before = _failures(result)
        result = super().run(result)
        if _failures(result) > before and hasattr(self, "inbox"):
            place = Path(self.mail_dir) if self.mail_dir is not None else Path(gettempdir()) / "mailwright-mail"
            try:
                told = leave(self.inbox, place, self.id())
            except OSError as problem:
                told = f"The mail that was caught could not be left: {problem}"
            sys.stderr.write(f"{self.id()}: {told}\n")
        return result


def _failures(result: unittest.TestResult | None) -> int:
    """How much has failed so far; a runner with results of another kind tells it in its own way."""
    return len(getattr(result, "failures", ())) + len(getattr(result, "errors", ()))
