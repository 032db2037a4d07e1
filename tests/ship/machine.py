"""A machine that has nothing but Debian forky and sysdig: no Python, no compiler, no network tools.

It is the cached forky root under a layer of its own, so that whatever is installed or broken in it is gone afterwards.
"""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.real.forky import RUN_SECONDS, MissingPartError, Root

# The directories that other tests share with the root are hidden.
_MOUNTS = """
set -e
mount -t tmpfs tmpfs "$2"
mkdir "$2/upper" "$2/work" "$2/merged"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/merged"
mount -t proc proc "$2/merged/proc"
mount -t tmpfs tmpfs "$2/merged/opt"
mount -t tmpfs tmpfs "$2/merged/tmp"
chmod 1777 "$2/merged/tmp"
echo ready
exec cat
"""


@dataclass(frozen=True, slots=True)
class Done:
    code: int
    out: str
    error: str


@dataclass(frozen=True, slots=True)
class Machine:
    """``root`` is how this process sees the machine's files."""

    root: Path
    _pid: int
    _place: Path

    def put(self, source: Path, target: str, mode: int = 0o644) -> None:
        inside = self.root / target.lstrip("/")
        inside.parent.mkdir(parents=True, exist_ok=True)
        inside.write_bytes(source.read_bytes())
        inside.chmod(mode)

    def run(
        self, *command: str, env: Mapping[str, str] | None = None, user: int = 0, timeout: float = RUN_SECONDS
    ) -> Done:
        """Runs a command of the machine; a bad exit code does not raise.  The network is this machine's."""
        enter = ["nsenter", f"--mount=/proc/{self._pid}/ns/mnt", "chroot", f"--userspec={user}:{user}"]
        clean = {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin", "HOME": "/root", "TZ": "UTC", **(env or {})}
        # The environment is for the command, not for the tools that enter the machine.
        command = ("env", "-i", *(f"{key}={value}" for key, value in clean.items()), *command)
        done = subprocess.run(
            [*enter, str(self._place / "merged"), *command], stdin=subprocess.DEVNULL, capture_output=True,
            text=True, errors="replace", timeout=timeout, check=False,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    def make_read_only(self) -> None:
        for place in ("", "/tmp", "/opt"):
            target = f"{self._place}/merged{place}"
            command = ["nsenter", f"--mount=/proc/{self._pid}/ns/mnt", "mount", "-o", "remount,bind,ro", target]
            subprocess.run(command, check=True)


@contextmanager
def machine(root: Root, folder: Path) -> Iterator[Machine]:
    """:raises MissingPartError: if this machine cannot mount."""
    process = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", _MOUNTS, "sh", str(root.path), str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    if process.stdout.readline() != "ready\n":
        raise MissingPartError("mounting", f"run the tests where root may mount:\n{process.communicate()[1]}")
    try:
        yield Machine(Path(f"/proc/{process.pid}/root{folder}/merged"), process.pid, folder)
    finally:
        process.communicate()
