"""What a check finds, and what a rule is."""

from __future__ import annotations

from mailwright.words.reply import visible
from mailwright.words.value import fields_of, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mailwright.message.check.opened import Opened

    #: What is wrong in this message, and where; and what to do, where that is not the same for all. Shown to people.
    Fault = tuple[str, str] | tuple[str, str, str]
    Look = Callable[[Opened], Iterator[Fault]]

ERROR = "error"  # it breaks a standard, or is refused, lost or misread by somebody
WARNING = "warning"  # many readers or filters will take it amiss
INFO = "info"  # worth knowing; may well be meant
SEVERITIES = (ERROR, WARNING, INFO)

_SHOWN = 80  # characters of a text from the message


@value
class Finding:
    """One thing that a rule found.

    `rule` is the rule's id, which never changes its meaning; `severity` one of ``error``, ``warning`` and ``info``.
    `what` says what is wrong, `fix` what to do, `where` in which part or field. Nothing in them can steer a terminal,
    but they quote the message: a web page has to escape them.
    """

    rule: str
    severity: str
    what: str
    fix: str
    where: str = ""

    def as_dict(self) -> dict[str, str]:
        """The fields as a dictionary, for JSON."""
        return {name: getattr(self, name) for name in fields_of(self)}

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        return f"{self.severity} {self.rule}: {self.what}{place} {self.fix}"


@value
class Rule:
    """One rule: what it looks for and why. `source` names where it is written; `look` finds the faults."""

    id: str
    severity: str
    meaning: str
    why: str
    source: str
    fix: str
    look: Look


class Group:
    """Rules that change for the same reason, in their order."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rules: list[Rule] = []

    def rule(self, id: str, severity: str, *, why: str, source: str, fix: str) -> Callable[[Look], Look]:
        """Make the function below a rule of this group; the first line of its docstring says what it looks for."""

        def register(look: Look) -> Look:
            meaning = (look.__doc__ or "").strip().partition("\n")[0]
            self.rules.append(Rule(id, severity, meaning, why, source, fix, look))
            return look

        return register


def shown(text: str, limit: int = _SHOWN) -> str:
    """A text from the message in quotation marks: short, on one line, harmless."""
    return f"“{visible(text, limit)}”"


def listed(texts: list[str], limit: int = 3) -> str:
    """The first texts from the message, each in quotation marks, and how many more there are."""
    more = f" and {len(texts) - limit} more" if len(texts) > limit else ""
    return ", ".join(map(shown, texts[:limit])) + more
