"""Django's e-mail backends, over Django's own functions: `mailwright.integrations.django`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMessage, EmailMultiAlternatives, get_connection, send_mail, send_mass_mail
from django.db import connection, transaction

from mailwright import Inbox
from mailwright.errors import ConfigError, KeyReused, MailError, OutboxUnavailable, RecipientsRefused
from mailwright.integrations.django import EmailBackend, OutboxBackend, url_of_database
from mailwright.outbox import Outbox
from tests.unit.cli.running import surroundings

DIRECT = "mailwright.integrations.django.EmailBackend"
QUEUED = "mailwright.integrations.django.OutboxBackend"


def url(inbox: Inbox) -> str:
    return f"smtp+plain://{inbox.server.host}:{inbox.server.port}"


# At once


def test_send_mail_sends(project: Path, inbox: Inbox, configured: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(EMAIL_BACKEND=DIRECT)
    monkeypatch.setenv("MAILWRIGHT_URL", url(inbox))
    assert send_mail("Grüße", "Hallo", None, ["bob@example.org"], html_message="<p>Hallo</p>") == 1
    (received,) = inbox.messages
    assert received.subject == "Grüße" and received.sender is not None
    assert received.sender.spec == "ada@example.org"
    assert received.message.html is not None and received.message.text.strip() == "Hallo"
    assert received.content.count(b"\r\nMessage-ID:") == received.content.count(b"\r\nDate:") == 1


def test_the_settings_of_djangos_own_backend_are_enough(project: Path, inbox: Inbox, configured: Any) -> None:
    configured(EMAIL_BACKEND=DIRECT, EMAIL_HOST=inbox.server.host, EMAIL_PORT=inbox.server.port)
    message = EmailMessage(
        "Hi", "there", "ada@example.org", ["bob@example.org"], bcc=["eve@example.org"], cc=["c@example.org"]
    )
    message.attach("a.txt", "attached", "text/plain")
    assert message.send() == 1
    (received,) = inbox.messages
    assert {one.spec for one in received.recipients} == {"bob@example.org", "eve@example.org", "c@example.org"}
    assert b"eve@" not in received.content and b"a.txt" in received.content
    assert message.receipt.complete


def test_a_login_that_send_mail_gives(project: Path, configured: Any) -> None:
    with Inbox(login=("ada@example.org", "correct horse")) as inbox:
        configured(EMAIL_BACKEND=DIRECT)
        backend = get_connection(DIRECT, server=inbox.server)
        assert EmailMessage("Hi", "x", "ada@example.org", ["bob@example.org"], connection=backend).send() == 1
        assert len(inbox.messages) == 1


def test_many_go_over_one_connection_and_each_has_its_receipt(project: Path, inbox: Inbox, configured: Any) -> None:
    configured(EMAIL_BACKEND=DIRECT, EMAIL_HOST=inbox.server.host, EMAIL_PORT=inbox.server.port)
    assert send_mass_mail([("Hi", "x", "ada@example.org", [f"r{n}@example.org"]) for n in range(20)]) == 20
    messages = [
        EmailMessage("Hi", "x", "ada@example.org", [to])
        for to in ("a@example.org", "nobody@example.net", "b@example.org")
    ]
    with pytest.raises(RecipientsRefused):
        get_connection().send_messages(messages)
    assert [message.receipt.complete for message in messages] == [True, False, True]
    assert len(inbox.messages) == 22
    assert get_connection(fail_silently=True).send_messages(messages) == 2


def test_a_refused_recipient_is_an_error_unless_silence_is_asked_for(
    project: Path, inbox: Inbox, configured: Any
) -> None:
    configured(EMAIL_BACKEND=DIRECT, EMAIL_HOST=inbox.server.host, EMAIL_PORT=inbox.server.port)
    with pytest.raises(RecipientsRefused):
        send_mail("Hi", "x", None, ["nobody@example.net"])
    assert send_mail("Hi", "x", None, ["nobody@example.net"], fail_silently=True) == 0
    assert send_mail("Hi", "x", None, []) == 0


def test_nothing_goes_without_encryption_because_nobody_said_so(project: Path, configured: Any) -> None:
    configured(
        EMAIL_BACKEND=DIRECT, EMAIL_HOST="mail.example.invalid", EMAIL_HOST_USER="ada", EMAIL_HOST_PASSWORD="secret"
    )
    with pytest.raises(MailError) as caught:
        send_mail("Hi", "x", None, ["bob@example.org"])
    assert isinstance(caught.value, ConfigError) and "secret" not in str(caught.value)


def test_options_that_are_none(project: Path) -> None:
    with pytest.raises(ConfigError, match=r"account"):
        EmailBackend(acount="work")
    with pytest.raises(ConfigError, match="use_ssl"):
        EmailBackend(host="x", use_tls=True, use_ssl=True).send_messages(
            [EmailMessage("a", "b", "c@d.org", ["e@f.org"])]
        )
    with pytest.raises(ConfigError):
        OutboxBackend(host="x")


@pytest.mark.parametrize("bad", ["bob@example.org\r\nRCPT TO:<eve@example.org>", "bob@exa mple.org"])
def test_what_is_no_address_leaves_nothing(project: Path, inbox: Inbox, configured: Any, bad: str) -> None:
    configured(EMAIL_BACKEND=DIRECT, EMAIL_HOST=inbox.server.host, EMAIL_PORT=inbox.server.port)
    with pytest.raises((MailError, ValueError)):
        EmailMessage("Hi", "x", "ada@example.org", [bad]).send()
    assert inbox.messages == ()


# Through the outbox


def order(number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO orders VALUES (%s)", [number])


def orders() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT number FROM orders ORDER BY number")
        return [number for (number,) in cursor.fetchall()]


def test_mail_and_order_are_committed_together(project: Path, inbox: Inbox, configured: Any) -> None:
    configured(EMAIL_BACKEND=QUEUED)
    Outbox(project).close()
    with transaction.atomic():
        order(1)
        assert send_mail("Order 1", "Thanks", None, ["bob@example.org"]) == 1
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        order(2)
        send_mail("Order 2", "Thanks", None, ["bob@example.org"])
        1 / 0  # noqa: B018
    with Outbox(project) as outbox:
        assert orders() == [1] and [one.state.name for one in outbox.find()] == ["queued"]
        assert outbox.work(url(inbox), once=True).sent == 1
    assert [received.subject for received in inbox.messages] == ["Order 1"]


def test_a_savepoint_that_is_rolled_back_takes_the_mail_with_it(project: Path, configured: Any) -> None:
    configured(EMAIL_BACKEND=QUEUED)
    Outbox(project).close()
    with transaction.atomic():
        order(1)
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            send_mail("Order 1", "Thanks", None, ["bob@example.org"])
            1 / 0  # noqa: B018
        send_mail("Order 1, again", "Thanks", None, ["bob@example.org"])
    with Outbox(project) as outbox:
        assert orders() == [1] and len(list(outbox.find())) == 1


def test_tables_are_not_made_inside_a_transaction_that_writes(project: Path, configured: Any) -> None:
    configured(EMAIL_BACKEND=QUEUED)
    with pytest.raises(OutboxUnavailable, match="mailwright outbox migrate"), transaction.atomic():
        order(1)
        send_mail("Order 1", "Thanks", None, ["bob@example.org"])
    assert orders() == []


def test_without_a_transaction_it_is_on_the_disk_when_it_returns(project: Path, configured: Any) -> None:
    configured(EMAIL_BACKEND=QUEUED)
    message = EmailMultiAlternatives("Hi", "there", "ada@example.org", ["bob@example.org"])
    assert message.send() == 1
    with Outbox(project) as outbox:
        assert outbox.status(message.outbox_id).deliveries[0].address == "bob@example.org"


def test_options_of_a_message(project: Path, configured: Any) -> None:
    configured(EMAIL_BACKEND=QUEUED)

    def receipt(text: str = "Thanks") -> EmailMultiAlternatives:
        message = EmailMultiAlternatives("Order 42", text, "ada@example.org", ["bob@example.org"])
        message.attach_alternative(f"<p>{text}</p>", "text/html")
        message.outbox = {"key": "order-42-receipt", "lane": "urgent"}
        message.send()
        return message

    first, second = receipt(), receipt()
    assert first.outbox_id == second.outbox_id
    with pytest.raises(KeyReused):
        receipt("Other words")
    with Outbox(project) as outbox:
        (one,) = outbox.find()
        assert one.lane == "urgent"
    strange = EmailMessage("Hi", "x", "ada@example.org", ["bob@example.org"])
    strange.outbox = {"colour": "red"}
    with pytest.raises(ConfigError, match="colour"):
        strange.send()


def test_another_outbox_is_no_part_of_the_transaction(project: Path, tmp_path: Path) -> None:
    other = str(tmp_path / "other.db")
    backend = get_connection(QUEUED, outbox=other)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        backend.send_messages([EmailMessage("Hi", "x", "ada@example.org", ["bob@example.org"])])
        1 / 0  # noqa: B018
    with Outbox(other) as outbox:
        assert len(list(outbox.find())) == 1


def test_one_bad_message_does_not_undo_the_others(project: Path, configured: Any) -> None:
    configured(EMAIL_BACKEND=QUEUED)
    Outbox(project).close()
    messages = [EmailMessage("Hi", "x", "ada@example.org", [to]) for to in ("a@example.org", "b@", "c@example.org")]
    with transaction.atomic():
        order(1)
        assert get_connection(fail_silently=True).send_messages(messages) == 2
    with Outbox(project) as outbox:
        assert {one.address for one in outbox.find()} == {"a@example.org", "c@example.org"}
    assert orders() == [1]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"ENGINE": "django.db.backends.sqlite3", "NAME": "/srv/my db.sqlite3"}, "sqlite:////srv/my%20db.sqlite3"),
        ({"ENGINE": "django.db.backends.postgresql", "NAME": "app"}, "postgresql:///app"),
        (
            {"ENGINE": "django.contrib.gis.db.backends.postgis", "NAME": "a/b", "USER": "ada", "PASSWORD": "p@ss/1", "HOST": "db.example.org", "PORT": 5433},
            "postgresql://ada:p%40ss%2F1@db.example.org:5433/a%2Fb",
        ),
        ({"ENGINE": "django.db.backends.postgresql", "NAME": "app", "HOST": "/run/pg", "USER": "app"}, "postgresql://app@%2Frun%2Fpg/app"),
    ],
)  # fmt: skip
def test_djangos_database_as_a_url(
    project: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], expected: str
) -> None:
    whole = {"USER": "", "PASSWORD": "", "HOST": "", "PORT": "", **settings}
    for name, text in whole.items():
        monkeypatch.setitem(connection.settings_dict, name, text)
    assert url_of_database() == expected


def test_a_database_that_holds_no_outbox(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "ENGINE", "django.db.backends.mysql")
    with pytest.raises(ConfigError, match="mysql"):
        url_of_database()


def test_djangos_tests_catch_mail_as_ever(project: Path, configured: Any) -> None:
    configured(EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend")
    send_mail("Hi", "x", None, ["bob@example.org"])
    assert [message.subject for message in mail.outbox] == ["Hi"]


def test_the_module_loads_without_django() -> None:
    code = "import sys; sys.modules['django'] = None; import mailwright.integrations.django as m; m.EmailBackend()"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_in_a_project_over_postgresql(postgres_url: str) -> None:
    root = Path(__file__).resolve().parents[3]
    with Inbox(tls=False) as inbox:
        done = subprocess.run(
            [sys.executable, "-W", "error", Path(__file__).with_name("postgres_project.py"), postgres_url, str(inbox.server.port)],
            env=surroundings(PYTHONPATH=str(root / "src")), capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert sorted(received.subject for received in inbox.messages) == ["Order 1", "at once"]
