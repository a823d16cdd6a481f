"""A process ends at once when everything is said, and loses nothing that a user's file has written."""

import subprocess
import sys
import textwrap
from pathlib import Path

BUSY = """
    import atexit, gc, sys, time
    from sipswarm.actors.process.leaving import leave

    kept = open(sys.argv[1], "w")
    kept.write("written")
    gc.freeze()
    other = open(sys.argv[2], "wb")
    other.write(b"also")
    atexit.register(lambda: open(sys.argv[3], "w").write("run"))
    atexit.register(lambda: sys.exit(9))

    class Node:
        def __del__(self): time.sleep(0.01)

    many = [Node() for _ in range(3000)]
    leave(3)
"""


def test_nothing_is_freed_one_by_one_and_files_are_written(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("text", "octets", "exit")]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(BUSY), *map(str, files)], timeout=20, check=False, capture_output=True
    )
    assert done.returncode == 3, done.stderr
    assert [each.read_text() for each in files] == ["written", "also", "run"]
