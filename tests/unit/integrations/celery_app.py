"""A Celery application over a folder as its broker: `celery -A tests.unit.integrations.celery_app worker`."""

from __future__ import annotations

import os

from celery import Celery

from tests.unit.integrations.tasks import receipt

folder = os.environ["TASK_BROKER"]
app = Celery("shop", broker="filesystem://")
app.conf.update(
    broker_transport_options={
        "data_folder_in": folder,
        "data_folder_out": folder,
        "control_folder": f"{folder}/control",
    },
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
)


@app.task(name="receipt")
def send_receipt(number: int) -> None:
    """Put a receipt and deliver it."""
    receipt(number)
