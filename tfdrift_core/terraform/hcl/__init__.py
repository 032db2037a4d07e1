"""Terraform files, in HCL or JSON syntax, as blocks and literals with their lines.

Only what stands there literally is read: everything that would have to be evaluated is ``UNKNOWN``.
"""

import stat as modes
from functools import lru_cache
from pathlib import Path

from tfdrift_core.terraform.hcl.json_syntax import parse_json
from tfdrift_core.terraform.hcl.model import UNKNOWN, Block, Body, HclError, Value
from tfdrift_core.terraform.hcl.native import parse

__all__ = ["UNKNOWN", "Block", "Body", "HclError", "Value", "parse", "parse_json", "read"]

_FILES_KEPT = 4096
_MAX_SIZE = 16 << 20


def read(path: Path) -> Body:
    """The content of a file; kept until its size or time changes.

    :raises HclError: when it cannot be read or parsed, whatever is in it.
    """
    try:
        stat = path.stat()
        if not modes.S_ISREG(stat.st_mode):
            raise HclError("it is no regular file")
        if stat.st_size > _MAX_SIZE:
            raise HclError(f"it has more than {_MAX_SIZE >> 20} MB")
        return _read(str(path), stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        raise HclError(f"{error.strerror}") from None
    except RecursionError:
        raise HclError("nested too deeply") from None
    except (ValueError, OverflowError, ArithmeticError) as error:
        # A path or a number that Terraform would refuse as well.
        raise HclError(f"not valid: {error}") from None


@lru_cache(_FILES_KEPT)
def _read(path: str, _mtime: int, _size: int) -> Body:
    with Path(path).open("rb") as file:
        data = file.read(_MAX_SIZE + 1)
    text = data.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
    return parse_json(text) if path.endswith(".json") else parse(text)
