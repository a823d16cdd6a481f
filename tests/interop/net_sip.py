"""Perl Net::SIP as a peer: a script of tests/interop/perl, bounded in time, that prints what it saw as one JSON object.

The script's arguments are `name=value` words. A script that waits for calls prints a line `ready` when it does.
"""

import json
from pathlib import Path
from typing import Any

from .peers import NET_SIP, require
from .processes import Program, wait_until

SCRIPTS = Path(__file__).parent / "perl"


class NetSip:
    """One run of a script."""

    def __init__(self, folder: Path, script: str, seconds: float, **arguments: object) -> None:
        """Start it; it ends itself after that many seconds."""
        perl = require(NET_SIP)
        self._seconds = seconds
        words = [f"{name}={value}" for name, value in arguments.items()]
        argv = [perl, "-I", str(SCRIPTS), str(SCRIPTS / script), f"seconds={seconds:g}", *words]
        self.program = Program(argv, folder, script.removesuffix(".pl"))

    def ready(self) -> None:
        """Wait until it says that it listens."""
        wait_until(
            lambda: "ready" in self.program.output.splitlines() or self.program.exit_code is not None,
            10,
            lambda: f"the script's line `ready`\n{self.program.account()}",
        )
        assert self.program.exit_code is None, self.program.account()

    def report(self) -> dict[str, Any]:
        """What it saw, once it has ended.

        Raises:
            AssertionError: it ended with an error, or not in time.
        """
        assert self.program.wait(self._seconds + 5) == 0, self.program.account()
        said: dict[str, Any] = json.loads(self.program.output.splitlines()[-1])
        return said
