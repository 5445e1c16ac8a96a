"""How long it takes to build a message and to write its octets, beside the ``email`` package.

    python bench/building.py [--runs 7] [--nodemailer FOLDER] [--without-pybase64]

Processor time of one process, medians, all builders in turns, so that a slow moment of the machine hits all of them.
FOLDER is where ``npm install nodemailer`` was run; what Node takes is its own processor time. The rows:

plain       a text of 1.6 kB in ASCII, from one to one, until the octets are there that go to the server
rich        text and HTML outside ASCII, names, and a file of 20 kB with a name outside ASCII; nothing shared
rich again  the same with one `Attachment` for all messages
raw         finished octets of 2 kB with their envelope, until they are known to be fit to be sent
file        a file of 25 MB, attached by its path, until all octets were produced; in MB of the file a second
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from email.headerregistry import Address as EmailAddress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import localtime, make_msgid
from itertools import cycle

from conditions import conditions

COUNTS = {"plain": 400, "rich": 80, "raw": 400}  # messages of one run; the `email` package builds a fifth of them
FILE = 25_000_000  # octets

SENDER, RECIPIENT = "ada@example.org", "grace@example.net"
PLAIN = "The minutes of last week's meeting are below, as you asked for.\n" * 26
NAMES = ("Jürgen Groß", "Анна Петрова")
SUBJECT = "Grüße aus Köln – 日本語の件名, отчёт за неделю"
TEXT = "Liebe Anna,\n\n" + "Die Lieferung kam früher als gedacht: отчёт о ней прилагается.\n" * 13
HTML = "<h1>Grüße</h1>\n" + "<p>Die Lieferung kam früher als gedacht: <b>отчёт</b> прилагается.</p>\n" * 14
NAME = "Übersicht-отчёт.pdf"
BLOB = random.Random(1).randbytes(20_000)
COPIES = cycle([bytes(bytearray(BLOB)) for _ in range(400)])  # more than are kept: none is found again
RAW = (
    f"From: Ada <{SENDER}>\r\nTo: <{RECIPIENT}>\r\nSubject: Minutes\r\nDate: Mon, 05 Jan 2026 10:00:00 +0000\r\n"
    f"Message-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n\r\n{PLAIN}".replace("\r\n", "\n").replace("\n", "\r\n")
).encode()


def builders() -> dict[str, dict[str, Callable[[int], object]]]:
    """For each row the names of the builders, and what builds the message of a number."""
    from mailwright import Attachment, Message
    from mailwright.mailer.outgoing import outgoing_mail
    from mailwright.words.envelope import Envelope

    shared = Attachment(BLOB, NAME)
    envelope = Envelope.of(SENDER, RECIPIENT)

    def plain(number: int) -> object:
        message = Message(f"Ada <{SENDER}>", f"Grace <{RECIPIENT}>", f"Minutes {number}", PLAIN)
        mail = outgoing_mail(message, None, None)
        return mail.envelope, bytes(mail.content_for(True))

    def rich(number: int, attached: object = None) -> bytes:
        people = [(NAMES[0], SENDER), (NAMES[1], RECIPIENT)]
        attached = attached or {NAME: next(COPIES)}
        return bytes(
            Message(*people, f"{SUBJECT} {number}", f"{TEXT}{number}\n", f"{HTML}{number}\n", attachments=attached)
        )

    return {
        "plain": {"mailwright": plain, "email": email_plain},
        "rich": {"mailwright": rich, "mailwright again": lambda number: rich(number, shared), "email": email_rich},
        "raw": {"mailwright": lambda _: outgoing_mail((envelope, RAW), None, None).content_for(True)},
    }


def email_message(number: int, subject: str, text: str) -> EmailMessage:
    """The fields and the text that both messages of the `email` package have."""
    message = EmailMessage()
    message["Subject"] = f"{subject} {number}"
    message["Date"], message["Message-ID"] = localtime(), make_msgid(domain="example.org")
    message.set_content(text)
    return message


def email_plain(number: int) -> bytes:
    """The row `plain`."""
    message = email_message(number, "Minutes", PLAIN)
    message["From"], message["To"] = f"Ada <{SENDER}>", f"Grace <{RECIPIENT}>"
    return message.as_bytes(policy=SMTP)


def email_rich(number: int) -> bytes:
    """The row `rich`."""
    message = email_message(number, SUBJECT, f"{TEXT}{number}\n")
    message["From"] = EmailAddress(NAMES[0], addr_spec=SENDER)
    message["To"] = EmailAddress(NAMES[1], addr_spec=RECIPIENT)
    message.add_alternative(f"{HTML}{number}\n", subtype="html")
    message.add_attachment(BLOB, maintype="application", subtype="pdf", filename=NAME)
    return message.as_bytes(policy=SMTP)


NODE = """
const path = require('path'), fs = require('fs');
const { folder, names, sender, recipient, subject, text, html, name, blob, count } = JSON.parse(fs.readFileSync(0));
const load = () => {
    const lib = path.join(folder, 'node_modules', 'nodemailer');
    for (const place of ['lib/mail-composer', 'dist/cjs/mail-composer'])
        try { const it = require(path.join(lib, place)); return it.default || it.MailComposer || it; } catch (e) {}
    throw new Error('no nodemailer in ' + folder);
};
const Composer = load(), content = Buffer.from(blob, 'hex');
const build = i => new Promise((done, fail) => new Composer({
    from: { name: names[0], address: sender }, to: { name: names[1], address: recipient }, newline: 'windows',
    subject: subject + ' ' + i, text: text + i + '\\n', html: html + i + '\\n',
    attachments: [{ filename: name, content, contentType: 'application/pdf' }],
}).compile().build((error, octets) => error ? fail(error) : done(octets)));
(async () => {
    for (let i = 0; i < 300; i++) await build(i);
    const before = process.cpuUsage();
    for (let i = 0; i < count; i++) await build(i);
    const used = process.cpuUsage(before);
    console.log((used.user + used.system) / count);
})();
"""


def node_rich(folder: str) -> float:
    """Microseconds that nodemailer takes for a message of the row `rich`."""
    job = {"folder": os.path.abspath(folder), "names": NAMES, "sender": SENDER, "recipient": RECIPIENT}
    job |= {"subject": SUBJECT, "text": TEXT, "html": HTML, "name": NAME, "blob": BLOB.hex(), "count": 1000}
    done = subprocess.run(["node", "-e", NODE], input=json.dumps(job), capture_output=True, text=True, check=True)
    return float(done.stdout)


def attach(path: str) -> None:
    """What the process does that `file` starts: print MB a second and, where the system tells, kB of memory more."""
    from mailwright import Message
    from mailwright.mailer.outgoing import outgoing_mail

    def peak() -> int:
        try:
            with open("/proc/self/status", encoding="ascii") as status:
                return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
        except OSError:
            return 0

    def produce(*attached: str) -> None:
        mail = outgoing_mail(Message(SENDER, RECIPIENT, "A file", PLAIN, attachments=attached), None, None)
        for _ in mail.content_for(True).chunks():
            pass

    produce()
    before, start = peak(), time.process_time()
    produce(path)
    seconds = time.process_time() - start
    sys.stdout.write(f"{os.path.getsize(path) / seconds / 1e6} {peak() - before}")


def in_own_process(path: str, quick: bool) -> tuple[float, float]:
    """MB a second and kB of memory, measured in a process that does nothing else."""
    command = [sys.executable, __file__, "--attach", path]
    done = subprocess.run(command + ["--without-pybase64"] * (not quick), capture_output=True, text=True, check=True)
    speed, memory = done.stdout.split()
    return float(speed), float(memory)


def micro(build: Callable[[int], object], count: int) -> float:
    """Microseconds of processor time for a message."""
    build(0)
    start = time.process_time()
    for number in range(count):
        build(number)
    return (time.process_time() - start) / count * 1e6


def email_file(path: str) -> float:
    """MB a second of the `email` package, which holds all of the file and of its encoded form."""
    start = time.process_time()
    message = email_message(0, "A file", PLAIN)
    with open(path, "rb") as file:
        message.add_attachment(file.read(), maintype="application", subtype="octet-stream", filename="file")
    message.as_bytes(policy=SMTP)
    return FILE / (time.process_time() - start) / 1e6


def measure_messages(runs: int, nodemailer: str | None) -> None:
    """Print a line for each row and builder."""
    for row, found in builders().items():
        times: dict[str, list[float]] = {name: [] for name in found}
        for _ in range(runs):
            for name, build in found.items():
                times[name].append(micro(build, COUNTS[row] // (5 if name == "email" else 1)))
            if nodemailer and row == "rich":
                times.setdefault("nodemailer", []).append(node_rich(nodemailer))
        medians = {name: statistics.median(measured) for name, measured in times.items()}
        for name, median in medians.items():
            peers = {peer: other / median for peer, other in medians.items() if peer in ("email", "nodemailer")}
            ratios = [f"{ratio:5.1f} x {peer}" for peer, ratio in peers.items()]
            shown = "   ".join(ratios) if name.startswith("mailwright") else ""
            sys.stdout.write(f"{row:6}{name:18}{median:9.1f} µs   {shown}\n")


def measure_file(runs: int) -> None:
    """Print the lines of the row `file`."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "file")
        with open(path, "wb") as file:
            file.write(random.Random(2).randbytes(FILE))
        quick, standard = [], []
        theirs = []
        for _ in range(runs):
            standard.append(in_own_process(path, False))
            quick.append(in_own_process(path, True))
            theirs.append(email_file(path))
    base = statistics.median(theirs)
    for name, found in (("mailwright", standard), ("with pybase64", quick)):
        speed, memory = (statistics.median(column) for column in zip(*found, strict=True))
        sys.stdout.write(
            f"file  {name:18}{speed:9.0f} MB/s {speed / base:5.1f} x email   {memory / 1000:.1f} MB of memory\n"
        )
    sys.stdout.write(f"file  {'email':18}{base:9.0f} MB/s\n")


def main() -> None:
    """Measure, and print a line for each row and builder."""
    arguments = argparse.ArgumentParser(description="How long it takes to build a message.")
    arguments.add_argument("--runs", type=int, default=7)
    arguments.add_argument("--nodemailer", metavar="FOLDER")
    arguments.add_argument("--without-pybase64", action="store_true")
    arguments.add_argument("--attach", metavar="PATH", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.without_pybase64:
        sys.modules["pybase64"] = None  # type: ignore[assignment]  # as if it were not installed
    if given.attach:
        attach(given.attach)
        return
    sys.stdout.write(f"{conditions()}; medians of {given.runs}\n")
    measure_messages(given.runs, given.nodemailer)
    measure_file(given.runs)


if __name__ == "__main__":
    main()
