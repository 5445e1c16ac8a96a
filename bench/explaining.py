"""How often `explain` names the right cause of a failure that somebody met, and how long it takes.

    python bench/explaining.py        the figures
    python bench/explaining.py -v     and what is wrong

`tests/data/failures_met.json` holds texts from public threads whose cause was settled there. None of them is an
example of the package's data. `right` names the kinds that are right as the first cause, chosen before the text was
explained for the first time. From the half "development" words were learned; the half "held out" was explained once
when everything was done, and nothing was changed because of it.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mailwright import explain

MET = Path(__file__).resolve().parents[1] / "tests" / "data" / "failures_met.json"
STARTS = 5
#: A first explanation in a fresh interpreter, which prints its seconds.
FIRST = """
import time; start = time.perf_counter()
from mailwright import explain
explain("535-5.7.8 Username and Password not accepted")
print(time.perf_counter() - start)
"""


def main() -> None:
    """Explain all of them, and print a line for each half."""
    met: list[dict[str, Any]] = json.loads(MET.read_text(encoding="utf-8"))
    show = sys.stdout.write
    times = []
    for half in dict.fromkeys(one["half"] for one in met):
        texts = [one for one in met if one["half"] == half]
        right = 0
        for one in texts:
            start = time.perf_counter()
            told = explain(one["text"], **one.get("context", {}))
            times.append(time.perf_counter() - start)
            right += told.kind in one["right"]
            if "-v" in sys.argv and told.kind not in one["right"]:
                show(f"  {told.kind} instead of {' or '.join(one['right'])}: {told.evidence[:90]!r} ({one['met']})\n")
        show(f"{half:12} {right:4} of {len(texts):4} right, {right / len(texts):.1%}\n")
    show(f"one text: median {statistics.median(times) * 1000:.2f} ms, longest {max(times) * 1000:.1f} ms\n")
    starts = [subprocess.run([sys.executable, "-c", FIRST], capture_output=True, check=True) for _ in range(STARTS)]
    first = statistics.median(float(started.stdout) for started in starts)
    show(f"import and first explanation: median {first * 1000:.0f} ms of {STARTS} fresh interpreters\n")


if __name__ == "__main__":
    main()
