"""How long an inbox of 100,000 messages takes to show its list, to search, and to wait, in memory and in a file.

    python bench/searching.py

Words are drawn from 5,000, some often and most seldom. Printed are the median and the worst time of each question, in
milliseconds, and how long it took to fill the store.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator

from conditions import conditions

from mailwright.inbox.store import Store
from mailwright.smtp.receiving import Received
from mailwright.words.envelope import Envelope

COUNT = 100_000
RUNS = 7
QUESTIONS = (
    "",
    "seldom",
    "invoice",
    "inv",
    "i",
    "-invoice",
    '"your invoice"',
    "invoice w17",
    "from:ada",
    "from:ada17@example.org",
    "to:bob123@example.net",
    "subject:order has:attachment",
    "is:unread invoice",
    "after:2020-01-01 w42",
    "size>100kb",
    "☃",
    "日本",
)


def messages() -> Iterator[Received]:
    """The same messages in every run."""
    chance = random.Random(20261120)
    words = [f"w{n}" for n in range(5000)]
    weights = [1 / (n + 1) for n in range(5000)]
    for number in range(COUNT):
        text = " ".join(chance.choices(words, weights, k=60))
        if number % 3 == 0:
            text += " your invoice is there"
        if number == COUNT // 2:
            text += " seldom"
        head = f"From: Ada <ada{number % 50}@example.org>\r\nTo: Bob <bob{number}@example.net>"
        content = (
            f"{head}\r\nSubject: Order {number}\r\nDate: Fri, 20 Nov 2026 12:00:00 +0000\r\n\r\n{text}\r\n".encode()
        )
        yield Received(Envelope.of(f"ada{number % 50}@example.org", f"bob{number}@example.net"), content)


def filled(store: Store) -> float:
    """Seconds that it takes to put all in, in groups as they arrive together."""
    waiting, begin = list(messages()), time.perf_counter()
    for start in range(0, COUNT, 4):
        store.add_all(waiting[start : start + 4])
    store.count("w1")
    return time.perf_counter() - begin


def milliseconds(store: Store, question: str) -> tuple[list[float], list[float], int]:
    """The times of the first page of what is found, and of the number of all."""
    pages, counts, found = [], [], 0
    for _ in range(RUNS):
        begin = time.perf_counter()
        store.rows(question, limit=50)
        middle = time.perf_counter()
        found = store.count(question)
        pages.append((middle - begin) * 1000)
        counts.append((time.perf_counter() - middle) * 1000)
    return pages, counts, found


def main() -> None:
    """Measure, and print a line for each question."""
    say = sys.stdout.write
    say(f"{conditions()}, {COUNT:,} messages, {RUNS} runs\n")
    with tempfile.TemporaryDirectory() as folder:
        for name, path in (("memory", None), ("a file", os.path.join(folder, "inbox.sqlite"))):
            with Store.open(path, limit=COUNT, size_limit=1 << 40) as store:
                say(f"\nin {name}, filled in {filled(store):.1f} s\n")
                say(f"{'':34}{'found':>8}{'page':>9}{'worst':>9}{'count':>9}\n")
                for question in QUESTIONS:
                    pages, counts, found = milliseconds(store, question)
                    times = (statistics.median(pages), max(pages), statistics.median(counts))
                    say(f"{question or '(all)':34}{found:8,}" + "".join(f"{ms:9.1f}" for ms in times) + "\n")


if __name__ == "__main__":
    main()
