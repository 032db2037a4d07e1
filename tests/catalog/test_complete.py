"""That no call of a catalogued service is forgotten: each is mapped, left out with the reason, or left to derivation.

The calls come from botocore's service models: all that do not start with a word for reading.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.catalog import wire
from tfdrift_core.drift.change.catalog import load, parse

FILES = sorted((Path(__file__).parents[2] / "tfdrift_core" / "catalog").glob("*.yaml"))


def _models() -> Iterator[tuple[str, str]]:
    """Each botocore service with the event source that its calls are logged under."""
    found = set()
    for file in FILES:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        if document.get("rest") == "derived":
            continue
        sources = document.get("event_sources") or [f"{document['service']}.amazonaws.com"]
        for model in document.get("models") or [document["service"]]:
            found.add((model, sources[0]))
    return iter(sorted(found))


@pytest.mark.parametrize(("model", "source"), list(_models()))
def test_every_mutating_call_is_mapped_or_left_out(model: str, source: str) -> None:
    assert wire.model(model), f"botocore has no service {model}"
    catalog = load()
    calls = wire.mutating(model)
    missing = [name for name in calls if (source, name) not in catalog.events]
    assert not missing, (
        f"{len(missing)} of the {len(calls)} calls of {model} are neither mapped nor ignored with a reason: "
        f"{', '.join(missing)}"
    )


def test_no_call_is_in_two_files() -> None:
    """The later file would silently win."""
    seen = Counter(key for file in FILES for key in parse(file.read_text(encoding="utf-8"), file.name))
    assert not [key for key, count in seen.items() if count > 1]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_reasons_say_something(file: Path) -> None:
    for event in parse(file.read_text(encoding="utf-8"), file.name).values():
        assert event.effects or len(event.ignored.split()) >= 2, f"{event.name} is ignored because of {event.ignored!r}"
