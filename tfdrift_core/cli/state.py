"""list the Terraform state that is loaded, and its resources with file and line

tfdrift state --config infra/             the state that a configuration directory names
tfdrift state s3://bucket/prefix/         every state below a prefix
tfdrift state --config falco.yaml --json  what the plugin would load
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tfdrift_core.cli import settings
from tfdrift_core.config import ConfigError
from tfdrift_core.terraform.index import StateInstance
from tfdrift_core.terraform.store import StateStore, Status
from tfdrift_core.text import counted, one_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    settings.add_arguments(parser)
    parser.add_argument("-t", "--type", action="append", metavar="TYPE", help="only resources of this type")
    parser.add_argument("-s", "--summary", action="store_true", help="only the states, not their resources")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args: argparse.Namespace) -> int:
    try:
        config = settings.configuration(args)
        if not config.state and not config.config:
            raise ConfigError("no state: name one, or a configuration with --config")
        store = StateStore(config)
    except ConfigError as error:
        print(f"tfdrift: error: {error}", file=sys.stderr)
        return 1
    try:
        with settings.errors_listed():
            store.refresh()
        listed = [(status, _instances(status, args.type, args.summary)) for status in store.statuses]
        if args.json:
            json.dump({"states": [_as_json(*item) for item in listed]}, sys.stdout, indent=2)
            sys.stdout.write("\n")
        else:
            for line in _as_text(listed):
                print(one_line(line))
        return 1 if store.errors else 0
    finally:
        store.close()


_WIDEST = 72
"""Characters of a column; what is longer stands out of it."""


def _instances(status: Status, types: Sequence[str] | None, summary: bool) -> Sequence[StateInstance]:
    if status.state is None or summary:
        return ()
    return [i for i in status.state.instances if not types or i.type in types]


def _as_text(listed: Sequence[tuple[Status, Sequence[StateInstance]]]) -> Iterator[str]:
    for status, instances in listed:
        yield status.origin
        if status.state:
            yield f"  {_summary(status)}"
        if status.error:
            yield f"  error: {status.error}"
        rows = [(i.address, i.id or "-", f"{_relative(i.file)}:{i.line}" if i.file else "no file") for i in instances]
        # One long id would push the files of all others out of sight.
        widths = [min(max((len(row[column]) for row in rows), default=0), _WIDEST) for column in (0, 1)]
        for address, id, place in rows:
            yield f"    {address:<{widths[0]}}  {id:<{widths[1]}}  {place}"
    states = [status.state for status, _ in listed if status.state]
    total = sum(len(state.instances) for state in states)
    failing = sum(1 for status, _ in listed if status.error)
    found = f"{counted(len(states), 'state')}, {counted(total, 'resource instance')}"
    yield found + (f", {failing} failing" if failing else "")


def _summary(status: Status) -> str:
    state = status.state
    assert state is not None
    return (
        f"workspace {status.workspace}, serial {state.serial}, lineage {state.lineage or '-'}, "
        f"Terraform {state.terraform_version or '-'}, {counted(state.resources, 'resource')}, "
        f"{counted(len(state.instances), 'instance')}, "
        f"checked {_age(status)} s ago"
    )


def _age(status: Status) -> int:
    return max(0, time.time_ns() - status.checked_at) // 1_000_000_000


def _as_json(status: Status, instances: Sequence[StateInstance]) -> dict[str, Any]:
    state = status.state
    return {
        "source": status.origin,
        "workspace": status.workspace,
        "error": status.error or None,
        "age": _age(status) if state else None,
        "serial": state.serial if state else None,
        "lineage": state.lineage if state else None,
        "terraform_version": state.terraform_version if state else None,
        "resources": state.resources if state else 0,
        "instances": [
            {
                "address": i.address,
                "id": i.id or None,
                "account": i.account or None,
                "region": i.region or None,
                "tainted": i.tainted,
                "file": i.file or None,
                "line": i.line or None,
                "ignore_changes": list(i.ignore_changes),
            }
            for i in instances
        ],
    }


def _relative(file: str) -> str:
    near = os.path.relpath(file)
    return file if near.startswith("..") and Path(file).is_absolute() else near
