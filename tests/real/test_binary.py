"""A file that may go as it is (BINARYMIME, RFC 3030) arrives at servers that do not take that, too: in base64."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from mailwright import Attachment, Message
from tests.real.test_delivery import SENDER, door, marked, reach, read, send, server
from tests.servers import RealServer

__all__ = ["door", "server"]
pytestmark = pytest.mark.real

FILE = random.Random(3).randbytes(300_000) + b"\r\n.\r\n\n\r\0"


def test_the_file_arrives_to_the_last_octet(door: str, server: RealServer, tmp_path: Path) -> None:
    path, mark = tmp_path / "data.bin", marked()
    path.write_bytes(FILE)
    message = Message(SENDER, SENDER, mark, "see file", attachments=Attachment(path, binary=True))
    receipt = send(door, reach(server), message)
    assert receipt.complete
    (attached,) = read(server.find(mark.encode())).iter_attachments()
    assert attached.get_payload(decode=True) == FILE
    offered = "BINARYMIME" in str(receipt.transcript).partition("MAIL FROM")[0]
    assert ("BODY=BINARYMIME" in str(receipt.transcript)) == offered
