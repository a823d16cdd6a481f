"""The run directory: private, locked by one node, emptied of stale sockets, gone afterwards."""

import os
import shutil
from pathlib import Path

import pytest

from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.host.run_dir import LONGEST_SOCKET_PATH, RunDirectory


def names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


def test_a_given_directory_is_made_private_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    taken = RunDirectory(str(folder))
    assert taken.path == str(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "lock").read_text() == f"{os.getpid()}\n"
    taken.close()
    assert names(folder) == {"lock"}, "unlinking a lock that somebody may just be opening would make two of it"


def test_a_fresh_directory_is_private_and_goes_with_its_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    taken = RunDirectory()
    folder = Path(taken.path)
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o777 == 0o700
    (folder / "sip.sock").touch()
    taken.close()
    assert names(tmp_path) == set()


def test_two_fresh_directories_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    one, other = RunDirectory(), RunDirectory()
    assert one.path != other.path
    one.close()
    other.close()


def test_stale_socket_files_are_removed_and_other_files_kept(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    for name in ("sip.sock", "media-0.sock", "notes.txt"):
        (tmp_path / name).touch()
    taken = RunDirectory(str(tmp_path))
    assert names(tmp_path) == {"lock", "notes.txt"}
    (tmp_path / "control.sock").touch()
    taken.close()
    assert names(tmp_path) == {"lock", "notes.txt"}


def test_a_directory_in_use_is_refused_by_naming_the_user_of_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    first = RunDirectory(str(tmp_path))
    (tmp_path / "sip.sock").touch()
    with pytest.raises(ConfigurationError, match=rf"in use by another sipswarm \(pid {os.getpid()}\)"):
        RunDirectory(str(tmp_path))
    assert "sip.sock" in names(tmp_path)
    first.close()
    RunDirectory(str(tmp_path)).close()


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701, 0o777])
def test_a_directory_open_to_others_is_refused_with_the_fix(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    with pytest.raises(ConfigurationError, match=f"chmod 700 {tmp_path}"):
        RunDirectory(str(tmp_path))
    assert names(tmp_path) == set()


def test_a_path_too_long_for_sockets_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * LONGEST_SOCKET_PATH)
    with pytest.raises(ConfigurationError, match=f"the system allows {LONGEST_SOCKET_PATH}"):
        RunDirectory(str(folder))
    assert not folder.exists()


def test_a_fresh_path_too_long_for_sockets_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = tmp_path / ("x" * LONGEST_SOCKET_PATH)
    parent.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(parent))
    with pytest.raises(ConfigurationError, match="choose a shorter --run-dir"):
        RunDirectory()
    assert names(parent) == set()


@pytest.mark.parametrize("kind", ["a file", "below a file"])
def test_what_cannot_be_a_directory_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(ConfigurationError, match="choose a writable --run-dir"):
        RunDirectory(str(path / "run" if kind == "below a file" else path / "."))


def test_a_directory_that_is_removed_is_made_again_and_locked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "run"
    taken = RunDirectory(str(folder))
    taken.look(0.0)
    assert not caplog.messages
    shutil.rmtree(folder)
    taken.look(0.5)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert names(folder) == {"lock"}
    with pytest.raises(ConfigurationError, match="in use by another"):
        RunDirectory(str(folder))
    taken.look(1.0)
    assert caplog.messages == [f"run directory {folder} was removed, and is made again"]
    taken.close()
    RunDirectory(str(folder)).close()


def test_a_directory_that_cannot_be_made_again_is_told_once_and_made_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "run"
    taken = RunDirectory(str(folder))
    shutil.rmtree(folder)
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)  # somebody else's, to whom no socket may be shown
    for second in range(3):
        taken.look(float(second))
    assert names(folder) == set()
    assert len(caplog.messages) == 1
    assert "must be yours and closed to others" in caplog.messages[0]
    folder.rmdir()
    taken.look(3.0)
    assert names(folder) == {"lock"}
    taken.close()


def test_the_times_of_the_files_are_made_new_so_that_no_cleaner_finds_them_old(tmp_path: Path) -> None:
    taken = RunDirectory(str(tmp_path / "run"))
    (tmp_path / "run" / "sip.sock").touch()
    files = [tmp_path / "run", tmp_path / "run" / "lock", tmp_path / "run" / "sip.sock"]
    taken.look(0.0)
    for hours, renewed in ((0.5, False), (1.0, True), (1.5, False), (2.0, True)):
        for each in files:
            os.utime(each, (0.0, 0.0))
        taken.look(hours * 3600.0)
        assert [each.stat().st_mtime > 0.0 for each in files] == [renewed] * 3
    taken.close()
