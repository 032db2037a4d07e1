"""Every judged drift leads to the call that made it, in a trail full of others, or has the reason why none is named."""

from typing import Any

import pytest

from tests.oracle import blamed, score

_CASES = [
    pytest.param(suite, scenario, id=f"{suite.name}-{scenario['name']}")
    for suite in score.SUITES.values()
    for scenario in blamed.chosen(suite)
]


@pytest.mark.parametrize(("suite", "scenario"), _CASES)
def test_scenario(suite: score.Suite, scenario: dict[str, Any]) -> None:
    result = blamed.judge(suite, scenario)
    assert result.good, blamed.explain(suite, scenario, result)
    assert result.named or result.reasoned or all(item.get("cosmetic") for item in scenario["drift"])


def test_most_drift_leads_to_a_call() -> None:
    """Reasons are for what no record names: a judge that took them for all would prove nothing."""
    suites = score.SUITES.values()
    results = [blamed.judge(suite, scenario) for suite in suites for scenario in blamed.chosen(suite)]
    named = sum(len(result.named) for result in results)
    reasoned = sum(not item.get("computed_only") for result in results for item in result.reasoned)
    assert named > 25 * reasoned
