"""What is known around a resource that an event is about, looked up when the event is handed over."""

from dataclasses import dataclass, field

from tfdrift_core.drift.event import NO_CONTEXT, Context, DriftEvent
from tfdrift_core.terraform.checkout import Checkouts
from tfdrift_core.terraform.store import StateStore


@dataclass(frozen=True)
class Contexts:
    """Looks around in states and configuration as they are by now: a drift may have been opened long ago.

    ``authors`` says whether it is asked who wrote a line.
    """

    store: StateStore
    authors: bool = True
    checkouts: Checkouts = field(default_factory=Checkouts)

    def of(self, event: DriftEvent) -> Context:
        resource = event.resource
        if not resource.address:
            return NO_CONTEXT
        found = self.store.index.dependents(resource.state, resource.module, resource.type, resource.name)
        file, line = resource.file, resource.line
        author = self.checkouts.author(file, line) if self.authors and file and line else None
        return Context(
            dependents=found.addresses if found is not None else (),
            dependents_count=found.count if found is not None else None,
            owners=self.checkouts.owners(file) if file else (),
            commit=author.commit if author is not None else "",
            author=author.name if author is not None else "",
        )

    def close(self) -> None:
        self.checkouts.close()
