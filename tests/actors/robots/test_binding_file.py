"""The file of a registrar's bindings: restored by the wall clock, written anew, broken lines, files of others."""

from pathlib import Path

import pytest

from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.robots.binding_file import HEAD, SPARE, BindingFile, need_writable
from sipswarm.sipcore.message.fields import NameAddr
from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.server.location import Binding, LocationStore


class Clock:
    """A monotonic clock that began at another time than the wall clock."""

    def __init__(self, monotonic: float, wall: float = 1_700_000_000.0) -> None:
        self.monotonic, self.wall = monotonic, wall

    def file(self, path: Path) -> BindingFile:
        return BindingFile(str(path), lambda: self.monotonic, lambda: self.wall)


def binding(user: str, until: float, *path: str) -> Binding:
    return Binding(NameAddr.parse(f'"Ärger" <sip:{user}@192.0.2.7>;q=0.5'), until, "call", 7, path)


def store_of(clock: Clock, path: Path) -> tuple[LocationStore, BindingFile]:
    file = clock.file(path)
    store = LocationStore(changed=file.note)
    file.restore(store)
    return store, file


def test_what_has_not_ended_is_restored_whatever_the_other_clock_says(tmp_path: Path) -> None:
    path = tmp_path / "bindings"
    store, file = store_of(Clock(1000.0), path)
    store.replace("bob", [binding("old", 1010.0), binding("new", 1100.0, "<sip:edge;lr>")])
    store.replace("eve", [binding("eve", 1100.0)])
    store.replace("eve", [])
    file.close()
    later, _ = store_of(Clock(5.0, 1_700_000_050.0), path)
    assert later.addresses == ("bob",)
    (kept,) = later.bindings("bob", 5.0)
    assert (str(kept.uri), kept.remaining(5.0), kept.q, kept.contact.display_name) == (
        "sip:new@192.0.2.7",
        50,
        0.5,
        "Ärger",
    )
    assert (kept.call_id, kept.cseq, kept.path) == ("call", 7, ("<sip:edge;lr>",))


def test_lines_that_cannot_be_read_cost_themselves_and_the_end_of_a_dead_writer_too(tmp_path: Path) -> None:
    path = tmp_path / "bindings"
    store, file = store_of(Clock(0.0), path)
    store.replace("bob", [binding("bob", 100.0)])
    file.close()
    good = path.read_text()
    odd = '{"address":"x","bindings":[{"contact":"<"},7]}\n[1]\n{"address":1}\n'
    path.write_text(good + odd + good.splitlines()[1][:40])
    assert store_of(Clock(0.0), path)[0].addresses == ("bob",)
    assert path.read_text() == good


def test_the_file_is_written_anew_when_most_of_it_holds_no_more(tmp_path: Path) -> None:
    path = tmp_path / "bindings"
    store, file = store_of(Clock(0.0), path)
    for number in range(SPARE + 10):
        store.replace("bob", [binding("bob", 100.0 + number)])
    assert len(path.read_text().splitlines()) == SPARE + 11
    file.tidy(store)
    assert len(path.read_text().splitlines()) == 2
    store.replace("eve", [binding("eve", 100.0)])
    file.close()
    assert store_of(Clock(0.0), path)[0].addresses == ("bob", "eve")


def test_a_file_of_another_kind_is_refused_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_text("dear diary\n")
    with pytest.raises(ConfigurationError, match="no file of bindings"):
        Clock(0.0).file(path)
    assert path.read_text() == "dear diary\n"
    path.write_text("")
    Clock(0.0).file(path).restore(LocationStore())
    assert path.read_text() == f"{HEAD}\n"


def test_a_disk_that_takes_nothing_costs_no_registration(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    store, file = store_of(Clock(0.0), folder / "bindings")
    (folder / "bindings").unlink()
    folder.rmdir()
    file.close()
    store.replace("bob", [binding("bob", 100.0)])
    file.write_anew(store)
    assert store.addresses == ("bob",)
    assert "not kept" in caplog.text
    assert "cannot be written" in caplog.text


def test_a_file_that_cannot_be_written_is_an_error_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_writable(str(tmp_path / "bindings"))
    monkeypatch.chdir(tmp_path)
    need_writable("bindings")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigurationError, match="its folder is not there"):
        need_writable(str(tmp_path / "missing" / "bindings"))
    with pytest.raises(ConfigurationError, match="it is no file"):
        need_writable(str(tmp_path))
    denied: list[str] = []
    monkeypatch.setattr("os.access", lambda path, mode: str(path) not in denied)
    (tmp_path / "bindings").write_text(f"{HEAD}\n")
    for each in (str(tmp_path), str(tmp_path / "bindings")):
        denied[:] = [each]
        with pytest.raises(ConfigurationError, match="it cannot be written"):
            need_writable(str(tmp_path / "bindings"))
    denied.clear()
    need_writable(str(tmp_path / "bindings"))


def test_a_restored_binding_lasts_no_longer_than_one_that_is_made_now(tmp_path: Path) -> None:
    path = tmp_path / "bindings"
    store, file = store_of(Clock(0.0), path)
    store.replace("bob", [binding("short", 60.0), binding("long", 7200.0)])
    file.close()
    saved = path.read_bytes()
    for wall, longest, left in ((1_700_000_000.0, 300.0, [60, 300]), (1_699_990_000.0, 7200.0, [7200, 7200])):
        clock, later = Clock(5.0, wall), LocationStore()
        clock.file(path).restore(later, longest)
        assert [each.remaining(5.0) for each in later.in_order("bob", 5.0)] == left
        path.write_bytes(saved)


def test_the_source_of_a_binding_is_kept_and_its_connection_is_not(tmp_path: Path) -> None:
    path = tmp_path / "bindings"
    store, file = store_of(Clock(0.0), path)
    source = Hop("tls", "2001:db8::7", 40000)
    store.replace("bob", [binding("bob", 100.0)._replace(source=source, flow=7), binding("desk", 100.0)])
    file.close()
    later, _ = store_of(Clock(0.0), path)
    assert [(each.source, each.flow) for each in later.in_order("bob", 0.0)] == [(source, 0), (None, 0)]
    good = path.read_text()
    path.write_text(good.replace('"2001:db8::7",40000', '"2001:db8::7"'))
    assert [each.source for each in store_of(Clock(0.0), path)[0].in_order("bob", 0.0)] == [None]
