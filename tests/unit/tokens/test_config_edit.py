"""Putting an account into a config.toml that somebody wrote by hand."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.mailer.config_edit import with_account
from mailwright.words.errors import ConfigError

NEW = {"host": "smtp.example.org", "port": 465, "password": {"keyring": True}}


def read(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


def test_into_nothing() -> None:
    assert with_account("", "ada@example.org", NEW) == (
        '[accounts."ada@example.org"]\nhost = "smtp.example.org"\nport = 465\npassword = {keyring = true}\n'
    )


def test_beside_others_with_their_comments() -> None:
    before = 'default = "b" # chosen\n\n# about a\n[accounts.a] # here\nhost = "h" # there\n\n[accounts.b]\nhost = "i"'
    after = with_account(before, "c", NEW)
    assert after.startswith(before + "\n\n[accounts.") and read(after)["default"] == "b"


def test_the_only_account_stays_the_default() -> None:
    after = with_account('# top\n[accounts.a]\nhost = "h"\n', "b", NEW)
    assert read(after)["default"] == "a" and "# top\n" in after
    assert "default" not in read(with_account('[accounts.a]\nhost = "h"\n', "a", NEW))


def test_made_the_default() -> None:
    assert read(with_account('default = "a"\n[accounts.a]\nhost = "h"\n', "b", NEW, default=True))["default"] == "b"
    assert read(with_account("", "b", NEW, default=True))["default"] == "b"


def test_what_an_account_says_besides_stays() -> None:
    before = (
        '[accounts.a]\nurl = "smtps://u@h"\npassword = "kanarie"\ntimeouts = {connect = 3, total = 1.5}\n'
        'ca_file = "a \\"b\\" \\\\ c\\u00e4\\u0007"\n[accounts.b]\nhost = "i"\n'
    )
    after = read(with_account(before, "a", NEW))["accounts"]
    assert after["a"] == {**NEW, "timeouts": {"connect": 3, "total": 1.5}, "ca_file": 'a "b" \\ cä\x07'}
    assert after["b"] == {"host": "i"}


def test_tables_of_an_account_are_its_own() -> None:
    before = '[accounts.a]\nhost = "h"\n[accounts.a.timeouts]\nconnect = 3\n[accounts.a2]\nhost = "j"\n'
    assert read(with_account(before, "a", NEW))["accounts"] == {
        "a": {**NEW, "timeouts": {"connect": 3}},
        "a2": {"host": "j"},
    }


@pytest.mark.parametrize(
    "text",
    [
        'accounts.a.host = "kanarie"\n',
        'accounts = {a = {host = "kanarie"}}\n',
        '[accounts]\na = {host = "kanarie"}\n',
        '[accounts.a]\nhost = """\n[accounts.b]\nkanarie"""\n',
        "[accounts.a]\nx = 1979-05-27\n",
        "x = kanarie",
        "x = " + "[" * 3000,
        "[accounts.a]\nhost = \"h\"\n[[accounts.b]]\nhost = 'kanarie'\n",
    ],
)
def test_what_is_too_artful_is_left_alone(text: str) -> None:
    try:
        after = with_account(text, "a", NEW)
    except ConfigError as error:
        assert 'by hand: [accounts.a]; host = "smtp.example.org"' in str(error) and "kanarie" not in str(error)
    else:
        assert read(after)["accounts"]["a"] == NEW


values = st.text(max_size=8) | st.integers(-9, 9) | st.booleans()
tables = st.dictionaries(st.text(max_size=5), values, max_size=3)


@given(st.dictionaries(st.text(max_size=6), tables, max_size=3), st.text(max_size=6), tables)
def test_whatever_stands_there_the_outcome_is_what_was_meant(
    accounts: dict[str, Any], name: str, table: dict[str, Any]
) -> None:
    text = ""
    try:
        for one, entries in accounts.items():
            text = with_account(text, one, entries)
        after = with_account(text, name, table)
    except ConfigError:
        surrogates = any("\ud800" <= c <= "\udfff" for c in repr((accounts, name, table)))
        assert surrogates
        return
    found = read(after)["accounts"]
    assert set(found) == {*accounts, name} and found[name].items() >= table.items()
    for one in set(accounts) - {name}:
        assert found[one] == accounts[one]
