"""``mailwright providers``: what to use, how to get the credential, and how sure all of that is."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

import dns.resolver
import pytest

from mailwright.cli import providers
from mailwright.mailer.finding import server_for
from mailwright.providers import catalog
from mailwright.providers.telling import BOTH_RIGHT, FROM_RULES, HOW, KINDS, USER_FORMS, tell_found, tell_provider
from mailwright.words.errors import ConfigError
from tests.unit.providers.names import LOOPBACK, NameServer, name_server

OWN = "analytical-engine.org"


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    parser = ArgumentParser()
    providers.add_arguments(parser)
    assert providers.run(parser.parse_args(words)) == code
    out, err = capsys.readouterr()
    return err if code else out


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    """The name server that this machine seems to use."""
    with name_server({}) as server:

        def configured(resolver: Any, *given: Any) -> None:
            resolver.nameservers, resolver.port = [LOOPBACK], server.port

        monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", configured)
        yield server


def test_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys).splitlines()
    assert len(lines) == 128 and lines[0].split() == ["NAME", "SERVER", "SURE"]
    assert lines[1].split() == ["gmail", "Gmail", "smtp.gmail.com:465", "high"]
    assert any(line.startswith("tuta ") and " - " in line for line in lines)


def test_one_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "gmail")
    for text in (
        "smtp.gmail.com, port 465 with TLS from the first byte or port 587 with STARTTLS",
        "an app password or OAuth 2; not the password of the account",
        "100 recipients for one message, 25 MB for one message, 500 messages a day",
        "1. Before: 2-Step Verification must be on",
        "Open https://myaccount.google.com/apppasswords and get an app password.",
        "mailwright login ADDRESS",
        "How sure, as of 2026-11-20: server high, credential high, limits high, MX high.",
        "Source: https://support.google.com/a/answer/166852",
    ):
        assert text in out
    assert said(capsys, "gmail.com") == said(capsys, "smtp.gmail.com") == out
    assert out.count(BOTH_RIGHT) == said(capsys, "ada@gmail.com").count(BOTH_RIGHT) == 1
    assert BOTH_RIGHT not in said(capsys, "outlook")


def test_one_where_nothing_but_oauth2_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "hotmail")
    assert "OAuth 2; not the password of the account or an app password" in out
    assert (
        "Log in with OAuth 2, for which you register a client of your own: mailwright login ADDRESS" in out
        and "EMAIL_PASSWORD" not in out
    )
    assert "ended for personal accounts on 2024-09-16" in out


def test_a_sending_service(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "sendgrid")
    assert "the word apikey" in out and "SMTP_HOST=smtp.sendgrid.net, SMTP_PORT=587, SMTP_USER=apikey" in out


def test_several_by_part_of_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert [line.split()[0] for line in said(capsys, "google").splitlines()] == ["NAME", "gmail", "google-workspace"]


def test_an_address_of_a_known_provider(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "ada@gmail.com")
    assert out.startswith("ada@gmail.com: Gmail (personal Google account)\n")
    assert "user        ada@gmail.com" in out and "the domain gmail.com, in the provider data" in out
    assert "Both ports are right. RFC 8314 prefers 465" in out and "much teaching material says 587" in out
    assert "mailwright login ada@gmail.com" in out


def test_an_address_of_ones_own(capsys: pytest.CaptureFixture[str], names: NameServer) -> None:
    names.zone = {OWN: {"MX": ["1 aspmx.l.google.com."]}}
    out = said(capsys, f"ada@{OWN}")
    assert "its mail is received by aspmx.l.google.com" in out and "mail received there high" in out
    names.zone = {f"_submissions._tcp.{OWN}": {"SRV": [f"0 1 465 mail.{OWN}."]}}
    out = said(capsys, f"ada@{OWN}")
    assert f"a DNS record of {OWN} (RFC 6186)" in out and "the domain says so itself, and the host lies in it" in out
    names.zone = {f"_submissions._tcp.{OWN}": {"SRV": ["0 1 465 mail.evil.example."]}}
    out = said(capsys, f"ada@{OWN}")
    assert "mail.evil.example" in out and "not sure, see below" in out and "lies outside of" in out


def test_as_json(capsys: pytest.CaptureFixture[str], names: NameServer) -> None:
    found = json.loads(said(capsys, "ada@gmail.com", "--json"))
    assert found["servers"] == [
        {"host": "smtp.gmail.com", "port": 465, "security": "tls"},
        {"host": "smtp.gmail.com", "port": 587, "security": "starttls"},
    ]
    assert (found["user"], found["known_by"], found["trusted"], found["doubt"]) == (
        "ada@gmail.com",
        "domain",
        True,
        None,
    )
    assert found["provider"]["id"] == "gmail" and found["provider"]["sources"][0].startswith("Thunderbird")
    assert len(json.loads(said(capsys, "--json"))["providers"]) == 127
    names.zone = {f"_submissions._tcp.{OWN}": {"SRV": ["0 1 465 mail.evil.example."]}}
    found = json.loads(said(capsys, f"ada@{OWN}", "--json"))
    assert found["trusted"] is False and "lies outside" in found["doubt"] and found["provider"] is None


def test_a_name_that_nobody_has(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Did you mean gmail?" in said(capsys, "gmial", code=64)
    assert "give an address" in said(capsys, "nothing of the kind", code=64)


def test_what_is_no_address(names: NameServer) -> None:
    parser = ArgumentParser()
    providers.add_arguments(parser)
    assert providers.run(parser.parse_args(["ada@"])) == 64
    with pytest.raises(ConfigError, match="nobody receives mail"):
        providers.run(parser.parse_args([f"ada@{OWN}"]))


def test_nothing_that_steers_a_terminal_is_printed(capsys: pytest.CaptureFixture[str], names: NameServer) -> None:
    err = said(capsys, "\x1b]0;title\x07\u202e", code=64)
    assert not set("\x1b\x07\u202e") & set(err)


@pytest.mark.parametrize("provider", catalog.everything(), ids=lambda one: one.id)
def test_everything_about_everybody_can_be_said(provider: Any) -> None:
    lines = list(tell_provider(provider, "ada@example.org"))
    assert lines[0] == provider.name and all(line.isprintable() for line in lines)
    shown = "\n".join(lines)
    assert all(way.host in shown and f"port {way.port}" in shown for way in provider.endpoints)
    assert all(note in shown for note in provider.notes) and provider.credentials.page in shown
    assert "None" not in shown and (("  1. " in shown) or provider.kind in ("no_smtp", "local", "testing"))


def test_there_are_words_for_everything() -> None:
    for provider in catalog.everything():
        assert {*provider.credentials.accepted, *provider.credentials.refused} <= set(KINDS)
        assert provider.from_rule in {*FROM_RULES, None}
        assert provider.username.form in {*USER_FORMS, "literal"}
    assert set(HOW) == {"domain", "srv", "autoconfig", "mx"}


def test_a_server_that_was_found_prints_nicely() -> None:
    assert (
        "\n".join(tell_found(server_for("ada@hotmail.com")))
        == str(server_for("ada@hotmail.com"))
        == (
            "ada@hotmail.com: Outlook.com / Hotmail / Live / MSN (personal Microsoft account)\n"
            "  server      smtp-mail.outlook.com, port 587 with STARTTLS\n"
            "  user        ada@hotmail.com\n"
            "  credential  OAuth 2; not the password of the account or an app password\n"
            "  known by    the domain hotmail.com, in the provider data\n"
            "  how sure    server high, credential high; as of 2026-11-20"
        )
    )


@pytest.mark.parametrize(
    ("host", "why", "use"),
    [
        ("smtp.live.com", "The old name for Hotmail and Live", "smtp-mail.outlook.com"),
        ("outlook.office365.com", "The name for IMAP and POP", "smtp.office365.com"),
        ("SMTP.Yahoo.com", "not the documented name", "smtp.mail.yahoo.com"),
        ("imap.gmail.com", "It is for reading mail", "smtp.gmail.com"),
    ],
)
def test_a_historic_or_wrong_host_name(capsys: pytest.CaptureFixture[str], host: str, why: str, use: str) -> None:
    out = said(capsys, host)
    first = out.partition("\n\n")[0]
    assert first.startswith(f"{host.lower()} is not the server to send through: ") and why in first
    assert first.endswith(f"Use {use}.") and f"\n  server      {use}, port " in out.replace(
        "or          ", "server      "
    )
    told = json.loads(said(capsys, host, "--json"))
    assert told["host_alias"]["use"] == use and told["providers"][0]["id"]


def test_a_name_for_which_there_is_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "smtp.openmailbox.org")
    assert out == "smtp.openmailbox.org is not a server to send through: The service closed.\n"
    assert "needs its Bridge" in said(capsys, "smtp.protonmail.com")
    assert said(capsys, "smtp.googlemail.com").startswith(
        "smtp.googlemail.com works as smtp.gmail.com does: The old name"
    )


def test_oauth2_needs_a_client_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("gmail", "hotmail"):
        assert "mailwright login ADDRESS --client-" in said(capsys, name)
