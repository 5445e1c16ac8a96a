"""For each rule messages that trip it, and neighbours that do not."""

from __future__ import annotations

from typing import NamedTuple

from mailwright.message.check.rules.html import GMAIL_CLIPS, GMAIL_STYLE
from mailwright.message.check.rules.people import VISIBLE_LIMIT
from mailwright.message.check.rules.pictures import WEIGHT
from mailwright.message.check.rules.readers import readers
from mailwright.message.check.rules.size import COMMON_LIMIT, GMAIL_TAKES
from mailwright.message.check.rules.wire import HEADER_LIMIT
from mailwright.words.envelope import Envelope
from tests.unit.check.writing import (
    TEXT,
    file,
    head,
    mail,
    multipart,
    page,
    part,
    picture,
    related,
    with_file,
)


class Case(NamedTuple):
    """A message, whether the rule finds something in it, and the envelope if there is one."""

    rule: str
    found: bool
    message: bytes
    envelope: Envelope | None = None


def pairs(rule: str, bad: list[bytes], good: list[bytes]) -> list[Case]:
    assert bad and good, rule
    return [Case(rule, True, one) for one in bad] + [Case(rule, False, one) for one in good]


def addresses(count: int) -> str:
    return ",\r\n ".join(f"p{n}@example.net" for n in range(count))


def deep(levels: int) -> bytes:
    inner = part(TEXT)
    for level in range(levels, 0, -1):
        inner = b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n%s\r\n--b%d--\r\n' % (
            level, level, inner, level,
        )  # fmt: skip
    return head({}) + inner


def document(head: str = "", opening: str = '<!DOCTYPE html><html lang="en">', body: str = "<p>Hello Bob</p>") -> bytes:
    return page(f"{opening}<head><title>Minutes</title>{head}</head><body>{body}</body></html>")


def signed(covered: str, domain: str = "example.org") -> str:
    return f"v=1; a=rsa-sha256; d={domain}; s=one; h={covered};\r\n bh=abc=; b=abc="


LEAVE = "<https://example.org/leave/1>"
ONE_CLICK = "List-Unsubscribe=One-Click"
BULK = {"List_Id": "<news.example.org>"}
WAY_OUT = {"List_Unsubscribe": LEAVE, "List_Unsubscribe_Post": ONE_CLICK}
LONG = "x" * 999
HTML = "text/html; charset=utf-8"
FROM_BOB = Envelope.of("bob@example.net", "eve@example.com")
BOUNCES = Envelope.of("bounces@mail.example.org", "eve@example.com")
NOBODY = Envelope.of(None, "eve@example.com")
MANY_WORDS = "<p>" + "words that are only in the HTML " * 40 + "</p>"
ATTACHED_HTML = multipart(
    "mixed", part(TEXT), part("<p>x</p>", HTML, Content_Disposition='attachment; filename="a.html"')
)

CASES = [
    # Octets and lines
    *pairs("line-too-long", [mail(LONG), mail(X_Long=LONG)], [mail("x" * 998), mail()]),
    *pairs(
        "bare-cr-lf",
        [mail("a\nb\r\n"), mail("a\rb\r\n"), mail("a\r\r\nb\r\n")],
        [mail(), mail().replace(b"\r\n", b"\n")],
    ),
    *pairs("nul-octet", [mail("a\0b"), mail(Subject="a\0")], [mail()]),
    *pairs(
        "malformed-header-line",
        [b"From ada@example.org Mon\r\n" + mail(), b" continued\r\n" + mail(), mail(X_A="b\r\nNo field here")],
        [mail(), mail(X_A="b\r\n\tand more: of it"), b"\r\n" + mail()],
    ),
    *pairs("control-in-header", [mail(Subject="a\x1b[31mb"), mail(X_A="a\x07")], [mail(Subject="a\r\n\tb"), mail("a\x1bb")]),
    *pairs("undecodable-header", [mail(Subject=b"Gr\xfc\xdfe")], [mail(Subject="Grüße"), mail("Gr\xfc\xdfe")]),
    *pairs("utf8-header", [mail(Subject="Grüße")], [mail(Subject="=?utf-8?q?Gr=C3=BC=C3=9Fe?="), mail(Subject=b"Gr\xfc\xdfe")]),
    *pairs("blank-folded-line", [mail(Subject="a\r\n \r\n b"), mail(Subject="\r\n \t")], [mail(Subject="a\r\n b\r\n\tc")]),
    *pairs("huge-header", [mail(X_A=f"{'x' * 70}\r\n " * (HEADER_LIMIT // 73 + 1) + "y")], [mail(X_A=f"{'x' * 70}\r\n " * 1000 + "y")]),
    *pairs(
        "undeclared-8bit",
        [
            mail("Grüße"),
            mail("Grüße", Content_Transfer_Encoding="7bit"),
        ],
        [
            mail("Grüße", Content_Transfer_Encoding="8bit"),
            multipart("mixed", part("Grüße", Content_Transfer_Encoding="8bit"), Content_Transfer_Encoding="8bit"),
            mail("Gr=C3=BC=C3=9Fe", Content_Transfer_Encoding="quoted-printable"),
            mail(Subject="Grüße"),
        ],
    ),
    *pairs(
        "long-encoded-line",
        [mail("YWJj" * 20 + "\r\n", Content_Transfer_Encoding="base64"), mail("=41" * 27 + "\r\n", Content_Transfer_Encoding="quoted-printable")],
        [mail("YWJj" * 19 + "\r\n", Content_Transfer_Encoding="base64"), mail("x" * 100)],
    ),
    # Header
    *pairs("no-date", [mail(Date=None), mail(Date="")], [mail()]),
    *pairs("bad-date", [mail(Date="soon"), mail(Date="2026-11-02 10:00"), mail(Date="Mon, 02 Foo 2026 10:00:00 +0000")],
           [mail(), mail(Date="2 Nov 26 10:00 GMT"), mail(Date="Mon, 2 Nov 2026 10:00:00 +0000 (UTC)"), mail(Date=None)]),
    *pairs("date-in-future", [mail(Date="Tue, 03 Nov 2026 10:00:00 +0000"), mail(Date="Mon, 02 Nov 2026 10:00:00 -0700")],
           [mail(), mail(Date="Mon, 02 Nov 2026 14:00:00 +0000"), mail(Date="Mon, 02 Nov 2026 14:59:00 -0000"), mail(Date="soon"), mail(Date="Fri, 13 Nov 1626 10:00:00 +0000")]),
    *pairs("no-message-id", [mail(Message_ID=None), mail(Message_ID="")], [mail()]),
    *pairs("bad-message-id", [mail(Message_ID="123"), mail(Message_ID="<a b@c>"), mail(Message_ID="<a@b> <c@d>"), mail(Message_ID="<@x>")],
           [mail(), mail(Message_ID="\r\n <" + "a" * 80 + "@example.org>"), mail(Message_ID=None)]),
    *pairs("local-message-id", [mail(Message_ID="<1@localhost>"), mail(Message_ID="<1@adas-pc>"), mail(Message_ID="<1@pc.local>")],
           [mail(), mail(Message_ID="<1@[192.0.2.1]>"), mail(Message_ID="123")]),
    *pairs("no-subject", [mail(Subject=None), mail(Subject=""), mail(Subject="=?utf-8?q?=20?=")], [mail()]),
    *pairs("long-subject", [mail(Subject="x " * 70)], [mail(Subject="x " * 60)]),
    *pairs("shouting-subject", [mail(Subject="BUY THIS NOW TODAY")], [mail(Subject="RFC 5322"), mail(Subject="ABCDEFGHIJKLMNOP"), mail(Subject="BUY THIS NOW today")]),
    *pairs("repeated-field", [mail(Subject=["a", "b"]), mail(To=["a@example.org", "b@example.org"]), mail(Date=["Mon, 02 Nov 2026 10:00:00 +0000"] * 2)],
           [mail(Received=["from a", "from b"]), mail()]),
    *pairs("no-mime-version", [mail(MIME_Version=None, Content_Type="text/plain")], [mail(MIME_Version=None), mail(Content_Type="text/plain")]),
    *pairs(
        "broken-encoded-word",
        [
            mail(Subject="=?utf-8?q?Gr=C3=BC=C3=9Fe"),
            mail(Subject="=?utf-8?x?abc?="),
            mail(Subject="=?utf-8?q?two words?="),
            mail(Subject=f"=?utf-8?q?{'x' * 80}?="),
        ],
        [mail(Subject="=?utf-8?q?Gr=C3=BC=C3=9Fe?= =?utf-8?b?w7xi?="), mail(Subject="a =? b"), mail(X_A="=?utf-8?q?x"), mail(Subject="why =?=")],
    ),
    *pairs("unknown-header-charset", [mail(Subject="=?klingon?q?x?="), mail(From="=?x?b?eA==?= <ada@example.org>")],
           [mail(Subject="=?iso-8859-1*de?q?x?="), mail(Subject="=?utf-8?q?x?="), mail(Subject="=?gb2312?b?xOO6ww==?=")]),
    # People
    *pairs("no-from", [mail(From=None), mail(From="")], [mail(), mail(From="nobody")]),
    *pairs("bad-from", [mail(From="Ada"), mail(From="Ada <ada@>"), mail(From='"Ada <ada@example.org>')], [mail(), mail(From="a@example.org, b@example.org"), mail(From="MAILER-DAEMON@example.org (Mail (Delivery) System)"), mail(From="")]),
    *pairs("bad-address", [mail(To="bob"), mail(Cc="a@example.org,,b@example.org"), mail(Reply_To="x@")],
           [mail(), mail(To="undisclosed-recipients:;"), mail(To='"Lovelace, Ada" <ada@example.org>'), mail(From="Ada"), mail(Cc="")]),
    *pairs("several-from-no-sender", [mail(From="a@example.org, b@example.org")], [mail(From="a@example.org, b@example.org", Sender="a@example.org"), mail()]),
    Case("from-not-aligned", True, mail(), FROM_BOB),
    Case("from-not-aligned", True, mail(Return_Path="<x@example.net>")),
    Case("from-not-aligned", True, mail(DKIM_Signature=signed("from", "example.net")), FROM_BOB),
    Case("from-not-aligned", True, mail(From="ada@one.co.uk"), Envelope.of("a@two.co.uk", "b@example.net")),
    Case("from-not-aligned", False, mail(), BOUNCES),
    Case("from-not-aligned", False, mail(), NOBODY),
    Case("from-not-aligned", False, mail()),
    Case("from-not-aligned", False, mail(Return_Path="<>")),
    Case("from-not-aligned", False, mail(DKIM_Signature=signed("from", "mail.example.org")), FROM_BOB),
    Case("from-not-aligned", False, mail(From="Ada")),
    *pairs("many-visible-recipients", [mail(To=addresses(VISIBLE_LIMIT + 1)), mail(To=addresses(15), Cc="x@example.org" + "".join(f", y{n}@example.org" for n in range(6)))],
           [mail(To=addresses(VISIBLE_LIMIT)), mail(To="undisclosed-recipients:;")]),
    *pairs("bcc-in-message", [mail(Bcc="eve@example.com"), mail(Resent_Bcc="eve@example.com")], [mail(), mail(Bcc="")]),
    *pairs("no-visible-recipient", [mail(To=None)], [mail(), mail(To=None, Cc="a@example.org"), mail(To="undisclosed-recipients:;")]),
    *pairs("misleading-name", [mail(From='"ceo@bank.example" <ada@example.org>'), mail(From="=?utf-8?q?ceo=40bank.example?= <ada@example.org>")],
           [mail(From='"ada@example.org" <ada@example.org>'), mail(From='"ada@example.org" <x@mail.example.org>'), mail(From='"Ada @ Work" <ada@example.org>')]),
    # Structure
    *pairs("no-text-part", [mail("<p>Hi</p>", Content_Type=HTML), page("<p>Hi</p>", " \r\n"), multipart("mixed", part("<p>Hi</p>", HTML), file("a.txt", kind="text/plain"))],
           [page("<p>Hi</p>"), mail(), ATTACHED_HTML]),
    *pairs("thin-text-part", [page(MANY_WORDS, "See the HTML.")], [page(MANY_WORDS, "words that are only in the HTML " * 30), page("<p>short</p>", "x"), mail("x")]),
    *pairs("html-before-text", [multipart("alternative", part("<p>Hi</p>", HTML), part(TEXT))], [page("<p>Hi</p>"), multipart("mixed", part("<p>Hi</p>", HTML), part(TEXT)), related("<p>Hi</p>")]),
    *pairs("both-shown", [multipart("mixed", part(TEXT), part("<p>Hi</p>", HTML)), multipart("mixed", part(TEXT), part("<p>Hi</p>", HTML), file("a.pdf"))],
           [page("<p>Hi</p>"), multipart("mixed", part("<p>Hi</p>", HTML), part("-- \r\nthe list")), ATTACHED_HTML]),
    *pairs("no-boundary", [mail(TEXT, Content_Type="multipart/mixed"), mail(TEXT, Content_Type="multipart/mixed; boundary=x")], [page("<p>Hi</p>")]),
    *pairs("unclosed-multipart", [multipart("mixed", part(TEXT), closed=False), multipart("mixed", part(TEXT))[:-4]],
           [multipart("mixed", part(TEXT)), multipart("mixed", part(TEXT))[:-2], multipart("mixed", part(TEXT)) + b"epilogue"]),
    *pairs("deep-structure", [deep(12), deep(60), multipart("mixed", *[part("x")] * 2001)], [deep(8), multipart("mixed", *[part("x")] * 100)]),
    *pairs("encoded-multipart", [multipart("mixed", part(TEXT), Content_Transfer_Encoding="base64")], [multipart("mixed", part(TEXT), Content_Transfer_Encoding="8bit")]),
    *pairs("unknown-encoding", [mail(Content_Transfer_Encoding="uuencode"), mail(Content_Transfer_Encoding="utf-8")], [mail(Content_Transfer_Encoding="7BIT (all of it)"), mail()]),
    *pairs("broken-base64", [mail("YWJ\r\n", Content_Transfer_Encoding="base64"), mail("YW!j\r\n", Content_Transfer_Encoding="base64")],
           [mail("YWJj\r\nYQ==\r\n", Content_Transfer_Encoding="base64"), mail("", Content_Transfer_Encoding="base64"), mail("abc")]),
    *pairs("broken-quoted-printable", [mail("a=b c\r\n", Content_Transfer_Encoding="quoted-printable"), mail("https://example.org/?q=1&r=zz\r\n", Content_Transfer_Encoding="quoted-printable")],
           [mail("a=3Db=\r\nc=\r\n", Content_Transfer_Encoding="quoted-printable"), mail("a=", Content_Transfer_Encoding="quoted-printable"), mail("a=b")]),
    *pairs("no-charset", [mail("Grüße", Content_Transfer_Encoding="8bit"), mail("Gr=C3=BC=C3=9Fe", Content_Transfer_Encoding="quoted-printable", Content_Type="text/html")],
           [mail("Grüße", Content_Type="text/plain; charset=utf-8"), mail()]),
    *pairs("unknown-charset", [mail(Content_Type="text/plain; charset=klingon"), mail(Content_Type="text/plain; charset=punycode")],
           [mail(Content_Type="text/plain; charset=ISO-8859-15"), mail(Content_Type='text/plain; charset="us-ascii"'), mail(Content_Type="text/plain; charset=windows-1252"), mail()]),
    *pairs("wrong-charset", [mail(b"Gr\xfc\xdfe", Content_Type="text/plain; charset=utf-8"), mail("Grüße", Content_Type="text/plain; charset=us-ascii")],
           [mail("Grüße", Content_Type="text/plain; charset=utf-8"), mail(b"Gr\xfc\xdfe", Content_Type="text/plain; charset=iso-8859-1")]),
    *pairs("missing-inline-part", [page('<img src="cid:logo" alt="Us">'), related('<img src="cid:logo">', picture("other"))],
           [related('<img src="cid:logo">', picture("logo")), related('<img src="cid:a%20b">', picture("a b")), page("<p>acid: yes</p>")]),
    *pairs("unused-inline-part", [related("<p>Hi</p>", picture("logo"))], [related('<img src="cid:logo">', picture("logo")), related("<p>Hi</p>", file("a.png", kind="image/png"))]),
    # Attachments
    *pairs("blocked-attachment", [with_file("a.exe"), with_file("invoice.pdf.JS"), with_file("setup.msi. ")], [with_file("a.pdf"), with_file("exe"), with_file("a.exe.pdf")]),
    *pairs("hidden-attachment", [with_file("a.py"), with_file("db.MDB")], [with_file("a.pdf"), with_file("a.exe")]),
    *pairs("odd-file-name", [with_file("../../etc/passwd"), with_file("a\u202efdp.exe"), with_file("con.txt"), with_file("a?.pdf"), with_file("a" * 256), with_file("a.pdf.")],
           [with_file("a.pdf"), with_file("Größe (1) – neu.pdf"), with_file("")]),
    *pairs("no-file-name", [with_file("")], [with_file("a.pdf"), multipart("mixed", part(TEXT), part(mail(), "message/rfc822", Content_Disposition="attachment"))]),
    *pairs("untyped-attachment", [with_file("a.pdf", kind="application/octet-stream")], [with_file("a.pdf"), with_file("a.bin", kind="application/octet-stream"), with_file("a", kind="application/octet-stream")]),
    *pairs("empty-attachment", [with_file("a.pdf", b"")], [with_file("a.pdf", b"x")]),
    # Size
    *pairs("message-too-large", [mail() + b"\r\n" * (COMMON_LIMIT // 2)], [mail(), mail() + b"\r\n" * (GMAIL_TAKES // 2)]),
    *pairs("message-refused-for-size", [mail() + b"\r\n" * (GMAIL_TAKES // 2)], [mail() + b"\r\n" * (COMMON_LIMIT // 2)]),
    *pairs("empty-message", [mail(""), mail(" \r\n")], [mail("x"), page("<p>x</p>", ""), with_file("a.pdf")]),
    # HTML
    *pairs("html-too-large", [page("<p>" + "a b\r\n" * (GMAIL_CLIPS // 5) + "</p>")], [page("<p>" + "a b\r\n" * (GMAIL_CLIPS // 6) + "</p>")]),
    *pairs("style-too-large", [document(f"<style>{'/* */' * (GMAIL_STYLE // 5 + 1)}</style>")], [document(f"<style>{'/* */' * (GMAIL_STYLE // 5)}</style>" * 2)]),
    *pairs("active-content", [page("<script>alert(1)</script>Hi"), page("<p onclick=x>Hi</p>"), page("Hi<iframe src=x></iframe>")], [page("<p>&lt;script&gt;</p>"), page("<p>Hi</p><!-- <script> -->")]),
    *pairs("html-refresh", [document('<meta http-equiv="Refresh" content="0;url=https://example.org">')], [document('<meta http-equiv="Content-Type" content="text/html">')]),
    *pairs("empty-html", [page("<html><body> </body></html>"), page("<style>a{}</style>")], [page("<p>x</p>"), page('<img src="https://example.org/a.png" alt="x">'), mail()]),
    *pairs("no-doctype", [document(opening='<html lang="en">')], [document(), page("<p>Hi</p>")]),
    *pairs("no-lang", [document(opening="<!DOCTYPE html><html>")], [document(), page("<p>Hi</p>")]),
    *pairs("no-title", [page('<!DOCTYPE html><html lang="en"><body>Hi</body></html>')], [document(), page("<p>Hi</p>")]),
    *pairs("no-viewport", [document("<style>@media (max-width: 600px) { p { color: red } }</style>")],
           [document('<meta name="viewport" content="width=device-width"><style>@media (max-width: 600px) { p { color: red } }</style>'), document()]),
    # What readers don't show: each feature of the table is tried in test_readers.py
    *pairs("content-not-shown", [page("<video src='https://example.org/a.mp4'></video>Hi"), related('<img src="cid:a" alt="">', picture("a", kind="image/webp"))], [page("<p>Hi</p>"), related('<img src="cid:a" alt="">', picture("a"))]),
    *pairs("style-not-shown", [page('<p style="position: absolute">Hi</p>')], [page('<p style="position: static; color: red">Hi</p>')]),
    # Pictures
    *pairs("missing-alt", [page('<img src="https://example.org/a.png">Hi')],
           [page('<img src="https://example.org/a.png" alt="">Hi'), page('<img src="https://example.org/a.gif" width="1" height=1>Hi'), page('<img style="display:none" src="https://example.org/a.gif">Hi')]),
    *pairs("image-weight", [related('<img src="cid:a" alt="">', picture("a", bytes(WEIGHT * 11 // 10)))], [related('<img src="cid:a" alt="">', picture("a", bytes(WEIGHT * 9 // 10))), with_file("a.png", bytes(WEIGHT * 2), "image/png")]),
    *pairs("unsized-picture", [page('<img src="https://example.org/a.png" alt="">Hi')], [page('<img src="https://example.org/a.png" alt="" width=9>Hi'), page('<img src="https://example.org/a.png" style="height:9px">'), related('<img src="cid:a">', picture("a"))]),
    *pairs("only-pictures", [page('<img src="https://example.org/a.png" alt="">')], [page('<img src="https://example.org/a.png" alt="">' + TEXT), page(f'<img src="https://example.org/a.png" alt="{TEXT}">'), page("Hi")]),
    *pairs("insecure-picture", [page('<img src="http://example.org/a.png">'), page('<table background="http://example.org/a.png"><tr><td>Hi</table>')], [page('<img src="https://example.org/a.png">')]),
    *pairs("unreachable-picture", [page('<img src="/static/a.png">'), page('<img src="http://localhost:8000/a.png">'), page('<img src="C:\\a.png">'), page('<img src="file:///a.png">'), page('<img src="//10.0.0.1/a.png">')],
           [page('<img src="https://example.org/a.png">'), page('<img src="//example.org/a.png">'), page('<base href="https://example.org/"><img src="a.png">'), page('<img src="data:image/png;base64,AA==">'), related('<img src="cid:a">', picture("a"))]),
    *pairs("picture-without-source", [page('<img alt="x">'), page('<img src="">')], [page('<img src="https://example.org/a.png">')]),
    *pairs("tracking-pixel", [page('<img src="https://example.org/o.gif" width="1" height="1">Hi'), page('<img src="https://example.org/o.gif" style="display:none">Hi')],
           [page('<img src="https://example.org/o.gif" width="10" height="1">Hi'), related('<img src="cid:a" width=1 height=1>', picture("a"))]),
    # Links
    *pairs(
        "misleading-link",
        [
            page('<a href="https://evil.example/">https://bank.example/login</a>'),
            page('<a href="https://evil.com/">www.bank.com</a>'),
            page('<a href="https://evil.com/">bank.com</a>'),
            page('<a href="mailto:eve@evil.com">ada@bank.com</a>'),
            page('<a href="https://evil.co.uk/"> <b>bank</b>.co.uk </a>'),
            page('<a href="https://bank.com@evil.com/">bank.com</a>'),
            page('<a href="https://evil.com/" title="Our site">bank.com</a>'),
            page('<a href="https://evil.com/">ba&#8203;nk.com</a>'),
        ],
        [
            page('<a href="https://bank.com/login">bank.com</a>'),
            page('<a href="https://click.bank.com/?to=x">www.bank.com/offer</a>'),
            page('<a href="https://evil.com/">the bank</a>'),
            page('<a href="https://example.org/">README.md</a>'),
            page('<a href="https://nodejs.org/">Node.js</a>'),
            page('<a href="mailto:ada@bank.com?subject=x">ada@bank.com</a>'),
            page('<a href="https://xn--bcher-kva.example/">https://bücher.example</a>'),
            page('<a href="#top">bank.com</a>'),
        ],
    ),
    *pairs("hidden-host", [page('<a href="https://bank.com@evil.com/">x</a>')], [page('<a href="https://example.org/@ada">x</a>'), page('<a href="mailto:a@example.org">x</a>')]),
    *pairs("number-link", [page('<a href="http://203.0.113.9/">x</a>'), mail("See http://203.0.113.9/x\r\n"), page('<a href="http://0x7f000001/">x</a>')], [page('<a href="https://example.org/1.2.3.4">x</a>'), page('<a href="http://127.0.0.1/">x</a>')]),
    *pairs("shortened-link", [page('<a href="https://bit.ly/abc">x</a>'), mail("See https://tinyurl.com/abc\r\n")], [page('<a href="https://notbit.ly/abc">x</a>')]),
    *pairs("local-link", [page('<a href="http://localhost:8000/">x</a>'), mail("See http://127.0.0.1:5000/x\r\n"), page('<a href="http://app.internal/">x</a>'), page('<a href="http://192.168.1.5/">x</a>'), page('<a href="http://[::1]/">x</a>'), page('<a href="file:///a">x</a>'), page('<a href="http://intranet/">x</a>')],
           [page('<a href="https://example.org/localhost">x</a>'), page('<a href="http://203.0.113.9/">x</a>'), page('<a href="https://local.example.org/">x</a>'), page('<a href="https://%65xample.org/">x</a>')]),
    *pairs("placeholder-link", [page('<a href="https://www.example.com/">x</a>', From="a@real.org", To="b@real.net")], [page('<a href="https://www.example.com/">x</a>'), page('<a href="https://myexample.com/">x</a>', From="a@real.org", To="b@real.net")]),
    *pairs("insecure-link", [page('<a href="http://example.org/">x</a>')], [page('<a href="https://example.org/">x</a>'), page('<a href="http://localhost/">x</a>')]),
    *pairs("half-link", [page('<a href="/account">x</a>'), page('<a href="page.html">x</a>'), page('<a href="www.example.org">x</a>')],
           [page('<a href="https://example.org/">x</a>'), page('<a href="#top">x</a>'), page('<base href="https://example.org/"><a href="/account">x</a>'), page('<a href="tel:+123">x</a>'), page('<a href="//example.org/">x</a>'), page('<a href="{{url}}">x</a>')]),
    *pairs("dead-link", [page('<a href="#">x</a>'), page('<a href="">x</a>'), page("<a href='https://'>x</a>")], [page('<a href="#top">x</a>'), page('<a name="top">x</a>')]),
    *pairs("script-link", [page('<a href="javascript:alert(1)">x</a>'), page('<a href=" java\nscript:alert(1)">x</a>')], [page('<a href="https://example.org/javascript:">x</a>')]),
    *pairs("link-without-text", [page('<a href="https://example.org/"><img src="https://example.org/a.png"></a>'), page('<a href="https://example.org/"> </a>Hi')],
           [page('<a href="https://example.org/"><img src="https://example.org/a.png" alt="Us"></a>'), page('<a href="https://example.org/" aria-label="Us"></a>'), page('<a href="https://example.org/">Us</a>')]),
    # Unsubscribing
    *pairs("no-list-unsubscribe", [mail(**BULK), mail(Precedence="bulk"), page('<a href="https://example.org/u">Unsubscribe</a>'), page('<a href="https://example.org/u">Vom Newsletter abmelden</a>')],
           [mail(**BULK, **WAY_OUT), mail(), page("<p>How to unsubscribe</p>")]),
    *pairs(
        "bad-list-unsubscribe",
        [
            mail(List_Unsubscribe="https://example.org/u"),
            mail(List_Unsubscribe="<http://example.org/u>"),
            mail(List_Unsubscribe="<https://example.org/a b>"),
            mail(List_Unsubscribe="<https://example.org/ü>"),
            mail(List_Unsubscribe="=?utf-8?q?<https://example.org/u>?="),
            mail(List_Unsubscribe=[LEAVE, LEAVE]),
            mail(List_Unsubscribe="<mailto:>"),
            mail(List_Unsubscribe=""),
        ],
        [
            mail(List_Unsubscribe=LEAVE),
            mail(List_Unsubscribe=f"<mailto:leave@example.org?subject=x>,\r\n {LEAVE}"),
            mail(List_Unsubscribe="(by mail) <mailto:leave@example.org>"),
            mail(List_Unsubscribe=f"<http://example.org/u>, {LEAVE}"),
            mail(),
        ],
    ),
    *pairs("no-one-click", [mail(**BULK, List_Unsubscribe=LEAVE)], [mail(**BULK, **WAY_OUT), mail(List_Unsubscribe=LEAVE), mail(**BULK)]),
    *pairs("bad-one-click", [mail(List_Unsubscribe=LEAVE, List_Unsubscribe_Post="One-Click"), mail(List_Unsubscribe="<mailto:a@example.org>", List_Unsubscribe_Post=ONE_CLICK), mail(List_Unsubscribe_Post=ONE_CLICK), mail(List_Unsubscribe=LEAVE, List_Unsubscribe_Post=[ONE_CLICK, ONE_CLICK])],
           [mail(**WAY_OUT), mail(List_Unsubscribe=LEAVE)]),
    *pairs("one-click-outside-signature", [mail(**WAY_OUT, DKIM_Signature=signed("from:to:subject")), mail(**WAY_OUT, DKIM_Signature=signed("From:List-Unsubscribe")), mail(**WAY_OUT, DKIM_Signature=[signed("list-unsubscribe"), signed("list-unsubscribe-post")])],
           [mail(**WAY_OUT, DKIM_Signature=signed("From : List-Unsubscribe :\r\n List-Unsubscribe-Post")), mail(**WAY_OUT), mail(DKIM_Signature=signed("from")), mail(**WAY_OUT, DKIM_Signature=[signed("from"), signed("from:list-unsubscribe:list-unsubscribe-post")])]),
    *pairs("one-click-unsigned", [mail(**WAY_OUT)], [mail(**WAY_OUT, DKIM_Signature=signed("from")), mail(List_Unsubscribe=LEAVE)]),
    # Left over
    *pairs(
        "placeholder",
        [mail(f"Dear {one},\r\n") for one in ("{{name}}", "{{ user.first_name }}", "{% if vip %}", "<%= name %>", "${name}", "#{name}", "%(name)s", "*|FNAME|*", "[[firstname]]", "%FIRSTNAME%", "{first_name}")]
        + [mail(Subject="Hello {{name}}"), page("<p>Dear {{name}}</p>"), mail(To="{{name}} <bob@example.net>")],
        [mail("100% of {all} [1] $5 #1 {} {{}} 5%OFF% %C3%A9 f(x) = {x} {a, b} a%b%c\r\n"), page("<p>Hi</p><!-- {{name}} --><style>a{{b}}</style>"), mail()],
    ),
    *pairs("placeholder-in-link", [page('<a href="https://example.org/{{id}}">x</a>'), page('<a href="https://example.org/u/undefined">x</a>'), page('<a href="https://example.org/?id=None&b=1">x</a>'), page('<a href="https://example.org/%7B%7Bid%7D%7D">x</a>'), page('<img src="https://example.org/null">')],
           [page('<a href="https://example.org/None-of-these/">x</a>'), page('<a href="https://example.org/?q=nullable">x</a>'), page('<img src="data:image/png;base64,AA/null">')]),
    *pairs("empty-value", [mail(f"{one}\r\n") for one in ("Dear None,", "Hi undefined!", "Hallo null", "[object Object]", "<app.User object at 0x7f3a12bc>", "Hello, NaN")] + [page("<p>Dear <b>None</b>,</p>"), mail(Subject="Hello None")],
           [mail("Dear Nonesuch,\r\nNone of us. The value is undefined. Hi None-the-wiser\r\n"), mail()]),
    *pairs("filler-text", [mail("Lorem ipsum dolor sit amet\r\n"), page("<p>LOREM IPSUM dolor</p>")], [mail("The lorem is a fish.\r\n")]),
]  # fmt: skip


def feature_samples() -> dict[str, str]:
    """HTML that uses a feature of the table, for each of its signs."""
    samples = {}
    for row in readers().features:
        for sign in sorted(row.signs):
            kind, _, name = sign.partition(":")
            key, _, value = name.partition("=")
            samples[f"{row.id} {sign}"] = {
                "element": f"<p>Hi</p><{name}></{name}>",
                "attribute": f'<p {name}="x">Hi</p>',
                "link": '<link rel="stylesheet" href="https://example.org/a.css"><p>Hi</p>',
                "style": "<html><body><style>p { color: red }</style><p>Hi</p></body></html>",
                "at": f"<style>@{name} x; p {{ color: red }}</style><p>Hi</p>",
                "property": f'<p style="color: red; {key.upper()}: {value or 0} !important">Hi</p>',
                "function": f"<style>p {{ color: red; background: 0 {name}(1) }}</style><p>Hi</p>",
                "pseudo": f"<style>p::{name}, a {{ content: 'x' }}</style><p>Hi</p>",
                "image": f'<img src="{"data:image/png;base64,AA" if name == "data" else f"https://example.org/a.{name}?x=1"}">',
            }[kind]
    return samples
