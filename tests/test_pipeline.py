"""The loop from source to sink: order, acknowledgement, freshness of state, and Terraform runs in progress."""

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.drift.test_engine import TERRAFORM, URL, index, timeout
from tfdrift_core import pipeline as module
from tfdrift_core.config import Config, ConfigError, load
from tfdrift_core.delivery.ledger import Ledger
from tfdrift_core.delivery.tracked import Tracked
from tfdrift_core.drift.batch import Batch as EngineBatch
from tfdrift_core.drift.engine import Engine
from tfdrift_core.drift.event import Context, DriftEvent, Kind
from tfdrift_core.pipeline import Pipeline
from tfdrift_core.records.record import Record
from tfdrift_core.sources.base import Batch, SourceError

LATER = 2_000_000_000_000_000_000


class Script:
    """A source that runs through a list: records to deliver as one batch, or something to do in between."""

    name, finite = "script", True

    def __init__(self, steps: list[list[Record] | Callable[[], None] | None]) -> None:
        self.steps, self.acknowledged = steps, []

    def batches(self) -> Iterator[Batch | None]:
        for number, step in enumerate(self.steps):
            if callable(step):
                step()
                yield None
            elif step is None:
                yield None
            else:
                document = json.dumps({"Records": [record.raw for record in step]}).encode()
                yield Batch(f"script {number}", (document,), number)

    def acknowledge(self, batch: Batch) -> None:
        self.acknowledged.append(batch.token)

    def close(self) -> None:
        pass


class Reader:
    """A sink that has finished with an event once ``read`` says so."""

    def __init__(self, read: Callable[[int], int] = lambda count: count, limit: int = 1000) -> None:
        self.events: list[DriftEvent] = []
        self._read, self._limit = read, limit

    def put(self, event: DriftEvent) -> bool:
        if len(self.events) >= self._limit:
            return False
        self.events.append(event)
        return True

    def handed_over(self) -> int:
        return self._read(len(self.events))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / "terraform.tfstate"
    write(path)
    return path


def write(path: Path, serial: int = 1, **attributes: Any) -> None:
    (instance,) = index(**attributes).all()
    document = {
        "version": 4,
        "terraform_version": "1.11.4",
        "serial": serial,
        "lineage": "test",
        "resources": [
            {
                "mode": "managed",
                "type": "aws_sqs_queue",
                "name": "orders",
                "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
                "instances": [{"schema_version": 0, "attributes": dict(instance.attributes)}],
            }
        ],
    }
    path.write_text(json.dumps(document))


def configured(state: Path, **more: Any) -> Config:
    return load(json.dumps({"state": [str(state)], "apply_wait": "0s", **more}))


def run(
    config: Config, source: Script, sink: Reader, *, now: int = LATER, stop: threading.Event | None = None
) -> Pipeline:
    clock = itertools.count(now, 2_000_000_000)
    pipeline = Pipeline(config, clock=lambda: next(clock))
    pipeline._source = Tracked(lambda: source, Ledger(config.data_dir))
    pipeline.run(sink, stop or threading.Event())
    pipeline.close()
    return pipeline


def told(sink: Reader) -> list[tuple[str | None, str | None]]:
    return [(event.old_value, event.new_value) for event in sink.events]


def test_batches_are_acknowledged_in_order_once_read(state: Path) -> None:
    lag = iter([0, 0, 1, 2, *[9] * 100])
    source, sink = Script([[timeout(60)], [], [timeout(90)], None, None]), Reader(lambda count: min(next(lag), count))
    pipeline = run(configured(state), source, sink)
    assert told(sink) == [("30", "60"), ("60", "90")]
    assert source.acknowledged == [0, 1, 2]
    assert pipeline.metrics.counters()["records_read"] == 2
    assert pipeline.metrics.counters()["drift_modified"] == 2
    assert pipeline.metrics.gauges()["state_resources"] == 1


def test_the_metrics_tell_silence_from_a_trail_without_drift(state: Path) -> None:
    """A read is a record, too: the trail is alive although nothing drifts."""
    now = 1_800_000_000
    moments = itertools.count(now * 1_000_000_000, 1_000_000_000)
    pipeline = Pipeline(configured(state), clock=lambda: next(moments))
    assert pipeline.metrics.counters()["records_read"] == 0
    assert pipeline.metrics.gauges()["last_record_time"] == now
    for records, came in (([], False), ([{**timeout(60).raw, "readOnly": True}], True), ([], False)):
        before = pipeline.metrics.gauges()["last_record_time"]
        list(pipeline._scan(Batch("x", (json.dumps({"Records": records}).encode(),))))
        assert (pipeline.metrics.gauges()["last_record_time"] > before) is came
    assert pipeline.metrics.counters()["records_read"] == 1


def test_a_closed_sink_ends_the_run_and_nothing_more_is_acknowledged(state: Path) -> None:
    source, sink = Script([[timeout(60)], [timeout(90)]]), Reader(lambda count: 0, limit=1)
    run(configured(state), source, sink)
    assert told(sink) == [("30", "60")]
    assert source.acknowledged == []


def test_what_the_sink_has_taken_is_acknowledged_when_it_is_stopped(state: Path) -> None:
    stop = threading.Event()
    source, sink = Script([[timeout(60)], stop.set, [timeout(90)]]), Reader()
    pipeline = Pipeline(configured(state), clock=lambda: LATER)
    pipeline._source = Tracked(lambda: source, Ledger())
    pipeline.run(sink, stop)
    assert told(sink) == [("30", "60")]
    assert source.acknowledged == [0]


@pytest.mark.parametrize("kept", [True, False], ids=["data_dir", "memory"])
def test_after_a_failure_it_goes_on_with_another_source_and_nothing_twice(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    """The first event is still on its way when the second batch meets a defect."""
    work, steps, made = Pipeline._work, [[timeout(60)], [timeout(90)], [timeout(120)]], []

    class Closed(Script):
        closed = False

        def close(self) -> None:
            self.closed = True

    def make() -> Closed:
        made.append(Closed(list(steps)))
        return made[-1]

    def fails_once(self: Pipeline, source: Any, batch: Batch, *rest: Any) -> bool:
        if batch.token == 1 and len(made) == 1:
            source.fresh(batch, [record for part, _ in self._scan(batch) for record in part])
            raise KeyError("a defect")
        return work(self, source, batch, *rest)

    monkeypatch.setattr(Pipeline, "_work", fails_once)
    lag = iter([0] * 5)
    sink = Reader(lambda count: next(lag, count))
    pipeline = Pipeline(configured(state), clock=lambda: LATER)
    pipeline._source = Tracked(make, Ledger(str(tmp_path / "data") if kept else ""))
    with pytest.raises(KeyError):
        pipeline.run(sink, threading.Event())
    assert (made[0].acknowledged, made[0].closed) == ([0], True)
    pipeline.run(sink, threading.Event())
    pipeline.close()
    assert told(sink) == [("30", "60"), ("60", "90"), ("90", "120")]
    assert (len(made), made[1].acknowledged) == (2, [0, 1, 2])


def test_a_record_is_reported_once_however_often_it_comes(state: Path) -> None:
    record = timeout(60)
    sink = Reader()
    run(configured(state), Script([[record], [record]]), sink)
    assert told(sink) == [("30", "60")]


def test_state_that_is_newer_than_the_record_is_looked_at_before_reporting(state: Path) -> None:
    # The state was read before the change; meanwhile an apply wrote what the record says.
    record = timeout(60)
    sink = Reader()
    run(
        configured(state, refresh_interval="1h"),
        Script([lambda: write(state, 2, visibility_timeout_seconds=60), [record]]),
        sink,
        now=record.time - 3_600_000_000_000,
    )
    assert told(sink) == []


def test_state_is_read_anew_when_terraform_ran(state: Path) -> None:
    sink = Reader()
    run(
        configured(state, refresh_interval="1h"),
        Script([lambda: write(state, 2, visibility_timeout_seconds=45), [timeout(45, agent=TERRAFORM)], [timeout(60)]]),
        sink,
    )
    assert told(sink) == [("45", "60")]


def test_drift_waits_for_an_apply_in_progress(state: Path) -> None:
    lock = state.with_name(f".{state.name}.lock.info")
    lock.write_text("{}")

    class Applied(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            write(state, 2, visibility_timeout_seconds=60)
            lock.unlink(missing_ok=True)
            return False

    sink = Reader()
    config = configured(state, apply_wait="30s", refresh_interval="1h")
    run(config, Script([[timeout(60)]]), sink, stop=Applied())
    assert told(sink) == []


def test_a_lock_that_was_left_behind_holds_drift_up_once(
    state: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    state.with_name(f".{state.name}.lock.info").write_text("{}")
    ticks = iter(range(0, 100_000, 20))
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(ticks)))
    sink = Reader()
    run(configured(state, apply_wait="30s"), Script([[timeout(60)], [timeout(90)]]), sink)
    assert told(sink) == [("30", "60"), ("60", "90")]
    assert caplog.text.count("has been locked for more than 30 s") == 1


def test_a_lock_that_was_left_behind_is_waited_for_once_whatever_other_states_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config = Config(apply_wait=30.0)
    pipeline = Pipeline(config)
    locked = {"left", "also-left"}
    monkeypatch.setattr(pipeline.store, "applying", lambda states: bool(locked & set(states)))
    waits: list[float] = []
    ticks = iter(range(0, 100_000, 20))
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(ticks)))
    stop = threading.Event()
    monkeypatch.setattr(stop, "wait", lambda seconds: waits.append(seconds) or False)

    def waited(*states: str) -> int:
        before = len(waits)
        pipeline._wait_for_apply(states, stop)
        return len(waits) - before

    assert waited("left")
    assert [waited("free"), waited("left"), waited("free", "left"), waited("free"), waited("left")] == [0] * 5
    assert waited("left", "also-left")
    assert [waited("left"), waited("also-left"), waited()] == [0] * 3
    locked.discard("left")
    assert waited("left") == 0
    locked.add("left")
    assert waited("left")
    assert caplog.text.count("left has been locked for more than 30 s") == 3


def test_a_state_server_that_hangs_does_not_keep_it_from_stopping(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline, source = Pipeline(configured(state)), Script([[timeout(60)]])
    pipeline._source = Tracked(lambda: source, Ledger())
    entered, go, stop = threading.Event(), threading.Event(), threading.Event()

    def hangs() -> None:
        entered.set()
        go.wait(30)

    monkeypatch.setattr(pipeline.store._places[0].backend, "refs", hangs)

    def work() -> None:
        pipeline.run(Reader(), stop)
        pipeline.close()

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    assert entered.wait(30)
    stop.set()
    worker.join(20)
    ended = not worker.is_alive()
    go.set()
    assert ended


def test_bad_records_are_counted_and_said(state: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Bad(Script):
        def batches(self) -> Iterator[Batch | None]:
            yield Batch("bad", (b'{"Records": [3, {"eventName": "x"', b"nonsense"), 0)
            yield from super().batches()

    sink = Reader()
    pipeline = run(configured(state), Bad([[timeout(60)]]), sink)
    assert told(sink) == [("30", "60")]
    assert pipeline.metrics.counters()["records_bad"] >= 2
    assert "bad" in caplog.text


def test_a_record_that_the_engine_cannot_take_is_told_without_values_alone(
    state: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    poison = timeout(70)
    process = Engine.process

    def fails(self: Engine, states: Any, records: Any, now: int = 0) -> Any:
        result = process(self, states, records, now)
        if any(record.id == poison.id for record in records):
            raise KeyError("poison")
        return result

    monkeypatch.setattr(Engine, "process", fails)
    source, sink = Script([[timeout(60), poison, timeout(90)]]), Reader()
    pipeline = run(configured(state), source, sink)
    assert told(sink) == [(None, "(unknown)"), ("30", "60"), ("60", "90")]
    assert source.acknowledged == [0]
    assert pipeline.metrics.counters()["errors_internal"] >= 1
    assert pipeline.metrics.counters()["records_unknown"] == 1
    assert f"record {poison.id} (SetQueueAttributes of sqs.amazonaws.com) is not worked out" in caplog.text


def test_a_record_that_cannot_even_be_told_is_left_out_alone(
    state: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    poison = timeout(70)
    run_batch = EngineBatch.run

    def fails(self: EngineBatch, records: Any, unknown: str = "") -> Any:
        if any(record.id == poison.id for record in records):
            raise KeyError("poison")
        return run_batch(self, records, unknown)

    monkeypatch.setattr(EngineBatch, "run", fails)
    source, sink = Script([[timeout(60), poison, timeout(90)]]), Reader()
    run(configured(state), source, sink)
    assert told(sink) == [("30", "60"), ("60", "90")]
    assert source.acknowledged == [0]
    assert f"record {poison.id} (SetQueueAttributes of sqs.amazonaws.com) is left out" in caplog.text


def test_a_document_that_the_scan_cannot_take_holds_up_no_other(
    state: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    parts, sink, source = module.parts, Reader(), Script([[timeout(60)], [timeout(90)]])

    def fails(document: bytes, *rest: Any, **more: Any) -> Any:
        if b":60" in document or b'"60"' in document:
            raise RecursionError("a defect")
        return parts(document, *rest, **more)

    monkeypatch.setattr(module, "parts", fails)
    pipeline = run(configured(state), source, sink)
    assert told(sink) == [("30", "90")]
    assert source.acknowledged == [0, 1]
    assert pipeline.metrics.counters()["errors_internal"] == 1
    assert "is left out, please report this" in caplog.text


def test_what_cannot_work_is_said_at_once(state: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no-such-catalog"):
        Pipeline(configured(state, catalog=[str(tmp_path / "no-such-catalog.yaml")]))
    with pytest.raises(SourceError, match="no source"):
        Pipeline(configured(state)).open("")
    with pytest.raises(ConfigError, match="before it was opened"):
        Pipeline(configured(state)).run(Reader(), threading.Event())


def test_a_configuration_without_state_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "trail.json").write_text('{"Records": []}')
    pipeline = Pipeline(load("{}"))
    pipeline.open(str(tmp_path / "trail.json"))
    pipeline.close()
    assert "no state is configured, so only what is created is drift; add state or config to init_config" in caplog.text


def test_the_queue_is_what_the_records_name() -> None:
    assert timeout(60).request["queueUrl"] == URL


def test_what_depends_on_a_resource_is_told_with_its_drift_and_with_the_end_of_it(state: Path) -> None:
    document = json.loads(state.read_text())
    needy = {"attributes": {"id": "x"}, "dependencies": ["aws_sqs_queue.orders"], "schema_version": 0}
    alarm = {**document["resources"][0], "type": "aws_cloudwatch_metric_alarm", "name": "late", "instances": [needy]}
    state.write_text(json.dumps({**document, "resources": [*document["resources"], alarm]}))
    reader = Reader()
    run(configured(state), Script([[timeout(60)], [timeout(30)]]), reader)
    assert [(event.kind, event.context) for event in reader.events] == [
        (kind, Context(("aws_cloudwatch_metric_alarm.late",), 1)) for kind in (Kind.MODIFIED, Kind.RESOLVED)
    ]
