"""What the black boxes of dead processes make poison: deaths at a message, and deaths by themselves of a caller."""

import asyncio
import signal
from collections.abc import Callable

import pytest

from sipswarm.actors.diagnosis.black_box import BlackBox, box_of, digest
from sipswarm.actors.supervisor.child_process import ChildProcess
from sipswarm.actors.supervisor.death_records import DeathRecords
from sipswarm.actors.supervisor.poison import CALLER_DEATHS, LASTS

INVITE, OTHER = b"INVITE sip:a@b SIP/2.0\r\n\r\n", b"INVITE sip:a@c SIP/2.0\r\n\r\n"
CALLER = 4711


class Node:
    """The memory of a node, its dispatcher and its first call worker."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.death_records = DeathRecords(2)
        self.dispatcher, self.worker = ChildProcess("dispatcher", 0, loop), ChildProcess("call", 0, loop)

    def box(self, child: ChildProcess) -> BlackBox:
        """The box of a process that is started now."""
        return BlackBox(self.death_records.descriptor, box_of(child.role, child.slot))

    def dies(self, message: bytes, now: float, *, status: int = -signal.SIGSEGV, caller: int = 0) -> None:
        """A call worker dies at a message."""
        self.box(self.worker).enter((message, caller))
        self.death_records.ended(self.worker, status, now)

    @property
    def poison(self) -> set[int]:
        """As a process that is started now sees it."""
        return set(self.box(self.dispatcher).poison)


def run(scene: Callable[[Node], None]) -> None:
    async def main() -> None:
        node = Node()
        try:
            scene(node)
        finally:
            node.death_records.close()

    asyncio.run(main())


@pytest.mark.parametrize("status", [-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGKILL, 0, 7])
def test_two_deaths_at_a_message_make_it_poison_for_a_time_in_every_process(status: int) -> None:
    def scene(node: Node) -> None:
        before = node.box(node.dispatcher)
        node.dies(INVITE, 0.0, status=status)
        node.dies(OTHER, 1.0, status=status)
        assert node.poison == set()
        node.dies(INVITE, 2.0, status=status)
        assert node.poison == {digest(INVITE)} == set(before.poison)
        node.death_records.look(2.0 + LASTS)
        assert node.poison == set() == set(before.poison)

    run(scene)


def test_a_process_that_dies_at_rest_or_after_its_message_makes_nothing_poison() -> None:
    def scene(node: Node) -> None:
        for number in range(10):
            box = node.box(node.worker)
            box.begin(INVITE)
            box.names_caller(CALLER)
            box.end()
            node.death_records.ended(node.worker, -signal.SIGSEGV, float(number))
        assert node.poison == set()

    run(scene)


def test_a_box_is_read_once_however_often_its_slot_dies() -> None:
    def scene(node: Node) -> None:
        node.dies(INVITE, 0.0)
        for number in range(5):
            node.death_records.ended(node.worker, -signal.SIGSEGV, float(number))
        assert node.poison == set()

    run(scene)


def test_the_dispatcher_may_die_at_a_message_too() -> None:
    def scene(node: Node) -> None:
        for number in range(2):
            box = node.box(node.dispatcher)
            box.buffer[: len(INVITE)] = INVITE
            box.holds(len(INVITE))
            node.death_records.ended(node.dispatcher, -signal.SIGSEGV, float(number))
        assert node.poison == {digest(INVITE)}

    run(scene)


def each_at_another_message(node: Node, deaths: int, status: int) -> None:
    for number in range(deaths):
        node.dies(b"INVITE %d" % number, float(number), status=status, caller=CALLER)


def test_a_caller_is_poison_after_three_deaths_in_calls_of_his() -> None:
    def scene(node: Node) -> None:
        each_at_another_message(node, CALLER_DEATHS - 1, -signal.SIGSEGV)
        assert node.poison == set()
        each_at_another_message(node, 1, -signal.SIGSEGV)
        assert CALLER in node.poison

    run(scene)


@pytest.mark.parametrize("status", [-signal.SIGKILL, -signal.SIGTERM])
def test_a_caller_is_no_suspect_of_a_process_that_is_killed_from_outside(status: int) -> None:
    def scene(node: Node) -> None:
        each_at_another_message(node, 10, status)
        assert node.poison == set()
        assert not node.box(node.worker).suspects(CALLER)

    run(scene)


def test_a_caller_is_one_of_a_process_that_hung_and_was_killed() -> None:
    def scene(node: Node) -> None:
        node.worker.abort_sent = True
        each_at_another_message(node, CALLER_DEATHS, -signal.SIGKILL)
        assert node.poison == {CALLER}

    run(scene)


@pytest.mark.parametrize("looks", [True, False], ids=["before the death", "with the death"])
def test_a_caller_whose_other_calls_end_well_is_never_poison(looks: bool) -> None:
    def scene(node: Node) -> None:
        for number in range(10):
            node.dies(b"INVITE %d" % number, 3.0 * number, caller=CALLER)
            box = node.box(node.worker)
            assert box.suspects(CALLER)
            box.clear(CALLER)
            if looks:
                node.death_records.look(3.0 * number + 1.0)
                assert not box.suspects(CALLER)
        assert node.poison == set()

    run(scene)
