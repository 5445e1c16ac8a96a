"""The same rows through procrastinate and through Celery on Redis: 4 kB of text a task, and a task that does nothing.

Each does what its documentation advises: procrastinate's worker with a concurrency of 20, Celery's with late
acknowledgement, as it must be where nothing may be lost, and a process for each core. Redis syncs every command.

python -m bench.outbox.peers celery_put '{"url": "redis://127.0.0.1:6379/0", "count": 1000}'
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from typing import Any

from bench.job import Missing
from bench.outbox.acts import SIZE, Found, timed

TEXT = "x" * SIZE
PATIENCE = 300  # seconds


def missing(package: str) -> None:
    """Raises `Missing` if it is not installed."""
    if find_spec(package) is None:
        raise Missing(f"{package} is not installed: pip install {package}")


# procrastinate


def _procrastinate(url: str, made: Any) -> Any:
    import procrastinate

    app = procrastinate.App(connector=made(conninfo=url))

    @app.task(name="deliver")
    async def deliver(octets: str) -> None:
        pass

    return app


def procrastinate_put(url: str, count: int, batch: int = 1) -> Found:
    """One after the other, or in batches of `batch`."""
    import procrastinate

    app = _procrastinate(url, procrastinate.SyncPsycopgConnector)
    with app.open():
        app.schema_manager.apply_schema()
        task = app.tasks["deliver"]
        if batch == 1:
            return timed(lambda: [task.defer(octets=TEXT) for _ in range(count)], count)
        rows = [{"octets": TEXT}] * batch
        return timed(lambda: [task.batch_defer(*rows) for _ in range(count // batch)], count)


def procrastinate_drain(url: str, count: int) -> Found:
    """One worker until nothing is left."""
    procrastinate_put(url, count, 100)

    async def play() -> Found:
        import procrastinate

        app = _procrastinate(url, procrastinate.PsycopgConnector)
        async with app.open_async():
            begun, used = time.perf_counter(), time.process_time()
            await app.run_worker_async(wait=False, concurrency=20, install_signal_handlers=False)
            return {"rate": count / (time.perf_counter() - begun), "cpu": (time.process_time() - used) / count * 1e6}

    return asyncio.run(play())


# Celery


def _celery(url: str) -> Any:
    import celery

    app = celery.Celery("bench", broker=url)
    app.conf.update(task_acks_late=True, task_ignore_result=True, broker_connection_retry_on_startup=True)

    @app.task(name="deliver")
    def deliver(octets: str) -> None:
        pass

    return app


app = _celery(os.environ["BENCH_BROKER"]) if "BENCH_BROKER" in os.environ else None


def celery_put(url: str, count: int) -> Found:
    """One after the other: Celery has no batches."""
    task = _celery(url).tasks["deliver"]
    task.delay(TEXT)  # connect
    return timed(lambda: [task.delay(TEXT) for _ in range(count)], count)


def celery_drain(url: str, count: int) -> Found:
    """A worker with a process for each core, from its first task taken until nothing is left or unacknowledged."""
    import redis

    celery_put(url, count - 1)
    client = redis.Redis.from_url(url)
    environment = {**os.environ, "BENCH_BROKER": url}
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "bench.outbox.peers",
        "worker",
        "--loglevel",
        "ERROR",
        "--without-gossip",
    ]
    command += ["--without-mingle", "--without-heartbeat", "--concurrency", str(os.cpu_count())]
    worker = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE
        while int(client.llen("celery")) == count:
            _pause(worker, deadline, 0.001)
        begun = time.perf_counter()
        while int(client.llen("celery")) or int(client.hlen("unacked")):
            _pause(worker, deadline, 0.01)
        return {"rate": count / (time.perf_counter() - begun)}
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(30)
        client.close()


def _pause(worker: subprocess.Popen[bytes], deadline: float, seconds: float) -> None:
    if worker.poll() is not None or time.monotonic() > deadline:
        raise Missing("Celery's worker does not work")
    time.sleep(seconds)


if __name__ == "__main__":
    name, given = sys.argv[1:]
    sys.stdout.write(json.dumps(globals()[name](**json.loads(given))) + "\n")
