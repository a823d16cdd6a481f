"""Processes that lose their parent: they come here only while one is awaited, and are reaped by their group."""

import os
import subprocess
from pathlib import Path

from sipswarm.actors.host import subreaper


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def waits() -> tuple[int, int, int]:
    """A process that lost its parent, its process group, and the descriptor that ends it when it is closed."""
    reads, writes = os.pipe()
    with subprocess.Popen(
        ["sh", "-c", "exec 3<&0; cat <&3 >/dev/null & echo $!"],
        stdin=reads,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
    os.close(reads)
    return pid, process.pid, writes


def test_only_while_one_is_awaited() -> None:
    parts = object(), object()
    for each in parts:
        subreaper.adopt(each, True)
    subreaper.adopt(parts[0], False)
    pid, group, writes = waits()
    assert parent(pid) == os.getpid(), "another part still waits"
    assert subreaper.is_child(pid)
    assert not subreaper.reap_group(group), "it runs"
    subreaper.adopt(parts[1], False)
    other, _, other_writes = waits()
    assert parent(other) != os.getpid()
    assert not subreaper.is_child(other)
    os.close(other_writes)
    os.close(writes)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert subreaper.reap_group(group)
    assert not subreaper.is_child(pid)
    assert subreaper.reap_group(group), "there is none"
