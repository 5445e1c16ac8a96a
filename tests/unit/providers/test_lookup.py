"""Finding the server of any address: in which order, by what right, and that no hostile answer gets a password."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from mailwright.drivers import memory
from mailwright.mailer.finding import server_for, server_for_async
from mailwright.providers.found import Found
from mailwright.providers.lookup import autoconfig_urls, find
from mailwright.words.address import Address
from mailwright.words.errors import AddressError, ConfigError, ConnectError, MissingExtra
from mailwright.words.server import Login, Server
from tests.unit.providers.names import Table, config_xml

DOMAIN = "analytical-engine.org"
ADA = Address(f"ada@{DOMAIN}")
TLS_NAME, STARTTLS_NAME = f"_submissions._tcp.{DOMAIN}", f"_submission._tcp.{DOMAIN}"
FIRST_PAGE, SECOND_PAGE = autoconfig_urls(ADA)
GOOGLE = [(1, "aspmx.l.google.com"), (5, "alt1.aspmx.l.google.com")]


def ask(table: Table, **options: Any) -> Found:
    return server_for(ADA, lookups=table, **options)


def ways(found: Found) -> list[tuple[str, int, str]]:
    return [(one.host, one.port, one.security) for one in found.ways]


# In which order


def test_a_known_provider_needs_nobody() -> None:
    table = Table()
    found = server_for("Ada <ada@gmail.com>", lookups=table)
    assert ways(found) == [("smtp.gmail.com", 465, "tls"), ("smtp.gmail.com", 587, "starttls")]
    assert (found.how, found.evidence, found.user, found.trusted) == ("domain", "gmail.com", "ada@gmail.com", True)
    assert found.server == Server("smtp.gmail.com", 465, "tls", alternatives=(("smtp.gmail.com", 587, "starttls"),))
    assert found.with_login("pw").login == Login("ada@gmail.com", "pw")
    assert table.asked == []


def test_the_domains_own_records() -> None:
    table = Table(
        {
            ("srv", TLS_NAME): [(0, 1, 465, f"mail.{DOMAIN}")],
            ("srv", STARTTLS_NAME): [(0, 1, 587, f"mail.{DOMAIN}")],
            ("mx", DOMAIN): GOOGLE,
        }
    )
    found = ask(table)
    assert ways(found) == [(f"mail.{DOMAIN}", 465, "tls"), (f"mail.{DOMAIN}", 587, "starttls")]
    assert (found.how, found.trusted, found.provider, found.user) == ("srv", True, None, ADA.spec)
    assert not any(kind == "page" for kind, *_ in table.asked)


def test_priority_decides_and_then_tls_from_the_first_byte() -> None:
    table = Table(
        {
            ("srv", TLS_NAME): [(10, 1, 465, f"slow.{DOMAIN}")],
            ("srv", STARTTLS_NAME): [(0, 1, 587, f"fast.{DOMAIN}"), (10, 1, 587, f"slow.{DOMAIN}")],
        }
    )
    assert ways(ask(table)) == [(f"fast.{DOMAIN}", 587, "starttls")]
    table.answers["srv", STARTTLS_NAME] = [(10, 1, 587, f"slow.{DOMAIN}")]
    assert ways(ask(table)) == [(f"slow.{DOMAIN}", 465, "tls"), (f"slow.{DOMAIN}", 587, "starttls")]


def test_port_465_is_tls_under_whatever_name() -> None:
    table = Table({("srv", STARTTLS_NAME): [(0, 1, 465, f"mail.{DOMAIN}")]})
    assert ways(ask(table)) == [(f"mail.{DOMAIN}", 465, "tls")]


def test_a_service_that_is_not_offered_is_none() -> None:
    table = Table(
        {
            ("srv", TLS_NAME): [(0, 0, 0, ".")],
            ("srv", STARTTLS_NAME): [(0, 0, 0, ".")],
            ("page", FIRST_PAGE): config_xml(f"smtp.{DOMAIN}"),
        }
    )
    assert ask(table).how == "autoconfig"


@pytest.mark.parametrize("url", [FIRST_PAGE, SECOND_PAGE])
def test_a_file_that_the_domain_publishes(url: str) -> None:
    found = ask(Table({("page", url): config_xml("smtp.%EMAILDOMAIN%", 587, "STARTTLS", "%EMAILLOCALPART%")}))
    assert ways(found) == [(f"smtp.{DOMAIN}", 587, "starttls")]
    assert (found.how, found.user, found.trusted) == ("autoconfig", "ada", True)
    assert found.evidence == url.partition("?")[0]


def test_only_https_is_asked_and_only_the_domain_learns_the_address() -> None:
    table = Table({("mx", DOMAIN): GOOGLE})
    ask(table)
    pages = [name for kind, name, _ in table.asked if kind == "page"]
    assert pages == [
        f"https://autoconfig.{DOMAIN}/mail/config-v1.1.xml?emailaddress=ada@{DOMAIN}",
        f"https://{DOMAIN}/.well-known/autoconfig/mail/config-v1.1.xml",
    ]
    odd = Address('"a b&c?d#e/f"@example.org')
    assert autoconfig_urls(odd)[0].endswith("?emailaddress=%22a%20b%26c%3Fd%23e%2Ff%22@example.org")


def test_who_receives_the_mail_of_the_domain() -> None:
    found = ask(Table({("mx", DOMAIN): GOOGLE}))
    assert found.provider is not None and found.provider.id == "google-workspace"
    assert (found.how, found.evidence, found.trusted) == ("mx", "aspmx.l.google.com", True)
    assert ways(found)[0] == ("smtp.gmail.com", 465, "tls") and found.user == ADA.spec
    eu = ask(Table({("mx", DOMAIN): [(10, "mx.zoho.eu"), (20, "mx2.zoho.eu")]}))
    assert ways(eu)[0] == ("smtppro.zoho.eu", 465, "tls")


def test_a_backup_exchanger_is_not_who_receives() -> None:
    with pytest.raises(ConfigError, match=f"received by mx.{DOMAIN}"):
        ask(Table({("mx", DOMAIN): [(10, f"mx.{DOMAIN}"), (20, "aspmx.l.google.com")]}))
    with pytest.raises(ConfigError, match="not known"):
        ask(Table({("mx", DOMAIN): [(10, "aspmx.l.google.com"), (10, f"mx.{DOMAIN}")]}))


@pytest.mark.parametrize("doors", ["blocking", "asyncio", "trio"])
def test_every_door_finds_the_same(doors: str) -> None:
    table = Table({("mx", DOMAIN): GOOGLE})
    if doors == "blocking":
        found = ask(table)
    elif doors == "asyncio":
        found = asyncio.run(server_for_async(ADA.spec, lookups=table))
    else:

        async def task() -> Found:
            return await server_for_async(ADA.spec, lookups=table)

        found = trio.run(task)
    assert found.how == "mx" and len(table.asked) == 5


def test_asynchronous_questions_run_side_by_side() -> None:
    meeting = threading.Barrier(3)

    class Waiting(Table):
        def _answer(self, kind: str, name: str, timeout: float) -> Any:
            if kind in ("srv", "mx"):
                meeting.wait(30)  # passes only when all three are asked at a time
            return super()._answer(kind, name, timeout)

    assert asyncio.run(server_for_async(ADA, lookups=Waiting({("mx", DOMAIN): GOOGLE}), timeout=60)).how == "mx"


# When nothing is found


@pytest.mark.parametrize("address", ["ada", "ada@", "@example.org", "", "ada@example..org"])
def test_an_address_without_a_domain(address: str) -> None:
    with pytest.raises(AddressError):
        server_for(address)


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_time_that_is_none(timeout: float) -> None:
    with pytest.raises(ConfigError, match="positive number of seconds"):
        server_for("ada@gmail.com", timeout=timeout)


def test_an_address_literal_has_no_provider() -> None:
    with pytest.raises(ConfigError, match="address of a machine"):
        server_for("ada@[192.0.2.1]", lookups=Table())


def test_an_unknown_provider_is_never_guessed() -> None:
    table = Table({("mx", DOMAIN): [(10, f"mx.{DOMAIN}")]})
    with pytest.raises(ConfigError) as caught:
        ask(table)
    assert f"received by mx.{DOMAIN}" in str(caught.value) and "SMTP_HOST=" in caught.value.advice
    assert f"smtp.{DOMAIN}" not in str(caught.value)
    with pytest.raises(ConfigError, match="nobody receives mail"):
        ask(Table())
    with pytest.raises(ConfigError, match="nobody receives mail"):
        ask(Table({("mx", DOMAIN): [(0, ".")]}))


def test_a_filter_hides_the_provider() -> None:
    with pytest.raises(ConfigError, match=r"filter, Mimecast, which hides the provider") as caught:
        ask(Table({("mx", DOMAIN): [(10, "eu-smtp-inbound-1.mimecast.com")]}))
    assert "Ask whoever runs it" in caught.value.advice


@pytest.mark.parametrize("address", ["ada@tuta.com", "ada@hey.com"])
def test_a_provider_without_smtp(address: str) -> None:
    with pytest.raises(ConfigError, match="lets no program send"):
        server_for(address, lookups=Table())


def test_a_forwarder_is_told_apart_from_a_provider() -> None:
    with pytest.raises(ConfigError, match="lets no program send"):
        ask(Table({("mx", DOMAIN): [(10, "route1.mx.cloudflare.net")]}))


def test_proton_needs_its_bridge() -> None:
    with pytest.raises(ConfigError, match="no server that a program could use unasked") as caught:
        server_for("ada@proton.me", lookups=Table())
    assert "mailwright providers proton" in caught.value.advice


def test_nobody_answers() -> None:
    silent = TimeoutError("no name server answered within 4 seconds")
    table = Table({("srv", TLS_NAME): silent, ("srv", STARTTLS_NAME): silent, ("mx", DOMAIN): silent})
    with pytest.raises(ConnectError, match="no name server answered within 4 seconds") as caught:
        ask(table)
    assert caught.value.temporary and "SMTP_HOST=" in caught.value.advice and caught.value.phase == "connect"


def test_what_answers_is_enough() -> None:
    table = Table({("srv", TLS_NAME): OSError("refused"), ("mx", DOMAIN): GOOGLE})
    assert ask(table).how == "mx"


def test_without_the_resolver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in [name for name in sys.modules if name == "dns" or name.startswith("dns.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "dns", None)
    monkeypatch.setitem(sys.modules, "dns.resolver", None)
    with pytest.raises(MissingExtra, match=r"pip install 'mailwright\[dns\]'"):
        server_for(ADA)
    with pytest.raises(MissingExtra, match=r"mailwright\[dns\]"):
        asyncio.run(server_for_async(ADA))
    assert server_for("ada@gmail.com").trusted


def test_a_defect_of_the_lookups_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        ask(Table({("mx", DOMAIN): ZeroDivisionError()}))


def test_all_together_ends_at_the_deadline() -> None:
    clock = memory.Time()

    class Slow(Table):
        def _answer(self, kind: str, name: str, timeout: float) -> Any:
            super()._answer(kind, name, timeout)
            clock.now += timeout
            raise TimeoutError("slow")

    table = Slow()
    link, _ = memory.pair(clock)
    with pytest.raises(ConnectError):
        memory.alone(find(ADA, lambda: table, 10.0), link)
    assert clock.now == 10.0
    assert sum(timeout for _, _, timeout in table.asked) == 10.0 and all(0 < left <= 5 for *_, left in table.asked)


def test_a_real_deadline_is_kept() -> None:
    class Sleeping(Table):
        def _answer(self, kind: str, name: str, timeout: float) -> Any:
            time.sleep(timeout)
            raise TimeoutError("slow")

    with pytest.raises(ConnectError):
        ask(Sleeping(), timeout=0.2)


# By what right: RFC 6186 §6


FOREIGN = "mail.evil.example"
HOSTILE = {
    "srv with TLS": {("srv", TLS_NAME): [(0, 1, 465, FOREIGN)]},
    "srv with STARTTLS": {("srv", STARTTLS_NAME): [(0, 1, 587, FOREIGN)]},
    "the domain as a prefix": {("srv", TLS_NAME): [(0, 1, 465, f"{DOMAIN}.evil.example")]},
    "the domain without a dot": {("srv", TLS_NAME): [(0, 1, 465, f"evil{DOMAIN}")]},
    "a parent of the domain": {("srv", TLS_NAME): [(0, 1, 465, "mail.org")]},
    "autoconfig": {("page", FIRST_PAGE): config_xml(FOREIGN)},
    "the other autoconfig": {("page", SECOND_PAGE): config_xml(FOREIGN, 587, "STARTTLS")},
}


@pytest.mark.parametrize("answers", HOSTILE.values(), ids=HOSTILE)
def test_a_foreign_host_gets_no_password(answers: dict[tuple[str, str], Any]) -> None:
    found = ask(Table(answers))
    assert not found.trusted
    with pytest.raises(ConfigError, match="lies outside of") as caught:
        found.with_login("correct horse")
    assert found.host in str(caught.value) and "server='smtp" in caught.value.advice
    with pytest.raises(ConfigError):
        _ = found.server
    assert "lies outside of" in str(found)


@pytest.mark.parametrize(
    "target", ["localhost", "127.0.0.1", "192.0.2.1", "evil.example/x", "a b.example", "-x.example", "x" * 300, ""]
)
def test_what_is_no_host_of_a_mail_server_is_no_answer(target: str) -> None:
    with pytest.raises(ConfigError, match="names no server"):
        ask(Table({("srv", TLS_NAME): [(0, 1, 465, target)], ("page", FIRST_PAGE): config_xml(target)}))


def test_a_foreign_host_before_a_right_one() -> None:
    table = Table({("srv", TLS_NAME): [(0, 1, 465, FOREIGN), (10, 1, 465, f"mail.{DOMAIN}")]})
    assert ways(ask(table)) == [(f"mail.{DOMAIN}", 465, "tls")] and ask(table).trusted


def test_the_ports_of_a_known_host_are_not_left_to_dns() -> None:
    found = ask(Table({("srv", STARTTLS_NAME): [(0, 1, 25, "smtp.fastmail.com")]}))
    assert found.trusted and found.provider is not None and found.provider.id == "fastmail"
    assert ways(found) == [("smtp.fastmail.com", 465, "tls"), ("smtp.fastmail.com", 587, "starttls")]
    chosen = ask(Table({("srv", STARTTLS_NAME): [(0, 1, 587, "smtp.fastmail.com")]}))
    assert ways(chosen)[0] == ("smtp.fastmail.com", 587, "starttls")


def test_plain_text_is_never_found() -> None:
    page = config_xml(f"smtp.{DOMAIN}", 25, "plain")
    with pytest.raises(ConfigError, match="names no server"):
        ask(Table({("page", FIRST_PAGE): page}))


def test_a_weak_guess_by_mx_is_not_trusted() -> None:
    found = ask(Table({("mx", DOMAIN): [(10, "inbound-smtp.eu-west-1.amazonaws.com")]}))
    assert found.provider is not None and found.provider.certainty.mx == "low" and not found.trusted
    with pytest.raises(ConfigError, match="of low certainty only"):
        _ = found.server


@given(
    st.lists(st.tuples(st.integers(-1, 70000), st.integers(-5, 70000), st.integers(-1, 70000), st.text(max_size=30)))
)
def test_no_record_leads_a_password_astray(records: list[tuple[int, int, int, str]]) -> None:
    try:
        found = ask(Table({("srv", TLS_NAME): records, ("srv", STARTTLS_NAME): records}))
    except ConfigError:
        return
    assert not found.trusted or found.host.endswith(DOMAIN)


# Confirming


def test_a_person_may_confirm() -> None:
    table = Table(HOSTILE["srv with TLS"])
    asked: list[Found] = []

    def yes(found: Found) -> bool:
        asked.append(found)
        return True

    found = ask(table, confirm=yes)
    assert [one.host for one in asked] == [FOREIGN] and not asked[0].confirmed
    assert found.confirmed and found.with_login("pw") == Server(FOREIGN, 465, "tls", Login(ADA.spec, "pw"))
    assert "lies outside" not in str(found)


@pytest.mark.parametrize("answer", [False, None, 0, "yes", 1])
def test_only_true_confirms(answer: Any) -> None:
    found = ask(Table(HOSTILE["srv with TLS"]), confirm=lambda _: answer)
    with pytest.raises(ConfigError, match="lies outside"):
        found.with_login("pw")


def test_nobody_is_asked_about_what_is_trusted() -> None:
    def never(found: Found) -> bool:
        raise AssertionError(found)

    assert ask(Table({("mx", DOMAIN): GOOGLE}), confirm=never).trusted


def test_an_asynchronous_question() -> None:
    async def yes(found: Found) -> bool:
        await asyncio.sleep(0)
        return found.host == FOREIGN

    table = Table(HOSTILE["srv with TLS"])
    assert asyncio.run(server_for_async(ADA, lookups=table, confirm=yes)).confirmed
