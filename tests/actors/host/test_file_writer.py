"""The writer of files beside the loop: one job at a time, the loop goes on, a disk that hangs holds nobody up."""

import asyncio
import threading
from functools import partial

import pytest

from sipswarm.actors.host.file_writer import FileWriter


def test_the_loop_goes_on_while_a_job_writes_and_a_second_one_is_not_started() -> None:
    async def body() -> None:
        writer, gate, done = FileWriter(), threading.Event(), []

        def job() -> str:
            gate.wait(10)
            done.append(threading.current_thread())
            return ""

        assert writer.start(job)
        assert writer.busy
        assert not writer.start(lambda: "never run")
        assert not await writer.idle(0.05)
        assert not done
        gate.set()
        assert await writer.idle(10)
        assert done != [threading.current_thread()]
        assert len(done) == 1
        assert writer.problem == ""

    asyncio.run(body())


def test_why_a_job_could_not_write_is_told_until_one_can() -> None:
    async def body() -> None:
        writer = FileWriter()
        for problem in ("the disk is full", ""):
            assert writer.start(partial(str, problem))
            assert await writer.idle(10)
            assert writer.problem == problem

    asyncio.run(body())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_a_job_is_told_and_the_next_one_runs() -> None:
    async def body() -> None:
        writer = FileWriter()
        assert writer.start(lambda: str(1 // 0))
        assert await writer.idle(10)
        assert "our own code" in writer.problem
        assert writer.start(lambda: "")
        assert await writer.idle(10)
        assert writer.problem == ""

    asyncio.run(body())
    for each in threading.enumerate():
        if each.name == "file-writer":  # its exception is reported when it ends: within this test
            each.join(10)


def test_without_a_job_it_is_idle() -> None:
    async def body() -> None:
        assert await FileWriter().idle(0)

    asyncio.run(body())


def test_a_job_that_hangs_keeps_no_loop_from_being_closed() -> None:
    gate, ended = threading.Event(), threading.Event()

    def job() -> str:
        gate.wait(10)
        ended.set()
        return ""

    async def body() -> bool:
        writer = FileWriter()
        writer.start(job)
        return await writer.idle(0.01)

    assert asyncio.run(body()) is False
    gate.set()
    assert ended.wait(10)
