"""A load as one test: `sipswarm load` in processes of its own, and its verdict and figures."""

import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sipswarm.actors.diagnosis.foreign_text import said
from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.handle.given_text import checked_seconds

LOAD_TIME: Final = 300.0
"""Seconds after which a load is ended."""


@dataclass(frozen=True, repr=False)
class LoadResult:
    """The end of a load: `assert result.passed, result` shows the reasons."""

    exit_code: int
    """0 passed, 1 calls failed, 3 calls not closed, 97 nothing sent, 98 result not trustworthy, 99 thresholds failed,
    105 cut short, 107 scenario failed."""
    summary: dict[str, Any]
    """The content of summary.json (docs/verdict.md)."""
    folder: Path
    """The folder with calls.csv, report.html, failures and the other files."""
    output: str
    """The printed figures, verdict and reasons."""

    @property
    def passed(self) -> bool:
        """Whether the verdict is that it passed."""
        return self.exit_code == 0

    def __repr__(self) -> str:
        return f"LoadResult {self.exit_code}:\n{self.output.strip()}"


async def load(target: str, *, out: str | Path | None = None, timeout: float = LOAD_TIME, **options: Any) -> LoadResult:
    """Run `sipswarm load` against a target as one test, in processes of its own, and return its verdict and figures.

        result = await load(sip_target, calls=100, rate=20, hold="2s", media="silence", expect_media=True)
        assert result.passed, result

    Args:
        target: a SIP URI.
        out: folder for the results; None = a temporary one, which stays.
        timeout: seconds after which the load is ended, and the call fails.
        options: those of the command line by their long names, `_` for `-`: scenario="ivr.py",
            threshold=["answered>=1"]. True gives a flag, a list repeats the option, False and None leave it out.

    Raises:
        ConfigurationError: the command line is not valid, with what it says.
        TimeoutError: it did not come to its end.
    """
    folder = Path(tempfile.mkdtemp(prefix="sipswarm-load-")) if out is None else Path(out)
    arguments = [*_arguments(options), "--out", str(folder), "--", target]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sipswarm", "load", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(checked_seconds("timeout", timeout, above=0.0)):
            output, errors = await process.communicate()
    except BaseException:
        await _ended(process)
        raise
    code = process.returncode
    assert code is not None
    if code == 2 or not (folder / "summary.json").exists():
        raise ConfigurationError(f"load {target} did not begin: {errors.decode('utf-8', 'replace').strip()}")
    summary = json.loads((folder / "summary.json").read_text("utf-8"))
    return LoadResult(code, summary, folder, output.decode("utf-8", "replace"))


async def _ended(process: asyncio.subprocess.Process) -> None:
    """End a load that nobody waits for any more: its calls are hung up."""
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(10):
                await process.communicate()
        except TimeoutError:
            process.kill()
            await process.communicate()


def _arguments(options: dict[str, Any]) -> list[str]:
    """Return options as arguments of the command line."""
    arguments = []
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        several: Sequence[Any] = value if isinstance(value, list | tuple) else (value,)
        for each in several:
            if each is True:
                arguments.append(option)
            elif each is not None and each is not False:
                if not isinstance(each, str | int | float | Path):
                    raise ConfigurationError(f"{name} {said(each)} is neither text nor number")
                arguments += [option, str(each)]
    return arguments
