"""`--log-format json`: every line on standard error is an object, whoever wrote it."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.message.parser import parse
from tests.actors.stranger import follow_up, invite
from tests.e2e.test_command_line import WORKERS, Running

ROBOT = """
import logging, os, sys, warnings

async def robot(call):
    print("to a person")
    os.write(2, b"of a library \\x1b[2J\\n")
    warnings.warn("old")
    logging.getLogger("robot").error("odd %s", "a\\nb", extra={"attempt": 2})
    raise ValueError("of this call")
"""


def entries(text: str) -> list[dict[str, Any]]:
    """The objects; every line must be one."""
    found = [json.loads(line) for line in text.splitlines()]
    assert all(list(each) == ["time", "level", "process", "event", "fields"] for each in found)
    assert all(each["time"].endswith("Z") for each in found)
    return found


def test_lines_of_every_process_and_of_other_code_are_objects(tmp_path: Path) -> None:
    (tmp_path / "robot.py").write_text(ROBOT)
    listen = ["--listen", "udp:127.0.0.1:0", "--metrics", "off", "--log-format", "json", *WORKERS]
    running = Running("robot", str(tmp_path / "robot.py"), *listen)
    try:
        port = int(running.line().rpartition(":")[2])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
            phone.bind(("127.0.0.1", 0))
            phone.settimeout(20)
            first = invite(1, *phone.getsockname())
            phone.sendto(first, ("127.0.0.1", port))
            answer = parse(phone.recv(65536))
            while not isinstance(answer, Response) or answer.status < 200:
                answer = parse(phone.recv(65536))
            assert answer.status == 500
            phone.sendto(follow_up("ACK", first, answer), ("127.0.0.1", port))
        assert running.line() == "to a person"
        code, errors = running.end(signal.SIGTERM)
    finally:
        running.close()
    assert code == 0
    found = entries(errors)
    by_event = {each["event"]: each for each in found}
    assert by_event["of a library \\x1b[2J"]["level"] == "output"
    assert by_event["of a library \\x1b[2J"]["process"] == "call-0"
    assert by_event["odd a\\x0ab"]["fields"] == {"attempt": 2}
    assert any(each["level"] == "warning" and "UserWarning: old" in each["event"] for each in found)
    (failed,) = [each for each in found if "traceback" in each["fields"]]
    assert failed["fields"]["traceback"][-1] == "ValueError: of this call"
    assert (failed["process"], failed["level"]) == ("call-0", "error")
    assert {"calls", "live"} <= by_event["progress"]["fields"].keys()
    assert by_event["progress"]["process"] == "sipswarm"


def test_an_error_of_usage_is_an_object_too(tmp_path: Path) -> None:
    arguments = ["robot", str(tmp_path / "none.py"), "--log-format", "json"]
    done = subprocess.run(
        [sys.executable, "-m", "sipswarm.actors.cli", *arguments], capture_output=True, text=True, timeout=60
    )
    (entry,) = entries(done.stderr)
    assert done.returncode == 2
    assert (entry["level"], entry["process"]) == ("error", "sipswarm")
    assert "none.py" in entry["event"]
