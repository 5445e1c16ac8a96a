"""The standard library: `smtplib`, with messages of `email.message.EmailMessage`."""

from __future__ import annotations

import email.utils
import platform
import smtplib
import ssl
import sys
import threading
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

from bench import corpus
from bench.job import Command, Job


def version() -> str:
    """Python's."""
    return f"of Python {platform.python_version()}"


def _context(job: Job) -> ssl.SSLContext | None:
    return None if job.place.security == "none" else ssl.create_default_context(cafile=job.place.ca_file)


def _connect(job: Job, context: ssl.SSLContext | None) -> smtplib.SMTP:
    place = job.place
    if place.security == "tls":
        client: smtplib.SMTP = smtplib.SMTP_SSL(place.host, place.port, context=context)
    else:
        client = smtplib.SMTP(place.host, place.port)
    if place.security == "starttls":
        client.starttls(context=context)
    if place.login:
        client.login(*place.login)
    else:
        client.ehlo()
    return client


def finished(job: Job) -> None:
    """`sendmail`, with a thread for each connection."""
    octets = job.finished()

    def work(first: int) -> None:
        client = _connect(job, context)
        if job.connections == 1:
            job.mark()
        for number in range(first, job.messages, job.connections):
            client.sendmail(job.sender, [job.recipient], octets[number])
        client.quit()

    job.start()
    context = _context(job)
    if job.connections == 1:
        work(0)
        return
    threads = [threading.Thread(target=work, args=(first,)) for first in range(job.connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _message(subject: str, text: str) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = subject
    message["Date"], message["Message-ID"] = email.utils.localtime(), email.utils.make_msgid(domain="example.org")
    message.set_content(text)
    return message


def _note(number: int) -> EmailMessage:
    message = _message(f"{corpus.SUBJECT} {number}", corpus.BODY)
    message["From"], message["To"] = f"Ada <{corpus.SENDER}>", f"Grace <{corpus.RECIPIENT}>"
    return message


def composed(job: Job) -> None:
    """`EmailMessage` and `send_message`."""
    job.start()
    client = _connect(job, _context(job))
    for number in range(job.messages):
        client.send_message(_note(number))
    client.quit()


def _with_file(job: Job) -> EmailMessage:
    message = _message("A large file", corpus.SMALL)
    message["From"], message["To"] = job.sender, job.recipient
    octets = Path(job.file).read_bytes()
    message.add_attachment(octets, maintype="application", subtype="octet-stream", filename="file.bin")
    return message


def attached(job: Job) -> None:
    """`add_attachment` and `send_message`."""
    job.start()
    message = _with_file(job)
    client = _connect(job, _context(job))
    client.send_message(message)
    client.quit()


def built(job: Job) -> None:
    """`EmailMessage.as_bytes`."""
    rich, octets = corpus.Rich, b""
    job.start()
    for number in range(job.messages):
        message = _message(f"{rich.subject} {number}", rich.text)
        message["From"] = Address(rich.sender[0], addr_spec=rich.sender[1])
        message["To"] = Address(rich.recipient[0], addr_spec=rich.recipient[1])
        message.add_alternative(rich.html, subtype="html")
        message.add_attachment(rich.file, maintype="application", subtype="pdf", filename=rich.name)
        octets = message.as_bytes(policy=SMTP)
    job.stop()
    job.built(octets)


def addressed(job: Job) -> None:
    """One transaction: `send_message` takes the addresses from the header."""
    addresses = corpus.addresses(job.recipients)
    job.start()
    message = _message("Hello", corpus.SMALL)
    message["From"], message["To"] = job.sender, ", ".join(addresses)
    client = _connect(job, _context(job))
    client.send_message(message)
    client.quit()


def anew(job: Job) -> None:
    """The context for TLS is made once."""
    octets = job.finished()
    job.start()
    context = _context(job)
    for one in octets:
        client = _connect(job, context)
        client.sendmail(job.sender, [job.recipient], one)
        client.quit()


def process(job: Job) -> Command:
    """The script of the documentation."""
    place, secure, login = job.place, "", ""
    if place.security != "none":
        secure = f"import ssl\ncontext = ssl.create_default_context(cafile={place.ca_file!r})"
    opening = f"smtplib.SMTP({place.host!r}, {place.port})"
    if place.security == "tls":
        opening = f"smtplib.SMTP_SSL({place.host!r}, {place.port}, context=context)"
    if place.security == "starttls":
        login = "server.starttls(context=context); "
    if place.login:
        login += "server.login({!r}, {!r})".format(*place.login)
    program = f"""
import smtplib
{secure}
from email.message import EmailMessage
message = EmailMessage()
message["From"], message["To"], message["Subject"] = {job.sender!r}, {job.recipient!r}, "Hello"
message.set_content({corpus.SMALL!r})
with {opening} as server:
    {login}
    server.send_message(message)
"""
    return Command([sys.executable, "-c", program])
