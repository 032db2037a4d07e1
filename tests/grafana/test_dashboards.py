"""The dashboards are what ``build.py`` makes, ask only for what there is, and hang together."""

import json
import re
import runpy
from pathlib import Path

import pytest
import yaml

from tests.grafana.queries import GRAFANA, Query, _panels, boards, queries
from tests.rules.example_day import alerts
from tests.rules.sample_events import ROOT, RULES

LABELS = {"source", "rule", "priority", "hostname", "tags", "cloud_service", "cloud_account", "drift"}
"""The labels that falcosidekick gives a stream with our configuration."""

EVENT_QUERIES = [query for query in queries() if query.kind == "loki"]


def test_the_files_are_what_the_script_makes() -> None:
    made: dict[Path, str] = runpy.run_path(str(GRAFANA / "build.py"))["files"]()
    assert len(made) == 6
    for path, text in made.items():
        assert path.read_text() == text, "run: python deploy/grafana/build.py"


@pytest.mark.parametrize("query", EVENT_QUERIES, ids=str)
def test_events_are_asked_for_fields_that_alerts_have(query: Query) -> None:
    printed = set().union(*(json.loads(alert)["output_fields"] for alert in alerts()))
    assert set(re.findall(r'output_fields\[\\"([\w.]+)\\"\]', query.text)) <= printed
    (selector,) = re.findall(r"\{source=[^}]*\}", query.text)
    assert set(re.findall(r"(\w+)=", selector)) <= LABELS


def test_every_rule_prints_what_the_dashboards_show() -> None:
    asked = {name for query in EVENT_QUERIES for name in re.findall(r'output_fields\[\\"([\w.]+)\\"\]', query.text)}
    for rule in (item for item in yaml.safe_load(RULES.read_text()) if "rule" in item):
        assert asked <= set(re.findall(r"%([\w.]+\w)", rule["output"])), rule["rule"]


def test_dashboards_hang_together() -> None:
    found = dict(boards())
    assert set(found) == {"overview", "services", "resources", "people", "health"}
    uids = {board["uid"] for board in found.values()}
    for board in found.values():
        links = re.findall(r"/d/([\w-]+)\?var-(\w+)", json.dumps(board))
        assert {uid for uid, _ in links} <= uids
        variables = {
            other["uid"]: {variable["name"] for variable in other["templating"]["list"]} for other in found.values()
        }
        assert all(name in variables[uid] for uid, name in links)
        for panel in _panels(board):
            if panel["type"] != "row":
                assert panel["datasource"]["uid"] in ("${loki}", "${prometheus}")
                assert panel["targets"]


def test_panels_of_the_brief_are_there() -> None:
    types = {(name, panel["type"]) for name, board in boards() for panel in _panels(board)}
    assert {
        ("overview", "logs"),
        ("overview", "timeseries"),
        ("services", "row"),
        ("services", "timeseries"),
        ("resources", "table"),
        ("people", "heatmap"),
        ("health", "stat"),
    } <= types
    services = dict(boards())["services"]
    assert any(panel.get("repeat") == "service" for panel in _panels(services))


def test_provisioning_matches() -> None:
    provisioning = GRAFANA / "provisioning"
    sources = yaml.safe_load((provisioning / "datasources" / "tfdrift.yaml").read_text())["datasources"]
    rules = yaml.safe_load((provisioning / "alerting" / "tfdrift.yaml").read_text())
    used = {
        query["datasourceUid"] for group in rules["groups"] for rule in group["rules"] for query in rule["data"]
    } - {"__expr__"}
    assert used == {source["uid"] for source in sources}
    assert all(rule["condition"] == "C" for group in rules["groups"] for rule in group["rules"])
    config = yaml.safe_load((ROOT / "deploy" / "falcosidekick" / "config.yaml").read_text())
    assert config["loki"]["format"] == "json"
