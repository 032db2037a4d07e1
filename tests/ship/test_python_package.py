"""What pip installs: sdist and wheel, in an environment that has never seen the checkout."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import tfdrift_core
from tests.real.forky import REPO

VERSION = tfdrift_core.__version__
EXAMPLES = REPO / "examples"
SIDES = ("tfdrift_core", "plugin/tfdrift_plugin")


def run(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "TFDRIFT"))}
    # A virtual environment's own name would lead the build to this one's packages.
    environment.pop("VIRTUAL_ENV", None)
    return subprocess.run(
        [*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=900
    )


def good(*command: object, cwd: Path) -> str:
    done = run(*command, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, and the wheel that is built from it alone."""
    folder = tmp_path_factory.mktemp("distributions")
    good(sys.executable, "-m", "build", "--installer", "pip", "-o", folder, REPO, cwd=folder)
    return folder / f"tfdrift_falco-{VERSION}.tar.gz", folder / f"tfdrift_falco-{VERSION}-py3-none-any.whl"


def sources(*places: str) -> set[str]:
    """The files of the checkout there, by their place in it; not what Python makes."""
    return {
        path.relative_to(REPO).as_posix()
        for place in places
        for path in (REPO / place).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_everything_is_in_them(distributions: tuple[Path, Path]) -> None:
    sdist, wheel = distributions
    expected = sources(*SIDES)
    with tarfile.open(sdist) as tar:
        inside = {entry.name.partition("/")[2] for entry in tar if entry.isreg()}
    assert expected | {"build_plugin.py", "constraints.txt", "rules/tfdrift_rules.yaml", "LICENSE"} <= inside
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    packaged = {name.removeprefix("plugin/") for name in expected}
    assert names == packaged | {"tfdrift_plugin/rules/tfdrift_rules.yaml"}
    assert {"tfdrift_core/py.typed", "tfdrift_plugin/py.typed", "tfdrift_plugin/csrc/plugin.c"} <= names


def test_in_a_fresh_environment(distributions: tuple[Path, Path], tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    good(sys.executable, "-m", "venv", environment, cwd=tmp_path)
    constraints = REPO / "constraints.txt"
    good(environment / "bin/pip", "install", "-q", "-c", constraints, distributions[1], cwd=tmp_path)
    tfdrift = environment / "bin/tfdrift"

    assert good(tfdrift, "--version", cwd=tmp_path) == f"tfdrift {VERSION}\n"
    states = [word for name in ("network", "app") for word in ("--state", EXAMPLES / "state" / f"{name}.tfstate")]
    assert "instance_type" in good(tfdrift, "replay", *states, EXAMPLES / "trail", cwd=tmp_path)

    missing = run(tfdrift, "plugin", "path", cwd=tmp_path)
    assert missing.returncode == 1
    assert "tfdrift plugin build" in missing.stderr
    built = good(tfdrift, "plugin", "build", cwd=tmp_path).splitlines()[-1]
    assert good(tfdrift, "plugin", "path", cwd=tmp_path) == f"{built}\n"
    assert Path(built).is_relative_to(environment)
    # With the rules that came along.
    alerts = good(tfdrift, "run", *states, EXAMPLES / "trail", cwd=tmp_path)
    assert "Critical" in alerts

    program = "import tfdrift_core, tfdrift_plugin.host; print(tfdrift_core.__file__)"
    assert good(environment / "bin/python", "-c", program, cwd=tmp_path).startswith(str(environment))


def test_where_the_library_cannot_be_written(tmp_path: Path) -> None:
    target = "/proc/nothing/libtfdrift.so"
    done = run(sys.executable, "-c", "import sys; from tfdrift_core.cli import main; sys.exit(main())",
               "plugin", "build", "--output", target, cwd=tmp_path)  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("name another place with --output")
    assert "Traceback" not in done.stderr
