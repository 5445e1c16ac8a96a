"""How long it takes to read a To field of 10,000 addresses: here, and with the standard library.

    python bench/addresses.py

prints the median of five runs of each reader, which take turns, so that a slow moment of the machine hits all.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from email import policy
from email.utils import getaddresses

from mailwright.words.address import parse_addresses

COUNT = 10_000  # addresses in the field
RUNS = 5


def field(count: int) -> str:
    """A field as address books write it: names with a comma in them, so that quotation marks must be read."""
    return ", ".join(f'"Lovelace, Ada {n}" <ada.{n}@mail{n % 97}.example.org>' for n in range(count))


def with_registry(text: str) -> int:
    """`email.message.EmailMessage` reads its address fields like this."""
    header = policy.default.header_factory("To", text)
    return len(header.addresses)


READERS: dict[str, Callable[[str], int]] = {
    "mailwright": lambda text: len(parse_addresses(text)),
    "email.utils.getaddresses": lambda text: len(getaddresses([text])),
    "email.policy.default": with_registry,
}


def seconds(read: Callable[[str], int], text: str) -> float:
    """The time of one reading. Raises `AssertionError` if it does not find every address."""
    start = time.perf_counter()
    found = read(text)
    taken = time.perf_counter() - start
    assert found == COUNT, f"{found} addresses instead of {COUNT}"
    return taken


def main() -> None:
    """Measure, and print a line for each reader."""
    text = field(COUNT)
    times: dict[str, list[float]] = {name: [] for name in READERS}
    for _ in range(RUNS):
        for name, read in READERS.items():
            times[name].append(seconds(read, text))
    version = ".".join(map(str, sys.version_info[:3]))
    sys.stdout.write(f"{COUNT:,} addresses, {len(text):,} characters, Python {version}, median of {RUNS}\n")
    for name, measured in times.items():
        sys.stdout.write(f"{name:26}{statistics.median(measured) * 1000:9.1f} ms\n")


if __name__ == "__main__":
    main()
