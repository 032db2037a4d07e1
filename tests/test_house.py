"""Who may know whom: arrows between folders point one way, and nothing goes in circles."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
import tfdrift_plugin

import tfdrift_core

CORE = Path(tfdrift_core.__file__).parent
PLUGIN = Path(tfdrift_plugin.__file__).parent

ARROWS: Mapping[str, str] = {
    "tfdrift_plugin.host": "cli config delivery drift output text tfdrift_plugin",
    "tfdrift_plugin": "config drift metrics output pipeline records sources text",
    "__main__": "cli",
    "at_the_time": "config delivery metrics output pipeline records sources terraform",
    "blame": "config delivery drift metrics output records sources terraform",
    "cli": "at_the_time aws baseline blame config delivery drift metrics notify output permissions pipeline records"
    " report sources terraform text verify",
    "context": "drift terraform",
    "verify": "blame drift terraform text",
    "baseline": "aws blame config delivery drift metrics records sources terraform verify",
    "pipeline": "baseline config context delivery drift metrics output records sources terraform",
    "permissions": "config delivery records sources terraform",
    "replay": "drift records terraform",
    "delivery": "aws config metrics private records sources",
    "sources": "aws config metrics records",
    "notify": "config output private text",
    "report": "drift output text",
    "output": "drift records text",
    "drift": "config records terraform text yaml_data",
    "terraform": "aws config metrics text threads yaml_data",
    "records": "",
    "aws": "config",
    "config": "",
    "config_page": "config",
    "catalog": "",
    "metrics": "",
    "private": "",
    "text": "",
    "threads": "",
    "yaml_data": "",
}
"""Each folder or module on the first level, and what it may import of the others."""

RESERVED: Mapping[str, frozenset[str]] = {
    "boto3": frozenset({"aws", "sources", "terraform", "cli"}),
    "botocore": frozenset({"aws", "sources", "terraform", "cli", "delivery"}),
    "cffi": frozenset({"tfdrift_plugin", "tfdrift_plugin.host"}),
    "_tfdrift_cffi": frozenset({"tfdrift_plugin"}),
    "_tfdrift_enrich_cffi": frozenset({"tfdrift_plugin"}),
    "tfdrift_plugin": frozenset({"tfdrift_plugin", "tfdrift_plugin.host"}),
}
"""What only some of them may import."""


def modules() -> dict[str, Path]:
    found = {}
    for package in (CORE, PLUGIN):
        for path in package.rglob("*.py"):
            parts = path.relative_to(package.parent).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


class _AtRunTime(ast.NodeTransformer):
    def visit_If(self, node: ast.If) -> ast.AST | None:
        return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)


def imported(module: str, *, at_run_time: bool = False) -> Iterator[str]:
    """The modules that one imports, wherever in it that stands; of a package, those of its names that are modules."""
    tree: ast.AST = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    for node in ast.walk(_AtRunTime().visit(tree) if at_run_time else tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import"
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from ([name for name in inside if name in MODULES] or [str(node.module)])


def room(module: str) -> str:
    """The folder or module on the first level that a module belongs to."""
    parts = module.split(".")
    if parts[0] == "tfdrift_plugin":
        return "tfdrift_plugin.host" if parts[1:2] == ["host"] else "tfdrift_plugin"
    return parts[1] if parts[1:] else ""


def circle(graph: Mapping[str, Iterable[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize("place", ARROWS)
def test_a_folder_imports_what_it_may(place: str) -> None:
    mine = [module for module in MODULES if room(module) == place]
    assert mine or (CORE / place).is_dir()
    used = {room(name) for module in mine for name in imported(module) if name in MODULES} - {place, ""}
    assert used <= set(ARROWS[place].split())


def test_every_folder_has_its_arrows() -> None:
    assert {room(module) for module in MODULES} - {""} <= set(ARROWS)


def test_no_folder_and_no_module_imports_itself_in_a_circle() -> None:
    assert circle({place: allowed.split() for place, allowed in ARROWS.items()}) == []
    assert (
        circle({module: {*imported(module, at_run_time=True)} & MODULES.keys() - {module} for module in MODULES}) == []
    )


@pytest.mark.parametrize("library", RESERVED)
def test_only_some_may_import(library: str) -> None:
    users = {room(module) for module in MODULES for name in imported(module) if name.split(".")[0] == library}
    assert users <= RESERVED[library]


def test_no_c_file_includes_itself_in_a_circle() -> None:
    """``x.c`` and ``x.h`` are one part."""
    files = [path for path in (PLUGIN / "csrc").iterdir() if path.suffix in (".c", ".h")]
    graph: dict[str, set[str]] = {path.stem: set() for path in files}
    for path in files:
        names = re.findall(r'^#include "(\w+)\.h"', path.read_text(encoding="utf-8"), re.M)
        graph[path.stem] |= {name for name in names if name != path.stem}
    assert len(graph["plugin"]) > 1
    assert circle(graph) == []


def test_a_start_loads_no_client_of_aws() -> None:
    """It takes a third of a second, and local files need none."""
    code = "import sys, tfdrift_core.pipeline; sys.exit('boto3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
