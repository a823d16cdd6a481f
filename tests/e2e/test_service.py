"""A node as a service: what the service manager hears and what /healthz says while processes die and files change."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.supervisor.restart_policy import BUDGETS
from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.message.parser import parse
from tests.actors.host.test_systemd import Manager
from tests.e2e.test_command_line import SECONDS, WORKERS, Running, scraped
from tests.interop.processes import descendants

ROBOT = """
import pathlib, time

while pathlib.Path({held!r}).exists():  # a worker that starts waits here
    time.sleep(0.01)

async def robot(call):
    await call.answer()
    await call.over()

def setup(ua):
    {body}
"""


def health(url: str) -> tuple[int, dict[str, Any]]:
    """The answer of /healthz: its code and its body."""
    try:
        with urllib.request.urlopen(url.replace("/metrics", "/healthz"), timeout=SECONDS) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def until_heard(manager: Manager, heard: list[str], wanted: str) -> None:
    """Wait for a message; what came is appended to `heard`."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and not any(wanted in each for each in heard):
        heard += manager.heard()
        time.sleep(0.02)
    assert any(wanted in each for each in heard), (wanted, heard)


def child_called(name: str, pid: int) -> int:
    """The child of this node that `ps` shows under this name."""
    return next(
        child
        for child in descendants(pid)
        if Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[-2] == name.encode()
    )


@pytest.fixture
def manager(tmp_path: Path) -> Manager:
    return Manager(str(tmp_path / "notify"))


def test_systemd_hears_each_step_and_the_watchdog_only_while_all_is_well(
    tmp_path: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    file = tmp_path / "robot.py"
    held = tmp_path / "held"
    file.write_text(ROBOT.format(held=str(held), body="pass"))
    running = Running("robot", str(file), "--listen", "udp:127.0.0.1:0", "--metrics", "0", *WORKERS)
    try:
        heard: list[str] = []
        until_heard(manager, heard, "WATCHDOG=1")
        assert heard[0] == "READY=1"
        assert "STATUS=taking calls; 0 calls" in heard
        assert running.line().startswith("listening on ")
        url = running.line().removeprefix("metrics on ")
        deadline = time.monotonic() + SECONDS
        while len(health(url)[1]["processes"]) < 4 and time.monotonic() < deadline:
            time.sleep(0.05)
        code, body = health(url)
        assert (code, body["status"]) == (200, "healthy")
        assert set(body["processes"]) == {"supervisor", "dispatcher", "call-0", "media-0"}

        # One process is gone: no sign of life until its replacement beats.
        held.touch()
        heard = []
        os.kill(child_called("call-0", running.process.pid), signal.SIGKILL)
        until_heard(manager, heard, "STATUS=restarting call-0")
        after = heard[heard.index(next(each for each in heard if each.startswith("STATUS=restarting "))) :]
        code, body = health(url)
        assert (code, body["status"]) == (503, "degraded")
        assert [name for name, state in body["processes"].items() if state == "down"] == ["call-0"]
        held.unlink()
        until_heard(manager, after, "STATUS=taking calls")
        assert "WATCHDOG=1" not in after[: next(i for i, each in enumerate(after) if "taking calls" in each)]
        until_heard(manager, after, "WATCHDOG=1")

        # A reload that is taken, and one that is not: both come to their end, and the status tells.
        for body_text, problem in (("pass", ""), ("raise ValueError('no list')", "; setup() of ")):
            file.write_text(ROBOT.format(held=str(held), body=body_text))
            running.process.send_signal(signal.SIGHUP)
            heard = []
            until_heard(manager, heard, "READY=1")
            order = [each.partition("\n")[0] for each in heard if each.startswith(("RELOADING", "READY"))]
            assert order == ["RELOADING=1", "READY=1"]
            if problem:
                until_heard(manager, heard, f"STATUS=taking calls; 0 calls{problem}")
        heard = []
        code, errors = running.end(signal.SIGTERM)
        assert code == 0, errors
        assert "ValueError: no list" in errors
        assert "STOPPING=1" in manager.heard()
    finally:
        running.close()
        manager.close()


DRAINING = """
async def robot(call):
    await call.answer()
    await call.over()
"""


def test_healthz_says_draining_while_a_call_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "robot.py").write_text(DRAINING)
    robot = str(tmp_path / "robot.py")
    running = Running("robot", robot, "--listen", "udp:127.0.0.1:0", "--metrics", "0", "--drain", "30s", *WORKERS)
    try:
        address = running.line().removeprefix("listening on udp:")
        url = running.line().removeprefix("metrics on ")
        call = subprocess.Popen(
            [sys.executable, "-m", "sipswarm.actors.cli", "call", address, "-d", "6s"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + SECONDS
        while health(url)[1]["live_calls"] != 1 and time.monotonic() < deadline:
            time.sleep(0.05)
        running.process.send_signal(signal.SIGTERM)
        while health(url)[1]["status"] != "draining" and time.monotonic() < deadline:
            time.sleep(0.05)
        code, body = health(url)
        assert (code, body["status"], body["live_calls"]) == (503, "draining", 1)
        assert call.wait(SECONDS) == 0
        assert running.end()[0] == 0
    finally:
        running.close()


RESTARTS = BUDGETS["call"].deaths
MORTAL = """
import os
from pathlib import Path

async def robot(call):
    call.reject(486)

def setup(ua):
    if Path("/proc/self/cmdline").read_text().endswith("call-1\\0") and os.path.exists("{flag}"):
        os._exit(5)
"""


def final_of(address: str, call_id: str) -> Response:
    """The final response to an INVITE without an offer; nobody acknowledges it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(SECONDS)
        host, port = peer.getsockname()
        invite = (
            f"INVITE sip:robot@{address} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{call_id}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:a@{host}>;tag=1\r\nTo: <sip:robot@{address}>\r\nCall-ID: {call_id}\r\n"
            f"CSeq: 1 INVITE\r\nContact: <sip:a@{host}:{port}>\r\nContent-Length: 0\r\n\r\n"
        )
        target, _, number = address.partition(":")
        peer.sendto(invite.encode(), (target, int(number)))
        while True:
            response = parse(peer.recv(65536))
            assert isinstance(response, Response)
            if response.status >= 200:
                return response


def test_a_worker_that_dies_at_every_start_is_put_into_quarantine_and_the_others_go_on(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    (tmp_path / "robot.py").write_text(MORTAL.format(flag=flag))
    workers = ["--call-workers", "2", "--media-workers", "1"]
    robot = str(tmp_path / "robot.py")
    running = Running("robot", robot, "--listen", "udp:127.0.0.1:0", "--metrics", "0", "--drain", "0s", *workers)
    try:
        address = running.line().removeprefix("listening on udp:")
        url = running.line().removeprefix("metrics on ")
        deadline = time.monotonic() + SECONDS
        while len(health(url)[1]["processes"]) < 5 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert health(url)[1]["status"] == "healthy"
        dispatcher = child_called("dispatcher", running.process.pid)
        flag.touch()
        running.process.send_signal(signal.SIGHUP)
        restarts = ("sipswarm_process_restarts_total", "call", "crash")
        deadline = time.monotonic() + SECONDS
        while scraped(url)[restarts] < RESTARTS + 1 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert scraped(url)[restarts] == RESTARTS + 1
        code, body = health(url)
        assert (code, body["status"], body["processes"]["call-1"]) == (503, "degraded", "given up")

        finals = [final_of(address, f"call-{number}") for number in range(8)]
        assert {response.status for response in finals} == {486, 503}
        assert all(response.headers.get("Retry-After") for response in finals if response.status == 503)
        refused = ("sipswarm_sip_refused_total", "quarantined")
        deadline = time.monotonic() + SECONDS
        while scraped(url)[refused] < sum(response.status == 503 for response in finals):
            assert time.monotonic() < deadline, "it counts what it refuses"
            time.sleep(0.2)
        assert scraped(url)[refused] == sum(response.status == 503 for response in finals)

        # A new dispatcher takes calls all the same: it does not wait for the worker that never comes.
        os.kill(dispatcher, signal.SIGKILL)
        assert {final_of(address, f"again-{number}").status for number in range(8)} == {486, 503}
        code, errors = running.end(signal.SIGTERM)
        assert code == 1, errors
        assert "call-1 died 6 times in 30 s and is not started again" in errors
    finally:
        running.close()
