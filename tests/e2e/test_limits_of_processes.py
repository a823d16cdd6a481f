"""A limit of processes, or of memory, that is too low for a node: one line that says so, and no traceback."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ANSWER = [sys.executable, "-m", "sipswarm.actors.cli", "answer", "--listen", "udp:127.0.0.1:0", "--metrics", "off"]
ANSWER += ["--call-workers", "1", "--media-workers", "1"]
OTHER = 64321
"""A user of no other process; the limit does not hold for root."""
FEW = 6
READS = "+dac_read_search,+dac_override"
AS_OTHER = ["setpriv", f"--reuid={OTHER}", f"--regid={OTHER}", "--clear-groups", f"--inh-caps={READS}"]
AS_OTHER.append(f"--ambient-caps={READS}")
MAY_CHANGE = os.geteuid() == 0 and shutil.which("setpriv") and shutil.which("prlimit")


@pytest.mark.skipif(not MAY_CHANGE, reason="only root may become another user")
@pytest.mark.parametrize("most", [1, 2, FEW])
def test_a_limit_of_processes_that_is_too_low_is_said_with_the_number_that_is_needed(most: int, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    places = {name: str(tmp_path) for name in ("HOME", "TMPDIR", "XDG_RUNTIME_DIR")}
    done = subprocess.run(
        [*AS_OTHER, "prlimit", f"--nproc={most}", *ANSWER],
        env={**os.environ, **places},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    (line,) = done.stderr.splitlines()
    assert line.startswith("sipswarm: the system lets this user start ")
    assert "raise ulimit -u" in line
    if most == FEW:
        assert "12 are needed" in line
    assert done.returncode == 2
