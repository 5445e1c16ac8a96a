"""Which kind of failure it is: each sign is weighed against what is known, and the heaviest wins.

An entry's priority is where its weight begins. What fits adds to it, what is not known takes a little away, what
contradicts takes more or rules the sign out. Words weigh more than codes: servers choose codes freely, and a 550 may
be anything.
"""

from __future__ import annotations

from mailwright.diagnose.knowledge import knowledge
from mailwright.words.value import replace, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mailwright.diagnose.failure import Failure
    from mailwright.diagnose.knowledge import Entry, Sign

RULED_OUT = -1000.0
_WORDS_THAT_COUNT = 6  # a longer phrase says no more
_SPECIFIC = 50.0  # an enhanced code that names a cause
_VAGUE = 18.0  # one that names only the area
_BY_REPLY = 25.0
_BY_SURE_REPLY = 40.0  # a reply code that has one meaning in its phase
_LAST_RESORT = 10.0
_WEAK = 24.0  # where the weight of a weak sign begins, whatever its entry's priority
_GUESS = 3.0  # a weak sign in words that nobody says are a server's
_SAID_BY_SERVER = 25.0
_EMPTY = 5.0  # 5.0.0 says no more than the 5 in front
#: Enhanced codes that servers put in front of anything.
_VAGUE_CODES = frozenset("0.0 1.0 2.0 3.0 4.0 5.0 6.0 7.0 7.1 5.1 5.2 5.4 4.2".split())
#: Symptoms of a connection, which a server may speak of, too, meaning another connection.
_OF_THE_LINE = frozenset({"timeout", "refused", "reset", "unreachable", "disconnected", "broken-pipe"})


@value
class Verdict:
    """A kind of failure with its `weight`; `fallback` when no words of the entry were found. `own` holds what is said
    about a code that belongs to no entry.
    """

    kind: str
    weight: float
    fallback: bool = False
    doubtful: bool = False
    own: Mapping[str, object] | None = None


def verdict_on(failure: Failure, worded: Mapping[int, int]) -> Verdict:
    """The best explanation of a failure; `worded` holds the signs (as places in `Knowledge.signs`) whose words
    were found, with their length.
    """
    known = knowledge()
    best = _by_code(failure)
    for places in (worded, known.wordless):
        for place in places:
            sign, words = known.signs[place], worded.get(place, 0)
            entry = known.entries[sign.kind]
            weight, doubtful = _weigh(sign, entry, failure, words)
            if weight > best.weight:
                best = Verdict(sign.kind, weight, _is_fallback(sign, entry, failure), doubtful)
    return _at_that_provider(best, failure.provider)


def _at_that_provider(verdict: Verdict, provider: str) -> Verdict:
    """What a common failure means at this provider, where it has a meaning of its own."""
    for entry in knowledge().entries.values() if provider else ():
        if entry.instead_of == verdict.kind and provider in entry.providers:
            return replace(verdict, kind=entry.kind)
    return verdict


def _is_fallback(sign: Sign, entry: Entry, failure: Failure) -> bool:
    """Whether the sign rests on nothing but codes and the phase, or on words of which nobody knows who says them."""
    if entry.kind.startswith("fallback-") or (sign.weak and sign.codes and not _said_by_server(failure)):
        return True
    return not (sign.worded or sign.symptoms or sign.names or sign.doubt or failure.provider in entry.providers)


def _weigh(sign: Sign, entry: Entry, failure: Failure, words: int) -> tuple[float, bool]:
    """The weight of one sign, and whether something spoke against it."""
    if (sign.worded and not words) or (sign.doubt and not failure.doubt):
        return RULED_OUT, True
    if sign.weak and sign.codes and not _said_by_server(failure):
        return (_GUESS + words, True) if words > 1 else (RULED_OUT, True)
    for wanted, there in ((sign.symptoms, failure.symptoms), (sign.names, failure.names)):
        if wanted and not wanted & there:
            return RULED_OUT, True
    for needed, given in ((sign.ports, failure.port), (sign.security, failure.security)):
        if needed and given not in needed:
            return RULED_OUT, True
    points = [
        _code_fits(sign, failure.code, words),
        _fits(sign.enhanced, failure.enhanced, words, sign.strict, (6.0, -1.0, -5.0)),
        _fits(sign.phases, failure.phase, words, sign.strict, (4.0, -3.0, -12.0), also=_also(failure)),
        _provider_fits(sign, entry, failure.provider),
        -_SAID_BY_SERVER if _said_by_server(failure) and sign.symptoms & _OF_THE_LINE else 0.0,
    ]
    base = _WEAK + entry.priority / 10 if sign.weak else entry.priority
    weight = base + 1.5 * min(words, _WORDS_THAT_COUNT) + 4.0 * bool(sign.ports) + sum(points)
    return weight, min(points) <= -5.0


def _said_by_server(failure: Failure) -> bool:
    """Whether the words are the server's: its "timed out" is no time-out of ours. Postfix puts a code of its own
    (``dsn=``) before what it met on the line.
    """
    return failure.code >= 400 or (bool(failure.enhanced) and "dsn=" not in failure.text)


def _also(failure: Failure) -> str:
    """What is refused after the last octet was refused for its content."""
    return "data" if failure.phase == "final_reply" and failure.code else ""


def _fits(
    wanted: Collection[str], given: str, words: int, strict: bool, points: tuple[float, float, float], also: str = ""
) -> float:
    """Points for a fact that fits, is not known, or contradicts."""
    if not wanted:
        return 0.0
    if given in wanted or (also and also in wanted):
        return points[0]
    if strict or not words:
        return RULED_OUT
    return points[2] if given else points[1]


def _code_fits(sign: Sign, code: int, words: int) -> float:
    if not sign.codes:
        return 0.0
    if code in sign.codes or f"{code // 100}xx" in sign.codes:
        return 3.0
    if sign.strict or not words:
        return RULED_OUT
    if not code:
        return -1.0
    return -4.0 if any(isinstance(known, int) and known // 100 == code // 100 for known in sign.codes) else -14.0


def _provider_fits(sign: Sign, entry: Entry, provider: str) -> float:
    if not entry.providers:
        return 0.0
    if provider in entry.providers:
        return 10.0
    if entry.only_there or sign.here:
        return RULED_OUT
    return -12.0 if provider else 0.0


def _by_code(failure: Failure) -> Verdict:
    """What the codes alone say: the enhanced code, else the reply code in its phase."""
    known = knowledge()
    best = Verdict("unknown", 0.0, fallback=True)
    row = known.codes.get(failure.enhanced[2:]) if failure.enhanced[:1] in ("4", "5") else None
    if row is not None:
        vague = failure.enhanced[2:] in _VAGUE_CODES or failure.enhanced == "5.4.1"  # "no answer" that stays one
        weight = _VAGUE if vague else _SPECIFIC
        weight = _EMPTY if failure.enhanced[2:] == "0.0" else weight
        kind = row.get("kind") or f"code-{failure.enhanced[2:]}"
        best = Verdict(kind, weight, True, weight < _SPECIFIC, None if "kind" in row else row)
    if failure.code and best.weight < _BY_REPLY:
        for row in known.replies:
            phases = row.get("phases")
            if failure.code in row["codes"] and (not phases or failure.phase in phases or _also(failure) in phases):
                place = f"-{phases[0]}" if phases else ""
                kind = row.get("kind") or f"code-{failure.code}{place}"
                weight = _BY_SURE_REPLY if "sure" in row else _BY_REPLY
                return Verdict(kind, weight, True, True, None if "kind" in row else row)
    if best.weight < _LAST_RESORT and 400 <= failure.code < 600:
        return Verdict(f"fallback-{failure.code // 100}xx", _LAST_RESORT, True, True)
    return best
