"""An index over a state that a test holds in its hands."""

import json
from collections.abc import Mapping
from typing import Any

from tfdrift_core.terraform.index import Blocks, Index, State, no_blocks


def index_of(
    document: bytes | Mapping[str, Any], origin: str = "terraform.tfstate", *, blocks: Blocks = no_blocks
) -> Index:
    raw = json.dumps(document).encode() if isinstance(document, Mapping) else document
    return Index([State(raw, origin, blocks=blocks)])
