"""The many ways to write one name: what a record calls a thing and what state calls it.

A parameter in a request's path is logged percent-encoded; DNS names are logged with octal escapes and a last dot; some
services take names in any case, an ARN for a name, or part of an ARN.  All of that is decided here and nowhere else.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from urllib.parse import unquote

_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")
_OCTAL = re.compile(r"\\([0-3][0-7]{2})")
_ANY_CASE = re.compile(r"aws_(db|rds|docdb|neptune|elasticache|redshift|memorydb|dax|dms|iam)_")
"""Types of services in which two names that differ in case only cannot be two things."""

RENAMED: Mapping[str, str] = {"aws_db_instance": "identifier"}
"""Types that are the same under another name, for the provider finds them by an id of AWS's, and what names them."""

_DNS = re.compile(r"aws_(route53|service_discovery)_")
_SECRET = re.compile(r"(?P<partial>arn:[\w-]+:secretsmanager:[\w-]*:\d*:secret:(?P<name>.+))-[A-Za-z0-9]{6}")
_HOST = re.compile(r"[\w.-]*")
_QUEUE_PATH = re.compile(r"\d{12}/[\w.-]+")
_ARN = re.compile(r"arn:[\w-]+:(?P<service>[\w-]+):(?P<region>[\w-]*):(?P<account>\d*|aws):(?P<resource>.+)", re.DOTALL)

_FUNCTION = re.compile(r"(?P<account>\d{12}):function:")


def plain(text: str) -> str:
    """A text without percent-encoding and octal escapes."""
    return unescaped(unquote(text) if "%" in text and _ENCODED.search(text) else text)


def unescaped(text: str) -> str:
    """A text without octal escapes."""
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text) if "\\" in text else text


def is_encoded_arn(text: str) -> bool:
    return text[:6].lower() == "arn%3a"


def dns_name(text: str) -> str:
    """A DNS name as Route 53's provider keeps it: lower case, unescaped, without the last dot."""
    return plain(text).lower().rstrip(".")


@lru_cache(maxsize=4096)
def key(type: str, text: str) -> str:
    """What a record's name of a thing is looked for by, among the ``keys`` of a type's instances."""
    text = plain(text)
    if _DNS.match(type):
        return dns_name(text)
    if type.startswith("aws_sqs_") and (queue := _queue_path(text)):
        return queue
    return text.lower() if _ANY_CASE.match(type) else text


def _queue_path(text: str) -> str:
    """Account and name of a queue's URL, whose host has several forms; "" where it is none."""
    host, _, path = text.removeprefix("https://").removeprefix("http://").partition("/")
    of_sqs = ("queue" in host or "sqs" in host) and _HOST.fullmatch(host)
    return path if of_sqs and _QUEUE_PATH.fullmatch(path) else ""


def keys(type: str, text: str) -> Iterator[str]:
    """All that a name in state may be called by."""
    yield key(type, text)
    if secret := _SECRET.fullmatch(text):
        yield secret["partial"]
        yield secret["name"]


def is_elsewhere(text: str, account: str, region: str) -> bool:
    """Whether a text is an ARN of another account or region; a part of a function's ARN may begin with the account."""
    text = plain(text)
    match = _ARN.fullmatch(text)
    if match is None:
        part = _FUNCTION.match(text)
        return part is not None and part["account"] != account
    return match["account"] not in ("", "aws", account) or match["region"] not in ("", region)


def parts_of_arn(text: str, account: str, region: str) -> Iterator[str]:
    """The names that an ARN may stand for, the longest first; none when it is of another account or region."""
    match = _ARN.fullmatch(text)
    if match is None or match["account"] not in ("", account) or match["region"] not in ("", region):
        return
    resource = match["resource"]
    if match["service"] == "s3":
        # What follows the bucket is an object, and an access point is no bucket.
        if "/" not in resource and ":" not in resource:
            yield resource
        return
    if match["service"] == "lambda":
        # What follows the name is a version or an alias.
        yield resource.split(":")[1] if ":" in resource else resource
        return
    yield resource
    for place, character in enumerate(resource):
        if character in "/:":
            rest = resource[place + 1 :].removesuffix(":*")
            yield rest
            if character == "/":
                yield "/" + rest
