"""What `mailwright login` asks the person at the terminal: passwords, consent, and whether a host is right."""

from __future__ import annotations

import os
import sys

from mailwright.cli import complain, tell
from mailwright.words.errors import ConfigError, LoginError
from mailwright.words.options import refuse_cleartext
from mailwright.words.reply import visible
from mailwright.words.secret import Secret
from mailwright.words.server import Login, Server
from mailwright.words.value import replace, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailwright.mailer.tokens.access import Kept
    from mailwright.mailer.tokens.consent import AuthorizationServer
    from mailwright.mailer.tokens.device import Code
    from mailwright.mailer.tokens.grants import Client
    from mailwright.providers.found import Found
    from mailwright.providers.provider import Provider
    from mailwright.words.address import Address

LINE_LIMIT = 64 * 1024  # characters that are read from standard input
TRIES = 2  # passwords that are asked for when the first does not look like one


@value
class Ways:
    """Where to log in: the `server`, the `user` there, and the `provider` if it is known. `place` is what an account in
    config.toml says of them.
    """

    server: Server
    user: str
    provider: Provider | None
    place: Mapping[str, str | int]


def way_in(address: Address, url: str | None) -> Ways:
    """The server for an address, or that of a URL. Raises `ConfigError`, `ConnectError`, `MissingExtra`."""
    ways = _found(address) if url is None else _named(address, url)
    login = Login(ways.user, "any password")
    refuse_cleartext(replace(ways.server, login=login), "Write smtps:// (TLS) or smtp:// (STARTTLS)")
    return ways


def _found(address: Address) -> Ways:
    from mailwright.mailer.finding import server_for

    found = server_for(address, confirm=_confirmed)
    if not (found.trusted or found.confirmed):
        raise ConfigError(*found.doubt)
    server, place = found.server, {"host": found.host, "user": found.user}
    if found.provider is not None:
        return Ways(server, found.user, found.provider, place)
    return Ways(server, found.user, None, place | {"port": server.port, "security": server.security})


def _named(address: Address, url: str) -> Ways:
    from mailwright.providers import catalog
    from mailwright.providers.preflight import prepared
    from mailwright.words.url import url_of

    named = Server.from_url(url)
    user = named.login.user if named.login is not None else address.spec
    done = prepared(replace(named, login=Login(user)))
    for remark in done.remarks:
        complain(remark, "mailwright login")
    server = replace(done.server, login=None)
    return Ways(server, user, catalog.by_host(server.host, user), {"url": url_of(done.server)})


def _confirmed(found: Found) -> bool:
    """Whether somebody at the terminal vouches for a host that only the domain itself names."""
    what, _ = found.doubt
    complain(what, "mailwright login")
    if not sys.stdin.isatty():
        return False
    print(f"Is {visible(found.host, 255)} your provider's server, as its own pages say? [y/N] ", end="", flush=True)
    return sys.stdin.readline(100).strip().lower() in ("y", "yes")


# Passwords


def password(provider: Provider | None, user: str) -> Secret:
    """A password from the terminal, where nobody sees it, or from standard input. Raises `ConfigError`."""
    kind = _told_how(provider) if provider is not None else "Password"
    for tries in range(1, TRIES + 1):
        given = _hidden(f"{kind} for {visible(user, 100)} (it is not shown): ")
        given, remarks = _right(provider, given)
        for remark in remarks:
            complain(remark, "mailwright login")
        if not remarks or not sys.stdin.isatty():
            break
        if tries < TRIES:
            tell("Type it once more; what you type now is taken as it is.")
    return given


def _told_how(provider: Provider) -> str:
    """Tell how to get the credential, and give its name."""
    from mailwright.providers.provider import AS_PASSWORD
    from mailwright.providers.telling import KINDS

    kinds = [KINDS[kind] for kind in provider.credentials.accepted if kind in AS_PASSWORD]
    wanted = " or ".join(kinds)
    tell(f"{provider.title} takes {wanted} from programs.")
    steps = [f"Before: {one}." for one in provider.credentials.prerequisites]
    if provider.credentials.page and provider.credentials.accepted != ("account_password",):
        steps.append(f"Open {provider.credentials.page} and get {wanted}.")
        steps.append("Copy it at once, it is shown only once, and paste it here.")
    for number, step in enumerate(steps, 1):
        tell(f"  {number}. {step}")
    name = kinds[0].removeprefix("an ").removeprefix("a ").removeprefix("the ")
    return name[:1].upper() + name[1:]


def _right(provider: Provider | None, given: Secret) -> tuple[Secret, tuple[str, ...]]:
    """The password as it is to be sent, and what looks wrong about it."""
    if provider is None:
        return given, ()
    from mailwright.providers.preflight import right_password

    complaint: ConfigError
    try:
        text, remarks = right_password(provider, given.reveal())
    except ConfigError as problem:
        complaint = problem.with_traceback(None)
    else:
        return Secret(text), remarks
    raise complaint


def _hidden(prompt: str) -> Secret:
    """One line that nobody should see."""
    if sys.stdin.isatty():
        from getpass import getpass

        try:
            given = Secret(getpass(prompt))
        except EOFError:
            given = Secret("")
    else:
        given = _line()
    if not given:
        raise ConfigError("No password was given.", "Type it when asked, or pipe it into the command.")
    if not _is_line(given):
        raise ConfigError("The password holds a control character.", "Is it the right file that is piped in?")
    return given


def _line() -> Secret:
    """The only line of standard input."""
    text = Secret(sys.stdin.readline(LINE_LIMIT))
    return Secret(text.reveal().rstrip("\r\n"))


def _is_line(text: Secret) -> bool:
    return not any(ord(c) < 32 or ord(c) == 127 or 0xD800 <= ord(c) < 0xE000 for c in text.reveal())


# Consent


def browser(server: AuthorizationServer, client: Client, ways: Ways, paste: bool, wait: float) -> Kept:
    """Consent in a browser: this machine's, or another's, whose last address is pasted. Raises `LoginError`."""
    from mailwright.mailer.tokens.consent import Consent
    from mailwright.mailer.tokens.redirect import Redirect

    asked: list[Consent] = []
    with Redirect(lambda query: any(one.answered_by(query) for one in asked)) as redirect:
        consent = Consent(server, client, ways.user, redirect.uri(server.redirect_host))
        asked.append(consent)
        tell(f"Open this page, log in as {visible(ways.user, 100)}, and allow access to mail:\n\n  {consent.url}\n")
        if paste:
            query = _pasted(redirect.uri(server.redirect_host))
        else:
            if not _opened(consent.url):
                tell("No browser was found. On another machine? Interrupt this with Ctrl-C, and use --paste.")
            query = redirect.wait(wait)
    return consent.redeem(query)


def _pasted(uri: str) -> Secret:
    tell(f"At the end the browser can't show a page whose address begins with {uri}; that is right.")
    if sys.stdin.isatty():
        print("Paste that whole address here: ", end="", flush=True)
    address = _line()
    if not address.reveal().strip().startswith(f"{uri}?"):
        raise LoginError(
            f"That is not an address that begins with {uri}.",
            "Copy it from the address bar, after you have allowed access, and run the same command again.",
            phase="auth",
        )
    return Secret(address.reveal().strip().partition("?")[2].partition("#")[0])


def _opened(url: str) -> bool:
    """Open a page in the browser, if there is one. A text browser is none: it would take the terminal."""
    import webbrowser

    desktops = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    if sys.platform not in ("darwin", "win32") and not any(os.environ.get(name) for name in desktops):
        return False
    try:
        return webbrowser.open(url)
    except (webbrowser.Error, OSError):
        return False


def device(server: AuthorizationServer, client: Client, ways: Ways) -> Kept:
    """Consent by a code that is typed on another device. Raises `LoginError` and `ConfigError`."""
    from mailwright.mailer.tokens.device import by_device

    if not server.device_url:
        assert ways.provider is not None
        raise ConfigError(
            f"{ways.provider.title} gives no access to mail by a device code.",
            "Use --paste instead: the page is opened on another machine, and the address it ends at is pasted here.",
        )
    return by_device(server, client, ways.user, _show)


def _show(code: Code) -> None:
    minutes = max(1, round(code.seconds / 60))
    tell(f"Open {code.page} on any device, and type this code within {minutes} minutes:\n\n  {code.code}\n")
