"""write a falco.yaml fragment for a Terraform configuration directory

tfdrift init infra/ > /etc/falco/config.d/tfdrift.yaml
tfdrift init infra/ --source sqs://cloudtrail -o tfdrift.yaml
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tfdrift_core.cli.settings import PLUGIN
from tfdrift_core.config import ConfigError, load
from tfdrift_core.delivery.ledger import Ledger
from tfdrift_core.metrics import Metrics
from tfdrift_core.sources.base import SourceError
from tfdrift_core.sources.open import open_source
from tfdrift_core.terraform.configuration import Configuration, module_files
from tfdrift_core.terraform.discovery import discover

_HEAD = """\
# TFDrift for {directory}.
# Put this file into /etc/falco/config.d/, and check it with: tfdrift doctor --config THIS_FILE
# State found there: {found}
"""
_SOURCE_HINT = """\
# lookup:// asks CloudTrail every few seconds and needs no set-up; for much activity use an SQS queue
# (sqs://NAME) that the trail's bucket or EventBridge feeds.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", nargs="+", metavar="DIR", help="Terraform configuration directory")
    parser.add_argument("-s", "--source", action="append", metavar="URL", help="CloudTrail source (default: lookup://)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="where to write (default: stdout)")
    parser.add_argument("--library", default="libtfdrift.so", metavar="FILE", help="library_path of the plugin")
    parser.add_argument(
        "--rules", default="/etc/falco/tfdrift_rules.yaml", metavar="FILE", help="where TFDrift's rules are installed"
    )


def run(args: argparse.Namespace) -> int:
    try:
        text = fragment(args.directory, args.source or ["lookup://"], args.library, args.rules)
        if args.output:
            args.output.write_text(text, encoding="utf-8")
        else:
            sys.stdout.write(text)
    except (ConfigError, OSError) as error:
        print(f"tfdrift: error: {error}", file=sys.stderr)
        return 1
    return 0


def fragment(directories: Sequence[str], sources: Sequence[str], library: str, rules: str) -> str:
    """The fragment as YAML.  :raises ConfigError: when a directory holds no configuration, or a source is none."""
    paths = [Path(directory).expanduser().resolve() for directory in directories]
    states: list[Mapping[str, Any]] = []
    problems: list[str] = []
    for path in paths:
        found = discover(Configuration(str(path)))
        if not found.states and not any(module_files(path)):
            raise ConfigError(f"{path}: {found.problem}")
        states += found.states
        problems += [f"# {path}: {found.problem}\n"] if found.problem else []
    regions = sorted({str(state["region"]) for state in states if state.get("region")})
    init_config: dict[str, Any] = {"config": [str(path) for path in paths], "sources": list(sources)}
    if len(regions) == 1:
        init_config["aws"] = {"region": regions[0]}
    config = load(json.dumps(init_config))
    try:
        for source in config.sources:
            open_source(source, config, Ledger(), Metrics())
    except SourceError as error:
        raise ConfigError(f"--source {error}") from error
    document = {
        "plugins": [{"name": PLUGIN, "library_path": library, "init_config": init_config}],
        "load_plugins": [PLUGIN],
        "rules_files": [rules],
    }
    named = ", ".join(_named(state) for state in states) or "none yet"
    head = _HEAD.format(directory=", ".join(map(str, paths)), found=named) + "".join(problems)
    return head + _SOURCE_HINT + yaml.safe_dump(document, sort_keys=False)


def _named(state: Mapping[str, Any]) -> str:
    if "path" in state:
        return str(state["path"])
    shown = {k: v for k, v in state.items() if k in ("bucket", "key", "prefix", "organization", "workspaces", "path")}
    return f"{state['backend']} ({', '.join(f'{k}={v}' for k, v in shown.items())})" if shown else str(state["backend"])
