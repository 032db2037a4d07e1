"""Scores ``tfdrift blame``: every drifted attribute that Terraform judged has to lead to the call that made it.

A judgement is turned into the plan that it was flattened from, and its records are hidden among others: before them
what other people did to the same resources, behind them what they did to others, and all around what was done
elsewhere.

    python -m tests.oracle.blamed                        the table, and what is wrong
    python -m tests.oracle.blamed --scenario 's3_*'
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from functools import cache
from typing import Any, Final

from tests.oracle import score
from tests.oracle.compare import Item, describe, hidden, owed, show, steps
from tests.oracle.score import SUITES, Scenario, Suite
from tfdrift_core.blame import trace
from tfdrift_core.blame.plan import Plan, parse
from tfdrift_core.blame.trace import Part
from tfdrift_core.records.record import Record
from tfdrift_core.terraform.index import key_text

SINCE: Final = "2026-01-01"
_BEGIN: Final = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
_NOISE: Final = 4
"""Scenarios before, behind and elsewhere, of each."""


@dataclass
class Blamed:
    """One scenario: the attributes that lead to their call, those with the right reason, and what is wrong."""

    name: str
    service: str
    named: list[Item] = field(default_factory=list)
    reasoned: list[Item] = field(default_factory=list)
    wrong: list[tuple[Item, str]] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not self.wrong


# --- the plan


@cache
def _resources(suite: Suite, base: str) -> Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Address to resource and instance, as the state of a base has them."""
    found = {}
    for resource in json.loads(suite.state(base))["resources"]:
        for instance in resource["instances"]:
            key = instance.get("index_key")
            index = "" if key is None else f"[{key_text(key)}]"
            module = f"{resource['module']}." if "module" in resource else ""
            found[f"{module}{resource['type']}.{resource['name']}{index}"] = resource, instance
    return found


def document(suite: Suite, scenario: Scenario) -> dict[str, Any]:
    """What ``terraform show -json`` would print of the refresh-only plan that was judged."""
    drifted: dict[str, list[Item]] = {}
    for item in scenario["drift"]:
        drifted.setdefault(item["address"], []).append(item)
    known = _resources(suite, scenario["base"])
    return {
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "resource_drift": [_change(address, *known[address], items) for address, items in drifted.items()],
        "prior_state": {
            "format_version": "1.0",
            "values": {"root_module": {"resources": [_known(address, *one) for address, one in known.items()]}},
        },
    }


def _change(
    address: str, resource: Mapping[str, Any], instance: Mapping[str, Any], items: Sequence[Item]
) -> dict[str, Any]:
    before = instance["attributes"]
    gone = any(item["action"] == "delete" for item in items)
    after = None if gone else deepcopy(before)
    for item in items if after is not None else ():
        _set(after, item["attribute"], item["after"])
    marks = {mark[0]["value"]: True for mark in instance.get("sensitive_attributes") or [] if mark}
    return {
        **_named(address, resource, instance),
        **({"module_address": resource["module"]} if "module" in resource else {}),
        "change": {
            "actions": ["delete" if gone else "update"],
            "before": before,
            "after": after,
            "before_sensitive": marks,
            "after_sensitive": False if gone else marks,
        },
    }


def _known(address: str, resource: Mapping[str, Any], instance: Mapping[str, Any]) -> dict[str, Any]:
    return {**_named(address, resource, instance), "values": instance["attributes"]}


def _named(address: str, resource: Mapping[str, Any], instance: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "address": address,
        "mode": resource["mode"],
        "type": resource["type"],
        "name": resource["name"],
        **({"index": instance["index_key"]} if instance.get("index_key") is not None else {}),
        "provider_name": resource["provider"].split('"')[1],
    }


def _set(value: Any, path: str, new: Any) -> None:
    """Puts ``new`` where a judged path leads; the key of a map is all of the path that is left."""
    name, _, rest = path.partition(".")
    first, *indexes = steps(name)
    if not rest and not indexes:
        _put(value, first, new)
        return
    value[first] = value[first] or ([] if indexes else {})
    value = value[first]
    if not indexes:
        _put(value, rest, new)
        return
    *outer, last = indexes
    for index in outer:
        value = value[index]
    if not rest:
        value[last] = new
    else:
        _set(value[last], rest, new)


def _put(value: dict[Any, Any], key: Any, new: Any) -> None:
    if new is None and key in value and not isinstance(value[key], list):
        value.pop(key)
    else:
        value[key] = new


# --- the records


def records(suite: Suite, scenario: Scenario) -> tuple[list[Record], frozenset[str]]:
    """All records in a random order, and the ids of those of the scenario itself."""
    own = {item["address"] for item in scenario["drift"]}
    others = [other for other in suite.scenarios if other is not scenario and other["name"] not in suite.excluded]
    near = [other for other in others if other["base"] == scenario["base"] and other["kind"] not in ("delete", "error")]
    near = [other for other in near if all(item["action"] != "delete" for item in other["drift"])]
    same = [other for other in near if own & {item["address"] for item in other["drift"]} and _before(other, scenario)]
    beside = [other for other in near if other["drift"] and not own & {item["address"] for item in other["drift"]}]
    far = [other for other in others if other["base"] != scenario["base"]]
    turn = suite.scenarios.index(scenario)
    played = [
        *_some(far, turn),
        *_some(same, turn),
        scenario,
        *_some(beside, turn),
        *_some(far, turn + _NOISE),
    ]
    found, mine = [], set()
    moment = _BEGIN
    for number, one in enumerate(played):
        for place, raw in enumerate(one["records"]):
            moment += timedelta(minutes=7)
            id = f"{number:04}-{place:04}"
            found.append(Record({**raw, "eventID": id, "eventTime": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}))
            if one is scenario:
                mine.add(id)
    return sorted(found, key=lambda record: record.content), frozenset(mine)


def _before(other: Scenario, scenario: Scenario) -> bool:
    """Whether the judgement of ``scenario`` still holds when ``other`` came before it, and it still is what did it.

    They change other attributes, or values that are replaced as a whole, to something else.
    """
    pairs = [
        (one, two)
        for one in other["drift"]
        for two in scenario["drift"]
        if one["address"] == two["address"] and steps(one["attribute"])[0] == steps(two["attribute"] or "-")[0]
    ]
    return all(
        one["attribute"] == two["attribute"]
        and one["after"] != two["after"]
        and not any(isinstance(item["after"], list | dict | None) or item.get("computed_only") for item in (one, two))
        for one, two in pairs
    )


def _some(scenarios: Sequence[Scenario], turn: int) -> Iterator[Scenario]:
    for step in range(min(_NOISE, len(scenarios))):
        yield scenarios[(turn + step) % len(scenarios)]


# --- the verdict


def judge(suite: Suite, scenario: Scenario) -> Blamed:
    result = Blamed(scenario["name"], scenario["service"])
    everything, mine = records(suite, scenario)
    parts = trace.blame(plan(suite, scenario), everything, score.catalog(), SINCE)
    logged = json.dumps(scenario["records"])
    for item in scenario["drift"]:
        if item.get("cosmetic"):
            continue
        own = [part for part in parts if _is_of(part, item)]
        if not own:
            result.wrong.append((item, f"not in what blame says: {[part.path for part in parts]}"))
            continue
        reasons = [
            _verdict(part, item, mine, _makers(scenario, item, part.drifted.before, mine), logged) for part in own
        ]
        if wrong := [reason for reason in reasons if reason.startswith("!")]:
            result.wrong.append((item, "; ".join(wrong)))
        elif any(reasons):
            result.reasoned.append(item)
        else:
            result.named.append(item)
    return result


def plan(suite: Suite, scenario: Scenario) -> Plan:
    return parse(json.dumps(document(suite, scenario)).encode(), "plan.json")


def _is_of(part: Part, item: Item) -> bool:
    if part.drifted.instance.address != item["address"]:
        return False
    if item["action"] == "delete":
        return part.drifted.after is None
    one, other = steps(part.path), steps(item["attribute"])
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _makers(scenario: Scenario, item: Item, state: Mapping[str, Any], mine: frozenset[str]) -> frozenset[str]:
    """The records that may have made it: the last that names the new value, or one behind it that put it to use."""
    ids = sorted(mine)
    if item["action"] == "delete" or "added" in item:
        return mine
    value = item["after"]
    text = value if isinstance(value, str) else json.dumps(value)
    if not isinstance(value, str | int | float) or isinstance(value, bool) or len(text) < 3:
        return mine
    told = [json.dumps([raw.get("requestParameters"), raw.get("responseElements")]) for raw in scenario["records"]]
    naming = [place for place, one in enumerate(told) if json.dumps(text)[1:-1] in one]
    owner = str(state["id"]).replace("/", ":").partition(":")[0]
    last = max((place for place in naming if owner in told[place]), default=max(naming, default=0))
    return frozenset(ids[last:])


def _verdict(part: Part, item: Item, mine: frozenset[str], makers: frozenset[str], logged: str) -> str:
    """ "" where the part leads to its call, the reason where that is the right one, else what is wrong behind ``!``."""
    cause = part.cause.record.id if part.cause is not None else ""
    said = f"{cause or 'no call'}{'' if cause in mine or not cause else ' (of others)'}: {part.reason!r}"
    masks = item["action"] != "delete" and hidden(item, logged)
    if cause and cause in makers and not part.reason:
        return ""
    if cause in mine and part.reason in (trace.MASKED, trace.BESIDE) and (masks or not owed(item, logged)):
        return part.reason
    # What no record of the scenario owes: the trail around it may hold an earlier call, and the reason says so.
    if cause and part.reason == trace.OTHER and not owed(item, logged):
        return part.reason
    if not cause and part.reason == trace.COMPUTED and item.get("computed_only"):
        return part.reason
    if not cause and part.reason == trace.no_record(SINCE) and not owed(item, logged):
        return part.reason
    makers_text = "" if makers == mine else f" (made by {', '.join(sorted(makers))})"
    return f"!{said}{makers_text}{' masked' * masks}"


# --- printing


def total(results: Iterable[Blamed]) -> Counter[str]:
    numbers: Counter[str] = Counter()
    for result in results:
        numbers.update(
            good=result.good,
            scenarios=1,
            named=len(result.named),
            reasoned=len(result.reasoned),
            wrong=len(result.wrong),
        )
    return numbers


def chosen(suite: Suite, names: Sequence[str] = ()) -> list[Scenario]:
    """The scenarios in which Terraform saw drift, without those in which the judge is wrong."""
    return [
        scenario
        for scenario in suite.scenarios
        if scenario["drift"]
        and scenario["name"] not in suite.excluded
        and (not names or any(fnmatch(scenario["name"], name) for name in names))
    ]


def scored(suites: Sequence[str], names: Sequence[str] = ()) -> dict[str, list[Blamed]]:
    return {name: [judge(SUITES[name], scenario) for scenario in chosen(SUITES[name], names)] for name in suites}


def table(results: Mapping[str, Sequence[Blamed]]) -> str:
    """One line for each suite."""
    lines = [f"{'blame':<16}{'scenarios':>11}{'to their call':>15}{'right reason':>14}{'wrong':>7}{'right':>8}"]
    rows = [*results.items(), ("total", [result for group in results.values() for result in group])]
    for name, group in rows:
        numbers = total(group)
        right = numbers["named"] + numbers["reasoned"]
        share = right / (right + numbers["wrong"]) if right + numbers["wrong"] else 1.0
        good = f"{numbers['good']}/{numbers['scenarios']}"
        counts = f"{numbers['named']:>15}{numbers['reasoned']:>14}{numbers['wrong']:>7}"
        lines.append(f"{name:<16}{good:>11}{counts}{share:>8.1%}")
    return "\n".join(lines)


def explain(suite: Suite, scenario: Scenario, result: Blamed) -> str:
    calls = ", ".join(f"{record['eventName']}" for record in scenario["records"])
    lines = [f"FAIL {suite.name} {result.name}  [{scenario['kind']}, {scenario['base']}]  {calls}"]
    lines += [f"  {describe(item)}\n      {show(why, 400)}" for item, why in result.wrong]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", action="append", choices=sorted(SUITES), help="all when not given")
    parser.add_argument("--scenario", action="append", default=[], help="only scenarios whose name fits (*, ?)")
    arguments = parser.parse_args(argv)
    results = scored(arguments.suite or list(SUITES), arguments.scenario)
    for name, group in results.items():
        scenarios = {scenario["name"]: scenario for scenario in SUITES[name].scenarios}
        for result in group:
            if not result.good:
                print(explain(SUITES[name], scenarios[result.name], result))
    print(table(results))
    return 0 if all(result.good for group in results.values() for result in group) else 1


if __name__ == "__main__":
    sys.exit(main())
