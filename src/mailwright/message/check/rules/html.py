"""The HTML as a document: its size, what a browser and a screen reader expect of one, and what runs in it."""

from __future__ import annotations

from mailwright.message.check.finding import ERROR, INFO, WARNING, Group, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailwright.message.check.finding import Fault
    from mailwright.message.check.opened import Opened

group = Group("HTML")
#: Octets of HTML, decoded, that Gmail shows. Measured by many and published by nobody; some met it a little later.
GMAIL_CLIPS = 102_000
#: Octets of one <style> that Gmail takes.
GMAIL_STYLE = 16_384
_PROGRAMS = ("script", "iframe", "frame", "frameset", "applet")


@group.rule(
    "html-too-large", WARNING,
    why="Gmail cuts what is longer: the end, often with the link to unsubscribe, stands behind “View entire message”.",
    source="Gmail, as measured in hteumeuleu/email-bugs 41",
    fix="Take out spaces, comments, repeated styles and pictures written into the HTML; link to the rest.",
)  # fmt: skip
def html_too_large(mail: Opened) -> Iterator[Fault]:
    """HTML of more than 102 kB."""
    if mail.html_size > GMAIL_CLIPS:
        yield f"The HTML has {mail.html_size / 1000:,.0f} kB; Gmail shows 102.", "HTML"


@group.rule(
    "style-too-large", WARNING,
    why="Gmail drops a <style> that is longer, the whole of it.",
    source="caniemail.com: html-style; hteumeuleu/email-bugs 90",
    fix="Write the styles into style attributes, or into several <style>.",
)  # fmt: skip
def style_too_large(mail: Opened) -> Iterator[Fault]:
    """A <style> of more than 16 kB."""
    if mail.page is not None and max(mail.page.sheets, default=0) > GMAIL_STYLE:
        yield f"One <style> has {max(mail.page.sheets):,} octets.", "HTML"


@group.rule(
    "active-content", ERROR,
    why="No reader runs it; many filters refuse the message for it.",
    source="Gmail, Outlook, Apple Mail and Yahoo alike",
    fix="Take it out; link to a page that does it.",
)  # fmt: skip
def active_content(mail: Opened) -> Iterator[Fault]:
    """Scripts, frames or event handlers in the HTML."""
    if mail.page is not None:
        found = [f"<{name}>" for name in _PROGRAMS if name in mail.page.elements] + sorted(mail.page.active)
        if found:
            yield f"There is {listed(found)}.", "HTML"


@group.rule(
    "html-refresh", WARNING,
    why="No reader follows it, and filters take it for an attack.",
    source="Gmail, Outlook and Yahoo alike",
    fix="Take it out.",
)  # fmt: skip
def html_refresh(mail: Opened) -> Iterator[Fault]:
    """A <meta> that leads to another page."""
    if mail.page is not None and mail.page.refresh:
        yield "There is <meta http-equiv=refresh>.", "HTML"


@group.rule(
    "empty-html", ERROR,
    why="Readers show the HTML where there is some: here, nothing.",
    source="RFC 2046 §5.1.4",
    fix="Leave the HTML out, or fill it.",
)  # fmt: skip
def empty_html(mail: Opened) -> Iterator[Fault]:
    """HTML without text and pictures."""
    if mail.page is not None and not mail.page.text and not mail.page.pictures:
        yield "The HTML shows nothing.", "HTML"


@group.rule(
    "no-doctype", INFO,
    why="Without it browsers lay the page out as they did in 1998; sizes of boxes differ.",
    source="HTML standard §13.1.1; caniemail.com: html-doctype",
    fix="Begin with <!DOCTYPE html>.",
)  # fmt: skip
def no_doctype(mail: Opened) -> Iterator[Fault]:
    """A document with <html> and without <!DOCTYPE html>."""
    if _lacks(mail, "doctype"):
        yield "There is no <!DOCTYPE html>.", "HTML"


@group.rule(
    "no-lang", INFO,
    why="A screen reader pronounces it in its own language, and a translator offers itself.",
    source="WCAG 2.2, 3.1.1",
    fix="Write <html lang=…> with the language of the text.",
)  # fmt: skip
def no_lang(mail: Opened) -> Iterator[Fault]:
    """A document with <html> that does not say its language."""
    if _lacks(mail, "lang"):
        yield "<html> has no lang.", "HTML"


@group.rule(
    "no-title", INFO,
    why="It names the tab when the message is opened in a browser, and is read aloud first.",
    source="WCAG 2.2, 2.4.2",
    fix="Write <title> with the subject into the head.",
)  # fmt: skip
def no_title(mail: Opened) -> Iterator[Fault]:
    """A document with <html> that has no title."""
    if _lacks(mail, "title"):
        yield "There is no <title>.", "HTML"


@group.rule(
    "no-viewport", INFO,
    why="Some phones show the page as on a desk, in small print.",
    source="CSS Viewport Module §4",
    fix='Write <meta name="viewport" content="width=device-width"> into the head.',
)  # fmt: skip
def no_viewport(mail: Opened) -> Iterator[Fault]:
    """A document with rules for small screens and without the viewport."""
    if _lacks(mail, "viewport") and mail.page is not None and "at:media" in mail.page.signs:
        yield "There are @media rules and no viewport.", "HTML"


def _lacks(mail: Opened, name: str) -> bool:
    """Whether the HTML is a whole document, and this is not in it."""
    return mail.page is not None and mail.page.whole and not getattr(mail.page, name)
