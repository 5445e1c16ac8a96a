"""Attachments: which are blocked, and whether their names and types are of use."""

from __future__ import annotations

from mailwright.message.check.finding import ERROR, INFO, WARNING, Group, shown
from mailwright.message.media_types import UNKNOWN, type_of_name
from mailwright.words.address import is_control

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailwright.message.check.finding import Fault
    from mailwright.message.check.opened import Opened

group = Group("Attachments")
#: Google: "File types blocked in Gmail" (support.google.com/mail/answer/6590), looked up on 2026-11-21.
GMAIL_BLOCKS = frozenset(
    "ade adp apk appx appxbundle bat cab chm cmd com cpl diagcab diagcfg diagpkg dll dmg ex ex_ exe hta img ins iso "
    "isp jar jnlp js jse lib lnk mde mjs msc msi msix msixbundle msp mst nsh pif ps1 scr sct shb sys vb vbe vbs vhd "
    "vxd wsc wsf wsh xll".split()
)
#: Microsoft: "Blocked attachments in Outlook" (support.microsoft.com), looked up on 2026-11-21; those that Gmail takes.
OUTLOOK_BLOCKS = frozenset(
    "app appref-ms application asp aspx asx bas bgi cdxml cer cnt crt csh der fxp gadget grp hlp hpj htc inf its "
    "ksh library-ms mad maf mag mam maq mar mas mat mau mav maw mcf mda mdb mdt mdw mdz mht mhtml msh msh1 msh2 "
    "mshxml msh1xml msh2xml ops osd pcd pl plg prf prg printerexport ps1xml ps2 ps2xml psc1 psc2 psd1 psdm1 pssc "
    "pst py pyc pyo pyw pyz pyzw reg scf shs theme tmp udl url vbp vhdx vsmacros vsw webpnp website ws wsb xbap "
    "xnk".split()
)
_FORBIDDEN = frozenset('<>:"/\\|?*')  # in file names on Windows
_RESERVED = frozenset(["con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10))])
_DIRECTIONS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_NAME_LIMIT = 255  # characters


def _ending(name: str) -> str:
    return name.rstrip(". ").rpartition(".")[2].lower() if "." in name else ""


@group.rule(
    "blocked-attachment", ERROR,
    why="Gmail sends the message back (552 5.7.0), and also when the file is inside an archive.",
    source="Google: file types blocked in Gmail",
    fix="Upload it somewhere and send a link.",
)  # fmt: skip
def blocked_attachment(mail: Opened) -> Iterator[Fault]:
    """An attachment of a type that Gmail refuses."""
    for one in mail.files:
        if _ending(one.name) in GMAIL_BLOCKS:
            yield f"{shown(one.name)} is of a blocked type.", one.where


@group.rule(
    "hidden-attachment", WARNING,
    why="Outlook shows that it is there and lets nobody open it.",
    source="Microsoft: blocked attachments in Outlook",
    fix="Put it into a .zip, or send a link.",
)  # fmt: skip
def hidden_attachment(mail: Opened) -> Iterator[Fault]:
    """An attachment of a type that Outlook does not let its reader open."""
    for one in mail.files:
        if _ending(one.name) in OUTLOOK_BLOCKS:
            yield f"{shown(one.name)} can't be opened in Outlook.", one.where


@group.rule(
    "odd-file-name", WARNING,
    why="A name that no file system can hold is changed on saving; one that hides its ending looks like an attack.",
    source="RFC 2183 §2.3, §5",
    fix="Use letters, digits, spaces, dots, hyphens and underscores.",
)  # fmt: skip
def odd_file_name(mail: Opened) -> Iterator[Fault]:
    """A file name with a path, control characters, or what Windows can't store."""
    for one in mail.files:
        name = one.name
        problem = (
            "holds characters that no file name can hold" if _FORBIDDEN & set(name) or any(map(is_control, name))
            else "changes the direction of writing, which hides its ending" if _DIRECTIONS & set(name)
            else "has more than 255 characters" if len(name) > _NAME_LIMIT
            else "ends in a dot or a space" if name.endswith((".", " "))
            else "is the name of a device on Windows" if name.partition(".")[0].lower() in _RESERVED
            else ""
        )  # fmt: skip
        if problem:
            yield f"The file name {shown(name)} {problem}.", one.where


@group.rule(
    "no-file-name", WARNING,
    why="Readers call it “noname” or “ATT00001”, and nobody knows with what to open it.",
    source="RFC 2183 §2.3",
    fix="Name it in Content-Disposition: attachment; filename=…",
)  # fmt: skip
def no_file_name(mail: Opened) -> Iterator[Fault]:
    """An attachment without a file name."""
    for one in mail.entities:
        named = one.name or one.is_multipart or one.kind.startswith("message/")
        if one.disposition == "attachment" and not named:
            yield f"An attachment of type {one.kind} has no name.", one.where


@group.rule(
    "untyped-attachment", INFO,
    why="Phones and browsers choose the program, and the preview, by the type.",
    source="RFC 2046 §4.5.1",
    fix="Give the type that belongs to the ending (mailwright does so by itself).",
)  # fmt: skip
def untyped_attachment(mail: Opened) -> Iterator[Fault]:
    """An attachment that says application/octet-stream, and has an ending that is well known."""
    for one in mail.files:
        known = type_of_name(one.name[-20:]) if one.kind == UNKNOWN else ""
        if known and known != UNKNOWN:
            yield f"{shown(one.name)} is {known}, and says {UNKNOWN}.", one.where


@group.rule(
    "empty-attachment", WARNING,
    why="Probably it was read before it was written, or read to its end by somebody else before.",
    source="experience",
    fix="Close or rewind the file before it is attached.",
)  # fmt: skip
def empty_attachment(mail: Opened) -> Iterator[Fault]:
    """An attachment of no octets."""
    for one in mail.files:
        if (one.name or one.disposition == "attachment") and not any(piece.strip() for piece in one.slices()):
            yield f"{shown(one.name or one.kind)} is empty.", one.where
