"""Many users of a robot and of a load at our own registrar: all are challenged, none is lost, and they are removed."""

import signal
import time
from pathlib import Path

import pytest

from sipswarm.actors.robots.binding_file import read

from .servers import Server, serving
from .test_command_line import WORKERS, Running, summary_of

FEW = 400
REALM = ["--realm", "example.org"]
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
def test_all_users_of_a_robot_are_bound_after_a_challenge_and_removed_at_its_end(tmp_path: Path, number: int) -> None:
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
        if number == FEW:
            wait_for(server, 0, 5)
        else:  # a busy machine does not remove all of them within the time of an end
            assert server.metric("sipswarm_registrar_bindings") < number / 2
        assert server.running.end(signal.SIGTERM)[0] == 0


@pytest.mark.parametrize(
    ("number", "rate", "hold", "longest"),
    [
        (300, 100, 12.0, 6),
        pytest.param(10_000, 200, 120.0, 120, marks=(pytest.mark.slow, pytest.mark.timeout(600))),
    ],
)
def test_a_load_has_all_users_bound_and_refreshed_and_removes_them(
    tmp_path: Path, number: int, rate: int, hold: float, longest: int
) -> None:
    """The registrar counts: each user is challenged, bound, refreshed before its time is over, and removed.

    longest: seconds that the registrar grants at most, less than the hold.
    """
    users, rows = tmp_path / "users.csv", tmp_path / "rows.csv"
    users.write_text("".join(["user,password\n", *(f"user{each},secret{each}\n" for each in range(number))]))
    named = (f"sip:user{each}@example.org,user{each},secret{each}\n" for each in range(number))
    rows.write_text("".join(["from,user,password\n", *named]))
    bindings = str(tmp_path / "bindings")
    kept = ["--expires", f"1s:{longest}s:{longest}s", "--file", bindings]
    registers = ("sipswarm_out_of_dialog_requests_total", 'method="REGISTER"')
    with serving("registrar", "--listen", "udp:127.0.0.1:0", "--users", str(users), *REALM, *kept) as server:
        target = f"sip:127.0.0.1:{server.ports['udp']}"
        plan = ["--method", "register", "-r", str(rate), "-m", str(number), "-d", f"{hold:g}s", "--data", str(rows)]
        files = ["--out", str(tmp_path / "out"), "--quiet", "--metrics", "off"]
        running = Running("load", target, *plan, *files, *WORKERS)
        try:
            wait_for(server, number, 60 + number / rate)
            assert sum(map(bool, read(bindings).values())) == number
            code, errors = running.end(within=60 + hold + number / rate)
        finally:
            running.close()
        wait_for(server, 0, 30)
        answered, challenged = (server.metric(*registers, f'code="{each}"') for each in (200, 401))
        others = server.metric(*registers, 'direction="received"') - answered - challenged
        assert server.running.end(signal.SIGTERM)[0] == 0
    summary = summary_of(tmp_path / "out")
    assert code in ((0, 98) if number < 1000 else (0,)), f"{errors}\n{summary}"
    calls = summary["calls"]
    assert calls["attempted"] == calls["answered"] == calls["completed"] == number
    assert calls["codes"] == {"200": number}
    assert answered >= 3 * number, "the first REGISTER, a refresh at least, and the removal"
    assert challenged >= number
    assert others == 0
    assert not any(read(bindings).values())
    assert summary["generator"]["healthy"] or code == 98
