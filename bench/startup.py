"""What it costs to start: a program that imports mailwright, and one that sends a message, beside the standard library.

    python bench/startup.py

Every program is a process of its own, run in turns with the others from an empty directory with a cache of byte code
that is warm. Printed are the least and the median time, and how much more than the bare interpreter that is. The
server is in this process, on the loopback interface; the last two programs speak TLS with it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time

from conditions import conditions

from mailwright import Inbox

RUNS = 31

OURS = """
from mailwright import Mailer, Message
with Mailer({url!r}) as mailer:
    mailer.send(Message("ada@example.org", "grace@example.net", "Hello", "Hi!"))
"""
THEIRS = """
import smtplib, ssl
from email.message import EmailMessage
message = EmailMessage()
message["From"], message["To"], message["Subject"] = "ada@example.org", "grace@example.net", "Hello"
message.set_content("Hi!")
with smtplib.SMTP("127.0.0.1", {port}) as server:
    if {ca_file!r}:
        server.starttls(context=ssl.create_default_context(cafile={ca_file!r}))
    server.send_message(message)
"""


def programs(plain: Inbox, encrypted: Inbox) -> dict[str, str]:
    """What is measured, by name."""
    found = {
        "bare interpreter": "pass",
        "from mailwright import Message, Mailer": "from mailwright import Message, Mailer",
        "import smtplib, email.message": "import smtplib, email.message",
    }
    for name, inbox in (("", plain), (" over TLS", encrypted)):
        port, ca_file = inbox.server.port, inbox.server.tls.ca_file or ""
        found[f"one message{name}, mailwright"] = OURS.format(url=inbox.url)
        found[f"one message{name}, smtplib and email"] = THEIRS.format(port=port, ca_file=ca_file)
    return found


def seconds(program: str, directory: str, environ: dict[str, str]) -> float:
    """How long a process with that program takes, from its start to its end."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], cwd=directory, env=environ, check=True)
    return time.perf_counter() - begin


def measured(programs: dict[str, str]) -> dict[str, list[float]]:
    """The times of each program, which take turns."""
    environ = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    times: dict[str, list[float]] = {name: [] for name in programs}
    with tempfile.TemporaryDirectory() as cache, tempfile.TemporaryDirectory() as empty:
        environ["PYTHONPYCACHEPREFIX"] = cache
        for run in range(RUNS + 2):
            for name, program in programs.items():
                taken = seconds(program, empty, environ)
                if run >= 2:  # the first two warm the cache
                    times[name].append(taken)
    return times


def main() -> None:
    """Measure, and print a line for each program."""
    with Inbox(tls=False) as plain, Inbox(tls=True) as encrypted:
        times = measured(programs(plain, encrypted))
    sys.stdout.write(f"{conditions()}, {RUNS} runs of each; milliseconds, and beyond the bare interpreter\n")
    sys.stdout.write(f"{'':42}{'least':>8}{'':>8}{'median':>8}{'':>8}\n")
    bare = times["bare interpreter"]
    for name, taken in times.items():
        least, median = min(taken) * 1000, statistics.median(taken) * 1000
        more, usual = least - min(bare) * 1000, median - statistics.median(bare) * 1000
        sys.stdout.write(f"{name:42}{least:8.1f}{more:+8.1f}{median:8.1f}{usual:+8.1f}\n")


if __name__ == "__main__":
    main()
