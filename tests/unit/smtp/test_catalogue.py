"""The fault catalogue, A to F: each failure ends in its named outcome, over every driver."""

from __future__ import annotations

import pytest

from mailwright.words.errors import (
    ConnectionLost,
    ContentRefused,
    DeliveryError,
    ProtocolError,
    RecipientsRefused,
    Refused,
    SenderRefused,
    Timeout,
    TLSError,
    Unsupported,
)
from mailwright.words.server import Server, Timeouts
from tests.dialogue import (
    EHLO,
    RAW,
    STAGES,
    C,
    Chunk,
    Content,
    Drop,
    HangUp,
    Pause,
    Raw,
    Rest,
    S,
    Some,
    hello,
    patient,
    raw_mail,
    send,
)

MAIL = C("MAIL FROM:<ada@example.org>")
BOB = C("RCPT TO:<bob@example.org>")
ENVELOPE = [MAIL, S("250 ok"), BOB, S("250 ok")]
WHOLE = [*hello(), *ENVELOPE, C("DATA"), S("354 go"), Content(), S("250 2.0.0 queued as 7")]

each_stage = pytest.mark.parametrize("stage", STAGES)
in_memory = pytest.mark.parametrize("stage", ["memory", "bytes"])


@each_stage
def test_a_message_is_accepted(stage: str) -> None:
    content = Content()
    played = send([*hello(), *ENVELOPE, C("DATA"), S("354 go"), content, S("250 2.0.0 queued as 7")], stage=stage)
    assert str(played.result) == "accepted by 127.0.0.1 for 1 of 1 recipients"
    assert played.result.complete
    assert played.result.reply.enhanced == "2.0.0"
    assert content.octets == RAW


# A. Connect


@each_stage
def test_a6_closed_at_greeting(stage: str) -> None:
    error = send([Drop()], stage=stage).error
    assert isinstance(error, ConnectionLost)
    assert error.phase == "greeting" and error.temporary and not error.in_doubt


@in_memory
def test_a6_closed_at_greeting_of_a_tls_port_names_the_cure(stage: str) -> None:
    error = send([Drop()], stage=stage, server=Server("127.0.0.1", 465, "none")).error
    assert "expects TLS from the first byte" in str(error)


@each_stage
@pytest.mark.parametrize(("greeting", "temporary"), [("421 too busy", True), ("554 no", True)])
def test_a8_refused_at_greeting(stage: str, greeting: str, temporary: bool) -> None:
    error = send([S(greeting), HangUp()], stage=stage).error
    assert type(error) is Refused
    assert error.temporary is temporary and error.phase == "greeting"
    assert greeting in str(error)


@each_stage
@pytest.mark.parametrize("greeting", [b"220-a\r\n220-b\r\n220 c\r\n", b"220\r\n", b"220 x\n"])
def test_a9_odd_greetings(stage: str, greeting: bytes) -> None:
    assert send([Raw(greeting), *WHOLE[1:]], stage=stage).result.complete


@in_memory
def test_a10_patience_at_the_greeting(stage: str) -> None:
    server = patient(timeouts=Timeouts.rfc5321())
    assert send([Pause(299), *WHOLE], stage=stage, server=server).result.complete
    error = send([Pause(301), *WHOLE], stage=stage, server=server).error
    assert isinstance(error, Timeout) and error.phase == "greeting" and error.temporary


@each_stage
@pytest.mark.parametrize(
    ("banner", "word"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "web server"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH"),
        (b"* OK IMAP4rev1 ready\r\n", "IMAP"),
        (b"+OK POP3 ready\r\n", "POP3"),
        (b"\x00\x01\x02garbage\x1b[31m\r\n", "not an SMTP reply"),
    ],
)
def test_a12_to_a14_another_protocol(stage: str, banner: bytes, word: str) -> None:
    error = send([Raw(banner), HangUp()], stage=stage).error
    assert isinstance(error, ProtocolError)
    assert word in str(error) and "\x1b" not in str(error)
    assert not error.temporary


@pytest.mark.parametrize("stage", ["memory", "sync", "aio"])
@pytest.mark.parametrize("flood", [b"220-x\r\n" * 20000, b"220 " + b"x" * 1_000_000])
def test_a15_a16_endless_greeting(stage: str, flood: bytes) -> None:
    assert isinstance(send([Raw(flood), HangUp()], stage=stage).error, ProtocolError)


@each_stage
def test_a17_early_talk(stage: str) -> None:
    """Words behind the greeting that answer nothing of ours: noticed at once, or, where they came a little later and took
    the place of the answer to EHLO, when an answer is there before its command.
    """
    shifted = [C(EHLO), S("250 c"), MAIL, S("250 ok")] if stage in ("bytes", "sevens") else []
    played = send([Raw(b"220 a\r\n250 b\r\n"), *shifted, Rest()], stage=stage)
    assert isinstance(played.error, ProtocolError) and "accepted" not in played.fates.values()
    assert not played.session.open


# B. EHLO


@each_stage
def test_b22_helo_fallback(stage: str) -> None:
    turns = [S("220 a"), C(EHLO), S("502 what?"), C("HELO [127.0.0.1]"), S("250 a"), *WHOLE[3:]]
    assert send(turns, stage=stage).result.complete


@each_stage
def test_b22_no_fallback_around_encryption(stage: str) -> None:
    turns = [S("220 a"), C(EHLO), S("502 what?"), C("HELO [127.0.0.1]"), S("250 a"), HangUp()]
    error = send(turns, stage=stage, server=Server("127.0.0.1", 2525, "starttls")).error
    assert isinstance(error, TLSError) and "does not offer STARTTLS" in str(error)


@each_stage
@pytest.mark.parametrize(("reply", "temporary"), [("421 bye", True), ("550 bad name", False)])
def test_b23_refused_at_ehlo(stage: str, reply: str, temporary: bool) -> None:
    error = send([S("220 a"), C(EHLO), S(reply), HangUp()], stage=stage).error
    assert type(error) is Refused and error.temporary is temporary
    assert "[127.0.0.1]" in str(error)


@each_stage
@pytest.mark.parametrize(
    "reply",
    [
        b"250-a\r\n550 b\r\n",
        b"+25 a\r\n",
        b"2_0 a\r\n",
        b" 25 a\r\n",
        b"1234 a\r\n",
        b"999 a\r\n",
        b"199 a\r\n",
        b"\xef\xbc\x9650 a\r\n",
    ],
)
def test_b26_b27_what_is_no_reply(stage: str, reply: bytes) -> None:
    error = send([S("220 a"), C(EHLO), Raw(reply), HangUp()], stage=stage).error
    assert isinstance(error, ProtocolError) and error.phase == "ehlo"


@each_stage
def test_b29_b30_hostile_text(stage: str) -> None:
    turns = [*hello(), MAIL, Raw(b"550 \x1b]0;owned\x07 \xff\xfe caf\xc3\xa9\r\n"), C("RSET"), S("250 ok")]
    error = send(turns[:-2], stage=stage).error
    assert isinstance(error, SenderRefused)
    assert "\x1b" not in str(error) and "café" in str(error)
    assert "\x1b" not in str(error.transcript)


# C. STARTTLS


@each_stage
def test_c33_stripped(stage: str) -> None:
    error = send([*hello("SIZE"), HangUp()], stage=stage, server=Server("127.0.0.1", 2525, "starttls")).error
    assert isinstance(error, TLSError) and not error.temporary


@each_stage
@pytest.mark.parametrize(
    ("reply", "temporary"), [("454 later", True), ("501 no", False), ("250 ok", False), ("502 no", False)]
)
def test_c34_refused(stage: str, reply: str, temporary: bool) -> None:
    turns = [*hello("STARTTLS"), C("STARTTLS"), S(reply), HangUp()]
    error = send(turns, stage=stage, server=Server("127.0.0.1", 2525, "starttls")).error
    assert isinstance(error, TLSError) and error.temporary is temporary


@pytest.mark.parametrize("stage", ["memory", "sync", "aio"])
def test_c35_injection_behind_the_220(stage: str) -> None:
    turns = [*hello("STARTTLS"), C("STARTTLS"), Raw(b"220 go\r\n250-x\r\n250 AUTH PLAIN\r\n"), HangUp()]
    error = send(turns, stage=stage, server=Server("127.0.0.1", 2525, "starttls")).error
    assert isinstance(error, ProtocolError) and "unencrypted data behind" in str(error)


@each_stage
def test_c36_injection_in_place_of_the_handshake(stage: str) -> None:
    turns = [*hello("STARTTLS"), C("STARTTLS"), S("220 go"), Some(), Raw(b"250-x\r\n250 AUTH PLAIN\r\n")]
    error = send(turns, stage=stage, server=Server("127.0.0.1", 2525, "starttls")).error
    assert isinstance(error, TLSError)


@each_stage
def test_c44_cut_inside_the_handshake(stage: str) -> None:
    turns = [*hello("STARTTLS"), C("STARTTLS"), S("220 go"), Some(), Drop()]
    error = send(turns, stage=stage, server=Server("127.0.0.1", 2525, "starttls")).error
    assert isinstance(error, ConnectionLost) and error.phase == "tls" and error.temporary


# E. MAIL and RCPT

THREE = ("bob@example.org", "reject@example.org", "late@example.org")
RCPTS = [C(f"RCPT TO:<{who}>") for who in THREE]


def _rcpts(*replies: str) -> list[object]:
    return [turn for rcpt, reply in zip(RCPTS, replies, strict=True) for turn in (rcpt, S(reply))]


@each_stage
@pytest.mark.parametrize(("reply", "temporary"), [("550 5.7.1 no", False), ("451 later", True)])
def test_e67_sender_refused(stage: str, reply: str, temporary: bool) -> None:
    error = send([*hello(), MAIL, S(reply)], stage=stage).error
    assert isinstance(error, SenderRefused) and error.temporary is temporary


@each_stage
def test_e68_one_of_three_refused_is_raised_after_the_others_got_it(stage: str) -> None:
    turns = [*hello(), MAIL, S("250 ok"), *_rcpts("250 ok", "550 5.1.1 unknown", "250 ok"), *WHOLE[7:]]
    played = send(turns, *THREE, stage=stage)
    error = played.error
    assert isinstance(error, RecipientsRefused)
    assert not error.temporary and error.remaining is None
    assert played.fates == {THREE[0]: "accepted", THREE[1]: "refused", THREE[2]: "accepted"}
    assert "reject@example.org" in str(error) and "2 accepted" in str(error)


@each_stage
def test_e69_stop_at_a_refusal(stage: str) -> None:
    turns = [
        *hello("PIPELINING"),
        MAIL,
        *RCPTS,
        S("250 ok", "250 ok", "550 no", "250 ok"),
        C("RSET"),
        S("250 ok"),
    ]
    played = send(turns, *THREE, stage=stage, on_refusal="stop")
    assert isinstance(played.error, RecipientsRefused)
    assert played.fates == {THREE[0]: "not tried", THREE[1]: "refused", THREE[2]: "not tried"}


@each_stage
def test_e70_all_refused(stage: str) -> None:
    turns = [
        *hello(),
        MAIL,
        S("250 ok"),
        *_rcpts("450 later", "450 later", "450 later"),
        C("RSET"),
        S("250 ok"),
    ]
    error = send(turns, *THREE, stage=stage).error
    assert isinstance(error, RecipientsRefused) and error.temporary
    assert error.remaining.envelope.recipients == error.receipt.remaining
    assert len(error.remaining.envelope.recipients) == 3


@each_stage
def test_e71_mixed(stage: str) -> None:
    turns = [*hello(), MAIL, S("250 ok"), *_rcpts("450 4.2.1 later", "550 no", "250 ok"), *WHOLE[7:]]
    played = send(turns, *THREE, stage=stage)
    assert not played.error.temporary
    assert [r.spec for r in played.error.remaining.envelope.recipients] == [THREE[0]]
    assert played.error.remaining.message_id == "<1@example.org>"
    assert played.fates == {THREE[0]: "deferred", THREE[1]: "refused", THREE[2]: "accepted"}


@each_stage
@pytest.mark.parametrize("too_many", ["452 4.5.3 too many", "552 too many"])
def test_e72_e73_too_many_recipients_get_it_in_the_next_transaction(stage: str, too_many: str) -> None:
    again = [MAIL, S("250 ok"), RCPTS[2], S("250 ok"), C("DATA"), S("354 go"), Content(), S("250 ok")]
    turns = [*hello(), MAIL, S("250 ok"), *_rcpts("250 ok", "250 ok", too_many), *WHOLE[7:], *again]
    assert send(turns, *THREE, stage=stage).result.complete


@each_stage
def test_e75_251_and_252_accept(stage: str) -> None:
    turns = [*hello(), MAIL, S("250 ok"), *_rcpts("251 forwarded", "252 unverified", "250 ok"), *WHOLE[7:]]
    assert send(turns, *THREE, stage=stage).result.complete


@each_stage
def test_e76_421_in_the_middle(stage: str) -> None:
    turns = [
        *hello(),
        MAIL,
        S("250 ok"),
        RCPTS[0],
        S("250 ok"),
        RCPTS[1],
        S("421 4.3.2 shutting down"),
        HangUp(),
    ]
    played = send(turns, *THREE, stage=stage)
    assert type(played.error) is Refused and played.error.temporary
    assert set(played.fates.values()) == {"not tried"}


@each_stage
def test_e77_closed_between_rcpt_and_data(stage: str) -> None:
    played = send([*hello(), *ENVELOPE, C("DATA"), Drop()], stage=stage)
    assert isinstance(played.error, ConnectionLost)
    assert played.error.temporary and not played.error.in_doubt and played.error.phase == "data"


@each_stage
def test_pipelined_in_one_flight(stage: str) -> None:
    turns = [
        *hello("PIPELINING"),
        MAIL,
        *RCPTS,
        C("DATA"),
        S("250 ok", "250 ok", "550 no", "250 ok", "354 go"),
        Content(),
        S("250 ok"),
    ]
    played = send(turns, *THREE, stage=stage)
    assert list(played.fates.values()) == ["accepted", "refused", "accepted"]


@in_memory
def test_e79_pipelined_reply_missing_is_a_timeout(stage: str) -> None:
    turns = [
        *hello("PIPELINING"),
        MAIL,
        *RCPTS,
        C("DATA"),
        S("250 ok", "250 ok", "250 ok", "250 ok"),
        HangUp(),
    ]
    played = send(turns, *THREE, stage=stage)
    assert isinstance(played.error, Timeout) and set(played.fates.values()) == {"not tried"}


@in_memory
def test_e79_pipelined_reply_too_many_is_not_believed(stage: str) -> None:
    turns = [
        *hello("PIPELINING"),
        MAIL,
        *RCPTS,
        C("DATA"),
        S("250 a", "250 b", "250 c", "250 d", "250 e", "354 go"),
        HangUp(),
    ]
    played = send(turns, *THREE, stage=stage)
    assert isinstance(played.error, ProtocolError) and played.error.temporary
    assert "accepted" not in played.fates.values()


@each_stage
def test_e81_duplicates_are_offered_once(stage: str) -> None:
    assert send(WHOLE, "bob@example.org", "bob@EXAMPLE.org", stage=stage).result.complete


@each_stage
def test_e83_null_sender(stage: str) -> None:
    turns = [*hello(), C("MAIL FROM:<>"), *WHOLE[4:]]
    assert send(turns, stage=stage, mail=raw_mail(sender=None)).result.complete


@each_stage
def test_e84_too_large_for_the_server(stage: str) -> None:
    played = send([*hello("SIZE 100"), HangUp()], stage=stage)
    assert isinstance(played.error, Unsupported) and "100" in str(played.error) and str(len(RAW)) in str(played.error)


@each_stage
def test_parameters_are_used_only_where_offered(stage: str) -> None:
    turns = [*hello("SIZE 1000", "8BITMIME"), C(f"MAIL FROM:<ada@example.org> SIZE={len(RAW)}"), *WHOLE[4:]]
    assert send(turns, stage=stage).result.complete


# F. DATA and the end of data


@each_stage
@pytest.mark.parametrize(("reply", "temporary"), [("550 no", False), ("451 later", True)])
def test_f85_refused_at_data(stage: str, reply: str, temporary: bool) -> None:
    played = send([*hello(), *ENVELOPE, C("DATA"), S(reply), C("RSET"), S("250 ok")], stage=stage)
    assert isinstance(played.error, ContentRefused)
    assert played.error.temporary is temporary and played.error.phase == "data"


@each_stage
def test_f86_354_though_all_were_refused(stage: str) -> None:
    turns = [
        *hello("PIPELINING"),
        MAIL,
        *RCPTS,
        C("DATA"),
        S("250 ok", "550 a", "550 b", "550 c", "354 go"),
        C("."),
        S("554 no one"),
        C("RSET"),
        S("250 ok"),
    ]
    played = send(turns, *THREE, stage=stage)
    assert isinstance(played.error, RecipientsRefused) and not played.error.temporary


BIG = RAW + b"x" * 70 + b"\r\n" + (b"y" * 76 + b"\r\n") * 100_000


@pytest.mark.parametrize("stage", ["memory", "sync", "aio"])
def test_f87_refused_and_closed_while_we_send(stage: str) -> None:
    turns = [*hello(), *ENVELOPE, C("DATA"), S("354 go"), Some(1000), S("552 5.3.4 too big"), Drop()]
    played = send(turns, stage=stage, mail=raw_mail(content=BIG))
    assert isinstance(played.error, (ContentRefused, Refused)), played.error
    assert played.error.reply.code == 552 and not played.error.in_doubt


@pytest.mark.parametrize("stage", ["memory", "sync", "aio"])
def test_f88_dropped_in_the_content(stage: str) -> None:
    turns = [*hello(), *ENVELOPE, C("DATA"), S("354 go"), Some(1000), Drop()]
    played = send(turns, stage=stage, mail=raw_mail(content=BIG))
    assert isinstance(played.error, ConnectionLost)
    assert played.error.temporary and not played.error.in_doubt and played.error.phase == "content"


@each_stage
def test_f89_dropped_behind_the_dot(stage: str) -> None:
    played = send([*hello(), *ENVELOPE, C("DATA"), S("354 go"), Content(), Drop()], stage=stage)
    assert isinstance(played.error, ConnectionLost)
    assert played.error.in_doubt and not played.error.temporary
    assert played.fates == {"bob@example.org": "in doubt"}
    assert "may or may not arrive" in str(played.error)
    assert played.error.receipt.in_doubt


@in_memory
def test_f90_timeout_behind_the_dot(stage: str) -> None:
    before = [*hello(), *ENVELOPE, C("DATA"), S("354 go"), Content()]
    assert send([*before, Pause(599), S("250 ok")], stage=stage).result.complete
    played = send([*before, Pause(601), S("250 ok")], stage=stage)
    assert isinstance(played.error, Timeout) and played.error.in_doubt


@each_stage
@pytest.mark.parametrize(("reply", "temporary"), [("451 later", True), ("554 5.6.0 no", False)])
def test_f92_refused_behind_the_dot(stage: str, reply: str, temporary: bool) -> None:
    played = send([*WHOLE[:-1], S(reply)], stage=stage)
    assert isinstance(played.error, ContentRefused)
    assert played.error.temporary is temporary and not played.error.in_doubt


@each_stage
def test_f93_accepted_then_dropped(stage: str) -> None:
    assert send([*WHOLE, Drop()], stage=stage).result.complete


@pytest.mark.parametrize("stage", ["memory", "sync"])
def test_f94_accepted_before_the_content(stage: str) -> None:
    turns = [*hello(), *ENVELOPE, C("DATA"), Raw(b"354 go\r\n250 ok\r\n"), HangUp()]
    played = send(turns, stage=stage)
    assert isinstance(played.error, ProtocolError)
    assert played.error.temporary and "accepted" not in played.fates.values()


@in_memory
def test_f95_slow_reply_to_the_dot(stage: str) -> None:
    assert send([*WHOLE[:-1], Raw(b"25"), Pause(5), Raw(b"0 o"), Pause(5), Raw(b"k\r\n")], stage=stage).result.complete


@each_stage
def test_chunking(stage: str) -> None:
    chunk = Chunk()
    played = send([*hello("CHUNKING", "PIPELINING"), MAIL, BOB, S("250 ok", "250 ok"), chunk, S("250 ok")], stage=stage)
    assert played.result.complete and chunk.octets == RAW


@each_stage
def test_f98_dropped_behind_the_last_chunk(stage: str) -> None:
    played = send([*hello("CHUNKING"), *ENVELOPE, Chunk(), Drop()], stage=stage)
    assert isinstance(played.error, ConnectionLost) and played.error.in_doubt


LMTP = [S("220 a"), C("LHLO [127.0.0.1]"), S("250 a")]


@each_stage
def test_f99_lmtp_has_a_reply_for_each_recipient(stage: str) -> None:
    turns = [
        *LMTP,
        MAIL,
        S("250 ok"),
        *_rcpts("250 ok", "250 ok", "250 ok"),
        C("DATA"),
        S("354 go"),
        Content(),
        S("250 ok", "552 5.2.2 full", "450 later"),
    ]
    played = send(turns, *THREE, stage=stage, server=patient(protocol="lmtp"))
    assert list(played.fates.values()) == ["accepted", "refused", "deferred"]
    assert [r.spec for r in played.error.remaining.envelope.recipients] == [THREE[2]]


@each_stage
def test_f99_lmtp_cut_between_replies(stage: str) -> None:
    turns = [
        *LMTP,
        MAIL,
        S("250 ok"),
        *_rcpts("250 ok", "250 ok", "250 ok"),
        C("DATA"),
        S("354 go"),
        Content(),
        S("250 ok"),
        Drop(),
    ]
    played = send(turns, *THREE, stage=stage, server=patient(protocol="lmtp"))
    assert list(played.fates.values()) == ["accepted", "in doubt", "in doubt"]
    assert played.error.in_doubt


@each_stage
def test_a_blind_retry_loop_makes_no_copy(stage: str) -> None:
    """Retrying while ``error.temporary`` delivers to nobody twice: a partial refusal is never temporary."""
    turns = [*hello(), MAIL, S("250 ok"), *_rcpts("250 ok", "451 later", "250 ok"), *WHOLE[7:]]
    attempts = 0
    for _ in range(5):
        attempts += 1
        result = send(turns, *THREE, stage=stage).result
        if not (isinstance(result, DeliveryError) and result.temporary):
            break
    assert attempts == 1
