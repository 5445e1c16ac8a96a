"""Asks whether a pinned package has a known vulnerability, and never calls silence a clean bill.

pip-audit ends with status 1 both for a vulnerability and for a service out of reach, and with 0 and "no known
vulnerabilities" when the service knew none of the packages. Only its JSON tells these apart.
"""

from __future__ import annotations

import json
import subprocess
from typing import Any

from environments import CONSTRAINTS, Environment, StepFailed

ANSWER_TIMEOUT = 20  # seconds for one answer of the service
WHOLE_TIMEOUT = 180  # seconds for all of them
OUT_OF_REACH = (
    "ConnectionError",
    "Timeout",
    "ConnectTimeout",
    "SSLError",
    "ProxyError",
    "HTTPError",
    "Could not connect",
)


def audit(environment: Environment) -> str:
    """Audits every line of constraints.txt; returns the outcome in words.

    Raises StepFailed for a vulnerability, and when pip-audit fails for a reason of its own. A service that
    cannot be reached, or that knows nothing, is not a failure, but is said.
    """
    arguments = ["-m", "pip_audit", "--requirement", str(CONSTRAINTS), "--no-deps", "--disable-pip"]
    arguments += ["--format", "json", "--progress-spinner", "off", "--timeout", str(ANSWER_TIMEOUT)]
    try:
        done = environment.capture(*arguments, timeout=WHOLE_TIMEOUT)
    except subprocess.TimeoutExpired:
        return f"NOT AUDITED: the advisory service did not answer within {WHOLE_TIMEOUT} s"
    try:
        rows = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        if any(sign in done.stderr for sign in OUT_OF_REACH):
            return "NOT AUDITED: the advisory service cannot be reached"
        raise StepFailed(f"pip-audit failed\n{done.stderr.strip()}") from None
    return judge(rows)


def judge(rows: list[dict[str, Any]]) -> str:
    """What pip-audit's rows amount to, in words. Raises StepFailed if one of them names a vulnerability."""
    bad = [f"{row['name']} {row['version']}: {flaw['id']}" for row in rows for flaw in row.get("vulns", [])]
    if bad:
        raise StepFailed("known vulnerabilities\n" + "\n".join(bad))
    unknown = [row["name"] for row in rows if "skip_reason" in row]
    if len(unknown) == len(rows):
        return f"NOT AUDITED: the advisory service answered for none of {len(rows)} packages"
    if unknown:
        return f"no known vulnerability; NOT AUDITED, for want of an answer: {', '.join(unknown)}"
    return f"no known vulnerability in {len(rows)} packages"
