"""The doctor's front door: `doctor` and `doctor_async`, a staged check of the way that mail would go."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mailwright.diagnose.checkup import Checkup
    from mailwright.diagnose.doctor import Case
    from mailwright.mailer.settings import Settings
    from mailwright.providers.lookups import Lookups
    from mailwright.words.address import Address
    from mailwright.words.secret import Secret
    from mailwright.words.server import Server

#: How the settings begin to say that there are none; then an address is enough.
_NOTHING = "No mail server is configured"
TIMEOUT = 10.0  # seconds that a server has for each answer: enough for those which greet late on purpose


def doctor(
    address: str | Address | None = None,
    /,
    *,
    server: Server | str | None = None,
    account: str | None = None,
    password: str | Secret | None = None,
    ports: Iterable[int] = (),
    selectors: Iterable[str] = (),
    papers: bool = True,
    timeout: float = TIMEOUT,
    lookups: Lookups | None = None,
    on_stage: Callable[[Checkup], None] | None = None,
) -> Checkup:
    """Check the way that mail of `address` would go, stage by stage, and give a `Checkup`; no mail is sent.

    The server is the one of `server` (a `Server` or URL), of the `account`, or of the settings that `send` would use;
    an `address` that these say nothing of is checked at its own provider. A credential is tried once, over TLS with a
    verified certificate and never else; it comes from the settings, from `server`, or is the `password` of `address`.

    `ports` to knock at instead of 465, 587 and 25; the first one is then taken for the server's. `selectors` of the
    sender's DKIM keys; without `papers` nobody is asked about the sender's domain. `timeout`: seconds that the server
    has for each answer. `lookups` answers instead of the system's name servers. `on_stage` is called with the checkup
    as far as it has come: at first without any stage, then whenever one more is known.

    What is wrong with the server, the network or the name system is in the checkup, and never raised; `ConfigError`
    and `AddressError` are, `ConnectError` where nobody can tell the server of the address, and `MissingExtra`.
    """
    from mailwright.drivers import sync
    from mailwright.words.secret import Secret

    password = Secret(password) if password is not None else None  # crash reporters keep local variables
    link = sync.Link()
    plan = _check(
        address, server, account, password, tuple(ports), tuple(selectors), papers, timeout, lookups, on_stage
    )
    try:
        return sync.run(plan, link)
    finally:
        link.close()


async def doctor_async(
    address: str | Address | None = None,
    /,
    *,
    server: Server | str | None = None,
    account: str | None = None,
    password: str | Secret | None = None,
    ports: Iterable[int] = (),
    selectors: Iterable[str] = (),
    papers: bool = True,
    timeout: float = TIMEOUT,
    lookups: Lookups | None = None,
    on_stage: Callable[[Checkup], None] | None = None,
) -> Checkup:
    """`doctor` for asyncio and Trio, with the same parameters, results and errors."""
    from mailwright.mailer.loops import running
    from mailwright.words.secret import Secret

    password = Secret(password) if password is not None else None
    loop = running()
    link = loop.Link()
    plan = _check(
        address, server, account, password, tuple(ports), tuple(selectors), papers, timeout, lookups, on_stage
    )
    try:
        return await loop.run(plan, link)
    finally:
        link.close()


async def _check(
    address: str | Address | None,
    server: Server | str | None,
    account: str | None,
    password: str | Secret | None,
    ports: tuple[int, ...],
    selectors: tuple[str, ...],
    papers: bool,
    timeout: float,
    lookups: Lookups | None,
    on_stage: Callable[[Checkup], None] | None,
) -> Checkup:
    """The whole check as one plan: what is to be checked, and then that."""
    from mailwright.diagnose.doctor import examine
    from mailwright.drivers.resolving import addresses_of
    from mailwright.steps import Ask
    from mailwright.words.address import Address

    sender = Address.of(address) if address else None

    def ask() -> Lookups:
        return lookups or _system_lookups()

    # Settings are files, and a password may come from a command or a key ring.
    case = await Ask(lambda: _case_of_settings(sender, server, account, password), blocking=True)
    if case is None:
        case = await _case_of_address(sender, password, timeout, ask)
    case = _adjusted(case, ports, selectors, timeout)
    return await examine(case, ask if papers else None, addresses_of, on_stage)


def _system_lookups() -> Lookups:
    from mailwright.drivers.lookups import SystemLookups  # 40 ms; a known provider needs none of it

    return SystemLookups()


def _case_of_settings(
    sender: Address | None, server: Server | str | None, account: str | None, password: str | Secret | None
) -> Case | None:
    """What the settings name; `None` if they say nothing of `sender`. Raises `ConfigError`."""
    from mailwright.mailer.settings import resolve
    from mailwright.words.errors import ConfigError

    if server is None and account is None and sender is not None:
        if password is not None:
            return None
        try:
            settings = resolve()
        except ConfigError as problem:
            if not problem.what.startswith(_NOTHING):
                raise
            return None
        return _case(settings, sender) if _speaks_of(settings, sender) else None
    return _case(resolve(server=server, account=account, password=password), sender)


def _speaks_of(settings: Settings, sender: Address) -> bool:
    """Whether mail of `sender` goes through these settings: they name him, or nobody in particular."""
    from mailwright.mailer.catching import CATCH
    from mailwright.words.address import Address

    if CATCH in (settings.origins["host"], settings.origins["path"]):
        return False  # no server is configured but the inbox that catches
    login = settings.described.login
    users = [login.user] if login is not None else []
    named = [Address.parse(settings.sender).spec] if settings.sender is not None else []
    return not (users or named) or sender.spec in (*users, *named)


def _case(settings: Settings, sender: Address | None) -> Case:
    from mailwright.diagnose.doctor import Case
    from mailwright.providers.catalog import by_host
    from mailwright.words.address import Address

    server = settings.server
    user = server.login.user if server.login is not None else ""
    if sender is None and settings.sender is not None:
        sender = Address.parse(settings.sender)
    if sender is None and "@" in user:
        sender = _address(user)
    named = sender.spec if sender is not None else str(server)
    provider = by_host(server.host, user or named) if server.path is None else None
    origin = settings.origins["host" if server.path is None else "path"]
    return Case(named, server, sender, provider, origin, remarks=(*settings.remarks, *_caught(server)))


def _caught(server: Server) -> tuple[str, ...]:
    """That mail would not go there at present, where that is so."""
    from mailwright.mailer.catching import CATCH, catch_in

    catch = catch_in()
    if catch is None or str(catch.server) == str(server):
        return ()
    return (f"{CATCH} is set, so that mail goes to {catch.server} at present; this is a check of the real server.",)


def _address(text: str) -> Address | None:
    from mailwright.words.address import Address
    from mailwright.words.errors import AddressError

    try:
        return Address(text)
    except AddressError:
        return None


async def _case_of_address(
    sender: Address | None, password: str | Secret | None, timeout: float, ask: Callable[[], Lookups]
) -> Case:
    """What is known of the address's own provider. Raises `ConfigError`, `ConnectError` and `MissingExtra`."""
    from mailwright.diagnose.doctor import Case
    from mailwright.providers.lookup import find
    from mailwright.words.server import Server

    assert sender is not None  # without one the settings were asked
    found = await find(sender, ask, max(timeout, TIMEOUT))
    first, *others = found.ways
    # To look at a host that nobody vouches for does no harm; only a password must not go there.
    spare = tuple((one.host, one.port, one.security) for one in others)
    server = Server(first.host, first.port, first.security, alternatives=spare)
    if password is not None:
        server = found.with_login(password)
    origin = f"what is known of {found.provider.title}" if found.provider is not None else found.evidence
    return Case(sender.spec, server, sender, found.provider, origin, remarks=_caught(server))


def _adjusted(case: Case, ports: tuple[int, ...], selectors: tuple[str, ...], timeout: float) -> Case:
    """The case with what the caller wants otherwise."""
    from time import time

    from mailwright.diagnose.doctor import PORTS
    from mailwright.words.server import Timeouts
    from mailwright.words.value import replace

    patience = Timeouts(connect=timeout, reply=timeout, block=timeout, quit=min(timeout, 5.0))
    server = replace(case.server, timeouts=patience)
    if ports and server.path is None:
        usual = {465: "tls", 587: "starttls", 25: "starttls"}.get(ports[0], server.security)
        usual = server.security if ports[0] == server.port else usual
        server = replace(server, port=ports[0], security=usual, alternatives=())
    return replace(case, server=server, ports=ports or PORTS, selectors=selectors, now=time())
