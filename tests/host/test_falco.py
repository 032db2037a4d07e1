"""The same alerts from Falco itself, where there is one: no package registry has it, so CI cannot ask for it."""

import os
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest

from tests.plugin.conftest import library as tfdrift_library
from tests.real.forky import REPO

__all__ = ["tfdrift_library"]


@pytest.mark.usefixtures("tfdrift_library")
@pytest.mark.parametrize("options", [[], ["-o", "json_output=true"]])
def test_falco_prints_the_same(falco: str, options: list[str]) -> None:
    config = str(REPO / "examples" / "falco.yaml")
    env = {**os.environ, "TFDRIFT_ROOT": str(REPO), "FALCO_HOSTNAME": "here", "TZ": "UTC"}
    command = [falco, "-U", "-c", config, "--disable-source", "syscall", *options]
    host = [str(Path(sys.executable).with_name("tfdrift")), "run", "-c", config, *(["--json"] if options else [])]
    assert _alerts(command, env) == _alerts(host, env)


def _alerts(command: list[str], env: dict[str, str]) -> list[str]:
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=60)
    # Falco closes with its statistics.
    return list(takewhile(lambda line: not line.startswith("Events detected"), done.stdout.splitlines()))
