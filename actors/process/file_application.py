"""The robot of a call worker whose file is one of SIPp; it gets the parts of the worker that it uses."""

from functools import partial
from itertools import count

from ..call_worker.worker import CallWorker
from ..config import RobotConfig
from ..load.sipp_files import message_files
from ..load.sipp_files.call_streams import CallStreams
from ..load.sipp_files.commands import Commands
from ..load.sipp_files.marks import Marks
from ..load.sipp_files.received_calls import ReceivedCalls
from ..load.sipp_files.receiving_file import ReceivingFile
from ..sipp.scenario_file import label_of


def install_file(worker: CallWorker, config: RobotConfig) -> None:
    """Give a call worker the calls of a scenario file.

    Args:
        config: names the file.

    Raises:
        ConfigurationError: the file or its rows cannot be taken; with file and line.
    """
    first = worker.output.addresses.usual(0)
    numbers = count(worker.slots.own, worker.slots.slots)
    marks = Marks(worker.totals, label_of(config.scenario), worker.tell, says=config.sipp_traces.says)
    message_files.record(worker.trace, config.sipp_traces, worker.totals)
    commands = Commands(partial(worker.actor_loop.spawn, what="a command of exec"), marks.left_out_command)
    now = worker.actor_loop.now()
    credentials = worker.arrivals.account.credentials
    file = ReceivingFile(config, first, worker.factory.parked_port, numbers, now, marks, commands.take, credentials)
    streams = CallStreams(
        file.program, config, worker.factory.media_leases, worker.actor_loop.touch, worker.output.may_send
    )
    application = ReceivedCalls(
        file,
        worker.arrivals,
        worker.actors,
        worker.actor_loop,
        worker.output,
        worker.metrics,
        streams,
        most_time=worker.config.max_call_time,
        settled=worker.draining.check,
        tell=worker.tell if worker.config.tells_incoming else None,
    )
    worker.applications.add(application)
