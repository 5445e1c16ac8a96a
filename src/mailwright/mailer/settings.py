"""Which source of settings counts: the first that names a server, and then that one alone.

In this order: the arguments of a call, a named account, the environment, a ``.env`` file (only when it was asked
for), the user's config.toml, the system's. Values of two sources are never put together: a password from here
must not go to a host from there.
"""

from __future__ import annotations

import os

from mailwright.mailer import environment, files
from mailwright.mailer.account import Account, Settings
from mailwright.words.address import Address
from mailwright.words.errors import AddressError, ConfigError
from mailwright.words.options import OPTIONS, nearest, refuse_cleartext
from mailwright.words.reply import visible
from mailwright.words.secret import Secret
from mailwright.words.server import Server
from mailwright.words.url import options_from_url
from mailwright.words.value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailwright.mailer.config_file import ConfigFile

__all__ = ["Settings", "resolve"]
