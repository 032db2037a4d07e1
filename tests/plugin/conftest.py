"""The built plugin, and C programs that play Falco's part."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from tfdrift_plugin import build

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")


def compile_program(source: Path, target: Path, includes: Sequence[Path], *more: str) -> Path:
    """Compile a C test program; ``more`` are further sources and flags."""
    strict = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-g"]
    paths = [f"-I{path}" for path in (build.SOURCES, *includes)]
    command = [*build.compiler(), *strict, *paths, str(source), *more, "-o", str(target), "-ldl", "-lpthread"]
    subprocess.run(command, check=True)
    return target


@pytest.fixture(scope="session")
def library() -> Path:
    """``build/libtfdrift.so``, made from the sources as they are now."""
    output = ROOT / "build" / "libtfdrift.so"
    output.parent.mkdir(exist_ok=True)
    with (output.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes share the folder
        inputs = [*build.SOURCES.iterdir(), *(ROOT / "tfdrift_core").glob("*.*"), Path(build.__file__)]
        if not output.is_file() or output.stat().st_mtime < max(path.stat().st_mtime for path in inputs):
            build.build(output)
    return output


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Falco's part as a program without Python; see ``driver.c``."""
    return compile_program(HERE / "driver.c", tmp_path_factory.mktemp("driver") / "driver", [])


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """An environment that would break a Python that listens to it."""
    keep = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {**keep, "PYTHONHOME": "/nonsense", "PYTHONPATH": "/nonsense", "PYTHONSTARTUP": "/x", "HOME": "/nonexistent"}


def needs(program: str) -> None:
    """Skip without a program, but never on CI."""
    if shutil.which(program) is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{program} is not on PATH")
