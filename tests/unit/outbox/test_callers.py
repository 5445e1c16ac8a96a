"""Many callers: threads that share a commit, tasks, processes after a fork, and what one does to the others."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mailwright import AsyncOutbox as Public
from mailwright.errors import ConfigError, KeyReused, MessageError, OutboxError, OutboxUnavailable
from mailwright.outbox import AsyncOutbox, Outbox, Put
from mailwright.outbox.asking import Query
from mailwright.outbox.database import CommitUnknown
from mailwright.outbox.grouping import Group
from tests.unit.outbox.steps import message, send_all, states, total


def in_threads(count: int, act: object) -> None:
    gate = threading.Barrier(count)

    def work(n: int) -> None:
        gate.wait()
        act(n)  # type: ignore[operator]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_threads_share_commits_and_each_gets_its_own_id(outbox: Outbox) -> None:
    commits, ids = [], {}
    write = outbox.database.write

    def counted(make: object) -> object:
        commits.append(1)
        return write(make)  # type: ignore[arg-type]

    outbox.database.write = counted  # type: ignore[method-assign, assignment]

    def put(n: int) -> None:
        for m in range(20):
            ids[n, m] = outbox.put(message(f"{n}/{m}"))

    in_threads(32, put)
    assert len(set(ids.values())) == 640 == total(outbox)
    assert len(commits) < 640
    assert states(outbox, ids[31, 19]) == ["queued"]


def test_one_callers_error_is_not_the_others(outbox: Outbox) -> None:
    outbox.put(message("taken"), key="k")
    errors, ids = [], []

    def put(n: int) -> None:
        try:
            ids.append(outbox.put(message(f"{n}"), key="k" if n % 4 == 0 else None))
        except KeyReused as problem:
            errors.append(problem)

    in_threads(32, put)
    assert len(errors) == 8 and len(set(ids)) == 24 and total(outbox) == 25


class Failing:
    """The outbox's database, which fails as it is told."""

    def __init__(self, outbox: Outbox, *problems: BaseException | None, after: bool = False) -> None:
        self.store = outbox.store
        self._write, self._problems, self._after = outbox.database.write, list(problems), after

    def write(self, make: object) -> object:
        problem = self._problems.pop(0) if self._problems else None
        if problem is not None and not self._after:
            raise problem
        result = self._write(make)  # type: ignore[arg-type]
        if problem is not None:
            raise problem
        return result


@pytest.mark.parametrize("written", [True, False])
def test_a_commit_of_unknown_end_is_looked_up_and_not_repeated(outbox: Outbox, written: bool) -> None:
    database = Failing(outbox, CommitUnknown("The connection was lost at COMMIT."), after=written)
    outbox._group = Group(database)  # type: ignore[arg-type]
    id = outbox.put(message())
    assert total(outbox) == 1 and states(outbox, id) == ["queued"]
    outbox._group = Group(Failing(outbox, CommitUnknown("Lost."), after=written))  # type: ignore[arg-type]
    assert outbox.put(message("keyed"), key="k") == outbox.put(message("keyed"), key="k")
    outbox._group = Group(Failing(outbox, CommitUnknown("Lost."), after=written))  # type: ignore[arg-type]
    assert len(set(outbox.put_many([message("a"), Put(message("b"), key="b")]))) == 2
    assert total(outbox) == 4


def test_what_is_wrong_with_one_draft_does_not_keep_the_others_out(outbox: Outbox) -> None:
    outbox._group = Group(Failing(outbox, *[MessageError("A file changed.")] * 40))  # type: ignore[arg-type]
    fates: list[str] = []

    def put(n: int) -> None:
        try:
            fates.append(outbox.put(message(f"{n}")))
        except MessageError:
            fates.append("refused")

    in_threads(8, put)
    assert len(fates) == 8 and total(outbox) == 8 - fates.count("refused")
    outbox._group = Group(outbox.database)
    assert outbox.put(message("later"))


def test_a_database_that_fails_fails_everybody_who_waits_and_then_goes_on(outbox: Outbox) -> None:
    outbox._group = Group(Failing(outbox, *[OutboxUnavailable("No room.")] * 100))  # type: ignore[arg-type]
    fates: list[str] = []

    def put(n: int) -> None:
        try:
            fates.append(outbox.put(message(f"{n}")))
        except OutboxUnavailable:
            fates.append("refused")

    in_threads(16, put)
    assert fates == ["refused"] * 16 and total(outbox) == 0
    outbox._group = Group(outbox.database)
    assert outbox.put(message())


def test_an_interrupted_leader_does_not_leave_the_others_waiting(outbox: Outbox) -> None:
    outbox._group = Group(Failing(outbox, KeyboardInterrupt()))  # type: ignore[arg-type]
    fates: list[str] = []

    def put(n: int) -> None:
        try:
            fates.append(outbox.put(message(f"{n}")))
        except KeyboardInterrupt:
            fates.append("interrupted")

    in_threads(16, put)
    assert len(fates) == 16 and fates.count("interrupted") == 1
    assert total(outbox) == len(set(fates) - {"interrupted"}) == 15


# Processes


def _put_in_child(place: str, count: int) -> None:
    with Outbox(place) as outbox:
        for n in range(count):
            outbox.put(message(f"child {os.getpid()} {n}"))


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_processes_of_any_kind_put_into_one_file(tmp_path: Path, outbox: Outbox, method: str) -> None:
    outbox.put(message())
    context = multiprocessing.get_context(method)
    children = [context.Process(target=_put_in_child, args=(str(tmp_path / "mail.db"), 5)) for _ in range(2)]
    for child in children:
        child.start()
    outbox.put(message())
    for child in children:
        child.join(60)
        assert child.exitcode == 0
    assert total(outbox) == 12


FORK = """
import os, sys, threading, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads, which is what is tried
from mailwright import Message
from mailwright.outbox import Outbox
outbox = Outbox(sys.argv[1])
message = Message("ada@example.org", "bob@example.net", "Minutes", "Dear Bob")
outbox.put(message)
stop = threading.Event()
count = [1]
def work():
    while not stop.is_set():
        outbox.put(message)
        count[0] += 1
thread = threading.Thread(target=work)
thread.start()
children = []
for _ in range(5):
    time.sleep(0.05)
    child = os.fork()
    if not child:
        for _ in range(10):
            outbox.put(message)
        os._exit(0)
    children.append(child)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
stop.set()
thread.join()
found = sum(1 for _ in outbox.find())
print(codes, found == count[0] + 50)
"""


def test_the_same_outbox_goes_on_after_forks_under_load(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FORK, str(tmp_path / "mail.db")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90)
    assert done.stdout.strip() == "[0, 0, 0, 0, 0] True", done.stderr


IDS = """
import os, sys
from mailwright.outbox.ids import new_id
def printed():
    print(*[new_id()[8:].hex() for _ in range(300)], flush=True)  # behind the time
printed()
child = os.fork()
if child:
    os.waitpid(child, 0)  # so that neither prints into the other's line
printed()
"""


def test_a_child_gives_other_ids_than_its_parent() -> None:
    done = subprocess.run([sys.executable, "-c", IDS], capture_output=True, text=True, timeout=60, check=True)
    assert len(set(done.stdout.split())) == len(done.stdout.split()) == 900


AT_EXIT = """
import atexit, sys
from mailwright import Message
from mailwright.outbox import Outbox
outbox = Outbox(sys.argv[1])
messages = [Message("ada@example.org", "bob@example.net", "Minutes", f"{n}") for n in range(2500)]
atexit.register(lambda: print(len(outbox.put_many(messages))))
"""


def test_many_are_put_while_python_ends(tmp_path: Path) -> None:
    """It starts no thread any more then, in new releases."""
    command = [sys.executable, "-c", AT_EXIT, str(tmp_path / "mail.db")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("2500\n", "")


NEWSLETTER = """
import sys
from mailwright import Message
from mailwright.outbox import Outbox, Put
def letters():
    for n in range(5000):
        if n == 2600:
            print("now", flush=True)
            sys.stdin.read() if sys.argv[2] == "stop" else None
        yield Put(Message("news@example.org", f"reader{n}@example.net", "Issue 7", f"Dear reader {n}"), key=f"issue-7/{n}")
with Outbox(sys.argv[1]) as outbox:
    print(len(set(outbox.put_many(letters(), lane="bulk"))))
"""


def test_a_newsletter_killed_in_the_middle_is_resumed_without_a_second_copy(tmp_path: Path) -> None:
    place = str(tmp_path / "mail.db")
    command = [sys.executable, "-c", NEWSLETTER, place]
    child = subprocess.Popen([*command, "stop"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdin is not None
    assert child.stdout.readline() == "now\n"
    child.send_signal(signal.SIGKILL)
    child.wait(30)
    child.stdin.close()
    child.stdout.close()
    with Outbox(place) as outbox:
        assert total(outbox) == 2000
        done = subprocess.run([*command, "go"], capture_output=True, text=True, timeout=120, check=True)
        assert done.stdout.split() == ["now", "5000"]
        assert total(outbox) == 5000 == len({one.address for one in outbox.find()})


# asyncio


def test_tasks_share_commits(tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncOutbox(tmp_path / "mail.db") as outbox:
            ids = await asyncio.gather(*[outbox.put(message(f"{n}")) for n in range(200)])
            assert len(set(ids)) == 200
            same = await asyncio.gather(*[outbox.put(message(), key="k") for _ in range(50)])
            assert len(set(same)) == 1
            found = await asyncio.gather(
                outbox.put(message("other"), key="k"), outbox.put(message()), return_exceptions=True
            )
            assert isinstance(found[0], KeyReused) and isinstance(found[1], str)
            assert len([one async for one in outbox.find()]) == 202

    asyncio.run(main())


def test_everything_can_be_awaited(tmp_path: Path) -> None:
    async def many() -> object:
        for n in range(1200):
            yield message(f"{n}")

    async def main() -> None:
        outbox = AsyncOutbox(tmp_path / "mail.db", paused=True)
        id = await outbox.put(message(), held=True)  # opens it
        assert await outbox.paused()
        await outbox.resume()
        assert not await outbox.paused()
        await outbox.pause()
        assert (await outbox.status(id)).deliveries[0].state.name == "held"
        assert await outbox.release(id) == await outbox.hold(id) == await outbox.settle(id, "failed") == 1
        assert await outbox.retry(id) == await outbox.cancel(id) == 1
        assert len(await outbox.put_many(many())) == 1200  # type: ignore[arg-type]
        assert len(await outbox.put_many([message(), Put(message(), key="k")])) == 2
        assert (await outbox.stats()).open == 1202 == await outbox.restored()
        await asyncio.sleep(0.01)
        assert (await outbox.prune(0, bodies_older_than=0)).messages == 1
        big = tmp_path / "big.bin"
        big.write_bytes(b"x" * (6 << 20))
        long = await outbox.put(message(attachments=str(big)))
        assert (await outbox.status(long)).size > 6 << 20
        with pytest.raises(OutboxError):
            await outbox.status("nonsense")
        with pytest.raises(ConfigError):
            await outbox.put(message(), lane="fast")  # type: ignore[arg-type]
        await outbox.close()
        with pytest.raises(OutboxUnavailable, match="closed"):
            await outbox.put(message())

    asyncio.run(main())


def test_a_cancelled_put_takes_nobody_with_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncOutbox(tmp_path / "mail.db") as outbox:
            tasks = [asyncio.create_task(outbox.put(message(f"{n}"))) for n in range(20)]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            tasks[0].cancel()
            found = await asyncio.gather(*tasks, return_exceptions=True)
            assert isinstance(found[0], asyncio.CancelledError)
            assert all(isinstance(one, str) for one in found[1:])
            assert await outbox.put(message())

    asyncio.run(main())


def test_the_public_names() -> None:
    import mailwright

    assert mailwright.Outbox is Outbox and Public is AsyncOutbox


def test_a_closed_outbox_says_so_and_what_was_put_stays(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "mail.db")
    outbox.put(message())
    outbox.close()
    outbox.close()
    with pytest.raises(OutboxUnavailable, match="closed"):
        outbox.put(message())
    with Outbox(tmp_path / "mail.db") as again:
        assert send_all(again) == 1


def test_the_plan_of_a_claim_uses_the_index_alone(outbox: Outbox) -> None:
    """However many rows a destination has: the claim and the walk along the destinations only seek."""
    given = {"worker": b"", "account": "default", "lane": 1, "dest": "example.net", "most": 5, "lease": 1, "after": ""}

    async def explain(name: str) -> list[str]:
        return [row[3] for row in await Query(f"EXPLAIN QUERY PLAN {outbox.store.sql[name]}", given)]

    for name in ("claim", "next_destination", "next_due"):
        plan = outbox.database.read(lambda name=name: explain(name))  # type: ignore[misc]
        assert not [line for line in plan if line.startswith("SCAN mw_delivery")], plan
        assert any("mw_delivery_ready" in line for line in plan)
