"""What /proc says of ourselves, held against what we know we did."""

import os
import resource
import socket

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
