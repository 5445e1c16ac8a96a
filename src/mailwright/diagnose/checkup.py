"""What a check of a mail server found, as a value: stages, each with its lines, each line with a verdict and a fix."""

from __future__ import annotations

from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, Literal

    from mailwright.words.errors import DeliveryError

    Verdict = Literal["ok", "not checked", "warning", "failed"]

#: From good to bad. What was not checked is no fault.
VERDICTS: tuple[Verdict, ...] = ("ok", "not checked", "warning", "failed")

#: The stages in their order, and what each asks.
STAGES = {
    "street": "is the way to the server free?",
    "door": "is a mail server behind it?",
    "hallway": "is the connection encrypted, and to the right server?",
    "lock": "which logins does it take?",
    "ID": "does it let us in?",
    "desk": "would it take our mail?",
    "papers": "would others believe our mail?",
}
WIDTH = 100  # characters of a printed line


@value
class Line:
    """One thing that was looked at: `what`, the `verdict`, and what was `said` or found.

    `why` is the most likely cause and `fix` what to do, where something is to be done. `kind` is a stable short name of
    a failure, the same as in `Diagnosis`; `link` leads to more. `error` is what `send` would raise for it, if it would.
    """

    what: str
    verdict: Verdict
    said: str
    fix: str = ""
    why: str = ""
    kind: str = ""
    link: str = ""
    error: DeliveryError | None = None

    def as_dict(self) -> dict[str, Any]:
        """All of it, ready for JSON; the error by the name of its class."""
        named = {name: getattr(self, name) for name in ("what", "verdict", "said", "why", "fix", "kind", "link")}
        return {**named, "error": type(self.error).__name__ if self.error is not None else None}


@value
class Stage:
    """One stage of the check: its `name`, and its lines."""

    name: str
    lines: tuple[Line, ...]

    @property
    def question(self) -> str:
        """What the stage asks."""
        return STAGES[self.name]

    @property
    def worst(self) -> Verdict:
        """The worst verdict of its lines."""
        return _worst(self.lines)


@value
class Checkup:
    """What a check found. `subject` is the address or server that was asked about, `server` where its mail would go
    (``host:port``), `security` how, and `origin` who says so. No mail was sent.

    ``print(checkup)`` is the report.
    """

    subject: str
    server: str
    security: str
    origin: str
    stages: tuple[Stage, ...]

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines of all stages."""
        return tuple(line for stage in self.stages for line in stage.lines)

    @property
    def worst(self) -> Verdict:
        """The worst verdict of all."""
        return _worst(self.lines)

    @property
    def ok(self) -> bool:
        """True when nothing failed; there may be warnings."""
        return self.worst != "failed"

    @property
    def problem(self) -> Line | None:
        """What to begin with: the first line that failed, or else the first warning."""
        for verdict in ("failed", "warning"):
            for line in self.lines:
                if line.verdict == verdict:
                    return line
        return None

    @property
    def error(self) -> DeliveryError | None:
        """What `send` would raise, as far as the check can tell."""
        return next((line.error for line in self.lines if line.verdict == "failed" and line.error), None)

    def as_dict(self) -> dict[str, Any]:
        """The whole report, ready for JSON."""
        stages = [
            {"name": one.name, "verdict": one.worst, "lines": [line.as_dict() for line in one.lines]}
            for one in self.stages
        ]
        named = {name: getattr(self, name) for name in ("subject", "server", "security", "origin", "ok", "worst")}
        return {**named, "stages": stages}

    def __str__(self) -> str:
        parts = [self.heading, *("\n".join(text for _, text in stage_report(stage)) for stage in self.stages)]
        return "\n\n".join([*parts, self.conclusion])

    @property
    def heading(self) -> str:
        """The first line of the report."""
        return heading(self.subject, self.server, self.security, self.origin)

    @property
    def conclusion(self) -> str:
        """The last lines of the report: how many faults there are, and where to begin."""
        counts = [(sum(line.verdict == name for line in self.lines), name) for name in ("failed", "warning")]
        told = " and ".join(f"{count} {_plural(name, count)}" for count, name in counts if count)
        problem = self.problem
        if problem is None:
            unsure = any(line.verdict == "not checked" for line in self.lines)
            return "Everything that was checked is in order." if unsure else "Everything is in order."
        first = [f"{told[0].upper()}{told[1:]}. No mail was sent."]
        if problem.fix:
            first.append("\n".join(_wrapped(f"Begin with: {problem.fix}", "", "  ")))
        return "\n".join(first)


def heading(subject: str, server: str, security: str, origin: str) -> str:
    """The first line of a report."""
    way = server if server == subject else f"{subject} through {server}"
    how = {"tls": "TLS", "starttls": "STARTTLS", "none": "not encrypted"}[security]
    return f"Checking {way} ({how}{f', from {origin}' if origin else ''}). No mail is sent."


def stage_report(stage: Stage) -> Iterator[tuple[str, str]]:
    """The lines that show a stage, each with what it shows: ``"stage"``, a verdict, or ``"detail"``."""
    yield "stage", f"{stage.name[0].upper()}{stage.name[1:]}: {stage.question}"
    for line in stage.lines:
        mark = line.verdict.upper() if line.verdict == "failed" else line.verdict
        first, *rest = _wrapped(f"{line.what}: {line.said}", f"  {mark:11}  ", " " * 15)
        yield line.verdict, first
        for text in rest:
            yield "detail", text
        for label, text in (("why", line.why), ("fix", line.fix), ("see", line.link)):
            if text:
                for one in _wrapped(f"{label}: {text}", " " * 15, " " * 20):
                    yield "detail", one


def _worst(lines: Iterable[Line]) -> Verdict:
    found = {line.verdict for line in lines}
    if found == {"not checked"}:
        return "not checked"
    return max(found - {"not checked"}, key=VERDICTS.index, default="ok")


def _plural(name: str, count: int) -> str:
    if name == "failed":
        return "check failed" if count == 1 else "checks failed"
    return "warning" if count == 1 else "warnings"


def _wrapped(text: str, first: str, others: str) -> list[str]:
    """`text` in lines of at most `WIDTH` characters, broken at blanks."""
    lines, line = [], first
    for word in text.split(" "):
        if len(line) + len(word) > WIDTH and line.strip() and line not in (first, others):
            lines.append(line.rstrip())
            line = others
        line += f"{word} "
    return [*lines, line.rstrip()]
