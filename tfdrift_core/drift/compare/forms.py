"""Texts of one meaning and many forms: moments and addresses."""

import ipaddress
import re
from datetime import UTC, datetime
from functools import lru_cache

_ADDRESS = re.compile(r"(?=.*[.:])[0-9a-fA-F:.]{2,45}(?:/\d{1,3})?")
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?")
# Java's text of a moment, of old versions and of new ones.
_WORDS = re.compile(r"(?P<date>[A-Z][a-z]{2} \d{1,2}, \d{4}),?\s+(?P<time>\d{1,2}:\d\d:\d\d)\s+(?P<half>[AP]M)")
_SECONDS = range(10**8, 10**11)
"""Numbers that are seconds since the epoch where a moment is expected; those of milliseconds are larger."""


@lru_cache(maxsize=4096)
def moment(text: str) -> str:
    """A moment as RFC 3339 has it, in UTC and whole seconds; "" for what is none."""
    try:
        if words := _WORDS.fullmatch(text):
            joined = f"{words['date']} {words['time']} {words['half']}"
            return _rfc3339(datetime.strptime(joined, "%b %d, %Y %I:%M:%S %p").replace(tzinfo=UTC))
        if _ISO.fullmatch(text):
            read = datetime.fromisoformat(text)
            return _rfc3339(read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        pass
    return ""


def in_words(text: str) -> bool:
    """Whether CloudTrail wrote the moment, in a way that no API and no provider does."""
    return _WORDS.fullmatch(text) is not None


def moment_of(seconds: float) -> str:
    """A moment that is logged as a number; "" for a number that is none."""
    if seconds > _SECONDS.stop:
        seconds /= 1000
    if not _SECONDS.start <= seconds < _SECONDS.stop:
        return ""
    return _rfc3339(datetime.fromtimestamp(seconds, UTC))


def _rfc3339(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(maxsize=4096)
def address(text: str) -> str:
    """An address or range as it is usually written: IPv6 in lower case and without zeros; "" for what is none."""
    if len(text) > 50 or not _ADDRESS.fullmatch(text):
        return ""
    try:
        return str(ipaddress.ip_interface(text) if "/" in text else ipaddress.ip_address(text))
    except ValueError:
        return ""


@lru_cache(maxsize=4096)
def network(text: str) -> str:
    """A range without the bits that its mask hides, as EC2 keeps it; any other text as it is."""
    if "/" not in text or not address(text):
        return text
    return str(ipaddress.ip_network(text, strict=False))


def form(text: str) -> str:
    """What two texts share that are one moment or one address; any other text as it is."""
    return (address(text) or moment(text) or text) if len(text) <= 50 else text
