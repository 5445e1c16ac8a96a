"""Where it counts: real Postfix and Exim with their queues on disk, TLS and a login, on loopback and 50 ms away.

    python bench/real_servers.py                    five rounds, into docs/benchmarks/; some eight minutes
    python bench/real_servers.py --quick            one round with few messages: does everything work?
    python bench/real_servers.py --page             the page anew, out of what was measured

As root, for each server has a mount namespace of its own (see tests/servers/). What arrives is read after every run: a
message that was lost, invented or changed ends the measurement. Then the mailbox is emptied, so that rounds are equal.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from bench import corpus, machine, real_page, senders  # noqa: E402
from bench.delay import delayed  # noqa: E402
from bench.job import Missing  # noqa: E402
from bench.place import Place  # noqa: E402
from bench.real_page import Case, Row  # noqa: E402
from bench.running import Failed, Result, measure  # noqa: E402
from tests.servers import RealServer  # noqa: E402

PATIENCE = 120  # seconds until everything that was accepted must have been delivered
PROBES = 200  # files that are written to see how long the disk takes


@dataclass(frozen=True)
class Kind:
    """A server: the folders below its own in which a message is on its way, and how many messages a run has."""

    name: str
    queues: tuple[str, ...]
    messages: int


SERVERS = (
    Kind("postfix", ("queue/maildrop", "queue/incoming", "queue/active", "queue/deferred"), 600),
    Kind("exim", ("spool/input",), 250),
)
ROUND_TRIPS = (0.0, 0.05)  # seconds
WAITING = ("smtplib", "aiosmtplib", "nodemailer", "smtp_source")  # these wait for the server again and again
FEW = 8  # messages of theirs when the server is far away: they take four round trips for each
SENDERS = (*WAITING, "mailwright", "mailwright_async", "mailwright:window=1000")
WARM_UP = 0.1  # of the usual number of messages
IN_CLEAR = ("smtp_source",)  # it knows neither TLS nor logins


class Server:
    """A running server, its mailbox, and the message that it has still to deliver."""

    def __init__(self, kind: Kind, real: RealServer, folder: Path) -> None:
        self.kind, self._real, self._folder = kind, real, folder
        assert real.ca_file is not None and real.user is not None and real.password is not None
        self.place = Place(real.host, real.port, "starttls", str(real.ca_file), (real.user, real.password))

    def count(self) -> int:
        """Messages in the mailbox."""
        return sum(1 for _ in (self._folder / "box" / "new").glob("*"))

    def on_the_way(self) -> int:
        """Messages in the queue."""
        return sum(one.is_file() for queue in self.kind.queues for one in (self._folder / queue).rglob("*"))

    def take(self, messages: int, own_content: bool) -> None:
        """Wait until everything is delivered, look at it, and empty the mailbox. Raises `Failed`."""
        until = time.monotonic() + PATIENCE
        while (self.count() < messages or self.on_the_way()) and time.monotonic() < until:
            time.sleep(0.05)
        stored = self._real.mailbox()
        if len(stored) != messages or self.on_the_way():
            raise Failed(f"{self.kind.name}: {len(stored)} messages arrived instead of {messages}")
        if not own_content:
            self._compare(stored, messages)
        for one in (self._folder / "box" / "new").glob("*"):
            one.unlink()

    def _compare(self, stored: Sequence[bytes], messages: int) -> None:
        """Whether behind the trace fields there are the octets that were sent, each message as often as it was."""
        seen: Counter[bytes] = Counter()
        for one in stored:
            content = one[one.index(b"From: Ada ") :]
            seen[content] += 1
        if seen != Counter(corpus.all_finished(messages)):
            raise Failed(f"{self.kind.name}: what arrived is not what was sent")


@contextmanager
def running(kind: Kind, folder: Path) -> Iterator[Server]:
    """That server, with all that it writes in `folder`. Raises `Missing`."""
    module = import_module(f"tests.servers.{kind.name}")
    reason = module.missing()
    if reason is not None:
        raise Missing(f"{kind.name}: {reason}")
    own = folder / kind.name
    own.mkdir()
    with module.running(own) as real:
        yield Server(kind, real, own)


class Bench:
    """All rounds of one server at one distance."""

    def __init__(self, server: Server, place: Place, round_trip: float, runs: int, share: float) -> None:
        self._server, self._place, self._runs, self._share = server, place, runs, share
        self.round_trip = round_trip
        self._versions: dict[str, str] = {}
        self._left_out: dict[str, str] = {}
        for name in SENDERS:
            try:
                self._versions[name] = senders.find(name).version()
            except Missing as reason:
                self._left_out[name] = str(reason)
                say(f"{name} is left out: {reason}")

    def _messages(self, name: str, share: float) -> int:
        few = self.round_trip and name in WAITING
        return max(3, round((FEW if few else self._server.kind.messages) * share))

    def case(self) -> Case:
        """Every sender once a round, in turns; before that a short round that does not count."""
        found: dict[str, list[Result]] = {name: [] for name in self._versions}
        order = list(found)
        for number in range(0 if self._runs == 1 else -1, self._runs):
            order = order[1:] + order[:1]
            for name in order:
                if name not in self._left_out and (result := self._run(name, number)) is not None and number >= 0:
                    found[name].append(result)
                    where = f"{self._server.kind.name}, {self.round_trip * 1000:.0f} ms"
                    say(f"{where}  {number + 1}  {name:24}{result.rate:10,.1f}/s")
        rows = [self._row(name, results) for name, results in found.items() if results]
        return Case(self._server.kind.name, self.round_trip, rows, self._left_out, machine.today(), machine.load())

    def _run(self, name: str, number: int) -> Result | None:
        messages = self._messages(name, self._share if number >= 0 else WARM_UP)
        place = replace(self._place, security="none", ca_file=None, login=None) if name in IN_CLEAR else self._place
        try:
            result = measure(name, "finished", place, messages, from_open=True)
        except Missing as reason:
            self._left_out[name] = str(reason)
            say(f"{name} is left out: {reason}")
            return None
        self._server.take(messages, senders.find(name).own_content)
        return result

    def _row(self, name: str, results: Sequence[Result]) -> Row:
        rates = [result.rate for result in results]
        cpu = statistics.median(result.cpu / self._messages(name, self._share) for result in results)
        return Row(
            name, self._versions[name], name not in IN_CLEAR, self._messages(name, self._share), len(results),
            statistics.median(rates), min(rates), max(rates), cpu,
        )  # fmt: skip


def say(text: str) -> None:
    """To the terminal, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def file_system(folder: Path) -> str:
    """The type of the file system that `folder` is on; Linux only."""
    best, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text("utf-8", "replace").splitlines():
        place = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), line.split()[1])
        if len(place) >= len(best) and folder.resolve().is_relative_to(place):
            best, kind = place, line.split()[2]
    return kind


def time_to_disk(folder: Path) -> float:
    """Seconds until a new file of a message's size is on the disk, in the median."""
    taken = []
    for number in range(PROBES):
        path = folder / f"probe-{number}"
        began = time.perf_counter()
        with path.open("wb") as file:
            file.write(corpus.finished(number))
            file.flush()
            os.fsync(file.fileno())
        taken.append(time.perf_counter() - began)
        path.unlink()
    return statistics.median(taken)


def packages() -> dict[str, str]:
    """The versions of the servers."""
    found = {}
    for kind in SERVERS:
        listed = ROOT / ".cache" / "servers" / kind.name / "packages.txt"
        lines = listed.read_text("ascii").splitlines() if listed.exists() else []
        found[kind.name] = next((line for line in lines if line.startswith(kind.name)), "unknown")
    return found


def measured(folder: Path, runs: int, share: float) -> dict[str, object]:
    """Everything: the machine's facts and a case for each server and distance. Raises `Missing` and `Failed`."""
    kind_of_disk = file_system(folder)
    if kind_of_disk in ("tmpfs", "ramfs"):
        raise Missing(f"the queue would be in memory ({kind_of_disk}): give a --folder on a disk")
    facts = machine.facts() | packages()
    facts["disk"] = f"{kind_of_disk}; a new file of 2 kB is synced in {time_to_disk(folder) * 1000:.2f} ms (median)"
    facts["load before"] = f"{machine.load():.2f}"
    cases = []
    for kind in SERVERS:
        with running(kind, folder) as server:
            for round_trip in ROUND_TRIPS:
                if not round_trip:
                    cases.append(Bench(server, server.place, 0.0, runs, share).case())
                    continue
                with delayed(server.place, round_trip) as far:
                    cases.append(Bench(server, far.place, round_trip, runs, share).case())
    facts["load after"] = f"{machine.load():.2f}"
    return real_page.results(facts, cases)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="rounds that count (5)")
    parser.add_argument("--quick", action="store_true", help="one round with few messages; nothing is saved")
    parser.add_argument("--page", action="store_true", help="write the page anew, out of what was measured")
    parser.add_argument("--folder", type=Path, default=ROOT / ".cache", help="where the queues are: on a disk")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers are ended, too
    if given.page:
        real_page.write()
        return 0
    given.folder.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=given.folder))
    folder.chmod(0o755)
    try:
        found = measured(folder, 1 if given.quick else given.runs, 0.1 if given.quick else 1)
    except (Missing, Failed) as reason:
        say(f"no table: {reason}")
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if given.quick:
        say(real_page.text(found))
    else:
        real_page.save(found)
        say(f"written: {real_page.PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
