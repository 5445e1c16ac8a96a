"""What it means that a port answered so and not otherwise: from knocks to the lines of street, door and hallway."""

from __future__ import annotations

from mailwright.diagnose.checkup import Line
from mailwright.diagnose.explain import explain
from mailwright.diagnose.knocking import refused_certificate
from mailwright.smtp import phases
from mailwright.words.errors import (
    ConnectError,
    ConnectionLost,
    DeliveryError,
    ProtocolError,
    Refused,
    Timeout,
    TLSError,
)
from mailwright.words.reply import visible
from mailwright.words.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mailwright.diagnose.checkup import Verdict
    from mailwright.diagnose.diagnosis import Diagnosis
    from mailwright.diagnose.doctor import Case
    from mailwright.diagnose.knocking import Knock
    from mailwright.smtp.session import Session
    from mailwright.words.server import Server

EXPIRES_SOON = 14  # days: a certificate that is renewed by itself has more than that left
WAYS = {"tls": "security 'tls' (smtps://)", "starttls": "security 'starttls' (smtp://)"}


# What a failure is called, and what to do.


def failed(case: Case, what: str, error: DeliveryError, session: Session | None = None, fix: str = "") -> Line:
    """The line for an error, explained. `fix` comes first where the check knows something better than to explain."""
    diagnosis = diagnosed(case, error, session)
    if fix:
        return Line(what, "failed", error.what, fix, kind=diagnosis.kind, error=error)
    # A guess from a code or a phase alone says less than the error, which knows where it was raised.
    if diagnosis.fallback or diagnosis.certainty == "low" or isinstance(error, ProtocolError):
        return Line(what, "failed", error.what, error.advice or diagnosis.fix, kind=diagnosis.kind, error=error)
    why = diagnosis.causes[0] if diagnosis.causes else ""
    return Line(what, "failed", error.what, diagnosis.fix, why, diagnosis.kind, diagnosis.link, error)


def diagnosed(case: Case, error: DeliveryError, session: Session | None) -> Diagnosis:
    """The explanation of an error, with all that is known of where it happened."""
    server = session.server if session is not None else case.server
    greeting = session.greeting if session is not None else None
    return explain(
        error,
        phase=error.phase,
        port=server.port,
        security=server.security,
        provider=case.provider.id if case.provider is not None else "",
        host=server.host,
        banner=greeting.text if greeting is not None else "",
    )


def _milder(line: Line) -> Line:
    """The same where mail does not go that way: nothing is broken by it."""
    return replace(line, verdict="warning", error=None)


# The street.


def host_name(case: Case) -> Iterator[Line]:
    """What is to be said of the settings, and what is known against the name of the host."""
    for remark in case.remarks:
        yield Line("settings", "warning", remark)
    from mailwright.providers.catalog import alias

    known = alias(case.server.host) if case.server.path is None else None
    if known is not None:
        fix = f"Use {known.use}." if known.use else "Use the server that the provider names for sending."
        yield Line("host", "warning", f"{known.host}: {known.why}", fix, kind="host-alias")


def street(case: Case, found: Sequence[Knock]) -> Iterator[Line]:
    """Which ports take a connection, each with both families of addresses."""
    open_ports = [port for port, knocks in _by_port(found) if any(one.reached for one in knocks)]
    for port, knocks in _by_port(found):
        name = "socket" if case.server.path is not None else f"port {port}"
        reached = [one for one in knocks if one.reached]
        if reached:
            yield _open_port(name, knocks)
        elif port == case.server.port or case.server.path is not None:
            error = _unreached(case.server, knocks)
            spare = [one for one in open_ports if one in _spare(case)]
            others = [one for one in open_ports if one != 25]
            fix = _use(others[0], case.server) if others else ""
            line = failed(case, name, error, knocks[0].session, fix)
            if spare:
                used = f"Nothing has to be done: mail goes through port {spare[0]} instead, after a wait."
                line = replace(_milder(line), fix=used)
            yield line
        else:
            yield Line(name, "ok", f"{_silence(knocks)}; {_need(case, port)}")


def _need(case: Case, port: int) -> str:
    if case.provider is not None and port in case.provider.closed_ports:
        return f"{case.provider.title} has nothing there"
    return "mail programs don't need it" if port == 25 else "not needed"


def _open_port(name: str, knocks: Sequence[Knock]) -> Line:
    reached = [one for one in knocks if one.reached]
    times = ", ".join(f"{one.place.family or 'after'} {one.seconds * 1000:.0f} ms" for one in reached)
    closed = [one for one in knocks if not one.reached]
    if not closed:
        return Line(name, "ok", f"open ({times})")
    said = f"open ({times}), but not over {closed[0].place.family}: {_reason(closed[0])}"
    if "no answer" not in _reason(closed[0]):
        return Line(name, "ok", said)  # such as: this machine has no IPv6; that is noticed at once by every program
    fix = "mailwright tries both at once; other programs may wait long before they try the other one."
    return Line(name, "warning", said, fix)


def _unreached(server: Server, knocks: Sequence[Knock]) -> DeliveryError:
    error = knocks[0].error
    if len(knocks) == 1 or not isinstance(error, ConnectError):
        assert error is not None  # who was not reached left an error
        return error
    advice = error.advice
    both = f"No connection to {server.host}:{knocks[0].place.port}: {_silence(knocks)}."
    return ConnectError(both, advice, phase=phases.CONNECT, server=error.server, temporary=error.temporary)


def _silence(knocks: Iterable[Knock]) -> str:
    reasons: dict[str, list[str]] = {}
    for one in knocks:
        reasons.setdefault(_reason(one), []).append(one.place.family)
    if len(reasons) == 1:
        return next(iter(reasons))
    return ", ".join(f"{reason} over {' and '.join(families)}" for reason, families in reasons.items())


def _reason(one: Knock) -> str:
    """Why there is no connection, without the place, which the line names itself."""
    told = one.error.what if one.error is not None else ""
    return (told.partition(f"{one.place.port}: ")[2] or told).rstrip(".")


def _usual(port: int) -> str:
    return "tls" if port == 465 else "starttls"


def _use(port: int, server: Server) -> str:
    return f"Use port {port} with {WAYS[_usual(port)]}: it answers from here, and {server.port} does not."


# The door.


def door(case: Case, found: Sequence[Knock]) -> Iterator[Line]:
    """Who greets."""
    for port, knocks in _by_port(found):
        one = _best(knocks)
        if not one.reached:
            continue
        name = f"port {port}" if case.server.path is None else "socket"
        line = _greeting(case, name, one, next(_sound_ports(case, found), 0))
        yield line if line.verdict != "failed" or _is_ours(case, port) else _milder(line)


def _greeting(case: Case, name: str, one: Knock, better: int) -> Line:
    greeting, error = one.session.greeting, one.error
    if greeting is not None and greeting.ok:
        said = visible(" ".join(greeting.lines), 120)
        if greeting.text.count("*") > 20:
            return Line(name, "warning", f"a firewall hides the greeting ({said})", _INSPECTED, kind="masked-greeting")
        if error is not None and error.phase == phases.EHLO:
            return failed(case, name, error, one.session)
        return Line(name, "ok", said)
    if error is not None and error.phase == phases.TLS:
        return Line(name, "not checked", "on this port TLS comes before the greeting, and it failed")
    assert error is not None  # who did not greet left an error
    return failed(case, name, error, one.session, _how_to_be_greeted(case, one, error, better))


def _how_to_be_greeted(case: Case, one: Knock, error: DeliveryError, better: int) -> str:
    """What to do about a silence or a hanging up: it was seen in plain text and in TLS. Empty for what says more."""
    if one.late:
        return "It does greet, but late: give it more time with --timeout 60."
    use = f"Use port {better} with {WAYS[_usual(better)]}: it works from here." if better else ""
    if isinstance(error, ProtocolError):
        return f"{error.advice} {use}".rstrip()
    if use and not isinstance(error, Refused):
        return use
    if isinstance(error, Timeout):
        return (
            "It takes the connection and says nothing, neither in plain text nor in TLS: check host and port, and try "
            "from another network, for a firewall or a virus scanner on the way may do this."
        )
    if isinstance(error, ConnectionLost):
        return (
            "It hangs up before the first word, in plain text and in TLS: check host and port, and try from another "
            "network, for this address may be blocked there."
        )
    return ""


_INSPECTED = (
    "A firewall on the way rewrites SMTP (“inspection”, “fixup”). Have it switched off for this port, or use port 465 "
    "with security 'tls', which it can't rewrite."
)


# The hallway.


def hallway(case: Case, found: Sequence[Knock]) -> Iterator[Line]:
    """How the talk is encrypted, and who the other side proved to be."""
    for port, knocks in _by_port(found):
        one = _best(knocks)
        name = f"port {port}" if case.server.path is None else "socket"
        if not one.reached:
            continue
        if one.speaks is None and not (one.error is not None and one.error.phase == phases.TLS):
            yield Line(name, "not checked", "there is no mail server to talk to")
            continue
        for line in _encryption(case, name, one):
            yield line if line.verdict != "failed" or _is_ours(case, port) else _milder(line)


def _encryption(case: Case, name: str, one: Knock) -> Iterator[Line]:
    server, error, speaks = case.server, one.error, one.speaks
    if _is_ours(case, one.place.port) and speaks in WAYS and speaks != server.security:
        yield _contradiction(case, name, speaks)
    if error is not None and (refused_certificate(error) or error.phase in (phases.TLS, phases.STARTTLS)):
        shown = error.certificate_names if isinstance(error, TLSError) else ()
        names = tuple(name for name in shown if "*" not in name)
        fix = (
            f"Use the name that it is for as the host, {_or(names)}, if that is the server that you mean."
            if names
            else ""
        )
        yield failed(case, name, error, one.session, fix)
    elif one.session.secured is not None:
        yield _certificate(case, name, one)
    elif speaks == "none":
        yield _in_clear(case, name, one)


def _or(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]


def _contradiction(case: Case, name: str, speaks: str) -> Line:
    """The settings say one thing, and the port does another."""
    server = case.server
    does = "speaks TLS from the first byte" if speaks == "tls" else "begins in plain text and offers STARTTLS"
    meant = {"tls": "TLS from the first byte", "starttls": "STARTTLS", "none": "no encryption"}[server.security]
    said = f"it {does}, and the settings say {meant}."
    if server.security == "none" and speaks == "starttls":
        fix = f"Nothing forbids it, but whoever is on the way reads along: use {WAYS[speaks]}."
        return Line(name, "ok" if server.stays_here else "warning", said, "" if server.stays_here else fix)
    fix = f"Keep port {server.port} and use {WAYS[speaks]}."
    error = TLSError(f"{server} {does}, and the settings say {meant}.", fix, phase=phases.TLS, server=str(server))
    return Line(name, "failed", said, fix, kind=f"port-speaks-{speaks}", error=error)


def _certificate(case: Case, name: str, one: Knock) -> Line:
    facts = one.session.secured
    assert facts is not None
    host = case.server.tls.name or case.server.host
    if not facts.verified:
        said = f"{facts.version}, but the certificate was not verified, as the settings say"
        fix = f"Trust this one certificate instead: pin={facts.certificate_sha256} (check it by another way first)."
        return Line(name, "warning", said, fix, kind="not-verified")
    by = "pinned certificate" if case.server.tls.pin is not None else f"certificate for {host}"
    if facts.expires is None or not case.now:
        return Line(name, "ok", f"{facts.version}, {by}")
    days = int((facts.expires - case.now) // 86400)
    left = "ends today" if days < 1 else f"good for {days} more day{'s' * (days != 1)}"
    if case.server.tls.pin is None and days <= EXPIRES_SOON:
        fix = "Whoever runs the server must renew it; when it has ended, nobody can send."
        return Line(name, "warning", f"{facts.version}, {by}, {left}", fix, kind="cert-expires-soon")
    return Line(name, "ok", f"{facts.version}, {by}, {left}")


def _in_clear(case: Case, name: str, one: Knock) -> Line:
    """A server that greets and offers no encryption: by its own will, or somebody cut the offer out."""
    server, port = case.server, one.place.port
    if _is_ours(case, port) and server.security == "none":
        if server.stays_here:
            return Line(name, "ok", "not encrypted, and what is said stays on this machine")
        fix = "Whoever is on the way reads along; use a server with TLS for anything that is not public."
        return Line(name, "warning", "not encrypted, as the settings say", fix, kind="not-encrypted")
    masked = any(set(word) == {"X"} or word == "XXXXXXXA" for word, _ in one.offered.keywords)
    provider = case.provider.title if case.provider is not None else ""
    what = f"{server.host}:{port} does not offer STARTTLS"
    if masked or provider:
        sure = "an offer was overwritten with X" if masked else f"{provider} always does"
        said = f"{what}, and {sure}: something on the way cuts it out."
        fix = (
            "Nothing was said to it, and no password should be. Use port 465 with security 'tls', which can't be cut, "
            "or another network; antivirus programs, firewalls and hotel networks do this."
        )
        kind = "starttls-stripped"
    else:
        said, kind = f"{what}.", "starttls-not-offered"
        fix = (
            "What is said stays on this machine, so that it needs none: use security 'none' (smtp+plain://)."
            if server.stays_here
            else "Use port 465 with security 'tls', or ask whoever runs the server for encryption."
        )
    error = TLSError(said, fix, phase=phases.STARTTLS, server=f"{server.host}:{port}")
    return Line(name, "failed", said, fix, kind=kind, error=error)


# Where to go on.


def way_in(case: Case, found: Sequence[Knock]) -> Knock | None:
    """The port over which the check goes on: the one of the settings, or else a safe one that works."""
    ports = sorted({one.place.port for one in found}, key=lambda port: (not _is_ours(case, port), port == 25))
    for port in ports:
        one = _best([each for each in found if each.place.port == port])
        greeted = one.error is None and one.session.greeting is not None
        # Encrypted and verified; or neither, as the settings say.
        if greeted and (one.session.secured is not None or one.meant_in_clear):
            return one
    return None


def _sound_ports(case: Case, found: Sequence[Knock]) -> Iterator[int]:
    """Ports for mail programs that work, other than the one of the settings."""
    for port, knocks in _by_port(found):
        if port != 25 and not _is_ours(case, port) and any(one.sound for one in knocks):
            yield port


def nothing_to_enter(what: str, found: Sequence[Knock]) -> Line:
    """The line of a stage that was not come to."""
    if not found:
        return Line(what, "not checked", "there is no such host")
    why = "no port lets us in safely" if any(one.reached for one in found) else "no port answers"
    return Line(what, "not checked", why)


def _is_ours(case: Case, port: int) -> bool:
    """Whether mail would go through this port."""
    return case.server.path is not None or port == case.server.port


def _spare(case: Case) -> tuple[int, ...]:
    """Ports that are tried when that of the settings can't be reached."""
    return tuple(port for host, port, _ in case.server.alternatives if host == case.server.host)


def _by_port(found: Sequence[Knock]) -> list[tuple[int, list[Knock]]]:
    ports: dict[int, list[Knock]] = {}
    for one in found:
        ports.setdefault(one.place.port, []).append(one)
    return list(ports.items())


def _best(knocks: Sequence[Knock]) -> Knock:
    """The one that got farthest."""
    return max(knocks, key=lambda one: (one.sound, one.error is None, one.understood, one.reached))


def verdict_of(error: DeliveryError) -> Verdict:
    """What a temporary no is worth: it may be gone in a minute."""
    return "warning" if error.temporary else "failed"
