"""Real parts as fixtures."""

import pytest

from tests.real import forky


@pytest.fixture(scope="session")
def forky_root() -> forky.Root:
    return forky.root()
