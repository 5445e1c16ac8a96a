"""`Message`: what an author means to send."""

from __future__ import annotations

from _thread import allocate_lock

from mailwright.message.headers import refuse_controls
from mailwright.message.rendering import render
from mailwright.message.stamping import checked_date, checked_ids, date_text, now_and_token
from mailwright.message.stamping import message_id as new_message_id
from mailwright.words.address import Address, addresses
from mailwright.words.envelope import DSN, Envelope
from mailwright.words.errors import AddressError, HeaderError, MessageError
from mailwright.words.value import fields_of, value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from typing import Any, Literal, Never, Protocol

    from mailwright.message.attachment import Attachables, Attachment
    from mailwright.message.check import Finding
    from mailwright.message.content import Content
    from mailwright.message.extra_headers import Headers

    class ShowsHTML(Protocol):
        """Anything that shows itself in a notebook: data frames, plots, tables."""

        def _repr_html_(self) -> str | None: ...

    AddressLike = str | Address | tuple[str, str]
    Addresses = AddressLike | Iterable[AddressLike] | None
    Priority = Literal["high", "normal", "low"]

_PRIORITIES = ("high", "normal", "low")
_stamping = allocate_lock()


@value
class Draft:
    """The fields of a message, checked and in their own types."""

    sender: Address | None
    to: tuple[Address, ...]
    subject: str
    text: str | None
    html: str | None
    attachments: tuple[Attachment, ...]
    inline: tuple[Attachment, ...]
    cc: tuple[Address, ...]
    bcc: tuple[Address, ...]
    reply_to: tuple[Address, ...]
    headers: tuple[tuple[str, str], ...]
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    priority: str | None
    date: str | None
    message_id: str | None
    dsn: DSN | None
    require_tls: bool


class Message(Draft):
    """A message to send. Frozen: what it holds never changes, so it can be sent twice, shared and kept.

    ::

        Message("ada@example.org", "bob@example.net", "Minutes", "Dear Bob, …", attachments="minutes.pdf")

    Addresses are text (``"ada@example.org"``, ``"Ada <ada@example.org>"``, several separated by commas),
    pairs ``(name, address)``, `Address` values, or lists of these.

    ``sender``
        Whom it is from. May be left out until the message is sent.
    ``to``, ``cc``, ``bcc``, ``reply_to``
        Addresses. Those in `bcc` get the message and are never in its octets.
    ``subject``
        One line of text.
    ``text``, ``html``
        The two forms of the body; line ends of any kind become CRLF. With `html` alone a plain text with
        its links and tables is derived; ``text=""`` turns that off. `html` may be any object with
        ``_repr_html_``, such as a data frame.
    ``attachments``
        One or several of: a path, a file object, an `Attachment`; or a mapping of names to these or to bytes.
    ``inline``
        Pictures for the HTML: a mapping of names to paths, bytes, or figures with ``savefig``;
        ``<img src="cid:name">`` shows one.
    ``headers``
        Further header fields, a mapping or pairs. Those that have a keyword here are refused.
    ``in_reply_to``, ``references``
        Message-IDs of the message that this one answers, and of the thread.
    ``priority``
        ``"high"``, ``"normal"`` or ``"low"``.
    ``date``, ``message_id``
        Set when the message is sent, if they are not given. A date is a datetime with a time zone, or seconds
        since 1970.
    ``dsn``, ``require_tls``
        For the envelope: which reports of delivery are wanted (RFC 3461); TLS on every hop (RFC 8689).

    Raises `AddressError`, `HeaderError` or `MessageError`, each naming the field; `TypeError` for an unknown
    keyword, naming the right one.
    """

    __slots__ = ("_stamp",)

    _stamp: tuple[str, str] | None  # Date and Message-ID, of one that was rendered before anybody stamped it

    def __init__(
        self,
        sender: AddressLike | None = None,
        to: Addresses = (),
        subject: str = "",
        text: str | None = None,
        html: str | ShowsHTML | None = None,
        *,
        attachments: Attachables | None = (),
        inline: Attachables | None = None,
        cc: Addresses = (),
        bcc: Addresses = (),
        reply_to: Addresses = (),
        headers: Headers | None = None,
        in_reply_to: str | Iterable[str] | None = None,
        references: str | Iterable[str] | None = (),
        priority: Priority | None = None,
        date: str | float | datetime | None = None,
        message_id: str | None = None,
        dsn: DSN | None = None,
        require_tls: bool = False,
        **unknown: Never,
    ) -> None:
        if unknown:
            from mailwright.message.keywords import explain_unknown

            raise explain_unknown(unknown)
        extra = _extra(headers) if headers else ()
        super().__init__(
            _one_address(sender) if sender else None,
            _addresses("to", to) if to else (),
            refuse_controls(subject, "subject"),
            _body("text", text) if text is not None else None,
            _body("html", _html_of(html)) if html is not None else None,
            _attachments(attachments) if attachments is not None else (),
            _inline(inline, html) if inline is not None else (),
            _addresses("cc", cc) if cc else (),
            _addresses("bcc", bcc) if bcc else (),
            _addresses("reply_to", reply_to) if reply_to else (),
            extra,
            checked_ids(in_reply_to, "in_reply_to") if in_reply_to else (),
            checked_ids(references, "references") if references else (),
            _priority(priority, extra) if priority is not None else None,
            checked_date(date) if date is not None else None,
            _one_id(message_id) if message_id else None,
            dsn,
            bool(require_tls),
        )
        object.__setattr__(self, "_stamp", None)

    @classmethod
    def parse(cls, raw: bytes | bytearray | str) -> Message:
        """Read a message back from its octets (RFC 5322): text, HTML, attachments, inline parts, headers."""
        from mailwright.message.parse import parse

        return parse(raw)

    def stamped(self, now: float, token: str) -> Message:
        """The same message with its Date and Message-ID, or with `now` in UTC and ``<token@domain>``.

        A message that was rendered before keeps the stamp that it got then. `now`: seconds since 1970. `token`: ASCII
        letters and digits that never come again. The domain is the sender's. Raises `MessageError` without a sender.
        """
        if self.date is not None and self.message_id is not None:
            return self
        fields = {name: getattr(self, name) for name in fields_of(self)}
        fields["date"], fields["message_id"] = self.stamp(now, token)
        made = object.__new__(Message)
        Draft.__init__(made, **fields)  # they were checked when they came in
        return made

    def stamp(self, now: float, token: str) -> tuple[str, str]:
        """The Date and the Message-ID that `stamped` would give the message."""
        known: tuple[str, str] | None = getattr(self, "_stamp", None)  # a copy that was unpickled has not even None
        if known is not None:
            return known  # it was already shown to somebody with this Message-ID
        date = self.date or date_text(now)
        return date, self.message_id or new_message_id(token, self._sender().domain)

    def envelope(self) -> Envelope:
        """What the server is told: the sender, and everybody in to, cc and bcc.

        Raises `MessageError` without a sender or recipients.
        """
        return Envelope(self._sender(), self.to + self.cc + self.bcc, self.dsn, self.require_tls)

    def render(self, eight_bit: bool = False, stamp: tuple[str, str] | None = None, binary: bool = False) -> Content:
        """The octets of the message; two renderings are equal.

        A message without Date or Message-ID gets them once, at the first rendering. `eight_bit`: the server
        offers 8BITMIME (RFC 6152) and nobody signs, so that bodies outside ASCII may go unencoded. `stamp`: the Date
        and Message-ID that `stamp` gave. `binary`: the server offers BINARYMIME too, so that attachments that ask for
        it go as they are; only boundaries then differ between two renderings. Raises `MessageError` without a sender.
        """
        return render(self, self._sender(), stamp or self._own_stamp(), eight_bit, binary)

    def preview(self) -> str:
        """Show the message in the web browser; nothing in it runs, and nothing is fetched.

        Gives the path of the page, a temporary file. Raises `ConfigError` if there is no browser.
        """
        from mailwright.message.preview import open_in_browser

        return open_in_browser(self)

    def _sender(self) -> Address:
        if self.sender is None:
            raise MessageError("The message has no sender.", 'Give one: Message(sender="ada@example.org", …).')
        return self.sender

    def _own_stamp(self) -> tuple[str, str]:
        stamp: tuple[str, str] | None = getattr(self, "_stamp", None)
        if stamp is None:
            with _stamping:  # or two threads would make two messages of one
                stamp = self.stamp(*now_and_token())
                object.__setattr__(self, "_stamp", stamp)
        return stamp

    def _repr_html_(self) -> str:
        from mailwright.message.preview import notebook

        return notebook(self)

    def __bytes__(self) -> bytes:
        return bytes(self.render())

    def __repr__(self) -> str:
        shown = [
            f"{name}={_shown(getattr(self, name))}" for name in fields_of(self) if name != "bcc" and getattr(self, name)
        ]
        if self.bcc:
            shown.append(f"bcc=<{len(self.bcc)}>")  # a repr ends in logs, where nobody else's eyes should find them
        return f"Message({', '.join(shown)})"

    def check(
        self, envelope: Envelope | None = None, *, only: Iterable[str] = (), ignore: Iterable[str] = ()
    ) -> tuple[Finding, ...]:
        """What would be refused, lost, misread or not shown, and what to do: see `mailwright.message.check`.

        Raises `MessageError` without a sender, `ConfigError` for a rule that does not exist.
        """
        from mailwright.message.check import check

        return check(self, envelope, only=only, ignore=ignore)


def _shown(found: Any) -> str:
    if isinstance(found, str) and len(found) > 60:
        return f"{found[:57]!r}…"
    if isinstance(found, Address):
        return repr(str(found))
    if isinstance(found, tuple):
        more = f", … {len(found)} in all" if len(found) > 3 else ""
        return f"[{', '.join(map(_shown, found[:3]))}{more}]"
    return repr(found)


def _one_address(given: AddressLike) -> Address:
    try:
        return Address.of(given)
    except AddressError as problem:
        raise _placed(problem, "sender") from None


def _addresses(field: str, given: Addresses) -> tuple[Address, ...]:
    try:
        return addresses(given)
    except AddressError as problem:
        raise _placed(problem, field) from None


def _placed(problem: AddressError, field: str) -> AddressError:
    """The same error, saying in which field it was."""
    return AddressError(f"{field}: {problem.what}", problem.advice, text=problem.text, position=problem.position)


def _body(field: str, given: str) -> str:
    if not isinstance(given, str):
        raise MessageError(f"{field} is {type(given).__name__}, not text.", "Give it as str.")
    if not given.isascii():
        try:
            given.encode()
        except UnicodeEncodeError as problem:
            raise MessageError(
                f"{field} holds half a character (a lone surrogate) at position {problem.start + 1}.",
                "It was decoded wrongly before; decode it anew.",
            ) from None
    return given


def _html_of(given: str | ShowsHTML) -> str:
    if isinstance(given, str):
        return given
    show = getattr(given, "_repr_html_", None)
    if show is None:
        raise MessageError(
            f"html is {type(given).__name__}, not text.", "Give it as str, or an object with _repr_html_."
        )
    found: str | None = show()
    if found is None:
        raise MessageError(f"html: this {type(given).__name__} does not show itself as HTML.", "Give it as str.")
    return found


def _attachments(given: Attachables) -> tuple[Attachment, ...]:
    if isinstance(given, (tuple, list)) and not given:
        return ()
    from mailwright.message.attachment import attachments

    return attachments(given)


def _inline(given: Attachables, html: object) -> tuple[Attachment, ...]:
    if isinstance(given, (tuple, list)) and not given:
        return ()
    from mailwright.message.attachment import inline_parts

    found = inline_parts(given)
    if found and html is None:
        raise MessageError("Inline parts are shown by HTML, and there is none.", 'Give html with <img src="cid:name">.')
    return found


def _extra(given: Headers) -> tuple[tuple[str, str], ...]:
    from mailwright.message.extra_headers import checked_headers

    return checked_headers(given)


def _priority(given: str, extra: Iterable[tuple[str, str]]) -> str:
    if given not in _PRIORITIES:
        raise HeaderError(f"priority={given!r} is not known.", "Use high, normal or low.", field="priority")
    for name, _ in extra:
        if name.lower() in ("x-priority", "importance"):
            raise HeaderError(f"{name} and priority say the same.", "Give only one of them.", field=name)
    return given


def _one_id(given: str) -> str | None:
    found = checked_ids(given, "message_id")
    if len(found) > 1:
        raise HeaderError("message_id holds several identifiers.", "Give one.", field="message_id")
    return found[0] if found else None
