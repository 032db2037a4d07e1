"""The plugin's life in a process that has no Python of its own, as Falco lives it."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from tfdrift_plugin import build

from tests.plugin.conftest import EVENTS, HERE, SANITIZERS, compile_program, drive, report, settings


def test_two_hundred_lives_leave_nothing_behind(
    driver: Path, library: Path, trail: Path, environment: dict[str, str]
) -> None:
    """Every life with a second init beside it, every tenth followed by dlclose and dlopen."""
    summary = report(drive(driver, library, settings(trail), str(trail / "trail.json"), 200, environment))
    assert summary["events"] == 200 * EVENTS
    assert summary["values"] > 40 * summary["events"]
    assert summary["growth_kb"] < 8 * 1024


def test_no_life_reads_memory_that_is_not_its_own(tmp_path: Path, trail: Path, environment: dict[str, str]) -> None:
    library = build.build(tmp_path / "build" / "libtfdrift.so", flags=SANITIZERS)
    driver = compile_program(HERE / "driver.c", tmp_path / "driver", [], *SANITIZERS)
    # Python itself never frees some of its memory, and is not built to be checked.
    options = {"ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1"}
    result = drive(driver, library, settings(trail), str(trail / "trail.json"), 12, {**environment, **options})
    assert report(result)["events"] == 12 * EVENTS


def test_metrics_tell_what_happened(driver: Path, library: Path, trail: Path, environment: dict[str, str]) -> None:
    metrics = report(drive(driver, library, settings(trail), str(trail / "trail.json"), 1, environment))["metrics"]
    assert metrics["records_read"] == ["counter", EVENTS]
    assert metrics["drift_modified"] == ["counter", EVENTS]
    assert metrics["state_resources"] == ["gauge", 1]
    assert metrics["queue_depth"] == ["gauge", 0]
    kind, age = metrics["last_event_age"]
    assert kind == "gauge"
    assert age > 0
    # Falco cuts these out of a metric's name.
    cut = ("_kb", "_bytes", "_mb", "_perc", "_percentage", "_ratio", "_ns", "_ts", "_sec", "_total")
    assert not [name for name in metrics if any(part in name for part in cut)]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ('{"nonsense": 1}', "init_config.nonsense: unknown key; known here: state, "),
        (
            '{"state": 7.5, "coalesce": "maybe"}',
            'init_config.coalesce: "maybe" is not allowed here; write true or false',
        ),
        ("{", "init_config, line 1, column 2: cannot be read"),
    ],
)
def test_a_wrong_configuration_is_explained(
    driver: Path, library: Path, environment: dict[str, str], config: str, message: str
) -> None:
    code, out, err = drive(driver, library, config, "x", 1, environment)
    assert code == 3, err
    assert message in out


def test_a_source_that_is_missing_is_explained(
    driver: Path, library: Path, trail: Path, environment: dict[str, str]
) -> None:
    code, out, err = drive(driver, library, settings(trail), str(trail / "nothing.json"), 1, environment)
    assert code == 4, err
    assert "nothing.json" in out


def test_no_source_at_all_is_explained(driver: Path, library: Path, trail: Path, environment: dict[str, str]) -> None:
    code, out, err = drive(driver, library, settings(trail), "", 1, environment)
    assert code == 4, err
    assert "sources" in out
    assert "open_params" in out


def test_sources_of_the_configuration_are_read(
    driver: Path, library: Path, trail: Path, environment: dict[str, str]
) -> None:
    config = settings(trail, sources=[str(trail / "trail.json")])
    assert report(drive(driver, library, config, "", 1, environment))["events"] == EVENTS


def test_what_falco_makes_of_yaml_is_understood(
    driver: Path, library: Path, trail: Path, environment: dict[str, str]
) -> None:
    """Falco reads scalars by their looks: an account id becomes a float, an empty map or list null."""
    config = settings(trail, aws=None, accounts=[12345678901.0], regions=None, expected=None, refresh_interval=60.0)
    assert report(drive(driver, library, config, str(trail / "trail.json"), 1, environment))["events"] == EVENTS


def test_yaml_text_is_understood(driver: Path, library: Path, trail: Path, environment: dict[str, str]) -> None:
    config = f"state:\n  - {trail / 'terraform.tfstate'}\ncoalesce: false\n"
    assert report(drive(driver, library, config, str(trail / "trail.json"), 1, environment))["events"] == EVENTS


def test_a_plugin_without_its_directory_says_so(
    tmp_path: Path, driver: Path, library: Path, environment: dict[str, str]
) -> None:
    alone = tmp_path / "libtfdrift.so"
    alone.write_bytes(library.read_bytes())
    code, out, err = drive(driver, alone, "{}", "x", 1, environment)
    assert code == 3, err
    assert f"cannot read {tmp_path}/tfdrift-" in out
    assert "unpack the whole artifact" in out


def test_a_damaged_directory_says_so(tmp_path: Path, driver: Path, library: Path, environment: dict[str, str]) -> None:
    alone = tmp_path / "libtfdrift.so"
    alone.write_bytes(library.read_bytes())
    name = next(library.parent.glob("tfdrift-*/runtime.conf")).parent.name
    (tmp_path / name).mkdir()
    (tmp_path / name / "runtime.conf").write_text("home=\n")
    code, out, err = drive(driver, alone, "{}", "x", 1, environment)
    assert code == 3, err
    assert "runtime.conf is damaged; unpack the artifact again" in out


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("closed", ["", "python", "python/encodings/__init__.py", "runtime.conf"])
def test_a_directory_that_the_user_may_not_read_is_named(
    closed: str, driver: Path, library: Path, environment: dict[str, str]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program, alone, python = folder / "driver", folder / "libtfdrift.so", build.Python.running()
        runtime = folder / next(library.parent.glob("tfdrift-*/runtime.conf")).parent.name
        (runtime / "python" / "encodings").mkdir(parents=True)
        (runtime / "python" / "encodings" / "__init__.py").touch()
        (runtime / "runtime.conf").write_text(build.runtime_conf(".", ["python"]))
        for source, target in ((driver, program), (library, alone), (python.library, folder / python.library.name)):
            shutil.copy(source, target)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755)
        (runtime / closed).chmod(0o600)
        done = subprocess.run(
            [program, alone, "{}", "x", "1"],
            env={**environment, "LD_LIBRARY_PATH": name},
            user=65534,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )
        assert done.returncode == 3, done.stderr
        assert f"user 65534 may not read {(runtime / closed)}, and needs it" in done.stdout
        assert done.stderr == ""


def test_what_others_wrote_reaches_the_log_as_one_harmless_line(
    driver: Path, library: Path, trail: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    file = tmp_path / "a\x1b[2J\ntfdrift: Emergency.json"
    file.write_text('{"Records": [7]}')
    _, out, err = drive(driver, library, settings(trail), str(file), 1, environment)
    assert "a?[2J\n  tfdrift: Emergency.json: record 1: is not a JSON object" in out + err
    assert "\x1b" not in out + err
