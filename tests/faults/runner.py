"""Runs rows in processes of their own, several at a time, and shows and writes what they measured."""

import asyncio
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from . import lifeline
from .figures import Figure, Row, Surroundings, Unable
from .node import ROOT, descendants

CORES = 2.0
GRACE = 60.0
"""Seconds beyond three times its own that a row may take."""
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


@dataclass(slots=True)
class Result:
    """What came of a row."""

    row: str
    figures: list[Figure] = field(default_factory=list)
    failure: str = ""
    """Why there are no figures."""
    unable: bool = False
    seconds: float = 0.0

    @property
    def kept(self) -> bool:
        """Whether every target was met."""
        return not self.failure and all(each.kept for each in self.figures)


def run_here(row: Row, quick: bool, seed: int, result: Path, keep: Path | None) -> int:
    """Run a row in this process and write its result into a file; it ends with its parent.

    keep: folder in which its files stay.
    """
    began = time.monotonic()

    def say(line: str) -> None:
        with suppress(BrokenPipeError):  # the parent is gone, and this process ends in order
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()

    folder = keep / row.name if keep else Path(tempfile.mkdtemp(prefix=f"{row.name}-"))
    folder.mkdir(parents=True, exist_ok=True)
    found = Result(row.name)

    async def bounded() -> Sequence[Figure]:
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()
        lifeline.hold(lambda: loop.call_soon_threadsafe(task.cancel))
        async with asyncio.timeout(3 * row.seconds + GRACE):
            return await row.function(Surroundings(folder, quick, seed, say))

    try:
        found.figures = list(asyncio.run(bounded()))
    except Unable as error:
        found.failure, found.unable = str(error), True
    except asyncio.CancelledError:
        found.failure = "ended from outside"
    except Exception as error:  # noqa: BLE001  # a row that fails is a result, and the others go on
        found.failure = f"{type(error).__name__}: {error}"
        traceback.print_exc()
    found.seconds = time.monotonic() - began
    result.write_text(json.dumps(asdict(found)))
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if found.kept else 1


class Run:
    """All rows of a run.

    keep: folder in which the files of each row stay.
    """

    def __init__(self, rows: Sequence[Row], quick: bool, seed: int, keep: Path | None = None) -> None:
        self._rows = rows
        self._quick = quick
        self._seed = seed
        self._keep = keep
        self._began = time.monotonic()
        self.results: dict[str, Result] = {}
        self._running: dict[asyncio.subprocess.Process, str] = {}

    def all(self, json_file: Path | None = None, page: Path | None = None) -> int:
        """Run them, show the table, write the files; the exit code."""
        self._show(f"{len(self._rows)} rows, seed {self._seed}, load average {os.getloadavg()[0]:.1f}")
        stopped = False
        try:
            asyncio.run(self.run())
        except KeyboardInterrupt:
            stopped = True
        sys.stdout.write("\n" + "\n".join(table(self._rows, self.results)) + "\n")
        if json_file:
            json_file.write_text(json.dumps(self.summary(), indent=1) + "\n")
        if page:
            write_page(page, self._rows, self.results, self._quick)
        missed = [name for name, result in self.results.items() if not result.kept]
        sys.stdout.write(f"\n{len(self.results) - len(missed)} of {len(self._rows)} rows met; missed: {missed}\n")
        return 130 if stopped else int(bool(missed) or len(self.results) < len(self._rows))

    def summary(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {
            "seed": self._seed,
            "quick": self._quick,
            "machine": f"{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}",
            "seconds": round(time.monotonic() - self._began, 1),
            "rows": {name: {**asdict(result), "kept": result.kept} for name, result in self.results.items()},
        }

    def _show(self, line: str) -> None:
        sys.stdout.write(f"{time.monotonic() - self._began:5.0f} s  {line}\n")
        sys.stdout.flush()

    async def run(self) -> None:
        """Run those that measure times one by one, unless small, then the others side by side, the longest first."""
        try:
            alone = [row for row in self._rows if row.alone and not self._quick]
            for row in alone:
                await self._one(row)
            waiting = sorted((row for row in self._rows if row not in alone), key=lambda row: -row.seconds)
            tasks: dict[asyncio.Task[None], float] = {}
            while waiting or tasks:
                for row in list(waiting):
                    if not tasks or sum(tasks.values()) + row.cores <= CORES * (1 + self._quick):
                        waiting.remove(row)
                        tasks[asyncio.create_task(self._one(row))] = row.cores
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    del tasks[task]
                    task.result()
        finally:
            for process in self._running:
                with suppress(ProcessLookupError):
                    process.terminate()
            await asyncio.gather(*(self._reaped(process) for process in self._running))

    async def _reaped(self, process: asyncio.subprocess.Process) -> None:
        """Wait for a row that is to end; kill what it started when it does not."""
        try:
            async with asyncio.timeout(15):
                await process.wait()
        except TimeoutError:
            for pid in (process.pid, *descendants(process.pid)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    async def _one(self, row: Row) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "result"
            argv = [sys.executable, "-m", "tests.faults", row.name, "--seed", str(self._seed), "--here", str(file)]
            argv += ["--quick"] if self._quick else []
            argv += ["--keep", str(self._keep.absolute())] if self._keep else []
            self._show(f"{row.name}: begins")
            process = await asyncio.create_subprocess_exec(
                *argv,
                cwd=ROOT,
                stdin=subprocess.PIPE,  # held open until this process ends: `lifeline`
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._running[process] = row.name
            assert process.stdout is not None
            lines: list[str] = []
            async with asyncio.timeout(3 * row.seconds + 2 * GRACE):
                while line := await process.stdout.readline():
                    lines.append(line.decode(errors="replace").rstrip())
                    if not lines[-1].startswith((" ", "Traceback")):
                        self._show(f"{row.name}: {lines[-1]}")
                await process.wait()
            del self._running[process]
            result = read_result(file) if file.exists() else Result(row.name, failure="\n".join(lines[-20:]) or "died")
            self.results[row.name] = result
            if result.failure and not result.unable:
                sys.stdout.write("\n".join(lines[-30:]) + "\n")
            self._show(f"{row.name}: {'met' if result.kept else 'MISSED'} in {result.seconds:.0f} s")


def read_result(file: Path) -> Result:
    """What `run_here` wrote."""
    raw = json.loads(file.read_text())
    return Result(**{**raw, "figures": [Figure(**each) for each in raw["figures"]]})


def table(rows: Sequence[Row], results: dict[str, Result]) -> list[str]:
    """A line for each figure, for a terminal."""
    lines = []
    for row in rows:
        result = results.get(row.name)
        if result is None:
            lines.append(f"{row.name:28} did not run")
            continue
        if result.failure:
            lines.append(f"{row.name:28} {'cannot run here' if result.unable else 'FAILED'}: {result.failure[:300]}")
        for figure in result.figures:
            mark = "" if figure.kept else "  MISSED"
            lines.append(f"{row.name:28} {figure.name:58} {figure.text:>12}  {figure.target:12}{mark}")
    return lines


def write_page(page: Path, rows: Sequence[Row], results: dict[str, Result], quick: bool) -> None:
    """Put the table of figures into a page, between two marks that stand there."""
    text = page.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}{', small runs' if quick else ''}"
    lines = [BEGIN, f"Measured on {machine}.", "", "| row | what is done | judge |", "|---|---|---|"]
    lines += [f"| `{row.name}` | {row.about} | {row.judge} |" for row in rows]
    lines += ["", "| row | figure | measured | target |", "|---|---|---|---|"]
    for row in rows:
        result = results.get(row.name)
        figures = result.figures if result else []
        if not figures:
            lines.append(f"| `{row.name}` | | {'could not run' if result and result.unable else 'no figure'} | |")
        for number, figure in enumerate(figures):
            name = f"`{row.name}`" if not number else ""
            value = figure.text if figure.kept else f"**{figure.text}** (missed)"
            lines.append(f"| {name} | {figure.name} | {value} | {figure.target} |")
    page.write_text(before + "\n".join((*lines, "", "")) + END + after)
