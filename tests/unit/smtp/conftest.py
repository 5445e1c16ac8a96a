"""Certificates for the dialogues over TLS; `secured` uses them."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA (ca.pem), the server's certificate with its key (server.pem) and alone (certificate.pem), and a client's."""
    import trustme  # for those who ask for certificates alone: the other dialogues do without

    made = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(made / "ca.pem"))
    issued.private_key_and_cert_chain_pem.write_to_path(str(made / "server.pem"))
    issued.cert_chain_pems[0].write_to_path(str(made / "certificate.pem"))
    authority.issue_cert("ada@example.org").private_key_and_cert_chain_pem.write_to_path(str(made / "client.pem"))
    return made
