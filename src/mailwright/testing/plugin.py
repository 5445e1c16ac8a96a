"""For pytest: the fixtures `inbox`, `mailer`, `async_mailer` and `assert_sent`.

pytest loads this file by its entry point in every run, with mail or without: so it imports nothing but pytest until a
fixture is asked for.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path
    from typing import Any, Protocol

    from mailwright.inbox import Inbox, Received
    from mailwright.mailer.aio import AsyncMailer
    from mailwright.mailer.sync import Mailer

    class AssertSent(Protocol):
        """See `mailwright.testing.assert_sent`; the inbox is the test's own."""

        def __call__(self, **wanted: Any) -> Received: ...


_INBOX = pytest.StashKey["Inbox"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--mail-dir``, and ``mail_dir`` in the configuration."""
    about = "where a failing test leaves the mail that its inbox caught, as .eml files (default: beside the report of"
    about += " --junit-xml or --html, else in pytest's cache)"
    parser.getgroup("mailwright").addoption("--mail-dir", metavar="DIR", help=about)
    parser.addini("mail_dir", about)


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    config.addinivalue_line(
        "markers", "inbox(**options): how the fixture `inbox` is made, as mailwright.Inbox takes it"
    )
    config.addinivalue_line(
        "markers", "mail_fault(text): what the fixture `inbox` does wrong, such as 'rcpt drop times=1'"
    )


@pytest.fixture
def inbox(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    """A fresh `mailwright.Inbox` on a free port, which the environment variables of mail settings point to (see
    `mailwright.testing.variables`). Without TLS, unless ``@pytest.mark.inbox(tls=True)`` says so.
    """
    from mailwright.inbox import Inbox
    from mailwright.testing.variables import variables

    options: dict[str, Any] = {"tls": False}
    for marker in reversed(list(request.node.iter_markers("inbox"))):  # the nearest has the last word
        options |= marker.kwargs
    with Inbox(**options) as made:
        wanted = variables(made, os.environ)
        for name in set(os.environ) - set(wanted):
            monkeypatch.delenv(name)
        for name, text in wanted.items():
            monkeypatch.setenv(name, text)
        for marker in request.node.iter_markers("mail_fault"):
            for text in marker.args:
                made.faults.add(text)
        request.node.stash[_INBOX] = made
        yield made


@pytest.fixture
def mailer(inbox: Inbox) -> Iterator[Mailer]:
    """A `mailwright.Mailer` that sends to the test's `inbox`."""
    from mailwright.mailer.sync import Mailer

    with Mailer(inbox.server) as made:
        yield made


@pytest.fixture
def async_mailer(inbox: Inbox) -> AsyncMailer:
    """A `mailwright.AsyncMailer` that sends to the test's `inbox`. It keeps no connection open, since the event loop is
    the test's and may be gone before the fixture is.
    """
    from mailwright.mailer.aio import AsyncMailer
    from mailwright.mailer.pool import Limits

    return AsyncMailer(inbox.server, limits=Limits(messages=1))


@pytest.fixture
def assert_sent(inbox: Inbox) -> AssertSent:
    """`mailwright.testing.assert_sent` for the test's `inbox`."""
    from mailwright.testing.sent import assert_sent

    def asserted(**wanted: Any) -> Received:
        __tracebackhide__ = True
        return assert_sent(inbox, **wanted)

    return asserted


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Leave the mail of a failing test, and say in its report where: also of one whose fixtures failed, before it or
    after it.
    """
    report = yield
    inbox = item.stash.get(_INBOX, None) or getattr(getattr(item, "instance", None), "inbox", None)
    if report.failed and inbox is not None and hasattr(inbox, "store"):
        from mailwright.testing.leaving import leave

        try:
            told = leave(inbox, _place(item.config), item.nodeid)
        except OSError as problem:
            told = f"The mail that was caught could not be left: {problem}"
        if report.when == "teardown":  # it is closed by then, but for the file of one that saves
            inbox.close()
        report.sections.append(("mail", told))
    return report


def _place(config: pytest.Config) -> Path:
    """The folder for the folders of failing tests."""
    chosen = config.getoption("--mail-dir") or config.getini("mail_dir")
    if chosen:
        return config.rootpath / str(chosen)
    for report in ("xmlpath", "htmlpath"):
        if path := config.getoption(report, None):
            return (config.rootpath / str(path)).parent / "mail"
    if getattr(config, "cache", None) is not None:
        return config.cache.mkdir("mail")
    from pathlib import Path
    from tempfile import gettempdir

    return Path(gettempdir()) / "mailwright-mail"
