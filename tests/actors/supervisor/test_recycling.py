"""The way of one replacement: the order to retire, the wait, the stop; and what is not waited for."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from sipswarm.actors.bus.messages import LoadFinished, Retire, Snapshot, Stop
from sipswarm.actors.supervisor.child_process import ChildProcess
from sipswarm.actors.supervisor.recycling import MEMORY, SEEN_AFTER, STARTER_WAIT, STOP_GRACE, Recycling

LIMIT = 200 << 20


class Node:
    """The slots of a node without processes, and what is sent to them."""

    def __init__(self, *, media: int = 1, call: int = 2, links: bool = True) -> None:
        loop = asyncio.new_event_loop()
        loop.close()
        slots = [*(("media", each) for each in range(media)), ("dispatcher", 0), *(("call", n) for n in range(call))]
        self.children = {(role, slot): ChildProcess(role, slot, loop) for role, slot in slots}
        self.sent: list[tuple[str, Any]] = []
        self.killed: list[str] = []
        self.recycling = Recycling(LIMIT, self.children, send=self._send, broadcast=self._broadcast, kill=self._kill)
        self._links = links

    def _send(self, child: ChildProcess, records: tuple[Any, ...]) -> bool:
        self.sent += [(child.name, each) for each in records]
        return self._links

    def _broadcast(self, records: tuple[Any, ...]) -> None:
        self.sent += [("all", each) for each in records]

    def _kill(self, child: ChildProcess) -> None:
        self.killed.append(child.name)

    def look(self, now: float, *, calm: bool = True, starter: bool = True) -> list[tuple[str, Any]]:
        """What is sent by a look at that time."""
        self.sent.clear()
        self.recycling.look(now, calm=calm, starter=starter)
        return list(self.sent)

    def live(self, child: ChildProcess, number: int, octets: int = 0) -> None:
        """A heartbeat comes."""
        snapshot = Snapshot(1, 0.0, number, ((MEMORY, (), (float(octets),)),))
        child.heartbeat(snapshot, 0.0)
        self.recycling.weigh(child, snapshot, 0.0)


def test_a_call_worker_is_stopped_when_it_reports_that_nothing_is_lost_by_that() -> None:
    node = Node()
    child = node.children["call", 1]
    node.live(child, 5, LIMIT + 1)
    assert node.look(1.0) == [("all", Retire("call", 1))]
    assert node.look(2.0) == []
    node.recycling.retired(node.children["call", 0], 2.5)
    assert node.look(2.6) == [], "the report of another one"
    node.recycling.retired(child, 3.0)
    assert node.sent == [("call-1", Stop())]
    assert node.recycling.ended(child, 3.1) == "memory"
    assert node.look(4.0) == []
    assert node.killed == []


def test_its_time_ends_and_one_that_does_not_stop_is_killed() -> None:
    node = Node()
    child = node.children["call", 0]
    node.live(child, 5, LIMIT + 1)
    node.look(1.0)
    assert node.look(60.9) == []
    assert node.look(61.0) == [("call-0", Stop())]
    node.look(61.0 + STOP_GRACE - 0.1)
    assert node.killed == []
    node.look(61.0 + STOP_GRACE)
    assert node.killed == ["call-0"]
    assert node.recycling.ended(child, 64.1) == "memory"


def test_one_that_is_not_linked_is_killed_instead_of_stopped() -> None:
    node = Node(links=False)
    node.live(node.children["call", 0], 0, LIMIT + 1)
    node.look(1.0)
    node.recycling.retired(node.children["call", 0], 1.1)
    assert node.killed == ["call-0"]


@pytest.mark.parametrize(("others", "waits"), [(1, True), (0, False)])
def test_a_media_worker_is_waited_for_where_another_one_takes_its_new_streams(others: int, waits: bool) -> None:
    node = Node(media=1 + others)
    child = node.children["media", 0]
    node.live(child, 3, LIMIT + 1)
    stopped = [("media-0", Stop())]
    assert node.look(1.0) == [("all", Retire("media", 0)), *([] if waits else stopped)]
    if waits:
        assert node.look(5.0) == []
        node.live(child, 0, LIMIT + 1)
        assert node.look(5.5) == stopped


def test_a_heartbeat_from_before_the_order_does_not_show_that_a_media_worker_has_no_streams() -> None:
    node = Node(media=2)
    node.live(node.children["media", 0], 0, LIMIT + 1)
    assert node.look(1.0) == [("all", Retire("media", 0))]
    assert node.look(0.9 + SEEN_AFTER) == []
    assert node.look(1.0 + SEEN_AFTER) == [("media-0", Stop())]


def test_all_in_turn_each_when_the_one_before_is_back_and_the_dispatcher_last() -> None:
    node, done = Node(), []
    node.recycling.roll()
    for turn in range(20):
        now = 100.0 + 10.0 * turn
        for name, record in node.look(now):
            if isinstance(record, Stop):
                done.append(name)
            elif record.role == "call":
                node.recycling.retired(node.children[record.role, record.slot], now)
                done.append(node.sent[-1][0])
        assert len(done) <= turn + 1
        for child in node.children.values():
            if done[turn:] == [child.name]:
                assert node.recycling.ended(child, now + 1) == "rolling"
                assert node.look(now + 2, calm=False) == [], "the next one waits until it is back"
    assert done == ["media-0", "call-0", "call-1", "dispatcher"]


def test_a_turn_waits_for_the_starter_but_not_for_ever() -> None:
    node = Node()
    node.recycling.roll()
    assert node.look(1.0, starter=False) == []
    assert node.look(0.9 + STARTER_WAIT, starter=False) == []
    assert node.look(1.0 + STARTER_WAIT, starter=False) != []


def _quarantined(child: ChildProcess) -> None:
    child.restarts.give_up(child.role)


def _finished(child: ChildProcess) -> None:
    child.finished(LoadFinished(1, 1, 0))


@pytest.mark.parametrize("state", [_quarantined, _finished])
def test_a_slot_without_a_process_or_whose_plan_is_done_is_left_out(state: Callable[[ChildProcess], None]) -> None:
    node = Node()
    state(node.children["call", 0])
    node.live(node.children["call", 0], 0, LIMIT + 1)
    assert node.look(1.0) == []
    node.live(node.children["call", 1], 0, LIMIT + 1)
    assert node.look(2.0) == [("all", Retire("call", 1))]


def test_a_process_that_dies_before_it_is_stopped_has_died() -> None:
    node = Node()
    child = node.children["call", 0]
    node.live(child, 5, LIMIT + 1)
    node.look(1.0)
    assert node.recycling.ended(child, 2.0) == ""
    assert node.look(3.0) == []
