"""Certificates for the servers: one authority for the whole run, made afresh, trusted by nobody else."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Certificate:
    """Files in PEM form. `chain_file` holds the private key and then the certificate."""

    chain_file: Path
    key_file: Path
    certificate_file: Path
    ca_file: Path


@functools.cache
def authority() -> trustme.CA:
    return trustme.CA()


def issue(folder: Path) -> Certificate:
    """A certificate for `localhost` and 127.0.0.1, written into `folder`."""
    issued = authority().issue_cert("localhost", "127.0.0.1")
    certificate = Certificate(
        chain_file=folder / "chain.pem",
        key_file=folder / "key.pem",
        certificate_file=folder / "certificate.pem",
        ca_file=folder / "ca.pem",
    )
    issued.private_key_and_cert_chain_pem.write_to_path(str(certificate.chain_file))
    issued.private_key_pem.write_to_path(str(certificate.key_file))
    certificate.certificate_file.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    authority().cert_pem.write_to_path(str(certificate.ca_file))
    return certificate
