"""The built plugin, and C programs that play Falco's part."""

import fcntl
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tfdrift_plugin import build

from tests.events import RECORD
from tests.real.fixtures import forky_root

__all__ = ["forky_root"]

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
EVENTS = 50
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


@pytest.fixture(scope="session")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state with one instance and a trail in which its type is changed over and over."""
    folder = tmp_path_factory.mktemp("trail")
    attributes = {
        "id": "i-0abc",
        "instance_type": "t3.micro",
        "arn": "arn:aws:ec2:ap-northeast-1:012345678901:instance/i-0abc",
    }
    resource = {
        "mode": "managed",
        "type": "aws_instance",
        "name": "web",
        "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
        "instances": [{"schema_version": 1, "attributes": attributes}],
    }
    state = {
        "version": 4,
        "terraform_version": "1.11.0",
        "serial": 1,
        "lineage": "x",
        "outputs": {},
        "resources": [resource],
    }
    (folder / "terraform.tfstate").write_text(json.dumps(state))
    with (folder / "trail.json").open("w") as out:
        for n in range(EVENTS):
            request = {"instanceId": "i-0abc", "instanceType": {"value": f"t3.{n}large"}}
            out.write(json.dumps({**RECORD, "eventID": f"id-{n}", "requestParameters": request}) + "\n")
    return folder


def settings(trail: Path, **more: object) -> str:
    return json.dumps({"state": [str(trail / "terraform.tfstate")], "coalesce": False, **more})


def drive(
    driver: Path, library: Path, config: str, params: str, cycles: int, environment: Mapping[str, str]
) -> tuple[int, str, str]:
    command = [str(driver), str(library), config, params, str(cycles)]
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False, cwd="/")
    return done.returncode, done.stdout, done.stderr


def report(result: tuple[int, str, str]) -> dict[str, Any]:
    code, out, err = result
    assert code == 0, f"{out}\n{err}"
    summary: dict[str, Any] = json.loads(out.splitlines()[-1])
    return summary
