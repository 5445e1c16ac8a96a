"""How to leave a list: RFC 2369, RFC 8058, and what Gmail and Yahoo ask of who writes to many."""

from __future__ import annotations

from mailwright.message.check.finding import ERROR, INFO, WARNING, Group, shown
from mailwright.message.check.places import host_of, scheme_of
from mailwright.message.check.signatures import signatures

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailwright.message.check.finding import Fault
    from mailwright.message.check.opened import Opened

group = Group("Unsubscribing")
_HEADER, _POST = "list-unsubscribe", "list-unsubscribe-post"
_ONE_CLICK = "List-Unsubscribe=One-Click"
_BULK_FIELDS = frozenset(
    "list-id list-post list-help list-archive feedback-id x-campaign x-campaignid x-mailer-lid".split()
)
_BULK = frozenset(("bulk", "list", "junk"))
_WORDS = (
    "unsubscribe", "opt out", "opt-out", "email preferences", "abmelden", "abbestellen", "désabonner", "désinscri",
    "darse de baja", "cancelar suscripción", "cancelar la suscripción", "cancelar inscrição", "descadastr", "disiscriv",
    "annulla iscrizione", "uitschrijven", "afmelden", "avregistrera", "avprenumerera", "afmeld", "wypisz", "odhlásit",
    "отписаться", "відписатися", "配信停止", "退订", "退訂", "수신거부", "abonelikten",
)  # fmt: skip
_TEXT_LIMIT = 4000  # characters of the header


def is_bulk(mail: Opened) -> bool:
    """Whether it looks like mail to many: a list's header fields, or a link with which to leave."""
    if _BULK_FIELDS & mail.keys or mail.header("precedence").strip().lower() in _BULK:
        return True
    links = mail.page.links if mail.page is not None else []
    return any(word in link.text.lower() for link in links for word in _WORDS)


def _uris(mail: Opened) -> list[str]:
    """What stands in angle brackets in List-Unsubscribe."""
    text = mail.top.text(_HEADER)[:_TEXT_LIMIT]
    return [piece.partition(">")[0].strip() for piece in text.split("<")[1:] if ">" in piece]


@group.rule(
    "no-list-unsubscribe", WARNING,
    why="Gmail and Yahoo ask it of everybody who writes to many; who finds no way out presses “spam”.",
    source="RFC 2369 §3.2, Google and Yahoo: sender guidelines",
    fix="Add List-Unsubscribe: <https://…> and List-Unsubscribe-Post: List-Unsubscribe=One-Click.",
)  # fmt: skip
def no_list_unsubscribe(mail: Opened) -> Iterator[Fault]:
    """Mail to many without List-Unsubscribe."""
    if _HEADER not in mail.keys and is_bulk(mail):
        yield "It looks like mail to many, and has no List-Unsubscribe.", ""


@group.rule(
    "bad-list-unsubscribe", ERROR,
    why="Readers that can't make out the address show no button.",
    source="RFC 2369 §2, §3.2",
    fix="Write List-Unsubscribe: <https://example.org/u/123>, <mailto:leave@example.org>, in ASCII and once.",
)  # fmt: skip
def bad_list_unsubscribe(mail: Opened) -> Iterator[Fault]:
    """A List-Unsubscribe that can't be used."""
    fields = mail.all(_HEADER)
    if not fields:
        return
    text, uris = fields[0].text, _uris(mail)
    problem = (
        "is there more than once" if len(fields) > 1
        else "holds encoded words" if "=?" in text and "?=" in text
        else "names nothing in angle brackets" if not uris
        else "has a space inside an address" if any(len(uri.split()) != 1 for uri in uris)
        else "has letters outside ASCII" if not text.isascii()
        else "has neither a https: nor a mailto: address" if not any(map(_usable, uris))
        else ""
    )  # fmt: skip
    if problem:
        yield f"List-Unsubscribe {problem}: {shown(text)}.", "header List-Unsubscribe"


def _usable(uri: str) -> bool:
    scheme = scheme_of(uri)
    return (scheme == "https" and bool(host_of(uri))) or (scheme == "mailto" and "@" in uri.replace("%40", "@"))


@group.rule(
    "no-one-click", WARNING,
    why="Without it the button of Gmail and Yahoo is missing, or opens a page; both ask for it above 5,000 a day.",
    source="RFC 8058 §3.1, Google and Yahoo: sender guidelines",
    fix="Add List-Unsubscribe-Post: List-Unsubscribe=One-Click, and a https: address that takes a POST.",
)  # fmt: skip
def no_one_click(mail: Opened) -> Iterator[Fault]:
    """List-Unsubscribe without List-Unsubscribe-Post."""
    if _HEADER in mail.keys and _POST not in mail.keys and is_bulk(mail):
        yield "There is no List-Unsubscribe-Post.", ""


@group.rule(
    "bad-one-click", ERROR,
    why="Any other value, or no https: address to which it could be posted, and there is no button.",
    source="RFC 8058 §3.1, §3.2",
    fix="Write exactly List-Unsubscribe-Post: List-Unsubscribe=One-Click, and a https: address in List-Unsubscribe.",
)  # fmt: skip
def bad_one_click(mail: Opened) -> Iterator[Fault]:
    """A List-Unsubscribe-Post that is not the one word it may be, or that has no https: address."""
    fields = mail.all(_POST)
    if not fields:
        return
    if len(fields) > 1 or fields[0].text != _ONE_CLICK:
        yield f"It says {shown(fields[0].text)}.", "header List-Unsubscribe-Post"
    elif not any(scheme_of(uri) == "https" for uri in _uris(mail)):
        yield "List-Unsubscribe has no https: address.", "header List-Unsubscribe"


@group.rule(
    "one-click-outside-signature", ERROR,
    why="A DKIM signature must cover both fields; where it does not, the button is not shown.",
    source="RFC 8058 §4",
    fix="Add list-unsubscribe and list-unsubscribe-post to the fields that are signed (h=).",
)  # fmt: skip
def one_click_outside_signature(mail: Opened) -> Iterator[Fault]:
    """No DKIM signature covers both List-Unsubscribe and List-Unsubscribe-Post."""
    found = signatures(mail)
    if {_HEADER, _POST} <= mail.keys and found and not any({_HEADER, _POST} <= one.covered for one in found):
        best = max(found, key=lambda one: len({_HEADER, _POST} & one.covered))
        missing = " and ".join(sorted({_HEADER, _POST} - best.covered))
        yield f"The signature of {shown(best.domain)} does not cover {missing}.", "header DKIM-Signature"


@group.rule(
    "one-click-unsigned", INFO,
    why="The button is shown only where a DKIM signature covers both fields; this message has none yet.",
    source="RFC 8058 §4",
    fix="Look that whoever signs it later covers list-unsubscribe and list-unsubscribe-post.",
)  # fmt: skip
def one_click_unsigned(mail: Opened) -> Iterator[Fault]:
    """List-Unsubscribe-Post in a message that is not signed."""
    if {_HEADER, _POST} <= mail.keys and not signatures(mail):
        yield "There is no DKIM-Signature.", ""
