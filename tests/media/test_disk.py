"""Recordings on a disk that is slow, hangs or is full: what is waited for, what is lost, and who notices."""

import errno
import io
import threading
import wave
from pathlib import Path

import pytest

from sipswarm.media.disk import PART, Disk
from sipswarm.media.messages import SetSink, SinkFailed
from sipswarm.media.sinks import SinkError

from .world import World, to

SECONDS = 60.0
SILENCE = ("silence",)


class HangingFile(io.FileIO):
    """A file on a disk that takes nothing until it is released."""

    def __init__(self, path: str, goes_on: threading.Event) -> None:
        super().__init__(path, "wb")
        self._goes_on = goes_on

    def write(self, octets: bytes) -> int:  # type: ignore[override]
        self._goes_on.wait(SECONDS)
        return super().write(octets)


class HangingDisk(Disk):
    """A disk whose files hang, also when they are opened."""

    def __init__(self, *, opens: bool, **bounds: int) -> None:
        self.goes_on = threading.Event()

        def hanging(path: str) -> HangingFile:
            if not opens:
                self.goes_on.wait(SECONDS)
            return HangingFile(path, self.goes_on)

        super().__init__(hanging, patience=0.01, **bounds)


def test_a_file_is_whole_when_it_is_closed(tmp_path: Path) -> None:
    disk, path = Disk(patience=SECONDS), tmp_path / "a"
    file = disk.open(str(path))
    file.write(b"head")
    file.write(b"x" * PART)
    file.seek(0)
    file.write(b"HEAD")
    file.seek(0, 2)
    file.write(b"end")
    file.close()
    assert path.read_bytes() == b"HEAD" + b"x" * PART + b"end"
    assert (disk.waiting, disk.lost) == (0, 0)
    disk.close(SECONDS)


def test_a_path_that_cannot_be_written_is_refused_at_once_and_a_full_disk_at_the_first_flush() -> None:
    disk = Disk(patience=SECONDS)
    with pytest.raises(SinkError, match="No such file"):
        disk.open("/nowhere/a")
    full = disk.open("/dev/full")
    full.write(b"x")
    with pytest.raises(OSError, match="No space left"):
        full.flush()
    with pytest.raises(OSError, match="No space left"):
        full.close()
    assert (disk.waiting, disk.lost) == (0, 1)
    disk.close(SECONDS)


@pytest.mark.parametrize("path", ["a\0b", "\ud800"], ids=["NUL", "surrogate"])
def test_a_name_that_no_file_can_have_is_refused_at_once(path: str) -> None:
    with pytest.raises(ValueError, match=r"NUL|surrogates"):
        Disk().open(path)


def test_a_file_that_cannot_be_opened_ends_no_thread(tmp_path: Path) -> None:
    def opens(path: str) -> io.FileIO:
        if path == "bad":
            raise ValueError(path)
        return io.FileIO(path, "wb")

    disk = Disk(opens, patience=SECONDS)
    with pytest.raises(ValueError, match="bad"):
        disk.open("bad")
    file = disk.open(str(tmp_path / "a"))
    file.write(b"good")
    file.close()
    assert (tmp_path / "a").read_bytes() == b"good"
    disk.close(SECONDS)


@pytest.mark.parametrize("opens", [True, False])
def test_what_a_hanging_disk_does_not_take_waits_up_to_a_bound_and_ends_the_recording(
    opens: bool, tmp_path: Path
) -> None:
    disk = HangingDisk(opens=opens, most=3 * PART)
    file = disk.open(str(tmp_path / "a"))
    for _ in range(3):
        file.write(b"x" * PART)
    assert disk.waiting == 3 * PART
    with pytest.raises(OSError, match="the disk takes nothing") as caught:
        file.write(b"x" * PART)
    assert caught.value.errno == errno.EIO
    assert disk.lost == 1
    with pytest.raises(OSError, match="the disk takes nothing"):
        file.close()
    disk.goes_on.set()
    disk.close(SECONDS)
    assert (disk.waiting, disk.lost) == (0, 1)
    assert (tmp_path / "a").read_bytes() == b"x" * 3 * PART, "what waited is not lost"


def test_all_files_together_have_a_bound(tmp_path: Path) -> None:
    disk = HangingDisk(opens=True, most_in_all=PART)
    first, second = disk.open(str(tmp_path / "a")), disk.open(str(tmp_path / "b"))
    first.write(b"x" * PART)
    with pytest.raises(OSError, match="the disk takes nothing"):
        second.write(b"x" * PART)
    first.close()
    with pytest.raises(OSError, match="the disk takes nothing"):
        second.close()
    disk.goes_on.set()
    disk.close(SECONDS)


def test_a_disk_that_kept_a_wait_in_vain_is_not_waited_for_again(tmp_path: Path) -> None:
    disk = HangingDisk(opens=True)
    waits: list[float | None] = []

    wait = threading.Event.wait

    def watched(event: threading.Event, timeout: float | None = None) -> bool:
        if threading.current_thread() is threading.main_thread():
            waits.append(timeout)
        return wait(event, timeout)

    files = [disk.open(str(tmp_path / str(number))) for number in range(5)]
    for each in files:
        each.write(b"x" * PART)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Event, "wait", watched)
        for each in files:
            each.close()
    assert waits == [0.01]
    disk.goes_on.set()
    disk.close(SECONDS)


def test_a_hanging_recording_ends_with_an_event_and_no_stream_stands_still(tmp_path: Path) -> None:
    world = World()
    engine = world.engine()
    disk = HangingDisk(opens=True, most=PART)
    engine._disk = disk
    first, second = world.open(engine, 1), world.open(engine, 2)
    world.do(engine, to(second, source=SILENCE), to(first, stream_id=2, source=SILENCE))
    world.do(engine, SetSink(1, ("file", str(tmp_path / "a.wav"))))
    world.run(6.0)
    assert world.said(engine, SinkFailed) == [SinkFailed(1, "the disk takes nothing")]
    assert engine.totals.parts_not_written == 1
    assert world.close(engine, 2).packets_received > 0
    disk.goes_on.set()
    engine.close()
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert file.getframerate() == 8000


def test_an_engine_that_ends_waits_for_what_is_not_written(tmp_path: Path) -> None:
    world = World()
    engine = world.engine()
    first, second = world.open(engine, 1), world.open(engine, 2)
    world.do(engine, to(second, source=SILENCE), to(first, stream_id=2, source=SILENCE))
    world.do(engine, SetSink(2, ("file", str(tmp_path / "a.wav"))))
    world.run(2.5)
    engine.close()
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert file.getnframes() / 8000 == pytest.approx(2.5, abs=0.1)
    assert not any(each.name == "recordings" and each.is_alive() for each in threading.enumerate())
