"""The files that a run writes at its end on a disk without room: none stays that reads as a run which goes on."""

import json
from pathlib import Path

import pytest

from sipswarm.actors.load.results import RESERVED, Results, written
from tests.actors.rows import ROW

RUNNING = {"verdict": "running", "exit_code": None}
PASSED = {"verdict": "passed", "exit_code": 0}
TEXTS = {"summary.json": written(PASSED), "junit.xml": "<testsuite/>", "report.html": "passed"}


def begun(folder: Path) -> Results:
    """The files of a run that goes on."""
    results = Results(folder)
    results.write_summary(RUNNING)
    results.write("report.html", "running")
    return results


def test_room_is_reserved_until_the_last_files_are_written(tmp_path: Path) -> None:
    results = begun(tmp_path)
    reserve = tmp_path / "reserve.partial"
    assert reserve.stat().st_blocks * 512 >= RESERVED
    assert results.write_last(TEXTS) == ""
    assert not reserve.exists()
    assert results.unfinished == {}
    assert json.loads(results.summary_path.read_text()) == PASSED
    assert [results.where(name) for name in TEXTS] == [str(tmp_path / name) for name in TEXTS]
    results.close_calls()


def test_a_run_that_was_killed_leaves_no_reserve_to_the_next_one(tmp_path: Path) -> None:
    (tmp_path / "reserve.partial").write_bytes(b"of a run that was killed")
    results = Results(tmp_path)
    assert (tmp_path / "reserve.partial").stat().st_size == RESERVED
    results.discard()
    assert list(tmp_path.parent.glob(f"{tmp_path.name}/*")) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_file_without_room_beside_the_one_before_takes_its_place(tmp_path: Path) -> None:
    results = begun(tmp_path)
    (tmp_path / "summary.json.partial").symlink_to("/dev/full")
    assert results.write_last(TEXTS) == ""
    assert json.loads(results.summary_path.read_text()) == PASSED
    results.close_calls()


def test_a_file_without_any_room_is_removed_and_named_and_the_others_are_written(tmp_path: Path) -> None:
    results = begun(tmp_path)
    (tmp_path / "summary.json.partial").mkdir()
    problem = results.write_last(TEXTS)
    assert problem == f"{tmp_path} cannot be written: Is a directory; it has no summary.json"
    assert not results.summary_path.exists()
    assert results.report_path.read_text() == "passed"
    assert results.where("summary.json") == f"{results.summary_path} could not be written: Is a directory"
    assert results.where("report.html") == str(results.report_path)
    (tmp_path / "summary.json.partial").rmdir()
    assert results.write_last({"summary.json": written(PASSED)}) == ""
    assert results.where("summary.json") == str(results.summary_path)
    results.close_calls()


def test_a_file_that_cannot_be_written_leaves_no_part_of_itself(tmp_path: Path) -> None:
    results = begun(tmp_path)
    partial = tmp_path / "report.html.partial"
    partial.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space"):
        results.write("report.html", "more")
    assert not partial.is_symlink()
    assert results.report_path.read_text() == "running"
    results.discard()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_calls_that_are_not_complete_are_named_by_the_file_that_is_there(tmp_path: Path) -> None:
    results = begun(tmp_path)
    partial = tmp_path / "calls.csv.partial"
    results.add(ROW, "", 0.0)
    assert results.flush(20)
    assert results.where("calls.csv") == str(results.calls_path)
    results.close_calls()
    assert results.where("calls.csv") == str(results.calls_path)
    partial.symlink_to("/dev/full")
    results = Results(tmp_path)
    results.add(ROW, "", 0.0)
    results.close_calls()
    assert results.unfinished["calls.csv"] == "it lacks 2 rows: No space left on device"
