"""The sums of the finished calls of a run: outcomes, delays, media, digits, and the calls that failed. Pure.

Each call is judged once more here, by the same function that its worker used (`expectations`). So an expectation that
was not checked is a failure and never a pass. Then its outcome, delays, media and digits are added. Memory must not
grow with the number of calls.
"""

from collections import Counter
from typing import Final

from sipswarm.media.totals import DISCARD_REASONS, NO_STREAM

from ..bus.messages import CallFinished
from ..config import LoadConfig
from ..diagnosis.failure_reasons import OTHER_TEXTS, REASONS, Blame, blame_of, is_completed
from ..diagnosis.request_loss import Loss
from .concurrency import Concurrency
from .expectations import DRAINED, NO_CALL, OF_THIS_HOST, is_one_way, missed
from .histogram import Histogram
from .thresholds import DISTRIBUTIONS

MOST_FAILURES: Final = 200
"""Texts of assertions that are counted one by one: a scenario may make its own for each call. Names always are."""

WITHOUT_CALL: Final = frozenset({"not_sent", NO_CALL})
"""Outcomes of rows in whose time no call was live."""


def discards_of(row: CallFinished) -> dict[str, int]:
    """Return the RTP packets of a call that came and were discarded, by reason; reasons without any are left out."""
    return {reason: count for reason, count in zip(DISCARD_REASONS, row.rtp_discards, strict=False) if count}


class FailureCounts(Counter[str]):
    """Failed calls by the expectation that was missed: names one by one, texts of assertions up to a bound."""

    _texts = 0
    """Texts that are counted one by one."""

    def add(self, failure: str) -> None:
        """Count a failed call."""
        if failure not in REASONS and failure not in self:
            if self._texts == MOST_FAILURES:
                failure = OTHER_TEXTS
            else:
                self._texts += 1
        self[failure] += 1


class _Starts:
    """The starts of the arrivals: of a scenario's run the first call has it."""

    __slots__ = ("count", "first", "last")

    def __init__(self) -> None:
        self.count = 0
        self.first = float("inf")
        self.last = float("-inf")

    def add(self, at: float) -> None:
        self.count += 1
        self.first = min(self.first, at)
        self.last = max(self.last, at)


class Tally:
    """The sums that a report needs of any number of calls."""

    def __init__(self, load: LoadConfig) -> None:
        self._load = load
        self.rows = 0
        self.outcomes: Counter[str] = Counter()
        self.answers: Counter[int] = Counter()
        """Calls by the final status of their INVITE."""
        self.failures = FailureCounts()
        """Failed calls by the expectation that was missed."""
        self.codes: Counter[int] = Counter()
        """Calls that failed by another final response than expected, by its status."""
        self.phrases: dict[int, str] = {}
        """The first reason phrase that came with each of them."""
        self.answered = self.completed = self.one_way = 0
        self.media_calls = 0
        """Answered calls that had media, or in which it was due."""
        self.unreachable = 0
        """Calls whose INVITE could not be sent, for lack of a connection or through a fault of this machine."""
        self.streams = self.rtp_sent = self.rtp_received = self.rtp_lost = self.rtp_due = self.rtp_missed = 0
        self.rtp_discards: Counter[str] = Counter()
        """RTP packets that came and were discarded, by reason."""
        self.digits_sent = self.digits_received = self.digits_missed = self.digits_wrong = 0
        self.distributions = {name: Histogram() for name in DISTRIBUTIONS}
        self.drained = 0
        """Calls and runs that the end of the run of the load has ended, also those that passed."""
        self._starts = _Starts()
        self._concurrency = Concurrency()

    @property
    def failed(self) -> int:
        """Finished calls that missed an expectation."""
        return self.failures.total()

    def blamed(self, blame: Blame) -> int:
        """Return the number of calls that failed through one of the three."""
        return sum(count for name, count in self.failures.items() if blame_of(name) is blame)

    @property
    def rate(self) -> float | None:
        """Arrivals started per second, over the time from the first to the last start; None with fewer than two."""
        starts = self._starts
        span = starts.last - starts.first
        return (starts.count - 1) / span if starts.count > 1 and span > 0 else None

    @property
    def starts(self) -> tuple[float, float] | None:
        """Monotonic times of the first and the last start of an arrival; None = none has ended."""
        return (self._starts.first, self._starts.last) if self._starts.count else None

    @property
    def without_call(self) -> int:
        """Runs of a scenario that were over without a call."""
        return self.outcomes[NO_CALL]

    def discards(self, after_calls: int) -> Counter[str]:
        """Return the RTP packets that came and were discarded, by reason; reasons without any are left out.

        Args:
            after_calls: packets of no call, because it was over.
        """
        return +(self.rtp_discards + Counter({DISCARD_REASONS[NO_STREAM]: after_calls}))

    @property
    def max_concurrent(self) -> int:
        """The most calls that were live at one moment."""
        return self._concurrency.most

    def add(self, row: CallFinished) -> str:
        """Count a call.

        Returns:
            The name of the expectation it missed, empty = it passed.
        """
        self.rows += 1
        self.outcomes[row.outcome] += 1
        if row.code:
            self.answers[row.code] += 1
        self.unreachable += row.outcome == "not_sent" or (
            row.outcome == "transport_error" and row.cause == Loss.UNREACHABLE.value
        )
        failure = missed(row, self._load)
        self.drained += DRAINED in (row.cause, failure)
        if failure:
            self.failures.add(failure)
            if failure == "code":
                self.codes[row.code] += 1
                if row.phrase:
                    self.phrases.setdefault(row.code, row.phrase)
        if row.outcome == "answered":
            self.answered += 1
            self.completed += is_completed(row.closed, row.cause, failure)
            self.distributions["duration"].add(row.duration)
            self.one_way += failure == "one_way" or (failure not in OF_THIS_HOST and is_one_way(row))
            self.media_calls += bool(row.rtp_sent or row.rtp_received or row.rtp_due)
            self._add_quality(row)
        self._add_times(row)
        self._add_packets(row)
        self.digits_sent += row.digits_sent
        self.digits_received += row.digits_received
        self.digits_missed += row.digits_missed
        self.digits_wrong += row.digits_wrong
        return failure

    def _add_times(self, row: CallFinished) -> None:
        for name, value in (
            ("post_dial_delay", row.post_dial_delay),
            ("answer_delay", row.answer_delay),
            ("disconnect_delay", row.disconnect_delay),
        ):
            if value >= 0:
                self.distributions[name].add(value)
        if row.lateness >= 0:
            self.distributions["schedule_lateness"].add(row.lateness)
            self._starts.add(row.started)
        if row.outcome not in WITHOUT_CALL:
            self._concurrency.add(row.started, row.ended)

    def _add_packets(self, row: CallFinished) -> None:
        """Add received and sent packets, early media of calls without an answer included."""
        self.rtp_sent += row.rtp_sent
        self.rtp_received += row.rtp_received
        self.rtp_lost += row.rtp_lost
        self.rtp_due += row.rtp_due
        self.rtp_missed += row.rtp_missed
        self.rtp_discards.update(discards_of(row))
        self.streams += row.rtp_received > 0

    def _add_quality(self, row: CallFinished) -> None:
        """Add the media quality of an answered call."""
        missing = row.rtp_missed / row.rtp_due if row.rtp_due else 0.0
        if row.rtp_received:
            lost = row.rtp_lost / (row.rtp_lost + row.rtp_received)
            # On hold, sequence numbers may go on without packets.
            self.distributions["loss"].add(missing if row.rtp_due else lost)
            if row.jitter >= 0:
                self.distributions["jitter"].add(row.jitter)
        elif row.rtp_due:
            self.distributions["loss"].add(missing)
        if row.mos >= 0:
            self.distributions["mos"].add(row.mos)
        if row.rtp_due:
            self.distributions["received_ratio"].add(1 - missing)
        if row.media_due > 0:
            self.distributions["gap"].add(row.media_gap)
            self.distributions["media_share"].add(min(1.0, row.media_present / row.media_due))
        if row.remote_loss >= 0:
            self.distributions["remote_loss"].add(row.remote_loss)
        if row.unreachable_share >= 0:
            self.distributions["unreachable_share"].add(row.unreachable_share)
        whole = max(0.0, row.media_due) + row.media_held + row.media_removed
        if whole > 0:
            self.distributions["hold_share"].add(row.media_held / whole)
