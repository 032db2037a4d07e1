"""What is known around a resource that an event is about, looked up when the event is handed over."""

from dataclasses import dataclass

from tfdrift_core.drift.event import NO_CONTEXT, Context, DriftEvent
from tfdrift_core.terraform.store import StateStore


@dataclass(frozen=True)
class Contexts:
    """Looks around in the states as they are by now: an event may tell of a drift that was opened long ago."""

    store: StateStore

    def of(self, event: DriftEvent) -> Context:
        resource = event.resource
        if not resource.address:
            return NO_CONTEXT
        found = self.store.index.dependents(resource.state, resource.module, resource.type, resource.name)
        return NO_CONTEXT if found is None else Context(found.addresses, found.count)
