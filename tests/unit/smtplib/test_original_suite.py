"""CPython's own tests of smtplib, taken from the library of the interpreter that runs this, with our module in its place."""

from __future__ import annotations

import importlib
import sys
import unittest
import warnings
from types import ModuleType

import pytest

from mailwright import smtplib

#: Cases that can't pass, each with the reason: what they ask is private, or a difference that the reference lists.
EXCEPTIONS: dict[str, str] = {}


def suite_of_the_interpreter() -> ModuleType | None:
    """A copy of its own of the module with CPython's cases; `None` where the library ships without tests."""
    spec = importlib.util.find_spec("test")
    if spec is None or importlib.util.find_spec("test.test_smtplib") is None:
        return None
    spec = importlib.util.find_spec("test.test_smtplib")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # asyncore and smtpd were deprecated, and the old server leaves sockets open
        spec.loader.exec_module(module)
    module.smtplib = smtplib
    module.SMTPGeneralTests.client = smtplib.SMTP
    module.LMTPGeneralTests.client = smtplib.LMTP
    return module


def cases() -> list[unittest.TestCase]:
    """Every case of the suite."""
    found: list[unittest.TestCase] = []

    def walk(suite: unittest.TestSuite) -> None:
        for one in suite:
            walk(one) if isinstance(one, unittest.TestSuite) else found.append(one)

    module = suite_of_the_interpreter()
    if module is not None:
        walk(unittest.defaultTestLoader.loadTestsFromModule(module))
    return found


CASES = {".".join(case.id().split(".")[-2:]): case for case in cases()}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES or ["none"])
def test_a_case_of_cpython(name: str) -> None:
    if not CASES:
        pytest.skip("this interpreter's library ships without tests")
    before, path = smtplib.socket, list(sys.path)
    result = unittest.TestResult()
    try:
        CASES[name].run(result)
    finally:
        smtplib.socket = before
        sys.path[:] = path
    assert result.testsRun == 1
    if result.skipped:
        pytest.skip(f"CPython's own reason: {result.skipped[0][1]}")
    failed = [text for _, text in [*result.failures, *result.errors]]
    assert bool(failed) == (name in EXCEPTIONS), failed[0] if failed else f"{name} passes now: take it off the list"


def test_every_exception_is_a_case() -> None:
    assert set(EXCEPTIONS) <= set(CASES)
    assert all(len(reason.split()) > 3 for reason in EXCEPTIONS.values())
