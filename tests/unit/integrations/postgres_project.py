# ruff: noqa: E402
"""A project over PostgreSQL: run as a program with the parts of the database's address and the port of a server."""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

where, port = urlsplit(sys.argv[1]), int(sys.argv[2])

import django
from django.conf import settings

settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": where.path[1:], "USER": where.username, "HOST": where.hostname, "PORT": where.port,
        },
    },
    INSTALLED_APPS=[],
    DEFAULT_FROM_EMAIL="ada@example.org",
    EMAIL_BACKEND="mailwright.integrations.django.OutboxBackend",
)  # fmt: skip
django.setup()

from django.core.mail import send_mail
from django.db import connection, transaction

from mailwright.integrations.django import close_all, url_of_database
from mailwright.outbox import Outbox

with connection.cursor() as cursor:
    cursor.execute("CREATE TABLE orders (number int)")
with transaction.atomic():  # the outbox is opened here for the first time: its tables are made beside
    connection.cursor().execute("INSERT INTO orders VALUES (1)")
    assert send_mail("Order 1", "x", None, ["bob@example.org"]) == 1
    try:
        with transaction.atomic():
            send_mail("taken back", "x", None, ["bob@example.org"])
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
try:
    with transaction.atomic():
        connection.cursor().execute("INSERT INTO orders VALUES (2)")
        send_mail("Order 2", "x", None, ["bob@example.org"])
        raise ZeroDivisionError
except ZeroDivisionError:
    pass
send_mail("at once", "x", None, ["bob@example.org"])
with Outbox(url_of_database()) as outbox:
    assert outbox.work(f"smtp+plain://127.0.0.1:{port}", once=True).sent == 2
close_all()
