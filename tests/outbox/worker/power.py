"""What a disk holds after the power was cut: replayed from the calls that a process made, as strace wrote them down.

Whatever was synced is there. Of what was written since, any part may be: each write, each change of length and each
removal by itself, and of a write any of its sectors, in any order. What strace says of a call in two lines counts from
the first (it may have reached the disk) and is complete with the second (only then does a sync vouch for anything).
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SECTOR = 512
CALLS = "pwrite64,ftruncate,fsync,fdatasync,unlink,write,sendto,sendmsg"
_NEVER = 1 << 60
_WHOLE = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+)")
_BEGUN = re.compile(r"(\d+) +(\w+)\((.*?)(?:, )? *<unfinished \.\.\.>")
_ENDED = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (-?\d+)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_PLACE = re.compile(r"^\d+<((?:\\x[0-9a-f]{2})*)>")


@dataclass
class Call:
    """A system call: its number in the order of their beginnings, and when it was done (`_NEVER`: it was not)."""

    name: str
    given: str
    begun: int
    done: int = _NEVER
    path: str = field(init=False, default="")
    octets: bytes = field(init=False, default=b"")

    def read(self) -> None:
        """Make out file and octets."""
        place = _PLACE.match(self.given)
        texts = [_octets(one) for one in _TEXT.findall(self.given)]
        if self.name == "unlink":
            self.path = texts[0].decode()
        else:
            self.path = _octets(place[1]).decode(errors="replace") if place else ""
            self.octets = b"".join(texts)

    @property
    def last(self) -> int:
        """The last number among its arguments: an offset, or a length."""
        return int(self.given.rpartition(",")[2])


def traced(log: Path, command: list[str]) -> list[str]:
    """The command, with what it does to files written to `log`."""
    found = shutil.which("strace")
    if not found or subprocess.run([found, "true"], capture_output=True).returncode:
        pytest.skip("strace is not installed, or may not look at other programs")
    return [found, "-f", "-y", "-xx", "-s", "3000000", "-o", str(log), "-e", f"trace={CALLS}", *command]


def calls(log: Path) -> list[Call]:
    """The calls of a log that had no error, in the order of their beginnings."""
    open_calls: dict[str, Call] = {}
    found: list[Call] = []
    for number, line in enumerate(log.read_text(errors="replace").splitlines()):
        if begun := _BEGUN.match(line):
            open_calls[begun[1]] = Call(begun[2], begun[3], number)
            found.append(open_calls[begun[1]])
        elif ended := _ENDED.match(line):
            call = open_calls.pop(ended[1])
            call.given = ", ".join(part for part in (call.given, ended[3].strip(", ")) if part)
            if int(ended[4]) >= 0:
                call.done = number
            else:
                found.remove(call)
        elif (whole := _WHOLE.match(line)) and int(whole[4]) >= 0:
            found.append(Call(whole[2], whole[3], number, number))
    for call in found:
        call.read()
    return found


def disk_after(found: list[Call], cut: int, into: Path, draw: random.Random) -> None:
    """Make the files as a disk may hold them whose power ended before the call number `cut` began."""
    images: dict[str, bytearray | None] = {}
    syncs: dict[str, list[Call]] = {}
    for call in found:
        if call.name in ("fsync", "fdatasync") and call.done < cut:
            syncs.setdefault(call.path, []).append(call)
    for call in found:
        if call.begun >= cut:
            break
        what = str(Path(call.path).parent) if call.name == "unlink" else call.path  # a name stands in its folder
        durable = any(sync.begun > call.done for sync in syncs.get(what, ()))
        if call.name == "unlink" and call.path in images and (durable or draw.random() < 0.5):
            images[call.path] = None
        elif call.name == "ftruncate" and (durable or draw.random() < 0.5):
            image = images.setdefault(call.path, bytearray()) or bytearray()
            del image[call.last :]
            images[call.path] = image + bytes(call.last - len(image))
        elif call.name == "pwrite64":
            image = images.setdefault(call.path, bytearray()) or bytearray()
            images[call.path] = image
            _write(image, call, durable, draw)
    for path, kept in images.items():
        if kept is not None:
            place = into / Path(path).name
            place.write_bytes(kept)
            place.chmod(0o600)


def _write(image: bytearray, call: Call, durable: bool, draw: random.Random) -> None:
    offset, octets = call.last, call.octets
    fate = 1.0 if durable else draw.choice((0.0, 0.0, 0.5, 1.0))
    for start in range(0, len(octets), SECTOR):
        if fate < 1.0 and draw.random() >= fate:
            continue
        piece = octets[start : start + SECTOR]
        if len(image) < offset + start:
            image.extend(bytes(offset + start - len(image)))
        image[offset + start : offset + start + len(piece)] = piece


def _octets(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
