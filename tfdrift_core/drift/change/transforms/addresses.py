"""The private addresses of a network interface."""

from collections.abc import Mapping
from typing import Any

from tfdrift_core.drift.change.expression import evaluate
from tfdrift_core.drift.change.scope import Scope
from tfdrift_core.drift.change.transforms.base import Expression, Transform, with_options
from tfdrift_core.drift.compare.schema import Block
from tfdrift_core.drift.compare.values import as_list
from tfdrift_core.terraform.model import Attributes


@with_options
class PrivateAddresses(Transform):
    """``private_ips`` less those of ``remove`` and with those of ``add``; the provider counts all but the primary."""

    name = "private_addresses"
    one_of = ("add", "remove")

    add: Expression = ""
    """The addresses that the interface gets."""
    remove: Expression = ""
    """The addresses that it loses."""

    def __call__(self, scope: Scope, attributes: Attributes, block: Block | None) -> Mapping[str, Any]:
        current = attributes.get("private_ips")
        if not isinstance(current, list):
            return {}
        gone = as_list(evaluate(self.remove, scope)) if self.remove else []
        new = as_list(evaluate(self.add, scope)) if self.add else []
        after = [*(address for address in current if address not in gone), *(a for a in new if a not in current)]
        count = {"private_ips_count": max(0, len(after) - 1)} if "private_ips_count" in attributes else {}
        return {"private_ips": after, **count}
