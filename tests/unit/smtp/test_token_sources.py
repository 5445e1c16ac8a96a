"""A token source is somebody else's code: whatever it raises or gives becomes an error that can be acted on."""

from __future__ import annotations

from typing import Any

import pytest

from mailwright import Login, Mailer, MailError, Message, Server
from mailwright.smtp.opening import open_session
from mailwright.words.errors import ConfigError, LoginError, Timeout
from tests.dialogue import STAGES, HangUp, S, following, hello, play
from tests.dialogue import Script as Followed

CANARY = "kanarienvogel-7f3a"
each_stage = pytest.mark.parametrize("stage", STAGES)


def log_in(stage: str, source: Any) -> Any:
    """The error of a login with that source; nothing may be said after EHLO."""
    server = Server("127.0.0.1", 2525, "none", Login("ada", token=source))
    return play([*hello("AUTH XOAUTH2"), HangUp()], open_session, stage, server).error


@each_stage
@pytest.mark.parametrize(
    ("problem", "temporary", "words"),
    [
        (OSError("the token endpoint is away"), True, "failed: OSError."),
        (ConnectionRefusedError(111, "Connection refused"), True, "failed: Connection refused."),
        (TimeoutError(), True, "failed: TimeoutError."),
        (KeyError(CANARY), False, "failed: KeyError."),
        (ValueError(f"https://id.example.org/token?refresh_token={CANARY}"), False, "failed: ValueError."),
        (ExceptionGroup("several", [ValueError(CANARY)]), False, "failed: ExceptionGroup."),
        (StopIteration(CANARY), False, "failed: RuntimeError."),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_what_a_source_raises_is_the_cause_of_a_login_error(
    stage: str, problem: Exception, temporary: bool, words: str
) -> None:
    def source() -> str:
        raise problem

    error = log_in(stage, source)
    assert isinstance(error, LoginError) and error.phase == "auth"
    assert error.temporary is temporary and words in str(error) and CANARY not in str(error)
    cause = error.__cause__  # asyncio makes a new TimeoutError of one that comes out of a thread
    assert type(cause) is type(problem) or cause.__cause__ is problem


@each_stage
@pytest.mark.parametrize("problem", [ConfigError("No such account."), Timeout("No answer.", temporary=True)])
def test_an_error_of_ours_passes_as_it_is(stage: str, problem: MailError) -> None:
    def source() -> str:
        raise problem

    error = log_in(stage, source)
    assert error is problem and error.__cause__ is None


@pytest.mark.parametrize("stage", ["aio", "trio"])
def test_an_async_source_that_fails(stage: str) -> None:
    async def source() -> str:
        raise ConnectionResetError(104, "Connection reset by peer")

    error = log_in(stage, source)
    assert isinstance(error, LoginError) and isinstance(error.__cause__, ConnectionResetError)


@pytest.mark.parametrize("stage", ["memory", "sync"])
def test_a_blocking_driver_can_not_wait_for_an_async_source(stage: str) -> None:
    async def source() -> str:
        return "token"

    error = log_in(stage, source)  # and no coroutine is left that was never awaited: warnings are errors here
    assert isinstance(error, LoginError) and "Use AsyncMailer" in str(error)


@each_stage
@pytest.mark.parametrize("given", [None, "", b"token", 7])
def test_what_is_no_token(stage: str, given: object) -> None:
    error = log_in(stage, lambda: given)
    assert isinstance(error, LoginError) and "gave no token" in str(error) and not error.temporary


def test_the_connection_is_closed_and_the_mailer_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    answers: list[Any] = [ValueError(CANARY), "token"]

    def source() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    message = Message("ada@example.org", "bob@example.org", "Hi", "there")
    greeted = [S("220 a"), *hello("AUTH XOAUTH2")[1:]]
    with following(Followed([*greeted, HangUp()]), Followed([S("554 enough"), HangUp()])) as port:
        with Mailer(Server("127.0.0.1", port, "none", Login("ada", token=source))) as mailer:
            with pytest.raises(LoginError) as caught:
                mailer.send(message)
            with pytest.raises(MailError, match="554"):
                mailer.send(message)
    error = caught.value
    assert error.receipt is not None and not error.receipt.accepted and isinstance(error.__cause__, ValueError)
    assert CANARY not in f"{error} {error!r} {error.transcript} {error.receipt!r} {caplog.text}"
