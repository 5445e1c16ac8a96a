# ruff: noqa: E402
"""A project with Django 6.1's MAILERS: run as a program with the folder, the port of a server, and what to do."""

from __future__ import annotations

import sys
from pathlib import Path

folder, port = Path(sys.argv[1]), int(sys.argv[2])

import django
from django.conf import settings

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "db.sqlite3")}},
    INSTALLED_APPS=[],
    DEFAULT_FROM_EMAIL="ada@example.org",
    MAILERS={
        "default": {"BACKEND": "mailwright.integrations.django.OutboxBackend"},
        "now": {
            "BACKEND": "mailwright.integrations.django.EmailBackend",
            "OPTIONS": {"host": "127.0.0.1", "port": port},
        },
        "url": {
            "BACKEND": "mailwright.integrations.django.EmailBackend",
            "OPTIONS": {"server": f"smtp+plain://127.0.0.1:{port}"},
        },
        "wrong": {"BACKEND": "mailwright.integrations.django.EmailBackend", "OPTIONS": {"hots": "x"}},
    },
)
django.setup()

from django.core.mail import EmailMessage, mailers, send_mail
from django.db import transaction

from mailwright.errors import ConfigError
from mailwright.integrations.django import close_all
from mailwright.outbox import Outbox

Outbox(folder / "db.sqlite3").close()
with transaction.atomic():
    assert send_mail("queued", "x", None, ["bob@example.org"]) == 1
try:
    with transaction.atomic():
        send_mail("rolled back", "x", None, ["bob@example.org"])
        raise ZeroDivisionError
except ZeroDivisionError:
    pass
assert send_mail("now", "x", None, ["bob@example.org"], using="now") == 1
message = EmailMessage("by url", "x", "ada@example.org", ["bob@example.org"])
assert message.send(using="url") == 1 and message.receipt.complete
assert mailers["now"].alias == "now"
try:
    send_mail("never", "x", None, ["bob@example.org"], using="wrong")
except ConfigError as problem:
    assert "host" in str(problem), problem
else:
    raise AssertionError("an option that is none was taken")
with Outbox(folder / "db.sqlite3") as outbox:
    assert outbox.work(f"smtp+plain://127.0.0.1:{port}", once=True).sent == 1
close_all()
print(django.get_version())
