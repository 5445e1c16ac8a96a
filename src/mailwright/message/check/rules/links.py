"""Links: whether they lead where they say, and anywhere at all."""

from __future__ import annotations

import re

from mailwright.message.check.finding import ERROR, INFO, WARNING, Group, listed, shown
from mailwright.message.check.places import (
    RESERVED,
    SHORTENERS,
    ascii_name,
    has_user,
    host_of,
    is_below,
    is_number,
    is_private,
    organization,
    scheme_of,
)
from mailwright.message.markup.flow import seen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailwright.message.check.finding import Fault
    from mailwright.message.check.opened import Opened
    from mailwright.message.check.page import Link

group = Group("Links")
_SAID = re.compile(
    r"(?:(https?)://|(www\.))?((?:[^\W_][\w-]{0,62}\.){1,10}[^\W\d_]{2,20})\.?(?::\d{1,5})?(?:[/?#]\S*+)?", re.I
)
#: Bare words that end like this are names of places, and not of files or programs.
_COMMON = frozenset(
    "com org net edu gov info biz io dev app co uk de fr es it nl ch at be se no dk fi pl eu us ca au jp".split()
)
_RUN = ("javascript", "vbscript", "data")
_GONE = re.compile(r"https?://[^\s<>\"')\]]{1,500}", re.I)


def _links(mail: Opened) -> list[Link]:
    return mail.page.links if mail.page is not None else []


def _web(mail: Opened) -> list[str]:
    """The addresses on the web to which the HTML links."""
    return [one.href for one in _links(mail) if scheme_of(one.href) in ("http", "https") or one.href.startswith("//")]


def _all_web(mail: Opened) -> list[str]:
    """Those of the HTML and those in the plain texts, each once."""
    written = [found for text in mail.texts for found in _GONE.findall(text)]
    return list(dict.fromkeys([*_web(mail), *written]))


@group.rule(
    "misleading-link", WARNING,
    why="What shows one place and leads to another is what forgeries are made of; filters and readers warn of it.",
    source="M3AAWG: sender best practices, SpamAssassin URI_PHISH",
    fix="Let the text be words, or the place to which the link leads.",
)  # fmt: skip
def misleading_link(mail: Opened) -> Iterator[Fault]:
    """The text of a link names another place than its target."""
    for link in _links(mail):
        said = _said_place(link.text)
        there = _place(link.href)
        if said and there and organization(said) != organization(there):
            yield f"{shown(link.text)} leads to {shown(there)}.", "HTML"


def _said_place(text: str) -> str:
    """The host, or the domain of the address, that the text of a link shows; empty if it is words."""
    text = seen(text).strip(" <>()[]")
    if "@" in text and " " not in text and "/" not in text:
        return ascii_name(text.removeprefix("mailto:").rpartition("@")[2])
    found = _SAID.fullmatch(text)
    if not found:
        return ""
    host = ascii_name(found[3])
    return host if found[1] or found[2] or host.rpartition(".")[2] in _COMMON else ""


def _place(href: str) -> str:
    scheme = scheme_of(href)
    if scheme == "mailto":
        return ascii_name(href[7:].partition("?")[0].rpartition("@")[2].replace("%40", "@").rpartition("@")[2])
    return host_of(href) if scheme in ("http", "https") or href.startswith("//") else ""


@group.rule(
    "hidden-host", WARNING,
    why="What stands before the @ is no host, but is read as one; browsers and filters warn of it.",
    source="RFC 3986 §7.5, §7.6",
    fix="Name the host alone.",
)  # fmt: skip
def hidden_host(mail: Opened) -> Iterator[Fault]:
    """A link with a user name in front of its host."""
    found = [one for one in _web(mail) if has_user(one)]
    if found:
        yield f"The host stands behind an @: {listed(found)}.", "HTML"


@group.rule(
    "number-link", WARNING,
    why="Nobody can tell whose it is; filters count it as a sign of a taken-over machine.",
    source="SpamAssassin NUMERIC_HTTP_ADDR",
    fix="Use the name of the host.",
)  # fmt: skip
def number_link(mail: Opened) -> Iterator[Fault]:
    """A link to an IP address."""
    found = [one for one in _all_web(mail) if is_number(host_of(one)) and not is_private(host_of(one))]
    if found:
        yield f"There are links to an IP address: {listed(found)}.", ""


@group.rule(
    "shortened-link", WARNING,
    why="It hides where it leads, and the service's worst user decides how filters judge it.",
    source="M3AAWG: sender best practices, Spamhaus DBL",
    fix="Link to the place itself.",
)  # fmt: skip
def shortened_link(mail: Opened) -> Iterator[Fault]:
    """A link through a service that shortens addresses."""
    found = [one for one in _all_web(mail) if host_of(one).removeprefix("www.") in SHORTENERS]
    if found:
        yield f"There are shortened links: {listed(found)}.", ""


@group.rule(
    "local-link", ERROR,
    why="Only on your own machine or network does it lead anywhere.",
    source="RFC 1918, RFC 6761, RFC 6762",
    fix="Set the public address of the site (SITE_URL, BASE_URL, or how your program calls it).",
)  # fmt: skip
def local_link(mail: Opened) -> Iterator[Fault]:
    """A link to localhost or another private place."""
    found = [one for one in _all_web(mail) if host_of(one) and is_private(host_of(one))]
    found = [one for one in found if not is_below(host_of(one), RESERVED)]
    found += [one.href for one in _links(mail) if scheme_of(one.href) == "file" or _is_drive(one.href)]
    if found:
        yield f"Nobody else can follow {listed(found)}.", ""


def _is_drive(href: str) -> bool:
    return href[1:3] in (":\\", ":/") and href[0].isalpha()


@group.rule(
    "placeholder-link", INFO,
    why="example.com and its kin are for documents: what stands there is not what was meant.",
    source="RFC 2606, RFC 6761",
    fix="Put the real address there.",
)  # fmt: skip
def placeholder_link(mail: Opened) -> Iterator[Fault]:
    """A link to example.com or another reserved name."""
    found = [one for one in _all_web(mail) if is_below(host_of(one), RESERVED)]
    if found and not _is_rehearsal(mail):
        yield f"There are links to {listed(found)}.", ""


def _is_rehearsal(mail: Opened) -> bool:
    """Whether the message itself is from or to such a name: then it is an example as a whole."""
    return any(is_below(one.domain, RESERVED) for key in ("from", "to") for one in mail.addresses(key))


@group.rule(
    "insecure-link", INFO,
    why="Anybody on the way can read and change the page; some readers warn.",
    source="RFC 9110 §4.2.2",
    fix="Use https.",
)  # fmt: skip
def insecure_link(mail: Opened) -> Iterator[Fault]:
    """A link over http."""
    found = [one for one in _web(mail) if scheme_of(one) == "http" and not is_private(host_of(one))]
    if found:
        yield f"Over http lead {listed(found)}.", "HTML"


@group.rule(
    "half-link", ERROR,
    why="In a message there is no page to which it could be relative: it leads nowhere, or to the reader's own site.",
    source="RFC 3986 §5.1",
    fix="Write the address in full, with https://.",
)  # fmt: skip
def half_link(mail: Opened) -> Iterator[Fault]:
    """A link without scheme and host."""
    if mail.page is None or mail.page.based:
        return
    found = [one.href for one in mail.page.links if _is_half(one.href)]
    if found:
        yield f"There is no host in {listed(found)}.", "HTML"


def _is_half(href: str) -> bool:
    if not href or href.startswith(("#", "//", "{", "[", "%", "*", "<", "$")):
        return False
    return not scheme_of(href)


@group.rule(
    "dead-link", WARNING,
    why="Nothing happens when it is clicked.",
    source="HTML standard §4.6",
    fix="Give the target, or take the link out.",
)  # fmt: skip
def dead_link(mail: Opened) -> Iterator[Fault]:
    """A link whose target is empty or #."""
    found = [one.text or "(without text)" for one in _links(mail) if one.href in ("", "#", "http://", "https://")]
    if found:
        yield f"These lead nowhere: {listed(found)}.", "HTML"


@group.rule(
    "script-link", ERROR,
    why="No reader runs it; filters refuse the message for it.",
    source="Gmail, Outlook, Apple Mail and Yahoo alike",
    fix="Link to a page that does it.",
)  # fmt: skip
def script_link(mail: Opened) -> Iterator[Fault]:
    """A link that is a program."""
    found = [one.href for one in _links(mail) if scheme_of(one.href) in _RUN]
    if found:
        yield f"There is {listed(found)}.", "HTML"


@group.rule(
    "link-without-text", WARNING,
    why="Who hears the message instead of seeing it is told the address, letter by letter.",
    source="WCAG 2.2, 2.4.4",
    fix="Write text into the link, or alt into its picture.",
)  # fmt: skip
def link_without_text(mail: Opened) -> Iterator[Fault]:
    """A link without text, and without a picture that has an alt."""
    found = [one.href for one in _links(mail) if not (one.text or one.label) and one.href]
    if found:
        yield f"There is no text in the link to {listed(found)}.", "HTML"
