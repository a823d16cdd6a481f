"""The dispatcher with connections: to which slot, back on which connection, and what a full slot means for TCP."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

from sipswarm.actors.bus.messages import SendFailed, SendSip, SipReceived
from sipswarm.actors.bus.slots import slot_of
from sipswarm.actors.config import Listener
from sipswarm.actors.transport.fair_queue import MESSAGES
from sipswarm.actors.transport.held_messages import HOLD_TIME
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


def test_a_full_slot_has_its_connections_wait_and_loses_none_of_their_messages() -> None:
    async def scene(stage: Stage, peer: socket.socket) -> None:
        stage.silent_worker(0)
        await until(lambda: stage.ready)
        dispatcher = stage.dispatcher
        channel = dispatcher._link.channels["call", 0]
        channel.sent += channel.room  # the slot takes nothing
        loop = asyncio.get_running_loop()
        messages = [message("BYE", number, ";tag=b") for number in range(1, MESSAGES)] + [message("INVITE", MESSAGES)]
        many = [message("OPTIONS", 1000 + number) for number in range(20_000)]
        await loop.sock_sendall(peer, b"".join(messages))
        await until(lambda: dispatcher._held.count == MESSAGES)
        flood = asyncio.create_task(loop.sock_sendall(peer, b"".join(many)))
        other = socket.create_connection(stage.sockets[1].getsockname())
        other.setblocking(False)
        await loop.sock_sendall(other, message("BYE", 99_999, ";tag=b"))
        await until(lambda: stage.value("sipswarm_transport_pauses_total") == 2)
        assert dispatcher._held.count == MESSAGES + 1  # the peer cannot send more than the kernel takes
        assert not flood.done()
        assert stage.value("sipswarm_queue_dropped_total", "sip_to_slot") == 0

        replaced = stage.worker(0, incarnation=2)
        await until(lambda: replaced.welcome)
        await until(lambda: len(stage.taken[0]) == len(messages) + len(many) + 1)
        got = [record.data for record in stage.taken[0]]
        assert [each for each in got if b" 99999@" not in each.replace(b"Call-ID:", b"")] == messages + many
        place = got.index(message("BYE", 99_999, ";tag=b"))
        assert place <= len(messages) + 1  # the connections take turns
        assert stage.value("sipswarm_queue_dropped_total", "sip_to_slot") == 0
        await flood
        other.close()

    run(scene)


def test_a_datagram_of_another_source_gets_its_turn_beside_a_connection_that_takes_all_room() -> None:
    async def scene(stage: Stage, peer: socket.socket) -> None:
        stage.silent_worker(0)
        await until(lambda: stage.ready)
        channel = stage.dispatcher._link.channels["call", 0]
        channel.sent += channel.room  # the slot takes nothing
        peer.sendall(b"".join(message("BYE", number, ";tag=b") for number in range(MESSAGES)))
        await until(lambda: stage.dispatcher._held.count == MESSAGES)
        invite = SipReceived(0, 0, "192.0.2.9", 5060, message("INVITE", 5000))
        channel.sent -= 2
        stage.dispatcher._held.hold(0, [invite])
        assert channel.under_way[-1] == invite
        assert channel.room == 0
        assert stage.value("sipswarm_sip_refused_total", "overload") == 0

    run(scene)


def test_what_waits_too_long_is_refused_to_its_sender() -> None:
    async def scene(stage: Stage, peer: socket.socket) -> None:
        stage.silent_worker(0)
        await until(lambda: stage.ready)
        channel = stage.dispatcher._link.channels["call", 0]
        channel.sent += channel.room
        held = stage.dispatcher._held
        for each in (message("INVITE", 1), message("ACK", 2, ";tag=b"), message("BYE", 3, ";tag=b")):
            peer.sendall(each)
        await until(lambda: held.count == 3)
        queue = held._queues[0]
        queue.add_first(queue.take(3), asyncio.get_running_loop().time() - HOLD_TIME - 1)
        answers = b""
        while answers.count(b"SIP/2.0 503 ") < 2:
            answers += await asyncio.get_running_loop().sock_recv(peer, 4096)
        assert [b"Call-ID: %d@test" % number in answers for number in (1, 2, 3)] == [True, False, True]
        assert stage.value("sipswarm_queue_dropped_total", "sip_to_slot") == 1
        assert held.count == 0

    run(scene)


def test_requests_within_calls_that_a_worker_died_with_go_to_its_replacement_once_and_new_ones_get_503() -> None:
    async def scene(stage: Stage, peer: socket.socket) -> None:
        stage.silent_worker(0)
        await until(lambda: stage.ready)
        channel = stage.dispatcher._link.channels["call", 0]
        before = channel.room
        for each in (message("INVITE", 1), message("BYE", 2, ";tag=b"), message("ACK", 3, ";tag=b")):
            peer.sendall(each)
        stage.send(message("OPTIONS", 4))
        await until(lambda: channel.room == before - 4)
        stage.dispatcher.worker_down("call", 0, 1)
        answer = await asyncio.get_running_loop().sock_recv(peer, 4096)
        assert answer.startswith(b"SIP/2.0 503 ")
        assert b"Call-ID: 1@test" in answer
        assert b"Retry-After: " in answer
        peer.sendall(message("INFO", 5, ";tag=b"))  # while there is no worker
        await until(lambda: stage.dispatcher._held.count == 3)
        stage.silent_worker(0, incarnation=2)
        await until(lambda: ("call", 0) in stage.dispatcher._link.channels and not stage.dispatcher._held.count)
        stage.dispatcher.worker_down("call", 0, 2)
        answer = await asyncio.get_running_loop().sock_recv(peer, 4096)
        assert b"Call-ID: 2@test" in answer  # it may be what kills the workers
        stage.worker(0, incarnation=3)
        await until(lambda: len(stage.taken[0]) == 1)
        assert stage.taken[0][0].data == message("INFO", 5, ";tag=b")

    run(scene)
