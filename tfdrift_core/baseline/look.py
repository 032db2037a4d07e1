"""A plan on its way from the thread that reads it to the one that takes it over."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from tfdrift_core.records.record import Record

if TYPE_CHECKING:  # what reads plans takes long to load, and not everybody has plans
    from tfdrift_core.blame.plan import Drifted

Causes = Mapping[str, Mapping[str, Record]]
"""Records by address, then by the name of the attribute; "" is the resource as a whole."""


@dataclass(frozen=True)
class Look:
    """A plan to be taken over: the resources that drifted, and all that it speaks of, by address with the id.

    ``whole`` is whether it looked at everything.
    """

    origin: str
    version: str
    moment: int
    whole: bool
    drifted: tuple["Drifted", ...] = ()
    held: Mapping[str, str] = field(default_factory=dict)
    causes: Causes = field(default_factory=dict)


class Plans(Protocol):
    """Gives plans as they come; ``baseline.reader`` says what each method does."""

    def start(self, known: Callable[[str], str]) -> None: ...
    def next(self) -> Look | None: ...
    def again(self, look: Look) -> None: ...
    @property
    def idle(self) -> bool: ...
    def close(self) -> None: ...


class NoPlans:
    """Where no ``baseline:`` is configured."""

    idle = True

    def start(self, known: Callable[[str], str]) -> None:
        pass

    def next(self) -> Look | None:
        return None

    def again(self, look: Look) -> None:
        pass

    def close(self) -> None:
        pass
