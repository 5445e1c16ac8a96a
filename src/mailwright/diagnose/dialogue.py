"""The refusal in a transcript of an SMTP dialogue, whatever program wrote it down.

`smtplib`, swaks, PHPMailer, nodemailer, curl, msmtp and mailwright mark who speaks in different ways, a person at
telnet not at all; commands and replies look the same in all of them.
"""

from __future__ import annotations

import re

from mailwright.diagnose.failure import Failure
from mailwright.words.value import value

_LINES_LIMIT = 4000  # lines of a dialogue that are looked at
_MARKS = (
    r"(?:[\w:.,\[\] -]{0,60}?(?:SERVER -> CLIENT: ?|CLIENT -> SERVER: ?|\b[SC]: ?|<~\*|<\*\*|<~|<--|<-|~>|-->|->"
    r"|<<<|>>>|<<|>>|\breply: (?:b?['\"]|retcode )|\bsend: b?['\"]|[<>] |\b(?:sent|send|recv): |└──|\b[SC] ))?"
)
_SERVER = re.compile(rf"^\s{{0,4}}{_MARKS}\s{{0,4}}\(?([2-5][0-9][0-9])\)?(?:[ -]|;|'|$)(.*)$", re.IGNORECASE)
_CLIENT = re.compile(
    rf"^\s{{0,4}}{_MARKS}\s{{0,4}}"
    r"(EHLO|HELO|LHLO|STARTTLS|AUTH|MAIL FROM|RCPT TO|DATA|BDAT|QUIT|RSET|NOOP|VRFY|\.(?=['\\\s]|$))",
    re.IGNORECASE,
)
_SILENT = re.compile(r"SERVER -> CLIENT:\s{0,4}$")  # PHPMailer read nothing: the other side had gone
_PHASES = {
    "EHLO": "ehlo",
    "HELO": "ehlo",
    "LHLO": "ehlo",
    "STARTTLS": "starttls",
    "AUTH": "auth",
    "MAIL FROM": "mail_from",
    "RCPT TO": "rcpt_to",
    "DATA": "data",
    "BDAT": "data",
    ".": "final_reply",
    "QUIT": "quit",
}


@value
class Dialogue:
    """What a transcript tells: the first refusal that was not made good, or where the talk had come to when it ended
    (empty where there is no dialogue, or it came to its end).
    """

    refusal: Failure | None = None
    phase: str = ""


def dialogue_in(text: str) -> Dialogue:
    """The dialogue in a cleaned text.

    What comes after the first refusal is mostly its consequence: a login that failed is followed by "authentication
    required".
    """
    phase, commands, done = "greeting", 0, False
    refused: dict[str, Failure] = {}
    going_on: list[str] = []
    for line in text.split("\n")[:_LINES_LIMIT]:
        line = line[:1000]
        if (client := _CLIENT.match(line)) is not None:
            said = _PHASES.get(client[1].upper(), phase)
            # QUIT in the middle is how a client gives up: what it gave up at counts.
            phase = phase if said == "quit" and not done else said
            commands += 1
            continue
        if _SILENT.search(line) is not None:
            return Dialogue(Failure(text=f"{line.strip()} (connection closed)", phase=phase, refused=True), phase)
        if (server := _SERVER.match(line)) is None:
            continue
        code, words = int(server[1]), server[2]
        if line[server.end(1) : server.end(1) + 1] == "-":
            going_on.append(words)
            continue
        words = "\n".join([*going_on[-20:], words])
        going_on.clear()
        if code == 354:
            phase = "final_reply"
        elif code < 400:
            refused.pop(phase, None)  # a second way succeeded: HELO after EHLO, another mechanism
            done = done or phase == "final_reply"
            phase = "tls" if phase == "starttls" else phase
        elif phase not in refused:
            refused[phase] = Failure(text=f"{code} {words}", code=code, phase=phase, refused=True)
    if not commands:
        return Dialogue()
    return Dialogue(next(iter(refused.values()), None), "" if done else phase)
