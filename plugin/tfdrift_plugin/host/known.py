"""Events that are at hand as field values, for evaluating rules without the plugin."""

import json
from collections.abc import Mapping
from functools import cache

from tfdrift_core.output.fields import FIELDS, Value, select, to_text
from tfdrift_plugin.host.fields import Catalogue, Field, Spec, Values


@cache
def catalogue() -> Catalogue:
    """The plugin's fields, as the shared library lists them."""
    return Catalogue(
        [
            Spec(field.name, field.type, number, is_list=field.is_list, key=field.path)
            for number, field in enumerate(FIELDS)
        ]
    )


class KnownEvent:
    """An event by its field values; an argument of a field is a path into its JSON."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self.values = values

    def get(self, field: Field) -> Values:
        value = self.values.get(field.spec.name)
        if field.arg is not None and isinstance(value, str):
            value = to_text(select(json.loads(value), field.arg))
        if value is None or value == "" or (not isinstance(value, (str, int)) and not value):
            return None
        many = (value,) if isinstance(value, (str, int)) else value
        return tuple(int(one) if isinstance(one, int) else one.encode("utf-8", "replace") for one in many)
