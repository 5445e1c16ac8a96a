"""The messages: the same octets, texts and addresses for every sender."""

from __future__ import annotations

import random
from pathlib import Path

SENDER, RECIPIENT = "ada@example.org", "grace@example.net"
SUBJECT = "Minutes of the meeting"
SIZE = 2000  # octets of a finished message
DIFFERENT = 2000  # finished messages that differ; further ones are the same again

_WORDS = (
    "the message waits in a queue until its server answers and nobody can tell from outside whether the line is slow "
    "or the machine behind it has other work while letters with pictures and invoices go out"
).split()


def text(size: int, seed: int = 1) -> str:
    """About `size` characters of ASCII in lines of at most 72, each ended by LF; no line begins with a dot."""
    chosen, lines, line, length = random.Random(seed), list[str](), "", 0
    while length < size:
        word = chosen.choice(_WORDS)
        if len(line) + 1 + len(word) > 72:
            lines.append(line)
            length += len(line) + 2
            line = word
        else:
            line = f"{line} {word}".strip()
    return "\n".join(lines) + "\n"


BODY = text(1650)
SMALL = "One message, to see what it costs to send it.\n"


def finished(number: int) -> bytes:
    """One finished message of exactly `SIZE` octets: ASCII, CRLF. `number`, below 10⁶, tells it from others."""
    head = (
        f"From: Ada <{SENDER}>\r\nTo: Grace <{RECIPIENT}>\r\nSubject: {SUBJECT} {number:06d}\r\n"
        f"Date: Mon, 05 Jan 2026 10:00:00 +0000\r\nMessage-ID: <{number:06d}.bench@example.org>\r\n"
        "MIME-Version: 1.0\r\n"
        'Content-Type: text/plain; charset="us-ascii"\r\nContent-Transfer-Encoding: 7bit\r\n\r\n'
    )
    body = (BODY + BODY).replace("\n", "\r\n")[: SIZE - len(head) - 2]
    if body.endswith("\r"):  # cut between CR and LF
        body = body[:-1] + "."
    return f"{head}{body}\r\n".encode("ascii")


def all_finished(count: int) -> list[bytes]:
    """So many finished messages, the first `DIFFERENT` of which all differ."""
    first = [finished(number) for number in range(min(count, DIFFERENT))]
    return (first * (count // len(first) + 1))[:count] if first else []


def addresses(count: int) -> list[str]:
    """So many recipients, with names, as an address book has them."""
    return [f"Grace {n} <grace.{n}@mail{n % 97}.example.org>" for n in range(count)]


def blank_file(path: Path, size: int) -> Path:
    """A file of `size` random octets (the first MiB again and again), made if it is not there."""
    if not path.exists() or path.stat().st_size != size:
        block = random.Random(size).randbytes(1 << 20)
        with path.open("wb") as file:
            for at in range(0, size, len(block)):
                file.write(block[: size - at])
    return path


class Rich:
    """A message with text, HTML and a file of 20 kB, with names and words outside ASCII."""

    subject = "Grüße aus Köln – 日本語の件名, отчёт за неделю"
    sender = ("Jürgen Groß", "juergen@example.org")
    recipient = ("Анна Петрова", "anna@example.net")
    text = "Liebe Anna,\n\n" + "Die Lieferung kam früher als gedacht: отчёт о ней прилагается.\n" * 13
    html = "<h1>Grüße</h1>\n" + "<p>Die Lieferung kam früher als gedacht: <b>отчёт</b> прилагается.</p>\n" * 14
    name = "Übersicht-отчёт.pdf"
    file = random.Random(7).randbytes(20_000)
