import pytest
from tfdrift_plugin.host.abi import Library

from tests.host import standin
from tests.real.fixtures import forky_root
from tests.real.forky import Root
from tests.real.sysdig import Sysdig, put

__all__ = ["forky_root", "standin_sysdig"]


@pytest.fixture(scope="session")
def standin_sysdig(forky_root: Root) -> Sysdig:
    library = standin.library()
    return Sysdig(forky_root, put(forky_root, library, f"/opt/standin/{library.name}"), "standin")


@pytest.fixture(scope="session")
def library() -> Library:
    return Library(standin.library())
