"""``docs/rules.md`` tells of every rule what causes it and what to do."""

import yaml

from tests.rules import guide
from tests.rules.sample_events import RULES


def test_every_rule_is_explained() -> None:
    rules = {item["rule"] for item in yaml.safe_load(RULES.read_text(encoding="utf-8")) if "rule" in item}
    explained = guide.entries()
    assert explained.keys() == rules
    assert all(entry.keys() == {"causes", "do"} for entry in explained.values())


def test_the_page_is_current() -> None:
    assert guide.PAGE.read_text(encoding="utf-8") == guide.markdown(), "run: python -m tests.rules.guide"


def test_every_rule_has_an_example() -> None:
    assert guide.markdown().count("```text") == len(guide.entries())
