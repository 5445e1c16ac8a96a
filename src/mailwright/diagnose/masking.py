"""Credentials in a text from outside, masked before anything of it is shown."""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64

STARS = "***"
_MECHANISM = r"(?:PLAIN|LOGIN|XOAUTH2?|OAUTHBEARER|NTLM|GSSAPI|EXTERNAL|[A-Z]{2,8}-[A-Z0-9-]{3,20})"
_AUTH_LINE = re.compile(
    rf"\b(AUTH(?:ENTICATE)? +{_MECHANISM}) +(?!{_MECHANISM}\b)(?=[a-z+/]{{0,40}}[A-Z0-9=])[A-Za-z0-9+/=]{{4,}}"
)
_URL = re.compile(r"\b([a-z][a-z0-9+.-]{1,20}://)[^\s/@'\"<>]{1,500}@", re.IGNORECASE)
#: In a mail URL everything up to the last @ may be the credential: a password may hold / and @.
_MAIL_URL = re.compile(
    r"\b((?:smtps?|submissions?|lmtp|imaps?|pop3?s?)(?:\+\w{1,12})?://)[^\s'\"<>]{1,500}@", re.IGNORECASE
)
#: server.login("ada", "secret"), curl -u ada:secret, and what people write: "the password is …", "apikey …".
_LOGIN_CALL = re.compile(
    r"(\blogin\(\s{0,3}b?(['\"])[^'\"\n]{0,200}\2\s{0,3},\s{0,3}(?:password\s{0,3}=\s{0,3})?)"
    r"b?(['\"])[^'\"\n]{1,500}\3"
)
_USER_OPTION = re.compile(r"((?:^|\s)(?:-u|--user)[ =]['\"]?[^\s:'\"]{1,200}:)[^\s'\"]{1,500}")
_TOLD = re.compile(
    r"(\b(?:password|passwd|passwort|kennwort|secret|token|api ?key|pass)(?: is| ist| est| es|) )"
    r"(?=[^\s,;]{0,100}\d)(?=[^\s,;]{0,100}[A-Za-z])[^\s,;]{6,500}",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"((?:pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|authorization|auth_?key|senha|kennwort|passwort"
    r"|contraseña|пароль|密码|パスワード)[\w-]{0,30}\\?['\"]?\s{0,3}(?:=>|[=:])\s{0,3})"
    r"(?:\\\"[^\"\n]{0,500}\\\"|[a-z]{4}(?:[ \u00a0][a-z]{4}){3}\b|'[^'\n]{0,500}'|\"[^\"\n]{0,500}\""
    r"|[^\s,;)}\]'\"]{1,500})",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(Bearer|Basic|PASS)[ =]+[A-Za-z0-9._~+/=-]{6,}")
_TOKENS = re.compile(
    r"\b(?:ya29\.[\w.-]{8,}|1//[\w-]{16,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|SG\.[\w-]{8,}\.[\w-]{8,}|xkeysib-[\w-]{8,}"
    r"|xsmtpsib-[\w-]{8,}|GOCSPX-[\w-]{8,}|AKIA[A-Z0-9]{12,}|key-[0-9a-f]{24,}|re_[A-Za-z0-9]{8,}_[A-Za-z0-9]{8,})"
)
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{8,4000}={0,2}(?![A-Za-z0-9+/=])")
# What stands around a line of a dialogue that is nothing but base64: the answer to a prompt of AUTH LOGIN.
_BEFORE = re.compile(r"(?:^|\n)[^A-Za-z\n]{0,40}(?:send: ?b?['\"]|C: ?|CLIENT -> SERVER: ?|-> ?|>+ ?)?$", re.IGNORECASE)
_BEHIND = re.compile(r"\\r\\n|\r?\n|['\"]|\s*$")
#: The prompts of AUTH LOGIN, which servers repeat in their refusals and which are no secret.
_PROMPTS = frozenset({"UGFzc3dvcmQ6", "VXNlcm5hbWU6", "UGFzc3dvcmQA", "VXNlciBOYW1lAA=="})


def masked(text: str) -> str:
    """The text with ``***`` in place of whatever looks like a credential: login lines, passwords in URLs and settings,
    tokens.
    """
    text = _AUTH_LINE.sub(rf"\1 {STARS}", text)
    text = _MAIL_URL.sub(rf"\1{STARS}@", text)
    text = _LOGIN_CALL.sub(rf"\1{STARS}", text)
    text = _USER_OPTION.sub(rf"\1{STARS}", text)
    text = _URL.sub(rf"\1{STARS}@", text)
    text = _BEARER.sub(rf"\1 {STARS}", text)
    text = _TOKENS.sub(STARS, text)
    text = _NAMED.sub(rf"\1{STARS}", text)
    text = _TOLD.sub(rf"\1{STARS}", text)
    return _BASE64.sub(_login_data, text)


def _login_data(match: re.Match[str]) -> str:
    """Stars for what a client says during a login; words stay words."""
    found = match[0]
    if found in _PROMPTS:
        return found
    try:
        octets = a2b_base64(found.encode("ascii"), strict_mode=True)
    except (Base64Error, ValueError):
        return found
    if octets.count(b"\0") == 2 or b"auth=Bearer" in octets:  # RFC 4616; XOAUTH2 and OAUTHBEARER
        return STARS
    text, start, end = match.string, match.start(), match.end()
    alone = _BEFORE.search(text[max(0, start - 60) : start]) and _BEHIND.match(text, end, end + 8)
    return STARS if alone else found
