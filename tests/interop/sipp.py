"""SIPp as a peer: one bounded run on loopback, judged by its exit code and by the files that it writes.

Debian's SIPp 3.6.1 picks port 5060 and media port 6000 unless told otherwise, and exits with 0 only when every call
succeeded, 1 when one failed, 97 and 99 when it was stopped or placed none, 255 on a fatal error.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .peers import SIPP, require
from .processes import LOOPBACK, Program, bound, free_port, wait_until

SCENARIOS = Path(__file__).parent / "sipp"


class Verdict(NamedTuple):
    """What SIPp says of a run."""

    exit_code: int
    statistics: dict[str, str]
    """the last row of -trace_stat, by column, for example `SuccessfulCall(C)`"""
    messages: dict[str, int]
    """the last row of -trace_counts, for example `0_INVITE_Sent`: number of the step, message, what"""
    account: str
    """command, output, errors and final screen, for the message of a failure"""

    def calls(self, column: str) -> int:
        """A cumulative number of the statistics: `TotalCallCreated`, `SuccessfulCall(C)`, `Retransmissions(C)` …"""
        return int(self.statistics[column])

    def total(self, message: str, what: str) -> int:
        """Over all steps of the scenario, for example total("INVITE", "Sent")."""
        return sum(
            count for name, count in self.messages.items() if name.partition("_")[2].rsplit("_", 1) == [message, what]
        )


class Sipp:
    """One run of SIPp, its files in a folder of the test."""

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        remote: str = "",
        scenario: str | Path,
        calls: int,
        seconds: float,
        options: Sequence[str] = (),
        host: str = LOOPBACK,
        transport: str = "u1",
    ) -> None:
        """Start it.

        Args:
            folder: where its files go; `name` tells several runs there apart
            remote: `host:port` of the other side; empty for a scenario that waits
            scenario: built in (`uac`, `uas` …), the name of an XML file in tests/interop/sipp, or the path of one
            calls: it ends after as many
            seconds: it ends by then, as failed
            options: any others
            host: local address
            transport: SIPp's word: u1 = UDP, t1 = TCP with one connection, tn = one per call
        """
        program = require(SIPP)
        self.host = host
        self.port = free_port(host)
        self.transport = "udp" if transport.startswith("u") else "tcp"
        self._seconds = seconds
        self._statistics = folder / f"{name}.stat.csv"
        self._screen = folder / f"{name}.screen"
        self._complaints = folder / f"{name}.complaints"
        self._folder = folder
        bracketed = f"[{host}]" if ":" in host else host
        which = ["-sf", str(SCENARIOS / scenario)] if str(scenario).endswith(".xml") else ["-sn", str(scenario)]
        argv = [program, *([remote] if remote else []), *which]
        argv += ["-i", bracketed, "-p", str(self.port), "-mi", bracketed, "-mp", str(free_port(host))]
        argv += ["-cp", str(free_port()), "-t", transport, "-m", str(calls), "-nostdin"]
        argv += ["-timeout", f"{seconds:g}s", "-timeout_error", "-max_socket", "500"]
        argv += ["-trace_stat", "-stf", str(self._statistics), "-fd", "1", "-trace_counts"]
        argv += ["-trace_screen", "-screen_file", str(self._screen)]
        argv += ["-trace_err", "-error_file", str(self._complaints)]
        self.program = Program([*argv, *options], folder, name)

    @property
    def address(self) -> str:
        """`host:port`, as it stands in a SIP URI."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def ready(self) -> None:
        """Wait until it listens; only for scenarios that wait for calls."""
        wait_until(
            lambda: bound(self.port, self.transport) or self.program.exit_code is not None,
            10,
            lambda: f"SIPp on port {self.port}\n{self.program.account()}",
        )
        assert self.program.exit_code is None, self.program.account()

    def verdict(self) -> Verdict:
        """Wait for its end, at most the seconds that it was given and some for its own timers."""
        exit_code = self.program.wait(self._seconds + 10)
        counts = self._folder.glob(f"*_{self.program.pid}_counts.csv")
        messages = {name: int(text) for file in counts for name, text in _last_row(file).items() if text.isdigit()}
        account = self.program.account()
        for file in (self._screen, self._complaints):
            if file.exists():
                account += f"\n--- {file.name}\n{file.read_text(errors='replace')[-4000:]}"
        return Verdict(exit_code, _last_row(self._statistics), messages, account)


def _last_row(file: Path) -> dict[str, str]:
    """The newest line of one of SIPp's tables, by column."""
    if not file.exists():
        return {}
    with file.open(newline="", errors="replace") as lines:
        rows = list(csv.DictReader(lines, delimiter=";"))
    return {name: value for name, value in rows[-1].items() if name} if rows else {}
