"""The pages and what they say: the list, the search, the settings to paste, the figures."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from mailwright import Mailer, Message
from mailwright.errors import ConfigError, SenderRefused
from mailwright.inbox import Inbox
from mailwright.inbox.kept import Row
from mailwright.inbox.store import Store
from mailwright.inbox.web import pages
from mailwright.inbox.web.pages.charts import arrivals, sizes
from mailwright.inbox.web.pages.described import author, counted, hue, initial, moment, named
from mailwright.inbox.web.pages.listing import GRAMMAR, ROWS_LIMIT, entry
from mailwright.inbox.web.pages.pasting import settings, snippets
from mailwright.inbox.web.pages.plots import Bar, bars, scale
from mailwright.inbox.web.spamd import Hit, Verdict
from mailwright.smtp.receiving.received import Received
from mailwright.words.envelope import Envelope
from tests.unit.inbox.pages.looking import kept, tags, words

NOW = 1_795_000_000
PAGE = pages.Page(nonce="n", csrf="the-token", smtp="smtp+plain://127.0.0.1:1025", now=NOW)


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.open() as made:
        yield made


def ids(html: str) -> list[int]:
    return [int(tag.attributes["data-id"]) for tag in tags(html) if tag.name == "li" and "data-id" in tag.attributes]


def test_an_empty_list_says_how_to_send_the_first_message(store: Store) -> None:
    text = words(pages.listing(store, page=PAGE))
    assert "Nothing has arrived yet" in text and "127.0.0.1" in text and "1025" in text
    for name in ("smtplib", "Django", "nodemailer", "Laravel", "Rails", "swaks"):
        assert name in text


def test_the_list_has_pages(store: Store) -> None:
    for number in range(120):
        kept(store, b"Subject: %d\r\n\r\nx" % number)
    first = pages.listing(store, page=PAGE)
    assert ids(first) == list(range(120, 70, -1)) and "120 messages" in words(first)
    older = next(tag.attributes["href"] for tag in tags(first) if tag.attributes.get("rel") == "next")
    assert older == f"/?before={121 - ROWS_LIMIT}"
    last = pages.listing(store, before=21, page=PAGE)
    assert ids(last) == list(range(20, 0, -1)) and "Older" not in words(last)


def test_a_search_names_what_fits_and_keeps_its_words_on_the_next_page(store: Store) -> None:
    for _ in range(60):
        kept(store, b"Subject: fits\r\n\r\nx")
        kept(store, b"Subject: other\r\n\r\nx")
    html = pages.listing(store, "subject:fits", page=PAGE)
    assert "60 messages fit" in words(html) and len(ids(html)) == ROWS_LIMIT
    older = next(tag.attributes["href"] for tag in tags(html) if tag.attributes.get("rel") == "next")
    assert older.startswith("/?q=subject%3Afits&before=")


def test_a_search_that_can_not_be_understood_is_explained(store: Store) -> None:
    assert "is no date" in words(pages.listing(store, "before:soon", page=PAGE))
    assert "characters" in words(pages.listing(store, "x" * 5000, page=PAGE))


@pytest.mark.parametrize("example", [example for example, _ in GRAMMAR])
def test_every_example_of_the_grammar_is_one(store: Store, example: str) -> None:
    assert store.rows(example) == []


def test_unread_messages_are_marked_until_they_are_opened(store: Store) -> None:
    id = kept(store, b"Subject: x\r\n\r\nx")
    assert pages.listing(store, page=PAGE).count("row unread") == 1
    assert pages.message(store, id, page=PAGE)
    html = pages.listing(store, page=PAGE)
    assert "row unread" not in html and "unread" not in words(html).partition("How to search")[0]


@pytest.mark.parametrize(
    ("content", "view"),
    [
        (b"\r\njust text", "text"),
        (b"Content-Type: text/html\r\n\r\n<b>x", "html"),
        (
            b'Content-Type: multipart/alternative; boundary="b"\r\n\r\n--b\r\n\r\nx\r\n--b\r\nContent-Type: text/html\r\n\r\n<b>x\r\n--b--',
            "html",
        ),
    ],
)
def test_a_message_opens_with_the_view_that_says_most(store: Store, content: bytes, view: str) -> None:
    html = pages.message(store, kept(store, content), page=PAGE)
    assert html is not None
    current = [tag.attributes["href"] for tag in tags(html) if tag.attributes.get("aria-current") == "page"]
    assert current == [f"/m/1/{view}"]


def test_there_is_no_page_for_what_is_not_there(store: Store) -> None:
    id = kept(store, b"\r\nx")
    assert pages.message(store, 99, page=PAGE) is None
    assert pages.message(store, id, "nonsense", PAGE) is None
    assert pages.message(store, 10**30, page=PAGE) is None


def test_neighbours_are_linked(store: Store) -> None:
    for _ in range(3):
        kept(store, b"\r\nx")
    links = {
        tag.attributes.get("id"): tag.attributes["href"]
        for tag in tags(pages.message(store, 2, "text", PAGE) or "")
        if tag.name == "a"
    }
    assert links["newer"] == "/m/3/text" and links["older"] == "/m/1/text"


def test_a_page_that_has_a_huge_message_stays_small_and_says_so(store: Store) -> None:
    id = kept(store, b"Subject: big\r\n\r\n" + b"x" * 78 + b"\r\n" * 16_000_000)
    for view in pages.VIEWS:
        html = pages.message(store, id, view, PAGE)
        assert html is not None and "are not shown" in html and len(html) < 5_000_000


def test_lone_line_feeds_are_read_as_line_ends(store: Store) -> None:
    html = pages.message(store, kept(store, b"Subject: Unix\nFrom: a@example.org\n\nText\n"), "headers", PAGE)
    assert html is not None and "Who wrote the message" in html


def test_a_charset_that_is_no_charset_changes_nothing(store: Store) -> None:
    for charset in (b"x-user-defined", b"rot13", b"zlib", b"unicode_escape", b"utf-7", b"\xff"):
        assert pages.message(
            store, kept(store, b"Content-Type: text/plain; charset=" + charset + b"\r\n\r\nabc"), "text", PAGE
        )


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
@pytest.mark.parametrize("login", [None, ("ada", 'it\'s "secret"$')])
def test_the_settings_to_paste_send_a_message(security: str, login: tuple[str, str] | None) -> None:
    tls = security != "none"
    with Inbox(login, tls, security="tls" if security == "tls" else "starttls") as inbox:
        found = settings(inbox.url)
        assert found is not None and (found.port, found.security) == (inbox.server.port, security)
        code = {snippet.name: snippet.code for snippet in snippets(found)}
        subprocess.run([sys.executable, "-c", code["Python’s smtplib"]], check=True, timeout=30)
        shell = code["mailwright"].replace("python3", f"'{sys.executable}'")
        subprocess.run(["sh", "-c", shell], check=True, timeout=30, stdout=subprocess.DEVNULL)
        assert [received.subject for received in inbox.messages] == ["Hello", "Hello"]
        scope: dict[str, object] = {}
        exec(code["Django"], scope)
        assert scope["EMAIL_PORT"] == inbox.server.port and scope.get("EMAIL_HOST_PASSWORD") == (login and login[1])


@pytest.mark.parametrize("url", ["", "127.0.0.1", "smtp://[bad", "smtp://127.0.0.1:99999", "smtp://:1025"])
def test_what_is_no_address_of_a_server_gives_no_settings(url: str) -> None:
    assert settings(url) is None


def test_the_charts_count_what_there_is(store: Store) -> None:
    assert "nothing to draw" in words(pages.charts(store, PAGE))
    for size in (10, 10, 5_000, 20_000):
        kept(store, b"Subject: x\r\n\r\n" + b"x" * size)
    plot = sizes(store.rows())
    assert plot is not None and sum(bar.amount for bar in plot.rows) == 4
    assert [bar.amount for bar in plot.rows][:4] == [2, 0, 1, 1]
    html = pages.charts(store, PAGE)
    assert html.count("<figure") == 2 and 'role="img"' in html


def test_the_step_of_the_arrivals_fits_their_time(store: Store) -> None:
    minute = [Row(n, NOW + n, "", ()) for n in range(30)]
    hours = [Row(n, NOW + 3600 * n, "", ()) for n in range(30)]
    years = [Row(n, NOW + 86_400 * 365 * n, "", ()) for n in range(30)]
    for rows, title in (
        (minute, "Messages per minute"),
        (hours, "Messages per 30 minutes"),
        (years, "Messages per 30 days"),
    ):
        plot = arrivals(rows)
        assert plot is not None and plot.title == title and len(plot.rows) <= 62
    plot = arrivals(hours)
    assert plot is not None and sum(bar.amount for bar in plot.rows) == 30


@pytest.mark.parametrize("highest", [0, 1, 2, 3, 7, 11, 99, 100, 101, 12_345, 10**12])
def test_a_scale_reaches_over_everything_and_has_a_whole_middle(highest: int) -> None:
    top = scale(highest)
    assert top >= highest and top % 2 == 0 and top <= max(2, highest * 2.5)


def test_bars_stay_inside_of_their_figure() -> None:
    plot = bars("t", "s", [Bar("", n % 7, "") for n in range(200)])
    assert len(plot.marks) == 120
    for mark in plot.marks:
        assert (
            plot.left <= mark.x
            and mark.x + mark.width <= plot.width
            and 0 <= mark.y <= mark.y + mark.height <= plot.height
        )


def test_small_things_in_words() -> None:
    assert (counted(1, "message"), counted(1200, "message"), counted(0, "fits", "fit")) == (
        "1 message",
        "1,200 messages",
        "0 fit",
    )
    assert named('"Ada" <ada@example.org>, x') == ("Ada", "ada@example.org") and named("bare@example.org") == (
        "",
        "bare@example.org",
    )
    assert initial("", "…") == "?" and initial("łucja", "") == "Ł"
    assert hue("Ada@Example.org") == hue("ada@example.org")
    assert moment(NOW, NOW).count(":") == 1 and ":" not in moment(NOW - 86_400 * 2, NOW) and moment(1e30, NOW)


def test_a_row_without_a_header_shows_the_envelope(store: Store) -> None:
    store.add(Received(Envelope.of(None, [f"u{n}@example.org" for n in range(5)]), b"\r\nx"))
    one = entry(store.rows()[0])
    assert author(one.row) == ("", "<>") and one.more == 4
    text = words(pages.rows_fragment(store.rows(), PAGE))
    assert "(no subject)" in text and "u0@example.org" in text and "+4" in text


def test_release_is_offered_where_there_is_one(store: Store) -> None:
    id = kept(store, b"\r\nx")
    assert "/release" not in (pages.message(store, id, "text", PAGE) or "")
    assert f"/m/{id}/release" in (pages.message(store, id, "text", pages.Page(release=True)) or "")


def test_every_recipient_is_shown_and_who_is_blind(store: Store) -> None:
    message = Message(
        "ada@example.org", ["grace@example.org"], "x", "x", cc=["carl@example.org"], bcc=["blind@example.org"]
    )
    id = store.add(Received(message.envelope(), b"".join(message.render().chunks())))
    text = words(pages.message(store, id, "text", PAGE) or "")
    assert all(one in text for one in ("grace@example.org", "carl@example.org", "blind@example.org"))
    assert "named by the envelope alone" in text


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("See https://a.example/x?y=1&z=(2)#f.", ["https://a.example/x?y=1&z=(2)#f"]),
        (
            "(http://a.example/) <http://b.example>, https://c.example!",
            ["http://a.example/", "http://b.example", "https://c.example"],
        ),
        ("javascript:x ftp://a.example xhttps://a.example https://", []),
        ('https://a.example/"><script>', ["https://a.example/"]),
        ("https://" + "a" * 5000, ["https://" + "a" * 2000]),
        ("https://ä.example https://a.example/ä", ["https://a.example/"]),
    ],
)
def test_addresses_in_a_text_can_be_followed(store: Store, text: str, links: list[str]) -> None:
    html = pages.message(
        store, kept(store, b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text.encode()), "text", PAGE
    )
    assert html is not None and text in "".join(words(html).split("\n"))
    assert [tag.attributes["href"] for tag in tags(html) if tag.attributes.get("target") == "_blank"] == links


def test_a_million_addresses_are_no_more_than_a_thousand_links(store: Store) -> None:
    html = pages.message(store, kept(store, b"\r\n" + b"https://a.example/ " * 50_000), "text", PAGE)
    assert html is not None and html.count('target="_blank"') == 1000


def test_a_multipart_without_its_boundary_is_shown_as_text(store: Store) -> None:
    html = pages.message(
        store, kept(store, b"Content-Type: multipart/mixed; boundary=x\r\n\r\nreadable all the same"), page=PAGE
    )
    assert html is not None and "readable all the same" in html


def test_the_verdict_of_spamassassin_is_shown_where_it_is_asked(store: Store) -> None:
    id = kept(store, b"Subject: x\r\nFrom: a@example.org\r\n\r\nx")
    verdict = Verdict(True, 7.25, 5.0, (Hit(7.25, "SPAMMY", "It <b>shouts</b>"),))
    text = words(pages.message(store, id, "checks", pages.Page(verdict=lambda row: verdict)) or "")
    assert "7.2 of 5.0 points, spam" in text and "SPAMMY" in text and "It <b>shouts</b>" in text

    def away(row: Row) -> Verdict:
        raise ConfigError("spamd is away.", "Start it.")

    assert "spamd is away" in words(pages.message(store, id, "checks", pages.Page(verdict=away)) or "")


def test_faults_that_happened_are_counted_and_drawn(store: Store) -> None:
    with Inbox(tls=False) as inbox, Mailer(inbox.server) as mailer:
        inbox.faults.add("mail reply='550 5.1.8 No' times=2")
        for _ in range(3):
            try:
                mailer.send(Message("ada@example.org", "grace@example.org", "x", "x"))
            except SenderRefused:
                pass
        html = pages.faults(["mail"], PAGE, inbox.faults)
        assert "2 times altogether" in words(html) and "What happened" in words(html) and "<figure" in html
        assert "Faults that happened" in words(pages.charts(inbox.store, PAGE, inbox.faults))
    assert "no mail server" in words(pages.faults(None, PAGE))
