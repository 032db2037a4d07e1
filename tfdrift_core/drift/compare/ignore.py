"""``lifecycle.ignore_changes``."""

import re
from collections.abc import Sequence

from tfdrift_core.drift.compare.diff import Path

_STEP = re.compile(r'([A-Za-z_][\w-]*)|\[\s*"((?:[^"\\]|\\.)*)"\s*\]|\[\s*(\d+)\s*\]')


def parse_reference(text: str) -> Path:
    """A reference as written in configuration (``tags["Env"]``, ``root_block_device[0].volume_size``) as steps."""
    return tuple(int(index) if index else name or key for name, key, index in _STEP.findall(text))


def ignored(ignore_changes: Sequence[str], path: Path) -> bool:
    """Whether a change at ``path`` is one that the configuration tells Terraform to ignore.

    Ignoring ``tags`` covers ``tags_all``, which only follows it.
    """
    for text in ignore_changes:
        if text == "all":
            return True
        reference = parse_reference(text)
        for actual in (path, ("tags", *path[1:]) if path[0] == "tags_all" else path):
            if reference and actual[: len(reference)] == reference:
                return True
    return False
