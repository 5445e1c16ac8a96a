"""A secret is shown by nobody who did not ask for it by name."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.words.secret import Secret

CANARY = "canary-7f3a9"


def test_reveal_is_the_way_to_the_text() -> None:
    assert Secret(CANARY).reveal() == CANARY
    assert Secret(Secret(CANARY)).reveal() == CANARY


@given(st.text())
def test_any_way_to_text_shows_stars(text: str) -> None:
    secret = Secret(text)
    shown = [str(secret), repr(secret), f"{secret}", f"{secret!r}", f"{secret!s}", f"{secret:>40}"]
    shown += [format(secret), "{:s}".format(secret), "%s" % secret, "%r" % secret]  # noqa: UP031, UP032
    assert set(shown) == {"***"}


def test_containers_logs_and_tracebacks_do_not_show_it(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret(CANARY)
    logging.getLogger(__name__).warning("login with %s, %r and %s", secret, secret, {"password": [secret]})
    assert caplog.messages == ["login with ***, *** and {'password': [***]}"]
    try:
        raise ValueError(secret)
    except ValueError as problem:
        lines = traceback.TracebackException.from_exception(problem, capture_locals=True).format()
        assert CANARY not in repr(problem) + str(problem) + "".join(line for line in lines if "CANARY =" not in line)


def test_it_is_not_stored() -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="a Secret is not pickled") as caught:
            pickle.dumps(Secret(CANARY), protocol)
        assert CANARY not in str(caught.value)
    with pytest.raises(TypeError):
        json.dumps({"password": Secret(CANARY)})
    with pytest.raises(TypeError):
        vars(Secret(CANARY))


def test_a_copy_is_the_same() -> None:
    secret = Secret(CANARY)
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


def test_compares_by_text_with_secrets_only() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), "a"}) == 2
    assert hash(Secret("a")) != hash("a")


def test_an_empty_one_is_false() -> None:
    assert Secret("a")
    assert not Secret("")
