"""Floor 4: where network I/O lives. A driver is a loop that performs the steps of a plan.

`sync` blocks, `aio` runs under asyncio, `trio` under Trio, `memory` joins plans without a network and with a clock of
its own. What they share: `conduct` steps a plan and does TLS (`tls`) below it; `needs` performs steps on non-blocking
sockets and says what must be waited for; `connecting`, `racing`, `proxy` and `tunnel` make a connection; `serving`
accepts them, and `watching` is an event loop for many of these.
"""
