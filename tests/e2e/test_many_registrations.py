"""Many users of a robot at our own registrar: all are challenged, none is lost, and a few are removed at the end."""

import signal
import time
from pathlib import Path

import pytest

from .servers import Server, serving
from .test_command_line import WORKERS, Running

FEW = 400
ROBOT = """
async def robot(call):
    await call.answer()
    await call.over()


def setup(ua):
    ua.register_rate = 200
    for row in ua.rows("users.csv"):
        user, password = row["user"], row["password"]
        ua.keep_registered(f"sip:{user}@example.org", registrar="sip:127.0.0.1:PORT", auth=(user, password))
"""


def wait_for(server: Server, bindings: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while server.metric("sipswarm_registrar_bindings") != bindings:
        assert time.monotonic() < deadline, server.metric("sipswarm_registrar_bindings")
        time.sleep(0.2)


@pytest.mark.parametrize("number", [FEW, pytest.param(10_000, marks=(pytest.mark.slow, pytest.mark.timeout(600)))])
def test_all_users_of_a_robot_are_bound_after_a_challenge_and_a_few_are_removed_at_its_end(
    tmp_path: Path, number: int
) -> None:
    users = tmp_path / "users.csv"
    users.write_text("".join(["user,password\n", *(f"user{each},secret{each}\n" for each in range(number))]))
    arguments = ["--users", str(users), "--realm", "example.org", "--file", str(tmp_path / "bindings")]
    with serving("registrar", "--listen", "udp:127.0.0.1:0", *arguments) as server:
        file = tmp_path / "robot.py"
        file.write_text(ROBOT.replace("PORT", str(server.ports["udp"])))
        running = Running("robot", str(file), "--listen", "udp:127.0.0.1:0", "--metrics", "off", *WORKERS)
        try:
            running.line()
            wait_for(server, number, 60 + number / 50)
            registers = ("sipswarm_out_of_dialog_requests_total", 'method="REGISTER"')
            assert server.metric(*registers, 'code="200"') == number
            assert server.metric(*registers, 'code="401"') == number
            assert server.metric(*registers) == 2 * number
            assert len((tmp_path / "bindings").read_text().splitlines()) > number
            code, errors = running.end(signal.SIGTERM, within=60 + number / 40)
            assert code == 0, errors
        finally:
            running.close()
        if number == FEW:  # a robot sends all its removals within 3 s, which are too few for 10,000 on a small machine
            wait_for(server, 0, 60)
        assert server.running.end(signal.SIGTERM)[0] == 0
