"""Secret values that must not be kept: enough of them to see that a later value is the same one."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tfdrift_core.drift.compare.values import SENSITIVE

MARK = "~sealed"
"""The one member of a sealed value as plain data."""


class Sealed(str):
    """Shows as ``(sensitive)`` and equals, beside another of the same digest, the value that it was made of."""

    digest: str
    salt: bytes

    def __new__(cls, digest: str, salt: bytes) -> "Sealed":
        sealed = super().__new__(cls, SENSITIVE)
        sealed.digest, sealed.salt = digest, salt
        return sealed

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Sealed):
            return self.digest == other.digest
        return self.digest == digest_of(other, self.salt)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.digest)


def digest_of(value: object, salt: bytes) -> str:
    """The same for two values that are equal as JSON."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, key=salt).hexdigest()


def seal(value: Any, shown: Any, salt: bytes) -> Any:
    """Plain data of ``value`` in which every part that differs from what may be ``shown`` is a digest.

    A list with a secret in it is sealed whole: its elements are found by what they hold.
    """
    if value == shown and type(value) is type(shown):
        return value
    if isinstance(value, Mapping) and isinstance(shown, Mapping) and value.keys() == shown.keys() and MARK not in value:
        return {name: seal(member, shown[name], salt) for name, member in value.items()}
    return {MARK: value.digest if isinstance(value, Sealed) else digest_of(value, salt)}


def unseal(data: Any, salt: bytes) -> Any:
    """What ``seal`` was given, with ``Sealed`` in place of what it hid."""
    if isinstance(data, dict):
        if data.keys() == {MARK} and isinstance(data[MARK], str):
            return Sealed(data[MARK], salt)
        return {name: unseal(member, salt) for name, member in data.items()}
    if isinstance(data, list):
        return [unseal(element, salt) for element in data]
    return data
