"""Errors of the operating system and of TLS that also say what to do.

A connection that can't be made raises what it raises with the original, `ConnectionRefusedError`, `socket.gaierror`,
`ssl.SSLCertVerificationError` and so on: here a subclass of each, with the same arguments and attributes.
"""

from __future__ import annotations

import socket
import ssl

from mailwright.diagnose.whose import historic
from mailwright.drivers.racing import unreachable
from mailwright.mailer.known import is_known
from mailwright.smtp import phases
from mailwright.smtplib.errors import Explained, placed
from mailwright.steps import Connect
from mailwright.words.errors import ConfigError, ConnectError, MailError, TLSError, attach
from mailwright.words.reply import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.smtplib.conversation import Conversation


class NameNotFound(Explained, socket.gaierror):
    """There is no such host."""


class ConnectionTimedOut(Explained, TimeoutError):
    """Nobody answered in time."""


class Refused(Explained, ConnectionRefusedError):
    """Nobody listens there."""


class ConnectionBroken(Explained, ConnectionResetError):
    """The other side ended the connection."""


class NotConnected(Explained, OSError):
    """There is no way to the server."""


class TLSFailed(Explained, ssl.SSLError):
    """No encrypted connection."""


class CertificateRefused(Explained, ssl.SSLCertVerificationError):
    """The certificate does not prove that this is the right server."""


_OURS: dict[type[BaseException], type[Explained]] = {
    OSError: NotConnected,
    socket.gaierror: NameNotFound,
    TimeoutError: ConnectionTimedOut,
    ConnectionRefusedError: Refused,
    ConnectionResetError: ConnectionBroken,
    ConnectionAbortedError: ConnectionBroken,
    BrokenPipeError: ConnectionBroken,
    ssl.SSLError: TLSFailed,
    ssl.SSLEOFError: TLSFailed,
    ssl.SSLZeroReturnError: TLSFailed,
    ssl.SSLCertVerificationError: CertificateRefused,
}


def no_connection(problem: OSError, session: Conversation, port: int | str) -> ConnectError:
    """What it means that no connection was made to that `port`, because of `problem`."""
    server = session.server
    step = Connect(server.host, server.port, server.timeouts.connect, server.path)
    cause = unreachable(step, [(server.host, problem)])
    if isinstance(problem, socket.gaierror) and isinstance(port, str) and not port.isdigit():
        cause = ConnectError(f"{visible(ascii(port), 80)} is not a port.", "Give its number, such as 465 or 587.")
    elif is_known(server):
        cause.advice = historic(server.host) or cause.advice
    attach(cause, phase=phases.CONNECT, server=str(server))
    return cause


def no_such_server(problem: ConfigError) -> OSError:
    """The error for a host that can't be one."""
    made: OSError = placed(NameNotFound(socket.EAI_NONAME, problem.what), None, problem)
    return made


def not_encrypted(problem: MailError, session: Conversation) -> OSError:
    """The error for TLS that did not come about."""
    below = problem.__cause__
    if isinstance(below, OSError) and type(below) in _OURS:
        made = like(below, session, problem)
        if isinstance(made, CertificateRefused) and isinstance(problem, TLSError):
            made.more = _what_to_trust(problem.certificate_sha256)
        return made
    if isinstance(problem, TLSError):
        return like(ssl.SSLCertVerificationError(1, problem.what), session, problem)
    if isinstance(problem, ConfigError):  # a client certificate that can't be read
        return like(OSError(problem.what), session, problem)
    kind = TimeoutError if isinstance(problem, TimeoutError) else ConnectionResetError
    return like(kind(problem.what), session, problem)


def _what_to_trust(fingerprint: str) -> str:
    """The lines that make this certificate a good one, for whoever has checked it."""
    pin = fingerprint or "…"
    return (
        f"The certificate's SHA-256 is {fingerprint or 'not known'}. Compare it first with that of the server's own "
        "file (there: openssl x509 -noout -fingerprint -sha256 -in cert.pem), for whoever sits in between shows "
        "another. If it is the same, say so with one of these (from mailwright.options import TLS):\n"
        '    context=TLS(ca_file="ca.pem")    the CA that signed it\n'
        f'    context=TLS(pin="{pin}")'
    )


def like(problem: OSError, session: Conversation, cause: MailError) -> OSError:
    """`problem` as one of the classes above; one of a class that nobody foresaw stays, with a note."""
    kind = _OURS.get(type(problem))
    if kind is None:
        problem.add_note(str(cause))
        return problem
    made: OSError = placed(kind(*problem.args), session, cause)
    made.__dict__.update(vars(problem))  # ssl's reason, verify_code, …
    return made
