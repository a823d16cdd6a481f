"""A load whose processes die goes on, and says of each call what became of it; counted at an independent peer."""

import asyncio
import csv
import json
import os
import re
import signal
import socket
import textwrap
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.sipp.scenario_file import text_of
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from tests.e2e.counting_uas import CountingUas
from tests.e2e.test_command_line import SECONDS, Running
from tests.e2e.waiting import until
from tests.faults.failing_calls import strace
from tests.faults.figures import Unable

OPTIONS = ("--quiet", "--metrics", "off", "--media", "none", "--media-workers", "1", "--call-workers", "3")


def pid_of(running: Running, name: str) -> int | None:
    """The process of a slot among the children of a load; None = there is none now."""
    parent = running.process.pid
    for each in Path("/proc").glob("[0-9]*"):
        try:
            fields = (each / "stat").read_text().rpartition(")")[2].split()
            command = (each / "cmdline").read_bytes().decode().split("\0")
            title = (each / "comm").read_text().strip()
        except OSError:
            continue
        if fields[0] != "Z" and int(fields[1]) == parent and (name in command or name in title):
            return int(each.name)
    return None


def kill(running: Running, name: str) -> None:
    """Kill -9, and wait until the process is gone or replaced."""
    deadline = time.monotonic() + SECONDS
    while (pid := pid_of(running, name)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    while pid_of(running, name) == pid:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def kill_at(running: Running, name: str, call: str, number: int, file: Path) -> None:
    """Kill -9 a process at a system call of its event loop, as soon as it makes that for the given time from now."""
    pid = pid_of(running, name)
    inject = f"inject={call}:signal=SIGKILL:when={number}"

    async def main() -> None:
        async with strace("-p", str(pid), "-o", str(file), "-e", f"trace={call}", "-e", inject):
            await until(lambda: pid_of(running, name) != pid)

    try:
        asyncio.run(main())
    except Unable as error:
        pytest.skip(str(error))


def wait_for_calls(uas: CountingUas, calls: int) -> None:
    deadline = time.monotonic() + SECONDS
    while len(uas.users) < calls:
        assert time.monotonic() < deadline, f"{len(uas.users)} of {calls} calls came"
        time.sleep(0.01)


def results(out: Path) -> tuple[dict[str, Any], list[dict[str, str]]]:
    with (out / "calls.csv").open(newline="") as file:
        return json.loads((out / "summary.json").read_text()), list(csv.DictReader(file))


def run(
    uas: CountingUas, out: Path, *options: str, kills: Sequence[tuple[int, str]], within: float = SECONDS
) -> tuple[int, str]:
    """Run a load; kill the process of each name when so many calls have come. Its exit code and its log."""
    running = Running("load", f"bob@{uas.address}", "--out", str(out), *OPTIONS, *options)
    try:
        for calls, name in kills:
            wait_for_calls(uas, calls)
            kill(running, name)
        return running.end(within=within)
    finally:
        running.close()


@pytest.mark.parametrize("signals", [1, 3])
def test_a_load_goes_on_without_the_worker_that_died_and_names_each_lost_call(tmp_path: Path, signals: int) -> None:
    kills = [(30 + 25 * number, f"call-{number % 3}") for number in range(signals)]
    with CountingUas() as uas:
        code, log = run(uas, tmp_path, "-r", "60", "-m", "240", "-d", "0.5s", kills=kills)
        users = len(uas.users)
    summary, rows = results(tmp_path)
    assert code == 98, (code, log, summary["verdict"])
    lost = [row for row in rows if row["failure"] == "worker_lost"]
    assert len(rows) == summary["calls"]["planned"] == summary["calls"]["attempted"] == 240
    assert summary["arrivals"]["started"] == 240
    assert 0 < len(lost) < 240
    assert {row["blame"] for row in lost} == {"generator"}
    assert {row["failure"] for row in rows} <= {"", "worker_lost"}, "calls of the other workers are not disturbed"
    seen = [row["id"] for row in rows if row["id"]]
    assert len(set(seen)) == len(seen), "no call has two rows"
    assert users <= len(seen), "each call that the peer saw has a row"
    assert users >= 240 - len(lost), "no arrival was started twice, and none was left out but those that are named"
    assert any("call-0 ended with status -9" in each for each in (log, (tmp_path / "report.html").read_text()))
    assert len([row for row in rows if row["outcome"] == "answered"]) == summary["calls"]["answered"]


def test_runs_of_a_scenario_file_that_a_worker_took_along_are_rows_too(tmp_path: Path) -> None:
    file = tmp_path / "uac.xml"
    file.write_text(text_of("uac").replace("<pause/>", '<pause milliseconds="500"/>'))
    with CountingUas() as uas:
        options = ("-sf", str(file), "-r", "60", "-m", "240")
        code, log = run(uas, tmp_path, *options, kills=[(30, "call-1")])
        users = len(uas.users)
    summary, rows = results(tmp_path)
    assert code == 98, (code, log, summary["verdict"])
    lost = [row for row in rows if row["failure"] == "worker_lost"]
    assert len(rows) == summary["arrivals"]["started"] == 240
    assert 0 < len(lost) < 240
    assert {row["failure"] for row in rows} == {"", "worker_lost"}
    seen = [row["id"] for row in rows if row["id"]]
    assert len(set(seen)) == len(seen), "no run has two rows"
    assert users <= len(seen), "each call that the peer saw has a row"


@pytest.mark.parametrize("number", [3, 4], ids=["before it is admitted", "before its call is made"])
def test_an_arrival_whose_worker_dies_while_it_starts_has_a_row(tmp_path: Path, number: int) -> None:
    """The lock of the live calls is taken and given back after an arrival is counted, and before its call exists."""
    out = tmp_path / "out"
    with CountingUas() as uas:
        options = ("-r", "60", "-m", "240", "-d", "0.2s", "-l", "200")
        running = Running("load", f"bob@{uas.address}", "--out", str(out), *OPTIONS, *options)
        try:
            wait_for_calls(uas, 30)
            kill_at(running, "call-1", "flock", number, tmp_path / "strace")
            code, log = running.end()
        finally:
            running.close()
        users = len(uas.users)
    summary, rows = results(out)
    assert code == 98, (code, log, summary["verdict"])
    assert sorted(round(60 * float(row["planned"])) for row in rows) == list(range(240)), "each arrival has one row"
    assert summary["calls"]["attempted"] == summary["arrivals"]["started"] == 240
    assert {row["failure"] for row in rows} == {"", "worker_lost"}
    assert users <= len([row for row in rows if row["id"]]) < 240


def test_the_rate_goes_on_as_planned(tmp_path: Path) -> None:
    """Neither a burst for what was missed, nor a shift of what follows."""
    with CountingUas() as uas:
        code, log = run(uas, tmp_path, "-r", "60", "-m", "300", "-d", "0", kills=[(30, "call-1")])
    _, rows = results(tmp_path)
    assert code == 98, log
    started = [row for row in rows if row["outcome"] == "answered" and row["lateness"]]
    due = [round(float(row["planned"]) * 60) for row in started]
    assert len(set(due)) == len(due), "each arrival at its own time of the plan"
    assert {each for each in range(300) if each % 3 != 1} <= set(due), "the shares of the others are not disturbed"
    missed = {each for each in range(300) if each % 3 == 1} - set(due)
    assert missed
    assert max(due) > max(missed), "the replaced worker goes on with its share"


def test_a_scenario_goes_on_too_and_each_run_has_a_row(tmp_path: Path) -> None:
    file = tmp_path / "scenario.py"
    file.write_text(
        textwrap.dedent("""
            import asyncio

            async def scenario(ua, row):
                await asyncio.sleep(0.2)
                call = await ua.invite(ua.target, media="none")
                await asyncio.sleep(0.3)
                await call.bye()
        """)
    )
    out = tmp_path / "out"
    with CountingUas() as uas:
        options = ("-r", "40", "-m", "80", "--scenario", str(file))
        code, log = run(uas, out, *options, kills=[(20, "call-2")])
        users = len(uas.users)
    summary, rows = results(out)
    assert code == 98, log
    assert len(rows) == 80
    assert summary["arrivals"]["started"] == 80
    assert {row["failure"] for row in rows} == {"", "worker_lost"}
    assert {"no_call", "answered"} <= {row["outcome"] for row in rows if row["failure"]}
    assert users <= len([row for row in rows if row["id"]])


@pytest.mark.parametrize("name", ["dispatcher", "media-0"])
def test_a_load_goes_on_without_its_dispatcher_or_media_worker(tmp_path: Path, name: str) -> None:
    with CountingUas() as uas:
        code, log = run(uas, tmp_path, "-r", "40", "-m", "100", "-d", "0.2s", kills=[(30, name)])
        users = len(uas.users)
    summary, rows = results(tmp_path)
    assert code == 98, log
    assert len(rows) == 100
    assert users == 100
    assert summary["blame"]["sut"] == 0
    assert re.search(f"{name} ended with status -9", (tmp_path / "report.html").read_text())


def test_a_call_that_is_answered_before_the_next_worker_ends_it_gets_a_bye_with_the_reason(tmp_path: Path) -> None:
    """The media worker stands still, so that the next call worker reads each 200 while it waits for its links."""
    options = ("--quiet", "--metrics", "off", "--media", "none", "--media-workers", "1", "--call-workers", "1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(0.1)
        address = f"127.0.0.1:{peer.getsockname()[1]}"
        running = Running("load", f"bob@{address}", "--out", str(tmp_path), *options, "-r", "50", "-m", "4", "-d", "5s")

        def answer(request: Request, status: int) -> None:
            extra = (("Contact", f"<sip:{address}>"),)
            response = Response.to_request(request, status, to_tag="uas", extra=extra)
            peer.sendto(response.to_bytes(), (request.via.host, request.via.port or 5060))

        def received(method: str, status: int, repeated: Iterable[Request] = ()) -> dict[str, Request]:
            """The first request of each of four calls, which is answered; a 200 is repeated until then."""
            found: dict[str, Request] = {}
            deadline = time.monotonic() + SECONDS
            while len(found) < 4:
                assert time.monotonic() < deadline, found
                try:
                    message = parse(peer.recv(65536))
                except TimeoutError:
                    for each in repeated:
                        answer(each, 200)
                    continue
                if isinstance(message, Request) and message.method == method:
                    found.setdefault(message.call_id, message)
                    answer(message, status)
            return found

        try:
            invites = received("INVITE", 180)
            stopped = pid_of(running, "media-0")
            assert stopped is not None
            os.kill(stopped, signal.SIGSTOP)
            kill(running, "call-0")
            byes = received("BYE", 200, repeated=invites.values())
            os.kill(stopped, signal.SIGCONT)
            code, log = running.end()
        finally:
            running.close()
    assert set(byes) == set(invites)
    assert {bye.headers.get("Reason") for bye in byes.values()} == {'SIP;cause=500;text="worker restarted"'}
    assert code == 98, log
    assert {row["failure"] for row in results(tmp_path)[1]} == {"worker_lost"}


@pytest.mark.slow  # a BYE is repeated for 32 s
def test_a_target_that_knows_no_reinvite_is_not_blamed_for_our_lost_media_worker(tmp_path: Path) -> None:
    """Without the death of our process no re-INVITE would have been sent."""
    options = ("-r", "20", "-m", "40", "-d", "6s", "--media", "silence", "--call-workers", "1", "--media-workers", "2")
    with CountingUas(reinvited=False) as uas:
        code, log = run(uas, tmp_path, *options, kills=[(20, "media-0")], within=3 * SECONDS)
        silenced = set(uas.silenced)
    summary, rows = results(tmp_path)
    assert code == 98, log
    assert silenced
    failed = {row["id"]: (row["failure"], row["blame"]) for row in rows if row["failure"]}
    assert summary["blame"]["sut"] == 0, failed
    assert {failed[each] for each in silenced} == {("media_lost", "generator")}


@pytest.mark.slow  # six starts of a process
def test_a_worker_that_dies_again_and_again_does_not_end_the_run(tmp_path: Path) -> None:
    """Its slot is given up; the others carry out their shares, and the verdict names the rest."""
    file = tmp_path / "scenario.py"
    file.write_text(
        textwrap.dedent("""
            import os, signal, sys

            def setup(ua):
                if os.path.exists(__file__ + ".kill") and "call-1" in open("/proc/self/cmdline").read():
                    os.kill(os.getpid(), signal.SIGKILL)

            async def scenario(ua, row):
                if "call-1" in open("/proc/self/cmdline").read():
                    open(__file__ + ".kill", "w").close()
                    os.kill(os.getpid(), signal.SIGKILL)
                call = await ua.invite(ua.target, media="none")
                await call.bye()
        """)
    )
    out = tmp_path / "out"
    with CountingUas() as uas:
        code, log = run(uas, out, "-r", "15", "-m", "60", "--scenario", str(file), kills=[])
        users = len(uas.users)
    summary, rows = results(out)
    assert code == 98, (code, log)
    assert users == 40
    assert len([row for row in rows if not row["failure"]]) == 40
    arrivals = summary["arrivals"]
    assert arrivals["started"] + arrivals["not_started"] == 60
    assert len(rows) == arrivals["started"]
