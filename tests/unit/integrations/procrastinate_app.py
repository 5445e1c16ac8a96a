"""An application of procrastinate: `procrastinate --app tests.unit.integrations.procrastinate_app.app worker`."""

from __future__ import annotations

import os

from procrastinate import App, PsycopgConnector

from tests.unit.integrations.tasks import receipt

app = App(connector=PsycopgConnector(conninfo=os.environ["TASK_DATABASE"]))


@app.task(name="receipt", queue="mail")
def send_receipt(number: int) -> None:
    """Put a receipt and deliver it."""
    receipt(number)
