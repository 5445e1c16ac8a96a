#!/usr/bin/env python3
"""Get the mail servers that the tests talk to; ask for nothing that is there already.

    python3 tools/get_servers.py            all of them
    python3 tools/get_servers.py postfix    only what is named

Debian packages are downloaded and unpacked below `.cache/servers/`; they are not installed, so no
maintainer script runs, no user is added and no service can start. `tests/servers/` later lays such a folder
over the system in a mount namespace that only the server under test can see. What cannot be had is said in
one line with the command that would help; the exit status is 0 all the same, because the tests skip what is
missing. The standard library is enough to run this file.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
CACHE = REPOSITORY / ".cache" / "servers"

# A whole fetch of the largest server is some 10 MB; a stalled mirror must not hang a build for ever.
PATIENCE = 300  # seconds for one command


class Unavailable(Exception):
    """Something cannot be had here. Its text is the reason, in half a sentence."""


@dataclass(frozen=True)
class DebianServer:
    """A server out of Debian packages, unpacked to `.cache/servers/<name>/root`."""

    name: str
    packages: tuple[str, ...]
    why: str
    brings: str = "lib"
    """What else is taken of the packages that these need: those whose names this regular expression begins."""

    installed: str = ""
    """A pattern of files: where one is there, the server is installed and nothing needs to be got."""

    private: bool = True
    """Whether it runs in a mount namespace of its own, which only root can give it."""

    @property
    def folder(self) -> Path:
        return CACHE / self.name

    @property
    def enabling(self) -> str:
        return f"{'' if is_root() or not self.private else 'sudo '}python3 tools/get_servers.py {self.name}"

    def ready(self) -> bool:
        """`packages.txt` is written last, so it vouches for everything beside it."""
        if self.installed and any(Path("/").glob(self.installed)):
            return True
        try:
            lines = (self.folder / "packages.txt").read_text("ascii").splitlines()
        except OSError:
            return False
        return set(self.packages) <= {line.split()[0] for line in lines if line}

    def announcement(self) -> str:
        named = ", ".join(self.packages)
        return (
            f"{self.name}: will download Debian's {named} and the libraries that are missing, and unpack "
            f"them in {shown(self.folder)} ({self.why}); nothing is installed or started"
        )

    def obstacle(self) -> str | None:
        if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
            return "this is no Debian system (apt-get and dpkg-deb are needed)"
        if self.private and not is_root():
            return "only root can run it in a mount namespace of its own"
        return None

    def fetch(self) -> None:
        part = self.folder.with_name(f"{self.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        (part / "packages").mkdir(parents=True)
        # Where /lib is a link to /usr/lib, an unpacked library must land where the link leads to.
        for folder in ("bin", "sbin", "lib", "lib64"):
            if Path("/", folder).is_symlink():
                (part / "root" / "usr" / folder).mkdir(parents=True)
                (part / "root" / folder).symlink_to(f"usr/{folder}")
        try:
            archives = self._download(part / "packages")
            for archive in archives:
                unpack(archive, part / "root")
            (part / "packages.txt").write_text("".join(f"{identity(a)}\n" for a in archives), "ascii")
            shutil.rmtree(part / "packages")
            shutil.rmtree(self.folder, ignore_errors=True)
            part.rename(self.folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _download(self, folder: Path) -> list[Path]:
        """Download everything; refresh the package lists only if the old ones do not lead to it."""
        try:
            run(["apt-get", "download", *self._names()], folder)
        except Unavailable:
            run(["apt-get", "update"], folder, "the package lists cannot be refreshed (is there a network?)")
            run(["apt-get", "download", *self._names()], folder, "a package cannot be downloaded")
        return sorted(folder.glob("*.deb"))

    def _names(self) -> list[str]:
        """The packages, and what installing them would bring along: every library, and what `brings` says."""
        command = ["apt-get", "install", "--simulate", "--no-install-recommends", *self.packages]
        planned = re.findall(r"^Inst (\S+)", run(command, REPOSITORY), re.MULTILINE)
        brought = (name for name in planned if re.match(self.brings, name) and name not in self.packages)
        return [*self.packages, *brought]


@dataclass(frozen=True)
class NpmServer:
    """A server out of one npm package, installed to `.cache/servers/<name>/node_modules`."""

    name: str
    package: str
    version: str
    why: str

    @property
    def folder(self) -> Path:
        return CACHE / self.name

    @property
    def enabling(self) -> str:
        command = f"python3 tools/get_servers.py {self.name}"
        return command if shutil.which("npm") else f"sudo apt-get install nodejs npm && {command}"

    def ready(self) -> bool:
        try:
            manifest = (self.folder / "node_modules" / self.package / "package.json").read_text("utf-8")
        except OSError:
            return False
        return re.search(rf'"version":\s*"{re.escape(self.version)}"', manifest) is not None

    def announcement(self) -> str:
        return (
            f"{self.name}: will install npm's {self.package} {self.version} in {shown(self.folder)} "
            f"({self.why}); no script of a package is run"
        )

    def obstacle(self) -> str | None:
        lacking = [program for program in ("node", "npm") if not shutil.which(program)]
        return f"{' and '.join(lacking)} cannot be found" if lacking else None

    def fetch(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        options = ["--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock", "--no-save"]
        command = ["npm", "install", "--prefix", str(self.folder), f"{self.package}@{self.version}", *options]
        run(command, REPOSITORY, "npm cannot install it (is there a network?)")


#: Large, or for bench/ alone: fetched only by name.
REQUESTED = {"firefox", "redis"}

SERVERS: tuple[DebianServer | NpmServer, ...] = (
    DebianServer("postfix", ("postfix",), "the most used server; with Dovecot for logins"),
    DebianServer("dovecot", ("dovecot-core", "dovecot-lmtpd"), "it checks logins for Postfix and speaks LMTP"),
    NpmServer("npm", "smtp-server", "3.21.6", "a server with XOAUTH2"),
    DebianServer("exim", ("exim4-daemon-light",), "a second full server with ideas of its own"),
    DebianServer("opensmtpd", ("opensmtpd",), "a small and strict receiver"),
    DebianServer(
        "postgresql",
        ("postgresql",),
        "the outbox's database for many machines",
        brings=r"lib|postgresql-\d+$",
        installed="usr/lib/postgresql/*/bin/initdb",
        private=False,
    ),
    DebianServer("git-email", ("git-email", "libmailtools-perl"), "git send-email calls sendmail"),
    DebianServer(
        "chromium",
        ("chromium", "chromium-common", "fontconfig-config", "fonts-dejavu-core", "fonts-noto-core"),
        "a real browser looks at the inbox's page",
    ),
    DebianServer("firefox", ("firefox-esr",), "a second engine looks at hostile mail"),
    DebianServer(
        "clients", ("curl", "msmtp", "s-nail", "swaks", "libnet-ssleay-perl"), "other programs send to the inbox"
    ),
    DebianServer(
        "redis",
        ("redis-server", "redis-tools"),
        "bench/ measures the outbox beside Celery, which keeps its tasks there",
        installed="usr/bin/redis-server",
        private=False,
    ),
    NpmServer("nodemailer", "nodemailer", "10.6.0", "bench/ measures mailwright beside it"),
    DebianServer(
        "spamassassin",
        ("spamassassin", "spamd", "libhtml-parser-perl", "libnet-dns-perl", "libnetaddr-ip-perl"),
        "its spamd judges what the inbox caught",
        brings="lib(html-tagset|regexp-ipv6|socket6|uri)-perl$",  # without the network it needs no other
        installed="usr/sbin/spamd",
        private=False,
    ),
    DebianServer("php", ("php-cli", "php8.2-cli", "php8.2-common"), "PHP's mail() calls sendmail"),
)


def is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def run(command: Sequence[str], folder: Path, otherwise: str = "the command failed") -> str:
    """What `command` printed; `Unavailable` with the sentence `otherwise` if it failed.

    Its own error text is not shown, for it is long and names mirrors: whoever wants it runs the command.
    """
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(otherwise) from error
    if done.returncode != 0:
        raise Unavailable(otherwise)
    return done.stdout.decode("utf-8", "replace")


def unpack(archive: Path, root: Path) -> None:
    """Unpack through tar, which can be told to walk through links to folders instead of replacing them."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE) as reading:
        command = ["tar", "-x", "-p", "--keep-directory-symlink", "-C", str(root)]
        written = subprocess.run(command, stdin=reading.stdout, capture_output=True)
    if reading.returncode or written.returncode:
        raise Unavailable(f"{archive.name} cannot be unpacked")


def identity(archive: Path) -> str:
    """`postfix 3.7.11-0+deb12u1`"""
    command = ["dpkg-deb", "--showformat", "${Package} ${Version}", "--show", str(archive)]
    return run(command, archive.parent).strip()


def shown(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="server", help=", ".join(s.name for s in SERVERS))
    names = parser.parse_args(arguments).names
    if unknown := set(names) - {server.name for server in SERVERS}:
        parser.error(f"unknown server: {', '.join(sorted(unknown))}")

    wanted = []
    for server in SERVERS:
        if server.name not in names if names else server.name in REQUESTED:
            continue
        if server.ready():
            print(f"{server.name}: is there ({shown(server.folder) if server.folder.exists() else 'installed'})")
        elif reason := server.obstacle():
            print(f"{server.name}: not fetched: {reason}; to enable it: {server.enabling}")
        else:
            print(server.announcement(), flush=True)
            wanted.append(server)
    for server in wanted:
        try:
            server.fetch()
        except (Unavailable, OSError) as reason:
            print(f"{server.name}: not fetched: {reason}; to enable it: {server.enabling}", flush=True)
        else:
            print(f"{server.name}: done", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
