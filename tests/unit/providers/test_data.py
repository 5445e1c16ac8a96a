"""The data itself: every field of every row, its words, its bounds, and that nothing stands in it twice."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import date
from importlib.resources import files
from typing import Any

import pytest

from mailwright.words.address import Address

TEXT = files("mailwright.providers").joinpath("data/providers.json").read_text("utf-8")
DATA = json.loads(TEXT)
ROWS: list[dict[str, Any]] = DATA["providers"]

Check = Callable[[Any], bool]
HOST = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
ADDRESS_OF_THIS_MACHINE = "127.0.0.1"
KINDS = {
    "account_password", "app_password", "mail_password", "authorization_code", "oauth2", "api_key",
    "smtp_credentials", "smtp_token", "bridge_password", "ip_allowlist", "none",
}  # fmt: skip
SURE = {"high", "medium", "low", "none"}
QUOTA = {
    "per_day": 100_000, "per_hour": 10_000, "per_minute": 1_000, "recipients_per_message": 5_000, "message_mb": 200,
    "concurrent_connections": 100, "messages_per_connection": 10_000,
}  # fmt: skip


def text(given: Any) -> bool:
    return isinstance(given, str) and bool(given) and given == given.strip() and given.isprintable()


def host(given: Any) -> bool:
    return isinstance(given, str) and (HOST.fullmatch(given) is not None or given == ADDRESS_OF_THIS_MACHINE)


def domain(given: Any) -> bool:
    return host(given) and Address(f"x@{given}").domain == given


def url(given: Any) -> bool:
    return text(given) and given.startswith("https://") and " " not in given


def port(given: Any) -> bool:
    return isinstance(given, int) and not isinstance(given, bool) and 0 < given < 65536


def one_of(*words: str) -> Check:
    return lambda given: given in words


def some(check: Check) -> Check:
    return lambda given: isinstance(given, list) and all(map(check, given)) and len(set(given)) == len(given)


def maybe(check: Check) -> Check:
    return lambda given: given is None or check(given)


def count(limit: int) -> Check:
    return lambda given: port(given) and given <= limit if limit < 65536 else isinstance(given, int) and given <= limit


def shaped(fields: dict[str, Check], optional: dict[str, Check] | None = None) -> Check:
    """A table that has exactly these fields, of which some may be missing."""

    def check(given: Any) -> bool:
        known = fields | (optional or {})
        assert isinstance(given, dict) and set(fields) <= set(given) <= set(known), given
        for name, one in given.items():
            assert known[name](one), f"{name}: {one!r}"
        return True

    return check


def pattern(given: Any) -> bool:
    return text(given) and re.compile(given) is not None


ENDPOINT = shaped(
    {"host": host, "port": port, "security": one_of("tls", "starttls", "none"), "preferred": one_of(True, False)},  # type: ignore[arg-type]
    {
        "region": text, "route": text, "stream": text, "account": text, "note": text,
        "domains": some(domain), "mx_suffixes": some(host),
    },
)  # fmt: skip
PROVIDER = shaped(
    {
        "id": lambda given: re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", given) is not None,
        "name": text,
        "kind": one_of("mailbox", "workspace", "isp", "hosting", "transactional", "testing", "local", "no_smtp"),
        "domains": some(domain),
        "domain_suffixes": some(domain),
        "mx_suffixes": some(host),
        "smtp": lambda given: all(map(ENDPOINT, given)),
        "closed_ports": some(port),
        "username": shaped(
            {
                "form": one_of("email", "localpart", "literal", "token", "smtp_credentials", "custom", "none"),
                "literal": maybe(text),
                "note": maybe(text),
            }
        ),
        "auth": shaped(
            {
                "accepted": some(KINDS.__contains__),
                "refused": some((KINDS | {"aws_secret_key"}).__contains__),
                "credential_url": maybe(url),
                "prerequisites": some(text),
                "shape": maybe(shaped({"pattern": pattern, "text": text})),
            }
        ),
        "oauth2": maybe(
            shaped(
                {
                    "authorize_url": url,
                    "token_url": url,
                    "device_url": maybe(url),
                    "scopes": some(text),
                    "sasl": some(one_of("XOAUTH2", "OAUTHBEARER")),
                    "self_service_registration": one_of(True, False),  # type: ignore[arg-type]
                    "note": maybe(text),
                },
                {"app_only": shaped({"scope": url, "permission": text, "extra_steps": some(text)})},
            )
        ),
        "limits": maybe(
            shaped(
                {name: maybe(count(limit)) for name, limit in QUOTA.items()}
                | {"per_day_counts": maybe(one_of("messages", "recipients")), "note": text}
            )
        ),
        "from_rule": maybe(
            one_of(
                "rewritten",
                "own_address_only",
                "own_address_or_alias",
                "send_as_permission",
                "same_account_domains",
                "verified_identity",
            )
        ),
        "notes": some(text),
        "certainty": shaped(dict.fromkeys(("smtp", "auth", "limits", "mx"), SURE.__contains__)),
        "sources": some(DATA["sources"].__contains__),
    }
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_every_field_of_every_row(row: dict[str, Any]) -> None:
    assert PROVIDER(row)
    assert row["sources"] and (row["kind"] == "no_smtp") == (not row["smtp"])
    assert (row["username"]["form"] == "literal") == (row["username"]["literal"] is not None)
    assert sum(one["preferred"] for one in row["smtp"]) == (1 if row["smtp"] else 0)
    assert (row["limits"] or {}).get("per_day") is None or row["limits"]["per_day_counts"]
    assert not set(row["auth"]["accepted"]) & set(row["auth"]["refused"])
    assert row["oauth2"] is None or "oauth2" in row["auth"]["accepted"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_no_endpoint_stands_twice_or_contradicts_itself(row: dict[str, Any]) -> None:
    places = [(one["host"], one["port"]) for one in row["smtp"]]
    assert [place for place, times in Counter(places).items() if times > 1] == []
    assert not {one["port"] for one in row["smtp"]} & set(row["closed_ports"])
    for one in row["smtp"]:
        assert set(one.get("domains", [])) <= {*row["domains"], *row["domain_suffixes"]} | {"ingpec.eu"}


def test_one_host_and_port_means_the_same_everywhere() -> None:
    securities: dict[tuple[str, int], set[str]] = {}
    for row in ROWS:
        for one in row["smtp"]:
            securities.setdefault((one["host"], one["port"]), set()).add(one["security"])
    assert {place: said for place, said in securities.items() if len(said) > 1} == {}


@pytest.mark.parametrize("field", ["id", "domains", "domain_suffixes", "mx_suffixes"])
def test_nothing_belongs_to_two_providers(field: str) -> None:
    found = Counter(name for row in ROWS for name in ([row[field]] if field == "id" else row[field]))
    assert [name for name, times in found.items() if times > 1] == []


def test_all_rows_are_there() -> None:
    assert len(ROWS) == 127
    assert Counter(row["certainty"]["smtp"] for row in ROWS) == {"high": 85, "medium": 36, "low": 6}
    assert Counter(row["certainty"]["auth"] for row in ROWS)["high"] == 33
    assert set(DATA) == {"about", "providers", "host_aliases", "mx_gateways", "outbound_port_blocks", "sources"}


def test_the_day_and_the_version_of_the_data() -> None:
    about = DATA["about"]
    assert date.fromisoformat(about["compiled"]) >= date(2026, 11, 20)
    assert about["schema_version"] == 1 and "live server" in about["how_sure"]
    assert set(about) == {"what", "compiled", "schema_version", "how_sure", "reference"}


def test_aliases() -> None:
    star = re.compile(r"[a-z0-9.*-]+")
    shape = shaped(
        {
            "host": lambda given: star.fullmatch(given) is not None and given.count("*") <= 1,
            "treat_as": one_of("substitute", "equivalent", "explain"),
            "use": maybe(lambda given: star.fullmatch(given) is not None),
            "why": text,
            "certainty": SURE.__contains__,
        }
    )
    hosts = {one["host"] for row in ROWS for one in row["smtp"]}
    for row in DATA["host_aliases"]:
        assert shape(row)
        assert row["use"] is not None or row["treat_as"] == "explain"
        known = row["use"] is None or re.compile(row["use"].replace(".", r"\.").replace("*", r"[^.]+"))
        assert known is True or any(known.fullmatch(one) for one in hosts), row
        assert row["treat_as"] == "equivalent" or row["host"] not in hosts
    names = [row["host"] for row in DATA["host_aliases"]]
    assert len(set(names)) == len(names) >= 35
    # An alias never leads to another one.
    assert not {row["use"] for row in DATA["host_aliases"]} & set(names)


def test_gateways_and_port_blocks() -> None:
    gateway = shaped({"mx_suffix": host, "product": text})
    assert all(map(gateway, DATA["mx_gateways"])) and len(DATA["mx_gateways"]) >= 16
    block = shaped(
        {
            "where": text,
            "ports": some(port),
            "default": text,
            "certainty": SURE.__contains__,
            "source": DATA["sources"].__contains__,
            "fix": text,
        }
    )
    assert all(map(block, DATA["outbound_port_blocks"])) and len(DATA["outbound_port_blocks"]) >= 15


def test_every_source_is_used_and_says_where_it_is() -> None:
    used = {key for row in ROWS for key in row["sources"]} | {row["source"] for row in DATA["outbound_port_blocks"]}
    assert set(DATA["sources"]) == used and all(map(text, DATA["sources"].values()))


def test_nothing_is_said_that_no_text_of_ours_may_say() -> None:
    assert not re.search(r"\bseeds?\b|verify\s*=\s*False|CERT_NONE|unverified", TEXT, re.IGNORECASE)


@pytest.mark.parametrize("wrong", ["id", "kind", "smtp", "auth", "limits", "certainty"])
def test_the_check_notices_a_wrong_row(wrong: str) -> None:
    row = {**ROWS[0], wrong: {"id": "Not An Id", "kind": "shop", "smtp": [{"host": "h"}]}.get(wrong, {"odd": 1})}
    with pytest.raises(AssertionError):
        assert PROVIDER(row)
