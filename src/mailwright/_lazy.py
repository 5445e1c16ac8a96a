"""What loads when it is used: public names (PEP 562), and the explanation of an error, which lives on a floor above."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from mailwright.diagnose.diagnosis import Diagnosis as Diagnosis


def lazily(module: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """A module's ``__getattr__`` that imports a public name from its home on first use."""

    def load(name: str) -> Any:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        from sys import modules

        __import__(home)  # importlib's import_module does no more, and takes 0.3 ms to load
        found = getattr(modules[home], name)
        setattr(modules[module], name, found)
        return found

    return load


def diagnosis_of(error: Exception) -> Diagnosis | None:
    """What `mailwright.diagnose` says of an error; `None` where that floor or its data is missing."""
    try:
        from mailwright.diagnose.explain import explain

        return explain(error)
    except Exception:  # who asks is about to show an error, and must not be given another one
        return None
