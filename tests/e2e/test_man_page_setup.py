"""How a call of the man page is made, which leg it leaves from, what its callbacks are told (C1, C2, C15 to C18)."""

import asyncio
import errno
import re
from collections.abc import Sequence
from typing import Any

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallRejected, ConfigurationError
from sipswarm.actors.handle.call import Call
from sipswarm.actors.runtime.callbacks import StopVariable
from sipswarm.sipcore.message.messages import Request, Response
from tests.e2e.agents import Peer, address_of, agent, note, reply, run
from tests.e2e.waiting import until


def test_a_context_decides_who_calls_and_two_calls_share_no_parameters() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        seen: list[Request] = []
        bob.listen(cb_invite=lambda call, request: note(seen, request))
        callid = alice.new_call_id()
        contact = f"<sip:me@127.0.0.1:{alice.legs[0].port}>"
        context = {"to": address_of(bob), "from": '"Carol" <sip:carol@home.test>', "contact": contact, "callid": callid}
        first = await alice.invite(context, {"colour": "red"})
        second = await alice.invite(address_of(bob))
        assert (seen[0].from_.display_name, str(seen[0].from_.uri)) == ("Carol", "sip:carol@home.test")
        assert str(seen[0].contacts[0]) == contact
        assert (seen[0].call_id, first.call_id) == (callid, callid)
        assert seen[1].from_.address() == "<sip:alice@127.0.0.1>"
        assert (first.get_param("colour"), second.get_param("colour")) == ("red", None)
        assert await alice.invite(first) is first  # the context of a call that is up: its next INVITE
        assert [request.cseq.number for request in seen if request.call_id == callid] == [1, 2]
        await first.bye()
        await second.bye()

    run(scenario)


def test_a_route_in_the_context_is_the_first_hop() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        seen: list[Request] = []
        bob.listen(cb_invite=lambda call, request: note(seen, request))
        route = f"<sip:127.0.0.1:{bob.legs[0].port};lr>"
        call = await alice.invite({"to": address_of(bob, "far"), "route": [route]})
        assert [str(each) for each in seen[0].routes] == [route]
        await call.bye()

    run(scenario)


@pytest.mark.parametrize("context", [{}, {"to": "sip:x@127.0.0.1", "color": 1}])
def test_a_context_that_cannot_be_is_refused_at_once(context: dict[str, Any]) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        with pytest.raises(ConfigurationError, match="context"):
            await alice.invite(context)

    run(scenario)


@pytest.mark.parametrize("leg", [None, 0, 1, "name"])
def test_source_via_contact_and_sdp_are_those_of_the_chosen_leg(leg: int | str | None) -> None:
    async def main() -> None:
        seen: list[tuple[Request, int]] = []

        def on_call(call: Call, request: Request) -> None:
            port = request.via.port
            note(seen, (request, port or 0))

        async with agent("sip:a@127.0.0.1", "udp:127.0.0.1:0", "udp:127.0.0.2:0") as alice, agent("sip:b@h") as bob:
            bob.listen(cb_invite=on_call)
            index = leg if isinstance(leg, int) else int(leg is not None)
            name = str(alice.legs[1]) if leg == "name" else leg
            call = await alice.invite(address_of(bob), leg=name)
            host, port = alice.legs[index].host, alice.legs[index].port
            request = seen[0][0]
            assert (request.via.host, request.via.port) == (host, port)
            assert request.via.params.get("received", host) == host
            assert request.via.params.get("rport", str(port)) in (str(port), None, "")
            assert (request.contacts[0].uri.host, request.contacts[0].uri.port) == (host, port)
            assert f"c=IN IP4 {host}\r\n".encode() in request.body
            await call.bye()
            assert call.cause == "bye"
            with pytest.raises(ConfigurationError, match="no leg is"):
                await alice.invite(address_of(bob), leg=7)

    asyncio.run(main())


FAILURES: list[tuple[int, tuple[tuple[str, str], ...], int]] = [
    (486, (), errno.EINVAL),
    (603, (), errno.EINVAL),
    (300, (("Contact", "<sip:x@127.0.0.1>"),), errno.EFAULT),
    (302, (("Contact", "<sip:x@127.0.0.1>"),), errno.EFAULT),
    (401, (("WWW-Authenticate", 'Digest realm="r", nonce="n"'),), errno.EPERM),
]


@pytest.mark.parametrize(("status", "headers", "number"), FAILURES)
def test_a_refusal_is_told_once_with_code_packet_and_errno(
    status: int, headers: Sequence[tuple[str, str]], number: int
) -> None:
    async def main() -> None:
        finals: list[Any] = []
        order: list[str] = []

        def answer(request: Request) -> list[Response]:
            return [reply(request, status, *headers)] if request.method == "INVITE" else []

        async with agent() as alice, Peer(answer) as peer:
            call = await alice.invite(
                peer.uri(),
                cb_final=lambda *arguments: (note(finals, arguments), note(order, "cb_final")),
                init_media=lambda call, param: note(order, "init_media"),
                cb_established=lambda status, call: note(order, "cb_established"),
                cb_cleanup=lambda call: note(order, "cb_cleanup"),
            )
            await call.over()
            assert len(finals) == 1
            word, same, info = finals[0]
            assert (word, same, info["code"], info["errno"]) == ("FAIL", call, status, number)
            assert info["packet"].status == status
            assert isinstance(call.error, CallRejected)
            assert order == ["cb_final", "cb_cleanup"]
            await until(lambda: peer.requests[-1].method == "ACK")

    asyncio.run(main())


def test_each_provisional_response_is_told_in_order_before_the_final_one() -> None:
    async def main() -> None:
        seen: list[Any] = []

        def answer(request: Request) -> list[Response]:
            if request.method == "INVITE":
                return [*(reply(request, status) for status in (100, 180, 183, 180)), reply(request, 200, peer=peer)]
            return [reply(request, 200)] if request.method == "BYE" else []

        async with agent() as alice, Peer(answer) as peer:
            call = await alice.invite(
                peer.uri(),
                cb_preliminary=lambda call, code, response: note(seen, code),
                cb_final=lambda status, call, info: note(seen, status),
            )
            await until(lambda: "OK" in seen)
            assert seen == [100, 180, 183, 180, "OK"]
            assert call.param.sdp_peer is not None
            assert call.param.sdp_peer.media[0].port == 9
            await call.bye()

    asyncio.run(main())


def test_with_cb_final_invite_and_reinvite_return_at_once() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        async def slow(call: Call) -> None:
            await asyncio.sleep(0.5)
            await call.answer()
            await call.over()

        bob.listen(slow)
        answered = StopVariable()
        call = await alice.invite(address_of(bob), cb_final=answered)
        assert not answered, "it returned before the answer"
        assert not call.is_up
        await until(lambda: answered.value == "OK")
        answered.value = None
        await call.reinvite()  # the callback given once counts again
        assert answered.value is None
        await until(lambda: answered.value == "OK")
        await call.bye()

    run(scenario)


def test_a_refused_reinvite_raises_sets_the_error_and_leaves_the_call_up() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        refused_codes: list[int] = []

        def decide(call: Call, request: Request) -> Response | None:
            return Response.to_request(request, refused_codes[-1]) if refused_codes else None

        bob.listen(cb_invite=decide)
        call = await alice.invite(address_of(bob))
        refused_codes.append(486)
        with pytest.raises(CallRejected) as refused:
            await call.reinvite()
        assert refused.value.status == 486
        assert isinstance(call.error, CallRejected)
        assert call.error.status == 486
        assert call.is_up
        refused_codes.clear()
        await call.reinvite()
        assert [call.error] == [None]
        await call.bye()

    run(scenario)


def test_reinvites_at_the_same_time_are_answered_one_after_the_other() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        seen: list[Any] = []
        bob.listen(cb_invite=lambda call, request: note(seen, (request.cseq.number, request.headers.get("X-Turn"))))
        call = await alice.invite(address_of(bob))
        await asyncio.gather(*(call.reinvite(sip_header={"X-Turn": turn}) for turn in ("one", "two", "three")))
        assert seen == [(1, None), (2, "one"), (3, "two"), (4, "three")]
        await call.bye()

    run(scenario)


def test_cb_invite_decides_by_the_response_that_it_returns() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        rings: list[Call] = []
        seen: list[int] = []

        def decide(call: Call, request: Request) -> Response | None:
            user = request.uri.partition(":")[2].partition("@")[0]
            if user == "busy":
                return Response.to_request(request, 486, "Busy", extra=(("X-Why", "lunch"),))
            if user == "late":
                rings.append(call)
                return Response.to_request(request, 180)
            return None

        bob.listen(cb_invite=decide)
        with pytest.raises(CallRejected):
            await alice.invite(address_of(bob, "busy"))
        task = asyncio.ensure_future(
            alice.invite(address_of(bob, "late"), cb_preliminary=lambda call, code, response: note(seen, code))
        )
        await until(lambda: 180 in seen)
        assert not task.done()
        rings[0].accept()
        call = await task
        await call.bye()

    run(scenario)


def test_a_filter_and_cb_create_refuse_with_the_chosen_status() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        for options, status in (
            ({"filter": re.compile("nobody")}, 403),
            ({"filter": lambda sender, request: False, "refuse_status": 603}, 603),
            ({"cb_create": lambda call, request: None, "refuse_status": 486}, 486),
        ):
            bob.listen(**options)
            with pytest.raises(CallRejected) as refused:
                await alice.invite(address_of(bob))
            assert refused.value.status == status
        bob.listen(filter=re.compile("alice@"))
        await (await alice.invite(address_of(bob))).bye()

    run(scenario)


def test_parameters_set_in_cb_established_count_for_this_start_of_media() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        started: list[str] = []
        bob.listen(
            init_media=lambda call, param: note(started, "old"),
            cb_established=lambda status, call: call.set_param(init_media=lambda call, param: note(started, "new")),
        )
        call = await alice.invite(address_of(bob))
        await until(lambda: started)
        assert started == ["new"]
        await call.bye()

    run(scenario)
