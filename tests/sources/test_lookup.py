"""LookupEvents, with boto3's client against a stand-in; accounts and regions, against moto's server."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.sources.lookup_events import LookupServer
from tests.trails import ids, record, take
from tfdrift_core import aws
from tfdrift_core.config import Account, Aws, Config, Organization, Region
from tfdrift_core.delivery.ledger import Ledger
from tfdrift_core.metrics import Metrics
from tfdrift_core.sources import health
from tfdrift_core.sources.accounts import lookup_clients, role_of
from tfdrift_core.sources.base import Span
from tfdrift_core.sources.lookup import INTERVAL, OVERLAP, Lookup

Clients = Callable[..., Any]
NOW = 1_767_323_045.0  # 2026-01-02T03:04:05Z


@pytest.fixture
def server() -> Iterator[LookupServer]:
    with LookupServer() as running:
        yield running


def at(ago: float, number: int | str, **members: Any) -> dict[str, Any]:
    moment = datetime.fromtimestamp(NOW - ago, UTC)
    return record(number, eventTime=f"{moment:%Y-%m-%dT%H:%M:%SZ}", **members)


def source(server: LookupServer, regions: str = "eu-west-1", ledger: Ledger | None = None, **options: Any) -> Lookup:
    reach = Aws(endpoint_url=server.url, max_attempts=1)
    clients = {f"123456789012/{region}": aws.client(reach, "cloudtrail", region) for region in regions.split(",")}
    clock = options.pop("clock", lambda: NOW)
    span: dict[str, Any] = {"start": None, "end": None, "follow": False, "interval": INTERVAL, "overlap": OVERLAP}
    return Lookup(lambda: clients, ledger or Ledger(), Metrics(), Span(**span | options), clock)


def test_mutating_events_of_every_page_oldest_first(server: LookupServer) -> None:
    server.events["eu-west-1"] = [at(800 - number, number) for number in range(120)]
    server.events["eu-west-1"] += [at(5, "read", readOnly=True), at(5000, "old")]
    assert ids(take(source(server), 0)) == [f"id-{number}" for number in range(120)]
    assert [asked.get("MaxResults") for _, _, asked in server.requests] == [50, 50, 50]


def test_the_rate_limit_is_kept(server: LookupServer) -> None:
    server.events["eu-west-1"] = [at(800 - number, number) for number in range(300)]
    take(source(server), 0)
    assert server.throttled == 0


def test_every_region_is_asked(server: LookupServer) -> None:
    server.events = {"eu-west-1": [at(10, 1)], "us-east-1": [at(20, 2)]}
    assert sorted(ids(take(source(server, "eu-west-1,us-east-1,eu-west-3"), 0))) == ["id-1", "id-2"]


def test_history_from_a_start_is_read_in_slices(server: LookupServer) -> None:
    server.events["eu-west-1"] = [at(3 * 3600 - number * 1000, number) for number in range(10)]
    found = take(source(server, start=NOW - 4 * 3600), 0)
    assert ids(found) == [f"id-{number}" for number in range(10)]
    assert len(found) == 4


def test_what_appears_late_is_found_and_nothing_is_given_twice(server: LookupServer) -> None:
    server.events["eu-west-1"] = [at(100, 1), at(200, "late")]
    server.hidden = {"id-late"}
    now = [NOW]
    following = source(server, follow=True, interval=0.1, clock=lambda: now[0])
    batches = following.batches()
    assert ids([next(batch for batch in batches if batch and batch.documents)]) == ["id-1"]
    server.hidden = set()
    now[0] += 300
    assert ids([next(batch for batch in batches if batch and batch.documents)]) == ["id-late"]
    following.close()


def test_a_restart_goes_on_where_it_was(server: LookupServer, tmp_path: Path) -> None:
    server.events["eu-west-1"] = [at(100, 1)]
    ledger = Ledger(str(tmp_path))
    take(source(server, ledger=ledger), 0)
    ledger.close()
    server.events["eu-west-1"].append(at(-7200, 2))
    server.requests.clear()
    ledger = Ledger(str(tmp_path))
    assert "id-2" in ids(take(source(server, ledger=ledger, clock=lambda: NOW + 9000), 0))
    assert min(asked["StartTime"] for _, _, asked in server.requests) == pytest.approx(NOW - 900)


@pytest.mark.parametrize(
    "fault", [(500, "InternalFailure"), (400, "ThrottlingException"), (400, "ExpiredTokenException")]
)
def test_it_recovers_and_says_so_once(
    server: LookupServer, fault: tuple[int, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(health, "FIRST_WAIT", 0.05)
    server.fault = fault
    server.events["eu-west-1"] = [at(10, 1)]
    following = source(server, follow=True, interval=0.1)
    batches = following.batches()
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        assert next(batches) is None
    server.fault = None
    assert ids([next(batch for batch in batches if batch)]) == ["id-1"]
    following.close()
    assert caplog.text.count("cannot look up events") == 1
    assert caplog.text.count("works again") == 1


def test_one_region_that_fails_does_not_hold_up_the_others(server: LookupServer) -> None:
    server.events = {"eu-west-1": [at(10, 1)]}
    answer = server.answer

    def partly(region: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return answer(region, asked) if region == "eu-west-1" else (400, {"__type": "AccessDeniedException"})

    server.answer = partly  # type: ignore[method-assign]
    assert ids(take(source(server, "eu-west-1,us-east-1", follow=True), 1)) == ["id-1"]


def test_the_account_of_the_credentials_and_every_enabled_region(config: Config, client: Clients) -> None:
    names = lookup_clients(config, config.aws, [], [])
    enabled = [item["RegionName"] for item in client("ec2").describe_regions()["Regions"]]
    assert sorted(names) == sorted(f"123456789012/{region}" for region in enabled)


def test_accounts_and_regions_as_configured_each_with_its_role(config: Config, client: Clients) -> None:
    accounts = (
        Account("111111111111", role_arn="arn:aws:iam::111111111111:role/reader", external_id="x", session_name="s"),
        Account("222222222222"),
    )
    config = replace(
        config, accounts=accounts, regions=(Region("eu-west-1"),), organization=Organization("Drift", "y", "t")
    )
    clients = lookup_clients(config, config.aws, [], [])
    assert sorted(clients) == ["111111111111/eu-west-1", "222222222222/eu-west-1"]
    arns = [role_of(config, account) for account in accounts]
    assert [(role.role_arn, role.external_id, role.session_name) for role in arns if role] == [
        ("arn:aws:iam::111111111111:role/reader", "x", "s"),
        ("arn:aws:iam::222222222222:role/Drift", "y", "t"),
    ]


def test_the_source_may_narrow_them_down(config: Config, client: Clients) -> None:
    config = replace(config, accounts=(Account("111111111111"), Account("222222222222")))
    names = lookup_clients(config, config.aws, ["222222222222"], ["eu-west-*"])
    assert sorted(names) == [f"222222222222/eu-west-{number}" for number in (1, 2, 3)]


def test_every_active_account_of_the_organization(config: Config, client: Clients) -> None:
    organizations = client("organizations")
    organizations.create_organization(FeatureSet="ALL")
    new = organizations.create_account(AccountName="new", Email="new@example.com")["CreateAccountStatus"]["AccountId"]
    config = replace(config, organization=Organization("arn:aws:iam::{account}:role/path/Drift"))
    names = lookup_clients(config, config.aws, [], ["eu-west-1"])
    assert sorted(names) == sorted([f"{new}/eu-west-1", "123456789012/eu-west-1"])


def test_a_clock_that_is_set_back_stops_nothing(server: LookupServer) -> None:
    ledger = Ledger()
    ledger.save("lookup 123456789012/eu-west-1", time.time() + 86_400)
    server.events["eu-west-1"] = [at(60, 1)]
    assert ids(take(source(server, ledger=ledger), 1)) == ["id-1"]
