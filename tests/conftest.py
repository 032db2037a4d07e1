"""For all tests: what a missing part means, which stage a test belongs to, and how long Hypothesis may take."""

import os
from collections.abc import Generator
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

from tests.real import parts
from tests.real.parts import MissingPartError

# How fast a machine makes examples says nothing about the code.
settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile("any-machine")

MARKS = {
    "slow": {"forky_root", "artifact", "bare", "registry", "falcoctl", "loki"},
    "host": {"library", "driver", "moto_url", "aws", "postgres", "browser", "server", "parser", "provider"},
}
"""Fixtures that put a test into a later stage; a file may say so itself as well."""
OPTIONAL = {"falco", "falcosidekick"}
PROGRAMS = {"plugin", "ship"}
"""Folders whose tests build or run programs."""
COUNTING = {"effort"}
"""Folders whose tests count every step of a function, which makes it many times slower."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        used = set(getattr(item, "fixturenames", ()))
        folder = item.path.parent.name
        if used & OPTIONAL or folder in PROGRAMS:
            item.add_marker("host")
        if folder in COUNTING:
            item.add_marker("slow")
        for mark, fixtures in MARKS.items():
            if used & fixtures:
                item.add_marker(mark)


@pytest.fixture(scope="session")
def falco() -> str:
    return _optional("falco")


@pytest.fixture(scope="session")
def falcosidekick() -> str:
    return _optional("falcosidekick")


def _optional(program: str) -> str:
    found = parts.optional(program)
    if found is None:
        raise MissingPartError(program, f"put it on PATH, or name it in {program.upper()}", required=False)
    return found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    try:
        return (yield)
    except MissingPartError as error:
        _lacking(error)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    try:
        return (yield)
    except MissingPartError as error:
        _lacking(error)


def _lacking(error: MissingPartError) -> NoReturn:
    """Leaves the test out, or fails it where real parts are required."""
    if error.required and os.environ.get("REAL") == "required":
        pytest.fail(f"missing: {error}", pytrace=False)
    pytest.skip(f"missing: {error}")
