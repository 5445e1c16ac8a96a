"""One failure as far as it is known, before anybody says what it means."""

from __future__ import annotations

from mailwright.words.value import value

#: The phases that the rules speak of. `data` is the content and the reply to it, as far as nobody knows better;
#: `final_reply` is the time after the last octet of the content, when the message may have been accepted.
PHASES = (
    "import",
    "message_build",
    "resolve",
    "connect",
    "greeting",
    "ehlo",
    "starttls",
    "tls",
    "auth",
    "oauth_token",
    "ready",
    "mail_from",
    "rcpt_to",
    "data",
    "final_reply",
    "quit",
)
_OTHER_NAMES = {
    "mail": "mail_from",
    "rcpt": "rcpt_to",
    "content": "data",
    "final reply": "final_reply",
    "final": "final_reply",
    "helo": "ehlo",
    "lhlo": "ehlo",
    "login": "auth",
    "dns": "resolve",
}


@value
class Failure:
    """What was seen of a failure.

    `text` holds the words, `code` and `enhanced` the reply's codes (0 and empty: not known). `names` are the classes
    of an exception with their bases, `numbers` its error numbers. `symptoms` are what the words and the classes say in
    any language (``"timeout"``, ``"cert-name"``). `phase` is one of `PHASES`; `doubt` is true when the message may
    have been accepted; `refused` when a transcript shows that here the talk went wrong.
    """

    text: str = ""
    code: int = 0
    enhanced: str = ""
    names: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    symptoms: frozenset[str] = frozenset()
    phase: str = ""
    port: int = 0
    security: str = ""
    provider: str = ""
    host: str = ""
    banner: str = ""
    doubt: bool = False
    refused: bool = False


def phase_named(name: str) -> str:
    """The phase that a caller means: one of `PHASES`, a word of `mailwright.smtp.phases`, or a command; empty for
    anything else.
    """
    known = name.strip().lower()
    known = _OTHER_NAMES.get(known, known.replace(" ", "_"))
    return known if known in PHASES else ""
