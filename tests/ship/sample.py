"""The sample infrastructure and the day of ``examples/`` on a bare machine, through libsinsp."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.real.forky import REPO
from tests.ship.machine import Machine

EXAMPLES = REPO / "examples"
PLUGINS = "/usr/share/falco/plugins"
OUTPUT = "*%drift.id %drift.kind %resource %drift.path %drift.old_value %drift.new_value %drift.user %ct.name"
ENVIRONMENT = {
    "HOME": "/nonexistent",
    "PYTHONHOME": "/nonsense",
    "PYTHONPATH": "/nonsense",
    "PYTHONSTARTUP": "/nonsense",
    "PYTHONMALLOC": "nonsense",
    "PYTHONHASHSEED": "nonsense",
    "LC_ALL": "xx_XX.nonsense",
}
"""What would stop a Python that listens to its environment."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Lines as printed; ``seconds`` until the process had printed its first event and ended."""

    lines: list[str]
    seconds: float


def sample(machine: Machine) -> Path:
    """Copies the examples to the machine, and gives their place there."""
    for file in EXAMPLES.rglob("*"):
        if file.is_file():
            machine.put(file, f"/srv/{file.relative_to(EXAMPLES)}")
    return Path("/srv")


def settings(place: Path) -> dict[str, object]:
    return {
        "state": [f"{place}/state/network.tfstate", f"{place}/state/app.tfstate"],
        "config": [f"{place}/infrastructure/network", f"{place}/infrastructure/app"],
    }


def sysdig(
    machine: Machine, config: object, params: str, *more: str, env: Mapping[str, str] | None = None, user: int = 0
) -> Seen:
    """The plugin where falcoctl puts it, in libsinsp."""
    plugin = f"{PLUGINS}/libtfdrift.so:{json.dumps(config)}"
    command = ["sysdig", "-H", plugin, "-I", f"tfdrift:{params}", "-p", OUTPUT, *more]
    started = time.monotonic()
    done = machine.run(*command, env=env, user=user, timeout=120)
    seconds = time.monotonic() - started
    assert done.code == 0, done.error
    assert "Traceback" not in done.error
    return Seen(done.out.splitlines(), seconds)


def drift(machine: Machine, place: Path, *more: str, env: Mapping[str, str] | None = None, user: int = 0) -> Seen:
    return sysdig(machine, settings(place), f"{place}/trail", *more, env=env, user=user)
