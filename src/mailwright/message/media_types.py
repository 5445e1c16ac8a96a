"""Which media type a file has: by its ending, or by its first octets."""

from __future__ import annotations

UNKNOWN = "application/octet-stream"  # RFC 2046 §4.5.1

_OFFICE = "application/vnd.openxmlformats-officedocument."
_ODF = "application/vnd.oasis.opendocument."

# IANA's registry, for the endings that mail is full of. The standard library's `mimetypes` knows more, but
# takes 6 ms and reads files of the system, so that the same call gives different types on different machines.
_BY_ENDING = {
    "7z": "application/x-7z-compressed",
    "aac": "audio/aac",
    "asc": "application/pgp-keys",
    "avif": "image/avif",
    "bin": UNKNOWN,
    "bmp": "image/bmp",
    "bz2": "application/x-bzip2",
    "css": "text/css",
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": _OFFICE + "wordprocessingml.document",
    "eml": "message/rfc822",
    "epub": "application/epub+zip",
    "gif": "image/gif",
    "gz": "application/gzip",
    "heic": "image/heic",
    "htm": "text/html",
    "html": "text/html",
    "ico": "image/vnd.microsoft.icon",
    "ics": "text/calendar",
    "ipynb": "application/x-ipynb+json",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "js": "text/javascript",
    "json": "application/json",
    "log": "text/plain",
    "m4a": "audio/mp4",
    "md": "text/markdown",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "odp": _ODF + "presentation",
    "ods": _ODF + "spreadsheet",
    "odt": _ODF + "text",
    "ogg": "audio/ogg",
    "parquet": "application/vnd.apache.parquet",
    "pdf": "application/pdf",
    "png": "image/png",
    "ppt": "application/vnd.ms-powerpoint",
    "pptx": _OFFICE + "presentationml.presentation",
    "rtf": "application/rtf",
    "svg": "image/svg+xml",
    "tar": "application/x-tar",
    "tgz": "application/gzip",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "tsv": "text/tab-separated-values",
    "txt": "text/plain",
    "vcf": "text/vcard",
    "wav": "audio/wav",
    "webm": "video/webm",
    "webp": "image/webp",
    "xls": "application/vnd.ms-excel",
    "xlsx": _OFFICE + "spreadsheetml.sheet",
    "xml": "application/xml",
    "xz": "application/x-xz",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "zip": "application/zip",
    "zst": "application/zstd",
}

_BY_BEGINNING = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"<svg", "image/svg+xml"),
)


def type_of_name(name: str) -> str:
    """The media type that the ending of a file name stands for, or the empty string."""
    _, dot, ending = name.lower().rpartition(".")
    if not dot:
        return ""
    if ending in _BY_ENDING:
        return _BY_ENDING[ending]
    import mimetypes  # for rare endings only, see above

    guessed, compression = mimetypes.guess_type("file." + ending)
    if guessed is None or compression or guessed.startswith(("message/", "multipart/")):
        return UNKNOWN
    return guessed


def ending_of_type(kind: str) -> str:
    """A file name's ending that stands for the type of a picture, with its dot, or the empty string."""
    return next((f".{ending}" for ending, known in _BY_ENDING.items() if known == kind), "")


def type_of_octets(beginning: bytes) -> str:
    """The media type that the first octets of a file betray."""
    for magic, found in _BY_BEGINNING:
        if beginning.startswith(magic):
            return found
    if beginning[:4] == b"RIFF" and beginning[8:12] == b"WEBP":
        return "image/webp"
    return UNKNOWN
