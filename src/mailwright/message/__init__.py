"""The writing room: what an author means (`message`), and the octets that say it (`content`).

========================  ====================================================================
`message`                 `Message`: the value that people make; frozen
`attachment`, `source`    files that go along, and where their octets come from
`media_types`             which type a file has
`rendering`               a `Message` becomes a `Content`
`tree`, `attached`        the MIME structure: mixed, related, alternative, and its parts
`headers`                 the fields: refusing controls, encoding, folding
`encoded_words`           RFC 2047
`parameters`              RFC 2231: file names and other parameters
`extra_headers`           the fields that callers add, and which of them are not theirs to set
`transfer`                7bit, quoted-printable, base64
`stamping`                Date and Message-ID
`content`                 the finished octets: exact size, chunks again and again
`keywords`                the right name for a wrong keyword
========================  ====================================================================
"""

from __future__ import annotations
