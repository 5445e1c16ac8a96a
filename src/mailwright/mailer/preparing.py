"""A server made ready: put right where the provider data knows better, its password checked, its message measured.

What is asked here of `mailwright.providers` is asked only for hosts that it knows; see `mailwright.mailer.known`.
"""

from __future__ import annotations

from mailwright.mailer.catching import catches_all
from mailwright.mailer.known import is_known, may_be_placeholder
from mailwright.words.errors import ConfigError
from mailwright.words.secret import Secret
from mailwright.words.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from mailwright.mailer.pool import Limits
    from mailwright.message.mail import MailObject
    from mailwright.providers.found import Found
    from mailwright.providers.preflight import Prepared
    from mailwright.providers.provider import Provider
    from mailwright.words.address import Address
    from mailwright.words.server import Login, Server

#: Messages in flight on one connection to a server that others share. Nobody publishes such a number. Four hide most of
#: the way to the server, and what is uncertain when a connection breaks can still be counted on one hand.
GUEST_WINDOW = 4


def overlooked(problem: ConfigError) -> str:
    """What would be refused, as a remark, while ``MAILWRIGHT_CATCH`` catches everything, so that nobody logs in
    anywhere. Raises the problem otherwise.
    """
    if not catches_all():
        raise problem
    return f"{problem.what} {problem.advice}"


def fit(server: Server) -> Server:
    """`server` as a mailer is to use it: put right where the provider data knows better, its login looked at. While
    everything is caught it is left as it is.

    What was put right, and what looks wrong, is warned of. Raises `ConfigError`.
    """
    if not is_known(server) and (server.stays_here or not may_be_placeholder(server.login)):
        return server
    if catches_all():
        return server
    done = prepared(server, ("port", "security"))
    return ready(server) if done is None else ready(done.server, done.remarks)


def prepared(server: Server, said: Collection[str]) -> Prepared | None:
    """`server` put right, or `None` for one of which nothing is known; see `mailwright.providers.preflight`."""
    if not is_known(server):
        return None
    from mailwright.providers import preflight

    return preflight.prepared(server, said)


def prepared_or_caught(server: Server, said: Collection[str]) -> Prepared | None:
    """The same; while everything is caught, what would be refused is a remark."""
    try:
        return prepared(server, said)
    except ConfigError as problem:
        from mailwright.providers.preflight import Prepared

        return Prepared(server, None, (), (overlooked(problem),))


def known_for(address: Address, with_password: bool) -> tuple[Found | None, tuple[str, ...]]:
    """What the provider data says about an address, `None` if its domain has to be looked up; and remarks on it. Raises
    `ConfigError` where an address and a credential, a password or a token, are not enough to send.
    """
    from mailwright.providers.lookup import known

    found: Found | None = None
    try:
        found = known(address)
        if found is not None and with_password:
            _refuse_password(found)
        if found is not None:
            found.server  # noqa: B018 - refuses a server that is not known well enough
    except ConfigError as problem:
        return found, (overlooked(problem),)
    return found, ()


def _refuse_password(found: Found) -> None:
    """Raise `ConfigError` where an address and its password are not enough."""
    provider = found.provider
    if provider is None or provider.takes_address:
        return
    if provider.takes_oauth2:
        from mailwright.providers.preflight import oauth2_only

        raise oauth2_only(provider, found.address.spec)
    raise ConfigError(
        f"{provider.title} takes more than an address and its password.",
        f"See mailwright providers {provider.id}, and name the server itself.",
    )


def looked_up(server: Server, address: str, said: Collection[str]) -> Server:
    """`server`, which stands for that of an own domain, with what is found for `address`. Blocks for ten seconds at
    most. Raises what `mailwright.mailer.finding.server_for` does, and `ConfigError` for a host that is not trusted.
    """
    from mailwright.mailer.finding import server_for

    found = server_for(address)
    there = found.server
    wanted = [
        (host, port, security)
        for host, port, security in ((there.host, there.port, there.security), *there.alternatives)
        if ("port" not in said or port == server.port) and ("security" not in said or security == server.security)
    ]
    if not wanted:
        raise ConfigError(
            f"{found.host}, the server of {found.address.domain}, is not reached by port {server.port} with security "
            f"'{server.security}'.",
            "Leave both out, or name the host as well.",
        )
    (host, port, security), *others = wanted
    login = server.login and replace(server.login, user=found.user)
    return replace(server, host=host, port=port, security=security, alternatives=tuple(others), login=login)


def ready(server: Server, remarks: Iterable[str] = ()) -> Server:
    """`server` with its password as it is to be sent; `remarks` and what else looks wrong become warnings.

    Raises `ConfigError` for a placeholder.
    """
    login = server.login
    known = is_known(server)
    if login is not None and known:
        login, more = _checked(server, login)
        remarks = (*remarks, *more)
    elif may_be_placeholder(login) and not server.stays_here:
        _refuse_placeholder(login)
    warn_of(remarks)
    return server if login is server.login else replace(server, login=login)


def _checked(server: Server, login: Login) -> tuple[Login, tuple[str, ...]]:
    from mailwright.providers.preflight import check_user, right_password, user_remarks

    provider = _provider_of(server)
    if provider is None:
        return login, ()
    check_user(provider, server)
    remarks = user_remarks(provider, login.user)
    if not isinstance(login.password, Secret):
        return login, remarks
    password, more = right_password(provider, login.password.reveal())
    if password != login.password.reveal():
        login = replace(login, password=Secret(password))
    return login, (*remarks, *more)


def _refuse_placeholder(login: Login | None) -> None:
    from mailwright.providers.placeholders import is_placeholder

    assert login is not None
    if is_placeholder(login.user.partition("@")[0]):
        raise ConfigError("The user to log in with is a placeholder from an example.", "Write the real one.")
    if isinstance(login.password, Secret) and is_placeholder(login.password.reveal()):
        raise ConfigError("The password is a placeholder from an example.", "Write the real one.")


def mannered(limits: Limits, server: Server) -> Limits:
    """`limits`, held to what the server's provider is known to take: connections at a time, messages over one, and a
    small window, since its servers are shared with others. What is smaller already stays as it is.
    """
    provider = _provider_of(server)
    if provider is None or provider.kind == "local":
        return limits
    quota = provider.quota
    known = {
        "size": quota and quota.concurrent_connections,
        "messages": quota and quota.messages_per_connection,
        "window": GUEST_WINDOW,
    }
    less = {name: most for name, most in known.items() if most and most < getattr(limits, name)}
    return replace(limits, **less) if less else limits


def recipients_at_once(server: Server) -> int | None:
    """How many recipients the server's provider takes for one message, where that is known."""
    provider = _provider_of(server)
    return provider.quota.recipients_per_message if provider is not None and provider.quota else None


def measure(server: Server, mail: MailObject, at_once: int | None = None) -> None:
    """Hold a message against the limits of the server's provider, if they are known. Warns of what may be refused;
    raises `MessageError` for what surely is. Nothing was connected then. `at_once` are the recipients of one
    transaction, for who makes several.
    """
    provider = _provider_of(server)
    if provider is not None and (provider.quota or provider.from_rule):
        from mailwright.providers.preflight import mail_remarks

        user = server.login.user if server.login else ""
        size, recipients = mail.content_for(True).size, len(mail.envelope.recipients)
        recipients = min(recipients, at_once or recipients)
        warn_of(mail_remarks(provider, size, recipients, mail.envelope.reverse_path, user))


def _provider_of(server: Server) -> Provider | None:
    if not is_known(server):
        return None
    from mailwright.providers import catalog

    return catalog.by_host(server.host, server.login.user if server.login else "")


def warn_of(remarks: Iterable[str]) -> None:
    """Say each of the `remarks` as a `MailWarning`."""
    for remark in remarks:
        from warnings import warn

        from mailwright.providers.preflight import MailWarning

        warn(remark, MailWarning, stacklevel=_levels())


def _levels() -> int:
    """How far up the stack whoever uses this library is: a warning shows a line of his, not of ours."""
    from sys import _getframe

    level, frame = 1, _getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("mailwright."):
        level, frame = level + 1, frame.f_back
    return level
