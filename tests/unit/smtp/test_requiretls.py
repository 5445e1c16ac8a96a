"""REQUIRETLS (RFC 8689): a message that must not go on unencrypted is only given to a server that promises so."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailwright import Message
from mailwright.message.mail import MailObject, mail_object
from mailwright.words.errors import SenderRefused, Unsupported
from tests.dialogue import STAGES, C, Content, HangUp, S, Secure, hello, send
from tests.unit.smtp.secured import context, server, upgraded

each_stage = pytest.mark.parametrize("stage", STAGES)
BOB = [C("RCPT TO:<bob@example.org>"), S("250 ok"), C("DATA"), S("354 go"), Content(), S("250 ok")]
ASKED = C("MAIL FROM:<ada@example.org> REQUIRETLS")


def mail(require_tls: bool = True) -> MailObject:
    """A message that asks for it."""
    message = Message("ada@example.org", "bob@example.org", "Hi", "there", require_tls=require_tls)
    return mail_object(message, now=0.0, token="t")


@each_stage
def test_it_is_said_where_it_is_offered_after_starttls(folder: Path, stage: str) -> None:
    turns = [*upgraded(folder, "REQUIRETLS"), ASKED, S("250 ok"), *BOB]
    assert send(turns, mail=mail(), stage=stage, server=server(folder, "starttls")).result.complete


@each_stage
def test_it_is_said_where_tls_comes_first(folder: Path, stage: str) -> None:
    turns = [Secure(context(folder)), *hello("REQUIRETLS"), ASKED, S("250 ok"), *BOB]
    assert send(turns, mail=mail(), stage=stage, server=server(folder, "tls")).result.complete


@each_stage
def test_it_stands_beside_the_other_parameters(folder: Path, stage: str) -> None:
    asked = mail()
    size = asked.content_for(True).size
    turns = [
        *upgraded(folder, "SIZE 100000", "8BITMIME", "REQUIRETLS"),
        C(f"MAIL FROM:<ada@example.org> SIZE={size} REQUIRETLS"),
        S("250 ok"),
        *BOB,
    ]
    assert send(turns, mail=asked, stage=stage, server=server(folder, "starttls")).result.complete


@each_stage
@pytest.mark.parametrize("before", [(), ("REQUIRETLS",)], ids=["nowhere", "in clear only"])
def test_it_is_refused_by_name_where_it_is_not_offered(folder: Path, stage: str, before: tuple[str, ...]) -> None:
    """An offer in clear counts for nothing (RFC 8689 §2, RFC 3207 §4.2)."""
    turns = [*upgraded(folder, "SIZE 100000", before=before), HangUp()]
    error = send(turns, mail=mail(), stage=stage, server=server(folder, "starttls")).error
    assert isinstance(error, Unsupported) and not error.temporary and error.phase == "mail"
    assert "REQUIRETLS (RFC 8689)" in str(error) and "Nothing was sent" in str(error)


@each_stage
def test_an_offer_on_a_connection_that_stays_in_clear_is_none(folder: Path, stage: str) -> None:
    turns = [*hello("REQUIRETLS"), HangUp()]
    error = send(turns, mail=mail(), stage=stage, server=server(folder, "none")).error
    assert isinstance(error, Unsupported) and "on an encrypted connection" in str(error)


@each_stage
def test_a_server_that_promised_too_much_is_the_sender_s_to_hear_of(folder: Path, stage: str) -> None:
    refused = S("550 5.7.30 REQUIRETLS support required")
    turns = [*upgraded(folder, "REQUIRETLS"), ASKED, refused, HangUp()]
    error = send(turns, mail=mail(), stage=stage, server=server(folder, "starttls")).error
    assert isinstance(error, SenderRefused) and error.reply.enhanced == "5.7.30" and not error.temporary


@each_stage
def test_it_is_not_said_for_who_did_not_ask(folder: Path, stage: str) -> None:
    turns = [*upgraded(folder, "REQUIRETLS"), C("MAIL FROM:<ada@example.org>"), S("250 ok"), *BOB]
    played = send(turns, mail=mail(require_tls=False), stage=stage, server=server(folder, "starttls"))
    assert played.result.complete
