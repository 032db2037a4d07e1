"""The morning after the examples' day: one drift is put back by hand, one by Terraform, and one is adopted."""

import json

from tests.rules.example_day import EXAMPLES, records_of
from tfdrift_core.drift.change.catalog import load as load_catalog
from tfdrift_core.drift.classify.expectations import Expectations
from tfdrift_core.drift.engine import Engine
from tfdrift_core.drift.event import Kind
from tfdrift_core.terraform.index import Index, State

NEXT = EXAMPLES / "next-day"


def states(app: str) -> Index:
    files = (("network", EXAMPLES / "state" / "network.tfstate"), ("app", EXAMPLES / app))
    return Index([State(path.read_bytes(), name) for name, path in files])


def test_each_ends_in_its_own_way_and_the_rest_stays_open() -> None:
    engine, day = Engine(load_catalog(), Expectations()), states("state/app.tfstate")
    told = [e for path in sorted((EXAMPLES / "trail").iterdir()) for e in engine.process(day, records_of(path)).events]
    opened = {(event.resource.address or event.resource.id, event.path) for event in told}

    morning = states("next-day/app.tfstate")
    (trail,) = (NEXT / "trail").iterdir()
    ends = [e for e in engine.process(morning, records_of(trail)).events if e.kind is Kind.RESOLVED]
    found = {(e.resource.address, e.path): (str(e.resolution), e.opening.by if e.opening else "") for e in ends}
    assert found[("aws_security_group.web", "ingress")] == ("reverted", "dev-taro")
    assert found[("module.web.aws_iam_role.app", "managed_policy_arns")] == ("applied", "dev-taro")
    assert found[("module.web.aws_instance.app[0]", "instance_type")] == ("adopted", "hanako.suzuki@example.com")

    still = {
        (opening.resource.address or opening.resource.id, opening.path)
        for key in engine.memory.drifted()
        for opening in engine.memory.openings(key)
    }
    assert still == opened - set(found)


def test_only_the_type_of_one_instance_was_adopted() -> None:
    before, after = (
        json.loads((EXAMPLES / name).read_text()) for name in ("state/app.tfstate", "next-day/app.tfstate")
    )
    assert after["serial"] == before["serial"] + 1
    changed = [(one, other) for one, other in zip(before["resources"], after["resources"], strict=True) if one != other]
    assert len(changed) == 1
