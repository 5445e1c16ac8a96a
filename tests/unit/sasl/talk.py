"""A client and a verifier brought together, as the wire brings them together, without the base64."""

from __future__ import annotations

from collections.abc import Callable

from mailwright.sasl.mechanism import Mechanism
from mailwright.sasl.verify import Verifier


def unchanged(challenge: bytes) -> bytes:
    return challenge


def talk(
    client: Mechanism,
    server: Verifier,
    *,
    with_auth: bool = True,
    on_the_way: Callable[[bytes], bytes] = unchanged,
) -> bool:
    """Whether the server lets the client in. `with_auth`: the initial response goes with AUTH and not after it.

    `on_the_way` may change what the server says. Raises what the client raises.
    """
    initial = client.initial()
    challenge = server.step(initial if with_auth else None)
    if not with_auth and initial is not None:
        assert challenge == b"", "a server that waits for the client's first message says nothing"
        challenge = server.step(initial)
    rounds = 0
    while challenge is not None:
        rounds += 1
        assert rounds < 5, "the exchange does not end"
        challenge = server.step(client.respond(on_the_way(challenge)))
    if server.ok:
        client.finish()
    return server.ok
