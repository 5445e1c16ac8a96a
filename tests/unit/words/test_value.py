"""`@value` makes what `dataclass(frozen=True, slots=True)` makes, and says so when it is misused."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.words.value import FEW, fields_of, replace, value


@value
class Point:
    """Two numbers and a word."""

    x: int
    y: int = 2
    label: str = ""

    @property
    def total(self) -> int:
        return self.x + self.y


@dataclass(frozen=True, slots=True)
class StandardPoint:
    x: int
    y: int = 2
    label: str = ""


@value
class Deep(Point):
    z: int = 3
    label: str = "deep"


@value
class Upper:
    word: str

    def __post_init__(self) -> None:
        if not self.word:
            raise ValueError("no word")
        object.__setattr__(self, "word", self.word.upper())


@value
class Nothing:
    pass


CALLS = [((1,), {}), ((1, 5), {}), ((1, 5, "a"), {}), ((), {"x": 1}), ((1,), {"label": "a"}), ((), {"y": 0, "x": 0})]
WRONG_CALLS = [((), {}), ((1, 2, "a", 4), {}), ((1,), {"x": 1}), ((1,), {"z": 1}), ((), {"y": 1})]


@pytest.mark.parametrize(("positional", "named"), CALLS)
def test_is_built_and_shown_like_a_dataclass(positional: tuple, named: dict) -> None:
    ours, standard = Point(*positional, **named), StandardPoint(*positional, **named)
    assert [(name, getattr(ours, name)) for name in fields_of(ours)] == [
        (name, getattr(standard, name)) for name in StandardPoint.__slots__
    ]
    assert repr(ours) == repr(standard).removeprefix("Standard")


@pytest.mark.parametrize(("positional", "named"), WRONG_CALLS)
def test_refuses_the_calls_that_a_dataclass_refuses(positional: tuple, named: dict) -> None:
    for cls in (Point, StandardPoint):
        with pytest.raises(TypeError):
            cls(*positional, **named)


@pytest.mark.parametrize("before", [0, FEW - 1, FEW, FEW + 1])
def test_the_first_instances_are_made_like_all_others(before: int) -> None:
    for positional, named in CALLS:
        cls = new_point(before)
        ours, standard = cls(*positional, **named), StandardPoint(*positional, **named)
        assert (ours.x, ours.y, ours.label) == (standard.x, standard.y, standard.label)
        assert cls(*positional, **named) == ours
    for positional, named in WRONG_CALLS:
        with pytest.raises(TypeError, match=r"Point\.__init__\(\)"):
            new_point(before)(*positional, **named)


def new_point(made: int) -> Any:
    """A class like `Point`, of which there are so many instances."""

    @value
    class Point:
        x: int
        y: int = 2
        label: str = ""

    for number in range(made):
        Point(number)
    return Point


def test_the_first_instances_are_checked_too() -> None:
    @value
    class Short:
        word: str

        def __post_init__(self) -> None:
            if len(self.word) > 3:
                raise ValueError("too long")

    class Shorter(Short):
        __slots__ = ()

    for _ in range(2 * FEW):
        assert Shorter("abc") == Shorter(word="abc")
        with pytest.raises(ValueError, match="too long"):
            Short("abcd")


numbers = st.integers(0, 1)


@given(numbers, numbers, numbers, numbers)
def test_compares_and_hashes_by_type_and_fields(a: int, b: int, c: int, d: int) -> None:
    one, two = Point(a, b), Point(c, d)
    assert (one == two) == ((a, b) == (c, d)) == (StandardPoint(a, b) == StandardPoint(c, d))
    assert (one != two) == (not one == two)
    if one == two:
        assert hash(one) == hash(two)
    assert one != StandardPoint(a, b)
    assert one != (a, b, "")


def test_values_of_different_classes_are_different() -> None:
    assert Point(1, 2, "deep") != Deep(1, 2, "deep")
    assert len({Point(1), Point(1), Point(2), Upper("1")}) == 3


def test_a_value_with_a_mutable_field_is_not_hashable() -> None:
    with pytest.raises(TypeError):
        hash(Point([]))  # type: ignore[arg-type]


def test_is_frozen() -> None:
    point, standard = Point(1), StandardPoint(1)
    with pytest.raises(FrozenInstanceError):
        standard.x = 2  # type: ignore[misc]
    for change in ("x", "other"):
        with pytest.raises(AttributeError, match=f"Point is frozen: '{change}' can't be changed"):
            setattr(point, change, 2)
    with pytest.raises(AttributeError, match="frozen"):
        del point.x
    assert point == Point(1)
    assert not hasattr(point, "__dict__")


def test_checks_and_normalises_in_post_init() -> None:
    assert Upper("a").word == "A"
    assert Upper(word="b") == Upper("B")
    with pytest.raises(ValueError, match="no word"):
        Upper("")


def test_inherits_fields_in_order() -> None:
    assert fields_of(Deep(1)) == ("x", "y", "label", "z")
    deep = Deep(1, z=9)
    assert (deep.y, deep.label, deep.z, deep.total) == (2, "deep", 9, 3)
    assert isinstance(deep, Point)


def test_matches_by_position() -> None:
    match Point(1, 5):
        case Point(x, 5, ""):
            assert x == 1
        case _:
            pytest.fail("it did not match")


def test_replace_makes_a_checked_copy() -> None:
    point = Point(1, 5)
    assert replace(point, y=6) == Point(1, 6)
    assert point == Point(1, 5)
    assert replace(Upper("a"), word="b").word == "B"
    with pytest.raises(ValueError, match="no word"):
        replace(Upper("a"), word="")
    with pytest.raises(TypeError):
        replace(point, z=1)


def test_the_standard_replace_of_python_3_13_works() -> None:
    assert Point(1, 5).__replace__(y=6) == Point(1, 6)  # type: ignore[attr-defined]


@pytest.mark.parametrize("one", [Point(1), Deep(1, label="x"), Upper("a"), Nothing()])
def test_is_pickled_and_copied(one: object) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(one, protocol)) == one
    assert copy.copy(one) == copy.deepcopy(one) == one


def test_a_stored_value_is_not_checked_again() -> None:
    stored = pickle.dumps(Upper("a"))
    assert b"UPPER" not in stored
    older = stored.replace(b"A", b"a")  # as an older version, which did not normalise, would have stored it
    assert pickle.loads(older).word == "a"


def test_a_class_keeps_its_own_methods_and_name() -> None:
    @value
    class Own:
        """Documented."""

        x: int

        def __repr__(self) -> str:
            return "mine"

        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = object.__hash__

    assert repr(Own(1)) == "mine"
    assert Own(1) == Own(2)
    assert Own.__doc__ == "Documented."
    assert Own.__qualname__.endswith("<locals>.Own")
    assert Own.__module__ == __name__


def test_a_value_without_fields() -> None:
    assert Nothing() == Nothing()
    assert repr(Nothing()) == "Nothing()"
    with pytest.raises(TypeError):
        Nothing(1)  # type: ignore[call-arg]
