"""The queries of everything in ``deploy/`` that asks Loki or Prometheus, with Grafana's variables filled in."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from tests.rules.sample_events import ROOT

GRAFANA = ROOT / "deploy" / "grafana"
PROMETHEUS = ROOT / "deploy" / "prometheus"

# What Grafana puts in for a range of a day and "All".
EVENTS = {"$__auto": "1h", "$__range": "24h", "$account": ".*", "$service": ".*", "${resource}": "", "${user}": ""}
# A test has seconds of data: the steps of subqueries shrink with it.
NUMBERS = {"$__rate_interval": "1m", "$__range": "1m", "$__interval": "1s", "15m:15s": "1m:1s"}


@dataclass(frozen=True)
class Query:
    """One query; ``kind`` is ``loki`` or ``prometheus``."""

    place: str
    kind: str
    text: str
    instant: bool

    def __str__(self) -> str:
        return self.place

    def filled(self, more: Mapping[str, str] | None = None) -> str:
        text = self.text
        for name, value in {**(EVENTS if self.kind == "loki" else NUMBERS), **(more or {})}.items():
            text = text.replace(name, value)
        assert "$_" not in text, text
        return text


def _panels(node: Any) -> Iterator[dict[str, Any]]:
    for panel in node.get("panels", []):
        yield panel
        yield from _panels(panel)


def boards() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((GRAFANA / "dashboards").glob("*.json")):
        yield path.stem, json.loads(path.read_text())


def queries() -> list[Query]:
    found = [
        Query(
            f"{name}: {panel['title']} {target['refId']}", panel["datasource"]["type"], target["expr"], _instant(target)
        )
        for name, board in boards()
        for panel in _panels(board)
        for target in panel.get("targets", [])
    ]
    provisioned = yaml.safe_load((GRAFANA / "provisioning" / "alerting" / "tfdrift.yaml").read_text())
    found += [
        Query(f"alert: {rule['title']}", query["datasourceUid"].removeprefix("tfdrift-"), query["model"]["expr"], True)
        for group in provisioned["groups"]
        for rule in group["rules"]
        for query in rule["data"]
        if query["datasourceUid"] != "__expr__"
    ]
    rules = yaml.safe_load((PROMETHEUS / "tfdrift.rules.yml").read_text())
    # A rule gives rows only when it fires: its left side is what has to be there.
    found += [
        Query(f"rule: {rule['alert']}", "prometheus", rule["expr"].partition(" > ")[0], True)
        for group in rules["groups"]
        for rule in group["rules"]
        if not rule["expr"].startswith("absent")
    ]
    return found


def _instant(target: dict[str, Any]) -> bool:
    return bool(target.get("instant")) or target.get("queryType") == "instant"
