"""What the command prints: where it listens, and the messages. All of a message comes from a stranger."""

from __future__ import annotations

from mailwright.words.reply import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailwright.cli.inbox.opening import Opened
    from mailwright.inbox import Received
    from mailwright.words.server import Login

LINES = 40  # lines of a text that are printed
_READ = 1 << 20  # octets of a message that are read for that


def introduce(opened: Opened) -> None:
    """Print how to reach it, ready to paste."""
    inbox, site = opened.inbox, opened.site
    server = inbox.server
    print("Listening; what arrives is printed here and passed on to nobody.\n")
    print(f"  host      {server.host}\n  port      {server.port}\n  security  {server.security}")
    if server.tls.ca_file:
        print(f"  CA file   {server.tls.ca_file}")
    if server.login is not None:
        print("\n".join(_credential(server.login)))
    if site is not None:
        print(f"  page      {site.url}")
    if opened.password:
        print(f"            password {opened.password} (made up for this run; any user name)")
    for armed in inbox.faults.active:
        from mailwright.inbox.faults import written

        print(f"  fault     {visible(written(armed.fault), 200)}")
    if opened.notice:
        print(f"\n{opened.notice}")
    if server.login is None or server.login.password is not None:
        print(f"\nFor mailwright:  export MAILWRIGHT_URL='{inbox.url}'")
        print(f"To divert all:   export MAILWRIGHT_CATCH='{inbox.url}'")
    print("Ctrl-C ends it.", flush=True)


def _credential(login: Login) -> Iterator[str]:
    from mailwright.words.secret import Secret

    yield f"  user      {visible(login.user, 100)}"
    for kind in ("password", "token"):
        made_up = getattr(login, kind)
        if isinstance(made_up, Secret):
            yield f"  {kind:9} {made_up.reveal()} (made up for this run)"


def shown(number: int, received: Received) -> Iterator[str]:
    """The lines that show a message."""
    from mailwright.message.message import Message
    from mailwright.words.errors import MailError

    envelope = received.envelope
    to = ", ".join(recipient.spec for recipient in envelope.recipients[:10])
    more = f" and {len(envelope.recipients) - 10} more" if len(envelope.recipients) > 10 else ""
    yield f"── {number} ── from {visible(envelope.reverse_path or '<>', 300)} to {visible(to, 1000)}{more}"
    try:
        message = received.message if received.size <= _READ else Message.parse(next(received.blocks(_READ)))
        text = message.text or _text_of(message.html or "")
    except MailError as problem:
        yield f"   not readable as a message: {visible(str(problem), 300)}"
        return
    yield f"   Subject: {visible(message.subject, 200) or '(none)'}"
    lines = text.splitlines()
    for line in lines[:LINES]:
        yield f"   {visible(line, 200)}".rstrip()
    if len(lines) > LINES:
        yield f"   … and {len(lines) - LINES} more lines"
    if received.size > _READ:
        yield f"   … {received.size:,} octets altogether"
        return
    for attachment in (*message.inline, *message.attachments):
        yield f"   + {visible(attachment.name or '(no name)', 100)}, {attachment.type}, {attachment.size:,} octets"


def _text_of(html: str) -> str:
    from mailwright.message.markup.text import text_from_html

    return text_from_html(html)
