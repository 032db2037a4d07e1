"""Asks Terraform what drifts: applies a configuration to moto, makes the calls of a scenario, plans a refresh.

Every base configuration is applied once in a process of its own; each of its scenarios runs in a fork of that process,
and so on a fresh copy of the account.

    python -m tests.judge.judge                      judge everything and write the fixtures
    python -m tests.judge.judge --base sqs           one base, fixtures of the others stay
    python -m tests.judge.judge --bench recent       the same with a recent provider (TFDRIFT_RECENT_PROVIDER)
    python -m tests.judge.judge --scenario 'sqs_*' --print      judge and print, write nothing
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
import jmespath
import yaml

from tests.judge import moto, serializer, terraform
from tests.nodes import node_at
from tests.oracle.compare import describe, equal
from tfdrift_core.drift.compare.schema import Node, schema_of
from tfdrift_core.terraform.index import key_text

HERE = Path(__file__).parent
FORK_SECONDS = 180

Scenario = Mapping[str, Any]
Item = dict[str, Any]

_REFERENCE = re.compile(r"\$\{([^}]+)\}")
_ADDRESS = re.compile(r"((?:module\.[^.\[]+(?:\[[^\]]+\])?\.)*aws_\w+\.[\w-]+(?:\[[^\]]+\])?)\.?(.*)$")


class _Loader(yaml.SafeLoader):
    """YAML with ``!json``: the JSON text of what follows."""


def _json(loader: yaml.SafeLoader, node: yaml.MappingNode) -> str:
    return json.dumps(loader.construct_mapping(node, deep=True))


_Loader.add_constructor("!json", _json)


@dataclass(frozen=True)
class Bench:
    """A judge: the folder of its configurations and scenarios, that of its judgements, and its provider.

    ``folder`` holds ``<base>.tf`` and ``<base>.yaml``; ``judged`` holds ``states/<base>.tfstate`` and
    ``scenarios/<base>.jsonl``.
    """

    folder: Path
    judged: Path
    release: terraform.Release

    def bases(self) -> list[str]:
        return sorted(path.stem for path in self.folder.glob("*.tf"))

    def _document(self, base: str) -> dict[str, Any]:
        found: dict[str, Any] = yaml.load((self.folder / f"{base}.yaml").read_text(encoding="utf-8"), _Loader)
        return found

    def scenarios(self, base: str) -> list[Scenario]:
        """The scenarios of one base, each with ``name``, ``service``, ``kind``, ``note`` and ``calls``."""
        document = self._document(base)
        return [
            {"service": document["service"], "kind": "update", "note": "", **entry, "base": base}
            for entry in document["scenarios"]
        ]

    def settings(self, base: str) -> dict[str, Any]:
        return {key: value for key, value in self._document(base).items() if key != "scenarios"}


BENCHES = {
    "early": Bench(HERE / "bases", HERE / "judged", terraform.EARLY),
    "recent": Bench(HERE / "recent", HERE / "recent" / "judged", terraform.LATE),
}


# --- the calls


def resolve(value: Any, state: Mapping[str, Any], responses: Sequence[Mapping[str, Any]]) -> Any:
    """The parameters with ``${aws_sqs_queue.q.id}`` and ``${1.SecurityGroupId}`` (the first response) filled in."""
    if isinstance(value, dict):
        if value.keys() == {"edit", "set"}:
            return _edited(resolve(value["edit"], state, responses), resolve(value["set"], state, responses))
        return {key: resolve(member, state, responses) for key, member in value.items()}
    if isinstance(value, list):
        return [resolve(element, state, responses) for element in value]
    if not isinstance(value, str):
        return value
    whole = _REFERENCE.fullmatch(value)
    if whole:
        return _reference(whole[1], state, responses)
    return _REFERENCE.sub(lambda match: str(_reference(match[1], state, responses)), value)


def _reference(text: str, state: Mapping[str, Any], responses: Sequence[Mapping[str, Any]]) -> Any:
    number, dot, path = text.partition(".")
    if number.isdigit() and dot:
        found = jmespath.search(path, responses[int(number) - 1])
    else:
        match = _ADDRESS.match(text)
        if match is None:
            raise ValueError(f"${{{text}}} is neither an attribute in state nor part of a response")
        found = jmespath.search(match[2], attributes(state)[match[1]])
    if found is None:
        raise ValueError(f"${{{text}}} leads nowhere")
    return found


def _edited(document: Any, changes: Mapping[str, Any]) -> Any:
    """A copy of the document with the values at dotted paths replaced."""
    copy = json.loads(json.dumps(document, default=str))
    for path, value in changes.items():
        target = copy
        *steps, last = (int(step) if step.isdigit() else step for step in path.split("."))
        for step in steps:
            target = target[step]
        target[last] = value
    return copy


def attributes(state: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Address to attributes of every managed instance."""
    found = {}
    for resource in state["resources"]:
        if resource["mode"] == "managed":
            for instance in resource["instances"]:
                key = instance.get("index_key")
                index = "" if key is None else f"[{key_text(key)}]"
                module = f"{resource['module']}." if "module" in resource else ""
                found[f"{module}{resource['type']}.{resource['name']}{index}"] = instance["attributes"]
    return found


def make_calls(scenario: Scenario, endpoint: str, state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Makes the calls of a scenario; gives the records of them."""
    region = scenario.get("region", "us-east-1")
    session = boto3.Session("AKIAJUDGE00000000001", "judge", region_name=region)
    records: list[dict[str, Any]] = []
    responses: list[Mapping[str, Any]] = []
    for number, call in enumerate(scenario["calls"]):
        ((name, parameters),) = call.items()
        service, _, method = name.partition(".")
        client = session.client(service, endpoint_url=endpoint)
        operation = client.meta.method_to_api_mapping[method]
        filled = resolve(parameters or {}, state, responses)
        error = None
        response: Mapping[str, Any] = {}
        try:
            response = getattr(client, method)(**filled)
        except botocore.exceptions.ClientError as failed:
            if scenario["kind"] != "error":
                raise
            detail = failed.response["Error"]
            error = (detail["Code"], detail["Message"])
        responses.append(response)
        records.append(
            serializer.record(
                service,
                operation,
                filled,
                response,
                error=error,
                region=region,
                number=number,
                scenario=scenario["name"],
            )
        )
    return records


# --- the plan


def flatten(changes: Sequence[Mapping[str, Any]]) -> list[Item]:
    """``resource_drift`` as one item per path: maps by key, lists of one length by index, sets as a whole."""
    items: list[Item] = []
    for change in changes:
        head = {"address": change["address"], "type": change["type"]}
        before, after = change["change"]["before"], change["change"]["after"]
        if change["change"]["actions"] == ["delete"]:
            items.append({**head, "action": "delete", "attribute": None, "before": before.get("id"), "after": None})
            continue
        block = schema_of(change["type"], before)
        for name in sorted(before.keys() | after.keys()):
            node = block.attributes.get(name) if block else None
            for found in _differences(name, before.get(name), after.get(name), node):
                top = node_at(change["type"], (name,))
                computed = bool(top and top.computed_only and name != "tags_all")
                item = {**head, "action": "update", **found, "computed_only": computed}
                if cosmetic(found):
                    item["cosmetic"] = True
                items.append(item)
    return items


def cosmetic(item: Mapping[str, Any]) -> bool:
    """Whether before and after are documents of one meaning."""
    before, after = item["before"], item["after"]
    if item.get("added") and isinstance(after, list):
        return equal(json.dumps(before), after, is_set=True)
    return isinstance(before, str) and isinstance(after, str) and equal(before, after)


def _unset(value: Any) -> bool:
    return value in (None, "", [], {}) and value is not False


def _differences(path: str, before: Any, after: Any, node: Node | None) -> Iterator[Item]:
    if (before == after and type(before) is type(after)) or (_unset(before) and _unset(after)):
        return
    is_set = node is not None and node.is_set
    lists = isinstance(before, list | None) and isinstance(after, list | None)
    if isinstance(before, dict) and isinstance(after, dict):
        below = node.nested if node else None
        for key in sorted(before.keys() | after.keys()):
            inner = below.attributes.get(key) if below else node.element if node else None
            yield from _differences(f"{path}.{key}", before.get(key), after.get(key), inner)
    elif node is not None and node.kind == "map" and isinstance(before or after, dict):
        yield from _differences(path, before or {}, after or {}, node)
    elif lists and not is_set and len(before or []) == len(after or []):
        inner = None if node is None else Node("object", block=node.nested) if node.nested else node.element
        for index, (left, right) in enumerate(zip(before, after, strict=True)):
            yield from _differences(f"{path}[{index}]", left, right, inner)
    else:
        item: Item = {"attribute": path, "before": before, "after": after}
        if is_set:
            item["added"] = [element for element in after or [] if element not in (before or [])]
            item["removed"] = [element for element in before or [] if element not in (after or [])]
            if not item["added"] and not item["removed"]:
                return
        yield item


# --- one base


def judge_base(bench: Bench, base: str, names: Sequence[str], directory: Path) -> list[dict[str, Any]]:
    """The judged scenarios of a base; writes its state to ``directory``.  Forks: for a process of its own.

    What drifts although nothing was done, because moto does not keep it, is left out of every judgement; so is what
    the provider only computes and what is another value each time, as the time until which a database can be restored.
    """
    moto.seed()
    port = moto.free_port()
    work = terraform.Workspace(directory / base, bench.release, f"http://127.0.0.1:{port}")
    work.directory.mkdir()
    shutil.copy(bench.folder / f"{base}.tf", work.directory / "main.tf")
    modules = bench.folder / "modules"
    if modules.is_dir():
        shutil.copytree(modules, work.directory / "modules")
    options = bench.settings(base)
    for archive, members in options.get("files", {}).items():
        _zip(work.directory / archive, members)
    provider = terraform.provider_block(f"http://127.0.0.1:{port}", options.get("default_tags"), bench.release)
    (work.directory / "provider.tf").write_text(provider, encoding="utf-8")
    started = time.monotonic()
    with moto.serving(port) as endpoint:
        for call in options.get("prepare", []):
            make_calls({"name": base, "kind": "prepare", "calls": [call]}, endpoint, {"resources": []})
        work.apply()
        noise = flatten(work.resource_drift())
    print(f"{base}: applied in {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True)
    results = []
    for scenario in bench.scenarios(base):
        if names and not any(fnmatch(scenario["name"], name) for name in names):
            continue
        started = time.monotonic()
        result = _in_fork(scenario, work, port)
        result["drift"] = [item for item in result.get("drift", []) if not _is_noise(item, noise)]
        took = time.monotonic() - started
        what = result.get("failed") or f"{len(result['drift'])} drifts"
        print(f"  {scenario['name']}: {what} ({took:.1f} s)", file=sys.stderr, flush=True)
        results.append(result)
    return results


def _is_noise(item: Item, noise: Sequence[Item]) -> bool:
    place = (item["address"], item["attribute"])
    clock = item.get("computed_only") and any((known["address"], known["attribute"]) == place for known in noise)
    return bool(clock) or item in noise


def _zip(path: Path, members: Mapping[str, str]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(zipfile.ZipInfo(name), text)


def _in_fork(scenario: Scenario, work: terraform.Workspace, port: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="judge-") as scratch:
        answer = Path(scratch) / "answer.json"
        child = os.fork()
        if child == 0:
            try:
                result = _judge(scenario, work, port, Path(scratch))
            except BaseException as error:  # noqa: BLE001 - the parent reports it
                result = {"name": scenario["name"], "failed": f"{type(error).__name__}: {error}"}
            answer.write_text(json.dumps(result, default=str), encoding="utf-8")
            os._exit(0)
        deadline = time.monotonic() + FORK_SECONDS
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(child, 9)
                os.waitpid(child, 0)
                return {"name": scenario["name"], "failed": f"took more than {FORK_SECONDS} s"}
            time.sleep(0.02)
        result = json.loads(answer.read_text(encoding="utf-8"))
        assert isinstance(result, dict)
        return result


def _judge(scenario: Scenario, work: terraform.Workspace, port: int, scratch: Path) -> dict[str, Any]:
    directory = scratch / "work"
    shutil.copytree(work.directory, directory, symlinks=True)
    with moto.serving(port) as endpoint:
        records = make_calls(scenario, endpoint, work.state())
        drift = flatten(replace(work, directory=directory).resource_drift())
    kept = {key: scenario[key] for key in ("name", "service", "kind", "base", "note")}
    return {**kept, "records": records, "drift": drift}


# --- all bases


def judge(
    chosen: Sequence[str], names: Sequence[str], jobs: int = 2, bench: str = "early"
) -> Iterator[tuple[str, bytes, list[Any]]]:
    """Base, state and judged scenarios of each base, each judged in a process of its own."""
    BENCHES[bench].release.folder()
    with tempfile.TemporaryDirectory(prefix="judge-") as root, ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda base: _base_process(bench, base, names, Path(root)), chosen)


def _base_process(bench: str, base: str, names: Sequence[str], root: Path) -> tuple[str, bytes, list[Any]]:
    command = [sys.executable, "-m", "tests.judge.judge", "--bench", bench, "--worker", base, str(root)]
    for name in names:
        command += ["--scenario", name]
    done = subprocess.run(command, cwd=terraform.REPO, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        failure = {"name": base, "failed": "the configuration could not be applied, see above"}
        return base, b"", [failure]
    return base, (root / base / "terraform.tfstate").read_bytes(), json.loads(done.stdout)


def write(judged: Path, base: str, state: bytes, results: Sequence[Mapping[str, Any]]) -> None:
    """Puts the judgements of a base among the fixtures."""
    (judged / "states").mkdir(parents=True, exist_ok=True)
    (judged / "scenarios").mkdir(exist_ok=True)
    document = json.loads(state)
    (judged / "states" / f"{base}.tfstate").write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")
    lines = [
        json.dumps(scenario, separators=(",", ":"), ensure_ascii=False) + "\n"
        for scenario in sorted(results, key=lambda scenario: str(scenario["name"]))
    ]
    (judged / "scenarios" / f"{base}.jsonl").write_text("".join(lines), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", choices=sorted(BENCHES), default="early", help="which provider judges")
    parser.add_argument("--base", action="append", default=[])
    parser.add_argument("--scenario", action="append", default=[], help="only scenarios whose name fits (*, ?)")
    parser.add_argument("--print", action="store_true", help="print the judgements, write nothing")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    bench = BENCHES[arguments.bench]
    if arguments.worker:
        base, root = arguments.worker
        print(json.dumps(judge_base(bench, base, arguments.scenario, Path(root))))
        return 0
    failed = 0
    wanted = arguments.base or bench.bases()
    for base, state, results in judge(wanted, arguments.scenario, arguments.jobs, arguments.bench):
        for result in results:
            if "failed" in result:
                failed += 1
                print(f"FAILED {result['name']}: {result['failed']}")
        good = [result for result in results if "failed" not in result]
        if arguments.print or arguments.scenario:
            for result in good:
                show(result)
        elif state:
            write(bench.judged, base, state, good)
    return 1 if failed else 0


def show(result: Mapping[str, Any]) -> None:
    print(f"{result['name']} [{result['kind']}]")
    for record in result["records"]:
        print(f"    {record['eventName']} {json.dumps(record['requestParameters'])[:400]}")
    for item in result["drift"]:
        print(f"  {describe(item)}")


if __name__ == "__main__":
    sys.exit(main())
