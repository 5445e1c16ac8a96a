"""Attachments as they are (BINARYMIME, RFC 3030): only when asked for and offered, the same octets by every way, and never
a whole message when the file changed.
"""

from __future__ import annotations

import os
import random
import re
from pathlib import Path
from typing import Any

import pytest

from mailwright import AsyncMailer, Attachment, Mailer, Message
from mailwright.errors import MessageError
from mailwright.mailer.outgoing import outgoing_mail
from mailwright.message.content import Content
from mailwright.options import Limits
from tests.dialogue import ANYTHING, C, Chunk, Do, HangUp, Rest, S, hello, send
from tests.dialogue import Content as Dotted
from tests.unit.drivers.driving import run_in
from tests.unit.mailer.test_split_messages import Narrow, Narrows
from tests.unit.smtp.secured import server as secure_server
from tests.unit.smtp.secured import upgraded

OFFERS = ("CHUNKING", "8BITMIME", "BINARYMIME")
SOCKETS = ("sync", "aio", "trio")
#: Everything that text could not hold: bare CR and LF, dots, NUL, something like a boundary.
ODD = b"\r\n.\r\n\r\n--=_m_x\r\n\n\r.\0\xff" * 100
RANDOM = random.Random(5).randbytes(3_000_000) + ODD


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "data.bin"
    made.write_bytes(RANDOM)
    return made


def letter(*attached: Attachment, **fields: Any) -> Message:
    return Message("ada@example.org", "bob@example.org", "Hi", "Grüße\n", attachments=attached, **fields)


def taking(chunk: Chunk, *, mail: str = "MAIL FROM:<ada@example.org> BODY=BINARYMIME") -> list[Any]:
    """A server that takes one message by BDAT."""
    return [C(mail), S("250 ok"), C(ANYTHING), S("250 ok"), chunk, S("250 taken")]


def parts(octets: bytes) -> list[tuple[bytes, bytes]]:
    """The head and the body of each part of a multipart message, read by the letter of RFC 2046."""
    boundary = re.search(rb'boundary="([^"]+)"', octets)
    assert boundary is not None
    delimiter = b"\r\n--" + boundary[1]
    inside, end, behind = octets.rpartition(delimiter + b"--\r\n")
    assert end and not behind
    return [
        (head, body)
        for part in inside.split(delimiter + b"\r\n")[1:]
        for head, _, body in [part.partition(b"\r\n\r\n")]
    ]


@pytest.mark.parametrize("stage", ["memory", *SOCKETS])
def test_a_file_arrives_as_it_is(path: Path, stage: str) -> None:
    chunk = Chunk()
    mail = outgoing_mail(letter(Attachment(path, binary=True)), None, None)
    played = send([*hello(*OFFERS), *taking(chunk)], stage=stage, mail=mail)
    assert played.result.complete and played.result.size == len(chunk.octets)
    (text, said), (head, file) = parts(chunk.octets)
    assert file == RANDOM and b"\r\nContent-Transfer-Encoding: binary" in head
    assert said == "Grüße\r\n".encode() and b"Content-Transfer-Encoding: 8bit" in text
    # RFC 2045 §6.4: the whole says that there are binary parts within.
    assert b"\r\nContent-Transfer-Encoding: binary" in chunk.octets.partition(b"\r\n\r\n")[0]
    assert b'filename="data.bin"' in head and b"Content-Type: application/octet-stream" in head


def test_octets_and_inline_parts_as_well(path: Path) -> None:
    chunk = Chunk()
    message = letter(
        Attachment(ODD, "odd.bin", binary=True),
        html='<img src="cid:logo">',
        inline=Attachment(path, "logo.png", cid="logo", binary=True),
    )
    send([*hello(*OFFERS), *taking(chunk)], mail=outgoing_mail(message, None, None))
    (_, file) = parts(chunk.octets)[-1]
    assert file == ODD and RANDOM in chunk.octets and b"base64" not in chunk.octets
    assert chunk.octets.count(b"Content-Transfer-Encoding: binary\r\n") == 5  # two parts, and three that hold them


@pytest.mark.parametrize("offers", [("CHUNKING", "8BITMIME"), ("CHUNKING",), ("BINARYMIME", "8BITMIME"), ()])
def test_where_it_is_not_offered_base64_goes(path: Path, offers: tuple[str, ...]) -> None:
    message = letter(Attachment(path, binary=True))
    begin = [*hello(*offers), C(ANYTHING), S("250 ok"), C(ANYTHING), S("250 ok")]
    came: Any = Chunk() if "CHUNKING" in offers else Dotted()
    way = [came] if "CHUNKING" in offers else [C("DATA"), S("354 go"), came]
    played = send([*begin, *way, S("250 taken")], mail=outgoing_mail(message, None, None))
    assert played.result.complete
    assert "BINARYMIME" not in str(played.result.transcript).partition("MAIL FROM")[2]
    assert Message.parse(came.octets.replace(b"\r\n..", b"\r\n.")).attachments[0].read() == RANDOM


def test_who_did_not_ask_gets_base64(path: Path) -> None:
    chunk = Chunk()
    turns = [*hello(*OFFERS), *taking(chunk, mail="MAIL FROM:<ada@example.org> BODY=8BITMIME")]
    send(turns, mail=outgoing_mail(letter(Attachment(path)), None, None))
    assert Message.parse(chunk.octets).attachments[0].read() == RANDOM


def test_finished_octets_stay_as_they_are(path: Path) -> None:
    octets = bytes(letter(Attachment(path, binary=True)))
    chunk = Chunk()
    send([*hello(*OFFERS), *taking(chunk, mail=ANYTHING)], mail=outgoing_mail(octets, None, None))
    assert chunk.octets == octets and b"base64" in octets


@pytest.mark.parametrize("stage", ["memory", *SOCKETS])
def test_under_tls_too(path: Path, folder: Path, stage: str) -> None:
    chunk = Chunk()
    mail = outgoing_mail(letter(Attachment(path, binary=True)), None, None)
    turns = [*upgraded(folder, *OFFERS), *taking(chunk)]
    assert send(turns, stage=stage, server=secure_server(folder), mail=mail).result.complete
    assert parts(chunk.octets)[1][1] == RANDOM


def test_the_system_copies_the_file_and_where_it_can_not_it_is_read(path: Path, monkeypatch: Any) -> None:
    """What comes is the same; all but the last 64 kB of a file are never seen by us."""
    copy, copied = os.sendfile, []

    def watched(*given: Any) -> int:
        copied.append(copy(*given))
        return copied[-1]

    def unable(*given: Any) -> int:
        raise OSError(22, "not of such a file")

    mail = outgoing_mail(letter(Attachment(path, binary=True)), None, None)
    for act in (watched, unable):
        monkeypatch.setattr(os, "sendfile", act)
        chunk = Chunk()
        assert send([*hello(*OFFERS), *taking(chunk)], stage="sync", mail=mail).result.complete
        assert parts(chunk.octets)[1][1] == RANDOM
    assert sum(copied) == len(RANDOM) - 65536


def shorter(path: Path) -> None:
    os.truncate(path, 1_000_000)


def other(path: Path) -> None:
    path.write_bytes(RANDOM[::-1])
    os.utime(path, (1, 1))


@pytest.mark.parametrize("stage", ["memory", *SOCKETS])
@pytest.mark.parametrize("change", [shorter, other, Path.unlink])
def test_a_file_that_changed_before_it_is_sent(path: Path, stage: str, change: Any) -> None:
    rest = Rest()
    mail = outgoing_mail(letter(Attachment(path, binary=True)), None, None)
    turns = [*hello(*OFFERS), C(ANYTHING), Do(lambda: change(path)), S("250 ok"), C(ANYTHING), S("250 ok"), rest]
    played = send(turns, stage=stage, mail=mail)
    assert isinstance(played.error, MessageError) and "data.bin" in str(played.error)
    assert not played.session.open and played.fates == {"bob@example.org": "not tried"}
    size = int(rest.octets.split()[1]) if rest.octets else 1
    assert len(rest.octets) < size, "never the whole of what was announced"


@pytest.mark.parametrize("stage", ["memory", *SOCKETS])
@pytest.mark.parametrize("change", [shorter, other])
def test_a_file_that_changes_under_way(tmp_path: Path, stage: str, change: Any) -> None:
    """So large that it can't all be on its way when the server, which has read nothing of it yet, changes it."""
    path, rest = tmp_path / "data.bin", Rest()
    with path.open("wb") as file:
        file.truncate(200 << 20)
    mail = outgoing_mail(letter(Attachment(path, binary=True)), None, None)
    begin = [*hello(*OFFERS), C(ANYTHING), S("250 ok"), C(ANYTHING), S("250 ok")]
    command = f"BDAT {mail.binary.size} LAST" if mail.binary is not None else ""
    played = send([*begin, C(command), Do(lambda: change(path)), rest], stage=stage, mail=mail)
    assert isinstance(played.error, MessageError) and "data.bin" in str(played.error)
    assert not played.session.open and played.fates == {"bob@example.org": "not tried"}


class Binary(Narrow):
    """Offers BINARYMIME, and notes each MAIL."""

    async def answer(self, line: str) -> None:
        if line.startswith("MAIL"):
            self.street.named[line.partition(" BODY=")[2]] += 1
        await super().answer(line)


class Binaries(Narrows):
    def plan_for(self, link: Any, peer: str) -> Any:
        return Binary(self).play()


@pytest.mark.parametrize("library", ["blocking", "asyncio", "trio"])
@pytest.mark.parametrize("pipelining", [("PIPELINING",), ()])
def test_among_many(path: Path, library: str, pipelining: tuple[str, ...]) -> None:
    given = [letter(Attachment(path, binary=n % 3 == 0)) if n % 2 == 0 else letter() for n in range(12)]
    with Binaries((*pipelining, *OFFERS)).open() as street:

        async def gathered() -> list[Any]:
            async with AsyncMailer(street.server, limits=Limits(size=1)) as mailer:
                return [receipt async for receipt in mailer.send_many(given)]

        if library == "blocking":
            with Mailer(street.server, limits=Limits(size=1)) as mailer:
                receipts = list(mailer.send_many(given))
        else:
            receipts = run_in(library, gathered)
        contents = [content for _, _, content in street.delivered]
    assert all(receipt.complete and receipt.error is None for receipt in receipts)
    assert [receipt.size for receipt in receipts] == [len(content) for content in contents]
    assert [RANDOM in content for content in contents] == [n % 6 == 0 for n in range(12)]
    assert dict(street.named) == {"BINARYMIME": 2, "8BITMIME": 10, "bob@example.org": 12}


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 65536 + (1 << 18), 600_000])
def test_pieces_are_the_octets(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    octets = RANDOM[:size]
    path.write_bytes(octets)
    mail = outgoing_mail(letter(Attachment(path, binary=True)), None, None)
    content = mail.binary
    assert isinstance(content, Content) and content.binary and content.eight_bit and "BINARYMIME" in repr(content)
    read = b""
    for piece in content.pieces():
        file = None if isinstance(piece, bytes) else piece
        read += piece if isinstance(piece, bytes) else b""
        while file is not None:
            some = file.read()
            read += some
            file = file.took(len(some))
    assert read == bytes(content) == b"".join(content.chunks()) and len(read) == content.size
    assert parts(read)[1][1] == octets
    assert mail.binary is content, "the octets are fixed"


def test_a_boundary_is_not_to_be_guessed(path: Path) -> None:
    """Nobody looks into a file that is not read, so what is in it must not be able to end its part."""
    message = letter(Attachment(path, binary=True), message_id="<known@example.org>")
    path.write_bytes(b"\r\n--=_m_known--\r\n")
    mail = outgoing_mail(letter(Attachment(path, binary=True), message_id="<known@example.org>"), None, None)
    assert mail.binary is not None and b'boundary="=_m_known"' not in bytes(mail.binary)
    octets = outgoing_mail(
        letter(Attachment(b"--=_m_known", "x", binary=True), message_id=message.message_id), None, None
    )
    assert octets.binary is not None and b'boundary="=_m_known"' not in bytes(octets.binary)


def test_a_server_that_refuses_it_is_told_nothing_else(path: Path) -> None:
    mail = outgoing_mail(letter(Attachment(path, binary=True)), None, None)
    turns = [*hello(*OFFERS), C("MAIL FROM:<ada@example.org> BODY=BINARYMIME"), S("555 5.5.4 no"), HangUp()]
    played = send(turns, mail=mail)
    assert "555" in str(played.error) and played.fates == {"bob@example.org": "not tried"}
