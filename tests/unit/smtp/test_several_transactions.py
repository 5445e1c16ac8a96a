"""A message in several transactions, and several messages on one connection: what is said of the last one that failed
must be true of all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mailwright import Inbox, Mailer, MailError, Message, Server
from mailwright.mailer.outgoing import outgoing_mail
from mailwright.smtp.receiving import rules as receiving
from mailwright.words.errors import DeliveryError, MessageError, Unsupported
from mailwright.words.value import replace
from tests.dialogue import ANYTHING, C, Content, Do, Drop, Pause, Rest, S, hello, send

EHLO = hello("LIMITS RCPTMAX=1")
FIRST = [C(ANYTHING), S("250 ok"), C(ANYTHING), S("250 ok"), C("DATA"), S("354 go"), Content(), S("250 taken")]
MAIL_REFUSED = [S("451 4.3.0 busy"), C("RSET"), S("250 ok")]

ENDINGS: dict[str, list[Any]] = {
    "lost at MAIL": [C(ANYTHING), Drop()],
    "lost at RCPT": [C(ANYTHING), S("250 ok"), C(ANYTHING), Drop()],
    "silent": [C(ANYTHING), Pause(3600)],
    "sender refused for now": [C(ANYTHING), S("451 4.3.0 busy")],
    "content refused for now": [C(ANYTHING), S("250 ok"), C(ANYTHING), S("250 ok"), C("DATA"), S("451 4.3.0 busy")],
    "goodbye": [C(ANYTHING), S("421 4.3.2 closing")],
    "out of step": [C(ANYTHING), S("250 ok"), C(ANYTHING), S("250 ok"), C("DATA"), S("250 ok")],
}


@pytest.mark.parametrize("case", ENDINGS)
def test_who_was_accepted_is_never_told_that_nothing_was_delivered(case: str) -> None:
    played = send([*EHLO, *FIRST, *ENDINGS[case]], "bob@example.org", "eve@example.org", stage="memory")
    error = played.error
    assert isinstance(error, DeliveryError) and not error.temporary and not error.in_doubt
    assert [str(address) for address in error.receipt.accepted] == ["bob@example.org"]
    assert "othing was delivered" not in str(error) and "same call" not in str(error)
    assert "Some recipients have got it" in str(error)


def test_doubt_in_the_second_transaction_counts_for_more() -> None:
    second = [C(ANYTHING), S("250 ok"), C(ANYTHING), S("250 ok"), C("DATA"), S("354 go"), Content(), Drop()]
    error = send([*EHLO, *FIRST, *second], "bob@example.org", "eve@example.org").error
    assert error.in_doubt and "may or may not arrive" in str(error)


@pytest.mark.parametrize("case", ["lost at MAIL", "silent"])
def test_when_nobody_was_accepted_the_same_call_may_be_tried_again(case: str) -> None:
    error = send([*EHLO, *ENDINGS[case]], "bob@example.org", "eve@example.org").error
    assert error.temporary and "Nothing was delivered, so the same call can be tried again" in str(error)


# Content that vanishes.


def with_file(path: Path, *to: str) -> Message:
    """A message with an attachment that is read while it is sent."""
    path.write_bytes(b"0123456789" * 300_000)
    return Message("ada@example.org", to or ("bob@example.org",), "Hi", "see file", attachments=[path])


@pytest.mark.parametrize("stage", ["memory", "sync", "aio", "trio"])
def test_a_file_that_vanished_between_two_transactions(tmp_path: Path, stage: str) -> None:
    path, rest = tmp_path / "data.bin", Rest()
    mail = outgoing_mail(with_file(path, "bob@example.org", "eve@example.org"), None, None)
    second = [C(ANYTHING), Do(path.unlink), S("250 ok"), C(ANYTHING), S("250 ok"), C("DATA"), S("354 go"), rest]
    played = send([*EHLO, *FIRST, *second], stage=stage, mail=mail)
    error = played.error
    assert isinstance(error, DeliveryError) and isinstance(error.__cause__, MessageError)
    assert not error.temporary and not error.in_doubt and "data.bin" in str(error)
    assert played.fates == {"bob@example.org": "accepted", "eve@example.org": "not tried"}
    assert [str(address) for address in error.receipt.remaining] == ["eve@example.org"]
    assert "Some recipients have got it" in str(error)
    assert not played.session.open and b"\r\n.\r\n" not in rest.octets


EXTENSIONS = {"BDAT": receiving.EXTENSIONS, "DATA": tuple(e for e in receiving.EXTENSIONS if e != "CHUNKING")}
PLAIN = Message("ada@example.org", "bob@example.org", "plain", "x")


@pytest.mark.parametrize("way", EXTENSIONS)
def test_a_file_that_vanished_before_the_second_message_of_a_connection(tmp_path: Path, way: str) -> None:
    path = tmp_path / "data.bin"
    with Inbox(tls=False, rules=replace(receiving.Rules(), extensions=EXTENSIONS[way])) as inbox:
        with Mailer(inbox.server) as mailer:
            mailer.send(PLAIN)
            gone = with_file(path)
            path.unlink()
            with pytest.raises(MessageError, match="not sent") as caught:
                mailer.send(gone)
            mailer.send(PLAIN)
        assert not isinstance(caught.value, DeliveryError)
        assert [received.subject for received in inbox.messages] == ["plain", "plain"]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_message_that_this_server_can_not_take_leaves_the_connection_as_it_was(count: int) -> None:
    """Refused here, before a word: as the first, the second or the third message, and the connection is kept."""
    big = Message("ada@example.org", "bob@example.org", "big", "x" * 5000)
    with Inbox(tls=False, rules=receiving.Rules(size=4000)) as inbox:
        with Mailer(inbox.server) as mailer:
            for _ in range(count):
                mailer.send(PLAIN)
            with pytest.raises(Unsupported) as caught:
                mailer.send(big)
            after = mailer.send(PLAIN)
        assert caught.value.receipt is not None and not caught.value.receipt.accepted
        assert "connecting" not in str(after.transcript)
        assert len(inbox.messages) == count + 1


def test_a_refusal_of_the_message_says_what_it_is() -> None:
    """What is wrong with the message itself is found before anything is connected."""
    with pytest.raises(MailError) as caught, Mailer(Server("127.0.0.1", 9, "none")) as mailer:
        mailer.send(Message("ada@example.org", "bob@example.org", "Hi\r\nBcc: eve@example.org", "x"))
    assert isinstance(caught.value, MessageError)
