"""Where and when something is measured, and how much of the machine others use meanwhile."""

from __future__ import annotations

import os
import platform
import resource
import ssl
import time
from collections.abc import Iterable

TICKS = os.sysconf("SC_CLK_TCK")
QUIET = 0.15  # processors that others may use before a run counts as disturbed


def facts() -> dict[str, str]:
    """What figures depend on, with no word of what this machine is called."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GB",
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "OpenSSL": ssl.OPENSSL_VERSION,
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as known:
            return next((line.partition(":")[2].strip() for line in known if line.startswith("model name")), "unknown")
    except OSError:
        return "unknown"


def processors() -> str:
    """Which processors we and our children may use, such as ``0``; empty if that is all of them."""
    allowed = os.sched_getaffinity(0)
    return "" if len(allowed) == os.cpu_count() else ", ".join(map(str, sorted(allowed)))


def pin(allowed: Iterable[int]) -> None:
    """Use these processors only, from here on and in all children. Raises `OSError` if they are not there."""
    os.sched_setaffinity(0, set(allowed))


def today() -> str:
    """Such as 2026-11-20."""
    return time.strftime("%Y-%m-%d")


def load() -> float:
    """How many processes wanted a processor, in the mean of the last minute."""
    return os.getloadavg()[0]


class Watch:
    """How much processor time others used since it was made: not we, our children, or `processes` (their ids)."""

    def __init__(self, processes: Iterable[int]) -> None:
        self._processes = tuple(processes)
        self._began = time.perf_counter()
        self._others = self._total()

    def others(self) -> float:
        """Processors that others used, in the mean. Two ticks of the system's clock, its precision, are forgiven."""
        span = time.perf_counter() - self._began
        return max(0.0, self._total() - self._others - 2 / TICKS) / span

    def _total(self) -> float:
        ours = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        known = sum(used.ru_utime + used.ru_stime for used in ours) + sum(map(_used_by, self._processes))
        return _used_by_all() - known


def _used_by_all() -> float:
    """Processor seconds since the system began, those that a hypervisor took for others included."""
    with open("/proc/stat", encoding="ascii") as known:
        user, nice, system, _idle, _wait, irq, soft, stolen = map(int, known.readline().split()[1:9])
    return (user + nice + system + irq + soft + stolen) / TICKS


def _used_by(process: int) -> float:
    with open(f"/proc/{process}/stat", encoding="ascii", errors="replace") as known:
        fields = known.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
