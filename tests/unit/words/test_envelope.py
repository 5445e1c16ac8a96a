"""The envelope: who sends to whom, and which reports are wanted."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.words.address import Address
from mailwright.words.envelope import DSN, Envelope
from mailwright.words.errors import AddressError, MessageError


def test_takes_addresses_in_any_form() -> None:
    found = Envelope.of(
        "Ada <ada@example.org>", ["bob@example.net", ("Eve", "eve@example.net"), "x@example.org, y@example.org"]
    )
    assert found.sender == Address("ada@example.org", "Ada")
    assert [one.spec for one in found.recipients] == [
        "bob@example.net", "eve@example.net", "x@example.org", "y@example.org"
    ]  # fmt: skip
    assert found.reverse_path == "ada@example.org"
    assert Envelope.of("ada@example.org", "bob@example.net").recipients == (Address("bob@example.net"),)


@pytest.mark.parametrize("sender", [None, ""])
def test_no_sender_is_the_null_reverse_path(sender: str | None) -> None:
    found = Envelope.of(sender, "bob@example.net")
    assert found.sender is None
    assert found.reverse_path == ""


@pytest.mark.parametrize("recipients", [[], "", None, (), iter(())])
def test_needs_a_recipient(recipients: object) -> None:
    with pytest.raises(MessageError, match=r"no recipients. Name at least one in to, cc or bcc"):
        Envelope.of("ada@example.org", recipients)  # type: ignore[arg-type]


def test_a_bad_address_is_refused() -> None:
    with pytest.raises(AddressError):
        Envelope.of("ada@example.org", ["bob@example.net", "nobody"])
    with pytest.raises(AddressError):
        Envelope.of("ada", "bob@example.net")


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=20))
def test_a_recipient_who_is_named_twice_is_kept_once_in_the_first_place(letters: list[str]) -> None:
    named = [Address(f"{letter}@example.org", f"Name {number}") for number, letter in enumerate(letters)]
    found = Envelope(None, tuple(named)).recipients
    assert [one.spec[0] for one in found] == list(dict.fromkeys(letters))
    assert all(one == next(other for other in named if other.spec == one.spec) for one in found)


def test_case_makes_another_person_before_the_at_only() -> None:
    found = Envelope.of(None, ["Bob@example.org", "bob@example.org", "bob@EXAMPLE.org"])
    assert [one.spec for one in found.recipients] == ["Bob@example.org", "bob@example.org"]


@pytest.mark.parametrize(
    ("sender", "recipients", "wanted"),
    [
        ("ada@example.org", "bob@example.org", False),
        ("ada@bücher.example", "bob@bücher.example", False),
        ("üda@example.org", "bob@example.org", True),
        ("ada@example.org", ["bob@example.org", "bøb@example.org"], True),
        (None, "bøb@example.org", True),
        (None, "bob@example.org", False),
    ],
)
def test_needs_utf8_for_local_parts_only(sender: str | None, recipients: str | list[str], wanted: bool) -> None:
    assert Envelope.of(sender, recipients).needs_utf8 is wanted


def test_ten_thousand_recipients() -> None:
    found = Envelope.of("ada@example.org", [f"user{number}@example.org" for number in range(10_000)] * 2)
    assert len(found.recipients) == 10_000


def test_is_a_value() -> None:
    one = Envelope.of("ada@example.org", "bob@example.org", DSN(notify=("FAILURE",)), require_tls=True)
    assert pickle.loads(pickle.dumps(one)) == one
    assert one != Envelope.of("ada@example.org", "bob@example.org")
    assert one.require_tls
    with pytest.raises(AttributeError):
        one.sender = None  # type: ignore[misc]


# Reports of delivery (RFC 3461)


@pytest.mark.parametrize(
    "notify",
    [(), ("SUCCESS",), ("FAILURE", "DELAY"), ("SUCCESS", "FAILURE", "DELAY"), ("NEVER",), ["success"], ("never",)],
)
def test_requests_that_the_standard_knows(notify: tuple[str, ...] | list[str]) -> None:
    assert DSN(notify=notify).notify == tuple(word.upper() for word in notify)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "notify", [("NEVER", "FAILURE"), ("ALWAYS",), ("",), "SUCCESS", ("SUCCESS,DELAY",), ("FAILURE\r\n",)]
)
def test_other_requests_are_refused(notify: tuple[str, ...]) -> None:
    with pytest.raises(MessageError, match="SUCCESS, FAILURE, DELAY, or NEVER alone"):
        DSN(notify=notify)


def test_how_much_comes_back() -> None:
    assert [DSN(ret=ret).ret for ret in (None, "FULL", "HDRS")] == [None, "FULL", "HDRS"]
    for ret in ("", "ALL", "full\r\nRCPT"):
        with pytest.raises(MessageError, match="FULL or HDRS"):
            DSN(ret=ret)


def test_envelope_id() -> None:
    for envid in ("a", "order 17+=", "x" * 100):
        assert DSN(envid=envid).envid == envid
    for envid in ("", "x" * 101, "a\r\nb", "a\0", "ü", "a\x7f", "a\tb"):
        with pytest.raises(MessageError, match="1 to 100 printable ASCII"):
            DSN(envid=envid)
