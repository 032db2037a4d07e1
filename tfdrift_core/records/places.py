"""Where CloudTrail puts its files, and which accounts and regions are wanted."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Final

ALL: Final = "all"
"""In ``regions:``, every region that is enabled in the account."""

_KEY = re.compile(
    r"""(?:^|.*/)AWSLogs/(?:o-[a-z0-9]+/)?(?P<account>\d{12})/(?P<kind>CloudTrail[A-Za-z-]*)/(?P<region>[a-z0-9-]+)/
        \d{4}/\d\d/\d\d/\d{12}_[A-Za-z-]+_[a-z0-9-]+_(?P<time>\d{8}T\d{4}Z)_[^/]+\.json(?:\.gz)?$""",
    re.VERBOSE | re.ASCII,
)
_OTHER_KINDS = ("/CloudTrail-Digest/", "/CloudTrail-Insight/", "/CloudTrail-Aggregated/")


@dataclass(frozen=True, slots=True)
class Key:
    """An object's key, taken apart.  Form: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/
    get-and-view-cloudtrail-log-files.html; ``time`` is when the file was made, seconds since the epoch.

    Whoever may write to the bucket chooses the key: ``time`` is None where what stands there is none.
    """

    account: str
    region: str
    time: float | None


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
        """Whether an object holds records that are wanted; a key of no known form may hold anything."""
        if any(kind in key for kind in _OTHER_KINDS) or key.endswith("/"):
            return False
        place = parse_key(key)
        return place is None or (self.wants_account(place.account) and self.wants_region(place.region))


def scope(accounts: Iterable[str], regions: Iterable[str]) -> Scope:
    names = tuple(regions)
    return Scope(frozenset(accounts), () if ALL in names else names)


def parse_key(key: str) -> Key | None:
    match = _KEY.match(key)
    if match is None:
        return None
    try:
        moment: float | None = datetime.strptime(match["time"], "%Y%m%dT%H%MZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        moment = None
    return Key(match["account"], match["region"], moment)
