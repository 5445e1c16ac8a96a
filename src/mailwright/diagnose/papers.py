"""The sender's papers: what the name system says of a domain, as the servers of others read it.

Nothing here is decided by the server that takes the mail from us; but who gets it afterwards looks at SPF (RFC 7208),
DKIM (RFC 6376) and DMARC (RFC 7489), and at whether an answer could come back (MX).
"""

from __future__ import annotations

from ipaddress import ip_address

from mailwright.diagnose.checkup import Line
from mailwright.diagnose.questions import questions
from mailwright.diagnose.spf import examine_spf
from mailwright.steps import Together
from mailwright.words.errors import MissingExtra
from mailwright.words.reply import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from mailwright.diagnose.doctor import Case
    from mailwright.diagnose.questions import Questions
    from mailwright.providers.lookups import Lookups
    from mailwright.steps import Plan

PARENTS = 5  # domains above the sender's in which a DMARC record is looked for
#: Under which selectors the providers put the keys of their customers' domains, where that is the same for all.
USUAL_SELECTORS = {
    "microsoft365": ("selector1", "selector2"),
    "google-workspace": ("google",),
    "fastmail": ("fm1", "fm2", "fm3"),
    "icloud": ("sig1",),
}


async def examine_papers(case: Case, ask: Callable[[], Lookups] | None, address: str) -> tuple[Line, ...]:
    """The lines of the last stage; ``ask()`` gives whom to ask. `address` is the server's, where it was reached."""
    if case.sender is None:
        fix = "Name it: mailwright doctor ADDRESS, or a sender in the settings."
        return (Line("domain", "not checked", "no sender is known", fix),)
    domain = case.sender.domain
    if ask is None:
        return (Line("domain", "not checked", "nobody was to be asked"),)
    if domain.startswith("["):
        return (Line("domain", "not checked", f"{domain} is an address of a machine, not a domain"),)
    provider = case.provider
    if provider is not None and domain in provider.domains:
        return (Line("domain", "ok", f"{domain} is kept in order by {provider.title} itself"),)
    selectors = case.selectors or USUAL_SELECTORS.get(provider.id if provider is not None else "", ())
    names = await questions(ask())
    plans: tuple[Plan[Line], ...] = (
        _asked("MX", _mx(domain, names)),
        _asked("SPF", examine_spf(domain, names)),
        _asked("DMARC", _dmarc(domain, names)),
        _asked("DKIM", _dkim(domain, selectors, bool(case.selectors), names)),
        _asked("PTR", _ptr(address, provider is not None, names)),
    )
    found = await Together(plans)
    for one in found:
        if isinstance(one, Exception):
            raise one  # not a failure of the name system, which `_asked` knows, but a defect
    missing = [line for line in found if line.kind == "missing-extra"]
    return (missing[0],) if missing else tuple(found)


async def _asked(what: str, plan: Plan[Line]) -> Line:
    """The line of one paper, also where nobody answers."""
    try:
        return await plan
    except MissingExtra as problem:
        return Line("all of them", "not checked", problem.what, problem.advice, kind="missing-extra")
    except (OSError, UnicodeError) as problem:
        said = "the name system did not answer" + (" in time" if isinstance(problem, TimeoutError) else "")
        return Line(what, "not checked", said, "Try again later, or from another network.")


async def _mx(domain: str, names: Questions) -> Line:
    records = await names.mx(domain)
    if [host for _, host in records] in (["."], [""]):
        said = f"{domain} says that it takes no mail at all (a null MX)"
        fix = "Send from a domain that takes mail: many servers refuse a sender whom nobody can answer (RFC 7505)."
        return Line("MX", "failed", said, fix, kind="null-mx")
    if records:
        return Line("MX", "ok", f"answers go to {visible(records[0][1], 100)}{_more(len(records) - 1)}")
    if await names.addresses(domain):
        said = f"{domain} has no MX record; answers go to the address of {domain} itself"
        return Line("MX", "warning", said, "Publish an MX record, if this domain takes mail.", kind="no-mx")
    said = f"{domain} has neither an MX record nor an address, so that no answer can come back"
    fix = "Check the spelling of the sender's domain, or publish an MX record: many servers refuse such a sender."
    return Line("MX", "failed", said, fix, kind="no-mx")


def _more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""


async def _dmarc(domain: str, names: Questions) -> Line:
    """The policy of the domain, or of one above it (RFC 7489 §6.6.3 has the organisation's domain decide)."""
    labels = domain.split(".")
    for above in range(min(len(labels) - 1, PARENTS + 1)):
        name = ".".join(labels[above:])
        texts = await names.txt(f"_dmarc.{name}")
        records = [text for text in texts if text.lower().replace(" ", "").startswith("v=dmarc1")]
        if len(records) > 1:
            said = f"{name} has {len(records)} DMARC records, which counts as none"
            return Line("DMARC", "failed", said, f"Leave one TXT record at _dmarc.{name}.", kind="dmarc-twice")
        if records:
            return _dmarc_policy(name, records[0])
    fix = (
        f"Publish a TXT record at _dmarc.{domain} that begins with v=DMARC1; p=none. Gmail, Yahoo and Microsoft ask it "
        "of everybody who sends much."
    )
    return Line("DMARC", "warning", f"{domain} has no DMARC record", fix, kind="no-dmarc")


def _dmarc_policy(name: str, record: str) -> Line:
    tags = _tags(record)
    policy = tags.get("p", "").lower()
    if policy not in ("none", "quarantine", "reject"):
        fix = f"Write p=none, p=quarantine or p=reject behind v=DMARC1 in the TXT record at _dmarc.{name}."
        return Line("DMARC", "failed", f"the record of {name} has no valid policy", fix, kind="dmarc-invalid")
    meaning = {
        "none": "mail that fails is only counted",
        "quarantine": "mail that fails goes to the spam folder",
        "reject": "mail that fails is refused",
    }
    return Line("DMARC", "ok", f"{name} asks for p={policy}: {meaning[policy]}")


def _tags(record: str) -> dict[str, str]:
    """The tags of a record like ``v=DMARC1; p=none`` (RFC 6376 §3.2)."""
    found: dict[str, str] = {}
    for part in record.split(";")[:50]:
        name, _, text = part.partition("=")
        found.setdefault(name.strip().lower(), text.strip())
    return found


async def _dkim(domain: str, selectors: tuple[str, ...], certain: bool, names: Questions) -> Line:
    if not selectors:
        fix = (
            "The selector stands behind s= in the DKIM-Signature field of a message that was sent: check it with "
            "--selector NAME."
        )
        return Line("DKIM", "not checked", "the selector of the key is not known", fix)
    missing = []
    for selector in selectors:
        name = f"{selector}._domainkey.{domain}"
        texts = await names.txt(name)
        keys = [_tags(text) for text in texts if "p=" in text.replace(" ", "")]
        if not keys:
            missing.append(name)
        elif not keys[0].get("p"):
            said, fix = f"the key at {name} was revoked (p= is empty)", "Sign with a key that is published."
            return Line("DKIM", "failed", said, fix, kind="dkim-revoked")
        else:
            return Line("DKIM", "ok", f"a key is published at {visible(name, 200)}")
    said = f"there is no key at {visible(', '.join(missing), 300)}"
    if not certain:
        return Line("DKIM", "warning", said, "Switch DKIM on where your domain's mail is administered.", kind="no-dkim")
    return Line("DKIM", "failed", said, "Publish the key, or correct the selector with which you sign.", kind="no-dkim")


async def _ptr(address: str, by_provider: bool, names: Questions) -> Line:
    if by_provider:
        return Line("PTR", "not checked", "the provider's own servers pass the mail on")
    try:
        public = ip_address(address).is_global
    except ValueError:
        return Line("PTR", "not checked", "the server was not reached, so that its address is not known")
    if not public:
        return Line("PTR", "not checked", f"{address} is not a public address")
    found = await names.pointer(address)
    fix = "If this very server passes mail on to others, its network must give it a name: many refuse it else."
    if not found:
        return Line("PTR", "warning", f"the server's address {address} has no name", fix, kind="no-ptr")
    name = found[0].rstrip(".")
    back = await names.addresses(name)
    if address not in back:
        said = f"{address} is called {visible(name, 100)}, but that name does not lead back to it"
        return Line("PTR", "warning", said, fix, kind="ptr-mismatch")
    return Line("PTR", "ok", f"{address} is {visible(name, 100)}, there and back")
