"""The schema as libsinsp's own validator understands it, which sees the configuration before Python does."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.plugin.conftest import library
from tests.real.fixtures import forky_root
from tests.real.forky import Root
from tests.real.plugin import Plugin, borrow_python
from tfdrift_core.config import ConfigError, load

__all__ = ["forky_root", "library"]

MANGLED = (
    '{"state": ["/x.tfstate", {"backend": "s3", "bucket": 42.0, "key": 1.5, "workspace": true}], "config": null, '
    '"accounts": [12345678901.0, {"id": 1402433619}], "expected": null, "refresh_interval": "5m", '
    '"max_state_size": "2GB", "coalesce": false}'
)


@pytest.fixture(scope="module")
def plugin(forky_root: Root, library: Path) -> Plugin:
    return Plugin(borrow_python(forky_root, library), library)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        MANGLED,
        '{"stat": []}',
        '{"state": [{"backend": "s33"}]}',
        '{"accounts": ["12x"]}',
        '{"sources": [{}]}',
        '{"refresh_interval": "soon"}',
    ],
)
def test_both_validators_agree(plugin: Plugin, text: str) -> None:
    sysdig = replace(plugin.sysdig(), config=text)
    said = sysdig.live("/no/such/file.json", "%evt.num").error
    refused_by_schema = "In <root>" in said
    try:
        load(text)
        refused_by_us = False
    except ConfigError:
        refused_by_us = True
    assert refused_by_schema == refused_by_us, said
    assert refused_by_schema or "/no/such/file.json" in said
