"""What many messages share is made once, and every message is the same as if it had been made alone."""

from __future__ import annotations

import os
import threading
from email.message import EmailMessage
from pathlib import Path

import pytest

from mailwright.message.attachment import Attachment
from mailwright.message.kept import LARGEST, LIMIT, MOST, keep, kept
from mailwright.message.message import Message
from mailwright.words.address import Address, addresses
from mailwright.words.errors import AddressError, MessageError
from tests.unit.message.reading import back, text_of, written

DATA = bytes(range(256)) * 50
LONG = "Grüße aus Köln am Rhein, und noch ein paar Worte.\n" * 200


def files(message: EmailMessage) -> list[tuple[str | None, str, object]]:
    return [
        (p.get_filename(), p.get_content_type(), p.get_payload(decode=True)) for p in message.walk() if p.get_filename()
    ]


def letter(to: str = "bob@example.net", **given: object) -> Message:
    return Message("ada@example.org", to, "Hi", date=0, message_id="<1@example.org>", **given)  # type: ignore[arg-type]


class TestFiles:
    def test_one_attachment_in_many_messages(self) -> None:
        shared = Attachment(DATA, "report.pdf")
        first = written(letter(text="x", attachments=shared))
        for _ in range(3):
            assert written(letter(text="x", attachments=shared)) == first
        assert written(letter(text="x", attachments=Attachment(bytes(bytearray(DATA)), "report.pdf"))) == first

    def test_the_same_octets_under_other_names_and_types(self) -> None:
        given = {"a.pdf": DATA, "b.bin": DATA, "Übersicht.pdf": DATA}
        for _ in range(3):
            found = files(back(letter(attachments=given)))
            assert found == [
                ("a.pdf", "application/pdf", DATA),
                ("b.bin", "application/octet-stream", DATA),
                ("Übersicht.pdf", "application/pdf", DATA),
            ]
        typed = Attachment(DATA, "a.pdf", "application/x-other")
        assert files(back(letter(attachments=typed))) == [("a.pdf", "application/x-other", DATA)]

    def test_attached_and_shown_inline(self) -> None:
        raw = [
            written(letter(html="<img src='cid:logo'>", inline={"logo": DATA}, attachments={"logo": DATA}))
            for _ in range(3)
        ]
        assert raw[0] == raw[1]
        assert raw[0].count(b"Content-ID: <logo>") == 1
        assert raw[0].count(b"Content-Disposition: attachment") == 1

    def test_text_goes_in_seven_bits_or_eight_as_asked(self) -> None:
        shared = Attachment("a;b\r\nGrüße;ß\r\n".encode() * 40, "a.csv")
        for _ in range(3):
            seven, eight = letter(attachments=shared).render(), letter(attachments=shared).render(eight_bit=True)
            assert bytes(seven).isascii() and not seven.eight_bit
            assert not bytes(eight).isascii() and eight.eight_bit

    def test_threads_share_too(self) -> None:
        shared = Attachment(DATA, "report.pdf")
        expected = written(letter(text=LONG, attachments=shared))
        found: list[bytes] = []

        def build() -> None:
            found.extend(bytes(letter(text=LONG, attachments=shared)) for _ in range(50))

        threads = [threading.Thread(target=build) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(found) == {expected}
        assert len(found) == 200


class TestFilesOnDisk:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "data.bin"
        path.write_bytes(DATA * 10)
        return path

    def test_a_small_one_is_the_same_in_every_message(self, path: Path) -> None:
        shared = Attachment(path)
        assert len({written(letter(attachments=shared)) for _ in range(4)}) == 1
        assert files(back(letter(attachments=shared))) == [("data.bin", "application/octet-stream", DATA * 10)]

    def test_an_empty_one(self, tmp_path: Path) -> None:
        (tmp_path / "empty.bin").touch()
        shared = Attachment(tmp_path / "empty.bin")
        for _ in range(3):
            assert files(back(letter(text="x", attachments=shared))) == [("empty.bin", "application/octet-stream", b"")]

    @pytest.mark.parametrize("change", ["other octets", "gone", "longer"])
    def test_one_that_changed_between_two_messages_is_not_sent(self, path: Path, change: str) -> None:
        shared = Attachment(path)
        for _ in range(3):
            written(letter(attachments=shared))
        if change == "gone":
            path.unlink()
        else:
            path.write_bytes(b"y" * (len(DATA) * 10 + (change == "longer")))
            os.utime(path, ns=(1, 1))
        with pytest.raises(MessageError, match="can't be read" if change == "gone" else "changed"):
            bytes(letter(attachments=shared))
        if change != "gone":
            assert files(back(letter(attachments=Attachment(path))))[0][2] == path.read_bytes()

    def test_one_that_changes_while_it_is_sent_again(self, path: Path) -> None:
        shared = Attachment(path)
        for _ in range(3):
            written(letter(attachments=shared))
        content = letter(attachments=shared).render()
        chunks = content.chunks()
        out = [next(chunks), next(chunks)]
        os.utime(path, ns=(1, 1))
        with pytest.raises(MessageError, match="changed"):
            out += list(chunks)
        assert sum(map(len, out)) < content.size


class TestTexts:
    def test_a_long_text_in_many_messages(self) -> None:
        raw = [written(letter(text=LONG, html=LONG)) for _ in range(3)]
        assert raw[0] == raw[1] == raw[2]
        parts = list(back(letter(text=LONG, html=LONG)).iter_parts())
        assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
        assert [text_of(part) for part in parts] == [LONG, LONG]

    def test_the_text_of_html_alone(self) -> None:
        html = "<p>Grüße aus <b>Köln</b></p>"
        raw = [written(letter(html=html)) for _ in range(3)]
        assert raw[0] == raw[1]
        assert "Grüße aus Köln" in text_of(next(iter(back(letter(html=html)).iter_parts())))

    def test_seven_bits_or_eight_as_asked(self) -> None:
        for _ in range(3):
            assert bytes(letter(text=LONG)).isascii()
            assert not bytes(letter(text=LONG).render(eight_bit=True)).isascii()


class TestBound:
    def keep(self, origin: bytes | str, octets: int) -> None:
        """As two messages do it."""
        for _ in range(2):
            assert keep(origin, ("form",), "made", octets) == "made"

    def test_what_is_kept_is_found_by_identity(self) -> None:
        origin = bytes(bytearray(b"x" * 100))
        self.keep(origin, 4)
        assert kept(origin, ("form",), str) == "made"
        assert kept(origin, ("other form",), str) is None
        assert kept(bytes(bytearray(origin)), ("form",), str) is None

    def test_what_one_message_has_is_not_kept(self) -> None:
        origin = bytes(bytearray(b"y" * 100))
        keep(origin, ("form",), "made", 4)
        assert kept(origin, ("form",), str) is None

    def test_no_more_octets_than_the_limit(self) -> None:
        origins = [bytes(bytearray(100_000)) for _ in range(100)]
        for origin in origins:
            self.keep(origin, 30_000)
            held = sum(130_000 for one in origins if kept(one, ("form",), str) is not None)
            assert 130_000 <= held <= LIMIT

    def test_no_more_things_than_the_limit(self) -> None:
        origins = [str(number) * 2 for number in range(10_000, 12_000)]
        for origin in origins:
            self.keep(origin, 1)
        assert 0 < sum(kept(one, ("form",), str) is not None for one in origins) <= MOST

    def test_nothing_large_is_kept(self) -> None:
        origin = bytes(LARGEST + 1)
        self.keep(origin, 1)
        assert kept(origin, ("form",), str) is None


class TestAddresses:
    def test_the_same_text_again(self) -> None:
        for _ in range(3):
            assert Address.of("Ada <ada@example.org>") == Address("ada@example.org", "Ada")
            assert Address.of(("Ada", "ada@example.org")) == Address("ada@example.org", "Ada")
            assert addresses("a@example.org, Bob <b@example.org>") == (
                Address("a@example.org"),
                Address("b@example.org", "Bob"),
            )

    def test_a_pair_is_not_the_text_that_looks_like_it(self) -> None:
        assert Address.of(("a@example.org", "b@example.org")).name == "a@example.org"
        with pytest.raises(AddressError):
            Address.of("a@example.orgb@example.org")

    def test_what_is_refused_is_refused_again(self) -> None:
        for _ in range(3):
            with pytest.raises(AddressError):
                Address.of("ada@example.org\r\nBcc: x@example.org")
            with pytest.raises(AddressError):
                Address.of(("Ada\n", "ada@example.org"))

    def test_more_than_are_remembered(self) -> None:
        for number in range(2500):
            assert Address.of(f"User {number} <user{number}@example.org>").local == f"user{number}"
        assert Address.of("User 1 <user1@example.org>").name == "User 1"
        raw = written(letter(to=", ".join(f"Zoë {number} <z{number}@example.net>" for number in range(700))))
        assert raw.count(b"@example.net>") == 700
