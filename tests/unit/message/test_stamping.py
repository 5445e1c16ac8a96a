"""Date and Message-ID."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.message.message import Message
from mailwright.message.stamping import checked_date, checked_ids, date_text, now_and_token
from mailwright.words.errors import HeaderError, MessageError
from tests.unit.message.reading import back, written

zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.integers(-(10**9), 10**11))
def test_seconds_become_a_date_in_utc(now: int) -> None:
    text = date_text(now)
    assert text.endswith(" +0000")
    assert parsedate_to_datetime(text).timestamp() == now
    assert checked_date(text) == text


@given(st.lists(st.floats(-(10.0**9), 10.0**11), max_size=5))
def test_the_second_in_which_a_moment_is(moments: list[float]) -> None:
    for now in (*moments, *moments[-1:], *[now + 0.25 for now in moments]):
        assert parsedate_to_datetime(date_text(now)).timestamp() == floor(now)


@given(st.datetimes(min_value=datetime(1900, 1, 1), timezones=zones))
def test_a_datetime_keeps_its_zone(moment: datetime) -> None:
    message = Message("ada@example.org", date=moment)
    assert back(message)["Date"].datetime == moment.replace(microsecond=0)
    assert message.date is not None and checked_date(message.date) == message.date


@pytest.mark.parametrize(
    "text",
    [
        "Mon, 03 Feb 2025 10:00:00 +0000",
        "3 Feb 2025 10:00 GMT",
        "Sun, 31 Dec 2028 23:59:60 -0530",
        "1 Jan 1970 00:00 UT",
    ],
)
def test_text_of_the_standard_is_taken_as_it_is(text: str) -> None:
    assert Message("ada@example.org", date=text).date == text


@pytest.mark.parametrize(
    "given",
    [
        "",
        "yesterday",
        "2025-02-03T10:00:00Z",
        "Mon, 32 Feb 2025 10:00:00 +0000",
        "Mon, 03 Feb 2025 25:00:00 +0000",
        "Mon, 03 Feb 2025 10:00:00",
        "Mon, 03 Feb 2025 10:00:00 CEST",
        "Foo, 03 Feb 2025 10:00:00 +0000",
        "Mon, 03 Foo 2025 10:00:00 +0000",
        "Mon, ٣ Feb 2025 10:00:00 +0000",
        "Mon, 03 Feb 2025 10:00:00 +0000\r\nBcc: x@y.example",
        datetime(2025, 2, 3),
        float("nan"),
        1e30,
        object(),
    ],
    ids=range(15),
)
def test_what_is_no_moment_is_refused(given: object) -> None:
    with pytest.raises(HeaderError) as caught:
        Message("ada@example.org", date=given)  # type: ignore[arg-type]
    assert caught.value.field == "date"


class TestStamped:
    def test_what_is_missing_is_set(self) -> None:
        message = Message("ada@bücher.example", "bob@example.net")
        stamped = message.stamped(1_738_576_800, "abc123")
        assert (stamped.date, stamped.message_id) == (
            "Mon, 03 Feb 2025 10:00:00 +0000",
            "<abc123@xn--bcher-kva.example>",
        )
        assert (message.date, message.message_id) == (None, None)
        assert stamped.to == message.to

    def test_what_is_there_is_kept(self) -> None:
        message = Message("ada@example.org", date=0, message_id="mine@example.org")
        assert message.stamped(99, "abc") is message
        assert Message("ada@example.org", date=0).stamped(99, "a").date == "Thu, 01 Jan 1970 00:00:00 +0000"
        assert Message("ada@example.org", message_id="<mine@x>").stamped(99, "a").message_id == "<mine@x>"

    def test_an_address_literal_is_a_domain_too(self) -> None:
        assert Message("ada@[192.0.2.1]").stamped(0, "a").message_id == "<a@[192.0.2.1]>"
        assert back(Message("ada@[192.0.2.1]", text="x", html="y"))["Message-ID"].endswith("@[192.0.2.1]>")

    def test_without_a_sender_there_is_no_domain(self) -> None:
        with pytest.raises(MessageError, match="no sender"):
            Message(to="bob@example.net").stamped(0, "a")

    def test_an_unstamped_message_stamps_itself_once(self) -> None:
        message = Message("ada@example.org", "bob@example.net", html="<p>Hello</p>", text="Hello")
        first = written(message)
        assert written(message) == first
        assert written(message, eight_bit=True) == first
        assert first != written(Message("ada@example.org", "bob@example.net", html="<p>Hello</p>", text="Hello"))
        assert message.message_id is None

    def test_tokens_do_not_come_again(self) -> None:
        assert len({now_and_token()[1] for _ in range(1000)}) == 1000


class TestIdentifiers:
    def test_with_and_without_brackets(self) -> None:
        message = Message(
            "ada@example.org", message_id="x@example.org", in_reply_to="<a@b>", references="<a@b> <c@d><e@f>"
        )
        assert (message.message_id, message.in_reply_to) == ("<x@example.org>", ("<a@b>",))
        assert message.references == ("<a@b>", "<c@d>", "<e@f>")
        assert checked_ids(["<a@b>", "c@d"], "references") == ("<a@b>", "<c@d>")

    def test_a_reply_names_its_parent_in_references_too(self) -> None:
        found = back(Message("ada@example.org", in_reply_to="<a@b>"))
        assert (found["In-Reply-To"], found["References"]) == ("<a@b>", "<a@b>")

    def test_a_long_thread_is_folded_between_identifiers(self) -> None:
        thread = [f"<{number:032x}@mail.example.org>" for number in range(200)]
        raw = written(Message("ada@example.org", references=thread))
        assert back(Message("ada@example.org", references=thread))["References"].split() == thread
        assert all(len(line) <= 78 for line in raw.split(b"\r\n"))

    @pytest.mark.parametrize("given", ["x", "<x>", "<@x>", "<x@>", "<a@b", "<ä@b>", "<" + "x" * 900 + "@b>", "<a@b>\n"])
    @pytest.mark.parametrize("field", ["message_id", "in_reply_to", "references"])
    def test_what_is_none_is_refused(self, field: str, given: str) -> None:
        with pytest.raises(HeaderError) as caught:
            Message("ada@example.org", **{field: given})  # type: ignore[arg-type]
        assert caught.value.field == field

    def test_a_message_has_one(self) -> None:
        with pytest.raises(HeaderError, match="several"):
            Message("ada@example.org", message_id="<a@b> <c@d>")
