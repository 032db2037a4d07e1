"""What every state backend gives the store, and what all of them need."""

import dataclasses
import difflib
import gzip
import io
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, runtime_checkable

from tfdrift_core.config import Aws, ConfigError
from tfdrift_core.terraform.backends.sent import NOTHING_SENT, Sent
from tfdrift_core.terraform.scan import StateError

DEFAULT_WORKSPACE = "default"


@dataclass(frozen=True, slots=True)
class Ref:
    """One state that a backend holds.

    ``origin`` names it to the user and is unique.  ``key`` is the backend's own.  ``version`` changes when the state
    does; it is "" where the backend learns it only by reading.
    """

    origin: str
    key: str
    workspace: str = DEFAULT_WORKSPACE
    version: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of one state and the version they are."""

    data: bytes
    version: str


@dataclass(frozen=True, slots=True)
class Version:
    """What a state was from ``moment`` on, in nanoseconds since the epoch, until its next version.

    ``key`` is the backend's own, "" where the state was deleted then.  A moment of 0 is one that nothing tells.
    """

    moment: int
    key: str


@dataclass(frozen=True, slots=True)
class History:
    """A state and its versions, the oldest first."""

    ref: Ref
    versions: tuple[Version, ...]


@runtime_checkable
class Versioned(Protocol):
    """A backend that keeps what states were.  Its methods may raise ``StateError`` as those of ``Backend`` do."""

    def histories(self) -> Sequence[History]:
        """The versions of every state: none is read."""
        ...

    def read_version(self, ref: Ref, version: Version) -> bytes: ...


class Backend(Protocol):
    """A place that holds states.  Every method may raise ``StateError``, whose message says what the user can do."""

    @property
    def origin(self) -> str:
        """Names the place to the user where it has no state to show."""
        ...

    @property
    def locks_are_listed(self) -> bool:
        """Whether ``locked`` answers from what ``refs`` last saw, and so asks for a new listing first."""
        ...

    @property
    def sent(self) -> Sent:
        """Which credentials go where."""
        ...

    def refs(self) -> Sequence[Ref]:
        """The states that are there now, cheaply: no state is read."""
        ...

    def read(self, ref: Ref, known: str) -> Content | None:
        """The state, or None when its version still is ``known`` and that could be told without reading it."""
        ...

    def locked(self, ref: Ref) -> bool:
        """Whether a Terraform run holds the state's lock; False where the backend cannot tell cheaply."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Unusable:
    """Stands for a backend that could not be made, so that the reason shows where its states would."""

    origin: str
    reason: str
    locks_are_listed: bool = False
    sent: Sent = NOTHING_SENT

    def refs(self) -> Sequence[Ref]:
        raise StateError(self.reason)

    def read(self, ref: Ref, known: str) -> Content | None:
        raise StateError(self.reason)

    def locked(self, ref: Ref) -> bool:
        return False

    def close(self) -> None:
        """Nothing was opened."""


@dataclass(frozen=True, slots=True)
class Context:
    """What backends share: AWS access, the size limit in bytes, timeouts in seconds (one wait, one whole download)."""

    aws: Aws = field(default_factory=Aws)
    limit: int = 1 << 30
    timeout: float = 15.0
    deadline: float = 300.0
    clock: Callable[[], float] = time.monotonic


Options = TypeVar("Options")


def options(kind: type[Options], given: Mapping[str, Any], backend: str) -> Options:
    """``given`` as the options of ``backend``, a dataclass whose fields without default are required.

    Numbers, truth values and text become each other as they do in Terraform, and ``null`` is left out:
    https://developer.hashicorp.com/terraform/language/expressions/types#type-conversion.

    :raises ConfigError: when an option is unknown to this backend, is of another type, or is missing.
    """
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name in given:
        if name not in fields:
            near = difflib.get_close_matches(name, fields, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"it knows {', '.join(fields)}"
            raise ConfigError(f"state backend {backend}: unknown option {name!r}; {hint}")
    values = {name: value for name, value in given.items() if value is not None}
    for name, value in values.items():
        if fields[name].type is bool:
            values[name] = _flag(value, f"state backend {backend}: {name}")
        elif fields[name].type is str:
            values[name] = text(value, f"state backend {backend}: {name}")
    required = [f.name for f in fields.values() if f.default is f.default_factory is dataclasses.MISSING]
    missing = [name for name in required if name not in values]
    if missing:
        raise ConfigError(f"state backend {backend}: {', '.join(missing)} is missing; add it")
    return kind(**values)


def text(value: object, what: str) -> str:
    """A scalar as Terraform converts it to a string.

    :raises ConfigError: naming ``what``, for a list or a map.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (str, int, float)):
        return str(value)
    raise ConfigError(f"{what} is a {'map' if isinstance(value, Mapping) else 'list'}; write text")


def _flag(value: object, what: str) -> bool:
    found = {"true": True, "false": False}.get(value) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise ConfigError(f"{what} is {value!r}; write true or false")
    return found


def gather(chunks: Iterable[bytes], context: Context, size: int | None = None) -> bytes:
    """Join ``chunks`` as they arrive, within the size limit and the deadline of ``context``."""
    check_size(size or 0, context)
    end = context.clock() + context.deadline
    data = bytearray()
    for chunk in chunks:
        data += chunk
        check_size(len(data), context)
        if context.clock() > end:
            raise StateError(
                f"the server is too slow: {len(data)} bytes in {context.deadline:.0f} s; it is tried again later"
            )
    return bytes(data)


def check_size(size: int, context: Context) -> None:
    if size > context.limit:
        raise StateError(
            f"the state has {_megabytes(size)} or more, the limit is {_megabytes(context.limit)}; "
            "raise max_state_size, or split the state"
        )


def _megabytes(size: int) -> str:
    return f"{size / (1 << 20):,.0f} MB" if size >= 1 << 20 else f"{size} bytes"


def gunzip(data: bytes, context: Context) -> bytes:
    """``data`` decompressed where it is gzip, within the size limit; as it is otherwise."""
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            return gather(iter(lambda: file.read(1 << 20), b""), context)
    except (OSError, EOFError, zlib.error) as error:
        raise StateError(f"the compressed state is damaged ({error}); push it anew") from None
