"""What bounds the opening of a connection: STARTTLS, a checked certificate, a login, one message of 2 kB, QUIT.

    python bench/opening.py

Beside smtplib and mailwright stand two programs that can't be had for less in this Python: `handshake` makes the TLS
handshake and hangs up, `bare` says the whole dialogue over an `ssl.SSLSocket`, its commands written out and its replies
not read but received. All run in turns in this process, on one processor, and the server on another where there are
two. Printed are microseconds a connection, medians: by the clock, of this process, and of the server.
"""

from __future__ import annotations

import os
import ssl
import statistics
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from socket import create_connection

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))

from bench import corpus, senders, sink
from bench.conditions import conditions
from bench.job import Job

ROUNDS, CONNECTIONS = 15, 50


def begun(job: Job, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
    """An encrypted connection."""
    sock = create_connection((job.place.host, job.place.port))
    sock.recv(1000)
    for line in (b"EHLO [127.0.0.1]\r\n", b"STARTTLS\r\n"):
        sock.sendall(line)
        sock.recv(1000)
    return context.wrap_socket(sock, server_hostname=job.place.host, session=session)


def handshake(job: Job) -> None:
    """A whole handshake, and no more."""
    job.start()
    context = ssl.create_default_context(cafile=job.place.ca_file)
    for _ in range(job.messages):
        begun(job, context).close()


def bare(job: Job) -> None:
    """The whole dialogue; `resumed`: with the TLS session of the first connection."""
    octets = job.finished()
    login = b64encode("\0".join(("", *(job.place.login or ()))).encode())
    envelope = f"MAIL FROM:<{job.sender}>\r\nRCPT TO:<{job.recipient}>\r\n".encode()
    session: ssl.SSLSession | None = None
    job.start()
    context = ssl.create_default_context(cafile=job.place.ca_file)
    for one in octets:
        talk = begun(job, context, session)
        content = b"BDAT %d LAST\r\n%b" % (len(one), one)
        for said in (b"EHLO [127.0.0.1]\r\n", b"AUTH PLAIN %b\r\n" % login, envelope, content, b"QUIT\r\n"):
            talk.sendall(said)
            talk.recv(1000)
        if "resumed" in job.options:
            session = session or talk.session
        talk.close()


ACTS: dict[str, Callable[[Job], None]] = {
    "handshake": handshake,
    "bare": bare,
    "bare:resumed": bare,
    "smtplib": senders.find("smtplib").act("anew"),
    "mailwright": senders.find("mailwright").act("anew"),
    "mailwright:resumed": senders.find("mailwright").act("anew"),
}


def stay(process: int, processor: int) -> None:
    """Keep a process, with its threads, on one processor, where the system has that and there are two."""
    if hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > processor:
        for thread in os.listdir(f"/proc/{process}/task"):
            os.sched_setaffinity(int(thread), {processor})


def measured(server: sink.Sink) -> dict[str, list[tuple[float, float, float]]]:
    """Of each: seconds by the clock, of this process and of the server, for one connection, round by round."""
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ACTS}
    for number in range(ROUNDS + 1):
        for name, act in ACTS.items():
            options = {"resumed": ""} if name.endswith(":resumed") else {}
            job = Job(server.place, CONNECTIONS, "", options=options)
            earlier = server.count()
            act(job)
            report, taken = job.report(), server.count().since(earlier)
            if name != "handshake" and taken.messages < CONNECTIONS:
                raise SystemExit(f"{name} lost messages")
            if number:  # the first warms everything up
                found[name].append((report["wall"], report["cpu"], taken.cpu))
    return found


def main() -> None:
    """Measure, and print a line for each."""
    with sink.certified() as certificate, sink.running(certificate=certificate) as server:
        stay(server.process, 1)
        stay(os.getpid(), 0)
        found = measured(server)
    sys.stdout.write(f"{conditions()}, {ROUNDS} rounds of {CONNECTIONS} connections, {corpus.SIZE} octets\n")
    sys.stdout.write(f"{'':20}{'clock':>8}{'process':>9}{'server':>8}{'× smtplib':>11}\n")
    least = statistics.median(wall for wall, _, _ in found["smtplib"])
    for name, rounds in found.items():
        wall, cpu, other = (statistics.median(one) for one in zip(*rounds, strict=True))
        each = [seconds / CONNECTIONS * 1e6 for seconds in (wall, cpu, other)]
        sys.stdout.write(f"{name:20}{each[0]:8.0f}{each[1]:9.0f}{each[2]:8.0f}{least / wall:11.2f}\n")


if __name__ == "__main__":
    main()
