"""The server's side of SCRAM (RFC 5802)."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from hmac import compare_digest

from mailwright.sasl.gs2 import parse_gs2_header, parse_saslname
from mailwright.sasl.saslprep import prepared
from mailwright.sasl.scram import derive, is_nonce, keyed
from mailwright.words.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from mailwright.sasl.channel_binding import ChannelBinding
    from mailwright.sasl.scram import Scram
    from mailwright.words.server import Login


def scram_exchange(
    scram: type[Scram],
    accounts: Sequence[Login],
    nonce: str,
    salt: bytes,
    iterations: int,
    binding: ChannelBinding | None,
) -> Generator[bytes, bytes, str | None]:
    """Yields challenges, is sent responses, returns the user or `None`; `ValueError` for broken grammar."""
    client_first = yield b""
    flag, authzid, bare = parse_gs2_header(client_first.decode())
    if not _agrees(flag, scram.plus, binding):
        return None
    user, client_nonce = _client_first(bare)
    name = prepared(user, query=True)
    account = next((one for one in accounts if prepared(one.user, query=True) == name and one.password), None)

    whole_nonce = f"{client_nonce}{nonce}"
    server_first = f"r={whole_nonce},s={_base64(salt)},i={iterations}"
    client_final = yield server_first.encode()

    header = client_first[: len(client_first) - len(bare.encode())]
    data = binding.data if scram.plus and binding is not None else b""
    said, _, proof = client_final.decode("ascii").rpartition(",p=")
    if not f"{said},".startswith(f"c={_base64(header + data)},"):
        yield b"e=channel-bindings-dont-match"
        return None
    if not f"{said},".startswith(f"c={_base64(header + data)},r={whole_nonce},"):
        yield b"e=other-error"
        return None
    # Somebody unknown gets as far as a wrong password does, so that nobody learns here who exists.
    password = Secret(nonce if account is None else account.password or nonce)
    keys = derive(scram.digest, prepared(password.reveal()), salt, iterations)
    exchange = f"{bare},{server_first},{said}".encode()
    proven = compare_digest(a2b_base64(proof, strict_mode=True), keys.proof(scram.digest, exchange))
    if account is None or not proven or authzid not in ("", user, account.user, account.authzid):
        yield b"e=invalid-proof"
        return None
    response = yield f"v={_base64(keyed(scram.digest, keys.server, exchange))}".encode()
    return account.user if response == b"" else None


def _agrees(flag: str, plus: bool, binding: ChannelBinding | None) -> bool:
    """Whether the client's idea of the channel binding fits ours (RFC 5802 §6)."""
    if plus:
        return binding is not None and flag == f"p={binding.kind}"
    # "y": the client believes that we offer no -PLUS. If we do, somebody took it out of our offer.
    return flag == "n" or (flag == "y" and binding is None)


def _client_first(bare: str) -> tuple[str, str]:
    """User and nonce of the client's first message without its header."""
    name, nonce = bare.split(",")[:2]
    if not name.startswith("n=") or not nonce.startswith("r=") or not is_nonce(nonce[2:]):
        raise ValueError("not a client-first-message")
    return parse_saslname(name[2:]), nonce[2:]


def _base64(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()
