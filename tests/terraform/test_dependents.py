"""What depends on a resource, by the ``dependencies`` that Terraform writes into its state."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.indexes import index_of
from tests.terraform.states import instance, resource, state, terraform
from tfdrift_core.terraform.dependents import MAX_COUNTED, MAX_SHOWN
from tfdrift_core.terraform.index import Index, State

MAIN = "terraform.tfstate"


def needing(*addresses: Any, **members: Any) -> dict[str, Any]:
    return instance({"id": "x"}, dependencies=list(addresses), **members)


def of(index: Index, address: str, module: str = "") -> tuple[str, ...]:
    type, name = address.split(".")
    found = index.dependents(MAIN, module, type, name)
    assert found is not None
    assert found.count == len(found.addresses)
    return found.addresses


def test_directly_and_through_others() -> None:
    index = index_of(
        state(
            resource("aws_vpc", "main", {"id": "v"}),
            resource("aws_subnet", "a", needing("aws_vpc.main")),
            resource("aws_instance", "web", needing("aws_subnet.a", index_key=0), needing("aws_subnet.a", index_key=1)),
            resource("aws_eip", "e", needing("aws_instance.web", "data.aws_ami.x")),
            resource("aws_sqs_queue", "q", {"id": "q"}),
        )
    )
    assert of(index, "aws_vpc.main") == ("aws_subnet.a", "aws_instance.web[0]", "aws_instance.web[1]", "aws_eip.e")
    assert of(index, "aws_instance.web") == ("aws_eip.e",)
    assert of(index, "aws_sqs_queue.q") == ()
    assert index.dependents(MAIN, "", "aws_vpc", "other") is None
    assert index.dependents("elsewhere", "", "aws_vpc", "main") is None


def test_what_is_inside_a_module_depends_on_the_same_copy_of_it() -> None:
    inside = [
        resource(type, "x", needing(*needs), module=f'module.web["{key}"].module.db')
        for key in ("a.b[0]", "c")
        for type, needs in (
            ("aws_vpc", ["aws_kms_key.k"]),
            ("aws_subnet", ["module.web.module.db.aws_vpc.x", "module.web.aws_lb.l"]),
        )
    ]
    around = [resource("aws_lb", "l", {"id": key}, module=f'module.web["{key}"]') for key in ("a.b[0]", "c")]
    outside = resource("aws_eip", "e", needing("module.web.module.db.aws_vpc.x"))
    index = index_of(state(resource("aws_kms_key", "k", {"id": "k"}), *inside, *around, outside))
    one = 'module.web["a.b[0]"].module.db'
    assert of(index, "aws_vpc.x", one) == ("aws_eip.e", f"{one}.aws_subnet.x")
    assert of(index, "aws_lb.l", 'module.web["c"]') == ('module.web["c"].module.db.aws_subnet.x',)
    assert len(of(index, "aws_kms_key.k")) == 5


@pytest.mark.parametrize(
    "needs", [None, "aws_vpc.main", 5, {"a": 1}, [None, 5, {}, "", ".", "module", "module.", "a.b.c.d"]]
)
def test_nothing_that_stands_there_does_harm(needs: object) -> None:
    index = index_of(
        state(
            resource("aws_vpc", "main", instance({"id": "v"}, dependencies=needs)),
            resource("aws_subnet", "a", needing("aws_vpc.main", "aws_subnet.a")),
        )
    )
    assert of(index, "aws_vpc.main") == ("aws_subnet.a",)


def test_circles_end() -> None:
    index = index_of(
        state(resource("aws_a", "x", needing("aws_b.x", "aws_a.x")), resource("aws_b", "x", needing("aws_a.x")))
    )
    assert of(index, "aws_a.x") == ("aws_b.x",)


def test_only_so_many_are_shown_and_counted() -> None:
    many = [needing("aws_vpc.main", index_key=n) for n in range(MAX_COUNTED + 5)]
    index = index_of(state(resource("aws_vpc", "main", {"id": "v"}), resource("aws_instance", "i", *many)))
    found = index.dependents(MAIN, "", "aws_vpc", "main")
    assert found is not None
    assert found.count == MAX_COUNTED
    assert found.addresses == tuple(f"aws_instance.i[{n}]" for n in range(MAX_SHOWN))


CONFIGURATION = """
resource "terraform_data" "base" {}
resource "terraform_data" "many" {
  for_each = toset(["a", "b"])
  input    = terraform_data.base.id
}
module "web" {
  count  = 2
  source = "./web"
  base   = terraform_data.base.id
}
resource "terraform_data" "last" { input = module.web[0].out }
"""
MODULE = """
variable "base" {}
resource "terraform_data" "first" { input = var.base }
resource "terraform_data" "second" { input = terraform_data.first.id }
output "out" { value = terraform_data.second.id }
"""


def test_real_terraform(tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "main.tf").write_text(CONFIGURATION)
    (tmp_path / "web" / "main.tf").write_text(MODULE)
    terraform(tmp_path, "init")
    terraform(tmp_path, "apply", "-auto-approve")
    index = Index([State((tmp_path / "terraform.tfstate").read_bytes(), MAIN)])
    expected: Mapping[tuple[str, str], set[str]] = {
        ("base", ""): {
            "terraform_data.last",
            'terraform_data.many["a"]',
            'terraform_data.many["b"]',
            *(f"module.web[{n}].terraform_data.{name}" for n in (0, 1) for name in ("first", "second")),
        },
        ("first", "module.web[1]"): {"module.web[1].terraform_data.second", "terraform_data.last"},
        ("many", ""): set(),
    }
    for (name, module), addresses in expected.items():
        assert set(of(index, f"terraform_data.{name}", module)) == addresses
