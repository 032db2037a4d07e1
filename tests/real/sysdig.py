"""libsinsp as a judge: sysdig in the forky root with a plugin."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.real.forky import RUN_SECONDS, Root


@dataclass(frozen=True, slots=True)
class Result:
    code: int
    lines: tuple[bytes, ...]
    error: str


@dataclass(frozen=True, slots=True)
class Sysdig:
    """``plugin`` is the shared object's path inside the root; ``config`` its init_config."""

    root: Root
    plugin: str
    name: str
    config: str = ""

    def run(self, *arguments: str, timeout: float = RUN_SECONDS) -> Result:
        config = [f":{self.config}"] if self.config else []
        done = self.root.run(["sysdig", "-H", self.plugin + "".join(config), *arguments], timeout=timeout)
        return Result(done.returncode, tuple(done.stdout.splitlines()), done.stderr.decode(errors="replace").strip())

    def live(self, params: str, output: str, condition: str = "", timeout: float = RUN_SECONDS) -> Result:
        """Prints ``output`` for every event of the source ``params`` that ``condition`` lets through."""
        filters = [condition] if condition else []
        return self.run("-I", f"{self.name}:{params}", "-p", output, *filters, timeout=timeout)

    def record(self, params: str, capture: str) -> Result:
        """Writes the events of the source ``params`` to a capture file of the root."""
        return self.run("-I", f"{self.name}:{params}", "-w", capture)

    def replay(self, capture: str, output: str, condition: str = "") -> Result:
        return self.run("-r", capture, "-p", output, *([condition] if condition else []))


def put(root: Root, source: Path, target: str) -> str:
    """Copies a file into the root and gives its path there.  Other test processes may do the same, or use it."""
    inside = root.inside(target)
    inside.parent.mkdir(parents=True, exist_ok=True)
    unfinished = inside.with_name(f"{inside.name}.{os.getpid()}")
    shutil.copy(source, unfinished)
    unfinished.rename(inside)
    return target
