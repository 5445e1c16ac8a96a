"""The tables of docs/reference/lint.md. ``python -m tests.unit.check.table`` writes them anew."""

from __future__ import annotations

from pathlib import Path

from mailwright.message.check.rules import GROUPS
from mailwright.message.check.rules.readers import readers

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "lint.md"
MARKS = {"rules": "<!-- the rules -->", "readers": "<!-- the readers -->"}
END = "<!-- end of the table -->"


def written(text: str) -> str:
    """A text as Markdown shows it unchanged inside of a table."""
    for mark in "\\<*_[]|":
        text = text.replace(mark, "\\" + mark)
    return text


def rules() -> str:
    """The rules, a table for each group."""
    lines = []
    for group in GROUPS:
        lines += [
            "",
            f"### {group.name}",
            "",
            "| rule | | what it looks for, and why | what to do | written where |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| `{rule.id}` | {rule.severity} | {written(rule.meaning)} {written(rule.why)} | {written(rule.fix)} | {written(rule.source)} |"
            for rule in group.rules
        ]
    return "\n".join([*lines, "", ""])


def features() -> str:
    """What readers don't show."""
    known = readers()
    lines = ["", "| feature | not shown by | in part only by | tried | |", "|---|---|---|---|---|"]
    for row in known.features:
        no, partly = (", ".join(known.names[one] for one in given) for given in (row.no, row.partly))
        kind = "`content-not-shown`" if row.loss == "content" else "`style-not-shown`"
        lines.append(f"| [{written(row.feature)}]({known.source}{row.id}/) | {no} | {partly} | {row.tested} | {kind} |")
    return "\n".join([*lines, "", ""])


TABLES = {"rules": rules, "readers": features}


def filled(page: str) -> str:
    """The page with its tables as they should be."""
    for name, table in TABLES.items():
        before, mark, rest = page.partition(MARKS[name])
        _, end, after = rest.partition(END)
        assert mark and end, f"the page has no place for the table of {name}"
        page = f"{before}{mark}\n{table()}\n{end}{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text("utf-8")), "utf-8")
