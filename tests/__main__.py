"""All tests, or the quick ones, in stages: what fails soonest comes first.

    python -m tests                all
    python -m tests fast           style, types and what needs nothing but Python
    python -m tests --keep-going   later stages also where an earlier one failed

``PYTEST_ARGS`` goes to pytest.  With ``REAL=required`` a real part that is missing fails its tests; else they are left
out, and the end says which and how to install it.
"""

import argparse
import os
import shlex
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from tests.real import parts

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
STAGES = {"unit": "not host and not slow", "host": "host and not slow", "slow": "slow"}
LINT = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("zizmor", "--offline", "--quiet", ".github"),
)
SLOWEST = 10
NOTHING_COLLECTED = 5


@dataclass
class Outcome:
    """What all stages together came to."""

    numbers: Counter[str] = field(default_factory=Counter)
    lacking: Counter[str] = field(default_factory=Counter)
    slowest: list[tuple[float, str]] = field(default_factory=list)

    def read(self, report: Path) -> None:
        """Adds a JUnit report of pytest's."""
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):
            self.numbers.update({name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")})
            for case in suite.iter("testcase"):
                name = f"{case.get('classname', '').replace('.', '/')}::{case.get('name')}"
                self.slowest.append((float(case.get("time", 0)), name))
                for skipped in case.iter("skipped"):
                    kind, _, what = skipped.get("message", "").partition(": ")
                    if kind == "missing":
                        self.lacking[what.splitlines()[0]] += 1

    def tell(self) -> None:
        print(f"\nThe slowest {SLOWEST} tests:")
        for seconds, name in sorted(self.slowest, reverse=True)[:SLOWEST]:
            print(f"  {seconds:6.1f} s  {name}")
        for what, count in sorted(self.lacking.items()):
            print(f"missing: {what} ({count} test{'s' * (count > 1)} left out)")
        print(self.closing())

    @property
    def failed(self) -> int:
        return self.numbers["failures"] + self.numbers["errors"]

    def closing(self) -> str:
        passed = self.numbers["tests"] - self.failed - self.numbers["skipped"]
        return f"{passed} passed, {self.failed} failed, {self.numbers['skipped']} skipped"


def lint() -> bool:
    codes = [subprocess.run([BIN / tool, *rest], cwd=ROOT, check=False).returncode for tool, *rest in LINT]
    return not any(codes)


def run(stage: str, outcome: Outcome, environment: dict[str, str]) -> bool:
    """Whether the tests of a stage passed."""
    report = ROOT / "build" / f"tests-{stage}.xml"
    report.parent.mkdir(exist_ok=True)
    report.unlink(missing_ok=True)
    more = shlex.split(os.environ.get("PYTEST_ARGS", "-n auto --dist worksteal"))
    command = [sys.executable, "-m", "pytest", "-m", STAGES[stage], f"--junitxml={report}", *more]
    code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    if report.exists():
        outcome.read(report)
    elif code not in (0, NOTHING_COLLECTED):
        outcome.numbers["errors"] += 1
        outcome.numbers["tests"] += 1
    return code in (0, NOTHING_COLLECTED)


def announce() -> None:
    """Says before the tests which parts are missing."""
    if lacking := parts.missing():
        named = ", ".join(part.name for part in lacking)
        then = "their tests fail" if os.environ.get("REAL") == "required" else "their tests are left out"
        print(f"Missing here: {named}; {then}. As root, `{parts.INSTALL}` installs them.", flush=True)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("which", nargs="?", choices=("all", "fast"), default="all")
    parser.add_argument("--keep-going", action="store_true", help="later stages also where an earlier one failed")
    arguments = parser.parse_args(argv)
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    os.environ["PATH"] = environment["PATH"]
    stages = ["lint", *(["unit"] if arguments.which == "fast" else STAGES)]
    outcome, good = Outcome(), True
    if arguments.which == "all":
        announce()
    for number, stage in enumerate(stages, 1):
        print(f"\n== {stage} ({number} of {len(stages)})", flush=True)
        begun = time.monotonic()
        good &= lint() if stage == "lint" else run(stage, outcome, environment)
        print(f"== {stage}: {time.monotonic() - begun:.0f} s", flush=True)
        if not good and not arguments.keep_going:
            if rest := stages[number:]:
                print(f"not run after that: {', '.join(rest)}")
            break
    outcome.tell()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
