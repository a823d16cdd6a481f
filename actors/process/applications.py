"""The call worker of a node with its application: robots, or a load."""

import secrets
import socket
from collections.abc import Callable, Sequence
from typing import Any

from ..bus.link import Surroundings
from ..call_worker.worker import CallWorker
from ..config import NodeConfig


def make_call_worker(
    config: NodeConfig,
    slot: int,
    sockets: Sequence[socket.socket],
    *,
    surroundings: Surroundings,
    on_ready: Callable[[], None],
    tell: Callable[[Any], None],
) -> CallWorker:
    """A call worker with its application; arguments as for `CallWorker`."""
    worker = CallWorker(
        config,
        slot,
        sockets,
        surroundings=surroundings,
        on_ready=on_ready,
        tell=tell,
        random_bytes=secrets.token_bytes,
    )
    install(worker)
    return worker


def install(worker: CallWorker) -> None:
    """Give a call worker its application: the answering robot, a user's robot, the load generator.

    Called in the turn of the loop in which the worker is made: a call must not meet a worker without its application.
    Each is imported only where it is wanted.
    """
    config = worker.config
    if config.answer is not None:
        from ..robots.answering import AnsweringRobot

        worker.applications.add(AnsweringRobot(worker, config.answer))
    if config.robot is not None:
        from ..robots.answering import FileRobot

        worker.applications.add(FileRobot(worker, config.robot))
    if config.load is not None:
        from ..load.generator import LoadGenerator

        worker.applications.add(LoadGenerator(worker, config.load))
