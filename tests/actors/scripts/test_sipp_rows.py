"""SIPp's form of rows: the first line, comments, PRINTF; errors with their line."""

import pytest

from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.scripts.sipp_rows import SippRows, fill_in, is_sipp_form, read_rows


def rows(text: str) -> SippRows:
    return read_rows("d.csv", text.split("\n"))


def test_comments_and_empty_lines_are_no_rows() -> None:
    read = rows("SEQUENTIAL\n# a\n\na;1\n   \nb;;\n#c\n")
    assert [read.fields(index) for index in range(read.count)] == [["a", "1"], ["b", "", ""]]
    assert [line.number for line in read.lines] == [4, 6]


def test_printf_makes_many_rows_of_few() -> None:
    read = rows("SEQUENTIAL,PRINTF=4,PRINTFOFFSET=10,PRINTFMULTIPLE=2\nuser%04d;100%%\nx%d%3d\n")
    assert read.count == 4
    assert [read.fields(index) for index in range(4)] == [
        ["user0010", "100%"],
        ["x12 12"],
        ["user0014", "100%"],
        ["x16 16"],
    ]


def test_a_percent_sign_is_itself_without_printf() -> None:
    assert rows("USER\n100%d;%x\n").fields(0) == ["100%d", "%x"]
    assert fill_in("abc", 3) == "abc"


@pytest.mark.parametrize(
    "first", ["SEQUENTIAL", "RANDOM", "USER", "SEQUENTIAL,", "USER,PRINTF=3", "RANDOM , PRINTF=3", " USER"]
)
def test_first_lines_of_the_form(first: str) -> None:
    assert is_sipp_form(first)
    assert rows(f"{first}\na\n").mode == first.split(",")[0].strip()


def test_the_order_of_rows_may_stand_behind_printf() -> None:
    assert is_sipp_form("PRINTF=3,RANDOM")
    assert (rows("PRINTF=3,RANDOM\na%d\n").mode, rows("PRINTF=3,RANDOM\na%d\n").count) == ("RANDOM", 3)
    assert not is_sipp_form("name,USER")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "d.csv:1: the first line is ''"),
        ("PRINTF=3\na\n", "d.csv:1: the first line is 'PRINTF=3'; write SEQUENTIAL, RANDOM or USER"),
        ("SEQUENTIAL,RANDOM\na\n", "d.csv:1: the first line is"),
        ("SEQUENTIAL\n# only this\n", "d.csv:1: there are no rows"),
        ("SEQUENTIAL,PRINTF\na\n", "d.csv:1: 'PRINTF' is not understood"),
        ("SEQUENTIAL,PRINTF=x\na\n", "d.csv:1: 'PRINTF=x' is not understood"),
        ("SEQUENTIAL,PRINT=3\na\n", "d.csv:1: 'PRINT=3' is not understood"),
        ("SEQUENTIAL,PRINTF=0\na\n", "d.csv:1: PRINTF=0 rows"),
        ("SEQUENTIAL,PRINTFOFFSET=3\na\n", "d.csv:1: PRINTF=0 rows"),
        ("SEQUENTIAL,PRINTF=2\na\nb%s\n", "d.csv:3: '%' at position 2 is neither %d"),
    ],
)
def test_a_bad_file_is_an_error_with_its_line(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        rows(text)
    assert str(raised.value).startswith(said)
