"""Every LogQL query gives rows in a real Loki that holds the day in ``examples/``, as falcosidekick pushes it."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.grafana.loki import UUID, Loki, binary, pushed
from tests.grafana.queries import Query, boards, queries
from tests.notify.conftest import Web, web
from tests.notify.test_falcosidekick import Sidekick, needs_falcosidekick, wait_for
from tests.plugin.conftest import library
from tests.rules.sample_events import ROOT

__all__ = ["library", "web"]

LATE = timedelta(minutes=20)
"""How old a change may be when it arrives: CloudTrail takes 15 minutes, and a source looks once a minute."""
WITHOUT_ROWS = {
    "overview: Notice A": "what the day creates outside Terraform is an instance and a user: both more severe"
}
QUERIES = [query for query in queries() if query.kind == "loki"]


def _run(library: Path, configuration: Path) -> list[dict[str, Any]]:
    command = [str(Path(sys.executable).with_name("tfdrift")), "run", "--json", "--library", str(library)]
    environment = {**os.environ, "TFDRIFT_ROOT": str(ROOT), "FALCO_HOSTNAME": "falco"}
    done = subprocess.run(
        [*command, "-c", str(configuration)],
        env=environment, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def day(library: Path) -> list[dict[str, Any]]:
    """What ``tfdrift run`` prints for the day in ``examples/``."""
    return _run(library, ROOT / "examples" / "falco.yaml")


@pytest.fixture(scope="module")
def ends(library: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The ends of drift of the day and the morning after."""
    folder, examples = tmp_path_factory.mktemp("days"), ROOT / "examples"
    for trail in (examples / "trail", examples / "next-day" / "trail"):
        shutil.copytree(trail, folder / "trail", dirs_exist_ok=True)
    configuration = folder / "falco.yaml"
    text = (examples / "falco.yaml").read_text()
    configuration.write_text(text.replace("${TFDRIFT_ROOT}/examples/trail", str(folder / "trail")))
    return [alert for alert in _run(library, configuration) if alert["output_fields"]["drift.kind"] == "resolved"]


def told_now(day: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The alerts as if the changes were made a moment ago, and CloudTrail told of them as late as it may."""
    last = datetime.now(UTC) - LATE
    return [
        {**alert, "time": f"{last - timedelta(seconds=number):%Y-%m-%dT%H:%M:%SZ}"} for number, alert in enumerate(day)
    ]


@pytest.fixture(scope="module")
def loki(
    day: list[dict[str, Any]], ends: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Loki]:
    started = Loki(binary(), tmp_path_factory.mktemp("loki"))
    try:
        started.wait()
        assert day
        assert ends
        told = told_now([*day, *ends])
        assert [started.push(pushed(alert)) for alert in told] == [(204, "")] * len(told)
        yield started
    finally:
        started.stop()


def asked(loki: Loki, query: Query, text: str) -> list[dict[str, Any]]:
    """The rows that Grafana would get for the last day."""
    now = time.time()
    if query.instant:
        found = loki.get("query", query=text, time=now)
    else:
        found = loki.get("query_range", query=text, start=now - 86400, end=now, step="1h", limit=1000)
    rows: list[dict[str, Any]] = found["result"]
    return rows


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_every_query_gives_rows(loki: Loki, query: Query) -> None:
    rows = asked(loki, query, query.filled())
    assert (rows == []) == (query.place in WITHOUT_ROWS), query.filled()
    for grouping in re.findall(r" by \(([^)]*)\)", query.text):
        wanted = set(grouping.split(", "))
        named = [{name for name, value in row["metric"].items() if value} for row in rows]
        assert set().union(*named) == wanted, "a label that no alert has"
        # A table can show an empty cell, but a line in a legend has to have a name.
        assert query.instant or all(row == wanted for row in named)


def test_the_exceptions_are_queries() -> None:
    assert set(WITHOUT_ROWS) <= {query.place for query in QUERIES}


def test_variables_offer_what_there_is(loki: Loki) -> None:
    offered = {
        (name, variable["name"]): set(
            loki.get(
                f"label/{variable['query']['label']}/values",
                query=variable["query"]["stream"].replace("$account", ".*"),
            )
        )
        for name, board in boards()
        for variable in board["templating"]["list"]
        if variable["type"] == "query"
    }
    assert {name for name, _ in offered} == {"overview", "people", "resources", "services"}
    for (_, name), values in offered.items():
        assert values == ({"111122223333"} if name == "account" else {"ec2", "iam", "s3"})


def _lines(rows: list[dict[str, Any]]) -> list[str]:
    return [line for row in rows for _, line in row["values"]]


def test_what_ended_is_not_open(loki: Loki, day: list[dict[str, Any]], ends: list[dict[str, Any]]) -> None:
    by_place = {query.place: query for query in QUERIES}
    opened, ended = (
        {row["metric"]["id"] for row in asked(loki, query, query.filled())}
        for query in (by_place[f"overview: Open: opened in this range and not ended {ref}"] for ref in "AB")
    )
    assert opened == {alert["output_fields"]["drift.id"] for alert in day}
    assert ended == {alert["output_fields"]["drift.opened_id"] for alert in ends}
    assert set() < ended < opened


def test_log_panels_read_well(loki: Loki, day: list[dict[str, Any]], ends: list[dict[str, Any]]) -> None:
    by_place = {query.place: query for query in QUERIES}
    history = by_place["resources: History of ${resource} A"]
    lines = _lines(asked(loki, history, history.filled()))
    assert len(lines) == len(day) + len(ends)
    starts = [line.partition(" by ")[0] for line in lines]
    assert "module.web.aws_instance.app[0] modified instance_type: t3.micro → t3.small" in starts
    assert "aws_instance.bastion deleted" in starts
    assert "i-0b6e2d8f4c1a97530 unmanaged" in starts
    critical = by_place["overview: Critical changes A"]
    severe = [alert for alert in day if alert["priority"] == "Critical"]
    assert 0 < len(_lines(asked(loki, critical, critical.filled()))) == len(severe) < len(day)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("module.web.aws_instance.app[0]", {"module.web.aws_instance.app[0]"}),
        ('DATA["assets"]', {'aws_s3_bucket_public_access_block.data["assets"]', 'aws_s3_bucket.data["assets"]'}),
        ("module.web.aws_instance.app.0.", set()),
    ],
)
def test_what_is_typed_is_found_literally(loki: Loki, typed: str, found: set[str]) -> None:
    (query,) = (query for query in QUERIES if query.place == "resources: Resources A")
    rows = asked(loki, query, query.filled({"${resource}": typed}))
    assert {row["metric"]["resource"] for row in rows} == found


def test_choices_narrow(loki: Loki) -> None:
    (query,) = (query for query in QUERIES if query.place == "resources: Accounts and services A")
    rows = asked(loki, query, query.filled({"$account": "111122223333|444455556666", "$service": "iam|s3"}))
    assert {row["metric"]["cloud_service"] for row in rows} == {"iam", "s3"}


def test_a_replay_of_old_records_is_refused(loki: Loki, day: list[dict[str, Any]]) -> None:
    """Why the day in ``examples/`` shows nothing, which deploy/grafana/README.md tells."""
    code, reason = loki.push(pushed({**day[0], "time": "2026-03-17T08:47:49Z"}))
    assert (code, "timestamp too old" in reason) == (400, True), reason


@needs_falcosidekick
def test_falcosidekick_pushes_the_same(day: list[dict[str, Any]], web: Web, tmp_path: Path) -> None:
    alerts = told_now(day)
    sidekick = Sidekick({"LOKI_HOSTPORT": web.url}, tmp_path / "sidekick.log")
    try:
        wait_for(sidekick.ready, "its start", sidekick.log)
        for number, alert in enumerate(alerts, 1):
            assert sidekick.request("POST", "/", json.dumps(alert)) == 200
            wait_for(lambda wanted=number: len(web.posts) == wanted, "the push", sidekick.log)
    finally:
        sidekick.process.terminate()
        sidekick.process.wait(10)
    uuid = re.compile('{"uuid":"[0-9a-f-]{36}"')
    for (_, body), alert in zip(web.posts, alerts, strict=True):
        (stream,) = body["streams"]
        (value,) = stream["values"]
        value[1] = uuid.sub(f'{{"uuid":"{UUID}"', value[1])
        assert body == pushed(alert)
