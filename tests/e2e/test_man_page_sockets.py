"""Media sockets of the man page: own ports to listen on and send from, and what `init_media` is shown (C4, C8-C10)."""

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallError, ConfigurationError
from sipswarm.actors.handle.call import Call
from sipswarm.actors.handle.media_handlers import MediaHandler
from sipswarm.sipcore.message.messages import Request, Response
from tests.e2e.agents import SDP, Peer, address_of, agent, note, reply, run
from tests.e2e.waiting import pass_time, until

TONE = MediaHandler(("tone", 440.0))


def bound(host: str = "127.0.0.1") -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind((host, 0))
    opened.setblocking(False)
    return opened


class Listener:
    """A called side with a socket of its own for RTP, that remembers where RTP came from."""

    def __init__(self, lines: int = 1) -> None:
        self.sockets = [bound() for _ in range(lines)]
        self.offers: list[bytes] = []
        self.peer = Peer(self._answer)

    def _answer(self, request: Request) -> Sequence[Response]:
        if request.method != "INVITE":
            return [] if request.method == "ACK" else [reply(request, 200)]
        self.offers.append(request.body)
        response = reply(request, 200, peer=self.peer)
        head = SDP.partition("m=")[0]
        lines = "".join(f"m=audio {each.getsockname()[1]} RTP/AVP 0\r\n" for each in self.sockets)
        response.body = (head + lines).encode()
        return [response]

    async def source(self, line: int = 0) -> tuple[str, int]:
        """Where the next RTP packet of a line comes from."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(5):
            _, source = await loop.sock_recvfrom(self.sockets[line], 2048)
        return source[0], source[1]

    def close(self) -> None:
        for each in self.sockets:
            each.close()


def test_media_is_sent_from_the_reserved_port_and_from_the_announced_one_where_none_is_given() -> None:
    async def main() -> None:
        listener = Listener(2)
        async with agent() as alice, listener.peer as peer:
            heard = await alice.reserve_media(2)
            (sending,) = await alice.reserve_media(1)
            lines = "".join(f"m=audio {lease.port} RTP/AVP 0\r\n" for lease in heard)
            call = await alice.invite(
                peer.uri(),
                sdp=SDP.partition("m=")[0] + lines,
                media_lsocks=heard,
                media_ssocks=[sending, None],
                init_media=TONE,
            )
            assert await listener.source(0) == ("127.0.0.1", sending.port)
            assert await listener.source(1) == ("127.0.0.1", heard[1].port)
            await call.bye()
            await until(lambda: not call.actor.media.running)
        listener.close()

    asyncio.run(main())


def test_a_called_side_sends_from_the_reserved_port_and_is_heard() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        (sending,) = await bob.reserve_media(1)
        bob.listen(media_ssocks=[sending], init_media=TONE)
        call = await alice.invite(address_of(bob), init_media=TONE)
        assert call.param.sdp_peer is not None
        assert call.param.sdp_peer.media[0].port != sending.port
        await pass_time(0.6)
        await call.bye()
        assert call.statistics is not None
        assert call.statistics.packets_received > 5
        assert call.statistics.remote_port == sending.port

    run(scenario)


def test_bound_sockets_of_the_caller_are_listened_on_and_sent_from_and_stay_open() -> None:
    async def main() -> None:
        listener = Listener()
        rtp, rtcp, sending = bound(), bound(), bound()
        async with agent() as alice, listener.peer as peer:
            call = await alice.invite(peer.uri(), media_lsocks=[(rtp, rtcp)], media_ssocks=[sending], init_media=TONE)
            assert f"m=audio {rtp.getsockname()[1]} ".encode() in listener.offers[0]
            assert await listener.source() == sending.getsockname()
            lease = call.get_param("media_lsocks")[0]
            assert (lease.port, lease.rtcp_port) == (rtp.getsockname()[1], rtcp.getsockname()[1])
            await call.bye()
        assert min(each.fileno() for each in (rtp, rtcp, sending)) >= 0  # they are the caller's to close
        for each in (rtp, rtcp, sending):
            each.close()
        listener.close()

    asyncio.run(main())


@pytest.mark.parametrize("given", ["port", 5004, socket.SOCK_STREAM, None])
def test_what_is_no_bound_udp_socket_is_refused_before_anything_is_sent(given: Any) -> None:
    async def main() -> None:
        listener = Listener()
        loose = socket.socket(socket.AF_INET, given if isinstance(given, socket.SocketKind) else socket.SOCK_DGRAM)
        async with agent() as alice, listener.peer as peer:
            with pytest.raises(ConfigurationError, match="media_ssocks"):
                await alice.invite(peer.uri(), media_ssocks=[given if isinstance(given, str | int) else loose])
            assert peer.requests == []
        loose.close()
        listener.close()

    asyncio.run(main())


@pytest.mark.parametrize("address", ["", "127.0.0.3"])
def test_asymmetric_media_leaves_from_rtp_addr_and_another_port(address: str) -> None:
    async def main() -> None:
        listener = Listener()
        async with agent() as alice, listener.peer as peer:
            call = await alice.invite(peer.uri(), asymetric_rtp=True, rtp_addr=address, init_media=TONE)
            host, port = await listener.source()
            assert host == (address or "127.0.0.1")
            assert f"m=audio {port} ".encode() not in listener.offers[0]
            await call.bye()
        listener.close()

    asyncio.run(main())


@pytest.mark.parametrize("address", ["nowhere", "192.0.2.1", "::1"])
def test_an_rtp_addr_that_is_not_ours_fails_the_call_and_keeps_no_port(address: str) -> None:
    async def main() -> None:
        listener = Listener()
        async with agent() as alice, listener.peer as peer:
            with pytest.raises(CallError, match="bad_address"):
                await alice.invite(peer.uri(), asymetric_rtp=True, rtp_addr=address, init_media=TONE)
            assert peer.requests == []
            assert alice._node._media[0].engine.totals.ports_in_use == 0  # type: ignore[union-attr]  # it is embedded
        listener.close()

    asyncio.run(main())


def test_init_media_is_shown_the_live_ports_the_peer_and_its_description() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        shown: dict[str, list[Any]] = {"alice": [], "bob": []}

        def start(who: str, call: Call, param: Any) -> None:
            TONE(call, param)
            port = param.sdp_peer.media[0].port
            shown[who].append((param.media_lsocks[0].port, param.media_raddr, port, tuple(param.rtp_param)))

        bob.listen(init_media=(start, "bob"))
        call = await alice.invite(address_of(bob), init_media=(start, "alice"))
        await until(lambda: shown["bob"])
        await call.reinvite(clear_sdp=True)
        await until(lambda: len(shown["bob"]) == 2)
        for (mine, raddr, described, shape), (theirs, back, theirs_described, _) in zip(*shown.values(), strict=True):
            assert raddr == (("127.0.0.1", theirs),)
            assert back == (("127.0.0.1", mine),)
            assert (described, theirs_described) == (theirs, mine)
            assert shape == (0, 160, 0.02, "PCMU/8000")
        assert shown["alice"][0][0] != shown["alice"][1][0]
        await call.bye()

    run(scenario)


def test_a_description_of_ones_own_may_name_the_ports_that_are_live() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        offers: list[bytes] = []
        bob.listen(cb_invite=lambda call, request: note(offers, request.body))
        call = await alice.invite(address_of(bob))
        port = call.get_param("media_lsocks")[0].port
        await call.reinvite(sdp=SDP.format(port=port))
        described = offers[1].partition(b"\r\ns=")  # what is before is the session's own, one version later
        assert described[2] == SDP.format(port=port).encode().partition(b"\r\ns=")[2]
        assert b" 2 IN IP4" in described[0]
        await call.bye()

    run(scenario)


def test_rtp_param_of_a_reinvite_is_a_demand_from_then_on() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        offers: list[bytes] = []
        bob.listen(cb_invite=lambda call, request: note(offers, request.body))
        call = await alice.invite(address_of(bob))
        assert call.get_param("rtp_param")[0] == 0
        await call.reinvite()
        await call.reinvite(rtp_param=[8, 160, 0.02])
        assert [b" 0 8 101\r\n" in body for body in offers] == [True, True, False]
        assert b" 8 101\r\n" in offers[2]
        assert call.get_param("rtp_param") == [8, 160, 0.02]
        await call.bye()

    run(scenario)


@pytest.mark.parametrize("held", [True, False])
def test_a_call_on_hold_outlives_the_time_after_which_a_silent_one_is_hung_up(held: bool) -> None:
    async def main() -> None:
        async with agent(rtp_timeout=0.7) as alice, agent("sip:bob@127.0.0.1", rtp_timeout=0.7) as bob:
            bob.listen(init_media=MediaHandler(("none",)))
            call = await alice.invite(address_of(bob), init_media=TONE)
            began = asyncio.get_running_loop().time()
            if held:
                await call.hold()
                await asyncio.sleep(2.5)
                assert call.is_up
                await call.resume()
                began = asyncio.get_running_loop().time()
            await until(lambda: not call.is_up, 5)
            assert 0.6 < asyncio.get_running_loop().time() - began < 4

    asyncio.run(main())
