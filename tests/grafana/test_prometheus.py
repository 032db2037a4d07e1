"""Every PromQL query gives rows in a real Prometheus that scrapes the plugin's metrics as Falco exposes them."""

import json
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.grafana.queries import PROMETHEUS, Query, queries
from tests.real.parts import MissingPartError
from tests.rules.sample_events import ROOT
from tfdrift_core.config import load
from tfdrift_core.drift.event import DriftEvent
from tfdrift_core.metrics import Metrics
from tfdrift_core.pipeline import Pipeline

# Falco deletes these anywhere in a metric's name and ends every name with _total.
_UNITS = re.compile("_kb|_bytes|_mb|_percentage|_perc|_ratio|_ns|_ts|_sec|_total")
FROM_C = {"queue_depth": 0, "last_event_age": 12}
"""What the C side adds itself."""


class _Sink:
    def __init__(self) -> None:
        self.taken = 0

    def put(self, event: DriftEvent) -> bool:
        self.taken += 1
        return True

    def handed_over(self) -> int:
        return self.taken


def measured(data: Path) -> Metrics:
    """The metrics of a pipeline that has worked through both days of the examples, and could not read a file."""
    state = [str(path) for path in sorted((ROOT / "examples" / "state").iterdir())]
    metrics = Metrics()
    pipeline = Pipeline(load(json.dumps({"state": state, "data_dir": str(data / "data")})), metrics)
    sink = _Sink()
    bad = data / "trail"
    for trail in (ROOT / "examples" / "trail", ROOT / "examples" / "next-day" / "trail"):
        shutil.copytree(trail, bad, dirs_exist_ok=True)
    (bad / "broken.json.gz").write_bytes(b"\x1f\x8b cut")
    pipeline.open(str(bad))
    pipeline.run(sink, threading.Event())
    pipeline.close()
    return metrics


def exposition(metrics: Metrics, scrapes: int) -> str:
    """Counters grow by one with every scrape, so that rates are not zero."""
    lines = []
    values = {name: ("counter", value + scrapes) for name, value in metrics.counters().items()}
    values |= {name: ("gauge", value) for name, value in {**metrics.gauges(), **FROM_C}.items()}
    for name, (kind, value) in values.items():
        exposed = f"falcosecurity_plugins_tfdrift_{_UNITS.sub('', name)}_total"
        lines += [f"# TYPE {exposed} {kind}", f"{exposed} {value}"]
    return "\n".join(lines) + "\n"


class Server:
    def __init__(self, folder: Path, target: int) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        config = {
            "global": {"scrape_interval": "500ms", "evaluation_interval": "1s"},
            "rule_files": [str(PROMETHEUS / "tfdrift.rules.yml")],
            "scrape_configs": [{"job_name": "falco", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.log = folder / "prometheus.log"
        self.process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address={self.url.removeprefix('http://')}",
            ],
            stdout=self.log.open("wb"),
            stderr=subprocess.STDOUT,
        )

    def get(self, path: str, **parameters: str) -> Any:
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def scraped(self) -> int:
        try:
            rows = self.get("query", query="count_over_time(falcosecurity_plugins_tfdrift_records_read_total[5m])")
        except OSError:
            return 0
        return int(rows["result"][0]["value"][1]) if rows["result"] else 0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if shutil.which("prometheus") is None:
        raise MissingPartError("Prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    metrics = measured(folder)
    count = iter(range(1_000_000))

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = exposition(metrics, next(count)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    falco = ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
    threading.Thread(target=falco.serve_forever, daemon=True).start()
    started = Server(folder, falco.server_address[1])
    try:
        for _ in range(900):
            if started.scraped() >= 6:
                break
            time.sleep(0.1)
        else:
            pytest.fail(f"Prometheus did not scrape:\n{started.log.read_text()}")
        yield started
    finally:
        started.process.terminate()
        started.process.wait(10)
        falco.shutdown()
        falco.server_close()


@pytest.mark.parametrize("query", [q for q in queries() if q.kind == "prometheus"], ids=str)
def test_every_query_gives_rows(server: Server, query: Query) -> None:
    rows = server.get("query", query=query.filled())["result"]
    assert rows, query.filled()
    assert all(row["value"][1] != "NaN" for row in rows)


def test_the_reasons_and_the_errors_come_apart(server: Server) -> None:
    by_place = {query.place: query.filled() for query in queries()}
    reasons = server.get("query", query=by_place["health: Expected changes, by reason A"])["result"]
    assert {"terraform", "auto_scaling"} <= {row["metric"]["reason"] for row in reasons}
    errors = server.get("query", query=by_place["health: Errors, by source A"])["result"]
    assert {row["metric"]["where"] for row in errors} == {"files"}


def test_the_rules_are_loaded_and_healthy(server: Server) -> None:
    for _ in range(300):
        groups = server.get("rules")["groups"]
        if groups and all(rule["health"] == "ok" for rule in groups[0]["rules"]):
            break
        time.sleep(0.1)
    assert [(rule["name"], rule.get("lastError")) for rule in groups[0]["rules"] if rule["health"] != "ok"] == []


def test_a_trail_without_drift_is_not_silent(server: Server) -> None:
    """The newest drift of the examples is long ago; their records have just come."""
    (rule,) = (rule for rule in server.get("rules")["groups"][0]["rules"] if rule["name"] == "TFDriftSilent")
    assert server.get("query", query=rule["query"])["result"] == []
    (row,) = server.get("query", query=rule["query"].replace("> 3600", ""))["result"]
    assert 0 <= float(row["value"][1]) < 3600


def test_the_plugin_adds_the_rest_in_c() -> None:
    source = (ROOT / "plugin" / "tfdrift_plugin" / "csrc" / "source.c").read_text()
    assert all(f'"{name}"' in source for name in FROM_C)
