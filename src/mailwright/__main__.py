"""``python -m mailwright``."""

from __future__ import annotations

from mailwright.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
