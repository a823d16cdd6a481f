"""Call detail records: what a line says, and that no record is lost unless it is counted, whatever the disk does."""

import datetime
import json
import os
import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.bus.messages import CallFinished
from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.load.cdr import Cdr, record_of
from sipswarm.actors.load.results import COLUMNS
from tests.actors.rows import NO_CALL, ROW
from tests.interop.processes import wait_until

WITHIN = 20.0
"""Seconds for what happens in another thread."""


def row(number: int) -> CallFinished:
    return ROW._replace(call_id=f"{number}@1")


def ids(file: Path) -> list[str]:
    """Of the records in a file, each a line of JSON of its own."""
    return [json.loads(line)["id"] for line in file.read_text().splitlines()]


@contextmanager
def largest_file(octets: int) -> Iterator[None]:
    """The disk takes no more than so many octets of a file: what is beyond is cut off, then refused."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def test_a_record_has_the_columns_of_calls_csv_the_role_and_the_time_of_day() -> None:
    line = record_of(ROW, "one_way", 1_700_000_000.0)
    assert line.endswith(b"}\n")
    record: dict[str, Any] = json.loads(line)
    assert tuple(record) == (*COLUMNS, "role")
    assert datetime.datetime.fromisoformat(record["start"]).timestamp() == 1_700_000_100.0
    assert datetime.datetime.fromisoformat(record["end"]).timestamp() == 1_700_000_102.01
    assert datetime.datetime.fromisoformat(record["planned"]).timestamp() == 1_700_000_099.999
    assert (record["id"], record["role"], record["code"]) == (ROW.call_id, "uac", 200)
    assert (record["failure"], record["blame"], record["closed"]) == ("one_way", "sut", "confirmed")
    assert (record["post_dial_delay"], record["mos"], record["rtp_received"]) == (0.004, 4.4, 99)


def test_what_was_not_there_is_null() -> None:
    record = json.loads(
        record_of(ROW._replace(code=0, answer_delay=-1.0, mos=-1.0, jitter=-1.0, planned=-1.0), "", 0.0)
    )
    assert (record["code"], record["answer_delay"], record["mos"], record["jitter"]) == (None, None, None, None)
    assert (record["planned"], record["data_line"]) == (None, None)


def test_a_peer_cannot_break_a_line(tmp_path: Path) -> None:
    cdr = Cdr(tmp_path / "cdr")
    cdr.add(ROW._replace(call_id='x"\r\n\x1b[2J\u2028@1'))
    assert cdr.close() == ""
    assert (tmp_path / "cdr").read_bytes().count(b"\n") == 1
    assert (tmp_path / "cdr").read_bytes().strip(b"\n").isascii()


def test_records_are_appended_and_a_run_without_a_call_is_none(tmp_path: Path) -> None:
    file = tmp_path / "cdr"
    for number in range(2):
        cdr = Cdr(file)
        cdr.add(row(number))
        cdr.add(NO_CALL)
        assert cdr.flush(WITHIN)
        assert ids(file) == [f"{each}@1" for each in range(number + 1)]
        assert cdr.close() == ""


def test_after_a_rotation_records_go_to_the_new_file(tmp_path: Path) -> None:
    file = tmp_path / "cdr"
    cdr = Cdr(file)
    cdr.add(row(1))
    assert cdr.flush(WITHIN)
    file.rename(tmp_path / "cdr.1")
    cdr.add(row(2))
    cdr.reopen()
    cdr.add(row(3))
    assert cdr.close() == ""
    assert ids(tmp_path / "cdr.1") == ["1@1", "2@1"]
    assert ids(file) == ["3@1"]


def test_what_a_full_disk_does_not_take_waits_and_the_oldest_is_dropped_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "cdr"
    file.symlink_to("/dev/full")
    cdr = Cdr(file, ring=3)
    for number in range(5):
        cdr.add(row(number))
        assert not cdr.flush(WITHIN)
    assert (cdr.waiting, cdr.dropped) == (3, 2)
    assert cdr.rows() == (("sipswarm_queue_dropped_total", ("cdr",), (2,)),)
    assert [record.getMessage() for record in caplog.records] == [
        f"--cdr {file}: No space left on device; records wait in memory, 3 at most"
    ]
    file.unlink()
    cdr.reopen()
    assert cdr.flush(WITHIN)
    assert ids(file) == ["2@1", "3@1", "4@1"]
    assert cdr.close() == f"--cdr {file} lacks 2 records; make room, or give another file"


def test_what_is_still_missing_at_the_end_is_said(tmp_path: Path) -> None:
    file = tmp_path / "cdr"
    file.symlink_to("/dev/full")
    cdr = Cdr(file)
    cdr.add(row(1))
    assert cdr.close() == f"--cdr {file} lacks 1 records: No space left on device; make room, or give another file"


def test_a_disk_that_has_room_again_is_written_to_by_itself(tmp_path: Path) -> None:
    file = tmp_path / "cdr"
    cdr = Cdr(file, retry=0.05)
    with largest_file(0):
        cdr.add(row(1))
        assert not cdr.flush(WITHIN)
        assert (cdr.waiting, ids(file)) == (1, [])
    wait_until(lambda: not cdr.waiting, WITHIN, lambda: "the record is written")
    assert ids(file) == ["1@1"]
    assert cdr.close() == ""


def test_the_disk_is_made_to_keep_what_was_written_and_a_pipe_need_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    synced: list[str] = []
    real = os.fdatasync

    def sync(descriptor: int) -> None:
        synced.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", sync)
    try:
        for name in ("cdr", "pipe"):
            cdr = Cdr(tmp_path / name)
            cdr.add(row(1))
            wait_until(partial(synced.__contains__, name), WITHIN, lambda: "it was synced")
            cdr.add(row(2))
            assert cdr.close() == ""
            assert synced == [name, name]
            synced.clear()
    finally:
        os.close(reader)
    assert not caplog.records


def test_a_disk_that_hangs_stops_nobody_and_what_it_did_not_take_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, real = threading.Event(), os.write
    monkeypatch.setattr(os, "write", lambda descriptor, octets: (gate.wait(WITHIN), real(descriptor, octets))[1])
    cdr = Cdr(tmp_path / "cdr", ring=10, closing=0.1)
    for number in range(30):
        cdr.add(row(number))
    assert not cdr.flush(0.05)
    assert cdr.close() == (
        f"--cdr {tmp_path / 'cdr'} lacks 30 records: the disk took nothing for 0.1 s; make room, or give another file"
    )
    gate.set()


@pytest.mark.parametrize("rotated", [False, True], ids=["completed", "written anew"])
def test_a_line_that_a_full_disk_cut_is_whole_in_the_end(tmp_path: Path, rotated: bool) -> None:
    file = tmp_path / "cdr"
    cdr = Cdr(file, ring=2)
    cdr.add(row(1))
    assert cdr.flush(WITHIN)
    with largest_file(file.stat().st_size + 10):
        for number in (2, 3, 4):
            cdr.add(row(number))
            assert not cdr.flush(WITHIN)
        assert cdr.dropped == 1
        assert not file.read_text().endswith("\n")
    if rotated:
        file.rename(tmp_path / "cdr.1")
    cdr.reopen()
    assert cdr.flush(WITHIN)
    expected = ["2@1", "4@1"]  # the one that has begun is kept, the oldest beside it was dropped
    assert ids(file) == (expected if rotated else ["1@1", *expected])
    cdr.close()


@pytest.mark.parametrize("place", ["nowhere/cdr", "."])
def test_a_file_that_cannot_be_opened_is_an_error_with_its_fix(tmp_path: Path, place: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--cdr .*; give a file in a folder that can be written to"):
        Cdr(tmp_path / place)


def test_others_may_not_write_the_file(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Cdr(tmp_path / "cdr").close()
    finally:
        os.umask(before)
    assert (tmp_path / "cdr").stat().st_mode & 0o777 == 0o640


def test_a_pipe_whose_reader_is_slow_never_stops_who_writes_and_gets_all_in_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    cdr = Cdr(tmp_path / "pipe")
    for number in range(300):  # more than the 64 KiB of a pipe
        cdr.add(row(number))
    assert not cdr.flush(WITHIN)
    read = b""

    def drain() -> None:
        nonlocal read
        os.set_blocking(reader, True)
        while octets := os.read(reader, 1 << 16):
            read += octets

    thread = threading.Thread(target=drain)
    thread.start()
    assert cdr.close() == ""
    thread.join()
    os.close(reader)
    assert [json.loads(line)["id"] for line in read.splitlines()] == [f"{number}@1" for number in range(300)]
    assert not caplog.records


def test_records_that_the_reader_of_a_pipe_does_not_take_are_counted_within_a_bound(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    cdr = Cdr(tmp_path / "pipe", closing=0.1)
    for number in range(300):
        cdr.add(row(number))
    assert not cdr.flush(WITHIN)
    waiting = cdr.waiting
    assert cdr.close() == (
        f"--cdr {tmp_path / 'pipe'} lacks {waiting} records: its reader is too slow; make room, or give another file"
    )
    os.close(reader)
