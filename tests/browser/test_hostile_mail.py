"""Hundreds of hostile messages in a real browser: no script of theirs runs, and nobody else is asked anything."""

from __future__ import annotations

import pytest

from mailwright.inbox.web.pages import frame_policy
from tests.browser.conftest import Desk, Elsewhere
from tests.unit.inbox.pages.hostile import messages, payloads

VIEWS = ("html", "text", "headers", "parts", "source", "transcript", "checks")
TOGETHER = 30  # frames of one page
#: Frames such as the page's own, for a while: what a browser does ahead, it does when it has nothing else to do.
FRAMES = """({ ids, sandbox }) => Promise.all(ids.map((id) => new Promise((done) => {
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", sandbox);
  frame.onload = done;
  frame.src = `/m/${id}/frame`;
  document.body.append(frame);
}))).then(() => new Promise((done) => setTimeout(done, 600))).then(() => document.querySelectorAll("body > iframe").forEach((frame) => frame.remove()))"""


def test_the_watch_sees_scripts_requests_and_connections(desk: Desk, elsewhere: Elsewhere) -> None:
    """That the others find nothing would mean nothing if there were nothing that could find it."""
    before = len(elsewhere.asked)
    page = desk.open()
    page.goto("about:blank")
    page.set_content(
        f"<script>pwned()</script><img src='{elsewhere.url}/seen.gif'><img src='http://name.test/a.gif'>"
        "<iframe srcdoc='<script>pwned()</script>'></iframe><link rel=preconnect href='http://ahead.test'>"
    )
    assert len(desk.ran) >= 2
    assert any("seen.gif" in url for url in desk.strange) and any("name.test" in url for url in desk.strange)
    assert len(elsewhere.asked) >= before + 2
    assert any(b"name.test" in asked for asked in elsewhere.asked)


def test_hostile_messages_run_nothing_and_ask_nobody(desk: Desk, elsewhere: Elsewhere) -> None:
    before = len(elsewhere.asked)
    page = desk.open()
    page.wait_for_selector("#live.on")
    mail = list(messages(elsewhere.url))
    assert len(mail) >= 200
    ids = [desk.keep(content) for _, content in mail]  # the list takes them in while it is looked at
    page.wait_for_selector(f"li[data-id='{ids[-1]}']")
    assert page.locator("li.row").count() >= 50
    desk.open(f"m/{ids[0]}/html")
    sandbox = desk.page.locator("iframe").get_attribute("sandbox")
    for start in range(0, len(ids), TOGETHER):  # their HTML, in frames such as the page's own
        desk.page.evaluate(FRAMES, {"ids": ids[start : start + TOGETHER], "sandbox": sandbox})
    for number, id in enumerate(ids):
        if not mail[number][0].startswith("html") or number % 10 == 0:
            desk.open(f"m/{id}/{VIEWS[number % len(VIEWS)]}")
    assert desk.ran == []
    assert desk.strange == []
    assert elsewhere.asked[before:] == []


def test_the_frame_alone_would_do_for_scripts(desk: Desk, elsewhere: Elsewhere) -> None:
    """Here the HTML comes as it was sent, not written anew, under the policy and in the sandbox of the page."""
    before = len(elsewhere.asked)
    raw = {str(number): payload for number, payload in enumerate(payloads(elsewhere.url))}
    id = desk.keep(b"Content-Type: text/html\r\n\r\nx")
    page = desk.open(f"m/{id}/html")
    sandbox = page.locator("iframe").get_attribute("sandbox")
    headers = {"content-security-policy": frame_policy(False), "content-type": "text/html; charset=utf-8"}
    page.route("**/frame", lambda route: route.fulfill(body=raw[route.request.url.split("/")[-2]], headers=headers))
    ids = list(raw)
    for start in range(0, len(ids), TOGETHER):
        page.evaluate(FRAMES, {"ids": ids[start : start + TOGETHER], "sandbox": sandbox})
    assert len(ids) > 150
    assert desk.ran == []
    assert [
        asked for asked in elsewhere.asked[before:] if asked
    ] == []  # connecting ahead is what the other wall is for


@pytest.mark.parametrize("scheme", ["dark", "inverted"])
def test_links_of_a_message_lead_to_a_tab_of_their_own_or_nowhere(
    desk: Desk, elsewhere: Elsewhere, scheme: str
) -> None:
    html = (
        f'<p><a href="{elsewhere.url}/wanted">good</a> <a href="javascript:pwned()">bad</a> '
        '<a href="java&#9;script:pwned()">worse</a> <a href="data:text/html,<script>pwned()</script>">worst</a></p>'
    )
    id = desk.keep(b"Content-Type: text/html\r\n\r\n" + html.encode())
    page = desk.open(f"m/{id}/html?scheme={scheme}")
    inside = page.frame_locator("iframe")
    for name in ("bad", "worse", "worst"):
        inside.get_by_text(name, exact=True).click()
    with page.context.expect_page() as opened:
        inside.get_by_text("good").click()
    opened.value.wait_for_load_state()
    assert opened.value.url == f"{elsewhere.url}/wanted"
    assert opened.value.evaluate("window.opener") is None
    assert desk.ran == [] and page.url.startswith(desk.url) and len(page.context.pages) == 2


def test_remote_pictures_are_asked_for_when_they_are_allowed_and_not_before(desk: Desk, elsewhere: Elsewhere) -> None:
    id = desk.keep(f'Content-Type: text/html\r\n\r\n<img src="{elsewhere.url}/remote.gif" alt="x">'.encode())
    page = desk.open(f"m/{id}")
    assert page.get_by_text("1 remote picture blocked").is_visible()
    page.wait_for_load_state("networkidle")
    assert desk.strange == []
    page.get_by_role("link", name="Show", exact=True).click()
    page.wait_for_load_state("networkidle")
    assert desk.strange == [f"{elsewhere.url}/remote.gif"]


def test_attachments_are_saved_and_never_opened(desk: Desk) -> None:
    content = (
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nx\r\n--b\r\nContent-Type: text/html\r\n'
        b'Content-Disposition: attachment; filename="../../page.html"\r\n\r\n<script>pwned()</script>\r\n--b--\r\n'
    )
    page = desk.open(f"m/{desk.keep(content)}/text")
    with page.expect_download() as download:
        page.locator(".file").click()
    assert download.value.suggested_filename == "page.html"
    assert desk.ran == []
