"""The cloakroom: SASL mechanisms (RFC 4422), one in each file, bytes in and bytes out.

Nothing here reads or writes a connection, and nothing here is base64 but what a mechanism itself asks for:
the wire does that.

- `mechanism`: what all of them have in common; `choose`: which of them is used, and why a login is refused
  before it starts
- `plain`, `login`, `cram_md5`, `scram`: with a password; `oauthbearer`, `xoauth2` (both on `bearer`): with
  a token; `external`
- `channel_binding`, `saslprep`: what SCRAM stands on
- `verify`, `scram_verify`: the server's side
"""

from __future__ import annotations
