"""The actions of scenario files: what each does to variables, what it asks for, and its faults by line."""

import pytest

from sipswarm.actors.sipp.actions.results import (
    CheckFailure,
    CloseConnection,
    EchoMedia,
    Failed,
    Jump,
    Loudness,
    PlayCapture,
    PlayDigits,
    RestorePause,
    Result,
    RunCommand,
    Say,
    ScenarioFault,
    SetDestination,
    StreamControl,
    StreamFile,
)
from sipswarm.actors.sipp.actions.stop import Stop
from sipswarm.actors.sipp.actions.table import TABLE
from sipswarm.actors.sipp.language import ACTIONS
from sipswarm.actors.sipp.variables import Value

from .scenes import LINE, Playground, compiled

MESSAGE = "SIP/2.0 200 OK\r\nTo: <sip:bob@b>;tag=77\r\nX-A: one\r\nX-A: two\r\n\r\nv=0\r\nm=audio 4000 RTP/AVP 0\r\n"


def test_the_table_has_every_action_of_the_language() -> None:
    assert TABLE.keys() == ACTIONS.keys()


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('<ereg regexp="tag=([0-9]*)" search_in="msg" assign_to="a,b"/>', {"a": "tag=77", "b": "77"}),
        ('<ereg regexp="b([a-z])@(c)?" assign_to="a,b,c"/>', {"a": "old", "b": None, "c": None}),
        ('<ereg regexp="bo(b)@(c)?" assign_to="a,b,c"/>', {"a": "bob@", "b": "b", "c": None}),
        ('<ereg regexp="[a-z]+" search_in="hdr" header="X-A:" assign_to="a"/>', {"a": "one"}),
        (
            '<ereg regexp="[a-z]+" search_in="hdr" header="x-a:" case_indep="true" occurrence="2" assign_to="a"/>',
            {"a": "two"},
        ),
        ('<ereg regexp="[0-9]+" search_in="body" assign_to="a"/>', {"a": "0"}),
        ('<ereg regexp="l+" search_in="var" variable="text" assign_to="a"/>', {"a": "ll"}),
        ('<ereg regexp="x" search_in="hdr" header="None:" assign_to="a"/>', {"a": "old"}),
        ('<ereg regexp="x*" search_in="hdr" header="None:" assign_to="a"/>', {"a": ""}),
        ('<ereg regexp="(zz)|bob" assign_to="b,a"/>', {"a": "old", "b": "bob"}),
        ('<ereg regexp="[0-9]" search_in="var" variable="two" assign_to="a"/>', {"a": "old"}),
        ('<assignstr assign_to="a" value="[call_id] [$text]!"/>', {"a": "<call_id> hello!"}),
        ('<assign assign_to="a" value="-1.5"/>', {"a": -1.5}),
        ('<assign assign_to="a" variable="two"/>', {"a": 2.0}),
        ('<assign assign_to="a" variable="number"/>', {"a": 0.0}),
        ('<add assign_to="two" value="3"/>', {"two": 5.0}),
        ('<add assign_to="number" value="1"/>', {"number": 1.0}),
        ('<add assign_to="b" value="1"/>', {"b": 1.0}),
        ('<subtract assign_to="two" variable="four"/>', {"two": -2.0}),
        ('<multiply assign_to="two" variable="four"/>', {"two": 8.0}),
        ('<divide assign_to="two" variable="four"/>', {"two": 0.5}),
        ('<multiply assign_to="large" variable="large"/>', {"large": float("inf")}),
        ('<todouble assign_to="a" variable="number"/>', {"a": 12.5}),
        ('<test assign_to="a" variable="two" compare="equal" value="2"/>', {"a": True}),
        ('<test assign_to="a" variable="two" compare="not_equal" value="2"/>', {"a": False}),
        ('<test assign_to="a" variable="two" compare="greater_than" value="2"/>', {"a": False}),
        ('<test assign_to="a" variable="two" compare="greater_than_equal" value="2"/>', {"a": True}),
        ('<test assign_to="a" variable="two" compare="less_than" variable2="four"/>', {"a": True}),
        ('<test assign_to="a" variable="two" compare="less_than_equal" variable2="four"/>', {"a": True}),
        ('<strcmp assign_to="a" variable="text" value="hello"/>', {"a": 0.0}),
        ('<strcmp assign_to="a" variable="text" value="help"/>', {"a": -4.0}),
        ('<strcmp assign_to="a" variable="text" value="hel"/>', {"a": 108.0}),
        ('<strcmp assign_to="a" variable="text" value="[$text]"/>', {"a": 13.0}),
        ('<strcmp assign_to="a" variable="text" variable2="number"/>', {"a": 55.0}),
        ('<trim assign_to="blanks"/>', {"blanks": "a b"}),
        ('<urlencode variable="url"/>', {"url": "a%20b%2F%3A%E9-_"}),
        ('<urldecode variable="coded"/>', {"coded": "a b/%4g%"}),
        ('<gettimeofday assign_to="a,b"/>', {"a": 1_700_000_000.0, "b": 250_000.0}),
        ('<index assign_to="a"/>', {"a": 4.0}),
        ('<sample assign_to="a" distribution="fixed" value="4"/>', {"a": 4.0}),
        ('<lookup assign_to="a" file="u.csv" key="[$name]"/>', {"a": 1.0}),
        ('<lookup assign_to="a" file="u.csv" key="nobody"/>', {"a": -1.0}),
    ],
)
def test_what_an_action_does_to_variables(text: str, values: dict[str, Value]) -> None:
    play = Playground(
        message=MESSAGE,
        files={"u.csv": "SEQUENTIAL\nalice\nbob\n"},
        text="hello",
        number="12.5",
        blanks="\t a b \r\n",
        url="a b/:\xe9-_",
        coded="a%20b%2f%4g%",
        name="bob",
        two=2.0,
        four=4.0,
        large=1e300,
        a="old",
    )
    users = play.injection.get("u.csv")
    assert users is not None
    users.index(0)
    assert play.run(text) is None
    assert {name: play.variables[name] for name in values} == values


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ('<ereg regexp="tag=8" check_it="true"/>', CheckFailure.REGEXP),
        ('<ereg regexp="tag=7" check_it="true"/>', None),
        ('<ereg regexp="tag=7" check_it_inverse="true"/>', CheckFailure.REGEXP_MATCHED),
        ('<ereg regexp="tag=8" check_it_inverse="true"/>', None),
        ('<ereg regexp="tag=7" check_it="true" assign_to="a,b" header="" search_in="msg"/>', None),
        ('<ereg regexp="x" search_in="hdr" header="None:" check_it="true"/>', CheckFailure.HEADER_MISSING),
        ('<ereg regexp="x" search_in="hdr" header="None:" check_it_inverse="true"/>', None),
        ('<ereg regexp="x*" search_in="hdr" header="None:" check_it_inverse="true"/>', CheckFailure.REGEXP_MATCHED),
        ('<ereg regexp="two" search_in="hdr" header="X-A:" check_it="true" assign_to="a"/>', CheckFailure.REGEXP),
        ('<test variable="two" compare="equal" value="3" check_it="true"/>', CheckFailure.TEST),
        ('<test variable="two" compare="equal" value="2" check_it_inverse="true"/>', CheckFailure.TEST_HELD),
        ('<strcmp variable="text" value="x" check_it="true"/>', CheckFailure.STRCMP),
        ('<strcmp variable="text" value="x" check_it_inverse="true"/>', None),
        ('<strcmp variable="text" value="hello" check_it_inverse="true"/>', CheckFailure.STRCMP_EQUAL),
    ],
)
def test_a_check_that_fails_says_so(text: str, failure: CheckFailure | None) -> None:
    play = Playground(message=MESSAGE, two=2.0, text="hello")
    if 'assign_to="a,b"' in text:
        text = text.replace("tag=7", "tag=(7)")
    result = play.run(text)
    assert (result.failure if isinstance(result, Failed) else result) == failure


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ('<log message="at [call_id]: [$text]"/>', Say(Loudness.LOG, "at <call_id>: hello")),
        ('<warning message="w"/>', Say(Loudness.WARNING, "w")),
        ('<error message="e [$text]"/>', ScenarioFault("e hello")),
        ('<jump value="3"/>', Jump(3)),
        ('<jump variable="two"/>', Jump(2)),
        ('<pauserestore variable="two"/>', RestorePause(2.0)),
        ('<divide assign_to="two" variable="a"/>', Say(Loudness.WARNING, "divide: two by 0; it stays as it is")),
        ('<todouble assign_to="a" variable="text"/>', Say(Loudness.WARNING, "todouble: text is no number: 'hello'")),
        ('<exec int_cmd="stop_call"/>', Stop.CALL),
        ('<exec int_cmd="stop_gracefully"/>', Stop.GRACEFULLY),
        ('<exec int_cmd="stop_now"/>', Stop.NOW),
        ('<exec command="echo [$text]"/>', RunCommand("echo hello")),
        ('<exec play_pcap_audio="a.pcap"/>', PlayCapture("a.pcap")),
        ('<exec play_dtmf="12[$text]"/>', PlayDigits("12hello")),
        ('<exec rtp_stream="a.wav"/>', StreamFile("a.wav", 1, -1, "")),
        ('<exec rtp_stream="a.wav, -1, 8, PCMA/8000"/>', StreamFile("a.wav", -1, 8, "PCMA/8000")),
        ('<exec rtp_stream="pause"/>', StreamControl.PAUSE),
        ('<exec rtp_stream="resume"/>', StreamControl.RESUME),
        ('<rtp_echo value="1"/>', EchoMedia(True)),
        ('<rtp_echo variable="a"/>', EchoMedia(False)),
        ('<exec rtp_echo="1"/>', EchoMedia(True)),
        ('<exec rtp_echo="startaudio,0,PCMU/8000"/>', EchoMedia(True)),
        ('<exec rtp_echo="stopaudio"/>', EchoMedia(False)),
        ('<setdest host="[$text]" port="5070" protocol="TCP"/>', SetDestination("hello", 5070, "tcp")),
        (
            '<setdest host="h" port="[$text]" protocol="tcp"/>',
            ScenarioFault("setdest: port is 'hello'; it must be 1 to 65535"),
        ),
        (
            '<setdest host="h" port="5" protocol="x"/>',
            ScenarioFault("setdest: protocol is 'x'; it must be udp, tcp or tls"),
        ),
        ("<closecon/>", CloseConnection()),
        (
            '<lookup assign_to="a" file="u.csv" key="x"/>',
            ScenarioFault("lookup: there is no index of 'u.csv'; give -inf u.csv -infindex u.csv FIELD"),
        ),
        (
            '<insert file="x.csv" value="x"/>',
            ScenarioFault("insert: there is no injection file 'x.csv'; give -inf x.csv"),
        ),
        (
            '<replace file="x.csv" line="0" value="x"/>',
            ScenarioFault("replace: there is no injection file 'x.csv'; give -inf x.csv"),
        ),
        ('<replace file="u.csv" line="9" value="x"/>', ScenarioFault("replace: u.csv has no row '9'")),
    ],
)
def test_what_an_action_asks_for(text: str, result: Result) -> None:
    play = Playground(message=MESSAGE, files={"u.csv": "SEQUENTIAL\nalice\n"}, text="hello", two=2.0)
    assert play.run(text) == result
    assert play.variables["two"] == 2.0


def test_rows_are_inserted_and_replaced() -> None:
    play = Playground(files={"u.csv": "SEQUENTIAL\nalice\n"}, name="bob", row=0.0, next=1.0)
    assert play.run('<insert file="u.csv" value="[$name];1"/>') is None
    assert play.run('<replace file="u.csv" line="[$next]" value="carol"/>') is None
    users = play.injection.get("u.csv")
    assert users is not None
    assert [users.field(row, 0) for row in range(users.count)] == ["alice", "carol"]


def test_a_loop_counts_and_ends() -> None:
    play = Playground()
    printed = []
    while True:
        printed.append(play.variables.text("a"))
        play.run('<add assign_to="a" value="1"/>')
        play.run('<test assign_to="b" variable="a" compare="less_than" value="3"/>')
        if not play.variables.is_set("b"):
            break
    assert printed == ["", "1.000000", "2.000000"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('<ereg regexp="(a" assign_to="a"/>', 'regexp="(a": the parenthesis at position 1 is not closed'),
        ('<ereg regexp="a"/>', "<ereg> does nothing with what it finds"),
        ('<ereg assign_to="a"/>', "<ereg> has no regexp"),
        (f'<ereg regexp="a" assign_to="{",".join("abcdefghijk")}"/>', "assign_to has 11 variables; write at most 10"),
        (
            '<ereg regexp="a" assign_to="a" search_in="head"/>',
            'search_in="head" is not known; write one of msg, hdr, body, var',
        ),
        ('<ereg regexp="a" assign_to="a" search_in="hdr"/>', "<ereg> has no header"),
        ('<ereg regexp="a" assign_to="a" search_in="var"/>', "<ereg> has no variable"),
        (
            '<ereg regexp="a" check_it="true" check_it_inverse="true"/>',
            "check_it and check_it_inverse cannot both hold",
        ),
        ('<ereg regexp="a" assign_to="a" check_it="perhaps"/>', 'check_it="perhaps" of <ereg> is not true or false'),
        ('<ereg regexp="a" check_it="1" occurrence="-1"/>', "occurrence is below 0"),
        ('<assign assign_to="a"/>', "<assign> has none of value, variable"),
        ('<assign assign_to="a" value="1" variable="b"/>', "<assign> has value and variable"),
        ('<assign assign_to="a,b" value="1"/>', "assign_to of <assign> has 2 variables"),
        ('<assign value="1"/>', "<assign> has no assign_to"),
        ('<add assign_to="a" value="x"/>', 'value="x" of <add> is not a number'),
        (
            '<test assign_to="a" variable="b" compare="is" value="1"/>',
            'compare="is" is not known; write one of equal, ',
        ),
        ('<divide assign_to="a" value="0"/>', "<divide> by 0; write another number"),
        ('<strcmp assign_to="a" variable="b"/>', "<strcmp> has none of value, variable2"),
        ('<gettimeofday assign_to="a"/>', "assign_to has 1 variables; write two"),
        ('<sample assign_to="a" distribution="even"/>', "even is no distribution"),
        ('<sample assign_to="a" distribution="normal" mean="1"/>', "<sample> has no stdev"),
        ('<sample assign_to="a" distribution="uniform" min="2" max="1"/>', "max of uniform is below its min"),
        ("<exec/>", "<exec> does nothing; write one of command, int_cmd"),
        ('<exec play_pcap_video="a.pcap"/>', '<exec play_pcap_video="…"> is not supported yet'),
        ('<exec rtp_stream="apattern,1"/>', '<exec rtp_stream="apattern,1"> is not supported yet'),
        ('<exec rtp_echo="startvideo"/>', '<exec rtp_echo="startvideo"> is not supported yet'),
        ('<exec rtp_stream="a,1,2,3,4"/>', 'exec rtp_stream="a,1,2,3,4" is not understood'),
        ('<exec rtp_stream="a.wav,x"/>', 'exec rtp_stream="a.wav,x": write numbers'),
        ("<log/>", "<log> has no message"),
        ("<frobnicate/>", "there is no action <frobnicate>; there are add, "),
    ],
)
def test_what_is_wrong_with_an_action_is_a_fault_with_its_line(text: str, said: str) -> None:
    _, findings = compiled(text)
    assert [fault.line for fault in findings.faults] == [LINE]
    assert findings.faults[0].text.startswith(said)


@pytest.mark.parametrize("name", ["test", "strcmp"])
def test_a_check_that_fails_keeps_no_result(name: str) -> None:
    play = Playground(two=2.0)
    compare = 'compare="equal" ' if name == "test" else ""
    assert isinstance(play.run(f'<{name} assign_to="a" variable="two" {compare}value="3" check_it="true"/>'), Failed)
    assert play.variables["a"] is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('<ereg regexp="[0-9]\\d" assign_to="a"/>', 'regexp="[0-9]\\d"'),
        ('<ereg regexp="(a)" assign_to="a,b,c"/>', "3 variables in assign_to for 1 pairs of parentheses"),
        ('<strcmp assign_to="a" variable="b" value="[$c]"/>', 'value="[$c]" of <strcmp>'),
        ('<exec int_cmd="stop_it"/>', 'int_cmd="stop_it"'),
    ],
)
def test_what_does_probably_not_mean_what_it_says_is_told(text: str, found: str) -> None:
    _, findings = compiled(text)
    assert findings.faults == []
    assert [(each.line, each.found) for each in findings.tolerations] == [(LINE, found)]
