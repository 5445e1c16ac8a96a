"""More recipients than a server takes at a time, and than it forgives: everybody gets one copy."""

from __future__ import annotations

import pytest

from mailwright import Mailer, Message
from tests.real.test_delivery import SENDER, marked, reach
from tests.servers import RealServer

pytestmark = pytest.mark.real


@pytest.mark.parametrize("name", ["postfix", "exim", "opensmtpd"])
@pytest.mark.parametrize("count", [1500, 2500])
def test_e82_thousands_of_recipients(name: str, count: int, request: pytest.FixtureRequest) -> None:
    """Postfix takes 1,000 at a time, forgives 1,000 more, and hangs up at the 20th behind those."""
    real: RealServer = request.getfixturevalue(name)
    mark = marked()
    to = [f"user{number}@analytical.test" for number in range(count)]
    with Mailer(reach(real)) as mailer:
        receipt = mailer.send(Message(SENDER, SENDER, mark, "to many", bcc=to))
    assert receipt.complete and len(receipt.accepted) == count + 1
    assert real.find(mark.encode())
