"""Floor 7: what other frameworks ask for, in their own terms. `django`: its e-mail backends, direct and queued."""

from __future__ import annotations
