"""MAILWRIGHT_CATCH: everything that would be sent goes to a mail server on this machine instead.

::

    MAILWRIGHT_CATCH=smtp://127.0.0.1:1025                       where `mailwright inbox` listens
    MAILWRIGHT_CATCH_EXCEPT="ada@example.org, *@example.com"     who really gets mail all the same

This is the one place that decides where a connection goes, whatever server the program names. Of that server
nothing is taken over but its time-outs: no login, proxy or client certificate of it is ever used for what is caught.
"""

from __future__ import annotations

import os
import sys

from mailwright.words.errors import AddressError, ConfigError
from mailwright.words.reply import visible
from mailwright.words.secret import Secret
from mailwright.words.server import Server
from mailwright.words.value import replace, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mailwright.mailer.account import Account
    from mailwright.message.mail import MailObject
    from mailwright.words.address import Address

CATCH = "MAILWRIGHT_CATCH"
EXCEPT = "MAILWRIGHT_CATCH_EXCEPT"
_KNOWN = (CATCH, EXCEPT, "MAILWRIGHT_URL", "MAILWRIGHT_CONFIG", "MAILWRIGHT_DEBUG")
_EXAMPLE = "Write it like smtp://127.0.0.1:1025, which is where `mailwright inbox` listens."
#: What in a URL says that smtp:// is meant with its STARTTLS.
_ENCRYPTED = ("user", "ca_file", "pin", "server_name", "certificate", "key")


@value
class Catch:
    """Where caught mail goes, and the addresses (``*@domain``: all of a domain) that are not caught."""

    server: Server
    allowed: frozenset[str] = frozenset()

    def lets_through(self, recipient: Address) -> bool:
        """Whether mail to `recipient` is really sent. Upper and lower case are the same here."""
        return bool(self.allowed) and not self.allowed.isdisjoint((_folded(recipient.spec), f"*@{recipient.domain}"))

    def stands_for(self, server: Server) -> Server:
        """The server to connect to in place of `server`: nothing of that one is used but its time-outs."""
        return replace(self.server, timeouts=server.timeouts)


@value
class Route:
    """The way of a message, or of a part of it: `mail` goes to `server`.

    `diverted` is the server that it was meant for, as text; empty when nothing is caught.
    """

    server: Server
    mail: MailObject
    diverted: str = ""


def divert(server: Server, environ: Mapping[str, str] | None = None) -> Server:
    """The server to connect to in place of `server`: that one itself unless ``MAILWRIGHT_CATCH`` is set.

    For whoever connects without knowing the recipients: nobody is excepted. `environ` is by default the
    environment of this process. Says on standard error, once in a process, what it does. Raises `ConfigError`
    for a variable that can't be meant so, and for a server that is not on this machine.
    """
    catch = catch_in(environ)
    return server if catch is None else _caught(server, catch, "")


def routes_of(mail: MailObject, server: Server, environ: Mapping[str, str] | None = None) -> tuple[Route, ...]:
    """The ways of `mail`, which is meant for `server`: usually one.

    Two, when only some recipients are excepted: first the part that is really sent. Raises `ConfigError`, as
    `divert` does; nothing was connected then.
    """
    catch = catch_in(environ)
    if catch is None:
        return (Route(server, mail),)
    recipients = mail.envelope.recipients
    real = tuple(recipient for recipient in recipients if catch.lets_through(recipient))
    if catch.stands_for(server) == server:
        real = ()  # no other server is configured, so that nothing can really be sent
    if len(real) == len(recipients):
        return (Route(server, mail),)
    instead = _caught(server, catch, f", except for those in {EXCEPT}" if catch.allowed else "")
    if not real:
        return (Route(instead, mail, str(server)),)
    rest = tuple(recipient for recipient in recipients if not catch.lets_through(recipient))
    return (Route(server, mail.readdressed(real)), Route(instead, mail.readdressed(rest), str(server)))


def catches_all(environ: Mapping[str, str] | None = None) -> bool:
    """Whether nothing is really sent, so that nobody needs a password. Raises `ConfigError`."""
    catch = catch_in(environ)
    return catch is not None and not catch.allowed


def catch_in(environ: Mapping[str, str] | None = None) -> Catch | None:
    """What the environment says about catching, or `None`. Raises `ConfigError`."""
    environ = os.environ if environ is None else environ
    ours = [name for name in environ if name.startswith("MAILWRIGHT_")]
    if not ours:  # as nearly always: every message comes by here
        return None
    url, exceptions = (environ.get(name, "").strip() for name in (CATCH, EXCEPT))
    if url:
        return Catch(_server(url), _allowed(exceptions))
    _refuse_misspelt(name for name in ours if environ[name])
    if exceptions:
        raise ConfigError(
            f"{EXCEPT} is set, but {CATCH} is not, so that everybody would really get mail.",
            f"Set {CATCH}=smtp://127.0.0.1:1025 too, or take {EXCEPT} away.",
        )
    return None


def account_in(environ: Mapping[str, str]) -> Account | None:
    """The inbox as the account that counts where no server is configured at all, or `None`. Raises `ConfigError`."""
    from mailwright.mailer.account import Account

    catch = catch_in(environ)
    if catch is None:
        return None
    options = _options(environ[CATCH].strip())
    password = options.pop("password", None)
    return Account(
        CATCH,
        dict(options),
        encrypted="Write smtps:// or smtp://",
        unlocked="Write user:password@ in it.",
        sender=environ.get("SENDER_EMAIL") or None,
        password=Secret(password) if password is not None else None,
    )


def refuse_in_file(variables: Mapping[str, str], path: str) -> None:
    """Refuse a ``.env`` file that sets ``MAILWRIGHT_CATCH``, which would not count there. Raises `ConfigError`."""
    for name in (CATCH, EXCEPT):
        if variables.get(name, "") not in ("", os.environ.get(name)):
            raise ConfigError(
                f"{name} stands in {visible(path, 300)}, but counts in the environment alone, so that mail would "
                "really be sent.",
                f"Export {name} before the program starts.",
            )


def _refuse_misspelt(names: Iterable[str]) -> None:
    """A slip in the name of this variable would send real mail."""
    for name in names:
        if name not in _KNOWN:
            from mailwright.words.options import nearest

            meant = nearest(name, (CATCH, EXCEPT), 0.85)
            if meant:
                raise ConfigError(f"The variable {visible(name, 80)} is not known.", f"Did you mean {meant}?")


def _caught(server: Server, catch: Catch, exceptions: str) -> Server:
    instead = catch.stands_for(server)
    if str(server) == str(instead):
        _say_once(f"{CATCH} is set: mail goes to {visible(str(instead), 300)}{exceptions}")
    else:
        meant, goes = visible(str(server), 300), visible(str(instead), 300)
        _say_once(f"{CATCH} is set: mail for {meant} goes to {goes} instead{exceptions}")
    return instead


def _server(url: str) -> Server:
    """The server of a catch URL, which can't lie outside this machine."""
    from mailwright.words.options import server_from_options

    complaint: ConfigError
    try:
        options = _options(url)
        if "port" not in options and "path" not in options:
            # The usual ports belong to servers that pass mail on.
            raise ConfigError("It names no port.", _EXAMPLE)
        server = server_from_options(options, lambda name: f"the {name} in it")
        if not server.stays_here:
            raise ConfigError(
                "It names a server that is not on this machine, and a mistake there would send real mail.",
                "Name 127.0.0.1, ::1, localhost or a Unix socket, without a proxy; an inbox elsewhere is reached "
                "through a forwarded port (ssh -L).",
            )
        return server
    except ConfigError as problem:
        complaint = ConfigError(f"{CATCH}: {problem.what}", problem.advice)
    del url
    raise complaint


def _options(url: str) -> dict[str, str]:
    """The options of a catch URL, in which smtp:// alone means the plain SMTP of a local inbox."""
    from mailwright.words.url import options_from_url

    options = options_from_url(url)
    if options.get("security") == "starttls" and not any(name in options for name in _ENCRYPTED):
        options["security"] = "none"
    return options


def _allowed(text: str) -> frozenset[str]:
    from mailwright.words.address import Address

    found = set()
    for number, item in enumerate(text.split(","), 1):
        pattern = item.strip()
        if not pattern:
            continue
        everybody = pattern.startswith("*@")
        try:
            address = Address.parse(f"x{pattern[1:]}" if everybody else pattern)
        except AddressError:
            raise ConfigError(
                f"{EXCEPT}: entry {number} is neither an address nor all of a domain.",
                "Write it like ada@example.org, *@example.com.",
            ) from None
        found.add(f"*@{address.domain}" if everybody else _folded(address.spec))
    return frozenset(found)


def _folded(spec: str) -> str:
    # Letters of other scripts may become those of ASCII (“K”, the sign for kelvin), and so another mailbox.
    return spec.lower() if spec.isascii() else spec


_unsaid = [True]  # emptied by whoever says it: a list loses an element only once, whatever threads do


def _say_once(what: str) -> None:
    try:
        _unsaid.pop()
    except IndexError:
        return
    line = f"mailwright: {what}\n"
    try:
        number = sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        number = -1  # there is none, or a program put something of its own in its place
    try:
        if number < 0:
            sys.stderr.write(line)
        else:
            # Not into the buffer: what could not be written there makes the interpreter's own exit code a failure.
            os.write(number, line.encode("utf-8", "replace"))
    except (AttributeError, OSError, ValueError):
        pass  # nobody listens there; the receipt says it too
