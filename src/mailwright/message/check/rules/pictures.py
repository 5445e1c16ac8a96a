"""Pictures: what is seen where they are not, how heavy they are, and where they come from."""

from __future__ import annotations

from mailwright.message.check.finding import ERROR, INFO, WARNING, Group, listed
from mailwright.message.check.places import host_of, is_private, scheme_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailwright.message.check.finding import Fault
    from mailwright.message.check.opened import Opened
    from mailwright.message.check.page import Page, Picture

group = Group("Pictures")
#: Octets of pictures that come with one message. On a slow phone (400 kbit/s) that takes twenty seconds.
WEIGHT = 1_000_000
_FEW_WORDS = 30  # characters
_EMBEDDED = ("cid", "data")


def _pictures(mail: Opened) -> list[Picture]:
    return mail.page.pictures if mail.page is not None else []


@group.rule(
    "missing-alt", WARNING,
    why="Many readers show no pictures at first, and screen readers never: without alt nothing is left.",
    source="WCAG 2.2, 1.1.1; HTML standard §4.8.4.4",
    fix='Say in alt what the picture says; alt="" if it is only decoration.',
)  # fmt: skip
def missing_alt(mail: Opened) -> Iterator[Fault]:
    """A picture without alt."""
    without = [one.src for one in _pictures(mail) if one.alt is None and not one.unseen]
    if without:
        yield f"Pictures without alt ({len(without)} of {len(_pictures(mail))}): {listed(without)}.", "HTML"


@group.rule(
    "image-weight", WARNING,
    why="All of it is sent to everybody, and read by few; on a slow line the message takes long to open.",
    source="experience: 400 kbit/s",
    fix="Make the pictures as large as they are shown, save photographs as JPEG, or link to them.",
)  # fmt: skip
def image_weight(mail: Opened) -> Iterator[Fault]:
    """Pictures of more than 1 MB inside of the message."""
    inside = [
        one for one in mail.files if one.kind.startswith("image/") and one.cid and one.disposition != "attachment"
    ]
    weight = sum(one.decoded_size for one in inside) + sum(
        len(one.src) * 3 // 4 for one in _pictures(mail) if scheme_of(one.src) == "data"
    )
    if mail.page is not None and weight > WEIGHT:
        yield f"The pictures in the message have {weight / 1_000_000:,.1f} MB.", ""


@group.rule(
    "unsized-picture", INFO,
    why="Until it is loaded, which may be never, the place for it is too small or too large, and the text jumps.",
    source="HTML standard §4.8.17",
    fix="Give width and height, as attributes: Outlook for Windows looks at nothing else.",
)  # fmt: skip
def unsized_picture(mail: Opened) -> Iterator[Fault]:
    """A remote picture without width and height."""
    without = [one.src for one in _pictures(mail) if scheme_of(one.src) in ("http", "https") and not one.sized]
    if without:
        yield f"Remote pictures without a size ({len(without)}): {listed(without)}.", "HTML"


@group.rule(
    "only-pictures", WARNING,
    why="Until somebody allows pictures the message is empty; filters take it for spam that hides its words.",
    source="SpamAssassin HTML_IMAGE_ONLY",
    fix="Write as text what is to be read.",
)  # fmt: skip
def only_pictures(mail: Opened) -> Iterator[Fault]:
    """HTML with remote pictures and hardly any text."""
    remote = [one for one in _pictures(mail) if not one.unseen and scheme_of(one.src) in ("http", "https")]
    if mail.page is not None and remote:
        said = len(mail.page.text) + len(" ".join(one.alt or "" for one in remote).strip())
        if said < _FEW_WORDS:
            yield f"There are remote pictures ({len(remote)}) and {said} characters of text.", "HTML"


@group.rule(
    "insecure-picture", WARNING,
    why="On a page that came over TLS browsers load nothing over http; and anybody on the way may change the picture.",
    source="W3C: Mixed Content §5",
    fix="Use https.",
)  # fmt: skip
def insecure_picture(mail: Opened) -> Iterator[Fault]:
    """A picture that comes over http."""
    found = [one for one in _sources(mail.page) if scheme_of(one) == "http"]
    if found:
        yield f"Over http come {listed(found)}.", "HTML"


@group.rule(
    "unreachable-picture", ERROR,
    why="Nobody but you can load it.",
    source="RFC 3986 §5.1, RFC 1918",
    fix="Send it along (inline= in mailwright), or give its address on the web in full.",
)  # fmt: skip
def unreachable_picture(mail: Opened) -> Iterator[Fault]:
    """A picture in a file of yours, on a machine of yours, or with half an address."""
    found = [one for one in _sources(mail.page) if _is_unreachable(one, mail.page)]
    if found:
        yield f"Nobody can load {listed(found)}.", "HTML"


def _sources(page: Page | None) -> list[str]:
    return [one.src for one in page.pictures] + page.urls if page is not None else []


def _is_unreachable(src: str, page: Page | None) -> bool:
    scheme = scheme_of(src)
    if scheme in _EMBEDDED:
        return False
    if src.startswith("//") or scheme in ("http", "https"):
        return is_private(host_of(src))
    # What has another scheme ("file:", "C:", "blob:") or none.
    return bool(src) and (bool(scheme) or page is None or not page.based) and "{" not in src


@group.rule(
    "picture-without-source", WARNING,
    why="Readers show a broken picture.",
    source="HTML standard §4.8.3",
    fix="Give src, or take the picture out.",
)  # fmt: skip
def picture_without_source(mail: Opened) -> Iterator[Fault]:
    """A picture with an empty src."""
    count = sum(not one.src for one in _pictures(mail))
    if count:
        yield f"Pictures without src: {count} of {len(_pictures(mail))}.", "HTML"


@group.rule(
    "tracking-pixel", INFO,
    why="It tells who opened the message; many readers block it, and in the EU it needs consent.",
    source="ePrivacy directive art. 5(3), WP29 opinion 2/2006",
    fix="Be sure that the reader agreed, or take it out.",
)  # fmt: skip
def tracking_pixel(mail: Opened) -> Iterator[Fault]:
    """A remote picture that is not to be seen."""
    found = [one.src for one in _pictures(mail) if one.unseen and scheme_of(one.src) in ("http", "https")]
    if found:
        yield f"Not to be seen: {listed(found)}.", "HTML"
