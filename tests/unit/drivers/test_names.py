"""A name that does not exist is for good; a resolver that is away may be back (catalogue A1 and A2)."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from mailwright import Mailer, Message, Server
from mailwright.words.errors import ConnectError


@pytest.mark.parametrize(
    ("code", "temporary", "words"),
    [(socket.EAI_NONAME, False, "no such host name"), (socket.EAI_AGAIN, True, "can't be looked up at the moment")],
)
def test_a_name_that_is_not_found(monkeypatch: pytest.MonkeyPatch, code: int, temporary: bool, words: str) -> None:
    def look_up(*_: Any, **__: Any) -> None:
        raise socket.gaierror(code, "of the resolver")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with Mailer(Server("mail.example.org", 587)) as mailer, pytest.raises(ConnectError, match=words) as caught:
        mailer.send(Message("ada@example.org", "bob@example.org", "Hi", "there"))
    assert caught.value.temporary is temporary and caught.value.phase == "connect"
    assert "mail.example.org" in str(caught.value)
