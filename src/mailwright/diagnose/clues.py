"""What a text and its surroundings say about a failure: codes, symptoms, phase, port, provider."""

from __future__ import annotations

import re

from mailwright.diagnose.failure import Failure
from mailwright.diagnose.knowledge import knowledge
from mailwright.diagnose.replies import codes_in, with_codes, without_repetition
from mailwright.words.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_NUMBER = re.compile(
    r"\b(?:errno|winerror|socket error(?: code)?|error code|os error)[ :#=\]'\"]{0,4}(-?[0-9]{1,5})\b", re.IGNORECASE
)
_PORT = re.compile(
    r"(?:\bport['\"]?[ =:#]{1,4}['\"]?|[\w\])]:|, ?|smtps?://[\w.-]{1,100}:)"
    r"(25|26|465|587|2465|2525|2587|8025|8465)(?![\w.]|:[0-9]{2}\b)",
    re.IGNORECASE,
)
_HOST = re.compile(
    r"\b((?:smtp|mail|mx|relay|send|out|email|mailout|submission)[\w-]{0,30}(?:\.[\w-]{1,40}){1,4})\b", re.IGNORECASE
)
#: A setting that is named after a failure.
_SETTING = re.compile(r"\b[a-z_]{0,20}(?:time_?out|delays?|retries)['\"]?[ =:>]{1,4}[0-9.]{1,12}\b", re.IGNORECASE)
_DSN_TYPE = re.compile(r"\b(?:smtp|lmtp|x-[a-z]{2,12}); ?(?=[245])", re.IGNORECASE)  # RFC 3464: "smtp; 550 …"
_RETURNED = re.compile(r"^\s*\{['\"][^'\"\n]{1,320}@[^'\"\n]{1,255}['\"]: ?\([2-5][0-9][0-9],")
#: Which of several phases that a text names is believed: what ends a talk is told with the step in which it ended, and
#: "connect" and "tls" stand in the name of everything.
_TELLING = (
    "final_reply",
    "quit",
    "rcpt_to",
    "mail_from",
    "data",
    "oauth_token",
    "resolve",
    "auth",
    "starttls",
    "tls",
    "greeting",
    "ehlo",
    "connect",
    "import",
)
_FUNCTIONS = {
    "login": "auth",
    "auth": "auth",
    "auth_plain": "auth",
    "auth_login": "auth",
    "auth_cram_md5": "auth",
    "auth_crammd5": "auth",
    "auth_xoauth2": "auth",
    "starttls": "starttls",
    "start_tls": "tls",
    "wrap_socket": "tls",
    "do_handshake": "tls",
    "_create": "tls",
    "ehlo": "ehlo",
    "helo": "ehlo",
    "ehlo_or_helo_if_needed": "ehlo",
    "getreply": "",
    "mail": "mail_from",
    "rcpt": "rcpt_to",
    "data": "data",
    "quit": "quit",
    "getaddrinfo": "resolve",
    "create_connection": "connect",
    "_create_connection": "connect",
    "_get_socket": "connect",
    "connect": "connect",
}


def phase_of_functions(functions: Iterable[str]) -> str:
    """The phase in which a program was, by the names of the functions under way (outermost first), as those of
    `smtplib` and `aiosmtplib` are called; empty where they do not tell.
    """
    read_reply = False
    for name in reversed(list(functions)):
        bare = name.rpartition(".")[2]
        if "actionAUTH" in name or "_handleXOauth2" in name:
            return "auth"
        if bare in _READING:
            read_reply = True
        found = _FUNCTIONS.get(bare, "") if name.startswith(_LIBRARIES) or bare in _SURE else ""
        if found:
            return _WITH_A_REPLY.get(found, found) if read_reply else found
    return ""


def function_named(function: str, file: str) -> str:
    """A function under way, with the library in front where `file` (a path, or the line that names it) is one whose
    functions tell the phase.
    """
    if "smtplib.py" in file:
        return f"smtplib.{function}"
    return f"aiosmtplib.{function}" if _AIOSMTPLIB.search(file) else function


_LIBRARIES = ("smtplib.", "aiosmtplib.")
_AIOSMTPLIB = re.compile(r"[/\\]aiosmtplib[/\\]\w{1,20}\.py")
_READING = ("getreply", "_read_response", "read_response")
#: What a step is in which a reply is still waited for: that before it.
_WITH_A_REPLY = {"connect": "greeting", "tls": "starttls"}
_WORDS_THAT_TELL = 3  # a phrase of so many words stands for one phase, whatever else is named
_TLS = {"tls-not-spoken", "tls-eof", "tls-version", "tls-handshake-refused", "cert-refused", "tls-error"}
_SURE = ("do_handshake", "wrap_socket", "getaddrinfo", "create_connection", "starttls")


def enriched(
    failure: Failure, functions: tuple[str, ...] = (), *, loosely: bool = False
) -> tuple[Failure, dict[int, int]]:
    """The failure with all that its text tells, and the signs (as places in `Knowledge.signs`) whose words stand in
    it, with their length. What is known already stays. `loosely` means `PhraseBook.find`.
    """
    known = knowledge()
    said = with_codes(failure.text)
    codes = codes_in(said)
    code = failure.code or codes.code
    enhanced = failure.enhanced or codes.enhanced
    words = without_repetition(_DSN_TYPE.sub("", _SETTING.sub(" ", said)), code, enhanced)
    meanings = known.book.find(words, loosely=loosely)
    signs = {meaning: words for meaning, words in meanings.items() if isinstance(meaning, int)}
    told: dict[str, dict[str, int]] = {"symptom": {}, "phase": {}, "provider": {}}
    for meaning, length in meanings.items():
        if isinstance(meaning, tuple):
            told[meaning[0]][meaning[1]] = length
    symptoms = set(told["symptom"]) | _symptoms_of(failure)
    if "timeout" in symptoms:
        symptoms.discard("disconnected")  # who waited in vain closes the connection
    phase = failure.phase or phase_of_functions(functions) or _phase_told(told["phase"], symptoms, code)
    names = failure.names
    if _RETURNED.match(failure.text):
        names |= {"(return value)"}
    return (
        replace(
            failure,
            code=code,
            enhanced=enhanced,
            names=names,
            symptoms=frozenset(symptoms),
            phase=phase,
            provider=failure.provider or _provider(failure, told["provider"]),
        ),
        signs,
    )


def _symptoms_of(failure: Failure) -> set[str]:
    """The symptoms that the classes and numbers of an exception stand for."""
    known = knowledge()
    numbers = {*failure.numbers, *_NUMBER.findall(failure.text[:4000])}
    found: set[str] = set()
    for name in failure.names:
        found |= known.exceptions.get(name, set())
    for number in numbers:
        found |= known.numbers.get(number, set())
    return found


def _phase_told(told: dict[str, int], symptoms: set[str], code: int) -> str:
    if code in (535, 534, 538, 334):
        return "auth"
    if not code and "tls" in told and symptoms & _TLS:
        return "tls"
    longest = max(told, key=lambda phase: told[phase], default="")
    if told.get(longest, 0) >= _WORDS_THAT_TELL:
        return longest
    for phase in _TELLING:
        if phase in told and not (phase == "connect" and code):
            return phase
    if symptoms & {"name-not-found", "name-temporary"}:
        return "resolve"
    return "connect" if symptoms & {"refused", "unreachable"} else ""


def port_in(text: str) -> int:
    """The mail port that a text names, or 0 where it names none or several."""
    found = {int(port) for port in _PORT.findall(text[-20_000:])}
    return found.pop() if len(found) == 1 else 0


def security_in(text: str, functions: tuple[str, ...]) -> str:
    """How the program encrypts, as far as its class names tell: ``"tls"``, ``"none"`` or empty."""
    if "SMTP_SSL" in functions or "SMTP_SSL(" in text or "smtps://" in text:
        return "tls"
    return "none" if "SMTP" in functions else ""


def hosts_in(text: str) -> list[str]:
    """Names in a text that look like those of mail servers."""
    return list(dict.fromkeys(match.lower() for match in _HOST.findall(text[:20_000])))[:8]


def _provider(failure: Failure, told: dict[str, int]) -> str:
    for host in [failure.host, *hosts_in(failure.banner), *hosts_in(failure.text)]:
        if host and (found := provider_of(host)):
            return found
    return max(told, key=lambda name: told[name], default="")


def provider_of(host: str) -> str:
    """The id of the provider whose server that is, or empty."""
    from mailwright.providers import catalog  # 180 KB that only a text with a host needs

    found = catalog.by_host(host) or catalog.by_mx(host)
    return found.id if found is not None else ""
