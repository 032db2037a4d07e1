"""The private addresses of a network interface."""

from collections.abc import Mapping
from typing import Any

from tfdrift_core.drift.change.apply import Transform
from tfdrift_core.drift.change.expression import evaluate
from tfdrift_core.drift.change.scope import Scope
from tfdrift_core.drift.compare.schema import Block
from tfdrift_core.drift.compare.values import as_list
from tfdrift_core.terraform.model import Attributes


def _private_addresses(
    scope: Scope, attributes: Attributes, block: Block | None, options: Mapping[str, Any]
) -> Mapping[str, Any]:
    """``private_ips`` less those of ``remove`` and with those of ``add``; the provider counts all but the primary."""
    current = attributes.get("private_ips")
    if not isinstance(current, list):
        return {}
    gone = as_list(evaluate(options["remove"], scope)) if "remove" in options else []
    new = as_list(evaluate(options["add"], scope)) if "add" in options else []
    after = [*(address for address in current if address not in gone), *(a for a in new if a not in current)]
    count = {"private_ips_count": max(0, len(after) - 1)} if "private_ips_count" in attributes else {}
    return {"private_ips": after, **count}


TRANSFORMS: Mapping[str, Transform] = {"private_addresses": _private_addresses}
