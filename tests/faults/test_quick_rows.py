"""The rows of `make faults` that are marked quick, small and side by side: each target must be met."""

import asyncio

import pytest

from .figures import ROWS
from .rows import load_all
from .runner import Result, Run

load_all()
QUICK = [each for each in ROWS.values() if each.quick]


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    """What came of each row."""
    run = Run(QUICK, quick=True, seed=1)
    asyncio.run(run.run())
    return run.results


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", [each.name for each in QUICK])
def test_a_fault_meets_its_targets(name: str, results: dict[str, Result]) -> None:
    result = results[name]
    if result.unable:
        pytest.skip(result.failure)
    missed = [f"{each.name}: {each.text}, target {each.target}" for each in result.figures if not each.kept]
    assert not result.failure
    assert result.figures
    assert not missed, "\n".join(missed)
