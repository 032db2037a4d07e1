"""Terraform files, in HCL or JSON syntax, as blocks and literals with their lines.

Only what stands there literally is read: everything that would have to be evaluated is ``UNKNOWN``.
"""

from functools import lru_cache
from pathlib import Path

from tfdrift_core.terraform.hcl.json_syntax import parse_json
from tfdrift_core.terraform.hcl.model import UNKNOWN, Block, Body, HclError, Value
from tfdrift_core.terraform.hcl.native import parse

__all__ = ["UNKNOWN", "Block", "Body", "HclError", "Value", "parse", "parse_json", "read"]

_FILES_KEPT = 4096


def read(path: Path) -> Body:
    """The content of a file; kept until its size or time changes.

    :raises HclError: when it cannot be read or parsed.
    """
    try:
        stat = path.stat()
        return _read(str(path), stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        raise HclError(f"{error.strerror}") from None


@lru_cache(_FILES_KEPT)
def _read(path: str, _mtime: int, _size: int) -> Body:
    text = Path(path).read_text(encoding="utf-8-sig", errors="replace")
    return parse_json(text) if path.endswith(".json") else parse(text)
