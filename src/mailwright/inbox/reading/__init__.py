"""A caught message made ready to be looked at. Everything here takes octets and gives values; nothing touches
the world.

`structure`: the MIME structure with its places in the octets. `bodies`: what of it a reader shows. `frame`: its
HTML, made harmless. `headers`: the header fields and what they mean. `people`: who it was for, and who only the
envelope names. `source`: the octets, line by line. `pictures`: which attachments can be shown. `dialogue`: the
talk by which it came.

Whoever sent the message is a stranger: everything is bounded, and the work is linear in the number of octets.
"""

from __future__ import annotations
