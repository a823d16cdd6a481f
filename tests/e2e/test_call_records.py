"""`--cdr` with real processes: both sides write a record of the same calls, a rotation and a full disk lose none."""

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.cli import main
from sipswarm.sipcore.message.parser import parse
from tests.actors.stranger import SDP, invite
from tests.certificates import Authority
from tests.interop.processes import wait_until

from .test_command_line import SECONDS, WORKERS, Running, scraped, summary_of, was


@pytest.fixture
def answering(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Running, str, str, Path]]:
    """`sipswarm answer --cdr` with the parameter's arguments: its address, its metrics' URL and its records."""
    records = tmp_path / "answer.cdr"
    more: list[str] = getattr(request, "param", [])
    running = Running("answer", "--listen", "udp:127.0.0.1:0", "--metrics", "0", "--cdr", str(records), *WORKERS, *more)
    try:
        address = running.line().removeprefix("listening on udp:")
        url = running.line().removeprefix("metrics on ")
        yield running, address, url, records
    finally:
        running.close()


def wait_for_the_end_of(file: str, running: Running) -> None:
    """Until a process has let go of a file, as it does when it has read its SIGHUP."""
    folder = Path(f"/proc/{running.process.pid}/fd")

    def open_files() -> list[str]:
        links = []
        for each in folder.iterdir():
            with suppress(OSError):  # it was closed meanwhile
                links.append(os.readlink(each))
        return links

    wait_until(lambda: file not in open_files(), SECONDS, f"the end of {file}")


def records_in(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def ids(file: Path) -> set[str]:
    found = [record["id"] for record in records_in(file)]
    assert len(set(found)) == len(found)
    return set(found)


def test_both_sides_write_the_same_calls_and_a_rotation_loses_none(
    answering: tuple[Running, str, str, Path], tmp_path: Path
) -> None:
    running, address, _, records = answering
    ours = [tmp_path / "first.cdr", tmp_path / "second.cdr"]
    for turn, file in enumerate(ours):
        load = ["load", f"echo@{address}", "-m", "4", "-r", "20", "-d", "300ms", "--quiet", *WORKERS]
        assert was(main([*load, "--out", str(tmp_path / str(turn)), "--cdr", str(file)]), 0)
        if not turn:
            records.rename(tmp_path / "answer.cdr.1")
            running.process.send_signal(signal.SIGHUP)
            wait_for_the_end_of(str(tmp_path / "answer.cdr.1"), running)
    code, errors = running.end(signal.SIGTERM)
    assert code == 0, errors
    assert ids(tmp_path / "answer.cdr.1") | ids(records) == ids(ours[0]) | ids(ours[1])
    assert ids(records) >= ids(ours[1])
    for file, role, by in ((records, "uas", "remote"), (ours[1], "uac", "local")):
        for record in records_in(file):
            assert (record["role"], record["outcome"], record["code"], record["ended_by"]) == (
                role,
                "answered",
                200,
                by,
            )
            assert 0.05 <= record["duration"] < 5


def test_sighup_does_not_end_a_load_that_writes_records(
    answering: tuple[Running, str, str, Path], tmp_path: Path
) -> None:
    file = tmp_path / "load.cdr"
    options = ["-m", "40", "-r", "10", "--metrics", "0", "--out", str(tmp_path / "out"), "--cdr", str(file)]
    load = Running("load", answering[1], *options, *WORKERS)
    try:
        wait_until(lambda: file.exists() and file.stat().st_size > 0, SECONDS, "the first record")
        file.rename(tmp_path / "load.cdr.1")
        code, errors = load.end(signal.SIGHUP)
    finally:
        load.close()
    assert was(code, 0), errors
    assert len(ids(tmp_path / "load.cdr.1") | ids(file)) == 40


@pytest.mark.parametrize("answering", [["--media", "silence"]], indirect=True)
def test_a_full_disk_fails_the_run_by_name_and_no_call(
    answering: tuple[Running, str, str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    running, address, url, records = answering
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    load = ["load", address, "-m", "5", "-r", "50", "--quiet", *WORKERS, "--out", str(tmp_path / "out")]
    assert main([*load, "--cdr", str(full)]) == 1
    lacks = f"--cdr {full} lacks 5 records: No space left on device"
    assert lacks in capsys.readouterr().out
    assert summary_of(tmp_path / "out")["calls"]["completed"] == 5
    assert scraped(url)["sipswarm_queue_dropped_total", "supervisor", "cdr"] == 0
    wait_until(lambda: len(ids(records)) == 5, SECONDS, "what the answering side writes of the first calls")
    records.unlink()
    records.symlink_to("/dev/full")
    running.process.send_signal(signal.SIGHUP)
    wait_for_the_end_of(f"{records} (deleted)", running)
    assert was(main(load), 0)
    code, errors = running.end(signal.SIGTERM)
    assert code == 1
    assert f"--cdr {records}: No space left on device; records wait in memory" in errors
    assert f"sipswarm answer: --cdr {records} lacks 5 records: No space left on device" in errors


def test_a_call_that_nobody_answers_is_a_record_when_it_is_given_up(tmp_path: Path) -> None:
    file = tmp_path / "call.cdr"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        nobody.settimeout(20)
        running = Running("call", f"127.0.0.1:{nobody.getsockname()[1]}", "--cdr", str(file))
        try:
            assert nobody.recv(65536).startswith(b"INVITE")
            code, errors = running.end(signal.SIGINT)
        finally:
            running.close()
    assert code == 1, errors
    assert [(each["role"], each["code"], each["ended_by"]) for each in records_in(file)] == [("uac", None, "")]


def test_one_call_over_tls_is_one_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.issue("robot", "IP:127.0.0.1")
    tls = ["-t", "tls", "--tls-ca", authority.ca]
    place = ["-p", "0", "--metrics", "off", "--tls-cert", certificate, "--tls-key", key]
    running = Running("answer", *tls, *place, "--codec", "pcma", *WORKERS)
    file = tmp_path / "call.cdr"
    try:
        address = running.line().removeprefix("listening on tls:")
        assert main(["call", f"echo@{address}", *tls, "-d", "500ms", "--codec", "pcmu,pcma", "--cdr", str(file)]) == 0
        assert main(["call", f"echo@{address}", *tls, "--codec", "pcmu", "--quiet", "--cdr", str(file)]) == 1
    finally:
        running.close()
    assert "refused: 488" in capsys.readouterr().out
    assert [(each["role"], each["outcome"], each["code"]) for each in records_in(file)] == [
        ("uac", "answered", 200),
        ("uac", "refused", 488),
    ]


def test_a_call_that_is_refused_without_a_robot_has_its_time_and_status(
    answering: tuple[Running, str, str, Path],
) -> None:
    running, address, _, records = answering
    host, _, port = address.rpartition(":")
    began = datetime.now(UTC)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        caller.bind(("127.0.0.1", 0))
        caller.settimeout(SECONDS)
        lines = ("Supported: timer", "Session-Expires: 60")
        caller.sendto(invite(1, *caller.getsockname(), *lines, body=SDP), (host, int(port)))
        while parse(caller.recv(65536)).status != 422:  # type: ignore[union-attr]  # a response
            pass
        code, errors = running.end(signal.SIGTERM)
        assert code == 0, errors
    (record,) = records_in(records)
    assert (record["code"], record["outcome"], record["cause"]) == (422, "refused", "rejected")
    assert datetime.fromisoformat(record["start"]) >= began - timedelta(seconds=1)
