"""`explain` anything that went wrong with mail: an exception, a reply, a line of a log, a whole traceback."""

from __future__ import annotations

from mailwright.diagnose.caught import failures_of
from mailwright.diagnose.clues import enriched, port_in, provider_of, security_in
from mailwright.diagnose.diagnosis import Diagnosis
from mailwright.diagnose.dialogue import dialogue_in
from mailwright.diagnose.failure import Failure, phase_named
from mailwright.diagnose.knowledge import knowledge
from mailwright.diagnose.masking import masked
from mailwright.diagnose.reading import TEXT_LIMIT, cleaned, decodings, pieces, repaired
from mailwright.diagnose.rules import Verdict, verdict_on
from mailwright.words.errors import DeliveryError, MailError
from mailwright.words.reply import Reply, visible
from mailwright.words.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Known = tuple[Failure, tuple[str, ...]]

_EVIDENCE_LIMIT = 300  # characters
_LOOK_FIRST = "Find out first whether the message arrived, for if all of it was sent it may have been taken."
_LOWER = {"high": "medium", "medium": "low", "low": "low"}
#: A refusal in the server's words tells more than the disconnect that followed it.
_SPOKEN = 35.0
_UNWORDED = 20.0
_AS_MUCH = 12.0


def explain(
    anything: object,
    *,
    phase: str = "",
    port: int = 0,
    security: str = "",
    provider: str = "",
    host: str = "",
    banner: str = "",
) -> Diagnosis:
    """What `anything` means, why it happened and what to do.

    `anything` is an exception (of mailwright, `smtplib`, `ssl`, `socket`, aiosmtplib or any other library), a `Reply`,
    what `smtplib.SMTP.sendmail` returned, or text or bytes from a log, a traceback or a transcript of any program. Of
    more than a million characters the first eighth and the end are read. A wrong answer is possible, an error is not.

    What is known of the surroundings weighs in: the `phase` (a word of `mailwright.smtp.phases` or one of
    `mailwright.diagnose.failure.PHASES`), the `port`, the `security` (``"tls"``, ``"starttls"`` or ``"none"``), the
    `provider` (its id), the `host` and the server's greeting (`banner`). Nothing is looked up outside.
    """
    given = Failure(
        phase=phase_named(phase),
        port=port,
        security=security,
        provider=provider or (provider_of(host) if host else ""),
        host=host,
        banner=banner,
    )
    if isinstance(anything, MailError) and not isinstance(anything, DeliveryError):
        return _of_our_side(anything)
    judged = []
    for failure, functions in _failures(anything):
        failure, verdict = _judged(_with(failure, given), functions)
        weight = verdict.weight + (_SPOKEN if failure.code or failure.refused else 0.0)
        weight -= _UNWORDED if verdict.fallback else 0.0
        judged.append((weight, failure, verdict))
    if not judged:
        return _told(anything, given, Verdict("unknown", 0.0, fallback=True), given)
    best, failure, verdict = max(judged, key=lambda found: found[0])
    # Of a log that line is shown which alone says as much.
    same = [
        f for w, f, v in judged if v.kind == verdict.kind and v.fallback == verdict.fallback and w > best - _AS_MUCH
    ]
    return _told(anything, failure, verdict, min(same, key=lambda f: len(f.text)))


def _judged(failure: Failure, functions: tuple[str, ...]) -> tuple[Failure, Verdict]:
    """The failure with all that is told of it, and what it is; words that are not known as they stand are read again
    without their endings.
    """
    known, worded = enriched(failure, functions)
    verdict = verdict_on(known, worded)
    if verdict.fallback:
        again, worded = enriched(failure, functions, loosely=True)
        second = verdict_on(again, worded)
        if second.weight > verdict.weight:
            return again, replace(second, doubtful=True)
    return known, verdict


def _failures(anything: object) -> Iterable[Known]:
    if isinstance(anything, BaseException):
        return failures_of(anything)
    if isinstance(anything, Reply):
        text = cleaned(" ".join(anything.lines))
        return [(Failure(text=text, code=anything.code, enhanced=anything.enhanced or ""), ())]
    if isinstance(anything, bytes | bytearray | memoryview):
        return [known for text in decodings(bytes(anything)) for known in _of_text(text)]
    try:
        text = anything if isinstance(anything, str) else str(anything)
    except Exception:  # whatever a foreign __str__ does: nothing is known then
        return []
    return [known for read in (text, repaired(text[:TEXT_LIMIT])) if read for known in _of_text(read)]


def _of_text(text: str) -> list[Known]:
    """The failures that a text may tell of; what it says about ports and classes holds for each of them."""
    text = cleaned(text)
    talk = dialogue_in(text)
    parts: list[Known] = [] if talk.refusal is None else [(talk.refusal, ())]
    reached = talk.phase if talk.refusal is None else ""
    parts += [(Failure(text=piece.text, phase=reached), piece.functions) for piece in pieces(text)]
    port = port_in(text)
    functions = tuple(name for _, names in parts for name in names)
    security = security_in(text, functions)
    return [(replace(failure, port=failure.port or port, security=security), names) for failure, names in parts]


def _with(failure: Failure, given: Failure) -> Failure:
    """The failure, with what the caller knows in place of what was guessed."""
    return replace(
        failure,
        phase=given.phase or failure.phase,
        port=given.port or failure.port,
        security=given.security or failure.security,
        provider=given.provider or failure.provider,
        host=given.host or failure.host,
        banner=given.banner or failure.banner,
    )


def _of_our_side(error: MailError) -> Diagnosis:
    """Of what never reached a server mailwright itself knows the cause."""
    kind = {"MissingExtra": "missing-extra", "ConfigError": "configuration"}.get(type(error).__name__, "message")
    return Diagnosis(kind, error.what, (), error.advice, "after_change", certainty="high")


def _told(anything: object, failure: Failure, verdict: Verdict, shown: Failure) -> Diagnosis:
    entry = knowledge().entries.get(verdict.kind)
    evidence = _evidence(anything, shown)
    if entry is None:
        told = _by_code(verdict, failure, evidence)
    else:
        certainty = _LOWER[entry.certainty] if verdict.doubtful or verdict.fallback else entry.certainty
        told = Diagnosis(
            entry.kind,
            entry.what,
            entry.causes,
            entry.fix,
            entry.retry,
            entry.wait,
            evidence,
            entry.link,
            certainty,
            verdict.fallback,
            failure.provider,
        )
    if verdict.fallback:
        told = _by_class_of_code(told, failure)
    told = _careful(told, failure)
    return _as_we_know_it(anything, told) if isinstance(anything, DeliveryError) else told


def _by_code(verdict: Verdict, failure: Failure, evidence: str) -> Diagnosis:
    """What is said of a code that belongs to no kind of failure, or of nothing that is known."""
    own = verdict.own
    link = "https://www.rfc-editor.org/rfc/rfc3463"
    if own is None:
        return Diagnosis(
            "unknown",
            "This failure is not known here.",
            (),
            "Give more of the log: the lines before it, the server's own words, host and port.",
            evidence=evidence,
            link=link,
            fallback=True,
            provider=failure.provider,
        )
    causes = own["causes"]
    return Diagnosis(
        verdict.kind,
        str(own["what"]),
        tuple(map(str, causes)) if isinstance(causes, list) else (),
        str(own["fix"]),
        str(own["retry"]),
        None,
        evidence,
        link,
        "low" if verdict.doubtful else "medium",
        True,
        failure.provider,
    )


def _by_class_of_code(told: Diagnosis, failure: Failure) -> Diagnosis:
    """Where only the code is known its first digit says whether a retry helps: 4 later, 5 not without a change."""
    first = str(failure.code)[0] if failure.code > 0 else failure.enhanced[:1]
    if first == "4" and told.retry == "no":
        return replace(told, retry="yes", wait=300.0)
    if first == "5" and told.retry in ("yes", "once"):
        return replace(told, retry="no", wait=None)
    return told


def _careful(told: Diagnosis, failure: Failure) -> Diagnosis:
    """No advice to repeat what may have been accepted: where the connection ended at the content, nobody knows."""
    if told.retry == "no" or failure.code >= 400 or failure.phase not in ("data", "final_reply"):
        return told
    return replace(told, retry="no", wait=None, fix=f"{_LOOK_FIRST} {told.fix}")


def _as_we_know_it(error: DeliveryError, told: Diagnosis) -> Diagnosis:
    """Our own errors know more than their words: whether somebody has got the message, and what happened where nobody
    knows the words.
    """
    if told.fallback and error.reply is None and error.what:
        told = replace(told, what=error.what, fix=error.advice or told.fix)
    if error.receipt is not None and error.receipt.accepted and not error.in_doubt:
        rest = "Send again only to those who were refused (error.remaining), for the others have it."
        told = replace(told, fix=f"{told.fix} {rest}".strip())
    return told


def _evidence(anything: object, failure: Failure) -> str:
    """What it rests on, as one safe line; of a long one the part from the reply code on."""
    text = " ".join(masked(failure.text[:4000]).split())
    code = str(failure.code) if failure.code > 0 else ""
    if isinstance(anything, BaseException | Reply) and code and not text.startswith(code):
        text = f"{code} {text}"
    at = text.find(code) if code else 0
    return visible(f"…{text[at:]}" if at > _EVIDENCE_LIMIT // 2 else text, _EVIDENCE_LIMIT)
