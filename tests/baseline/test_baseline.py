"""Plans of Terraform that become drift, or end some, beside the records."""

import itertools
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.drift.test_engine import URL, index, timeout
from tests.sources.lookup_events import LookupServer
from tests.test_pipeline import LATER, Reader, Script, configured, write
from tests.trails import credentials, moto_url  # noqa: F401 - fixtures
from tfdrift_core import aws
from tfdrift_core.config import Aws, ConfigError
from tfdrift_core.delivery.ledger import Ledger
from tfdrift_core.delivery.tracked import Tracked
from tfdrift_core.drift.event import DriftEvent
from tfdrift_core.pipeline import Pipeline

TIMEOUT = "visibility_timeout_seconds"
(INSTANCE,) = index().all()
STAMP = "2026-11-30T02:00:00Z"


def plan(after: dict[str, Any] | None = None, *, gone: bool = False, stamp: str = STAMP, **more: Any) -> dict[str, Any]:
    """What ``terraform show -json`` prints of a refresh-only plan of the queue."""
    before = dict(INSTANCE.attributes)
    change = {"actions": ["update"], "before": before, "after": None if gone else {**before, **(after or {})}}
    drift = {
        "address": "aws_sqs_queue.orders",
        "mode": "managed",
        "type": "aws_sqs_queue",
        "name": "orders",
        "provider_name": "registry.terraform.io/hashicorp/aws",
        "change": change,
    }
    held = [{name: drift[name] for name in drift if name != "change"} | {"values": {"id": URL}}]
    return {
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "resource_drift": [drift] if gone or after else [],
        "prior_state": {"format_version": "1.0", "values": {"root_module": {"resources": [] if gone else held}}},
        "timestamp": stamp,
        "complete": True,
        "errored": False,
        **more,
    }


class Falco:
    """A pipeline as the plugin runs it, with what it keeps."""

    def __init__(self, tmp_path: Path) -> None:
        self.state, self.plans = tmp_path / "terraform.tfstate", tmp_path / "plans"
        self.plans.mkdir()
        write(self.state)
        self.data = tmp_path / "data"
        self.baseline: list[Any] = [{"url": str(self.plans), "history": 0}]
        self.pipeline: Pipeline | None = None
        self.settings: dict[str, Any] = {}

    def put(self, document: Any, name: str = "plan.json") -> None:
        text = document if isinstance(document, str) else json.dumps(document)
        (self.plans / name).write_text(text)

    def play(
        self, *steps: Any, now: int = LATER, reader: Reader | None = None, stop: threading.Event | None = None
    ) -> list[DriftEvent]:
        clock = itertools.count(now, 2_000_000_000)
        config = configured(self.state, data_dir=str(self.data), baseline=self.baseline, **self.settings)
        self.pipeline = Pipeline(config, clock=lambda: next(clock), baseline=True)
        sink, source = reader or Reader(), Script(list(steps))
        self.pipeline._source = Tracked(lambda: source, Ledger(config.data_dir))
        self.pipeline.run(sink, stop or threading.Event())
        self.pipeline.close()
        return sink.events

    @property
    def counters(self) -> Any:
        assert self.pipeline is not None
        return self.pipeline.metrics.counters()


@pytest.fixture
def plugin(tmp_path: Path) -> Falco:
    return Falco(tmp_path)


def told(events: list[DriftEvent]) -> list[tuple[str, str, str | None, str | None, str]]:
    return [(e.kind, e.path, e.old_value, e.new_value, str(e.resolution or e.confidence.value)) for e in events]


NEW = [("modified", TIMEOUT, "30", "60", "verified")]


def test_drift_from_before_the_start_is_told_once(plugin: Falco) -> None:
    plugin.put(plan({TIMEOUT: 60}))
    (event,) = plugin.play(None)
    assert told([event]) == NEW
    assert event.reason == f"plan {plugin.plans}/plan.json (2026-11-30 02:00:00 UTC) shows it; no record told of it"
    assert plugin.counters["baseline_plans"] == 1
    assert plugin.play(None) == [], "not again after a restart"
    assert plugin.counters["baseline_plans"] == 0
    plugin.put(plan({TIMEOUT: 60}, stamp="2026-12-01T02:00:00Z"))
    assert plugin.play(None) == [], "nor by the next plan that shows it"
    plugin.put(plan(stamp="2026-12-02T02:00:00Z"))
    (end,) = plugin.play(None)
    assert told([end]) == [("resolved", TIMEOUT, "30", "60", "gone")]
    assert "plan.json" in end.reason


def test_what_records_told_is_confirmed_and_then_ended(plugin: Falco) -> None:
    (opened,) = plugin.play([timeout(60)])
    plugin.put(plan({TIMEOUT: 60}))
    assert plugin.play(None) == []
    plugin.put(plan(stamp="2026-12-02T02:00:00Z"))
    (end,) = plugin.play(None)
    assert end.opening is not None
    assert (end.opening.id, str(end.resolution)) == (opened.id, "gone")


def test_what_a_plan_marks_as_sensitive_is_told_and_kept_nowhere(plugin: Falco) -> None:
    document = plan({"policy": "correct-horse-battery"})
    document["resource_drift"][0]["change"]["after_sensitive"] = {"policy": True}
    plugin.put(document)
    (event,) = plugin.play(None)
    assert (event.path, str(event.new_value), event.confidence.value) == ("policy", "(sensitive)", "verified")
    assert not any(b"correct-horse" in path.read_bytes() for path in plugin.data.iterdir())
    plugin.put({**document, "timestamp": "2026-12-01T02:00:00Z"})
    assert plugin.play(None) == []


def test_a_revert_after_the_plan_ends_it(plugin: Falco) -> None:
    plugin.put(plan({TIMEOUT: 60}))
    assert told(plugin.play(None)) == NEW
    assert told(plugin.play([timeout(30)])) == [("resolved", TIMEOUT, "30", "60", "reverted")]
    assert plugin.play(None) == [], "the plan that was taken over brings nothing back"


def test_a_deleted_resource(plugin: Falco) -> None:
    plugin.put(plan(gone=True))
    assert told(plugin.play(None)) == [("deleted", "", None, None, "verified")]


@pytest.mark.parametrize(
    ("made", "option", "ends"),
    [
        ({"complete": True}, {}, True),
        ({"complete": False}, {}, False),
        ({"complete": False}, {"complete": True}, False),
        ({"complete": None}, {}, False),
        ({"complete": None}, {"complete": True}, True),
        ({"prior_state": None}, {}, False),
    ],
)
def test_only_a_plan_that_looked_at_everything_ends_drift(
    plugin: Falco, made: dict[str, Any], option: dict[str, Any], ends: bool
) -> None:
    plugin.play([timeout(60)])
    plugin.baseline[0] |= option
    plugin.put(plan(**made))
    assert [e.kind.value for e in plugin.play(None)] == (["resolved"] if ends else [])


def test_of_many_plans_the_newest_counts(plugin: Falco) -> None:
    for day, seconds in ((1, 40), (3, 60), (2, 50)):
        plugin.put(plan({TIMEOUT: seconds}, stamp=f"2026-11-0{day}T02:00:00Z"), f"{day}.json")
        os.utime(plugin.plans / f"{day}.json", (day, day))
    assert told(plugin.play(None)) == NEW
    assert plugin.play(None) == []


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("{", "is not JSON"),
        ("PK\x03\x04", "is a plan in Terraform's own form"),
        ({"version": 4, "lineage": "x"}, "is a state; make a plan with"),
        (plan({TIMEOUT: 60}, errored=True), "ended with an error"),
        (plan({TIMEOUT: 60}, resource_changes=[{"mode": "managed"}]), "is a plan of changes"),
    ],
)
def test_what_is_no_plan_is_said_once_and_stops_nothing(
    plugin: Falco, document: Any, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    plugin.put(document, "broken.json")
    plugin.put(plan({TIMEOUT: 60}), "whole.json")
    assert told(plugin.play(None)) == NEW
    assert [said in message for message in caplog.messages].count(True) == 1
    assert plugin.counters["baseline_errors"] == 1


def test_a_place_that_is_not_there_stops_nothing(plugin: Falco, caplog: pytest.LogCaptureFixture) -> None:
    plugin.baseline = ["/no/such/place", {"url": str(plugin.plans), "history": 0}]
    plugin.put(plan({TIMEOUT: 60}))
    assert told(plugin.play(None)) == NEW
    assert "/no/such/place: No such file or directory" in caplog.text


def test_a_plan_of_another_state_is_said(plugin: Falco, caplog: pytest.LogCaptureFixture) -> None:
    write(plugin.state, id="another", url="another")
    plugin.put(plan({TIMEOUT: 60}))
    assert plugin.play(None) == []
    assert "none of what has drifted there is in a state that is read" in caplog.text
    write(plugin.state)
    assert told(plugin.play(None)) == NEW, "it is tried again"


def test_whose_call_it_was(plugin: Falco, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue("credentials")
    call = {**timeout(60).raw, "resources": [{"ARN": URL, "type": "AWS::SQS::Queue"}]}
    with LookupServer({"eu-central-1": [call]}) as server:
        plugin.baseline = [{"url": str(plugin.plans), "history": "10000d"}]
        plugin.settings = {"aws": {"endpoint_url": server.url, "region": "eu-central-1"}}
        plugin.put(plan({TIMEOUT: 60}))
        (event,) = plugin.play(None)
    assert told([event]) == NEW
    assert (event.record.event_name, event.record.id) == ("SetQueueAttributes", call["eventID"])
    assert event.reason.endswith("CloudTrail's history tells whose call it was")


def test_a_history_that_may_not_be_asked(
    plugin: Falco, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    request.getfixturevalue("credentials")
    plugin.baseline = [str(plugin.plans)]
    plugin.settings = {"aws": {"endpoint_url": "http://127.0.0.1:9", "region": "eu-central-1", "max_attempts": 1}}
    plugin.put(plan({TIMEOUT: 60}))
    (event,) = plugin.play(None)
    assert told([event]) == NEW
    assert event.reason.endswith("no record told of it")
    assert "CloudTrail's history cannot be asked" in caplog.text


def test_a_bucket(plugin: Falco, moto_url: str, credentials: None) -> None:  # noqa: F811 - a fixture
    s3 = aws.client(Aws(endpoint_url=moto_url, region="us-east-1"), "s3", s3={"addressing_style": "path"})
    s3.create_bucket(Bucket="plans")
    s3.put_object(Bucket="plans", Key="nightly/app.json", Body=json.dumps(plan({TIMEOUT: 60})).encode())
    s3.put_object(Bucket="plans", Key="nightly/readme.txt", Body=b"no plan")
    s3.put_object(Bucket="plans", Key="other/app.json", Body=b"{")
    plugin.baseline = [
        {"url": "s3://plans/nightly/", "endpoint_url": moto_url, "region": "us-east-1", "history": 0},
    ]
    (event,) = plugin.play(None)
    assert told([event]) == NEW
    assert "plan s3://plans/nightly/app.json (" in event.reason
    assert plugin.counters["baseline_errors"] == 0
    assert plugin.play(None) == []
    plugin.baseline[0]["url"] = "s3://nobody/nightly/"
    assert plugin.play(None) == []
    assert plugin.counters["baseline_errors"] == 1


@pytest.mark.parametrize("url", ["gs://x", "s3://", "", "hcp://app.terraform.io", "hcp://a/b/c/d"])
def test_what_names_no_place_is_a_fault_of_the_configuration(plugin: Falco, url: str) -> None:
    with pytest.raises(ConfigError, match=r"init_config\.baseline"):
        Pipeline(configured(plugin.state, baseline=[url]))


def test_what_reads_old_records_again_reads_no_plans(plugin: Falco) -> None:
    plugin.put(plan({TIMEOUT: 60}))
    pipeline = Pipeline(configured(plugin.state, baseline=plugin.baseline))
    pipeline._source = Tracked(lambda: Script([None]), Ledger())
    sink = Reader()
    pipeline.run(sink, threading.Event())
    pipeline.close()
    assert sink.events == []


def test_what_was_not_handed_over_is_told_again_under_the_same_id(plugin: Falco) -> None:
    """As after a crash between the event and its settling."""
    plugin.put(plan({TIMEOUT: 60}))
    stop = threading.Event()
    first = plugin.play(None, reader=Stopping(stop), stop=stop)
    again = plugin.play(None)
    assert [event.id for event in again] == [event.id for event in first]
    assert told(again) == NEW
    assert plugin.play(None) == []


class Stopping(Reader):
    """A reader that ends with the first event, which it has not finished with."""

    def __init__(self, stop: threading.Event) -> None:
        super().__init__(lambda count: 0)
        self._stop = stop

    def put(self, event: DriftEvent) -> bool:
        self._stop.set()
        return super().put(event)


def test_after_a_failure_the_plan_comes_again(plugin: Falco, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin.put(plan({TIMEOUT: 60}))
    deliver, failed = Pipeline._deliver, []

    def failing(self: Pipeline, *arguments: Any) -> bool:
        if not failed:
            failed.append(True)
            raise OSError("a defect")
        return deliver(self, *arguments)

    monkeypatch.setattr(Pipeline, "_deliver", failing)
    config = configured(plugin.state, data_dir=str(plugin.data), baseline=plugin.baseline, refresh_interval="10s")
    pipeline, sink = Pipeline(config, baseline=True), Reader()
    pipeline._source = Tracked(lambda: Script([None]), Ledger(config.data_dir))
    with pytest.raises(OSError, match="a defect"):
        pipeline.run(sink, threading.Event())
    pipeline.close()
    assert sink.events == []
    assert told(plugin.play(None)) == NEW
