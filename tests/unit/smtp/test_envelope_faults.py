"""Envelope and content in trouble: what the server may answer to MAIL, RCPT, DATA and BDAT, and when. The fault
catalogue, E and F.
"""

from __future__ import annotations

import logging
from typing import Any

import pytest

from mailwright import Message
from mailwright.drivers import memory
from mailwright.mailer.delivering import deliver
from mailwright.mailer.outgoing import outgoing_mail
from mailwright.options import DSN
from mailwright.smtp.features import features_of
from mailwright.smtp.ledger import Ledger
from mailwright.smtp.session import Session
from mailwright.smtp.transaction import transact
from mailwright.steps import Exchange, Read, Write
from mailwright.words.errors import ContentRefused, RecipientsRefused, Timeout
from mailwright.words.reply import Reply
from mailwright.words.server import Server, Timeouts
from tests.dialogue import (
    RAW,
    STAGES,
    C,
    Chunk,
    Content,
    Drop,
    Pause,
    Raw,
    Rest,
    S,
    Some,
    hello,
    patient,
    play,
    raw_mail,
    send,
)

each_stage = pytest.mark.parametrize("stage", STAGES)
in_memory = pytest.mark.parametrize("stage", ["memory", "bytes", "sevens"])
MAIL, BOB = C("MAIL FROM:<ada@example.org>"), C("RCPT TO:<bob@example.org>")
ENVELOPE = [MAIL, S("250 ok"), BOB, S("250 ok")]
RESET = [C("RSET"), S("250 ok")]
THREE = ("bob@example.org", "eve@example.org", "joe@example.org")
RCPTS = [C(f"RCPT TO:<{who}>") for who in THREE]


# E. MAIL and RCPT


@each_stage
def test_e67_a_refused_sender_is_not_remembered(stage: str) -> None:
    """RFC 5321 §4.5.4.1: the next message with the same sender is offered all the same."""
    mail = raw_mail()

    async def twice(session: Session) -> list[Any]:
        results: list[Any] = []
        for _ in range(2):
            try:
                results.append(await deliver(session, mail, Ledger(mail.envelope.recipients), "raise", False))
            except Exception as error:
                results.append(error)
        return results

    turns = [*hello(), MAIL, S("550 5.7.1 not you"), *ENVELOPE, C("DATA"), S("354 go"), Content(), S("250 ok")]
    refused, receipt = play(turns, twice, stage).result
    assert type(refused).__name__ == "SenderRefused" and receipt.complete


@each_stage
def test_e74_greylisted(stage: str) -> None:
    """Only those who were put off are worth another try, later, under the same Message-ID."""
    answers = ["250 ok", "450 4.7.1 greylisted, try again in 300 seconds", "450 4.7.1 greylisted"]
    rcpts = [turn for rcpt, answer in zip(RCPTS, answers, strict=True) for turn in (rcpt, S(answer))]
    turns = [*hello(), MAIL, S("250 ok"), *rcpts, C("DATA"), S("354 go"), Content(), S("250 ok")]
    played = send(turns, *THREE, stage=stage)
    assert isinstance(played.error, RecipientsRefused) and not played.error.temporary
    assert [r.spec for r in played.error.remaining.envelope.recipients] == list(THREE[1:])
    assert played.error.remaining.message_id == "<1@example.org>"
    assert "greylisted" in str(played.error)


@each_stage
def test_e75_551_is_shown_and_not_followed(stage: str) -> None:
    """RFC 5321 §3.4: a server may say where somebody went; whether that is true, it does not prove."""
    turns = [*hello(), MAIL, S("250 ok"), BOB, S("551 5.1.6 please try <bob@elsewhere.example>"), *RESET]
    played = send(turns, stage=stage)
    assert isinstance(played.error, RecipientsRefused) and not played.error.temporary
    assert "bob@elsewhere.example" in str(played.error) and played.error.remaining is None


@in_memory
def test_e78_pipelined_replies_that_all_come_late(stage: str) -> None:
    turns = [
        *[*hello("PIPELINING"), MAIL, *RCPTS, C("DATA"), Pause(60)],
        *[S("250 ok", "250 ok", "550 no", "250 ok", "354 go"), Content(), S("250 ok")],
    ]
    played = send(turns, *THREE, stage=stage, server=patient(timeouts=Timeouts.rfc5321()))
    assert list(played.fates.values()) == ["accepted", "refused", "accepted"]


@in_memory
def test_e78_pipelined_replies_that_come_one_by_one(stage: str) -> None:
    slow = [
        turn for line in ("250 a", "250 b", "550 c", "250 d", "354 e") for turn in (Pause(30), Raw(f"{line}\r\n".encode()))
    ]  # fmt: skip
    turns = [*hello("PIPELINING"), MAIL, *RCPTS, C("DATA"), *slow, Content(), S("250 ok")]
    played = send(turns, *THREE, stage=stage, server=patient(timeouts=Timeouts.rfc5321()))
    assert list(played.fates.values()) == ["accepted", "refused", "accepted"]


@in_memory
def test_e80_a_server_that_forgets_what_came_behind_an_error(stage: str) -> None:
    """It offers PIPELINING, refuses one recipient and throws away the rest of the flight: nobody has the message."""
    turns = [*hello("PIPELINING"), MAIL, *RCPTS, C("DATA"), S("250 ok", "250 ok", "550 no"), Pause(3600)]
    played = send(turns, *THREE, stage=stage)
    assert isinstance(played.error, Timeout) and played.error.temporary and not played.error.in_doubt
    assert "accepted" not in played.fates.values() and not played.session.open


LONG = [f"user{number}@example.org" for number in range(10_000)]


class Narrow:
    """A server that takes so many recipients in a transaction; knows whom it got how often."""

    def __init__(self, limit: int, *keywords: str) -> None:
        self.limit = limit
        self.keywords = keywords
        self.copies: dict[str, int] = {}
        self.largest = 0

    async def play(self) -> None:
        await Write(b"220 mx\r\n", 10)
        arrived = b""
        taken: list[str] = []
        while data := await Read(3600):
            arrived += data
            answers = b""
            while b"\r\n" in arrived:
                line, _, arrived = arrived.partition(b"\r\n")
                word = line[:4].upper()
                if word == b"EHLO":
                    names = ["mx", *self.keywords]
                    answers += "".join(
                        f"250{'-' if n < len(names) - 1 else ' '}{k}\r\n" for n, k in enumerate(names)
                    ).encode()
                elif word == b"MAIL":
                    taken = []
                    answers += b"250 ok\r\n"
                elif word == b"RCPT" and len(taken) < self.limit:
                    taken.append(line.decode()[9:-1])
                    answers += b"250 ok\r\n"
                elif word == b"RCPT":
                    answers += b"452 4.5.3 too many recipients\r\n"
                elif word == b"DATA":
                    await Write(answers + b"354 go\r\n", 10)
                    answers = b""
                    while b"\r\n.\r\n" not in arrived:
                        arrived += await Read(3600)
                    arrived = arrived.partition(b"\r\n.\r\n")[2]
                    self.largest = max(self.largest, len(taken))
                    for who in taken:
                        self.copies[who] = self.copies.get(who, 0) + 1
                    answers = b"250 ok\r\n"
                else:
                    answers += b"250 ok\r\n"
            if answers:
                await Write(answers, 3600)


@pytest.mark.parametrize("keywords", [(), ("PIPELINING",)])
@pytest.mark.parametrize(("limit", "told"), [(100, True), (10_000, False), (3000, False)])
def test_e82_ten_thousand_recipients(keywords: tuple[str, ...], limit: int, told: bool) -> None:
    """Everybody gets one copy, in transactions as large as the server takes."""
    time = memory.Time()
    near, far = memory.pair(time)
    server = Narrow(limit, *keywords, *([f"LIMITS RCPTMAX={limit}"] if told else []))
    mail = raw_mail(*LONG)
    session, ledger = Session(patient(), time), Ledger(mail.envelope.recipients)
    plan = deliver(session, mail, ledger, "raise", False)
    receipt, _ = memory.converse((plan, near), (server.play(), far), time=time)
    assert receipt.complete, repr(receipt)
    assert list(server.copies) == LONG and set(server.copies.values()) == {1}
    assert server.largest == limit if told else server.largest <= limit


@each_stage
def test_g113_odd_addresses_are_written_exactly(stage: str) -> None:
    odd = ['"a b"@example.org', '"a\\"b"@example.org', "bob@[IPv6:::1]", "bob@[192.0.2.1]", "o'neil+x@example.org"]
    turns = [
        C('MAIL FROM:<"x y"@example.org>'),
        S("250 ok"),
        *[t for a in odd for t in (C(f"RCPT TO:<{a}>"), S("250 ok"))],
    ]
    mail = raw_mail(*odd, sender='"x y"@example.org')
    played = send([*hello(), *turns, C("DATA"), S("354 go"), Content(), S("250 ok")], stage=stage, mail=mail)
    assert played.result.complete


@each_stage
def test_g115_nobody_hears_of_a_blind_copy(stage: str, caplog: pytest.LogCaptureFixture) -> None:
    """Each recipient's command names that recipient alone (ORCPT too), the content none of the blind ones, the log nobody."""
    caplog.set_level(logging.INFO)
    message = Message(
        "ada@example.org", "bob@example.org", "Hi", "there", bcc="eve@example.org", dsn=DSN(("FAILURE",)), date=0,
        message_id="<1@example.org>",
    )  # fmt: skip
    content = Content()
    turns = [
        *[*hello("DSN"), MAIL, S("250 ok")],
        *[C("RCPT TO:<bob@example.org> NOTIFY=FAILURE ORCPT=rfc822;bob@example.org"), S("250 ok")],
        *[C("RCPT TO:<eve@example.org> NOTIFY=FAILURE ORCPT=rfc822;eve@example.org"), S("250 ok")],
        *[C("DATA"), S("354 go"), content, S("250 ok")],
    ]
    assert send(turns, stage=stage, mail=outgoing_mail(message, None, None)).result.complete
    assert b"eve" not in content.octets and b"bob@example.org" in content.octets
    assert "accepted by" in caplog.text and "eve" not in caplog.text and "bob" not in caplog.text


# F. The content


@each_stage
@pytest.mark.parametrize("reply", ["552 5.3.4 message too large", "552 5.2.2 mailbox full"])
def test_e73_552_behind_the_dot_is_for_good(stage: str, reply: str) -> None:
    """At RCPT it may mean too many recipients; here it can only mean this message."""
    played = send([*hello(), *ENVELOPE, C("DATA"), S("354 go"), Content(), S(reply)], stage=stage)
    assert isinstance(played.error, ContentRefused) and not played.error.temporary and not played.error.in_doubt
    assert played.error.reply.code == 552 and played.fates == {"bob@example.org": "refused"}


@each_stage
def test_f93_accepted_then_421(stage: str) -> None:
    played = send([*hello(), *ENVELOPE, C("DATA"), S("354 go"), Content(), S("250 ok", "421 bye")], stage=stage)
    assert played.result.complete and played.fates == {"bob@example.org": "accepted"}


@each_stage
@pytest.mark.parametrize(("reply", "temporary"), [("552 5.3.4 too large", False), ("451 4.3.0 later", True)])
def test_f98_a_chunk_is_refused(stage: str, reply: str, temporary: bool) -> None:
    played = send([*hello("CHUNKING"), *ENVELOPE, Chunk(), S(reply)], stage=stage)
    assert isinstance(played.error, ContentRefused) and played.error.temporary is temporary
    assert not played.error.in_doubt and played.error.reply.code == int(reply[:3])


BIG = RAW + (b"y" * 76 + b"\r\n") * 100_000


@pytest.mark.parametrize("stage", ["memory", "sync", "aio", "trio"])
@pytest.mark.parametrize("last", [Drop(), Rest()], ids=["and closes", "and listens on"])
def test_f98_a_chunk_is_refused_in_its_middle(stage: str, last: Any) -> None:
    turns = [*hello("CHUNKING"), *ENVELOPE, Some(1000), S("552 5.3.4 too large"), last]
    played = send(turns, stage=stage, mail=raw_mail(content=BIG))
    assert isinstance(played.error, ContentRefused) and played.error.reply.code == 552
    assert not played.error.temporary and not played.error.in_doubt and not played.session.open


@pytest.mark.parametrize("stage", ["memory", "sync", "aio", "trio"])
def test_f98_cut_in_the_middle_of_a_chunk(stage: str) -> None:
    played = send([*hello("CHUNKING"), *ENVELOPE, Some(1000), Drop()], stage=stage, mail=raw_mail(content=BIG))
    assert played.error.temporary and not played.error.in_doubt and played.fates == {"bob@example.org": "not tried"}


@pytest.mark.parametrize(("offer", "large", "fate"), [
    ("CHUNKING", False, "in doubt"), ("8BITMIME", False, "not tried"), ("CHUNKING", True, "not tried"),
])  # fmt: skip
def test_who_is_stopped_before_the_last_octets_are_counted_is_told_of_the_doubt(
    offer: str, large: bool, fate: str
) -> None:
    """Ctrl-C comes when the system has taken what is on its way, and nobody has noted it: of a last piece it is doubt.
    The final dot of DATA is a piece of its own.
    """
    mail = raw_mail(content=RAW + b"more of it\r\n" * 100_000 if large else RAW)
    session, ledger = Session(Server("127.0.0.1", 2525, "none")), Ledger(mail.envelope.recipients)
    session.open, session.features = True, features_of(Reply(250, ("mx.example.org", "PIPELINING", offer)))
    plan = transact(session, mail, mail.envelope.recipients, ledger, stop=False)
    envelope = plan.send(None)
    assert isinstance(envelope, Exchange)
    envelope.outgoing.took(len(envelope.outgoing.peek() or b""))
    assert isinstance(plan.send(None), Read)
    content = plan.send(b"250 ok\r\n250 ok\r\n" + (b"" if offer == "CHUNKING" else b"354 go\r\n"))
    assert isinstance(content, Exchange) and content.outgoing.peek()
    plan.close()
    assert ledger.fates[mail.envelope.recipients[0]][0] == fate and ledger.handed == (fate == "in doubt")
