"""Subscriptions that a handler accepts: NOTIFYs to a subscriber of ours, refresh, both ends, fetch, late decision."""

import asyncio

import pytest

from sipswarm.actors.agent.served_subscription import ServedSubscription
from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.errors import CallRejected, ConfigurationError, RequestEnded, WrongState
from sipswarm.sipcore.message.messages import Request, Response

from .agents import Peer, address_of, agent, reply, run
from .waiting import until


def serve(ua: UserAgent, **more: object) -> list[ServedSubscription]:
    """Have a user agent accept subscriptions; what it accepts is added to the list."""
    served: list[ServedSubscription] = []

    def take(request: Request) -> None:
        served.append(ua.accept_subscription(request, **more))  # type: ignore[arg-type]  # any of its arguments

    ua.on_request("SUBSCRIBE", take)
    return served


def test_states_arrive_in_order_until_the_notifier_ends_it() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        served = serve(bob, expires=600, body="one")
        subscription = await alice.subscribe(address_of(bob), "presence;id=7", expires=3600)
        (mine,) = served
        assert (mine.event, mine.state, 590 < mine.expires <= 600, mine.reason) == ("presence;id=7", "active", True, "")
        await mine.notify("two")
        await asyncio.gather(*(mine.notify(str(number), content_type="text/x-number") for number in range(3)))
        await mine.end("noresource", "gone")
        heard = [(each.state, each.body.decode(), each.content_type) async for each in subscription]
        assert [body for _, body, _ in heard] == ["one", "two", "0", "1", "2", "gone"]
        assert heard[0][0] == heard[4][0] == "active"
        assert (heard[5][0], heard[3][2]) == ("terminated", "text/x-number")
        assert (subscription.reason, mine.reason, mine.state, mine.expires) == (
            "noresource",
            "noresource",
            "terminated",
            0,
        )
        with pytest.raises(WrongState):
            await mine.notify("late")
        await mine.end()

    run(scenario)


def test_it_is_refreshed_and_ended_by_the_subscriber() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        served = serve(bob, expires=2, body="one")
        subscription = await alice.subscribe(address_of(bob), "presence")
        heard = [await anext(subscription) for _ in range(3)]
        assert [each.body for each in heard] == [b"one"] * 3, "each refresh brings the newest state"
        await subscription.end()
        assert await served[0].over() == "timeout"
        assert len(served) == 1

    run(scenario)


def test_a_fetch_gets_one_state_and_a_decision_may_come_later() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        served = serve(bob, body="now", state="pending")
        fetched = [each async for each in await alice.subscribe(address_of(bob), "presence", expires=0)]
        assert [(each.state, each.body) for each in fetched] == [("terminated", b"now")]
        assert await served[0].over() == "timeout"
        subscription = await alice.subscribe(address_of(bob), "presence")
        assert (subscription.state, served[1].state) == ("pending", "pending")
        await served[1].notify("welcome")
        await until(lambda: subscription.state == "active")
        with pytest.raises(WrongState):
            await served[1].notify(state="pending")
        with pytest.raises(ConfigurationError):
            await served[1].notify(state="terminated")
        await subscription.end()

    run(scenario)


def test_a_subscriber_that_refuses_or_is_gone() -> None:
    statuses = [200, 500, 481]

    def answer(request: Request) -> list[Response]:
        return [reply(request, statuses.pop(0))] if request.method == "NOTIFY" else []

    async def main() -> None:
        async with asyncio.timeout(30), agent("sip:bob@127.0.0.1") as bob, Peer(answer) as peer:
            served = serve(bob)
            host, _, port = address_of(bob).removeprefix("sip:bob@").rpartition(":")
            pairs = [
                ("Via", f"SIP/2.0/UDP 127.0.0.1:{peer.port};branch=z9hG4bKone;rport"),
                *[("From", "<sip:peer@127.0.0.1>;tag=peer"), ("To", "<sip:bob@127.0.0.1>"), ("Call-ID", "gone")],
                *[("CSeq", "1 SUBSCRIBE"), ("Contact", f"<{peer.uri()}>"), ("Event", "presence")],
            ]
            request = Request.build("SUBSCRIBE", address_of(bob), pairs)
            peer._transport.sendto(request.to_bytes(), (host, int(port)))
            await until(lambda: peer.methods() == ["NOTIFY"])
            with pytest.raises(CallRejected) as refused:
                await served[0].notify("one")
            assert (refused.value.status, served[0].state) == (500, "active")
            last, late = await asyncio.gather(
                served[0].notify("two"), served[0].notify("three"), return_exceptions=True
            )
            assert isinstance(last, CallRejected)
            assert isinstance(late, RequestEnded)
            assert (served[0].state, await served[0].over()) == ("terminated", "gone")

    asyncio.run(main())


def test_only_a_subscribe_that_waits_for_its_answer_can_be_accepted() -> None:
    kept: list[Request] = []

    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        def message(request: Request) -> None:
            kept.append(request)
            with pytest.raises(WrongState):
                bob.accept_subscription(request)

        bob.on_request("MESSAGE", message)
        assert (await alice.request("MESSAGE", address_of(bob))).status == 200
        served = serve(bob)
        subscription = await alice.subscribe(address_of(bob), "presence")
        with pytest.raises(WrongState):
            bob.accept_subscription(served[0].request)
        await subscription.end()

    run(scenario)


def test_the_end_of_the_node_is_told_to_the_subscriber() -> None:
    async def main() -> None:
        async with asyncio.timeout(30), agent() as alice:
            async with agent("sip:bob@127.0.0.1") as bob:
                serve(bob, body="one")
                subscription = await alice.subscribe(address_of(bob), "presence")
                assert (await anext(subscription)).body == b"one"
            last = await anext(subscription)
            assert (last.state, subscription.reason) == ("terminated", "probation")

    asyncio.run(main())
