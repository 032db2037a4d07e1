"""What stands outside of the machine: the Go tools, a registry, an archive of another version."""

import fcntl
import os
import shutil
import socket
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.real.forky import CACHE, REPO, MissingPartError

TOOLS = Path(__file__).with_name("tools")
BINARIES = CACHE / "go" / "bin"
# Seconds where its packages are compiled already; where not, a quarter of an hour on two busy cores.
BUILD_SECONDS = 3000


def tool(name: str, package: str, tools: Path = TOOLS) -> Path:
    """A Go program in the version that ``go.mod`` in ``tools`` pins, built once into ``.cache/go``.

    :raises MissingPartError: if it cannot be built.
    """
    go = shutil.which("go")
    if go is None:
        raise MissingPartError("Go")
    BINARIES.mkdir(parents=True, exist_ok=True)
    stamp = BINARIES / f"{name}.sum"
    pinned = (tools / "go.sum").read_text()
    with (BINARIES / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (BINARIES / name).exists() or not stamp.exists() or stamp.read_text() != pinned:
            # Without the checkout's revision: the build need not be inside a repository.
            command = [go, "build", "-buildvcs=false", "-mod=readonly", "-o", str(BINARIES / name), package]
            done = subprocess.run(
                command, cwd=tools, capture_output=True, text=True, check=False, timeout=BUILD_SECONDS
            )
            if done.returncode:
                raise MissingPartError(name, f"see why Go cannot build it:\n{done.stderr[-2000:]}")
            stamp.write_text(pinned)
    return BINARIES / name


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """Debian's OCI registry on loopback, without TLS; gives its host and port.

    :raises MissingPartError: if it is not installed, or does not start.
    """
    program = shutil.which("docker-registry")
    if program is None:
        raise MissingPartError("docker-registry")
    address = f"127.0.0.1:{free_port()}"
    config = folder / "registry.yml"
    config.write_text(
        "version: 0.1\nlog: {level: error}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/registry}}}}\nhttp: {{addr: '{address}'}}\n"
    )
    with (folder / "registry.log").open("w") as log:
        process = subprocess.Popen([program, "serve", config], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://{address}/v2/", timeout=10).close()
                break
            except (urllib.error.URLError, OSError):
                if process.poll() is not None:
                    break
                time.sleep(0.1)
        else:
            raise MissingPartError("docker-registry", "see why it does not answer")
        if process.poll() is not None:
            raise MissingPartError(
                "docker-registry", f"see why it does not start:\n{(folder / 'registry.log').read_text()}"
            )
        yield address
    finally:
        process.terminate()
        process.wait(timeout=30)


def push(registry: str, version: str, folder: Path) -> None:
    """``deploy/falcoctl/push.sh``, as a release runs it."""
    falcoctl = tool("falcoctl", "github.com/falcosecurity/falcoctl")
    environment = {
        "PATH": f"{falcoctl.parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "PLAIN_HTTP": "1",
    }
    command = [REPO / "deploy" / "falcoctl" / "push.sh", f"{registry}/tfdrift", version, folder]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def repack(archive: Path, target: Path, renamed: dict[str, str], replaced: dict[str, bytes]) -> Path:
    """The archive with other names for its top directories, and other contents for some of its files."""
    import io

    with (
        tarfile.open(archive) as old,
        tarfile.open(target, "w:gz", compresslevel=1, format=tarfile.USTAR_FORMAT) as new,
    ):
        for entry in old:
            data = old.extractfile(entry).read() if entry.isreg() else b""  # type: ignore[union-attr]
            data = replaced.get(entry.name, data)
            top, slash, rest = entry.name.partition("/")
            entry.name, entry.size = renamed.get(top, top) + slash + rest, len(data)
            new.addfile(entry, io.BytesIO(data))
    return target
