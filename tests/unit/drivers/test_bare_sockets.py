"""A program that has not loaded `socket` sends without it; one that has, gets what it put there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import mailwright
from mailwright import Inbox

SOURCE = Path(mailwright.__file__).parent.parent
SPARED = ("socket", "selectors", "enum", "collections", "functools", "threading", "contextlib", "importlib.resources")
BEGIN = f"import sys; sys.path.insert(0, {str(SOURCE)!r})\n"
MESSAGE = "Message('ada@example.org', 'bob@example.org', 'Hi', 'there')"


def run(code: str) -> list[str]:
    """What a fresh interpreter, without site-packages' own imports, prints for `code`."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", BEGIN + code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_one_message_needs_no_module_around_the_sockets() -> None:
    with Inbox(tls=False) as inbox:
        code = (
            "from mailwright import Mailer, Message\n"
            f"with Mailer({inbox.url!r}) as mailer:\n"
            f"    print(mailer.send({MESSAGE}))\n"
            f"    print(mailer.send({MESSAGE}).complete)\n"
            f"print([name for name in {SPARED!r} if name in sys.modules])\n"
        )
        assert run(code) == ["accepted by 127.0.0.1 for 1 of 1 recipients", "True", "[]"]
        assert len(inbox.messages) == 2


def test_what_can_not_be_reached_is_told_as_ever() -> None:
    code = (
        "from mailwright import Mailer, Message, Server\n"
        "from mailwright.errors import ConnectError\n"
        "for host, port in (('127.0.0.1', 1), ('no-such-host.invalid', 25)):\n"
        "    try:\n"
        f"        Mailer(Server(host, port, 'none')).send({MESSAGE})\n"
        "    except ConnectError as error:\n"
        "        print(str(error).lower())\n"
        "print('socket' in sys.modules)\n"
    )
    refused, unknown, loaded = run(code)
    assert "connection refused" in refused
    assert "there is no such host name" in unknown or "can't be looked up" in unknown
    assert loaded == "False"


def test_everything_else_works_behind_it() -> None:
    """Blocking first, without the module; then batches, asyncio and TLS in the same process, which load it."""
    with Inbox(tls=False) as inbox, Inbox(tls=True) as secured:
        code = (
            "import os\n"
            "from mailwright import AsyncMailer, Mailer, Message\n"
            f"letter = {MESSAGE}\n"
            f"with Mailer({inbox.url!r}) as mailer:\n"
            "    print(mailer.send(letter).complete, 'socket' in sys.modules)\n"
            "    print(sum(receipt.complete for receipt in mailer.send_many([letter] * 50)))\n"
            "    child = os.fork()\n"
            "    if not child:\n"
            "        mailer.send(letter)\n"
            "        os._exit(0)\n"
            "    print(os.waitpid(child, 0)[1])\n"
            f"with Mailer({secured.url!r}) as mailer:\n"
            "    print(mailer.send(letter).tls.verified, 'socket' in sys.modules)\n"
            "import asyncio\n"
            "async def main():\n"
            f"    async with AsyncMailer({inbox.url!r}) as mailer:\n"
            "        print((await mailer.send(letter)).complete)\n"
            "asyncio.run(main())\n"
        )
        assert run(code) == ["True False", "50", "0", "True True", "True"]
        assert len(inbox.messages) == 53


def test_who_has_put_something_in_its_place_gets_that() -> None:
    with Inbox(tls=False) as inbox:
        code = (
            "import socket\n"
            "asked = []\n"
            "lookup = socket.getaddrinfo\n"
            "def getaddrinfo(host, *given, **named):\n"
            "    asked.append(host)\n"
            "    return lookup(host, *given, **named)\n"
            "socket.getaddrinfo = getaddrinfo\n"
            "made = []\n"
            "class Socket(socket.socket):\n"
            "    def __init__(self, *given):\n"
            "        made.append(1)\n"
            "        super().__init__(*given)\n"
            "socket.socket = Socket\n"
            "from mailwright import Mailer, Message\n"
            f"with Mailer({inbox.url!r}) as mailer:\n"
            f"    print(mailer.send({MESSAGE}).complete, len(asked), len(made))\n"
        )
        assert run(code) == ["True 1 1"]
