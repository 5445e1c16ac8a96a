"""A message that came in, and all that the server knows about it."""

from __future__ import annotations

from io import BytesIO

from mailwright.message.source import Octets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailwright.message.message import Message
    from mailwright.message.source import Source
    from mailwright.words.address import Address
    from mailwright.words.envelope import Envelope
    from mailwright.words.receipt import TLSFacts
    from mailwright.words.transcript import Transcript

BLOCK = 1 << 18  # octets that are read at once


class Received:
    """A message as it was received.

    `envelope`: sender, recipients, and what was asked about delivery reports; its ``dsn.notify`` is empty
    where recipients differ in it. `content`: the exact octets, lines ended by CRLF, doubled dots undone; of a large
    message they stay in a file until they are asked for, and `blocks` gives them in pieces.
    `hello`: the name that the client gave. `peer`: its address. `login`: the user who was let in, or
    `None`. `tls`: how the connection was secured, or `None`. `mail_parameters` and, for each recipient of
    the envelope, `rcpt_parameters`: the parameters as they were given, names in upper case. `transcript`: what was
    said, secrets masked, if somebody took it down. `note`: what the inbox has to say about it.
    """

    __slots__ = (
        "_message",
        "_source",
        "envelope",
        "hello",
        "login",
        "mail_parameters",
        "note",
        "peer",
        "rcpt_parameters",
        "tls",
        "transcript",
    )

    def __init__(
        self,
        envelope: Envelope,
        content: bytes | Source,
        *,
        hello: str = "",
        peer: str = "",
        login: str | None = None,
        tls: TLSFacts | None = None,
        mail_parameters: dict[str, str] | None = None,
        rcpt_parameters: tuple[dict[str, str], ...] = (),
        transcript: Transcript | None = None,
        note: str = "",
    ) -> None:
        self.envelope = envelope
        self._source: Source = Octets(content) if isinstance(content, bytes) else content
        self.hello = hello
        self.peer = peer
        self.login = login
        self.tls = tls
        self.mail_parameters = mail_parameters or {}
        self.rcpt_parameters = rcpt_parameters
        self.transcript = transcript
        self.note = note
        self._message: Message | None = None

    @property
    def content(self) -> bytes:
        """The exact octets, all of them in memory."""
        source = self._source
        return source.data if isinstance(source, Octets) else _whole(source)

    @property
    def size(self) -> int:
        """Octets of the content."""
        return self._source.size

    def blocks(self, length: int = BLOCK) -> Iterator[bytes]:
        """The exact octets in pieces of `length`, of which only the last may be shorter."""
        return self._source.blocks(length)

    @property
    def message(self) -> Message:
        """The content as a `Message`, parsed when it is first asked for."""
        if self._message is None:
            from mailwright.message.message import Message

            self._message = Message.parse(self.content)
        return self._message

    @property
    def sender(self) -> Address | None:
        """The sender of the envelope, `None` for the null reverse-path."""
        return self.envelope.sender

    @property
    def recipients(self) -> tuple[Address, ...]:
        """The recipients of the envelope."""
        return self.envelope.recipients

    @property
    def subject(self) -> str:
        """The subject of the message, decoded."""
        return self.message.subject

    def __repr__(self) -> str:
        to = ", ".join(a.spec for a in self.recipients[:3]) + (", …" if len(self.recipients) > 3 else "")
        return f"<Received from <{self.envelope.reverse_path}> to {to}, {self.size:,} octets>"


def _whole(source: Source) -> bytes:
    """All octets. Joined, a large content would be in memory twice: in pieces, and as a whole."""
    whole = BytesIO()
    if source.size:
        whole.seek(source.size - 1)
        whole.write(b"\0")  # it has its size at once, and `getvalue` copies nothing
        whole.seek(0)
    for block in source.blocks(BLOCK):
        whole.write(block)
    return whole.getvalue()
