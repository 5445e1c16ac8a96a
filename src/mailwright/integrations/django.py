"""Django's e-mail backends: `EmailBackend` sends at once, `OutboxBackend` puts into the outbox in Django's database.

::

    EMAIL_BACKEND = "mailwright.integrations.django.OutboxBackend"

    MAILERS = {"default": {"BACKEND": "mailwright.integrations.django.OutboxBackend"}}  # Django 6.1 and newer

With `OutboxBackend`, ``send_mail`` inside ``transaction.atomic()`` is part of that transaction: the mail is there when
it is committed and not when it is rolled back. ``mailwright outbox work`` delivers it. Django itself is imported when a
backend is used.
"""

from __future__ import annotations

import atexit
import threading
from urllib.parse import quote

from mailwright.mailer.settings import resolve
from mailwright.mailer.sync import Mailer
from mailwright.words.envelope import Envelope
from mailwright.words.errors import ConfigError, MailError, OutboxUnavailable
from mailwright.words.options import did_you_mean
from mailwright.words.server import Login, Server
from mailwright.words.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Any, TypeVar

    from mailwright.outbox.outbox import Outbox
    from mailwright.words.server import Security

    T = TypeVar("T")

#: What OPTIONS may hold: our names, and those of Django's own SMTP backend.
OPTIONS = ("server", "account", "host", "port", "username", "password", "use_tls", "use_ssl", "timeout")
QUEUE_OPTIONS = ("database", "outbox")

_kept: dict[Any, Any] = {}
_lock = threading.Lock()


def _shared(key: Any, make: Callable[[], T]) -> T:
    """One thing for all backends of this process: Django makes a backend for every message."""
    with _lock:
        if key not in _kept:
            _kept[key] = make()
            if len(_kept) == 1:
                atexit.register(close_all)
        found: T = _kept[key]
        return found


def close_all() -> None:
    """Close the connections that the backends of this process keep. They are opened again when they are needed."""
    with _lock:
        kept = list(_kept.values())
        _kept.clear()
    for one in kept:
        one.close()


class _Backend:
    """What Django asks of a backend, without its base class, so that nothing of Django is needed to load this."""

    known: tuple[str, ...] = ()

    def __init__(self, fail_silently: bool = False, *, alias: str | None = None, **options: Any) -> None:
        self.fail_silently, self.alias = fail_silently, alias
        strange = [name for name in options if name not in self.known]
        if strange:
            raise ConfigError(
                f"{type(self).__name__} has no option {strange[0][:60]!r}.", did_you_mean(strange[0], self.known)
            )
        self.options = {name: given for name, given in options.items() if given is not None}

    def open(self) -> bool:
        """Nothing: connections are opened when they are needed, and kept."""
        return False

    def close(self) -> None:
        """Nothing: connections are shared by all of this process; `close_all` closes them."""

    def __enter__(self) -> Any:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()


class EmailBackend(_Backend):
    """Sends at once, over connections that are kept, with verified TLS.

    `server`: a URL or `Server`; or `account`: one of config.toml; or `host`, `port`, `username`, `password`, `use_tls`,
    `use_ssl`, `timeout` as for Django's own SMTP backend. Without any, Django's ``EMAIL_HOST`` and its kin count where
    they are set, else what `mailwright config` shows. A message that was sent has its receipt as ``message.receipt``.
    """

    known = OPTIONS

    def send_messages(self, email_messages: Sequence[Any]) -> int:
        """Send them. When some fail the others are sent all the same, and then the first error is raised."""
        messages = [one for one in email_messages or () if one.recipients()]
        if not messages:
            return 0
        try:
            server = self._server()
            mailer = _shared(("mailer", repr(server), _secret_of(server)), lambda: Mailer(server))
            return self._sent(mailer, messages)
        except MailError:
            if not self.fail_silently:
                raise
            return 0

    def _sent(self, mailer: Mailer, messages: list[Any]) -> int:
        if len(messages) == 1:
            messages[0].receipt = mailer.send(sendable(messages[0]))
            return 1
        count, first = 0, None
        for receipt in mailer.send_many(map(sendable, messages)):
            messages[receipt.number].receipt = receipt
            error = receipt.error or (None if receipt.complete else _partly(receipt))
            count += error is None
            first = first or error
        if first is not None and not self.fail_silently:
            raise first
        return count

    def _server(self) -> Server:
        """The server that the options name, or Django's settings, or ours. Raises `ConfigError`."""
        given = dict(self.options)
        if not {"server", "account", "host"} & set(given):
            given = _of_django() | given
        if "server" in given or "account" in given:
            server = resolve(server=given.get("server"), account=given.get("account")).for_mail
        elif "host" in given:
            return _by_pieces(given)
        else:
            server = resolve().for_mail
        if given.get("username"):
            server = replace(server, login=Login(given["username"], given.get("password") or None))
        return server


class OutboxBackend(_Backend):
    """Puts messages into the outbox. `send_messages` returns when they are part of Django's transaction, or on the disk
    if there is none.

    `database`: the alias of the Django database that holds the outbox, ``"default"`` if not given. `outbox`: a URL of
    another one in its place, which then is no part of Django's transaction. What `Outbox.put` takes beside the message
    may stand in a dictionary ``message.outbox``: ``{"key": "order-42-receipt", "lane": "urgent"}``. A message that was
    put has its id as ``message.outbox_id``.
    """

    #: `username` and `password` are what ``send_mail`` passes to every backend; it is the worker that logs in.
    known = (*QUEUE_OPTIONS, "username", "password")

    def send_messages(self, email_messages: Sequence[Any]) -> int:
        """Put them in. The first that can't be put raises, and is not there; what stood before it is."""
        count = 0
        for one in email_messages or ():
            if not one.recipients():
                continue
            try:
                self._put(one)
                count += 1
            except MailError:
                if not self.fail_silently:
                    raise
        return count

    def _put(self, message: Any) -> None:
        extras = dict(getattr(message, "outbox", None) or {})
        if "outbox" in self.options:
            outbox, connection = opened(self.options["outbox"]), None
        else:
            alias = self.options.get("database", "default")
            connection = _connection(alias)
            outbox = _opened_beside(connection, url_of_database(alias))
        try:
            message.outbox_id = outbox.put(sendable(message), connection=connection, **extras)
        except TypeError as problem:
            if not extras:
                raise
            raise ConfigError(f"message.outbox has what put() does not take: {problem}.", "See Outbox.put.") from None


def opened(url: str) -> Outbox:
    """The outbox at `url`, opened once in this process. Raises `OutboxUnavailable`."""
    from mailwright.outbox.outbox import Outbox

    return _shared(("outbox", url), lambda: Outbox(url))


def _opened_beside(connection: Any, url: str) -> Outbox:
    """The outbox in Django's database. Where Django's own transaction keeps it from being made, that is said."""
    try:
        return opened(url)
    except OutboxUnavailable as problem:
        if not connection.in_atomic_block:
            raise
        advice = (
            "If it has no tables yet, make them when you deploy, before any transaction: mailwright outbox migrate."
        )
        raise OutboxUnavailable(problem.what, advice) from problem


def sendable(message: Any) -> tuple[Envelope, bytes]:
    """A message of Django as the mailers and the outbox take it. A Date and a Message-ID that Django made are left out,
    for they are made again, once for all attempts. Raises `MessageError`.
    """
    made = message.message()
    own = {name.lower() for name in message.extra_headers}
    for name in ("Date", "Message-ID"):
        if name.lower() not in own:
            del made[name]
    sender = str(message.from_email)
    return Envelope.of(sender, [str(one) for one in message.recipients()]), made.as_bytes()


def url_of_database(alias: str = "default") -> str:
    """The outbox's URL for a database of Django's settings, as MAILWRIGHT_OUTBOX takes it too. It holds the password,
    if the settings do. Raises `ConfigError`.
    """
    settings = _connection(alias).settings_dict
    engine = settings["ENGINE"].rpartition(".")[2]
    if engine in ("sqlite3", "spatialite"):
        return f"sqlite:///{quote(str(settings['NAME']), safe='/:')}"
    if engine not in ("postgresql", "postgis"):
        raise ConfigError(
            f"An outbox can't be kept in a database of the engine {engine[:60]!r}.",
            "Use SQLite or PostgreSQL, or name another database by the option outbox.",
        )
    user, password, port = (quote(str(settings[name] or ""), safe="") for name in ("USER", "PASSWORD", "PORT"))
    host = str(settings["HOST"] or "")
    host = quote(host, safe="") if host.startswith("/") else host  # a folder of Unix sockets
    login = f"{user}:{password}@" if password else f"{user}@" if user else ""
    place = f"{host}:{port}" if port else host
    return f"postgresql://{login}{place}/{quote(str(settings['NAME']), safe='')}"


def _connection(alias: str) -> Any:
    from django.db import connections  # type: ignore[import-untyped]

    return connections[alias]


def _of_django() -> dict[str, Any]:
    """The server in Django's settings of old, as far as they are set; nothing where MAILERS takes their place."""
    from django.conf import settings  # type: ignore[import-untyped]

    if hasattr(settings, "MAILERS") or not settings.is_overridden("EMAIL_HOST"):
        return {}
    names = {
        "host": "HOST", "port": "PORT", "username": "HOST_USER", "password": "HOST_PASSWORD", "use_tls": "USE_TLS",
        "use_ssl": "USE_SSL", "timeout": "TIMEOUT",
    }  # fmt: skip
    return {name: found for name, one in names.items() if (found := getattr(settings, f"EMAIL_{one}"))}


def _by_pieces(given: dict[str, Any]) -> Server:
    """A server from the options of Django's own backend."""
    if given.get("use_tls") and given.get("use_ssl"):
        raise ConfigError("use_tls and use_ssl are both set.", "Use use_ssl for port 465, and use_tls for 587.")
    security: Security = "tls" if given.get("use_ssl") else "starttls" if given.get("use_tls") else "none"
    port = given.get("port") or {"tls": 465, "starttls": 587, "none": 25}[security]
    login = Login(given["username"], given.get("password") or None) if given.get("username") else None
    server = Server(given["host"], int(port), security=security, login=login)
    if given.get("timeout"):
        server = replace(server, timeouts=replace(server.timeouts, total=float(given["timeout"])))
    return resolve(server=server).for_mail


def _secret_of(server: Server) -> str:
    """The password in a form that tells two logins apart and is no password."""
    from hashlib import sha256

    password = server.login.password if server.login is not None else None
    return (
        sha256(password.reveal().encode()).hexdigest() if password is not None and hasattr(password, "reveal") else ""
    )


def _partly(receipt: Any) -> MailError:
    """The error for a message that some recipients did not get."""
    from mailwright.words.errors import RecipientsRefused

    return RecipientsRefused(
        f"{len(receipt.refused)} of {len(receipt.outcomes)} recipients were refused.",
        "See message.receipt for each of them.",
        receipt=receipt,
    )


__all__ = ["EmailBackend", "OutboxBackend", "close_all", "opened", "sendable", "url_of_database"]
