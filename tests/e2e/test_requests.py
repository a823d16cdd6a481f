"""Requests outside of calls between two user agents, both ways: sent, answered by handlers, challenged, ended."""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from sipswarm.actors.config import TlsConfig
from sipswarm.actors.errors import CallRejected, CallTimeout, ConfigurationError, HostUnreachable, RequestEnded
from sipswarm.sipcore.message.messages import Request, Response
from tests.actors.stranger import Stranger, follow_up, statuses
from tests.actors.workers import worker_of
from tests.certificates import Authority
from tests.e2e.agents import Peer, address_of, agent, gate, note, reply
from tests.e2e.agents import run as two_agents
from tests.e2e.test_both_ip_versions import BOTH, DEAD_PORT, V4, V6, names

LEGS = ("udp:127.0.0.1:0", "tcp:127.0.0.1:0", "udp:[::1]:0", "tcp:[::1]:0")


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(40):
            await main()

    asyncio.run(bounded())


def uri_of(ua: UserAgent, user: str = "bob") -> str:
    return f"{address_of(ua, user)};transport={ua.legs[0].transport}"


async def exchange(alice: UserAgent, bob: UserAgent) -> None:
    """Each method both ways; the body arrives whole, and each handler is called once."""
    for one, other in ((alice, bob), (bob, alice)):
        came: list[Request] = []
        for method in ("MESSAGE", "NOTIFY", "PUBLISH", "SUBSCRIBE", "INFO", "REFER", "PING"):
            other.on_request(method, lambda request, came=came: note(came, request) and 202)
            response = await one.request(method, uri_of(other), f"text of {method}", x_number="7", event="dialog")
            assert (response.status, response.cseq.method) == (202, method)
            assert [(each.method, each.body) for each in came] == [(method, f"text of {method}".encode())]
            assert (came[0].headers.get("X-Number"), came[0].content_type) == ("7", "text/plain")
            assert ("contact" in came[0].headers) == (method not in ("MESSAGE", "PUBLISH", "INFO"))
            came.clear()


@pytest.mark.parametrize("leg", LEGS)
def test_every_method_goes_both_ways(leg: str) -> None:
    two_agents(exchange, leg)


def test_every_method_goes_both_ways_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("bob", "IP:127.0.0.1")
    tls = TlsConfig(authority.ca, certificate, key)

    async def main() -> None:
        async with (
            agent("sip:alice@127.0.0.1", "tls:127.0.0.1:0", tls=tls) as alice,
            agent("sip:bob@127.0.0.1", "tls:127.0.0.1:0", tls=tls) as bob,
        ):
            await exchange(alice, bob)

    run(main)


def test_options_says_what_a_call_would_get_and_have() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        with pytest.raises(CallRejected, match="480") as refused:
            await alice.request("OPTIONS", address_of(bob))
        assert refused.value.response is not None
        bob.listen()
        bob.on_request("MESSAGE", lambda request: 200)
        response = await alice.request("OPTIONS", address_of(bob))
        assert (response.status, response.content_type) == (200, "application/sdp")
        assert b"m=audio 0 RTP/AVP 0 8 101\r\n" in response.body
        allowed = (response.headers.get("Allow") or "").split(", ")
        assert {"INVITE", "OPTIONS", "MESSAGE"} <= set(allowed)
        assert "SUBSCRIBE" not in allowed
        for name in ("Accept", "Accept-Encoding", "Accept-Language", "Supported"):
            assert response.headers.get(name), name
        other = await alice.request("OPTIONS", address_of(bob), accept="text/plain")
        assert (other.status, other.body) == (200, b"")
        bob.stop_listening()
        with pytest.raises(CallRejected, match="480"):
            await alice.request("OPTIONS", address_of(bob))
        with pytest.raises(CallRejected, match="480"):
            await alice.invite(address_of(bob))

    two_agents(scenario)


def test_a_method_without_a_handler_gets_405_with_allow() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.on_request("MESSAGE", lambda request: 200)
        bob.on_request("MESSAGE", None)
        with pytest.raises(CallRejected) as caught:
            await alice.request("MESSAGE", address_of(bob), "hello")
        assert caught.value.status == 405
        assert caught.value.response is not None
        assert "MESSAGE" not in (caught.value.response.headers.get("Allow") or "")

    two_agents(scenario)


def test_a_handler_answers_by_response_status_or_nothing_at_once_or_later() -> None:
    async def later(request: Request) -> Response:
        await asyncio.sleep(0.05)
        extra = (("X-Answer", "late"), ("Via", "SIP/2.0/UDP nobody"))
        return Response.build(299, "Read", (*extra, ("Content-Type", "text/html")), b"<p>")

    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.on_request("MESSAGE", later)
        response = await alice.request("MESSAGE", address_of(bob), "hello")
        assert (response.status, response.reason, response.body) == (299, "Read", b"<p>")
        assert (response.headers.get("X-Answer"), response.content_type) == ("late", "text/html")
        bob.on_request("MESSAGE", lambda request: None)
        assert (await alice.request("MESSAGE", address_of(bob), "hello")).status == 200
        bob.on_request("MESSAGE", lambda request: 603)
        with pytest.raises(CallRejected) as caught:
            await alice.request("MESSAGE", address_of(bob), "hello")
        assert (caught.value.status, caught.value.reason) == (603, "Decline")

    two_agents(scenario)


def divide(request: Request) -> int:
    return 1 // 0


async def divide_later(request: Request) -> int:
    return divide(request)


def await_what_was_cancelled(request: Request) -> int:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.cancel()
    return future.result()


async def await_it_later(request: Request) -> int:
    waiting = asyncio.ensure_future(asyncio.sleep(10, 200))
    waiting.cancel()
    return await waiting


async def cancel_itself(request: Request) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(10)


FAILING = [divide, divide_later, await_what_was_cancelled, await_it_later, cancel_itself]


@pytest.mark.parametrize("handler", [*FAILING, lambda request: "yes", lambda request: True])
def test_a_handler_that_fails_costs_its_request_only_and_is_named(
    handler: Callable[[Request], object], caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.on_request("MESSAGE", handler)
        with pytest.raises(CallRejected, match="500"):
            await alice.request("MESSAGE", address_of(bob), "hello")
        bob.on_request("MESSAGE", lambda request: 200)
        assert (await alice.request("MESSAGE", address_of(bob), "hello")).status == 200

    two_agents(scenario)
    (record,) = [each for each in caplog.records if each.levelname == "ERROR"]
    assert f"{__file__}:{handler.__code__.co_firstlineno}" in record.getMessage()
    assert "our own code" not in record.getMessage()


def test_each_of_two_handlers_that_fail_is_named(caplog: pytest.LogCaptureFixture) -> None:
    def no_answer(request: Request) -> str:
        return "no answer"

    async def none_either(request: Request) -> str:
        return "none either"

    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        for method, handler in (("MESSAGE", no_answer), ("PUBLISH", none_either), ("INFO", no_answer)):
            bob.on_request(method, handler)
            with pytest.raises(CallRejected, match="500"):
                await alice.request(method, address_of(bob), "hello")

    two_agents(scenario)
    told = [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]
    places = [f"{__file__}:{each.__code__.co_firstlineno}" for each in (no_answer, none_either)]
    assert [next(each for each in places if each in text) for text in told] == places, "each once: INFO is counted"


def test_a_request_is_challenged_both_ways() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen(auth_user2pass={"alice": "secret"}, auth_realm="test")
        bob.on_request("MESSAGE", lambda request: 200)
        auth = ("alice", "secret")
        assert (await alice.request("MESSAGE", address_of(bob), "hello", auth=auth)).status == 200
        with pytest.raises(CallRejected, match="401"):
            await alice.request("MESSAGE", address_of(bob), "hello", auth=("alice", "wrong"))
        judge = gate()
        async with Peer(lambda request: [judge(request) or reply(request, 200)]) as peer:
            assert (await alice.request("MESSAGE", peer.uri(), "hello", auth=auth)).status == 200
            assert [each.cseq.number for each in peer.requests] == [1, 2]

    two_agents(scenario)


def test_a_3xx_is_followed_as_far_as_the_user_agent_permits() -> None:
    async def main() -> None:
        async with (
            agent(redirects=1) as follows,
            agent() as stays,
            agent("sip:bob@127.0.0.1", "tcp:127.0.0.1:0") as bob,
            Peer(lambda request: [reply(request, 302, ("Contact", f"<{uri_of(bob)}>"))]) as first,
        ):
            bob.on_request("MESSAGE", lambda request: 200)
            with pytest.raises(CallRejected, match="302"):
                await stays.request("MESSAGE", first.uri(), "hello")
            with pytest.raises(CallRejected, match="302"):  # no leg of TCP
                await follows.request("MESSAGE", first.uri(), "hello")
        async with (
            agent("sip:alice@127.0.0.1", "udp:127.0.0.1:0", "tcp:127.0.0.1:0", redirects=1) as follows,
            agent("sip:bob@127.0.0.1", "tcp:127.0.0.1:0") as bob,
            Peer(lambda request: [reply(request, 302, ("Contact", f"<{uri_of(bob)}>"))]) as first,
        ):
            came: list[Request] = []
            bob.on_request("MESSAGE", lambda request: note(came, request) and 200)
            assert (await follows.request("MESSAGE", first.uri(), "hello")).status == 200
            assert came[0].via.transport == "TCP"

    run(main)


def test_silence_and_a_refused_connection_are_told_by_name() -> None:
    async def main() -> None:
        async with agent("sip:alice@127.0.0.1", "udp:127.0.0.1:0", "tcp:127.0.0.1:0") as alice:
            async with Peer(lambda request: []) as silent:
                with pytest.raises(CallTimeout, match=f"OPTIONS to .* from udp 127.0.0.1 port {silent.port}.*firewall"):
                    await alice.request("OPTIONS", silent.uri(), timeout=0.2)
                nobody = f"{silent.uri()};transport=tcp"
            with pytest.raises(CallRejected, match=r"could not be sent to tcp 127.0.0.1 .*unreachable"):
                await alice.request("OPTIONS", nobody)

    run(main)


@pytest.mark.parametrize("legs", [("udp:127.0.0.1:0",), ("udp:127.0.0.1:0", "tcp:127.0.0.1:0")])
@pytest.mark.parametrize("verb", ["request", "subscribe"])
def test_what_no_datagram_has_room_for_is_told_by_name(verb: str, legs: tuple[str, ...]) -> None:
    """With a TCP leg it is tried there first; the other side has no TCP at its port."""

    async def main() -> None:
        async with asyncio.timeout(20), agent("sip:alice@127.0.0.1", *legs) as alice, agent("sip:bob@127.0.0.1") as bob:
            long = "x" * 70_000
            result: Awaitable[object]
            if verb == "request":
                result = alice.request("MESSAGE", address_of(bob), long)
            else:
                result = alice.subscribe(address_of(bob), "presence", body=long, content_type="text/plain")
            with pytest.raises(CallRejected, match=r"503 .* could not be sent.*too_long: no datagram has room for it"):
                await result

    asyncio.run(main())


def test_a_request_ends_by_name_with_its_node_and_a_cancelled_one_gives_its_place_back() -> None:
    async def main() -> None:
        async with Peer(lambda request: []) as silent:
            async with agent() as alice:
                waiting = asyncio.create_task(alice.request("MESSAGE", silent.uri(), "hello"))
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(alice.request("MESSAGE", silent.uri(), "hello"), 0.2)
                assert alice._node.parts.requests.pending == 1
            with pytest.raises(RequestEnded, match="its node ended"):
                await waiting

    run(main)


def test_the_outcome_reaches_a_callback() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.on_request("MESSAGE", lambda request: 202)
        outcomes: asyncio.Queue[tuple[str, dict[str, object]]] = asyncio.Queue()
        told = lambda word, result: outcomes.put_nowait((word, result))  # noqa: E731
        await alice.request("MESSAGE", address_of(bob), "hello", cb_final=told)
        word, result = await outcomes.get()
        assert (word, result["code"]) == ("OK", 202)
        await alice.request("PUBLISH", address_of(bob), "hello", cb_final=told)
        word, result = await outcomes.get()
        assert (word, result["code"]) == ("FAIL", 405)

    two_agents(scenario)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"method": "INVITE"}, "ua.invite"),
        ({"method": "message"}, "write MESSAGE"),
        ({"method": "A B"}, "method"),
        ({"to": "sip:"}, "to"),
        ({"timeout": -1}, "timeout"),
        ({"cb_final": 7}, "cb_final"),
        ({"leg": "udp:1"}, "no leg"),
        ({"max_forwards": 256}, "max_forwards"),
        ({"from_": "sip:a@b\r\nX: y"}, "from"),
        ({"via": "SIP/2.0/UDP a"}, "via"),
        ({"media": "echo"}, "request has no argument media, which is one of calls. Write Media=… for a header of that"),
        ({"cb_established": "x"}, "request has no argument cb_established, which is one of calls"),
        ({"contet_type": "text/html"}, r"no argument contet_type; did you mean content_type\? Write Contet_Type=…"),
        ({"legs": "udp"}, r"no argument legs; did you mean leg\?"),
        ({"frm_": "sip:a@b"}, r"did you mean from_\?"),
        ({"to": {"to": "sip:a@127.0.0.1", "callid": "ours"}, "method": "OPTIONS", "leg": 9}, "no leg"),
    ],
)
def test_a_wrong_argument_raises_at_once_with_its_name(wrong: dict[str, object], text: str) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        given: dict[str, object] = {"method": "OPTIONS", "to": address_of(bob), **wrong}
        with pytest.raises(ConfigurationError, match=text):
            await alice.request(**given)  # type: ignore[call-overload]

    two_agents(scenario)


@pytest.mark.parametrize(
    ("method", "handler"),
    [("INVITE", print), ("BYE", print), ("message", print), ("MESSAGE", 7), ("MESSAGE", lambda: 7)],
)
def test_a_handler_that_could_never_be_called_is_refused(method: str, handler: object) -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        with pytest.raises(ConfigurationError):
            bob.on_request(method, handler)

    two_agents(scenario)


@pytest.mark.parametrize(("dead", "live"), [(V4, V6), (V6, V4)])
@pytest.mark.parametrize("how", ["nobody", "503"])
def test_a_request_goes_on_at_the_next_host_of_its_name(dead: str, live: str, how: str) -> None:
    async def main() -> None:
        async with (
            Peer(lambda request: [reply(request, 503)], dead) as first,
            Peer(lambda request: [reply(request, 200)], live) as second,
        ):
            lookup = names((dead, first.port if how == "503" else DEAD_PORT), (live, second.port))
            async with agent("sip:alice@x", *BOTH, dnsresolv=lookup) as alice:
                response = await alice.request("OPTIONS", "sip:bob@srv.test")
                assert response.status == 200
                (request,) = second.requests
                assert (request.via.host, request.contacts[0].uri.host, request.uri) == (live, live, "sip:bob@srv.test")

    run(main)


def test_a_name_without_an_address_is_told_by_name() -> None:
    async def main() -> None:
        async with agent(dnsresolv=names()) as alice:
            with pytest.raises(HostUnreachable, match=r"nowhere\.test"):
                await alice.request("OPTIONS", "sip:bob@nowhere.test")
            outcomes: asyncio.Queue[tuple[str, dict[str, object]]] = asyncio.Queue()
            told = lambda word, result: outcomes.put_nowait((word, result))  # noqa: E731
            await alice.request("OPTIONS", "sip:bob@nowhere.test", cb_final=told)
            assert await outcomes.get() == ("FAIL", {"errno": errno.EHOSTUNREACH})

    run(main)


def test_a_repeated_request_reaches_its_handler_once_and_another_with_its_numbers_gets_482() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        came: list[Request] = []
        gate_open = asyncio.Event()

        async def later(request: Request) -> int:
            came.append(request)
            await gate_open.wait()
            return 202

        bob.on_request("MESSAGE", later)
        with Stranger(bob) as stranger:
            first = follow_up("MESSAGE", stranger.invite(1), branch="z9hG4bKone")
            assert await stranger.exchange(first, first, seconds=0.1) == []
            other = first.replace(b"z9hG4bKone", b"z9hG4bKtwo")
            cancel = first.replace(b"MESSAGE", b"CANCEL")
            assert statuses(await stranger.exchange(other, seconds=0.1), "MESSAGE") == [482]
            assert statuses(await stranger.exchange(cancel, seconds=0.1), "CANCEL") == [200]
            gate_open.set()
            assert statuses(await stranger.exchange(seconds=0.1), "MESSAGE") == [202]
            assert statuses(await stranger.exchange(first, first, seconds=0.1), "MESSAGE") == [202]
            assert len(came) == 1
            assert worker_of(bob).actors.reserved == 0

    two_agents(scenario)


def test_a_full_node_takes_no_request_and_says_so_to_options() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.listen()
        bob.on_request("MESSAGE", lambda request: 200)
        worker_of(bob).actors.reserve(worker_of(bob).config.max_calls)
        for method in ("MESSAGE", "OPTIONS"):
            with pytest.raises(CallRejected) as refused:
                await alice.request(method, address_of(bob), "hello" if method == "MESSAGE" else "")
            assert refused.value.status == 503
            assert refused.value.response is not None
            assert refused.value.response.retry_after is not None
        worker_of(bob).actors.reserve(-worker_of(bob).config.max_calls)
        assert (await alice.request("MESSAGE", address_of(bob), "hello")).status == 200

    two_agents(scenario)


def test_requests_are_counted_by_method_and_end() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        bob.on_request("MESSAGE", lambda request: 202)
        await alice.request("MESSAGE", address_of(bob), "hello")
        with pytest.raises(CallRejected):
            await alice.request("PUBLISH", address_of(bob), "hello")
        async with Peer(lambda request: []) as silent:
            with pytest.raises(CallTimeout):
                await alice.request("XYZ", silent.uri(), timeout=0.1)
        sent, received = worker_of(alice).totals, worker_of(bob).totals
        name = "sipswarm_out_of_dialog_requests_total"
        assert [sent.cell(name, "sent", *each).value for each in (("MESSAGE", "202"), ("PUBLISH", "405"))] == [1, 1]
        assert sent.cell(name, "sent", "OTHER", "timeout").value == 1
        assert received.cell(name, "received", "MESSAGE", "202").value == 1
        assert sent.cell("sipswarm_out_of_dialog_requests_active", "sent", "OTHER").value == 0

    two_agents(scenario)


MISSPELT: dict[str, tuple[Callable[[UserAgent, str], Awaitable[object]], str]] = {
    "subscribe": (
        lambda ua, to: ua.subscribe(to, "presence", accpt="text/plain"),
        r"subscribe has no argument accpt; did you mean accept\?",
    ),
    "subscribe, a type": (
        lambda ua, to: ua.subscribe(to, "presence", accept="foo"),
        "accept 'foo' is no media type; write for example text/plain",
    ),
    "register": (
        lambda ua, to: ua.register(to, expire="60"),
        r"register has no argument expire; did you mean expires\?",
    ),
    "register, one of calls": (
        lambda ua, to: ua.register(to, ring_time="5"),
        "register has no argument ring_time, which is one of calls",
    ),
}


@pytest.mark.parametrize("verb", MISSPELT)
def test_a_misspelt_text_does_not_leave_as_a_header(verb: str) -> None:
    async def main() -> None:
        async with agent() as alice, Peer(lambda request: [reply(request, 200)]) as peer:
            call, text = MISSPELT[verb]
            with pytest.raises(ConfigurationError, match=text):
                await call(alice, peer.uri())
            assert not peer.requests

    run(main)


def test_a_name_with_a_capital_letter_and_one_that_is_near_nothing_are_headers() -> None:
    async def scenario(alice: UserAgent, bob: UserAgent) -> None:
        came: list[Request] = []
        bob.on_request("MESSAGE", lambda request: note(came, request) and 200)
        await alice.request("MESSAGE", address_of(bob), "hello", Media="echo", x_why="test", subject="Hello")
        found = [came[0].headers.get(name) for name in ("Media", "X-Why", "Subject")]
        assert found == ["echo", "test", "Hello"]

    two_agents(scenario)
