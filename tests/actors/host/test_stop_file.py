"""The stop file: refused when it cannot be waited for, seen once, and no longer looked for after the end of the run."""

import os
import threading
from pathlib import Path

import pytest

from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.host import stop_file

SECONDS = 30.0


def watchers() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "stop-file"]


def test_a_file_that_is_there_or_cannot_be_made_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "stop"
    stop_file.check(path)
    with pytest.raises(ConfigurationError, match="its folder is not there; make it"):
        stop_file.check(tmp_path / "nowhere" / "stop")
    os.symlink("nowhere", path)
    with pytest.raises(ConfigurationError, match="is there already and would end the run at once; remove it"):
        stop_file.check(path)


def test_a_file_that_comes_is_told_once(tmp_path: Path) -> None:
    path, told, came = tmp_path / "stop", [], threading.Event()

    def tell() -> None:
        told.append(path.exists())
        came.set()

    with stop_file.watching(path, tell, every=0.01):
        (thread,) = watchers()
        assert not told
        path.touch()
        assert came.wait(SECONDS)
        thread.join(SECONDS)
    assert told == [True]
    assert not watchers()


def test_nothing_is_looked_for_after_the_end_or_without_a_name(tmp_path: Path) -> None:
    with stop_file.watching(tmp_path / "stop", lambda: None, every=SECONDS * 10):
        (thread,) = watchers()
    thread.join(SECONDS)
    assert not thread.is_alive()
    with stop_file.watching(None, lambda: None):
        assert not watchers()
