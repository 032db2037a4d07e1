"""let Terraform itself confirm the drift that is open

tfdrift verify -c falco.yaml --open                     everything that is open
tfdrift verify -c falco.yaml aws_instance.web           a resource, by its address
tfdrift verify --config infra/app aws_instance.web      without TFDrift's configuration

It makes a refresh-only plan of these resources, in the configuration's directory and workspace, with the terraform or
tofu on PATH and your credentials.  It takes no lock, writes no state and applies nothing.
"""

import argparse
import logging
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tfdrift_core.cli import settings
from tfdrift_core.config import Config, ConfigError, duration, load
from tfdrift_core.delivery.drifts import OpenDrift, OpenStore, StoreError
from tfdrift_core.delivery.shared import SharedStore
from tfdrift_core.drift.event import Kind
from tfdrift_core.drift.finding import Answer
from tfdrift_core.drift.memory import Memory, openings_of
from tfdrift_core.terraform.model import Instance
from tfdrift_core.terraform.roots import below, is_configuration
from tfdrift_core.terraform.store import StateStore
from tfdrift_core.text import json_line, one_line
from tfdrift_core.verify.side import Line, Sides, Target, beside
from tfdrift_core.verify.terraform import Terraform, TerraformError, find

_log = logging.getLogger("tfdrift.verify")
_LONG = 200
_SAID: Mapping[Answer, tuple[str, str]] = {
    Answer.CONFIRMED: ("confirmed", "yellow"),
    Answer.FILLED: ("confirmed, value was unknown", "yellow"),
    Answer.GONE: ("gone", "green"),
    Answer.MORE: ("more", "bold red"),
}


@dataclass(frozen=True)
class Known:
    """What is known before Terraform is asked: what is open, and, of each state that was read, the instances by address
    and the directory.
    """

    memory: Memory
    instances: Mapping[str, Mapping[str, Instance]] = field(default_factory=dict)
    directories: Mapping[str, str] = field(default_factory=dict)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("addresses", nargs="*", metavar="ADDRESS", help="a resource, as in terraform state list")
    add(
        "-c",
        "--config",
        action="append",
        default=[],
        metavar="PATH",
        help="a Terraform configuration directory; or a falco.yaml, or a file with the plugin's init_config",
    )
    parser.set_defaults(state=[])
    add("--open", action="store_true", help="every drift that is open")
    add("--workspace", default="", metavar="NAME", help="the workspace (default: that of the state, else the selected)")
    add("--program", default="", metavar="PROGRAM", help="terraform or tofu, by name or path (default: found on PATH)")
    add("--timeout", default="30m", metavar="TIME", help="so long a plan may take (default: %(default)s)")
    add("--json", action="store_true", help="print one JSON object a line")
    add("--detailed-exitcode", action="store_true", help="end with 0 for no drift, 2 for drift, 1 for an error")


def run(args: argparse.Namespace) -> int:
    try:
        if bool(args.addresses) == args.open:
            raise ConfigError("what is to be verified? Name addresses, or --open for everything that is open")
        config = load(settings.text_of(args))
        terraform = find(args.program, duration(args.timeout))
        store = _store(config)
        known = _known(config, store, args.config)
        targets, problems = _targets(args, config, known, store)
        sides = [*problems, *(_verify(terraform, target, known) for target in targets)]
        if store is not None:
            store.verify({key: data for side in sides for key, data in side.findings.items() if key[0]})
    except (ConfigError, StoreError, TerraformError) as error:
        print(f"tfdrift: error: {error}", file=sys.stderr)
        return 1
    if not sides and not args.json:
        print("Nothing is open.")
        return 0
    return _tell(sides, args, kept=store is not None)


def _store(config: Config) -> OpenStore | None:
    if config.store:
        return SharedStore(config.store, config.aws)
    return OpenDrift(config.data_dir) if config.data_dir else None


def _known(config: Config, store: OpenStore | None, given: Sequence[str]) -> Known:
    memory = Memory(store.salt if store is not None else b"")
    memory.load(store.documents() if store is not None else ())
    if not _has_file(given):
        return Known(memory)
    states = StateStore(config)
    with settings.errors_listed():
        states.refresh(force=True)
    for origin, problem in states.errors.items():
        _log.warning("%s: %s", origin, problem)
    found: dict[str, dict[str, Instance]] = {}
    for instance in states.index.all():
        found.setdefault(instance.state, {})[instance.address] = instance
    directories = {status.origin: states.directory(status.origin) for status in states.statuses}
    states.close()
    return Known(memory, found, directories)


def _has_file(given: Sequence[str]) -> bool:
    """Whether a configuration of TFDrift is given, beside directories of Terraform's."""
    return not all(Path(path).is_dir() for path in given)


def _targets(
    args: argparse.Namespace, config: Config, known: Known, store: OpenStore | None
) -> tuple[Sequence[Target], Sequence[Sides]]:
    """What is to be looked at, and why something that is asked for cannot be."""
    if args.open:
        if store is None:
            raise ConfigError("what is open is kept in data_dir, or store: name the configuration that has one with -c")
        wanted = _open(store)
    elif _has_file(args.config):
        wanted = _by_state(args.addresses, known)
    else:
        return [Target(_directory(config), args.workspace, "", tuple(args.addresses))], ()
    targets, problems = [], []
    for (state, workspace), addresses in wanted.items():
        if args.workspace and args.workspace != workspace:
            continue
        if directory := known.directories.get(state):
            targets.append(Target(Path(directory), workspace, state, tuple(dict.fromkeys(addresses))))
        else:
            problem = f"{state}: which directory is its configuration in? Name it under config in init_config"
            problems.append(Sides(problems=[problem]))
    return targets, problems


def _directory(config: Config) -> Path:
    """The one root module that is named, or below what is named."""
    roots = [root for path in map(Path, config.config) for root in _roots(path)]
    if len(roots) != 1:
        found = f"; {', '.join(map(str, roots))} were found" if roots else ""
        raise ConfigError(f"in which directory are these resources? Name one with --config{found}")
    return roots[0]


def _roots(directory: Path) -> Sequence[Path]:
    return [directory] if is_configuration(directory) else below(directory, _log.warning)


def _open(store: OpenStore) -> Mapping[tuple[str, str], list[str]]:
    """The addresses with open drift, by state and workspace."""
    found: dict[tuple[str, str], list[str]] = {}
    outside = 0
    for _, data in store.documents():
        for opening in openings_of(data):
            resource = opening.resource
            if opening.kind is Kind.UNMANAGED or not resource.address:
                outside += 1
                continue
            found.setdefault((resource.state, resource.workspace), []).append(resource.address)
    if outside:
        _log.info("%d resources that were made outside Terraform are in no state; no plan shows them", outside)
    return found


def _by_state(addresses: Sequence[str], known: Known) -> Mapping[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for address in addresses:
        states = [(s, instances[address]) for s, instances in known.instances.items() if address in instances]
        if not states:
            raise ConfigError(f"{address}: is in none of the states that are read; tfdrift state --list shows what is")
        for state, instance in states:
            found.setdefault((state, instance.workspace), []).append(address)
    return found


def _verify(terraform: Terraform, target: Target, known: Known) -> Sides:
    try:
        console = Console(stderr=True)
        with console.status(f"{terraform.name} looks at {len(target.addresses)} resources in {target.directory}"):
            seen = terraform.plan(target.directory, target.workspace, target.addresses)
    except TerraformError as error:
        return Sides(problems=[str(error)])
    return beside(target, seen, known.instances.get(target.state, {}), known.memory)


def _tell(sides: Sequence[Sides], args: argparse.Namespace, *, kept: bool) -> int:
    lines = [line for side in sides for line in side.lines]
    if args.json:
        for line in lines:
            sys.stdout.buffer.write(json_line(line.as_row()))
        sys.stdout.buffer.flush()
    else:
        _print(lines, kept=kept, failed=any(side.problems for side in sides))
    for problem in (problem for side in sides for problem in side.problems):
        print(f"tfdrift: error: {one_line(problem)}", file=sys.stderr)
    if any(side.problems for side in sides):
        return 1
    return 2 if args.detailed_exitcode and any(line.answer is not Answer.GONE for line in lines) else 0


def _print(lines: Sequence[Line], *, kept: bool, failed: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    before: tuple[Target, str] | None = None
    for line in lines:
        if (line.target, line.address) != before:
            place = ", workspace ".join(part for part in (str(line.target.directory), line.target.workspace) if part)
            console.print(Text(one_line(line.address), "bold").append(f"  {one_line(place)}", "not bold dim"))
        before = line.target, line.address
        console.print(_text(line))
    if lines:
        console.print(_summary(Counter(line.answer for line in lines)))
        if kept:
            console.print("The store of open drifts has it.", style="dim")
    elif not failed:
        console.print("Terraform sees no drift.")


def _summary(counts: Counter[Answer]) -> str:
    filled = f" ({counts[Answer.FILLED]} with a value that was unknown)" if counts[Answer.FILLED] else ""
    confirmed = counts[Answer.CONFIRMED] + counts[Answer.FILLED]
    return f"{confirmed} confirmed{filled}, {counts[Answer.GONE]} gone, {counts[Answer.MORE]} more"


def _text(line: Line) -> Text:
    name, style = _SAID[line.answer]
    opening, path = line.compared.opening, line.path
    text = Text("  ").append(name, style)
    shown = line.compared.shown
    if shown is not None and (shown.added or shown.removed):
        text.append(f"  {one_line(path)}:")
        for sign, elements, color in (("+", shown.added, "green"), ("-", shown.removed, "red")):
            for element in elements:
                text.append(f" {sign} {_short(element)}", color)
    elif path:
        text.append(f"  {one_line(path)}: ").append(_short(line.old), "red").append(" → ").append(
            _short(line.new), "green"
        )
    else:
        text.append(f"  {line.kind.value}")
    if opening is not None:
        if line.answer is Answer.MORE:
            text.append(f"  the last record told of {_short(opening.new_value)}", "dim")
        text.append(f"  by {one_line(opening.by or 'unknown')}, drift {opening.id[:8]}", "cyan")
    elif line.answer is Answer.MORE:
        text.append("  no record told of it", "dim")
    return text


def _short(value: str | None) -> str:
    text = one_line(value or "(unset)")
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"
