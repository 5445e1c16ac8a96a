"""The names, signatures and types are those of the original, on each interpreter."""

from __future__ import annotations

import inspect
import smtplib as original
import subprocess
import sys
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

from mailwright import smtplib
from tests.unit.smtplib.scripted import mail_server, scripted

#: What only the original has, and why.
MISSING: dict[str, str] = {}
CLASSES = ("SMTP", "SMTP_SSL", "LMTP")
METHODS = [
    (owner, name)
    for owner in CLASSES
    for name, found in inspect.getmembers(getattr(original, owner))
    if isinstance(found, FunctionType)
    and (not name.startswith("_") or name in ("__init__", "_get_socket", "_print_debug", "_rset"))
]


def test_every_name_of_the_module_is_there() -> None:
    names = {name for name in vars(original) if not name.startswith("__")}
    assert {name for name in names if not hasattr(smtplib, name)} - set(MISSING) == set()
    assert set(smtplib.__all__) == set(original.__all__)
    assert set(original.__all__) <= set(dir(smtplib))


@pytest.mark.parametrize("name", sorted(name for name in vars(original) if not name.startswith("__")))
def test_a_name_means_the_same(name: str) -> None:
    ours, theirs = getattr(smtplib, name), getattr(original, name)
    if isinstance(theirs, ModuleType):
        assert ours is theirs
    elif not isinstance(theirs, type) and not callable(theirs):
        assert ours == theirs
    else:
        assert type(ours) is type(theirs) and ours.__name__ == theirs.__name__


def test_a_name_that_neither_has() -> None:
    with pytest.raises(AttributeError, match="no attribute 'SMTPS'"):
        smtplib.SMTPS  # type: ignore[attr-defined]  # noqa: B018


def test_star() -> None:
    names: dict[str, Any] = {}
    exec("from mailwright.smtplib import *", names)
    assert names["SMTPException"] is smtplib.SMTPException and "LMTP" not in names


@pytest.mark.parametrize(("owner", "name"), METHODS)
def test_every_call_of_the_original_fits(owner: str, name: str) -> None:
    """Ours takes whatever the original takes: the same names, in the same places, with the same defaults."""
    theirs = inspect.signature(getattr(getattr(original, owner), name)).parameters
    ours = inspect.signature(getattr(getattr(smtplib, owner), name)).parameters
    if name == "__exit__":
        return  # it takes three whatever they are called
    positional = [p.name for p in theirs.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    if not any(p.kind is p.KEYWORD_ONLY for p in theirs.values()):
        assert [p.name for p in ours.values() if p.kind is p.POSITIONAL_OR_KEYWORD][: len(positional)] == positional
    for parameter in theirs.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            continue
        assert ours[parameter.name].default == parameter.default
        assert parameter.kind in (ours[parameter.name].kind, parameter.KEYWORD_ONLY)
    more = [p for p in ours.values() if p.name not in theirs]
    assert all(p.default is not p.empty or p.kind is p.VAR_POSITIONAL for p in more)


@pytest.mark.parametrize("owner", CLASSES)
def test_every_attribute_is_there_from_the_start(owner: str) -> None:
    ours, theirs = getattr(smtplib, owner)(local_hostname="c"), getattr(original, owner)(local_hostname="c")
    # The deprecated files are on the object of Python 3.11 alone.
    assert {name for name in dir(theirs) if not hasattr(ours, name)} == set()
    names = "debuglevel sock file helo_resp ehlo_resp does_esmtp default_port ehlo_msg"
    plain = {*vars(theirs), *names.split()} - {"context"}
    assert {name: getattr(ours, name) for name in plain} == {name: getattr(theirs, name) for name in plain}


def test_documentation_is_there() -> None:
    for owner, name in METHODS:
        if not name.startswith("_"):
            assert inspect.getdoc(getattr(getattr(smtplib, owner), name))


def test_what_a_plain_send_loads() -> None:
    with scripted(mail_server({"auth": "235 in"}, ("mx", "AUTH PLAIN"))) as there:
        code = f"""
import sys
sys.path[:0] = {sys.path!r}
from mailwright import smtplib
with smtplib.SMTP("127.0.0.1", {there.port}, "c") as server:
    server.login("ada", "secret")
    server.sendmail("ada@example.org", ["bob@example.net"], "Subject: Hi" + chr(10) * 2 + "there")
heavy = {{"email", "ssl", "asyncio", "dataclasses", "inspect", "typing", "json", "smtplib"}} & set(sys.modules)
assert not heavy, heavy
"""
        subprocess.run([sys.executable, "-S", "-c", code], check=True)


# Types.

TYPED = """
from __future__ import annotations

import ssl
from email.message import EmailMessage

{line}


class Own(smtplib.SMTP):
    def data(self, msg: bytes | str) -> tuple[int, bytes]:  # type: ignore[override]
        return super().data(msg)


def send(host: str, port: int, message: EmailMessage) -> dict[str, tuple[int, bytes]]:
    context = ssl.create_default_context()
    try:
        with smtplib.SMTP(host, port, local_hostname="c", timeout=10.0, source_address=("", 0)) as server:
            server.set_debuglevel(0)
            greeted: tuple[int, bytes] = server.ehlo()
            tls: tuple[int, bytes] = server.starttls(context=context)
            server.login("ada", "secret", initial_response_ok=True)
            server.auth("PLAIN", server.auth_plain)
            server.auth("LOGIN", server.auth_login, initial_response_ok=False)
            refused = server.sendmail("a@example.org", ["b@example.org"], b"x", mail_options=["size=1"], rcpt_options=())
            also = server.send_message(message, to_addrs=["b@example.org"])
            features: dict[str, str] = server.esmtp_features
            offers: bool = server.has_extn("size")
            answer: bytes | None = server.ehlo_resp
            code, said = server.docmd("NOOP")
            if server.sock is not None:
                server.sock.settimeout(code)
            return {{**refused, **also}}
    except smtplib.SMTPRecipientsRefused as error:
        return error.recipients
    except smtplib.SMTPResponseException as error:
        number: int = error.smtp_code
        text: bytes | str = error.smtp_error
        raise
    except (smtplib.SMTPServerDisconnected, smtplib.SMTPException) as error:
        raise OSError from error


def others() -> None:
    smtplib.SMTP_SSL("localhost", context=ssl.create_default_context()).quit()
    smtplib.LMTP("/run/lmtp").close()
    quoted: str = smtplib.quoteaddr("a@example.org") + smtplib.quotedata("x") + smtplib.CRLF
    port: int = smtplib.SMTP_PORT + smtplib.SMTP_SSL_PORT
"""


@pytest.mark.parametrize("line", ["import smtplib", "from mailwright import smtplib"])
def test_a_typed_script(line: str, tmp_path: Path) -> None:
    api = pytest.importorskip("mypy.api", reason="mypy is not installed")
    script = tmp_path / "script.py"
    script.write_text(TYPED.format(line=line), "utf-8")
    out, err, code = api.run(["--strict", "--cache-dir", str(tmp_path / "cache"), str(script)])
    assert code == 0, out + err


def test_stubtest(tmp_path: Path) -> None:
    """Typeshed's stub of the original, held against our module at run time."""
    mypy = pytest.importorskip("mypy", reason="mypy is not installed")
    stub = Path(mypy.__file__).parent / "typeshed" / "stdlib" / "smtplib.pyi"
    package = tmp_path / "mailwright" / "smtplib"
    package.mkdir(parents=True)
    (package / "__init__.pyi").write_text(stub.read_text("utf-8"), "utf-8")
    (tmp_path / "mailwright" / "__init__.pyi").write_text("", "utf-8")
    # The modules that ours is made of have no stub; and what Python 3.12 took away, we still take.
    inside = [path.stem for path in Path(smtplib.__file__).parent.glob("*.py") if path.stem != "__init__"]
    allowed = [f"mailwright.smtplib.({'|'.join(inside)})"]
    if sys.version_info >= (3, 12):
        allowed += ["mailwright.smtplib.SMTP.starttls", "mailwright.smtplib.SMTP_SSL.__init__"]
    (tmp_path / "allowed").write_text("\n".join(allowed), "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "mailwright.smtplib", "--allowlist", str(tmp_path / "allowed")],
        cwd=tmp_path, env={"MYPYPATH": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
