"""The tables of docs/topics/outbox.md that are made from the code: states, what leads from one to another, retries.

    python tools/outbox_states.py

writes them anew between their marks.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "topics" / "outbox.md"


def states_table() -> str:
    """Every state, and what it means."""
    from mailwright.outbox.states import STATES

    lines = ["| state | final | meaning |", "|---|---|---|"]
    lines += [f"| `{state.name}` | {'yes' if state.final else ''} | {state.means} |" for state in STATES]
    return "\n".join(lines)


def moves_table() -> str:
    """What leads from one state to another."""
    from mailwright.outbox.states import MOVES

    lines = ["| from | what happens | to |", "|---|---|---|"]
    lines += [f"| {f'`{move.origin}`' if move.origin else ''} | {move.event} | `{move.target}` |" for move in MOVES]
    return "\n".join(lines)


def diagram() -> str:
    """The same as a picture, in the language of Mermaid."""
    from mailwright.outbox.states import FINAL, MOVES

    lines = ["```mermaid", "stateDiagram-v2"]
    drawn: dict[tuple[str, str], list[str]] = {}
    for move in MOVES:
        drawn.setdefault((move.origin.name if move.origin else "[*]", move.target.name), []).append(move.event)
    for (origin, target), events in drawn.items():
        lines.append(f"    {origin} --> {target}: {events[0]}" + (" …" if len(events) > 1 else ""))
    lines += [f"    {state.name} --> [*]" for state in FINAL]
    return "\n".join([*lines, "```"])


def retry_table() -> str:
    """When a message is tried again."""
    from mailwright.outbox.work.retry import table

    return table()


PARTS = {"states": states_table, "moves": moves_table, "diagram": diagram, "retries": retry_table}


def written(page: str) -> str:
    """The page with every part as the code has it. Raises `KeyError` for a mark that nobody knows."""

    def part(found: re.Match[str]) -> str:
        return f"<!-- made: {found[1]} -->\n\n{PARTS[found[1]]()}\n\n<!-- end -->"

    return re.sub(r"<!-- made: (\w+) -->.*?<!-- end -->", part, page, flags=re.DOTALL)


def main() -> int:
    """Write the page."""
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
