"""From the event that tells of a drift to the event that tells of its end, over restarts and versions of state."""

import json
import random
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.drift.test_engine import TERRAFORM, URL, engine, index, record, timeout
from tests.indexes import index_of
from tfdrift_core.drift.compare.diff import diff
from tfdrift_core.drift.compare.schema import schema_for
from tfdrift_core.drift.engine import Engine
from tfdrift_core.drift.event import DriftEvent, Kind
from tfdrift_core.drift.memory import Key, Memory
from tfdrift_core.records.record import Record
from tfdrift_core.terraform.index import Index

SALT = b"0123456789abcdef"
NOW = 1_800_000_000 * 10**9
DAY = 86_400 * 10**9


class Restarted:
    """An engine whose memory goes through what is kept of it, after every batch."""

    def __init__(self) -> None:
        self.kept: dict[Key, bytes] = {}
        self.restart()

    def restart(self) -> None:
        self.engine = engine(memory=Memory(SALT))
        self.engine.recall(Memory(SALT), self.kept.items())

    def process(self, states: Index, records: Iterable[Record], now: int = NOW) -> list[DriftEvent]:
        return self._keep(self.engine.process(states, list(records), now))

    def remind(self, now: int, *silenced: str) -> list[DriftEvent]:
        return self._keep(self.engine.remind(now, DAY, silenced))

    def _keep(self, result: Any) -> list[DriftEvent]:
        for key, document in self.engine.documents(result).items():
            if document is None:
                self.kept.pop(key, None)
            else:
                self.kept[key] = document
        return list(result.events)


def ended(events: Iterable[DriftEvent]) -> list[tuple[str, str | None]]:
    return [(event.path, event.resolution) for event in events if event.kind is Kind.RESOLVED]


@pytest.fixture(params=["in one run", "over a restart"])
def drift(request: pytest.FixtureRequest) -> Restarted:
    made = Restarted()
    if request.param == "over a restart":
        process = made.process

        def restarting(*args: Any, **more: Any) -> list[DriftEvent]:
            events = process(*args, **more)
            made.restart()
            return events

        made.process = restarting  # type: ignore[method-assign]
    return made


def test_another_call_puts_it_back(drift: Restarted) -> None:
    (opened,) = drift.process(index(), [timeout(60)])
    (end,) = drift.process(index(), [timeout(30)])
    assert (end.kind, end.resolution, end.path) == (Kind.RESOLVED, "reverted", "visibility_timeout_seconds")
    assert (end.old_value, end.new_value) == ("30", "60")
    assert end.opening is not None
    assert (end.opening.id, end.opening.by, end.opening.opened) == (opened.id, "mio", opened.record.time)
    assert drift.kept == {}


def test_terraform_puts_it_back(drift: Restarted) -> None:
    drift.process(index(), [timeout(60)])
    assert ended(drift.process(index(), [timeout(30, agent=TERRAFORM)])) == [("visibility_timeout_seconds", "applied")]


def test_a_newer_state_has_the_value(drift: Restarted) -> None:
    drift.process(index(), [timeout(60)])
    (end,) = drift.process(index(visibility_timeout_seconds=60), [])
    assert (end.resolution, end.record.id) == ("adopted", "")
    assert drift.process(index(visibility_timeout_seconds=60), [timeout(60)]) == []


def test_a_newer_state_has_the_old_value(drift: Restarted) -> None:
    drift.process(index(), [timeout(60)])
    assert ended(drift.process(index(delay_seconds=1), [])) == [("visibility_timeout_seconds", "applied")]


def test_the_resource_left_the_state(drift: Restarted) -> None:
    states = index()
    drift.process(states, [timeout(60)])
    empty = index_of({"version": 4, "terraform_version": "1.11.4", "serial": 2, "lineage": "test", "resources": []})
    assert ended(drift.process(empty, [])) == [("visibility_timeout_seconds", "removed")]


def test_a_state_that_cannot_be_read_says_nothing(drift: Restarted) -> None:
    drift.process(index(), [timeout(60)])
    drift.restart()
    assert drift.process(Index(()), []) == []
    assert ended(drift.process(index(), [timeout(30)])) == [("visibility_timeout_seconds", "reverted")]


def test_deleted_ends_what_was_open_and_is_open_itself(drift: Restarted) -> None:
    drift.process(index(), [timeout(60)])
    events = drift.process(index(), [record("DeleteQueue", {"queueUrl": URL})])
    assert [(e.kind, e.resolution) for e in events] == [(Kind.DELETED, None), (Kind.RESOLVED, "removed")]
    made = record("CreateQueue", {"queueName": "orders"}, responseElements={"queueUrl": URL})
    assert ("", "reverted") in ended(drift.process(index(), [made]))


def test_a_second_change_of_the_same_attribute_is_told_and_is_one_drift(drift: Restarted) -> None:
    (first,) = drift.process(index(), [timeout(60)])
    assert [e.kind for e in drift.process(index(), [timeout(90)])] == [Kind.MODIFIED]
    (end,) = drift.process(index(), [timeout(30)])
    assert end.opening is not None
    assert (end.opening.id, end.old_value, end.new_value) == (first.id, "30", "90")


def test_undone_within_one_batch_was_never_open(drift: Restarted) -> None:
    assert drift.process(index(), [timeout(60), timeout(30)]) == []
    assert drift.kept == {}


def test_what_was_not_reported_has_no_end_that_is() -> None:
    made = Restarted()
    made.process(index(), [timeout(60, agent=TERRAFORM)])
    assert ended(made.process(index(), [timeout(30, agent=TERRAFORM)])) == []


def test_unmanaged_ends_when_it_is_deleted_or_imported(drift: Restarted) -> None:
    shadow = URL.replace("orders", "shadow")
    made = record("CreateQueue", {"queueName": "shadow"}, responseElements={"queueUrl": shadow})
    (opened,) = drift.process(index(), [made])
    assert opened.kind is Kind.UNMANAGED
    assert ended(drift.process(index(), [record("DeleteQueue", {"queueUrl": URL.replace("orders", "else")})])) == []
    other = record("DeleteQueue", {"queueUrl": shadow}, recipientAccountId="999999999999")
    assert ended(drift.process(index(), [other])) == []
    assert ended(drift.process(index(), [record("DeleteQueue", {"queueUrl": shadow})])) == [("", "reverted")]
    drift.process(index(), [made])
    assert ended(drift.process(index(id=shadow, url=shadow, name="shadow"), [])) == [("", "adopted")]


def test_reminders_once_a_period_and_not_of_what_somebody_acknowledged() -> None:
    drift = Restarted()
    (opened,) = drift.process(index(), [timeout(60)])
    start = opened.record.time
    assert drift.remind(start + DAY - 1) == []
    (reminder,) = drift.remind(start + DAY)
    assert (reminder.kind, reminder.old_value, reminder.new_value) == (Kind.OPEN, "30", "60")
    drift.restart()
    assert drift.remind(start + DAY) == []
    assert drift.remind(start + 5 * DAY, opened.id) == []
    (late,) = drift.remind(start + 5 * DAY)
    assert late.id != reminder.id
    assert drift.remind(start + 5 * DAY) == []
    assert ended(drift.process(index(), [timeout(30)])) == [("visibility_timeout_seconds", "reverted")]


def test_no_secret_is_kept_and_equal_secrets_are_still_equal() -> None:
    policy = json.dumps({"Statement": [], "password": "correct-horse-battery"})
    drift = Restarted()
    request = {"queueUrl": URL, "attributes": {"Policy": policy}}
    events = drift.process(index(), [record("SetQueueAttributes", request)])
    assert [e.kind for e in events] == [Kind.MODIFIED]
    assert b"correct-horse" not in b"".join(drift.kept.values())
    drift.restart()
    assert drift.process(index(), [record("SetQueueAttributes", request)]) == []
    back = record("SetQueueAttributes", {"queueUrl": URL, "attributes": {"Policy": ""}})
    assert ended(drift.process(index(), [back])) == [("policy", "reverted")]


def test_a_document_of_another_kind_is_no_fault(drift: Restarted) -> None:
    states = index()
    (instance,) = states.all()
    for data in (b"", b"{}", b"[]", b'{"openings": [{"id": 1}]}', b"\xff"):
        drift.kept[instance.state, instance.address] = data
        drift.restart()
        assert [e.kind for e in drift.process(states, [timeout(60)]) if e.kind is not Kind.RESOLVED] == [Kind.MODIFIED]


STEP = st.one_of(
    st.tuples(st.just("timeout"), st.sampled_from([30, 60, 90]), st.booleans()),
    st.tuples(st.just("tag"), st.sampled_from(["dev", "prod"]), st.booleans()),
    st.tuples(st.just("delete"), st.just(0), st.just(False)),
    st.tuples(st.just("create"), st.just(0), st.just(False)),
    st.tuples(st.just("restart"), st.just(0), st.just(False)),
    st.tuples(st.just("state"), st.sampled_from([30, 60, 90]), st.just(False)),
)


def call(what: str, value: Any, terraform: bool) -> Record:
    agent = {"agent": TERRAFORM} if terraform else {}
    match what:
        case "timeout":
            return timeout(value, **agent)
        case "tag":
            return record("TagQueue", {"queueUrl": URL, "tags": {"Env": value}}, **agent)
        case "delete":
            return record("DeleteQueue", {"queueUrl": URL})
    return record("CreateQueue", {"queueName": "orders"}, responseElements={"queueUrl": URL})


@settings(max_examples=200, deadline=None)
@example([("timeout", 60, False), ("delete", 0, False), ("create", 0, False)], 1)
@given(st.lists(STEP, max_size=12), st.integers(0, 2**32))
def test_what_is_open_is_what_differs(steps: list[tuple[str, Any, bool]], seed: int) -> None:
    """For any calls, restarts and versions of state: open drift is the difference between what is known and wanted."""
    chance, drift, attributes = random.Random(seed), Restarted(), dict[str, Any]()
    told: dict[str, tuple[str, str]] = {}
    states, waiting = index(), list[Record]()

    def flush() -> None:
        for event in drift.process(states, waiting):
            if event.kind is Kind.RESOLVED:
                assert event.opening is not None
                assert told.pop(event.opening.id)[0] == event.path
            elif (event.path, event.kind) not in told.values():
                told[event.id] = event.path, event.kind
        waiting.clear()

    for what, value, terraform in steps:
        if what == "restart":
            drift.restart()
        elif what == "state":
            attributes = {"visibility_timeout_seconds": value, "delay_seconds": chance.randint(1, 10**6)}
            states = index(**attributes)
            flush()
        else:
            waiting.append(call(what, value, terraform))
            if chance.random() < 0.7:
                flush()
    flush()
    (instance,) = states.all()
    known = drift.engine.memory.recall((instance.state, instance.address), instance.attributes)
    open_now = {opening.id: (opening.path, opening.kind) for opening in known.openings}
    assert open_now == told
    overlay = known.overlay
    if overlay.current is None:
        return
    differing = {d.path for d in diff(overlay.baseline, overlay.current, schema_for("aws_sqs_queue"))}
    assert {opening.steps for opening in known.openings} == differing


def test_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfdrift_core.drift.memory.MAX_RESOURCES", 3)
    drift = Restarted()
    for number in range(5):
        made: Mapping[str, Any] = {"queueUrl": URL.replace("orders", f"q{number}")}
        drift.process(index(), [record("CreateQueue", {"queueName": f"q{number}"}, responseElements=made)])
    assert drift.engine.memory.open_drifts == 3
    assert drift.engine.memory.forgotten == 2


def test_engines_do_not_share() -> None:
    one, other = Restarted(), Restarted()
    one.process(index(), [timeout(60)])
    assert other.engine.memory.open_drifts == 0
    assert isinstance(other.engine, Engine)


@pytest.mark.parametrize(
    "odd", [{"userAgent": "x\ud800"}, {"userIdentity": {"userName": "\udc00"}}, {"userIdentity": {"x": 1 << 80}}]
)
def test_what_no_strict_json_holds_is_kept_all_the_same(odd: dict[str, Any]) -> None:
    drift = Restarted()
    (opened,) = drift.process(index(), [timeout(60, **odd)])
    drift.restart()
    (end,) = drift.process(index(), [timeout(30)])
    assert end.opening is not None
    assert (end.resolution, end.opening.id) == ("reverted", opened.id)


def test_the_key_of_what_was_made_is_text_that_a_database_takes() -> None:
    drift = Restarted()
    made = record("CreateQueue", {"queueName": "q\ud800"}, responseElements={"queueUrl": f"{URL}\ud800"})
    assert [event.kind for event in drift.process(index(), [made])] == [Kind.UNMANAGED]
    for key in drift.kept:
        "".join(key).encode()


def at(*names: str, **attributes: Any) -> Index:
    """A state that has the queue at these addresses, and another one at those after the first."""
    (queue,) = index(**attributes).all()
    resources = [
        {
            "mode": "managed",
            "type": "aws_sqs_queue",
            "name": name,
            "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
            "instances": [
                {
                    "schema_version": 0,
                    "attributes": {**queue.attributes, **({"id": f"{URL}{n}", "arn": f"arn{n}"} if n else {})},
                    "sensitive_attributes": [],
                }
            ],
        }
        for n, name in enumerate(names)
    ]
    return index_of({"version": 4, "terraform_version": "1.11.4", "serial": 2, "lineage": "t", "resources": resources})


@pytest.mark.parametrize("names", [("renamed",), ("renamed", "orders")], ids=["renamed", "another one is there now"])
def test_drift_of_what_has_another_address_by_now_stays_open(drift: Restarted, names: tuple[str, ...]) -> None:
    (opened,) = drift.process(index(), [timeout(60)])
    assert drift.process(at(*names), []) == []
    assert [key[1] for key in drift.kept] == ["aws_sqs_queue.renamed"]
    (end,) = drift.process(at(*names), [timeout(30)])
    assert end.opening is not None
    assert (end.resolution, end.opening.id, end.resource.address) == ("reverted", opened.id, "aws_sqs_queue.renamed")


def test_moved_and_adopted_at_once(drift: Restarted) -> None:
    drift.process(index(), [timeout(60)])
    events = drift.process(at("renamed", visibility_timeout_seconds=60), [])
    assert ended(events) == [("visibility_timeout_seconds", "adopted")]
    assert drift.kept == {}


def test_what_there_is_no_room_for_is_not_kept_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfdrift_core.drift.memory.MAX_RESOURCES", 3)
    drift = Restarted()
    for number in range(5):
        made: Mapping[str, Any] = {"queueUrl": URL.replace("orders", f"q{number}")}
        drift.process(index(), [record("CreateQueue", {"queueName": f"q{number}"}, responseElements=made)])
    assert set(drift.kept) == set(drift.engine.memory.resources())


def test_openings_with_members_of_other_types_are_no_fault() -> None:
    drift = Restarted()
    drift.process(index(), [timeout(60)])
    ((key, data),) = drift.kept.items()
    for name, value in (("opened", "x"), ("reminded", "x"), ("record", [])):
        document = json.loads(data)
        document["openings"][0][name] = value
        drift.kept[key] = json.dumps(document).encode()
        drift.restart()
        assert drift.remind(NOW) == []
        assert drift.engine.memory.oldest == 0


def test_reminders_read_only_what_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    drift = Restarted()
    (event,) = drift.process(index(), [timeout(60)])
    drift.restart()
    asked: list[Key] = []
    monkeypatch.setattr(drift.engine.memory, "openings", lambda key: asked.append(key) or ())
    drift.remind(event.record.time + DAY - 1)
    assert asked == []
    drift.remind(event.record.time + DAY)
    assert len(asked) == 1
