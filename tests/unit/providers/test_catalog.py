"""Looking up providers: by domain, host, MX host and name."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mailwright.providers import catalog
from mailwright.providers.provider import Provider
from mailwright.words.address import Address


def id_of(found: Provider | None) -> str | None:
    return found.id if found is not None else None


@pytest.mark.parametrize(
    ("domain", "wanted"),
    [
        ("gmail.com", "gmail"), ("GoogleMail.com", "gmail"), ("hotmail.co.uk", "outlook"), ("live.com", "outlook"),
        ("yahoo.de", "yahoo"), ("yahoo.co.jp", "yahoo-japan"), ("me.com", "icloud"), ("163.com", "netease"),
        ("ada.plus.com", "plusnet"), ("plus.com", "plusnet"), ("nyc.rr.com", "twc"),
        ("contoso.onmicrosoft.com", "microsoft365"), ("tuta.com", "tuta"),
        ("example.org", None), ("notgmail.com", None), ("mail.gmail.com", None), ("com", None), ("", None),
        ("gmail.com.evil.example", None),
    ],
)  # fmt: skip
def test_by_domain(domain: str, wanted: str | None) -> None:
    assert id_of(catalog.by_domain(domain)) == wanted


def test_every_domain_leads_to_its_row() -> None:
    for provider in catalog.everything():
        for domain in provider.domains:
            assert catalog.by_domain(domain) is provider


@pytest.mark.parametrize(
    ("host", "user", "wanted"),
    [
        ("smtp.gmail.com", "", "gmail"),
        ("SMTP.Gmail.com.", "", "gmail"),
        ("smtp.gmail.com", "ada@gmail.com", "gmail"),
        ("smtp.gmail.com", "ada@analytical-engine.org", "google-workspace"),
        ("smtp.gmail.com", "ada", "gmail"),
        ("smtp.office365.com", "ada@analytical-engine.org", "microsoft365"),
        ("smtp.office365.com", "ada@hotmail.com", "outlook"),
        ("smtp.mail.yahoo.com", "ada@cox.net", "cox"),
        ("smtp.mail.yahoo.com", "ada@analytical-engine.org", "yahoo"),
        ("email-smtp.eu-west-1.amazonaws.com", "AKIA", "ses"),
        ("localhost", "", None),
        ("127.0.0.1", "ada@proton.me", None),
        ("smtp.example.org", "ada@gmail.com", None),
        ("x.smtp.gmail.com", "", None),
    ],
)
def test_by_host(host: str, user: str, wanted: str | None) -> None:
    assert id_of(catalog.by_host(host, user)) == wanted


@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        ("aspmx.l.google.com", "google-workspace"), ("alt1.aspmx.l.google.com.", "google-workspace"),
        ("gmail-smtp-in.l.google.com", "gmail"), ("contoso-com.mail.protection.outlook.com", "microsoft365"),
        ("hotmail-com.olc.protection.outlook.com", "outlook"), ("contoso-com.a-v1.mx.microsoft", "microsoft365"),
        ("mx.zoho.eu", "zoho"), ("mx00.ionos.co.uk", "ionos"), ("in1-smtp.messagingengine.com", "fastmail"),
        ("mx.example.org", None), ("evilgoogle.com", None), ("aspmx.l.google.com.evil.example", None),
    ],
)  # fmt: skip
def test_by_mx(host: str, wanted: str | None) -> None:
    assert id_of(catalog.by_mx(host)) == wanted


def test_gateways_hide_who_is_behind() -> None:
    assert catalog.gateway("mx1.hc123-45.iphmx.com") == "Cisco Secure Email"
    assert catalog.gateway("example-org.mail.pphosted.com.") == "Proofpoint"
    assert catalog.gateway("pphosted.com.evil.example") is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("gmail", ["gmail"]), ("GMAIL.com", ["gmail"]), ("smtp.web.de", ["web-de"]), ("hotmail", ["outlook"]),
        ("google", ["gmail", "google-workspace"]), ("T-Online", ["t-online"]), ("nobody knows", []), ("", []),
    ],
)  # fmt: skip
def test_by_name(text: str, wanted: list[str]) -> None:
    assert [one.id for one in catalog.named(text)] == wanted


def test_historic_and_wrong_names() -> None:
    live = catalog.alias("SMTP.live.com.")
    assert live is not None and (live.treat_as, live.use, live.certainty) == (
        "substitute",
        "smtp-mail.outlook.com",
        "high",
    )
    api = catalog.alias("email.eu-west-1.amazonaws.com")
    assert api is not None and api.use == "email-smtp.eu-west-1.amazonaws.com"
    tenant = catalog.alias("contoso-com.mail.protection.outlook.com")
    assert tenant is not None and (tenant.host, tenant.treat_as) == (
        "contoso-com.mail.protection.outlook.com",
        "explain",
    )
    for other in ("smtp.gmail.com", "mail.protection.outlook.com", "a.b.mail.protection.outlook.com", "email..x", ""):
        assert catalog.alias(other) is None


def test_the_documents_four_and_their_servers() -> None:
    wanted = {
        "gmail.com": ("smtp.gmail.com", [(465, "tls"), (587, "starttls")]),
        "hotmail.com": ("smtp-mail.outlook.com", [(587, "starttls")]),
        "outlook.com": ("smtp-mail.outlook.com", [(587, "starttls")]),
        "yahoo.com": ("smtp.mail.yahoo.com", [(465, "tls"), (587, "starttls")]),
    }
    for domain, (host, ports) in wanted.items():
        provider = catalog.by_domain(domain)
        assert provider is not None
        ways = provider.ways(domain)
        assert {one.host for one in ways} == {host}
        assert [(one.port, one.security) for one in ways] == ports


@pytest.mark.parametrize(
    ("domain", "mx", "host"),
    [
        ("126.com", "", "smtp.126.com"), ("kakao.com", "", "smtp.kakao.com"), ("pec.it", "", "smtps.pec.aruba.it"),
        ("aruba.it", "", "smtps.aruba.it"), ("zohomail.eu", "", "smtp.zoho.eu"), ("zoho.com", "", "smtp.zoho.com"),
        ("own.example", "mx2.zoho.eu", "smtppro.zoho.eu"), ("own.example", "mx.zoho.com", "smtppro.zoho.com"),
        ("own.example", "mx01.ionos.co.uk", "smtp.ionos.co.uk"), ("own.example", "mx00.kundenserver.de", "smtp.ionos.de"),
        ("own.example", "x.mail.protection.partner.outlook.cn", "smtp.partner.outlook.cn"),
        ("own.example", "inbound-smtp.eu-west-1.amazonaws.com", "smtp.mail.eu-west-1.awsapps.com"),
        ("online.de", "", "smtp.ionos.de"), ("telenet.be", "", "smtp.telenet.be"), ("skynet.be", "", "relay.proximus.be"),
    ],
)  # fmt: skip
def test_region_and_account_decide_the_host(domain: str, mx: str, host: str) -> None:
    provider = catalog.by_mx(mx) if mx else catalog.by_domain(domain)
    assert provider is not None and provider.ways(domain, mx)[0].host == host


def test_what_nobody_takes_unasked() -> None:
    for provider in catalog.everything():
        for domain in (*provider.domains, "own.example"):
            ways = provider.ways(domain)
            assert all(one.security in ("tls", "starttls") and one.port != 25 and not one.route for one in ways)
            assert len({one.host for one in ways}) <= 1 and len(ways) <= 3
            assert not any(one.host.startswith("127.") or one.host == "localhost" for one in ways)
    proton = catalog.by_domain("proton.me")
    assert proton is not None and proton.ways("proton.me") == ()


def test_the_name_to_log_in_with() -> None:
    for address, user in (("ada@web.de", "ada"), ("ada@gmail.com", "ada@gmail.com"), ("Ada.L@laposte.net", "Ada.L")):
        provider = catalog.by_domain(Address(address).domain)
        assert provider is not None and provider.user_for(Address(address)) == user


def test_values_and_texts_of_a_row() -> None:
    gmail = catalog.named("gmail")[0]
    assert gmail.title == "Gmail" and gmail.generated_only and gmail.takes_password and gmail.takes_oauth2
    assert gmail.quota is not None and gmail.quota.recipients_per_message == 100
    assert gmail.credentials.shape is not None and gmail.credentials.shape.fits("abcdefghijklmnop")
    assert catalog.row_of(gmail)["id"] == "gmail" and catalog.source(gmail.sources[0]).startswith("Thunderbird")
    assert catalog.compiled() == "2026-11-20"
    outlook, ses = catalog.named("outlook")[0], catalog.named("ses")[0]
    assert not outlook.takes_password and not outlook.takes_address and outlook.closed_ports == (465,)
    assert ses.takes_password and not gmail.credentials.shape.fits("abcd efgh ijkl mnop")
    assert any("DigitalOcean" in block.where and 587 in block.ports for block in catalog.port_blocks())


def test_a_look_up_loads_little() -> None:
    code = (
        "import sys\nfrom mailwright.providers.catalog import by_domain\nby_domain('gmail.com')\n"
        "print([m for m in ('dataclasses', 'inspect', 'typing', 'email', 'asyncio', 'ssl', 'http', 'dns', 'socket',"
        " 'importlib.resources') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
