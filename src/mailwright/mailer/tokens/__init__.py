"""Access tokens (OAuth 2, RFC 6749): where they come from, and how they stay fresh.

::

    source = TokenSource(InKeyring("ada@gmail.com"))        # what `mailwright login` stored
    Login("ada@gmail.com", token=source)

A **grant** is what an access token is asked with again and again: `RefreshToken` (somebody consented once),
`ClientCredentials` (a program of a whole organisation), `ServiceAccount` (Google's robots). A **place** keeps it:
`InKeyring`, `InFile`, `InMemory`. A `TokenSource` has a place, gives the token that is in it, and asks for a
new one in time.

`grants` says what is asked, `endpoint` asks it, `refusals` explains a no; `consent`, `redirect` and `device` are the
ways in which a person consents. What is asked is put together by oauthlib (extra ``oauth``); what comes back is
foreign, so it is read here, with limits.
"""

from __future__ import annotations

from mailwright.mailer.tokens.grants import Client, ClientCredentials, RefreshToken, ServiceAccount
from mailwright.mailer.tokens.keeping import InFile, InKeyring, InMemory
from mailwright.mailer.tokens.source import TokenSource

__all__ = [
    "Client",
    "ClientCredentials",
    "InFile",
    "InKeyring",
    "InMemory",
    "RefreshToken",
    "ServiceAccount",
    "TokenSource",
]
