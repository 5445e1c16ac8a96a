"""The turnstile lets one thread in at a time, and wakes who waits, the first first."""

from __future__ import annotations

import threading
import time

from mailwright.drivers.turnstile import Turnstile


def start(act: object) -> threading.Thread:
    thread = threading.Thread(target=act, daemon=True)  # type: ignore[arg-type]
    thread.start()
    return thread


def until_waiting(gate: Turnstile, count: int) -> None:
    while True:
        with gate:
            if len(gate._waiters) == count:
                return
        time.sleep(0.001)


def test_nobody_else_is_inside() -> None:
    gate, total = Turnstile(), 0

    def work() -> None:
        nonlocal total
        for _ in range(2000):
            with gate:
                before = total
                total = before + 1

    for thread in [start(work) for _ in range(4)]:
        thread.join(20)
    assert total == 8000


def test_who_waited_longest_goes_first() -> None:
    gate, free, order = Turnstile(), 0, []

    def work(name: int) -> None:
        nonlocal free
        with gate:
            assert gate.wait_for(lambda: free > 0, 20)
            free -= 1
            order.append(name)

    threads = []
    for name in range(4):
        threads.append(start(lambda name=name: work(name)))
        until_waiting(gate, name + 1)
    for name, thread in enumerate(threads):
        with gate:
            free += 1
            gate.notify()
        thread.join(20)
        assert order == list(range(name + 1))


def test_everybody_is_woken() -> None:
    gate, closed, told = Turnstile(), False, []

    def work() -> None:
        with gate:
            told.append(gate.wait_for(lambda: closed, None))

    threads = [start(work) for _ in range(5)]
    until_waiting(gate, 5)
    with gate:
        closed = True
        gate.notify_all()
    for thread in threads:
        thread.join(20)
    assert told == [True] * 5


def test_in_vain_and_at_once() -> None:
    gate = Turnstile()
    with gate:
        assert gate.wait_for(lambda: False, 0.02) is False
        assert gate.wait_for(lambda: False, 0) is False
        assert gate.wait_for(lambda: True, 0) is True
        gate.notify()  # nobody listens
        assert gate._waiters == []


def test_who_is_woken_for_nothing_waits_on() -> None:
    gate, open_ = Turnstile(), False
    told: list[bool] = []

    def work() -> None:
        with gate:
            told.append(gate.wait_for(lambda: open_, 20))

    thread = start(work)
    for _ in range(3):
        until_waiting(gate, 1)
        with gate:
            gate.notify()
    until_waiting(gate, 1)
    assert told == []
    with gate:
        open_ = True
        gate.notify()
    thread.join(20)
    assert told == [True]
