import contextlib
import json
import logging
import os
import threading

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.terraform.states import addresses, ec2, resource, state, write
from tfdrift_core.config import load
from tfdrift_core.metrics import Metrics
from tfdrift_core.terraform.index import Index, State
from tfdrift_core.terraform.scan import StateError
from tfdrift_core.terraform.store import StateStore

SECOND = 1_000_000_000


class Clock:
    def __init__(self):
        self.now = 1000 * SECOND

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def one(id="i-1", **members):
    return state(resource("aws_instance", "a", ec2(id)), **members)


def make(clock, *states, metrics=None, **config):
    document = {"state": [str(s) for s in states], **config}
    return StateStore(load(json.dumps(document)), clock=clock, metrics=metrics)


def ids(store):
    return sorted(i.id for i in store.index.all())


class TestPlaces:
    def test_a_file_a_directory_and_a_glob(self, tmp_path, clock):
        write(tmp_path / "a.tfstate", one("i-a"))
        write(tmp_path / "d" / "deep" / "b.tfstate", one("i-b"))
        write(tmp_path / "d" / ".terraform" / "terraform.tfstate", {"version": 3})
        write(tmp_path / "d" / "c.tfstate.backup", one("i-old"))
        write(tmp_path / "g" / "terraform.tfstate.d" / "prod" / "terraform.tfstate", one("i-p"))
        store = make(clock, tmp_path / "a.tfstate", tmp_path / "d", tmp_path / "g" / "**" / "*.tfstate")
        assert store.refresh()
        assert store.errors == {}
        assert ids(store) == ["i-a", "i-b", "i-p"]
        assert {i.id: i.workspace for i in store.index.all()}["i-p"] == "prod"
        assert store.index.find("aws_instance", "id", "i-a")[0].state == str(tmp_path / "a.tfstate")

    def test_a_file_that_two_entries_name_is_loaded_once(self, tmp_path, clock):
        write(tmp_path / "a.tfstate", one())
        store = make(clock, tmp_path / "a.tfstate", tmp_path)
        store.refresh()
        assert len(store.statuses) == 1
        assert len(store.index.states) == 1

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("none.tfstate", None, "No such file or directory; check the path"),
            ("*.foo", None, "no *.tfstate file is there; check the path"),
            ("empty.tfstate", b"", "the state is empty; run terraform apply, or remove it from the configuration"),
            ("x.tfstate", b"hello", "this is not JSON, so not a Terraform state; check the location"),
            ("x.tfstate", b'{"version": 4, "resources": [', "found the end: the state is cut off"),
            ("x.tfstate", b'{"version": 3}', "state format 3 (Terraform 0.11 or older) is too old"),
            ("x.tfstate", b"\x1f\x8b\x08\x00", "this is not JSON"),
        ],
    )
    def test_what_is_wrong_is_said_and_stops_nothing(self, tmp_path, clock, name, content, message):
        write(tmp_path / "good.state", one())
        if content is not None:
            (tmp_path / name).write_bytes(content)
        store = make(clock, tmp_path / name, tmp_path / "good.state")
        assert store.refresh()
        assert ids(store) == ["i-1"]
        assert list(store.errors) == [str(tmp_path / name)]
        assert message in store.errors[str(tmp_path / name)]

    def test_a_directory_that_may_not_be_read(self, tmp_path, clock):
        directory = tmp_path / "closed"
        write(directory / "a.tfstate", one())
        write(tmp_path / "b.tfstate", one())
        directory.chmod(0o000)
        (tmp_path / "b.tfstate").chmod(0o000)
        for parent in (tmp_path, *tmp_path.parents):
            if parent.name.startswith("pytest"):
                parent.chmod(0o755)
        tmp_path.chmod(0o755)
        store = make(clock, directory, tmp_path / "b.tfstate")
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)  # root may read everything
        try:
            store.refresh()
        finally:
            if root:
                os.seteuid(0)
        assert set(store.errors.values()) == {"Permission denied; let the user that runs Falco read it"}
        directory.chmod(0o700)

    def test_a_file_of_two_gigabytes_is_refused_unread(self, tmp_path, clock):
        with (tmp_path / "x.tfstate").open("wb") as file:
            file.truncate(2 << 30)
        store = make(clock, tmp_path / "x.tfstate")
        store.refresh()
        (said,) = store.errors.values()
        assert said == "the state has 2,048 MB or more, the limit is 1,024 MB; raise max_state_size, or split the state"

    def test_account_and_region_of_the_users_mapping(self, tmp_path, clock):
        route = state(resource("aws_route", "r", {"id": "r-1"}))
        write(tmp_path / "prod.tfstate", route)
        write(tmp_path / "dev.tfstate", route)
        entry = {"path": str(tmp_path / "own.tfstate"), "account": 42}
        write(tmp_path / "own.tfstate", route)
        document = {
            "state": [str(tmp_path / "prod.tfstate"), str(tmp_path / "dev.tfstate"), entry],
            "accounts": [{"id": "111111111111", "state": "*/prod.*"}, {"id": "222222222222", "state": ["*/dev.*"]}],
            "regions": ["eu-west-1"],
        }
        store = StateStore(load(json.dumps(document)), clock=clock)
        store.refresh()
        found = [(s.state.instances[0].account, s.state.instances[0].region) for s in store.statuses]
        assert found == [("111111111111", "eu-west-1"), ("222222222222", "eu-west-1"), ("000000000042", "eu-west-1")]


class TestFresh:
    def test_nothing_is_looked_at_before_its_time(self, tmp_path, clock):
        path = write(tmp_path / "a.tfstate", one("i-1"))
        store = make(clock, path, refresh_interval="60s")
        assert store.refresh()
        write(path, one("i-2", serial=2))
        clock.now += 59 * SECOND
        assert not store.refresh()
        clock.now += SECOND
        assert store.refresh()
        assert ids(store) == ["i-2"]
        write(path, one("i-3", serial=3))
        assert store.refresh(force=True)
        assert ids(store) == ["i-3"]
        assert store.loaded_at(str(path)) == clock.now
        assert store.loaded_at("other") == 0

    def test_a_record_that_is_newer_than_the_copy_has_it_checked(self, tmp_path, clock):
        path = write(tmp_path / "a.tfstate", one("i-1"))
        store = make(clock, path, refresh_interval="1h")
        store.refresh()
        write(path, one("i-2"))
        record = clock.now - 5 * SECOND
        clock.now += 10 * SECOND
        assert not store.ensure_fresh(record)
        assert store.ensure_fresh(clock.now - SECOND)
        assert ids(store) == ["i-2"]
        write(path, one("i-3"))
        assert not store.ensure_fresh(clock.now)  # a burst checks once a second
        clock.now += SECOND
        assert store.ensure_fresh(clock.now)

    def test_a_place_that_just_failed_is_left_alone(self, tmp_path, clock):
        path = write(tmp_path / "a.tfstate", one("i-1"))
        store = make(clock, path, refresh_interval="60s")
        store.refresh()
        path.unlink()
        clock.now += 10 * SECOND
        assert not store.ensure_fresh(clock.now)
        assert store.errors
        write(path, one("i-2"))
        clock.now += 10 * SECOND
        assert not store.ensure_fresh(clock.now)
        clock.now += 60 * SECOND
        assert store.ensure_fresh(clock.now)
        assert (ids(store), store.errors) == (["i-2"], {})

    def test_only_what_changed_is_read_again(self, tmp_path, clock):
        for number in range(50):
            write(tmp_path / f"{number}.tfstate", one(f"i-{number}"))
        store = make(clock, tmp_path)
        store.refresh()
        before = {s.origin: s.state for s in store.statuses}
        write(tmp_path / "7.tfstate", one("i-new"))
        assert store.refresh(force=True)
        again = [s.origin for s in store.statuses if s.state is not before[s.origin]]
        assert again == [str(tmp_path / "7.tfstate")]
        assert not store.refresh(force=True)

    def test_a_slow_place_keeps_nobody_who_does_not_want_to_wait(self, tmp_path, clock, monkeypatch):
        path = write(tmp_path / "a.tfstate", one("i-1"))
        store = make(clock, path)
        store.refresh()
        write(path, one("i-2"))
        entered, go = threading.Event(), threading.Event()
        backend = store._places[0].backend
        refs = backend.refs

        def slow():
            entered.set()
            assert go.wait(30)
            return refs()

        monkeypatch.setattr(backend, "refs", slow)
        monkeypatch.setattr("tfdrift_core.terraform.store._PATIENCE", 0.01)
        assert not store.refresh(force=True, wait=False)
        assert entered.wait(30)
        assert not store.refresh(force=True, wait=False)
        clock.now += 60 * SECOND
        assert not store.ensure_fresh(clock.now)
        assert ids(store) == ["i-1"]
        go.set()
        store._worker.join(30)
        store.close()
        assert ids(store) == ["i-2"]

    @pytest.mark.parametrize("ask", ["refresh", "ensure_fresh", "applying", "close"])
    def test_nobody_who_is_to_stop_waits_for_a_server(self, tmp_path, clock, monkeypatch, ask):
        store = make(clock, write(tmp_path / "a.tfstate", one("i-1")))
        store.refresh()
        entered, go, stop = threading.Event(), threading.Event(), threading.Event()

        def hangs(*_):
            entered.set()
            assert go.wait(30)
            return ()

        backend = store._places[0].backend
        for name in ("refs", "locked"):
            monkeypatch.setattr(backend, name, hangs)
        clock.now += 600 * SECOND
        store.heed(stop)
        calls = {
            "refresh": lambda: store.refresh(force=True),
            "ensure_fresh": lambda: store.ensure_fresh(clock.now),
            "applying": store.applying,
            "close": lambda: store.refresh(wait=False),
        }
        caller = threading.Thread(target=calls[ask], daemon=True)
        caller.start()
        assert entered.wait(30)
        if ask == "close":
            store.close()
        else:
            stop.set()
        caller.join(30)
        ended = not caller.is_alive()
        assert not go.is_set()
        go.set()
        assert ended
        assert ids(store) == ["i-1"]

    @pytest.mark.parametrize("back", [SECOND, 24 * 3600 * SECOND])
    def test_a_clock_that_is_set_back_stops_nothing(self, tmp_path, clock, back):
        path = write(tmp_path / "a.tfstate", one("i-1"))
        clock.now = 2 * 24 * 3600 * SECOND
        metrics = Metrics()
        store = make(clock, path, metrics=metrics, refresh_interval="60s")
        store.refresh()
        clock.now -= back
        write(path, one("i-2"))
        assert store.refresh()
        clock.now -= back // 2
        write(path, one("i-3"))
        assert store.ensure_fresh(clock.now)
        assert ids(store) == ["i-3"]
        assert metrics.gauges()["state_age"] == 0

    def test_states_come_and_go(self, tmp_path, clock):
        write(tmp_path / "a.tfstate", one("i-a"))
        write(tmp_path / "b.tfstate", one("i-b"))
        store = make(clock, tmp_path)
        store.refresh()
        (tmp_path / "a.tfstate").unlink()
        write(tmp_path / "c.tfstate", one("i-c"))
        assert store.refresh(force=True)
        assert ids(store) == ["i-b", "i-c"]

    def test_the_last_good_copy_stays_and_the_error_is_logged_once(self, tmp_path, clock, caplog):
        caplog.set_level(logging.INFO, "tfdrift")
        metrics = Metrics()
        path = write(tmp_path / "a.tfstate", one("i-1"))
        store = make(clock, path, metrics=metrics)
        store.refresh()
        good = store.index
        path.write_bytes(b'{"version": 4, "resou')
        for _ in range(3):
            clock.now += 60 * SECOND
            assert not store.refresh()
        assert store.index is good
        assert "the state is cut off" in store.errors[str(path)] or "is damaged" in store.errors[str(path)]
        assert len([r for r in caplog.records if r.levelname == "ERROR"]) == 1
        assert metrics.counters()["state_errors"] == 3
        assert metrics.gauges() == {"state_resources": 1, "states": 1, "states_failing": 1, "state_age": 180}
        path.unlink()
        clock.now += 60 * SECOND
        store.refresh()
        assert store.index is good
        assert len([r for r in caplog.records if r.levelname == "ERROR"]) == 2
        write(path, one("i-2"))
        clock.now += 60 * SECOND
        assert store.refresh()
        assert ids(store) == ["i-2"]
        assert f"state {path}: well again" in caplog.messages
        assert metrics.gauges()["state_age"] == 0

    def test_readers_see_one_version_or_the_other(self, tmp_path, clock):
        path = tmp_path / "a.tfstate"
        many = lambda tag: state(resource("aws_instance", "a", *(ec2(f"i-{n}", tag=tag) for n in range(200))))  # noqa: E731
        write(path, many("x"))
        store = make(clock, path)
        store.refresh()
        seen, stop = set(), threading.Event()

        def read():
            while not stop.is_set():
                seen.add(frozenset(i.attributes["tag"] for i in store.index.all()))

        reader = threading.Thread(target=read)
        reader.start()
        for tag in "yzxyz":
            write(path, many(tag))
            store.refresh(force=True)
        stop.set()
        reader.join()
        assert all(len(tags) == 1 for tags in seen)

    def test_a_lock_shows_a_run(self, tmp_path, clock):
        path = write(tmp_path / "terraform.tfstate", one())
        store = make(clock, path)
        store.refresh()
        assert not store.applying()
        (tmp_path / ".terraform.tfstate.lock.info").write_text("{}")
        assert store.applying()
        assert store.applying({str(path)})
        assert not store.applying({"another"})

    def test_objects_of_several_states_are_told_once(self, tmp_path, clock, caplog):
        caplog.set_level(logging.INFO, "tfdrift")
        write(tmp_path / "a.tfstate", one())
        path = write(tmp_path / "b.tfstate", one())
        store = make(clock, tmp_path)
        store.refresh()
        write(path, one(serial=2))
        store.refresh(force=True)
        assert ids(store) == ["i-1"]
        told = f"{path} holds 1 objects that {tmp_path / 'a.tfstate'} holds too (aws_instance.a ...)"
        assert [m for m in caplog.messages if "each is reported once" in m] == [
            f"{told}; each is reported once, for the latter"
        ]

    def test_what_is_wrong_in_a_configuration_is_told_once_and_again_when_it_comes_back(self, tmp_path, clock, caplog):
        broken = tmp_path / "bad.tf"
        store = make(clock, config=[str(tmp_path), str(tmp_path / "none")])
        bad = 'resource "aws_instance" "web" {'
        told = f"{broken}: line 1: not valid HCL; its resources have no file, line and ignore_changes"
        missing = f"configuration {tmp_path / 'none'}: No such file or directory; check the path"
        for text, expected in ((bad, [told, missing]), (bad, []), ("", []), (bad, [told])):
            caplog.clear()
            broken.write_text(text)
            store.refresh(force=True)
            assert [m for m in caplog.messages if m in (told, missing)] == expected

    def test_an_instance_without_an_id_is_told(self, tmp_path, clock, caplog):
        caplog.set_level(logging.INFO, "tfdrift")
        path = write(tmp_path / "a.tfstate", state(resource("aws_x", "y", {"name": "n"})))
        store = make(clock, path)
        store.refresh()
        assert f"{path}: aws_x.y has no id; it is found by its other attributes only" in caplog.messages
        assert addresses(store.index.find("aws_x", "name", "n")) == ["aws_x.y"]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
instances = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "attributes": st.fixed_dictionaries({}, optional={"id": anything, "arn": anything, "region": anything})
            | anything,
            "sensitive_attributes": anything,
            "index_key": anything,
            "identity": anything,
            "deposed": anything,
            "attributes_flat": anything,
        },
    ),
    max_size=2,
)
resources = st.lists(
    st.fixed_dictionaries(
        {"mode": st.just("managed"), "type": st.just("aws_x") | anything},
        optional={"name": anything, "module": anything, "provider": anything, "instances": instances | anything},
    ),
    max_size=2,
)


@settings(max_examples=300, deadline=None)
@given(resources | anything, anything)
def test_whatever_a_state_holds_it_loads_or_says_why(resources, other):
    document = {"version": 4, "serial": other, "lineage": other, "resources": resources, "outputs": other}
    try:
        index = Index([State(json.dumps(document).encode(), "x")])
    except StateError:
        return
    for instance in index.all():
        assert isinstance(instance.address, str)
        assert instance.attributes is not None
        assert instance in index.find(instance.type, "id", instance.id) or not instance.id
        hash(tuple(instance.sensitive))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 2000))
def test_whatever_bytes_come_they_load_or_say_why(junk, at):
    raw = orjson.dumps(one())
    for data in (junk, raw[:at] + junk + raw[at:]):
        with contextlib.suppress(StateError):
            [i.attributes for i in State(data, "x").instances]
