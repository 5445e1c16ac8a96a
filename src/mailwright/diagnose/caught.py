"""An exception of any library, read without importing the library: by its class names, codes and traceback."""

from __future__ import annotations

from mailwright.diagnose.clues import function_named
from mailwright.diagnose.failure import Failure, phase_named
from mailwright.diagnose.reading import cleaned, decodings
from mailwright.words.errors import DeliveryError, MailError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_CHAIN_LIMIT = 12  # exceptions of a chain or group that are looked at
_FRAMES_LIMIT = 60
_TEXT_LIMIT = 20_000  # characters
#: Where an exception of smtplib or aiosmtplib, or one of ours, comes from.
_PHASES = {
    "SMTPHeloError": "ehlo",
    "SMTPAuthenticationError": "auth",
    "SMTPSenderRefused": "mail_from",
    "SenderRefused": "mail_from",
    "SMTPRecipientsRefused": "rcpt_to",
    "SMTPRecipientRefused": "rcpt_to",
    "RecipientsRefused": "rcpt_to",
    "SMTPDataError": "data",
    "ContentRefused": "data",
    "SMTPConnectError": "greeting",
    "SMTPConnectResponseError": "greeting",
    "LoginError": "auth",
    "gaierror": "resolve",
    "SSLCertVerificationError": "tls",
    "RefreshError": "oauth_token",
}


def failures_of(error: BaseException) -> list[tuple[Failure, tuple[str, ...]]]:
    """Each exception of the chain as a failure, the one that was raised first, with the functions under way."""
    return [(_failure(each), _functions(each)) for each in _chain(error)]


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, what it came from, and the members of a group; each once."""
    waiting, seen = [error], set[int]()
    while waiting and len(seen) < _CHAIN_LIMIT:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        behind = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
        waiting += [behind] if behind is not None else []
        try:
            members = getattr(each, "exceptions", ())
        except Exception:
            members = ()
        waiting += [member for member in members if isinstance(member, BaseException)] if _is_listed(members) else []


def _is_listed(members: object) -> bool:
    return isinstance(members, list | tuple)


def _failure(error: BaseException) -> Failure:
    names = frozenset(cls.__name__ for cls in type(error).__mro__ if cls not in (object, BaseException, Exception))
    phase = next((_PHASES[cls.__name__] for cls in type(error).__mro__ if cls.__name__ in _PHASES), "")
    if isinstance(error, MailError):
        return _of_ours(error, names, phase)
    try:
        code, text = _reply_of(error)
        return Failure(
            text=cleaned(text)[:_TEXT_LIMIT],
            code=code,
            names=names,
            numbers=_numbers(error),
            phase=phase_named(str(getattr(error, "phase", ""))) or phase,
        )
    except Exception:  # whatever a foreign attribute does, the class alone says something
        return Failure(names=names, phase=phase)


def _of_ours(error: MailError, names: frozenset[str], phase: str) -> Failure:
    """One of our own errors. Its ``str`` is not asked: that would ask for the diagnosis again."""
    if not isinstance(error, DeliveryError):
        return Failure(text=error.what, names=names)
    reply = error.reply
    host, _, port = error.server.rpartition(":")
    transcript = str(error.transcript) if error.transcript is not None else ""
    return Failure(
        text=cleaned(" ".join(reply.lines) if reply is not None else error.what)[:_TEXT_LIMIT],
        code=reply.code if reply is not None else 0,
        enhanced=(reply.enhanced or "") if reply is not None else "",
        names=names | ({"SMTPServerDisconnected"} if "ConnectionLost" in names else set()),
        phase=phase_named(error.phase) or phase,
        port=int(port) if port.isdigit() and len(port) < 6 else 0,
        security=("tls" if "secured with" in transcript else "none") if transcript else "",
        host=host,
        banner=next((line.text for line in error.transcript or () if line.mark == "S"), ""),
        doubt=error.in_doubt,
    )


def _reply_of(error: BaseException) -> tuple[int, str]:
    """Code and words of a refusal as `smtplib` and aiosmtplib carry them, else what the exception says."""
    recipients = getattr(error, "recipients", None)
    if isinstance(recipients, dict) and recipients:
        first = next(iter(recipients.values()))
        if isinstance(first, tuple) and len(first) == 2:
            return _number(first[0]), _text(first[1])
    if isinstance(recipients, list) and recipients and isinstance(recipients[0], BaseException):
        return _reply_of(recipients[0])
    for code, words in (("smtp_code", "smtp_error"), ("code", "message")):
        number = _number(getattr(error, code, None))
        if number:
            return number, _text(getattr(error, words, ""))
    try:
        return 0, str(error)
    except Exception:
        return 0, ""


def _number(found: Any) -> int:
    return found if isinstance(found, int) and not isinstance(found, bool) and -1 <= found < 600 else 0


def _text(found: Any) -> str:
    if isinstance(found, bytes | bytearray):
        return decodings(bytes(found[:_TEXT_LIMIT]))[0]
    return str(found)


def _numbers(error: BaseException) -> frozenset[str]:
    """The error numbers of an `OSError`, with the names that the system has for them."""
    from errno import errorcode

    if any(cls.__name__ == "SSLError" for cls in type(error).__mro__):
        return frozenset()  # its numbers are those of OpenSSL
    found = [getattr(error, "errno", None), getattr(error, "winerror", None)]
    numbers = {str(number) for number in found if isinstance(number, int)}
    named = {errorcode[number] for number in found if isinstance(number, int) and number in errorcode}
    return frozenset(named or numbers)


def _functions(error: BaseException) -> tuple[str, ...]:
    names: list[str] = []
    trace = error.__traceback__
    while trace is not None and len(names) < _FRAMES_LIMIT:
        code = trace.tb_frame.f_code
        names.append(function_named(code.co_name, code.co_filename))
        trace = trace.tb_next
    return tuple(names)
