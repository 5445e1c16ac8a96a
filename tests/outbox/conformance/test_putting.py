"""What goes in: transactions, keys, contents, suppression."""

from __future__ import annotations

import threading
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from mailwright import Message
from mailwright.errors import KeyReused, OutboxUnavailable
from mailwright.outbox.putting import Put
from mailwright.outbox.rows import BULK, URGENT
from mailwright.outbox.store import HEAD
from tests.outbox.conformance.trays import BlockingTray, Tray, letter


def count(tray: Tray) -> int:
    """Messages in the outbox."""
    return int(tray.query("SELECT count(*) FROM mw_message")[0][0])


def test_what_was_put_is_there(tray: Tray) -> None:
    id = tray.put(letter(["bob@example.net", "eve@example.com"]))
    status = tray.status(id)
    assert [(one.n, one.address, one.destination, one.state.name) for one in status.deliveries] == [
        (0, "bob@example.net", "example.net", "queued"), (1, "eve@example.com", "example.com", "queued"),
    ]  # fmt: skip
    assert status.sender == "ada@example.org" and not status.done


def test_it_outlives_whoever_put_it(tray: Tray) -> None:
    id = tray.put()
    assert tray.another().states(id) == ["queued"]


def test_lanes_accounts_and_streams_are_kept(tray: Tray) -> None:
    id = tray.put(lane="urgent", account="relay", stream="receipts", in_doubt="hold")
    (one,) = tray.status(id).deliveries
    assert (one.lane, one.account, one.in_doubt, tray.status(id).stream) == ("urgent", "relay", "hold", "receipts")
    assert not tray.claim() and not tray.claim(lane=URGENT)
    assert len(tray.claim(lane=URGENT, account="relay")) == 1


def test_a_moment_to_come_is_waited_for(tray: Tray) -> None:
    tray.put(at=timedelta(hours=1))
    assert not tray.claim() and tray.destinations() == ["example.net"]


def test_the_octets_come_out_as_they_went_in(tray: Tray) -> None:
    id = tray.put(letter(text="Grüße\0 ".replace("\0", "\U0001f600") * 50))
    (row,) = tray.claim()
    assert row.id.hex() == id.replace("-", "")
    assert row.size == len(row.head) and sha256(row.head).digest() == row.digest
    assert row.message_id in row.head.decode()


def test_a_long_content_stands_in_pieces(tray: Tray, tmp_path: Path) -> None:
    file = tmp_path / "film.bin"
    file.write_bytes(bytes(range(256)) * 4096 * 3)
    tray.put(letter().attach(file) if hasattr(Message, "attach") else letter(attachments=[file]))
    (row,) = tray.claim()
    assert len(row.head) == HEAD < row.size
    made, seen, place = sha256(row.head), len(row.head), 0
    while piece := tray.read(lambda place=place: tray.outbox.store.chunk(row.id, place)):
        assert len(piece) <= HEAD
        made.update(piece)
        seen, place = seen + len(piece), place + 1
    assert (seen, made.digest()) == (row.size, row.digest)


def test_too_long_a_message_is_refused_with_the_reason(tray: Tray) -> None:
    small = tray.another(max_size=1000)
    with pytest.raises(ValueError, match="octets"):
        small.put(letter(text="x" * 2000))
    assert count(tray) == 0


# Transactions of the application


def test_both_are_committed_or_neither(tray: Tray) -> None:
    application = tray.application()
    application.run("CREATE TABLE orders (id int)")
    application.commit()
    application.run("INSERT INTO orders VALUES (1)")
    id = tray.put(connection=application)
    application.rollback()
    assert count(tray) == 0 and application.run("SELECT count(*) FROM orders") == [(0,)]
    application.rollback()
    application.run("INSERT INTO orders VALUES (2)")
    id = tray.put(connection=application)
    assert count(tray) == 0 if tray.engine == "postgres" else True
    application.commit()
    assert tray.states(id) == ["queued"] and application.run("SELECT id FROM orders") == [(2,)]


def test_a_put_begins_the_transaction_as_any_write_does(tray: Tray) -> None:
    application = tray.application()
    tray.put(connection=application)
    application.rollback()
    assert count(tray) == 0
    id = tray.put(connection=application)
    application.commit()
    assert tray.states(id) == ["queued"]


def test_in_autocommit_a_put_is_a_transaction_by_itself(tray: Tray) -> None:
    options: dict[str, Any] = {"isolation_level": None} if tray.engine == "sqlite" else {"autocommit": True}
    application = tray.application(**options)
    id = tray.put(connection=application)
    assert tray.states(id) == ["queued"]
    application.run("BEGIN")
    tray.put(connection=application)
    application.run("ROLLBACK")
    assert count(tray) == 1


def test_a_put_that_fails_leaves_the_transaction_as_it_was(tray: Tray) -> None:
    tray.put(letter(text="one"), key="k")
    application = tray.application()
    application.run("CREATE TABLE orders (id int)")
    application.run("INSERT INTO orders VALUES (1)")
    with pytest.raises(KeyReused):
        tray.put(letter(text="two"), key="k", connection=application)
    id = tray.put(letter(text="three"), connection=application)
    application.commit()
    assert application.run("SELECT id FROM orders") == [(1,)] and tray.states(id) == ["queued"] and count(tray) == 2


def test_many_are_put_in_the_applications_transaction(tray: Tray) -> None:
    application = tray.application()
    ids = tray.put_many([letter(text=str(n)) for n in range(5)], connection=application)
    application.rollback()
    assert len(set(ids)) == 5 and count(tray) == 0


def test_a_connection_to_another_database_is_refused(
    tray: Tray, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if tray.engine == "sqlite":
        other = tray.another(f"sqlite:///{tmp_path}/other.db")
    else:
        server = request.getfixturevalue("postgres")
        url = server.database()
        request.addfinalizer(lambda: server.drop(url))
        other = tray.another(url)
    foreign = other.application()
    with pytest.raises(OutboxUnavailable, match="another database"):
        tray.put(connection=foreign)
    foreign.run("DROP TABLE mw_meta")  # one without an outbox
    foreign.commit()
    with pytest.raises(OutboxUnavailable, match="another database"):
        tray.put(connection=foreign)
    assert count(tray) == 0


def test_what_is_no_connection_is_refused(tray: Tray) -> None:
    with pytest.raises(OutboxUnavailable, match="no connection"):
        tray.do(tray.outbox.put(letter(), connection=object()))


def test_a_connection_that_may_lose_a_commit_is_refused(tray: Tray) -> None:
    application = tray.application()
    if tray.engine == "sqlite":
        application.run("PRAGMA synchronous = NORMAL")
    else:
        application.run("SET synchronous_commit = off")
        application.commit()
    with pytest.raises(OutboxUnavailable, match="synchronous"):
        tray.put(connection=application)
    assert count(tray) == 0
    careless = tray.another(durable=False)
    id = careless.put(connection=application)
    application.commit()
    assert tray.states(id) == ["queued"]


# Keys


def test_the_same_key_and_content_give_the_same_id(tray: Tray) -> None:
    id = tray.put(key="order-42")
    assert tray.put(key="order-42") == id and count(tray) == 1
    assert tray.put(key="order-43") != id and tray.put(key="order-42", stream="other") != id


def test_the_same_key_and_other_content_are_an_error(tray: Tray) -> None:
    id = tray.put(letter(text="one"), key="order-42")
    for other in (letter(text="two"), letter("eve@example.net", text="one"), letter(text="one", subject="Other")):
        with pytest.raises(KeyReused) as problem:
            tray.put(other, key="order-42")
        assert (problem.value.id, problem.value.key) == (id, "order-42")
    assert count(tray) == 1


def test_a_key_that_was_rolled_back_is_free(tray: Tray) -> None:
    application = tray.application()
    tray.put(letter(text="one"), key="order-42", connection=application)
    application.rollback()
    id = tray.put(letter(text="two"), key="order-42")
    assert tray.states(id) == ["queued"]


def test_keys_within_one_batch(tray: Tray) -> None:
    first, again, other = tray.put_many(
        [Put(letter(), key="a"), Put(letter(), key="a"), Put(letter(text="else"), key="b")]
    )
    assert first == again != other and count(tray) == 2
    with pytest.raises(KeyReused):
        tray.put_many([Put(letter(text="new"), key="c"), Put(letter(text="wrong"), key="a")])
    assert count(tray) == 3


def test_a_batch_put_again_adds_what_is_missing(tray: Tray) -> None:
    def batch(size: int) -> list[Put]:
        return [Put(letter(text=str(n)), key=f"news-{n}") for n in range(size)]

    ids = tray.put_many(batch(7))
    assert tray.put_many(batch(10))[:7] == ids and count(tray) == 10


def test_fifty_at_once_give_one_row(where: str) -> None:
    tray = BlockingTray(where)
    trays = [tray, *(tray.another() for _ in range(4))]  # five programs, with ten threads each
    ids: list[str] = []
    ready = threading.Barrier(50)

    def put(mine: Tray) -> None:
        ready.wait()
        ids.append(mine.put(key="order-42"))

    threads = [threading.Thread(target=put, args=(trays[n % 5],)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 50 and len(set(ids)) == 1
    assert tray.query("SELECT count(*) FROM mw_delivery") == [(1,)]
    tray.close()


def test_two_who_put_the_same_keys_in_another_order(where: str) -> None:
    tray = BlockingTray(where)
    trays = [tray, tray.another()]
    batches = [[Put(letter(text=str(n)), key=f"k{n}") for n in order] for order in (range(200), range(199, -1, -1))]
    found: list[list[str]] = [[], []]

    def put(place: int) -> None:
        for _ in range(3):
            found[place] = trays[place].put_many(batches[place])

    threads = [threading.Thread(target=put, args=(place,)) for place in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1][::-1] and len(set(found[0])) == 200
    tray.close()


# Suppression


def test_who_is_suppressed_gets_nothing(tray: Tray) -> None:
    tray.suppress(["Bob@example.net", "@example.com"], "bounced before")
    id = tray.put(letter(["bob@example.net", "eve@example.com", "kay@example.net"]))
    first, second, third = tray.status(id).deliveries
    assert [first.state.name, second.state.name, third.state.name] == ["suppressed", "suppressed", "queued"]
    assert first.text == "bounced before" and first.ended is not None
    assert [row.address for row in tray.claim({"example.net": 9, "example.com": 9})] == ["kay@example.net"]


def test_an_entry_that_is_over_does_not_count(tray: Tray) -> None:
    tray.suppress("bob@example.net", "full", until=1)
    assert tray.states(tray.put()) == ["queued"]


# What is held, and what is in which lane


def test_held_until_it_is_released(tray: Tray) -> None:
    id = tray.put(held=True)
    assert tray.states(id) == ["held"] and not tray.claim()
    assert tray.release(id) == 1 and tray.states(id) == ["queued"] and len(tray.claim()) == 1


def test_lanes_are_apart(tray: Tray) -> None:
    tray.put(lane="bulk")
    assert tray.destinations() == [] and tray.destinations(BULK) == ["example.net"]
    assert not tray.claim() and len(tray.claim(lane=BULK)) == 1


@pytest.mark.parametrize("size", [1, 999, 1000, 1001, 2500])
def test_batches_of_every_size(tray: Tray, size: int) -> None:
    ids = tray.put_many(letter(text=str(n)) for n in range(size))
    assert len(set(ids)) == size == count(tray) and ids == sorted(ids)
