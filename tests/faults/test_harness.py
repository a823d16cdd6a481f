"""The harness' own parts: a judge that cannot see a fault would call every product sound."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from . import sip_text
from .failing_calls import ERRORS, LIBRARY_ERRORS, calls_of, in_turn, sites, some
from .figures import ROWS, Surroundings, at_least, at_most, exactly, told
from .node import ROOT, alive, descendants, own_host
from .numbered_media import Stream, number_of, numbered
from .peer import Peer, State
from .relay import Relay, Weather
from .rows import load_all
from .runner import BEGIN, END, Result, read_result, write_page
from .waits import has_final


def test_numbers_of_frames_come_back_and_noise_has_none() -> None:
    for number in (1, 15, 16, 255, 65_535, 1 << 31):
        assert number_of(numbered(number)) == number
    assert number_of(b"\xff" * 160) == number_of(b"") == 0


def test_a_stream_sees_missing_packets_late_ones_and_doubled_digits() -> None:
    far, near = Stream(7), Stream(8)
    far.speaks = True
    frames = [far.packets()[0] for _ in range(10)]
    for frame in (*frames[:3], *frames[5:7], frames[4], *frames[7:]):  # the fourth is missing, the fifth late
        near.came(frame, 1.0)
    assert near.holes == 1
    assert sorted(near.arrived) == [1, 2, 3, 5, 6, 7, 8, 9, 10]
    far.press("7")
    packets = [packet for _ in range(6) for packet in far.packets()]
    for packet in (*packets, *packets):
        near.came(packet, 2.0)
    assert near.digits == "7"
    again = Stream(9)
    again.press("7")
    for packet in [packet for _ in range(6) for packet in again.packets()]:
        near.came(packet, 3.0)
    assert near.digits.startswith("7")
    assert near.sources == 2


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_calls_through_a_clear_relay_are_answered_and_through_a_black_one_repeated(host: str) -> None:
    async def scene() -> None:
        callee, caller = Peer(host, media=False), Peer(host, media=False, seed=2)
        relay = Relay(host, (host, callee.port), Weather(), Weather(), 1)
        call = caller.call(relay.place)
        async with asyncio.timeout(10):
            while call.state is not State.UP:
                await asyncio.sleep(0.01)
        relay.there = Weather(black=True)
        other = caller.call(relay.place)
        async with asyncio.timeout(10):
            while relay.counts["lost"] < 3:  # the ACK of the first may be one; two are the INVITE
                await asyncio.sleep(0.01)
        assert not has_final(other)
        relay.there = Weather(duplicate=1.0)
        async with asyncio.timeout(10):
            while not has_final(other):
                await asyncio.sleep(0.01)
        assert callee.repeated
        assert len(callee.calls) == 2
        relay.close()
        for each in (caller, callee):
            await each.close()

    asyncio.run(scene())


def test_a_relay_loses_by_its_seed() -> None:
    async def lost(seed: int) -> list[bool]:
        relay = Relay("127.0.0.1", ("127.0.0.1", 9), Weather(), Weather(), seed)
        found = []
        for number in range(200):
            before = relay.counts["lost"]
            relay._carry(Weather(loss=0.3), relay._front, b"%d" % number, ("127.0.0.1", 9))
            found.append(relay.counts["lost"] > before)
        relay.close()
        return found

    first, same, other = (asyncio.run(lost(seed)) for seed in (1, 1, 2))
    assert first == same != other
    assert 30 < sum(first) < 90


def test_figures_keep_and_miss_their_targets_and_the_page_says_so(tmp_path: Path) -> None:
    figures = [exactly("a", 1, 0), at_most("b", 1, 1, "s"), at_least("c", 98.5, 99, "%"), told("d", 7)]
    assert [each.kept for each in figures] == [False, True, False, True]
    result = Result("x", figures)
    assert not result.kept
    file = tmp_path / "result"
    file.write_text(json.dumps(asdict(result)))
    assert read_result(file) == result
    load_all()
    row = ROWS["drain"]
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_page(page, [row], {"drain": Result("drain", figures)}, quick=True)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "| **1** (missed) | 0 |" in text
    write_page(page, [row], {}, quick=True)
    assert "| `drain` | | no figure | |" in page.read_text()


def test_rows_are_small_when_asked_for(tmp_path: Path) -> None:
    small, whole = (Surroundings(tmp_path, quick, 1, print) for quick in (True, False))
    assert small.of(1000, 10) == 10
    assert whole.of(1000, 10) == 1000
    assert small.time(2.0) > whole.time(2.0) == 2.0


def test_the_peer_reads_what_phones_send() -> None:
    data = b"INVITE sip:a@[::1]:5070 SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9\r\nf: <sip:x@y;tag=no>;tag=yes\r\n"
    message = sip_text.read(data + b"t: <sip:a@b>\r\ni: 1\r\nCSeq: 7 INVITE\r\nX: a\r\n b\r\n\r\n")
    assert message is not None
    assert (message.method, message.cseq, message.branch, message.call_id) == ("INVITE", 7, "z9", "1")
    assert sip_text.tag(message.one("from")) == "yes"
    assert message.one("x") == "a b"
    assert sip_text.place("sip:a@[::1]:5070;transport=tcp") == ("::1", 5070)
    assert sip_text.place("sip:127.0.0.1") == ("127.0.0.1", 5060)
    assert sip_text.media_place(sip_text.description("127.0.0.1", 4000)) == ("127.0.0.1", 4000)
    assert sip_text.read(b"\0\1") is None
    assert own_host() != own_host()


TRACE = """\
70 sendto(4<UDP>, "x", 1, 0, NULL, 0) = 1
71 sendto(9, "y", 1, 0, NULL, 0) = 1
70 epoll_ctl(3, EPOLL_CTL_ADD, 28, {events=EPOLLIN}) = 0
70 epoll_ctl(3, EPOLL_CTL_DEL, 28, 0x7ffe745044f4) = 0
70 sendto(4, "x", 1, 0, NULL, 0 <unfinished ...>
70 <... sendto resumed>) = 1
70 epoll_ctl(3, EPOLL_CTL_ADD, 29, {events=EPOLLIN}) = 0
72 getpid() = 70
"""


def test_the_calls_that_are_to_fail_are_those_that_a_thread_has_made() -> None:
    calls = calls_of(TRACE)
    assert calls == {(70, "sendto"): [1, 2], (71, "sendto"): [1], (70, "epoll_ctl"): [1, 3], (72, "getpid"): [1]}
    found = sites("media-0", {70: "", 71: "ZMQbg/IO/0"}, calls, 12)
    assert [(each[0].thread, each[0].call, each[0].error, [one.number for one in each]) for each in found] == [
        *(("", "epoll_ctl", error, [1, 3]) for error in ERRORS["epoll_ctl"]),
        *(("", "sendto", error, [1, 2]) for error in ERRORS["sendto"]),
        *(("ZMQbg/IO/0", "sendto", error, [1]) for error in LIBRARY_ERRORS["sendto"]),
    ]
    turns = in_turn(found)
    assert len(turns) == sum(map(len, found))
    assert {each.number for each in turns[: len(found)]} == {1}
    assert some(list(range(1, 101)), 4) == [1, 2, 51, 100]
    assert some([3, 5], 4) == [3, 5]


STUBBORN = """
import signal, subprocess, sys, threading
from tests.faults import lifeline

child = subprocess.Popen(["sleep", "600"])
lifeline.hold(lambda: None, grace=0.3)
print(child.pid, flush=True)
threading.Event().wait()
"""


@pytest.mark.parametrize("number", [None, signal.SIGTERM], ids=["its parent is gone", "SIGTERM"])
def test_a_row_that_does_not_end_is_killed_with_what_it_started(number: int | None) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STUBBORN], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdout:
        child = int(process.stdout.readline())
        if number is None:
            process.stdin.close()
        else:
            process.send_signal(number)
        assert process.wait(30) == 1
    process.stdin.close()
    assert not alive(child)


def test_the_processes_of_a_row_end_with_the_run(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "tests.faults", "user-code-exits", "--quick", "--keep", str(tmp_path)]
    run = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for(lambda: len(descendants(run.pid)) >= 4)  # the row and its node
        below = descendants(run.pid)
    finally:
        run.kill()
        run.wait()
    wait_for(lambda: not any(map(alive, below)))


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
