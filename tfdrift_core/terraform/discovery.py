"""Finds the state of a configuration directory the way Terraform itself would."""

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from tfdrift_core.terraform import hcl
from tfdrift_core.terraform.configuration import Configuration, literal_blocks, module_files, small_text
from tfdrift_core.terraform.hcl import UNKNOWN, Body, HclError

log = logging.getLogger("tfdrift.config")

# Arguments of Terraform's backends that we have too, by our name.  Credentials are left out on purpose: they come from
# the environment here as well.
_ARGUMENTS: Mapping[str, Mapping[str, str]] = {
    "s3": {
        "bucket": "bucket",
        "key": "key",
        "region": "region",
        "profile": "profile",
        "workspace_key_prefix": "workspace_key_prefix",
        "role_arn": "role_arn",
        "external_id": "external_id",
        "session_name": "session_name",
        "dynamodb_table": "dynamodb_table",
        "endpoint": "endpoint_url",
        "use_path_style": "use_path_style",
        "force_path_style": "use_path_style",
    },
    "http": {"address": "address", "username": "username", "skip_cert_verification": "skip_cert_verification"},
    "gcs": {"bucket": "bucket", "prefix": "prefix"},
    "azurerm": {
        "storage_account_name": "storage_account_name",
        "container_name": "container_name",
        "key": "key",
    },
    "pg": {"conn_str": "conn_str", "schema_name": "schema_name", "table_name": "table_name"},
    "consul": {
        "address": "address",
        "scheme": "scheme",
        "path": "path",
        "datacenter": "datacenter",
        "ca_file": "ca_file",
    },
    "kubernetes": {
        "secret_suffix": "secret_suffix",
        "namespace": "namespace",
        "config_path": "config_path",
        "config_context": "config_context",
        "in_cluster_config": "in_cluster_config",
    },
    "remote": {"hostname": "hostname", "organization": "organization"},
    "cloud": {"hostname": "hostname", "organization": "organization"},
}
_NESTED: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "s3": {
        "assume_role": {"role_arn": "role_arn", "external_id": "external_id", "session_name": "session_name"},
        "endpoints": {"s3": "endpoint_url"},
    },
}
_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "s3": ("bucket", "key"),
    "http": ("address",),
    "gcs": ("bucket",),
    "azurerm": ("container_name", "key"),
    "consul": ("path",),
    "kubernetes": ("secret_suffix",),
    "remote": ("organization",),
    "cloud": ("organization",),
}
_FROM_ENVIRONMENT: Mapping[str, Mapping[str, str]] = {
    "http": {"address": "TF_HTTP_ADDRESS", "username": "TF_HTTP_USERNAME"},
    "remote": {"organization": "TF_CLOUD_ORGANIZATION", "hostname": "TF_CLOUD_HOSTNAME"},
    "cloud": {"organization": "TF_CLOUD_ORGANIZATION", "hostname": "TF_CLOUD_HOSTNAME"},
    "s3": {"region": "AWS_REGION"},
}
_OWN_KUBECONFIGS = ("~/.kube/config", "$HOME/.kube/config")
_TERRAGRUNT = ("terragrunt.hcl", "root.hcl")
_MAX_FOLDERS = 10_000
_MAX_LEVELS = 20
_INITIALISED = Path(".terraform") / "terraform.tfstate"


@dataclass(frozen=True, slots=True)
class Found:
    """``state:`` entries for a directory, or why there are none."""

    states: Sequence[Mapping[str, Any]] = ()
    problem: str = ""


def discover(configuration: Configuration) -> Found:
    """The states of a configuration directory.

    What ``terraform init`` recorded wins, for it has the partial configuration; then come the ``backend`` or ``cloud``
    block, once for each ``*.tfbackend`` file where it is partial, and Terragrunt's ``remote_state``; then local files.
    """
    directory = configuration.directory
    if recorded := _recorded(directory):
        return _complete([recorded])
    backend = configuration.root.backend or _terragrunt(configuration)
    if backend is None:
        return _local(directory, {})
    name, body = backend
    if name == "local":
        return _local(directory, body.literals())
    given = _arguments(name, body.literals(), {b: list(literal_blocks(body, b)) for b in _nested_names(name)})
    return _complete([(name, {**given, **more}) for more in _partial(configuration, name)] or [(name, given)])


def _complete(backends: Sequence[tuple[str, dict[str, Any]]]) -> Found:
    found: list[Mapping[str, Any]] = []
    problem = ""
    for name, given in backends:
        for option, variable in _FROM_ENVIRONMENT.get(name, {}).items():
            if variable in os.environ:
                given.setdefault(option, os.environ[variable])
        missing = [option for option in _REQUIRED.get(name, ()) if not given.get(option)]
        if name not in _ARGUMENTS:
            problem = f"its state backend {name} is not supported; name the state under state:"
        elif own := given.get("config_path") if name == "kubernetes" else "":
            # Reading it would already be to do as the repository says: it names files, and whom to send them to.
            problem = f"its kubernetes backend names the kubeconfig {own}; name the state under state: if that is right"
        elif missing:
            problem = (
                f"its {name} backend does not say its {' and '.join(missing)} literally; "
                "run terraform init there, or name the state under state:"
            )
        else:
            found.append({"backend": name, **given})
    return Found(found, "" if found else problem)


def _arguments(name: str, literals: Mapping[str, Any], nested: Mapping[str, list[Mapping[str, Any]]]) -> dict[str, Any]:
    names = _ARGUMENTS.get(name, {})
    found = {ours: literals[theirs] for theirs, ours in names.items() if literals.get(theirs) not in (None, "")}
    for block, inner in _NESTED.get(name, {}).items():
        for values in nested.get(block, []):
            found.update({ours: values[theirs] for theirs, ours in inner.items() if values.get(theirs)})
    if name == "s3":
        found.setdefault("workspace_key_prefix", "env:")
    if name == "kubernetes" and found.get("config_path") in _OWN_KUBECONFIGS:
        del found["config_path"]
    if name in ("remote", "cloud"):
        for values in nested.get("workspaces", []):
            kept = {k: v for k, v in values.items() if k in ("name", "prefix", "project", "tags") and v}
            if kept:
                found["workspaces"] = kept
    return found


def _nested_names(name: str) -> tuple[str, ...]:
    return (*_NESTED.get(name, {}), "workspaces")


def _recorded(directory: Path) -> tuple[str, dict[str, Any]] | None:
    path = directory / _INITIALISED
    try:
        backend = json.loads(small_text(path)).get("backend") or {}
        name, config = backend["type"], backend.get("config") or {}
        if name == "local":
            return None
        nested = {block: _maps(config.get(block)) for block in _nested_names(name)}
        return name, _arguments(name, config, nested)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        log.debug("%s: %r; the configuration itself is read", path, error)
        return None


def _maps(value: object) -> list[Mapping[str, Any]]:
    values = value if isinstance(value, list) else [value]
    return [v for v in values if isinstance(v, dict)]


def _partial(configuration: Configuration, name: str) -> Iterator[dict[str, Any]]:
    """What each ``*.tfbackend`` file adds: each stands for one state, chosen with ``-backend-config``."""
    for path in sorted(_backend_files(configuration)):
        try:
            body = hcl.read(path)
        except HclError as error:
            configuration.warn(f"{path}: {error}; it is left out")
            continue
        nested = {block: list(literal_blocks(body, block)) for block in _nested_names(name)}
        yield _arguments(name, body.literals(), nested)


def _backend_files(configuration: Configuration) -> Iterator[Path]:
    """The ``*.tfbackend`` files below a directory; links to directories are not followed."""
    top = configuration.directory
    for count, (folder, folders, files) in enumerate(os.walk(top)):
        if count > _MAX_FOLDERS:
            configuration.warn(f"{top}: more than {_MAX_FOLDERS} directories; *.tfbackend files in others are left out")
            return
        deep = len(Path(folder).parts) - len(top.parts) >= _MAX_LEVELS
        folders[:] = [] if deep else sorted(name for name in folders if name != ".terraform")
        yield from (Path(folder, name) for name in files if name.endswith(".tfbackend"))


def _terragrunt(configuration: Configuration) -> tuple[str, Body] | None:
    """``remote_state`` of a Terragrunt file, as a backend block, where it is literal."""
    for file in _TERRAGRUNT:
        path = configuration.directory / file
        if not path.is_file():
            continue
        try:
            blocks = list(hcl.read(path).all("remote_state"))
        except HclError as error:
            configuration.warn(f"{path}: {error}; it is left out")
            continue
        for block in blocks:
            backend, config = block.body.attributes.get("backend"), block.body.attributes.get("config")
            if backend is None or not isinstance(backend.literal, str) or config is None:
                log.debug("%s: remote_state names no literal backend", path)
            elif config.literal is UNKNOWN:
                log.debug("%s: remote_state's config is not literal; name the state under state:", path)
            else:
                lines = {key: hcl.Value(config.line, value, "") for key, value in config.literal.items()}
                return backend.literal, Body(lines)
    return None


def _local(directory: Path, given: Mapping[str, Any]) -> Found:
    path = str(given.get("path") or "terraform.tfstate")
    workspaces = str(given.get("workspace_dir") or "terraform.tfstate.d")
    try:
        files = [directory / path, *islice((directory / workspaces).glob("*/terraform.tfstate"), _MAX_FOLDERS)]
        existing = [{"path": os.path.normpath(file)} for file in (files[0], *sorted(files[1:])) if file.is_file()]
    except (OSError, ValueError) as error:
        return Found(problem=f"its local backend names {path!r} and {workspaces!r}, which cannot be read: {error}")
    if existing:
        return Found(existing)
    if not list(module_files(directory)) and not (directory / _TERRAGRUNT[0]).is_file():
        return Found(problem="no Terraform configuration is there (*.tf, *.tf.json); check the path")
    return Found(problem=f"it names no backend, and {files[0]} does not exist; terraform apply writes it")
