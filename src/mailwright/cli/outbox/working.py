"""`mailwright outbox work`: the worker as a program.

On a terminal one line shows how far it is; elsewhere there is one line for each event. SIGTERM and Ctrl-C let it finish
what is under way and give back the rest; the second one ends it at once.
"""

from __future__ import annotations

import sys
from time import monotonic

from mailwright.cli.outbox.opening import opened, refuse, span, spoken, tell_json
from mailwright.words.errors import ConfigError
from mailwright.words.reply import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Protocol

    from mailwright.outbox.work.limiting import Limit
    from mailwright.outbox.work.telling import Event
    from mailwright.words.server import Server

    class Display(Protocol):
        """Shows events, and says goodbye."""

        def show(self, event: Event) -> None:
            """One event."""
            ...

        def close(self) -> None:
            """Nothing more comes."""
            ...


INTERVAL = 0.2  # seconds between two drawings
_LOUD = ("paused", "dead", "slow", "resumed", "database", "clock", "fenced", "unserved", "stopping")
_SERIOUS = ("paused", "database", "dead", "fenced", "unserved")  # what --quiet leaves
_TOLD_STATES = ("failed", "expired", "held", "suppressed")


def add_arguments(action: str, parser: argparse.ArgumentParser) -> None:
    """The options of the action."""
    add = parser.add_argument
    add(
        "--account",
        action="append",
        default=[],
        metavar="NAME",
        help="only this account of config.toml; may be repeated",
    )
    add("--server", metavar="URL", help="the server for the account default; one with a password is refused")
    add("--once", action="store_true", help="end when nothing is due")
    add("--paused", action="store_true", help="pause the outbox first: nothing is sent until `resume`")
    add("--window", type=int, default=16, metavar="N", help="messages in flight on a connection; 16")
    add("--connections", type=int, default=4, metavar="N", help="to each server; 4")
    add("--grace", default="30s", metavar="SPAN", help="how long what is under way may take when it is stopped; 30s")
    add(
        "--limit",
        action="append",
        default=[],
        metavar="WAY=RATE",
        help="such as default=10/s, or default/example.net=100/h",
    )
    add("--quiet", action="store_true", help="print nothing but what somebody has to look at")
    add("--json", action="store_true", help="print each event as a line of JSON")


def run(arguments: argparse.Namespace) -> int:
    """Work until stopped."""
    if arguments.window < 1 or arguments.connections < 1:
        return refuse("--window and --connections are numbers from 1 on.", "work")
    grace = span(arguments.grace, "grace")
    assert grace is not None
    limits = [_limit(text) for text in arguments.limit]
    servers = _servers(arguments)
    with opened(arguments, paused=arguments.paused) as outbox:
        display = _display(arguments)
        try:
            done = outbox.work(
                servers, window=arguments.window, concurrency=arguments.connections, once=arguments.once,
                grace=grace.total_seconds(), limits=limits, tell=display.show,
            )  # fmt: skip
        finally:
            display.close()
    if sys.stdout.isatty() and not (arguments.quiet or arguments.json):
        from mailwright.cli import tell

        tell(f"{done.sent:,} sent, {done.failed:,} failed, {done.deferred:,} deferred, {done.held:,} held.")
    return 0


def _servers(arguments: argparse.Namespace) -> dict[str, Server] | None:
    """The server of each account that was named; `None` for all that have mail, by the settings."""
    if not arguments.account and arguments.server is None:
        return None
    from mailwright.mailer.settings import resolve

    found = {name: resolve(account=None if name == "default" else name).for_mail for name in arguments.account}
    if arguments.server is not None:
        found["default"] = resolve(server=arguments.server).for_mail
    return found


def _limit(text: str) -> Limit:
    """``account=rate``, ``account/domain=rate``. Raises `ConfigError`."""
    from mailwright.outbox.work.limiting import Limit, Rate

    way, equals, rate = text.partition("=")
    account, _, domain = way.strip().partition("/")
    if not equals or not account:
        raise ConfigError(
            f"--limit {visible(text, 60)} names no account.", "Write it like default=10/s or default/example.net=100/h."
        )
    return Limit(account, domain.strip().lower(), (Rate.parse(rate),))


def _display(arguments: argparse.Namespace) -> Display:
    if arguments.json:
        return _Lines(arguments.quiet, as_json=True)
    if sys.stdout.isatty() and not arguments.quiet:
        return _Counter()
    return _Lines(arguments.quiet)


class _Lines:
    """One line for each event, with its time in UTC."""

    def __init__(self, quiet: bool, as_json: bool = False) -> None:
        self._quiet, self._as_json = quiet, as_json

    def show(self, event: Event) -> None:
        from mailwright.cli import tell

        if self._quiet and event.kind not in _SERIOUS:
            return
        from datetime import UTC, datetime

        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if self._as_json:
            from mailwright.cli.outbox.opening import plain

            tell_json({"at": now, **plain(event)})
        else:
            tell(f"{now} {visible(str(event), 600)}")

    def close(self) -> None:
        """Every line is out already."""


class _Counter:
    """One line that is written over, and lines above it for what is out of the ordinary."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(("sent", "deferred", "failed", "held"), 0)
        self._begun = self._drawn = monotonic()
        self._recent: list[tuple[float, int]] = [(self._begun, 0)]
        self._width = 0
        self._draw("at work; Ctrl-C ends it")

    def show(self, event: Event) -> None:
        if event.kind == "result":
            if event.state in self._counts:
                self._counts[event.state] += event.count
            if event.state in _TOLD_STATES:
                self._above(str(event))
        elif event.kind in _LOUD:
            self._above(str(event))
        now = monotonic()
        if now - self._drawn >= INTERVAL:
            self._drawn = now
            self._draw(self._line(now))

    def _line(self, now: float) -> str:
        self._recent = [*self._recent[-25:], (now, self._counts["sent"])]
        then, before = self._recent[0]
        rate = (self._counts["sent"] - before) / max(now - then, 0.001)
        counts = ", ".join(f"{count:,} {name}" for name, count in self._counts.items() if count or name == "sent")
        return f"{counts}; {rate:,.0f}/s, {spoken(now - self._begun)}"

    def _above(self, text: str) -> None:
        self._draw("")
        self._write(f"\r{visible(text, 400)}\n")
        self._width = 0

    def _draw(self, line: str) -> None:
        self._write(f"\r{line:{self._width}}")
        self._width = len(line)

    def close(self) -> None:
        """The last count stays."""
        self._draw(self._line(monotonic()))
        self._write("\n")

    def _write(self, text: str) -> None:
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError:
            pass  # the terminal is gone; the work is not
