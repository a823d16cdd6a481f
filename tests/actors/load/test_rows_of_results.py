"""The rows of calls.csv on a disk that is full, has room again, or hangs: none is lost but what is said."""

import csv
import os
import threading
from pathlib import Path

import pytest

from sipswarm.actors.load.results import MOST_ROWS, Results
from tests.actors.rows import ROW


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_rows_that_a_full_disk_does_not_take_are_said_and_the_file_keeps_its_other_name(tmp_path: Path) -> None:
    (tmp_path / "calls.csv.partial").symlink_to("/dev/full")
    results = Results(tmp_path)
    for _ in range(3):
        results.add(ROW, "", 0.0)
    assert not results.flush(20)
    assert results.error == ""
    results.close_calls()
    assert results.error == f"{tmp_path}/calls.csv lacks 4 rows: No space left on device"
    assert not results.calls_path.exists()
    results.add(ROW, "", 0.0)
    assert results.flush(20)


def test_rows_wait_for_a_disk_that_has_no_room_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room, real = [60], os.write

    def write(descriptor: int, octets: bytes) -> int:
        if "calls.csv" not in os.readlink(f"/proc/self/fd/{descriptor}"):
            return real(descriptor, octets)
        if not room[0]:
            raise OSError(28, "No space left on device")
        count = real(descriptor, octets[: room[0]])
        room[0] -= count
        return count

    monkeypatch.setattr(os, "write", write)
    results = Results(tmp_path)
    for number in range(100):
        results.add(ROW._replace(call_id=str(number)), "", 0.0)
    assert not results.flush(20)
    room[0] = 1_000_000
    results.close_calls()
    assert results.error == ""
    with results.calls_path.open(newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == [str(number) for number in range(100)]


def test_a_disk_that_hangs_ends_with_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, real = threading.Event(), os.write
    monkeypatch.setattr(os, "write", lambda descriptor, octets: (gate.wait(20), real(descriptor, octets))[1])
    results = Results(tmp_path)
    for _ in range(MOST_ROWS + 5):
        results.add(ROW, "", 0.0)
    results.close_calls(0.1)
    gate.set()
    assert results.error == f"{tmp_path}/calls.csv lacks {MOST_ROWS + 6} rows: the disk took nothing for 0.1 s"
