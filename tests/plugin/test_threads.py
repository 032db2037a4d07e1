"""The plugin's C code between Falco's threads and a worker's, watched by a thread sanitizer."""

from pathlib import Path

import pytest
from tfdrift_plugin import build

from tests.events import drift_event
from tests.plugin.conftest import HERE, compile_program, drive, report
from tfdrift_core.output import payload

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("sanitizer", ["thread", "address,undefined"])
def test_no_data_is_shared_without_a_lock(tmp_path: Path, environment: dict[str, str], sanitizer: str) -> None:
    (tmp_path / "generated.h").write_text(build.header(build.Python.running()), encoding="ascii")
    flags = (f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all")
    sources = [
        str(build.SOURCES / name) for name in ("plugin.c", "source.c", "extract.c", "metrics.c", "log.c", "payload.c")
    ]
    library = compile_program(
        HERE / "stub_bridge.c",
        tmp_path / "stub.so",
        [tmp_path],
        *sources,
        "-shared",
        "-fPIC",
        "-Wl,-z,nodelete",
        *flags,
    )
    driver = compile_program(HERE / "driver.c", tmp_path / "driver", [], *flags)
    sample = tmp_path / "payload"
    sample.write_bytes(payload.encode(drift_event(added=("a", "b"))))
    # Falco asks for metrics on other threads; the driver does, too.
    summary = report(drive(driver, library, "{}", str(sample), 4, {**environment, "TSAN_OPTIONS": "exitcode=66"}))
    assert summary["events"] == 4 * 1500
