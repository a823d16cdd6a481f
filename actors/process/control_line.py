"""The control side of a worker process: sends `Hello`, heartbeats with snapshots, and reports; obeys the supervisor.

A heartbeat comes from inside the event loop, because a process that spins still answers ZeroMQ's own heartbeats.
Reports wait a little for others, so that many share a frame. The lag of the loop is measured by how late a short timer
fires. No role may be imported here: each role gives its `Totals` and a few callables.
"""

import asyncio
import gc
import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any

from ..bus.link import Channel, DealerLink, Surroundings
from ..bus.messages import CallFinished, Ready, Snapshot
from ..config import NodeConfig

HEARTBEAT = 0.5
"""Seconds between two snapshots."""
LAG_PROBE = 0.1
WINDOW = 4096
REPORT_INTERVAL = 0.05
"""Seconds that a report waits for others: a frame costs more than all other counting of a call."""
REPORTS_AT_ONCE = 256
MOST_REPORTS = 2 * WINDOW
"""Reports that wait while the supervisor does not accept them; the oldest are dropped first, and counted."""


class Child:
    """One process's line to its supervisor.

    Args:
        before_snapshot: called before each heartbeat to update the gauges; returns the number of live calls.
        on_record: called with each record of the supervisor.
    """

    def __init__(
        self,
        config: NodeConfig,
        role: str,
        slot: int,
        *,
        surroundings: Surroundings,
        before_snapshot: Callable[[], int],
        on_record: Callable[[Any], None],
    ) -> None:
        loop, totals = surroundings.loop, surroundings.totals
        self._loop = loop
        self._totals = totals
        self._pulse = surroundings.pulse_of_process()
        self._before_snapshot = before_snapshot
        self._on_record = on_record
        self._role, self._slot = role, slot
        self._number = 0
        self._ready = False
        self._gc_started = 0.0
        self._lag = totals.distribution("sipswarm_event_loop_lag_seconds")
        self._pause = totals.distribution("sipswarm_gc_pause_seconds")
        self._reports: deque[Any] = deque()
        self._reports_dropped = totals.cell("sipswarm_queue_dropped_total", "reports")
        self._call_records = totals.cell("sipswarm_call_records_total")
        self._report_timer: asyncio.TimerHandle | None = None
        self._reported = 0
        """Records that were sent to the supervisor up to the newest record of a call."""
        self._link = DealerLink(
            surroundings,
            config.endpoint("control"),
            role=role,
            slot=slot,
            name="control",
            window=WINDOW,
            on_records=self._on_records,
            on_welcome=self._on_welcome,
            on_unsent=self._on_unsent,
            checks=True,
            linger_ms=500,
        )
        gc.callbacks.append(self._on_gc)
        self._heartbeat_timer = loop.call_later(HEARTBEAT, self._heartbeat)
        self._arm_probe()

    def ready(self) -> None:
        """Report that the role is linked to everything it needs."""
        self._ready = True
        if self._link.welcome:
            self._link.send((Ready(self._role, self._slot),))

    def report(self, record: Any) -> None:
        """Send the supervisor a record, in order, within `REPORT_INTERVAL`; the end of a call is the usual case.

        A record that cannot be sent is lost alone, and counted. The supervisor compares the number of reported call
        records with the number that it received.
        """
        if record.__class__ is CallFinished:
            self._call_records.value += 1
        self._reports.append(record)
        if len(self._reports) > MOST_REPORTS:
            self._reports.popleft()
            self._reports_dropped.value += 1
        if len(self._reports) == REPORTS_AT_ONCE:
            self._flush_reports()
        elif self._report_timer is None:
            self._report_timer = self._loop.call_later(REPORT_INTERVAL, self._on_report_timer)

    def settle(self) -> bool:
        """Send the waiting reports; return whether the supervisor has all records of calls."""
        self._flush_reports()
        return not self._reports and self._link.channel.acknowledged >= self._reported

    def close(self) -> None:
        """Send the waiting reports and the last snapshot, and stop."""
        self._flush_reports()
        if self._report_timer is not None:
            self._report_timer.cancel()
        self._snapshot()
        self._flush_reports()  # what was counted since the last snapshot
        self._heartbeat_timer.cancel()
        self._probe_timer.cancel()
        gc.callbacks.remove(self._on_gc)
        self._link.close()

    def _on_welcome(self) -> None:
        if self._ready:
            self.ready()

    def _on_records(self, channel: Channel, records: list[Any]) -> None:
        for record in records:
            self._on_record(record)

    def _on_unsent(self, record: Any) -> None:
        self._reports_dropped.value += record.__class__ is not Snapshot

    def _on_report_timer(self) -> None:
        self._report_timer = None
        self._flush_reports()
        if self._reports:
            self._report_timer = self._loop.call_later(REPORT_INTERVAL, self._on_report_timer)

    def _flush_reports(self) -> None:
        """Send as many reports as the supervisor accepts; the others wait for the timer."""
        reports = self._reports
        while reports:
            batch = list(islice(reports, max(0, min(REPORTS_AT_ONCE, self._link.channel.room))))
            if not batch or not self._link.welcome or not self._link.send(batch):
                return
            for _ in batch:  # also those that could not be sent: they would stay at the head for ever
                reports.popleft()
            if any(record.__class__ is CallFinished for record in batch):
                self._reported = self._link.channel.sent

    def _heartbeat(self) -> None:
        self._snapshot()
        self._heartbeat_timer = self._loop.call_later(HEARTBEAT, self._heartbeat)

    def _snapshot(self) -> None:
        live = self._before_snapshot()
        self._number += 1
        totals = self._totals
        self._link.send((Snapshot(self._number, time.monotonic(), live, totals.snapshot(), totals.declared),))

    def _arm_probe(self) -> None:
        self._pulse.expect(time.monotonic() + LAG_PROBE)
        self._probe_timer = self._loop.call_later(LAG_PROBE, self._probe)

    def _probe(self) -> None:
        now = time.monotonic()
        self._pulse.look(now)
        self._lag.add(max(0.0, now - self._pulse.planned))
        self._arm_probe()

    def _on_gc(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._gc_started = time.monotonic()
        else:
            self._pause.add(time.monotonic() - self._gc_started)
