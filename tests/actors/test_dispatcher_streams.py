"""The dispatcher with connections: to which slot, back on which connection, and what a full slot means for TCP."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

from sipswarm.actors.bus.messages import SendFailed, SendSip, SipReceived
from sipswarm.actors.bus.slots import slot_of
from sipswarm.actors.config import Listener
from sipswarm.actors.transport.slot_batches import HELD, HOLD_TIME
from tests.actors.test_dispatcher import KEY, Stage, message, until

LEGS = (Listener("udp", "127.0.0.1", 0), Listener("tcp", "127.0.0.1", 0))


def run(scene: Callable[[Stage, socket.socket], Awaitable[None]], slots: int = 1) -> None:
    async def main() -> None:
        stage = Stage(slots, LEGS)
        peer = socket.create_connection(stage.sockets[1].getsockname())
        peer.setblocking(False)
        try:
            async with asyncio.timeout(60):
                await scene(stage, peer)
        finally:
            peer.close()
            stage.close()

    asyncio.run(main())


def test_messages_of_one_connection_go_to_their_slots_and_the_answers_come_back_on_it() -> None:
    async def scene(stage: Stage, peer: socket.socket) -> None:
        links = [stage.worker(slot) for slot in range(2)]
        await until(lambda: all(link.welcome for link in links))
        for number in range(20):
            peer.sendall(message("OPTIONS", number))
        stage.send(message("OPTIONS", 20))
        await until(lambda: len(stage.datagrams()) == 21)
        flows = set()
        for slot, records in stage.taken.items():
            for record in records:
                assert isinstance(record, SipReceived)
                number = int(record.data.partition(b"Call-ID: ")[2].partition(b"@")[0])
                assert slot == slot_of(f"{number}@test".encode(), KEY, 2)
                assert record.listener == (0 if number == 20 else 1)
                assert bool(record.flow) == (number != 20)
                flows.add(record.flow)
        (flow,) = flows - {0}
        answer = b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"
        for link in links:
            assert link.send((SendSip(1, flow, "127.0.0.1", 9, "", answer),))
        got = b""
        while len(got) < 2 * len(answer):
            got += await asyncio.get_running_loop().sock_recv(peer, 4096)
        assert got == 2 * answer

    run(scene, slots=2)


def test_the_slot_whose_request_was_lost_is_told() -> None:
    async def scene(stage: Stage, peer: socket.socket) -> None:
        link = stage.worker(0)
        await until(lambda: link.welcome)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        assert link.send((SendSip(1, 0, "127.0.0.1", port, "", message("BYE", 1)),))
        await until(lambda: stage.taken[0])
        (failed,) = stage.taken[0]
        assert isinstance(failed, SendFailed)
        assert (failed.data, failed.port) == (message("BYE", 1), port)
        assert "refused" in failed.reason

    run(scene)


def test_a_full_slot_refuses_new_calls_on_their_connection_and_the_rest_waits_two_seconds_at_most() -> None:
    async def scene(stage: Stage, peer: socket.socket) -> None:
        stage.silent_worker(0)
        await until(lambda: stage.ready)
        channel = stage.dispatcher._link.channels["call", 0]
        taken = channel.room
        channel.sent += taken
        peer.sendall(message("INVITE", 7))
        answer = await asyncio.get_running_loop().sock_recv(peer, 4096)
        assert answer.startswith(b"SIP/2.0 503 ")
        for number in range(HELD + 3):
            peer.sendall(message("BYE", number, ";tag=b"))
        await until(lambda: len(stage.dispatcher._batches._held[0]) == HELD)
        await until(lambda: stage.value("sipswarm_queue_dropped_total", "sip_to_slot") == 3)
        channel.sent -= taken
        await until(lambda: not stage.dispatcher._batches._held[0])
        assert stage.value("sipswarm_queue_dropped_total", "sip_to_slot") == 3
        assert channel.room == taken - HELD
        channel.sent += channel.room
        peer.sendall(message("BYE", 999, ";tag=b"))
        await until(lambda: stage.dispatcher._batches._held[0])
        stage.dispatcher._batches._held_until[0] -= HOLD_TIME
        await until(lambda: stage.value("sipswarm_queue_dropped_total", "sip_to_slot") == 4)
        assert not stage.dispatcher._batches._held[0]

    run(scene)
