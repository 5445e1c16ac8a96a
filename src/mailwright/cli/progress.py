"""A bar for a large upload, drawn by rich where that is installed and the output is a terminal."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from mailwright.message.content import Content
    from mailwright.message.mail import MailObject

LARGE = 2_000_000  # octets: below it the upload is over before a bar would be read


def showing_progress(mail: MailObject) -> MailObject:
    """The same mail object; its octets move a bar as they are taken, if somebody looks and rich is there."""
    if not sys.stderr.isatty():
        return mail
    try:
        from rich.progress import Progress
    except ImportError:
        return mail
    from mailwright.words.value import replace

    return replace(mail, form=_Watched(mail.form, Progress))


class _Watched:
    """A message's form that shows how much of it was taken."""

    def __init__(self, form: Any, progress: Any) -> None:
        self._form, self._progress = form, progress

    @property
    def utf8(self) -> bool:
        """As the form below says."""
        return bool(self._form.utf8)

    def content(self, eight_bit: bool) -> Content:
        """The content below, watched if it is large."""
        content: Content = self._form.content(eight_bit)
        if content.size < LARGE:
            return content
        from mailwright.message.content import Content as Made

        return Made([_Bar(content, self._progress)], eight_bit=content.eight_bit, utf8=content.utf8)


class _Bar:
    """The octets of a content; taking them moves a bar."""

    def __init__(self, content: Content, progress: Any) -> None:
        self._content, self._progress = content, progress
        self.size = content.size

    def chunks(self) -> Iterator[bytes]:
        """The octets, from the first to the last."""
        with self._progress(transient=True) as bar:
            task = bar.add_task("sending", total=self.size)
            for chunk in self._content.chunks():
                yield chunk
                bar.advance(task, len(chunk))
