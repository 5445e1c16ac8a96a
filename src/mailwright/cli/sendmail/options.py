"""The command line of sendmail: one letter a switch, forty years old, and passed by programs that nobody will change.

What concerns a queue or a daemon of its own is passed over in silence, since a message goes out at once or not at all.
"""

from __future__ import annotations

from mailwright.words.envelope import DSN
from mailwright.words.errors import MessageError
from mailwright.words.url import holds_password
from mailwright.words.value import value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: Letters that have a value, in the same word or in the next: those that are heeded, and those passed over.
_HEEDED = "bfFNOoRrV"
_PASSED_OVER = "ABCDehLMpX"
#: Letters whose value, if any, stands in the same word.
_ATTACHED = "dq"
_SWITCHES = "itv" + "cGImnsTUx"
_LONG = {"--account": "the name of an account", "--outbox": "the database of an outbox"}
_MODES = {"m": "send", "s": "smtp", "v": "verify", "p": "queue", "i": "aliases"}
_NO_DAEMON = "This sendmail only hands messages on: it is no daemon and has no queue."
_OTHER_MODES = {
    **dict.fromkeys(("d", "D", "l"), _NO_DAEMON + " To receive mail for tests there is: mailwright inbox."),
    **dict.fromkeys(("h", "H"), _NO_DAEMON + " There is no host status to keep."),
    "P": _NO_DAEMON,
    "a": "The mail of the ARPANET went out of use in 1983.",
    "t": "There are no rules of sendmail.cf to test; `mailwright config` shows the settings, and -bv an address.",
}


class Misuse(Exception):
    """The command line is wrong; the text says how, and repeats nothing but the letter of an option."""


@value
class Options:
    """What a command line asks for.

    `mode`: ``send``, ``smtp`` (on standard input and output), ``verify``, ``queue`` or ``aliases``. `sender`: as
    given, empty for the null reverse-path; `None` when nobody said. `from_headers`: recipients stand in the message.
    `dot_ends`: a line with a lone dot ends the message. `queue`: hand it to the outbox (`outbox`, or that of the
    settings) and not to a server.
    """

    mode: str = "send"
    recipients: tuple[str, ...] = ()
    from_headers: bool = False
    dot_ends: bool = True
    sender: str | None = None
    name: str = ""
    dsn: DSN | None = None
    verbose: bool = False
    account: str | None = None
    queue: bool = False
    outbox: str | None = None


def read_options(words: Sequence[str]) -> Options:
    """The options in `words`. They end at ``--`` or at the first recipient, as POSIX has it. Raises `Misuse`."""
    if any("://" in word and holds_password(word) for word in words):
        from mailwright.cli import WAYS_OUT

        raise Misuse(WAYS_OUT)
    given: dict[str, object] = {}
    left = list(words)
    while left and left[0].startswith("-") and left[0] not in ("-", "--"):
        word = left.pop(0)
        if word.startswith("--"):
            _long(word, left, given)
        else:
            _cluster(word[1:], left, given)
    if left[:1] == ["--"]:
        del left[0]
    elif any(word.startswith("-") for word in left):
        # The original takes it for an address, and the mail for lost.
        raise Misuse(
            "an option stands behind a recipient: options come first, and -- before an address that begins so."
        )
    dsn = {name: given.pop(name) for name in ("notify", "ret", "envid") if name in given}
    try:
        given["dsn"] = DSN(**dsn) if dsn else None  # type: ignore[arg-type]
    except MessageError as problem:
        raise Misuse(f"{problem.what} {problem.advice}") from None
    return Options(recipients=tuple(left), **given)  # type: ignore[arg-type]


def _long(word: str, left: list[str], given: dict[str, object]) -> None:
    name, equals, text = word.partition("=")
    if word == "--queue":
        given["queue"] = True
        return
    if name not in _LONG:
        raise Misuse("there are no long options but --account, --queue, --outbox, --help and --version.")
    if not equals:
        if not left:
            raise Misuse(f"{name} needs {_LONG[name]}.")
        text = left.pop(0)
    given[name[2:]] = text


def _cluster(letters: str, left: list[str], given: dict[str, object]) -> None:
    """One word of options, such as ``-ti`` or ``-oem``, without its hyphen."""
    for place, letter in enumerate(letters):
        rest = letters[place + 1 :]
        if letter in _SWITCHES:
            _switch(letter, given)
        elif letter in _ATTACHED:
            if letter == "q":
                given.setdefault("mode", "queue")
            return
        elif letter in _HEEDED or letter in _PASSED_OVER:
            if not rest:
                if not left:
                    raise Misuse(f"-{letter} needs a value.")
                rest = left.pop(0)
            if letter in _HEEDED:
                _valued(letter, rest, given)
            return
        else:
            shown = f"-{letter}" if letter.isascii() and letter.isalnum() else "an option"
            raise Misuse(f"{shown} is not an option of sendmail that is known here.")


def _switch(letter: str, given: dict[str, object]) -> None:
    if letter == "t":
        given["from_headers"] = True
    elif letter == "i":
        given["dot_ends"] = False
    elif letter == "v":
        given["verbose"] = True
    elif letter == "I":
        given["mode"] = "aliases"


def _valued(letter: str, text: str, given: dict[str, object]) -> None:
    if letter == "b":
        _mode(text, given)
    elif letter in "fr":
        given["sender"] = "" if text.strip() in ("", "<>") else text
    elif letter == "F":
        given["name"] = text
    elif letter == "N":
        given["notify"] = tuple(word.strip() for word in text.split(","))
    elif letter == "R":
        given["ret"] = text.upper()
    elif letter == "V":
        given["envid"] = text
    elif (letter == "o" and text.startswith("i")) or (letter == "O" and text.lower().startswith("ignoredots")):
        given["dot_ends"] = text.lower().endswith("false")


def _mode(text: str, given: dict[str, object]) -> None:
    if text in _MODES:
        given["mode"] = _MODES[text]
    elif text[:1] in _OTHER_MODES:
        raise Misuse(_OTHER_MODES[text[:1]])
    else:
        raise Misuse("-b is followed by m, s, v, p or i here.")
