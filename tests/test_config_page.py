"""The page of the configuration says all that the schema does."""

from pathlib import Path

from tfdrift_core.config import schema_text
from tfdrift_core.config_page import markdown

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == markdown(), (
        "run: python -m tfdrift_core.config_page > docs/configuration.md"
    )


def test_every_member_is_named_and_described() -> None:
    page = markdown()
    for name in ("state", "data_dir", "remind_after", "store", "redeliver", "expected", "accounts"):
        assert f"| `{name}` |" in page
        assert name in schema_text()
    bare = [line for line in page.splitlines() if line.startswith("| `") and line.endswith("|  |")]
    assert len(bare) < 40, bare
