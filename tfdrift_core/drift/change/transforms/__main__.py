"""Prints what is made from the transforms; ``--write`` renews it in ``catalog.schema.json`` and ``docs/catalog.md``."""

import argparse
from pathlib import Path

from tfdrift_core.drift.change.transforms import TRANSFORMS
from tfdrift_core.drift.change.transforms.describe import schema, table

SCHEMA = Path("tfdrift_core/catalog/catalog.schema.json")
PAGE = Path("docs/catalog.md")


def schema_with(text: str) -> str:
    """``catalog.schema.json`` with the definitions of the transforms, which are its last ones, made anew."""
    kept, _, _ = text.partition('    "transform": {"enum"')
    return f"{kept}{schema(TRANSFORMS)}  }}\n}}\n"


def page_with(text: str) -> str:
    """``docs/catalog.md`` with the table of the transforms made anew."""
    before, rest = text.split("| transform | makes |", 1)
    after = rest[rest.index("\n\n") + 1 :]
    return f"{before}{table(TRANSFORMS)}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tfdrift_core.drift.change.transforms", description=__doc__)
    parser.add_argument("--write", action="store_true", help="renew the two files, from the top of the repository")
    if parser.parse_args().write:
        SCHEMA.write_text(schema_with(SCHEMA.read_text(encoding="utf-8")), encoding="utf-8")
        PAGE.write_text(page_with(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(f"{schema(TRANSFORMS)}\n{table(TRANSFORMS)}", end="")


if __name__ == "__main__":
    main()
