"""The project's commands: `python3 tools/run.py demo|test|check|drill|bench` (or `make demo`, …).

    demo    makes .venv, installs the project into it and runs `mailwright demo`
    test    everything: style, types, all tests, the unit tests on the newest other Python, the audit
    check   the quick loop: style, types, unit tests
    drill   the long random drills
    bench   measures mailwright beside other ways to send mail, and writes docs/benchmarks

Words after the command go on to what it runs: `tools/run.py check -k dots`, `tools/run.py demo --help`.

This file is only the door. It is written so that every Python 3 can read it: one that is too old, or that
cannot make virtual environments, looks for a better one, and otherwise says in one line what to do. The work
is in workshop.py, environments.py and audit.py beside it; they too need the standard library alone.
"""

import os
import subprocess
import sys

OLDEST = (3, 11)
NAMES = ["python3.11", "python3.12", "python3.13", "python3.14", "python3", "python"]
PROBE = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))"
COMMANDS = ["demo", "test", "check", "drill", "bench"]


def what_is_missing() -> "str | None":
    """What this Python lacks, with its cure, as one line; None if it will do."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST:
        return (
            "mailwright needs Python 3.11 or newer and this is {}: install one (apt install python3 "
            "python3-venv, brew install python, pyenv install 3.13) and run it on tools/run.py".format(version)
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        package = "python{}.{}-venv".format(*sys.version_info[:2])
        return (
            "Python {} here cannot make virtual environments (venv or ensurepip is missing): apt install {} "
            "(Debian, Ubuntu), or run tools/run.py with another Python".format(version, package)
        )
    return None


def serves(python: str) -> bool:
    """Whether that command is a Python that will do."""
    try:
        found = subprocess.call([python, "-c", PROBE], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except OSError:
        return False
    return found == 0


def pyenv_pythons() -> "list[str]":
    """The interpreters that pyenv keeps; they are often not on the path."""
    root = os.environ.get("PYENV_ROOT") or os.path.join(os.path.expanduser("~"), ".pyenv")
    versions = os.path.join(root, "versions")
    names = sorted(os.listdir(versions)) if os.path.isdir(versions) else []
    return [os.path.join(versions, name, "bin", "python3") for name in names]


def main() -> int:
    """Runs one command with a Python that will do, and returns its exit status."""
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        print(__doc__.strip())
        return 0 if sys.argv[1:] in ([], ["-h"], ["--help"]) else 2
    missing = what_is_missing()
    if missing is None:
        import workshop

        return workshop.run(sys.argv[1], sys.argv[2:])
    for python in NAMES + pyenv_pythons():
        if serves(python):
            return subprocess.call([python, os.path.abspath(__file__)] + sys.argv[1:])  # noqa: RUF005
    print(missing, file=sys.stderr)
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
