"""That docs/catalog.md tells of everything that an entry may say."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from tfdrift_core.drift.change import expression
from tfdrift_core.drift.change.scope import Scope

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "catalog.md").read_text(encoding="utf-8")
SCHEMA = json.loads((ROOT / "tfdrift_core" / "catalog" / "catalog.schema.json").read_text(encoding="utf-8"))
FUNCTIONS = sorted(name.removeprefix("_func_") for name in vars(expression._Functions) if name.startswith("_func_"))


@pytest.mark.parametrize("member", SCHEMA["$defs"]["effect"]["properties"])
def test_member(member: str) -> None:
    assert re.search(rf"^\|[^|]*`{member}`", PAGE, re.M), f"docs/catalog.md has no row for {member}"


@pytest.mark.parametrize("member", SCHEMA["properties"])
def test_top_level(member: str) -> None:
    assert re.search(rf"^{member}:", PAGE, re.M), f"the example in docs/catalog.md has no {member}"


@pytest.mark.parametrize("name", [field.name for field in fields(Scope)])
def test_name(name: str) -> None:
    assert re.search(rf"^\|[^|]*`{name}`", PAGE[PAGE.index("## Expressions") :], re.M), f"docs/catalog.md lacks {name}"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function(name: str) -> None:
    assert f"`{name}(" in PAGE, f"docs/catalog.md has no row for {name}()"
