"""The pages of the inbox: HTML made on the server, from the store's rows and from a message's octets.

Each function takes values and gives text; none knows a request. Everything that a stranger wrote passes through
the templates' escaping, and through `words` or `exact` of `render`, which bound it and keep its direction inside.
The pages work without a script; `static/app.js` adds what arrives while one looks, and the keys.

`page`: what a page knows of the request. `render`: the templates and their filters. `listing`, `message`,
`charts`, `faults`: the pages. `plots`: figures as SVG. `described`: small things told in words.
"""

from __future__ import annotations

from mailwright.inbox.reading.frame import policy as frame_policy
from mailwright.inbox.web.pages.charts import charts
from mailwright.inbox.web.pages.faults import faults
from mailwright.inbox.web.pages.listing import listing, rows_fragment
from mailwright.inbox.web.pages.message import VIEWS, frame, message
from mailwright.inbox.web.pages.page import Page
from mailwright.inbox.web.pages.problem import problem

__all__ = [
    "VIEWS", "Page", "charts", "faults", "frame", "frame_policy", "listing", "message", "problem", "rows_fragment",
]  # fmt: skip
