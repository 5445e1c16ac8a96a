"""Many machines on one, each a network namespace with an address of its own: 1, 2 and 4 worker hosts on one and on two
PostgreSQL servers, and one host killed in the middle.

python -m bench.outbox.hosts                        three rounds, on the terminal; as root
python -m bench.outbox.hosts --save                 into docs/benchmarks/outbox-hosts.md
python -m bench.outbox.hosts --quick                does everything work?

The hosts share the processors of this machine with the servers, so that the rate can't grow beyond what these give:
what is shown is that hosts do not hinder each other, that rows go to one host each, and what a death costs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from bench import machine
from bench.job import Missing
from bench.outbox import page
from bench.outbox.acts import letters
from bench.outbox.places import POSTGRES
from mailwright.outbox.outbox import Outbox
from tests.servers import postgres

ROOT = Path(__file__).resolve().parents[2]
NETWORK = "10.77.41"
LEASE = 3.0  # seconds: short, so that what a dead host had comes back soon
CASES = (
    (1, 1, 0),
    (2, 1, 0),
    (4, 1, 0),
    (4, 1, 1),
    (1, 2, 0),
    (2, 2, 0),
    (4, 2, 0),
    (4, 2, 1),
)  # hosts, servers, killed
PAGE = "outbox-hosts.md"


def ip(*words: str) -> None:
    """One `ip` command. Raises `Missing`."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode:
        raise Missing(f"ip {' '.join(words)}: {done.stderr.strip()}")


@contextmanager
def network(count: int) -> Iterator[list[tuple[str, str]]]:
    """So many network namespaces on one bridge: the name and the address of each. Raises `Missing`."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        raise Missing("only root can make network namespaces, with the command ip (apt install iproute2)")
    mark = f"mw{os.getpid() % 10000}"
    made: list[tuple[str, str]] = []
    try:
        ip("link", "add", f"{mark}b", "type", "bridge")
        ip("addr", "add", f"{NETWORK}.1/24", "dev", f"{mark}b")
        ip("link", "set", f"{mark}b", "up")
        for number in range(count):
            name, address = f"{mark}n{number}", f"{NETWORK}.{number + 10}"
            ip("netns", "add", name)
            made.append((name, address))
            ip("link", "add", f"{mark}v{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("link", "set", f"{mark}v{number}", "master", f"{mark}b", "up")
            ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield made
    finally:
        for name, _ in made:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
        subprocess.run(["ip", "link", "del", f"{mark}b"], capture_output=True)


def case(places: list[str], urls: list[str], rows: int, killed: int) -> dict[str, float]:
    """Drain `rows` rows, spread over the databases, from these namespaces; `killed` of them die in the middle."""
    for url in urls:
        with Outbox(url) as outbox:
            outbox.put_many(letters(rows // len(urls)))
    total = rows // len(urls) * len(urls)
    with tempfile.TemporaryDirectory(prefix="mailwright-bench-") as folder, ExitStack() as stack:
        hosts = []
        for number, name in enumerate(places):
            given = {"urls": urls, "number": number + 1, "log": f"{folder}/{number}.log", "lease": LEASE}
            command = [
                "ip",
                "netns",
                "exec",
                name,
                sys.executable,
                "-m",
                "bench.outbox.acts",
                "host",
                json.dumps(given),
            ]
            hosts.append(subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            stack.callback(hosts[-1].kill)
        for one in hosts:
            assert one.stdout is not None and one.stdout.readline() == "ready\n"
        begun = time.perf_counter()
        for one in hosts:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        for one in hosts[:killed]:
            _until(urls, total // 3)
            one.send_signal(signal.SIGKILL)
        said = [json.loads(one.communicate()[0].splitlines()[-1]) for one in hosts[killed:]]
        taken = time.perf_counter() - begun
        lines = [line.split()[0] for log in Path(folder).glob("*.log") for line in log.read_text("ascii").splitlines()]
    ended = sum(_count(url, "SELECT count(*) FROM mw_outcome WHERE state = 10") for url in urls)
    left = sum(_count(url, "SELECT count(*) FROM mw_delivery") for url in urls)
    twice = sum(times - 1 for times in Counter(lines).values())
    return {
        "rate": total / taken, "p50": statistics.median(one["p50"] for one in said if "p50" in one),
        "p95": max(one["p95"] for one in said if "p95" in one), "lost": total - ended - left, "left": left,
        "unsent": total - len(set(lines)), "twice": twice,
    }  # fmt: skip


def _until(urls: Sequence[str], rows: int) -> None:
    while sum(_count(url, "SELECT count(*) FROM mw_outcome") for url in urls) < rows:
        time.sleep(0.02)


def _count(url: str, sql: str) -> int:
    with psycopg.connect(url) as connection:
        row: Any = connection.execute(sql.encode()).fetchone()
    return int(row[0])


def measure(rounds: int, rows: int, say: Any) -> list[dict[str, Any]]:
    """All cases. Raises `Missing`."""
    most = max(hosts for hosts, _, _ in CASES)
    found: dict[tuple[int, int, int], list[dict[str, float]]] = {one: [] for one in CASES}
    with network(most + 2) as places, ExitStack() as stack:
        servers = [
            stack.enter_context(
                postgres.running(POSTGRES, kept=True, host=address, prefix=["ip", "netns", "exec", name])
            )
            for name, address in places[most:]
        ]
        for _ in range(rounds):
            for hosts, count, killed in CASES:
                urls = [server.database() for server in servers[:count]]
                result = case([name for name, _ in places[:hosts]], urls, rows, killed)
                found[hosts, count, killed].append(result)
                say(f"{hosts} hosts, {count} servers, {killed} killed: {result}   load {machine.load():.1f}")
                for server, url in zip(servers, urls, strict=False):
                    server.drop(url)
    return [_medians(*one, runs) for one, runs in found.items()]


def _medians(hosts: int, servers: int, killed: int, runs: list[dict[str, float]]) -> dict[str, Any]:
    sums = {name: sum(run[name] for run in runs) for name in ("lost", "left", "unsent", "twice")}
    middles = {name: statistics.median(run[name] for run in runs) for name in ("rate", "p50", "p95")}
    return {"hosts": hosts, "servers": servers, "killed": killed, "runs": len(runs), **middles, **sums}


def table(rows: list[dict[str, Any]]) -> str:
    """In Markdown."""
    lines = [
        "| hosts | PostgreSQL servers | killed | rows/s | a claim, p50 | p95 | lost | taken twice |",
        "|---|---|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        lost = int(row["lost"] + row["left"] + row["unsent"])
        lines.append(
            f"| {row['hosts']} | {row['servers']} | {row['killed'] or '–'} | {page.shown(row['rate'])} | "
            f"{page.shown(row['p50'])} ms | {page.shown(row['p95'])} ms | {lost} | {int(row['twice'])} |"
        )
    return "\n".join(lines) + "\n"


TEXT = """# The outbox on many machines

<!-- Written by `python -m bench.outbox.hosts --save` -->

Worker hosts and PostgreSQL servers, each in a network namespace with an address of its own, on one machine whose
{cores} processors all of them share: no rate can grow beyond what these give, so what is shown is that hosts do not
hinder each other, that each row goes to one of them, and what a death costs. Claim, content and result of messages of
4 kB, without SMTP; two servers are two databases with half of the messages each, and every host drains both. Medians
of {runs} runs with {rows:,} rows; `lost` and `taken twice` are sums over all of them.

{table}
A host that is killed (SIGKILL, a third of the way) leaves its leases behind, which end after {lease:g} seconds here;
the rate includes this wait. What it had sent and not recorded is sent again: `taken twice`, the same bytes under the
same Message-ID. Nothing is lost.

`python -m bench.outbox.hosts` as root. Taken on {date}, load {load} before.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each case (3)")
    parser.add_argument("--rows", type=int, default=40_000, help="rows of a run (40,000)")
    parser.add_argument("--quick", action="store_true", help="one round with 4,000 rows")
    parser.add_argument("--save", action="store_true", help="write docs/benchmarks/outbox-hosts.md anew")
    given = parser.parse_args(arguments)
    rounds, rows = (1, 4_000) if given.quick else (given.rounds, given.rows)
    load = f"{machine.load():.2f}"

    def say(text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    try:
        found = measure(rounds, rows, say)
    except Missing as reason:
        say(f"it can't be measured here: {reason}")
        return 1
    say("\n" + table(found))
    if given.save:
        text = TEXT.format(
            cores=os.cpu_count(),
            runs=rounds,
            rows=rows,
            table=table(found),
            lease=LEASE,
            date=machine.today(),
            load=load,
        )
        (page.FOLDER / PAGE).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
