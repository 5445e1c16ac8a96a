"""Floor 6: what a test of mail needs. `plugin` is for pytest and loads itself; `unittest_case` is for unittest.

::

    def test_a_receipt_is_sent(inbox, assert_sent):
        checkout(order)
        assert_sent(to="ada@example.org", subject="Receipt", has_attachment="receipt.pdf")

`sent` looks for a message and says what was sent instead; `variables` are the settings by which any program finds
the inbox; `leaving` leaves the messages of a failing test as files.
"""

from __future__ import annotations

from mailwright._lazy import lazily

__all__ = ["InboxTestCase", "assert_sent", "variables"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.testing.sent import assert_sent
    from mailwright.testing.unittest_case import InboxTestCase
    from mailwright.testing.variables import variables

__getattr__ = lazily(
    __name__,
    {
        "InboxTestCase": "mailwright.testing.unittest_case",
        "assert_sent": "mailwright.testing.sent",
        "variables": "mailwright.testing.variables",
    },
)
