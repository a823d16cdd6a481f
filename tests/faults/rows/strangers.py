"""Strangers, outside of the allowed networks: no octet is answered, no place is taken."""

import asyncio
import socket
import sys
from contextlib import suppress

from ..figures import Figure, Surroundings, at_most, exactly, row, told
from ..node import Node, own_host, resident
from ..peer import Peer, State
from ..sip_text import description, write
from .dispatchers import calls_at, failed, over, why

STRANGERS = 17
JUNK = (
    b"",
    b"\r\n\r\n",
    b"\0" * 100,
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 200,
    b"INVITE sip:a SIP/3.0\r\n\r\n",
    b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9\r\n\r\n",
    b"REGISTER sip:a SIP/2.0\r\nContent-Length: -1\r\n\r\n",
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKx\r\nCSeq: 1 INVITE\r\nCall-ID: x\r\n\r\n",
    b"INVITE sip:a@b SIP/2.0\r\n" + b"X: y\r\n" * 5000,
)


def requests(host: str, port: int, node: Node, number: int) -> list[bytes]:
    """Requests of a stranger that are sound."""
    found = []
    for method in ("OPTIONS", "INVITE", "REGISTER", "MESSAGE", "SUBSCRIBE", "BYE", "REFER", "NOTIFY"):
        body = description(host, 9) if method == "INVITE" else ""
        found.append(
            write(
                f"{method} sip:robot@{node.host} SIP/2.0",
                [
                    ("Via", f"SIP/2.0/UDP {host}:{port};branch=z9hG4bK{number}{method};rport"),
                    ("Max-Forwards", "70"),
                    ("From", f"<sip:stranger@{host}>;tag=s"),
                    ("To", f"<sip:robot@{node.host}>"),
                    ("Call-ID", f"{number}-{method}@stranger"),
                    ("CSeq", f"1 {method}"),
                    ("Contact", f"<sip:stranger@{host}:{port}>"),
                ],
                body,
            )
        )
    return found


def allowing(peer: Peer, *arguments: str) -> list[str]:
    """The arguments of a node that takes calls of one peer alone."""
    common = ["--call-workers", "1", "--media-workers", "1", "--media", "none", "--quiet"]
    return [*common, "--allow", f"{peer.host}/32", *arguments]


@row(
    "strangers-udp",
    "`answer --allow`, sound requests and junk from 17 addresses outside of the list, over UDP",
    "the strangers' own sockets: octets that came back",
    seconds=20,
    cores=0.28,
    quick=True,
)
async def over_udp(surroundings: Surroundings) -> list[Figure]:
    peer = Peer(own_host(), seed=surroundings.seed, media=False)
    async with Node("answer", allowing(peer), surroundings.folder) as node:
        octets = sent = 0
        sockets = []
        for _ in range(STRANGERS):
            one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            one.bind((own_host(), 0))
            one.setblocking(False)
            sockets.append(one)
        for number in range(surroundings.of(200, 20)):
            for place, one in enumerate(sockets):
                host, port = one.getsockname()
                for data in (*requests(host, port, node, number * 100 + place), *JUNK):
                    with suppress(OSError):
                        one.sendto(data, node.place)
                        sent += 1
            await asyncio.sleep(0.02)
        await asyncio.sleep(1.0)
        for one in sockets:
            with suppress(BlockingIOError):
                while True:
                    octets += len(one.recv(65536))
            one.close()
        calls = asyncio.create_task(calls_at(peer, node, 10, 2, 0.5))
        await calls
        await over(peer)
        bad = failed(peer)
        await peer.close()
        return [
            exactly("octets that strangers received", octets, 0),
            exactly("calls of the allowed peer that fail", bad, 0),
            told("datagrams of strangers", sent),
        ]


@row(
    "strangers-tcp",
    "`answer --allow`, 1,100 connections from 17 addresses outside of the list, with keep-alives and requests",
    "the strangers' own sockets; the allowed peer must still get in",
    seconds=30,
    cores=0.28,
    quick=True,
)
async def over_tcp(surroundings: Surroundings) -> list[Figure]:
    total = surroundings.of(1100, 200)
    peer = Peer(own_host(), seed=surroundings.seed, media=False, tcp=True, own_connections=True)
    async with Node("answer", allowing(peer), surroundings.folder, listen=("tcp",)) as node:
        hosts = [own_host() for _ in range(STRANGERS)]
        lines: list[socket.socket] = []
        for number in range(total):
            one = socket.socket()
            one.bind((hosts[number % STRANGERS], 0))
            one.settimeout(0.3)
            with suppress(OSError):
                one.connect(node.place)
                one.setblocking(False)
                data = requests(hosts[number % STRANGERS], 9, node, number)[number % 8]
                one.send(b"\r\n\r\n" if number % 2 else data.replace(b"/UDP", b"/TCP", 1))
            lines.append(one)
            if number % 50 == 0:
                await asyncio.sleep(0.02)
        await asyncio.sleep(1.0)
        await calls_at(peer, node, 10, 3, 0.5)
        await over(peer)
        bad = failed(peer)
        if bad:
            surroundings.say(why(peer))
        octets = open_ = 0
        for one in lines:
            try:
                while data := one.recv(65536):
                    octets += len(data)
            except BlockingIOError:
                open_ += 1
            except OSError:
                pass
            one.close()
        await peer.close()
        return [
            exactly("octets that strangers received", octets, 0),
            exactly("connections of strangers that stay open", open_, 0),
            exactly("calls of the allowed peer that fail", bad, 0),
        ]


@row(
    "strangers-flood",
    "`answer --allow` with 20 calls up, OPTIONS from strangers as fast as one core sends them, for 60 s",
    "foreign peer: running calls; resident memory from /proc; the strangers' own sockets",
    seconds=80,
    cores=1.12,
)
async def flood(surroundings: Surroundings) -> list[Figure]:
    seconds = surroundings.of(60, 6)
    peer = Peer(own_host(), seed=surroundings.seed, media=False)
    async with Node("answer", allowing(peer), surroundings.folder) as node:
        held = [peer.call(node.place) for _ in range(20)]
        await asyncio.sleep(1.0)
        pids = node.processes()
        sizes = {name: resident(pid) for name, pid in pids.items()}
        process = await asyncio.create_subprocess_exec(
            *flood_command(node, own_host(), seconds), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        sent, octets = map(int, output.split())
        grown = max(resident(pid) - sizes[name] for name, pid in pids.items())
        replaced = node.processes() != pids
        up = len([call for call in held if call.state is State.UP])
        for call in held:
            peer.bye(call)
        await over(peer)
        bad = failed(peer)
        await peer.close()
        return [
            exactly("octets that strangers received", octets, 0),
            exactly("running calls lost", 20 - up + bad, 0),
            at_most("growth of the largest process", round(grown / 1e6, 1), 10, "MB"),
            exactly("processes replaced", int(replaced), 0),
            told("datagrams a second", round(sent / seconds)),
        ]


_FLOOD = """
import socket, sys, time
host, node, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.bind((host, 0))
one.setblocking(False)
port = one.getsockname()[1]
end, number, octets = time.monotonic() + seconds, 0, 0
while time.monotonic() < end:
    for _ in range(20):
        number += 1
        text = (f"OPTIONS sip:a@{node} SIP/2.0\\r\\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{number};rport\\r\\n"
                f"From: <sip:s@{host}>;tag=s\\r\\nTo: <sip:a@{node}>\\r\\nCall-ID: s{number}\\r\\nCSeq: 1 OPTIONS\\r\\n"
                "Max-Forwards: 70\\r\\nContent-Length: 0\\r\\n\\r\\n")
        try:
            one.sendto(text.encode(), (node, 5060))
        except OSError:
            pass
    try:
        octets += len(one.recv(65536))
    except OSError:
        pass
    time.sleep(0.001)
print(number, octets)
"""


def flood_command(node: Node, host: str, seconds: float) -> list[str]:
    """A program that floods a node with OPTIONS from a host; it prints datagrams and octets that came back."""
    return [sys.executable, "-c", _FLOOD, host, node.host, str(seconds)]
