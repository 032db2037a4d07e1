"""Events that are at hand as field values, for evaluating rules without the plugin."""

import json
from collections.abc import Mapping
from functools import cache
from types import NoneType

from tfdrift_core.output.fields import FIELDS, Value, keyed, select, to_text
from tfdrift_plugin.host.fields import Catalogue, Field, Spec, Values


@cache
def catalogue() -> Catalogue:
    """The plugin's fields, as the shared library lists them."""
    return Catalogue(
        [
            Spec(
                field.name,
                field.type,
                number,
                is_list=field.is_list,
                key=field.path or field.key,
                index=field.index,
                required=field.key,
            )
            for number, field in enumerate(FIELDS)
        ]
    )


class KnownEvent:
    """An event by its field values; an argument is a path into a field's JSON, or the key of one of its texts."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self.values = values

    def get(self, field: Field) -> Values:
        value = self.values.get(field.spec.name)
        if field.arg is not None and isinstance(value, str):
            value = to_text(select(json.loads(value), field.arg))
        elif field.spec.required and field.arg is not None and not isinstance(value, (int, NoneType)):
            found = keyed(value, field.arg)
            return None if found is None else (found.encode("utf-8", "replace"),)
        if field.spec.index and field.arg is not None and not isinstance(value, (str, int, NoneType)):
            value = value[int(field.arg) : int(field.arg) + 1]
        if value is None or value == "" or (not isinstance(value, (str, int)) and not value):
            return None
        many = (value,) if isinstance(value, (str, int)) else value
        return tuple(int(one) if isinstance(one, int) else one.encode("utf-8", "replace") for one in many)
