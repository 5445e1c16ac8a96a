"""Text of any program, cleaned and cut into the pieces that may each tell of a failure.

What comes in is hostile or at least careless: any encoding, escape sequences, a whole log, a traceback that repeats the
source. Every step is one pass over a bounded text.
"""

from __future__ import annotations

import re

from mailwright.diagnose.clues import function_named
from mailwright.words.value import value

TEXT_LIMIT = 1 << 20  # characters that are read; of more, the end counts most, for there stands what happened last
_PIECE_LIMIT = 6000  # characters of one piece
_LINES_LIMIT = 120  # lines of a log that are looked at one by one, from the end

_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]{0,16}[ -/]{0,2}[@-~]|[@-Z\\-_])")
_HIGH_ESCAPE = re.compile(r"(?:\\x[0-9a-fA-F]{2})+")
_LINE_END = re.compile(r"\\r\\n|\\n|\r\n|\r")
_TAG = re.compile(r"<(?:br|p|div|/p|/div|b|/b|li|/li|span|/span|pre|/pre)\b[^<>\n]{0,100}>", re.IGNORECASE)
_ENTITIES = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "#39": "'", "#039": "'", "nbsp": " "}
_ENTITY = re.compile(rf"&({'|'.join(_ENTITIES)});")
_CONTINUED = re.compile(r"^\W{0,4}([2-5][0-9][0-9])-")
_CHAINED = re.compile(
    r"^.{0,40}?(?:During handling of the above exception, another exception occurred:"
    r"|The above exception was the direct cause of the following exception:|Caused by: |caused by: |--->)",
    re.MULTILINE,
)
_WORTH_A_LOOK = re.compile(
    r"(?<![0-9])[45][0-9][0-9](?![0-9])|[45]\.[0-9]\.[0-9]|err|fail|conn|smtp|refus|reject|den[iy]|time|clos|lost|bounced|deferred"
    r"|invalid|unable|not |exce|certif|tls|ssl|block|limit|spam|[^\x00-\x7f]",
    re.IGNORECASE,
)

#: Encodings of servers and systems that do not speak UTF-8, tried in this order.
_ENCODINGS = ("gb18030", "shift_jis", "euc_kr", "cp1251", "cp1252")


@value
class Piece:
    """A part of a text that may tell of one failure; `functions` are the names of the functions that were under way,
    the outermost first.
    """

    text: str
    functions: tuple[str, ...] = ()


def decodings(octets: bytes) -> list[str]:
    """The texts that these octets may be: one where they are UTF-8 or carry a mark, else one for each encoding that
    fits.
    """
    octets = _middle_out(octets)
    if octets.startswith((b"\xff\xfe", b"\xfe\xff")):
        return [octets.decode("utf-16", "replace")]
    try:
        return [octets.decode("utf-8-sig")]
    except UnicodeDecodeError as problem:
        if problem.start > len(octets) - 4 or problem.end < 4:  # cut in the middle of a character
            return [octets.decode("utf-8", "replace")]
    texts = []
    for encoding in _ENCODINGS:
        try:
            texts.append(octets.decode(encoding))
        except UnicodeDecodeError:
            continue
    return [*texts, octets.decode("latin-1")][:3]


def _middle_out(octets: bytes) -> bytes:
    if len(octets) <= TEXT_LIMIT:
        return octets
    return octets[: TEXT_LIMIT // 8] + b"\n" + octets[-TEXT_LIMIT * 7 // 8 :]


def cleaned(text: str) -> str:
    """The text as it was meant: bounded, without terminal sequences and markup, the ``b'…'`` of Python and literal
    ``\\n`` resolved.
    """
    if len(text) > TEXT_LIMIT:
        text = f"{text[: TEXT_LIMIT // 8]}\n{text[-TEXT_LIMIT * 7 // 8 :]}"
    if "\x1b" in text:
        text = _ESCAPES.sub("", text)
    if "\\x" in text:
        text = _HIGH_ESCAPE.sub(_unescaped, text)
    if "&" in text or "<" in text:
        text = _ENTITY.sub(lambda match: _ENTITIES[match[1]], _TAG.sub("\n", text))
    return _LINE_END.sub("\n", text)


_MOJIBAKE = re.compile(r"[\x80-\xff]{4,}")


def repaired(text: str) -> str:
    """The text with octets that were shown as Latin-1 read again as UTF-8 or GB18030, which turns ``ÇëÊ¹ÓÃ`` into what
    the server said; empty where nothing looks like that.
    """
    if _MOJIBAKE.search(text) is None:
        return ""
    again = _MOJIBAKE.sub(_read_again, text)
    return again if again != text else ""


def _read_again(match: re.Match[str]) -> str:
    octets = match[0].encode("latin-1")
    for encoding in ("utf-8", "gb18030"):
        try:
            return octets.decode(encoding)
        except UnicodeDecodeError:
            continue
    return match[0]


def _unescaped(match: re.Match[str]) -> str:
    """Octets that Python shows as ``\\xe8\\xaf…``, as the text they are."""
    octets = bytes.fromhex(match[0].replace("\\x", ""))
    return decodings(octets)[0] if max(octets) > 0x7F else octets.decode("latin-1")


def pieces(text: str) -> list[Piece]:
    """The parts of a cleaned text that may each tell of a failure, in their order; one with everything in it stands
    first where the text is short.
    """
    found: list[Piece] = []
    for part in _split(text):
        kept, functions = without_frames(part)
        joined = "\n".join(_joined_replies(kept))
        if joined.strip():
            found.append(Piece(joined[:_PIECE_LIMIT], functions))
            if len(joined) > 1500 or len(kept) > 12:
                found += [Piece(line, functions) for line in _candidates(_joined_replies(kept))]
    return found


def _split(text: str) -> list[str]:
    """The exceptions of a chain, each with its own traceback."""
    starts = [0]
    for match in _CHAINED.finditer(text):
        starts.append(match.end())
        if len(starts) > 20:
            break
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]


_FRAME = re.compile(r'^.{0,80}?File "[^"\n]{1,400}", line [0-9]{1,7}(?:, in (\S{1,80}))?')
_OTHER_FRAME = re.compile(
    r"^\W{0,6}(?:[\w.-]{1,40} +\| +)?(?:at (?:async |new )?([\w.$<>\[\] /]{1,200}?) ?\(.{0,400}\)?"
    r"|at [\w./:\\@-]{1,300}|#[0-9]{1,2} (?:\{main\}|\[internal|.{0,300}\([0-9]{1,6}\): ).{0,400}"
    r"|from \S{1,300}:[0-9]{1,6}:in .{1,200})\W{0,4}$"
)
_EXCEPTION_LINE = re.compile(
    r"(?:^|[\s|:])[A-Za-z_][\w.]{0,80}(?:Error|Exception|Refused|Disconnected|timeout|gaierror|error): ?\S"
)


def without_frames(text: str) -> tuple[list[str], tuple[str, ...]]:
    """The lines of a text without the frames of tracebacks, and the names of the functions in the frames."""
    kept: list[str] = []
    functions: list[str] = []
    in_frame = just_after = False
    for line in text.split("\n"):
        if (match := _FRAME.match(line[:600])) is not None:
            functions.append(function_named(match[1] or "", line))
            in_frame = just_after = True
            continue
        # The line behind is the source, then marks under it; indented unless a log took the spaces away.
        if in_frame and (just_after or line[:1] in " \t^~") and _EXCEPTION_LINE.search(line[:300]) is None:
            functions += _calls(line)
            just_after = False
            continue
        in_frame = just_after = False
        if (match := _OTHER_FRAME.match(line[:800])) is not None:
            functions.append(match[1] or line.strip()[:100])
            continue
        kept.append(line)
    return kept, tuple(functions[-60:])


_CLASS_CALL = re.compile(r"\bSMTP(?:_SSL)?\(")


def _calls(line: str) -> list[str]:
    return [name.rstrip("(") for name in _CLASS_CALL.findall(line[:300])]


def _joined_replies(lines: list[str]) -> list[str]:
    """Lines of one reply (``550-…``, ``550 …``) put together."""
    joined: list[str] = []
    going_on = ""
    for line in lines:
        match = _CONTINUED.match(line[:60])
        if going_on and going_on in line[:10] and len(joined[-1]) < _PIECE_LIMIT:
            joined[-1] += "\n" + line
        else:
            joined.append(line)
        going_on = match[1] if match is not None else ""
    return joined


def _candidates(lines: list[str]) -> list[str]:
    worth = [line for line in lines if _WORTH_A_LOOK.search(line[:2000]) is not None]
    return [line[:_PIECE_LIMIT] for line in worth[-_LINES_LIMIT:]]
