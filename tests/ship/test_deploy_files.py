"""What other programs read: workflows, scripts, container files; and the version that all of them carry."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tfdrift_plugin import build

import tfdrift_core
from tests.plugin.conftest import library
from tests.real.forky import REPO, MissingPartError
from tests.ship import parts

__all__ = ["library"]

VERSION = tfdrift_core.__version__
CONTAINER = REPO / "deploy" / "container"
SCRIPTS = [REPO / "deploy" / "falcoctl" / "push.sh", REPO / ".ci" / "run"]


def test_workflows() -> None:
    """With the scripts in them, which actionlint hands to shellcheck."""
    actionlint = parts.tool("actionlint", "github.com/rhysd/actionlint/cmd/actionlint")
    if shutil.which("shellcheck") is None:
        raise MissingPartError("shellcheck")
    workflows = sorted((REPO / ".github" / "workflows").glob("*.yml"))
    assert len(workflows) == 2
    done = subprocess.run([actionlint, *workflows], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    scripts = subprocess.run(["shellcheck", *SCRIPTS], capture_output=True, text=True, check=False, timeout=120)
    assert (scripts.returncode, scripts.stdout) == (0, "")


def test_push_says_what_is_wrong(tmp_path: Path) -> None:
    usage = subprocess.run([SCRIPTS[0]], capture_output=True, text=True, check=False)
    assert usage.returncode == 2
    assert "push.sh REGISTRY/NAMESPACE VERSION FOLDER" in usage.stderr
    empty = subprocess.run([SCRIPTS[0], "r/n", VERSION, tmp_path], capture_output=True, text=True, check=False)
    assert empty.returncode == 1
    assert f"no tfdrift-{VERSION}-linux-ARCH.tar.gz in {tmp_path}" in empty.stderr


def test_dockerfile() -> None:
    """Instructions that are there, from stages and files that are there."""
    lines = (CONTAINER / "Dockerfile").read_text().splitlines()
    instructions = [line.split() for line in lines if line and not line.startswith("#")]
    assert {words[0] for words in instructions} == {"ARG", "FROM", "ADD", "COPY", "RUN", "USER", "CMD"}
    stages: set[str] = set()
    for words in instructions:
        if words[0] == "FROM":
            assert words[1].startswith("falcosecurity/falco:") or words[1].replace("${TARGETARCH}", "amd64") in stages
            stages |= set(words[3:])
        if words[0] == "COPY":
            assert (REPO / words[1]).is_file()
            assert words[2].startswith("/etc/falco/")
        if words[0] == "ADD":
            # What build_plugin.py --bundle makes, where Falco looks.
            assert re.fullmatch(r"dist/tfdrift-\*-linux-(x86_64|aarch64)\.tar\.gz", words[1])
            assert words[2] == "/usr/share/falco/plugins/"
    assert stages == {"plugin-amd64", "plugin-arm64"}
    assert json.loads(" ".join(next(words[1:] for words in instructions if words[0] == "CMD")))[0] == "/usr/bin/falco"


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CONTAINER / "compose.yaml").read_text())
    return found


def test_compose_file() -> None:
    """The keys of the compose specification that are used, and what they name."""
    file = compose()
    assert file.keys() == {"services", "configs"}
    keys = {"build", "image", "configs", "volumes", "environment", "healthcheck", "depends_on", "ports"}
    keys |= {"user", "read_only", "tmpfs", "cap_drop", "security_opt"}
    for name, service in file["services"].items():
        assert service.keys() <= keys, name
        assert set(service.get("depends_on", ())) <= file["services"].keys()
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), "a laptop is no server"
        if "image" in service:
            assert re.fullmatch(r"[\w./-]+:\d[\w.-]+", service["image"]), "a version, not latest"
    falco = file["services"]["falco"]
    assert (CONTAINER / falco["build"]["context"] / falco["build"]["dockerfile"]).is_file()
    assert [one["source"] for one in falco["configs"]] == list(file["configs"])
    for volume in falco["volumes"]:
        assert (CONTAINER / volume.split(":")[0]).is_dir()


def test_the_compose_file_shows_the_sample_day(library: Path, tmp_path: Path) -> None:
    text = compose()["configs"]["falco"]["content"].replace("/examples/", f"{REPO}/examples/")
    text = text.replace("/etc/falco/tfdrift_rules.yaml", str(REPO / "rules" / "tfdrift_rules.yaml"))
    file = tmp_path / "falco.yaml"
    file.write_text(text)
    program = "import sys; from tfdrift_core.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "run", "-c", file, "--library", library]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    alerts = [json.loads(line) for line in done.stdout.splitlines()]
    expected = json.loads((REPO / "examples" / "expected.json").read_text())
    assert len(alerts) >= len([one for one in expected if not one.get("again")])


def test_the_host_fragment(library: Path, tmp_path: Path) -> None:
    program = "import sys; from tfdrift_core.cli import main; sys.exit(main())"
    fragment, rules = REPO / "deploy" / "host" / "falco.tfdrift.yaml", REPO / "rules" / "tfdrift_rules.yaml"
    command = [sys.executable, "-c", program, "run", "--validate", "-c", fragment, "--rules", rules]
    done = subprocess.run([*command, "--library", library], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


# Where a version has to be written because what reads it cannot ask Python.
VERSIONED = [
    ("rules/tfdrift_rules.yaml", r"name: tfdrift\n\s+version: (\S+)", 1),
    ("deploy/helm/values-tfdrift.yaml", r"tfdrift(?:-rules)?:(\d[\d.]*)\"", 2),
    ("docs/install.md", r"ghcr\.io/tfdrift/plugins/\w+/tfdrift:(\S+)", 3),
]


@pytest.mark.parametrize(("file", "pattern", "count"), VERSIONED)
def test_the_version_is_the_same_everywhere(file: str, pattern: str, count: int) -> None:
    assert re.findall(pattern, (REPO / file).read_text()) == [VERSION] * count


def test_the_release_takes_the_version_from_one_place() -> None:
    workflow = (REPO / ".github" / "workflows" / "release.yml").read_text()
    expression = re.search(r"sed -n '(.+)' tfdrift_core/__init__\.py", workflow)
    assert expression is not None
    command = ["sed", "-n", expression[1], REPO / "tfdrift_core" / "__init__.py"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == f"{VERSION}\n"
    assert VERSION not in workflow


def test_the_registry_entries_are_of_our_plugins() -> None:
    source, enrich = yaml.safe_load((REPO / "deploy" / "falcoctl" / "registry.yaml").read_text(encoding="utf-8"))
    assert source["name"] == build.NAME
    assert source["capabilities"]["sourcing"]["source"] == "tfdrift"
    assert enrich["capabilities"]["extraction"]["sources"] == ["aws_cloudtrail"]
    assert "sourcing" not in enrich["capabilities"]


def test_no_address_is_made_up() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (REPO / "deploy" / "falcoctl").glob("*.yaml")]
    assert not [text for text in texts if re.search(r"@[\w.-]*example\b|\.example\b", text)]
