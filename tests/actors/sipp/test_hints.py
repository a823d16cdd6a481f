"""What a scenario file says in good form and hardly means."""

import pytest

from sipswarm.actors.sipp import check
from sipswarm.actors.sipp.attributes import distance
from sipswarm.actors.sipp.markup import read as read_markup
from sipswarm.actors.sipp.program_reader import read

from .call.scripted import nop, recv, request, scenario


def told(*commands: str) -> list[str]:
    """What is told of a file of these commands, without its place."""
    program = read(read_markup(scenario(*commands).encode(), "a.xml"))
    return [line.partition(": ")[2] for line in check.tolerations(program)]


@pytest.mark.parametrize(
    ("value", "is_strange"),
    [
        ("[call_id]", False),
        ("x///[call_id]", False),
        ("[call_id]///x", True),
        ("[call_id]-x", True),
        ("[service]", False),
    ],
)
def test_text_behind_the_call_id_is_strange(value: str, is_strange: bool) -> None:
    assert bool(told(request("REGISTER").replace("[call_id]", value), recv(200))) is is_strange


def test_a_call_id_that_no_answer_finds_is_told() -> None:
    (line,) = told(request("REGISTER").replace("[call_id]", "[call_id]///REGISTER"), recv(200))
    assert line.startswith("Call-ID: [call_id]///REGISTER, which does not end with [call_id]: taken as ")
    assert told(request("REGISTER"), recv(200)) == []


def test_an_ontimeout_that_the_repetition_holds_back_is_told() -> None:
    end = ('<label id="1"/>', request("CANCEL"))
    late = [recv(100, optional="true"), recv(200, timeout=1000, ontimeout=1)]
    assert [each.partition(":")[0] for each in told(request("INVITE", retrans=500), *late, *end)] == [
        "ontimeout behind a <send> with retrans"
    ]
    assert told(request("INVITE"), *late, *end) == []
    assert told(request("INVITE", retrans=500), recv(180), *late, *end) == []
    assert told(request("INVITE", retrans=500), *late, '<label id="1"/>', nop('<log message="x"/>')) == []


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [("optionnal", "optional", 1), ("rtd", "rtd", 0), ("retran", "retrans", 1), ("", "ab", 2)],
)
def test_the_distance_of_two_names(one: str, other: str, count: int) -> None:
    assert distance(one, other) == distance(other, one) == count
