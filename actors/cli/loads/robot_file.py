"""What the calls of a robot tell whose file is one of SIPp: the end of the run, and the files of SIPp's form."""

import time
from typing import final

from ...bus.messages import CallFinished, ScenarioCounted
from ...config import RobotConfig
from ...load.sipp_files.counted_figures import FileFigures
from ...load.sipp_files.trace_files import Progress, TraceFiles
from ..run import NodeRun


@final
class RobotFile:
    """The file of one run.

    Args:
        traces: the files of SIPp's form; None = none is written.
    """

    def __init__(self, traces: TraceFiles | None) -> None:
        self._traces = traces
        self._figures = FileFigures()

    @classmethod
    def of(cls, config: RobotConfig | None) -> "tuple[RobotConfig | None, RobotFile]":
        """Begin the files that a robot is to write; None = it is another kind of node, which writes none.

        Returns:
            The robot with the names of the files that call workers write, and what its calls tell.

        Raises:
            ConfigurationError: a file cannot be written.
        """
        if config is None or not config.sipp_traces.are_wanted:
            return config, cls(None)
        from .sipp_traces import traced

        config, traces = traced(config)
        return config, cls(traces)

    @property
    def has_traces(self) -> bool:
        """Whether files of SIPp's form are written, which need each call that is over."""
        return self._traces is not None

    @property
    def stops(self) -> str:
        """What calls have asked for by `int_cmd`, see `FileFigures.stops`."""
        return self._figures.stops

    def begin(self) -> None:
        """Note that calls may come from now on."""
        if self._traces is not None:
            self._traces.begin(time.monotonic())

    def counted(self, counted: ScenarioCounted) -> None:
        """Take what calls have counted."""
        self._figures.add(counted)
        if self._traces is not None:
            self._traces.counted(counted)

    def ended(self, call: CallFinished) -> None:
        """Take a call that is over."""
        if self._traces is not None:
            self._traces.ended(call, call.failure)

    def tick(self, node: NodeRun) -> None:
        """Write a row of statistics when it is due."""
        if self._traces is not None:
            self._traces.tick(time.monotonic(), _progress(node))

    def close(self, node: NodeRun) -> str:
        """Write the last row, and all that waits.

        Returns:
            What the files lack, in words; empty = nothing.
        """
        return "" if self._traces is None else self._traces.close(time.monotonic(), _progress(node))


def _progress(node: NodeRun) -> Progress:
    taken = int(node.counted("sipswarm_call_attempts_total", role="uas"))
    strange = int(node.counted("sipswarm_sip_unexpected_messages_total"))
    return Progress(taken, node.live_calls, 0.0, strange, is_receiving=True)
