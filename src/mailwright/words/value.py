"""``@value``: frozen classes with slots, made in microseconds.

The standard ``dataclasses`` module costs 12 ms to import and 0.6 ms for every class it makes
(CPython 3.11), which is more than a whole short program that sends one message should spend on
start-up. This decorator gives the part we use: positional and keyword construction, defaults,
equality, hashing, a ``repr``, pattern matching, pickling and ``replace``. Type checkers are told that it
is a frozen dataclass.
"""

from __future__ import annotations

from _operator import attrgetter  # built into the interpreter, which the module `operator` around it is not

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar, dataclass_transform

    T = TypeVar("T")

    @dataclass_transform(frozen_default=True)
    def value(cls: type[T]) -> type[T]:
        """Make `cls` a frozen value with slots."""
        ...

else:

    def value(cls):
        """Make `cls` a frozen value with slots: its annotated names become its fields, in order.

        A default must be immutable: it is shared by all instances. ``__post_init__`` may check the
        fields and, through ``object.__setattr__``, normalise them.
        """
        # inspect.get_annotations is the official way, and costs 12 ms of start-up.
        named = cls.__dict__.get("__annotations__", ())  # noqa: RUF063
        own = tuple(name for name in named if not name.startswith("__"))
        inherited = getattr(cls, "__match_args__", ())
        fields = inherited + tuple(name for name in own if name not in inherited)
        defaults = {**getattr(cls, "_defaults", {}), **{n: cls.__dict__[n] for n in own if n in cls.__dict__}}
        body = {**_METHODS, **cls.__dict__, "__slots__": own, "__match_args__": fields, "_defaults": defaults}
        for name in ("__dict__", "__weakref__", *own):
            body.pop(name, None)
        body["_getter"] = attrgetter(*fields) if len(fields) > 1 else None  # of one name it gives no tuple
        made = type(cls)(cls.__name__, cls.__bases__, body)
        made.__qualname__ = cls.__qualname__
        if fields or "__init__" not in body:
            made.__init__ = _Init(made, fields, defaults)
        return made


class _Init:
    """The ``__init__`` of a class of which there are few instances so far. A quicker one, that is made of source, takes
    its place when somebody looks at it, and after the first `FEW` instances: to make it takes 0.07 ms, and a short
    program has few of most of its values.
    """

    __slots__ = ("_cls", "_defaults", "_fields", "_left")

    def __init__(self, cls: type, fields: tuple[str, ...], defaults: dict[str, object]) -> None:
        self._cls, self._fields, self._defaults = cls, fields, defaults
        self._left = FEW

    def __get__(self, instance: object, owner: type | None = None) -> Callable[..., None]:
        if instance is None or self._left <= 0:
            return self._quick(instance)
        self._left -= 1

        def init(*given: object, **named: object) -> None:
            fields, twice = self._fields, not named.keys().isdisjoint(self._fields[: len(given)])
            found = {**self._defaults, **dict(zip(fields, given, strict=False)), **named}
            if twice or len(given) > len(fields) or found.keys() != {*fields}:
                return self._quick(instance)(*given, **named)  # which says what is wrong, as Python does
            for name in fields:
                object.__setattr__(instance, name, found[name])
            if hasattr(instance, "__post_init__"):
                instance.__post_init__()

        return init

    def _quick(self, instance: object) -> Callable[..., None]:
        init: Callable[..., None]
        init = self._cls.__init__ = _make_init(self._cls, self._fields, self._defaults)  # type: ignore[misc]
        return init if instance is None else init.__get__(instance)


def fields_of(instance: object) -> tuple[str, ...]:
    """The names of a value's fields, in the order in which they were declared."""
    names: tuple[str, ...] = type(instance).__match_args__  # type: ignore[attr-defined]
    return names


if TYPE_CHECKING:

    def replace(instance: T, /, **changes: Any) -> T:
        """A copy of the value with some fields changed; unknown names raise `TypeError`."""
        ...

else:

    def replace(instance, /, **changes):
        """A copy of the value with some fields changed; unknown names raise `TypeError`."""
        kept = {name: getattr(instance, name) for name in fields_of(instance)}
        return type(instance)(**(kept | changes))


FEW = 20  # instances: to fill them takes as long as to make the quicker way
MANY = 8  # fields from which on it pays to fill a value while it is still open


def _make_init(made: type, fields: tuple[str, ...], defaults: dict[str, object]) -> Callable[..., None]:
    # The slots' own descriptors set a field twice as fast as object.__setattr__ does, and stay out of
    # reach of the frozen __setattr__ below.
    scope: dict[str, Any] = {f"_set_{name}": getattr(made, name).__set__ for name in fields}
    scope |= {f"_default_{name}": default for name, default in defaults.items()}
    given = [f"{name}=_default_{name}" if name in defaults else name for name in fields]
    lines = [f" _set_{name}(self, {name})" for name in fields]
    if len(fields) >= MANY:
        # Faster still: in a class of the same form, but not frozen, the interpreter itself knows where a field goes.
        scope |= {"_turn": object.__dict__["__class__"].__set__, "_Made": made, "_Open": _opened(made)}
        quick = ["_turn(self, _Open)", *[f"self.{name} = {name}" for name in fields], "_turn(self, _Made)"]
        lines = [" if self.__class__ is _Made:", *["  " + q for q in quick], " else:", *[" " + line for line in lines]]
    if hasattr(made, "__post_init__"):
        lines.append(" self.__post_init__()")
    source = f"def __init__(self{''.join(', ' + g for g in given)}):\n" + "\n".join(lines or [" pass"])
    exec(source, scope)
    init: Callable[..., None] = scope["__init__"]
    init.__qualname__ = f"{made.__qualname__}.__init__"
    return init


def _opened(made: type) -> type:
    """A class whose instances lie in memory as those of `made` do, and can be changed."""
    body = {"__slots__": made.__dict__["__slots__"], "__setattr__": object.__setattr__}
    return type(made)(made.__name__, made.__bases__, body)


def _as_tuple(self: object) -> tuple[object, ...]:
    getter: Callable[[object], tuple[object, ...]] | None = type(self)._getter  # type: ignore[attr-defined]
    return getter(self) if getter is not None else tuple([getattr(self, name) for name in fields_of(self)])


def _eq(self: object, other: object) -> bool:
    return _as_tuple(self) == _as_tuple(other) if type(self) is type(other) else NotImplemented


def _hash(self: object) -> int:
    return hash((type(self), _as_tuple(self)))


def _repr(self: object) -> str:
    inside = ", ".join(f"{name}={getattr(self, name)!r}" for name in fields_of(self))
    return f"{type(self).__name__}({inside})"


def _frozen(self: object, name: str, _value: object = None) -> None:
    raise AttributeError(f"{type(self).__name__} is frozen: {name!r} can't be changed; make a new value instead")


def _reduce(self: object) -> tuple[object, ...]:
    return (_rebuild, (type(self), _as_tuple(self)))


def _rebuild(cls: type, stored: tuple[object, ...]) -> object:
    # The fields were checked when the value was made; checking again could refuse what a newer version
    # forbids.
    made: object = object.__new__(cls)
    for name, stored_value in zip(fields_of(made), stored, strict=True):
        object.__setattr__(made, name, stored_value)
    return made


_METHODS = {
    "__eq__": _eq,
    "__hash__": _hash,
    "__repr__": _repr,
    "__setattr__": _frozen,
    "__delattr__": _frozen,
    "__reduce__": _reduce,
    "__replace__": replace,
}
