"""The media of a call of the man page: ports, hold, lines, digits (C8 to C11, C14, C19, C22, C25, C35 to C38)."""

import asyncio
import re
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallError, ConfigurationError
from sipswarm.actors.handle.call import Call
from sipswarm.actors.handle.media_handlers import MediaHandler, send_recv
from sipswarm.actors.runtime.callbacks import StopVariable
from sipswarm.sipcore.message.messages import Request
from tests.e2e.agents import SDP, Peer, address_of, agent, note, reply, run
from tests.e2e.waiting import again_after_a_stop, pass_time, until

IPV6 = "udp:[::1]:0"


def port_of(body: bytes) -> int:
    found = re.search(rb"m=audio (\d+)", body)
    assert found is not None
    return int(found[1])


def peer_port(call: Call) -> int:
    """The port that the newest description of the peer names."""
    assert call.param.sdp_peer is not None
    return call.param.sdp_peer.media[0].port


def test_clear_sdp_of_the_called_side_renews_its_ports_on_every_invite_that_comes() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        for stored in (False, True):
            bob.listen(clear_sdp=stored)
            call = await alice.invite(address_of(bob))
            ports = [peer_port(call)]
            for _ in range(2):
                await call.reinvite()
                ports.append(peer_port(call))
            assert len(set(ports)) == (3 if stored else 1)
            await call.bye()

    run(scenario)


def test_clear_sdp_as_an_argument_counts_once_and_stored_always() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        ports: list[int] = []
        bob.listen(cb_invite=lambda call, request: note(ports, port_of(request.body)))
        call = await alice.invite(address_of(bob))
        await call.reinvite(clear_sdp=True)
        await call.reinvite()
        call.set_param(clear_sdp=True)
        await call.reinvite()
        await call.reinvite(clear_sdp=False)
        assert ports[0] != ports[1] == ports[2] != ports[3] == ports[4]
        await call.bye()

    run(scenario)


@pytest.mark.parametrize(("legs", "address"), [((), "IP4 0.0.0.0"), ((IPV6,), "IP6 ::")])
def test_hold_in_an_offer_and_in_an_answer_is_said_once(legs: tuple[str, ...], address: str) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        calls: list[Call] = []
        bodies: list[bytes] = []
        bob.listen(
            cb_create=lambda call, request: note(calls, call),
            cb_invite=lambda call, request: note(bodies, request.body),
        )
        call = await alice.invite(address_of(bob))
        held = f"c=IN {address}\r\n".encode()
        await call.reinvite(call_on_hold=True)
        await call.reinvite()
        assert [held in body for body in bodies] == [False, True, False]
        calls[0].set_param(call_on_hold=True)
        heard = []
        for _ in range(2):
            await call.reinvite()
            assert call.param.sdp_peer is not None
            heard.append(held in call.param.sdp_peer.to_bytes())
        assert heard == [True, False]
        await call.bye()

    run(scenario, *legs)


def test_a_peer_that_is_held_stops_sending_and_goes_on_afterwards() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        calls: list[Call] = []
        got: list[int] = []
        bob.listen(cb_create=lambda call, request: note(calls, call), media="tone:440")
        call = await alice.invite(
            address_of(bob),
            init_media=send_recv(lambda number, channel: b"\xff" * 160, output=lambda *frame: note(got, 1)),
        )
        await until(lambda: len(got) > 5)
        await call.hold()
        await pass_time(0.2)
        before = len(got)
        await pass_time(0.4)
        assert len(got) == before
        await call.resume()
        await until(lambda: len(got) > before + 5)
        await call.bye()

    run(scenario)


def test_rtp_cleanup_stops_the_media_only_and_a_reinvite_starts_it_again() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        got: list[int] = []
        bob.listen(
            init_media=send_recv(lambda number, channel: None, output=lambda *frame: note(got, 1)), cb_rtp_done=[]
        )
        call = await alice.invite(address_of(bob), init_media=MediaHandler(("tone", 440.0)))
        await until(lambda: len(got) > 5)
        call.rtp_cleanup()
        await pass_time(0.2)
        before = len(got)
        await pass_time(0.3)
        assert len(got) == before
        assert call.is_up
        await call.reinvite()
        await until(lambda: len(got) > before + 5)
        await call.bye()

    run(scenario)


def test_asymmetric_rtp_comes_from_another_port_than_the_announced_one() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        offers: list[bytes] = []
        calls: list[Call] = []
        bob.listen(
            cb_create=lambda call, request: note(calls, call),
            cb_invite=lambda call, request: note(offers, request.body),
            media="tone:440",
        )
        call = await alice.invite(address_of(bob), media="tone:440", asymmetric_rtp=True)
        await pass_time(0.4)
        await call.bye()
        await calls[0].over()
        assert call.statistics is not None
        assert call.statistics.packets_received > 5
        assert call.get_param("asymetric_rtp") is True
        assert calls[0].statistics is not None
        assert calls[0].statistics.packets_received > 5

    run(scenario)


def test_of_four_lines_each_side_sends_only_where_the_peer_listens() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        def described(leases: list[Any], open_lines: set[int]) -> dict[str, Any]:
            ports = [lease.port if index in open_lines else 0 for index, lease in enumerate(leases)]
            lines = "".join(f"m=audio {port} RTP/AVP 0\r\n" for port in ports)
            return {"sdp": SDP.partition("m=")[0] + lines, "media_lsocks": leases}

        def counting(got: set[int]) -> MediaHandler:
            return send_recv(
                lambda number, channel: b"\xff" * 160,
                output=lambda payload, number, stamp, channel, kind: got.add(channel),
            )

        at_alice: set[int] = set()
        at_bob: set[int] = set()
        bob.listen(init_media=counting(at_bob), **described(await bob.reserve_media(4), {0, 1, 3}))
        call = await alice.invite(
            address_of(bob), init_media=counting(at_alice), **described(await alice.reserve_media(4), {0, 2, 3})
        )
        await pass_time(0.5)
        assert at_alice == {0, 3}
        assert at_bob == {0, 3}
        await call.bye()

    run(scenario)


def test_an_answer_with_another_number_of_lines_is_acknowledged_failed_and_hung_up() -> None:
    async def main() -> None:
        def answer(request: Request) -> list[Any]:
            if request.method != "INVITE":
                return [reply(request, 200)] if request.method == "BYE" else []
            response = reply(request, 200, peer=peer)
            response.body += b"m=audio 4000 RTP/AVP 0\r\n"
            return [response]

        async with agent() as alice, Peer(answer) as peer:
            finals: list[str] = []
            call = await alice.invite(peer.uri(), cb_final=lambda status, call, info: note(finals, status))
            await until(lambda: "BYE" in peer.methods())
            await call.over()
            assert finals == ["FAIL"]
            assert "ACK" in [request.method for request in peer.requests]

    asyncio.run(main())


def test_an_unknown_handler_or_dtmf_method_is_refused_at_once() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        with pytest.raises(ConfigurationError, match="media_whistle"):
            alice.rtp("media_whistle")
        assert alice.rtp("recv_echo") == alice.rtp("media_recv_echo")
        with pytest.raises(CallError, match="unknown DTMF method"):
            await alice.invite(address_of(bob), dtmf_methods="smoke", cb_dtmf=StopVariable())
        bob.listen()
        call = await alice.invite(address_of(bob))
        with pytest.raises(CallError, match="unknown DTMF method"):
            await call.dtmf("1", methods="smoke")
        await call.bye()

    run(scenario)


@again_after_a_stop
def test_digits_have_their_durations_pauses_and_gaps() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        loop = asyncio.get_running_loop()
        digits: list[tuple[str, int, float]] = []
        bob.listen(media="silence", cb_dtmf=lambda event, duration: note(digits, (event, duration, loop.time())))
        call = await alice.invite(address_of(bob), media="silence")
        began = loop.time()
        await call.dtmf("11-2", duration=100)
        took = loop.time() - began
        await call.dtmf("3", duration=250)
        await until(lambda: len(digits) == 4)
        assert [event for event, _, _ in digits] == ["1", "1", "2", "3"]
        assert all(
            abs(duration - wanted) <= 40 for (_, duration, _), wanted in zip(digits, (100, 100, 100, 250), strict=True)
        )
        ends = [at for _, _, at in digits]
        assert abs(ends[1] - ends[0] - 0.2) < 0.06  # the same digit again: 100 ms of silence before it
        assert ends[2] - ends[1] > 0.17  # a pause of one duration before it
        assert 0.45 < took < 0.85
        await call.bye()

    run(scenario)


def test_digits_with_a_callback_return_at_once_and_are_told_ok_or_fail() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen(media="silence")
        call = await alice.invite(address_of(bob), media="silence")
        good, ended = StopVariable(), StopVariable()
        await call.dtmf("12", cb_final=good)
        assert not good, "it returned before the digits were sent"
        await until(lambda: good.value == "OK")
        await call.dtmf("1234567890", duration=500, cb_final=ended)
        await asyncio.sleep(0.1)
        await call.bye()
        await until(lambda: ended.value == "FAIL")

    run(scenario)


def test_digits_without_media_fail_at_once() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen()
        call = await alice.invite(address_of(bob), media="none")
        async with asyncio.timeout(5):
            with pytest.raises(CallError, match="no media"):
                await call.dtmf("1")
        told = StopVariable()
        await call.dtmf("1", cb_final=told)
        await until(lambda: told.value == "FAIL")
        await call.bye()

    run(scenario)


@pytest.mark.parametrize(("methods", "received"), [("rfc2833", "1"), ("audio", "2"), ("rfc2833,audio", "12")])
def test_digits_are_reported_by_the_chosen_methods_only(methods: str, received: str) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        digits: list[str] = []
        bob.listen(media="silence", dtmf_methods=methods, cb_dtmf=lambda event, duration: note(digits, event))
        call = await alice.invite(address_of(bob), media="silence")
        await call.dtmf("1", duration=120, methods="rfc2833")
        await call.dtmf("2", duration=120, methods="audio")
        await until(lambda: len(digits) >= len(received))
        await pass_time(0.2)
        assert "".join(digits) == received
        await call.bye()

    run(scenario)


def test_a_peer_without_telephone_event_gets_tones_or_an_error() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        digits: list[str] = []
        leases = await bob.reserve_media(1)
        sdp = SDP.format(port=leases[0].port)
        bob.listen(media="silence", sdp=sdp, media_lsocks=leases, cb_dtmf=lambda event, duration: note(digits, event))
        call = await alice.invite(address_of(bob), media="silence")
        with pytest.raises(CallError):
            await call.dtmf("1", methods="rfc2833")
        await call.dtmf("2", duration=120)
        await until(lambda: digits == ["2"])
        await call.bye()

    run(scenario)
