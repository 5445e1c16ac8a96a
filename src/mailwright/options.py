"""Values for who wants it otherwise than usual: TLS, time-outs, limits of the pool, delivery reports, envelopes."""

from __future__ import annotations

from mailwright.mailer.pool import Limits
from mailwright.words.envelope import DSN, Envelope
from mailwright.words.server import TLS, Timeouts

__all__ = ["DSN", "TLS", "Envelope", "Limits", "Timeouts"]
