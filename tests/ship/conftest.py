"""The artifact, and the machine that it is made for."""

import fcntl
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer
from tfdrift_plugin import bundle

from tests.real.fixtures import forky_root
from tests.real.forky import Root
from tests.ship import parts
from tests.ship.machine import Machine, machine
from tests.ship.sample import CREDENTIALS

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
    return parts.tool("falcoctl", "github.com/falcosecurity/falcoctl")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    with parts.registry(tmp_path) as address:
        yield address


@pytest.fixture
def bare(forky_root: Root, tmp_path: Path) -> Iterator[Machine]:
    folder = tmp_path / "machine"
    folder.mkdir()
    with machine(forky_root, folder) as found:
        yield found


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of moto's server."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    yield url
    # What was made there belongs to the process, not to the server.
    urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset", method="POST"), timeout=60).close()
    server.stop()
