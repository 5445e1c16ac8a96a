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
`kept`                    encoded forms that many messages share
`stamping`                Date and Message-ID
`content`                 the finished octets: exact size, chunks again and again
`keywords`                the right name for a wrong keyword
`mail`                    `MailObject`: envelope and content, what everything above carries
`foreign`, `standard`     adopting what others wrote: raw octets, and messages of the ``email`` package
`glance`                  raw octets that need nothing, told from others quickly
`fields`, `entities`      finding header fields and parts in octets
`reencode`                8-bit octets for a server that takes only 7-bit ones
`parse`, `decode`         reading a message back; `bodies` finds text, HTML and files in it
`markup`                  text from HTML
`preview`                 a page to look at
`check`                   what would be refused, lost, misread or not shown
========================  ====================================================================
"""

from __future__ import annotations
