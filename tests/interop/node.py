"""Our own product as a user starts it: `sipswarm answer` and `sipswarm load` as processes, read through /metrics."""

import csv
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from .processes import LOOPBACK, Program, free_port, own_host, wait_until

ROOT = Path(__file__).resolve().parents[2]


class Side(NamedTuple):
    """By what packets of one program of ours are known."""

    host: str
    port: int
    """SIP"""
    peer_port: int = 0
    """to which it opens its TCP connections"""
    media_host: str = ""
    """the address of its media; empty = host"""


class Metrics(NamedTuple):
    """One reading of /metrics."""

    samples: list[tuple[str, dict[str, str], float]]

    def total(self, name: str, **labels: str) -> float:
        """The sum of a metric over all series that have these labels.

        Raises:
            KeyError: no series of that name at all, so that a misspelt name is no zero.
        """
        values = [value for sample, have, value in self.samples if sample == name and labels.items() <= have.items()]
        if not values and not any(sample == name for sample, _, _ in self.samples):
            raise KeyError(name)
        return sum(values)

    def states(self, name: str, label: str) -> dict[str, float]:
        """A metric's values by one of its labels."""
        return {have[label]: value for sample, have, value in self.samples if sample == name}


def command(verb: str, arguments: Sequence[str], folder: Path, name: str, open_files: int = 0) -> Program:
    """Start `sipswarm VERB …` from this checkout, with a folder of the test as its current one.

    open_files: the limit of open files; 0 = that of the tests.
    """
    argv = [sys.executable, "-m", "sipswarm.actors.cli", verb, *arguments]
    if open_files:
        argv = ["sh", "-c", f'ulimit -n {open_files} && exec "$@"', "sh", *argv]
    return Program(argv, folder, name, {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"})


class NodeRun:
    """A long-running verb, its /metrics on a port of its own and its run directory in the test's folder."""

    def __init__(
        self,
        folder: Path,
        verb: str,
        arguments: Sequence[str],
        name: str = "",
        *,
        run_dir: Path | None = None,
        metrics_port: int = 0,
        open_files: int = 0,
    ) -> None:
        name = name or verb
        self.run_dir = run_dir or folder / f"{name}.run"
        self.metrics_port = metrics_port or free_port()
        places = ["--metrics", f"{LOOPBACK}:{self.metrics_port}", "--run-dir", str(self.run_dir)]
        self.program = command(verb, [*arguments, *places], folder, name, open_files)

    def metrics(self) -> Metrics:
        """Read /metrics now."""
        with urllib.request.urlopen(f"http://{LOOPBACK}:{self.metrics_port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        return Metrics(
            [
                (sample.name, dict(sample.labels), float(sample.value))
                for family in text_string_to_metric_families(text)
                for sample in family.samples
            ]
        )

    def ready(self) -> None:
        """Wait until every process of it says on /metrics that it is up: supervisor, dispatcher, calls and media."""

        def up() -> bool:
            if self.program.exit_code is not None:
                return True
            try:
                states = self.metrics().states("sipswarm_process_up", "process")
            except (urllib.error.URLError, OSError):
                return False
            kinds = {name.partition("-")[0] for name, value in states.items() if value == 1}
            return {"dispatcher", "call", "media"} <= kinds and all(states.values())

        wait_until(up, 30, lambda: f"a node with all processes up\n{self.program.account()}")
        assert self.program.exit_code is None, self.program.account()

    def counted(self, name: str, least: float, seconds: float = 15, **labels: str) -> Metrics:
        """Wait until a counter has at least a value (processes report about once a second), and all are read."""
        last = self.metrics()

        def enough() -> bool:
            nonlocal last
            last = self.metrics()
            return last.total(name, **labels) >= least

        wait_until(
            enough, seconds, lambda: f"{name}{labels} >= {least:g}, is {last.total(name, **labels):g}\n"
            f"{self.program.account()}",
        )  # fmt: skip
        return last


class Answer(NodeRun):
    """`sipswarm answer`, listening on one port."""

    def __init__(
        self,
        folder: Path,
        arguments: Sequence[str] = (),
        *,
        transport: str = "udp",
        host: str = "",
        name: str = "answer",
        open_files: int = 0,
    ) -> None:
        """Start it. host: where it listens, by default an address that nothing else has."""
        self.host = host = host or own_host()
        self.port = free_port(host)
        listen = ["--listen", f"{transport}:{self.address}"]
        workers = ["--call-workers", "1", "--media-workers", "1"]
        super().__init__(folder, "answer", [*listen, *workers, *arguments], name, open_files=open_files)

    @property
    def address(self) -> str:
        """`host:port`, as it stands in a SIP URI."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def side(self) -> Side:
        """By what its packets are known."""
        return Side(self.host, self.port)


class LoadResult(NamedTuple):
    """What `sipswarm load` left behind."""

    exit_code: int
    summary: dict[str, Any]
    account: str
    calls: list[dict[str, str]]
    """the rows of calls.csv, by column"""
    side: Side
    """by what its packets are known"""

    @property
    def verdict(self) -> int:
        """The exit code, or what it would be had the machine not been too busy for a trustworthy one (98)."""
        if self.exit_code != 98:
            return self.exit_code
        if not all(each["passed"] for each in self.summary["thresholds"]):
            return 99
        return 1 if self.summary["calls"]["failed"] else 0


def load(
    folder: Path, target: str, arguments: Sequence[str], seconds: float, name: str = "load", host: str = ""
) -> LoadResult:
    """Run `sipswarm load TARGET …` to its end.

    host: our address, by default one that nothing else has, unless the arguments say another.
    """
    out = folder / f"{name}.results"
    workers = ["--call-workers", "1", "--media-workers", "1", "--run-dir", str(folder / f"{name}.run")]
    if "-i" in arguments:
        host = arguments[list(arguments).index("-i") + 1]
        places = []
    else:
        host = host or own_host()
        places = ["-i", host]
    port = free_port(host)
    port_of_target = target.rpartition(":")[2].partition(";")[0]
    side = Side(host, port, int(port_of_target) if port_of_target.isdigit() else 0)
    more = [*workers, *places, "-p", str(port), "--out", str(out)]
    with command("load", [target, *arguments, *more], folder, name) as program:
        exit_code = program.wait(seconds)
        account = program.account()
    summary, rows = out / "summary.json", out / "calls.csv"
    return LoadResult(
        exit_code,
        json.loads(summary.read_text()) if summary.exists() else {},
        account,
        list(csv.DictReader(rows.read_text().splitlines())) if rows.exists() else [],
        side,
    )
