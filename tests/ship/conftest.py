"""The artifact, and the machine that it is made for."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tfdrift_plugin import bundle

from tests.real.fixtures import forky_root, missing
from tests.real.forky import MissingPartError, Root
from tests.ship import parts
from tests.ship.machine import Machine, machine

__all__ = ["forky_root"]


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The self-contained artifact, built once for all test processes; or the one that ``TFDRIFT_ARTIFACT`` names."""
    if named := os.environ.get("TFDRIFT_ARTIFACT"):
        return Path(named).resolve()
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    dist = folder / "dist"
    dist.mkdir(exist_ok=True)
    with (dist / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = next(dist.glob("tfdrift-*.tar.gz"), None)
        return built or bundle.bundle(dist, folder / "bundle")


@pytest.fixture(scope="session")
def falcoctl() -> Path:
    try:
        return parts.tool("falcoctl", "github.com/falcosecurity/falcoctl")
    except MissingPartError as error:
        missing(str(error))


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    try:
        with parts.registry(tmp_path) as address:
            yield address
    except MissingPartError as error:
        missing(str(error))


@pytest.fixture
def bare(forky_root: Root, tmp_path: Path) -> Iterator[Machine]:
    folder = tmp_path / "machine"
    folder.mkdir()
    try:
        with machine(forky_root, folder) as found:
            yield found
    except MissingPartError as error:
        missing(str(error))
