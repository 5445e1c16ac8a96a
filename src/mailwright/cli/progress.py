"""How far an upload is: known for every message, and drawn for a large one where somebody looks.

It is drawn on standard error, by rich where that is installed and else as one plain line. Nothing of it is left
when it is over, and no thread draws.
"""

from __future__ import annotations

import os
import sys
from time import monotonic

from mailwright.message.content import Content
from mailwright.words.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Any, Protocol

    from mailwright.message.mail import Form, MailObject

    class Bar(Protocol):
        """Something that shows how many octets of all were sent."""

        def show(self, sent: int) -> None:
            """Show it."""
            ...

        def close(self) -> None:
            """Take it off the terminal."""
            ...


LARGE = 2_000_000  # octets: below it the upload is over before a bar would be read
INTERVAL = 0.1  # seconds between two drawings
_WAITING = "sent; waiting for the server's answer"


class Upload:
    """The way of one message to the server. `mail` is to be sent in place of what was given.

    `begun`: the first octets of the content were asked for. A context manager: the bar is gone when the block ends.
    """

    def __init__(self, mail: MailObject) -> None:
        self.begun = False
        self.mail = replace(mail, form=_Watched(mail.form, self))
        self._bar: Bar | None = None
        self._drawn = 0.0

    def pass_on(self, content: Content) -> Iterator[bytes]:
        """The octets of `content`; the bar follows them."""
        self.begun, sent = True, 0
        self._close()  # a second transaction begins anew
        if content.size >= LARGE and sys.stderr.isatty():
            self._bar = _bar(content.size)
        for chunk in content.chunks():
            yield chunk
            sent += len(chunk)
            now = monotonic()
            if self._bar is not None and (sent == content.size or now - self._drawn >= INTERVAL):
                self._drawn = now
                self._bar.show(sent)

    def _close(self) -> None:
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()

    def __enter__(self) -> Upload:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()


class _Watched:
    """The form of a mail object, each content of which passes through an `Upload`."""

    def __init__(self, form: Form, upload: Upload) -> None:
        self._form, self._upload = form, upload

    @property
    def utf8(self) -> bool:
        """As the form below says."""
        return self._form.utf8

    def content(self, eight_bit: bool) -> Content:
        """The content below, watched."""
        content = self._form.content(eight_bit)
        return Content([_Stream(content, self._upload)], eight_bit=content.eight_bit, utf8=content.utf8)


class _Stream:
    def __init__(self, content: Content, upload: Upload) -> None:
        self._content, self._upload = content, upload
        self.size = content.size

    def chunks(self) -> Iterator[bytes]:
        """The octets, from the first to the last."""
        return self._upload.pass_on(self._content)


def _bar(total: int) -> Bar | None:
    if os.environ.get("TERM", "dumb") == "dumb" and os.name == "posix":
        return None  # it can't go back to the beginning of a line
    try:
        return _RichBar(total)
    except ImportError:
        return _PlainBar(total)


class _RichBar:
    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        self._total = total
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn(),
            console=Console(file=sys.stderr), transient=True, auto_refresh=False,
            redirect_stdout=False, redirect_stderr=False,
        )  # fmt: skip
        self._progress.start()
        self._task: Any = self._progress.add_task("sending", total=total)

    def show(self, sent: int) -> None:
        """Move the bar."""
        what = "sending" if sent < self._total else _WAITING
        self._progress.update(self._task, completed=sent, description=what, refresh=True)

    def close(self) -> None:
        """Take it off the terminal."""
        self._progress.stop()


class _PlainBar:
    def __init__(self, total: int) -> None:
        self._total, self._width = total, 0

    def show(self, sent: int) -> None:
        """Write over the line."""
        line = f"{sent / 1e6:.1f} of {self._total / 1e6:.1f} MB {'sent' if sent < self._total else _WAITING}"
        self._write(f"\r{line:{self._width}}")
        self._width = len(line)

    def close(self) -> None:
        """Wipe the line out."""
        self._write(f"\r{'':{self._width}}\r")

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:
            pass  # the terminal is gone; the upload is not
