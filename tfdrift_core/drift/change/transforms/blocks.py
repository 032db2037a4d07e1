"""Changes inside one of several nested blocks."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from tfdrift_core.drift.change.convert import convert
from tfdrift_core.drift.change.expression import evaluate
from tfdrift_core.drift.change.scope import Scope
from tfdrift_core.drift.change.transforms.base import Attribute, Expression, Transform, with_options
from tfdrift_core.drift.compare.schema import Block
from tfdrift_core.drift.compare.values import as_list, same, tag_map, tag_text
from tfdrift_core.terraform.model import Attributes

_DEVICES = ("root_block_device", "ebs_block_device")


@with_options
class BlockElement(Transform):
    """The blocks ``block`` of a resource with the one whose member ``key`` is ``equals`` changed."""

    name = "block_element"
    one_of = ("set", "put_tags", "remove_tags", "remove")

    block: Attribute
    """The attribute that holds the blocks."""
    key: str
    """The member that tells them apart."""
    equals: Expression
    """The value of that member in the block to change."""
    set: Mapping[str, Expression] = field(default_factory=dict)
    """Members to lay over the block; null means that the call did not say."""
    put_tags: Expression = ""
    """Tags to lay over those of the block."""
    remove_tags: Expression = ""
    """Tags, or keys of tags, to take from it."""
    instead: Attribute = ""
    """A map of the tags of all blocks: where state has it and no block has tags of its own, it is what is tagged."""
    remove: bool = False
    """The block is taken out."""

    @property
    def changes(self) -> str:
        return self.block

    def __call__(self, scope: Scope, attributes: Attributes, block: Block | None) -> Mapping[str, Any]:
        name, key = self.block, self.key
        wanted = evaluate(self.equals, scope)
        if self.instead and (shared := attributes.get(self.instead)) and not self._tagged(attributes):
            alone = sum(len(as_list(attributes.get(block))) for block in _DEVICES) == 1
            return {self.instead: self._tags(shared, scope, removes=alone)}
        node = block.attributes.get(name) if block else None
        members = node.nested.attributes if node is not None and node.nested is not None else {}
        result = []
        for element in as_list(attributes.get(name)):
            if not isinstance(element, dict) or not same(element.get(key), wanted):
                result.append(element)
            elif not self.remove:
                changed = dict(element)
                for member, expression in self.set.items():
                    value = evaluate(expression, scope)
                    if value is not None:
                        changed[member] = convert(members.get(member), value, element.get(member))
                if "tags" in changed and (self.put_tags or self.remove_tags):
                    changed["tags"] = self._tags(changed["tags"] or {}, scope)
                result.append(changed)
        return {name: result}

    def _tagged(self, attributes: Attributes) -> bool:
        blocks = [element for block in _DEVICES for element in as_list(attributes.get(block))]
        return any(isinstance(element, dict) and element.get("tags") for element in blocks)

    def _tags(self, current: Mapping[str, Any], scope: Scope, *, removes: bool = True) -> dict[str, Any]:
        put = tag_map(evaluate(self.put_tags, scope)) if self.put_tags else {}
        # What one of several volumes loses the others may still have.
        gone = as_list(evaluate(self.remove_tags, scope)) if self.remove_tags and removes else []
        names = {tag_text(entry.get("key") if isinstance(entry, dict) else entry) for entry in gone}
        return {k: v for k, v in {**current, **put}.items() if k not in names and not k.startswith("aws:")}


@with_options
class BlockAgain(Transform):
    """The blocks ``block`` with the one of which state has the member ``key`` as ``equals``, ``set`` laid over it."""

    name = "block_again"

    block: Attribute
    """The attribute that holds the blocks."""
    key: str
    """The member that tells them apart."""
    equals: Expression
    """The value of that member in the block that comes back."""
    set: Mapping[str, Expression] = field(default_factory=dict)
    """Members to lay over the block; null means that the call did not say."""

    @property
    def changes(self) -> str:
        return self.block

    def __call__(self, scope: Scope, attributes: Attributes, block: Block | None) -> Mapping[str, Any]:
        name, key = self.block, self.key
        wanted = evaluate(self.equals, scope)
        known = [e for e in as_list(scope.baseline.get(name)) if isinstance(e, dict) and same(e.get(key), wanted)]
        if not known:
            return {}
        values = {member: evaluate(expression, scope) for member, expression in self.set.items()}
        others = [e for e in as_list(attributes.get(name)) if not (isinstance(e, dict) and same(e.get(key), wanted))]
        return {name: [*others, {**known[0], **{k: v for k, v in values.items() if v is not None}}]}


@with_options
class SingleTag(Transform):
    """A resource that stands for one tag of another (``aws_ec2_tag``), after tags were put or removed there."""

    name = "single_tag"
    one_of = ("put", "remove")

    put: Expression = ""
    """The tags that the call puts on the other resource."""
    remove: Expression = ""
    """The tags, or keys of tags, that it takes away."""

    def __call__(self, scope: Scope, attributes: Attributes, block: Block | None) -> Mapping[str, Any] | None:
        name, value = str(attributes.get("key") or ""), attributes.get("value")
        if self.put:
            put = tag_map(evaluate(self.put, scope))
            return {"value": put[name]} if name in put else {}
        for entry in as_list(evaluate(self.remove, scope)):
            removed = tag_map([entry]) if isinstance(entry, dict) else {tag_text(entry): ""}
            if name in removed and removed[name] in ("", value):
                return None
        return {}


@with_options
class Gone(Transform):
    """A resource that the call deleted if the expression ``if`` holds, which may ask for its ``state``."""

    name = "gone"

    if_: Expression
    """The condition."""

    def __call__(self, scope: Scope, attributes: Attributes, block: Block | None) -> Mapping[str, Any] | None:
        return None if evaluate(self.if_, scope) else {}
