"""The SMTP reply in a text: its code, its enhanced code, its words."""

from __future__ import annotations

import re

from mailwright.words.value import value

#: What may stand right before the code of a reply. In a text of any program a number of three digits may as well be a
#: line number or a port, so the surest places are looked at first.
_SURE_PLACES = (
    r"\((-1|[2-5][0-9][0-9]), ?b?['\"]",  # the arguments of an exception of smtplib
    r"(?<![0-9.:])([45][0-9][0-9])[ \-]#?[245]\.[0-9]{1,3}\.[0-9]{1,3}\b",
)
#: What programs write in front of the words of a server.
_SAYS = (
    "said|says|reply|replied|respon[a-z]{1,6}|returned|answered|retcode|refused to talk to me|got|smtp;|lmtp;|<\\*\\*"
)
_LIKELY_PLACES = (
    r"\b(?:response|reply|status|smtp|error|return)?_?code['\"]?[=:)]? {0,2}([45][0-9][0-9])\b",
    rf"\b(?:{_SAYS})[:=;]?['\"]? {{0,2}}[(\[]?([45][0-9][0-9])\b",
    r"(?:^|\n)[^0-9A-Za-z\n]{0,6}([45][0-9][0-9])[ \-][^0-9]",
    r"(?:^|[\s:;>('\"\[#-])([45][0-9][0-9])(?:[ \-](?:[^\W\d_]|[<(\[#'\"])|: |$)",
    r"(?:^|[\s:])[(\[]([45][0-9][0-9])[)\]]",
    r"(?:^|[\s:;>('\"\[])(334) ",
)
_PLACES = [(re.compile(p, re.IGNORECASE), p in _SURE_PLACES) for p in (*_SURE_PLACES, *_LIKELY_PLACES)]
_ENHANCED = re.compile(r"(?<![\w.])([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9]|\.[0-9])")
#: Three digits that SMTP uses (RFC 5321, 4954, 7504 and what servers are seen to say).
_KNOWN = frozenset(
    "334 421 422 430 431 432 435 441 442 450 451 452 454 455 458 459 471 500 501 502 503 504 510 511 512 515 517 520 "
    "521 523 525 526 530 534 535 538 540 541 550 551 552 553 554 555 556 557 571".split()
)
#: What .NET says in place of a code, in front of the server's words.
_SPELLED = {
    "Service not available, closing transmission channel": 421,
    "Error in processing": 451,
    "Insufficient system storage": 452,
    "Syntax error, command unrecognized": 500,
    "Syntax error in parameters or arguments": 501,
    "Command not implemented": 502,
    "Bad sequence of commands": 503,
    "Command parameter not implemented": 504,
    "The SMTP server requires a secure connection or the client was not authenticated": 530,
    "Mailbox unavailable": 550,
    "User not local; please try a different path": 551,
    "Exceeded storage allocation": 552,
    "Mailbox name not allowed": 553,
    "Transaction failed": 554,
}
_NAMES = "|".join(map(re.escape, _SPELLED))
_SPELLED_OUT = re.compile(rf"({_NAMES})\.? The server response was:|(?<=Exception: )({_NAMES})\b")
_NOT_REPLIES = re.compile(r"\b(?:line|port|errno|pid|uid|exit code)[ #=:]{1,3}$", re.IGNORECASE)


@value
class Codes:
    """The numbers of a reply: 0 and an empty text where there are none."""

    code: int = 0
    enhanced: str = ""


def codes_in(text: str) -> Codes:
    """The reply code and the enhanced code that a text reports."""
    code, at = _code_in(text)
    return Codes(code, _enhanced_in(text, code, at))


def with_codes(text: str) -> str:
    """The text with codes in place of the words that .NET has for them, for those are not the server's."""
    if "xception: " not in text and "response was:" not in text:
        return text
    return _SPELLED_OUT.sub(lambda match: f"code {_SPELLED[match[1] or match[2]]}: ", text)


def _code_in(text: str) -> tuple[int, int]:
    for place, sure in _PLACES:
        for match in place.finditer(text):
            found, at = match[1], match.start(1)
            if sure or (found in _KNOWN and _NOT_REPLIES.search(text[max(0, at - 16) : at]) is None):
                return int(found), at
    return 0, 0


def _enhanced_in(text: str, code: int, at: int) -> str:
    """The first enhanced code behind the reply code whose class agrees with it (RFC 2034 §4), else the first: one of
    another class is a mistake of the server, but its detail is meant.
    """
    wanted = str(code)[0] if code > 0 else ""
    found = [(match[1], match.start()) for match in _ENHANCED.finditer(text) if match[1][0] != "2"]
    agreeing = [pair for pair in found if pair[0][0] == wanted] if wanted else []
    behind = [pair for pair in agreeing or found if pair[1] >= at]
    return next(iter(behind or agreeing or found), ("", 0))[0]


def without_repetition(text: str, code: int, enhanced: str) -> str:
    """The words of a reply without the codes that each of its lines repeats; the first ones stay."""
    if code < 200 or text.count(str(code)) < 2:
        return text
    again = rf"[- ](?:#?{re.escape(enhanced)}(?![0-9.]))?" if enhanced else "-"
    repeated = re.compile(rf"(?<![0-9.]){code}{again}")
    first = repeated.search(text)
    return text[: first.end()] + repeated.sub(" ", text[first.end() :]) if first is not None else text
