"""Sockets: the module `socket` where the program has it already, else the part of it that is written in C.

Around that part Python has another, for which `enum`, `selectors` and `collections` are loaded: a sixth of the time
that a program takes which sends one message. All that is needed here is in the C part, under the same names. Who has
loaded `socket`, perhaps to put something else in its place as gevent does, gets what stands there.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
else:
    import sys

    socket = sys.modules.get("socket") or __import__("_socket")

__all__ = ["socket"]
