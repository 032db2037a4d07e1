"""What DynamoDB does of its own with a call, and the items of a table, of which records name the keys alone."""

from collections.abc import Mapping
from typing import Any

from tfdrift_core.drift.change.expression import evaluate
from tfdrift_core.drift.change.scope import Scope
from tfdrift_core.drift.change.transforms.base import Expression, Transform, with_options
from tfdrift_core.drift.compare.schema import Block
from tfdrift_core.drift.compare.values import UNKNOWN, as_json, as_list, render
from tfdrift_core.terraform.model import Attributes


class DynamoDbUsedAttributes(Transform):
    """``attribute`` without what no key of the table or of an index uses: DynamoDB forgets it with the last index."""

    name = "dynamodb_used_attributes"

    def __call__(self, scope: Scope, attributes: Attributes, block: Block | None) -> Mapping[str, Any]:
        kinds = ("global_secondary_index", "local_secondary_index")
        indexes = [index for kind in kinds for index in as_list(attributes.get(kind))]
        holders = [attributes, *(index for index in indexes if isinstance(index, dict))]
        used = [holder.get(name) for holder in holders for name in ("hash_key", "range_key")]
        used += [
            key.get("attribute_name") for h in holders for key in as_list(h.get("key_schema")) if isinstance(key, dict)
        ]
        defined = [entry for entry in as_list(attributes.get("attribute")) if isinstance(entry, dict)]
        return {"attribute": [entry for entry in defined if entry.get("name") in used]}


_NO_CAPACITY = {"read_capacity": 0, "write_capacity": 0}


class DynamoDbOnDemand(Transform):
    """A table, and its indexes, that are paid by the request: DescribeTable answers no capacity for them.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ProvisionedThroughput.html
    """

    name = "dynamodb_on_demand"

    def __call__(self, scope: Scope, attributes: Attributes, block: Block | None) -> Mapping[str, Any]:
        indexes = as_list(attributes.get("global_secondary_index"))
        return {
            **_NO_CAPACITY,
            "global_secondary_index": [
                {**index, **_NO_CAPACITY} if isinstance(index, dict) else index for index in indexes
            ],
        }


def _bare(value: Any) -> str | None:
    """A key's value without its type (``{"S": "a"}``); the records of AWS have it bare."""
    if isinstance(value, dict) and len(value) == 1:
        (value,) = value.values()
    return render(value)


@with_options
class DynamoDbItem(Transform):
    """An ``aws_dynamodb_table_item`` after a call on the item with the key ``key``: gone if it is a ``delete``."""

    name = "dynamodb_item"

    key: Expression
    """The key of the item."""
    delete: bool = False
    """The call deletes the item."""

    def __call__(self, scope: Scope, attributes: Attributes, block: Block | None) -> Mapping[str, Any] | None:
        key, item = evaluate(self.key, scope), as_json(attributes.get("item"))
        names = [str(name) for name in (attributes.get("hash_key"), attributes.get("range_key")) if name]
        same_item = (
            isinstance(key, dict)
            and isinstance(item, dict)
            and bool(names)
            and all(name in key and _bare(key[name]) == _bare(item.get(name)) for name in names)
        )
        if not same_item:
            return None if scope.gone else {}
        return None if self.delete else {"item": UNKNOWN}
