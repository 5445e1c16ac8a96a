"""SPF, as far as its owner can get it wrong (RFC 7208): no record, two of them, too many lookups, a policy that says
nothing. Which addresses it lets send is not evaluated: that of the server which passes the mail on is not known here.
"""

from __future__ import annotations

from mailwright.diagnose.checkup import Line
from mailwright.words.reply import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.diagnose.questions import Questions

LOOKUPS = 10  # RFC 7208 §4.6.4: terms that need the name system, those of included records counted too
QUESTIONS = 25  # included records that are looked at; one that needs more is over the limit anyway
_COUNTED = ("include", "a", "mx", "ptr", "exists", "redirect")


async def examine_spf(domain: str, names: Questions) -> Line:
    """The line for the domain's SPF record. Raises `OSError` and `MissingExtra` of the lookups."""
    records = await _records(domain, names)
    if not records:
        said = f"{domain} has no SPF record, so that anybody may send in its name"
        fix = (
            "Publish the TXT record that your mail provider names; for a server of your own that is "
            f"{domain} TXT “v=spf1 mx ~all”."
        )
        return Line("SPF", "warning", said, fix, kind="no-spf")
    if len(records) > 1:
        said = f"{domain} has {len(records)} SPF records, which counts as an error (RFC 7208 §3.2)"
        return Line("SPF", "failed", said, "Join them into one TXT record with one v=spf1.", kind="spf-twice")
    terms = _terms(records[0])
    count, broken = await _count(domain, terms, names)
    if broken:
        said = f"the SPF record of {domain} includes {visible(broken, 100)}, which has none"
        return Line("SPF", "failed", said, "Correct or remove that include.", kind="spf-broken-include")
    if count > LOOKUPS:
        said = f"the SPF record of {domain} needs more than {LOOKUPS} lookups ({count}), which counts as an error"
        return Line("SPF", "failed", said, "Take out what nobody sends through any more.", kind="spf-too-many-lookups")
    return _policy(domain, terms, count)


def _policy(domain: str, terms: list[str], count: int) -> Line:
    last = next((term for term in terms if term.lstrip("+-~?") == "all"), "")
    needs = f"{count} of {LOOKUPS} lookups"
    if last in ("all", "+all"):
        fix = "End it with ~all or -all instead."
        return Line("SPF", "failed", f"{domain} lets everybody send in its name (+all)", fix, kind="spf-all")
    if last in ("-all", "~all"):
        return Line("SPF", "ok", f"{domain} ends with {last}; {needs}")
    if any(term.startswith("redirect=") for term in terms):
        return Line("SPF", "ok", f"{domain} takes the policy of another domain; {needs}")
    said = f"{domain} has an SPF record that forbids nothing ({last or 'no “all” at its end'})"
    return Line("SPF", "warning", said, "End it with ~all or -all.", kind="spf-neutral")


async def _records(domain: str, names: Questions) -> list[str]:
    texts = await names.txt(domain)
    return [text for text in texts if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")]


def _terms(record: str) -> list[str]:
    return record.lower().split()[1:200]


async def _count(domain: str, terms: list[str], names: Questions) -> tuple[int, str]:
    """How many lookups the record needs, and the domain of an include that leads nowhere, if there is one."""
    count, waiting, seen = 0, [terms], {domain}
    while waiting:
        for term in waiting.pop(0):
            name, _, target = term.lstrip("+-~?").replace("=", ":", 1).partition(":")
            name = name.partition("/")[0]
            if name not in _COUNTED:
                continue
            count += 1
            if name in ("include", "redirect") and target not in seen and "%" not in target and len(seen) < QUESTIONS:
                seen.add(target)
                found = await _records(target, names) if target else []
                if not found:
                    return count, target or "nothing"
                waiting.append(_terms(found[0]))
    return count, ""
