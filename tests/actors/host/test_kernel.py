"""What /proc says of ourselves, held against what we know we did."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
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
import time
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


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


# vfork(2): the caller waits in state D until its child calls execve or ends.
VFORKED = "import ctypes, time; ctypes.CDLL(None).vfork(); time.sleep(60)"


def test_a_process_in_a_wait_that_no_signal_ends_is_awake() -> None:
    process = subprocess.Popen([sys.executable, "-c", VFORKED], start_new_session=True)
    try:
        until = time.monotonic() + 30
        while state(process.pid) != "D" and time.monotonic() < until:
            time.sleep(0.01)
        assert state(process.pid) == "D"
        assert kernel.is_awake(process.pid)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


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
