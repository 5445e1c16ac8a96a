"""A network in memory: what stands at each address and port, what the name system says, and a driver for plans in it.

Time does not pass but is counted, so that hours of silence cost nothing. Whatever runs side by side is run one after
the other, and took as long as the slowest of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mailwright.diagnose.checkup import Checkup, Line
from mailwright.drivers.conduct import Secured, conducted
from mailwright.smtp.receiving import Rules, receive
from mailwright.steps import Ask, Clock, Close, Connect, Exchange, Peer, Read, Sleep, Together, Write
from mailwright.words.errors import ConnectError
from tests.dialogue import Script

#: Takes a connection and says nothing, for ever.
SILENT = "silent"
#: Drops what it is sent, as a firewall does.
BLACKHOLE = "blackhole"
#: Nothing listens.
CLOSED = "closed"


class Wire:
    """One connection, and the server's plan at its other end."""

    def __init__(self, plan: Any, world: World) -> None:
        self.world = world
        self.there, self.here = bytearray(), bytearray()  # octets on their way
        self.closed = self.ended = False
        self.asleep = 0.0
        self._steps = conducted(plan, Secured())
        self._step: Any = None
        self._answer: Any = None
        self.pump()

    def pump(self) -> None:
        """Let the server go on until it waits for us."""
        while not self.ended:
            if self._step is None:
                try:
                    self._step = self._steps.send(self._answer)
                except StopIteration:
                    self.ended = True
                    return
                except (AssertionError, ConnectionError) as problem:
                    self.ended = True
                    if isinstance(problem, AssertionError):
                        self.world.problems.append(problem)
                    return
            if not self._perform(self._step):
                return
            self._step = None

    def _perform(self, step: Any) -> bool:
        self._answer = None
        if isinstance(step, Read):
            if not self.there and not self.closed:
                return False
            self._answer, self.there = bytes(self.there), bytearray()
        elif isinstance(step, Write):
            self.here += bytes(step.data)
        elif isinstance(step, Sleep):
            self.asleep = self.asleep or self.world.now + step.seconds
            if self.world.now < self.asleep:
                return False
            self.asleep = 0.0
        elif isinstance(step, Clock):
            self._answer = self.world.now
        elif isinstance(step, Ask):
            self._answer = step.act()
        elif isinstance(step, Close):
            self.ended = True
        return True

    def read(self, timeout: float) -> bytes:
        """What the server said within that time."""
        self.pump()
        if not self.here and self.asleep and self.asleep <= self.world.now + timeout:
            self.world.now = self.asleep
            self.pump()
        if self.here:
            said, self.here = bytes(self.here), bytearray()
            return said
        if self.ended:
            return b""
        self.world.now += timeout
        raise TimeoutError

    def write(self, data: bytes) -> None:
        """Say something to the server."""
        if self.ended:
            raise BrokenPipeError("the other side closed")
        self.there += data
        self.pump()

    def close(self) -> None:
        """Leave."""
        self.closed = True
        self.pump()


@dataclass
class World:
    """`places` by (address, port): a list of turns of a dialogue, `Rules` of a server, a function that gives a plan, or
    one of the words above. `names` are the addresses of hosts, `records` what else the name system says.
    """

    places: dict[tuple[str, int], Any] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    records: dict[tuple[str, str], Any] = field(default_factory=dict)
    now: float = 0.0
    connects: list[tuple[str, int]] = field(default_factory=list)
    problems: list[BaseException] = field(default_factory=list)
    said: list[bytes] = field(default_factory=list)

    def run(self, plan: Any) -> Any:
        """Run a plan here, and give its result."""
        result = self._run(plan, {})
        for problem in self.problems:
            raise problem
        return result

    def _run(self, plan: Any, link: dict[str, Wire]) -> Any:
        steps = conducted(plan, Secured())
        answer: Any = None
        problem: BaseException | None = None
        while True:
            try:
                step = steps.send(answer) if problem is None else steps.throw(problem)
            except StopIteration as end:
                return end.value
            answer, problem = None, None
            try:
                answer = self._perform(step, link)
            except Exception as error:
                problem = error

    def _perform(self, step: Any, link: dict[str, Wire]) -> Any:
        assert not isinstance(step, Exchange), "a check sends no content"
        if isinstance(step, Connect):
            link["wire"] = self._connect(step)
            return Peer(self.names.get(step.host, [step.host])[0], "192.0.2.200")
        if isinstance(step, Together):
            return self._together(step)
        if isinstance(step, Ask):
            return step.act()
        if isinstance(step, Clock):
            return self.now
        if isinstance(step, Sleep):
            self.now += step.seconds
            return None
        if isinstance(step, Close):
            if "wire" in link:
                link["wire"].close()
            return None
        if isinstance(step, Read):
            return link["wire"].read(step.timeout)
        assert isinstance(step, Write)
        self.said.append(bytes(step.data))
        return link["wire"].write(bytes(step.data))

    def _together(self, step: Together) -> list[Any]:
        begun, results, ends = self.now, [], [self.now]
        for plan in step.plans:
            self.now = begun
            try:
                results.append(self._run(plan, {}))
            except Exception as error:
                results.append(error)
            ends.append(self.now)
        self.now = max(ends)
        return results

    def _connect(self, step: Connect) -> Wire:
        address = self.names.get(step.host, [step.host])[0]
        self.connects.append((address, step.port))
        at = self.places.get((address, step.port), CLOSED)
        if at == BLACKHOLE:
            self.now += step.timeout
        if at in (BLACKHOLE, CLOSED):
            why = "no answer in time" if at == BLACKHOLE else "connection refused"
            raise ConnectError(f"No connection to {step.host}:{step.port}: {why}.", "Check it.")
        return Wire(_plan(at), self)

    # What the name system is asked (see `mailwright.providers.lookups`).

    def resolve(self, host: str) -> list[str]:
        return list(self._answer(self.names.get(host, [host] if host[0].isdigit() else [])))

    def addresses(self, host: str, timeout: float) -> list[str]:
        return self.resolve(host)

    def mx(self, domain: str, timeout: float) -> list[tuple[int, str]]:
        return list(self._answer(self.records.get(("MX", domain), [])))

    def srv(self, name: str, timeout: float) -> list[tuple[int, int, int, str]]:
        return list(self._answer(self.records.get(("SRV", name), [])))

    def txt(self, name: str, timeout: float) -> list[str]:
        return list(self._answer(self.records.get(("TXT", name), [])))

    def pointer(self, address: str, timeout: float) -> list[str]:
        return list(self._answer(self.records.get(("PTR", address), [])))

    def page(self, url: str, timeout: float, limit: int) -> bytes:
        raise AssertionError("a check reads no pages")

    def _answer(self, found: Any) -> Any:
        if isinstance(found, Exception):
            raise found
        return found


def _plan(at: Any) -> Any:
    if at == SILENT:
        return _listen()
    if isinstance(at, Rules):
        return receive(at, lambda received: None)
    if isinstance(at, list):
        return Script(at).play()
    assert isinstance(at, Callable)  # type: ignore[arg-type]
    return at()


async def _listen() -> None:
    while await Read(1e9):
        pass


def lines_of(checkup: Checkup, stage: str) -> dict[str, Line]:
    """The lines of a stage by what they are about; of two that are about the same, the worse."""
    from mailwright.diagnose.checkup import VERDICTS

    found: dict[str, Line] = {}
    for line in next(one.lines for one in checkup.stages if one.name == stage):
        before = found.get(line.what)
        if before is None or VERDICTS.index(line.verdict) > VERDICTS.index(before.verdict):
            found[line.what] = line
    return found


def check(world: World, case: Any, tell: Any = None) -> Checkup:
    """The whole check of a case in a world, which answers for the name system too."""
    from mailwright.diagnose.doctor import examine

    checkup = world.run(examine(case, lambda: world, world.resolve, tell))
    assert isinstance(checkup, Checkup)
    return checkup
