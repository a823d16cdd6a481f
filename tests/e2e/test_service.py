"""A fleet as a service: what the service manager hears and what /healthz says while processes die and files change."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.actors.test_systemd import Manager
from tests.e2e.test_command_line import SECONDS, WORKERS, Running
from tests.interop.processes import descendants

ROBOT = "async def robot(call):\n    await call.answer()\n    await call.over()\n\ndef setup(ua):\n    {body}\n"


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


@pytest.fixture
def manager(tmp_path: Path) -> Manager:
    return Manager(str(tmp_path / "notify"))


def test_systemd_hears_each_step_and_the_watchdog_only_while_all_is_well(
    tmp_path: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    file = tmp_path / "robot.py"
    file.write_text(ROBOT.format(body="pass"))
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
        os.kill(min(descendants(running.process.pid)), signal.SIGKILL)
        heard = []
        until_heard(manager, heard, "STATUS=restarting ")
        after = heard[heard.index(next(each for each in heard if each.startswith("STATUS=restarting "))) :]
        code, body = health(url)
        assert (code, body["status"]) == (503, "degraded")
        assert list(body["processes"].values()).count("down") == 1
        until_heard(manager, after, "STATUS=taking calls")
        assert "WATCHDOG=1" not in after[: next(i for i, each in enumerate(after) if "taking calls" in each)]
        until_heard(manager, after, "WATCHDOG=1")

        # A reload that is taken, and one that is not: both come to their end, and the status tells.
        for body_text, problem in (("pass", ""), ("raise ValueError('no list')", "; setup() of ")):
            file.write_text(ROBOT.format(body=body_text))
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
            [sys.executable, "-m", "actors.cli", "call", address, "-d", "3s"],
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
