"""The built ``libtfdrift.so`` inside the forky root, with the Python that it was built for.

The root has no Python of its own.  The directories that the plugin's ``runtime.conf`` names are lent to it, and so are
the libraries of this machine that Python's extension modules want and the root lacks.
"""

import filecmp
import json
import re
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from tests.real.forky import REPO, Root
from tests.real.sysdig import Sysdig, put

LIBRARIES = Path("/opt/borrowed")


def borrow_python(root: Root, library: Path) -> Root:
    """The root, seeing the checkout and the Python of ``library``."""
    conf = next(library.parent.glob("tfdrift-*/runtime.conf")).read_text(encoding="utf-8")
    named = [Path(line.partition("=")[2]) for line in conf.splitlines() if line.startswith(("home=", "path="))]
    # The system's own Python lives in what the root needs itself; its directories below are lent one by one.
    directories = {path for path in (REPO, *named) if path.is_absolute() and path != Path("/usr")}
    outermost = [path for path in sorted(directories) if not directories & set(path.parents)]
    extensions = [file for path in named if path.name == "lib-dynload" for file in path.glob("*.so")]
    _borrow_libraries(root, [library, *extensions])
    return root.sharing(*outermost)


def _borrow_libraries(root: Root, extensions: list[Path]) -> None:
    known = {path.name for path in root.inside("/usr/lib").rglob("*.so*")}
    listed = subprocess.run(["ldd", *map(str, extensions)], capture_output=True, text=True, check=False).stdout
    folder = root.inside(LIBRARIES)
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in set(re.findall(r"(\S+) => (/\S+)", listed)):
        borrowed = folder / name
        # Another Python's, from an earlier run, would end the process.
        if name not in known and not (borrowed.exists() and filecmp.cmp(path, borrowed, shallow=False)):
            put(root, Path(path), f"{LIBRARIES}/{name}")


@dataclass(frozen=True, slots=True)
class Plugin:
    """The plugin in sysdig; ``config`` is its init_config."""

    root: Root
    library: Path

    def sysdig(self, **config: object) -> Sysdig:
        root = replace(self.root, env=(("LD_LIBRARY_PATH", str(LIBRARIES)),))
        return Sysdig(root, str(self.library), "tfdrift", json.dumps(config) if config else "")
