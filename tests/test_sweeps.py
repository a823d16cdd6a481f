"""A sweep that has shrunk lets the run fail, and each says what it has walked (`tests/conftest.py`)."""

import subprocess
import sys
from pathlib import Path

import pytest

PROBE = """
import pytest

pytestmark = pytest.mark.sweep("the probe", rows={least})


@pytest.mark.parametrize("row", range(3))
def test_row(row, walk):
    walk(rows=2)
"""


@pytest.mark.parametrize(
    ("least", "more", "status", "line"),
    [
        (6, (), 0, "the probe: 3 tests, 6 rows"),
        (7, (), 1, "FAILED sweep the probe: 6 rows, at least 7 are due"),
        (7, ("-k", "1"), 0, "the probe: 1 tests, 2 rows"),
    ],
)
def test_a_whole_sweep_that_walks_too_little_fails_the_run(
    least: int, more: tuple[str, ...], status: int, line: str, tmp_path: Path
) -> None:
    (tmp_path / "conftest.py").write_text((Path(__file__).parent / "conftest.py").read_text())
    (tmp_path / "test_probe.py").write_text(PROBE.format(least=least))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), *more]
    done = subprocess.run([*command, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert line in done.stdout
    assert done.returncode == status
