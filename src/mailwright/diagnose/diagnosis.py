"""What a failure means, as a value: what happened, why, what to do, and whether trying again helps."""

from __future__ import annotations

from mailwright.words.value import fields_of, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: What `retry` may be, and how it reads.
RETRIES = {
    "no": "Trying again without a change will fail in the same way.",
    "once": "One more try is reasonable.",
    "yes": "Trying again later helps.",
    "after_change": "It works as soon as that is changed; nothing has to wait.",
}


@value
class Diagnosis:
    """The explanation of one failure.

    `kind` is the stable short name of the failure and `what` says in a sentence what happened. `causes` stand most
    likely first. `fix` is what to do; its first sentence stands on its own.

    `retry` is ``"no"`` (never without a change), ``"once"`` (one more try is reasonable), ``"yes"`` (after a wait) or
    ``"after_change"`` (at once when something outside the program was changed); `wait` is the suggested first wait in
    seconds. It never says to repeat what a server accepted or may have accepted.

    `evidence` is what the explanation rests on, in the words of the server or the program: one line that is safe to
    print, credentials masked. `certainty` is ``"high"``, ``"medium"`` or ``"low"``. `fallback` is true when nobody
    knew the words and only a code, the phase or the kind of error was left to go by. `provider` is the id of the mail
    provider that is involved, or empty.
    """

    kind: str
    what: str
    causes: tuple[str, ...] = ()
    fix: str = ""
    retry: str = "no"
    wait: float | None = None
    evidence: str = ""
    link: str = ""
    certainty: str = "low"
    fallback: bool = False
    provider: str = ""

    @property
    def advice(self) -> str:
        """The first sentence of `fix`."""
        end = self.fix.find(". ")
        return self.fix if end < 0 else self.fix[: end + 1]

    def as_dict(self) -> dict[str, Any]:
        """All fields by name, ready for JSON."""
        named: dict[str, Any] = {name: getattr(self, name) for name in fields_of(self)}
        return {**named, "causes": list(self.causes)}

    def __str__(self) -> str:
        lines = [self.what]
        for number, cause in enumerate(self.causes):
            lines.append(f"  {'Most likely' if number == 0 else 'Or'}: {cause}.")
        if self.fix:
            lines.append(f"What to do: {self.fix}")
        if self.kind != "unknown":
            lines.append(f"Again? {RETRIES[self.retry]}{_pause(self.wait)}")
        if self.evidence:
            lines.append(f"Seen: {self.evidence}")
        if self.link:
            lines.append(f"More: {self.link}")
        lines.append(f"How sure: {self.certainty}{self._basis()}.")
        return "\n".join(lines)

    def _basis(self) -> str:
        return ", for these words are not known here: it goes by the code or the kind of error" if self.fallback else ""


def _pause(seconds: float | None) -> str:
    """How long to wait first, in words."""
    if not seconds:
        return ""
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size:
            count = round(seconds / size)
            return f" Wait {count} {name}{'s' if count > 1 else ''} first."
    return ""
