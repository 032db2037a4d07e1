"""Security group rules, written inline in the group or apart as rule resources.

A rule block of Terraform holds several ranges; EC2 knows one rule for each.  Everything here works on those atoms.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tfdrift_core.drift.change.scope import Scope
from tfdrift_core.drift.change.transforms.base import Transform, with_options
from tfdrift_core.drift.compare.schema import Block
from tfdrift_core.drift.compare.values import UNKNOWN, as_list, as_number
from tfdrift_core.terraform.model import Attributes

_PROTOCOLS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": "-1"}
Action = Literal["authorize", "revoke", "describe"]
_Rule = tuple[str, int, int, str, str]
_LISTS = {"cidr": "cidr_blocks", "ipv6": "ipv6_cidr_blocks", "prefix": "prefix_list_ids", "group": "security_groups"}


@dataclass(frozen=True, slots=True)
class Atom:
    """One rule: ``kind`` is cidr, ipv6, prefix or group and ``target`` what it admits."""

    protocol: str
    from_port: int
    to_port: int
    kind: str
    target: str
    description: str = ""

    @property
    def rule(self) -> _Rule:
        """What EC2 tells rules apart by: all but the description."""
        return self.protocol, self.from_port, self.to_port, self.kind, self.target


def _ports(protocol: str, from_port: Any, to_port: Any) -> tuple[int, int]:
    if protocol == "-1":
        return 0, 0
    low, high = as_number(from_port), as_number(to_port)
    return int(-1 if low is None else low), int(-1 if high is None else high)


def _protocol(value: Any) -> str:
    text = str(value if value is not None else "-1").lower()
    return _PROTOCOLS.get(text, text)


def _get(entry: Mapping[str, Any], name: str) -> Any:
    """A member under its legacy (``cidrIp``) or its query name (``CidrIp``)."""
    return entry[name] if name in entry else entry.get(name[:1].upper() + name[1:])


def _text(entry: Mapping[str, Any], *names: str) -> str:
    return next((str(value) for name in names if (value := _get(entry, name)) not in (None, "")), "")


def _group_target(entry: Mapping[str, Any], owner: str) -> str:
    group, user = _text(entry, "groupId"), _text(entry, "userId")
    return f"{user}/{group}" if user and owner and user != owner else group


def _permission_atoms(permission: Mapping[str, Any], owner: str) -> Iterator[Atom]:
    protocol = _protocol(_get(permission, "ipProtocol"))
    low, high = _ports(protocol, _get(permission, "fromPort"), _get(permission, "toPort"))
    lists = (
        ("cidr", ("ipRanges",), ("cidrIp",)),
        ("ipv6", ("ipv6Ranges",), ("cidrIpv6",)),
        ("prefix", ("prefixListIds",), ("prefixListId",)),
    )
    for kind, names, targets in lists:
        for entry in (entry for name in names for entry in as_list(_get(permission, name))):
            if isinstance(entry, dict):
                yield Atom(protocol, low, high, kind, _text(entry, *targets), _text(entry, "description"))
    for entry in as_list(_get(permission, "groups")):
        if isinstance(entry, dict):
            yield Atom(protocol, low, high, "group", _group_target(entry, owner), _text(entry, "description"))


def _rule_atom(rule: Mapping[str, Any], owner: str) -> Atom | None:
    """An element of a response's ``securityGroupRuleSet``, or the rule in ModifySecurityGroupRules."""
    protocol = _protocol(_get(rule, "ipProtocol"))
    low, high = _ports(protocol, _get(rule, "fromPort"), _get(rule, "toPort"))
    referenced = _get(rule, "referencedGroupInfo")
    group = _group_target(referenced, owner) if isinstance(referenced, dict) else _text(rule, "referencedGroupId")
    candidates = (
        ("cidr", _text(rule, "cidrIpv4")),
        ("ipv6", _text(rule, "cidrIpv6")),
        ("prefix", _text(rule, "prefixListId")),
        ("group", group),
    )
    for kind, target in candidates:
        if target:
            return Atom(protocol, low, high, kind, target, _text(rule, "description"))
    return None


def call_atoms(scope: Scope, owner: str) -> list[Atom] | None:
    """The rules that a call names; ``None`` where it gives only ids and the response does not spell them out."""
    request, response = scope.request, scope.response
    named = _named_atoms(request, owner)
    for name in ("securityGroupRuleSet", "revokedSecurityGroupRuleSet"):
        rules = [_rule_atom(rule, owner) for rule in as_list(response.get(name)) if isinstance(rule, dict)]
        if rules:
            # A rule of a response has the description of the request where it has none itself.
            told = {atom.rule: atom for atom in reversed(named)}
            return [atom if atom.description else told.get(atom.rule, atom) for atom in rules if atom]
    if named:
        return named
    return None if as_list(_get(request, "securityGroupRuleIds") or _get(request, "securityGroupRuleId")) else []


def _named_atoms(request: Mapping[str, Any], owner: str) -> list[Atom]:
    """The rules that a request spells out, in either of its two forms."""
    atoms = [
        atom
        for permission in as_list(_get(request, "ipPermissions"))
        if isinstance(permission, dict)
        for atom in _permission_atoms(permission, owner)
    ]
    if atoms:
        return atoms
    short = {
        **request,
        "ipRanges": [{"cidrIp": _text(request, "cidrIp")}] if _text(request, "cidrIp") else [],
        "ipv6Ranges": [{"cidrIpv6": _text(request, "cidrIpv6")}] if _text(request, "cidrIpv6") else [],
        "groups": [{"groupId": source}] if (source := _text(request, "sourceSecurityGroupId")) else [],
    }
    return list(_permission_atoms(short, owner))


def block_atoms(block: Mapping[str, Any], group: str) -> list[Atom]:
    """The rules that a block of a security group, or an ``aws_security_group_rule``, stands for."""
    protocol = _protocol(block.get("protocol"))
    low, high = _ports(protocol, block.get("from_port"), block.get("to_port"))
    description = str(block.get("description") or "")
    targets = [(kind, target) for kind, name in _LISTS.items() for target in as_list(block.get(name))]
    if block.get("source_security_group_id"):
        targets.append(("group", block["source_security_group_id"]))
    if block.get("self"):
        targets.append(("group", group))
    return [Atom(protocol, low, high, kind, str(target), description) for kind, target in targets]


def _without(block: dict[str, Any], gone: Collection[_Rule], group: str) -> dict[str, Any] | None:
    """A block less the rules ``gone``; ``None`` when nothing is left of it."""
    atoms = block_atoms(block, group)
    kept = [atom for atom in atoms if atom.rule not in gone]
    if len(kept) == len(atoms):
        return block
    result = dict(block)
    for kind, name in _LISTS.items():
        targets = {atom.target for atom in kept if atom.kind == kind}
        result[name] = [target for target in as_list(block.get(name)) if target in targets]
    result["self"] = any(atom.kind == "group" and atom.target == group for atom in kept)
    return result if kept else None


def _blocks(atoms: Iterable[Atom], group: str) -> list[dict[str, Any]]:
    """Blocks for new rules, those of one protocol, port range and description together, as the provider reads them."""
    grouped: dict[tuple[str, int, int, str], dict[str, Any]] = {}
    for atom in atoms:
        key = (atom.protocol, atom.from_port, atom.to_port, atom.description)
        block = grouped.setdefault(
            key,
            {
                "cidr_blocks": [],
                "description": atom.description,
                "from_port": atom.from_port,
                "ipv6_cidr_blocks": [],
                "prefix_list_ids": [],
                "protocol": atom.protocol,
                "security_groups": [],
                "self": False,
                "to_port": atom.to_port,
            },
        )
        if atom.kind == "group" and atom.target == group:
            block["self"] = True
        else:
            block[_LISTS[atom.kind]].append(atom.target)
    return list(grouped.values())


def _as_read(rules: Iterable[Atom], wanted: Iterable[dict[str, Any]], group: str) -> list[dict[str, Any]]:
    """Rules as the provider reads them: the blocks of ``wanted`` that are there as a whole, and blocks for the rest."""
    left, whole = dict.fromkeys(rules), []
    for block in wanted:
        own = set(block_atoms(block, group))
        if own and own <= left.keys():
            whole.append(block)
            for atom in own:
                del left[atom]
    return [*whole, *_blocks(left, group)]


@with_options
class SecurityGroupRules(Transform):
    """The group's ``ingress`` or ``egress`` after an Authorize, Revoke or UpdateDescriptions call."""

    name = "security_group_rules"

    direction: Literal["ingress", "egress"]
    """Which of the group's attributes."""
    action: Action
    """What the call does with the rules that it names."""

    @property
    def changes(self) -> str:
        return self.direction

    def __call__(self, scope: Scope, attributes: Attributes, block: Block | None) -> Mapping[str, Any]:
        direction = self.direction
        group = str(attributes.get("id") or "")
        current = attributes.get(direction)
        atoms = call_atoms(scope, str(attributes.get("owner_id") or ""))
        if atoms is None and scope.other is not None:
            atoms = _atoms_of(scope.other, group)
        if atoms is None or not (current is None or isinstance(current, list)):
            return {direction: UNKNOWN}
        blocks = [entry for entry in as_list(current) if isinstance(entry, dict)]
        present = {atom.rule: atom for entry in blocks for atom in block_atoms(entry, group)}
        after = dict(present)
        for atom in atoms:
            if self.action == "revoke":
                after.pop(atom.rule, None)
            elif self.action == "authorize":
                after.setdefault(atom.rule, atom)
            elif atom.rule in after:
                after[atom.rule] = atom
        if after == present:
            return {}
        wanted = [entry for entry in as_list(scope.baseline.get(direction)) if isinstance(entry, dict)]
        return {direction: _as_read(after.values(), wanted, group)}


@with_options
class SecurityGroupRule(Transform):
    """An ``aws_security_group_rule`` after the call: gone as soon as one of its ranges is."""

    name = "security_group_rule"

    action: Action
    """What the call does with the rules that it names."""

    def __call__(self, scope: Scope, attributes: Attributes, block: Block | None) -> Mapping[str, Any] | None:
        group = str(attributes.get("security_group_id") or "")
        named = call_atoms(scope, "") or []
        own = block_atoms(attributes, group)
        rules = {atom.rule for atom in own}
        hit = [atom for atom in named if atom.rule in rules]
        if not hit:
            return None if scope.gone else {}
        if self.action == "describe":
            return {"description": hit[0].description}
        if self.action == "authorize":
            return {"description": hit[0].description} if scope.gone else {}
        return None


def _item_atom(attributes: Attributes) -> Atom | None:
    rule = {
        "ipProtocol": attributes.get("ip_protocol"),
        "fromPort": attributes.get("from_port"),
        "toPort": attributes.get("to_port"),
        "cidrIpv4": attributes.get("cidr_ipv4"),
        "cidrIpv6": attributes.get("cidr_ipv6"),
        "prefixListId": attributes.get("prefix_list_id"),
        "referencedGroupId": attributes.get("referenced_security_group_id"),
        "description": attributes.get("description"),
    }
    return _rule_atom(rule, "")


def _atoms_of(rule: Attributes, group: str) -> list[Atom]:
    """The rules that a resource of either type stands for."""
    atom = _item_atom(rule) if "ip_protocol" in rule else None
    return [atom] if atom else block_atoms(rule, group)


@with_options
class SecurityGroupRuleItem(Transform):
    """An ``aws_vpc_security_group_ingress_rule`` (or egress) after the call."""

    name = "security_group_rule_item"

    action: Action
    """What the call does with the rules that it names."""

    def __call__(self, scope: Scope, attributes: Attributes, block: Block | None) -> Mapping[str, Any] | None:
        own = _item_atom(attributes)
        identifier = str(attributes.get("security_group_rule_id") or attributes.get("id") or "")
        named_ids = {
            _text(entry, "securityGroupRuleId") if isinstance(entry, dict) else str(entry)
            for key in ("securityGroupRuleIds", "securityGroupRuleId")
            for entry in as_list(_get(scope.request, key))
        }
        hit = [atom for atom in call_atoms(scope, "") or [] if own is not None and atom.rule == own.rule]
        if not hit and identifier not in named_ids:
            return {}
        if self.action == "describe":
            return {"description": hit[0].description} if hit else {}
        return None


def _modified(scope: Scope, owner: str) -> Atom | None:
    """The whole new rule that ModifySecurityGroupRules puts under an old id."""
    item = scope.item
    rule = _get(item, "securityGroupRule") if isinstance(item, dict) else None
    return _rule_atom(rule, owner) if isinstance(rule, dict) else None


class SecurityGroupModified(Transform):
    """A group after ModifySecurityGroupRules, of which the record tells neither the direction nor the old rule.

    People change a rule's description, its peer or its ports.  Where that leaves one rule that the new one can have
    been, it is replaced; else the direction's rules are unknown.
    """

    name = "security_group_modified"

    def __call__(self, scope: Scope, attributes: Attributes, block: Block | None) -> Mapping[str, Any]:
        group = str(attributes.get("id") or "")
        new = _modified(scope, str(attributes.get("owner_id") or ""))
        if new is None:
            return {"ingress": UNKNOWN}
        present = [
            (direction, atom)
            for direction in ("ingress", "egress")
            for entry in as_list(attributes.get(direction))
            if isinstance(entry, dict)
            for atom in block_atoms(entry, group)
        ]
        likenesses: tuple[Callable[[Atom], bool], ...] = (
            lambda old: old.rule == new.rule,
            lambda old: (old.protocol, old.from_port, old.to_port) == (new.protocol, new.from_port, new.to_port),
            lambda old: (old.kind, old.target) == (new.kind, new.target),
        )
        for alike in likenesses:
            found = [(direction, atom) for direction, atom in present if alike(atom)]
            if len(found) == 1:
                direction, old = found[0]
                blocks = [entry for entry in as_list(attributes[direction]) if isinstance(entry, dict)]
                kept = [entry for known in blocks if (entry := _without(known, {old.rule}, group)) is not None]
                return {direction: [*kept, *_blocks([new], group)]}
            if found:
                directions = {direction for direction, _ in found}
                return {directions.pop() if len(directions) == 1 else "ingress": UNKNOWN}
        return {"ingress": UNKNOWN}


class SecurityGroupRuleModified(Transform):
    """An ``aws_security_group_rule`` after ModifySecurityGroupRules: the provider looks for the rule by what it is."""

    name = "security_group_rule_modified"

    def __call__(self, scope: Scope, attributes: Attributes, block: Block | None) -> Mapping[str, Any] | None:
        new = _modified(scope, "")
        if new is None:
            return {}
        own = block_atoms(attributes, str(attributes.get("security_group_id") or ""))
        return {"description": new.description} if any(atom.rule == new.rule for atom in own) else None


class SecurityGroupRuleItemModified(Transform):
    """An ``aws_vpc_security_group_ingress_rule`` (or egress) after ModifySecurityGroupRules."""

    name = "security_group_rule_item_modified"

    def __call__(self, scope: Scope, attributes: Attributes, block: Block | None) -> Mapping[str, Any]:
        atom = _modified(scope, "")
        if atom is None:
            return {}
        targets = {
            "cidr": "cidr_ipv4",
            "ipv6": "cidr_ipv6",
            "prefix": "prefix_list_id",
            "group": "referenced_security_group_id",
        }
        return {
            "ip_protocol": atom.protocol,
            "from_port": None if atom.protocol == "-1" else atom.from_port,
            "to_port": None if atom.protocol == "-1" else atom.to_port,
            "description": atom.description,
            **{name: atom.target if kind == atom.kind else None for kind, name in targets.items()},
        }
