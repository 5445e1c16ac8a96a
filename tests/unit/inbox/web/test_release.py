"""Release: the very octets, to those who are allowed, and to nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailwright.inbox import Inbox
from mailwright.inbox.web.release import Release
from mailwright.words.address import Address
from mailwright.words.errors import ConfigError
from tests.unit.inbox.web.asking import opened


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):  # type: ignore[no-untyped-def]
    """A server that stands for the world, and settings that lead there."""
    for name in ("MAILWRIGHT_CATCH", "SMTP_HOST", "SENDER_EMAIL", "EMAIL_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    with Inbox(login=("ada", "secret of the account")) as world:
        monkeypatch.setenv("MAILWRIGHT_URL", world.url)
        yield world


EIGHT_BIT = "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nX-Odd:  two  blanks \r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGrüße\r\n.\r\n..\r\n".encode()


def test_the_octets_arrive_as_they_were(outside: Inbox) -> None:
    with opened(release=Release("Ada@Example.org, *@example.net")) as client:
        for id, content in enumerate(
            (EIGHT_BIT, b"no header\r\n", b"\r\n", b"Bcc: eve@example.org\r\nDKIM-Signature: v=1\r\n\r\nx\r\n"), 1
        ):
            client.deliver(content, ["ada@example.org"], "sender@example.com")
            answer = client.api(f"/messages/{id}/release", "POST", {"to": ["ADA@example.org", "x@example.net"]})
            assert answer.status == 200, answer
            assert answer.json["recipients"][1] == {
                "address": "x@example.net",
                "fate": "accepted",
                "reply": answer.json["recipients"][1]["reply"],
            }
            there = outside.messages[-1]
            assert there.content == client.inbox.messages[-1].content
            assert there.envelope.reverse_path == "sender@example.com"
            assert [one.spec for one in there.recipients] == ["ADA@example.org", "x@example.net"]


def test_by_default_it_goes_to_whom_it_was_meant_for(outside: Inbox) -> None:
    with opened(release=Release("ada@example.org")) as client:
        client.deliver(to=["ada@example.org"])
        assert client.api("/messages/1/release", "POST").status == 200
        assert client.form("/m/1/release", {"to": "ada@example.org"}).text.startswith("accepted by")
        assert len(outside.messages) == 2


@pytest.mark.parametrize(
    "to", [["eve@example.org"], ["ada@example.org", "eve@example.org"], ["ada@example.org.evil.example"], ["x@sub.example.net"], ["*@example.org"], ["ada@example.org>\r\nRCPT TO:<eve@example.org"],
           ["ada@example.org\r\nDATA"], [""], [1], ["ada@example.org, eve@example.org"], ["x@example.net"] * 51, ["\u212ada@example.org"], ["ADA\u0000@example.org"]],
    ids=lambda to: repr(to)[:40],
)  # fmt: skip
def test_nobody_else_gets_anything(to: list[str], outside: Inbox) -> None:
    with opened(release=Release("ada@example.org, *@example.net, kda@example.org")) as client:
        client.deliver()
        answer = client.api("/messages/1/release", "POST", {"to": to})
        assert answer.status in (400, 403) and answer.json["error"]["what"]
        assert client.api("/messages/1/release", "POST").status == 403  # bob is not on the list
    assert outside.messages == ()


def test_what_the_server_says_is_told(outside: Inbox) -> None:
    with opened(release=Release("ada@example.org")) as client:
        client.deliver()
        with outside.faults.recipient_refused():
            answer = client.api("/messages/1/release", "POST", {"to": ["ada@example.org"]})
        assert answer.status == 502
        outside.close()
        assert client.api("/messages/1/release", "POST", {"to": ["ada@example.org"]}).status == 502


@pytest.mark.parametrize(
    "allowed",
    ["", " , ", "*", "*@", "ada", "*@*", "@example.org", "a*@example.org", "ada@example.org; eve@example.org"],
)
def test_lists_that_can_not_be_meant(allowed: str, outside: Inbox) -> None:
    with pytest.raises(ConfigError):
        Release(allowed)


def test_it_does_not_send_in_circles(outside: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILWRIGHT_CATCH", "smtp://127.0.0.1:1025")
    with pytest.raises(ConfigError, match="MAILWRIGHT_CATCH"):
        Release("ada@example.org")


def test_the_list_means_addresses_and_whole_domains(outside: Inbox) -> None:
    release = Release(" Ada@Example.org ,*@EXAMPLE.net")
    for text, allowed in (
        ("ada@example.org", True),
        ("ADA@EXAMPLE.ORG", True),
        ("x@example.net", True),
        ("x@sub.example.net", False),
        ("bda@example.org", False),
    ):
        assert release.allows(Address.parse(text)) is allowed


def test_the_account_stays_secret(outside: Inbox) -> None:
    with opened(release=Release("ada@example.org")) as client:
        client.deliver()
        pages = [client.ask(path).text for path in ("/", "/m/1", "/api", "/api/v1/about")]
        pages.append(client.api("/messages/1/release", "POST", {"to": ["eve@example.org"]}).text)
        assert not any("secret of the account" in page for page in pages)
