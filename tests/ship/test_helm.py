"""The values for the official Falco chart: merged as Helm merges them, and the falco.yaml that comes of it."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

import tfdrift_core
from tests.plugin.conftest import library
from tests.real.forky import REPO
from tfdrift_core import config

__all__ = ["library"]

HELM = REPO / "deploy" / "helm"
SINGLE = [HELM / "values-tfdrift.yaml"]
MULTI = [*SINGLE, HELM / "values-multi-account.yaml"]
CHART: dict[str, Any] = {
    # The chart's own defaults, where they decide what becomes of ours.
    "falco": {
        "config_files": ["/etc/falco/config.d"],
        "watch_config_files": True,
        "rules_files": ["/etc/falco/falco_rules.yaml", "/etc/falco/falco_rules.local.yaml", "/etc/falco/rules.d"],
        "load_plugins": [],
        "plugins": [],
        "priority": "debug",
        "rule_matching": "first",
        "json_output": False,
        "time_format_iso_8601": False,
        "webserver": {"enabled": True, "listen_port": 8765, "prometheus_metrics_enabled": False},
    },
}


def merged(*values: Mapping[str, Any]) -> dict[str, Any]:
    """Maps are merged, everything else replaces what was there, as Helm does it."""
    result: dict[str, Any] = {}
    for one in values:
        for key, value in one.items():
            old = result.get(key)
            result[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def values(files: list[Path]) -> dict[str, Any]:
    return merged(CHART, *(yaml.safe_load(file.read_text()) for file in files))


def falco_yaml(found: Mapping[str, Any]) -> dict[str, Any]:
    """The chart's ConfigMap: the values under ``falco``, with what ``metrics`` adds."""
    metrics = found["metrics"]
    added = {
        "webserver": {"enabled": True, "prometheus_metrics_enabled": True},
        "metrics": {"enabled": True, "interval": metrics["interval"], "plugins_metrics_enabled": True},
    }
    return merged(found["falco"], added if metrics["enabled"] else {})


@pytest.mark.parametrize("file", [*MULTI])
def test_the_chart_knows_every_key(file: Path) -> None:
    schema = json.loads(Path(__file__).with_name("helm.schema.json").read_text())
    faults = [
        f"{fault.json_path}: {fault.message}"
        for fault in Draft7Validator(schema).iter_errors(yaml.safe_load(file.read_text()))
    ]
    assert faults == []


@pytest.mark.parametrize("files", [SINGLE, MULTI], ids=["single", "multi"])
def test_what_belongs_together(files: list[Path]) -> None:
    found = values(files)
    mounted = {one["name"]: one["mountPath"] for one in found["mounts"]["volumeMounts"]}
    volumes = {one["name"]: one for one in found["mounts"]["volumes"]}
    assert mounted.keys() == volumes.keys()
    [plugin] = found["falco"]["plugins"]
    settings = config.load(plugin["init_config"])
    # Without checkpoints a restart reports twice or loses; and no two processes may use the same.
    assert settings.data_dir in mounted.values()
    assert volumes.pop("tfdrift-tmp") == {"name": "tfdrift-tmp", "emptyDir": {}}
    assert all("persistentVolumeClaim" in volume for volume in volumes.values())
    assert found["controller"]["deployment"]["replicas"] == 1
    refs = found["falcoctl"]["config"]["artifact"]["install"]["refs"]
    assert [ref.rpartition(":")[2] for ref in refs] == [tfdrift_core.__version__] * 2
    # The plugin's directory is where library_path starts; the rules artifact lies in /etc/falco under its own name.
    assert plugin["library_path"] == "libtfdrift.so"
    assert found["falco"]["rules_files"][0] == "/etc/falco/tfdrift_rules.yaml"
    assert found["serviceAccount"]["annotations"]["eks.amazonaws.com/role-arn"].startswith("arn:aws:iam::")


@pytest.mark.parametrize("files", [SINGLE, MULTI], ids=["single", "multi"])
def test_the_host_takes_the_falco_yaml(files: list[Path], library: Path, tmp_path: Path) -> None:
    file = tmp_path / "falco.yaml"
    file.write_text(yaml.safe_dump(falco_yaml(values(files))))
    program = "import sys; from tfdrift_core.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "run", "--validate", "-c", file, "--library", library]
    rules = ["--rules", REPO / "rules" / "tfdrift_rules.yaml"]
    done = subprocess.run([*command, *rules], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1].endswith("rules are valid")


def test_a_wrong_value_is_seen(library: Path, tmp_path: Path) -> None:
    found = values(SINGLE)
    found["falco"]["plugins"][0]["init_config"] = '{"stat": []}'
    file = tmp_path / "falco.yaml"
    file.write_text(yaml.safe_dump(falco_yaml(found)))
    program = "import sys; from tfdrift_core.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "run", "--validate", "-c", file, "--library", library]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert "stat" in done.stderr
