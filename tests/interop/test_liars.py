"""`sipswarm load` at peers that misbehave by a table: every cell of the table of verdicts, and its page."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from .conftest import Start
from .liars import page
from .liars.lies import LIES
from .liars.peer import Peer
from .liars.run import Outcome, findings, run
from .liars.verdicts import CELLS, COLUMNS, EXIT_CODES, MORE, Cell
from .sipp import Sipp

AT_ONCE = 3
"""loads that run at the same time, each with its own peer: they wait more than they work"""
Running = dict[str, "Future[Outcome]"]


@pytest.fixture(scope="module")
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The runs of all cells that were picked, begun in their order, some at a time."""
    folder = tmp_path_factory.mktemp("liars")
    calls = [getattr(item, "callspec", None) for item in request.session.items if item.path == request.path]
    picked = [each.params["cell"] for each in calls if each is not None and "cell" in each.params]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            yield {cell.name: pool.submit(run, cell, folder / cell.name) for cell in picked}
        finally:
            pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(each, id=each.name, marks=pytest.mark.slow if each.slow or each.name in MORE else ())
        for each in CELLS.values()
    ],
)
def test_the_verdict_on_a_peer_is_that_of_the_table(cell: Cell, running: Running) -> None:
    outcome = running[cell.name].result()
    found = findings(cell, outcome)
    assert not found, "\n".join([*found, outcome.account])


def test_the_page_shows_the_table() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.written(page.PAGE.read_text(encoding="utf-8")), (
        "write it with: python -m tests.interop.liars --write-page"
    )


def test_every_peer_is_judged_and_no_cell_contradicts_itself() -> None:
    assert len(LIES) >= 40
    assert {cell.lie for cell in CELLS.values()} == LIES.keys()
    assert CELLS.keys() >= MORE
    assert {cell.column for cell in CELLS.values()} == COLUMNS.keys()
    assert {cell.verdict for cell in CELLS.values()} == EXIT_CODES.keys()
    for cell in CELLS.values():
        assert bool(cell.failure) == bool(cell.count) == bool(cell.blame), cell.name
        arguments = COLUMNS[cell.column]
        if cell.verdict == "passed" and cell.failure:
            assert "--threshold" in arguments, f"{cell.name} is green"
            assert "--fail-on-error" not in arguments, f"{cell.name} is green"
        if cell.verdict not in ("passed", "thresholds_failed"):
            assert cell.failure, cell.name


@pytest.mark.parametrize(
    ("name", "transport"),
    [("honest", "u1"), ("honest_tcp", "t1"), ("honest_ipv6", "u1"), ("honest_rings", "u1"), ("media_stops", "u1")],
)
def test_sipp_takes_the_peer_for_a_good_one(name: str, transport: str, tmp_path: Path, start: Start) -> None:
    lie = LIES[name]
    with Peer(lie) as peer:
        caller = start(
            Sipp(
                tmp_path,
                "uac",
                remote=peer.address,
                scenario="uac",
                calls=20,
                seconds=40,
                options=["-r", "20", "-d", "500"],
                host=lie.host,
                transport=transport,
            )
        )
        verdict = caller.verdict()
    assert verdict.exit_code == 0, verdict.account
    assert verdict.calls("SuccessfulCall(C)") == 20, verdict.account
    assert peer.heard == {"INVITE": 20, "ACK": 20, "BYE": 20}
    assert len(peer.begun) == 20
    assert peer.begun == peer.acked == peer.ended
