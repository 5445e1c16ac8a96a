"""The delivery as a task of Celery and of procrastinate: each order is asked for several times, two workers share the work,
one of them is killed, and there is one receipt for each order, which its buyer gets.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mailwright import Inbox
from mailwright.outbox import Outbox
from tests.unit.cli.running import surroundings

pytestmark = pytest.mark.once
ROOT = Path(__file__).resolve().parents[3]
ORDERS = 12
PATIENCE = 90.0  # seconds


@contextmanager
def workers(command: list[str], environment: dict[str, str], folder: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two worker processes; what they print goes into files."""
    running: list[subprocess.Popen[bytes]] = []
    try:
        for number in range(2):
            with (folder / f"worker-{number}.log").open("wb") as log:
                running.append(
                    subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
                )
        yield running
    finally:
        for process in running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def until(done: Callable[[], Any], folder: Path) -> None:
    """Wait for it."""
    end = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > end:
            logs = "\n".join(path.read_text()[-2000:] for path in folder.glob("*.log"))
            raise AssertionError(f"it did not come about\n{logs}")
        time.sleep(0.1)


def environment(folder: Path, inbox: Inbox, **more: str) -> dict[str, str]:
    (folder / "broker" / "control").mkdir(parents=True)
    return surroundings(
        TASK_BROKER=str(folder / "broker"), TASK_OUTBOX=str(folder / "mail.db"), PYTHONPATH=f"{ROOT}{os.pathsep}{ROOT / 'src'}",
        TASK_SERVER=f"smtp+plain://{inbox.server.host}:{inbox.server.port}", **more,
    )  # fmt: skip


def all_sent(folder: Path) -> bool:
    with Outbox(folder / "mail.db") as outbox:
        return len(list(outbox.find(state="sent"))) == ORDERS


def check_each_has_one(inbox: Inbox, folder: Path, killed: int = 0) -> None:
    """One message for each order, and every buyer has it. A copy is one only of what a killed worker had in flight."""
    got = Counter(address.spec for received in inbox.messages for address in received.recipients)
    assert set(got) == {f"buyer{number}@example.net" for number in range(ORDERS)}
    assert len({received.message.message_id for received in inbox.messages}) == ORDERS
    assert got.total() - ORDERS <= killed * 4 * 16  # connections and window
    with Outbox(folder / "mail.db") as outbox:
        assert sorted(one.address for one in outbox.find()) == sorted(got)


def run_python(code: str, variables: dict[str, str]) -> None:
    subprocess.run([sys.executable, "-c", code], env=variables, cwd=ROOT, check=True, timeout=60)


def test_a_task_of_celery(tmp_path: Path) -> None:
    with Inbox(tls=False) as inbox, Outbox(tmp_path / "mail.db"):
        variables = environment(tmp_path, inbox)
        command = [sys.executable, "-m", "celery", "-A", "tests.unit.integrations.celery_app", "worker"]
        command += ["--pool", "solo", "--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "WARNING"]
        ask = "from tests.unit.integrations.celery_app import send_receipt\n"
        ask += f"for number in [*range({ORDERS})] * 2: send_receipt.delay(number)"
        run_python(ask, variables)
        with workers(command, variables, tmp_path) as running:
            until(lambda: len(inbox.messages) >= 3, tmp_path)
            os.killpg(running[0].pid, signal.SIGKILL)

            def asked_again() -> bool:
                """What the killed worker had is asked for again, as its sender would."""
                run_python(ask, variables)
                until(lambda: not list((tmp_path / "broker").glob("*.msg")), tmp_path)
                return all_sent(tmp_path)

            until(asked_again, tmp_path)
        check_each_has_one(inbox, tmp_path, killed=1)


def test_a_task_of_procrastinate(tmp_path: Path, postgres_url: str) -> None:
    with Inbox(tls=False) as inbox, Outbox(tmp_path / "mail.db"):
        variables = environment(tmp_path, inbox, TASK_DATABASE=postgres_url)
        app = "tests.unit.integrations.procrastinate_app.app"
        command = [sys.executable, "-m", "procrastinate", "--app", app]
        subprocess.run(
            [*command, "schema", "--apply"], env=variables, cwd=ROOT, check=True, timeout=60, capture_output=True
        )
        ask = "from tests.unit.integrations.procrastinate_app import app, send_receipt\n"
        ask += f"with app.open():\n  for number in [*range({ORDERS})] * 3: send_receipt.defer(number=number)"
        run_python(ask, variables)
        with workers([*command, "worker", "-q", "mail"], variables, tmp_path):
            until(lambda: len(inbox.messages) >= ORDERS, tmp_path)
            counts = "import psycopg, os\nwith psycopg.connect(os.environ['TASK_DATABASE']) as db:\n"
            counts += "  print(db.execute(\"SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')\").fetchone()[0])"

            def finished() -> bool:
                done = subprocess.run([sys.executable, "-c", counts], env=variables, capture_output=True, check=True)
                return done.stdout.strip() == b"0"

            until(finished, tmp_path)
        check_each_has_one(inbox, tmp_path)
