"""write a falco.yaml fragment for a Terraform configuration directory

tfdrift init infra/ > /etc/falco/config.d/tfdrift.yaml
tfdrift init . --recursive --source sqs://cloudtrail -o tfdrift.yaml
tfdrift init . --recursive --bundle kubernetes/      the same for Kubernetes, with the configuration itself

A bundle is a directory: configmap.yaml holds the Terraform files that TFDrift reads, values.yaml mounts them and goes
on top of values-tfdrift.yaml of the Helm chart.  The exit status is 1 where no state is found.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tfdrift_core.cli import kubernetes
from tfdrift_core.cli.settings import PLUGIN
from tfdrift_core.config import ConfigError, load
from tfdrift_core.delivery.ledger import Ledger
from tfdrift_core.metrics import Metrics
from tfdrift_core.sources.base import SourceError
from tfdrift_core.sources.open import open_source
from tfdrift_core.terraform.configuration import Configuration
from tfdrift_core.terraform.discovery import discover
from tfdrift_core.terraform.roots import below, is_configuration
from tfdrift_core.text import one_line

_HEAD = """\
# TFDrift for {directory}.
# Put this file into /etc/falco/config.d/, and check it with: tfdrift doctor --config THIS_FILE
# State found there: {found}
"""
_DEFAULT_SOURCE = "lookup://"
_SOURCE_HINT = """\
# lookup:// asks CloudTrail every few seconds and needs no set-up; for much activity use an SQS queue
# (sqs://NAME) that the trail's bucket or EventBridge feeds.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("directory", nargs="+", metavar="DIR", help="Terraform configuration directory")
    add("-R", "--recursive", action="store_true", help="all root modules in and below DIR")
    add("-s", "--source", action="append", metavar="URL", help=f"CloudTrail source (default: {_DEFAULT_SOURCE})")
    add("-o", "--output", type=Path, metavar="FILE", help="where to write (default: stdout)")
    add("--bundle", type=Path, metavar="DIR", help="write a ConfigMap and Helm values into this directory instead")
    add("--force", action="store_true", help="replace what is there already")
    add("--data-dir", default="/var/lib/tfdrift", metavar="DIR", help="where checkpoints are kept (%(default)s)")
    add("--library", default="libtfdrift.so", metavar="FILE", help="library_path of the plugin")
    add("--rules", default="/etc/falco/tfdrift_rules.yaml", metavar="FILE", help="where TFDrift's rules are installed")


@dataclass(frozen=True, slots=True)
class Found:
    """The root modules, their states, and the directories that name none, each with the reason."""

    configurations: Sequence[Configuration]
    states: Sequence[Mapping[str, Any]]
    problems: Sequence[str]


def run(args: argparse.Namespace) -> int:
    try:
        found = search([Path(os.path.normpath(Path(given).expanduser().absolute())) for given in args.directory],
                       recursive=args.recursive)  # fmt: skip
        init_config = _init_config(found, args.source or [_DEFAULT_SOURCE], args.data_dir)
        if args.bundle:
            _write(kubernetes.bundle(found.configurations, found.states, init_config), args.bundle, force=args.force)
        else:
            _fragment(args, found, init_config)
    except (ConfigError, OSError) as error:
        print(f"tfdrift: error: {error}", file=sys.stderr)
        return 1
    for state in found.states:
        print(
            one_line(f"tfdrift: found state: {_named(state)}; it is read by itself, state: need not name it"),
            file=sys.stderr,
        )
    for problem in found.problems:
        print(one_line(f"tfdrift: no state: {problem}"), file=sys.stderr)
    if not found.states:
        print("tfdrift: error: no state was found; name it under state: in what was written", file=sys.stderr)
    return 0 if found.states else 1


def search(paths: Sequence[Path], *, recursive: bool) -> Found:
    """The root modules of these directories.  :raises ConfigError: when one holds no configuration."""
    roots: list[Path] = []
    for path in paths:
        if recursive or not is_configuration(path):
            inner = below(path, lambda problem: print(f"tfdrift: {problem}", file=sys.stderr))
            if not inner:
                raise ConfigError(f"{path}: no Terraform configuration is there (*.tf, *.tf.json); check the path")
            if not recursive:
                names = ", ".join(os.path.relpath(root, path) for root in inner)
                raise ConfigError(f"{path}: no Terraform configuration is there, but below it in {names}; "
                                  "name those that you want, or take all with --recursive")  # fmt: skip
            roots += inner
        else:
            roots.append(path)
    configurations = [Configuration(str(root)) for root in dict.fromkeys(roots)]
    found = [(configuration, discover(configuration)) for configuration in configurations]
    return Found(
        configurations,
        [state for _, it in found for state in it.states],
        [f"{configuration.directory}: {it.problem}" for configuration, it in found if it.problem],
    )


def _init_config(found: Found, sources: Sequence[str], data_dir: str) -> dict[str, Any]:
    """:raises ConfigError: when a source is none."""
    regions = sorted({str(state["region"]) for state in found.states if state.get("region")})
    init_config: dict[str, Any] = {
        "config": [str(it.directory) for it in found.configurations],
        "sources": list(sources),
        "data_dir": data_dir,
    }
    if len(regions) == 1:
        init_config["aws"] = {"region": regions[0]}
    config = load(json.dumps(init_config))
    try:
        for source in config.sources:
            open_source(source, config, Ledger(), Metrics())
    except SourceError as error:
        raise ConfigError(f"--source {error}") from error
    return init_config


def _fragment(args: argparse.Namespace, found: Found, init_config: Mapping[str, Any]) -> None:
    document = {
        "plugins": [{"name": PLUGIN, "library_path": args.library, "init_config": init_config}],
        "load_plugins": [PLUGIN],
        "rules_files": [args.rules],
    }
    head = _HEAD.format(
        directory=one_line(", ".join(init_config["config"])),
        found=one_line(", ".join(map(_named, found.states)) or "none yet"),
    )
    head += (
        "# TFDrift finds it there as well, and anew when the configuration changes: state: need not name it.\n"
        * bool(found.states)
    )
    head += "".join(f"# {one_line(problem)}\n" for problem in found.problems)
    text = head + ("" if args.source else _SOURCE_HINT) + yaml.safe_dump(document, sort_keys=False)
    if args.output:
        _write({args.output.name: text}, args.output.parent, force=args.force)
    else:
        sys.stdout.write(text)


def _write(files: Mapping[str, str], directory: Path, *, force: bool) -> None:
    """:raises ConfigError: when one of them is there already and ``force`` was not given."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in files:
        if not force and (directory / name).exists():
            raise ConfigError(f"{directory / name} is there already; give another name, or --force to replace it")
    for name, text in files.items():
        (directory / name).write_text(text, encoding="utf-8")


def _named(state: Mapping[str, Any]) -> str:
    if "path" in state:
        return str(state["path"])
    shown = {k: v for k, v in state.items() if k in ("bucket", "key", "prefix", "organization", "workspaces", "path")}
    return f"{state['backend']} ({', '.join(f'{k}={v}' for k, v in shown.items())})" if shown else str(state["backend"])
