"""Injection files: which call has which row, names of files, lookup, insert, replace."""

from pathlib import Path

import pytest

from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.scripts.sipp_rows import read_rows
from sipswarm.actors.sipp.injection import NO_ROW, InjectionFile, InjectionFiles
from sipswarm.actors.sipp.injection_reading import read_injection


def file(text: str) -> InjectionFile:
    return InjectionFile(read_rows("d.csv", text.split("\n")))


def test_rows_in_turn_and_a_missing_field_is_empty() -> None:
    rows = file("SEQUENTIAL\n# who\nalice;1234;\nbob\n")
    fields = [[rows.field(rows.row_of(call, 0, 1), number) for number in range(3)] for call in range(3)]
    assert fields == [["alice", "1234", ""], ["bob", "", ""], ["alice", "1234", ""]]


def test_printf_counts_by_row() -> None:
    rows = file("SEQUENTIAL,PRINTF=3,PRINTFOFFSET=10,PRINTFMULTIPLE=2\nuser%04d;x\n")
    names = [rows.field(rows.row_of(call, 0, 1), 0) for call in range(4)]
    assert names == ["user0010", "user0012", "user0014", "user0010"]


def test_random_rows_are_the_same_in_every_process() -> None:
    text = "RANDOM\n" + "".join(f"{number}\n" for number in range(50))
    first, second = file(text), file(text)
    picks = [first.row_of(call, 0, 7) for call in range(30)]
    assert picks == [second.row_of(call, 0, 7) for call in range(30)]
    assert picks != [first.row_of(call, 0, 8) for call in range(30)]
    assert len(set(picks)) > 10


def test_a_user_has_the_row_of_its_number() -> None:
    rows = file("USER\na\nb\n")
    assert [rows.row_of(call, user, 1) for call, user in ((0, 1), (1, 0))] == [1, 0]
    files = InjectionFiles({"a": file("USER\na\nb\nc\n"), "b": rows, "c": file("SEQUENTIAL\nx\n")})
    assert files.users == 2
    assert InjectionFiles({"c": file("SEQUENTIAL\nx\n")}).users == 0
    assert sorted(files.rows_of(4, 1).values()) == [0, 1, 1]


def test_rows_are_looked_up_by_a_field_inserted_and_replaced() -> None:
    rows = file("SEQUENTIAL\nalice;1\nbob;2\n")
    assert not rows.is_indexed
    rows.index(0)
    assert [rows.lookup(key) for key in ("alice", "bob", "carol")] == [0, 1, NO_ROW]
    assert rows.insert("carol;3")
    assert (rows.lookup("carol"), rows.count, rows.field(2, 1)) == (2, 3, "3")
    assert rows.replace(1, "dave;4")
    assert [rows.lookup(key) for key in ("bob", "dave")] == [NO_ROW, 1]
    assert not rows.replace(3, "x")
    assert not rows.replace(-1, "x")


def test_a_file_has_its_path_and_the_last_part_of_it_as_names(tmp_path: Path) -> None:
    first, second = tmp_path / "users.csv", tmp_path / "pins.csv"
    first.write_bytes(b"SEQUENTIAL\r\nJos\xe9;1\r\n")
    second.write_bytes(b"\xef\xbb\xbfRANDOM\n4711\n")
    files = read_injection([str(first), str(second)], {"users.csv": 1})
    users = files.get("users.csv")
    assert users is not None
    assert users is files.get(str(first)) is files.get("")
    assert (users.field(0, 0), users.field(0, 1), users.lookup("1")) == ("Jos\xe9", "1", 0)
    pins = files.get("pins.csv")
    assert pins is not None
    assert (pins.field(0, 0), pins.mode) == ("4711", "RANDOM")
    assert files.get("other.csv") is None


@pytest.mark.parametrize(
    ("indexes", "said"),
    [
        ({"other.csv": 0}, "-infindex other.csv: there is no such injection file; give it by -inf other.csv"),
        ({"a.csv": -1}, "-infindex a.csv -1: write the number of a field"),
    ],
)
def test_an_index_needs_its_file(tmp_path: Path, indexes: dict[str, int], said: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text("SEQUENTIAL\na\n")
    with pytest.raises(ConfigurationError, match=said):
        read_injection([str(path)], indexes)


def test_rows_have_the_lines_of_their_file_and_added_ones_have_none() -> None:
    rows = file("SEQUENTIAL\n# a comment\na;1\n\nb;2\n")
    assert rows.insert("c;3")
    assert [rows.line(row) for row in (-1, 0, 1, 2, 3)] == [0, 3, 5, 0, 0]
    printed = file("SEQUENTIAL,PRINTF=3\na%d\nb%d\n")
    assert [printed.line(row) for row in range(4)] == [2, 3, 2, 0]
