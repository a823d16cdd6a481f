"""`sipswarm proxy --relay-media` with real processes: media of our user agents goes through it, and no port is left."""

import asyncio
import os
import signal

import pytest

from sipswarm.actors.errors import CallRejected, CallTimeout
from sipswarm.actors.handle.call import Call
from sipswarm.actors.handle.media_handlers import echo, send_recv
from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.sdp.description import SessionDescription
from tests.interop.processes import descendants, free_port

from .agents import agent, note
from .servers import BOTH, Server, serving
from .test_orphans import name_of
from .test_proxy import bound, leg, run, through
from .waiting import again_after_a_stop, pass_time, until

LOW, HIGH = 39000, 39998
RELAY = ("--registrar", "--relay-media", "--rtp-ports", f"{LOW}-{HIGH}")
FRAMES = 50
CALLS = "sipswarm_relayed_calls_total"


def datagrams(server: Server, result: str = "forwarded") -> float:
    """How many RTP datagrams came to the relay and ended so."""
    return server.metric("sipswarm_rtp_relayed_packets_total", 'kind="rtp"', f'result="{result}"')


async def ended(server: Server, end: str, times: int = 1) -> None:
    """Wait until so many calls ended so and none is relayed, as the snapshots of the processes tell it."""
    await until(lambda: server.metric(CALLS, f'end="{end}"') == times)
    await until(lambda: server.metric("sipswarm_relayed_calls_active") == 0)


def ports_of(offer: bytes) -> list[int]:
    return [line.port for line in SessionDescription.parse(offer).media]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@again_after_a_stop
def test_media_goes_through_the_proxy_and_both_sides_count_the_same(transport: str) -> None:
    offers: list[bytes] = []
    came: list[Call] = []
    given: list[int] = []

    def create(call: Call, request: Request) -> bool:
        offers.append(request.description)
        return note(came, call)

    def frame(number: int, channel: int) -> bytes | None:
        return bytes([number & 255]) * 160 if len(given) < FRAMES and note(given, number) else None

    async def scenario(server: Server) -> None:
        async with (
            agent("sip:alice@127.0.0.1", leg(transport)) as alice,
            agent("sip:bob@127.0.0.1", leg(transport)) as bob,
        ):
            bob.listen(cb_create=create, init_media=echo())
            await bound(server, bob, transport)
            played = asyncio.Event()
            call = await alice.invite(through(server, transport), init_media=send_recv(frame), cb_rtp_done=played)
            async with asyncio.timeout(20):
                await played.wait()
            await until(lambda: server.metric("sipswarm_relayed_calls_active") == 1)
            await until(lambda: came[0].statistics.packets_received >= call.statistics.packets_sent)
            await pass_time(0.5)  # the last ones are on their way back
            await call.bye()
            await until(lambda: came[0].closed)
            await ended(server, "bye")
            mine, theirs = call.statistics, came[0].statistics
            assert all(LOW <= port <= HIGH for port in (*ports_of(offers[0]), mine.remote_port, theirs.remote_port))
            assert mine.packets_sent > FRAMES / 2, "on a machine that is too busy, frames that are late are left out"
            assert (theirs.packets_received, mine.packets_received) == (mine.packets_sent, theirs.packets_sent)
            await until(lambda: datagrams(server) == mine.packets_sent + theirs.packets_sent)
            assert {mine.ssrc, theirs.ssrc} == {theirs.remote_ssrc, mine.remote_ssrc}
            assert [datagrams(server, each) for each in ("bad_source", "no_destination", "send_error")] == [0, 0, 0]

    with serving("proxy", *BOTH, *RELAY) as server:
        run(lambda: scenario(server))
        code, errors = server.running.end(signal.SIGTERM)
    assert (code, errors.count("Traceback")) == (0, 0), errors


def test_holds_changes_and_digits_go_on_through_the_same_ports() -> None:
    came: list[Call] = []

    async def scenario(server: Server) -> None:
        async with agent("sip:alice@127.0.0.1") as alice, agent("sip:bob@127.0.0.1") as bob:
            bob.listen(
                cb_create=lambda call, request: note(came, call),
                init_media=echo(),
            )
            await bound(server, bob, "udp")
            call = await alice.invite(through(server, "udp"), media="silence")
            await call.hold()
            await call.resume()
            await call.reinvite(clear_sdp=True)
            await call.dtmf("12", duration=100, methods="rfc2833")
            await until(lambda: datagrams(server) > 0)
            await call.bye()
            await until(lambda: came[0].closed)
            await ended(server, "bye")
            assert came[0].statistics.digits_received == 2
            assert LOW <= call.all_statistics[-1].remote_port <= HIGH
            assert server.metric("sipswarm_relayed_calls_total") == 1

    with serving("proxy", *BOTH, *RELAY) as server:
        run(lambda: scenario(server))
        assert server.running.end(signal.SIGTERM)[0] == 0


def test_a_call_between_ipv4_and_ipv6() -> None:
    four, six = free_port(), free_port("::1")
    came: list[Call] = []

    async def scenario(server: Server) -> None:
        async with (
            agent("sip:alice@127.0.0.1", "udp:127.0.0.1:0") as alice,
            agent("sip:bob@[::1]", "udp:[::1]:0") as bob,
        ):
            bob.listen(cb_create=lambda call, request: note(came, call), init_media=echo())
            assert await bob.register(f"sip:[::1]:{six}", expires=300) == 300
            call = await alice.invite(f"sip:bob@127.0.0.1:{four}", media="silence")
            await until(lambda: datagrams(server) > 20)
            await call.bye()
            await until(lambda: came[0].closed)
            assert (call.statistics.remote_address, came[0].statistics.remote_address) == ("127.0.0.1", "::1")
            assert call.statistics.packets_received > 0

    listeners = ("--listen", f"udp:127.0.0.1:{four}", "--listen", f"udp:[::1]:{six}")
    with serving("proxy", *listeners, *RELAY) as server:
        run(lambda: scenario(server))
        assert server.running.end(signal.SIGTERM)[0] == 0


def test_refused_and_cancelled_calls_leave_no_port() -> None:
    ringing: list[Call] = []

    async def busy(call: Call) -> None:
        call.reject(486)

    async def rings(call: Call) -> None:
        call.ring()
        ringing.append(call)
        await call.over()

    async def scenario(server: Server) -> None:
        async with agent("sip:alice@127.0.0.1") as alice, agent("sip:bob@127.0.0.1") as bob:
            await bound(server, bob, "udp")
            bob.listen(busy)
            with pytest.raises(CallRejected) as refused:
                await alice.invite(through(server, "udp"), media="silence")
            assert refused.value.status == 486
            await ended(server, "failed")
            bob.stop_listening()
            bob.listen(rings)
            with pytest.raises((CallRejected, CallTimeout)):
                await alice.invite(through(server, "udp"), media="silence", ring_time=0.5)
            await until(lambda: ringing and ringing[0].closed)
            await ended(server, "failed", 2)

    with serving("proxy", *BOTH, *RELAY) as server:
        run(lambda: scenario(server))
        assert server.running.end(signal.SIGTERM)[0] == 0


def test_the_ports_of_a_silent_call_are_released_and_its_bye_comes_through() -> None:
    came: list[Call] = []

    async def scenario(server: Server) -> None:
        async with agent("sip:alice@127.0.0.1") as alice, agent("sip:bob@127.0.0.1") as bob:
            bob.listen(cb_create=lambda call, request: note(came, call), media="none")
            await bound(server, bob, "udp")
            call = await alice.invite(through(server, "udp"), media="none")
            await ended(server, "silent")  # their RTCP is rarer
            await call.bye()
            await until(lambda: came[0].closed)

    with serving("proxy", *BOTH, *RELAY, "--relay-timeout", "1s") as server:
        run(lambda: scenario(server))
        assert server.running.end(signal.SIGTERM)[0] == 0


def test_without_ports_a_call_is_refused() -> None:
    async def scenario(server: Server) -> None:
        async with agent("sip:alice@127.0.0.1") as alice, agent("sip:bob@127.0.0.1") as bob:
            bob.listen(init_media=echo())
            await bound(server, bob, "udp")
            call = await alice.invite(through(server, "udp"), media="silence")
            with pytest.raises(CallRejected) as refused:
                await alice.invite(through(server, "udp"), media="silence")
            assert refused.value.status == 503
            await call.bye()
            await until(lambda: server.metric(CALLS, 'end="refused"') == 1)

    ports = free_port()
    ports += ports % 2
    options = ("--registrar", "--relay-media", "--rtp-ports", f"{ports}-{ports + 2}")
    with serving("proxy", "--listen", "udp:127.0.0.1:0", *options) as server:
        run(lambda: scenario(server))
        assert server.running.end(signal.SIGTERM)[0] == 0


def test_after_the_death_of_the_media_worker_the_next_offer_brings_the_media_back() -> None:
    came: list[Call] = []

    async def scenario(server: Server) -> None:
        async with agent("sip:alice@127.0.0.1") as alice, agent("sip:bob@127.0.0.1") as bob:
            bob.listen(cb_create=lambda call, request: note(came, call), init_media=echo())
            await bound(server, bob, "udp")
            call = await alice.invite(through(server, "udp"), media="silence")
            await until(lambda: datagrams(server) > 20)
            children = descendants(server.running.process.pid)
            (worker,) = [each for each in children if name_of(each).endswith("media-0")]
            os.kill(worker, signal.SIGKILL)
            await ended(server, "lost")
            before = datagrams(server)
            await call.reinvite()
            await until(lambda: datagrams(server) > before + 20)
            await call.bye()
            await until(lambda: came[0].closed)
            await ended(server, "bye")

    with serving("proxy", *BOTH, *RELAY) as server:
        run(lambda: scenario(server))
        assert server.running.end(signal.SIGTERM)[0] == 0
