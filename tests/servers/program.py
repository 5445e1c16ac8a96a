"""Servers that are a library and a short program of ours, which stands beside the module of the server.

The program is told everything by one argument in JSON, stores each message as a file in `folder/new` under
its number, and ends when its standard input ends.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers import DEFERRED, HOST, PASSWORD, REJECTED, TOKEN, USER, RealServer, certificates
from tests.servers.process import free_ports, living

SIZE = 10_240_000  # octets, as Postfix has it


@contextmanager
def running(
    folder: Path, name: str, command: Sequence[str], features: frozenset[str], mechanisms: Sequence[str]
) -> Iterator[RealServer]:
    port, tls_port = free_ports(2)
    certificate = certificates.issue(folder)
    stored = folder / "new"
    stored.mkdir()
    settings = {
        "folder": str(folder),
        "host": HOST,
        "port": port,
        "tls_port": tls_port,
        "key": str(certificate.key_file),
        "certificate": str(certificate.certificate_file),
        "mechanisms": list(mechanisms),
        "size": SIZE,
        "user": USER,
        "password": PASSWORD,
        "token": TOKEN,
        "rejected": REJECTED,
        "deferred": DEFERRED,
    }
    with living([*command, json.dumps(settings)], folder / "console.log", [port]):
        yield RealServer(
            name=name,
            host=HOST,
            port=port,
            tls_port=tls_port,
            security="starttls",
            stored=lambda: [file.read_bytes() for file in sorted(stored.iterdir())],
            features=features,
            mechanisms=frozenset(mechanisms),
            ca_file=certificate.ca_file,
            user=USER,
            password=PASSWORD,
            token=TOKEN if "XOAUTH2" in mechanisms else None,
        )
