"""What /proc says of ourselves, held against what we know we did."""

import os
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sipswarm.actors.host import kernel


def test_our_own_usage_is_read_and_a_process_that_is_gone_has_none() -> None:
    usage = kernel.process_usage(os.getpid())
    assert usage is not None
    seconds, octets = usage
    spent = resource.getrusage(resource.RUSAGE_SELF)
    assert 0 <= seconds <= spent.ru_utime + spent.ru_stime + 1
    assert 1 << 20 < octets < 1 << 36
    assert kernel.process_usage(2**31 - 1) is None


def test_datagrams_beyond_the_receive_buffer_are_counted_by_the_kernel() -> None:
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family, socket.SOCK_DGRAM) as receiver, socket.socket(family, socket.SOCK_DGRAM) as sender:
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            receiver.bind((host, 0))
            assert kernel.udp_drops([receiver]) == 0
            for _ in range(100):
                sender.sendto(bytes(500), receiver.getsockname())
            receiver.setblocking(False)
            arrived = 0
            try:
                while True:
                    receiver.recv(600)
                    arrived += 1
            except BlockingIOError:
                pass
            assert kernel.udp_drops([receiver]) == 100 - arrived > 0
            assert kernel.udp_drops([]) == 0


def test_the_descriptor_limit_is_raised_to_the_hard_one() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
        assert kernel.raise_descriptor_limit() == hard
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


RENAMED = """
import sys
from sipswarm.actors.host import kernel
kernel.rename_last_argument(sys.argv[2])
print(open("/proc/self/cmdline").read().split("\\0")[-3:])
"""


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("dispatcher", ["before" + 10 * " ", "dispatcher", ""]),
        ("twenty octets, whole", ["before", "twenty octets, whole", ""]),
        ("twenty-one octets now", ["before", "twenty octets so far", ""]),
    ],
)
def test_the_last_argument_is_replaced_where_there_is_room(tmp_path: Path, name: str, shown: list[str]) -> None:
    file = tmp_path / "program.py"
    file.write_text(RENAMED.replace("sys.argv[2]", repr(name)))
    done = subprocess.run(
        [sys.executable, str(file), "before", "twenty octets so far"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(shown)


def test_a_process_that_is_stopped_or_gone_is_not_awake() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        assert kernel.is_awake(process.pid)
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        assert not kernel.is_awake(process.pid)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not kernel.is_awake(process.pid)
    assert not kernel.is_awake(2**31 - 1)
