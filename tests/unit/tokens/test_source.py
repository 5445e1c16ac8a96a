"""A token source: fresh tokens, one question at a time, what is stored and when."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, sleep, time
from typing import Any

import pytest

from mailwright.mailer.tokens import (
    Client,
    ClientCredentials,
    InFile,
    InKeyring,
    InMemory,
    RefreshToken,
    ServiceAccount,
    TokenSource,
)
from mailwright.mailer.tokens.access import AccessToken, Kept
from mailwright.words.errors import ConfigError, LoginError
from mailwright.words.secret import Secret
from tests.unit.tokens.authorization import CLIENT, SCOPES, SECRET, Authorization, authorization, told
from tests.unit.tokens.ring import Ring

ADA = "ada@example.org"


def consent(server: Authorization, token: str = "refresh-0", secret: str | None = SECRET) -> RefreshToken:
    """What somebody consented to."""
    return RefreshToken(f"{server.url}/token", Client(CLIENT, secret), Secret(token), SCOPES)


def stored(place: InKeyring | InFile, kept: Kept | RefreshToken) -> TokenSource:
    """A source over a place that holds this."""
    place.store(kept if isinstance(kept, Kept) else Kept(kept))
    return TokenSource(place)


def aged(text: str, obtained: float, expires: float) -> AccessToken:
    """An access token; the times are seconds from now."""
    return AccessToken(Secret(text), time() + expires, time() + obtained)


def test_a_token_is_asked_for_once_and_kept(server: Authorization, ring: Ring) -> None:
    source = stored(InKeyring(ADA), consent(server))
    assert [source().reveal() for _ in range(3)] == ["access-1"] * 3
    (asked,) = server.asked
    assert asked == {
        "grant_type": "refresh_token", "client_id": CLIENT, "client_secret": SECRET, "refresh_token": "refresh-0",
        "scope": " ".join(SCOPES),
    }  # fmt: skip
    # Another process, which is another source over the same place, takes what was stored.
    assert TokenSource(InKeyring(ADA))().reveal() == "access-1" and len(server.asked) == 1


def test_a_client_without_a_secret_sends_none(server: Authorization) -> None:
    assert TokenSource(consent(server, secret=None))().reveal() == "access-1"
    assert "client_secret" not in server.asked[0]


@pytest.mark.parametrize("lifetime", [0, 60, 119, "90", -5, None])
def test_a_token_that_expires_soon_is_not_used_again(lifetime: Any) -> None:
    with authorization(lifetime=lifetime) as server:
        source = TokenSource(consent(server))
        tokens = [source().reveal() for _ in range(2)]
    # Who says nothing sensible gets five minutes.
    assert tokens == (["access-1"] * 2 if lifetime in (None, -5) else ["access-1", "access-2"])


@pytest.mark.parametrize("lifetime", [3600, "3600", 3599.5, 10**30])
def test_a_lifetime_may_be_written_in_several_ways(lifetime: Any) -> None:
    with authorization(lifetime=lifetime) as server:
        source = TokenSource(consent(server))
        assert [source().reveal() for _ in range(2)] == ["access-1"] * 2


@pytest.mark.parametrize(("expires", "token"), [(3600, "old"), (121, "old"), (119, "access-1"), (-10, "access-1")])
def test_a_stored_token_is_used_until_two_minutes_before_its_end(
    server: Authorization, ring: Ring, expires: float, token: str
) -> None:
    source = stored(InKeyring(ADA), Kept(consent(server), aged("old", -3000, expires)))
    assert source().reveal() == token


def test_another_refresh_token_is_stored_before_the_access_token_is_used(ring: Ring) -> None:
    with authorization(rotate=True, lifetime=60) as server:
        source = stored(InKeyring(ADA), consent(server))
        for number in (1, 2, 3):
            assert source().reveal() == f"access-{number}"
            kept = InKeyring(ADA).load()
            assert isinstance(kept.grant, RefreshToken) and kept.grant.token.reveal() == f"refresh-{number}"


def test_a_refresh_token_that_cannot_be_stored_is_not_lost(ring: Ring) -> None:
    with authorization(rotate=True) as server:
        source = stored(InKeyring(ADA), consent(server))
        ring.read_only = RuntimeError("full")
        with pytest.raises(ConfigError, match="RuntimeError"):
            source()
        assert server.current == "refresh-1"  # the stored one does not count any more
        ring.read_only = None
        assert source().reveal() == "access-1" and len(server.asked) == 1
        assert InKeyring(ADA).load().grant.token.reveal() == "refresh-1"  # type: ignore[union-attr]


def test_a_place_that_can_only_be_read_will_do_where_nothing_changes(server: Authorization, ring: Ring) -> None:
    source = stored(InKeyring(ADA), consent(server))
    ring.read_only = RuntimeError("read-only")
    assert [source().reveal() for _ in range(2)] == ["access-1"] * 2 and len(server.asked) == 1


# One question at a time


def test_twenty_threads_ask_one_question(server: Authorization) -> None:
    together = threading.Barrier(20)
    source = TokenSource(consent(server))

    def ask(_: int) -> str:
        together.wait(10)
        return source().reveal()

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(ask, range(20))) == {"access-1"}
    assert len(server.asked) == 1


def wait_for_queue(length: int) -> None:
    """Wait until so many threads stand behind the one that asks: they have looked, and want the lock."""
    deadline = monotonic() + 20
    while monotonic() < deadline:
        frames = [frame for frame in sys._current_frames().values() if frame.f_code.co_name == "_token"]
        if sum("seen" in frame.f_locals for frame in frames) >= length:
            return
        sleep(0.01)
    raise AssertionError("the others don't wait")


def test_twenty_threads_share_a_failure(server: Authorization) -> None:
    """Nineteen wait while the twentieth is told no; none of them asks again."""
    source = TokenSource(consent(server, "revoked"))
    server.before = lambda: wait_for_queue(19)

    def ask(_: int) -> LoginError:
        with pytest.raises(LoginError) as caught:
            source()
        return caught.value

    with ThreadPoolExecutor(20) as pool:
        errors = list(pool.map(ask, range(20)))
    assert len(server.asked) == 1
    assert len({id(error) for error in errors}) == 20 and {str(error) for error in errors} == {str(errors[0])}
    server.before = lambda: None
    ask(0)
    assert len(server.asked) == 2  # a later call asks anew


def test_short_lived_tokens_are_shared_by_those_who_waited() -> None:
    with authorization(lifetime=30) as server:
        source = TokenSource(consent(server))
        server.before = lambda: wait_for_queue(5)
        with ThreadPoolExecutor(6) as pool:
            assert set(pool.map(lambda _: source().reveal(), range(6))) == {"access-1"}
        assert len(server.asked) == 1


def test_tasks_ask_one_question(server: Authorization) -> None:
    source = TokenSource(consent(server))

    async def main() -> set[str]:
        tokens = await asyncio.gather(*(asyncio.to_thread(source) for _ in range(10)))
        return {token.reveal() for token in tokens}

    assert asyncio.run(main()) == {"access-1"} and len(server.asked) == 1


PROCESS = """
import sys
from mailwright.mailer.tokens import InFile, TokenSource
source = TokenSource(InFile(sys.argv[1]))
print("calling", flush=True)
print(source().reveal())
"""


def test_processes_ask_one_after_the_other(tmp_path: Path) -> None:
    """With rotation, a second question at the same time would be with a token that does not count any more."""
    path = str(tmp_path / "ada.token")
    calling = threading.Event()
    with authorization(rotate=True, before=lambda: (calling.wait(30), sleep(0.2))) as server:  # type: ignore[arg-type]
        InFile(path).store(Kept(consent(server)))
        processes = [
            subprocess.Popen([sys.executable, "-c", PROCESS, path], stdout=subprocess.PIPE, text=True)
            for _ in range(4)
        ]  # fmt: skip
        for process in processes:
            assert process.stdout is not None and process.stdout.readline() == "calling\n"
        calling.set()
        said = [process.communicate(timeout=60)[0] for process in processes]
    assert said == ["access-1\n"] * 4 and len(server.asked) == 1


@pytest.mark.parametrize("held", ["another process", "a directory"])
def test_a_lock_that_cannot_be_had_holds_nobody_up_for_ever(server: Authorization, tmp_path: Path, held: str) -> None:
    from mailwright.mailer.files import lock_file

    place = InFile(str(tmp_path / "ada.token"))
    place.store(Kept(consent(server)))
    if held == "a directory":
        Path(f"{place.path}.lock").mkdir()
        holder = None
    else:
        holder = lock_file(f"{place.path}.lock", 0.0)
        assert holder is not None
        assert lock_file(f"{place.path}.lock", 0.0) is None
    with place.alone(0.1):
        pass
    if holder is not None:
        os.close(holder)
    assert TokenSource(place)().reveal() == "access-1"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_is_not_held_up_by_a_lock_of_its_parent(server: Authorization, tmp_path: Path) -> None:
    source = TokenSource(consent(server))
    inside, done = threading.Event(), threading.Event()
    server.before = lambda: (inside.set(), done.wait(20))  # type: ignore[assignment,return-value]
    thread = threading.Thread(target=source)
    thread.start()
    assert inside.wait(10)
    child = os.fork()
    if not child:
        try:
            source()
        finally:
            os._exit(0)
    server.before = lambda: None
    assert os.waitpid(child, 0)[1] == 0
    done.set()
    thread.join(10)
    assert len(server.asked) == 2


# A token that the mail server refuses


def test_a_refused_token_is_replaced(server: Authorization, ring: Ring) -> None:
    source = stored(InKeyring(ADA), Kept(consent(server), aged("old", -600, 3000)))
    assert source().reveal() == "old"
    assert source.renew(Secret("old")).reveal() == "access-1"
    assert source().reveal() == "access-1" and len(server.asked) == 1


def test_a_refused_token_that_is_new_is_not_replaced(server: Authorization) -> None:
    source = TokenSource(consent(server))
    token = source()
    assert source.renew(token) == token and len(server.asked) == 1


def test_what_another_process_stored_meanwhile_is_taken(server: Authorization, ring: Ring) -> None:
    source = stored(InKeyring(ADA), Kept(consent(server), aged("old", -600, 3000)))
    assert source().reveal() == "old"
    InKeyring(ADA).store(Kept(consent(server), aged("theirs", -300, 3000)))
    assert source.renew(Secret("old")).reveal() == "theirs" and server.asked == []


def test_threads_that_are_refused_together_ask_once(server: Authorization) -> None:
    source = TokenSource(InMemory(Kept(consent(server), aged("old", -600, 3000))))
    assert source().reveal() == "old"
    together = threading.Barrier(10)

    def renew(_: int) -> str:
        together.wait(10)
        return source.renew(Secret("old")).reveal()

    with ThreadPoolExecutor(10) as pool:
        assert set(pool.map(renew, range(10))) == {"access-1"}
    assert len(server.asked) == 1


def test_who_waited_is_not_given_the_token_that_it_wants_to_be_rid_of(server: Authorization) -> None:
    """The first thread only takes what is kept; the second one was just refused with that."""
    place = Slow(Kept(consent(server), aged("old", -600, 3000)))
    source = TokenSource(place)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(source)
        assert place.begun.wait(10)
        second = pool.submit(source.renew, Secret("old"))
        wait_for_queue(1)
        place.go_on.set()
        assert first.result().reveal() == "old" and second.result().reveal() == "access-1"


class Slow(InMemory):
    """A place that takes its time."""

    def __init__(self, kept: Kept) -> None:
        super().__init__(kept)
        self.begun, self.go_on = threading.Event(), threading.Event()

    def load(self) -> Kept:
        self.begun.set()
        assert self.go_on.wait(30)
        return super().load()


def test_a_failed_renewal_is_not_held_against_a_token_that_serves(server: Authorization) -> None:
    source = TokenSource(InMemory(Kept(consent(server, "revoked"), aged("old", -600, 3000))))
    with pytest.raises(LoginError, match="invalid_grant"):
        source.renew(Secret("old"))
    assert source().reveal() == "old"


# Other grants


def test_client_credentials(server: Authorization) -> None:
    grant = ClientCredentials(
        f"{server.url}/token", Client(CLIENT, SECRET), ("https://outlook.office365.com/.default",)
    )
    assert TokenSource(grant)().reveal() == "access-1"
    assert server.asked[0] == {
        "grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET,
        "scope": "https://outlook.office365.com/.default",
    }  # fmt: skip


def test_microsoft_365_has_its_place_and_scope() -> None:
    grant = ClientCredentials.microsoft365("contoso.example", Client(CLIENT, SECRET))
    assert grant.token_url == "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token"
    assert grant.scopes == ("https://outlook.office365.com/.default",)
    for tenant in ("", "a/b", "a b", "ä", "x" * 300):
        with pytest.raises(ConfigError, match="tenant"):
            ClientCredentials.microsoft365(tenant, Client(CLIENT, SECRET))
    with pytest.raises(ConfigError, match="no secret"):
        ClientCredentials.microsoft365("contoso.example", Client(CLIENT))


def key_file(server: Authorization, **changes: Any) -> str:
    """A service account's key, as Google's console writes it; the server knows the other half."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048)
    server.robot_key = key.public_key()
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    facts = {
        "type": "service_account", "project_id": "p", "private_key_id": "1", "private_key": pem,
        "client_email": "robot@p.example", "client_id": "1", "token_uri": f"{server.url}/token",
    }  # fmt: skip
    return json.dumps(facts | changes)


def test_a_service_account_signs_a_claim(server: Authorization, tmp_path: Path) -> None:
    path = tmp_path / "robot.json"
    path.write_text(key_file(server))
    path.chmod(0o600)
    before = path.read_text()
    for source in (
        TokenSource(ServiceAccount.from_json(before, ADA)),
        TokenSource(InFile(str(path), ADA)),
    ):
        began = time()
        assert [source().reveal() for _ in range(2)] == [f"access-{server.grants}"] * 2
        claim: Any = server.pages.pop()
        assert (claim["iss"], claim["sub"], claim["aud"]) == ("robot@p.example", ADA, f"{server.url}/token")
        assert claim["scope"] == "https://mail.google.com/"
        assert began - 60 <= claim["iat"] <= claim["exp"] - 3500 <= time() + 101
    assert len(server.asked) == 2 and set(server.asked[0]) == {"grant_type", "assertion"}
    assert path.read_text() == before


def test_a_key_of_another_robot_is_explained(server: Authorization) -> None:
    text = key_file(server)
    key_file(server)
    with pytest.raises(LoginError, match=r"not, or no more, one of this robot's .*Make a new key"):
        TokenSource(ServiceAccount.from_json(text, ADA))()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not the key file"),
        ("[" * 5000, "not the key file"),
        ("[]", "not the key file"),
        ('{"type": "authorized_user"}', "not the key file"),
        ('{"type": "service_account", "client_email": "x"}', "part of it is missing"),
        (
            '{"type": "service_account", "client_email": "x", "private_key": "k", "token_uri": "http://e.example"}',
            "not",
        ),
    ],
)
def test_what_is_no_key_file(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        ServiceAccount.from_json(text, ADA)


def test_a_key_that_is_none_is_not_shown(server: Authorization) -> None:
    account = ServiceAccount.from_json(key_file(server, private_key="-----BEGIN canary-----"), ADA)
    with pytest.raises(ConfigError, match="can't sign") as caught:
        TokenSource(account)()
    assert "canary" not in repr(vars(caught.value)) + str(caught.value) and caught.value.__context__ is None


def test_nobody_to_act_as(server: Authorization) -> None:
    with pytest.raises(ConfigError):
        ServiceAccount("robot@p.example", Secret("key"), "")


# Values


def test_a_source_shows_where_and_not_what(server: Authorization, ring: Ring) -> None:
    source = stored(InKeyring(ADA), consent(server))
    token = source().reveal()
    shown = repr(source) + str(source) + repr(vars(source)) + repr(source.place) + repr(source.place.load())
    assert "keyring entry mailwright oauth2" in repr(source)
    for secret in (token, "refresh-0", SECRET):
        assert secret not in shown


def test_a_source_travels_to_another_process_without_its_secrets(server: Authorization, ring: Ring) -> None:
    source = stored(InKeyring(ADA), consent(server))
    source()
    pickled = pickle.dumps(source)
    for secret in (b"access-1", b"refresh-0", SECRET.encode()):
        assert secret not in pickled
    there = pickle.loads(pickled)
    assert there().reveal() == "access-1" and there.place == source.place


@pytest.mark.parametrize("url", ["http://example.org/token", "ftp://127.0.0.1/", "https://", "token", "https://a b/",
                                 "https://u:p@example.org/", "https://example.org/#x", "https://[::1/", "https://e:0/",
                                 "http://localhost.example.org/", "http://127.0.0.1.example.org/", "http://10.0.0.1/",
                                 "http://0x7f.1/", "http://127.1/", ""])  # fmt: skip
def test_a_secret_goes_nowhere_but_by_https_or_on_this_machine(url: str) -> None:
    with pytest.raises(ConfigError, match="URL of the authorisation server"):
        RefreshToken(url, Client(CLIENT), Secret("r"))


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "http://localhost/x", "http://[::1]:80/", "https://example.org"]
)
def test_where_a_secret_may_go(url: str) -> None:
    assert RefreshToken(url, Client(CLIENT), Secret("r")).token_url == url


@pytest.mark.parametrize("word", ["", " ", "a b", "a\nb", "ä", "\0"])
def test_what_no_id_and_no_secret_is(word: str) -> None:
    with pytest.raises(ConfigError, match="client id"):
        Client(word)
    with pytest.raises(ConfigError, match="client secret"):
        Client("x", word)
    with pytest.raises(ConfigError, match="refresh token"):
        RefreshToken("https://example.org", Client("x"), Secret(word))


def test_a_line_break_at_the_end_of_a_secret_was_never_meant() -> None:
    assert Client("x", "secret\n").credentials()["client_secret"] == "secret"


def test_the_extra_is_named_when_it_is_missing(server: Authorization, monkeypatch: pytest.MonkeyPatch) -> None:
    from mailwright.words.errors import MissingExtra

    monkeypatch.setitem(sys.modules, "oauthlib.oauth2", None)
    monkeypatch.setitem(sys.modules, "jwt", None)
    with pytest.raises(MissingExtra, match=r"pip install 'mailwright\[oauth\]'"):
        TokenSource(consent(server))()
    with pytest.raises(MissingExtra, match=r"pip install 'mailwright\[oauth\]'"):
        TokenSource(ServiceAccount.from_json(key_file(server), ADA))()
    assert server.asked == []


def test_the_scripted_answer_is_what_a_source_hears(server: Authorization) -> None:
    server.script = [told(200, access_token="scripted", token_type="bearer")]
    assert TokenSource(consent(server))().reveal() == "scripted"
