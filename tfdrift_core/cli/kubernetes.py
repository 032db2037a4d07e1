"""Terraform configuration for Falco in Kubernetes: ConfigMaps with its files, and Helm values that mount them."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final

import yaml

from tfdrift_core.cli.settings import PLUGIN
from tfdrift_core.config import ConfigError
from tfdrift_core.terraform.configuration import Configuration

_NAME: Final = "tfdrift-config"
_MOUNT: Final = "/etc/tfdrift/config"
_MOST: Final = 900_000
"""Bytes of files in one ConfigMap; Kubernetes takes 1 MiB with everything around them."""

_CONFIGMAP_HEAD: Final = """\
# The Terraform files that TFDrift reads: file and line, ignore_changes, and where the state is.
#   kubectl apply -n falco -f configmap.yaml        again after each change of the configuration
# Whoever may read ConfigMaps there can read these files.
"""
_VALUES_HEAD: Final = """\
# Mounts configmap.yaml; goes on top of TFDrift's values for the official Falco chart:
#   helm upgrade --install tfdrift falcosecurity/falco -n falco -f values-tfdrift.yaml -f values.yaml
"""


def bundle(
    configurations: Sequence[Configuration], states: Sequence[Mapping[str, Any]], init_config: Mapping[str, Any]
) -> Mapping[str, str]:
    """``configmap.yaml`` and ``values.yaml``, by name.

    The states are named in the values, for what ``terraform init`` recorded beside the files does not come along.

    :raises ConfigError: when a state is a file of this machine, or a file is too large or no text.
    """
    here = [str(state["path"]) for state in states if "path" in state and "backend" not in state]
    if here:
        raise ConfigError(f"{', '.join(here)}: a pod cannot read this file; keep the state in a backend such as s3")
    files = {path: _text(path) for configuration in configurations for path in configuration.files()}
    top = Path(os.path.commonpath([path.parent for path in files] or [Path()]))
    roots = [str(PurePosixPath(_MOUNT, configuration.directory.relative_to(top))) for configuration in configurations]
    maps = list(_maps({path.relative_to(top).as_posix(): text for path, text in files.items()}))
    mounted = {**init_config, "state": list(states), "config": roots}
    return {
        "configmap.yaml": _CONFIGMAP_HEAD + yaml.safe_dump_all([document for document, _ in maps], sort_keys=False),
        "values.yaml": _VALUES_HEAD + yaml.safe_dump(_values(maps, mounted), sort_keys=False),
    }


def _text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8, so Terraform cannot read it either; mend it or leave it out") from None
    if len(text.encode()) > _MOST:
        raise ConfigError(f"{path}: {len(text.encode()):,} bytes are too many for a ConfigMap; mount it with git-sync")
    return text


def _maps(files: Mapping[str, str]) -> Iterator[tuple[dict[str, Any], list[dict[str, str]]]]:
    """ConfigMaps with all files, and for each of them which key is which path."""
    held: dict[str, str] = {}
    items: list[dict[str, str]] = []
    size = number = 0
    for count, (path, text) in enumerate(sorted(files.items())):
        more = len(text.encode()) + 2 * len(path)
        if held and size + more > _MOST:
            yield _map(number, held), items
            held, items, size, number = {}, [], 0, number + 1
        # A key allows fewer characters than a path.
        key = f"{count:05}-{re.sub('[^-._a-zA-Z0-9]', '_', path)[-200:]}"
        held[key] = text
        items.append({"key": key, "path": path})
        size += more
    yield _map(number, held), items


def _map(number: int, data: Mapping[str, str]) -> dict[str, Any]:
    name = f"{_NAME}-{number}"
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": dict(data)}


def _values(
    maps: Sequence[tuple[Mapping[str, Any], list[dict[str, str]]]], init_config: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Helm replaces lists as a whole, so those of ``values-tfdrift.yaml`` are here again."""
    data_dir = init_config["data_dir"]
    projected = [{"configMap": {"name": document["metadata"]["name"], "items": items}} for document, items in maps]
    plugin = {
        "name": PLUGIN,
        "library_path": "libtfdrift.so",
        # A string is passed on as it is; from a YAML map Falco would make numbers of account ids.
        "init_config": json.dumps(init_config, indent=2),
        "open_params": "",
    }
    return {
        "mounts": {
            "volumes": [
                {"name": "tfdrift-data", "persistentVolumeClaim": {"claimName": "tfdrift-data"}},
                {"name": _NAME, "projected": {"sources": projected}},
            ],
            "volumeMounts": [
                {"name": "tfdrift-data", "mountPath": data_dir},
                {"name": _NAME, "mountPath": _MOUNT, "readOnly": True},
            ],
        },
        "falco": {"plugins": [plugin]},
    }
