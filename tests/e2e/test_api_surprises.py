"""What a user of the Python API expects without reading: names, forms and the moment at which a method acts."""

import asyncio
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallEnded, ConfigurationError, SwarmError, WrongState
from sipswarm.actors.handle.call import Call
from sipswarm.actors.handle.call_reading import NOTHING_MEASURED, Source
from sipswarm.actors.handle.media_handlers import tone
from sipswarm.sipcore.errors import LocalProtocolError
from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.sdp.description import SessionDescription

from .agents import address_of, agent, note, run
from .waiting import until


def test_a_call_shows_where_it_came_from_and_both_users() -> None:
    async def main() -> None:
        async with asyncio.timeout(20), agent("sip:al%20ice@127.0.0.1") as alice, agent("sip:bob@127.0.0.1") as bob:
            calls: list[Call] = []
            bob.listen(media="none", cb_create=lambda call, request: note(calls, call))
            call = await alice.invite(address_of(bob, "4711"), media="none")
            (other,) = calls
            assert (call.source, other.source) == (None, Source("127.0.0.1", alice.legs[0].port, "udp"))
            for each in (call, other):
                assert (each.calling_user, each.called_user) == ("al ice", "4711")
            without = await alice.invite(f"sip:127.0.0.1:{bob.legs[0].port}", media="none")
            assert (without.called_user, calls[1].called_user) == ("", "")
            await call.bye()
            await without.bye()

    asyncio.run(main())


def test_a_misspelt_argument_is_named_with_the_one_that_was_meant() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        wrong: dict[str, Any] = {"ring_tme": 3}
        with pytest.raises(ConfigurationError, match="no argument ring_tme; did you mean ring_time"):
            await alice.invite(address_of(bob), **wrong)
        with pytest.raises(ConfigurationError, match="no argument cb_finall; did you mean cb_final"):
            bob.listen(cb_finall=print)  # type: ignore[call-arg]  # that is what is tested
        with pytest.raises(ConfigurationError, match="param: media is an argument of listen"):
            bob.listen(param={"media": "silence"})
        for both in (alice.invite(address_of(bob), media="echo", init_media=tone()), listens(bob)):
            with pytest.raises(ConfigurationError, match="media and init_media"):
                await both
        bob.listen(param={"colour": "blue"}, recv_bye=lambda param: note(seen, param["colour"]))
        call = await alice.invite(address_of(bob), {"colour": "red", "media": "tone:440"}, media="none")
        assert call.get_param("colour") == "red"
        await call.bye()
        await until(lambda: seen == ["blue"])

    async def listens(ua: UserAgent) -> None:
        ua.listen(media="echo", init_media=tone())

    seen: list[str] = []
    run(scenario)


def test_parameters_are_read_as_attributes_and_as_a_mapping() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        call = Call(alice, address_of(bob), colour="red", ring_time=3)
        param = call.param
        assert (param.get("colour"), param["colour"], param["ring_time"]) == ("red", "red", 3)
        assert ("colour" in param, "ring_time" in param, "sdp" in param, "size" in param) == (True, True, False, False)
        assert param["sdp"] is None
        with pytest.raises(KeyError):
            _ = param["size"]
        assert dict(param) == {"colour": "red", "ring_time": 3}
        assert (list(param), len(param)) == (["colour", "ring_time"], 2)

    run(scenario)


def test_leg_and_description_are_those_of_the_call_where_the_user_gave_none() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        offers: list[bytes] = []
        bob.listen(media="silence", cb_create=lambda call, request: note(offers, request.body))
        call = await alice.invite(address_of(bob), media="silence")
        leg, described = call.get_param("leg", "sdp")
        assert leg == str(alice.legs[0])
        assert isinstance(described, SessionDescription)
        assert described.to_bytes() == offers[0]
        await call.bye()
        again = await alice.invite(address_of(bob), media="silence", leg=leg)
        assert again.get_param("leg") == leg
        await again.bye()

    run(scenario)


@pytest.mark.parametrize("as_list", [True, False])
def test_a_description_is_given_in_parts(as_list: bool) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        offers: list[Any] = []
        bob.listen(media="silence", cb_invite=lambda call, request: note(offers, call.get_param("sdp_peer")))
        (lease,) = await alice.reserve_media(1)
        session, media = {"addr": lease.address, "s": "parts"}, {"port": lease.port, "fmt": [0, 8]}
        parts: Any = [session, media] if as_list else {**session, "media": [media]}
        call = await alice.invite(address_of(bob), media="silence", sdp=parts, media_lsocks=[lease])
        (line,) = offers[0].media
        assert (offers[0].session_name, line.port, list(line.formats)) == ("parts", lease.port, ["0", "8"])
        await call.bye()
        with pytest.raises(ConfigurationError, match="sdp: a media line has no port"):
            call = await alice.invite(address_of(bob), sdp=[{}, {"fmt": 0}], media_lsocks=[lease])

    run(scenario)


def test_statistics_are_never_none() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen(media="echo")
        call = await alice.invite(address_of(bob), media="none")
        assert call.statistics == NOTHING_MEASURED
        assert (call.statistics.packets_received, call.statistics.mos, call.statistics.round_trip_ms) == (0, 0.0, -1.0)
        await call.bye()
        assert call.statistics.packets_sent == 0
        with_media = await alice.invite(address_of(bob), media="tone:440")
        await until(lambda: with_media.statistics.packets_sent > 0)
        await with_media.bye()
        assert with_media.statistics.stream_id > 0

    run(scenario)


def test_a_method_with_a_callback_acts_at_once_awaited_or_not() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        digits: list[str] = []
        invites: list[Request] = []
        told: list[str] = []

        def final(status: str, *_: Any) -> None:
            told.append(status)

        bob.listen(
            media="silence",
            cb_dtmf=lambda digit, duration: note(digits, digit),
            cb_invite=lambda call, request: note(invites, request) and None,
        )
        call = await alice.invite(address_of(bob), media="silence")
        call.dtmf("7", cb_final=final)
        await until(lambda: (digits, told) == (["7"], ["OK"]))
        call.reinvite(cb_final=final)
        await until(lambda: (len(invites), told) == (2, ["OK", "OK"]))
        call.hold()  # the callback is a parameter now
        await until(lambda: (len(invites), told) == (3, ["OK", "OK", "OK"]))
        assert b"0.0.0.0" in invites[2].body
        assert await call.reinvite(cb_final=None) is call
        assert (len(invites), len(told)) == (4, 3)
        await asyncio.ensure_future(call.dtmf("8", cb_final=lambda status, why: final(status + why)))
        await until(lambda: (digits, told) == (["7", "8"], ["OK"] * 4))
        await call.bye()

    run(scenario)


def test_a_step_in_the_wrong_state_is_an_error_of_this_package_and_changes_nothing() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        async def robot(call: Call) -> None:
            call.ring()
            await asyncio.wait_for(go_on.wait(), 10)
            await call.answer()
            await call.over()

        go_on, ringing = asyncio.Event(), asyncio.Event()
        bob.listen(robot)
        call = await alice.invite(address_of(bob), media="silence", cb_final=lambda *_: None, cb_preliminary=ringing)
        await asyncio.wait_for(ringing.wait(), 10)
        for step in (call.ring, call.early_media, call.reject, call.accept, lambda: call.request("PRACK")):
            with pytest.raises(SwarmError) as refused:
                step()
            assert isinstance(refused.value, WrongState)
            assert isinstance(refused.value, LocalProtocolError)
        go_on.set()
        await until(lambda: call.is_up)
        for step in (call.accept, call.reject):
            with pytest.raises(WrongState):
                step()
        await call.bye()

    run(scenario)


def test_what_ends_a_call_is_harmless_after_its_end_and_everything_else_raises_call_ended() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen(media="silence")
        call = await alice.invite(address_of(bob), media="silence")
        await call.bye()
        for end in (call.bye, call.hang_up, call.reject, call.cleanup, call.stop_playing, call.stop_recording):
            end()
        call.ring()
        assert call.cancel() is False
        for step in (call.answer, call.reinvite, call.update, call.hold, call.resume, lambda: call.request("INFO")):
            with pytest.raises(CallEnded):
                await step()
        for wait in (call.play("x.wav"), call.record("x.wav")):
            with pytest.raises(CallEnded):
                await wait
        assert (call.cause, call.by) == ("bye", "local")

    run(scenario)


def test_a_call_made_of_a_call_has_what_its_context_leaves_out() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        seen: list[Request] = []
        calls: list[Call] = []
        bob.listen(cb_create=lambda call, request: note(calls, call) and note(seen, request))
        context = {"to": address_of(bob), "from": '"Carol" <sip:carol@home.test>', "callid": alice.new_call_id()}
        first = await alice.invite(context, media="none")
        second = Call(first, address_of(bob, "other"), media="none", colour="red")
        assert await second.reinvite() is second
        third = Call(second, {"to": address_of(bob), "from": "sip:dave@home.test"}, media="none")
        await third.reinvite()
        assert [str(each.from_.uri) for each in seen] == [
            *("sip:carol@home.test", "sip:carol@home.test", "sip:dave@home.test")
        ]
        assert len({each.call_id for each in seen}) == 3
        assert (second.called_user, second.get_param("colour"), first.get_param("colour")) == ("other", "red", None)
        back: list[Request] = []
        alice.listen(media="none", cb_invite=lambda call, request: note(back, request) and None)
        reply = Call(calls[0], address_of(alice, "alice"), media="none")  # of an incoming one: its user agent's
        await reply.reinvite()
        assert str(back[0].from_.uri) == "sip:bob@127.0.0.1"
        for each in (first, second, third, reply):
            await each.bye()

    run(scenario)


def test_a_call_of_no_user_agent_makes_no_further_call() -> None:
    with pytest.raises(ConfigurationError, match="no user agent has placed or taken"):
        Call(Call.__new__(Call), "sip:x@127.0.0.1")
