"""Which version of a state was current at a moment, and where each backend keeps its versions."""

import importlib.util
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.real.parts import MissingPartError
from tests.terraform.conftest import Aws, Site
from tests.terraform.states import ec2, resource, state
from tfdrift_core import at_the_time
from tfdrift_core.config import load
from tfdrift_core.records.ordered import Ordered
from tfdrift_core.records.record import Record
from tfdrift_core.terraform import backends
from tfdrift_core.terraform.backends.base import Context, History, Ref, Version, Versioned
from tfdrift_core.terraform.scan import StateError, identity
from tfdrift_core.terraform.versions import VersionStore, current

SECOND = 1_000_000_000
THREE = (Version(10, "a"), Version(20, "b"), Version(30, "c"))


def raw(id: str, serial: int = 1) -> bytes:
    return json.dumps(state(resource("aws_instance", "a", ec2(id)), serial=serial)).encode()


def histories(spec: dict[str, Any]) -> list[History]:
    backend = backends.create(spec, Context())
    assert isinstance(backend, Versioned)
    return list(backend.histories())


def read(spec: dict[str, Any], history: History, place: int) -> bytes:
    backend = backends.create(spec, Context())
    assert isinstance(backend, Versioned)
    return backend.read_version(history.ref, history.versions[place])


def refused(spec: dict[str, Any]) -> str:
    with pytest.raises(StateError) as caught:
        histories(spec)
    return str(caught.value)


@pytest.mark.parametrize(
    ("moment", "key"), [(0, None), (9, None), (10, "a"), (19, "a"), (20, "b"), (29, "b"), (30, "c"), (1 << 62, "c")]
)
def test_between_two_versions_the_older_one_is_current(moment: int, key: str | None) -> None:
    found = current(THREE, moment)
    assert (found and found.key) == key


def test_of_versions_of_one_moment_the_last_is_current() -> None:
    assert current((Version(10, "a"), Version(10, "b")), 10) == Version(10, "b")
    assert current((), 10) is None


def test_records_come_in_the_order_of_their_times_and_are_what_they_were() -> None:
    ordered = Ordered()
    raws: list[dict[str, Any]] = [
        {"eventTime": "2026-01-15T12:00:02Z", "n": 1},
        {"eventTime": "2026-01-15T12:00:01Z", "n": 2, "half": "\ud800", "large": 1 << 70},
        {"n": 3},
        {"eventTime": "2026-01-15T12:00:01Z", "n": 4},
    ]
    ordered.add(map(Record, raws))
    assert [record.raw for record in ordered] == [raws[2], raws[1], raws[3], raws[0]]
    ordered.close()


def moments(*seconds: int) -> list[Record]:
    return [Record({"eventTime": f"1970-01-01T{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}Z"}) for s in seconds]


def test_records_are_cut_where_a_version_begins_and_where_five_minutes_end() -> None:
    found = at_the_time._in_versions(moments(1, 2, 10, 11, 400, 401), [10 * SECOND])
    assert [[record.time // SECOND for record in part] for part in found] == [[1, 2], [10, 11], [400, 401]]


@pytest.mark.parametrize(
    ("versions", "gaps"),
    [
        ([(10, "a"), (20, "b")], []),
        ([(15, "a")], ["s: 1 version, the first of 1970-01-01 00:00:15; of the time from 1970-01-01 00:00:12 to then"]),
        ([(0, "a"), (20, "b")], ["s: 2 versions; since when the first was current nothing tells: all before 1970"]),
        ([(10, "a"), (13, ""), (14, "b")], ["s: it was deleted from 1970-01-01 00:00:13 until 1970-01-01 00:00:14"]),
        ([(10, "a"), (13, "")], ["s: it was deleted from 1970-01-01 00:00:13 on"]),
        ([(10, "a"), (50, "")], []),
        ([(5, ""), (6, "a")], []),
    ],
)
def test_what_has_no_version_is_said(versions: list[tuple[int, str]], gaps: list[str]) -> None:
    history = History(Ref("s", "s"), tuple(Version(moment * SECOND, key) for moment, key in versions))
    found = list(at_the_time._gaps(history, 12 * SECOND, 40 * SECOND))
    assert len(found) == len(gaps)
    assert all(one.startswith(start) for one, start in zip(found, gaps, strict=True)), found


class TestS3:
    @pytest.fixture
    def s3(self, aws: Aws) -> Any:
        client = aws.client("s3")
        client.create_bucket(Bucket="states")
        client.put_bucket_versioning(Bucket="states", VersioningConfiguration={"Status": "Enabled"})
        return client

    def spec(self, aws: Aws, **options: str) -> dict[str, Any]:
        return {"backend": "s3", "bucket": "states", "endpoint_url": aws.url, "region": "us-east-1", **options}

    def test_versions_and_deletions_of_one_key(self, aws: Aws, s3: Any) -> None:
        for number in range(3):
            s3.put_object(Bucket="states", Key="a.tfstate", Body=raw(f"i-{number}"))
        s3.delete_object(Bucket="states", Key="a.tfstate")
        s3.put_object(Bucket="states", Key="a.tfstate.tflock", Body=b"{}")
        s3.put_object(Bucket="states", Key="a.tfstate2", Body=raw("i-9"))
        spec = self.spec(aws, key="a.tfstate")
        (history,) = histories(spec)
        assert history.ref.origin == "s3://states/a.tfstate"
        assert [bool(version.key) for version in history.versions].count(False) == 1
        kept = [place for place, version in enumerate(history.versions) if version.key]
        assert [read(spec, history, place) for place in kept] == [raw(f"i-{number}") for number in range(3)]

    def test_every_state_below_a_prefix_and_in_workspaces(self, aws: Aws, s3: Any) -> None:
        for key in ("p/a.tfstate", "p/b/c.tfstate", "env:/dev/p/a.tfstate", "p/x.json"):
            s3.put_object(Bucket="states", Key=key, Body=raw("i-1"))
        found = histories(self.spec(aws, prefix="p/"))
        assert [history.ref.key for history in found] == ["p/a.tfstate", "p/b/c.tfstate"]
        found = histories(self.spec(aws, key="p/a.tfstate", workspace_key_prefix="env:"))
        assert [(history.ref.key, history.ref.workspace) for history in found] == [
            ("p/a.tfstate", "default"),
            ("env:/dev/p/a.tfstate", "dev"),
        ]

    def test_a_bucket_without_versioning_has_one(self, aws: Aws) -> None:
        client = aws.client("s3")
        client.create_bucket(Bucket="states")
        client.put_object(Bucket="states", Key="a.tfstate", Body=raw("i-1"))
        (history,) = histories(self.spec(aws, key="a.tfstate"))
        assert len(history.versions) == 1
        assert read(self.spec(aws, key="a.tfstate"), history, 0) == raw("i-1")

    def test_what_is_missing_or_denied_is_said(self, aws: Aws, s3: Any) -> None:
        assert "no version of a state is there" in refused(self.spec(aws, key="a.tfstate"))
        iam = aws.client("iam")
        keys = iam.create_access_key(UserName=iam.create_user(UserName="falco")["User"]["UserName"])["AccessKey"]
        s3.put_object(Bucket="states", Key="a.tfstate", Body=raw("i-1"))
        (history,) = histories(self.spec(aws, key="a.tfstate"))
        with pytest.MonkeyPatch.context() as patch, aws.enforced():
            patch.setenv("AWS_ACCESS_KEY_ID", keys["AccessKeyId"])
            patch.setenv("AWS_SECRET_ACCESS_KEY", keys["SecretAccessKey"])
            assert "s3:ListBucketVersions on arn:aws:s3:::states" in refused(self.spec(aws, key="a.tfstate"))
            with pytest.raises(StateError) as caught:
                read(self.spec(aws, key="a.tfstate"), history, 0)
            assert "s3:GetObjectVersion on arn:aws:s3:::states/a.tfstate" in str(caught.value)


class TestHcp:
    """The part of the published API that state versions need:
    https://developer.hashicorp.com/terraform/cloud-docs/api-docs/state-versions"""

    @pytest.fixture
    def spec(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        monkeypatch.setenv("TF_TOKEN_127_0_0_1", "tok")
        current = {"data": {"id": "sv-3", "type": "state-versions"}}
        workspace = {"id": "ws-1", "attributes": {"name": "web"}, "relationships": {"current-state-version": current}}
        self.versions = [
            self.version(site, "sv-4", "2026-01-04T00:00:00Z", 4, status="pending"),
            self.version(site, "sv-3", "2026-01-03T00:00:00Z", 3),
            self.version(site, "sv-2", "2026-01-02T00:00:00.500Z", 2, status="finalized"),
            self.version(site, "sv-1", "2026-01-02T00:00:00.500Z", 1, status="finalized"),
        ]
        self.site = site
        site.routes["/api/v2/organizations/acme/workspaces"] = self.answered([workspace])
        site.routes["/api/v2/state-versions"] = self.list
        for version in self.versions:
            site.routes[f"/api/v2/state-versions/{version['id']}"] = self.answered(version)
        return {"backend": "cloud", "hostname": site.url, "organization": "acme"}

    def version(self, site: Site, id: str, made: str, serial: int, **attributes: str) -> dict[str, Any]:
        site.routes[f"/download/{id}"] = (200, {}, raw(id, serial))
        url = {"hosted-state-download-url": f"{site.url}/download/{id}"}
        return {"id": id, "attributes": {"created-at": made, "serial": serial, **url, **attributes}}

    def answered(self, data: object) -> tuple[int, dict[str, str], bytes]:
        return 200, {}, json.dumps({"data": data}).encode()

    def list(self, handler: Any) -> tuple[int, dict[str, str], bytes]:
        query = {key: values[0] for key, values in parse_qs(urlsplit(handler.path).query).items()}
        if (query["filter[workspace][name]"], query["filter[organization][name]"]) != ("web", "acme"):
            return 404, {}, b"{}"
        page, size = int(query["page[number]"]), 2
        shown = self.versions[(page - 1) * size : page * size]
        following = page + 1 if page * size < len(self.versions) else None
        return 200, {}, json.dumps({"data": shown, "meta": {"pagination": {"next-page": following}}}).encode()

    def test_versions_of_all_pages_that_were_finished(self, spec: dict[str, Any]) -> None:
        (history,) = histories(spec)
        assert [version.key for version in history.versions] == ["sv-1", "sv-2", "sv-3"]
        assert history.versions[1].moment == 1_767_312_000_500_000_000
        assert not any("/download/" in path for _, path, _ in self.site.requests)
        assert read(spec, history, 1) == raw("sv-2", 2)

    def test_each_version_is_read_once_and_when_its_time_comes(self, spec: dict[str, Any]) -> None:
        store = VersionStore(load(json.dumps({"state": [spec]})))
        store.list_versions()
        (history,) = store.histories
        for moment in (0, *(version.moment for version in history.versions[1:]), 1 << 62, 1 << 62):
            store.go_to(moment)
        assert [instance.id for instance in store.index.all()] == ["sv-3"]
        read = [path for _, path, _ in self.site.requests if path.startswith("/download/")]
        assert read == ["/download/sv-2", "/download/sv-3"]
        assert store.errors == {}
        store.close()


class TestGcs:
    """The real gcsfs, against the part of Cloud Storage's JSON API that it uses for generations."""

    @pytest.fixture
    def spec(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        if importlib.util.find_spec("gcsfs") is None:
            raise MissingPartError("gcsfs", "pip install gcsfs")
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", site.url)
        self.items = [
            self.item("11", "2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z"),
            self.item("12", "2026-01-02T00:00:00.000Z", "2026-01-03T00:00:00.000Z"),
            self.item("13", "2026-01-05T00:00:00.000Z"),
        ]
        site.routes["/storage/v1/b/b/o"] = self.list
        site.routes["/storage/v1/b/b/o/p%2Fdefault.tfstate"] = self.about
        site.routes["/download/storage/v1/b/b/o/p%2Fdefault.tfstate"] = self.media
        return {"backend": "gcs", "bucket": "b", "prefix": "p"}

    def item(self, generation: str, made: str, ended: str = "") -> dict[str, str]:
        size = str(len(raw(f"i-{generation}")))
        times = {"timeCreated": made, **({"timeDeleted": ended} if ended else {})}
        return {"name": "p/default.tfstate", "bucket": "b", "size": size, "generation": generation, **times}

    def query(self, handler: Any) -> dict[str, str]:
        return {key: values[0] for key, values in parse_qs(urlsplit(handler.path).query).items()}

    def list(self, handler: Any) -> tuple[int, dict[str, str], bytes]:
        shown = self.items if self.query(handler).get("versions") == "true" else self.items[-1:]
        listing = {"kind": "storage#objects", "items": shown}
        return 200, {"Content-Type": "application/json"}, json.dumps(listing).encode()

    def about(self, handler: Any) -> tuple[int, dict[str, str], bytes]:
        asked = self.query(handler).get("generation", "13")
        found = next(item for item in self.items if item["generation"] == asked)
        return 200, {"Content-Type": "application/json"}, json.dumps(found).encode()

    def media(self, handler: Any) -> tuple[int, dict[str, str], bytes]:
        data = raw(f"i-{self.query(handler)['generation']}")
        start, _, end = handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        return 206, {}, data[int(start) : int(end or len(data)) + 1]

    def test_generations(self, spec: dict[str, Any]) -> None:
        (history,) = histories(spec)
        assert history.ref.origin == "gs://b/p/default.tfstate"
        assert [version.key for version in history.versions] == ["11", "12", "", "13"]
        assert read(spec, history, 0) == raw("i-11")
        assert read(spec, history, 3) == raw("i-13")


def test_a_state_is_known_by_its_first_members(tmp_path: Path) -> None:
    assert identity(raw("i-1", 7)) == ("l", 7)
    assert identity(raw("i-1", 7)[:120] + b"cut off") == ("l", 7)
    with pytest.raises(StateError):
        identity(b"[]")
