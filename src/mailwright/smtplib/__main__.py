"""``python -m mailwright.smtplib``: asks for sender, recipients and message, for this machine's mail server."""

from __future__ import annotations

import sys

from mailwright.smtplib import SMTP


def _ask(what: str) -> str:
    sys.stdout.write(f"{what}: ")
    sys.stdout.flush()
    return sys.stdin.readline().strip()


def main() -> None:
    """Ask, and send."""
    sender, recipients = _ask("From"), _ask("To").split(",")
    sys.stdout.write("Enter message, end with ^D:\n")
    sys.stdout.flush()
    message = sys.stdin.read()
    sys.stdout.write(f"Message length is {len(message)}\n")
    server = SMTP("localhost")
    server.set_debuglevel(1)
    server.sendmail(sender, recipients, message)
    server.quit()


if __name__ == "__main__":
    main()
