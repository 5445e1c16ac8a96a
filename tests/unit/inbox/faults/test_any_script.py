"""Any script of faults: the server goes on, and what a client was told was taken is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailwright import Inbox, Mailer, Message
from mailwright.drivers import memory
from mailwright.errors import ConfigError, DeliveryError
from mailwright.inbox.faults import Fault, Faults
from mailwright.mailer.delivering import deliver
from mailwright.options import Timeouts
from mailwright.smtp.ledger import Ledger
from mailwright.smtp.receiving import Received, Rules, receive
from mailwright.smtp.receiving.faults import ACTIONS, DROPS, STAGES
from mailwright.smtp.session import Session
from mailwright.steps import Read, Write
from mailwright.words.reply import Reply
from mailwright.words.server import Server
from tests.dialogue import raw_mail

REPLIES = ["421 4.7.0 Goodbye", "450 4.2.1 Busy", "452 4.3.1 Full", "550 5.1.1 No", "554 5.7.1 Never"]


def fits(stage: str, action: str) -> bool:
    """Whether there is such a fault."""
    try:
        Fault(stage, action, "450 4.2.1 Busy", words=("DSN",))
    except ConfigError:
        return False
    return True


FITTING = [(stage, action) for stage in STAGES for action in ACTIONS if action != "certificate" and fits(stage, action)]


@st.composite
def any_fault(draw: st.DrawFn, longest: float = 400.0) -> Fault:
    stage, action = draw(st.sampled_from(FITTING))
    fields: dict[str, Any] = {
        "reply": draw(st.sampled_from(REPLIES)) if action == "reply" else None,
        "how": draw(st.sampled_from(DROPS)) if action == "drop" else "",
        "seconds": draw(st.sampled_from([0.0, longest / 100, longest])),
        "octets": draw(st.sampled_from([0, 1, 7, 100, 5000])),
        "words": draw(st.sampled_from([("SIZE 10",), ("CHUNKING", "PIPELINING"), ("DSN", "8BITMIME")])),
        "taken": draw(st.booleans()),
        "number": draw(st.sampled_from([0, 0, 0, 1, 2])),
        "after": draw(st.sampled_from([0, 0, 1, 3])),
        "times": draw(st.sampled_from([None, 1, 2])),
        "each": draw(st.booleans()),
        "chance": draw(st.sampled_from([1.0, 0.5])),
        "seed": draw(st.integers(0, 3)),
    }
    return Fault(stage, action, **fields)


TIMEOUTS = Timeouts(connect=60, reply=60, block=60, final=120)


def sent(script: Faults, rules: Rules, octets: int, segment: int) -> tuple[Ledger, list[Received], Any]:
    """One message from our client to the server in memory: what the client believes, and what the server has."""
    clock, kept = memory.Time(), list[Received]()
    here, there = memory.pair(clock, segment)
    mail = raw_mail("a@example.net", "b@example.net", content=b"Subject: x\r\n\r\n" + b"line of text\r\n" * octets)
    ledger = Ledger(mail.envelope.recipients)
    session = Session(Server("127.0.0.1", 2525, "none", timeouts=TIMEOUTS), clock)

    async def client() -> None:
        await deliver(session, mail, ledger, "raise", False)

    plan = receive(rules, lambda received: kept.append(received), "", None, script, clock)
    result, end = memory.converse((client(), here), (plan, there), time=clock)
    assert end is None, "the server's plan never raises"
    return ledger, kept, result


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(any_fault(), max_size=5),
    st.booleans(),
    st.booleans(),
    st.sampled_from([1, 600]),
    st.sampled_from([0, 0, 3]),
)
def test_what_was_said_to_be_taken_is_there(
    script: list[Fault], chunking: bool, pipelining: bool, octets: int, segment: int
) -> None:
    faults = Faults()
    for fault in script:
        faults.add(fault)
    missing = {name for name, has in (("CHUNKING", chunking), ("PIPELINING", pipelining)) if not has}
    rules = Rules(extensions=tuple(name for name in Rules().extensions if name not in missing))
    ledger, kept, result = sent(faults, rules, octets, segment)
    there = {recipient.spec for received in kept for recipient in received.recipients}
    fates = {recipient.spec: fate for recipient, (fate, _) in ledger.fates.items()}
    told = {spec for spec, fate in fates.items() if fate == "accepted"}
    # A reply that is said twice is taken for that to the next command: then the server itself has lied.
    if not any(fault.action in ("double", "omit") for fault in script):
        assert told <= there, (fates, result)
    # And who has the message was never told for good that it was refused.
    refused = {spec for spec, fate in fates.items() if fate == "refused"}
    assert not refused & there or any(fault.action in ("double", "omit") for fault in script), (fates, result)
    assert isinstance(result, DeliveryError) or result is None


def test_each_fate_is_met() -> None:
    def fates(*texts: str) -> set[str]:
        faults = Faults()
        for text in texts:
            faults.add(text)
        ledger, _, _ = sent(faults, Rules(), 1, 0)
        return {fate for fate, _ in ledger.fates.values()}

    assert fates() == {"accepted"}
    assert fates("recipient_refused number=2") == {"accepted", "refused"}
    assert len(fates("after_dot") | fates("drop mail") | {"accepted", "refused"}) == 4


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(any_fault(), max_size=4),
    st.lists(
        st.binary(max_size=30)
        | st.sampled_from(
            [
                b"EHLO x\r\n",
                b"MAIL FROM:<>\r\n",
                b"RCPT TO:<a@b.example>\r\n",
                b"DATA\r\n",
                b"BDAT 5 LAST\r\n12345",
                b".\r\n",
                b"QUIT\r\n",
            ]
        ),
        max_size=12,
    ),
)
def test_whatever_a_client_says_meanwhile(script: list[Fault], said: list[bytes]) -> None:
    faults = Faults()
    for fault in script:
        faults.add(fault)

    async def client() -> None:
        for octets in said:
            await Write(octets, 10)
        try:
            while await Read(1000):
                pass
        except TimeoutError:
            pass

    clock = memory.Time()
    here, there = memory.pair(clock)
    plan = receive(Rules(), lambda received: Reply(250, ("2.0.0 OK",)), "", None, faults, clock)
    _, end = memory.converse((client(), here), (plan, there), time=clock)
    assert end is None


# Over real sockets, with a real clock.


@pytest.fixture(scope="module")
def inbox() -> Iterator[Inbox]:
    with Inbox(tls=False) as opened:
        yield opened


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(any_fault(longest=0.05), min_size=1, max_size=4))
def test_the_inbox_survives_it(inbox: Inbox, script: list[Fault]) -> None:
    inbox.clear()
    inbox.faults.replace(*script)
    told = 0
    server = Server("127.0.0.1", inbox.server.port, "none", timeouts=Timeouts(connect=2, reply=0.5, final=0.5, total=3))
    with Mailer(server) as mailer:
        for number in range(2):
            try:
                mailer.send(Message("ada@example.org", "grace@example.net", f"Number {number}", "Hi!"))
                told += 1
            except DeliveryError:
                pass
    inbox.faults.clear()
    if not any(fault.action in ("double", "omit") for fault in script):
        assert told <= len(inbox.messages)
    with Mailer(inbox.server) as mailer:
        mailer.send(Message("ada@example.org", "grace@example.net", "And now", "Hi!"))
    assert inbox.wait(subject="And now", timeout=20).subject == "And now"
