"""msmtp (C), the usual replacement for sendmail; it takes a finished message from standard input."""

from __future__ import annotations

from pathlib import Path

from bench import corpus
from bench.job import Command, Job
from bench.senders import Tool

EXTERNAL = True

_TOOL = Tool("msmtp", "msmtp", "clients")
version = _TOOL.version


def process(job: Job) -> Command:
    """One message of 2 kB."""
    place, folder = job.place, Path(job.folder)
    message, settings = folder / "msmtp.eml", folder / "msmtp.conf"
    message.write_bytes(corpus.finished(1).replace(b"\r\n", b"\n"))
    lines = ["defaults", f"host {place.host}", f"port {place.port}", f"from {job.sender}"]
    if place.security != "none":
        lines += ["tls on", f"tls_starttls {'on' if place.security == 'starttls' else 'off'}"]
        lines += [f"tls_trust_file {place.ca_file}"] if place.ca_file else []
    if place.login:
        lines += ["auth plain", f"user {place.login[0]}", f"password {place.login[1]}"]
    settings.write_text("\n".join([*lines, "account default", ""]), "utf-8")
    settings.chmod(0o600)
    return _TOOL.command("-C", str(settings), job.recipient, stdin=str(message))
