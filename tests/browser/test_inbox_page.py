"""The page as somebody uses it: what arrives shows by itself, and everything can be found, read and done by keys."""

from __future__ import annotations

import os
import shutil

import pytest

from mailwright import Mailer, Message
from mailwright.errors import SenderRefused
from mailwright.inbox.web.pages import VIEWS
from mailwright.words.receipt import TLSFacts
from tests.browser.conftest import ROOT, Desk
from tests.browser.letters import letters, order

DARK = {"color_scheme": "dark"}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


def fill(desk: Desk) -> int:
    """A morning's mail; the id of the last."""
    secured = {"tls": TLSFacts("TLSv1.3", "TLS_AES_256_GCM_SHA384", "00" * 32), "login": "shop"}
    return [desk.send(letter, **(secured if letter.html or letter.attachments else {})) for letter in letters()][-1]


def test_the_first_message_takes_the_place_of_the_advice(desk: Desk) -> None:
    page = desk.open()
    page.wait_for_selector("#live.on")
    assert page.get_by_text("Nothing has arrived yet").is_visible()
    assert page.get_by_text(str(desk.inbox.server.port)).first.is_visible()
    desk.picture("empty")
    with Mailer(desk.inbox.server) as mailer:
        mailer.send(Message("ada@example.org", ["grace@example.org"], "The first one", "Hello"))
    page.wait_for_selector("li.row.unread >> text=The first one")
    assert not page.get_by_text("Nothing has arrived yet").is_visible()
    assert page.title().startswith("(1) Inbox")
    assert desk.strange == []


def test_what_arrives_shows_within_a_second_without_a_reload(desk: Desk) -> None:
    desk.send(Message("ada@example.org", ["grace@example.org"], "Before", "x"))
    page = desk.open()
    page.evaluate("window.untouched = true")
    page.wait_for_selector("#live.on")
    with Mailer(desk.inbox.server) as mailer:
        for number in range(3):
            mailer.send(Message("ada@example.org", ["grace@example.org"], f"Live {number}", "x"))
            page.wait_for_selector(f"li.row >> text=Live {number}")
    page.wait_for_function("() => document.querySelector('#count').textContent.includes('4 messages')")
    assert page.locator("li.row .subject").all_inner_texts() == ["Live 2", "Live 1", "Live 0", "Before"]
    assert "Live 2" in page.locator("#told").inner_text()
    assert page.evaluate("window.untouched") is True
    desk.inbox.store.delete()
    page.wait_for_selector("text=Nothing has arrived yet")


def test_a_flood_of_messages_arrives_whole_and_the_list_stays_bounded(desk: Desk) -> None:
    page = desk.open()
    page.wait_for_selector("#live.on")
    for number in range(600):
        desk.keep(b"Subject: flood %d\r\n\r\nx" % number)
    page.wait_for_function("() => document.querySelector('#count').textContent.includes('600 messages')")
    page.wait_for_selector("li.row >> text=flood 599")
    assert page.locator("li.row").count() <= 200


def test_a_search_finds_and_goes_on_finding(desk: Desk) -> None:
    fill(desk)
    page = desk.open()
    page.get_by_label("Search", exact=True).fill("to:grace has:attachment")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=2 messages fit")
    assert page.locator("li.row .subject").all_inner_texts() == [
        "Your order is on its way",
        "Protokoll der Sitzung – Größe & Maße",
    ]
    page.wait_for_selector("#live.on")
    desk.send(Message("x@example.org", ["bob@example.org"], "Not for us", "x"))
    desk.send(order())
    page.wait_for_selector("text=3 messages fit")
    assert "Not for us" not in page.locator("#rows").inner_text()
    desk.open("?q=before:yesterday")
    assert "is no date" in page.get_by_role("alert").inner_text()
    page.get_by_text("How to search").click()
    page.get_by_role("link", name="has:attachment").click()
    page.wait_for_selector("text=4 messages fit")
    desk.open("?q=nowhere")
    assert page.get_by_text("No message fits").is_visible()


@pytest.mark.parametrize(("desk", "look"), [({}, "light"), (DARK, "dark"), (PHONE, "phone")], indirect=["desk"])
def test_every_page_can_be_looked_at_and_used_by_everybody(desk: Desk, look: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    page = desk.open()
    found = _barriers(axe, page, "empty") if look == "light" else []
    desk.picture(f"{look} empty")
    id = fill(desk)
    paths = {"list": "", "charts": "charts", "faults": "faults", **{view: f"m/{id}/{view}" for view in VIEWS}}
    paths |= {
        "html phone dark": f"m/{id}/html?width=phone&scheme=dark",
        "nothing found": "?q=nowhere",
        "wrong": "?q=before:x",
    }
    for name, path in paths.items():
        desk.open(path)
        desk.picture(f"{look} {name}")
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} is {wide} points too wide"
        if look == "light" or (look == "phone" and name in ("list", "html", "headers")):
            found += _barriers(axe, page, name)
        elif look == "dark":  # nothing but the colours is new
            found += _barriers(axe, page, name, "color-contrast")
    assert found == []
    assert desk.strange == []


def test_each_view_says_what_it_is_for(desk: Desk) -> None:
    page = desk.open(f"m/{fill(desk)}")
    inside = page.frame_locator("iframe")
    assert inside.get_by_role("heading", name="Your order is on its way").is_visible()
    assert inside.get_by_role("img", name="Hills in the evening").evaluate("picture => picture.naturalWidth") == 480
    assert "named by the envelope alone" in page.locator(".people").inner_text()
    assert (
        page.locator(".file img").evaluate(
            "picture => picture.naturalWidth || picture.decode().then(() => picture.naturalWidth)"
        )
        == 240
    )
    expected = {
        "Text": "the parcel left our warehouse",
        "Headers": "Who wrote the message",
        "Parts": "multipart/related",
        "Source": "Content-Type: multipart/mixed",
        "Transcript": "RCPT TO:<archive@shop.example>",
        "Checks": "info",
    }
    for view, words in expected.items():
        page.get_by_role("link", name=view, exact=True).click()
        page.wait_for_selector(f".views a[aria-current] >> text={view}")
        assert words in page.locator("section.view").inner_text()


def test_the_width_and_the_colours_of_the_html_can_be_chosen(desk: Desk) -> None:
    page = desk.open(f"m/{fill(desk)}/html")
    background = "document => getComputedStyle(document.ownerDocument.body).backgroundColor"
    assert page.frame_locator("iframe").locator("h1").evaluate(background) == "rgb(238, 241, 247)"
    page.get_by_role("link", name="Phone").click()
    assert page.locator("iframe").bounding_box()["width"] < 400  # type: ignore[index]
    page.get_by_role("link", name="Dark", exact=True).click()
    assert page.frame_locator("iframe").locator("h1").evaluate(background) == "rgb(21, 24, 31)"
    assert page.locator("iframe").bounding_box()["width"] < 400  # type: ignore[index]


def test_a_walk_by_keys(desk: Desk) -> None:
    last = fill(desk)
    page = desk.open()
    page.wait_for_selector("#live.on")
    press, focused = page.keyboard.press, "document.activeElement.closest('li')?.dataset.id"
    press("?")
    assert page.get_by_role("heading", name="Keys").is_visible()
    press("Escape")
    assert not page.get_by_role("heading", name="Keys").is_visible()
    press("j")
    assert page.evaluate(focused) == str(last)
    for _ in range(3):
        press("j")
    press("k")
    assert page.evaluate(focused) == str(last - 2)
    press("Enter")
    page.wait_for_url(f"**/m/{last - 2}")
    press("5")
    page.wait_for_url(f"**/m/{last - 2}/source")
    press("j")
    page.wait_for_url(f"**/m/{last - 3}/source")
    press("k")
    page.wait_for_url(f"**/m/{last - 2}/source")
    press("u")
    page.wait_for_url(desk.url)
    page.wait_for_selector("#live.on")
    assert page.locator("li.row.unread").count() == last - 2
    press("j")
    press("m")
    page.wait_for_selector(f"li:not(.unread)[data-id='{last}']")
    assert page.evaluate(focused) == str(last)
    press("d")
    page.wait_for_selector(f"li[data-id='{last}']", state="detached")
    page.wait_for_function("() => document.querySelector('#count').textContent.includes('7 messages')")
    assert page.evaluate(focused) == str(last - 1)
    assert desk.inbox.store.count() == 7
    press("/")
    page.keyboard.type("lunch")
    press("Enter")
    page.wait_for_selector("text=1 message fits")
    press("Escape")
    press("g")
    press("c")
    page.wait_for_url("**/charts")
    was = page.evaluate("getComputedStyle(document.documentElement).colorScheme")
    press("t")
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") != was
    page.reload()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") != was


@pytest.mark.parametrize("desk", [{"java_script_enabled": False}], indirect=True)
def test_everything_works_without_a_script(desk: Desk) -> None:
    last = fill(desk)
    page = desk.open()
    page.get_by_text("Your order is on its way").click()
    page.get_by_role("link", name="Headers").click()
    assert page.get_by_text("Who wrote the message").is_visible()
    page.get_by_role("button", name="Mark unread").click()
    page.wait_for_selector(f"text={last} unread")
    page.get_by_role("button", name="Mark all read").click()
    page.wait_for_selector("#count:not(:has(b))")
    page.get_by_text("Your order is on its way").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.wait_for_selector("text=7 messages")
    page.get_by_text("Delete all").click()
    page.get_by_role("button", name="Delete 7 messages").click()
    page.wait_for_selector("text=Nothing has arrived yet")


def test_a_stream_that_broke_comes_back_by_itself(desk: Desk) -> None:
    page = desk.open()
    page.wait_for_selector("#live.on")
    desk.site.close()
    page.wait_for_selector("#live:not(.on):text('not connected')")
    desk.send(letters()[0])
    assert page.locator("li.row").count() == 0
    desk.site.open()  # at the same port
    page.wait_for_selector("#live.on")
    page.wait_for_selector("li.row >> text=Build 2214")


def _barriers(axe: object, page: object, where: str, rule: str = "") -> list[str]:
    """What axe calls serious or critical; the message in the frame is not ours."""
    wanted = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
    rules = {"runOnly": {"type": "rule", "values": [rule]} if rule else {"type": "tag", "values": wanted}}
    result = axe.run(page, context={"exclude": [["iframe"]]}, options=rules)  # type: ignore[attr-defined]
    return [
        f"{where}: {one['id']}: {node['target']} {node.get('failureSummary', '')}"
        for one in result.response["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def test_a_fault_is_put_in_force_with_one_press_and_stopped_with_another(desk: Desk) -> None:
    page = desk.open("faults")
    page.get_by_role("button", name="The sender is refused").click()
    page.wait_for_selector("text=1 fault in force")
    page.get_by_label("One fault on each line").fill("mail reply='550 5.1.8 Not you' times=1\nafter_dot times=1")
    page.get_by_role("button", name="Put these in force").click()
    page.wait_for_selector("text=2 faults in force")
    with Mailer(desk.inbox.server) as mailer, pytest.raises(SenderRefused):
        mailer.send(Message("ada@example.org", ["grace@example.org"], "x", "x"))
    desk.open("faults")
    desk.picture("light faults in force", full_page=True)
    page.get_by_role("button", name="Stop all").click()
    page.wait_for_selector("text=none in force")
    assert desk.inbox.faults.active == ()


def test_the_watch_for_barriers_sees_them(desk: Desk) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    page = desk.open()
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<button></button><img src=x><input>')")
    assert {"button-name", "image-alt", "label"} <= {line.split(": ")[1] for line in _barriers(axe, page, "")}


@pytest.mark.parametrize(("desk", "name"), [({}, "inbox"), (DARK, "inbox-dark")], indirect=["desk"])
def test_the_pictures_of_the_readme_can_be_taken(desk: Desk, name: str) -> None:
    """With MAILWRIGHT_PICTURES=1 in the environment they are laid down in docs/images."""
    fill(desk)
    for id in (1, 2, 4):
        desk.inbox.store.mark(id, True)
    page = desk.open()
    page.set_viewport_size({"width": 1180, "height": 650})
    page.wait_for_selector("#live.on")
    taken = {name: desk.picture(name)}
    page.get_by_text("Your order is on its way").click()
    page.set_viewport_size({"width": 1180, "height": 900})
    page.frame_locator("iframe").get_by_role("img", name="Hills in the evening").wait_for()
    taken[name.replace("inbox", "message")] = desk.picture(name.replace("inbox", "message"))
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in taken.values())
    if os.environ.get("MAILWRIGHT_PICTURES"):
        folder = ROOT / "docs" / "images"
        folder.mkdir(exist_ok=True)
        for title, path in taken.items():
            shutil.copyfile(path, folder / f"{title}.png")
