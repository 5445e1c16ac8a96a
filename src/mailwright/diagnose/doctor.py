"""A staged check of the way that mail would go, as one plan: nothing is sent, and a login is tried once.

::

    street     the name, and the ports side by side, over IPv4 and IPv6        `knocking`, once for each
    door       the greeting: a mail server, or something else?                       "
    hallway    TLS: version, certificate, name; STARTTLS, if it is there             "
    lock       which logins are offered, and which the provider takes today    one more connection, `inside`
    ID         the login, if there is a credential and TLS is verified               "
    desk       MAIL and RCPT offered and taken back, limits                          "
    papers     SPF, DMARC, DKIM, MX, PTR of the sender's domain                `papers`

`knocking` and `inside` find out, `judging` says what it means.
"""

from __future__ import annotations

from mailwright.diagnose import inside, judging
from mailwright.diagnose.checkup import Checkup, Line, Stage
from mailwright.diagnose.knocking import Knock, Place, knock
from mailwright.diagnose.papers import examine_papers
from mailwright.steps import Ask, Together
from mailwright.words.errors import ConnectError
from mailwright.words.value import replace, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from mailwright.providers.lookups import Lookups
    from mailwright.providers.provider import Provider
    from mailwright.words.address import Address
    from mailwright.words.server import Server

PORTS = (465, 587, 25)  # those of submission (RFC 8314), and that between servers


@value
class Case:
    """What is to be checked: `server`, as mail would be sent through it, and the `sender`, if one is known.

    `ports` are knocked at, the server's own among them. `provider` is what is known of who runs the server, `origin`
    who named it, and `remarks` what is to be said of that. `selectors` are those under which the sender's
    DKIM keys are. `now` is the time (Unix).
    """

    subject: str
    server: Server
    sender: Address | None = None
    provider: Provider | None = None
    origin: str = ""
    ports: tuple[int, ...] = PORTS
    selectors: tuple[str, ...] = ()
    now: float = 0.0
    remarks: tuple[str, ...] = ()


async def examine(
    case: Case,
    lookups: Callable[[], Lookups] | None,
    resolve: Callable[[str], list[str]],
    tell: Callable[[Checkup], None] | None = None,
) -> Checkup:
    """Check everything.

    `resolve` gives the addresses that this machine knows of a host, none if there is no such name (`OSError`: nobody
    answered). ``lookups()`` gives whom to ask what the world is told of the sender's domain; without it nobody is
    asked. `tell` is called with the checkup as far as it has come: at first without any stage, then whenever one more
    is known. Raises `ConfigError` and `MissingExtra` for settings that can't be used, and nothing for what a server, a
    network or a name system does.
    """
    server = case.server
    checkup = Checkup(case.subject, str(server), server.security, case.origin, ())

    def add(name: str, *lines: Line) -> None:
        nonlocal checkup
        checkup = replace(checkup, stages=(*checkup.stages, Stage(name, lines)))
        if tell is not None:
            tell(checkup)

    if tell is not None:
        tell(checkup)
    name, places = await _places(case, resolve)
    found: list[Knock] = await Together(tuple(knock(Knock(place, case.server)) for place in places))
    for one in found:
        if isinstance(one, Exception):
            raise one  # settings that can't be used, such as a CA file that is not there
    add("street", name, *judging.host_name(case), *judging.street(case, found))
    if any(one.reached for one in found):
        add("door", *judging.door(case, found))
        add("hallway", *judging.hallway(case, found))
    way = judging.way_in(case, found)
    visit = inside.Visit(case)
    if way is not None:
        await inside.visit(visit, way)
    add("lock", *(visit.lock or [judging.nothing_to_enter("logins", found)]))
    add("ID", *(visit.login or [judging.nothing_to_enter("login", found)]))
    add("desk", *(visit.desk or [judging.nothing_to_enter("sender and recipient", found)]))
    address = next((one.session.peer.address for one in found if one.session.peer is not None), "")
    add("papers", *await examine_papers(case, lookups, address))
    return checkup


async def _places(case: Case, resolve: Callable[[str], list[str]]) -> tuple[Line, list[Place]]:
    """Where to knock: each port of the first IPv4 and the first IPv6 address, and what is to be said of the name."""
    server = case.server
    if server.path is not None:
        return Line("name", "not checked", f"{server.path} is a socket of this machine"), [Place(0, server.path)]
    spare = [port for host, port, _ in server.alternatives if host == server.host]
    ports = tuple(dict.fromkeys((server.port, *spare, *case.ports)))
    by_name = [Place(port, server.host) for port in ports]
    if server.proxy is not None:
        return Line("name", "not checked", "the proxy looks it up"), by_name
    try:
        addresses = await Ask(lambda: resolve(server.host), blocking=True)
    except UnicodeError:
        addresses = []  # a name that can't even be asked for
    except OSError as problem:
        error = ConnectError(
            f"The name {server.host} can't be looked up at the moment.",
            "Check this machine's network and its name server; then try again.",
            phase="connect", server=str(server),
        )  # fmt: skip
        error.__cause__ = problem
        return judging.failed(case, "name", error, fix=error.advice), []
    if not addresses:
        error = ConnectError(
            f"There is no host {server.host}.", "Check the spelling of the name, and this machine's network.",
            phase="connect", server=str(server), temporary=False,
        )  # fmt: skip
        return judging.failed(case, "name", error, fix=error.advice), []
    four = next((one for one in addresses if ":" not in one), None)
    six = next((one for one in addresses if ":" in one), None)
    both = [(one, family) for one, family in ((four, "IPv4"), (six, "IPv6")) if one is not None]
    more = len(addresses) - len(both)
    told = " and ".join(one for one, _ in both) + (f", and {more} more" if more else "")
    places = [Place(port, one, family) for port in ports for one, family in both]
    return Line("name", "ok", f"{server.host} is {told}"), places
