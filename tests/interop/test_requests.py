"""Requests outside of calls with SIPp and kamailio, both ways: OPTIONS, MESSAGE, SUBSCRIBE, challenged and relayed."""

import asyncio
from pathlib import Path

import pytest

from sipswarm.actors.errors import CallRejected
from sipswarm.sipcore.message.messages import Request
from tests.e2e.agents import agent, note

from .conftest import Start
from .kamailio import Home, Registrar
from .node import NodeRun
from .processes import LOOPBACK, free_port, own_host
from .sipp import Sipp
from .test_at_home import WAYS, Way, user

ROBOT = """
async def robot(call):
    await call.answer()


def setup(ua):
    async def message(request):
        return 200 if request.body.startswith(b"message ") else 400

    def subscribe(request):
        if request.headers.get("Event") != "message-summary":
            return 489
        ua.accept_subscription(request, expires=60, body="Messages-Waiting: no")

    ua.on_request("MESSAGE", message)
    ua.on_request("SUBSCRIBE", subscribe)
"""


def robot(folder: Path, start: Start, transport: str) -> tuple[NodeRun, str]:
    """A robot of two call workers that takes messages and subscriptions, and its address."""
    (folder / "robot.py").write_text(ROBOT)
    place = f"{own_host()}:{free_port()}"
    listen = ["--listen", f"{transport}:{place}", "--call-workers", "2", "--media-workers", "1"]
    node = start(NodeRun(folder, "robot", [str(folder / "robot.py"), *listen]))
    node.ready()
    return node, place


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize(
    ("scenario", "method", "codes"),
    [
        ("uac_messages.xml", "MESSAGE", {"200": 50}),
        ("uac_options.xml", "OPTIONS", {"200": 50}),
        ("uac_subscribes.xml", "SUBSCRIBE", {"489": 50, "200": 50}),
    ],
)
def test_sipp_gets_an_answer_to_each_request_from_a_robot_of_two_workers(
    tmp_path: Path, start: Start, transport: str, scenario: str, method: str, codes: dict[str, int]
) -> None:
    node, place = robot(tmp_path, start, transport)
    which = "u1" if transport == "udp" else "t1"
    sipp = start(Sipp(tmp_path, "uac", remote=place, scenario=scenario, calls=50, seconds=30, transport=which))
    verdict = sipp.verdict()
    assert verdict.exit_code == 0, f"{verdict.account}\n{node.program.account()}"
    assert verdict.calls("SuccessfulCall(C)") == 50
    if method == "OPTIONS":  # answered without a handler, and counted among all messages
        assert node.counted("sipswarm_sip_requests_total", 50, direction="received", method=method)
        return
    name = "sipswarm_out_of_dialog_requests_total"
    metrics = node.counted(name, sum(codes.values()), direction="received", method=method)
    assert {code: metrics.total(name, code=code, method=method) for code in codes} == codes
    assert metrics.total("sipswarm_out_of_dialog_requests_active", method=method) == 0
    processes = metrics.states("sipswarm_process_up", "process")
    assert {"call-0", "call-1"} <= processes.keys()


NOTIFIER = """
async def robot(call):
    await call.answer()


def setup(ua):
    async def subscribe(request):
        subscription = ua.accept_subscription(request, expires=600, body="one")
        await subscription.notify("two")

    ua.on_request("SUBSCRIBE", subscribe)
"""


@pytest.mark.parametrize("transport", ["u1", "t1"])
def test_sipp_subscribes_to_a_robot_refreshes_and_ends_it(tmp_path: Path, start: Start, transport: str) -> None:
    (tmp_path / "robot.py").write_text(NOTIFIER)
    place = f"{own_host()}:{free_port()}"
    listen = ["--listen", f"{'udp' if transport == 'u1' else 'tcp'}:{place}", "--call-workers", "2"]
    node = start(NodeRun(tmp_path, "robot", [str(tmp_path / "robot.py"), *listen, "--media-workers", "1"]))
    node.ready()
    sipp = start(
        Sipp(tmp_path, "uac", remote=place, scenario="uac_is_notified.xml", calls=20, seconds=30, transport=transport)
    )
    verdict = sipp.verdict()
    assert verdict.exit_code == 0, f"{verdict.account}\n{node.program.account()}"
    assert verdict.total("NOTIFY", "Recv") == 80
    metrics = node.counted("sipswarm_out_of_dialog_requests_total", 20, direction="received", method="SUBSCRIBE")
    assert metrics.total("sipswarm_subscriptions_served") == 0


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_sipp_notifies_a_subscriber_and_ends_what_it_ends(tmp_path: Path, start: Start, transport: str) -> None:
    which = "u1" if transport == "udp" else "t1"
    sipp = start(Sipp(tmp_path, "uas", scenario="uas_notifies.xml", calls=3, seconds=20, transport=which))
    sipp.ready()

    async def main() -> None:
        to = f"sip:box@{sipp.address};transport={transport}"
        async with asyncio.timeout(20), agent("sip:alice@127.0.0.1", f"{transport}:{LOOPBACK}:0") as alice:
            kept = [await alice.subscribe(to, "message-summary", expires=900) for _ in range(3)]
            for each in kept:
                assert (await anext(each)).body.strip() == b"Messages-Waiting: yes"
                assert (each.state, 590 < each.expires <= 600) == ("active", True)
            for each in kept:
                await each.end()
                assert (each.state, each.reason) == ("terminated", "timeout")

    asyncio.run(main())
    verdict = sipp.verdict()
    assert verdict.exit_code == 0, verdict.account
    assert verdict.calls("SuccessfulCall(C)") == 3


@pytest.mark.parametrize(
    ("method", "headers", "body", "status"),
    [
        ("OPTIONS", ["Accept: application/sdp"], "", 200),
        ("MESSAGE", ["Content-Type: text/plain"], "message 1", 200),
        ("MESSAGE", ["Content-Type: text/plain"], "something else", 400),
        ("SUBSCRIBE", ["Event: message-summary", "Expires: 60"], "", 200),
        ("SUBSCRIBE", ["Event: dialog", "Expires: 60"], "", 489),
        ("PUBLISH", ["Event: presence", "Expires: 60"], "", 405),
    ],
)
def test_kamailio_gets_an_answer_to_each_request_that_it_sends(
    tmp_path: Path, start: Start, method: str, headers: list[str], body: str, status: int
) -> None:
    _, place = robot(tmp_path, start, "udp")
    home = start(Registrar(tmp_path))
    home.ready()
    assert home.request(method, f"sip:robot@{place}", headers, body) == status


@pytest.mark.parametrize("method", ["OPTIONS", "MESSAGE"])
def test_kamailio_refuses_a_request_that_it_does_not_take(tmp_path: Path, start: Start, method: str) -> None:
    home = start(Registrar(tmp_path))
    home.ready()

    async def main() -> None:
        async with asyncio.timeout(20), agent() as alice:
            with pytest.raises(CallRejected) as refused:
                await alice.request(method, f"sip:{home.address}")
            assert refused.value.status == 405
            with pytest.raises(CallRejected) as unknown:
                await alice.subscribe(f"sip:box@{home.address}", "message-summary")
            assert unknown.value.status == 405

    asyncio.run(main())


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("password", ["open-sesame", "wrong"])
def test_sipp_checks_the_credentials_of_a_message(tmp_path: Path, start: Start, transport: str, password: str) -> None:
    which = "u1" if transport == "udp" else "t1"
    sipp = start(Sipp(tmp_path, "uas", scenario="uas_takes_messages.xml", calls=1, seconds=20, transport=which))
    sipp.ready()

    async def main() -> int:
        async with asyncio.timeout(20), agent("sip:alice@127.0.0.1", f"{transport}:{LOOPBACK}:0") as alice:
            to = f"sip:bob@{sipp.address};transport={transport}"
            try:
                return (await alice.request("MESSAGE", to, "hello", auth=("alice", password))).status
            except CallRejected as refused:
                return refused.status

    status = asyncio.run(main())
    verdict = sipp.verdict()
    assert (status, verdict.exit_code == 0) == ((200, True) if password == "open-sesame" else (403, False)), (
        verdict.account
    )


def test_sipp_says_what_is_possible(tmp_path: Path, start: Start) -> None:
    sipp = start(Sipp(tmp_path, "uas", scenario="uas_takes_options.xml", calls=20, seconds=20))
    sipp.ready()

    async def main() -> None:
        async with asyncio.timeout(20), agent() as alice:
            for _ in range(20):
                response = await alice.request("OPTIONS", f"sip:bob@{sipp.address}")
                assert "INVITE" in (response.headers.get("Allow") or "")

    asyncio.run(main())
    verdict = sipp.verdict()
    assert verdict.exit_code == 0, verdict.account
    assert verdict.calls("SuccessfulCall(C)") == 20


@pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(way))
def test_messages_pass_a_kamailio_that_challenges_them(tmp_path: Path, start: Start, way: Way) -> None:
    home = start(Home(tmp_path))
    home.ready()

    async def main() -> None:
        came: list[Request] = []
        alice, bob = user(home, "alice", way.caller, way.host), user(home, "bob", way.called, way.host)
        async with asyncio.timeout(30), alice, bob:
            for each in (alice, bob):
                assert await each.register() > 0
                each.on_request("MESSAGE", lambda request: note(came, request) and 202)
            assert (await alice.request("MESSAGE", "sip:bob@home.test", "to bob")).status == 202
            assert (await bob.request("MESSAGE", "sip:alice@home.test", "to alice")).status == 202
            assert [each.body for each in came] == [b"to bob", b"to alice"]
            assert all(len(each.vias) == 2 for each in came), "by way of kamailio"
            assert "proxy-authorization" not in came[0].headers
            with pytest.raises(CallRejected) as silent:
                await alice.request("OPTIONS", "sip:bob@home.test")
            assert silent.value.status == 480, "bob takes no calls"
            bob.listen()
            assert (await alice.request("OPTIONS", "sip:bob@home.test")).content_type == "application/sdp"
            with pytest.raises(CallRejected) as nobody:
                await alice.request("MESSAGE", "sip:nobody@home.test", "hello")
            assert nobody.value.status == 404

    asyncio.run(main())


def test_a_wrong_password_sends_no_message(tmp_path: Path, start: Start) -> None:
    home = start(Home(tmp_path))
    home.ready()

    async def main() -> None:
        async with asyncio.timeout(20), user(home, "alice", "udp", "127.0.0.1", "wrong") as alice:
            with pytest.raises(CallRejected) as refused:
                await alice.request("MESSAGE", "sip:bob@home.test", "hello")
            assert refused.value.status == 407

    asyncio.run(main())
