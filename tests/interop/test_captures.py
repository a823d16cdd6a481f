"""tshark reads what we have sent to our peers: it knows every packet and remarks on none."""

import asyncio
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from sipswarm.actors.agent.user_agent import UserAgent
from tests.e2e.agents import address_of, rtp_ports
from tests.e2e.waiting import until

from .capture import Capture
from .conftest import Start
from .net_sip import NetSip
from .node import Answer, load
from .processes import free_port, network
from .sipp import Sipp
from .test_flows_of_callers import FLOWS, Flow


def test_tshark_finds_nothing_wrong_with_what_we_send(tmp_path: Path, start: Start) -> None:
    net = network()
    for name in ("holds", "perl", "load"):
        (tmp_path / name).mkdir()
    held = start(Answer(tmp_path / "holds", ["--media", "silence"], transport="tcp", host=f"{net}.2.1"))
    talking = start(Answer(tmp_path / "perl", ["--dtmf-echo"], host=f"{net}.3.1"))
    capture = start(Capture(tmp_path, net))
    held.ready()
    talking.ready()
    scenario = "uac_holds.xml"
    caller = Sipp(
        tmp_path / "holds",
        "caller",
        remote=held.address,
        scenario=scenario,
        calls=1,
        seconds=40,
        host=f"{net}.2.2",
        transport="t1",
        options=["-trace_logs"],
    )
    start(caller)
    leg = f"sip:{net}.3.2:{free_port(f'{net}.3.2')}"
    perl = start(NetSip(tmp_path / "perl", "uac.pl", 40, to=f"sip:robot@{talking.address}", local=leg, dtmf="12"))
    callee = start(Sipp(tmp_path / "load", "uas", scenario="uas", calls=3, seconds=40, host=f"{net}.4.2"))
    callee.ready()
    arguments = ["-r", "3", "-m", "3", "-d", "1.5s", "--media", "silence", "--dtmf", "12", "-i", f"{net}.4.1"]
    result = load(tmp_path / "load", f"sip:service@{callee.address}", arguments, 40)
    assert result.verdict == 0, result.account
    assert perl.report()["bye"] == 1
    for peer in (caller, callee):
        verdict = peer.verdict()
        assert verdict.exit_code == 0, verdict.account
    capture.stop()

    for number in (2, 3, 4):
        ours = f"{net}.{number}.1"
        for protocol, least in (("sip", 3), ("sdp", 1), ("rtp", 20), ("rtcp", 1)):
            assert capture.count(ours, protocol) >= least, f"{number}: {protocol}"
    assert capture.count(f"{net}.3.1", "rtpevent") >= 6, "the digits sent back"
    capture.assert_clean()


def test_tshark_finds_nothing_wrong_between_user_agents_of_ours(tmp_path: Path, start: Start) -> None:
    """What no peer above asks for: hold, delayed offer, digits by INFO, attended transfer, over UDP and TCP."""
    net = network()
    capture = start(Capture(tmp_path, net))

    def agent(name: str, number: int, transport: str) -> UserAgent:
        host = f"{net}.{number}.1"
        leg = f"{transport}:{host}:{free_port(host)}"
        legs = (leg, f"udp:{host}:{free_port(host)}")[: 1 if transport == "udp" else 2]
        return UserAgent(f"sip:{name}@{host}", legs=legs, rtp_ports=rtp_ports())

    async def scenario() -> None:
        async with (
            asyncio.timeout(40),
            agent("alice", 5, "tcp") as alice,
            agent("bob", 6, "tcp") as bob,
            agent("carol", 7, "udp") as carol,
        ):
            bob.listen(media="silence")
            bob.take_transfers()
            carol.listen(media="tone:440")
            to_bob = await alice.invite(f"{address_of(bob)};transport=tcp", media="tone:440")
            await to_bob.dtmf("12#", duration=60)
            await to_bob.dtmf("3", methods="info")
            await to_bob.hold()
            await to_bob.resume()
            to_carol = await alice.invite(address_of(carol), sdp_on_ack=True, media="silence")
            await to_bob.transfer(to_carol)
            await until(lambda: not to_carol.is_up)
            await asyncio.sleep(0.3)
            await to_bob.bye()

    asyncio.run(scenario())
    capture.stop()
    methods = {method for each in capture.packets for method in each.methods}
    assert methods >= {"INVITE", "ACK", "BYE", "INFO", "REFER", "NOTIFY"}
    assert capture.count("", "rtpevent") >= 9
    assert capture.count("", "rtcp") >= 2
    capture.assert_clean()


@pytest.mark.slow
def test_tshark_finds_nothing_wrong_in_any_flow_of_sipp(tmp_path: Path, start: Start) -> None:
    net = network()
    capture = start(Capture(tmp_path, net))

    def begin(number: int, flow: Flow) -> Sipp:
        folder = tmp_path / str(number)
        folder.mkdir()
        answer = start(Answer(folder, flow.options, host=f"{net}.{number}.1"))
        answer.ready()
        return start(
            Sipp(
                folder,
                "caller",
                remote=answer.address,
                scenario=flow.scenario,
                calls=1,
                seconds=40,
                host=f"{net}.{number}.2",
                options=["-trace_logs"],
            )
        )

    callers = [begin(number, flow) for number, flow in enumerate(FLOWS, 1)]
    for caller in callers:
        verdict = caller.verdict()
        assert verdict.exit_code == 0, verdict.account
    capture.stop()
    for number in range(1, len(FLOWS) + 1):
        assert capture.count(f"{net}.{number}.1", "sip") >= 1, FLOWS[number - 1].scenario
    capture.assert_clean()


DESCRIPTION = "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
INVITE = (
    "INVITE sip:x@{host} SIP/2.0\r\nVia: SIP/2.0/UDP {host};branch=z9hG4bKx\r\nMax-Forwards: 70\r\n"
    "From: <sip:a@{host}>;tag=1\r\nTo: <sip:x@{host}>\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\n"
    "Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{body}"
)


def test_what_is_wrong_is_found(tmp_path: Path, start: Start) -> None:
    net = network()
    capture = start(Capture(tmp_path, net))
    with ExitStack() as stack:
        ours, peer = (stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2))
        host = f"{net}.9.1"
        ours.bind((host, free_port(host)))
        peer.bind((f"{net}.9.2", free_port(f"{net}.9.2")))
        port = ours.getsockname()[1]
        body = DESCRIPTION.format(host=host, port=port)
        for length in (str(len(body)), "many"):
            ours.sendto(INVITE.format(host=host, body=body, length=length).encode(), (f"{net}.9.2", 5060))
        peer.sendto(bytes((0x80, 0, 0, 1)), (host, port))
        peer.sendto(bytes((0x81, 200, 0, 200)) + bytes(40), (host, port + 1))
    capture.stop()
    assert [(each.number, each.says.partition(" ")[0]) for each in capture.findings()] == [
        (2, "Invalid"),
        (3, "Malformed"),
        (4, "Malformed"),
    ]


@pytest.mark.parametrize("port", [17220, 17500, 17756])  # of IEEE 1722, Dropbox and SCoP to tshark
def test_sip_is_read_at_a_port_that_is_registered_for_another_protocol(tmp_path: Path, start: Start, port: int) -> None:
    net = network()
    capture = start(Capture(tmp_path, net))
    host = f"{net}.9.1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        ours.bind((host, port))
        ours.sendto(INVITE.format(host=host, body="", length=0).encode(), (f"{net}.9.2", port))
    with socket.create_server((host, port)) as listening, socket.create_connection((host, port)) as ours:
        ours.sendall(INVITE.format(host=host, body="", length=0).encode())
        listening.accept()[0].close()
    capture.stop()
    assert capture.count("", "sip") == 2
