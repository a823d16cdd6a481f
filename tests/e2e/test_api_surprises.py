"""What a user of the Python API expects without reading: names, forms and the moment at which a method acts."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import sipswarm
from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallEnded, CallRejected, ConfigurationError, SwarmError, WrongState
from sipswarm.actors.handle.call import Call
from sipswarm.actors.handle.call_reading import NOTHING_MEASURED, Source
from sipswarm.actors.handle.media_handlers import tone
from sipswarm.actors.runtime.callbacks import StopVariable
from sipswarm.sipcore.errors import LocalProtocolError
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.sdp.description import SessionDescription

from .agents import Peer, address_of, agent, note, run
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


def test_callbacks_of_the_clean_up_are_called_in_order_and_one_that_fails_costs_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        done: list[str] = []

        def fails(call: Call) -> None:
            done.append("second")
            raise OSError("gone")

        bob.listen(media="none")
        call = await alice.invite(address_of(bob), media="none", cb_cleanup=lambda call: done.append("first"))
        call.add_cleanup(fails)
        call.add_cleanup((lambda word, call: done.append(word), "third"))
        with pytest.raises(ConfigurationError, match="callback"):
            call.add_cleanup(lambda: None)
        await call.bye()
        assert done == ["first", "second", "third"]
        assert "the callback cb_cleanup" in caplog.text
        with pytest.raises(CallEnded):
            call.add_cleanup(fails)

    run(scenario)


def test_a_subclass_with_its_own_receive_gets_each_message_and_passes_it_on() -> None:
    class Watched(Call):
        def receive(self, message: Request | Response, source: Hop, leg: str = "") -> None:
            seen.append((message.cseq.method, source.port, leg))
            super().receive(message, source)

    seen: list[tuple[str, int, str]] = []

    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen(media="none")
        call = Watched(alice, address_of(bob), media="none")
        await call.reinvite()
        response = await call.request("INFO", "text")
        assert response.status == 200
        await call.bye()
        assert [method for method, *_ in dict.fromkeys(seen)] == ["INVITE", "INFO", "BYE"]
        assert {(port, leg) for _, port, leg in seen} == {(bob.legs[0].port, str(alice.legs[0]))}
        plain = await alice.invite(address_of(bob), media="none")
        await plain.bye()
        assert len({method for method, *_ in seen}) == 3

    run(scenario)


def test_a_receiver_of_three_arguments_gets_the_leg_too() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        legs: list[str] = []

        def create(call: Call, request: Request) -> Any:
            def receive(message: Request | Response, source: Hop, leg: str) -> None:
                legs.append(leg)
                call.receive(message, source)

            call.spawn(call.answer())
            return receive

        bob.listen(media="none", cb_create=create)
        call = await alice.invite(address_of(bob), media="none")
        await call.bye()
        assert set(legs) == {str(bob.legs[0])}

    run(scenario)


def test_options_have_the_names_of_net_sip_too() -> None:
    async def main() -> None:
        async with asyncio.timeout(20), agent("sip:bob@127.0.0.1") as bob:
            bob.listen(media="none")
            place = f"127.0.0.1:{bob.legs[0].port}"
            for options in (
                {"proxy": place},
                {"routes": f"<sip:{place};lr>"},
                {"d2p": {"example.org": f"sip:{place}"}},
            ):
                async with UserAgent(leg="udp:127.0.0.1:0", **options) as alice:
                    assert len(alice.legs) == 1
                    assert await alice.resolve_uri("bob@example.org") == (Hop("udp", "127.0.0.1", bob.legs[0].port),)
                    call = await alice.invite("sip:bob@example.org", media="none")
                    await call.bye()

    asyncio.run(main())
    with pytest.raises(ConfigurationError, match="proxy and outgoing_proxy are the same option"):
        UserAgent(proxy="127.0.0.1", outgoing_proxy="127.0.0.1")
    wrong: Any = {"strict_sorce": True}
    with pytest.raises(ConfigurationError, match="no argument strict_sorce; did you mean strict_source"):
        UserAgent(**wrong)


def test_a_message_made_by_hand_is_sent_once_and_as_it_is() -> None:
    async def main() -> None:
        async with asyncio.timeout(20), agent() as alice, Peer(lambda request: [], hears_all=True) as peer:
            request = Request.build(
                "OPTIONS",
                peer.uri(),
                [
                    ("Via", f"SIP/2.0/UDP 127.0.0.1:{alice.legs[0].port};branch=z9hG4bKbyhand"),
                    ("Max-Forwards", "70"),
                    ("From", "<sip:a@127.0.0.1>;tag=1"),
                    ("To", "<sip:b@127.0.0.1>"),
                    ("Call-ID", "by-hand"),
                    ("CSeq", "1 OPTIONS"),
                ],
            )
            for message in (request, request.to_bytes()):
                await alice.deliver(message, peer.uri())
            await until(lambda: len(peer.requests) == 2)
            await asyncio.sleep(0.7)  # T1 would repeat it after 0.5 s
            assert [each.to_bytes() for each in peer.requests] == [request.to_bytes()] * 2
            for wrong in ("text", None):
                with pytest.raises(ConfigurationError, match="message"):
                    await alice.deliver(wrong, peer.uri())  # type: ignore[arg-type]  # that is what is tested
            with pytest.raises(ConfigurationError, match="to is empty"):
                await alice.deliver(request, "")

    asyncio.run(main())


def test_messages_are_printed_as_they_pass_without_secrets() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        printed = io.StringIO()
        alice.print_messages(printed)
        bob.listen(media="none", auth_user2pass={"alice": "hush"}, auth_realm="test")
        call = await alice.invite(address_of(bob), media="none", auth=("alice", "hush"))
        await call.bye()
        text = printed.getvalue()
        here, there = (f"127.0.0.1:{each.legs[0].port}" for each in (alice, bob))
        for line in (f" sent {here} -> {there}\n    INVITE sip:bob@", f" received {there} -> {here}\n    SIP/2.0 401 "):
            assert line in text
        assert 'response="xxxx' in text
        printed.close()
        assert (await alice.request("OPTIONS", address_of(bob), auth=("alice", "hush"))).status == 200

    run(scenario)


def test_two_identities_of_a_script_share_one_port() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        carol = alice.another("sip:carol@127.0.0.1", same_legs=True)
        assert carol.legs == alice.legs
        callers: list[str] = []
        called: list[str] = []

        async def answer(call: Call) -> None:
            called.append(call.called_user)
            await call.answer()
            await call.over()

        bob.listen(media="none", cb_create=lambda call, request: note(callers, call.calling_user))
        carol.listen(answer)
        for ua in (alice, carol):
            call = await ua.invite(address_of(bob), media="none")
            assert call.is_up
            await call.bye()
        assert callers == ["alice", "carol"]
        for user in ("alice", "carol"):
            call = await bob.invite(address_of(alice, user), media="none")
            await call.bye()
        assert called == ["alice", "carol"]
        with pytest.raises(ConfigurationError, match="does not run yet"):
            UserAgent().another("sip:dave@127.0.0.1", same_legs=True)

    run(scenario)


TO: Any = "sip:bob@127.0.0.1:9"
VERBS: dict[str, Callable[[UserAgent], Any]] = {
    "invite": lambda ua: ua.invite(TO, media="none"),
    "invite with cb_final": lambda ua: ua.invite(TO, media="none", cb_final=print),
    "Call": lambda ua: Call(ua, TO),
    "request": lambda ua: ua.request("OPTIONS", TO),
    "subscribe": lambda ua: ua.subscribe(TO, "presence"),
    "register": lambda ua: ua.register("sip:127.0.0.1:9"),
    "deliver": lambda ua: ua.deliver(b"octets", TO),
    "reserve_media": lambda ua: ua.reserve_media(),
    "listen": lambda ua: ua.listen(media="none"),
    "stop_listening": lambda ua: ua.stop_listening(),
    "on_request": lambda ua: ua.on_request("MESSAGE", lambda request: 200),
    "on_send": lambda ua: ua.on_send(lambda message, hop: None),
    "take_transfers": lambda ua: ua.take_transfers(),
    "every": lambda ua: ua.every(1, print),
    "keep_ladders": lambda ua: ua.keep_ladders(),
    "new_call_id": lambda ua: ua.new_call_id(),
    "another": lambda ua: ua.another("sip:dave@127.0.0.1", same_legs=True),
}


async def result_of(verb: str, ua: UserAgent) -> Any:
    """Do one of `VERBS`, and await what it returns where that waits."""
    result = VERBS[verb](ua)
    return await result if isinstance(result, Awaitable) else result


@pytest.mark.parametrize("verb", VERBS)
def test_a_user_agent_that_has_ended_says_so_at_once(verb: str) -> None:
    async def main() -> None:
        async with agent() as alice:
            carol = alice.another("sip:carol@127.0.0.1", same_legs=True)
            assert carol.new_call_id()
        for ua in (alice, carol):
            assert ua.counted()[0] == 0, "what it has counted can still be served"
            with pytest.raises(ConfigurationError, match="the user agent has ended"):
                await asyncio.wait_for(result_of(verb, ua), 5)

    asyncio.run(main())


def test_a_user_agent_may_be_entered_again() -> None:
    async def main() -> None:
        alice = agent()
        async with asyncio.timeout(20), agent("sip:bob@127.0.0.1") as bob:
            bob.on_request("MESSAGE", lambda request: 202)
            for _ in range(2):
                async with alice:
                    alice.on_request("MESSAGE", lambda request: 202)
                    for one, other in ((alice, bob), (bob, alice)):
                        assert (await one.request("MESSAGE", address_of(other), "hello")).status == 202

    asyncio.run(main())


def test_a_user_agent_that_runs_is_not_entered_once_more() -> None:
    async def main() -> None:
        async with asyncio.timeout(20), agent() as alice, agent("sip:bob@127.0.0.1") as bob:
            alice.on_request("MESSAGE", lambda request: 202)
            with pytest.raises(ConfigurationError, match="the user agent runs already"):
                await alice.__aenter__()
            assert (await bob.request("MESSAGE", address_of(alice), "hello")).status == 202

    asyncio.run(main())


def test_a_script_runs_on_the_loop_of_a_node() -> None:
    async def main() -> str:
        async with agent() as alice:
            assert alice.legs[0].port
        return type(asyncio.get_running_loop()).__module__.partition(".")[0]

    assert sipswarm.run(main()) == sipswarm.run(main) == "uvloop"
    with pytest.raises(ConfigurationError, match=r"write sipswarm\.run\(main\(\)\)"):
        sipswarm.run(7)  # type: ignore[arg-type]  # that is what is tested

    async def within() -> None:
        with pytest.raises(ConfigurationError, match="an event loop runs already"):
            sipswarm.run(main())

    asyncio.run(within())


def test_a_callback_of_any_form_is_invoked_by_hand() -> None:
    variable = StopVariable()
    assert sipswarm.invoke_callback(variable, "OK") == variable.value == "OK"
    assert sipswarm.invoke_callback((max, 3), 1) == 3
    assert sipswarm.invoke_callback(None, 1) is None


def test_a_call_that_cannot_be_sent_says_so_and_why() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        async with agent("sip:carol@127.0.0.1", "tcp:127.0.0.1:0") as carol:
            gone = f"{address_of(carol)};transport=tcp"
        for target, why in (("sip:x@127.255.255.255:5060", "local_transport|no_way"), (gone, "unreachable")):
            with pytest.raises(
                CallRejected, match=f"503 .*; the INVITE could not be sent to {target}: ({why})"
            ) as error:
                await alice.invite(target, media="none")
            assert (error.value.status, "sent" in error.value.reason) == (503, False)

    run(scenario, "udp:127.0.0.1:0", "tcp:127.0.0.1:0")


def test_the_local_address_toward_a_host_is_that_of_the_leg_or_of_the_route() -> None:
    async def main() -> None:
        async with agent("sip:alice@127.0.0.1", "udp:127.0.0.2:0", "tcp:0.0.0.0:0", "udp:[::]:0") as alice:
            assert alice.local_address("127.0.0.1") == "127.0.0.2"
            assert alice.local_address("127.0.0.3", "tcp") == "127.0.0.1"
            assert alice.local_address("::1") == "::1"
            with pytest.raises(ConfigurationError, match="no leg has it"):
                alice.local_address("::1", "tcp")

    asyncio.run(main())
