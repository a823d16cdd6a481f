"""What a scenario file says in good form and hardly means."""

import pytest

from sipswarm.actors.sipp import check
from sipswarm.actors.sipp.hints import strange_call_id
from sipswarm.actors.sipp.markup import read as read_markup
from sipswarm.actors.sipp.program_reader import read

from .call.scripted import nop, recv, request, scenario


def told(*commands: str) -> list[str]:
    """What is told of a file of these commands, without its place."""
    program = read(read_markup(scenario(*commands).encode(), "a.xml"))
    return [line.partition(": ")[2] for line in check.tolerations(program)]


@pytest.mark.parametrize(
    ("value", "strange"),
    [
        ("[call_id]", ""),
        ("x///[call_id]", ""),
        ("[call_id]///x", "[call_id]///x"),
        ("[call_id]-x", "[call_id]-x"),
        ("[field0]", ""),
        ("", ""),
    ],
)
def test_text_behind_the_call_id_is_strange(value: str, strange: str) -> None:
    assert strange_call_id(f"INVITE sip:a SIP/2.0\nCall-ID: {value} \nCSeq: 1 INVITE\n") == strange


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
