"""Real parts as fixtures.  A part that is missing fails the test in CI and skips it elsewhere."""

import os
from typing import NoReturn

import pytest

from tests.real import forky


def missing(message: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@pytest.fixture(scope="session")
def forky_root() -> forky.Root:
    try:
        return forky.root()
    except forky.MissingPartError as error:
        missing(str(error))
