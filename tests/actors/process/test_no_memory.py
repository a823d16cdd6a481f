"""A process that gets no memory says so in one line, and any other error is a crash as before."""

import asyncio
import errno
from contextlib import closing

import pytest

from sipswarm.actors.config import HandedDown, NodeConfig, ProcessOrder
from sipswarm.actors.process import roles


def begun(error: Exception, monkeypatch: pytest.MonkeyPatch) -> roles.Process | None:
    """What becomes of a process whose making fails."""

    def fail(order: ProcessOrder, loop: asyncio.AbstractEventLoop) -> None:
        raise error

    monkeypatch.setattr(roles, "Process", fail)
    with closing(asyncio.new_event_loop()) as loop:
        return roles._begun(ProcessOrder("media", 0, 1, NodeConfig("run", (), 0), HandedDown(())), loop)


@pytest.mark.parametrize(
    "error", [MemoryError(), OSError(errno.ENOMEM, "Cannot allocate memory")], ids=["own", "errno"]
)
def test_no_memory_is_said_with_the_fix(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert begun(error, monkeypatch) is None
    (line,) = caplog.messages
    assert line.startswith("there is no memory for this process (")
    assert "raise ulimit -v, or MemoryMax" in line


def test_another_error_is_not_taken_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="Bad file"):
        begun(OSError(errno.EBADF, "Bad file"), monkeypatch)
