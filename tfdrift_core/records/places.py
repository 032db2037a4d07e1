"""Where CloudTrail puts its files, and which accounts and regions are wanted."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any, Final

from tfdrift_core.records.record import Record

ALL: Final = "all"
"""In ``regions:``, every region that is enabled in the account."""

GLOBAL_SERVICES: Final = frozenset(
    f"{name}.amazonaws.com"
    for name in (
        "account",
        "billingconductor",
        "budgets",
        "ce",
        "cloudfront",
        "globalaccelerator",
        "health",
        "iam",
        "networkmanager",
        "organizations",
        "route53",
        "route53domains",
        "savingsplans",
        "shield",
        "signin",
        "sso",
        "sts",
        "support",
        "tax",
        "trustedadvisor",
        "waf",
    )
)
"""Their records name one region, and may reach every region's trail; https://docs.aws.amazon.com/awscloudtrail/latest/
userguide/cloudtrail-concepts.html, "Global service events", and botocore's endpoints."""

_KEY = re.compile(
    r"""(?:^|.*/)AWSLogs/(?:o-[a-z0-9]+/)?(?P<account>\d{12})/(?P<kind>CloudTrail[A-Za-z-]*)/(?P<region>[a-z0-9-]+)/
        \d{4}/\d\d/\d\d/\d{12}_[A-Za-z-]+_[a-z0-9-]+_(?P<time>\d{8}T\d{4}Z)_[^/]+\.json(?:\.gz)?$""",
    re.VERBOSE | re.ASCII,
)
_OTHER_KINDS = ("/CloudTrail-Digest/", "/CloudTrail-Insight/", "/CloudTrail-Aggregated/")


@dataclass(frozen=True, slots=True)
class Key:
    """The parts of an object's key.  Form: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/
    get-and-view-cloudtrail-log-files.html; ``time`` is when the file was made, seconds since the epoch.

    Whoever may write to the bucket chooses the key, so it is hostile text: ``time`` is None where it holds no time.
    """

    account: str
    region: str
    time: float | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where AWS says that records come from: the key of their file, or the envelope around them.  Unknown parts are "".

    ``source`` is an envelope's, ``aws.ec2``: nobody but AWS may put events whose source begins so.
    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html
    """

    account: str = ""
    region: str = ""
    source: str = ""

    def contradiction(self, record: Record) -> str:
        """What in a record contradicts this place, for people; "" where nothing does."""
        if self.source and self.source != f"aws.{record.service}":
            return f"says that it is from {record.event_source or 'no service'}, and came from {self.source}"
        if self.account and record.account not in ("", self.account):
            return f"says that it is from account {record.account}, and came from {self.account}"
        if self.region and record.region not in ("", self.region) and record.event_source not in GLOBAL_SERVICES:
            return f"says that it is from {record.region}, and came from {self.region}"
        return ""

    def completed(self, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        """The record with this place's account where it names none: without one it would match every account."""
        return {**raw, "recipientAccountId": self.account} if self.account and not Record(raw).account else raw


ANYWHERE: Final = Place()


@dataclass(frozen=True, slots=True)
class Scope:
    """The accounts and regions that are wanted; empty means all."""

    accounts: frozenset[str] = frozenset()
    regions: tuple[str, ...] = ()

    def wants_account(self, account: str) -> bool:
        return not self.accounts or account in self.accounts

    def wants_region(self, region: str) -> bool:
        return not self.regions or any(fnmatchcase(region, pattern) for pattern in self.regions)

    def wants(self, key: str) -> bool:
        """Whether an object may hold wanted records.  A key of unknown form may hold anything."""
        if any(kind in key for kind in _OTHER_KINDS) or key.endswith("/"):
            return False
        place = parse_key(key)
        return place is None or (self.wants_account(place.account) and self.wants_region(place.region))


def scope(accounts: Iterable[str], regions: Iterable[str]) -> Scope:
    names = tuple(regions)
    return Scope(frozenset(accounts), () if ALL in names else names)


def envelope_of(event: Any) -> Place:
    """Where an EventBridge event says that it comes from; unknown for any other wrapper around a record."""
    found = [event.get(name) for name in ("account", "region", "source")]
    return Place(*("" if value is None else str(value) or "nowhere" for value in found))


def place_of(key: str) -> Place:
    """Where the records of an object must come from, by its key."""
    found = parse_key(key)
    return ANYWHERE if found is None else Place(found.account, found.region)


def parse_key(key: str) -> Key | None:
    match = _KEY.match(key)
    if match is None:
        return None
    try:
        moment: float | None = datetime.strptime(match["time"], "%Y%m%dT%H%MZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        moment = None
    return Key(match["account"], match["region"], moment)
