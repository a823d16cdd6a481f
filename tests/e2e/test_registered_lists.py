"""Lists of users that a robot keeps registered, against a registrar made of sipcore: pace, changes, faults."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.agent.bound_node import BoundNode
from sipswarm.actors.agent.placing import Placing
from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.call_worker.agent_parts import AgentParts
from sipswarm.actors.errors import CallRejected, ConfigurationError
from sipswarm.actors.registration.keeper import MAX_BINDINGS, Binding
from sipswarm.actors.registration.metrics import result_of
from sipswarm.actors.robots.agent import RobotAgent
from sipswarm.actors.robots.agents import Agents
from sipswarm.actors.robots.setup_run import Arrangement
from sipswarm.actors.scripts import user_file
from sipswarm.actors.transport.names.dns_records import Srv
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.usage.registration import Registered, RegistrationFailed
from tests.actors.workers import worker_of
from tests.e2e.agents import Peer, address_of, agent, reply
from tests.e2e.test_transports import dns
from tests.e2e.waiting import pass_time, until


class Registrar:
    """Answers every REGISTER by 200, but those of some users; remembers who is bound, and every request."""

    def __init__(self, *refused: str) -> None:
        self.refused = refused
        self.bound: dict[str, int] = {}
        self.seen: list[tuple[str, int]] = []

    def __call__(self, request: Request) -> list[Response]:
        user = request.to.uri.user or ""
        seconds = request.expires or 0
        self.seen.append((user, seconds))
        if user in self.refused:
            return [reply(request, 403)]
        if seconds:
            self.bound[user] = seconds
        else:
            self.bound.pop(user, None)
        return [reply(request, 200, ("Contact", f"<{request.contacts[0].uri}>;expires={seconds}"))]


Setup = Callable[[RobotAgent], Any]


class Robot:
    """Runs set-ups one after the other in the worker of a user agent, as a reload does."""

    def __init__(self, alice: UserAgent, folder: Path, **options: Any) -> None:
        self.worker = worker_of(alice)
        self._parts = AgentParts.of(self.worker)
        self._options = options
        self._folder = folder
        self._holds: Arrangement | None = None

    def agent(self) -> tuple[RobotAgent, Arrangement]:
        """What a set-up is given, and what it fills."""
        arrangement = Agents(self._parts).arrangement(self._folder, at_once=self._holds is None)
        node = BoundNode(self._parts, Placing())
        ua = RobotAgent("sip:robot@127.0.0.1", node=node, arrangement=arrangement, **self._options)
        return ua, arrangement

    async def set_up(self, setup: Setup) -> None:
        ua, arrangement = self.agent()
        result = setup(ua)
        if isinstance(result, Awaitable):
            await result
        hops = await ua.hops_of(arrangement)
        if self._holds is not None:
            self._holds.end()
        arrangement.settle(hops, ua.find)
        self._holds = arrangement

    def counted(self, name: str) -> float:
        """The sum of a metric of the worker over its labels."""
        return sum(cell.value for cell in self.worker.totals.cells(name))


def keeps(registrar: str, *users: str, **options: Any) -> Setup:
    def setup(ua: RobotAgent) -> None:
        for user in users:
            assert ua.keep_registered(f"sip:{user}@example.org", registrar=registrar, **options)

    return setup


def test_a_new_list_adds_removes_and_changes_and_leaves_the_rest_alone(tmp_path: Path) -> None:
    async def main() -> None:
        registrar = Registrar()
        async with Peer(registrar) as peer, agent() as alice:
            robot = Robot(alice, tmp_path)
            await robot.set_up(keeps(peer.uri(), "a", "b", "c"))
            await until(lambda: len(registrar.bound) == 3)
            assert sorted(registrar.seen) == [("a", 900), ("b", 900), ("c", 900)]
            registrar.seen.clear()

            def second(ua: RobotAgent) -> None:
                keeps(peer.uri(), "b", "d")(ua)
                keeps(peer.uri(), "c", expires=300)(ua)

            await robot.set_up(second)
            await until(lambda: registrar.bound == {"b": 900, "c": 300, "d": 900})
            # The binding of c is made anew and never removed: it is the same contact.
            assert Counter(registrar.seen) == Counter([("a", 0), ("c", 300), ("d", 900)])
            await until(lambda: robot.counted("sipswarm_registrations_active") == 3)
            assert robot.counted("sipswarm_registrations_total") == 5

    asyncio.run(main())


def test_the_end_removes_every_binding(tmp_path: Path) -> None:
    async def main() -> None:
        registrar = Registrar()
        async with Peer(registrar) as peer:
            async with agent() as alice:
                robot = Robot(alice, tmp_path)
                await robot.set_up(keeps(peer.uri(), *(f"user{number}" for number in range(20))))
                await until(lambda: len(registrar.bound) == 20)
            await until(lambda: not registrar.bound)

    asyncio.run(main())


@pytest.mark.parametrize("succeeds", [False, True])
def test_a_list_that_comes_after_the_end_has_begun_is_removed_where_a_process_before_may_have_bound_it(
    succeeds: bool, tmp_path: Path
) -> None:
    async def main() -> None:
        registrar = Registrar()
        async with Peer(registrar) as peer, agent() as alice:
            robot = Robot(alice, tmp_path)
            robot.worker.registrations._succeeds = succeeds
            robot.worker.draining.begin(0.0)
            await robot.set_up(keeps(peer.uri(), "a", "b"))
            await pass_time(0.3)
            assert sorted(registrar.seen) == [("a", 0), ("b", 0)] * succeeds
            assert not robot.worker.registrations.removing

    asyncio.run(main())


def test_registrations_begin_at_the_rate_of_the_list(tmp_path: Path) -> None:
    async def main() -> None:
        registrar = Registrar()
        async with agent() as alice, Peer(registrar) as peer:
            robot = Robot(alice, tmp_path)

            def setup(ua: RobotAgent) -> None:
                assert ua.register_rate == 0
                ua.register_rate = 20
                keeps(peer.uri(), *(f"user{number}" for number in range(11)))(ua)

            begun = time.monotonic()
            await robot.set_up(setup)
            await until(lambda: len(registrar.bound) == 11)
            assert time.monotonic() - begun >= 10 / 20
            assert robot.worker.registrations.count == 11

    asyncio.run(main())


def test_the_rows_of_a_file_beside_the_robot_are_read(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("user,password\nann,1\nben,2\n")

    async def main() -> None:
        async with agent() as alice:
            ua, _ = Robot(alice, tmp_path).agent()
            assert [dict(row) for row in ua.another("sip:x@y").rows("users.csv")] == [
                {"user": "ann", "password": "1"},
                {"user": "ben", "password": "2"},
            ]

    asyncio.run(main())


def test_a_registration_that_set_up_waited_for_stays_when_it_is_asked_for_again(tmp_path: Path) -> None:
    async def main() -> None:
        registrar = Registrar()
        async with agent() as alice, Peer(registrar) as peer:
            robot = Robot(alice, tmp_path)
            granted = []

            async def setup(ua: RobotAgent) -> None:
                one = ua.another("sip:one@example.org", registrar=peer.uri())
                granted.append(await one.register(refresh=True, expires=600))

            await robot.set_up(setup)
            await robot.set_up(setup)
            assert granted[0] == 600
            assert 598 <= granted[1] <= 600
            assert registrar.seen == [("one", 600)]
            await robot.set_up(lambda ua: None)
            await until(lambda: registrar.bound == {})

    asyncio.run(main())


def test_a_set_up_that_is_given_up_takes_back_what_it_waited_for(tmp_path: Path) -> None:
    async def main() -> None:
        registrar = Registrar("bad")
        async with agent() as alice, Peer(registrar) as peer:
            robot = Robot(alice, tmp_path)
            await robot.set_up(keeps(peer.uri(), "a"))
            ua, arrangement = robot.agent()
            ua.keep_registered("sip:never@example.org", registrar=peer.uri())
            await ua.another("sip:one@example.org", registrar=peer.uri()).register()
            with pytest.raises(CallRejected):
                await ua.another("sip:bad@example.org", registrar=peer.uri()).register()
            assert set(registrar.bound) == {"a", "one"}
            arrangement.give_up()
            await until(lambda: set(registrar.bound) == {"a"})
            assert "never" not in {user for user, _ in registrar.seen}

    asyncio.run(main())


def test_timers_of_a_set_up_end_with_the_next(tmp_path: Path) -> None:
    async def main() -> None:
        async with agent() as alice:
            robot = Robot(alice, tmp_path)
            ticks: list[str] = []
            await robot.set_up(lambda ua: ua.every(0.01, lambda: ticks.append("old")))
            await until(lambda: "old" in ticks)
            await robot.set_up(lambda ua: ua.every(0.01, lambda: ticks.append("new"), every_worker=True))
            ticks.clear()
            await until(lambda: len(ticks) > 3)
            assert set(ticks) == {"new"}

    asyncio.run(main())


@pytest.mark.parametrize(
    ("setup", "message"),
    [
        (lambda ua: ua.keep_registered("sip:a@b"), "no registrar is known"),
        (lambda ua: ua.keep_registered("alice", registrar="sip:r"), "is no SIP URI"),
        (lambda ua: ua.keep_registered("sip:a@b", registrar="sip:r", expires=0), "cannot be kept registered for 0 s"),
        (lambda ua: ua.keep_registered("http://a", registrar="sip:r"), "write sip:USER@HOST"),
        (lambda ua: ua.keep_registered("sip:a@b", registrar="sip:r", contact="<sip:a"), "write sip:USER@HOST"),
        (lambda ua: [ua.keep_registered("sip:a@b", registrar="sip:r") for _ in range(2)], "registered twice"),
        (
            lambda ua: [ua.keep_registered(f"sip:{n}@b", registrar="sip:r") for n in range(MAX_BINDINGS + 1)],
            "raise --call-workers",
        ),
        (lambda ua: ua.rows("missing.csv"), "missing.csv: No such file"),
    ],
)
def test_what_cannot_be_is_said(setup: Setup, message: str, tmp_path: Path) -> None:
    async def main() -> None:
        async with agent() as alice:
            ua, _ = Robot(alice, tmp_path).agent()
            with pytest.raises(ConfigurationError, match=message):
                setup(ua)

    asyncio.run(main())


def answered(status: int) -> Response:
    return Response.build(status, "", ())


@pytest.mark.parametrize(
    ("event", "result"),
    [
        (Registered(900, (), (), (), (), answered(200)), "ok"),
        (RegistrationFailed(401, answered(401), 1.0, False), "challenged_twice"),
        (RegistrationFailed(407, answered(407), 1.0, False), "challenged_twice"),
        (RegistrationFailed(403, answered(403), 1.0, False), "rejected"),
        (RegistrationFailed(408, answered(408), 1.0, False), "timeout"),
        (RegistrationFailed(408, None, 1.0, False), "timeout"),
        (RegistrationFailed(503, None, 1.0, True), "transport_error"),
        (RegistrationFailed(503, answered(503), 1.0, True), "rejected"),
    ],
)
def test_each_end_of_a_try_has_its_class(event: Registered | RegistrationFailed, result: str) -> None:
    assert result_of(event) == result


def test_the_example_registers_its_extensions_and_says_which_one_was_called(monkeypatch: pytest.MonkeyPatch) -> None:
    file = Path(__file__).parents[2] / "examples" / "extensions.py"

    async def main() -> None:
        registrar = Registrar()
        async with Peer(registrar) as peer, agent() as alice, agent("sip:pbx@127.0.0.1") as bob:
            monkeypatch.setenv("REGISTRAR", peer.uri())
            found = user_file.load(str(file), "robot", user_file.ROBOT)
            assert found.setup is not None
            await Robot(bob, file.parent).set_up(found.setup)
            await until(lambda: set(registrar.bound) == {"201", "202", "203"})
            bob.listen(found.function)
            call = await alice.invite(address_of(bob, "202"))
            assert await call.digits(3, 10.0) == "202"
            await call.bye()

    asyncio.run(main())


def test_a_registrar_that_does_not_answer_is_looked_up_again_and_its_next_place_taken(tmp_path: Path) -> None:
    async def main() -> None:
        registrar, asked = Registrar(), []

        def silent(request: Request) -> list[Response]:
            asked.append(request)
            return []

        async with Peer(silent) as first, Peer(registrar) as second, agent() as alice:
            ports = (first.port, second.port)
            lookup = dns(
                {
                    ("SRV", "_sip._udp.pbx.test"): tuple(Srv(n, 0, "host.test.", port) for n, port in enumerate(ports)),
                    ("A", "host.test"): ("127.0.0.1",),
                }
            )
            robot = Robot(alice, tmp_path, dnsresolv=lookup)
            await robot.set_up(keeps("sip:pbx.test", "a"))
            await until(lambda: asked)
            registrations = robot.worker.registrations
            actor = registrations.kept(Binding("sip:a@example.org", "sip:pbx.test"))
            assert actor is not None
            # 32 s later its transaction would say so (RFC 3261 timer F); what is still out goes to the next place.
            registrations.happened(actor, RegistrationFailed(408, None, None, False))
            await until(lambda: registrar.bound == {"a": 900})
            assert actor.registration.bound_until is not None
            # The first place is tried again when the second one fails, but not at once.
            registrations.happened(actor, RegistrationFailed(408, None, None, False))
            await asyncio.sleep(0.1)
            actor.register(robot.worker.actor_loop.now())
            robot.worker.actor_loop.touch(actor)
            await until(lambda: len(registrar.seen) == 2)

    asyncio.run(main())
