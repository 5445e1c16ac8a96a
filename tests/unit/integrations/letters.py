"""Writes a newsletter into an outbox, and is killed on the way: run as a program with the outbox and the number."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from mailwright import Message
from mailwright.outbox import Outbox, Put


def letters(count: int) -> Iterator[Put]:
    """One for each reader, with what large providers ask for (RFC 8058)."""
    for number in range(count):
        message = Message(
            "News <news@example.org>",
            f"reader{number}@example{number % 50}.net",
            "News of November",
            f"Dear reader {number}, …",
            headers={
                "List-Unsubscribe": f"<https://news.example.org/leave/{number}>",
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            },
        )
        if number % 1000 == 0:
            print(number, flush=True)
        yield Put(message, key=f"november-{number}")


if __name__ == "__main__":
    with Outbox(sys.argv[1]) as outbox:
        ids = outbox.put_many(letters(int(sys.argv[2])), stream="newsletter", lane="bulk")
        print("done", len(ids), len(set(ids)))
