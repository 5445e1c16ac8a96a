"""The process in which one act of one Python sender runs: `python -m bench.child NAME ACT < job.json`.

It prints one line of JSON: what the clock saw, or why this sender is missing.
"""

from __future__ import annotations

import json
import sys

from bench import senders
from bench.job import Job, Missing


def main() -> None:
    """Do it, and say how long it took."""
    name, act = sys.argv[1:3]
    job = Job.from_json(sys.stdin.read())
    try:
        senders.find(name).act(act)(job)
        report: dict[str, object] = dict(job.report())
    except (Missing, ModuleNotFoundError) as reason:
        report = {"missing": str(reason)}
    sys.stdout.write(f"\n{json.dumps(report)}\n")


main()
