"""The errors: whom they blame, what they say, and that they travel."""

from __future__ import annotations

import copy
import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.words import errors
from mailwright.words.address import Address
from mailwright.words.errors import (
    AddressError,
    ConfigError,
    ConnectError,
    ConnectionLost,
    ContentRefused,
    DeliveryError,
    HeaderError,
    KeyReused,
    LoginError,
    MailError,
    MessageError,
    MissingExtra,
    OutboxError,
    OutboxUnavailable,
    ProtocolError,
    RecipientsRefused,
    Refused,
    SenderRefused,
    Timeout,
    TLSError,
    Unsupported,
    attach,
)
from mailwright.words.receipt import Outcome, Receipt
from mailwright.words.reply import Reply
from mailwright.words.transcript import Transcript

CLASSES = [
    MailError, MessageError, AddressError, HeaderError, ConfigError, DeliveryError, ConnectError, TLSError, LoginError,
    Refused, SenderRefused, RecipientsRefused, ContentRefused, Unsupported, Timeout, ConnectionLost, ProtocolError,
    OutboxError, KeyReused, OutboxUnavailable, MissingExtra,
]  # fmt: skip
DELIVERY = [cls for cls in CLASSES if issubclass(cls, DeliveryError)]
every = pytest.mark.parametrize("cls", CLASSES)
every_delivery = pytest.mark.parametrize("cls", DELIVERY)


def drawn_tree() -> dict[str, tuple[str, str]]:
    """Each class in the picture at the top of the module, with its parent and its second base."""
    found: dict[str, tuple[str, str]] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        drawn = re.match(r"    ((?:[│ ]   )*)(?:[├└]── )?(\w+)(?: \((\w+)\))?", line)
        if drawn is None or not drawn[2][0].isupper() or " " in drawn[0].strip(" │├└─").split(" (")[0]:
            continue
        depth = len(drawn[1]) // 4 + ("──" in line)
        above[depth:] = [drawn[2]]
        found[drawn[2]] = (above[depth - 1] if depth else "Exception", drawn[3] or "")
    return found


def test_the_picture_shows_every_class_where_it_is() -> None:
    tree = drawn_tree()
    assert set(tree) == {cls.__name__ for cls in CLASSES}
    assert set(CLASSES) == {
        cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, MailError)
    }
    for cls in CLASSES:
        parent, second = tree[cls.__name__]
        assert [base.__name__ for base in cls.__bases__] == [parent, *filter(None, [second])]


@every
def test_says_what_happened_and_what_to_do(cls: type[MailError]) -> None:
    error = cls("It broke.", "Mend it.")
    assert (error.what, error.advice, str(error), error.args) == (
        "It broke.",
        "Mend it.",
        "It broke. Mend it.",
        ("It broke.",),
    )
    assert str(cls("It broke.")) == "It broke."


@pytest.mark.parametrize(
    ("cls", "builtin"),
    [
        (MessageError, ValueError), (AddressError, ValueError), (HeaderError, ValueError), (ConfigError, ValueError),
        (ConnectError, ConnectionError), (ConnectionLost, OSError), (Timeout, TimeoutError),
        (KeyReused, ValueError),
        (MissingExtra, ImportError),
    ],
)  # fmt: skip
def test_is_caught_by_who_knows_the_built_in_ones_only(cls: type[MailError], builtin: type[Exception]) -> None:
    with pytest.raises(builtin):
        raise cls("It broke.")


FACTS = {
    "phase": "rcpt",
    "server": "mail.example.org:25",
    "reply": Reply(451, ("4.3.0 later",)),
    "temporary": True,
    "in_doubt": False,
    "receipt": Receipt((Outcome(Address("ada@example.org"), "deferred"),), "h", 25),
}


@every
def test_travels_with_all_it_knows(cls: type[MailError]) -> None:
    facts = FACTS if issubclass(cls, DeliveryError) else {}
    error = cls("It broke.", "Mend it.", **facts)
    error.add_note("a note")
    for back in (*(pickle.loads(pickle.dumps(error, p)) for p in range(6)), copy.copy(error), copy.deepcopy(error)):
        assert type(back) is cls
        assert str(back) == str(error)
        assert vars(back) == vars(error)
        assert back.args == error.args


def test_special_facts_travel() -> None:
    address = pickle.loads(pickle.dumps(AddressError("No.", text="a@b@c", position=1)))
    assert (address.text, address.position) == ("a@b@c", 1)
    assert pickle.loads(pickle.dumps(HeaderError("No.", field="Subject"))).field == "Subject"
    refused = RecipientsRefused("No.")
    assert refused.remaining is None
    refused.remaining = "the rest"
    assert pickle.loads(pickle.dumps(refused)).remaining == "the rest"


def test_an_error_and_a_receipt_that_hold_each_other_travel() -> None:
    error = ConnectionLost("Gone.", in_doubt=True)
    error.receipt = Receipt((), "h", 25, error=error)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        back = pickle.loads(pickle.dumps(error, protocol))
        assert back.in_doubt
        assert back.receipt.host == "h"
        assert back.receipt.error is back
        receipt = pickle.loads(pickle.dumps(error.receipt, protocol))
        assert receipt.error.receipt.host == "h"
        assert receipt.error.in_doubt


# Whether to try again

replies = st.none() | st.sampled_from([Reply(421), Reply(451), Reply(550), Reply(250)])


@given(st.sampled_from(DELIVERY), st.none() | st.booleans(), st.booleans(), replies)
def test_temporary_never_means_a_second_copy(
    cls: type[DeliveryError], said: bool | None, in_doubt: bool, reply: Reply | None
) -> None:
    error = cls("It broke.", temporary=said, in_doubt=in_doubt, reply=reply)
    if in_doubt:
        assert error.temporary is False
    elif said is not None:
        assert error.temporary is said
    elif reply is not None:
        assert error.temporary is (400 <= reply.code < 500)
    else:
        assert error.temporary is (cls in (ConnectError, Timeout, ConnectionLost))


def test_doubt_that_is_found_later_counts() -> None:
    error = ConnectionLost("Gone.")
    assert error.temporary
    error.in_doubt = True
    assert not error.temporary


@every_delivery
def test_knows_nothing_unless_it_is_told(cls: type[DeliveryError]) -> None:
    error = cls("It broke.")
    assert (error.phase, error.server, error.reply, error.receipt, error.transcript) == ("", "", None, None, None)
    assert error.in_doubt is False


# Facts that are put on later


def test_attach_fills_in_what_is_missing_and_changes_nothing_else() -> None:
    error = DeliveryError("It broke.", phase="data")
    receipt = Receipt((), "h", 25)
    transcript = Transcript()
    attach(error, phase="greeting", server="h:25", receipt=receipt, transcript=transcript)
    assert (error.phase, error.server) == ("data", "h:25")
    assert error.receipt is receipt
    assert error.transcript is transcript
    attach(error, receipt=Receipt((), "other", 25), transcript=Transcript(), server="other")
    assert error.receipt is receipt
    assert error.transcript is transcript
    assert error.server == "h:25"


def test_attach_leaves_alone_what_has_no_such_fact() -> None:
    error = MessageError("It broke.")
    attach(error, phase="data", receipt=Receipt((), "h", 25))
    assert not hasattr(error, "phase")
    assert not hasattr(error, "receipt")
