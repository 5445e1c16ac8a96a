"""Optional parts: they load when used, and name themselves when they are missing."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType


def extra(module: str, name: str, purpose: str) -> ModuleType:
    """Import a module that belongs to the extra `name`. Raises `MissingExtra` with the command that installs
    it.
    """
    from importlib import import_module

    from mailwright.words.errors import MissingExtra

    try:
        return import_module(module)
    except ImportError as problem:
        what = f"{purpose} needs the package {module.partition('.')[0]}, which is not installed."
        missing = MissingExtra(what, f"Install it with: pip install 'mailwright[{name}]'")
        missing.name = problem.name  # as other kinds of ImportError have it
        raise missing from problem
