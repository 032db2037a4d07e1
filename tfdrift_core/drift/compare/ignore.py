"""What Terraform is told not to see: ``lifecycle.ignore_changes`` and the provider's ``ignore_tags``."""

import re
from collections.abc import Sequence
from typing import Any

from tfdrift_core.drift.compare.diff import Difference, Path
from tfdrift_core.terraform.model import IgnoredTags

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


_TAGS = frozenset({"tags", "tags_all"})


def without_tags(hidden: IgnoredTags, difference: Difference) -> Difference | None:
    """The difference as a provider sees it that ignores tags; ``None`` when it sees none.

    A group's ``tag`` blocks are filtered as well; tags of volumes, and those that a template gives to others, are not.
    """
    path = difference.path
    if path == ("tag",):
        return _without_blocks(hidden, difference)
    if len(path) == 2 and path[0] in _TAGS and path[1] in hidden:
        return None
    return difference


def _without_blocks(hidden: IgnoredTags, difference: Difference) -> Difference | None:
    added, removed = (tuple(tag for tag in tags if not _hides(hidden, tag)) for tags in difference[3:])
    if (added, removed) == (difference.added, difference.removed):
        return difference
    if not added and not removed:
        return None
    old, new = ([tag for tag in tags or () if not _hides(hidden, tag)] for tags in (difference.old, difference.new))
    return Difference(difference.path, old, new, added, removed)


def _hides(hidden: IgnoredTags, tag: Any) -> bool:
    return isinstance(tag, dict) and tag.get("key") in hidden
