"""Lines to descriptors that stand still: nobody waits, what is lost is counted and said once it can be written."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sipswarm.actors.host.lasting import LineStream
from sipswarm.actors.host.lossy_output import Output, PipeOutput, ThreadedOutput


def notice(lines: int) -> bytes:
    return b"%d lost\n" % lines


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for each in ends:
        with contextlib.suppress(OSError):
            os.close(each)


def read_all(descriptor: int) -> bytes:
    """What is in a pipe, and what comes within a moment."""
    octets, until = b"", time.monotonic() + 0.3
    os.set_blocking(descriptor, False)
    while time.monotonic() < until:
        try:
            more = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            time.sleep(0.01)
            continue
        if not more:
            break
        octets += more
        until = time.monotonic() + 0.3
    return octets


LINE = b"x" * 999 + b"\n"


def opened(kind: type[ThreadedOutput] | type[PipeOutput], descriptor: int) -> Output:
    if kind is PipeOutput:
        os.set_blocking(descriptor, False)
        return PipeOutput(descriptor, notice)
    return ThreadedOutput(descriptor, notice, most=100_000)


@pytest.mark.parametrize("kind", [ThreadedOutput, PipeOutput])
def test_every_line_is_written_in_order_or_counted_and_said(
    kind: type[ThreadedOutput] | type[PipeOutput], pipe: tuple[int, int]
) -> None:
    reads, writes = pipe
    output = opened(kind, writes)
    begun = time.process_time()
    for number in range(1000):
        output.put(b"%04d %s" % (number, LINE))
    assert time.process_time() - begun < 2
    assert not output.flush(0.05)
    assert output.lost > 0
    octets = read_all(reads)
    output.flush(0.0)
    octets += read_all(reads)
    output.put(b"again\n")
    octets += read_all(reads)
    lines = octets.splitlines()
    written = [int(line[:4]) for line in lines if line.endswith(b"x")]
    assert written == list(range(len(written)))
    assert lines[len(written) :] == [b"%d lost" % output.lost, b"again"]
    assert len(written) + output.lost == 1000
    assert output.problem == ""
    output.close()


@pytest.mark.parametrize("kind", [ThreadedOutput, PipeOutput])
def test_a_reader_that_is_gone_is_no_loss(kind: type[ThreadedOutput] | type[PipeOutput], pipe: tuple[int, int]) -> None:
    output = opened(kind, pipe[1])
    os.close(pipe[0])
    for _ in range(1000):
        output.put(LINE)
        assert output.flush(10)
    assert (output.lost, output.problem) == (0, "")
    output.close()


@pytest.mark.parametrize("kind", [ThreadedOutput, PipeOutput])
def test_a_full_disk_is_a_loss_and_a_problem(kind: type[ThreadedOutput] | type[PipeOutput]) -> None:
    with open("/dev/full", "wb") as full:
        output = opened(kind, full.fileno())
        for _ in range(3):
            output.put(LINE + LINE)
        assert output.flush(10)
        assert output.lost >= 6
        assert output.problem == "No space left on device"
        output.close()


def test_a_disk_that_has_room_again_gets_the_count_and_the_lines_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    room, real = [500], os.write

    def write(descriptor: int, octets: bytes) -> int:
        if descriptor != file:
            return real(descriptor, octets)
        if not room[0]:
            raise OSError(28, "No space left on device")
        count = real(descriptor, octets[: room[0]])
        room[0] -= count
        return count

    monkeypatch.setattr(os, "write", write)
    output = ThreadedOutput(file, notice)
    for _ in range(3):
        output.put(LINE)
    assert output.flush(10)
    assert output.lost == 3
    room[0] = 100_000
    output.put(b"again\n")
    wait_for(lambda: b"lost" in (tmp_path / "log").read_bytes())
    lines = (tmp_path / "log").read_bytes().splitlines()
    assert lines[0] == b"x" * 500
    assert sorted(lines[1:]) == [b"3 lost", b"again"]
    output.close()
    os.close(file)


def test_lines_of_several_threads_are_whole(pipe: tuple[int, int]) -> None:
    output = ThreadedOutput(pipe[1], notice)

    def put(letter: bytes) -> None:
        for _ in range(100):
            output.put(letter * 99 + b"\n")

    threads = [threading.Thread(target=put, args=(letter,)) for letter in (b"a", b"b", b"c")]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    lines = read_all(pipe[0]).splitlines()
    assert sorted(lines) == sorted(letter * 99 for letter in (b"a", b"b", b"c") for _ in range(100))
    output.close()


class Kept(Output):
    """Keeps the lines."""

    def __init__(self) -> None:
        super().__init__(1, notice)
        self.lines: list[bytes] = []

    def put(self, octets: bytes) -> None:
        self.lines.append(octets)

    def flush(self, within: float) -> bool:
        return True


def test_a_stream_hands_on_whole_lines_and_never_holds_much() -> None:
    kept = Kept()
    stream = LineStream(kept, None)
    assert stream.write("a") == 1
    assert kept.lines == []
    stream.write("b\nc\nd")
    assert kept.lines == [b"ab\nc\n"]
    stream.flush()
    stream.buffer.write(b"\xff")
    assert kept.lines[1:] == [b"d", b"\xff"]
    stream.write("\ud800\n")
    assert kept.lines[3:] == [b"\\ud800\n"]
    stream.write("x" * 100_000)
    assert kept.lines[4:] == [b"x" * 100_000]
    print("printed", 1, file=stream)
    assert kept.lines[5:] == [b"printed 1\n"]
