"""The queue of a slot: sources take turns, share its bounds, and lose only messages of their own."""

from collections import Counter

import pytest

from sipswarm.actors.bus.messages import SipReceived
from sipswarm.actors.transport.fair_queue import LINES, MESSAGES, OCTETS, FairQueue


def message(
    host: str, number: int, method: str = "OPTIONS", *, tag: str = "", flow: int = 0, body: int = 0
) -> SipReceived:
    data = (
        f"{method} sip:b@192.0.2.1 SIP/2.0\r\nFrom: <sip:a@a>;tag=a\r\nTo: <sip:b@b>{tag}\r\n"
        f"Call-ID: {number}\r\n\r\n" + "x" * body
    )
    return SipReceived(0, flow, host, 5060, data.encode())


def within(host: str, number: int, flow: int = 0) -> SipReceived:
    return message(host, number, "BYE", tag=";tag=b", flow=flow)


def filled(*hosts: str, count: int = MESSAGES) -> tuple[FairQueue, Counter[str]]:
    """A queue to which each source has offered many messages, one after the other, and how many each has there."""
    queue = FairQueue()
    for number in range(count):
        for host in hosts:
            queue.add(within(host, number), 0.0)
    return queue, Counter(each.host for each in queue)


def test_sources_are_taken_in_turns_and_each_in_its_order() -> None:
    queue = FairQueue()
    flood = [within("192.0.2.1", number) for number in range(50)]
    others = [within("192.0.2.2", number) for number in range(2)]
    for record in (*flood, *others, within("192.0.2.3", 0)):
        assert queue.add(record, 0.0)
    taken = queue.take(8)
    assert taken[:6] == [flood[0], others[0], within("192.0.2.3", 0), flood[1], others[1], flood[2]]
    assert taken[6:] == flood[3:5]
    assert queue.count == 45
    assert queue.take(1000) == flood[5:]
    assert (queue.count, queue.take(1)) == (0, [])


def test_one_source_alone_has_the_whole_queue_and_two_have_half_of_it_each() -> None:
    assert filled("192.0.2.1")[1] == {"192.0.2.1": MESSAGES}
    assert filled("192.0.2.1", "192.0.2.2")[1] == {"192.0.2.1": MESSAGES // 2, "192.0.2.2": MESSAGES // 2}


def test_a_source_that_comes_to_a_full_queue_finds_its_share() -> None:
    queue, _ = filled("192.0.2.1")
    assert not queue.add(within("192.0.2.1", 0), 0.0)
    assert all(queue.add(message("192.0.2.2", number), 0.0) for number in range(MESSAGES // 4))
    assert not queue.add(message("192.0.2.2", 0), 0.0)  # half of its share is for its calls
    assert all(queue.add(within("192.0.2.2", number), 0.0) for number in range(MESSAGES // 4))
    assert not queue.add(within("192.0.2.2", 0), 0.0)
    assert queue.count == MESSAGES + MESSAGES // 2


@pytest.mark.parametrize("method", ["ACK", "BYE", "CANCEL", "INFO"])
def test_requests_of_calls_find_room_behind_a_flood_of_the_same_source(method: str) -> None:
    queue = FairQueue()
    while queue.add(message("192.0.2.1", queue.count), 0.0):
        pass
    assert queue.count == MESSAGES // 2
    assert not queue.add(message("192.0.2.1", 0, "INVITE"), 0.0)
    assert queue.add(message("192.0.2.1", 0, method, tag="" if method == "CANCEL" else ";tag=b"), 0.0)


def test_a_response_finds_room_behind_a_flood_of_the_same_source() -> None:
    queue = FairQueue()
    while queue.add(message("192.0.2.1", queue.count), 0.0):
        pass
    data = b"SIP/2.0 200 OK\r\nTo: <sip:b@b>\r\nCall-ID: 1\r\n\r\n"
    assert queue.add(SipReceived(0, 0, "192.0.2.1", 5060, data), 0.0)


def test_a_slash_64_of_ipv6_is_one_source() -> None:
    queue = FairQueue()
    for number in range(10):
        assert queue.add(within(f"2001:db8::{number:x}", number), 0.0)
    assert queue.add(within("2001:db8:0:1::1", 99), 0.0)
    assert [each.host for each in queue.take(2)] == ["2001:db8::0", "2001:db8:0:1::1"]


def test_large_messages_of_one_source_leave_room_for_the_others() -> None:
    queue = FairQueue()
    while queue.add(message("192.0.2.1", queue.count, "BYE", tag=";tag=b", body=60_000), 0.0):
        pass
    assert OCTETS // 61_000 <= queue.count <= OCTETS // 60_000 + 1
    assert queue.add(message("192.0.2.2", 0, "INVITE", body=2000), 0.0)


def test_what_all_sources_together_have_waiting_is_bounded() -> None:
    queue = FairQueue()
    for number in range(4 * LINES):
        host = f"198.51.{number // 250}.{number % 250}"
        for each in range(MESSAGES):
            if not queue.add(within(host, each), 0.0):
                break
    harmonic = sum(1 / number for number in range(1, LINES + 1))
    assert len({each.host for each in queue}) == LINES
    assert queue.count <= MESSAGES * harmonic + LINES


def test_where_very_many_sources_wait_a_new_one_finds_room_for_its_calls_only() -> None:
    queue = FairQueue()
    for number in range(LINES // 2):
        assert queue.add(message(f"198.51.100.{number}", number, "INVITE"), 0.0)
    assert not queue.add(message("192.0.2.1", 0, "INVITE"), 0.0)
    assert queue.add(within("192.0.2.1", 0), 0.0)


def test_messages_of_connections_are_taken_beyond_the_share_which_their_owner_can_see() -> None:
    queue = FairQueue()
    assert not queue.is_full_for("192.0.2.1")
    assert queue.is_short_for("192.0.2.1")
    for number in range(MESSAGES):
        assert not queue.is_full_for("192.0.2.1")
        assert queue.add(within("192.0.2.1", number, flow=7), 0.0)
    assert queue.is_full_for("192.0.2.1")
    assert queue.add(within("192.0.2.1", MESSAGES, flow=7), 0.0)
    queue.take(MESSAGES // 2)
    assert not queue.is_short_for("192.0.2.1")
    queue.take(2)
    assert queue.is_short_for("192.0.2.1")


def test_datagrams_of_a_source_find_room_beside_a_connection_of_the_same_source_that_has_its_share() -> None:
    queue = FairQueue()
    for number in range(MESSAGES):
        queue.add(within("192.0.2.1", number, flow=7), 0.0)
    invite = message("192.0.2.1", 1000, "INVITE")
    assert queue.add(invite, 0.0)
    assert invite in queue.take(2)


def test_messages_that_are_put_back_go_first_of_their_source() -> None:
    queue = FairQueue()
    records = [within("192.0.2.1", number, flow=7) for number in range(5)]
    for record in records:
        queue.add(record, 0.0)
    taken = queue.take(3)
    queue.add_first(taken, 1.0)
    assert queue.count == 5
    assert queue.take(5) == records


def test_datagrams_and_messages_of_connections_expire_by_bounds_of_their_own() -> None:
    queue = FairQueue()
    old, young = within("192.0.2.1", 1), within("192.0.2.1", 2)
    held, held_long = within("192.0.2.1", 3, flow=7), within("192.0.2.1", 4, flow=8)
    for record, at in ((held_long, 1.0), (old, 10.0), (held, 10.0), (young, 19.9)):
        queue.add(record, at)
    assert queue.expire(19.6, 10.0) == [held_long, old]
    assert queue.count == 2
    assert queue.expire(19.6, 10.0) == []
    assert sorted(queue.take(5)) == sorted((held, young))
