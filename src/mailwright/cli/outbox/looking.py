"""`mailwright outbox list`, `show` and `stats`: what became of it."""

from __future__ import annotations

from itertools import islice

from mailwright.cli.outbox.advising import way_on, who_has
from mailwright.cli.outbox.opening import ago, due, opened, past, plain, refuse, spoken, tell_json
from mailwright.words.reply import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from mailwright.outbox.status import Delivery, Stats, Status

_ROWS = 50


def add_arguments(action: str, parser: argparse.ArgumentParser) -> None:
    """The options of the action."""
    add = parser.add_argument
    if action == "show":
        add("id", nargs="+", metavar="ID", help="the id of a message")
    elif action == "list":
        add("--state", metavar="NAME", help="queued, deferred, leased, sending, held, sent, failed, expired, …")
        add("--to", metavar="ADDRESS", help="a recipient")
        add("--domain", metavar="DOMAIN", help="recipients there")
        add("--account", metavar="NAME", help="what goes through this account")
        add("--key", metavar="TEXT", help="the message with this key")
        add("--stream", metavar="NAME", help="of this stream")
        add("--message-id", metavar="ID", help="with this Message-ID")
        add("--since", metavar="WHEN", help="put since then: 2026-11-24T08:00:00+01:00, or back from now: 2h, 5d")
        add("--until", metavar="WHEN", help="put before then")
        add("--limit", type=int, default=_ROWS, metavar="N", help=f"at most so many; {_ROWS} if not given, 0 for all")
        add("--ids", action="store_true", help="print nothing but ids, each once: for release, retry and their kin")
    add(
        "--json", action="store_true", help="print JSON" + (", one line for each recipient" if action == "list" else "")
    )


def run(arguments: argparse.Namespace) -> int:
    """Print it."""
    action: str = arguments.action
    if action == "list" and arguments.limit < 0:
        return refuse("--limit is a number from 0 on.", "list")
    with opened(arguments) as outbox:
        if action == "stats":
            _tell_stats(outbox.stats(), arguments.json)
            return 0
        if action == "show":
            for id in arguments.id:
                _tell_status(outbox.status(id), arguments.json)
            return 0
        found = outbox.find(
            state=arguments.state, recipient=arguments.to, domain=arguments.domain, account=arguments.account,
            key=arguments.key, stream=arguments.stream, message_id=arguments.message_id,
            since=past(arguments.since, "since"), until=past(arguments.until, "until"),
        )  # fmt: skip
        _tell_list(found, arguments)
    return 0


def _tell_list(found: Iterator[Delivery], arguments: argparse.Namespace) -> None:
    from mailwright.cli import tell

    limit = arguments.limit or None
    if arguments.ids:
        for id in islice(_once(one.id for one in found), limit):
            tell(id)
        return
    for one in islice(found, limit):
        if arguments.json:
            tell_json(one)
        else:
            when = due(one.due) if one.due is not None else ago(one.ended)
            said = f"  {visible(one.text, 160)}" if one.text else ""
            tell(f"{one.id}  {one.state.name:10} {when:14} {visible(one.address, 254)}{said}")


def _once(ids: Iterable[str]) -> Iterator[str]:
    """Each id once: those of one message follow each other."""
    last = ""
    for id in ids:
        if id != last:
            yield id
        last = id


def _tell_status(status: Status, as_json: bool) -> None:
    from mailwright.cli import tell

    if as_json:
        tell_json({**plain(status), "done": status.done, "sent": status.sent})
        return
    stream = f", stream {visible(status.stream, 60)}" if status.stream != "default" else ""
    lines = [
        f"id          {status.id}",
        f"message-id  {visible(status.message_id, 300)}",
        f"sender      {visible(status.sender, 300) or '<>'}",
        f"put         {_time(status.created)}{stream}",
        f"size        {status.size:,} octets{' (content deleted)' if status.pruned else ''}",
    ]
    if status.key is not None:
        lines.insert(1, f"key         {visible(status.key, 255)}")
    if status.expires is not None:
        lines.append(f"expires     {_time(status.expires)}")
    lines.append("")
    for one in status.deliveries:
        lines.append(f"{visible(one.address, 254)}: {one.state}")
        facts = [
            f"{one.attempts} tr{'ies' if one.attempts != 1 else 'y'}",
            f"account {one.account}",
            f"lane {one.lane}",
        ]
        facts += [due(one.due)] if one.due is not None else []
        facts += [_time(one.ended)] if one.ended is not None else []
        facts += [who_has(one)] if one.worker else []
        facts += [f"{one.deaths} worker{'s' * (one.deaths != 1)} ended while they had it"] if one.deaths else []
        facts += ["to be taken back"] if one.cancelled else []
        lines.append("  " + ", ".join(facts))
        if one.text:
            lines.append(f"  {visible(one.text, 500)}")
        if one.state.name == "held":
            lines.append(f"  {way_on(one, len(status.deliveries) > 1)}")
    if status.events:
        lines += [
            "",
            *(f"{_time(e.at)}  {e.kind}  {visible(e.address, 254)}  {visible(e.detail, 300)}" for e in status.events),
        ]
    tell("\n".join(lines))


def _time(when: object) -> str:
    return when.astimezone().isoformat(" ", "seconds") if when is not None else "-"  # type: ignore[attr-defined]


def _rate(number: float) -> str:
    """So many a second, over the last five minutes."""
    return "-" if not number else f"{number:.2g}" if number < 10 else f"{number:,.0f}"


def _tell_stats(stats: Stats, as_json: bool) -> None:
    from mailwright.cli import tell

    if as_json:
        tell_json({**plain(stats), "open": stats.open})
        return
    lines = ["PAUSED: workers begin nothing. Go on with: mailwright outbox resume", ""] if stats.paused else []
    lines += [f"{name:10} {count:>12,}" for name, count in stats.counts.items() if count or name in ("queued", "sent")]
    lines += ["", f"oldest open message: {spoken(stats.oldest)}"]
    for one in stats.recent:
        median = f", half of them within {spoken(one.median)}" if one.median is not None else ""
        lines.append(
            f"last {spoken(one.seconds):7} {one.sent:,} sent ({one.rate:,.1f}/s{median}), {one.failed:,} failed"
        )
    if stats.waiting:
        heads = f"{'open':>9} {'due':>9} {'later':>9} {'held':>9} {'oldest':>8} {'sent/s':>7} {'failed/s':>8}"
        lines += ["", f"{'waiting for':32} {heads}"]
        for w in stats.waiting[:20]:
            name = visible(w.destination + (f" via {w.account}" if w.account != "default" else ""), 32)
            counts = f"{w.open:>9,} {w.due:>9,} {w.later:>9,} {w.held:>9,}"
            lines.append(f"{name:32} {counts} {spoken(w.oldest):>8} {_rate(w.rate):>7} {_rate(w.failures):>8}")
    if stats.reached:
        lines += ["", f"{'sent to':32} {'sent/s':>7} {'failed/s':>8} {'half in':>8} {'95% in':>8}"]
        for r in stats.reached[:20]:
            name = visible(r.destination + (f" via {r.account}" if r.account != "default" else ""), 32)
            times = f"{spoken(r.median):>8} {spoken(r.slow):>8}"
            lines.append(f"{name:32} {_rate(r.rate):>7} {_rate(r.failures):>8} {times}")
    for s in stats.slowed:
        place = visible(f"{s.account}/{s.destination}" if s.destination else f"account {s.account}", 100)
        if s.until is not None:
            lines.append(f"{place} waits until {_time(s.until)}: {visible(s.reason, 200)}")
        elif s.pace:
            lines.append(f"{place} bears {s.pace:.2g} messages a second")
    lines += ["", f"workers: {', '.join(visible(w.host, 60) for w in stats.workers) or 'none seen in two minutes'}"]
    lines.append(f"suppressed addresses: {stats.suppressions:,}")
    tell("\n".join(lines))
