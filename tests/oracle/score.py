"""Scores TFDrift against ready-made judgements of Terraform.

    python -m tests.oracle.score                         the table, and what differs
    python -m tests.oracle.score --service s3 --service ec2
    python -m tests.oracle.score --scenario 's3_lifecycle_*' --show      with the records and the resources in state
    python -m tests.oracle.score --summary               the table alone

Five suites: ``judge`` and ``recent`` are the judgements that this repository makes itself, with provider 3.39 and with
a recent one (``tests/judge``); the others are ready-made: ``early`` with provider 3.39, ``modern`` and ``other`` with
5.32, of the services of the hand-written catalog and of those that it lacks.
Exit code: 0 when every scenario that is not excluded is right, 1 when one is not, 2 when no scenario fits.
"""

import argparse
import gzip
import json
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from tests.indexes import index_of
from tests.oracle.compare import Comparison, compare, describe, describe_event, precision, recall
from tfdrift_core.drift.change.catalog import Catalog
from tfdrift_core.drift.change.catalog import load as load_catalog
from tfdrift_core.replay import replay
from tfdrift_core.terraform.configuration import Configuration
from tfdrift_core.terraform.index import Blocks, key_text, no_blocks
from tfdrift_core.terraform.model import StateIndex

ROOT = Path(__file__).parents[2]
EARLY = Path(__file__).with_name("early")
DIFFERENCES = ROOT / "tests" / "judge" / "differences.yaml"
MODERN = Path(__file__).with_name("modern")
Scenario = Mapping[str, Any]


@cache
def differences() -> Mapping[str, Mapping[str, Any]]:
    """Where the simulator is not like AWS, which makes some scenarios wrong."""
    found: Mapping[str, Mapping[str, Any]] = yaml.safe_load(DIFFERENCES.read_text(encoding="utf-8"))
    return found


@dataclass(frozen=True)
class Suite:
    """A folder of judgements, and where the configurations are.

    The folder holds ``states/<base>.tfstate``, and ``scenarios.jsonl`` or ``scenarios/<base>.jsonl``.  A file may be
    compressed, and has ``.gz`` behind its name then.
    """

    name: str
    title: str
    folder: Path
    configurations: Path
    exclusions: Path

    @cached_property
    def scenarios(self) -> tuple[Scenario, ...]:
        folder = self.folder / "scenarios"
        if folder.is_dir():
            texts = [path.read_bytes() for path in sorted(folder.glob("*.jsonl"))]
        else:
            texts = [self._read("scenarios.jsonl")]
        return tuple(json.loads(line) for text in texts for line in text.splitlines())

    @cached_property
    def excluded(self) -> Mapping[str, str]:
        """Scenario to the evidence that the judge is wrong, or that the simulator is not like AWS."""
        own = yaml.safe_load(self.exclusions.read_text(encoding="utf-8")) or {}
        told = {
            scenario: f"{', '.join(entry['call'])}: {entry['simulator']} AWS: {entry['aws']} ({entry['source']})"
            for entry in differences().values()
            for scenario in entry.get("scenarios", {}).get(self.name, ())
        }
        return {**own, **told}

    def state(self, base: str) -> bytes:
        return self._read(f"states/{base}.tfstate")

    def _read(self, name: str) -> bytes:
        compressed = self.folder / f"{name}.gz"
        return gzip.decompress(compressed.read_bytes()) if compressed.is_file() else (self.folder / name).read_bytes()

    @cached_property
    def _indexes(self) -> dict[str, StateIndex]:
        return {}

    def index(self, base: str) -> StateIndex:
        """The base's state, with its configuration, as TFDrift reads them."""
        if base not in self._indexes:
            self._indexes[base] = index_of(self.state(base), origin=base, blocks=self._blocks(base))
        return self._indexes[base]

    def _blocks(self, base: str) -> Blocks:
        """What the configuration tells; read only where it has something to say to the engine."""
        source = self.configurations / f"{base}.tf"
        if "ignore_changes" not in source.read_text(encoding="utf-8"):
            return no_blocks
        with tempfile.TemporaryDirectory(prefix="score-") as directory:
            shutil.copy(source, Path(directory) / "main.tf")
            if (self.configurations / "modules").is_dir():
                (Path(directory) / "modules").symlink_to((self.configurations / "modules").absolute())
            configuration = Configuration(directory)
            configuration.preload()
        return lambda origin, module, kind, name: configuration.block(module, kind, name)


SUITES = {
    "early": Suite(
        "early",
        "Judgements of provider 3.39",
        EARLY,
        EARLY / "config",
        EARLY / "excluded.yaml",
    ),
    "judge": Suite(
        "judge",
        "Judgements that this repository makes",
        ROOT / "tests" / "judge" / "judged",
        ROOT / "tests" / "judge" / "bases",
        ROOT / "tests" / "judge" / "excluded.yaml",
    ),
    "recent": Suite(
        "recent",
        "Judgements that this repository makes with a recent provider",
        ROOT / "tests" / "judge" / "recent" / "judged",
        ROOT / "tests" / "judge" / "recent",
        ROOT / "tests" / "judge" / "recent" / "excluded.yaml",
    ),
    "modern": Suite(
        "modern",
        "Judgements of provider 5.32: services of the catalog",
        MODERN / "known",
        MODERN / "known" / "config",
        MODERN / "known" / "excluded.yaml",
    ),
    "other": Suite(
        "other",
        "Judgements of provider 5.32: services that the catalog lacks",
        MODERN / "other",
        MODERN / "other" / "config",
        MODERN / "other" / "excluded.yaml",
    ),
}


@cache
def catalog() -> Catalog:
    return load_catalog()


def judge(suite: Suite, scenario: Scenario) -> Comparison:
    """Replays one scenario and compares; an exception of the product is passed on."""
    return compare(scenario, replay(suite.index(scenario["base"]), scenario["records"], catalog=catalog()))


def chosen(suite: Suite, services: Sequence[str], names: Sequence[str], events: Sequence[str] = ()) -> list[Scenario]:
    return [
        scenario
        for scenario in suite.scenarios
        if (not services or scenario["service"] in services)
        and (not names or any(fnmatch(scenario["name"], name) for name in names))
        and (not events or any(fnmatch(r["eventName"], event) for r in scenario["records"] for event in events))
    ]


def total(results: Iterable[Comparison]) -> Counter[str]:
    return sum((result.numbers() for result in results), Counter())


# --- printing


def table(results: Iterable[Comparison]) -> str:
    """Precision and recall per service."""
    by_service: dict[str, list[Comparison]] = {}
    for result in results:
        by_service.setdefault(result.service, []).append(result)
    lines = [
        f"{'service':<16}{'scenarios':>11}{'right':>7}{'wrong':>7}{'extra':>7}{'missing':>9}{'precision':>11}{'recall':>8}"
    ]
    rows = [(name, by_service[name]) for name in sorted(by_service)]
    rows.append(("total", [result for _, group in rows for result in group]))
    for name, group in rows:
        numbers = total(group)
        good = f"{sum(result.good for result in group)}/{len(group)}"
        lines.append(
            f"{name:<16}{good:>11}{numbers['right']:>7}{numbers['wrong']:>7}{numbers['extra']:>7}{numbers['missing']:>9}"
            f"{precision(numbers):>11.1%}{recall(numbers):>8.1%}"
        )
    return "\n".join(lines)


def explain(suite: Suite, scenario: Scenario, result: Comparison, show: bool = False) -> str:
    """What differs in one scenario, with the calls that were made."""
    calls = ", ".join(
        f"{r['eventName']}{' !' + r['errorCode'] if r.get('errorCode') else ''}" for r in scenario["records"]
    )
    note = f"  # {scenario['note']}" if scenario.get("note") else ""
    lines = [
        f"{'ok  ' if result.good else 'FAIL'} {result.name}  [{scenario['kind']}, {scenario['base']}]  {calls}{note}"
    ]
    if result.raised:
        lines.append(result.raised)
    lines += [f"  - missing  {describe(item)}" for item in result.missing]
    for item, event, difference in result.wrong:
        lines += [
            f"  ~ wrong    {item['address']}  {event.path}",
            *(f"             {d}" for d in difference.split("\n")),
        ]
    lines += [f"  + extra    {describe_event(event)}\n             {why}" for event, why in result.extra]
    if show:
        lines += [f"    right    {describe(item)}" for item in result.right]
        lines += [f"    masked   {describe(item)}" for item in result.masked]
        lines += [f"    not owed {describe(item)}" for item in result.unowed]
    if show or result.lacks_unmanaged:
        lines += [f"    unmanaged {describe_event(event)}" for event in result.unmanaged] or ["    no unmanaged event"]
    if show:
        lines += _records(scenario) + _instances(suite, scenario)
    return "\n".join(lines)


def _records(scenario: Scenario) -> list[str]:
    return [
        f"    {name} {json.dumps(record.get(member), ensure_ascii=False)[:4000]}"
        for record in scenario["records"]
        for name, member in ((f"{record['eventName']} request ", "requestParameters"), ("response", "responseElements"))
    ]


def _instances(suite: Suite, scenario: Scenario) -> list[str]:
    """The resources in state that were judged to drift."""
    wanted = {item["address"] for item in scenario["drift"]}
    lines = []
    for resource in json.loads(suite.state(scenario["base"]))["resources"]:
        for instance in resource["instances"]:
            key = instance.get("index_key")
            index = "" if key is None else f"[{key_text(key)}]"
            module = f"{resource['module']}." if "module" in resource else ""
            address = f"{module}{resource['type']}.{resource['name']}{index}"
            if address in wanted:
                text = json.dumps(instance["attributes"], ensure_ascii=False)
                lines.append(f"    state {address} {text[:6000]}")
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", action="append", choices=sorted(SUITES), help="all when not given")
    parser.add_argument("--service", action="append", default=[], help="only scenarios of this service")
    parser.add_argument("--scenario", action="append", default=[], help="only scenarios whose name fits (*, ?)")
    parser.add_argument("--event", action="append", default=[], help="only scenarios with such a call (*, ?)")
    parser.add_argument("--show", action="store_true", help="records, state and what was right as well")
    parser.add_argument("--summary", action="store_true", help="the table alone")
    parser.add_argument("--failing", action="store_true", help="names of the failing scenarios alone")
    arguments = parser.parse_args(argv)
    suites = [SUITES[name] for name in arguments.suite or SUITES]
    selected = [
        (suite, scenario)
        for suite in suites
        for scenario in chosen(suite, arguments.service, arguments.scenario, arguments.event)
    ]
    if not selected:
        services = sorted({scenario["service"] for suite in suites for scenario in suite.scenarios})
        print(f"no scenario fits; services: {', '.join(services)}", file=sys.stderr)
        return 2
    started = time.perf_counter()
    results = [(suite, _score(suite, scenario, arguments)) for suite, scenario in selected]
    counted = [(suite, result) for suite, result in results if result.name not in suite.excluded]
    if not arguments.failing:
        for suite in suites:
            own = [result for owner, result in counted if owner is suite]
            excluded = sum(owner is suite for owner, _ in results) - len(own)
            print(f"{suite.title}\n{summary(own)}\nexcluded by name, with the evidence: {excluded}\n")
        print(f"{len(results)} scenarios in {time.perf_counter() - started:.1f} s")
    return 0 if all(result.good for _, result in counted) and (not arguments.summary or _blamed(suites)) else 1


def _blamed(suites: Sequence[Suite]) -> bool:
    """Prints how well ``tfdrift blame`` explains the same judgements; whether all of it is right."""
    from tests.oracle import blamed  # it stands on this module

    results = blamed.scored([suite.name for suite in suites])
    print(f"\nThe calls that blame finds behind the judged drift\n{blamed.table(results)}")
    return all(result.good for group in results.values() for result in group)


def _score(suite: Suite, scenario: Scenario, arguments: argparse.Namespace) -> Comparison:
    try:
        result = judge(suite, scenario)
    except Exception:  # noqa: BLE001 - whatever the product raises is this scenario's result
        result = Comparison(scenario["name"], scenario["service"], scenario["kind"], missing=list(scenario["drift"]))
        result.raised = traceback.format_exc(limit=-4)
    if arguments.failing:
        if not result.good:
            print(result.name)
    elif not arguments.summary and (arguments.show or not result.good):
        if result.name in suite.excluded:
            print(f"(excluded: {suite.excluded[result.name]})")
        print(explain(suite, scenario, result, arguments.show) + "\n")
    return result


def summary(results: Sequence[Comparison]) -> str:
    """The table, and which unmanaged resources were said."""
    lacking = [result.name for result in results if result.lacks_unmanaged]
    created = sum(result.kind == "unmanaged" for result in results)
    said = f"unmanaged resources said: {created - len(lacking)} of {created}"
    return f"{table(results)}\n{said}{', not: ' + ', '.join(lacking) if lacking else ''}"


if __name__ == "__main__":
    sys.exit(main())
