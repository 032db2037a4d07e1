"""Where a path leads in the provider's schema."""

from collections.abc import Sequence

from tfdrift_core.drift.compare.schema import Node, schema_for


def node_at(resource_type: str, path: Sequence[str | int]) -> Node | None:
    """The node that a path of names, indexes and map keys (``("root_block_device", 0, "volume_size")``) leads to.

    None where the type or a step of the path does not exist.  Indexes may be left out.
    """
    block = schema_for(resource_type)
    if block is None or not path or not isinstance(path[0], str):
        return None
    node = block.attributes.get(path[0])
    for step in path[1:]:
        if node is None:
            return None
        node = _step(node, step)
    return node


def _step(node: Node, step: str | int) -> Node | None:
    if isinstance(step, int):
        return node if node.block else node.element
    if node.element and not (node.kind != "map" and node.element.block):
        return node.element if node.kind == "map" else None
    below = node.nested
    return below.attributes.get(step) if below else None
