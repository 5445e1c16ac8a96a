"""Where grants are kept: key rings as they are, and files."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Any

import keyring.errors
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyring.backends.fail import Keyring as NoKeyring

from mailwright.mailer.files import KeyringEntry, write_private_file
from mailwright.mailer.tokens import Client, ClientCredentials, InFile, InKeyring, RefreshToken, ServiceAccount
from mailwright.mailer.tokens.access import AccessToken, Kept
from mailwright.mailer.tokens.keeping import PART, SERVICE, kept_from, written
from mailwright.words.errors import ConfigError, MissingExtra
from mailwright.words.secret import Secret
from tests.unit.tokens.ring import Ring, installed

ADA = "ada@example.org"
CANARY = "kanarienvogel-7f3a"


def consent(token: str = "refresh", access: str = "") -> Kept:
    grant = RefreshToken("https://example.org/token", Client("id", "secret"), Secret(token), ("a", "b"))
    return Kept(grant, AccessToken(Secret(access), 200.5, 100.0) if access else None)


def places(tmp_path: Path) -> list[Any]:
    return [InKeyring(ADA), InFile(str(tmp_path / "deep" / "ada.token"))]


@pytest.mark.parametrize("access", ["", "access"])
@pytest.mark.parametrize("number", [0, 1])
def test_what_is_stored_is_found(ring: Ring, tmp_path: Path, number: int, access: str) -> None:
    place = places(tmp_path)[number]
    for token in ("one", "two"):
        place.store(consent(token, access))
        assert place.load() == consent(token, access)


@pytest.mark.skipif(os.name != "posix", reason="permission bits of POSIX")
def test_a_link_of_somebody_else_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a directory for all, such as /tmp, it would lead a secret, or the loss of a file, to where he likes."""
    target, link = tmp_path / "target", tmp_path / "ada.token"
    target.write_text("mine")
    link.symlink_to(target)
    with monkeypatch.context() as patch:
        if os.geteuid():  # either we are somebody else, or the link's owner is
            patch.setattr(os, "geteuid", lambda: 65534)
        else:
            os.chown(link, 65534, 65534, follow_symlinks=False)
        with pytest.raises(ConfigError, match="a link that belongs to somebody else"):
            write_private_file(str(link), "secret")
    assert target.read_text() == "mine" and sorted(os.listdir(tmp_path)) == ["ada.token", "target"]
    if not os.geteuid():
        os.chown(link, 0, 0, follow_symlinks=False)
    write_private_file(str(link), "secret")
    assert link.is_symlink() and target.read_text() == "secret" and stat.S_IMODE(target.stat().st_mode) == 0o600


@pytest.mark.parametrize("number", [0, 1])
def test_nothing_is_there(ring: Ring, tmp_path: Path, number: int) -> None:
    with pytest.raises(
        ConfigError, match=r"holds no consent for ada@example.org. Run: mailwright login|can't be read: No such file"
    ):
        places(tmp_path)[number].load()


@given(
    st.builds(RefreshToken, st.just("https://e.example/"), st.builds(Client, st.just("id"), st.none() | st.just("s")),
              st.builds(Secret, st.text("abc!~\"\\", min_size=1)), st.lists(st.text()).map(tuple))
    | st.builds(ClientCredentials, st.just("https://e.example/"), st.just(Client("id", "s")), st.lists(st.text()).map(tuple))
    | st.builds(ServiceAccount, st.just("r@e.example"), st.just(Secret("k")), st.just(ADA), st.just(("x",))),
    st.none() | st.builds(AccessToken, st.just(Secret("a")), st.floats(0, 1e12), st.floats(0, 1e12)),
)  # fmt: skip
def test_every_grant_can_be_written_down(grant: Any, access: Any) -> None:
    assert kept_from(written(Kept(grant, access)), "") == Kept(grant, access)


@given(st.text() | st.builds(lambda one: f'{{"type": "refresh_token", "token_url": {one}}}', st.text()))
def test_what_is_no_grant_is_none(text: str) -> None:
    assert kept_from(Secret(text), ADA) is None


# The key ring


def test_a_long_secret_is_kept_in_parts_where_the_ring_wants_it() -> None:
    with installed(Ring(limit=1280)) as ring:
        place = InKeyring(ADA)
        for length in (3000, 5000, 100, 2400):
            kept = consent("r" * length, "a" * length)
            place.store(kept)
            assert place.load() == kept
            assert all(len(text) <= PART for text in ring.entries.values())
            # Nothing is left of what was there before.
            parts = len(written(kept).reveal()) // PART + 1
            assert len(ring.entries) == (1 if parts == 1 else parts + 1)


def test_parts_that_are_not_all_there_are_no_grant() -> None:
    with installed(Ring(limit=1280)) as ring:
        InKeyring(ADA).store(consent("r" * 3000))
        lost = next(name for name in ring.entries if name[1] != ADA)
        del ring.entries[lost]
        with pytest.raises(ConfigError, match="something that is no consent"):
            InKeyring(ADA).load()


@pytest.mark.parametrize("text", ["9 parts", "99999 parts abc", "x parts y", "²² parts y", "{}", "kanarie"])
def test_an_entry_of_somebody_else(ring: Ring, text: str) -> None:
    ring.entries[SERVICE, ADA] = text
    with pytest.raises(ConfigError, match="something that is no consent") as caught:
        InKeyring(ADA).load()
    assert "kanarie" not in str(caught.value)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (keyring.errors.NoKeyringError(CANARY), r"this machine has no key ring. .*mailwright login --file"),
        (keyring.errors.KeyringLocked(CANARY), r"the key ring is locked. Unlock it"),
        (keyring.errors.InitError(CANARY), r"\(InitError\)"),
        (RuntimeError(CANARY), r"\(RuntimeError\)"),
    ],
)
def test_a_key_ring_that_does_not_answer(broken: Exception, said: str) -> None:
    with installed(Ring(broken=broken)):
        for act in (
            InKeyring(ADA).load,
            lambda: InKeyring(ADA).store(consent(CANARY)),
            lambda: KeyringEntry("mailwright", ADA).store(Secret(CANARY)),
            lambda: KeyringEntry("mailwright", ADA).fetch(),
        ):
            with pytest.raises(ConfigError, match=said) as caught:
                act()
            assert CANARY not in str(caught.value) and caught.value.__context__ is None
        KeyringEntry("mailwright", ADA).remove()


def test_a_machine_without_a_key_ring() -> None:
    with installed(NoKeyring()), pytest.raises(ConfigError, match="no key ring"):  # type: ignore[no-untyped-call]
        InKeyring(ADA).load()


def test_the_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(MissingExtra, match=r"mailwright\[keyring\]"):
        InKeyring(ADA).load()


# Files


@pytest.mark.skipif(os.name != "posix", reason="permission bits of POSIX")
def test_a_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    place = InFile(str(tmp_path / "deep" / "ada.token"))
    before = os.umask(0)
    try:
        place.store(consent())
    finally:
        os.umask(before)
    path = Path(place.path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        place.load()
    place.store(consent("other"))
    assert place.load() == consent("other") and stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    link.symlink_to(real)
    write_private_file(str(link), "x")
    assert link.is_symlink() and real.read_text() == "x"


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path, folder = tmp_path / "ada.token", tmp_path / "folder"
    path.write_text("old")
    folder.mkdir()
    for place in (str(path / "below"), "nul\0", str(folder / ("x" * 300)), str(folder)):
        with pytest.raises(ConfigError, match="can't be written"):
            write_private_file(place, CANARY)
    assert path.read_text() == "old" and not list(folder.iterdir())
    assert sorted(one.name for one in tmp_path.iterdir()) == ["ada.token", "folder"]


@pytest.mark.parametrize("text", ["", "{}", "kanarie", '{"type": "refresh_token"}'])
def test_a_file_of_something_else(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="holds no consent") as caught:
        InFile(str(path)).load()
    assert "kanarie" not in str(caught.value)
