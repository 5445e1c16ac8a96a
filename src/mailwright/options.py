"""Values for who wants it otherwise than usual: TLS, time-outs, limits of the pool, delivery reports."""

from __future__ import annotations

from mailwright.mailer.pool import Limits
from mailwright.words.envelope import DSN
from mailwright.words.server import TLS, Timeouts

__all__ = ["DSN", "TLS", "Limits", "Timeouts"]
