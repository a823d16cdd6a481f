"""The dispatcher and poison: refused before it is read, dropped where it takes no answer, and named while at work."""

import logging
import os
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from sipswarm.actors.diagnosis.black_box import BlackBox, BlackBoxes, digest, octets_for
from sipswarm.sipcore.message.messages import Response
from sipswarm.sipcore.message.parser import parse
from tests.actors.test_dispatcher import Stage, message, run, until

INVITE, OTHER, ACK = message("INVITE", 1), message("INVITE", 2), message("ACK", 1)
RESPONSE = INVITE.replace(b"INVITE sip:b@127.0.0.1 SIP/2.0", b"SIP/2.0 200 OK", 1)


class Ends(NamedTuple):
    """The box of a dispatcher, and its supervisor's side."""

    boxes: BlackBoxes
    box: BlackBox


@pytest.fixture
def ends() -> Iterator[Ends]:
    descriptor = os.memfd_create("boxes")
    os.ftruncate(descriptor, octets_for(1))
    boxes = BlackBoxes(descriptor, 1)
    yield Ends(boxes, BlackBox(descriptor))
    boxes.close()
    os.close(descriptor)


def test_poison_is_refused_and_what_is_like_it_is_not(ends: Ends, caplog: pytest.LogCaptureFixture) -> None:
    ends.boxes.publish([digest(INVITE), digest(ACK), digest(RESPONSE)])

    async def scene(stage: Stage) -> None:
        stage.worker(0)
        await until(lambda: stage.ready)
        for data in (INVITE, INVITE, ACK, RESPONSE, OTHER):
            stage.send(data)
        await until(lambda: stage.datagrams())
        assert stage.datagrams() == [OTHER]
        assert stage.value("sipswarm_poison_messages_total") == 4
        replies = [parse(data) for data in stage.replies()]
        assert [reply.status for reply in replies if isinstance(reply, Response)] == [500, 500]
        assert {reply.call_id for reply in replies} == {"1@test"}
        assert all((reply.headers.get("Reason") or "").startswith("SIP;cause=500") for reply in replies)
        ends.boxes.publish([])
        stage.send(INVITE)
        await until(lambda: len(stage.datagrams()) == 2)

    run(scene, box=ends.box)
    assert sum(f"{digest(INVITE):016x}" in record.getMessage() for record in caplog.records) == 1


def test_a_stranger_gets_no_refusal(ends: Ends) -> None:
    ends.boxes.publish([digest(INVITE)])

    async def scene(stage: Stage) -> None:
        stage.worker(0)
        await until(lambda: stage.ready)
        stage.send(INVITE)
        await until(lambda: stage.value("sipswarm_sip_refused_total", "stranger") == 1)
        assert not stage.replies()

    run(scene, allow=("192.0.2.0/24",), box=ends.box)


def test_the_box_names_each_message_while_it_is_handled_and_nothing_afterwards(ends: Ends) -> None:
    named: list[int] = []
    ends.boxes.publish([digest(INVITE), digest(OTHER)])

    class Reader(logging.Handler):
        """Reads the box in the moment in which a message is handled."""

        def emit(self, record: logging.LogRecord) -> None:
            named.append(ends.boxes.take(0)[0])

    async def scene(stage: Stage) -> None:
        stage.worker(0)
        await until(lambda: stage.ready)
        for data in (INVITE, OTHER):
            stage.send(data)
        await until(lambda: len(named) == 2)
        stage.send(ACK)
        await until(lambda: stage.datagrams())
        assert ends.boxes.take(0)[0] == 0

    logger, reader = logging.getLogger("sipswarm.actors.transport.poison_gate"), Reader()
    logger.addHandler(reader)
    try:
        run(scene, box=ends.box)
    finally:
        logger.removeHandler(reader)
    assert named == [digest(INVITE), digest(OTHER)]
