"""The artifact's files, and nothing else, in libsinsp: what it reads, and what it puts up with."""

import subprocess
from pathlib import Path

import pytest

from tests.real.forky import REPO
from tests.real.parts import MissingPartError
from tests.ship.machine import Machine
from tests.ship.sample import ENVIRONMENT, EXAMPLES, PLUGINS, drift, from_the_cloud, sample

NOBODY = 65534


@pytest.fixture
def installed(bare: Machine, artifact: Path) -> Machine:
    """The bare machine with the artifact unpacked."""
    folder = bare.root / PLUGINS.lstrip("/")
    folder.mkdir(parents=True)
    subprocess.run(["tar", "-xzf", artifact, "-C", folder, "--no-same-owner"], check=True)
    return bare


def test_records_from_sqs_and_state_from_s3(installed: Machine, aws: str) -> None:
    place = sample(installed)
    expected = drift(installed, place).lines
    seen = from_the_cloud(installed, place, aws, len(expected))
    assert sorted(seen.lines) == sorted(expected)
    print(f"{len(seen.lines)} events from SQS, with two states from S3: {seen.seconds:.2f} s")


def written(machine: Machine) -> dict[Path, int]:
    """When every file and directory of the plugin was last changed."""
    return {path: path.stat().st_mtime_ns for path in (machine.root / PLUGINS.lstrip("/")).rglob("*")}


def test_it_puts_up_with_its_surroundings(installed: Machine) -> None:
    """A read-only root, nobody for a user, no home, a hostile environment, and jemalloc, as in Falco's own builds."""
    jemalloc = next(Path("/usr/lib").glob("*/libjemalloc.so.2"), None)
    if jemalloc is None:
        raise MissingPartError("jemalloc")
    installed.put(jemalloc, "/usr/lib/libjemalloc.so.2", 0o755)
    place = sample(installed)
    before = written(installed)
    expected = drift(installed, place).lines
    preload = {"LD_PRELOAD": "/usr/lib/libjemalloc.so.2"}
    assert "libjemalloc" in installed.run("sh", "-c", "exec cat /proc/self/maps", env=preload).out
    assert drift(installed, place, env=preload).lines == expected
    assert drift(installed, place, env=ENVIRONMENT).lines == expected
    assert written(installed) == before
    installed.make_read_only()
    assert installed.run("touch", "/tmp/x").code != 0
    assert drift(installed, place, env={**ENVIRONMENT, **preload}, user=NOBODY).lines == expected


def test_how_large_and_how_fast(installed: Machine, artifact: Path) -> None:
    place = sample(installed)
    sizes = [path.stat().st_size for path in (installed.root / PLUGINS.lstrip("/")).rglob("*") if path.is_file()]
    seen = [drift(installed, place, "-n", "1") for _ in range(2)]
    assert [len(one.lines) for one in seen] == [1, 1]
    print(f"packed {artifact.stat().st_size / 1e6:.1f} MB, unpacked {sum(sizes) / 1e6:.1f} MB in {len(sizes)} files")
    print("process start to first event:", ", ".join(f"{one.seconds:.2f} s" for one in seen))


def test_in_falco_itself(falco: str, artifact: Path, tmp_path: Path) -> None:
    subprocess.run(["tar", "-xzf", artifact, "-C", tmp_path, "--no-same-owner"], check=True)
    config = tmp_path / "falco.yaml"
    text = (EXAMPLES / "falco.yaml").read_text()
    config.write_text(text.replace("${TFDRIFT_ROOT}/build/libtfdrift.so", f"{tmp_path}/libtfdrift.so"))
    done = subprocess.run(
        [falco, "-U", "-c", config, "--disable-source", "syscall"],
        env={**ENVIRONMENT, "TFDRIFT_ROOT": str(REPO)}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Compute created outside Terraform" in done.stdout
