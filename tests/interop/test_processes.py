"""What the interop tests start ends with them, also when they are killed and their fixtures never run."""

import signal
import subprocess
import sys
from pathlib import Path

from .node import ROOT
from .processes import alive, wait_until

STARTS_ONE_AND_WAITS = """
import sys, time
from pathlib import Path
from tests.interop.processes import Program, wait_until
program = Program(["sh", "-c", "echo up; exec sleep 60"], Path(sys.argv[1]), "left")
wait_until(lambda: program.output == "up\\n", 10, program.account)
print(program.pid, flush=True)
time.sleep(60)
"""


def test_a_program_ends_when_the_tests_that_started_it_are_killed(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", STARTS_ONE_AND_WAITS, str(tmp_path)]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as tests:
        assert tests.stdout is not None
        program = int(tests.stdout.readline())
        assert alive(program)
        tests.send_signal(signal.SIGKILL)
    wait_until(lambda: not alive(program), 5, f"the end of process {program}")
