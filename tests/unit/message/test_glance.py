"""The quick look at a finished message: whatever it lets pass is what the thorough look makes of it."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailwright.message.foreign import Adopted, adopt, adopt_thoroughly
from mailwright.message.glance import glance
from mailwright.words.envelope import Envelope
from mailwright.words.errors import MailError

SOUND = (
    b"From: Ada <ada@example.org>\r\nTo: bob@example.net\r\nSubject: Hi\r\n"
    b"Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n"
)
BODY = b"\r\nDear Bob,\r\nit works.\r\n"
ENVELOPE = Envelope.of("ada@example.org", "bob@example.net")

LINES = [
    b"From: ada@example.org", b"from: Ada <ada@example.org>, Bob <bob@example.net>", b"From:", b"From:\r\n ada@example.org",
    b"To: bob@example.net", b"TO: Team: a@example.org, b@example.org;", b"To: nobody", b"Cc: c@example.net,\r\n\td@example.net",
    b"Bcc: e@example.net", b"Sender: f@example.net", b"Resent-To: g@example.net", b"Resent-From: h@example.net",
    b"Resent-Date: Fri, 20 Nov 2026 10:00:00 +0000", b"Date: Fri, 20 Nov 2026 10:00:00 +0000", b"Date: \t ", b"date:x",
    b"Message-ID: <1@example.org>", b"Message-ID:\r\n <2@example.org>", b"message-id:\t<3@example.org>\t", b"Message-ID:",
    b"Subject: Hi", b"Subject: Gr\xc3\xbc\xc3\x9fe", b"Subject: \xff", b"Subject: a\r\n b\r\n\tc", b"Subject: a\r\n \r\n b",
    b"Subject: nul \0", b"Subject: escape \x1b", b"Subject: " + b"x" * 1000, b"Subject: " + b"long " * 300,
    b"Content-Type: text/plain; charset=utf-8", b"Content-Type: multipart/signed; boundary=b", b"Content-Type: MULTIPART/Encrypted",
    b"Content-Type: multipart/\r\n signed", b"Content-Type: application/x-pkcs7-mime", b"X-Designed: undersigned",
    b"DKIM-Signature: v=1", b"ARC-Seal: i=1", b"Reply-To: r@example.org", b"MIME-Version: 1.0",
    b"no colon", b": no name", b"Space : x", b" leading", b"X Y: z", b"", b"X-Odd:", b"X_1:a:b",
]  # fmt: skip
ENDS = [b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"]

heads = st.lists(st.tuples(st.sampled_from(LINES), st.sampled_from(ENDS[:5])), max_size=9).map(
    lambda lines: b"".join([line + end for line, end in lines])
)
bodies = st.lists(
    st.sampled_from([b"text", b"\r\n", b"\r\n", b".", b"\xc3\xbc", b"\0", b"\n", b"\r", b"x" * 999, b"--b"]), max_size=6
).map(b"".join)
whole = st.permutations(SOUND.split(b"\r\n")[:-1]).flatmap(
    lambda lines: st.lists(st.sampled_from(LINES), max_size=2).map(
        lambda more: b"\r\n".join([*lines[:3], *more, *lines[3:], b""])
    )
)


def outcome(raw: bytes, thoroughly: bool, envelope: Envelope | None) -> object:
    """All that can be seen of an adopted message, or of the error."""
    try:
        if thoroughly:
            adopted: Adopted = adopt_thoroughly(raw, 0.0, "token", envelope, None, None)
        else:
            adopted = adopt(raw, now=0.0, token="token", envelope=envelope)
    except MailError as error:
        return type(error), str(error)
    content = adopted.content
    flags = (content.eight_bit, content.utf8, content.size)
    return adopted.envelope, adopted.message_id, adopted.signed, bytes(content), flags


@given(st.one_of(heads, whole), st.one_of(bodies, bodies.map(lambda body: b"\r\n" + body + b"\r\n")), st.booleans())
@example(SOUND, BODY, False)
@example(SOUND, b"", False)
@example(b"", b"\r\n", False)
@example(b"\r\n" + SOUND, BODY, False)
def test_both_looks_come_to_the_same(head: bytes, body: bytes, enveloped: bool) -> None:
    envelope = ENVELOPE if enveloped else None
    raw = head + body
    assert outcome(raw, False, envelope) == outcome(raw, True, envelope)
    if glance(raw) is not None:
        assert bytes(adopt(raw, now=0.0, token="token", envelope=ENVELOPE).content) == raw


@pytest.mark.parametrize(
    "raw",
    [
        SOUND + BODY,
        SOUND + b"\r\n" + "Grüße\r\n".encode(),
        SOUND + b"X-Long: a\r\n b\r\n\tc\r\n" + BODY,
        SOUND.replace(b"Message-ID: ", b"Message-ID:\r\n ") + BODY,
        SOUND + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
    ],
)
def test_a_sound_message_passes_untouched(raw: bytes) -> None:
    sound = glance(raw)
    assert sound is not None
    assert sound.message_id == "<1@example.org>"
    content = adopt(raw, now=0.0, token="t").content
    assert bytes(content) == raw
    assert content.checked


@pytest.mark.parametrize(
    "line",
    [
        b"Bcc: x@example.org",
        b"Resent-Bcc: x@example.org",
        b"DKIM-Signature: v=1",
        b"To: x@example.org",
        b"Content-Type: multipart/signed",
        b"X\x01: y",
        b"no colon",
        b"X: \xc3\xbc",
    ],
)
def test_what_may_need_something_never_passes(line: bytes) -> None:
    assert glance(SOUND + line + b"\r\n" + BODY) is None


@pytest.mark.parametrize("missing", [b"From", b"Date", b"Message-ID"])
def test_without_a_field_that_every_message_has(missing: bytes) -> None:
    kept = [line for line in SOUND.split(b"\r\n") if not line.startswith(missing)]
    assert glance(b"\r\n".join(kept) + BODY) is None


def test_more_shapes_than_are_remembered() -> None:
    for number in range(300):
        assert glance(SOUND + b"X-%d: x\r\n" % number + BODY) is not None
    assert glance(SOUND + b"Bcc: x@example.org\r\n" + BODY) is None
    assert glance(SOUND + b"X-1: x\r\n" + BODY) is not None
