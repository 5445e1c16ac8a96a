"""Token sources at work: in a login, in config.toml, and with a canary in every secret."""

from __future__ import annotations

import asyncio
import base64
import logging
import sys
from pathlib import Path
from time import time
from typing import Any

import pytest

from mailwright import AsyncMailer, Inbox, Login, Mailer, Message, Server
from mailwright.cli import main
from mailwright.cli.exit_codes import NOPERM, TEMPFAIL, code_for
from mailwright.mailer.settings import Settings, resolve
from mailwright.mailer.tokens import Client, InFile, InKeyring, InMemory, RefreshToken, TokenSource
from mailwright.mailer.tokens.access import AccessToken, Kept
from mailwright.mailer.tokens.consent import Consent
from mailwright.mailer.tokens.redirect import Redirect
from mailwright.smtp.opening import open_session
from mailwright.smtp.receiving import Rules
from mailwright.words.errors import ConfigError, LoginError, MailError
from mailwright.words.secret import Secret
from mailwright.words.value import replace
from tests.dialogue import STAGES, C, HangUp, S, hello, play
from tests.unit.test_house import CANARY, forms
from tests.unit.tokens.authorization import CLIENT, Authorization, authorization, browse, told
from tests.unit.tokens.ring import Ring, installed
from tests.unit.tokens.test_consent import known
from tests.unit.tokens.test_source import ADA, consent

TESTS = Path(__file__).parents[1]
MESSAGE = Message(ADA, "grace@example.org", "Hi", "there")
each_stage = pytest.mark.parametrize("stage", STAGES)


def aged(token: str) -> AccessToken:
    return AccessToken(Secret(token), time() + 3000, time() - 600)


# A token that was revoked before its time


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
@pytest.mark.parametrize("door", ["blocking", "async"])
@pytest.mark.parametrize("tls", [True, False])
def test_a_revoked_token_is_replaced_and_mail_is_sent(
    server: Authorization, mechanism: str, door: str, tls: bool
) -> None:
    source = TokenSource(InMemory(Kept(consent(server), aged("revoked"))))
    rules = Rules(mechanisms=(mechanism,))
    with Inbox(Login(ADA, token="access-1"), tls=tls, rules=rules) as inbox:
        there = replace(inbox.server, login=Login(ADA, token=source))
        for _ in range(2):
            if door == "blocking":
                with Mailer(there) as mailer:
                    receipt = mailer.send(MESSAGE)
            else:
                receipt = asyncio.run(send_async(there))
            assert receipt.complete
            # The first time there are two logins on the same connection, afterwards one.
            said = [line.text for line in receipt.transcript if line.text.startswith("AUTH")]  # type: ignore[union-attr]
            assert said == [f"AUTH {mechanism} ***"] * (2 - _)
        assert len(inbox.messages) == 2
    assert len(server.asked) == 1


async def send_async(server: Server) -> Any:
    async with AsyncMailer(server) as mailer:
        return await mailer.send(MESSAGE)


class Renewing:
    """A source that counts, and renews as it is told."""

    def __init__(self, *tokens: str | Exception) -> None:
        self.tokens = list(tokens)
        self.refused: list[Secret] = []

    def __call__(self) -> str:
        return "one"

    def renew(self, refused: Secret) -> Any:
        self.refused.append(refused)
        token = self.tokens.pop(0)
        if isinstance(token, Exception):
            raise token
        return token


def bearer(token: str) -> C:
    return C("AUTH XOAUTH2 " + base64.b64encode(f"user=ada\x01auth=Bearer {token}\x01\x01".encode()).decode())


def server_with(source: Any) -> Server:
    return Server("127.0.0.1", 2525, "none", Login("ada", token=source))


@each_stage
def test_a_refused_token_is_renewed_once(stage: str) -> None:
    source = Renewing("two", "three")
    turns = [
        *hello("AUTH XOAUTH2"),
        bearer("one"),
        S("334 e30="),
        C(""),
        S("535 no"),
        bearer("two"),
        S("535 5.7.8 no again"),
        HangUp(),
    ]
    error = play(turns, open_session, stage, server_with(source)).error
    assert isinstance(error, LoginError) and "no again" in str(error) and len(source.refused) == 1


@each_stage
def test_a_session_with_its_second_token_is_as_good_as_any(stage: str) -> None:
    turns = [*hello("AUTH XOAUTH2"), bearer("one"), S("535 no"), bearer("two"), S("235 welcome")]
    played = play(turns, open_session, stage, server_with(Renewing("two")))
    assert played.result is None and played.session.login == "ada" and played.session.open


@each_stage
@pytest.mark.parametrize("renewed", ["one", ""])
def test_a_source_that_has_no_other_token(stage: str, renewed: str) -> None:
    source = Renewing(renewed)
    turns = [*hello("AUTH XOAUTH2"), bearer("one"), S("535 5.7.8 wrong token"), HangUp()]
    error = play(turns, open_session, stage, server_with(source)).error
    assert isinstance(error, LoginError) and ("wrong token" if renewed else "gave no token") in str(error)


@each_stage
@pytest.mark.parametrize("reply", ["454 4.7.0 later", "534 5.7.9 please log in by browser", "504 unknown mechanism"])
def test_another_refusal_is_not_about_the_token(stage: str, reply: str) -> None:
    source = Renewing("two")
    turns = [*hello("AUTH XOAUTH2"), bearer("one"), S(reply), HangUp()]
    assert isinstance(play(turns, open_session, stage, server_with(source)).error, LoginError)
    assert source.refused == []


@each_stage
def test_why_there_is_no_other_token_is_the_error(stage: str) -> None:
    source = Renewing(LoginError("The consent ended.", "Log in again."))
    turns = [*hello("AUTH XOAUTH2"), bearer("one"), S("535 no"), HangUp()]
    assert "The consent ended." in str(play(turns, open_session, stage, server_with(source)).error)


@each_stage
def test_both_tokens_are_masked(stage: str) -> None:
    turns = [
        *hello("AUTH XOAUTH2"), bearer("one"), S("535 your token is one"),
        bearer("tooth"), S("535 your token is tooth"), HangUp(),
    ]  # fmt: skip
    source = Renewing("tooth")
    played = play(turns, open_session, stage, server_with(source))
    shown = f"{played.error} {played.session.transcript}"
    assert "tooth" not in shown and "is one" not in shown and "is ***" in shown


def test_an_endpoint_that_is_away_is_a_temporary_error_of_sending(server: Authorization) -> None:
    server.script = [(503, "text/html", b"<h1>")]
    with Inbox(Login(ADA, token="access-1"), tls=False) as inbox:
        with Mailer(replace(inbox.server, login=Login(ADA, token=TokenSource(consent(server))))) as mailer:
            with pytest.raises(LoginError) as caught:
                mailer.send(MESSAGE)
            assert caught.value.temporary and code_for(caught.value) == TEMPFAIL and not caught.value.in_doubt
            assert caught.value.phase == "auth" and caught.value.server == str(inbox.server)
            assert mailer.send(MESSAGE).complete  # the next time it is back
            server.script = [told(400, error="invalid_grant")]


# config.toml


def settings(home: Path, text: str, **arguments: Any) -> Settings:
    """What an account leads to; its user is Ada, at a server on this machine."""
    path = home / "config.toml"
    path.write_text(text)
    path.chmod(0o600)
    return resolve(environ={}, files=[str(path)], **arguments)


ACCOUNT = f'[accounts.work]\nhost = "localhost"\nuser = "{ADA}"\n'


def test_an_account_with_a_token_in_the_key_ring(server: Authorization, home: Path, ring: Ring) -> None:
    InKeyring(ADA).store(Kept(consent(server)))
    found = settings(home, ACCOUNT + "token = {keyring = true}\n")
    login = found.server.login
    assert login is not None and login.password is None and callable(login.token)
    assert server.asked == [] and login.token().reveal() == "access-1"  # type: ignore[union-attr]
    assert found.origins["token"].startswith("keyring entry mailwright oauth2, account work in ")
    assert "access-1" not in repr(found) + repr(login)


def test_mailwright_config_shows_where_a_token_is(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "config").mkdir()
    (home / "config" / "config.toml").write_text(ACCOUNT + "token = {keyring = true}\n")
    assert main(["config"]) == 0
    lines = [line.split(None, 2) for line in capsys.readouterr().out.splitlines()]
    (token,) = [line for line in lines if line[:1] == ["token"]]
    assert token[1] == "***" and token[2].startswith("keyring entry mailwright oauth2, account work in ")


@pytest.mark.parametrize("kind", ["consent", "robot"])
def test_an_account_with_a_token_in_a_file(server: Authorization, home: Path, kind: str) -> None:
    from tests.unit.tokens.test_source import key_file

    path = home / "ada.token"
    if kind == "consent":
        InFile(str(path)).store(Kept(consent(server)))
    else:
        path.write_text(key_file(server))
        path.chmod(0o600)
    login = settings(home, ACCOUNT + 'token = {file = "ada.token"}\n').server.login
    assert login is not None and login.token().reveal() == "access-1"  # type: ignore[union-attr,operator]
    if kind == "robot":
        assert server.pages[0]["sub"] == ADA


def test_an_account_with_a_command_for_the_token(home: Path) -> None:
    command = f'token = {{command = ["{sys.executable}", "-c", "print(\'from-elsewhere\')"]}}\n'
    with Inbox(Login(ADA, token="from-elsewhere"), tls=False) as inbox:
        found = settings(home, ACCOUNT + command + f'port = {inbox.server.port}\nsecurity = "none"\n')
        assert "from-elsewhere" not in repr(found) and found.origins["token"].startswith("command ")
        with Mailer(found.server) as mailer:
            assert mailer.send(MESSAGE).complete


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('token = "ya29.kanarie"', "token is not a table"),
        ("token = {}", "exactly one place"),
        ('token = {keyring = true, file = "x"}', "exactly one place"),
        ("token = {keyrings = true}", "Did you mean keyring?"),
        ("token = {keyring = false}", "what mailwright login stored there"),
        ('token = {keyring = "x"}', "what mailwright login stored there"),
        ("token = {file = 3}", "the path of a file"),
        ("token = {command = []}", "the words of a command"),
        ("token = {keyring = true}\npassword = {keyring = true}", "Both a password and a token"),
    ],
)
def test_a_token_that_is_written_wrongly(home: Path, line: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(home, ACCOUNT + line + "\n")
    assert said in str(caught.value) and "account work in" in str(caught.value) and "kanarie" not in str(caught.value)


def test_a_token_needs_a_user(home: Path) -> None:
    with pytest.raises(ConfigError, match="token needs a user"):
        settings(home, '[accounts.work]\nhost = "localhost"\ntoken = {keyring = true}\n')


def test_the_account_of_the_sender_comes_before_the_default(home: Path) -> None:
    accounts = 'default = "a"\n' + "".join(
        f'[accounts."{name}"]\nhost = "{host}"\n{more}\n'
        for name, host, more in [
            ("a", "a.example.org", ""),
            ("b", "b.example.org", 'sender = "Grace <grace@example.org>"'),
            ("c", "c.example.org", 'sender = "grace@example.org"'),
            ("ada@example.org", "ada.example.org", ""),
            ("d", "d.example.org", "sender = 'nobody'"),
        ]
    )
    for sender, host in [(None, "a"), ("ada@example.org", "ada"), ("grace@example.org", "b"), ("x@example.org", "a")]:
        assert settings(home, accounts, sender=sender).described.host == f"{host}.example.org"
    assert settings(home, accounts, sender="ada@example.org", account="b").described.host == "b.example.org"
    mine = accounts.replace('default = "a"', 'default = "c"')
    assert settings(home, mine, sender="grace@example.org").described.host == "c.example.org"


# The canary: in the refresh token, the access token, the client's secret, the code, and the file that holds them


def scan(shown: str) -> None:
    for form in forms(CANARY):
        assert form not in shown, (
            f"the secret stands in …{shown[max(0, shown.find(form) - 300) : shown.find(form) + 60]}"
        )


def frames(error: BaseException) -> str:
    """All that is shown of an error, with the local variables of every frame but those of the tests."""
    shown = ""
    seen: BaseException | None = error
    while seen is not None:
        shown += f"{seen!s} {seen!r} {seen.__dict__!r} {getattr(seen, 'transcript', None)!s}\n"
        trace = seen.__traceback__
        while trace is not None:
            if not Path(trace.tb_frame.f_code.co_filename).is_relative_to(TESTS):
                shown += f"{trace.tb_frame.f_code.co_name} {trace.tb_frame.f_locals!r}\n"
            trace = trace.tb_next
        seen = seen.__cause__ or seen.__context__
    return shown


REFUSED = told(400, error="invalid_grant", error_description=f"{CANARY} is not a token")
ANSWERS: list[Any] = [
    REFUSED, told(500, error=CANARY), told(200, access_token=f"{CANARY} {CANARY}"),
    told(200, access_token=CANARY, token_type="mac"), (200, "text/html", CANARY.encode()), (200, "application/json", f'"{CANARY}"'.encode()),
    (502, "text/html", CANARY.encode()), told(200, access_token=CANARY, refresh_token=CANARY + "2"), told(200, error=[CANARY]),
]  # fmt: skip


@pytest.mark.parametrize("place", ["ring", "broken ring", "file", "memory"])
@pytest.mark.parametrize("answer", ANSWERS, ids=range(len(ANSWERS)))
def test_the_canary_is_never_seen(
    place: str, answer: Any, server: Authorization, home: Path, caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    grant = RefreshToken(f"{server.url}/token", Client(CLIENT, CANARY), Secret(CANARY))
    server.script = [answer]
    with installed(Ring()) as ring:
        kept: Any = {"file": InFile(str(home / "t")), "memory": InMemory(grant)}.get(place) or InKeyring(ADA)
        kept.store(Kept(grant))
        if place == "broken ring":
            ring.read_only = RuntimeError(CANARY)
        source = TokenSource(kept)
        shown = ""
        with Inbox(Login(ADA, token="another"), tls=False) as inbox:
            there = replace(inbox.server, login=Login(ADA, token=source))
            with Mailer(there) as mailer, pytest.raises(MailError) as caught:
                mailer.send(MESSAGE)
        shown += frames(caught.value)
        shown += repr(source) + repr(kept) + repr(kept.load()) + repr(there) + repr(mailer)
    out, err = capsys.readouterr()
    # What an endpoint writes into its error code is for people to read; everything that was sent to it is masked.
    scan(shown + caplog.text + out + err)


@pytest.mark.parametrize("answer", [*ANSWERS[:7], *ANSWERS[8:], None], ids=str)
def test_the_canary_in_a_consent(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with authorization(secret=CANARY) as server, Redirect() as redirect:
        server.script = [answer or told(200, access_token=CANARY)]
        asking = Consent(known(server), Client(CLIENT, CANARY), ADA, redirect.uri())
        browse(asking.url)
        query = redirect.wait(10)
        with pytest.raises(LoginError) as caught:
            asking.redeem(query if answer else Secret(f"state=wrong&code={CANARY}"))
        scan(frames(caught.value) + repr(asking) + repr(query) + repr(redirect) + caplog.text)


@pytest.mark.parametrize("text", [
    f'{{"type": "refresh_token", "refresh_token": "{CANARY}"}}', CANARY, f'["{CANARY}"]', f"{CANARY}\n{CANARY}",
    f'{{"type": "service_account", "client_email": "x", "private_key": "{CANARY}", "token_uri": "http://e.example"}}',
    f'{{"type": "service_account", "client_email": "x", "private_key": "{CANARY}", "token_uri": "http://127.0.0.1:1/"}}',
])  # fmt: skip
@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_the_canary_in_a_file(home: Path, text: str, mode: int) -> None:
    path = home / "t"
    path.write_text(text)
    path.chmod(mode)
    found = settings(home, ACCOUNT + 'token = {file = "t"}\n')
    login = found.server.login
    assert login is not None
    with pytest.raises(MailError) as caught:
        login.token()  # type: ignore[operator,misc]
    scan(frames(caught.value) + repr(found))


def test_the_canary_on_the_command_line_s_way(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with a traceback, as whoever looks for a defect of ours gets it."""
    monkeypatch.setenv("MAILWRIGHT_DEBUG", "1")
    with authorization(secret=CANARY) as server, Inbox(Login(ADA, token="x"), tls=False) as inbox:
        InFile(str(home / "t")).store(Kept(consent(server, CANARY, CANARY)))
        (home / "config").mkdir()
        config = home / "config" / "config.toml"
        config.write_text(ACCOUNT + f'token = {{file = "../t"}}\nport = {inbox.server.port}\nsecurity = "none"\n')
        code = main(["send", "--from", ADA, "--to", ADA, "--subject", "Hi", "--text", "x"])
    shown = "".join(capsys.readouterr())
    assert code == NOPERM and "invalid_grant" in shown and "Traceback" in shown
    scan(shown)


def test_what_the_tests_of_the_canary_look_at() -> None:
    """They see a secret in a local variable, if there is one."""
    from mailwright.words.options import server_from_options

    with pytest.raises(ConfigError) as caught:
        server_from_options({"host": CANARY, "port": "x"})
    assert CANARY in frames(caught.value)
