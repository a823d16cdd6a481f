"""What a registrar begins with: the bindings of its file, of its users of now, for no longer than is granted now."""

import asyncio
import time
from pathlib import Path

from sipswarm.actors.config import ServerConfig
from sipswarm.actors.robots.binding_file import BindingFile, read
from sipswarm.actors.robots.domains import Domains
from sipswarm.actors.robots.registrar import RegistrarRobot
from sipswarm.sipcore.message.fields import NameAddr
from sipswarm.sipcore.server.location import Binding, LocationStore
from tests.actors.workers import worker_of
from tests.e2e.agents import agent


def test_a_start_keeps_no_binding_of_who_is_no_user_any_more_and_none_for_longer_than_is_granted(
    tmp_path: Path,
) -> None:
    kept, users = tmp_path / "bindings", tmp_path / "users.csv"
    file = BindingFile(str(kept), lambda: 0.0, time.time)
    before = LocationStore(changed=file.note)
    file.restore(before)
    for user in ("alice", "bob"):
        before.replace(
            f"{user}@example.org", [Binding(NameAddr.parse(f"<sip:{user}@192.0.2.1>"), 7200.0, "one-call", 1)]
        )
    file.close()
    users.write_text("user,password\nalice,secret\n")
    config = ServerConfig(registrar=True, realm="example.org", users=str(users), expires=(60, 300, 300))

    async def main() -> None:
        async with agent("sip:us@127.0.0.1") as us:
            worker = worker_of(us)
            robot = RegistrarRobot(
                config,
                Domains(config, lambda host: False, [5060]),
                worker.arrivals,
                lambda: 5.0,
                kept=str(kept),
                bindings=worker.totals.cell("sipswarm_registrar_bindings"),
            )
            assert robot.store.addresses == ("alice@example.org",)
            assert [each.remaining(5.0) for each in robot.store.in_order("alice@example.org", 5.0)] == [300]

    asyncio.run(main())
    assert not read(str(kept)).get("bob@example.org")
