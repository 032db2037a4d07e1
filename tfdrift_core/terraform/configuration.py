"""What a Terraform configuration directory tells about the resources in state."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Block:
    """One ``resource`` block.  ``ignore_changes`` holds paths as written, ``("all",)`` for ``all``."""

    file: str = ""
    line: int = 0
    attribute_lines: Mapping[str, int] = field(default_factory=dict)
    ignore_changes: tuple[str, ...] = ()


NO_BLOCK = Block()
