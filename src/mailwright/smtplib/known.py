"""What is known of the server's provider when somebody logs in: how the password is sent, and what was wrong with a
login that was refused.
"""

from __future__ import annotations

from mailwright.mailer.known import is_known
from mailwright.words.errors import ConfigError
from mailwright.words.secret import Secret
from mailwright.words.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailwright.words.server import Login, Server


def as_sent(login: Login, server: Server) -> Login:
    """The login without the blanks that group the letters of an app password, where only such passwords are taken."""
    if not is_known(server) or not isinstance(login.password, Secret):
        return login
    from mailwright.providers.catalog import by_host
    from mailwright.providers.preflight import right_password

    provider = by_host(server.host, login.user)
    if provider is None:
        return login
    try:
        password, _ = right_password(provider, login.password.reveal())
    except ConfigError:
        return login  # a placeholder: the server refuses it, and then that is said
    return replace(login, password=Secret(password))


def faults(login: Login, server: Server) -> Iterator[str]:
    """What is known to be wrong with a login that was refused. Of a password only a placeholder is shown."""
    if server.stays_here:
        return
    from mailwright.diagnose.whose import historic, mismatch
    from mailwright.providers.catalog import by_host
    from mailwright.providers.preflight import check_user, right_password

    yield from filter(None, [historic(server.host)])
    provider = by_host(server.host, login.user)
    password = login.password.reveal() if isinstance(login.password, Secret) else ""
    if provider is None:
        yield from _stand_ins(login.user, password)
        return
    try:
        check_user(provider, replace(server, login=login))
        yield from right_password(provider, password)[1] if password else ()
    except ConfigError as problem:
        yield str(problem)
    wrong = mismatch(login.user, provider)
    if wrong is not None:
        yield str(wrong)


def _stand_ins(user: str, password: str) -> Iterator[str]:
    from mailwright.providers.placeholders import is_placeholder

    texts = {"user": user.partition("@")[0], "password": password}
    found = [name for name, text in texts.items() if is_placeholder(text)]
    if found:
        yield f"A placeholder from an example stands for the {' and for the '.join(found)}: write the real one."
