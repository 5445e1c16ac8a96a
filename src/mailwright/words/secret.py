"""Words that must not be shown."""

from __future__ import annotations


class Secret:
    """A password or token that no log, ``repr``, traceback or pickle shows by accident.

    `reveal()` is the only way to the text, so that a search for that word finds every place which
    uses a secret.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str | Secret) -> None:
        self._text: str = text._text if isinstance(text, Secret) else text

    def reveal(self) -> str:
        """The secret itself. Keep it in no variable longer than needed."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __bool__(self) -> bool:
        return bool(self._text)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not pickled: pass the name of its source (variable, file, keyring) instead")


class ProxyURL(str):
    """The URL of a proxy; its ``repr``, and with it that of whatever holds it, does not show the credentials."""

    __slots__ = ()

    def __repr__(self) -> str:
        before, at, place = self.rpartition("@")
        scheme, separator, _ = before.partition("://")
        # Without a scheme it is no URL, and all of it in front of the host may be a password.
        return repr(f"{scheme if separator else ''}{separator}***@{place}") if at else super().__repr__()
