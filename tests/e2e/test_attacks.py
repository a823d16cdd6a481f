"""Requests whose headers lead elsewhere than to their sender."""

import asyncio
import socket

import pytest

from tests.e2e.agents import agent

REQUEST = (
    "{method} sip:alice@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {via};branch=z9hG4bKa{parameters}\r\n"
    "From: <sip:b@127.0.0.1>;tag=b\r\nTo: <sip:alice@127.0.0.1>\r\nCall-ID: {method}@attack\r\nCSeq: 1 {method}\r\n"
    "Max-Forwards: 70\r\nContact: <sip:b@{via}>\r\nContent-Length: 0\r\n\r\n"
)


def udp() -> socket.socket:
    """A peer on a port of its own."""
    found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    found.bind(("127.0.0.1", 0))
    found.setblocking(False)
    return found


@pytest.mark.parametrize("method", ["OPTIONS", "INVITE", "BYE"])
@pytest.mark.parametrize("leads", ["maddr", "received", "sent-by"])
def test_an_answer_goes_to_the_source_of_its_request_whatever_the_via_says(method: str, leads: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with udp() as attacker, udp() as victim:
            host, port = victim.getsockname()
            parameters = {"maddr": f";maddr={host};rport", "received": f";received={host};rport={port}"}.get(
                leads, ";rport"
            )
            async with agent() as alice:
                text = REQUEST.format(method=method, via=f"{host}:{port}", parameters=parameters)
                await loop.sock_sendto(attacker, text.encode(), ("127.0.0.1", alice.legs[0].port))
                answer = await asyncio.wait_for(loop.sock_recv(attacker, 65535), 10)
            assert answer.startswith(b"SIP/2.0 ")
            with pytest.raises(BlockingIOError):  # nothing came by the end of the agent, which sends a BYE at most
                victim.recv(65535)

    asyncio.run(main())
