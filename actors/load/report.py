"""The verdict of a load test and its summary: passed or failed, and whether the figures can be trusted.

It takes each call as it ends and each snapshot, and judges at the end; while the run goes on, it gives the figures so
far. The first reason in the order of `Verdict` decides. Faults of the generator itself come before every judgement of
the system under test, and so does a scenario that is broken. It must never be falsely green. An expectation or a
threshold for which nothing was counted has failed, and so has a planned call whose end is unknown.
"""

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any, Final, NamedTuple

from ..bus.messages import CallFinished, Snapshot
from ..config import LoadConfig
from ..diagnosis.failure_reasons import NOT_CLOSED, REASONS, Blame, blame_of, words_of
from ..supervisor.node_totals import ProcessFigures, kind_of
from .arrival_figures import ALL, ArrivalFigures, Carried
from .description import arrivals_of, description_of, rows_of
from .health import Health, HealthFigures
from .histogram import Figures, digest_of, rounded
from .schedule import Plan, Share
from .sipp_files.counted_figures import FileFigures
from .tally import Tally
from .thresholds import RATIOS, Judged, Threshold
from .timeline import Timeline

SCHEMA: Final = "sipswarm.summary/1"
NOT_SENT: Final = "not_sent"
"""The outcome of a call whose INVITE never left this machine."""
MOST_CODES: Final = 10
"""Final responses that the reasons name one by one."""


class Verdict(Enum):
    """The result of a run, with the exit code of the process; the first that applies."""

    INTERNAL_FAILURE = ("internal_failure", 1)
    INTERRUPTED = ("interrupted", 105)
    UNTRUSTWORTHY = ("untrustworthy", 98)
    PLAN_FAILED = ("plan_failed", 107)
    NOTHING_SENT = ("nothing_sent", 97)
    THRESHOLDS_FAILED = ("thresholds_failed", 99)
    CALLS_FAILED = ("calls_failed", 1)
    NOT_CLOSED = ("not_closed", 3)
    PASSED = ("passed", 0)

    @property
    def text(self) -> str:
        """Its name in summary.json."""
        return self.value[0]

    @property
    def exit_code(self) -> int:
        """The exit status of the process."""
        return self.value[1]


class Ending(NamedTuple):
    """The end of a run, and its figures besides those of its calls."""

    started: str
    """Wall-clock time of the start, ISO 8601."""
    seconds: float
    planned: int | None
    """Arrivals of the plan in this shard; None = the plan had no end, or was ended early on purpose."""
    attempted: int
    """Calls that the workers began, and runs of a scenario that were over without a call."""
    held_back: int
    """Arrivals that the user's own limit kept from starting."""
    overloaded: int = 0
    """Arrivals that the bound of the call workers kept from starting."""
    carried: Carried = ALL
    """How far the plan was carried out."""
    unclosed: int = 0
    """Calls whose end no peer confirmed."""
    interrupted: bool = False
    """SIGINT or SIGTERM cut the plan short."""
    run_id: str = ""
    """As on sipswarm_run_info; empty = none was given."""
    failure: str = ""
    """An internal failure; empty = none."""
    over: bool = True
    """False = the run goes on: figures that are not there yet are not missing."""
    version: str = ""
    """Of sipswarm."""
    host: str = ""
    """Name of the machine that makes the calls."""
    processes: tuple[ProcessFigures, ...] = ()
    deaths: tuple[str, ...] = ()
    """Processes of the node that ended unasked, in words."""
    idle: bool = False
    """The plan has calls, but none for this shard."""
    sent_again: tuple[tuple[str, int], ...] = ()
    """SIP messages that were sent again, by the method of their CSeq: requests and responses."""
    received_again: tuple[tuple[str, int], ...] = ()
    """Requests and final responses that came again, by the method of their CSeq."""
    rtp_after_calls: int = 0
    """RTP packets that came at a port whose call was over."""

    @property
    def arrivals(self) -> ArrivalFigures:
        """Every arrival of the plan, by what became of it."""
        begun = self.attempted if self.carried.begun is None else self.carried.begun
        due = 0 if self.carried.due is None and self.interrupted else self.carried.due
        return ArrivalFigures.of(self.planned, begun, self.held_back, self.overloaded, due=due, over=self.over)


class Result(NamedTuple):
    """A judged run."""

    verdict: Verdict
    reasons: tuple[str, ...]
    """Why it is not passed, in words; when it is, remarks."""
    summary: dict[str, Any]
    """Content of summary.json."""

    @property
    def exit_code(self) -> int:
        """The exit status of the process."""
        return self.verdict.exit_code


class Report:
    """Takes the calls of a run as they finish and judges it at the end.

    Args:
        load: the plan and its expectations.
        thresholds: conditions on the figures; with any of them, failed calls alone do not decide.
        fail_on_error: failed calls decide even then.
    """

    def __init__(self, load: LoadConfig, *, thresholds: Sequence[Threshold] = (), fail_on_error: bool = False) -> None:
        self.load = load
        self.tally = Tally(load)
        self.health = Health()
        self.timeline = Timeline(Plan.of(load), load.shards)
        self.file_figures = FileFigures()
        self._thresholds = tuple(thresholds)
        self._failed_calls_decide = fail_on_error or not thresholds

    def add(self, row: CallFinished) -> str:
        """Take a call that finished.

        Returns:
            The name of the expectation it missed, empty = none.
        """
        if row.lateness >= 0:
            self.health.add_start(row.started, row.lateness)
        failure = self.tally.add(row)
        self.timeline.add(row, failure)
        return failure

    @property
    def arrivals(self) -> str:
        """What the arrivals of the load are: calls, runs of a scenario, requests."""
        return arrivals_of(self.load)

    def attempted(self, counted: int) -> int:
        """Return the calls that began, and the runs of a scenario that were over without one.

        Args:
            counted: calls that the workers report; a row may come before the count of its call.
        """
        without_call = self.tally.without_call
        return max(counted, self.tally.rows - without_call) + without_call

    def carried(self, begun: int, due: int | None) -> Carried:
        """Return how far the plan was carried out.

        Args:
            begun: arrivals that started, as the workers report; those of a plain load are the calls attempted.
            due: those due when a signal or a key ended the plan; None = none did.
        """
        return Carried(begun if self.load.scenario else None, due)

    def observe(self, prefix: str, process: str, incarnation: int, snapshot: Snapshot) -> None:
        """Take a snapshot of a process of the load.

        Args:
            prefix: put before its name in the reasons.
        """
        self.health.observe(prefix + process, incarnation, snapshot)
        if kind_of(process) == "call":
            self.timeline.observe(process, incarnation, snapshot.live_calls)

    def judge(self, ending: Ending) -> Result:
        """Judge the calls that were added until now."""
        generator = self.health.figures(self.tally.distributions["schedule_lateness"].percentile(99), over=ending.over)
        thresholds = () if ending.idle else self._thresholds
        judged = tuple(each.judge(self.figure(each, ending)) for each in thresholds)
        verdict, reasons = self._decide(ending, generator, judged)
        return Result(verdict, reasons, self._summary(ending, verdict, generator, judged))

    def running(self, ending: Ending) -> dict[str, Any]:
        """Return the content of summary.json while the run goes on: the figures so far and no verdict.

        Ratios are over the calls that have ended, because the results of the others are not known yet.
        """
        return {**self.judge(ending._replace(over=False)).summary, "verdict": "running", "exit_code": None}

    def failed(self, ending: Ending) -> int:
        """Return the calls that missed an expectation or have no known end, and the arrivals that did not start.

        Of a run of a scenario the first call carries its failure; a run that did not start counts once.
        """
        return self.tally.failed + ending.arrivals.lost + self._unreported(ending)

    def figure(self, threshold: Threshold, ending: Ending) -> float | None:
        """Return the value that a threshold needs; None = nothing was counted for it."""
        if threshold.name in RATIOS:
            return self._ratio(threshold.name, ending)
        figures: Figures = (
            self.file_figures.response_time(threshold.response_time)
            if threshold.response_time
            else self._distribution(threshold.name, ending)
        )
        if threshold.percent is not None:
            return figures.percentile(threshold.percent)
        value: float | None = getattr(figures, threshold.statistic)
        return value

    def _distribution(self, name: str, ending: Ending) -> Figures:
        """Return the values of a name; while the run goes on, delays also of the calls that are not over."""
        if not ending.over and name == "post_dial_delay":
            return self.timeline.post_dial
        if not ending.over and name == "answer_delay":
            return self.timeline.answer
        return self.tally.distributions[name]

    def _answered(self, ending: Ending) -> int:
        """Answered calls; while the run goes on, also those that are not over."""
        return self.tally.answered if ending.over else max(self.tally.answered, self.timeline.answered)

    def _ratio(self, name: str, ending: Ending) -> float | None:
        """A share of the calls; the faults of the generator itself prove nothing about the system under test."""
        tally = self.tally
        attempted = ending.attempted
        if name == "dropped":
            return ending.arrivals.dropped_ratio
        if not ending.over and name == "answered":
            attempted = self._answered(ending) + tally.rows - tally.answered  # the INVITEs with a final outcome
        elif not ending.over:
            attempted = tally.rows
        count = {
            "answered": self._answered(ending),
            "completed": tally.completed,
            "failed": tally.failed - tally.blamed(Blame.GENERATOR),
            "one_way": tally.one_way,
        }[name]
        tried = attempted - tally.outcomes[NOT_SENT]
        if not tried or (name == "one_way" and not tally.media_calls):
            return None
        return count / tried

    def _unreported(self, ending: Ending) -> int:
        """Calls that were started and are not known to have ended, when no report can come any more."""
        return max(0, ending.attempted - self.tally.rows) if ending.over else 0

    def _is_cut_short(self, ending: Ending) -> bool:
        """Whether a signal kept anything from going as planned; after the last end it changes nothing any more."""
        arrivals = ending.arrivals
        if not ending.interrupted:
            return False
        if ending.planned is None or ending.carried.due is None or ending.unclosed:
            return True
        return bool(arrivals.not_due + arrivals.not_started + self._unreported(ending) + self.tally.drained)

    def _rates(self, ending: Ending) -> dict[str, float | None]:
        """Arrivals per second: commanded on the mean over the time in which they started, and started."""
        timeline, span = self.timeline, self.tally.starts
        if ending.over:
            first, last = (each - timeline.begun for each in span) if span else (0.0, 0.0)
            target, achieved = timeline.target_rate(first, last), self.tally.rate
        else:
            begun = ending.arrivals.started if self.load.scenario else timeline.started
            target, achieved = timeline.target_so_far, timeline.rate_of(begun)
        return {
            "target": rounded(target),
            "achieved": rounded(achieved),
            "all_shards": rounded(target * self.load.shards),
        }

    def _decide(
        self, ending: Ending, generator: HealthFigures, judged: tuple[Judged, ...]
    ) -> tuple[Verdict, tuple[str, ...]]:
        if ending.failure:
            return Verdict.INTERNAL_FAILURE, (ending.failure,)
        if self._is_cut_short(ending):
            return Verdict.INTERRUPTED, ("the plan was cut short by a signal",)
        own = (*ending.deaths, *self._words_of_failures(Blame.GENERATOR), *self._missing(ending), *generator.reasons)
        if own:
            return Verdict.UNTRUSTWORTHY, own
        broken = self._words_of_failures(Blame.PLAN)
        if broken:
            return Verdict.PLAN_FAILED, broken
        if ending.idle and not ending.attempted:
            return Verdict.PASSED, (
                f"shard {Share.of(self.load).name} has no {rows_of(self.load).removesuffix('s')} of the plan",
            )
        if not ending.attempted:
            return Verdict.NOTHING_SENT, (f"no {rows_of(self.load).removesuffix('s')} was started",)
        if self.tally.unreachable >= ending.attempted:
            return Verdict.NOTHING_SENT, (
                f"no {self.load.method.upper()} could be sent: no connection to the target came about",
            )
        failed = self.failed(ending)
        missed = tuple(_words(each) for each in judged if not each.passed)
        if missed:
            return Verdict.THRESHOLDS_FAILED, (*missed, *self._failure_words(ending, failed))
        unclosed = sum(self.tally.failures[each] for each in NOT_CLOSED)
        if failed > unclosed and self._failed_calls_decide:
            return Verdict.CALLS_FAILED, self._failure_words(ending, failed)
        if ending.unclosed or unclosed:
            return Verdict.NOT_CLOSED, self._unclosed_words(ending)
        if ending.held_back:
            return Verdict.PASSED, (
                f"{ending.held_back} {arrivals_of(self.load)} of the plan were held back: -l allowed no more at a time",
            )
        return Verdict.PASSED, ()

    def _unclosed_words(self, ending: Ending) -> tuple[str, ...]:
        words = [f"{ending.unclosed} calls were not closed when the drain ended"] if ending.unclosed else []
        return (*words, *(each for name in sorted(NOT_CLOSED) for each in self._words_of(name)))

    def _failure_words(self, ending: Ending, failed: int) -> tuple[str, ...]:
        """All failures, most frequent first; nothing when there are none."""
        if not failed:
            return ()
        words = [f"{failed} {rows_of(self.load)} failed"]
        words += [each for name, _ in self.tally.failures.most_common() for each in self._words_of(name)]
        return tuple(words)

    def _missing(self, ending: Ending) -> Iterator[str]:
        """The same in words; where nothing was sent at all, a verdict of its own names it."""
        for reason, count in ending.arrivals.without_row(self._unreported(ending)).items():
            if reason != "not_started" or ending.attempted:
                yield f"{count} missed: {reason}: {words_of(reason)}"

    def _words_of_failures(self, blame: Blame) -> tuple[str, ...]:
        names = [name for name, _ in self.tally.failures.most_common() if blame_of(name) is blame]
        return tuple(each for name in names for each in self._words_of(name))

    def _words_of(self, name: str) -> Iterator[str]:
        """Number of calls that failed by one reason, and its meaning; final responses each by its own."""
        count = self.tally.failures[name]
        if name == "code":
            wanted = f", not {self.load.expect_code}" if self.load.expect_code else ""
            for code, number in self.tally.codes.most_common(MOST_CODES):
                yield f"{number} missed: code: answered {_status(code, self.tally.phrases.get(code, ''))}{wanted}"
            rest = count - sum(number for _, number in self.tally.codes.most_common(MOST_CODES))
            if rest:
                yield f"{rest} missed: code: other final responses"
        elif count:
            yield f"{count} missed: {name}" + (f": {words_of(name)}" if name in REASONS else "")

    def _summary(
        self, ending: Ending, verdict: Verdict, generator: HealthFigures, judged: tuple[Judged, ...]
    ) -> dict[str, Any]:
        load, tally, timeline, arrivals = self.load, self.tally, self.timeline, ending.arrivals
        so_far = not ending.over
        again = {"sent": ending.sent_again, "received": ending.received_again}
        discards = tally.discards(ending.rtp_after_calls)
        return {
            "schema": SCHEMA,
            "verdict": verdict.text,
            "exit_code": verdict.exit_code,
            "run": {
                "id": ending.run_id,
                "seed": load.seed,
                "started": ending.started,
                "seconds": round(ending.seconds, 3),
                "target": load.target,
                "shard": load.shard + 1,
                "shards": load.shards,
                "version": ending.version,
                "host": ending.host,
                "plan": description_of(load),
            },
            "arrivals": arrivals.digest(arrivals_of(load)),
            "calls": {
                "planned": arrivals.planned,
                "attempted": ending.attempted,
                "live": timeline.live if so_far else 0,
                "answered": self._answered(ending),
                "completed": tally.completed,
                "failed": self.failed(ending),
                "dropped": arrivals.dropped,
                "not_sent": tally.outcomes[NOT_SENT],
                "max_concurrent": max(tally.max_concurrent, timeline.most_live) if so_far else tally.max_concurrent,
                "outcomes": dict(tally.outcomes.most_common()),
                "codes": {str(code): count for code, count in sorted(tally.answers.items())},
            },
            "blame": {
                **{each.value: tally.blamed(each) for each in Blame},
                Blame.GENERATOR.value: tally.blamed(Blame.GENERATOR) + arrivals.lost + self._unreported(ending),
            },
            "failures": [
                {"reason": name, "calls": count, "blame": blame_of(name).value, "meaning": words_of(name)}
                for name, count in (
                    tally.failures + ending.arrivals.without_row(self._unreported(ending))
                ).most_common()
            ],
            "rate": self._rates(ending),
            "delays": {
                name: digest_of(self._distribution(f"{name}_delay", ending))
                for name in ("post_dial", "answer", "disconnect")
            },
            "scenario_file": dict(self.file_figures.digest()),
            "signalling": {"retransmissions": {direction: dict(count) for direction, count in again.items()}},
            "media": {
                "streams": tally.streams,
                "rtp_sent": tally.rtp_sent,
                "rtp_received": tally.rtp_received,
                "lost": tally.rtp_lost,
                "rtp_discarded": discards.total(),
                "discards": dict(sorted(discards.items())),
                "loss_ratio_max": rounded(tally.distributions["loss"].max),
                "jitter_p95": rounded(tally.distributions["jitter"].percentile(95)),
                "mos_cqe_p5": rounded(tally.distributions["mos"].percentile(5)),
                "one_way_calls": tally.one_way,
                "rtp_due": tally.rtp_due,
                "rtp_missed": tally.rtp_missed,
                "received_ratio": rounded(1 - tally.rtp_missed / tally.rtp_due if tally.rtp_due else None),
                "received_ratio_min": rounded(tally.distributions["received_ratio"].min),
                "media_share_min": rounded(tally.distributions["media_share"].min),
                "gap_max": rounded(tally.distributions["gap"].max),
                "hold_share_mean": rounded(tally.distributions["hold_share"].mean),
                "hold_share_max": rounded(tally.distributions["hold_share"].max),
                "remote_loss_max": rounded(tally.distributions["remote_loss"].max),
                "unreachable_share_max": rounded(tally.distributions["unreachable_share"].max),
            },
            "dtmf": {
                "sent": tally.digits_sent,
                "received": tally.digits_received,
                "missed": tally.digits_missed,
                "wrong": tally.digits_wrong,
            },
            "generator": {
                "healthy": generator.healthy,
                "schedule_lateness_p99": rounded(generator.schedule_lateness_p99),
                "send_lateness_p99": rounded(generator.send_lateness_p99),
                "loop_lag_p99": rounded(generator.loop_lag_p99),
                "udp_drops": generator.udp_drops,
                "reasons": list(generator.reasons),
            },
            "processes": [each._asdict() for each in ending.processes],
            "thresholds": [{**each._asdict(), "so_far": so_far} for each in judged],
        }


def _status(code: int, phrase: str) -> str:
    return f"{code} {phrase}".strip() if code else "nothing"


def _words(judged: Judged) -> str:
    value = "nothing was counted for it" if judged.value is None else f"it was {judged.value:.6g}"
    return f"threshold {judged.expression} failed: {value}"
