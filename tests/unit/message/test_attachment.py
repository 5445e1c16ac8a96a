"""Attachments: where their octets come from, what they are called, and what happens when a file changes."""

from __future__ import annotations

import io
import os
import pickle
import tempfile
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given

from mailwright.message.attachment import Attachment
from mailwright.message.message import Message
from mailwright.words.errors import HeaderError, MessageError
from tests.unit.message.reading import back, header_text, written

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


def one(attachment: Attachment | None = None, **options: object) -> tuple[str | None, str, bytes]:
    """Name, type and octets of a message's only attachment, as another program reads them."""
    if attachment is not None:
        options["attachments"] = attachment
    message = Message("ada@example.org", "bob@example.net", "x", "see file", **options)  # type: ignore[arg-type]
    (part,) = back(message).iter_attachments()
    octets = part.get_payload(decode=True)
    assert isinstance(octets, bytes)
    return part.get_filename(), part.get_content_type(), octets


class Figure:
    """Saves itself as matplotlib's figures do."""

    def savefig(self, target: io.BytesIO, *, format: str) -> None:
        assert format == "png"
        target.write(PNG)


class Stream(io.RawIOBase):
    """A stream that can't be rewound, such as a pipe or an HTTP response."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._left = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        return self._left.readinto(buffer)


class TestSources:
    def test_a_path(self, tmp_path: Path) -> None:
        path = tmp_path / "report.pdf"
        path.write_bytes(b"%PDF-1.7")
        expected = ("report.pdf", "application/pdf", b"%PDF-1.7")
        assert one(Attachment(path)) == one(attachments=str(path)) == one(attachments=[path]) == expected

    def test_several_in_order(self, tmp_path: Path) -> None:
        for name in ("b.txt", "a.txt"):
            (tmp_path / name).write_text(name)
        message = Message("ada@example.org", attachments=[tmp_path / "b.txt", tmp_path / "a.txt"])
        assert [file.name for file in message.attachments] == ["b.txt", "a.txt"]

    def test_a_mapping_of_names(self, tmp_path: Path) -> None:
        (tmp_path / "x").write_bytes(b"1")
        given = {"one.txt": tmp_path / "x", "two.txt": b"2", "three.txt": Attachment(b"3", "other.txt")}
        message = Message("ada@example.org", attachments=given)
        assert [(file.name, file.read()) for file in message.attachments] == [
            ("one.txt", b"1"),
            ("two.txt", b"2"),
            ("three.txt", b"3"),
        ]

    @pytest.mark.parametrize("given", [b"abc", bytearray(b"abc"), memoryview(b"abc"), io.BytesIO(b"abc")])
    def test_octets(self, given: object) -> None:
        assert one(attachments={"a.bin": given}) == ("a.bin", "application/octet-stream", b"abc")

    def test_octets_are_copied(self) -> None:
        data = bytearray(b"before")
        file = Attachment(data, "a.bin")
        data[:] = b"after!"
        assert file.read() == b"before"

    def test_text_from_memory_is_utf8(self) -> None:
        assert one(attachments={"a.csv": io.StringIO("ä,ö\n")}) == ("a.csv", "text/csv", "ä,ö\n".encode())

    def test_a_figure(self) -> None:
        assert one(attachments={"plot.png": Figure()}) == ("plot.png", "image/png", PNG)

    def test_an_open_file_from_where_it_stands(self, tmp_path: Path) -> None:
        path = tmp_path / "log.bin"
        path.write_bytes(b"0123456789")
        with path.open("rb") as file:
            file.seek(4)
            message = Message("ada@example.org", attachments=file)
            file.seek(9)
            assert message.attachments[0].name == "log.bin"
            assert message.attachments[0].read() == message.attachments[0].read() == b"456789"
            assert written(message) == written(message)

    def test_an_open_file_that_was_closed(self, tmp_path: Path) -> None:
        path = tmp_path / "log.bin"
        path.write_bytes(b"0123456789")
        with path.open("rb") as file:
            content = Message("ada@example.org", attachments=file).render()
        with pytest.raises(MessageError, match="Keep it open"):
            bytes(content)

    @pytest.mark.parametrize("data", [b"012", b"0123456789x", b"9876543210"])
    def test_an_open_file_that_changed(self, tmp_path: Path, data: bytes) -> None:
        path = tmp_path / "log.bin"
        path.write_bytes(b"0123456789")
        with path.open("rb") as file:
            content = Message("ada@example.org", attachments=file).render()
            path.write_bytes(data)
            os.utime(path, ns=(1, 1))
            with pytest.raises(MessageError, match="changed"):
                bytes(content)

    def test_an_object_that_can_be_rewound_but_is_no_file(self) -> None:
        with tempfile.SpooledTemporaryFile() as file:
            file.write(b"0123456789")
            file.seek(3)
            assert one(Attachment(file, "a.bin"))[2] == b"3456789"

    @pytest.mark.parametrize("size", [0, 10, 70_000, 3_000_000])
    def test_a_stream_is_read_once_and_kept(self, size: int) -> None:
        data = os.urandom(size)
        file = Attachment(Stream(data), "a.bin")
        assert file.size == size
        assert file.read() == file.read() == data
        assert one(file) == ("a.bin", "application/octet-stream", data)

    @pytest.mark.parametrize("size", [0, 1, 47_880, 262_144, 262_145, 500_000])
    def test_large_ones_are_the_same_in_chunks(self, size: int, tmp_path: Path) -> None:
        data = os.urandom(size)
        (tmp_path / "a.bin").write_bytes(data)
        message = Message("ada@example.org", attachments=[Attachment(data, "a.bin"), tmp_path / "a.bin"])
        content = message.render()
        assert max(map(len, content.chunks())) <= 65_536
        assert [part.get_payload(decode=True) for part in back(message).iter_attachments()] == [data, data]

    def test_a_large_file_does_not_pass_through_memory(self, tmp_path: Path) -> None:
        path = tmp_path / "large.bin"
        with path.open("wb") as file:
            file.truncate(50_000_000)
        tracemalloc.start()
        try:
            content = Message("ada@example.org", attachments=path).render()
            assert sum(map(len, content.chunks())) == content.size > 66_000_000
            assert tracemalloc.get_traced_memory()[1] < 2_000_000
        finally:
            tracemalloc.stop()


class TestRefusals:
    def test_what_is_no_file(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "fifo")
        for path in (tmp_path / "none.pdf", tmp_path, tmp_path / "fifo", Path("/dev/zero"), Path("a\0b")):
            with pytest.raises(MessageError, match="can't be attached"):
                Attachment(path)

    def test_a_link_is_what_it_points_to(self, tmp_path: Path) -> None:
        (tmp_path / "real.txt").write_text("x")
        (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
        assert one(Attachment(tmp_path / "link.txt"))[::2] == ("link.txt", b"x")

    @pytest.mark.parametrize("given", [b"x", io.BytesIO(b"x"), Stream(b"x"), Figure()])
    def test_octets_without_a_name(self, given: object) -> None:
        with pytest.raises(MessageError, match="needs a name"):
            Attachment(given)  # type: ignore[arg-type]

    def test_a_file_in_text_mode(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("x")
        with (tmp_path / "a.txt").open(encoding="utf-8") as file, pytest.raises(MessageError, match="binary mode"):
            Attachment(file)  # type: ignore[arg-type]

    def test_a_stream_of_text(self) -> None:
        with pytest.raises(MessageError, match="binary mode"):
            Attachment(SimpleNamespace(read=lambda size: "text"), "a.txt")

    def test_a_url_is_not_fetched(self) -> None:
        with pytest.raises(MessageError, match="URL"):
            Attachment("https://example.org/a.pdf")

    @pytest.mark.parametrize("given", [42, object(), [42], {"a.txt": 42}, {"a.txt": None}])
    def test_what_can_not_be_attached(self, given: object) -> None:
        with pytest.raises(MessageError, match="can't be attached"):
            Message("ada@example.org", attachments=given)  # type: ignore[arg-type]

    def test_an_open_file_is_not_pickled(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("x")
        with (tmp_path / "a.txt").open("rb") as file, pytest.raises(TypeError, match="pickled"):
            pickle.dumps(Attachment(file))


class TestChangedFiles:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "data.bin"
        path.write_bytes(b"x" * 200_000)
        return path

    def check_stopped(self, message: Message, reason: str) -> None:
        """No octet of the end may come out: without it no server takes the message for a whole one."""
        out = b""
        with pytest.raises(MessageError, match=reason):
            for chunk in message.render().chunks():
                out += chunk
        assert len(out) < message.render().size
        assert not out.endswith(b"--\r\n")

    def message(self, path: Path) -> Message:
        return Message("ada@example.org", "bob@example.net", "x", "see file", attachments=path)

    def test_gone(self, path: Path) -> None:
        message = self.message(path)
        path.unlink()
        self.check_stopped(message, "can't be read any more")

    def test_longer(self, path: Path) -> None:
        message = self.message(path)
        with path.open("ab") as file:
            file.write(b"more")
        self.check_stopped(message, "changed")

    def test_shorter(self, path: Path) -> None:
        message = self.message(path)
        os.truncate(path, 100)
        self.check_stopped(message, "changed")

    def test_same_length_other_octets(self, path: Path) -> None:
        message = self.message(path)
        path.write_bytes(b"y" * 200_000)
        os.utime(path, ns=(1, 1))
        self.check_stopped(message, "changed")

    def test_replaced_by_another_file(self, path: Path, tmp_path: Path) -> None:
        message = self.message(path)
        times = path.stat()
        (tmp_path / "new").write_bytes(b"y" * 200_000)
        os.utime(tmp_path / "new", ns=(times.st_atime_ns, times.st_mtime_ns))
        (tmp_path / "new").replace(path)
        self.check_stopped(message, "changed")

    @pytest.mark.parametrize("change", ["grow", "shrink", "touch"])
    def test_while_it_is_sent(self, path: Path, change: str) -> None:
        content = self.message(path).render()
        chunks = content.chunks()
        out = [next(chunks), next(chunks)]
        if change == "grow":
            with path.open("ab") as file:
                file.write(b"more")
        elif change == "shrink":
            os.truncate(path, 60_000)
        else:
            os.utime(path, ns=(1, 1))
        with pytest.raises(MessageError, match="changed"):
            out += list(chunks)
        assert sum(map(len, out)) < content.size

    def test_unchanged_it_is_produced_again_and_again(self, path: Path) -> None:
        message = self.message(path)
        assert written(message) == written(message)


class TestGlob:
    def test_files_in_the_order_of_their_names(self, tmp_path: Path) -> None:
        (tmp_path / "sub").mkdir()
        for name in ("b.pdf", "a.pdf", "c.txt", "sub/d.pdf"):
            (tmp_path / name).write_bytes(b"x")
        assert [file.name for file in Attachment.glob(f"{tmp_path}/*.pdf")] == ["a.pdf", "b.pdf"]
        assert [file.name for file in Attachment.glob(f"{tmp_path}/**/*.pdf")] == ["a.pdf", "b.pdf", "d.pdf"]
        message = Message("ada@example.org", attachments=Attachment.glob(f"{tmp_path}/*"))
        assert len(message.attachments) == 3

    def test_no_match_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "directory.pdf").mkdir()
        with pytest.raises(MessageError, match="No file matches"):
            Attachment.glob(f"{tmp_path}/*.pdf")


class TestNames:
    @given(header_text)
    def test_any_name_is_read_back(self, name: str) -> None:
        name = name.replace("/", "").replace("\\", "")[:255].strip()
        if name in ("", ".", ".."):
            return
        message = Message("ada@example.org", "b@example.net", "x", "y", attachments={name: b"x"})
        raw = written(message)
        assert all(len(line) <= 78 for line in raw.split(b"\r\n"))
        (part,) = back(message).iter_attachments()
        assert part.get_filename() == name
        assert part["Content-Type"].params["name"].isascii()

    @pytest.mark.parametrize(
        ("given", "name"),
        [
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\ada\\report.pdf", "report.pdf"),
            ("/etc/shadow", "shadow"),
            ("a/b\\c.txt", "c.txt"),
            (" spaces .txt ", "spaces .txt"),
            (".profile", ".profile"),
            ('say "hi".txt', 'say "hi".txt'),
            ("semi;colon=1.txt", "semi;colon=1.txt"),
            ("=?utf-8?q?x?=.txt", "=?utf-8?q?x?=.txt"),
            ("it's 100%.txt", "it's 100%.txt"),
        ],
    )
    def test_only_the_last_component_is_told(self, given: str, name: str) -> None:
        assert one(Attachment(b"x", given))[0] == name

    @pytest.mark.parametrize("given", ["", ".", "..", "/", "a/", "a/..", "x" * 256, " "])
    def test_what_is_no_name(self, given: str) -> None:
        with pytest.raises((HeaderError, MessageError), match="name"):
            Attachment(b"x", given)

    @pytest.mark.parametrize(
        ("name", "fallback"),
        [
            ("Übersicht.pdf", "Ubersicht.pdf"),
            ("日本語.txt", "___.txt"),
            ("e\u0301te\u0301.csv", "ete.csv"),
            ("plain.txt", "plain.txt"),
            ("x" * 200 + ".docx", "x" * 55 + ".docx"),
        ],
    )
    def test_the_fallback_for_readers_without_rfc_2231(self, name: str, fallback: str) -> None:
        message = Message("ada@example.org", attachments={name: b"x"})
        assert back(message)["Content-Type"].params["name"] == fallback
        assert back(message).get_filename() == name


class TestTypes:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("a.pdf", "application/pdf"),
            ("A.PDF", "application/pdf"),
            ("a.tar.gz", "application/gzip"),
            ("a.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
            ("a.py", "text/x-python"),
            ("a.unknown-ending", "application/octet-stream"),
            ("README", "application/octet-stream"),
            ("pdf", "application/octet-stream"),
            ("a.mht", "application/octet-stream"),
        ],
    )
    def test_by_the_ending(self, name: str, expected: str) -> None:
        assert Attachment(b"x", name).type == expected

    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            (PNG, "image/png"),
            (b"\xff\xd8\xff\xe0", "image/jpeg"),
            (b"GIF89a", "image/gif"),
            (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
            (b"<svg xmlns=", "image/svg+xml"),
            (b"?", "application/octet-stream"),
        ],
    )
    def test_by_the_first_octets(self, data: bytes, expected: str) -> None:
        assert Attachment(data, cid="logo").type == expected

    def test_given(self) -> None:
        assert one(Attachment(b"x", "a.bin", "Application/X-Own"))[1] == "application/x-own"

    def test_parameters_are_kept(self) -> None:
        file = Attachment(
            "ä".encode("latin-1"), "a.csv", 'text/csv; charset=latin-1; header="pre;sent \\"x\\""; name=z'
        )
        (part,) = back(Message("ada@example.org", text="x", attachments=file)).iter_attachments()
        assert dict(part["Content-Type"].params) == {"charset": "latin-1", "header": 'pre;sent "x"', "name": "a.csv"}

    def test_a_text_file_in_utf8_says_so(self, tmp_path: Path) -> None:
        for name, data, charset in (("a.md", "ä".encode(), "utf-8"), ("b.md", b"\xe4", None)):
            (tmp_path / name).write_bytes(data)
            (part,) = back(Message("ada@example.org", text="x", attachments=tmp_path / name)).iter_attachments()
            assert (part.get_content_charset(), part.get_payload(decode=True)) == (charset, data)

    def test_text_in_utf8_says_so(self) -> None:
        for data, charset in ((b"a,b", "utf-8"), ("ä".encode(), "utf-8"), (b"\xe4", None)):
            (part,) = back(Message("ada@example.org", text="x", attachments={"a.csv": data})).iter_attachments()
            assert part.get_content_charset() == charset
            assert part.get_payload(decode=True) == data

    @pytest.mark.parametrize(
        "kind",
        ["", "text", "text/", "/plain", "te xt/plain", "text/plain; charset", "text/plain; a b=c", "multipart/mixed"],
    )
    def test_what_is_no_type(self, kind: str) -> None:
        with pytest.raises(HeaderError) as caught:
            Attachment(b"x", "a.txt", kind)
        assert caught.value.field == "type"


class TestInline:
    def test_from_a_mapping(self, tmp_path: Path) -> None:
        (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff")
        message = Message(
            "ada@example.org", html="<img>", inline={"logo": PNG, "plot": Figure(), "photo": tmp_path / "photo.jpg"}
        )
        assert [(part.cid, part.name, part.type) for part in message.inline] == [
            ("logo", "logo.png", "image/png"),
            ("plot", "plot.png", "image/png"),
            ("photo", "photo.jpg", "image/jpeg"),
        ]

    def test_from_paths_by_their_names(self, tmp_path: Path) -> None:
        (tmp_path / "logo.png").write_bytes(PNG)
        for inline in (tmp_path / "logo.png", [tmp_path / "logo.png"], Attachment(PNG, cid="logo.png")):
            message = Message("ada@example.org", html='<img src="cid:logo.png">', inline=inline)
            assert [part.cid for part in message.inline] == ["logo.png"]

    def test_two_of_one_name(self) -> None:
        twice = [Attachment(PNG, cid="a"), Attachment(PNG, cid="a")]
        with pytest.raises(MessageError, match="Two inline parts are called 'a'"):
            Message("ada@example.org", html="<img>", inline=twice)

    def test_without_html_they_would_not_be_seen(self) -> None:
        with pytest.raises(MessageError, match="there is none"):
            Message("ada@example.org", text="x", inline={"logo": PNG})

    @pytest.mark.parametrize("cid", ["", "a b", "a>b", "<a>", "ä", "x" * 201, "a\\b"])
    def test_an_impossible_name(self, cid: str) -> None:
        with pytest.raises(HeaderError) as caught:
            Message("ada@example.org", html="<img>", inline={cid: PNG})
        assert caught.value.field == "cid"


class TestValues:
    def test_equal_and_hashable(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("x")
        assert Attachment(b"x", "a.txt") == Attachment(b"x", "a.txt") != Attachment(b"y", "a.txt")
        assert len({Attachment(tmp_path / "a.txt"), Attachment(tmp_path / "a.txt")}) == 1

    def test_pickled(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("x")
        for file in (Attachment(b"x", "b.txt"), Attachment(tmp_path / "a.txt")):
            again = pickle.loads(pickle.dumps(file))
            assert again == file and again.read() == b"x"

    def test_repr_shows_no_contents(self) -> None:
        assert repr(Attachment(b"secret", "a.txt")) == "<Attachment 'a.txt', text/plain, 6 octets>"
