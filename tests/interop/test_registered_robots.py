"""`sipswarm robot` that keeps the users of a list registered with kamailio: paced, challenged, reloaded, removed."""

import signal
import time
from pathlib import Path

from .conftest import Start
from .kamailio import Registrar
from .node import NodeRun, Side
from .processes import free_port, own_host, wait_until
from .wire_totals import Comparison

ROBOT = """
async def robot(call):
    await call.answer()
    await call.over()


def setup(ua):
    ua.register_rate = RATE
    for row in ua.rows("users.csv"):
        user, password = row["user"], row["password"]
        ua.keep_registered(f"sip:{user}@registrar.test", registrar="REGISTRAR", auth=(user, password))
"""


def write(folder: Path, registrar: Registrar, users: list[str], rate: int = 100, password: str = "PASSWORD-") -> None:
    lines = ["user,password", *(f"{user},{password}{user}" for user in users)]
    (folder / "users.csv").write_text("\n".join(lines) + "\n")
    (folder / "robot.py").write_text(ROBOT.replace("REGISTRAR", registrar.address).replace("RATE", str(rate)))


def started(folder: Path, start: Start) -> tuple[NodeRun, Side]:
    host = own_host()
    port = free_port(host)
    listen = ["--listen", f"udp:{host}:{port}", "--call-workers", "2", "--media-workers", "1"]
    node = start(NodeRun(folder, "robot", [str(folder / "robot.py"), *listen]))
    node.ready()
    return node, Side(host, port)


def test_200_users_of_a_list_are_registered_at_a_pace_reloaded_and_removed(
    tmp_path: Path, start: Start, captured: Comparison
) -> None:
    registrar = start(Registrar(tmp_path))
    registrar.ready()
    users = [f"user{number}" for number in range(200)]
    write(tmp_path, registrar, users, rate=80)
    begun = time.monotonic()
    node, side = started(tmp_path, start)
    wait_until(lambda: registrar.users() == 200, 30, lambda: f"{registrar.users()} users\n{node.program.account()}")
    took = time.monotonic() - begun
    assert took >= 200 / 80 - 0.5, f"{took:.1f} s are too few for 80 a second"
    metrics = node.counted("sipswarm_registrations_total", 200)
    assert metrics.total("sipswarm_registrations_active") == 200
    assert metrics.total("sipswarm_registrations_total", result="ok") == 200
    assert metrics.total("sipswarm_registrations_total") == 200
    assert metrics.total("sipswarm_registration_delay_seconds_count", result="ok") == 200
    assert metrics.total("sipswarm_actors_active", kind="registration") == 200
    sent = metrics.total("sipswarm_sip_requests_total", direction="sent", method="REGISTER")
    again = metrics.total("sipswarm_sip_retransmissions_total", direction="sent", method="REGISTER")
    assert sent - again == 400  # challenged once

    # Two of the list go, three are new, the others are left alone.
    write(tmp_path, registrar, [*users[2:], "new1", "new2", "new3"])
    node.program.signal(signal.SIGHUP)
    wait_until(lambda: registrar.users() == 201, 15, lambda: f"{registrar.users()} users\n{node.program.account()}")
    metrics = node.counted("sipswarm_registrations_total", 203)
    wait_until(lambda: node.metrics().total("sipswarm_registrations_active") == 201, 5, lambda: node.program.account())
    assert metrics.total("sipswarm_registrations_total") == 203

    # A list that cannot be read changes nothing.
    (tmp_path / "users.csv").write_text("user,password\none field\n")
    node.program.signal(signal.SIGHUP)
    wait_until(lambda: "the old robot stays" in node.program.account(), 10, node.program.account)
    assert "users.csv:2: 1 fields, but there are 2 columns" in node.program.account()
    assert registrar.users() == 201

    captured.equals_metrics(node, side)
    node.program.signal(signal.SIGTERM)
    assert node.program.wait(20) == 0, node.program.account()
    assert registrar.users() == 0


def test_a_wrong_password_is_counted_and_tried_again_later_not_at_once(
    tmp_path: Path, start: Start, captured: Comparison
) -> None:
    registrar = start(Registrar(tmp_path))
    registrar.ready()
    write(tmp_path, registrar, ["alice", "bob"], password="wrong-")
    node, side = started(tmp_path, start)
    metrics = node.counted("sipswarm_registrations_total", 2)
    assert metrics.total("sipswarm_registrations_total", result="challenged_twice") == 2
    assert metrics.total("sipswarm_registrations_active") == 0
    assert registrar.users() == 0
    wait_until(lambda: "registrations fail, the last one" in node.program.account(), 10, node.program.account)
    sent = metrics.total("sipswarm_sip_requests_total", direction="sent", method="REGISTER")
    time.sleep(2)
    assert node.metrics().total("sipswarm_sip_requests_total", direction="sent", method="REGISTER") == sent
    captured.equals_metrics(node, side)
