"""Every LogQL query is parsed with the grammar of Grafana's own editor."""

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.grafana.queries import queries
from tests.real.parts import MissingPartError
from tests.rules.sample_events import ROOT

PACKAGE = Path(__file__).with_name("logql")


@pytest.fixture(scope="module")
def parser() -> Path:
    """The parser's script beside its packages, which are installed once into ``.cache``."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise MissingPartError("Node.js and npm")
    lock_file = PACKAGE / "package-lock.json"
    folder = ROOT / ".cache" / f"logql-{hashlib.sha256(lock_file.read_bytes()).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in ("package.json", "package-lock.json", "parse.mjs"):
            shutil.copy(PACKAGE / name, folder / name)
        if not (folder / "node_modules").exists():
            command = [str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
    return folder / "parse.mjs"


def refused(parser: Path, text: str) -> str:
    done = subprocess.run(["node", str(parser)], input=text, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout


def test_the_parser_refuses_what_is_wrong(parser: Path) -> None:
    wrong = ["{source=}", '{a="b"} | json c="d']
    lines = refused(parser, "\n".join(wrong)).splitlines()
    assert [line.partition(": ")[2] for line in lines] == wrong


def test_every_query_is_logql(parser: Path) -> None:
    texts = [query.filled() for query in queries() if query.kind == "loki"]
    assert len(texts) > 20
    assert refused(parser, "\n".join(texts)) == ""
