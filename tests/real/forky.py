"""A Debian forky root with sysdig, and so with the libsinsp that Falco is built on.

The root is made once and kept in ``.cache/forky`` (about 240 MB, half a minute).  Nothing but the ``apt`` configuration
of this machine says where packages come from.  Run ``python -m tests.real.forky`` to make it ahead of the tests.
"""

import fcntl
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.real.parts import MissingPartError

REPO = Path(__file__).resolve().parents[2]
CACHE = REPO / ".cache"
SUITE = "forky"
PACKAGES = ("sysdig",)
# What every attempt to reach a mirror may last; far more than a healthy one needs.
BUILD_SECONDS = 600
RUN_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Root:
    """A Linux root directory in which commands run by ``chroot``; they see ``shared`` directories at the same path."""

    path: Path
    shared: tuple[Path, ...] = ()
    env: tuple[tuple[str, str], ...] = ()

    def inside(self, path: str | Path) -> Path:
        """Where ``path`` of the root is seen from outside."""
        return self.path / str(path).lstrip("/")

    def sharing(self, *directories: Path) -> "Root":
        for directory in directories:
            self.inside(directory).mkdir(parents=True, exist_ok=True)
        return replace(self, shared=(*self.shared, *directories))

    def run(self, argv: Sequence[str], *, timeout: float = RUN_SECONDS) -> subprocess.CompletedProcess[bytes]:
        """Runs a command; a bad exit code does not raise.  Output is bytes, since what is printed may be anything."""
        clean = {"PATH": "/usr/sbin:/usr/bin", "HOME": "/root", "TZ": "UTC", **dict(self.env)}
        # libsinsp asks /proc about the machine.  The mounts are this command's own, so that none can be left behind.
        mounts = [["mount", "-t", "proc", "proc", str(self.path / "proc")]]
        mounts += [["mount", "--bind", "-o", "ro", str(one), str(self.inside(one))] for one in self.shared]
        steps = [*mounts, ["exec", "chroot", str(self.path), *argv]]
        script = " && ".join(map(shlex.join, steps))
        return subprocess.run(
            ["unshare", "--mount", "sh", "-c", script],
            env=clean, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False,
        )  # fmt: skip


def root() -> Root:
    """The root, made when it is missing.  Raises `MissingPartError` with what to do."""
    path = CACHE / SUITE
    if os.geteuid() != 0:
        raise MissingPartError(f"the {SUITE} root, which needs chroot", "run the tests as root")
    with _locked(CACHE / f"{SUITE}.lock"):
        if not path.is_dir():
            _build(path)
    return Root(path)


def _build(path: Path) -> None:
    if shutil.which("debootstrap") is None:
        raise MissingPartError("debootstrap")
    unfinished = path.with_suffix(".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    scripts = Path("/usr/share/debootstrap/scripts")
    script = scripts / (SUITE if (scripts / SUITE).exists() else "sid")
    _checked(["debootstrap", "--variant=minbase", SUITE, str(unfinished), mirror(), str(script)])
    # Not by debootstrap's --include: it does not resolve the virtual packages that libsinsp depends on.
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *PACKAGES]
    _checked(["chroot", str(unfinished), *install], DEBIAN_FRONTEND="noninteractive")
    shutil.rmtree(unfinished / "var/cache/apt/archives", ignore_errors=True)
    unfinished.rename(path)


def mirror() -> str:
    """The address of the Debian archive that this machine's own apt uses."""
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    codename = release.get("VERSION_CODENAME", "").strip('"')
    wanted = ["Created-By: Packages", f"Release: {codename}", "Component: main"]
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", *wanted], capture_output=True, text=True, check=False
    )
    archives = [uri for uri in targets.stdout.split() if uri.rstrip("/").endswith("/debian")]
    if not archives:
        raise MissingPartError(
            f"the {SUITE} root", f"run the tests where apt names a Debian archive for '{codename or 'its release'}'"
        )
    return archives[0]


def _checked(argv: Sequence[str], **env: str) -> None:
    done = subprocess.run(
        argv, env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=BUILD_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode:
        tail = "\n".join(done.stdout.decode(errors="replace").splitlines()[-15:])
        raise MissingPartError(
            f"the {SUITE} root", f"see why {argv[0]} failed ({done.returncode}) while it was built:\n{tail}"
        )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    print(root().path)
