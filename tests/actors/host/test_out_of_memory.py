"""The count of processes that the kernel killed for want of memory: of the control group, else of the machine."""

from pathlib import Path

from sipswarm.actors.host.out_of_memory import oom_kills


def files(folder: Path, *, group: str | None, machine: str | None) -> tuple[Path, Path, Path]:
    groups, own, vmstat = folder / "groups", folder / "own", folder / "vmstat"
    (groups / "a.service").mkdir(parents=True)
    own.write_text("1:name=systemd:/other\n0::/a.service\n")
    if group is not None:
        (groups / "a.service" / "memory.events").write_text(group)
    if machine is not None:
        vmstat.write_text(machine)
    return groups, own, vmstat


def test_the_count_of_the_own_group_comes_first(tmp_path: Path) -> None:
    found = files(tmp_path, group="low 0\noom 9\noom_kill 3\noom_group_kill 1\n", machine="oom_kill 7\n")
    assert oom_kills(*found) == 3


def test_without_a_readable_group_the_machine_counts(tmp_path: Path) -> None:
    assert oom_kills(*files(tmp_path, group=None, machine="nr_free_pages 5\noom_kill 7\n")) == 7


def test_without_either_there_is_none(tmp_path: Path) -> None:
    assert oom_kills(*files(tmp_path, group=None, machine=None)) == 0
    assert oom_kills(tmp_path / "a", tmp_path / "b", tmp_path / "c") == 0


def test_the_count_of_this_system_is_no_negative_number() -> None:
    assert oom_kills() >= 0
