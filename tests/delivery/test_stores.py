"""What is open, kept in ``data_dir`` or in a table that replicas share: one suite for both."""

import itertools
import json
import threading
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.test_kill import changes, lines, started, state, wait_for
from tests.drift.test_engine import URL, index, record, timeout
from tests.test_pipeline import LATER, Reader, Script, configured, told, write
from tests.trails import shipped_receives, with_dead_letters
from tfdrift_core.config import Aws, Config, ConfigError
from tfdrift_core.delivery import drifts
from tfdrift_core.delivery.drifts import Acknowledgement, OpenDrift, OpenStore, StoreError, store_of
from tfdrift_core.delivery.ledger import Ledger
from tfdrift_core.delivery.shared import LEASE_SECONDS, SharedStore
from tfdrift_core.delivery.tracked import Tracked
from tfdrift_core.drift.event import DriftEvent, Kind
from tfdrift_core.drift.finding import Answer, of_plan, to_bytes
from tfdrift_core.drift.memory import openings_of
from tfdrift_core.pipeline import Pipeline
from tfdrift_core.records.record import Record

Clients = Callable[..., Any]
REGION = "eu-west-1"


def make_table(client: Clients, name: str = "tfdrift") -> str:
    """The table as ``deploy/aws`` makes it."""
    client("dynamodb").create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("kind", "id")],
        KeySchema=[{"AttributeName": "kind", "KeyType": "HASH"}, {"AttributeName": "id", "KeyType": "RANGE"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return f"dynamodb://{name}"


def ticking(start: int) -> Callable[[], int]:
    """A clock that goes on by a second each time it is read."""
    return itertools.count(start, 10**9).__next__


class Keeping:
    """A pipeline's way to one of the two stores: what it keeps of a drift, and what people see of it."""

    def __init__(self, tmp_path: Path, config: Config, url: str, replica: str = "one") -> None:
        self.data = tmp_path / f"data-{replica}"
        self._replica = replica
        self.url, self.reach = url, config.aws
        self.settings = {"data_dir": str(self.data)}
        write(tmp_path / "terraform.tfstate")
        self._state = tmp_path / "terraform.tfstate"

    def shared(self) -> SharedStore | None:
        return SharedStore(self.url, self.reach, self._replica) if self.url else None

    def play(self, *steps: Any, now: int = LATER) -> list[DriftEvent]:
        """One run of a pipeline: what it tells of these batches."""
        sink, source = Reader(), Script(list(steps))
        pipeline = Pipeline(configured(self._state, **self.settings), clock=ticking(now))
        pipeline._source = Tracked(lambda: source, Ledger(str(self.data)), self.shared())
        pipeline.run(sink, threading.Event())
        pipeline.close()
        return sink.events

    @property
    def open(self) -> OpenStore:
        return self.shared() or OpenDrift(str(self.data))

    def ids(self) -> list[str]:
        return [opening.id for _, data in self.open.documents() for opening in openings_of(data)]


@pytest.fixture(params=["data_dir", "dynamodb"])
def keeping(request: pytest.FixtureRequest, tmp_path: Path, config: Config, client: Clients) -> Keeping:
    return Keeping(tmp_path, config, make_table(client) if request.param == "dynamodb" else "")


def test_a_drift_and_its_end_over_restarts(keeping: Keeping) -> None:
    (opened,) = keeping.play([timeout(60)])
    assert keeping.ids() == [opened.id]
    (later,) = keeping.play([timeout(90)])
    assert (later.old_value, later.new_value) == ("60", "90"), "compared with what the earlier run left"
    (end,) = keeping.play([timeout(30)])
    assert end.opening is not None
    assert (end.resolution, end.opening.id) == ("reverted", opened.id)
    assert keeping.ids() == []
    assert keeping.play([timeout(30)]) == []


def test_many_resources_are_kept_and_unmanaged_ones(keeping: Keeping) -> None:
    made = [
        record("CreateQueue", {"queueName": f"q{n}"}, responseElements={"queueUrl": URL.replace("orders", f"q{n}")})
        for n in range(30)
    ]
    events = keeping.play(made, [timeout(60)])
    assert sorted(keeping.ids()) == sorted(event.id for event in events)
    gone = record("DeleteQueue", {"queueUrl": URL.replace("orders", "q7")})
    (end,) = keeping.play([gone])
    assert (end.resolution, end.resource.name) == ("reverted", "q7")
    assert len(keeping.ids()) == 30


def test_acknowledged_and_withdrawn(keeping: Keeping) -> None:
    (opened,) = keeping.play([timeout(60)])
    keeping.open.acknowledge(Acknowledgement(opened.id, "load test", "kim", 1))
    assert keeping.open.acknowledgements()[opened.id] == Acknowledgement(opened.id, "load test", "kim", 1)
    keeping.settings["remind_after"] = "1h"
    assert keeping.play(None, now=opened.record.time + 2 * 3600 * 10**9) == []
    assert keeping.open.withdraw(opened.id)
    assert not keeping.open.withdraw(opened.id)
    (reminder,) = keeping.play(None, now=opened.record.time + 2 * 3600 * 10**9)
    assert (reminder.kind, reminder.opening and reminder.opening.id) == (Kind.OPEN, opened.id)


def test_an_acknowledgement_ends(keeping: Keeping) -> None:
    note = Acknowledgement("x", "for now", "kim", 1, 100)
    keeping.play(None)
    keeping.open.acknowledge(note)
    assert keeping.open.acknowledgements() == {"x": note}
    assert note.holds(99)
    assert not note.holds(100)


def test_no_secret_is_kept(keeping: Keeping) -> None:
    policy = json.dumps({"Statement": [], "password": "correct-horse-battery"})
    request = {"queueUrl": URL, "attributes": {"Policy": policy}}
    keeping.play([record("SetQueueAttributes", request)])
    assert keeping.ids()
    assert not any(b"correct-horse" in data for _, data in keeping.open.documents())
    assert keeping.play([record("SetQueueAttributes", request)]) == []


def seen(keeping: Keeping, seconds: int, answer: Answer, moment: int = LATER - 1) -> None:
    """What ``tfdrift verify`` leaves in the store."""
    store = keeping.open
    ((key, data),) = store.documents()
    (opening,) = openings_of(data)
    (instance,) = index().all()
    after = {**instance.attributes, "visibility_timeout_seconds": seconds}
    finding = of_plan(key, moment, "a plan", instance.attributes, after, True)
    finding = replace(finding, answers={opening.id: (answer, str(seconds))})
    store.verify({key: to_bytes(finding, instance, store.salt)})


def test_what_was_verified_is_taken_over_once(keeping: Keeping) -> None:
    (opened,) = keeping.play([timeout(60)])
    seen(keeping, 60, Answer.CONFIRMED)
    assert keeping.play(None) == []
    assert keeping.open.verified() == []
    ((_, data),) = keeping.open.documents()
    assert [(o.id, o.confidence) for o in openings_of(data)] == [(opened.id, "verified")]
    seen(keeping, 30, Answer.GONE)
    (end,) = keeping.play(None)
    assert (end.kind, str(end.resolution), end.opening and end.opening.id) == (Kind.RESOLVED, "gone", opened.id)
    assert keeping.open.verified() == []
    assert keeping.ids() == []
    assert [e.new_value for e in keeping.play([timeout(60)])] == ["60"], "it may drift again"


def test_what_was_verified_and_cannot_be_read_is_dropped(keeping: Keeping, caplog: pytest.LogCaptureFixture) -> None:
    keeping.play([timeout(60)])
    ((key, data),) = keeping.open.documents()
    (instance,) = index().all()
    elsewhere = ("another state", "aws_sqs_queue.x")
    for moment, left in ((LATER - 1, [elsewhere]), (1, [])):
        other = to_bytes(of_plan(elsewhere, moment, "a plan", {}, {}, True), instance, b"")
        keeping.open.verify({key: b"{}", elsewhere: other})
        assert keeping.play(None) == []
        assert "cannot be read, verify it again" in caplog.text
        assert [found for found, _ in keeping.open.verified()] == left, "of a state that is not read, for a week"
    assert keeping.open.documents() == [(key, data)]


# --- what only replicas need ---


@pytest.fixture
def pair(client: Clients, config: Config) -> tuple[SharedStore, SharedStore]:
    url = make_table(client)
    return SharedStore(url, config.aws, "one"), SharedStore(url, config.aws, "two")


def test_an_event_is_told_by_one(client: Clients, config: Config) -> None:
    url, now = make_table(client), [1000.0]

    def pass_time(seconds: float) -> None:
        now[0] += seconds

    one, two = (SharedStore(url, config.aws, name, clock=lambda: now[0], wait=pass_time) for name in ("one", "two"))
    assert one.owns("a")
    assert one.owns("a"), "after a crash it tells the event again"
    one.done(["a"])
    assert not two.owns("a")
    assert now == [1000.0]
    assert one.owns("b")
    assert two.owns("b"), "the first one died before it had handed the event over"
    assert now[0] >= 1000 + LEASE_SECONDS


def test_the_newest_record_decides_what_was_left(pair: tuple[SharedStore, SharedStore]) -> None:
    one, two = pair
    key = ("prod", "aws_sqs_queue.orders")
    one.keep({key: b"newer"}, 200)
    two.keep({key: b"older"}, 100)
    left = two.recall(key)
    assert left is not None
    assert (left.moment, left.document) == (200, b"newer")
    two.keep({key: None}, 300)
    left = one.recall(key)
    assert left is not None
    assert (left.moment, left.document) == (300, None)
    assert one.remembered() == ()
    assert one.recall(("prod", "else")) is None


def test_replicas_have_one_salt(pair: tuple[SharedStore, SharedStore]) -> None:
    one, two = pair
    assert one.salt == two.salt
    assert len(one.salt) == 16


def test_a_revert_that_another_replica_sees(tmp_path: Path, config: Config, client: Clients) -> None:
    url = make_table(client)
    one, two = (Keeping(tmp_path, config, url, name) for name in ("one", "two"))
    (opened,) = one.play([timeout(60)])
    (end,) = two.play([timeout(30)])
    assert end.opening is not None
    assert (end.resolution, end.opening.id) == ("reverted", opened.id)
    assert one.ids() == []
    assert one.play([timeout(30)]) == [], "it learns that the drift is over before it compares"


def test_a_table_that_is_away_stops_nothing(
    tmp_path: Path, config: Config, caplog: pytest.LogCaptureFixture, client: Clients
) -> None:
    keeping = Keeping(tmp_path, config, make_table(client))
    sink = Reader()
    store = keeping.shared()
    assert store is not None
    assert store.salt

    def leave() -> None:
        client("dynamodb").delete_table(TableName="tfdrift")

    def come_back() -> None:
        make_table(client)

    source = Script([[timeout(60)], None, leave, [timeout(90)], [timeout(120)], None, come_back, [timeout(150)], None])
    pipeline = Pipeline(configured(keeping._state, data_dir=str(keeping.data)), clock=ticking(LATER))
    pipeline._source = Tracked(lambda: source, Ledger(str(keeping.data)), store)
    pipeline.run(sink, threading.Event())
    pipeline.close()
    assert told(sink) == [("30", "60"), ("60", "90"), ("90", "120"), ("120", "150")]
    assert len([line for line in caplog.messages if "this replica knows of its own records only" in line]) == 1
    assert len([line for line in caplog.messages if line.endswith("tfdrift: can be used again")]) == 1
    assert len(keeping.ids()) == 1, "what was missing was written when the table was back"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis://x", "write dynamodb://TABLE"),
        ("dynamodb://", "write dynamodb://TABLE"),
        ("dynamodb://table?zone=1", "unknown option zone"),
    ],
)
def test_what_is_no_store_is_said(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        store_of(url, Aws())


def test_the_table_of_a_url() -> None:
    table, reach = store_of("dynamodb://drift?region=eu-central-1", Aws(profile="p"))
    assert (table, reach.region, reach.profile) == ("drift", "eu-central-1", "p")


def test_people_are_told_what_is_missing(config: Config, moto_url: str) -> None:
    with pytest.raises(StoreError, match="dynamodb://nothing"):
        SharedStore("dynamodb://nothing", config.aws).documents()


def test_three_replicas_on_one_queue(client: Clients, moto_url: str, tmp_path: Path) -> None:
    """Every drift once over all of them, and every end of one, whichever replica sees the revert."""
    numbers = list(range(60))
    (tmp_path / "state.tfstate").write_text(json.dumps(state(numbers)))
    url, _ = with_dead_letters(client, shipped_receives())
    store = make_table(client)
    outputs = [tmp_path / f"events{replica}" for replica in range(3)]
    processes = [
        started(
            {
                "state": [str(tmp_path / "state.tfstate")],
                "data_dir": str(tmp_path / f"data{replica}"),
                "coalesce": False,
                "apply_wait": 0,
                "store": store,
                "aws": {"region": REGION, "endpoint_url": moto_url},
                "sources": ["sqs://trail?receivers=1"],
            },
            output,
        )
        for replica, output in enumerate(outputs)
    ]

    def count() -> int:
        return sum(len(lines(output)) for output in outputs)

    def send(records: list[dict[str, Any]]) -> None:
        for i in range(0, len(records), 10):
            entries = [
                {"Id": str(n), "MessageBody": json.dumps({"Records": [r]})} for n, r in enumerate(records[i : i + 10])
            ]
            client("sqs").send_message_batch(QueueUrl=url, Entries=entries)

    try:
        # Each message twice: SQS may deliver one to two replicas.
        send([changes(n) for n in numbers for _ in range(2)])
        assert wait_for(lambda: count() >= len(numbers), 120)
        shared = SharedStore(store, Aws(region=REGION, endpoint_url=moto_url))
        assert wait_for(lambda: len(shared.documents()) == len(numbers), 60)
        send([changes(n, back=True) for n in numbers])
        assert wait_for(lambda: count() >= 2 * len(numbers), 120)
        assert wait_for(lambda: not shared.documents(), 60)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(30)
    counted = Counter(line.split()[0] for output in outputs for line in lines(output))
    assert counted == Counter([f"id-{n}" for n in numbers] + [f"id-back-{n}" for n in numbers])
    assert sum(bool(lines(output)) for output in outputs) > 1, "one process did all the work"


def test_the_replica_keeps_its_name(tmp_path: Path) -> None:
    names = set()
    for _ in range(2):
        ledger = Ledger(str(tmp_path))
        names.add(ledger.replica)
        ledger.close()
    assert len(names) == 1
    assert drifts.DATABASE in {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    "item",
    [
        {"document": {"B": b"x"}},
        {"moment": {"N": "1"}, "document": {"B": b"not packed"}},
        {"moment": {"N": "1"}, "document": {"B": zlib.compress(b"whole")[:-3]}},
        {"moment": {"N": "1"}, "document": {"S": "text"}},
        {"moment": {"N": "1"}, "document": {"B": zlib.compress(bytes(65 << 20))}},
    ],
    ids=["no time", "not packed", "cut off", "of another type", "too large"],
)
def test_an_item_of_another_form_is_no_fault(client: Clients, config: Config, item: dict[str, Any]) -> None:
    store = SharedStore(make_table(client), config.aws)
    client("dynamodb").put_item(TableName="tfdrift", Item={"kind": {"S": "left"}, "id": {"S": "s\0a"}, **item})
    assert store.recall(("s", "a")) is None
    assert store.documents() == []


def test_a_directory_that_may_not_be_entered_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refused)
    with pytest.raises(StoreError, match="Permission denied; run this command as the user that Falco runs as"):
        OpenDrift(str(tmp_path))


def test_what_texts_of_a_record_unpack_to_is_kept_whatever_it_holds(keeping: Keeping) -> None:
    who = json.dumps({"type": "IAMUser", "userName": "x\ud800", "accountId": "111122223333"})
    request = json.dumps({"queueName": "q\ud800"})
    answer = json.dumps({"queueUrl": f"{URL}\ud800"})
    made = record("CreateQueue", {}).raw | {"requestParameters": request, "responseElements": answer}
    events = keeping.play([Record(made), timeout(60, userIdentity=who)])
    assert [event.kind for event in events] == [Kind.UNMANAGED, Kind.MODIFIED]
    assert sorted(keeping.ids()) == sorted(event.id for event in events)
