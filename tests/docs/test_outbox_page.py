"""The tables and the diagram of the outbox's page are those of the code."""

from __future__ import annotations

from mailwright.outbox.states import FINAL, MOVES, STATES
from tools.outbox_states import PAGE, PARTS, diagram, moves_table, states_table, written


def test_the_page_is_as_the_code_makes_it() -> None:
    page = PAGE.read_text("utf-8")
    assert written(page) == page, "run: python tools/outbox_states.py"


def test_every_part_stands_on_the_page() -> None:
    page = PAGE.read_text("utf-8")
    assert [name for name in PARTS if f"<!-- made: {name} -->" not in page] == []


def test_nothing_is_left_out() -> None:
    assert all(f"| `{state.name}` |" in states_table() for state in STATES)
    assert all(f"| {move.event} | `{move.target}` |" in moves_table() for move in MOVES)
    for move in MOVES:
        assert f"{move.origin or '[*]'} --> {move.target}" in diagram()
    assert all(f"{state} --> [*]" in diagram() for state in FINAL)


def test_what_is_open_has_a_way_on_and_what_is_final_is_reached() -> None:
    assert {move.target for move in MOVES} == set(STATES)
    assert {state for state in STATES if not state.final} <= {move.origin for move in MOVES}


def test_the_reference_knows_every_action_and_option() -> None:
    import argparse

    from mailwright.cli import outbox, send

    page = (PAGE.parents[1] / "reference" / "outbox.md").read_text("utf-8")
    parser, shared = argparse.ArgumentParser(), argparse.ArgumentParser()
    outbox.add_arguments(parser)
    send.add_message_arguments(shared)
    (actions,) = (one.choices for one in parser._actions if isinstance(one.choices, dict))
    assert set(actions) == set(outbox.ACTIONS)
    for name, action in actions.items():
        assert f"`{name}" in page, name
        known = {option for one in shared._actions for option in one.option_strings} | {"--outbox", "--help", "-h"}
        for one in action._actions:
            for option in set(one.option_strings) - known:
                assert option in page, f"{name} {option}"


def test_the_reference_knows_every_call() -> None:
    from mailwright.outbox import AsyncOutbox, Outbox

    page = (PAGE.parents[1] / "reference" / "outbox.md").read_text("utf-8")
    for name in vars(Outbox):
        if not name.startswith("_") and name not in ("close", "store", "database", "max_size"):
            assert f"`{name}" in page, name
            assert hasattr(AsyncOutbox, name), name
