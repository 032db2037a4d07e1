"""TFDrift and Falco's own cloudtrail plugin, side by side, on the same compressed trail.

    python -m bench.cloudtrail                                   TFDrift alone
    python -m bench.cloudtrail --peer path/to/libcloudtrail.so   and the peer, in the same run
    python -m bench.cloudtrail --other path/to/another/checkout  and another version, which is built there
    python -m bench.cloudtrail --no-ends                         of a trail in which no drift ends

The host is sysdig, that is libsinsp, in a Debian root of its own; both plugins run in it, in turn, with a filter on
event names, once on all cores and once pinned to one.  The host's start is part of every number.
"""

import argparse
import compileall
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bench import trail
from tests.real import forky
from tests.real.plugin import Plugin, borrow_python
from tests.real.sysdig import Sysdig, put

REPO = Path(__file__).resolve().parents[1]
LIBRARY = REPO / "build" / "libtfdrift.so"
NAMES = ("ModifyInstanceAttribute", "RunInstances", "TerminateInstances", "AuthorizeSecurityGroupIngress")
SECONDS = 600.0


@dataclass(frozen=True)
class Measured:
    what: str
    records: int
    events: int
    seconds: float
    cpu: float
    megabytes: float

    def row(self) -> str:
        return (
            f"| {self.what} | {self.records:,} | {self.seconds:.1f} s | {self.records / self.seconds:,.0f} "
            f"| {self.cpu:.1f} s | {self.megabytes:,.0f} MB | {self.events:,} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, help="libcloudtrail.so of falcosecurity/plugins")
    parser.add_argument("--other", type=Path, help="another checkout, with its .venv and its library")
    parser.add_argument("--no-ends", action="store_true", help="make a trail in which nobody ends a drift")
    parser.add_argument("--library", type=Path, default=LIBRARY)
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--records", type=int, default=1000, help="in each file")
    parser.add_argument("--repeat", type=int, default=3, help="the best of so many")
    parser.add_argument("--folder", type=Path, help="where the trail is made; kept, and used again")
    parser.add_argument("--one", nargs=2, metavar=("NAME", "CORES"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(asdict(measure(arguments, *arguments.one))))
        return
    for modules in (REPO / "tfdrift_core", REPO / "plugin"):
        # As the artifact has them; a host does not compile them at each start.
        compileall.compile_dir(modules, quiet=1)
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="tfdrift-bench-"))
    try:
        run(arguments, folder)
    finally:
        if arguments.folder is None:
            shutil.rmtree(folder)


def run(arguments: argparse.Namespace, folder: Path) -> None:
    if not (folder / "state.tfstate").exists():
        size = trail.write(folder / "trail", arguments.files, arguments.records, not arguments.no_ends)
        (folder / "state.tfstate").write_bytes(trail.state())
        print(f"{arguments.files} files of {arguments.records} records of {size} bytes")
    print(f"{_cpu()}, {os.cpu_count()} cores, {platform.platform()}, Python {platform.python_version()}\n")
    print("| plugin, cores | records | time | records/s | CPU | memory | events |")
    print("|---|---|---|---|---|---|---|")
    cores = ",".join(map(str, sorted(os.sched_getaffinity(0))))
    runs = [("tfdrift", cores), ("tfdrift", cores.split(",")[0])]
    if arguments.other:
        runs += [("other", cores), ("other", cores.split(",")[0])]
    if arguments.peer:
        runs += [("peer", cores), ("peer", cores.split(",")[0])]
    best: dict[tuple[str, str], Measured] = {}
    # In turn, so that what else the machine does meets them alike.
    for _ in range(arguments.repeat):
        for name, where in runs:
            found = _in_process_of_its_own(arguments, name, where, folder)
            known = best.get((name, where))
            best[name, where] = found if known is None or found.seconds < known.seconds else known
    for found in best.values():
        print(found.row())
    if arguments.peer:
        ours, theirs = (min(best[run].seconds for run in runs if run[0] == name) for name in ("tfdrift", "peer"))
        print(
            f"\nAt its best, TFDrift reads {theirs / ours:.1f} times as many records a second as the peer at its best."
        )


def _in_process_of_its_own(arguments: argparse.Namespace, name: str, cores: str, folder: Path) -> Measured:
    command = ["-m", "bench.cloudtrail", "--folder", str(folder.resolve()), "--one", name, cores]
    command += ["--files", str(arguments.files), "--records", str(arguments.records)]
    python, where = sys.executable, REPO
    if name == "other":
        where = arguments.other.resolve()
        python, command[command.index(name)] = str(where / ".venv" / "bin" / "python"), "tfdrift"
    elif name == "peer":
        command += ["--peer", str(arguments.peer.resolve())]
    else:
        command += ["--library", str(arguments.library.resolve())]
    done = subprocess.run([python, *command], cwd=where, check=False, capture_output=True, text=True, timeout=SECONDS)
    if done.returncode:
        raise SystemExit(done.stderr)
    found = Measured(**json.loads(done.stdout.splitlines()[-1]))
    return replace(found, what=f"{name}, {len(cores.split(','))}")


def measure(arguments: argparse.Namespace, name: str, cores: str) -> Measured:
    folder: Path = arguments.folder.resolve()
    os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    root = replace(forky.root(), shared=()).sharing(folder)
    condition = f"in ({', '.join(NAMES)})"
    if name == "peer":
        library = put(root, arguments.peer, "/opt/bench/libcloudtrail.so")
        sysdig = Sysdig(root, library, "cloudtrail", json.dumps({"useS3SNS": False}))
        command: Sequence[str] = ["-I", f"cloudtrail:{folder}/trail", "-p", "%ct.name", f"ct.name {condition}"]
    else:
        state = [str(folder / "state.tfstate")]
        sysdig = Plugin(borrow_python(root, arguments.library.resolve()), arguments.library.resolve()).sysdig(
            state=state
        )
        command = ["-I", f"tfdrift:{folder}/trail", "-p", "%ct.name", f"ct.name {condition}"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    config = f":{sysdig.config}" if sysdig.config else ""
    done = sysdig.root.run(["sysdig", "-H", f"{sysdig.plugin}{config}", *command], timeout=SECONDS)
    seconds = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stderr.decode(errors="replace"))
    return Measured(
        f"{name}, {len(cores.split(','))}",
        arguments.files * arguments.records,
        done.stdout.count(b"\n"),
        seconds,
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        after.ru_maxrss / 1024,
    )


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    main()
