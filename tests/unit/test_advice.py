"""What is never advised, in any text of ours: to switch verification off, or to send again what was accepted."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mailwright
from mailwright.diagnose.diagnosis import RETRIES
from mailwright.diagnose.knowledge import knowledge

PACKAGE = Path(mailwright.__file__).parent
ROOT = PACKAGE.parents[1]
#: Under these names the data keeps the words of others: what servers and programs say.
WORDS_OF_OTHERS = {"phrases", "examples", "signs", "text", "replies", "any password", "wrong token", "sources"}

_CHECK = r"(certificat\w*|verif\w*|validat\w*|host\s?names?|checks?|checking|tls|ssl|encryption)"
_AWAY = (
    r"((switch|turn|shut)\w*\s+(\w+\s+){0,2}off|disabl\w*|bypass\w*|skip\w*|ignor\w*|suppress\w*|weaken\w*|relax\w*"
    r"|(leav|do)\w*\s+(out|without))"
)
SWITCHED_OFF = re.compile(
    rf"""(?ix)
    cert_none | create_unverified | check_hostname | verify(_peer\w*|_mode)?\s*[:=] | rejectunauthorized
    | insecureskipverify | --insecure | tls_certcheck | unverified | less\ secure\ app
    | (accept|trust|allow)\w*\s+(any|all|every|self-signed)\s+\S*certif
    | (switch|turn|shut)\w*\s+(\S+\s+){{0,3}}\S*\b{_CHECK}\s+(\w+\s+){{0,2}}off
    | \b{_AWAY}\b\s+(\S+\s+){{0,5}}\S*\b{_CHECK}\b | \b{_CHECK}\b\s+(\S+\s+){{0,4}}{_AWAY}\b
    """
)
#: Texts that speak of it and do not advise it: they warn, or tell of a server's own doing.
HARMLESS = (
    "never",
    "Never",
    "unverified=True",  # the one way to do it, with what it costs: a warning, and a table of options
    "`unverified`",
    "get_unverified_chain",  # the name of a method
    "unverified or a clear connection by itself",
    "TLS switched off on this port",
    "so that chain and name are still checked",
    "Somebody switches the checks off",
    "nothing here advises",
    "is told and no password goes out",
)
SENT_AGAIN = re.compile(
    r"(?i)\b(re-?send\s|send\w*\s+(\S+\s+){0,3}(again|once\s+more|twice)|repeat\s+(\S+\s+){0,2}(message|mail|send))"
)
#: Under this condition it makes no copy.
SAFE = (
    "nothing was delivered",
    "only to",
    "before sending it again",
    "may make a",
    "were refused",
    "before you send",
    "No step here",
    # The outbox: it tries again what was not accepted, and what is in doubt as its user has decided.
    "what failed, expired",
    "Send again what ended without being sent",
    "sends nothing again",
    "decided not to send it again",
    "would send again what was sent",
    "would be to send again what was sent",
    "send again, or set aside",
    "so that a copy may arrive twice",
    "Then `release` sends it again, and `settle` says how it ended",
)


def strings(found: Any) -> Iterator[str]:
    """The texts in a file of data that are ours."""
    if isinstance(found, str):
        yield found
    elif isinstance(found, dict):
        for name, inside in found.items():
            yield from strings(inside) if name not in WORDS_OF_OTHERS else ()
    elif isinstance(found, list):
        for inside in found:
            yield from strings(inside)


def texts() -> Iterator[tuple[str, str]]:
    """Every text that somebody may read, with the file that it stands in: data, the strings of the code, the docs."""
    for path in PACKAGE.rglob("data/*.json"):
        for text in strings(json.loads(path.read_text("utf-8"))):
            yield path.name, text
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield path.name, " ".join(node.value.split())
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")):
        for sentence in re.split(r"(?<=[.!?|])\s+", path.read_text("utf-8")):
            yield path.name, " ".join(sentence.split())


ALL = list(texts())


def test_all_of_it_is_looked_at() -> None:
    names = {name for name, _ in ALL}
    assert {"failures.json", "codes.json", "providers.json", "judging.py", "tls.py"} <= names
    assert len(ALL) > 5000


def test_nobody_is_told_to_switch_verification_off() -> None:
    found = [
        f"{name}: {text}"
        for name, text in ALL
        if SWITCHED_OFF.search(text) and not any(harmless in text for harmless in HARMLESS)
    ]
    assert found == []


@pytest.mark.parametrize(
    "advice",
    [
        "Set verify=False.", "Use ssl._create_unverified_context().", "Turn certificate verification off.",
        "Disable the check of the host name.", "Ignore certificate errors.", "Switch off TLS for this port.",
        "Allow less secure apps.", "context.check_hostname = False", "Accept any certificate.", "Skip verification.",
        "tls_certcheck off", "Switch the check off.", "Pass TLS(unverified=yes).",
    ],
)  # fmt: skip
def test_such_an_advice_would_be_found(advice: str) -> None:
    assert SWITCHED_OFF.search(advice)


def test_nobody_is_told_to_send_again_what_was_accepted() -> None:
    found = [
        f"{name}: {text}" for name, text in ALL if SENT_AGAIN.search(text) and not any(one in text for one in SAFE)
    ]
    assert found == []


def test_every_kind_of_failure_says_whether_to_try_again() -> None:
    for entry in knowledge().entries.values():
        assert entry.retry in RETRIES and entry.fix, entry.kind
