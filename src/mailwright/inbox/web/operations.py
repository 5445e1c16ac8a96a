"""What the API can do, as values: one table of them makes the routes, checks what is asked, and is the description."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mailwright.inbox.web.answers import Refusal, known_fields
from mailwright.words.value import value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mailwright.inbox.kept import Row
    from mailwright.inbox.web.live import Live
    from mailwright.inbox.web.resources import Resources
    from mailwright.smtp.receiving import Received

TEXT_LIMIT = 1000  # characters of a text that is given
LIST_LIMIT = 1000  # elements of a list that is given
_HIGHEST = 1 << 62


@value
class Field:
    """Something that a request may give: its `name`, its `kind` (of `facts.TYPES`) and its `meaning`.

    `default`: what counts where it is left out; `required` where it can't be. `lowest` and `highest` bound a number.
    """

    name: str
    kind: str
    meaning: str
    default: Any = None
    required: bool = False
    lowest: float = 0
    highest: float = _HIGHEST


@value
class Operation:
    """One thing that can be asked for: by which `method` and `path`, its `name` and what it does.

    `call`: what is done, with an `Asking`; it gives something that JSON can hold, an answer of its own, or `None`. A
    coroutine function runs on the loop, any other in a thread. `query` and `body`: what may be given. `gives`: what
    comes back, one of `facts.SHAPES`, ``[Shape]``, or a media type. `refuses`: which statuses it may have besides
    those that all have, and why.
    """

    method: str
    path: str
    name: str
    does: str
    call: Callable[[Asking], Any]
    gives: str = ""
    query: tuple[Field, ...] = ()
    body: tuple[Field, ...] = ()
    refuses: tuple[tuple[int, str], ...] = ()


@value
class Asking:
    """One request, understood: what is there to work with, what stands in the path, and what was `given`."""

    resources: Resources
    live: Live
    path: Mapping[str, str]
    given: Mapping[str, Any]

    @property
    def id(self) -> int:
        """The message that the path names. Raises `Refusal`."""
        return number_of(self.path["id"])

    def row(self) -> Row:
        """That message in the list. Raises `Refusal`."""
        found = self.resources.store.row(self.id)
        if found is None:
            raise no_such_message(self.id)
        return found

    def received(self) -> Received:
        """That message as a whole. Raises `Refusal`."""
        found = self.resources.store.received(self.id)
        if found is None:
            raise no_such_message(self.id)
        return found


def number_of(text: str) -> int:
    """The id in a path. Raises `Refusal`: to whoever asks, what is no number is a page that is not there."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Refusal(404, "There is no such message.", "Its address ends in a number.")
    return int(text)


def no_such_message(id: int) -> Refusal:
    """The message is gone, or never was."""
    return Refusal(404, f"There is no message {id}.", "It was deleted, or had to make room for newer ones.")


def from_query(fields: tuple[Field, ...], given: Mapping[str, list[str]]) -> dict[str, Any]:
    """What a query gives, with its types. Raises `Refusal`."""
    known_fields(given, tuple(field.name for field in fields))
    found: dict[str, Any] = {}
    for field in fields:
        texts = given.get(field.name, [])
        if len(texts) > 1 and not field.kind.endswith("s"):
            raise Refusal(400, f"{field.name} is given more than once.", "Give it once.")
        read = [_from_text(field, text) for text in texts]
        found[field.name] = _complete(field, read if field.kind.endswith("s") and read else (read or [None])[0])
    return found


def from_body(fields: tuple[Field, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    """What a JSON object gives, with its types checked. Raises `Refusal`."""
    known_fields(given, tuple(field.name for field in fields))
    return {field.name: _complete(field, _checked(field, given.get(field.name))) for field in fields}


def _from_text(field: Field, text: str) -> Any:
    kind = field.kind.removesuffix("s")
    if kind == "text":
        return _checked_one(field, kind, text)
    if kind == "boolean":
        if text.lower() not in _BOOLEANS:
            raise _wrong(field, "true or false")
        return _BOOLEANS[text.lower()]
    try:
        if not text.isascii() or len(text) > 20 or "_" in text:
            raise ValueError
        return _checked_one(field, kind, int(text) if kind == "integer" else float(text))
    except ValueError:
        raise _wrong(field, "a number") from None


def _checked(field: Field, given: Any) -> Any:
    if given is None:
        return None
    if not field.kind.endswith("s"):
        return _checked_one(field, field.kind, given)
    if not isinstance(given, list) or len(given) > LIST_LIMIT:
        raise _wrong(field, f"a list with at most {LIST_LIMIT} elements")
    return [_checked_one(field, field.kind.removesuffix("s"), one) for one in given]


def _checked_one(field: Field, kind: str, given: Any) -> Any:
    if kind == "text":
        if not isinstance(given, str) or len(given) > TEXT_LIMIT:
            raise _wrong(field, f"a text of at most {TEXT_LIMIT} characters")
    elif kind == "boolean":
        if not isinstance(given, bool):
            raise _wrong(field, "true or false")
    elif kind == "integer" and (isinstance(given, bool) or not isinstance(given, int)):
        raise _wrong(field, "a whole number")
    elif isinstance(given, bool) or not isinstance(given, (int, float)) or not field.lowest <= given <= field.highest:
        until = f" to {field.highest:g}" if field.highest < _HIGHEST else " on"
        raise _wrong(field, f"a number from {field.lowest:g}{until}")
    return given


def _complete(field: Field, given: Any) -> Any:
    if given is None and field.required:
        raise Refusal(400, f"{field.name} is missing: {field.meaning}", f"Give {field.name}.")
    return field.default if given is None else given


def _wrong(field: Field, wanted: str) -> Refusal:
    return Refusal(400, f"{field.name} is not {wanted}.", f"It means: {field.meaning}")


_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
