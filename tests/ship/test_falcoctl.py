"""The real falcoctl: from a registry to where Falco looks, on a machine without Python."""

import json
import platform
import shutil
import tarfile
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import yaml
from tfdrift_plugin import build

import tfdrift_core
from tests.real.forky import REPO
from tests.ship import parts
from tests.ship.machine import Machine
from tests.ship.sample import ENVIRONMENT, PLUGINS, drift, from_the_cloud, sample

VERSION = tfdrift_core.__version__
OLD = "0.0.9"
PLATFORMS = {"x86_64": "amd64", "aarch64": "arm64"}
OWN = platform.machine()
OTHER = next(arch for arch in PLATFORMS if arch != OWN)
RULES = REPO / "rules" / "tfdrift_rules.yaml"


def release(folder: Path, version: str, archive: Path) -> Path:
    """What a release pushes.  The archive of the other architecture is only big enough to tell it apart."""
    target = folder / version
    target.mkdir()
    shutil.copy(archive, target / f"tfdrift-{version}-linux-{OWN}.tar.gz")
    with tarfile.open(archive) as tar:
        names = {"libtfdrift.so", f"tfdrift-{version}", f"tfdrift-{version}/manifest.json"}
        entries = [entry for entry in tar if entry.name in names]
        with tarfile.open(target / f"tfdrift-{version}-linux-{OTHER}.tar.gz", "w:gz") as other:
            for entry in entries:
                other.addfile(entry, tar.extractfile(entry) if entry.isreg() else None)
    rules = RULES.read_text()
    (target / RULES.name).write_text(rules.replace(f"version: {VERSION}", f"version: {version}"))
    return target


def older(artifact: Path, folder: Path) -> Path:
    """The artifact as it was before: a library that looks for the modules of its own version only."""
    library = folder / "old" / "libtfdrift.so"
    with patch.object(tfdrift_core, "__version__", OLD):
        build.compile_library(
            library, folder / "old-objects", build.Python.running(), f"$ORIGIN/tfdrift-{OLD}/lib", link=["-Wl,-s"]
        )
    replaced = {"libtfdrift.so": library.read_bytes()}
    target = folder / f"tfdrift-{OLD}-linux-{OWN}.tar.gz"
    return parts.repack(artifact, target, {f"tfdrift-{VERSION}": f"tfdrift-{OLD}"}, replaced)


def index(folder: Path, registry: str) -> Path:
    """``deploy/falcoctl/index.yaml`` for the registry on loopback, where nothing is signed."""
    entries = yaml.safe_load((REPO / "deploy" / "falcoctl" / "index.yaml").read_text())
    for entry in entries:
        assert entry.pop("signature")["cosign"].keys() == {
            "certificate-oidc-issuer",
            "certificate-identity-regexp",
        }
        entry["registry"], entry["repository"] = registry, entry["repository"].lower()
    file = folder / "index.yaml"
    file.write_text(yaml.safe_dump(entries))
    return file


def manifests(registry: str, repository: str, tag: str) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """The platform and the configuration of every image behind a tag."""

    def get(path: str) -> dict[str, Any]:
        kinds = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"
        request = urllib.request.Request(f"http://{registry}/v2/{repository}/{path}", headers={"Accept": kinds})
        with urllib.request.urlopen(request, timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    top = get(f"manifests/{tag}")
    images = [(one["platform"], get(f"manifests/{one['digest']}")) for one in top.get("manifests", ())] or [({}, top)]
    return [(place, get(f"blobs/{image['config']['digest']}")) for place, image in images]


def files(machine: Machine) -> set[str]:
    folder = machine.root / PLUGINS.lstrip("/")
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def names(archive: Path) -> set[str]:
    with tarfile.open(archive) as tar:
        return {entry.name for entry in tar if entry.isreg()}


@pytest.fixture
def pushed(registry: str, artifact: Path, falcoctl: Path, tmp_path: Path) -> str:
    """A registry with two releases of both architectures."""
    parts.push(registry, OLD, release(tmp_path, OLD, older(artifact, tmp_path)))
    parts.push(registry, VERSION, release(tmp_path, VERSION, artifact))
    return registry


def test_from_an_empty_machine_to_an_alert(
    pushed: str, artifact: Path, falcoctl: Path, bare: Machine, aws: str, tmp_path: Path
) -> None:
    bare.put(falcoctl, "/usr/local/bin/falcoctl", 0o755)
    for directory in (PLUGINS, "/etc/falco"):  # as Falco's package makes them
        (bare.root / directory.lstrip("/")).mkdir(parents=True)
    bare.put(index(tmp_path, pushed), "/etc/tfdrift-index.yaml")
    # Other tests may have left empty directories.
    search = "command -v python3 python; find / -xdev ! -type d \\( -iname 'libpython*' -o -name 'python*' \\)"
    nothing = bare.run("sh", "-c", search)
    assert nothing.out == ""

    def falcoctl_run(*arguments: str) -> str:
        done = bare.run("falcoctl", *arguments, timeout=120)
        assert done.code == 0, done.out + done.error
        return done.out + done.error

    # What the registry tells before anything is installed.
    assert [place for place, _ in manifests(pushed, "tfdrift/plugins/plugin/tfdrift", "latest")] == [
        {"architecture": "amd64", "os": "linux"},
        {"architecture": "arm64", "os": "linux"},
    ]
    for _, config in manifests(pushed, "tfdrift/plugins/plugin/tfdrift", VERSION):
        assert (config["name"], config["version"]) == ("tfdrift", VERSION)
        assert config["requirements"] == [{"name": "plugin_api_version", "version": build.API_VERSION}]
    [(_, config)] = manifests(pushed, "tfdrift/plugins/ruleset/tfdrift", VERSION)
    assert [(one["name"], one["version"]) for one in config["dependencies"]] == [("tfdrift", VERSION)]
    assert config["requirements"] == [{"name": "engine_version_semver", "version": "0.43.0"}]

    # Falco's own index, which falcoctl has from the start, cannot be reached from here.
    falcoctl_run("index", "remove", "falcosecurity")
    falcoctl_run("index", "add", "tfdrift", "file:///etc/tfdrift-index.yaml")
    assert "tfdrift-rules" in falcoctl_run("artifact", "search", "terraform")

    # An older version first.
    falcoctl_run("artifact", "install", f"tfdrift:{OLD}", f"tfdrift-rules:{OLD}", "--plain-http")
    old = files(bare)
    libraries = {"libtfdrift.so", "libtfdrift_enrich.so"}
    assert {name.partition("/")[0] for name in old} == {*libraries, "bin", f"tfdrift-{OLD}"}
    bare_sample = sample(bare)
    assert drift(bare, bare_sample).lines

    # The rules bring the plugin that they need.
    started = time.monotonic()
    said = falcoctl_run("artifact", "install", f"tfdrift-rules:{VERSION}", "--plain-http")
    print(f"falcoctl artifact install: {time.monotonic() - started:.1f} s for {artifact.stat().st_size / 1e6:.1f} MB")
    assert f"tfdrift:{VERSION}" in said
    assert files(bare) == names(artifact) | {name for name in old if "/" in name}
    assert (bare.root / "etc/falco/tfdrift_rules.yaml").read_bytes() == RULES.read_bytes()
    found = drift(bare, bare_sample)
    assert len(found.lines) > 12
    print(f"the whole day after it: {found.seconds:.2f} s")

    # Once more over itself, and by the tags that follow versions.
    falcoctl_run("artifact", "install", "tfdrift", "--plain-http")
    reference = f"{pushed}/tfdrift/plugins/plugin/tfdrift:{VERSION.rpartition('.')[0]}"
    falcoctl_run("artifact", "install", reference, "--plain-http", "--resolve-deps=false")
    assert not [path for path in (bare.root / PLUGINS.lstrip("/")).rglob("*") if path.is_symlink()]
    assert drift(bare, bare_sample).lines == found.lines

    command = bare.run(f"{PLUGINS}/bin/tfdrift", "--version", env=ENVIRONMENT)
    assert (command.out, command.code) == (f"tfdrift {VERSION}\n", 0)

    # What is left of the old version is not used.
    shutil.rmtree(bare.root / PLUGINS.lstrip("/") / f"tfdrift-{OLD}")
    assert drift(bare, bare_sample, env=ENVIRONMENT).lines == found.lines

    seen = from_the_cloud(bare, bare_sample, aws, len(found.lines))
    assert sorted(seen.lines) == sorted(found.lines)
    print(f"the same from SQS, with its state from S3: {seen.seconds:.2f} s")

    falcoctl_run(
        "artifact",
        "install",
        f"tfdrift:{VERSION}",
        "--plain-http",
        "--platform",
        "linux/arm64",
        "--plugins-dir",
        "/opt",
    )
    assert {path.name for path in (bare.root / "opt").glob("tfdrift-*/*")} == {"manifest.json"}
