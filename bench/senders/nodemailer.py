"""nodemailer (Node.js); what it does stands in nodemailer.js."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from bench import corpus
from bench.job import Command, Job, Missing
from bench.senders import UNPACKED

EXTERNAL = True
PACE = 0.4

_FOLDER = UNPACKED / "nodemailer" / "node_modules" / "nodemailer"


def version() -> str:
    """The package's, and Node's."""
    node = _node()
    if not _FOLDER.exists():
        raise Missing("nodemailer is not installed: python3 tools/get_servers.py nodemailer")
    own = json.loads((_FOLDER / "package.json").read_text("utf-8"))["version"]
    return (
        f"nodemailer {own} on Node {subprocess.run([node, '--version'], capture_output=True, text=True).stdout.strip()}"
    )


def _node() -> str:
    node = shutil.which("node")
    if node is None:
        raise Missing("node is not installed")
    return node


def _act(name: str) -> Callable[[Job], Command]:
    def command(job: Job) -> Command:
        rich = corpus.Rich
        told = json.loads(job.to_json()) | {
            "act": name, "library": str(_FOLDER), "sender": job.sender, "recipient": job.recipient,
            "finished": corpus.finished(0).decode("ascii"), "different": corpus.DIFFERENT,
            "subject": corpus.SUBJECT, "body": corpus.BODY, "small": corpus.SMALL,
            "addresses": corpus.addresses(job.recipients if name == "addressed" else 0),
            "rich": {key: getattr(rich, key) for key in ("subject", "sender", "recipient", "text", "html", "name")}
            | {"file": rich.file.hex()},
        }  # fmt: skip
        path = Path(job.folder) / "nodemailer.json"
        path.write_text(json.dumps(told), "utf-8")
        return Command([_node(), str(Path(__file__).with_suffix(".js")), str(path)])

    return command


finished, composed, attached, built = _act("finished"), _act("composed"), _act("attached"), _act("built")
addressed, anew, process = _act("addressed"), _act("anew"), _act("process")
