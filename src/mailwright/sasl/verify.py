"""The server's side: does a client know the credential? For the project's own inbox, which knows a handful
of users.

An exchange is a generator that yields challenges and is sent responses; what it returns is the user, or
`None`. Whatever is malformed in a response raises `ValueError` in it, and is a refusal like any other.
"""

from __future__ import annotations

import hmac

from mailwright.sasl.cram_md5 import keyed_md5
from mailwright.sasl.gs2 import parse_gs2_header
from mailwright.sasl.saslprep import prepared
from mailwright.sasl.scram import ScramSHA1, ScramSHA1Plus, ScramSHA256, ScramSHA256Plus
from mailwright.sasl.scram_verify import scram_exchange
from mailwright.words.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from mailwright.sasl.channel_binding import ChannelBinding
    from mailwright.words.server import Login

    Exchange = Generator[bytes, bytes, "str | None"]

#: What a verifier can be made for, the strongest first. Offer the -PLUS ones only with a channel binding.
VERIFIABLE = (
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1",
    "PLAIN",
    "LOGIN",
    "CRAM-MD5",
    "OAUTHBEARER",
    "XOAUTH2",
)

_SCRAM = {scram.name: scram for scram in (ScramSHA1, ScramSHA256, ScramSHA1Plus, ScramSHA256Plus)}


class Verifier:
    """One exchange. Feed it responses with `step()` until that gives `None`; then `ok` tells whether to say
    235 or 535.

    `user` is the user who was let in.
    """

    def __init__(self, name: str, exchange: Exchange) -> None:
        self.name = name
        self.user: str | None = None
        self._exchange: Exchange | None = exchange
        self._begun = False

    @property
    def ok(self) -> bool:
        """True when the exchange is over and the client has proved who it is."""
        return self.user is not None

    def step(self, response: bytes | None) -> bytes | None:
        """The next challenge, or `None` when the exchange is over. Never raises, whatever the client sends.

        The first call takes the initial response, or `None` where AUTH came without one.
        """
        if self._exchange is None:
            return None
        try:
            if not self._begun:
                self._begun = True
                challenge = next(self._exchange)
                if response is None:
                    return challenge
            return self._exchange.send(response or b"")
        except StopIteration as end:
            self.user = end.value
        except ValueError:
            self.user = None
        self._exchange = None
        return None

    def __repr__(self) -> str:
        return f"<Verifier of {self.name}>"


def verifier(
    name: str,
    accounts: Sequence[Login],
    *,
    nonce: str,
    host: str = "localhost",
    channel_binding: ChannelBinding | None = None,
    salt: bytes | None = None,
    iterations: int = 4096,
) -> Verifier | None:
    """A verifier for one exchange of the mechanism `name`, or `None` if there is none for it.

    `accounts` are the known users, each with a password or a token; one whose `authzid` is set may act as
    that. `nonce`: fresh random text, printable ASCII without comma. `channel_binding`: what binds to this
    TLS connection; giving it means that -PLUS is offered. `salt` and `iterations` are SCRAM's; the salt
    comes from the nonce if it is not given.
    """
    name = name.upper()
    if name in _SCRAM:
        salt = salt or hmac.digest(nonce.encode(), b"salt", "sha256")[:16]
        return Verifier(name, scram_exchange(_SCRAM[name], accounts, nonce, salt, iterations, channel_binding))
    exchanges: dict[str, Callable[[], Exchange]] = {
        "PLAIN": lambda: _plain(accounts),
        "LOGIN": lambda: _login(accounts),
        "CRAM-MD5": lambda: _cram_md5(accounts, f"<{nonce}@{host}>"),
        "XOAUTH2": lambda: _xoauth2(accounts),
        "OAUTHBEARER": lambda: _oauthbearer(accounts),
    }
    return Verifier(name, exchanges[name]()) if name in exchanges else None


def _plain(accounts: Sequence[Login]) -> Exchange:
    authzid, user, password = (yield b"").decode().split("\0")
    return _admitted(accounts, user, password, authzid)


def _login(accounts: Sequence[Login]) -> Exchange:
    user = (yield b"Username:").decode()
    password = (yield b"Password:").decode()
    return _admitted(accounts, user, password)


def _admitted(accounts: Sequence[Login], user: str, given: str, authzid: str = "") -> str | None:
    """The user, if there is one of that name who has this password and may act as `authzid`."""
    for account in accounts:
        known = account.password
        if isinstance(known, Secret) and prepared(account.user, query=True) == prepared(user, query=True):
            same = hmac.compare_digest(prepared(known.reveal()), prepared(given))
            return account.user if same and authzid in ("", user, account.user, account.authzid) else None
    return None


def _cram_md5(accounts: Sequence[Login], challenge: str) -> Exchange:
    user, _, given = (yield challenge.encode()).decode().rpartition(" ")
    for account in accounts:
        if isinstance(account.password, Secret) and account.user == user:
            expected = keyed_md5(account.password, challenge.encode())
            if expected is None:  # a system that forbids MD5
                return None
            return user if hmac.compare_digest(expected.encode(), given.encode()) else None
    return None


def _xoauth2(accounts: Sequence[Login]) -> Exchange:
    user, token, *end = (yield b"").decode().split("\x01")
    if user.startswith("user=") and end == ["", ""]:
        admitted = _bearer(accounts, user[5:], token.removeprefix("auth="))
        if admitted is not None:
            return admitted
    yield b'{"status":"401","schemes":"bearer","scope":"mail"}'
    return None


def _oauthbearer(accounts: Sequence[Login]) -> Exchange:
    flag, user, rest = parse_gs2_header((yield b"").decode())
    begin, *pairs, last, end = rest.split("\x01")
    tokens = [pair[5:] for pair in pairs if pair.startswith("auth=")]
    if flag == "n" and begin == last == end == "" and len(tokens) == 1:
        admitted = _bearer(accounts, user, tokens[0])
        if admitted is not None:
            return admitted
    yield b'{"status":"invalid_token","scope":"mail"}'
    return None


def _bearer(accounts: Sequence[Login], user: str, credential: str) -> str | None:
    """The user whose token this is; the name with it may be empty, his, or one that he may act as."""
    scheme, _, given = credential.partition(" ")
    if scheme.lower() != "bearer":
        return None
    for account in accounts:
        known = account.token
        if isinstance(known, Secret) and hmac.compare_digest(known.reveal().encode(), given.encode()):
            return account.user if user in ("", account.user, account.authzid) else None
    return None
