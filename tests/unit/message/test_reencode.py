"""Encoding foreign octets anew: every server can take the result, and every reader reads the same in it."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.message.entities import frame, is_sound
from mailwright.message.mail import mail_object
from mailwright.message.reencode import seven_bit
from mailwright.words.envelope import Envelope
from mailwright.words.errors import MessageError, Unsupported

ENVELOPE = Envelope.of("ada@example.org", "bob@example.net")
HEAD = b"From: ada@example.org\r\nTo: bob@example.net\r\nMIME-Version: 1.0\r\n"
TEXT = "Grüße aus Köln, wo der Dom steht\r\n"


def multipart(
    *parts: bytes, kind: str = "mixed", boundary: str = "b", preamble: bytes = b"", epilogue: bytes = b""
) -> bytes:
    opening = f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n'.encode() + preamble
    delimiter = f"--{boundary}".encode()
    body = b"".join(delimiter + b"\r\n" + part + b"\r\n" for part in parts)
    return opening + body + delimiter + b"--\r\n" + epilogue


def part(kind: str, body: bytes, *fields: str) -> bytes:
    return "".join(f"{field}\r\n" for field in (f"Content-Type: {kind}", *fields)).encode() + b"\r\n" + body


def leaves(octets: bytes) -> list[tuple[str, bytes]]:
    """Media type and decoded octets of every leaf, as the email package reads them."""
    message = email.message_from_bytes(octets, policy=email.policy.compat32)
    return [
        (one.get_content_type(), one.get_payload(decode=True).replace(b"\r\n", b"\n"))  # type: ignore[union-attr]
        for one in message.walk()
        if not one.is_multipart()
    ]


def sent_in_seven_bits(raw: bytes) -> bytes:
    """What goes to a server without 8BITMIME, after checking that it can take it."""
    content = mail_object((ENVELOPE, raw), now=0.0, token="t").content_for(False)
    octets = bytes(content)
    assert not content.eight_bit
    assert octets.isascii() and b"\x00" not in octets
    assert max(map(len, octets.split(b"\r\n"))) <= 998
    assert octets.count(b"\r\n") == octets.count(b"\r") == octets.count(b"\n")
    assert octets.endswith(b"\r\n")
    return octets


TYPED = {
    "text": HEAD + part("text/plain; charset=utf-8", TEXT.encode(), "Content-Transfer-Encoding: 8bit"),
    "text, no encoding named": HEAD + part("text/plain; charset=utf-8", TEXT.encode()),
    "text in latin-1": HEAD + part("text/plain; charset=iso-8859-1", TEXT.encode("latin-1")),
    "binary": HEAD + part("image/png", bytes(range(128, 256)) * 9, "Content-Transfer-Encoding: binary"),
    "html that is one long line": HEAD + part("text/html", b"<p>" + b"word " * 3000),
    "a long line of letters": HEAD + part("text/plain", b"x" * 100_000),
    "NUL": HEAD + part("text/plain", b"a\x00b\r\n"),
    "two parts": HEAD + multipart(part("text/plain; charset=utf-8", TEXT.encode()), part("application/x", b"\xff" * 99)),
    "a part without header": HEAD + multipart(b"\r\nplain", part("text/html; charset=utf-8", TEXT.encode())),
    "nested": HEAD
    + multipart(
        multipart(part("text/plain; charset=utf-8", TEXT.encode()), kind="alternative", boundary="b-2"),
        part("text/csv; charset=utf-8", TEXT.encode() * 3, 'Content-Disposition: attachment; filename="x.csv"'),
        preamble=b"To be ignored\r\n",
        epilogue=b"Likewise\r\n",
    ),
    "boundary that begins like the other": HEAD
    + multipart(
        multipart(part("text/plain; charset=utf-8", TEXT.encode()), kind="related", boundary="bb"),
        part("text/plain; charset=utf-8", TEXT.encode()),
    ),
    "an enclosed message": HEAD
    + multipart(
        part("text/plain", b"See below"),
        part(
            "message/rfc822",
            b"Subject: inner\r\n" + part("text/plain; charset=utf-8", TEXT.encode(), "Content-Transfer-Encoding: 8bit"),
            "Content-Transfer-Encoding: 8bit",
        ),
    ),
    "a digest": HEAD
    + multipart(b"\r\nSubject: inner\r\n" + part("text/plain; charset=utf-8", TEXT.encode()), kind="digest"),
    "never closed": HEAD + multipart(part("text/plain; charset=utf-8", TEXT.encode())).replace(b"--b--\r\n", b""),
    "mail in UTF-8": HEAD + multipart(b"\r\n", part("message/global", b"Subject: " + TEXT.encode())),
}  # fmt: skip


@pytest.mark.parametrize("kind", TYPED)
def test_readers_read_the_same_as_before(kind: str) -> None:
    sent = sent_in_seven_bits(TYPED[kind])

    assert [(one, body.rstrip(b"\n")) for one, body in leaves(sent)] == [
        (one, body.rstrip(b"\n")) for one, body in leaves(TYPED[kind])
    ]
    assert sent.startswith(HEAD)


@pytest.mark.parametrize("kind", TYPED)
def test_no_enclosure_says_8bit_or_is_encoded(kind: str) -> None:
    message = email.message_from_bytes(sent_in_seven_bits(TYPED[kind]), policy=email.policy.compat32)

    for one in message.walk():
        if one.get_content_type() == "message/global":
            continue  # RFC 6532 §3.7 allows it
        said = str(one.get("Content-Transfer-Encoding", "7bit"))
        assert said in (("7bit",) if one.is_multipart() else ("7bit", "quoted-printable", "base64"))


@pytest.mark.parametrize("kind", [kind for kind, raw in TYPED.items() if is_sound(raw)])
def test_where_eight_bits_are_offered_nothing_is_changed(kind: str) -> None:
    content = mail_object((ENVELOPE, TYPED[kind]), now=0.0, token="t").content_for(True)

    assert content.eight_bit
    assert bytes(content).partition(b"\r\n\r\n")[2] == TYPED[kind].partition(b"\r\n\r\n")[2]


def test_only_the_leaves_that_need_it_are_touched() -> None:
    html = part("text/html", b"<p>  as it was \r\n\r\n", "X-Odd:  kept", "CONTENT-transfer-encoding:  7BIT")
    raw = HEAD + multipart(html, part("text/plain; charset=utf-8", TEXT.encode()))

    assert html in sent_in_seven_bits(raw)


def test_text_becomes_readable_and_binary_short() -> None:
    raw = HEAD + multipart(
        part("text/plain; charset=utf-8", TEXT.encode() * 5),
        part("text/plain; charset=utf-8", "Здравствуйте\r\n".encode() * 5),
        part("image/png", TEXT.encode() * 5),
    )
    message = email.message_from_bytes(sent_in_seven_bits(raw), policy=email.policy.compat32)

    assert [one["Content-Transfer-Encoding"] for one in message.get_payload()] == [  # type: ignore[union-attr]
        "quoted-printable", "base64", "base64",
    ]  # fmt: skip
    assert b"=C3=BC=C3=9Fe aus K=C3=B6ln, wo der Dom steht\r\n" in sent_in_seven_bits(raw)


@pytest.mark.parametrize("text, charset", [("ä\r\n".encode(), "utf-8"), (b"\xe4\r\n", "unknown-8bit")])
def test_text_that_says_nothing_is_labelled_honestly(text: bytes, charset: str) -> None:
    message = email.message_from_bytes(sent_in_seven_bits(b"From: ada@example.org\r\n\r\n" + text))

    assert message["MIME-Version"] == "1.0"
    assert message["Content-Type"] == f"text/plain; charset={charset}"
    assert message.get_payload(decode=True) in (text, text[:-2])


@pytest.mark.parametrize(
    "body, encoding, read",
    [
        ("=C3=A4 and ä raw\r\n".encode(), "quoted-printable", "ä and ä raw\n"),
        ("w6Q=\r\nÄÄ\r\n".encode(), "base64", "ä"),
    ],
)
def test_what_is_badly_encoded_is_encoded_well(body: bytes, encoding: str, read: str) -> None:
    raw = HEAD + part("text/plain; charset=utf-8", body, f"Content-Transfer-Encoding: {encoding}")

    assert leaves(sent_in_seven_bits(raw))[0][1].decode() in (read, read + "\n")


@pytest.mark.parametrize(
    "raw, said",
    [
        (part("text/plain", b"\xe4", "Content-Transfer-Encoding: x-uuencode"), "x-uuencode, does not allow"),
        (part("text/plain", b"w6Q\xe4\r\n", "Content-Transfer-Encoding: base64"), "base64, does not allow"),
        (part("multipart/mixed", b"\xe4"), "multipart/mixed without its boundary"),
        (part('multipart/mixed; boundary="b"', b"--c\r\n\xe4"), "without its boundary"),
        (multipart(multipart(part("text/plain", b"\xe4"), kind="signed", boundary="s")), "Part 1 .* multipart/signed"),
        (multipart(b"\r\n", part("message/rfc822", b"Subject: \xc3\xa4\r\n\r\n")), r"Part 2\.1 .* header Subject"),
        (multipart(part("message/delivery-status", b"\xe4")), "Part 1 .* message/delivery-status"),
        (multipart(part("text/plain", b"x", "X-Raw: ä")), "Part 1 .* header X-Raw"),
        (multipart(b"no header\r\n\r\n\xe4"), "neither a header field"),
        (
            part("message/rfc822", b"\xe4", "Content-Transfer-Encoding: base64"),
            "is message/rfc822, which may not be encoded",
        ),
    ],
)
def test_what_can_t_be_encoded_is_unsupported_and_says_why(raw: bytes, said: str) -> None:
    mail = mail_object((ENVELOPE, HEAD + raw), now=0.0, token="t")

    assert mail.content_for(True).eight_bit
    with pytest.raises(Unsupported, match=f"8BITMIME.*{said}"):
        mail.content_for(False)


def test_a_signed_part_that_fits_stays_as_it_is_beside_one_that_does_not() -> None:
    signed = multipart(
        part("text/plain", b"signed  \r\n"), part("application/pgp-signature", b"xx"), kind="signed", boundary="s"
    )
    raw = HEAD + multipart(signed, part("text/plain; charset=utf-8", TEXT.encode()))

    assert signed in sent_in_seven_bits(raw)


@pytest.mark.parametrize("noise", [b"\xe4\r\n", b"x" * 999 + b"\r\n", b"\x00\r\n"])
def test_what_nobody_reads_is_left_out_where_it_does_not_fit(noise: bytes) -> None:
    raw = HEAD + multipart(part("text/plain; charset=utf-8", TEXT.encode()), preamble=noise, epilogue=noise)

    assert leaves(sent_in_seven_bits(raw)) == leaves(TYPED["text"])
    assert noise.strip() not in sent_in_seven_bits(raw)


def test_a_long_line_in_the_header_of_a_part_is_folded() -> None:
    raw = HEAD + multipart(part("text/plain", b"x", "X-Long: " + "word " * 400))

    assert max(map(len, sent_in_seven_bits(raw + b"\xe4\r\n").split(b"\r\n"))) <= 998


def nested(levels: int) -> bytes:
    opening = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\r\n\r\n--b{n}\r\n' for n in range(levels))
    return HEAD + opening.encode() + b"\r\n\xe4\r\n"


@pytest.mark.parametrize("raw", [nested(10_000), HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 10_000 + b"\r\n\xe4"])
def test_what_is_nested_ten_thousand_levels_deep_is_refused(raw: bytes) -> None:
    with pytest.raises(Unsupported, match="nested more than 50 levels deep"):
        mail_object((ENVELOPE, raw), now=0.0, token="t").content_for(False)


def test_fifty_levels_are_fine() -> None:
    assert seven_bit(nested(50)).isascii()


def test_a_message_with_long_lines_that_can_t_be_encoded_is_refused_at_once() -> None:
    with pytest.raises(MessageError, match="without its boundary"):
        mail_object((ENVELOPE, HEAD + part("multipart/mixed", b"x" * 999)), now=0.0, token="t")


PIECES = st.sampled_from(
    [b"\r\n", b"\r\n\r\n", b"--b", b"--b--", b"--c", b"--c--", b"x", b" ", b"\xe4", b"\xc3\xa4", b"\x00", b"x" * 999,
     b'Content-Type: multipart/mixed; boundary="c"', b"Content-Type: message/rfc822", b"Content-Type: text/plain",
     b"Content-Transfer-Encoding: 8bit", b"Content-Transfer-Encoding: base64", b"=", b"=\r\n"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=30).map(b"".join))
def test_either_an_error_or_what_every_server_takes(body: bytes) -> None:
    raw = HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n' + body
    try:
        sent = sent_in_seven_bits(raw)
    except (MessageError, Unsupported):
        return
    assert len(leaves(sent)) == len(leaves(raw))


@given(st.binary(max_size=400), st.sampled_from(["utf-8", "latin-1"]))
def test_any_text_comes_back(data: bytes, charset: str) -> None:
    body = data.decode("latin-1").replace("\r", "").replace("\n", "\r\n").encode(charset)
    sent = sent_in_seven_bits(HEAD + part(f"text/plain; charset={charset}", body + b"\r\n"))

    (found,) = leaves(sent)
    assert found[1].rstrip(b"\n") == body.replace(b"\r\n", b"\n").rstrip(b"\n")


@given(st.lists(st.integers(0, 1003), max_size=6), st.booleans())
def test_is_sound_knows_the_limit_exactly(lengths: list[int], ended: bool) -> None:
    body = b"\r\n".join(b"x" * length for length in lengths) + b"\r\n" * ended

    assert is_sound(body) is all(length <= 998 for length in lengths)


def test_a_frame_without_its_boundary_is_none() -> None:
    assert frame(b"--b\r\nx\r\n--b--", 0, 15, "c") is None
    assert frame(b"--b\r\nx\r\n--b--", 0, 15, "") is None


def test_messages_of_the_email_package_are_encoded_too() -> None:
    message = EmailMessage()
    message["From"], message["To"] = "ada@example.org", "bob@example.net"
    message.set_content(TEXT.replace("\r\n", "\n"), cte="8bit")
    mail = mail_object(message, now=0.0, token="t")

    assert mail.content_for(True).eight_bit
    assert leaves(bytes(mail.content_for(False)))[0][1].decode() == TEXT.replace("\r\n", "\n")
