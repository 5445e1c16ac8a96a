"""Mistakes that can be seen before anything is connected, and put right or refused with the reason.

Values in, values out. What is put right is said in a remark, which whoever connects shows as a `MailWarning`: a warning
and not a line in a log, since whoever needs it most has set up no logging, and since a program can turn it into an
error or off by its category.
"""

from __future__ import annotations

from mailwright.providers import catalog
from mailwright.providers.placeholders import is_address_of_tutorials, is_password_of_tutorials
from mailwright.providers.provider import Endpoint, Provider
from mailwright.words.errors import ConfigError, MessageError
from mailwright.words.reply import visible
from mailwright.words.value import replace, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from mailwright.words.server import Server

SPOKEN = {"tls": "TLS from the first byte", "starttls": "STARTTLS", "none": "plain text"}
#: What is between the groups of a generated password: blanks, also such as web pages use, and marks without a width.
_GROUPING = "\u200b\u200c\u200d\u2060\ufeff"
MEGABYTE = 1024 * 1024  # octets; the larger reading of a published number, so as not to refuse in error
GROWTH = 1.37  # of an attachment in base64: some providers count before it and some behind it
#: Where the user name is an address of the provider itself.
_MAILBOXES = ("mailbox", "isp")


class MailWarning(UserWarning):
    """Something was put right, or looks wrong, and mail is sent all the same."""


@value
class Prepared:
    """A `server` that is right as far as is known, whose `provider` that is, which options the provider decided, and
    what there is to say about it.
    """

    server: Server
    provider: Provider | None
    decided: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def prepared(server: Server, said: Collection[str] = ("port", "security")) -> Prepared:
    """`server` with the right host, port and security where the provider data knows them, and with the other right way
    as an alternative. `said` are those of ``port`` and ``security`` that somebody chose; the rest is the provider's.

    Neither a credential nor anything else goes to a host that nobody named. Raises `ConfigError`.
    """
    user = server.login.user if server.login else ""
    right, remarks = _right_host(server, user)
    provider = catalog.by_host(right.host, user)
    if provider is None:
        _refuse_domain(right)
        return Prepared(right, None, ("host",) if right.host != server.host else (), remarks)
    check_user(provider, right)
    way, remark = _right_way(provider, right, said)
    if remark:
        remarks += (remark,)
    if way is None:
        return Prepared(right, provider, ("host",) if remarks else (), remarks)
    done = replace(right, host=way.host, port=way.port, security=way.security)
    if not done.alternatives and way.plain:
        others = provider.beside(way)[1:]
        done = replace(done, alternatives=tuple((one.host, one.port, one.security) for one in others))
    before = {"host": server.host, "port": server.port, "security": server.security}
    decided = tuple(option for option, was in before.items() if getattr(done, option) != was)
    decided += tuple(option for option in ("port", "security") if option not in (*said, *decided))
    return Prepared(done, provider, decided, remarks)


def _right_host(server: Server, user: str) -> tuple[Server, tuple[str, ...]]:
    """The server with a historic or wrong host name replaced."""
    alias = catalog.alias(server.host)
    if alias is None or alias.treat_as == "equivalent":
        return server, ()
    if alias.treat_as == "explain":
        if server.login is None and alias.use:  # it takes mail, only not from who logs in
            return server, ()
        advice = f"Use {alias.use}." if alias.use else "mailwright providers NAME tells what there is instead."
        raise ConfigError(f"{server.host} is not a server to send through: {alias.why}", advice)
    use = alias.use
    mine = catalog.by_domain(user.rpartition("@")[2]) if "@" in user else None
    if mine is not None and any(one.host == use for one in mine.endpoints):
        use = next((one.host for one in mine.ways(user.rpartition("@")[2])), use)
    if alias.certainty == "low":
        raise ConfigError(f"{server.host} is probably not the server to send through. {alias.why}", f"Is {use} meant?")
    return replace(server, host=use), (f"{server.host} is not the server to send through: {alias.why} Using {use}.",)


def _refuse_domain(server: Server) -> None:
    """A domain of addresses, written where a server belongs."""
    provider = catalog.by_domain(server.host)
    if provider is None or provider.kind in ("local", "testing"):
        return
    ways = provider.ways(server.host)
    advice = f"Use {ways[0].host}." if ways else f"See mailwright providers {provider.id}."
    raise ConfigError(f"{server.host} stands behind the @ of addresses; it is not the server to send through.", advice)


def _right_way(provider: Provider, server: Server, said: Collection[str]) -> tuple[Endpoint | None, str]:
    """The endpoint that was meant, and what was wrong with how it was named; none where the data can't tell."""
    # One without encryption is never an answer: nobody is led there who did not say so.
    here = [one for one in provider.endpoints if one.host == server.host and one.security != "none"]
    plain = [one for one in here if one.plain]
    usual = next((one for one in plain if one.preferred), next(iter(plain), None))
    if "port" not in said:
        if "security" not in said:
            return usual, ""
        fitting = next((one for one in plain if one.security == server.security), None)
        if fitting is not None or usual is None or provider.certainty.smtp == "low":
            return fitting, ""
        return usual, f"{server.host} offers no {SPOKEN[server.security]}. Using {_spoken(usual)}."
    there = next((one for one in here if one.port == server.port), None)
    if there is not None:
        if there.security == server.security or "security" not in said:
            return there, ""
        if provider.certainty.smtp == "low":
            return None, ""
        return there, (
            f"{server.host} speaks {SPOKEN[there.security]} on port {there.port}, not {SPOKEN[server.security]}. "
            f"Using {_spoken(there)}."
        )
    if server.port in provider.closed_ports and usual is not None:
        return usual, f"{server.host} does not answer on port {server.port}. Using {_spoken(usual)}."
    return None, ""


def _spoken(way: Endpoint) -> str:
    return f"port {way.port} with {SPOKEN[way.security]}"


def check_user(provider: Provider, server: Server) -> None:
    """Refuse a login that can't succeed, as far as the user name tells. Raises `ConfigError`."""
    login = server.login
    if login is None or not login.user:
        return
    user = login.user
    if is_address_of_tutorials(user):
        what = f"The user {visible(user, 80)} is a placeholder from an example."
        raise ConfigError(what, f"Write the address that you have at {provider.title}.")
    if login.token is not None or login.mechanism == "EXTERNAL":
        return
    if not provider.takes_password and provider.takes_oauth2 and provider.certainty.auth == "high":
        raise oauth2_only(provider, user)
    form, literal = provider.username.form, provider.username.literal
    if form == "literal" and user != literal and provider.certainty.auth == "high":
        what = f"The user name at {provider.title} is the word {literal}, the same for everybody."
        raise ConfigError(what, f"Write {literal} as the user; the password tells who you are.")


def oauth2_only(provider: Provider, user: str) -> ConfigError:
    """The error for a password where none is taken."""
    reason = next((note for note in provider.notes if "ended" in note or "OAuth" in note), "")
    what = f"{provider.title} takes no password from programs, only OAuth 2." + (f" {reason}" if reason else "")
    return ConfigError(what, f"Run: mailwright login {visible(user, 120)}")


def user_remarks(provider: Provider, user: str) -> tuple[str, ...]:
    """What looks wrong about a user name and need not be."""
    found = []
    if provider.username.form == "email" and user and "@" not in user and provider.certainty.auth == "high":
        found.append(f"The user name at {provider.title} is the whole address, with the @ and what is behind it.")
    other = catalog.by_domain(user.rpartition("@")[2]) if "@" in user else None
    if other is not None and other is not provider and {other.kind, provider.kind} <= {*_MAILBOXES, "workspace"}:
        if {one.host for one in other.endpoints}.isdisjoint(one.host for one in provider.endpoints):
            found.append(f"{visible(user, 120)} is an address of {other.title}, and the server is {provider.title}'s.")
    return tuple(found)


def right_password(provider: Provider, password: str) -> tuple[str, tuple[str, ...]]:
    """The password as it is to be sent, and what looks wrong about it; neither shows it. Raises `ConfigError`.

    Where only generated passwords are taken, the blanks that group their letters are removed; every other password is
    left as it is.
    """
    if is_password_of_tutorials(password):
        raise ConfigError(
            f"The password is a placeholder from an example: {visible(password.strip(), 80)}.", _where_made(provider)
        )
    if provider.generated_only:
        password = "".join(c for c in password if not c.isspace() and c not in _GROUPING)
    shape = provider.credentials.shape
    if shape is None or shape.fits(password):
        return password, ()
    kind = "an app password of" if provider.generated_only else "a password for programs of"
    remark = f"The password does not look like {kind} {provider.title}: {shape.text}. {_where_made(provider)}"
    return password, (remark,)


def _where_made(provider: Provider) -> str:
    page = provider.credentials.page
    return f"Make one at {page}." if page else f"See mailwright providers {provider.id}."


def mail_remarks(provider: Provider, size: int, recipients: int, sender: str, user: str) -> tuple[str, ...]:
    """What the provider will probably refuse about a message of `size` octets.

    Raises `MessageError` for what it is well known to refuse.
    """
    problems = [*_too_many(provider, recipients), *_too_large(provider, size)]
    if problems and provider.certainty.limits in ("high", "medium"):
        what, advice, certain = problems[0]
        if certain:
            raise MessageError(what, advice)
    found = [f"{what} {advice}" for what, advice, _ in problems]
    if provider.from_rule == "own_address_only" and "@" in user and sender and sender.lower() != user.lower():
        found.append(
            f"{provider.title} takes mail only from the address that logs in: {visible(sender, 120)} is not "
            f"{visible(user, 120)}, and may be refused unless it is an alias of it."
        )
    return tuple(found)


def _too_many(provider: Provider, recipients: int) -> list[tuple[str, str, bool]]:
    limit = provider.quota.recipients_per_message if provider.quota else None
    if limit is None or recipients <= limit:
        return []
    what = f"{provider.title} takes at most {limit} recipients for one message, and there are {recipients}."
    return [(what, f"Send it in several messages to at most {limit} each.", True)]


def _too_large(provider: Provider, size: int) -> list[tuple[str, str, bool]]:
    megabytes = provider.quota.message_mb if provider.quota else None
    if megabytes is None or size <= megabytes * MEGABYTE:
        return []
    what = f"{provider.title} takes at most {megabytes} MB, and the message has {size / MEGABYTE:.1f} MB as it is sent."
    return [(what, "Send a link to the files instead.", size > megabytes * MEGABYTE * GROWTH)]
