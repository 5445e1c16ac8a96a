"""The house itself: public names, what an import costs in modules, floors that stand alone, secrets that stay
inside.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import logging
import shutil
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

import mailwright
from mailwright import AsyncMailer, Inbox, Login, Mailer, Message, Server
from mailwright.words.value import replace

PACKAGE = Path(mailwright.__file__).parent


def test_at_most_twenty_public_names() -> None:
    assert len(mailwright.__all__) <= 20
    for name in mailwright.__all__:
        assert getattr(mailwright, name) is not None
        assert name in dir(mailwright)


def run(code: str, *, cwd: Path | None = None, path: Path = PACKAGE.parent) -> str:
    """What a fresh interpreter prints for `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(path)!r})\n{code}"],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


HEAVY = ("dataclasses", "inspect", "typing", "email", "asyncio", "ssl", "idna", "urllib", "http", "logging")


def test_names_load_only_what_they_need() -> None:
    code = (
        f"from mailwright import Message, Mailer\nprint([m for m in {HEAVY + ('socket', 're')!r} if m in sys.modules])"
    )
    assert run(code).strip() == "[]"


def test_a_plain_send_loads_nothing_heavy() -> None:
    with Inbox(tls=False) as inbox:
        port = inbox.server.port
        code = (
            "from mailwright import Message, Mailer, Server\n"
            f"with Mailer(Server('127.0.0.1', {port}, 'none')) as m:\n"
            "    print(m.send(Message('a@example.org', 'b@example.org', 'Hi', 'there')))\n"
            f"print([m for m in {HEAVY!r} if m in sys.modules])"
        )
        printed = run(code).splitlines()
    assert printed == ["accepted by 127.0.0.1 for 1 of 1 recipients", "[]"]


def test_floors_0_to_5_work_with_the_floors_above_deleted(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "mailwright", ignore=shutil.ignore_patterns("__pycache__"))
    for above in ("inbox", "outbox", "cli", "integrations", "sending.py", "smtplib.py", "testing.py", "__main__.py"):
        target = tmp_path / "mailwright" / above
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)
    with Inbox(tls=False) as inbox:
        port = inbox.server.port
        code = (
            "import asyncio\nfrom mailwright import Message, Mailer, AsyncMailer, Server\n"
            f"server = Server('127.0.0.1', {port}, 'none')\n"
            "message = Message('a@example.org', 'b@example.org', 'Hi', 'there', '<p>there</p>')\n"
            "with Mailer(server) as m: print(m.send(message))\n"
            "async def main():\n    async with AsyncMailer(server) as m: print(await m.send(message))\n"
            "asyncio.run(main())\n"
            "import mailwright; print(mailwright.__file__)"
        )
        printed = run(code, path=tmp_path).splitlines()
    assert printed[:2] == ["accepted by 127.0.0.1 for 1 of 1 recipients"] * 2
    assert str(tmp_path) in printed[2]


# The canary: a password that nothing may show.

CANARY = "kanarienvogel-7f3a-Zwitschern"


def forms(secret: str) -> list[str]:
    """The secret in clear, base64 at each of the three alignments, and hex."""
    raw = secret.encode()
    shifted = [base64.b64encode(b"\0" * n + raw).decode()[4 * (n > 0) : -4] for n in range(3)]
    return [secret, *shifted, raw.hex(), raw.hex().upper()]


def everything_about(error: BaseException) -> str:
    """All that a log, a debugger or a task queue would show of an error."""
    text = io.StringIO()
    seen: BaseException | None = error
    while seen is not None:
        text.write(f"{seen!s} {seen!r} {seen.__dict__!r} {getattr(seen, 'transcript', None)!s}\n")
        seen = seen.__cause__ or seen.__context__
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    text.write("".join(shown.format()))
    return text.getvalue()


def send_through(door: str, server: Server) -> Any:
    """One message; the error, or the receipt."""
    message = Message("a@example.org", "b@example.org", "Hi", "there")

    async def task() -> Any:
        async with AsyncMailer(server) as mailer:
            return await mailer.send(message)

    try:
        if door == "async":
            return asyncio.run(task())
        with Mailer(server) as mailer:
            return mailer.send(message)
    except Exception as error:
        return error


@pytest.mark.parametrize("door", ["blocking", "async"])
@pytest.mark.parametrize("mechanism", [None, "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "NONSENSE"])
@pytest.mark.parametrize("right", [True, False])
def test_the_canary_is_never_seen(
    door: str, mechanism: str | None, right: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    out = io.StringIO()
    with (
        Inbox(login=("ada", CANARY if right else "another")) as inbox,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out),
    ):
        server = replace(inbox.server, login=Login("ada", CANARY, mechanism=mechanism))
        result = send_through(door, server)
        shown = repr(server) + str(server) + repr(server.login) + repr(result)
    if isinstance(result, Exception):
        shown += everything_about(result)
    else:
        shown += f"{result} {result.transcript}"
    assert isinstance(result, Exception) != (right and mechanism != "NONSENSE")
    shown += out.getvalue() + caplog.text
    for form in forms(CANARY):
        assert form not in shown, (
            f"the secret stands in {shown[max(0, shown.find(form) - 200) : shown.find(form) + 40]}"
        )


@pytest.mark.parametrize("door", ["blocking", "async"])
def test_a_server_that_repeats_the_secret_is_masked(door: str) -> None:
    from tests.dialogue import C, S, hello, play

    plain = base64.b64encode(f"\0ada\0{CANARY}".encode()).decode()
    turns = [*hello("AUTH PLAIN"), C(f"AUTH PLAIN {plain}"), S(f"535 5.7.8 no user has the password {CANARY}")]
    from mailwright.smtp.opening import open_session

    stage = "sync" if door == "blocking" else "aio"
    played = play(turns, open_session, stage, Server("127.0.0.1", 2525, "none", Login("ada", CANARY)))
    shown = everything_about(played.error)
    assert "the password ***" in shown
    # The frames of the library itself do hold the secret they are sending; what they show of it is the Secret's stars.
    assert CANARY not in str(played.error) + repr(played.error) + str(played.session.transcript)
