"""Forms that files of public projects have: each is read as SIPp reads it, with the mistakes that it has.

Written anew after files for Asterisk, phones and proxies; none is a copy.
"""

import pytest

from sipswarm.actors.sipp.distributions import Distribution
from sipswarm.actors.sipp.markup import read
from sipswarm.actors.sipp.program import Nop, Pause, Program, Receive, Send
from sipswarm.actors.sipp.program_reader import read as read_program
from sipswarm.actors.sipp.template import LastHeader, Value, Variable

from .files import INVITE, OK, faults, program, told

MULTILINE = """<recv
\t\tresponse = "200"
\t\trtd="true"repeat_rtd="true"
\t\tcrlf = "true" >
\t<action>
\t\t<ereg regexp="&lt;sip:(.*)@.*&gt;" search_in="hdr"
\t\t\theader="Contact:" check_it="true" assign_to="1,2" />
\t</action>
</recv>
<Reference variables="1,2"/>"""

COMMENTED = """<!-- <nop><action><exec command="rm"/></action></nop> -->
<!--
  ===== -- a flow -- =====
  INVITE - - - >
-->
<recv response="200"/>"""

NOTIFY = """<recv request="SUBSCRIBE"><action>
<ereg regexp="sip:(.*)>" search_in="hdr" header="Contact" assign_to="junk,uri"/>
</action></recv>
<Reference variables="junk">
<nop display=">>>>> Accepted <<<<<"/>
<send retrans="500"><![CDATA[
   NOTIFY sip:[$uri] SIP/2.0
   [last_Call-ID:]
   [last_From]
   Content-Length:[len]

   <?xml version="1.0"?>
   <info entity='a' state="[state]"><target uri="x"/></info>
]]></send>"""


def test_attributes_over_several_lines_and_without_blanks() -> None:
    found = program(f"{INVITE}{MULTILINE}")
    assert faults(found) == []
    assert told(found) == ["6: no blank before repeat_rtd: a blank"]
    step = found.steps[1]
    assert isinstance(step, Receive)
    assert (step.response, step.rtd, step.repeat_rtd) == (200, "1", True)
    assert step.actions[0].attributes["regexp"] == "<sip:(.*)@.*>"


def test_commented_commands_are_no_commands() -> None:
    found = program(f"{INVITE}{COMMENTED}")
    assert (faults(found), told(found), len(found.steps)) == ([], [], 2)


def test_a_body_of_markup_is_text_and_an_open_reference_is_closed() -> None:
    found = program(NOTIFY, keys={"state": "full"})
    assert faults(found) == []
    assert told(found) == [
        "6: <Reference> is not closed before <nop>: closed there",
        "6: < in the value of display: text",
    ]
    notify = found.steps[2]
    assert isinstance(notify, Send)
    assert notify.message.parts[1] == Variable("uri")
    assert LastHeader("From", False) in notify.message.parts
    assert notify.message.parts[-1] == (
        '\r\n\r\n<?xml version="1.0"?>\r\n<info entity=\'a\' state="full"><target uri="x"/></info>\r\n'
    )


def test_variables_of_the_command_line_get_their_defaults_in_init() -> None:
    found = program(
        '<Global variables="codec"/><init><nop><action><strcmp assign_to="is" variable="codec" value=""/>'
        '<test assign_to="is" variable="is" compare="equal" value="0"/></action></nop><nop condexec="is"><action>'
        f'<assignstr assign_to="codec" value="18"/></action></nop></init>{INVITE}'
    )
    assert (faults(found), told(found)) == ([], [])
    assert found.initialization is not None
    assert [type(step) for step in found.initialization.steps] == [Nop, Nop]
    assert found.initialization.steps[1].condexec == "is"


def test_a_file_of_another_system_has_its_marks_and_line_ends() -> None:
    text = f"<scenario>\r\n{INVITE}\r\n<recv response='200' />\r\n</scenario>\r\n".replace("\n", "\r\n").encode(
        "utf-8-sig"
    )
    found = read_program(read(text.replace(b"\r\r", b"\r"), "a.xml"))
    assert isinstance(found, Program)
    assert told(found) == ["1: a byte order mark: nothing"]
    first = found.steps[0]
    assert isinstance(first, Send)
    assert first.message.parts == (
        "INVITE sip:",
        Value("service"),
        " SIP/2.0\r\nCall-ID: ",
        Value("call_id"),
        "\r\n\r\n",
    )


@pytest.mark.parametrize(
    ("action", "attribute", "value"),
    [
        (r'<ereg regexp="Digest .*username=\"([^\"]*)\"" assign_to="1,2"/>', "regexp", 'Digest .*username="([^"]*)"'),
        ('<ereg regexp="<sip:([^;@]*)" search_in="hdr" header="To:" assign_to="1,2"/>', "regexp", "<sip:([^;@]*)"),
        (r'<ereg regexp="a=ptime:[0-9]+\n" assign_to="1,2"/>', "regexp", "a=ptime:[0-9]+\n"),
        (r'<ereg regexp="\[last\]\.x" assign_to="1,2"/>', "regexp", r"\[last\]\.x"),
        ('<test assign_to="1" variable="2" compare="equal" value=""/>', "value", ""),
        ('<log message="a&amp;b [$1] [$2]"/>', "message", "a&b [$1] [$2]"),
    ],
)
def test_values_of_actions_are_what_sipp_takes_them_for(action: str, attribute: str, value: str) -> None:
    found = program(f'<recv request="INVITE"><action>{action}</action></recv>{OK}<Reference variables="1,2"/>')
    assert faults(found) == []
    assert found.steps[0].actions[0].attributes[attribute] == value


@pytest.mark.parametrize(
    ("inside", "fault"),
    [
        (
            '<pause milliseconds="{{ pause }}"/>',
            '4: milliseconds="{{ pause }}" of <pause> is not a number; write a number',
        ),
        ('<pause distribution="uniform(1,2)"/>', "4: uniform(1,2) is no distribution; write one of fixed,"),
        ('<recv response="@CODE@"/>', '4: response="@CODE@" of <recv> is not a whole number; write a whole number'),
        ('<nop><action><lua script="x"/></action></nop>', "4: <lua> is not supported yet"),
        ('<recv response="200" dialog="2"/>', "4: attribute dialog of <recv> is not supported yet"),
        ('<include file="a.xml"/>', "4: <include> is not supported yet"),
    ],
)
def test_templates_and_newer_languages_are_refused_by_line(inside: str, fault: str) -> None:
    found = faults(program(f"{INVITE}{inside}"))
    assert [each for each in found if each.startswith(fault)], found


def test_a_template_in_a_message_is_text() -> None:
    found = program(INVITE.replace("[service]", "{{ user }}@HOST@"))
    assert faults(found) == []
    first = found.steps[0]
    assert isinstance(first, Send)
    assert first.message.parts[0] == "INVITE sip:{{ user }}@HOST@ SIP/2.0\r\nCall-ID: "


@pytest.mark.parametrize(
    ("inside", "found"),
    [
        ('<recv response="200"><log message="x"/></recv>', "<log> in <recv> and not in <action>: nothing, as by SIPp"),
        ('<recv response="200"><curl url="x"/></recv>', "<curl> in <recv> and not in <action>: nothing, as by SIPp"),
        ('<recv response="200", rtd="true"/>', ", between attributes of <recv>: a blank"),
        ('<recv response="200" ; rtd="true"/>', "; between attributes of <recv>: a blank"),
        (
            '<recv response="200"><action><log message="x"><b/></log></action></recv>',
            "<b> in <log>: nothing, as by SIPp",
        ),
        ('<Global variables="a,b"><action/></Global>', "<action> in <Global>: nothing, as by SIPp"),
        (
            '<ResponseTimeRepartition value="1"><b/></ResponseTimeRepartition>',
            "<b> in <ResponseTimeRepartition>: nothing",
        ),
        ('<pause milliseconds="-500"/>', "a pause that is shorter than nothing: no pause, as by SIPp"),
    ],
)
def test_what_sipp_ignores_is_told_and_ignored(inside: str, found: str) -> None:
    read_here = program(f"{INVITE}{inside}")
    assert faults(read_here) == []
    (line,) = told(read_here)
    assert line.startswith(f"4: {found}")
    step = read_here.steps[-1]
    if isinstance(step, Send):
        assert len(read_here.steps) == 1
    elif isinstance(step, Receive):
        assert step.response == 200
        assert (step.rtd == "1") is ("rtd" in inside)
    else:
        assert isinstance(step, Pause)
        assert step.distribution == Distribution("fixed", (0.0,))


def test_an_empty_response_beside_a_request_is_none() -> None:
    found = program(f'{INVITE}<recv response="" request="BYE"/>')
    assert (faults(found), told(found)) == ([], [])
    step = found.steps[1]
    assert isinstance(step, Receive)
    assert (step.request, step.response) == ("BYE", 0)


def test_an_empty_expression_matches_anything() -> None:
    found = program(f'<recv request="INVITE"><action><ereg regexp="" check_it="true"/></action></recv>{OK}')
    assert (faults(found), told(found)) == ([], [])
