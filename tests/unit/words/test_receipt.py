"""The receipt tells every recipient's fate and claims nothing more."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.words.address import Address
from mailwright.words.errors import ConnectionLost
from mailwright.words.receipt import Outcome, Receipt, TLSFacts
from mailwright.words.reply import Reply
from mailwright.words.transcript import Transcript

FATES = ("accepted", "refused", "deferred", "in doubt", "not tried")


def receipt(*fates: str) -> Receipt:
    outcomes = tuple(Outcome(Address(f"u{number}@example.org"), fate) for number, fate in enumerate(fates))  # type: ignore[arg-type]
    return Receipt(outcomes, "mail.example.org", 465)


@given(st.lists(st.sampled_from(FATES), max_size=8))
def test_every_recipient_is_accounted_for_once(fates: list[str]) -> None:
    found = receipt(*fates)
    accepted = len(found.accepted)
    refused = len(found.refused)
    assert accepted == fates.count("accepted")
    assert refused == fates.count("refused") + fates.count("deferred")
    assert len(found.remaining) == fates.count("deferred") + fates.count("not tried")
    assert found.in_doubt == ("in doubt" in fates)
    assert found.complete == (accepted == len(fates))
    # Nobody who may have got the mail is among those to try again.
    assert not set(found.remaining) & {o.recipient for o in found.outcomes if o.fate in ("accepted", "in doubt")}


@pytest.mark.parametrize(
    ("fates", "wanted"),
    [
        (["accepted"], "accepted by mail.example.org for 1 of 1 recipients"),
        (["accepted", "refused", "accepted"], "accepted by mail.example.org for 2 of 3 recipients"),
        (["refused"], "accepted by mail.example.org for 0 of 1 recipients"),
        (["in doubt", "in doubt", "refused"], "accepted by mail.example.org for 0 of 3 recipients, 2 in doubt"),
    ],
)
def test_says_who_took_responsibility_and_no_more(fates: list[str], wanted: str) -> None:
    assert str(receipt(*fates)) == wanted


def test_is_neither_true_nor_false() -> None:
    for found in (receipt("accepted"), receipt("refused")):
        with pytest.raises(TypeError, match="neither true nor false: ask .complete, .accepted, .refused or .in_doubt"):
            bool(found)


def test_an_outcome_says_why() -> None:
    ada = Address("ada@example.org", "Ada")
    assert str(Outcome(ada, "accepted")) == "ada@example.org: accepted"
    refused = Outcome(ada, "refused", Reply(550, ("5.1.1 No\x1b such user",)))
    assert str(refused) == "ada@example.org: refused (550 5.1.1 No\\x1b such user)"


def test_is_pickled_whole() -> None:
    transcript = Transcript()
    transcript.note("C", "QUIT")
    error = ConnectionLost("Gone.", in_doubt=True)
    found = Receipt(
        receipt("in doubt").outcomes, "h", 25, "<id@example.org>", Reply(421), TLSFacts("TLSv1.3", "x", "ab" * 32),
        "ada", 1234, transcript, error,
    )  # fmt: skip
    back = pickle.loads(pickle.dumps(found))
    assert back.outcomes == found.outcomes
    assert (back.host, back.port, back.message_id, back.login, back.size) == ("h", 25, "<id@example.org>", "ada", 1234)
    assert (back.reply, back.tls) == (found.reply, found.tls)
    assert str(back.transcript) == str(transcript)
    assert isinstance(back.error, ConnectionLost)
    assert back.error.in_doubt
