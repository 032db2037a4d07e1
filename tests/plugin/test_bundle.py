"""The self-contained artifact."""

import csv
import io
import json
import os
import re
import socket
import subprocess
import sys
import tarfile
import time
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from tfdrift_plugin import build, bundle

import tfdrift_core
from tests.plugin.conftest import EVENTS, ROOT, drive, report, settings
from tests.real.forky import Root
from tests.real.sysdig import Sysdig

NAME = f"tfdrift-{tfdrift_core.__version__}"


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    return bundle.bundle(folder / "dist", folder / "work")


@pytest.fixture(scope="session")
def installed(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifact as falcoctl unpacks it, then made read-only."""
    folder = tmp_path_factory.mktemp("plugins")
    subprocess.run(["tar", "-xzf", artifact, "-C", folder, "--no-same-owner"], check=True)
    for path in (folder, *folder.rglob("*")):
        executable = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o555 if executable else 0o444)
    return folder


def _files(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {entry.name: tar.extractfile(entry).read() for entry in tar if entry.isreg()}  # type: ignore[union-attr]


def test_the_archive_has_the_form_that_falcoctl_installs(artifact: Path) -> None:
    seen: set[str] = set()
    with tarfile.open(artifact) as tar:
        entries = tar.getmembers()
    assert entries[0].name == "libtfdrift.so"
    for entry in entries:
        parent = str(Path(entry.name).parent)
        assert entry.isdir() or entry.isreg(), f"{entry.name} is a link or worse"
        assert ".." not in entry.name
        assert parent == "." or parent in seen, f"{entry.name} comes before its directory"
        assert (entry.mtime, entry.uid, entry.gid) == (0, 0, 0)
        if entry.isdir():
            seen.add(entry.name)
    assert seen
    assert {name.split("/")[0] for name in seen} == {NAME, "bin"}
    assert [entry.name for entry in entries if entry.isreg() and entry.mode == 0o755] == ["bin/tfdrift"]


def test_it_is_small(artifact: Path) -> None:
    size = artifact.stat().st_size
    print(f"{artifact.name}: {size / 1e6:.1f} MB")
    assert size < 40_000_000


def test_two_builds_give_the_same_bytes(artifact: Path, tmp_path: Path) -> None:
    again = bundle.bundle(tmp_path / "dist", tmp_path / "another" / "work")
    old, new = _files(artifact), _files(again)
    assert {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)} == set()
    assert again.read_bytes() == artifact.read_bytes()


def test_every_module_loads_from_it_alone(installed: Path) -> None:
    program = (
        "import sys; root = sys.argv[1]; started = set(sys.modules)\n"
        "sys.path = [root + '/python', root + '/python/lib-dynload', root + '/site']\n"
        "import importlib, pkgutil, tfdrift_core, tfdrift_plugin, apprise.plugins\n"
        "packages = (tfdrift_core, tfdrift_plugin)\n"
        "names = [m.name for p in packages for m in pkgutil.walk_packages(p.__path__, p.__name__ + '.')]\n"
        "names = [n for n in names if n.rpartition('.')[2] not in ('__main__', 'bridge', 'enrich', 'sifter')]\n"
        "[importlib.import_module(name) for name in names]\n"
        "loaded = [getattr(sys.modules[n], '__spec__', None) for n in set(sys.modules) - started]\n"
        "print(*(s.name for s in loaded if s and s.has_location and not s.origin.startswith(root)))\n"
    )
    command = [sys.executable, "-I", "-S", "-c", program, str(installed / NAME)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_no_library_is_looked_for_elsewhere(installed: Path) -> None:
    for path in (installed / bundle.LAUNCHER, *installed.rglob("*.so*")):
        listed = subprocess.run(["ldd", path], env={}, capture_output=True, text=True, check=True).stdout
        for name, place in re.findall(r"(\S+) => (\S+)", listed):
            assert place.startswith(str(installed)) or re.match(r"lib(c|m|dl|rt|pthread|util)\.so", name), (path, name)


def test_no_path_of_the_builder_is_in_the_library(installed: Path) -> None:
    for name in (bundle.LAUNCHER, *(library.file for library in build.LIBRARIES)):
        data = (installed / name).read_bytes()
        assert str(ROOT).encode() not in data
        assert str(build.Python.running().prefix).encode() not in data


def test_the_manifest_says_what_it_needs(installed: Path) -> None:
    manifest = json.loads((installed / NAME / "manifest.json").read_text())
    assert manifest["version"] == tfdrift_core.__version__
    assert manifest["plugin_api_version"] == build.API_VERSION
    assert re.fullmatch(r"2\.\d+", manifest["glibc"])
    assert {"boto3", "cffi", "orjson"} <= set(manifest["dependencies"])


def test_every_service_that_is_called_has_its_data(installed: Path) -> None:
    named: set[str] = set()
    for path in (ROOT / "tfdrift_core").rglob("*.py"):
        named |= set(re.findall(r"\bclient\([^()]*?\"([a-z0-9-]+)\"", path.read_text(encoding="utf-8")))
    assert named - {"us-east-1"} <= set(bundle.SERVICES)
    for service in bundle.SERVICES:
        assert list((installed / NAME / "site/botocore/data" / service).rglob("*.json*"))


def tfdrift(installed: Path, *arguments: str | Path, text: str = "", **environment: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [installed / bundle.LAUNCHER, *arguments],
        env={"PYTHONHOME": "/nonsense", **environment},
        input=text, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_every_command_is_there(installed: Path) -> None:
    code, out, _ = tfdrift(installed, "--help")
    assert code == 0
    names = [entry.name for entry in entry_points(group="tfdrift.commands")]
    for name in names:
        assert f"\n    {name} " in out
        assert tfdrift(installed, name, "--help")[0] == 0


def test_the_commands_work_in_it(installed: Path, tmp_path: Path) -> None:
    examples = ROOT / "examples"
    shown = ["-s", f"{examples}/state/*.tfstate", examples / "trail"]
    code, out, said = tfdrift(installed, "replay", "--json", *shown)
    assert (code, len(out.splitlines())) == (0, 31 - 6), said
    alerts = tfdrift(installed, "run", "--json", *shown)
    assert alerts[0] == 0, alerts[2]
    code, page, said = tfdrift(installed, "report", "-f", "csv", text=alerts[1])
    rows = list(csv.reader(io.StringIO(page)))
    assert (code, len(rows)) == (0, len(alerts[1].splitlines()) + 1), said
    assert tfdrift(installed, "plugin", "path")[1] == f"{installed}/libtfdrift.so\n"
    assert tfdrift(installed, "plugin", "build")[0] == 1
    config = tmp_path / "init_config.yaml"
    config.write_text(json.dumps({"state": [f"{examples}/state/app.tfstate"], "sources": [f"{examples}/trail"]}))
    code, out, _ = tfdrift(installed, "doctor", "-c", config)
    assert (code, "loads, and accepts this configuration" in out) == (0, True), out


def test_it_sends_messages(installed: Path, tmp_path: Path) -> None:
    alert = {"rule": "A rule", "priority": "Warning", "time": "2026-03-17T10:00:00Z", "output": "x"}
    text = json.dumps({**alert, "source": "tfdrift", "output_fields": {"drift.id": "1", "drift.kind": "modified"}})
    spool = tmp_path / "spool.db"
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"json://127.0.0.1:{server.getsockname()[1]}/"
        with subprocess.Popen(
            [installed / bundle.LAUNCHER, "notify", "--spool", spool],
            env={"TFDRIFT_NOTIFY_URLS": url}, stdin=subprocess.PIPE, text=True, stderr=subprocess.PIPE,
        ) as notifier:  # fmt: skip
            assert notifier.stdin is not None
            notifier.stdin.write(text)
            notifier.stdin.close()
            server.settimeout(120)
            with server.accept()[0] as connection:
                connection.settimeout(120)
                assert connection.recv(4) == b"POST"
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    assert notifier.returncode == 0


def test_it_reports_drift(driver: Path, installed: Path, trail: Path, environment: dict[str, str]) -> None:
    result = drive(driver, installed / "libtfdrift.so", settings(trail), str(trail / "trail.json"), 3, environment)
    assert report(result)["events"] == 3 * EVENTS


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_it_runs_for_anybody(
    driver: Path, installed: Path, trail: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    for path in (driver.parent, installed, trail, *tmp_path.parents):
        if path.stat().st_uid == os.geteuid() and path.stat().st_mode & 0o777 == 0o700:
            path.chmod(0o755)
    command = [str(driver), str(installed / "libtfdrift.so"), settings(trail), str(trail / "trail.json"), "1"]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, user=65534, group=65534
    )
    assert report((done.returncode, done.stdout, done.stderr))["events"] == EVENTS


def test_the_real_libsinsp_needs_no_python(forky_root: Root, installed: Path, trail: Path) -> None:
    """A Debian root that has sysdig, and nothing of Python."""
    root = forky_root.sharing(installed, trail)
    assert root.run(["sh", "-c", "command -v python3 python"]).returncode != 0
    library = str(installed / "libtfdrift.so")
    sysdig = Sysdig(root, library, "tfdrift", settings(trail))
    started = time.monotonic()
    result = sysdig.live(
        str(trail / "trail.json"), "%tf.address %drift.new_value %ct.request[instanceType.value] %user"
    )
    print(f"{EVENTS} events in {time.monotonic() - started:.2f} s from the start of the process")
    assert result.code == 0, result.error
    assert result.lines[0] == b"aws_instance.web t3.0large t3.0large alice"
    assert len(result.lines) == EVENTS
