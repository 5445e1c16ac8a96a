"""Run one act of one sender in a fresh process, against any server, and say what it took.

from bench.place import Place
from bench.running import measure

place = Place("127.0.0.1", 2525, "starttls", ca_file="ca.pem", login=("ada", "…"))
result = measure("mailwright:window=64", "finished", place, 1000)
print(result.rate, result.cpu / result.messages, result.memory)
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bench import senders
from bench.job import Command, Job, Missing, peak_memory
from bench.place import Place

ROOT = Path(__file__).resolve().parent.parent
TICK = 0.004  # seconds between two looks at the memory of a foreign program


class Failed(Exception):
    """A sender did not do what it was asked to. The text is the end of what it said."""


@dataclass(frozen=True)
class Result:
    """What one run took.

    `messages` were sent or built in `seconds` by the clock on the wall; with `from_open` that is from the open
    connection on. `cpu` is the processor time in seconds, of a foreign program with its start. `memory` is the most
    that the process held, in kB, and `memory_before` the same at the start of the clock; 0 where it is not known.
    """

    messages: int
    seconds: float
    cpu: float
    memory: int
    memory_before: int = 0

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds


def measure(
    sender: str,
    act: str,
    place: Place,
    messages: int,
    *,
    connections: int = 1,
    recipients: int = 1,
    file: Path | None = None,
    from_open: bool = False,
    sample: Path | None = None,
    patience: float = 180,
) -> Result:
    """Let `sender` (such as ``mailwright:window=1000``) do `act` (see `bench.senders`) once.

    `messages` is a plain number here: no `PACE` is applied. `recipients` is for ``addressed``, `file` for ``attached``;
    `sample` is where ``built`` leaves its last message. With `from_open` time counts from the open connection, for
    senders that can tell when that is (smtp-source can't). Raises `Missing` if the sender is not installed or can't
    do it at that place, and `Failed` if it fails or takes longer than `patience` seconds.
    """
    found = senders.find(sender)
    found.version()
    with tempfile.TemporaryDirectory(prefix="mailwright-bench-") as folder:
        job = Job(
            place,
            messages,
            folder,
            connections,
            recipients,
            str(file or ""),
            from_open,
            found.options,
            str(sample or ""),
        )
        if found.external or act == "process":
            report = run_program(found.act(act)(job), patience, watch=act == "attached")
        else:
            report = _run_act(found, act, job, patience)
    timed_from_open = from_open and "sending" in report
    return Result(
        messages - int(report["sent"]) if timed_from_open else messages,
        report["sending"] if timed_from_open else report["wall"],
        report["cpu"],
        int(report["memory"]),
        int(report.get("memory_before", 0)),
    )


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Ours, without what steers Python or mailwright from outside, and with `variables`."""
    steering = ("PYTHON", "MAILWRIGHT", "SMTP", "SENDER_", "SSL_CERT", "SSLKEYLOGFILE")
    return {name: text for name, text in os.environ.items() if not name.startswith(steering)} | dict(variables)


def _run_act(sender: senders.Sender, act: str, job: Job, patience: float) -> dict[str, float]:
    sender.act(act)
    command = [sys.executable, "-m", "bench.child", sender.name, act]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment({}),
            input=job.to_json(),
            capture_output=True,
            text=True,
            timeout=patience,
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"{sender.name}: {act} took longer than {patience:.0f} s") from None
    if done.returncode:
        raise Failed(f"{sender.name}: {done.stderr.strip()[-600:]}")
    return _report(done.stdout)


def _report(text: str) -> dict[str, float]:
    """The last line, if it is a report."""
    last = text.strip().rpartition("\n")[2]
    if not last.startswith("{"):
        return {}
    found: dict[str, float] = json.loads(last)
    if "missing" in found:
        raise Missing(str(found["missing"]))
    return found


def run_program(command: Command, patience: float, watch: bool = False) -> dict[str, float]:
    """Run a whole program: its wall and processor time. Its memory is known only with `watch`, which looks at it again
    and again and so costs a little. A report that it prints is preferred. Raises `Failed`.
    """
    with tempfile.TemporaryFile() as said, open(command.stdin or os.devnull, "rb") as given:
        start = time.perf_counter()
        process = subprocess.Popen(
            command.words, stdin=given, stdout=said, stderr=subprocess.STDOUT, env=environment(command.variables)
        )
        memory = 0
        try:
            if watch:
                memory, status, used = _watch(process.pid, start + patience)
            else:
                status, used = _wait(process.pid, patience)
        except BaseException:
            process.kill()
            process.wait()
            raise
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        text = _text(said)
    if process.returncode:
        raise Failed(f"{Path(command.words[0]).name} ended with {process.returncode}: {text.strip()[-600:]}")
    return {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "memory": memory} | _report(text)


def _text(said: IO[bytes]) -> str:
    said.seek(0)
    return said.read().decode("utf-8", "replace")


def _watch(process: int, until: float) -> tuple[int, int, os.struct_rusage]:  # type: ignore[name-defined]
    memory = 0
    while True:
        ended, status, used = os.wait4(process, os.WNOHANG)
        if ended:
            return memory, status, used
        memory = max(memory, peak_memory(process))
        if time.perf_counter() > until:
            os.kill(process, signal.SIGKILL)
        time.sleep(TICK)


def _wait(process: int, patience: float) -> tuple[int, os.struct_rusage]:  # type: ignore[name-defined]
    """Without looking again and again, which would disturb a short run."""
    before = signal.signal(signal.SIGALRM, lambda *_: os.kill(process, signal.SIGKILL))
    signal.setitimer(signal.ITIMER_REAL, patience)
    try:
        _, status, used = os.wait4(process, 0)
        return status, used
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
