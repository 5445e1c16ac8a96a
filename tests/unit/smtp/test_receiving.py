"""The server's side, spoken to in memory: every octet and every second is the test's own."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from mailwright.drivers import memory
from mailwright.sasl.channel_binding import server_end_point
from mailwright.smtp.login import log_in
from mailwright.smtp.receiving import EXTENSIONS, Received, Rules, Storage, receive
from mailwright.smtp.session import Session, say_hello
from mailwright.smtp.wire import ReplyReader, escape_dots
from mailwright.steps import Read, Sleep, StartTLS, Write
from mailwright.words.errors import ConfigError, LoginError
from mailwright.words.reply import Reply
from mailwright.words.server import TLS, Login, Server

if TYPE_CHECKING:
    from mailwright.steps import Plan

HELLO = b"EHLO client.test\r\n"
ENVELOPE = b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\n"
MESSAGE = b"Subject: one\r\n\r\nText\r\n"
SEND = HELLO + ENVELOPE + b"DATA\r\n" + MESSAGE + b".\r\n"
QUIT = b"QUIT\r\n"


class Client:
    """What a client plan needs: writes octets, reads replies."""

    def __init__(self) -> None:
        self.replies = ReplyReader()
        self.heard: list[Reply] = []

    async def reply(self) -> Reply:
        while (reply := self.replies.next()) is None:
            data = await Read(10_000)
            if not data:
                raise ConnectionResetError("the server left")
            self.replies.feed(data)
        self.heard.append(reply)
        return reply

    async def say(self, *lines: str) -> Reply:
        """Say lines one by one; gives the reply to the last of them."""
        for line in lines:
            await Write(line.encode() + b"\r\n", 10)
            reply = await self.reply()
        return reply

    async def rest(self) -> None:
        """Hear everything until the server leaves."""
        while True:
            try:
                await self.reply()
            except ConnectionError:
                return


def meet(
    client: Plan[Any],
    rules: Rules | None = None,
    deliver: Callable[[Received], Any] | None = None,
    segment: int = 0,
) -> tuple[Any, list[Received]]:
    """Let a client plan and the server talk; gives the plan's result and what was received."""
    received: list[Received] = []

    def keep(one: Received) -> Any:
        decision = deliver(one) if deliver else None
        received.append(one)
        return decision

    time = memory.Time()
    here, there = memory.pair(time, segment)
    result, end = memory.converse((client, here), (receive(rules or Rules(), keep, "192.0.2.1"), there), time=time)
    assert end is None, "the plan of the server never raises"
    if isinstance(result, Exception):
        raise result
    return result, received


def shout(
    said: bytes,
    rules: Rules | None = None,
    deliver: Callable[[Received], Any] | None = None,
    segment: int = 0,
) -> tuple[list[Reply], list[Received]]:
    """Say everything at once and hear everything that comes back, without the greeting."""

    async def plan() -> list[Reply]:
        client = Client()
        await client.reply()
        await Write(said, 10)
        await client.rest()
        return client.heard[1:]

    return meet(plan(), rules, deliver, segment)


def codes(replies: list[Reply]) -> list[int]:
    return [reply.code for reply in replies]


@cache
def tls_rules() -> tuple[Rules, TLS]:
    """Rules with STARTTLS, and what a client must trust."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    binding = server_end_point(ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode()))
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    return (
        Rules(security="starttls", tls=TLS(context=context), channel_binding=binding),
        TLS(context=trusting),
    )


def with_login(*accounts: Login, **changes: Any) -> Rules:
    rules, _ = tls_rules()
    return Rules(
        security=rules.security,
        tls=rules.tls,
        channel_binding=rules.channel_binding,
        accounts=accounts or (Login("ada", "secret"),),
        **changes,
    )


# One message.


@pytest.mark.parametrize("segment", [0, 1, 2, 3, 5, 7])
def test_a_message_arrives_however_it_is_cut(segment: int) -> None:
    replies, received = shout(SEND + QUIT, segment=segment)
    assert codes(replies) == [250, 250, 250, 354, 250, 221]
    (one,) = received
    assert one.content == MESSAGE
    assert one.envelope.reverse_path == "a@example.org"
    assert [r.spec for r in one.recipients] == ["b@example.org"]
    assert (one.hello, one.peer, one.login, one.tls) == ("client.test", "192.0.2.1", None, None)
    assert one.subject == one.message.subject == "one"


def test_two_messages_on_one_connection_need_no_rset() -> None:
    replies, received = shout(SEND + ENVELOPE + b"BDAT 5 LAST\r\nText\n" + ENVELOPE + b"DATA\r\n.\r\n" + QUIT)
    assert codes(replies) == [250, 250, 250, 354, 250, 250, 250, 554, 250, 250, 354, 250, 221]
    assert [one.content for one in received] == [MESSAGE, b""]


LINES = st.lists(st.sampled_from([b"", b".", b"..", b".a", b"a.", b"a", b"\xff\x00"]), max_size=8)


@given(lines=LINES, segment=st.integers(1, 9))
def test_dots_are_undone_exactly(lines: list[bytes], segment: int) -> None:
    content = b"".join(line + b"\r\n" for line in lines)
    data = b"".join(escape_dots([content])) if content else b".\r\n"
    replies, received = shout(HELLO + ENVELOPE + b"DATA\r\n" + data + QUIT, segment=segment)
    assert codes(replies) == [250, 250, 250, 354, 250, 221]
    assert received[0].content == content


@given(chunks=st.lists(st.binary(max_size=12), min_size=1, max_size=5), segment=st.integers(0, 9))
def test_chunks_are_put_together_untouched(chunks: list[bytes], segment: int) -> None:
    said = b"".join(b"BDAT %d\r\n%b" % (len(chunk), chunk) for chunk in chunks) + b"BDAT 0 LAST\r\n"
    rules = Rules(bare_line_ends=True)
    replies, received = shout(HELLO + ENVELOPE + said + QUIT, rules, segment=segment)
    assert codes(replies) == [250] * 3 + [250] * len(chunks) + [250, 221]
    assert received[0].content == b"".join(chunks)


@given(said=st.binary(max_size=300), segment=st.integers(0, 4))
def test_whatever_octets_come_the_plan_ends_by_itself(said: bytes, segment: int) -> None:
    shout(HELLO + said + b"\r\n.\r\n" + QUIT, segment=segment)


WORDS = st.sampled_from(
    "EHLO LHLO MAIL RCPT DATA BDAT RSET STARTTLS AUTH PLAIN FROM:<a@b.c> TO:<a@b.c> FROM:<> 1 LAST "
    "SIZE=1 BODY=8BITMIME NOTIFY=NEVER x . \r\n \n".split(" ")
)


@given(words=st.lists(WORDS, max_size=40))
def test_commands_in_any_order_are_answered_and_nothing_breaks(words: list[str]) -> None:
    said = " ".join(words).encode() + b"\r\n.\r\n"
    replies, _ = shout(said + QUIT, Rules(accounts=(Login("ada", "secret"),), bad_commands=1000))
    assert all(200 <= reply.code < 600 for reply in replies)


# The end of the content, and nothing but the end.

SMUGGLED = b"MAIL FROM:<evil@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\nEvil\r\n"
NO_ENDS = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n\n.\r\n", b"\r\n\x00.\r\n"]


@pytest.mark.parametrize("segment", [0, 1, 4])
@pytest.mark.parametrize("no_end", NO_ENDS)
def test_nothing_else_ends_the_content(no_end: bytes, segment: int) -> None:
    content = b"Text" + no_end + SMUGGLED
    said = HELLO + ENVELOPE + b"DATA\r\n" + content + b".\r\n" + QUIT
    replies, received = shout(said, Rules(bare_line_ends=True), segment=segment)
    assert codes(replies) == [250, 250, 250, 354, 250, 221]
    assert len(received) == 1
    assert b"evil@example.org" in received[0].content

    if no_end != NO_ENDS[-1]:
        replies, received = shout(said, segment=segment)
        assert codes(replies) == [250, 250, 250, 354, 554, 221]
        assert not received


def test_a_connection_that_ends_in_the_content_delivers_nothing() -> None:
    async def plan() -> None:
        await Write(SEND[:-3], 10)

    assert meet(plan()) == (None, [])


# Limits.


def test_a_line_that_is_too_long_is_refused_and_the_next_one_heard() -> None:
    replies, _ = shout(HELLO + b"NOOP " + b"x" * 100_000 + b"\r\nNOOP\r\n" + QUIT)
    assert codes(replies) == [250, 500, 250, 221]


def test_a_line_that_never_ends_ends_the_visit() -> None:
    async def plan() -> int:
        for sent in range(1000):
            try:
                await Write(b"x" * 65536, 10)
            except ConnectionError:
                return sent
        return -1

    sent, received = meet(plan())
    assert 0 < sent < 100
    assert not received


@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize("way", ["data", "bdat", "two chunks"])
def test_the_size_of_a_message_is_limited_to_the_octet(way: str, over: int) -> None:
    content = b".\r\n" * 300 + b"x" * (98 + over) + b"\r\n"
    rules = Rules(size=1000)
    if way == "data":
        said = b"DATA\r\n" + b"".join(escape_dots([content]))
    elif way == "bdat":
        said = b"BDAT %d LAST\r\n%b" % (len(content), content)
    else:
        said = b"BDAT 900\r\n" + content[:900] + b"BDAT %d LAST\r\n%b" % (len(content) - 900, content[900:])
    replies, received = shout(HELLO + ENVELOPE + said + ENVELOPE + b"DATA\r\n" + MESSAGE + b".\r\n" + QUIT, rules)
    assert codes(replies)[-6:] == [552 if over else 250, 250, 250, 354, 250, 221]
    assert [one.content for one in received] == ([] if over else [content]) + [MESSAGE]


def test_a_message_far_too_big_is_thrown_away_as_it_comes() -> None:
    async def plan() -> list[int]:
        client = Client()
        await client.reply()
        await client.say("EHLO client.test", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.org>", "DATA")
        for _ in range(200):
            await Write(b"x" * 65534 + b"\r\n", 10)
        return [(await client.say(".")).code, (await client.say("NOOP")).code]

    assert meet(plan(), Rules(size=1000)) == ([552, 250], [])


@pytest.mark.parametrize("argument", [b"99999999999999999999 LAST", b"-1", b"1x", b"", b"1 LAST x", b"\xd9\xa1"])
def test_a_chunk_whose_end_is_unknown_or_out_of_reach_ends_the_visit(argument: bytes) -> None:
    replies, received = shout(HELLO + ENVELOPE + b"BDAT " + argument + b"\r\nRSET\r\nRSET\r\n")
    assert codes(replies) == [250, 250, 250, 421]
    assert not received


def test_a_size_that_is_announced_is_refused_at_once() -> None:
    replies, _ = shout(HELLO + b"MAIL FROM:<a@example.org> SIZE=1001\r\n" + QUIT, Rules(size=1000))
    assert codes(replies) == [250, 552, 221]


@pytest.mark.parametrize("way", ["data", "bdat"])
def test_all_clients_together_may_have_so_much_in_flight(way: str) -> None:
    time, storage, kept = memory.Time(), Storage(100_000), []
    begin = b"DATA\r\n" if way == "data" else b"BDAT 70000\r\n"

    async def holder() -> list[int]:
        """Begins a message, and ends it an hour later."""
        client = Client()
        await Write(HELLO + ENVELOPE + begin + b"x" * 60_000, 10)
        await Sleep(3600)
        await Write(b"x" * 9_998 + b"\r\n" + (b".\r\n" if way == "data" else b"BDAT 0 LAST\r\n") + QUIT, 10)
        await client.rest()
        return codes(client.heard)

    async def other(pause: float) -> list[int]:
        client = Client()
        await Sleep(pause)
        await Write(HELLO + ENVELOPE, 10)
        await Write(begin + b"y" * 60_000, 10)
        await Sleep(10)
        await Write(b"y" * 9_998 + b"\r\n" + (b".\r\n" if way == "data" else b"BDAT 0 LAST\r\n"), 10)
        await Write(ENVELOPE + b"DATA\r\nSmall\r\n.\r\n" + QUIT, 10)
        await client.rest()
        return codes(client.heard)

    rules = Rules(timeout=4000, content_timeout=4000)
    pairs = [memory.pair(time) for _ in range(3)]
    clients = [holder(), other(60), other(4000)]
    servers = [(receive(rules, kept.append, storage=storage), there) for _, there in pairs]
    sides = [(client, here) for client, (here, _) in zip(clients, pairs, strict=True)]
    held, refused, taken, *_ = memory.converse(*sides, *servers, time=time)
    assert 452 not in held and 452 not in taken
    assert refused[-6:] == [452, 250, 250, 354, 250, 221]
    assert sorted(len(one.content) for one in kept) == [7, 7, 70_000, 70_000]
    assert storage.used == 0


def test_recipients_are_limited() -> None:
    said = b"MAIL FROM:<>\r\n" + b"".join(b"RCPT TO:<r%d@example.org>\r\n" % n for n in range(5))
    replies, received = shout(HELLO + said + b"DATA\r\n.\r\n" + QUIT, Rules(recipients=3))
    assert codes(replies) == [250, 250, 250, 250, 250, 452, 452, 354, 250, 221]
    assert len(received[0].recipients) == 3
    assert received[0].sender is None


def test_who_says_nonsense_too_often_is_shown_out() -> None:
    replies, received = shout(b"NONSENSE\r\n" * 10 + SEND, Rules(bad_commands=4))
    assert codes(replies) == [500] * 4 + [421]
    assert not received


def test_a_silent_client_is_told_and_left() -> None:
    replies, _ = shout(HELLO + b"NOO", Rules(timeout=30))
    assert codes(replies) == [250, 421]


@pytest.mark.parametrize("begin", [b"NOOP ", SEND[:-8]], ids=["command", "content"])
def test_one_octet_now_and_then_is_not_enough_to_stay(begin: bytes) -> None:
    async def plan() -> int:
        await Write(begin, 10)
        for sent in range(10_000):
            await Sleep(25)
            try:
                await Write(b"x", 10)
            except ConnectionError:
                return sent
        return -1

    sent, received = meet(plan(), Rules(timeout=30, content_timeout=100))
    assert 0 < sent < 10
    assert not received


# What is offered.


def test_everything_is_offered() -> None:
    ((hello, _), _) = shout(HELLO + QUIT, Rules(name="mx.example.org", size=1234))
    assert hello.lines[0] == "mx.example.org"
    assert hello.lines[1:] == tuple(
        f"SIZE {1234}" if name == "SIZE" else name for name in EXTENSIONS if name != "REQUIRETLS"
    )


@pytest.mark.parametrize(
    ("extension", "said", "code"),
    [
        ("SIZE", b"MAIL FROM:<a@example.org> SIZE=1\r\n", 555),
        ("8BITMIME", b"MAIL FROM:<a@example.org> BODY=8BITMIME\r\n", 555),
        ("SMTPUTF8", "MAIL FROM:<ä@example.org> SMTPUTF8\r\n".encode(), 555),
        ("DSN", b"MAIL FROM:<a@example.org> RET=HDRS\r\n", 555),
        ("CHUNKING", ENVELOPE + b"BDAT 6 LAST\r\nRSET\r\n", 502),
    ],
)
def test_what_is_not_offered_is_refused(extension: str, said: bytes, code: int) -> None:
    replies, _ = shout(HELLO + said + QUIT)
    assert code not in codes(replies)
    rules = Rules(extensions=tuple(name for name in EXTENSIONS if name != extension))
    replies, received = shout(HELLO + said + QUIT, rules)
    assert not any(line.startswith(extension) for line in replies[0].lines)
    assert codes(replies)[-2:] == [code, 221]
    assert not received


def test_without_enhanced_codes_there_are_none() -> None:
    replies, _ = shout(SEND + b"X\r\n" + QUIT, Rules(extensions=()))
    assert [reply.enhanced for reply in replies] == [None] * len(replies)
    assert replies[1].text == "250 OK"


def test_helo_brings_no_parameters() -> None:
    replies, received = shout(b"HELO c\r\nMAIL FROM:<a@b.c> SIZE=1\r\n" + SEND[len(HELLO) :] + QUIT)
    assert codes(replies) == [250, 555, 250, 250, 354, 250, 221]
    assert received[0].hello == "c"


def test_unknown_extensions_and_limits_that_are_none_are_refused() -> None:
    for wrong in (
        {"extensions": ("8BIT",)},
        {"security": "tls"},
        {"size": 0},
        {"refuse": {"a": "250 OK"}},
        {"refuse": {"a": "no"}},
    ):
        with pytest.raises(ConfigError):
            Rules(**wrong)  # type: ignore[arg-type]


# Grammar.


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"MAIL", 501),
        (b"MAIL FROM:", 501),
        (b"MAIL FROM:a@example.org", 501),
        (b"MAIL FROM:<a@example.org", 501),
        (b"MAIL FROM:<a@@example.org>", 501),
        (b"MAIL FROM:<a b@example.org>", 501),
        (b"MAIL FROM:<a@example.org>SIZE=1", 501),
        (b"MAIL FROM:<a@example.org> SIZE=x", 501),
        (b"MAIL FROM:<a@example.org> SIZE=", 501),
        (b"MAIL FROM:<a@example.org> SIZE=1=1", 501),
        (b"MAIL FROM:<a@example.org> SIZE=1 size=2", 501),
        (b"MAIL FROM:<a@example.org> BODY=BINARYMIME", 501),
        (b"MAIL FROM:<a@example.org> RET=ALL", 501),
        (b"MAIL FROM:<a@example.org> ENVID=+0A", 501),
        (b"MAIL FROM:<a@example.org> ENVID=+zz", 501),
        (b"MAIL FROM:<a@example.org> SMTPUTF8=yes", 501),
        (b"MAIL FROM:<a@example.org> COLOUR=red", 555),
        ("MAIL FROM:<ä@example.org>".encode(), 553),
        ("MAIL FROM:<a@bücher.example>".encode(), 553),
        (b"MAIL FROM:<\xff@example.org>", 500),
        (b"MAIL FROM:<a@example.org>\x00", 500),
        (b"MAIL FROM:<a@example.org>\rRSET", 500),
        (b"RSET\nRSET", 500),
        (b"MAIL FROM:<@one,@two:a@example.org>", 250),
        (b'MAIL FROM:<"a>b\\""@example.org>', 250),
        (b"mail from: <a@example.org> body=8bitmime ", 250),
        ("MAIL FROM:<ä@bücher.example> SMTPUTF8".encode(), 250),
        (b"EHLO", 501),
        (b"EHLO two words", 501),
        (b"LHLO client", 500),
        (b"RCPT TO:<a@example.org>", 503),
        (b"DATA", 503),
        (b"DATA now", 501),
        (b"STARTTLS", 502),
        (b"AUTH PLAIN", 502),
        (b"VRFY ada", 252),
        (b"VRFY", 501),
        (b"EXPN all", 502),
        (b"HELP", 214),
        (b"NOOP whatever", 250),
        (b"", 500),
    ],
)
def test_each_line_has_its_reply(line: bytes, code: int) -> None:
    replies, _ = shout(HELLO + line + b"\r\n" + QUIT)
    # A line that ends in LF alone is one of its own, so that the rest of it is heard as a command.
    assert codes(replies) == [250, code, *([250] if b"\n" in line else []), 221]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"RCPT TO:<>", 501),
        (b"RCPT TO:<nobody>", 501),
        (b"RCPT TO:<postmaster>", 250),
        (b"RCPT TO:<b@example.org> NOTIFY=NEVER,FAILURE", 501),
        (b"RCPT TO:<b@example.org> ORCPT=b@example.org", 501),
        (b"RCPT TO:<b@example.org> NOTIFY=success,failure ORCPT=rfc822;b+2Bc@example.org", 250),
        (b"MAIL FROM:<c@example.org>", 503),
        (b"DATA", 554),
        (b"RSET", 250),
    ],
)
def test_each_line_in_a_transaction_has_its_reply(line: bytes, code: int) -> None:
    replies, _ = shout(HELLO + b"MAIL FROM:<a@example.org>\r\n" + line + b"\r\n" + QUIT)
    assert codes(replies) == [250, 250, code, 221]


def test_mail_needs_a_greeting_first() -> None:
    replies, _ = shout(ENVELOPE + QUIT)
    assert codes(replies) == [503, 503, 221]


def test_data_does_not_mix_with_bdat_nor_do_late_recipients() -> None:
    said = b"BDAT 4\r\nabcdDATA\r\nRCPT TO:<c@example.org>\r\nBDAT 2 LAST\r\n\r\n"
    replies, received = shout(HELLO + ENVELOPE + said + QUIT)
    assert codes(replies) == [250, 250, 250, 250, 503, 503, 250, 221]
    assert received[0].content == b"abcd\r\n"


def test_what_was_asked_about_reports_is_in_the_envelope() -> None:
    said = (
        b"MAIL FROM:<a@example.org> RET=hdrs ENVID=id+2B1\r\n"
        b"RCPT TO:<b@example.org> NOTIFY=failure,DELAY\r\nRCPT TO:<c@example.org> NOTIFY=FAILURE,delay\r\n"
        b"RCPT TO:<b@example.org> NOTIFY=NEVER\r\nDATA\r\n.\r\n"
    )
    _, (one,) = shout(HELLO + said.replace(b"RCPT TO:<b@example.org> NOTIFY=NEVER\r\n", b"") + QUIT)
    dsn = one.envelope.dsn
    assert dsn is not None
    assert (dsn.ret, dsn.envid, dsn.notify) == ("HDRS", "id+1", ("FAILURE", "DELAY"))
    assert one.mail_parameters == {"RET": "hdrs", "ENVID": "id+2B1"}
    _, (one,) = shout(HELLO + said + QUIT)
    assert one.envelope.dsn is not None and one.envelope.dsn.notify == ()
    assert [r.spec for r in one.recipients] == ["b@example.org", "c@example.org"]
    assert one.rcpt_parameters == ({"NOTIFY": "failure,DELAY"}, {"NOTIFY": "FAILURE,delay"})


# Refusals and decisions.


def test_addresses_can_be_refused() -> None:
    refuse = {"Gone@EXAMPLE.org": Reply(550, ("5.1.1 Gone",)), "busy": "450 4.2.1 Busy", "": "550 5.7.1 No reports"}
    said = (
        b"MAIL FROM:<>\r\nMAIL FROM:<busy@here.test>\r\nMAIL FROM:<a@example.org>\r\n"
        b"RCPT TO:<Gone@example.org>\r\nRCPT TO:<busy@example.org>\r\nRCPT TO:<gone@other.test>\r\n"
    )
    replies, _ = shout(HELLO + said + QUIT, Rules(refuse=refuse))
    assert codes(replies) == [250, 550, 450, 250, 550, 450, 250, 221]
    assert replies[4].text == "550 5.1.1 Gone"


@pytest.mark.parametrize(
    ("decision", "code"), [(None, 250), (Reply(250, ("2.6.0 Kept",)), 250), (Reply(550, ("5.7.1 No",)), 550)]
)
def test_the_decision_on_a_message_is_told(decision: Reply | None, code: int) -> None:
    replies, _ = shout(SEND + QUIT, deliver=lambda _: decision)
    assert codes(replies)[-2:] == [code, 221]
    if decision is not None:
        assert replies[-2] == decision


def test_a_reply_of_somebody_else_breaks_no_line() -> None:
    replies, _ = shout(SEND + QUIT, deliver=lambda _: Reply(550, ("5.7.1 No\r\n250 Yes",)))
    assert codes(replies)[-2:] == [550, 221]


def test_a_delivery_that_fails_is_a_451() -> None:
    def deliver(_: Received) -> None:
        raise RuntimeError("the disk is full")

    replies, _ = shout(SEND + QUIT, deliver=deliver)
    assert codes(replies)[-2:] == [451, 221]
    assert "disk" not in replies[-2].text


def test_lmtp_answers_for_each_recipient() -> None:
    rules = Rules(protocol="lmtp", refuse={"gone": "550 5.1.1 Gone"})
    said = (
        b"EHLO c\r\nLHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nRCPT TO:<gone@example.org>\r\n"
        b"RCPT TO:<b@example.org>\r\nDATA\r\n.\r\n"
    )
    replies, _ = shout(said + QUIT, rules)
    assert codes(replies) == [500, 250, 250, 250, 550, 250, 354, 250, 250, 221]
    replies, _ = shout(said + QUIT, rules, deliver=lambda _: (None, Reply(452, ("4.2.2 Full",))))
    assert codes(replies)[-3:] == [250, 452, 221]


# TLS.


def test_a_message_over_starttls() -> None:
    rules, tls = tls_rules()

    async def plan() -> list[int]:
        client = Client()
        await client.reply()
        hello = await client.say("EHLO before.test")
        assert "STARTTLS" in hello.lines and "REQUIRETLS" not in hello.lines
        await client.say("MAIL FROM:<a@example.org>")
        await client.say("STARTTLS")
        await StartTLS(tls, "localhost", 10)
        early = [await client.say("MAIL FROM:<a@example.org>"), await client.say("STARTTLS")]
        hello = await client.say("EHLO client.test")
        assert "STARTTLS" not in hello.lines and "REQUIRETLS" in hello.lines
        await client.say("MAIL FROM:<a@example.org> REQUIRETLS", "RCPT TO:<b@example.org>", "DATA", "Text\r\n.", "QUIT")
        return codes(early)

    for segment in (0, 1):
        early, (one,) = meet(plan(), rules, segment=segment)
        assert early == [503, 503]  # what was said before TLS is forgotten
        assert one.tls is not None and one.tls.version == "TLSv1.3"
        assert one.hello == "client.test"
        assert one.envelope.require_tls


def test_tls_from_the_first_byte() -> None:
    rules, tls = tls_rules()
    rules = Rules(security="tls", tls=rules.tls)

    async def plan() -> tuple[str, ...]:
        client = Client()
        await StartTLS(tls, "localhost", 10)
        await client.reply()
        return (await client.say("EHLO client.test")).lines

    lines, _ = meet(plan(), rules)
    assert "STARTTLS" not in lines


@pytest.mark.parametrize("behind", [b"NOOP\r\n", SEND, b"\x16\x03\x01", b"\r\n"])
def test_nothing_behind_starttls_is_obeyed(behind: bytes) -> None:
    rules, _ = tls_rules()
    replies, received = shout(HELLO + b"STARTTLS\r\n" + behind, rules)
    assert codes(replies) == [250, 421]
    assert not received


def test_plain_text_instead_of_a_handshake_ends_the_visit() -> None:
    rules, _ = tls_rules()

    async def plan() -> list[int]:
        client = Client()
        await client.reply()
        await client.say("EHLO client.test", "STARTTLS")
        await Write(SEND, 10)
        data = await Read(1000)
        assert b"250" not in data  # at most a TLS alert
        return codes(client.heard)

    assert meet(plan(), rules) == ([220, 250, 220], [])


# Logins.


@pytest.mark.parametrize("secured", [True, False])
@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "PLAIN", "LOGIN", "CRAM-MD5", "OAUTHBEARER", "XOAUTH2"])
@pytest.mark.parametrize("right", [True, False])
def test_logins(mechanism: str, right: bool, secured: bool) -> None:
    by_token = mechanism in ("OAUTHBEARER", "XOAUTH2")
    ada = Login("ada", None if by_token else "secret", "token" if by_token else None)
    given = Login(
        "ada",
        None if by_token else ("secret" if right else "wrong"),
        ("token" if right else "wrong") if by_token else None,
        mechanism=mechanism,
    )
    _, tls = tls_rules()

    async def plan() -> tuple[str | None, list[int]]:
        client = Client()
        await client.reply()
        session = Session(Server("localhost", 25, "starttls" if secured else "none", login=given, tls=tls))
        if secured:
            await client.say("EHLO c", "STARTTLS")
            session.secured = await StartTLS(tls, "localhost", 10)
        await say_hello(session, "client.test")
        try:
            await log_in(session, given)
        except LoginError:
            pass
        client.replies = session.replies
        last = [await client.say("MAIL FROM:<a@example.org>"), await client.say("AUTH PLAIN")]
        return session.login, codes(last)

    rules = with_login(ada, login_required=True) if secured else Rules(accounts=(ada,), login_required=True)
    (login, last), _ = meet(plan(), rules)
    assert login == ("ada" if right else None)
    assert last[0] == (250 if right else 530)
    if right:
        assert last[1] == 503


def test_the_login_is_told_with_the_message() -> None:
    said = b"AUTH PLAIN AGFkYQBzZWNyZXQ=\r\nAUTH PLAIN AGFkYQBzZWNyZXQ=\r\n"
    rules = Rules(accounts=(Login("ada", "secret"),), login_required=True)
    replies, (one,) = shout(HELLO + said + SEND[len(HELLO) :] + QUIT, rules)
    assert codes(replies) == [250, 235, 503, 250, 250, 354, 250, 221]
    assert one.login == "ada"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b"AUTH\r\n", [504]),
        (b"AUTH KERBEROS_V4\r\n", [504]),
        (b"AUTH SCRAM-SHA-256-PLUS\r\n", [504]),
        (b"AUTH PLAIN !!!!\r\n", [501]),
        (b"AUTH PLAIN =\r\n", [535]),
        (b"AUTH PLAIN\r\n*\r\n", [334, 501]),
        (b"AUTH PLAIN\r\n\xff\r\n", [334, 500]),
        (b"AUTH PLAIN\r\nAGFkYQBzZWNyZXQ=\r\n", [334, 235]),
        (b"auth login YWRh\r\nc2VjcmV0\r\n", [334, 235]),
        (b"AUTH PLAIN " + b"A" * 11_000 + b"\r\n", [535]),
        (b"AUTH PLAIN " + b"A" * 13_000 + b"\r\n", [500]),
        (b"AUTH PLAIN\r\n" + b"A" * 13_000 + b"\r\n", [334, 500]),
        (b"MAIL FROM:<a@example.org>\r\nAUTH PLAIN\r\n", [250, 503]),
    ],
)
def test_each_step_of_auth_has_its_reply(said: bytes, expected: list[int]) -> None:
    replies, _ = shout(HELLO + said + QUIT, Rules(accounts=(Login("ada", "secret"),)))
    assert codes(replies) == [250, *expected, 221]


def test_no_password_is_asked_for_before_tls() -> None:
    replies, _ = shout(HELLO + b"AUTH PLAIN AGFkYQBzZWNyZXQ=\r\n" + QUIT, with_login())
    assert codes(replies) == [250, 538, 221]
    assert not any(line.startswith("AUTH") for line in replies[0].lines)
    replies, _ = shout(HELLO + b"AUTH PLAIN AGFkYQBzZWNyZXQ=\r\n" + QUIT, with_login(cleartext_login=True))
    assert codes(replies) == [250, 235, 221]


def test_passwords_cannot_be_tried_without_end() -> None:
    said = b"AUTH PLAIN AGFkYQB3cm9uZw==\r\n" * 30
    replies, _ = shout(HELLO + said, Rules(accounts=(Login("ada", "secret"),), bad_commands=5))
    assert codes(replies) == [250, *[535] * 5, 421]


def test_the_greeting_says_who_is_there() -> None:
    async def plan() -> str:
        return (await Client().reply()).text

    assert meet(plan(), Rules(name="mx.test"))[0] == "220 mx.test ESMTP mailwright"
    assert meet(plan(), Rules(name="mx.test", protocol="lmtp"))[0] == "220 mx.test LMTP mailwright"


def test_a_received_message_shows_no_content() -> None:
    _, (one,) = shout(SEND + QUIT)
    assert repr(one) == f"<Received from <a@example.org> to b@example.org, {len(MESSAGE)} octets>"
