"""The parts that decide without touching anything: retries, rates, paces, lanes, and whom a refusal is about."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.outbox.rows import BULK, NORMAL, URGENT, Claimed, Destination
from mailwright.outbox.states import LEASED
from mailwright.outbox.work import blaming
from mailwright.outbox.work.blaming import blame
from mailwright.outbox.work.judging import Trouble
from mailwright.outbox.work.limiting import Grant, Limit, Rate, of_quota, spent
from mailwright.outbox.work.pace import LONGEST, MOST, SHORTEST, Pace
from mailwright.outbox.work.retry import DAY, HOUR, MINUTE, RETRIES, Retry, table
from mailwright.outbox.work.scheduling import Schedule, Turns
from mailwright.words.errors import ConfigError
from mailwright.words.reply import Reply


@given(st.integers(1, 5000), st.floats(0, 1))
def test_each_wait_stays_within_its_lane(tries: int, draw: float) -> None:
    for retry in RETRIES:
        wait = retry.delay(tries, draw)
        middle = min(retry.first * 2.0 ** min(tries - 1, 60), retry.longest)
        assert 0.8 * middle <= wait <= 1.2 * middle


def test_the_normal_lane_goes_from_five_minutes_to_an_hour_for_five_days() -> None:
    schedule = list(RETRIES[NORMAL].schedule())
    waits = [later - earlier for earlier, later in zip([0.0, *schedule], schedule, strict=False)]
    assert waits[:6] == [5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 40 * MINUTE, HOUR, HOUR]
    assert schedule[-1] == 5 * DAY and max(waits) == HOUR
    assert next(RETRIES[URGENT].schedule()) < schedule[0]
    assert RETRIES[URGENT].lifetime < RETRIES[NORMAL].lifetime


def test_the_jitter_spreads_what_failed_together() -> None:
    waits = {RETRIES[NORMAL].delay(5, draw / 100) for draw in range(101)}
    assert max(waits) - min(waits) >= 0.2 * HOUR and len(waits) == 101


@pytest.mark.parametrize("wrong", [{"first": 0}, {"longest": 1.0}, {"lifetime": 10.0}, {"factor": 0.5}, {"jitter": 1}])
def test_what_is_no_order_of_retries_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Retry(**wrong)


def test_the_documented_table_is_made_from_the_rules() -> None:
    text = table()
    assert "| 2 | 1 min | 5 min | 5 min |" in text
    assert "| then every | 15 min | 1 h | 1 h |" in text
    assert "| last, and expired | 12 h | 5 d | 5 d |" in text
    documented = [page for page in Path("docs").rglob("*.md") if "last, and expired" in page.read_text("utf-8")]
    for page in documented:
        assert text in page.read_text("utf-8")


@given(
    st.integers(1, 400), st.sampled_from([1.0, 60.0, 3600.0]), st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 50)))
)  # fmt: skip
def test_no_window_of_a_rate_sees_more_than_its_count(count: int, seconds: float, asks: list[tuple[int, int]]) -> None:
    rate, now, row = Rate(count, seconds), 1_800_000_000_000, 0.0
    given_out: list[tuple[int, int]] = []
    for pause, wanted in asks:
        now += int(pause * seconds / 10)
        grant, row = spent(rate, wanted, row, now)
        assert 0 <= grant.tokens <= wanted
        if grant.tokens:
            given_out.append((now, grant.tokens))
        else:
            assert spent(rate, 1, row, now + int(grant.wait * 1000) + 1)[0].tokens == 1
    for begin, _ in given_out:
        window = sum(tokens for at, tokens in given_out if begin <= at < begin + seconds * 1000)
        assert window <= count


@given(
    st.integers(1, 100_000),
    st.sampled_from([1.0, 60.0, 3600.0, DAY]),
    st.integers(1_700_000_000_000, 1_900_000_000_000),
)
def test_a_rate_that_nobody_used_lets_something_through(count: int, seconds: float, now: int) -> None:
    """Times of this size have no room for small fractions: 14/s would let nothing through for ever."""
    rate = Rate(count, seconds)
    grant, row = spent(rate, count, 0.0, now)
    assert grant.tokens == rate.burst
    grant, row = spent(rate, 1, row, now)
    assert not grant.tokens and grant.wait > 0
    assert spent(rate, 1, row, now + int(grant.wait * 1000) + 1)[0].tokens == 1


def test_a_rate_whose_row_was_written_before_the_clock_was_set_back_goes_on() -> None:
    rate, now = Rate(6, 6.0), 1_800_000_000_000
    grant, row = spent(rate, 1, now + 86400_000.0, now)
    assert grant == Grant(0, 1.0)
    assert spent(rate, 1, row, now + 1000)[0].tokens == 1


@pytest.mark.parametrize(("text", "count", "seconds"), [("14/s", 14, 1), ("100 / min", 100, 60), ("500/day", 500, DAY)])
def test_rates_are_read_as_people_write_them(text: str, count: int, seconds: float) -> None:
    assert Rate.parse(text) == Rate(count, seconds)


@pytest.mark.parametrize("text", ["", "14", "14/week", "-1/s", "0/s", "1.5/s", "²/s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        Rate.parse(text)


def test_limits_of_providers_are_known() -> None:
    from mailwright.providers import catalog

    gmail, microsoft = catalog.named("gmail")[0], catalog.named("microsoft365")[0]
    limit = of_quota("default", gmail.quota)
    assert limit is not None and limit.rates == (Rate(500, DAY, recipients=False),)
    limit = of_quota("default", microsoft.quota)
    assert limit is not None and limit.connections == 3
    assert limit.rates == (Rate(30, 60.0), Rate(10_000, DAY))


def test_turns_are_eight_four_one_and_nobody_waits_for_nobody() -> None:
    turns = Turns()
    assert Counter(turns.next([[1], [1], [1]]) for _ in range(1300)) == {URGENT: 800, NORMAL: 400, BULK: 100}
    assert {turns.next([[], [], [1]]) for _ in range(20)} == {BULK}
    assert turns.next([[], [], []]) is None


def test_a_pace_grows_with_success_and_stops_after_several_in_a_row() -> None:
    pace = Pace()
    assert pace.free(0, 0) == 32
    pace.good(0, 100)
    assert pace.free(0, 0) == 132
    bob, kim, liz = row("bob", 0), row("kim", 0), row("liz", 0)
    assert (pace.bad(0, bob), pace.bad(0, kim)) == (0.0, 0.0)
    pace.good(0)
    assert (pace.bad(0, bob), pace.bad(0, kim)) == (0.0, 0.0), "a yes between them begins the count anew"
    assert {pace.bad(0, kim) for _ in range(99)} == {0.0}, "it is the same message again"
    assert pace.bad(0, liz) == SHORTEST
    assert pace.free(1000, 0) == 0
    later = int(SHORTEST * 1000)
    assert pace.free(later, 0) == 1, "one goes first"
    assert pace.free(later, 1) == 0
    pace.good(later)
    assert pace.free(later, 0) > 1


def test_many_messages_for_one_who_is_put_off_slow_the_destination_too() -> None:
    pace = Pace()
    assert {pace.bad(0, row("bob", number)) for number in range(29)} == {0.0}
    assert pace.bad(0, row("bob", 29)) == SHORTEST


def row(name: str, number: int) -> Claimed:
    id = f"{name}{number}".encode().rjust(16)
    return Claimed(
        id, 0, f"{name}@example.net", "example.net", NORMAL, LEASED, 1, 0, 0, False, False, "ada@example.org", "", 0, b"",
        b"", 0, None, 0, None, None,
    )  # fmt: skip


def test_a_stop_doubles_as_long_as_nothing_is_taken() -> None:
    pace, now, spans = Pace(), 0, []
    for _ in range(12):
        spans.append(pace.trouble(Trouble("dead", "", 0.0, "away"), now))
        assert pace.trouble(Trouble("dead", "", 0.0, "away"), now) == 0.0, "once for all that was under way"
        now = pace.until
    assert spans[:3] == [SHORTEST, 2 * SHORTEST, 4 * SHORTEST] and spans[-1] == LONGEST


def test_a_server_that_is_too_slow_teaches_a_pace_that_is_kept_and_forgotten_again() -> None:
    schedule = Schedule("default", 500)
    for second in range(10):
        schedule.whole.good(1_000_000 + second * 1000, 100)
    schedule.whole.trouble(Trouble("slow", "", 60.0, "421 4.7.0 too fast"), 1_010_000)
    rate = schedule.whole.rate
    assert 30 < rate < 70, "half of what it took"
    other = Schedule("default", 500)
    other.told([Destination("default", "", 0, "", rate)])
    assert other.whole.rate == rate and other.hungry(0), "it is a limit for every worker"
    now = 2_000_000
    while other.whole.rate:
        now += 61_000
        other.whole.good(now)
    assert now < 10_000_000


def test_budgets_are_fair_and_bounded() -> None:
    schedule = Schedule("default", 500)
    domains = [f"d{number:03}.example" for number in range(200)]
    budgets = schedule.budgets(NORMAL, domains, 100, 0)
    assert sum(budgets.values()) == 100 and set(budgets.values()) == {10}
    again = schedule.budgets(NORMAL, [d for d in domains if d > schedule.cursor(NORMAL)], 100, 0)
    assert not set(again) & set(budgets), "the next walk begins where this one ended"
    assert schedule.budgets(NORMAL, ["one.example"], 1000, 0) == {"one.example": 32}
    schedule.quiet(NORMAL, "one.example", 5_000)
    assert schedule.budgets(NORMAL, ["one.example"], 10, 0) == {}
    assert schedule.wake(0) == 5_000
    schedule.stirred()
    assert schedule.budgets(NORMAL, ["one.example"], 10, 0) == {"one.example": 10}


def test_urgent_rows_have_a_reserve() -> None:
    schedule = Schedule("default", 80)
    schedule.in_hand = 70
    assert schedule.share(URGENT, 10) == 10 and schedule.share(NORMAL, 10) == schedule.share(BULK, 10) == 0


def test_an_account_has_its_own_room() -> None:
    schedule = Schedule("default", 500)
    schedule.weight = 4096.0
    assert schedule.free(0) == 500 and schedule.whole.room == MOST
    schedule.whole.trouble(Trouble("pause", "", 3600.0, "bad password"), 0)
    assert schedule.free(1000) == 0 and schedule.wake(1000) == 3_600_000
    assert schedule.free(3_600_001) == 1


@pytest.mark.parametrize(
    ("code", "text", "phase", "whom"),
    [
        (550, "5.4.5 Daily user sending limit exceeded.", "rcpt", blaming.QUOTA),
        (550, "5.1.1 User unknown", "rcpt", blaming.RECIPIENT),
        (451, "4.7.1 Greylisted, please try again", "rcpt", blaming.RECIPIENT),
        (450, "4.2.1 busy", "rcpt", blaming.RECIPIENT),
        (450, "4.7.25 Client host rejected: cannot find your hostname", "rcpt", blaming.DESTINATION),
        (421, "4.7.0 Try again later", "rcpt", blaming.QUOTA),
        (421, "come back", "mail", blaming.QUOTA),
        (451, "4.3.2 closing", "final reply", blaming.QUOTA),
        (452, "4.3.1 disk full", "final reply", blaming.MESSAGE),
        (552, "5.3.4 too big", "mail", blaming.MESSAGE),
        (553, "5.7.1 not owned by user", "mail", blaming.SENDER),
        (535, "5.7.8 bad credentials", "auth", blaming.ACCOUNT),
        (554, "5.7.1 no access", "greeting", blaming.ACCOUNT),
    ],
)
def test_whom_a_refusal_is_about(code: int, text: str, phase: str, whom: str) -> None:
    assert blame(Reply(code, (text,)), phase).whom == whom


def test_a_limit_names_its_rows() -> None:
    limit = Limit("default", "example.net", (Rate(1), Rate(5, 60.0)))
    assert limit.names == ("default|example.net|1", "default|example.net|60")
