"""Where and when something was measured: figures say nothing without it."""

from __future__ import annotations

import os
import platform
import sys
import time


def conditions() -> str:
    """The interpreter, the system, how busy it was, and the date."""
    version = ".".join(map(str, sys.version_info[:3]))
    system = f"{platform.system()} {platform.release()}, {platform.machine()}, {os.cpu_count()} processors"
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"Python {version}, {system}{load}, {time.strftime('%Y-%m-%d')}"
