"""The call worker of a node with its application: robots, or a load; each gets the parts of the worker that it uses.

A call worker that only ends calls gets none, and runs no code of a user's.
"""

import secrets
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ..bus.link import Surroundings
from ..bus.messages import Reloaded
from ..call_worker.agent_parts import AgentParts
from ..call_worker.application import IncomingPolicy
from ..call_worker.worker import CallWorker
from ..config import AnswerConfig, NodeConfig, RobotConfig
from ..ledger.memory import Ledger


def make_call_worker(
    config: NodeConfig,
    slot: int,
    sockets: Sequence[socket.socket],
    *,
    surroundings: Surroundings,
    on_ready: Callable[[], None],
    tell: Callable[[Any], None],
    ledger: int = -1,
    roll: int = -1,
    closing: bool = False,
) -> CallWorker:
    """Return a call worker with its application and the calls of the process before.

    Other arguments as for `CallWorker`.

    Args:
        ledger: descriptor of the slot's ledger; -1 = it has none.
        roll: descriptor of the memory of the slot's roll; negative = memory of the worker's own.
        closing: it has no application, ends the calls of the process before, and takes none.
    """
    kept = Ledger(ledger) if ledger >= 0 else None
    if config.load is not None and not closing:
        return _load_worker(config, slot, sockets, surroundings, on_ready, tell, kept, roll)
    worker = CallWorker(
        config,
        slot,
        sockets,
        surroundings=surroundings,
        on_ready=on_ready,
        tell=tell,
        random_bytes=secrets.token_bytes,
        ledger=kept,
    )
    if closing:
        worker.arrivals.serve(IncomingPolicy(given_up=True))
    else:
        install(worker)
    worker.take_up()
    return worker


def _load_worker(
    config: NodeConfig,
    slot: int,
    sockets: Sequence[socket.socket],
    surroundings: Surroundings,
    on_ready: Callable[[], None],
    tell: Callable[[Any], None],
    ledger: Ledger | None,
    descriptor: int,
) -> CallWorker:
    from ..host.roll import Roll
    from .load_application import load_generator, with_places

    assert config.load is not None
    roll = Roll(descriptor)
    worker = CallWorker(
        config,
        slot,
        sockets,
        surroundings=surroundings,
        on_ready=on_ready,
        tell=with_places(roll, tell),
        random_bytes=secrets.token_bytes,
        ledger=ledger,
    )
    # A target that probes its trunk by OPTIONS is not to take the load for dead, though that takes no calls.
    worker.arrivals.serve(replace(worker.arrivals.policy, options_status=200))
    install(worker)
    worker.applications.add(load_generator(worker, config.load, roll))
    worker.take_up()
    return worker


def install(worker: CallWorker) -> None:
    """Give a call worker its robots: the answering one, a user's, or that of a scenario file.

    It is called in the turn of the loop in which the worker is made: no call may arrive before its application. Each
    application is imported only where the configuration has it.
    """
    config = worker.config
    if config.answer is not None:
        _answering_robot(worker, config.answer)
    if config.robot is not None and config.robot.scenario:
        from .file_application import install_file

        install_file(worker, config.robot)
    elif config.robot is not None:
        _file_robot(worker, config.robot)
    if config.server is not None:
        from .server_application import install_server

        install_server(worker, config.server)


def _answering_robot(worker: CallWorker, config: AnswerConfig) -> None:
    from ..robots.answering import AnsweringRobot

    def keep_registered() -> None:
        worker.arrivals.account.keep_registered(worker.slots, worker.output, worker.registrations)

    application = AnsweringRobot(
        config,
        worker.arrivals,
        worker.actor_loop,
        rtp_timeout=worker.config.rtp_timeout,
        keep_registered=keep_registered if worker.config.account.registrar else None,
    )
    worker.applications.add(application)


def _file_robot(worker: CallWorker, config: RobotConfig) -> None:
    from ..robots.agents import Agents
    from ..robots.file_robot import FileRobot

    def reloaded(problem: str) -> None:
        if worker.tell is not None:
            worker.tell(Reloaded(problem))

    application = FileRobot(
        config,
        Agents(AgentParts.of(worker), config.name),
        worker.arrivals,
        worker.actor_loop.loop,
        rtp_timeout=worker.config.rtp_timeout,
        reloaded=reloaded,
    )
    worker.applications.add(application)
