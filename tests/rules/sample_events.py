"""Sample events for the rules, as field values; the host tests run the same ones in libsinsp."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tfdrift_plugin.host.fields import Catalogue, Field, Spec, Values

from tfdrift_core.output.fields import FIELDS, select, to_text

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
RULES = ROOT / "rules" / "tfdrift_rules.yaml"


@dataclass(frozen=True)
class Sample:
    """One event: all its field values, the rule it is about, and whether that rule is the first to match."""

    rule: str
    matches: bool
    values: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.rule}: {'yes' if self.matches else 'no'}"


def samples() -> list[Sample]:
    common = yaml.safe_load((HERE / "common.yaml").read_text())
    return [
        Sample(entry["rule"], key == "matches", common | values)
        for file in sorted((HERE / "samples").glob("*.yaml"))
        for entry in yaml.safe_load(file.read_text())
        for key in ("matches", "not_matches")
        for values in entry[key]
    ]


def catalogue() -> Catalogue:
    return Catalogue(
        [
            Spec(field.name, field.type, number, is_list=field.is_list, key=field.path)
            for number, field in enumerate(FIELDS)
        ]
    )


def sample_values(values: dict[str, Any], field: Field) -> Values:
    """A field's values as the embedded host wants them; an argument is a path into the JSON of ``values``."""
    value = values.get(field.spec.name)
    if field.arg is not None and value is not None:
        value = to_text(select(json.loads(value), field.arg))
    if value in (None, "", [], ()):
        return None
    many = value if isinstance(value, list) else [value]
    return tuple(int(one) if isinstance(one, bool | int) else str(one).encode() for one in many)


class SampleEvent:
    """A sample as the embedded host reads events."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def get(self, field: Field) -> Values:
        return sample_values(self.values, field)
