"""Fixtures of the tests of the command line."""

from __future__ import annotations

from tests.unit.cli.running import command

__all__ = ["command"]
