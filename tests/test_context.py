"""What is known around a resource: dependents, owners, and who wrote its line."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.events import WEB, drift_event
from tests.terraform.states import instance, resource, state
from tests.terraform.test_blame import BLOCK, FILE, Checkout
from tfdrift_core.config import load
from tfdrift_core.context import Contexts
from tfdrift_core.drift.event import NO_CONTEXT, Context
from tfdrift_core.terraform.checkout import Checkouts
from tfdrift_core.terraform.store import StateStore


def store(path: Path) -> StateStore:
    found = StateStore(load(json.dumps({"state": [str(path)]})))
    found.refresh()
    return found


@pytest.mark.parametrize("wanted", [True, False])
def test_all_of_it(tmp_path: Path, wanted: bool) -> None:
    checkout = Checkout(tmp_path / "repository")
    checkout.commit("/infra/ @net", path="CODEOWNERS")
    commit = checkout.commit(*BLOCK)
    path = tmp_path / "terraform.tfstate"
    needy = instance({"id": "e"}, dependencies=["aws_instance.web"])
    path.write_text(json.dumps(state(resource("aws_instance", "web", {"id": "i"}), resource("aws_eip", "e", needy))))
    states = store(path)
    (origin,) = states.index.versions
    web = replace(WEB, state=origin, file=str(checkout.root / FILE), line=3)
    contexts = Contexts(states, wanted, Checkouts(patience=60))
    assert contexts.of(drift_event(resource=web)) == Context(
        ("aws_eip.e",), 1, ("@net",), commit if wanted else "", "P2 <p2@x.example>" if wanted else ""
    )
    assert contexts.of(drift_event(resource=replace(web, file="", line=0))) == Context(("aws_eip.e",), 1)
    assert contexts.of(drift_event(resource=replace(web, address=""))) == NO_CONTEXT
    contexts.close()
