"""One load against a target: its node, its report, its files and its progress; used by `load` and `demo`.

The folder is taken first, then the node started; the calls that end go to the report and the files. Once a second the
progress is shown, and now and then the files made from the figures are written, in another thread. At the end the node
stops, the report judges, and every file is written a last time. One job of writing must have ended before the next
begins.
"""

import datetime
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from math import inf
from pathlib import Path
from typing import Any, Final

from ..bus.messages import CallFinished, ScenarioCounted
from ..config import CALL_METHOD, LoadConfig, NodeConfig
from ..errors import ConfigurationError
from ..host.file_writer import FileWriter
from ..host.roll import OpenCall
from ..load.arrival_figures import row_of_lost
from ..load.cdr import Cdr
from ..load.failures import Failures
from ..load.junit import junit_of
from ..load.page import page_of
from ..load.report import Ending, Report, Result
from ..load.results import Results, written
from ..load.schedule import Plan, Share
from ..load.sipp_files.trace_files import Progress, TraceFiles
from ..load.starter import is_in_python, name_of
from ..load.thresholds import Threshold
from ..supervisor.node_totals import ProcessFigures
from . import run
from .info import installed
from .keys import Keyboard, Keys
from .loads.stops import obey
from .options import RunOptions
from .progress import Figures, choose_progress

AGAIN: Final = "sipswarm_sip_retransmissions_total"
RESPONSE_TIMES: Final = "sipswarm_scenario_response_seconds"
PARTIAL_EVERY: Final = 10.0
"""Least seconds between two writings of the figures so far."""
PARTIAL_SHARE: Final = 100
"""A writing follows the last one after this part of the run so far: a longer run has more to draw."""
PARTIAL_MOST: Final = 60.0
"""Most seconds between two writings."""
BEHIND: Final = 0.5
"""Seconds that an arrival may be late when the plan is ended: one that was due before and has not started is lost."""
WRITE_TIMEOUT: Final = 30.0
"""Seconds that the end of a run waits for the disk."""


class LoadRun:
    """A load test from its start to its verdict.

    Args:
        config: of its node, of which `load` is the load.
        out: folder for the results.
        thresholds, fail_on_error: see `Report`.
        prefix: put before the names of its processes.
        beside: nodes whose health and failures count for this run too, such as the answering side of the demo.
        cdr: takes a record of each call.
        traces: files of SIPp's form, of a load whose scenario is one of SIPp.
    """

    def __init__(
        self,
        options: RunOptions,
        config: NodeConfig,
        load: LoadConfig,
        *,
        out: Path,
        thresholds: Sequence[Threshold] = (),
        fail_on_error: bool = False,
        prefix: str = "",
        beside: Sequence[run.NodeRun] = (),
        cdr: Cdr | None = None,
        traces: TraceFiles | None = None,
    ) -> None:
        self.options = options
        self.load = load
        self.report = Report(load, thresholds=thresholds, fail_on_error=fail_on_error)
        self.results: Results
        """Made by `start`."""
        self._out = out
        self.failures = Failures(out, time.time() - time.monotonic())
        self.node = run.NodeRun(
            config,
            run_dir=options.run_dir,
            prefix=prefix,
            on_call_finished=self._on_call_finished,
            on_call_traced=self.failures.trace,
            on_call_slice=self.report.timeline.add_slice,
            on_counted=self._on_counted,
            on_calls_lost=self._on_calls_lost,
            watch=lambda process, incarnation, snapshot: self.report.observe(prefix, process, incarnation, snapshot),
            cdr=cdr,
        )
        self._cdr = cdr
        self._traces = traces
        self._beside = tuple(beside)
        self._share = Share.of(load)
        self._plan = Plan.of(load)
        calls = self._plan.planned()
        self._planned = None if calls is None else self._share.count(calls)
        self._idle = self._planned == 0 and calls != 0
        self._due: int | None = None
        """Arrivals that were due when a signal or a key ended the plan; known once the node is closed."""
        self._started = ""
        self._written = 0.0
        self._draining = False
        """A signal ended the plan: no rate is commanded any more."""
        self._writer = FileWriter()
        self._said = ""
        """The answer to the last key."""

    async def start(self) -> None:
        """Start the node; the plan begins.

        Raises:
            ConfigurationError: a busy port, a run directory in use, a process that does not come up, or a folder for
                results that cannot be written.
        """
        self._started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self.results = Results(self._out)
        nothing = Ending(self._started, 0.0, self._planned, attempted=0, held_back=0, run_id=run.run_id())
        try:
            try:
                self.results.write_summary(self.report.running(nothing))
            except OSError as error:
                raise ConfigurationError(f"--out {self._out}: {error.strerror}; make room there") from error
            await self.node.start()
        except BaseException:
            self.results.discard()
            raise
        self.results.begun()
        self.report.timeline.begin(self.node.plan_start)
        if self._traces is not None:
            self._traces.begin(self.node.plan_start, self._plan.rate_at(0.0) / self._share.shards)
        self._started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self.report.health.begin(self.node.plan_start)

    async def finish(self, signals: run.Signals, title: str) -> Result:
        """Wait for the end of the plan, stop every node and judge."""
        progress = choose_progress(title, quiet=self.options.quiet)
        keys = Keys(
            self.load.rate, set_rate=self._command, drain=signals.end_early, stop=signals.stop_now, say=self._say
        )
        keyboard = Keyboard(keys.press)
        if keyboard.open():
            self._say("? shows the keys")
        try:
            await run.tick_until_done(self.node, lambda: self._tick(signals, progress.show))
        finally:
            keyboard.close()
            progress.close()
            seconds = self._elapsed()
            for node in (self.node, *self._beside):
                await node.close()
        self._count_plan()
        self.results.close_calls()
        lost = self.node.lost_records
        if lost:
            self.results.incomplete(f"{lost} records of ended calls were lost; the log says why")
        unknown = self.node.totals.view().number(RESPONSE_TIMES) - self.report.file_figures.count
        if unknown > 0 and not self.node.deaths:
            self.results.incomplete(f"{unknown} response times of the scenario file were lost; the log says why")
        if self._traces is not None:
            self.results.incomplete(self._traces.close(time.monotonic(), self._progress()))
        if self._cdr is not None:
            self.results.incomplete(self._cdr.close(lost))
        ending = self._ending(signals, seconds)
        self.results.add_seconds(self.report.timeline.finish(seconds, ending.attempted))
        result = self.report.judge(ending)
        problem = await self._write_last(result)
        if problem:
            self.results.unwritten(problem)
            result = self.report.judge(self._ending(signals, seconds))
            await self._correct(result)
        return result

    def _on_call_finished(self, row: CallFinished) -> None:
        if row.role == "uas":  # a call that a scenario took: its caller's row is the judged one
            if self._cdr is not None:
                self._cdr.add(row)
            return
        failure = self.report.add(row)
        if self._cdr is not None:
            self._cdr.add(row, failure)
        self.results.add(row, failure, self.report.timeline.begun)
        if self._traces is not None:
            self._traces.ended(row, failure)
        if failure:
            self.failures.add(row, failure, self.report.timeline.begun)

    def _on_counted(self, counted: ScenarioCounted) -> None:
        self.report.file_figures.add(counted)
        if self._traces is not None:
            self._traces.counted(counted)

    def _on_calls_lost(self, calls: list[OpenCall], at: float) -> None:
        """Judge the calls that a call worker has taken with it."""
        for call in calls:
            row = row_of_lost(call, name_of(self.load), at, runs=bool(self.load.scenario))
            self.node.count_lost(row, is_call=self.load.method == CALL_METHOD)
            self._on_call_finished(row)

    def _count_plan(self) -> None:
        """Count the arrivals of the plan that was carried out, with the rates that were commanded on the way."""
        ended = self.node.drained_at - self.node.plan_start
        if ended < inf:
            self._due = self._plan.until(ended - BEHIND).planned(self._share)
        if self._planned is None:
            self._planned = self._plan.planned(self._share)

    @property
    def _attempted(self) -> int:
        """Calls that began, and runs that were over without one; any other arrival is one."""
        return self.report.attempted(max(self.node.attempted, 0 if is_in_python(self.load) else self.node.begun))

    def _ending(self, signals: run.Signals, seconds: float) -> Ending:
        nodes = (self.node, *self._beside)
        failures = [each.failure for each in nodes if each.failure]
        view = self.node.totals.view()
        return Ending(
            started=self._started,
            seconds=seconds,
            planned=None if signals.ended_early else self._planned,
            attempted=self._attempted,
            held_back=self.node.held_back,
            overloaded=self.node.overloaded,
            carried=self.report.carried(self.node.begun, self._due),
            unclosed=sum(each.unclosed for each in nodes),
            interrupted=signals.interrupted,
            run_id=run.run_id(),
            failure="; ".join([*failures, self.results.error] if self.results.error else failures),
            processes=tuple(self._processes()),
            deaths=tuple(each for node in nodes for each in node.deaths),
            idle=self._idle,
            version=installed("sipswarm"),
            host=platform.node(),
            sent_again=view.by(AGAIN, "method", direction="sent"),
            received_again=view.by(AGAIN, "method", direction="received"),
            rtp_after_calls=int(view.sum("sipswarm_rtp_packets_discarded_total", reason="no_stream")),
        )

    def _processes(self) -> Iterator[ProcessFigures]:
        """Figures of every node; the supervisors of all of them are this one process."""
        yield from self.node.totals.view().processes()
        for each in self._beside:
            for figures in each.totals.view().processes():
                if not figures.name.endswith("supervisor"):
                    yield figures

    def _tick(self, signals: run.Signals, show: Callable[[Figures], None]) -> None:
        now = time.monotonic()
        if self._traces is not None:
            self._traces.tick(now, self._progress())
        show(self._figures(self._elapsed()))
        if (signals.ended_early or signals.interrupted) and not self._draining:
            self._draining = True
            self.report.timeline.command(self._elapsed(), 0.0)
        self.results.add_seconds(self.report.timeline.closed(now))
        obey(self.report.file_figures.stops, signals)
        if self.failures.waiting and not self._writer.busy:
            self._writer.start(self.failures.write)
        pause = min(max(PARTIAL_EVERY, self._elapsed() / PARTIAL_SHARE), PARTIAL_MOST)
        if now - self._written >= pause and not self._writer.busy:
            self._written = now
            self._writer.start(self._files(self.report.running(self._ending(signals, self._elapsed())), ()))

    def _progress(self) -> Progress:
        """How far the run is, for files of SIPp's form."""
        begun, rate = self.node.begun, self._plan.rate_at(self._elapsed()) / self._share.shards
        strange = int(self.node.counted("sipswarm_sip_unexpected_messages_total"))
        return Progress(begun, max(0, begun - self.report.tally.rows), 0.0 if self._draining else rate, strange)

    def _elapsed(self) -> float:
        """Seconds since the start of the plan."""
        return max(0.0, time.monotonic() - self.report.timeline.begun)

    def _command(self, rate: float) -> None:
        """Command the rate that a person has chosen.

        The number of calls that follows is not computed with poisson arrivals that end in time, because each of them
        would have to be drawn.
        """
        at = self.node.set_rate(rate)
        self._plan = self._plan.changed(rate, at)
        timed = self.load.arrival == "poisson" and self._plan.closes < inf
        self._planned = None if timed else self._plan.planned(self._share)
        if at < inf:
            self.report.timeline.command(at, rate / self._share.shards)

    def _say(self, text: str) -> None:
        self._said = text

    async def _write_last(self, result: Result) -> str:
        """Write every file a last time.

        Returns:
            Why one could not be written, empty = all are.
        """
        late = f"{self.results.folder} cannot be written: nothing came of it for {WRITE_TIMEOUT:.0f} s"
        if not await self._writer.idle(WRITE_TIMEOUT):
            return late
        self._writer.start(self._files(result.summary, result.reasons))
        if not await self._writer.idle(WRITE_TIMEOUT):
            return late
        missing = self.results.seconds_missing
        return self._writer.problem or (f"timeline.csv lacks {missing} seconds, the disk took none" if missing else "")

    async def _correct(self, result: Result) -> None:
        """Write the summary again, because the run is judged by what could not be written, too."""
        if not self._writer.busy:
            text = written(result.summary)
            self._writer.start(lambda: self.results.write_last({"summary.json": text}))
            await self._writer.idle(WRITE_TIMEOUT)

    def _files(self, summary: dict[str, Any], reasons: tuple[str, ...]) -> Callable[[], str]:
        """Return the job of writing every file that is made from the figures as they are now.

        It runs in another thread, so it gets copies. It returns why a file could not be written, empty = all are.
        """
        points, ladders = self.report.timeline.points, self.failures
        first_failure = self.report.timeline.first_failure
        failures, results = dict(self.report.tally.failures.most_common()), self.results

        def job() -> str:
            ladders.write()
            calls = tuple(ladders.calls)
            page = page_of(summary, reasons, points, failures, calls, first_failure)
            problem = ""
            if summary["exit_code"] is not None:
                junit = junit_of(summary, reasons, failures, calls)
                small = {"summary.json": written(summary), "junit.xml": junit}
                problem = results.write_last({**small, "report.html": page})
            try:
                results.append_timeline()
                if summary["exit_code"] is None:
                    results.write("report.html", page)
                    results.write_summary(summary)
            except OSError as error:
                problem = problem or f"{results.folder} cannot be written: {error.strerror}"
            return problem

        return job

    def _figures(self, seconds: float) -> dict[str, object]:
        tally = self.report.tally
        planned = "" if self._planned is None else f"/{self._planned}"
        attempted = self._attempted
        runs = {"runs": f"{self.node.begun}{planned}", "calls": attempted} if self.load.scenario else {}
        return {
            "time": f"{seconds:.0f}s",
            **(runs or {self.report.arrivals: f"{attempted}{planned}"}),
            "live": attempted - tally.rows,
            "done": tally.rows,
            "failed": tally.failed,
            **(self._media() if self.load.method == CALL_METHOD else {}),
            **({"keys": self._said} if self._said else {}),
        }

    def _media(self) -> dict[str, object]:
        tally = self.report.tally
        return {
            "digits": f"{tally.digits_received}/{tally.digits_sent}",
            "rtp": f"{tally.rtp_received}/{tally.rtp_sent}",
        }
