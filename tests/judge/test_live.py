"""Judges a sample of the scenarios anew: real Terraform, the real provider, moto's server, and what TFDrift says.

All of them are judged by ``python -m tests.judge.judge``, which writes the fixtures that every run replays.
"""

from typing import Any

import pytest

from tests.indexes import index_of
from tests.judge import judge, terraform
from tests.oracle import score
from tests.oracle.compare import compare
from tfdrift_core.replay import replay

pytestmark = pytest.mark.slow

SAMPLE = {
    "sqs": ("sqs_delay", "sqs_there_and_back", "sqs_same_value", "sqs_policy_resource", "sqs_tag_and_untag"),
    "sns": ("sns_rename_display", "sns_policy_resource", "sns_unsubscribe", "sns_untag", "sns_subscribe_by_hand"),
    "ecr": ("ecr_tag_mutability", "ecr_tag_mutability_same", "ecr_policy_deleted", "ecr_tagged", "ecr_deleted"),
    "kms": ("kms_rotation_on", "kms_rotation_off_already", "kms_tagged", "kms_alias_deleted", "kms_created_by_hand"),
    "dynamodb": (
        "dynamodb_capacity",
        "dynamodb_stream",
        "dynamodb_expiry_off",
        "dynamodb_untagged",
        "dynamodb_table_gone",
    ),
}


@pytest.fixture(scope="module", autouse=True)
def _parts() -> None:
    terraform.command()
    terraform.provider()


@pytest.mark.parametrize("base", SAMPLE)
def test_sample(base: str) -> None:
    suite = score.SUITES["judge"]
    ((_, state, results),) = judge.judge([base], SAMPLE[base], jobs=1)
    assert [result["name"] for result in results if "failed" not in result], results
    wrong = [said for result in results if (said := _wrong(suite, state, result))]
    assert not wrong, "\n".join(wrong)


def _wrong(suite: score.Suite, state: bytes, result: dict[str, Any]) -> str:
    if "failed" in result:
        return f"{result['name']}: {result['failed']}"
    if result["name"] in suite.excluded:
        return ""
    events = replay(index_of(state), result["records"], catalog=score.catalog())
    found = compare(result, events)
    return "" if found.good else score.explain(suite, result, found)


@pytest.mark.parametrize(
    ("bench", "base"), [(name, base) for name, bench in judge.BENCHES.items() for base in bench.bases()]
)
def test_every_scenario_is_among_the_fixtures(bench: str, base: str) -> None:
    suite = score.SUITES[{"early": "judge"}.get(bench, bench)]
    written = {scenario["name"] for scenario in judge.BENCHES[bench].scenarios(base)}
    kept = {scenario["name"] for scenario in suite.scenarios if scenario["base"] == base}
    assert kept == written, f"judge {base} again: python -m tests.judge.judge --bench {bench} --base {base}"


def test_there_are_enough_scenarios() -> None:
    suite = score.SUITES["judge"]
    assert len(suite.scenarios) >= 100
    silent = [scenario for scenario in suite.scenarios if not scenario["drift"]]
    assert len(silent) >= 20
