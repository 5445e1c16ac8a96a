"""The size of the whole message."""

from __future__ import annotations

from mailwright.message.check.finding import ERROR, WARNING, Group

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailwright.message.check.finding import Fault
    from mailwright.message.check.opened import Opened

group = Group("Size")
#: Octets. Gmail sends 25 MB and takes 50; Outlook.com, iCloud and most others take 20 to 25.
COMMON_LIMIT = 25_000_000
GMAIL_TAKES = 50_000_000


@group.rule(
    "message-too-large", WARNING,
    why="Many servers take no more than 20 to 25 MB, and base64 makes files a third larger.",
    source="Google: Gmail receiving limits; Microsoft: Outlook.com limits",
    fix="Send a link to the file.",
)  # fmt: skip
def message_too_large(mail: Opened) -> Iterator[Fault]:
    """A message of more than 25 MB."""
    if COMMON_LIMIT < len(mail.data) <= GMAIL_TAKES:
        yield f"The message has {len(mail.data) / 1_000_000:,.0f} MB as it is sent.", ""


@group.rule(
    "message-refused-for-size", ERROR,
    why="Hardly any server takes so much.",
    source="Google: Gmail receiving limits",
    fix="Send a link to the file.",
)  # fmt: skip
def message_refused_for_size(mail: Opened) -> Iterator[Fault]:
    """A message of more than 50 MB."""
    if len(mail.data) > GMAIL_TAKES:
        yield f"The message has {len(mail.data) / 1_000_000:,.0f} MB as it is sent.", ""


@group.rule(
    "empty-message", WARNING,
    why="There is nothing to read and no file.",
    source="experience",
    fix="Write something, or find out why the text was lost.",
)  # fmt: skip
def empty_message(mail: Opened) -> Iterator[Fault]:
    """A message without text, HTML and attachments."""
    if not any(text.strip() for text in mail.texts) and mail.page is None and not mail.files:
        yield "The message is empty.", ""
