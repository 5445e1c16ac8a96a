"""Floor 4: where network I/O lives. A driver is a loop that performs the steps of a plan.

`sync` blocks, `aio` runs under asyncio, `memory` joins plans without a network and with a clock of its own.
What they share (TLS, the refusal of anything that is not a step) is in `conduct` and `tls`.
"""
