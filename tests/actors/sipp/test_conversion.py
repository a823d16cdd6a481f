"""A plain call of a scenario file as a Python scenario, and the lines that have no counterpart."""

import ast

import pytest

from sipswarm.actors.sipp import scenario_file
from sipswarm.actors.sipp.conversion import convert
from sipswarm.actors.sipp.program import Program
from sipswarm.actors.sipp.program_reader import read

from .files import ACK, OK, program

INVITE = (
    '<send><![CDATA[\nINVITE sip:[field0]@[remote_ip] SIP/2.0\nVia: [branch]\nX-Ticket: no. [field1]{}"\n'
    "Content-Length: [len]\n\nv=0\n]]></send>"
)
RINGING = '<recv response="100" optional="true"/><recv response="180" optional="true"/>'
TARGET = 'f"sip:{row.field(0)}@{host}"'
HEADERS = '{"X-Ticket": f"no. {row.field(1)}{{}}\\""}'
BYE = ACK.replace("ACK", "BYE")


def made(found: Program) -> list[str]:
    text, faults = convert(found)
    assert faults == ()
    ast.parse(text)
    return text[text.index("async def") :].splitlines()[1:]


def test_a_call_with_data_pauses_and_digits_becomes_a_coroutine() -> None:
    found = program(
        f'<pause milliseconds="500"/>\n{INVITE}{RINGING}<recv response="200"/>{ACK}<pause/><nop><action>'
        '<exec play_dtmf="12#,100"/></action></nop><pause distribution="uniform" min="1" max="2000"/>'
        f'{BYE}<recv response="200"/><timewait/>'
    )
    assert made(found) == [
        '    host = ua.target.rpartition("@")[2].removeprefix("sip:")',
        "    await asyncio.sleep(0.5)  # a.xml:2",
        f"    call = await ua.invite({TARGET}, sip_header={HEADERS})  # a.xml:10",
        "    await asyncio.sleep(PAUSE)  # a.xml:12",
        '    await call.dtmf("12#")  # a.xml:12',
        "    await asyncio.sleep(random.uniform(0.001, 2))  # a.xml:12",
        "    await call.bye()  # a.xml:12",
    ]
    assert "import random" in convert(found)[0]


def test_a_refusal_that_is_expected_is_asserted() -> None:
    found = program(f'{INVITE.replace("[field0]", "[service]")}{RINGING}<recv response="486"/>{ACK}')
    lines = made(found)
    assert lines[0] == "    try:  # a.xml:9"
    assert lines[1].startswith("        call = await ua.invite(ua.target, sip_header=")
    assert lines[3] == '        assert refused.status == 486, f"refused with {refused.status}"'
    assert "CallRejected" in convert(found)[0]


def test_a_bye_of_the_peer_is_waited_for() -> None:
    found = program(f'{INVITE}<recv response="200"/>{ACK}<recv request="BYE"/>{OK}')
    assert made(found)[-1] == "    await call.over()  # a.xml:11"


def test_the_scenario_of_a_caller_can_be_converted() -> None:
    text, faults = convert(read(scenario_file.read_builtin("uac")))
    assert faults == ()
    assert "call = await ua.invite(ua.target)  # uac:" in text
    assert text.startswith('"""caller, made of uac."""\n\nimport asyncio\n')


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        (f'<recv request="INVITE"/>{OK}', "2: its calls are received; write a robot, see docs/robots.md"),
        (f'{INVITE}<recv response="180"/>', "9: <recv> 180 has no counterpart at this place"),
        (f'{INVITE}<recv response="401" auth="true"/>',
         '9: auth="true" has no counterpart; give --auth-user and --auth-password-file'),
        (f'{INVITE}<recv response="200"/>', "9: the call is not over at the end of the file"),
        (INVITE.replace("INVITE", "OPTIONS"), "2: <send> OPTIONS has no counterpart at this place"),
        (INVITE.replace("[field1]", "[pid]"), "2: [pid] has no counterpart in a header of one's own; write it by hand"),
        (f'{INVITE}<recv response="200"><action><log message="a"/></action></recv>',
         "9: <log> has no counterpart; write it by hand"),
        (f'{INVITE}<pause/>', "9: a pause has no counterpart at this place"),
        (f'{INVITE}<recv response="200" next="a"/><label id="a"/>',
         "9: next has no counterpart; write if and while by hand"),
        (f"{INVITE}<lua/>", "9: <lua> is not supported yet"),
    ],
)  # fmt: skip
def test_what_has_no_counterpart_is_named_by_line_and_nothing_is_made(inside: str, expected: str) -> None:
    text, faults = convert(program(inside))
    assert text == ""
    assert expected in [f"{each.line}: {each.text}" for each in faults]
