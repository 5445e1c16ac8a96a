"""No password and no token in anything that may be printed: repr, errors, and tracebacks with local variables."""

from __future__ import annotations

import traceback
from base64 import b64encode
from collections.abc import Callable

import pytest

from mailwright.sasl.bearer import Bearer
from mailwright.sasl.channel_binding import ChannelBinding
from mailwright.sasl.choose import MECHANISMS, choose
from mailwright.sasl.cram_md5 import CramMD5
from mailwright.sasl.mechanism import Mechanism
from mailwright.sasl.oauthbearer import OAuthBearer
from mailwright.sasl.plain import Plain
from mailwright.sasl.scram import Keys, ScramSHA256, derive
from mailwright.sasl.verify import VERIFIABLE, verifier
from mailwright.sasl.xoauth2 import XOAuth2
from mailwright.words.errors import LoginError
from mailwright.words.secret import Secret
from mailwright.words.server import Login
from tests.unit.sasl.talk import talk

CANARY = "c4n4ry-7f3a91"
BINDING = ChannelBinding("tls-unique", b"finished")
NAMES = [mechanism.name for kind in MECHANISMS.values() for mechanism in kind if mechanism.name != "EXTERNAL"]


def shows(text: str) -> bool:
    """Whether the canary is in the text: as it is, in hex, or in base64 at any of its three alignments."""
    encoded = [b64encode(b"\0" * lead + CANARY.encode()).decode()[4:-4] for lead in range(3)]
    return any(form in text for form in (CANARY, CANARY.encode().hex(), *encoded))


def test_the_detector_detects():
    assert shows(f"a{CANARY}b") and shows(repr(CANARY.encode()))
    assert all(shows(b64encode(b"x" * lead + CANARY.encode() + b"yz").decode()) for lead in range(6))
    assert not shows("secret")


def mechanism(name: str) -> Mechanism:
    token = CANARY if "OAUTH" in name else None
    login = Login("ada", None if token else CANARY, token=token, mechanism=name)
    return choose(
        login,
        NAMES,
        secure=True,
        nonce="nonce",
        token=token,
        channel_binding=BINDING,
        host="localhost",
        port=465,
    )


def told(raiser: Callable[[], object]) -> str:
    """Everything that a careless reporter would print of the error, from the frame below this one on."""
    try:
        raiser()
    except LoginError as error:
        inside = error.__traceback__.tb_next.tb_next  # type: ignore[union-attr]
        report = traceback.TracebackException(type(error), error, inside, capture_locals=True)
        return f"{error}{error!r}{error.args}{error.__dict__}{''.join(report.format())}"
    raise AssertionError("no error was raised")


@pytest.mark.parametrize("name", NAMES)
def test_a_mechanism_shows_nothing(name: str):
    made = mechanism(name)
    assert not shows(repr(made)) and not shows(str(made)) and not shows(f"{made}")
    assert made.name in repr(made)


@pytest.mark.parametrize("name", VERIFIABLE)
def test_a_verifier_shows_nothing(name: str):
    account = Login("ada", token=CANARY) if "OAUTH" in name else Login("ada", CANARY)
    server = verifier(name, [account], nonce="servernonce", channel_binding=BINDING)
    assert server is not None
    assert talk(mechanism(name), server)
    assert not shows(repr(server))


@pytest.mark.parametrize("name", NAMES)
def test_a_server_that_never_ends_learns_nothing_for_the_log(name: str):
    def endless() -> None:
        made = mechanism(name)
        made.initial()
        for _ in range(5):
            made.respond(b"nonsense")

    assert not shows(told(endless))


FLAWS = {
    "a NUL": lambda: Plain("ada", Secret(f"{CANARY}\0")),
    "half a character": lambda: Plain("ada", Secret(f"{CANARY}\udcff")),
    "a NUL for CRAM-MD5": lambda: CramMD5("ada", Secret(f"\0{CANARY}")),
    "a NUL for SCRAM": lambda: ScramSHA256("ada", Secret(f"{CANARY}\0{CANARY}"), nonce="n"),
    "a line break in a token": lambda: XOAuth2("ada", Secret(f"{CANARY}\n")),
    "a blank in a token": lambda: OAuthBearer("ada", Secret(f"{CANARY} {CANARY}")),
}


@pytest.mark.parametrize("flaw", FLAWS.values(), ids=FLAWS.keys())
def test_a_flaw_of_a_secret_is_named_without_it(flaw: Callable[[], Mechanism]):
    report = told(flaw)
    assert not shows(report)
    assert "The password" in report or "The token" in report


@pytest.mark.parametrize("offered", ["NTLM", "", "PLAIN", "XOAUTH2", "EXTERNAL"])
@pytest.mark.parametrize("forced", [None, "PLAIN", "XOAUTH2", "LOGIN"])
@pytest.mark.parametrize("token", [None, CANARY])
def test_a_refused_choice_shows_nothing(offered: str, forced: str | None, token: str | None):
    def refused() -> None:
        login = Login("ada", None if token else CANARY, token=token, mechanism=forced)
        choose(
            login, offered.split(), secure=False, nonce="n", token=Secret(token) if token else None, host="h", port=1
        )

    assert not shows(told(refused))


def test_scram_shows_nothing_when_the_server_is_false():
    client = ScramSHA256("ada", Secret(CANARY), nonce="n")

    def false() -> None:
        client.initial()
        client.respond(b"r=nX,s=c2FsdA==,i=4096")
        client.respond(b"v=AAAA")

    report = told(false)
    keys = derive("sha256", CANARY.encode(), b"salt", 4096)
    assert "signature is wrong" in report and not shows(report)
    assert all(repr(key)[2:-1] not in report for key in (keys.client, keys.stored, keys.server))
    assert repr(keys) == "Keys(***)" and isinstance(keys, Keys)


def test_a_system_that_forbids_md5_is_explained(monkeypatch: pytest.MonkeyPatch):
    """As OpenSSL says it in FIPS mode."""

    def forbidden(*_: object) -> bytes:
        raise ValueError("[digital envelope routines] unsupported")

    monkeypatch.setattr("hmac.digest", forbidden)
    report = told(lambda: CramMD5("ada", Secret(CANARY)).respond(b"<1@localhost>"))
    assert "forbids MD5" in report and "TLS" in report
    assert not shows(report)
    server = verifier("CRAM-MD5", [Login("ada", CANARY)], nonce="n")
    assert server is not None
    server.step(None)
    server.step(b"ada ")
    assert not server.ok


def test_an_empty_challenge_of_cram_md5_is_refused():
    """The answer to it would be good for every other server that asks the same."""
    with pytest.raises(LoginError, match="empty"):
        CramMD5("ada", Secret(CANARY)).respond(b"")


def test_bearer_is_cleartext():
    assert Bearer.cleartext and OAuthBearer.cleartext and XOAuth2.cleartext
