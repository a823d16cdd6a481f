"""The rows of a load: SIPp's form and plain CSV, which call gets which, and errors with their line."""

from functools import partial
from pathlib import Path

import pytest

from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.host.permits import Permits
from sipswarm.actors.scripts.data import Data, Row


def data(tmp_path: Path, text: str, seed: int = 1) -> Data:
    file = tmp_path / "d.csv"
    file.write_text(text)
    return Data.read(str(file), seed)


def taken(rows: Data, index: int) -> Row:
    row = rows.take(index)
    assert row is not None
    return row


def test_plain_csv_has_a_header_and_its_rows_are_used_over_and_over(tmp_path: Path) -> None:
    rows = data(tmp_path, 'user,pin\nalice,1234\n\nbob,"5,6"\n')
    assert [taken(rows, index)["user"] for index in range(3)] == ["alice", "bob", "alice"]
    assert taken(rows, 1) == {"user": "bob", "pin": "5,6"}
    assert taken(rows, 1).field(1) == "5,6"
    assert [row.line for row in rows.rows] == [2, 4]


def test_a_semicolon_separates_where_the_header_has_no_comma(tmp_path: Path) -> None:
    assert data(tmp_path, "a;b\n1,5;2\n").rows[0] == {"a": "1,5", "b": "2"}


def test_sipps_sequential_file_counts_its_fields(tmp_path: Path) -> None:
    rows = data(tmp_path, "SEQUENTIAL\n# a comment\nalice;1234;\nbob;5678;\n")
    assert rows.mode == "SEQUENTIAL"
    assert taken(rows, 1) == {"field0": "bob", "field1": "5678"}
    assert taken(rows, 2).field(0) == "alice"


def test_a_last_field_of_sipps_form_may_be_empty(tmp_path: Path) -> None:
    rows = data(tmp_path, "SEQUENTIAL\na;1\nb;\n")
    assert [row["field1"] for row in rows.rows] == ["1", ""]
    assert data(tmp_path, "SEQUENTIAL\na;\n").rows[0].field(1) == ""


def test_printf_makes_rows_of_sipps_form(tmp_path: Path) -> None:
    rows = data(tmp_path, "SEQUENTIAL,PRINTF=1000000,PRINTFOFFSET=7\nuser%04d;x\nother%d;\n")
    assert len(rows.rows) == 1_000_000
    assert [taken(rows, index).field(0) for index in (0, 1, 2, 1_000_000)] == [
        "user0007",
        "other8",
        "user0009",
        "user0007",
    ]
    assert [row.line for row in rows.rows[:3]] == [2, 3, 2]


def test_random_rows_are_the_same_for_a_seed_and_an_index(tmp_path: Path) -> None:
    text = "RANDOM\n" + "".join(f"{number};x\n" for number in range(50))
    first, again, other = data(tmp_path, text), data(tmp_path, text), data(tmp_path, text, seed=2)
    picks = [taken(first, index).field(0) for index in range(30)]
    assert picks == [taken(again, index).field(0) for index in range(30)]
    assert picks != [taken(other, index).field(0) for index in range(30)]
    assert len(set(picks)) > 10


def test_a_users_row_serves_one_live_call_over_all_workers_of_its_shard(tmp_path: Path) -> None:
    path = str(tmp_path / "rows.shared")
    workers = [data(tmp_path, "USER\na;1\nb;2\nc;3\nd;4\n") for _ in range(2)]
    for slot, rows in enumerate(workers):
        rows.share(0, 2, partial(Permits, path=path, slot=slot))
    first, second = taken(workers[1], 0), taken(workers[0], 0)
    assert [first.field(0), second.field(0)] == ["a", "c"], "the other shard has b and d"
    assert workers[0].take(5) is workers[1].take(5) is None
    workers[1].give_back(first)
    assert taken(workers[0], 6) == first


def test_rows_by_number_are_the_same_for_every_worker_and_shard(tmp_path: Path) -> None:
    for mode in ("SEQUENTIAL", "RANDOM"):
        text = f"{mode}\na;1\nb;2\nc;3\n"
        whole, worker = data(tmp_path, text), data(tmp_path, text)
        worker.share(1, 3, Permits)
        assert [worker.take(index) for index in range(20)] == [whole.take(index) for index in range(20)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "d.csv:1: the file is empty"),
        ("a,b\n", "d.csv:1: there are no rows"),
        ("a,b\n1,2\n3\n", "d.csv:3: 1 fields, but there are 2 columns"),
        ("a,,b\n1,2,3\n", "d.csv:1: a column without a name"),
        ("a,a\n1,2\n", "d.csv:1: .* two of one name"),
        ('a,b\n"1,2\n', "d.csv:[23]: "),
        ("SEQUENTIAL\n", "d.csv:1: there are no rows"),
        ("SEQUENTIAL\na;b\nc\n", "d.csv:3: 1 fields, but there are 2 columns"),
        ("RANDOM,PRINT=10\na\n", "d.csv:1: 'PRINT=10' is not understood"),
    ],
)
def test_a_bad_file_is_an_error_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        data(tmp_path, text)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="give a CSV file"):
        Data.read(str(tmp_path / "nowhere.csv"))
    file = tmp_path / "latin.csv"
    file.write_bytes(b"a\nb\n\xff\n")
    with pytest.raises(ConfigurationError, match=r"latin.csv:3: this is not UTF-8"):
        Data.read(str(file))


def test_a_file_without_an_end_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="/dev/zero: it has more than 256 MiB; give a CSV file"):
        Data.read("/dev/zero")
