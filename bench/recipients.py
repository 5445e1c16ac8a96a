"""One message to 10,000 recipients: built, addressed, set in type and sent, here and with the standard library.

    python bench/recipients.py

The recipients stand in the To field. The server is an `Inbox` in a process of its own, on the loopback interface. Both
sides take turns; printed are the least and the median time of each stage.
"""

from __future__ import annotations

import multiprocessing
import smtplib
import statistics
import sys
import time
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import getaddresses
from itertools import pairwise
from multiprocessing.connection import Connection

from conditions import conditions

from mailwright import Inbox, Mailer, Message, Server
from mailwright.inbox import Rules

COUNT = 10_000  # recipients
RUNS = 7
STAGES = ("built", "addressed", "octets", "sent", "all of it")
SENDER = "ada@example.org"


def recipients() -> list[str]:
    """Addresses with a name, as an address book has them."""
    return [f"Grace {n} <grace.{n}@mail{n % 97}.example.org>" for n in range(COUNT)]


def serve(pipe: Connection) -> None:
    """An inbox that takes so many recipients at once, until it is told to stop."""
    with Inbox(tls=False, rules=Rules(recipients=COUNT), limit=2) as inbox:
        pipe.send(inbox.server.port)
        pipe.recv()


def ours(port: int, to: list[str]) -> list[float]:
    """The moments at which each stage was done."""
    moments = [time.perf_counter()]
    message = Message(SENDER, to, "Hello", "Hi!")
    moments.append(time.perf_counter())
    assert len(message.envelope().recipients) == COUNT
    moments.append(time.perf_counter())
    assert len(bytes(message)) > COUNT
    moments.append(time.perf_counter())
    with Mailer(Server("127.0.0.1", port, "none")) as mailer:
        assert len(mailer.send(message).accepted) == COUNT
    moments.append(time.perf_counter())
    return moments


def theirs(port: int, to: list[str]) -> list[float]:
    """The same with `email` and `smtplib`."""
    moments = [time.perf_counter()]
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = SENDER, ", ".join(to), "Hello"
    message.set_content("Hi!")
    moments.append(time.perf_counter())
    addresses = [address for _, address in getaddresses([message["To"]])]
    assert len(addresses) == COUNT
    moments.append(time.perf_counter())
    assert len(bytes(message)) > COUNT
    moments.append(time.perf_counter())
    with smtplib.SMTP("127.0.0.1", port) as server:
        assert server.send_message(message, SENDER, addresses) == {}
    moments.append(time.perf_counter())
    return moments


SIDES: dict[str, Callable[[int, list[str]], list[float]]] = {"mailwright": ours, "email and smtplib": theirs}


def stages(moments: list[float]) -> list[float]:
    """Milliseconds of each stage, and of all."""
    between = [(after - before) * 1000 for before, after in pairwise(moments)]
    return [*between, sum(between)]


def measured() -> dict[str, list[list[float]]]:
    """The stages of every run of each side, which take turns."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(there,))
    server.start()
    port, to = here.recv(), recipients()
    found: dict[str, list[list[float]]] = {name: [] for name in SIDES}
    for _ in range(RUNS):
        for name, side in SIDES.items():
            found[name].append(stages(side(port, to)))
    here.send(None)
    server.join()
    return found


def main() -> None:
    """Measure, and print two lines for each side."""
    found = measured()
    sys.stdout.write(f"{COUNT:,} recipients, {conditions()}, {RUNS} runs of each; milliseconds\n")
    sys.stdout.write(f"{'':26}" + "".join(f"{stage:>11}" for stage in STAGES) + "\n")
    for name, runs in found.items():
        for what, of in (("least", min), ("median", statistics.median)):
            figures = "".join(f"{of(column):11.1f}" for column in zip(*runs, strict=True))
            sys.stdout.write(f"{name + ', ' + what:26}{figures}\n")


if __name__ == "__main__":
    main()
