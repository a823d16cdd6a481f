"""Net::SIP's own scenarios with a registrar: 08 and 18 behind a challenge, 14 with a proxy in the same process.

Ours is the user agent; registrar, proxy and the other party are Perl's, whose registrar tells what is bound in the end.
"""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallRejected
from sipswarm.actors.handle.call import Call
from sipswarm.actors.handle.media_handlers import send_recv
from sipswarm.actors.runtime.callbacks import StopVariable
from tests.e2e.agents import note, rtp_ports
from tests.e2e.waiting import until

from .conftest import Start
from .net_sip import HEARD, NetSip, Wire, over_every_wire
from .processes import free_port

DOMAIN = "example.invalid"
PASSWORDS = {"carol": "open", "dave": "hidden"}
FRAME = b"\xfe" * 160


class Keys:
    """The `auth` callback of a user: its credentials, and the realms that it was asked for."""

    def __init__(self, user: str) -> None:
        self._user = user
        self.asked: list[str] = []

    def __call__(self, realm: str) -> tuple[str, str] | None:
        self.asked.append(realm)
        password = PASSWORDS.get(self._user)
        return (self._user, password) if password else None


def agent(wire: Wire, user: str, **options: Any) -> UserAgent:
    return UserAgent(f"sip:{user}@{DOMAIN}", legs=(wire.leg,), rtp_ports=rtp_ports(), tls=wire.tls, **options)


def registrar(folder: Path, start: Start, wire: Wire, **arguments: object) -> tuple[NetSip, str]:
    """A registrar of Perl's that listens, and its URI."""
    port = free_port(wire.host)
    perl = start(NetSip(folder, "registrar.pl", 40, **wire.of_perl(port), **arguments))
    perl.ready()
    return perl, wire.server(port)


async def stopped(perl: NetSip) -> dict[str, Any]:
    return await asyncio.get_running_loop().run_in_executor(None, perl.stop)


async def reported(perl: NetSip) -> dict[str, Any]:
    return await asyncio.get_running_loop().run_in_executor(None, perl.report)


def frames(got: list[int]) -> Any:
    return send_recv(lambda number, channel: FRAME, output=lambda *frame: note(got, frame[3]))


@over_every_wire()
def test_08_perl_registers_us_by_password_by_stored_hash_and_without_a_question(
    tmp_path: Path, start: Start, wire: Wire
) -> None:
    perl, uri = registrar(tmp_path, start, wire, exempt="eve")

    async def main() -> dict[str, Any]:
        async with asyncio.timeout(30), AsyncExitStack() as agents:
            for user in ("carol", "dave", "eve"):
                keys = Keys(user)
                ua = await agents.enter_async_context(agent(wire, user, auth=keys))
                assert await ua.register(uri, expires=900) == 300  # the most that it grants
                assert keys.asked == ([] if user == "eve" else [DOMAIN])  # asked only when challenged
                if user == "dave":
                    assert await ua.register(uri, expires=0) == 0
            return await stopped(perl)  # before the user agents leave, and take back what they have bound

    said = asyncio.run(main())
    assert {each[0] for each in said["seen"]} == {"REGISTER"}
    assert said["asked"] == ["carol"]  # dave's hash is stored, eve is not asked at all
    assert {aor: len(contacts) for aor, contacts in said["bound"].items()} == {
        f"sip:carol@{DOMAIN}": 1,
        f"sip:eve@{DOMAIN}": 1,
    }
    assert [asked for _, contact, asked in said["seen"] if "carol@" in contact] == [0, 1]
    assert [asked for _, contact, asked in said["seen"] if "eve@" in contact] == [0]


@over_every_wire()
def test_18_the_401_is_told_and_answered_by_the_next_attempt_at_once(tmp_path: Path, start: Start, wire: Wire) -> None:
    perl, uri = registrar(tmp_path, start, wire)

    async def main() -> dict[str, Any]:
        async with asyncio.timeout(30):
            told: list[Any] = []
            async with agent(wire, "carol") as ua:
                await ua.register(uri, cb_final=lambda *report: note(told, report))
                await until(lambda: bool(told))
                assert [report[:2] for report in told] == [("FAIL", {"code": 401})]
                keys = Keys("carol")
                assert await ua.register(uri, resp40x=told[0][2], auth=keys) == 300
                assert keys.asked == [DOMAIN]
            async with agent(wire, "carol", auth=("carol", "wrong")) as ua:
                with pytest.raises(CallRejected):
                    await ua.register(uri)
            return await stopped(perl)

    said = asyncio.run(main())
    # The third takes the binding back as the user agent leaves; the wrong password is tried once.
    assert [asked for _, _, asked in said["seen"]] == [0, 1, 1, 0, 1]
    assert said["bound"] == {}


def test_14_called_through_the_registrar_we_reinvite_and_hang_up(tmp_path: Path, start: Start) -> None:
    wire = Wire()
    proxy, uri = registrar(tmp_path, start, wire, mode="proxy")
    peers: list[tuple[str, bool]] = []

    async def main() -> dict[str, Any]:
        async with asyncio.timeout(30), agent(wire, "alice") as ua:
            got: list[int] = []

            async def robot(call: Call) -> None:
                await call.answer()
                call.start_media(frames(got))
                await until(lambda: len(got) > 25)
                await call.reinvite(init_media=frames(got))
                before = len(got)
                await until(lambda: len(got) > before + 25)
                peers.append((call.get_peer(), call.is_uac))
                await call.bye()

            ua.listen(robot)
            assert await ua.register(uri) == 300
            words = {"to": f"<sip:alice@{DOMAIN}>", "proxy": uri, "remote": 1, "hang_up": 0, **wire.of_perl()}
            said = await reported(start(NetSip(tmp_path, "talk.pl", 25, **words)))
            served = await stopped(proxy)
            assert [method for method, *_ in served["seen"]].count("INVITE") == 2
            return said

    said = asyncio.run(main())
    assert (said["final"], said["established"], said["ended"]) == ("OK", 1, 1)
    assert said["received"]["second"] >= HEARD
    assert [("perl@" in peer, is_uac) for peer, is_uac in peers] == [(True, False)]


def test_14_perl_called_through_the_registrar_reinvites_us_and_hangs_up(tmp_path: Path, start: Start) -> None:
    wire = Wire()
    proxy, uri = registrar(tmp_path, start, wire, mode="proxy")
    aor = f"sip:bob@{DOMAIN}"
    words = {"mode": "again", "hang_up": 1, "proxy": uri, "registrar": uri, "aor": aor, **wire.of_perl()}
    perl = start(NetSip(tmp_path, "talk.pl", 25, **words))
    perl.ready()

    async def main() -> dict[str, Any]:
        async with asyncio.timeout(30), agent(wire, "alice", outgoing_proxy=uri) as ua:
            got: list[int] = []
            established: list[str] = []
            ended = StopVariable()
            call = await ua.invite(
                aor,
                init_media=frames(got),
                cb_established=lambda status, call: note(established, status),
                recv_bye=ended,
            )
            await until(lambda: ended, 15)
            assert established == ["OK"]
            assert call.is_uac
            await stopped(proxy)
            return await reported(perl)

    said = asyncio.run(main())
    assert (said["outcomes"], said["bye"]) == (["OK"], 1)
    assert said["received"]["second"] >= HEARD
    context = said["context"]
    assert context["incoming"]
    assert f"alice@{DOMAIN}" in context["from"]
    assert f"bob@{DOMAIN}" in context["to"]
