"""Faults from Python, as text and as JSON: when they happen, how often, and what they leave behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright import Inbox, Mailer, Message
from mailwright.errors import ConfigError, ConnectionLost, DeliveryError, MailError, RecipientsRefused, Refused
from mailwright.inbox import Rules
from mailwright.inbox.faults import Armed, Fault, Faults, Moment, from_json, parse, to_json, written
from mailwright.inbox.faults.writing import named
from mailwright.smtp.receiving.faults import ACTIONS, CERTIFICATES, DROPS, STAGES
from mailwright.words.reply import Reply

EXTENSIONS = tuple(Rules().extensions)


def message(*recipients: str, sender: str = "ada@example.org") -> Message:
    return Message(sender, list(recipients or ("grace@example.net",)), "Hello", "Hi!")


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox(tls=False) as opened:
        yield opened


def attempt(inbox: Inbox, *recipients: str, sender: str = "ada@example.org") -> str:
    """Send once over a connection of its own; gives the class of the error, or "sent"."""
    with Mailer(inbox.server) as mailer:
        try:
            mailer.send(message(*recipients, sender=sender))
        except DeliveryError as error:
            return type(error).__name__
    return "sent"


# How often, and to whom.


def test_a_with_block_is_when_it_happens(inbox: Inbox) -> None:
    with inbox.faults.after_dot(drop=True, times=1) as fault:
        assert attempt(inbox) == "ConnectionLost"
        assert attempt(inbox) == "sent"
    assert attempt(inbox) == "sent"
    assert len(inbox.messages) == 3
    (fired,) = fault.fired
    assert fired.moment.connection == 1 and fired.moment.message == 1
    assert fired.moment.recipients == ("grace@example.net",)
    assert "after" not in str(fired) and str(fired).startswith("dot drop=end times=1: connection 1, message 1, grace@")
    assert inbox.faults.fired == (fired,) and not inbox.faults.armed


def test_a_lost_message_is_not_kept(inbox: Inbox) -> None:
    with inbox.faults.after_dot(taken=False):
        assert attempt(inbox) == "ConnectionLost"
    assert inbox.messages == ()


def test_refusals_one_after_the_other(inbox: Inbox) -> None:
    inbox.faults.recipient_refused("451 4.3.0 Later", times=1)
    inbox.faults.recipient_refused("550 5.1.1 Never", times=1)
    told = []
    with Mailer(inbox.server) as mailer:
        for _ in range(3):
            try:
                mailer.send(message())
            except RecipientsRefused as error:
                told.append(error.temporary)
    assert told == [True, False] and len(inbox.messages) == 1


def test_greylisting_is_for_each_pair(inbox: Inbox) -> None:
    inbox.faults.greylisting()
    with Mailer(inbox.server) as mailer:
        with pytest.raises(RecipientsRefused) as caught:
            mailer.send(message("grace@example.net", "bob@example.net"))
        assert caught.value.temporary
        mailer.send(message("grace@example.net", "bob@example.net"))
        with pytest.raises(RecipientsRefused):
            mailer.send(message(sender="eve@example.org"))
    assert len(inbox.messages) == 1 and len(inbox.faults.fired) == 3


def test_the_nth_recipient(inbox: Inbox) -> None:
    inbox.faults.recipient_refused(number=2)
    with Mailer(inbox.server) as mailer:
        for _ in range(2):
            with pytest.raises(RecipientsRefused) as caught:
                mailer.send(message("a@example.net", "b@example.net", "c@example.net"))
            receipt = caught.value.receipt
            assert receipt is not None and [one.recipient.spec for one in receipt.refused] == ["b@example.net"]
    assert [[one.spec for one in got.recipients] for got in inbox.messages] == [["a@example.net", "c@example.net"]] * 2


@pytest.mark.parametrize(
    ("whom", "fits"),
    [
        ({"recipient": "bob@example.net"}, [False, True, False]),
        ({"recipient": "EXAMPLE.COM"}, [False, False, True]),
        ({"sender": "ada@example.org"}, [True, True, True]),
        ({"sender": "eve@example.org"}, [False, False, False]),
    ],
)
def test_only_for_some(inbox: Inbox, whom: dict[str, str], fits: list[bool]) -> None:
    inbox.faults.add("rcpt", "reply", reply="550 5.7.1 No", **whom)
    tried = [attempt(inbox, to) for to in ("grace@example.net", "bob@example.net", "mel@example.com")]
    assert [one != "sent" for one in tried] == fits


def test_the_content_of_one_recipient(inbox: Inbox) -> None:
    inbox.faults.content_refused(recipient="bob@example.net")
    assert attempt(inbox, "grace@example.net", "bob@example.net") == "ContentRefused"
    assert attempt(inbox, "grace@example.net") == "sent"


def test_after_some(inbox: Inbox) -> None:
    inbox.faults.rate_limited(after=2, times=1)
    with Mailer(inbox.server) as mailer:
        told = []
        for _ in range(4):
            try:
                mailer.send(message())
                told.append(250)
            except Refused as error:
                told.append(error.reply.code if error.reply else 0)
    assert told == [250, 250, 450, 250]


def test_421_in_the_middle_of_a_connection(inbox: Inbox) -> None:
    inbox.faults.goodbye("mail", number=3)
    with Mailer(inbox.server) as mailer:
        for _ in range(2):
            mailer.send(message())
        try:  # a client may begin anew by itself: the third message never goes over the first connection
            mailer.send(message())
        except DeliveryError as error:
            assert error.temporary
    (fired,) = inbox.faults.fired
    assert (fired.moment.connection, fired.moment.number) == (1, 3)


def test_a_seed_makes_the_same_choices() -> None:
    def choices(seed: int) -> list[bool]:
        faults = Faults()
        faults.add("mail", "omit", chance=0.3, seed=seed)
        return [bool(faults.at(Moment("mail"))) for _ in range(500)]

    assert choices(1) == choices(1) != choices(2)
    assert 100 < sum(choices(1)) < 200


def test_shapes_add_up_and_only_one_takes_the_place_of_the_reply() -> None:
    faults = Faults()
    for text in ("mail delay=1", "mail reply='450 one'", "mail drop", "any split", "rcpt omit"):
        faults.add(text)
    assert [fault.action for fault in faults.at(Moment("mail"))] == ["delay", "reply", "split"]
    assert [len(armed.fired) for armed in faults.active] == [1, 1, 0, 1, 0]


def test_many_threads_count_rightly() -> None:
    faults = Faults()
    faults.add("mail", "omit", times=50)
    found: list[int] = []

    def ask() -> None:
        found.append(sum(len(faults.at(Moment("mail"))) for _ in range(100)))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(found) == 50 == len(faults.fired)


def test_removing_and_replacing(inbox: Inbox) -> None:
    first = inbox.faults.add("greeting")
    second = inbox.faults.add("mail reply='450 no'")
    assert [armed.number for armed in inbox.faults.active] == [1, 2] and "reply" in repr(second)
    assert inbox.faults.remove(first.number) and not inbox.faults.remove(first.number)
    (third,) = inbox.faults.replace(parse("rcpt reply='550 no'"))
    assert inbox.faults.active == (third,) and attempt(inbox) == "RecipientsRefused"
    inbox.faults.clear()
    assert attempt(inbox) == "sent" and len(inbox.faults.fired) == 1


def test_a_fault_reaches_connections_that_are_open(inbox: Inbox) -> None:
    with Mailer(inbox.server) as mailer:
        mailer.send(message())
        with inbox.faults.after_dot(drop="reset"), pytest.raises(ConnectionLost):
            mailer.send(message())
        mailer.send(message())
    assert len(inbox.messages) == 3


def test_there_is_a_limit(inbox: Inbox) -> None:
    for _ in range(1000):
        inbox.faults.add("noop", "omit")
    with pytest.raises(ConfigError):
        inbox.faults.add("noop", "omit")
    inbox.faults.clear()
    assert isinstance(inbox.faults.add("noop", "omit"), Armed)


# As text and as JSON.

REPLIES = st.builds(
    Reply,
    st.integers(400, 599),
    st.lists(
        st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\\"), max_size=20),
        min_size=1,
        max_size=3,
    ).map(tuple),
)
WHEN = st.fixed_dictionaries(
    {},
    optional={
        "number": st.integers(0, 5),
        "sender": st.sampled_from(["", "ada@example.org", "example.org", "o'hara@example.org"]),
        "recipient": st.sampled_from(["ada@example.org", "b c@example.org"]),
        "after": st.integers(0, 5),
        "times": st.none() | st.integers(1, 5),
        "each": st.booleans(),
        "chance": st.floats(0, 1),
        "seed": st.integers(),
    },
)


@st.composite
def faults(draw: st.DrawFn) -> Fault:
    """Any fault at all."""
    stage, action = draw(st.sampled_from(sorted(STAGES))), draw(st.sampled_from(sorted(ACTIONS)))
    given = {
        "reply": draw(REPLIES),
        "how": draw(st.sampled_from(CERTIFICATES if action == "certificate" else DROPS)),
        "seconds": draw(st.floats(0, 100)),
        "octets": draw(st.integers(0, 10_000)),
        "words": draw(st.lists(st.sampled_from(["SIZE 10", "DSN", "AUTH PLAIN LOGIN"]), min_size=1, max_size=3)),
        "data": draw(st.binary(max_size=40)),
    }
    given["words"] = tuple(given["words"])
    main = ACTIONS[action]
    try:
        return Fault(stage, action, **({main: given[main]} if main else {}), taken=draw(st.booleans()), **draw(WHEN))
    except ConfigError:
        from hypothesis import assume

        assume(False)
        raise


@given(faults())
def test_text_and_json_take_back_what_they_gave(fault: Fault) -> None:
    assert parse(written(fault)) == fault
    assert from_json(to_json(fault)) == fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("greeting delay=5", Fault("greeting", "delay", seconds=5.0)),
        ("greeting", Fault("greeting", "reply", "421 4.3.2 Service not available")),
        ("rcpt reply='450 4.2.0 Later' each times=2", Fault("rcpt", "reply", "450 4.2.0 Later", each=True, times=2)),
        ("after_dot", Fault("dot", "drop")),
        ("after-dot drop=reset times=1", Fault("dot", "drop", how="reset", times=1)),
        ("after_dot taken=no", Fault("dot", "drop", taken=False)),
        ("in_content 2000", Fault("content", "drop", octets=2000)),
        ("ehlo hide=SIZE,DSN", Fault("ehlo", "hide", words=("SIZE", "DSN"))),
        ("hides SIZE DSN", Fault("ehlo", "hide", words=("SIZE", "DSN"))),
        ("offers 'SIZE 10'", Fault("ehlo", "offer", words=("SIZE 10",))),
        ("certificate wrong-name", Fault("tls", "certificate", how="wrong-name")),
        ("mail garbage='\\x00\\n'", Fault("mail", "garbage", data=b"\x00\n")),
        ("bandwidth 500 content", Fault("content", "bandwidth", octets=500)),
        ("drop mail silence seconds=3", Fault("mail", "drop", how="silence", seconds=3.0)),
    ],
)
def test_what_is_written(text: str, fault: Fault) -> None:
    assert parse(text) == fault


@pytest.mark.parametrize(
    "text",
    [
        "",
        "'",
        "x" * 20_000,
        "grating",
        "mail",
        "mail explode",
        "mail delay=soon",
        "mail delay=-1",
        "mail delay=nan",
        "mail delay=1 tmes=3",
        "mail reply='250 OK'",
        "mail reply=no",
        "mail drop=down",
        "mail omit=yes",
        "mail hide=SIZE",
        "mail certificate",
        "tls reply='454 no'",
        "content garbage",
        "ehlo hide",
        "ehlo hide='\x01'",
        "certificate stale",
        "says gmail 'good morning'",
        "says grating 'wrong password'",
        "says gmail",
        "after_dot drop=no times=x",
        "in_content drop=no",
        "mail omit times=0",
        "mail omit chance=2",
        "mail omit number=-1",
        "mail omit each=perhaps",
        "tls_alert 300",
        "_arm",
        "arm",
        "add",
    ],
)
def test_what_is_no_fault_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert len(str(caught.value)) < 900


@given(st.text(max_size=60))
def test_any_text_is_a_fault_or_is_refused(text: str) -> None:
    try:
        assert isinstance(parse(text), Fault)
    except ConfigError:
        pass


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"stage": "mail"},
        {"stage": "mail", "action": "omit", "times": "1"},
        {"stage": "mail", "action": "omit", "times": True},
        {"stage": "mail", "action": "omit", "more": "x"},
        {"stage": "mail", "action": "delay", "seconds": "1"},
        {"stage": "ehlo", "action": "hide", "words": "SIZE"},
        {"stage": 5, "action": "omit"},
        {"stage": "mail", "action": ["omit"]},
    ],
)
def test_json_that_is_no_fault(said: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        from_json(said)


def test_the_named_ones_are_known_by_their_names() -> None:
    assert {"after_dot", "greylisting", "says", "certificate"} <= set(named()) and "arm" not in named()


# What EHLO says, and what becomes of it.


def test_offers_what_it_does_not_do() -> None:
    with Inbox(tls=False, rules=Rules(extensions=("PIPELINING", "SIZE"))) as inbox:
        inbox.faults.offers("SMTPUTF8", "CHUNKING")
        assert attempt(inbox) != "sent"  # BDAT is not done
        inbox.faults.replace(parse("offers SMTPUTF8"))
        with Mailer(inbox.server) as mailer, pytest.raises(DeliveryError) as caught:
            mailer.send(message("jörg@example.net"))
        assert caught.value.reply is not None and caught.value.reply.code == 555


def test_hides_what_it_does(inbox: Inbox) -> None:
    inbox.faults.hides("SMTPUTF8")
    with Mailer(inbox.server) as mailer, pytest.raises(MailError, match="SMTPUTF8"):
        mailer.send(message("jörg@example.net"))
    inbox.faults.clear()
    assert attempt(inbox, "jörg@example.net") == "sent"


# The transcript.


def test_what_was_said_is_told_and_secrets_are_not() -> None:
    with Inbox(login=("ada", "correct horse")) as inbox:
        inbox.faults.add("rcpt split times=1")
        with Mailer(inbox.server) as mailer:
            mailer.send(message())
            mailer.send(message("bob@example.net"))
        first, second = (str(got.transcript) for got in inbox.messages)
    for told in (first, second):
        assert "220 localhost" in told and "STARTTLS" in told and "TLS: TLSv1." in told
        assert "AUTH" in told and "(secret)" in told and "235" in told and "octets of content" in told
        assert "Hi!" not in told and "correct" not in told and "Y29ycmVjdC" not in told
    assert "grace@" in first and "bob@" not in first and "a fault on request: split at rcpt" in first
    assert "bob@" in second and "grace@" not in second and "fault" not in second


def test_a_password_in_the_wrong_place_is_not_told() -> None:
    import base64
    import smtplib

    secret = base64.b64encode(b"correct horse").decode()
    with Inbox(tls=False, login=("ada", "correct horse")) as inbox:
        with smtplib.SMTP("127.0.0.1", inbox.server.port) as client:
            client.ehlo()
            for line in (f"AUTH {secret}", secret, f"AUTH PLAINLY {secret}", "AUTH LOGIN", "YWRh", secret):
                client.docmd(line)
            client.sendmail("ada@example.org", ["grace@example.net"], b"Subject: x\r\n\r\nx\r\n")
        (got,) = inbox.messages
    assert secret not in str(got.transcript) and "AUTH (not shown)" in str(got.transcript)


def test_the_transcript_is_bounded() -> None:
    import smtplib

    with Inbox(tls=False) as inbox:
        with smtplib.SMTP("127.0.0.1", inbox.server.port) as client:
            client.ehlo()
            for number in range(500):
                client.docmd("NOOP", str(number))
            client.sendmail("ada@example.org", [f"a{n}@example.net" for n in range(900)], b"Subject: x\r\n\r\nx\r\n")
        transcript = inbox.messages[0].transcript
    assert transcript is not None and len(transcript) <= 400 and transcript.dropped > 1000
    told = str(transcript).upper()
    assert "MAIL FROM" in told and "A0@" in told and "A899@" in told and "LINES LEFT OUT" in told
