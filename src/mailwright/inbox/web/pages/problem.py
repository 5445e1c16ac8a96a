"""The page that says that something did not go."""

from __future__ import annotations

from mailwright.inbox.web.pages.page import Page
from mailwright.inbox.web.pages.render import render

_TITLES = {
    400: "That request can't be understood",
    403: "That is not allowed",
    404: "There is no such page",
    409: "That can't be done now",
    413: "That is too much",
    429: "Too many requests",
}


def problem(status: int, text: str, page: Page | None = None, advice: str = "") -> str:
    """A page for the HTTP status, with what happened and what to do."""
    title = _TITLES.get(status, "Something went wrong" if status >= 500 else "That did not work")
    return render("problem.html", page=page or Page(), title=title, status=status, text=text, advice=advice)
