"""Users' files in real processes: robots with reload and set-up, scenarios with rows, and how they are judged."""

import csv
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipswarm.actors.cli import main
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from tests.e2e.test_command_line import SECONDS, WORKERS, Running, scraped, summary_of, was

ROBOT = """
async def {name}(call):
    await call.answer()
    await call.dtmf("{digit}")
    await call.over()

async def setup(ua):
    ua.every(0.05, lambda: open("{log}", "a").write("tick\\n"))
    granted = await ua.another("sip:nobody@127.0.0.1", registrar="sip:127.0.0.1:9").register(contact="<sip:a@b>")
    open("{log}", "a").write(f"granted {granted}\\n")
"""
SCENARIO = """
import asyncio

async def scenario(ua, row):
    what = row["what"]
    if what == "nothing":
        return
    if what == "broken":
        return {}["no such key"]
    call = await ua.invite(ua.target)
    digits = await call.digits(1, timeout=5.0)
    assert digits == row["digit"], "the digit is right"
    if what == "twice":
        await (await ua.invite(ua.target, media="echo")).bye()
    if what == "stays":
        return  # the call is hung up
    await call.bye()
    assert what != "late", "what comes after the call counts too"

async def refused(ua, row):
    await ua.invite(ua.target)

async def expects_refusal(ua, row):
    try:
        await ua.invite(ua.target)
    except Exception as error:
        assert error.status == 486
    else:
        assert False, "486 was due"

async def sleeps(ua, row):
    call = await ua.invite(ua.target)
    await call.bye()
    await asyncio.sleep(3600)
"""


def fill(file: Path, log: Path, name: str = "robot", digit: str = "7", setup: str = "") -> None:
    """Write a robot; setup: what its `setup` does in place of registering with nobody."""
    text = ROBOT.replace("{name}", name).replace("{digit}", digit).replace("{log}", str(log))
    file.write_text(text.partition("async def setup")[0] + f"def setup(ua):\n    {setup}\n" if setup else text)


@pytest.fixture
def robot(tmp_path: Path) -> Iterator[tuple[Running, str, str]]:
    """`sipswarm robot` whose robot sends a 7; its address and its metrics' URL."""
    fill(tmp_path / "robot.py", tmp_path / "log")
    listen = ["--listen", "udp:127.0.0.1:0", "--metrics", "0", "--call-workers", "2", "--media-workers", "1"]
    running = Running("robot", f"{tmp_path / 'robot.py'}:robot", *listen)
    try:
        yield running, running.line().removeprefix("listening on udp:"), running.line().removeprefix("metrics on ")
    finally:
        running.close()


def load(address: str, tmp_path: Path, *more: str) -> tuple[int, list[dict[str, str]]]:
    """Run a load with a scenario; its exit code and its calls."""
    out = tmp_path / "out"
    code = main(["load", address, "-r", "20", "--out", str(out), "--quiet", *WORKERS, *more])
    with (out / "calls.csv").open(newline="") as file:
        return code, list(csv.DictReader(file))


def errors_until(running: Running, text: str, count: int) -> str:
    """What a process writes on standard error until a text is there `count` times; it is killed if that never comes."""
    stderr, written = running.process.stderr, ""
    assert stderr is not None
    with_bound = threading.Timer(SECONDS, running.process.kill)
    with_bound.start()
    try:
        while written.count(text) < count:
            line = stderr.readline()
            assert line, f"{text!r} did not come {count} times: {written}"
            written += line
    finally:
        with_bound.cancel()
    return written


def scenario_of(tmp_path: Path, rows: str) -> list[str]:
    (tmp_path / "scenario.py").write_text(SCENARIO)
    (tmp_path / "rows.csv").write_text(rows)
    return ["--scenario", str(tmp_path / "scenario.py"), "-inf", str(tmp_path / "rows.csv")]


def test_a_scenario_is_judged_by_what_leaves_it(robot: tuple[Running, str, str], tmp_path: Path) -> None:
    rows = "what,digit\nfine,7\nfine,8\ntwice,7\nstays,7\nlate,7\nnothing,7\nbroken,7\n"
    code, calls = load(robot[1], tmp_path, *scenario_of(tmp_path, rows), "-m", "7")
    assert was(code, 107)  # a broken scenario comes before what it says of the other side
    failures = sorted(call["failure"] for call in calls if call["failure"])
    assert failures == [
        "scenario_error",
        "the digit is right",
        "what comes after the call counts too",
    ]
    assert len(calls) == 8
    assert {call["scenario"] for call in calls} == {"scenario"}
    assert sum(call["outcome"] == "answered" for call in calls) == 6
    assert [call["failure"] for call in calls if call["outcome"] == "no_call"] == ["", "scenario_error"]
    summary = summary_of(tmp_path / "out")
    assert summary["calls"]["failed"] == 3
    assert summary["blame"] == {"sut": 2, "generator": 0, "plan": 1}
    assert "the digit is right" in (tmp_path / "out" / "junit.xml").read_text()
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        samples = scraped(robot[2])
        if samples.get(("sipswarm_call_attempts_total", "uas", "robot")) == 6:
            break
        time.sleep(0.2)
    assert samples["sipswarm_call_attempts_total", "uas", "robot"] == 6


def test_a_run_whose_scenario_places_no_call_has_passed(tmp_path: Path) -> None:
    rows = "what,digit\nnothing,7\nnothing,7\n"
    code, calls = load("127.0.0.1:9", tmp_path, *scenario_of(tmp_path, rows), "-m", "4")
    assert was(code, 0)
    assert [(call["outcome"], call["failure"]) for call in calls] == [("no_call", "")] * 4
    calls_of = summary_of(tmp_path / "out")["calls"]
    assert (calls_of["outcomes"], calls_of["failed"]) == ({"no_call": 4}, 0)


def test_rows_of_sipps_form_come_with_their_numbers_and_empty_fields(tmp_path: Path) -> None:
    log = tmp_path / "log"
    text = f"async def scenario(ua, row):\n    open({str(log)!r}, 'a').write(f'{{row.field(0)}}|{{row.field(1)}}\\n')\n"
    (tmp_path / "scenario.py").write_text(text)
    (tmp_path / "rows.csv").write_text("SEQUENTIAL,PRINTF=4,PRINTFOFFSET=10,PRINTFMULTIPLE=2\nuser%04d;x\nother%d;\n")
    files = ["--scenario", str(tmp_path / "scenario.py"), "-inf", str(tmp_path / "rows.csv")]
    code, _ = load("127.0.0.1:9", tmp_path, *files, "-m", "5")
    assert was(code, 0)
    assert sorted(log.read_text().split()) == ["other12|", "other16|", "user0010|x", "user0010|x", "user0014|x"]


def test_setup_runs_in_each_worker_timers_in_the_first_and_registrations_in_their_owner(
    robot: tuple[Running, str, str], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    deadline = time.monotonic() + SECONDS
    text = ""
    while time.monotonic() < deadline and not (text.count("tick") >= 3 and "granted" in text):
        time.sleep(0.05)
        text = log.read_text() if log.exists() else ""
    assert text.count("tick") >= 3
    assert text.count("granted 0") == 1  # the worker that does not own the address; the owner waits for the registrar


def test_sighup_reads_the_robot_again_and_a_bad_file_or_list_keeps_the_old(
    robot: tuple[Running, str, str], tmp_path: Path
) -> None:
    running, address, _ = robot
    ran = tmp_path / "ran"
    fill(tmp_path / "robot.py", tmp_path / "log", digit="8", setup=f"open({str(ran)!r}, 'a').write('8')")
    running.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + SECONDS
    while not ran.exists() or ran.read_text() != "88":  # both call workers have read it
        assert time.monotonic() < deadline, "the robot was not read again"
        time.sleep(0.05)
    (tmp_path / "robot.py").write_text("this is no robot\n")
    running.process.send_signal(signal.SIGHUP)
    errors = errors_until(running, "invalid syntax; the old robot stays", 2)
    fill(tmp_path / "robot.py", tmp_path / "log", digit="9", setup="ua.rows('no such list.csv')")
    running.process.send_signal(signal.SIGHUP)
    errors += errors_until(running, "no such list.csv: No such file or directory; give a CSV file", 2)
    more = scenario_of(tmp_path, "what,digit\nfine,8\n")
    assert [call["failure"] for call in load(address, tmp_path, *more, "-m", "2")[1]] == ["", ""]
    code, more_errors = running.end(signal.SIGTERM)
    assert code == 0
    assert "Traceback" not in errors + more_errors


def test_a_refusal_fails_a_scenario_that_does_not_expect_it_and_passes_one_that_does(tmp_path: Path) -> None:
    running = Running("answer", "--listen", "udp:127.0.0.1:0", "--metrics", "off", "--status", "486", *WORKERS)
    try:
        address = running.line().removeprefix("listening on udp:")
        (tmp_path / "scenario.py").write_text(SCENARIO)
        file = str(tmp_path / "scenario.py")
        code, calls = load(address, tmp_path, "--scenario", f"{file}:refused", "-m", "2")
        assert was(code, 1)
        assert [call["failure"] for call in calls] == ["code", "code"]
        code, calls = load(address, tmp_path, "--scenario", f"{file}:expects_refusal", "-m", "2")
        assert was(code, 0)
        assert [(call["outcome"], call["failure"]) for call in calls] == [("busy", "")] * 2
    finally:
        running.close()


def test_a_drain_ends_scenarios_that_hold_no_call(robot: tuple[Running, str, str], tmp_path: Path) -> None:
    (tmp_path / "scenario.py").write_text(SCENARIO)
    out = tmp_path / "out"
    arguments = ["-m", "3", "-r", "20", "--out", str(out), "--drain", "1s", "--metrics", "0", *WORKERS]
    running = Running("load", robot[1], "--scenario", f"{tmp_path / 'scenario.py'}:sleeps", *arguments)
    try:
        url = running.line().removeprefix("metrics on ")
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            if scraped(url).get(("sipswarm_call_attempts_total", "uac", "sleeps"), 0) >= 3:
                break
            time.sleep(0.2)
        code, errors = running.end(signal.SIGUSR1)
    finally:
        running.close()
    assert was(code, 107), errors
    with (out / "calls.csv").open(newline="") as file:
        assert [row["failure"] for row in csv.DictReader(file)] == ["drained"] * 3


@pytest.mark.parametrize(
    ("text", "rows", "said"),
    [
        ("async def scenario(ua, row):\n  x = = 1\n", "a\n1\n", "scenario.py:2: invalid syntax"),
        ("import nowhere_at_all\n", "a\n1\n", "scenario.py:1: ModuleNotFoundError"),
        ("x = 1\n", "a\n1\n", "there is no 'async def scenario' in it"),
        (SCENARIO, "a,b\n1\n", "rows.csv:2: 1 fields, but there are 2 columns"),
    ],
)
def test_a_bad_scenario_or_row_is_one_line_and_2(
    tmp_path: Path, text: str, rows: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    more = scenario_of(tmp_path, rows)
    (tmp_path / "scenario.py").write_text(text)
    assert main(["load", "127.0.0.1", "-m", "1", *more, "--out", str(tmp_path / "out")]) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_process_that_crashes_while_starting_is_1(tmp_path: Path) -> None:
    file = tmp_path / "robot.py"
    file.write_text(
        "import os, sys\nif 'sipswarm.actors.process' in sys.orig_argv:\n    os._exit(5)\nasync def robot(call): pass\n"
    )
    running = Running("robot", str(file), "--listen", "udp:127.0.0.1:0", "--metrics", "off", *WORKERS)
    try:
        code, errors = running.end()
    finally:
        running.close()
    assert code == 1, errors
    assert "call-0 ended with status 5 while starting" in errors


def test_calls_that_a_drain_could_not_close_have_their_row(tmp_path: Path) -> None:
    """A peer that answers every INVITE and never a BYE."""
    out = tmp_path / "out"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(0.2)
        done = threading.Event()
        acknowledged: set[str] = set()
        thread = threading.Thread(target=answer_invites, args=(peer, done, acknowledged))
        thread.start()
        arguments = ["-m", "3", "-r", "20", "-d", "60s", "--drain", "0s", "--metrics", "0", "--out", str(out)]
        running = Running("load", f"127.0.0.1:{peer.getsockname()[1]}", *arguments, *WORKERS)
        try:
            deadline = time.monotonic() + SECONDS
            while time.monotonic() < deadline and len(acknowledged) < 3:
                time.sleep(0.05)
            code, errors = running.end(signal.SIGINT)
        finally:
            running.close()
            done.set()
            thread.join()
    assert code == 105, errors
    with (out / "calls.csv").open(newline="") as file:
        assert [row["outcome"] for row in csv.DictReader(file)] == ["answered"] * 3
    assert "supervisor" in {each["name"] for each in summary_of(out)["processes"]}


def answer_invites(peer: socket.socket, done: threading.Event, acknowledged: set[str]) -> None:
    """200 to every INVITE, nothing to anything else; acknowledged: the Call-IDs of which an ACK came."""
    host, port = peer.getsockname()
    body = f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n".encode()
    while not done.is_set():
        try:
            data, source = peer.recvfrom(65536)
        except TimeoutError:
            continue
        request = parse(data)
        if isinstance(request, Request) and request.method == "ACK":
            acknowledged.add(request.call_id)
        if isinstance(request, Request) and request.method == "INVITE":
            contact = (("Contact", f"<sip:{host}:{port}>"),)
            answer = Response.to_request(
                request, 200, to_tag="peer", extra=contact, body=body, content_type="application/sdp"
            )
            peer.sendto(answer.to_bytes(), source)
