"""A name with addresses of both IP versions, of which one is dead: calls and registrations go on at the other one.

RFC 3263 sections 4.2 and 4.3: all addresses of all hosts are tried in turn, whatever their version.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.errors import CallError
from sipswarm.actors.registration.keeper import Binding
from sipswarm.actors.transport.names.dns_records import Answer, Srv
from sipswarm.sipcore.message.messages import Request, Response

from .agents import Peer, agent, reply
from .test_registered_lists import Robot, keeps
from .waiting import until

V4, V6 = "127.0.0.1", "::1"
DEAD_PORT = 1
LEGS = {"each version": ("udp:127.0.0.1:0", "udp:[::1]:0"), "every address": ("udp:0.0.0.0:0", "udp:[::]:0")}
BOTH = LEGS["each version"]


def names(*places: tuple[str, int]) -> Callable[[str, str], Any]:
    """What DNS says: the hosts of `srv.test`, in this order, and `both.test`, which has the addresses of both."""

    async def lookup(kind: str, name: str) -> Answer:
        if (kind, name) == ("SRV", "_sip._udp.srv.test"):
            return Answer(tuple(Srv(at, 0, f"host{at}.test", port) for at, (_, port) in enumerate(places)), 60.0)
        hosts = [host for at, (host, _) in enumerate(places) if name in (f"host{at}.test", "both.test")]
        return Answer(tuple(host for host in hosts if kind == ("AAAA" if ":" in host else "A")), 60.0)

    return lookup


def answering(host: str, status: int = 200) -> Peer:
    """A peer that answers everything with this status."""

    def answer(request: Request) -> Sequence[Response]:
        if request.method == "ACK":
            return []
        extra = (("Contact", f"{request.contacts[0]};expires=60"),) if request.method == "REGISTER" else ()
        return [reply(request, status, *extra, peer=peer)]

    peer = Peer(answer, host)
    return peer


def assert_all_of(invite: Request, host: str, *, offer: bool = True) -> None:
    """Everything in the INVITE that names an address of ours names this one."""
    version = 6 if ":" in host else 4
    assert invite.via.host == host
    assert invite.contacts[0].uri.host == host
    if not offer:
        assert invite.body == b""
        return
    assert f" IN IP{version} {host}\r\ns=".encode() in invite.body
    assert f"c=IN IP{version} {host}\r\n".encode() in invite.body
    assert b"m=audio 0 " not in invite.body
    assert f"IP{10 - version}".encode() not in invite.body


@pytest.mark.parametrize("legs", LEGS)
@pytest.mark.parametrize("delayed", [False, True])
def test_a_call_to_a_name_whose_ipv4_is_dead_is_made_by_ipv6(legs: str, delayed: bool) -> None:
    async def main() -> None:
        async with answering(V6) as peer:
            lookup = names((V4, peer.port), (V6, peer.port))
            async with agent("sip:a@x", *LEGS[legs], dnsresolv=lookup) as alice:
                call = await alice.invite(f"sip:bob@both.test:{peer.port}", media="silence", sdp_on_ack=delayed)
                assert_all_of(peer.requests[0], V6, offer=not delayed)
                assert call.actor.media.demand.address == V6
                await call.bye()
                assert peer.methods() == ["INVITE", "BYE"]
                invite, ack, bye = peer.requests
                assert bye.via.host == ack.via.host == V6
                assert b"c=IN IP6 ::1\r\n" in (ack if delayed else invite).body

    asyncio.run(main())


@pytest.mark.parametrize(("dead", "live"), [(V4, V6), (V6, V4)])
@pytest.mark.parametrize("how", ["nobody", "503"])
@pytest.mark.parametrize("media", ["silence", "none"])
def test_a_call_goes_on_at_the_next_host_whatever_its_version(dead: str, live: str, how: str, media: str) -> None:
    async def main() -> None:
        async with answering(dead, 503) as first, answering(live) as second:
            port = first.port if how == "503" else DEAD_PORT
            lookup = names((dead, port), (dead, DEAD_PORT), (live, second.port))
            async with agent("sip:a@x", *BOTH, dnsresolv=lookup) as alice:
                call = await alice.invite("sip:bob@srv.test", media=media)
                if how == "503":
                    assert_all_of(first.requests[0], dead)
                assert_all_of(second.requests[0], live)
                await call.bye()
                assert second.methods() == ["INVITE", "BYE"]

    asyncio.run(main())


def test_a_call_goes_from_one_version_to_the_other_and_back() -> None:
    async def main() -> None:
        async with answering(V6, 503) as first, answering(V4, 503) as second, answering(V6) as third:
            lookup = names((V6, first.port), (V4, second.port), (V4, DEAD_PORT), (V6, third.port))
            async with agent("sip:a@x", *BOTH, dnsresolv=lookup) as alice:
                call = await alice.invite("sip:bob@srv.test", media="silence")
                for peer in (first, second, third):
                    assert_all_of(peer.requests[0], peer.host)
                await call.bye()
                await call.over()
                assert len(call.all_statistics) == 1  # the streams of the attempts before count for nothing

    asyncio.run(main())


def test_a_name_that_is_dead_in_both_versions_fails_with_the_last_attempt() -> None:
    async def main() -> None:
        async with answering(V6, 503) as last:
            lookup = names((V4, DEAD_PORT), (V6, last.port))
            async with agent("sip:a@x", *BOTH, dnsresolv=lookup) as alice:
                with pytest.raises(CallError, match="503"):
                    await alice.invite("sip:bob@srv.test", media="silence")
                assert last.methods() == ["INVITE"]

    asyncio.run(main())


def test_a_call_with_a_leg_of_its_own_stays_in_its_version() -> None:
    async def main() -> None:
        async with answering(V6) as peer:
            lookup = names((V4, DEAD_PORT), (V6, peer.port))
            async with agent("sip:a@x", *BOTH, dnsresolv=lookup) as alice:
                with pytest.raises(CallError):
                    await alice.invite("sip:bob@srv.test", media="silence", leg=0)
                assert peer.requests == []

    asyncio.run(main())


def test_a_call_with_ports_of_the_user_stays_in_its_version() -> None:
    async def main() -> None:
        async with answering(V6) as peer:
            lookup = names((V4, DEAD_PORT), (V6, peer.port))
            async with agent("sip:a@x", *BOTH, dnsresolv=lookup) as alice:
                (lease,) = await alice.reserve_media(1)
                with pytest.raises(CallError):
                    await alice.invite("sip:bob@srv.test", media="silence", media_lsocks=[lease])
                assert peer.requests == []

    asyncio.run(main())


# ---- registrations


@pytest.mark.parametrize("legs", LEGS)
@pytest.mark.parametrize(("dead", "live"), [(V4, V6), (V6, V4)])
@pytest.mark.parametrize("how", ["nobody", "503"])
def test_a_registrar_that_is_dead_in_one_version_is_registered_at_in_the_other(
    legs: str, dead: str, live: str, how: str
) -> None:
    async def main() -> None:
        async with answering(dead, 503) as first, answering(live) as second:
            lookup = names((dead, first.port if how == "503" else DEAD_PORT), (live, second.port))
            async with agent("sip:alice@x", *LEGS[legs], dnsresolv=lookup) as alice:
                assert await alice.register("sip:srv.test", expires=60) == 60
                assert await alice.register("sip:srv.test", expires=60) == 60  # a refresh stays there
                assert await alice.register("sip:srv.test", expires=0) == 0
            assert second.methods() == ["REGISTER"] * 3
            for request in second.requests:
                assert request.via.host == request.contacts[0].uri.host == live
            assert second.requests[-1].expires == 0

    asyncio.run(main())


def test_a_registration_with_a_leg_of_its_own_stays_in_its_version() -> None:
    async def main() -> None:
        async with answering(V6) as peer:
            lookup = names((V4, DEAD_PORT), (V6, peer.port))
            async with agent("sip:a@x", *BOTH, dnsresolv=lookup) as alice:
                with pytest.raises(CallError):
                    await alice.register("sip:srv.test", leg=0, refresh=False)
                assert peer.requests == []

    asyncio.run(main())


def test_a_list_of_registrations_moves_to_the_version_that_lives(tmp_path: Path) -> None:
    async def main() -> None:
        async with answering(V6) as peer, agent("sip:a@x", *BOTH) as alice:
            robot = Robot(alice, tmp_path, dnsresolv=names((V4, DEAD_PORT), (V6, peer.port)))
            await robot.set_up(keeps("sip:srv.test", "a"))
            binding = Binding("sip:a@example.org", "sip:srv.test")
            await until(lambda: robot.worker.registrations.kept(binding))
            actor = robot.worker.registrations.kept(binding)
            assert actor is not None
            await until(lambda: actor.registration.way.hop.host == V6)
            actor.register(robot.worker.actor_loop.now())  # it would wait for half a minute
            robot.worker.actor_loop.touch(actor)
            await until(lambda: actor.registration.bound_until is not None)
            assert peer.requests[-1].via.host == peer.requests[-1].contacts[0].uri.host == V6

    asyncio.run(main())
