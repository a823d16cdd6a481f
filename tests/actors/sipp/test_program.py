"""Elements as steps, labels and needs, and every static check with its line."""

import pytest

from sipswarm.actors.sipp import scenario_file
from sipswarm.actors.sipp.actions.effects import Ask
from sipswarm.actors.sipp.actions.results import PlayCapture, StreamFile
from sipswarm.actors.sipp.distributions import PARAMETERS, Distribution
from sipswarm.actors.sipp.faults import ScenarioFileError
from sipswarm.actors.sipp.program import (
    Nop,
    Optionality,
    Pause,
    Program,
    Receive,
    ReceiveCommand,
    Role,
    Send,
    SendCommand,
    Step,
)
from sipswarm.actors.sipp.program_reader import MOST_STEPS, read, runnable

from .files import ACK, INVITE, OK, faults, program, told


def clean(inside: str) -> Program:
    found = program(inside)
    assert faults(found) == []
    return found


def only(inside: str) -> Step:
    return clean(inside).steps[0]


@pytest.mark.parametrize("name", scenario_file.BUILTIN)
def test_the_scenarios_that_come_with_the_program_can_be_run_as_they_are(name: str) -> None:
    found = runnable(read(scenario_file.read_builtin(name)))
    assert found.tolerations == ()
    receiving = {"uas", "branchs", "ooc_default", "3pcc-C-B", "3pcc-A", "3pcc-B"}
    assert found.role is (Role.RECEIVES if name in receiving else Role.SENDS)


def test_a_caller_is_its_steps() -> None:
    found = runnable(read(scenario_file.read_builtin("uac")))
    shown = [type(step).__name__ for step in found.steps]
    assert shown == ["Send", "Receive", "Receive", "Receive", "Receive", "Send", "Pause", "Send", "Receive"]
    assert [step.index for step in found.steps] == list(range(9))
    invite, trying, answer = found.steps[0], found.steps[1], found.steps[4]
    assert isinstance(invite, Send)
    assert isinstance(trying, Receive)
    assert isinstance(answer, Receive)
    assert (invite.message.method, invite.retrans, invite.start_rtd) == ("INVITE", 0.5, "answer")
    assert (trying.response, trying.optional, trying.methods) == (100, Optionality.TRUE, ("INVITE",))
    assert (answer.response, answer.optional, answer.rtd) == (200, Optionality.FALSE, "answer")
    assert isinstance(found.steps[8], Receive)
    assert found.steps[8].methods == ("INVITE", "ACK", "BYE")
    assert found.steps[6] == Pause(index=6, line=found.steps[6].line)
    assert [use.name for use in found.needs.commands] == ["send", "recv", "pause"]


def test_all_attributes_of_a_received_message_are_read() -> None:
    step = only(
        '<recv request="INFO|MESSAGE" regexp_match="true" optional="global" advance_state="false" timeout="1500"\n'
        'ontimeout="x" rrs="true" auth="true" ignoresdp="1" next="x" test="a" chance="0.25" condexec="b"\n'
        'condexec_inverse="true" start_rtd="true" rtd="two" repeat_rtd="true" counter="c" crlf="true" hide="true"\n'
        'display="d"><action><log message="m"/><log message="n"/></action></recv>\n'
        f'<recv request="INVITE"/>{OK}<label id="x"/>'
    )
    assert isinstance(step, Receive)
    actions, step_line = step.actions, step.line
    assert [(each.name, each.attributes["message"]) for each in actions] == [("log", "m"), ("log", "n")]
    assert step == Receive(
        index=0,
        line=step_line,
        next=3,
        test="a",
        chance=0.25,
        condexec="b",
        condexec_inverse=True,
        ontimeout=3,
        start_rtd="1",
        rtd="two",
        repeat_rtd=True,
        counter="c",
        actions=actions,
        compiled=step.compiled,
        display="d",
        hide=True,
        request="INFO|MESSAGE",
        regexp_match=True,
        optional=Optionality.GLOBAL,
        advance_state=False,
        timeout=1.5,
        rrs=True,
        auth=True,
        ignoresdp=True,
    )


def test_commands_to_another_file_are_read() -> None:
    found = clean('<sendCmd dest="b"><![CDATA[\n Call-ID: [call_id]\n [$1]\n]]></sendCmd><recvCmd src="b"/>')
    sent, received = found.steps
    assert isinstance(sent, SendCommand)
    assert (sent.dest, sent.command.line, sent.command.method) == ("b", 3, "")
    assert isinstance(received, ReceiveCommand)
    assert (received.src, found.role) == ("b", Role.SENDS)


@pytest.mark.parametrize(
    ("attributes", "distribution"),
    [
        ("", None),
        ('milliseconds="1500"', Distribution("fixed", (1500.0,))),
        ('distribution="fixed" value="20"', Distribution("fixed", (20.0,))),
        ('distribution="uniform" min="1" max="2.5"', Distribution("uniform", (1.0, 2.5))),
        ('min="1" max="2"', Distribution("uniform", (1.0, 2.0))),
        ('normal="true" mean="60" stdev="15"', Distribution("normal", (60.0, 15.0))),
        ('distribution="weibull" lambda="3" k ="4"', Distribution("weibull", (3.0, 4.0))),
        ('distribution="pareto" k="1" x_m="2"', Distribution("pareto", (1.0, 2.0))),
        ('distribution="negbin" p="0.1" n="2"', Distribution("negbin", (0.1, 2.0))),
    ],
)
def test_a_pause_has_its_distribution(attributes: str, distribution: Distribution | None) -> None:
    step = clean(f"{INVITE}<pause {attributes}/>").steps[1]
    assert isinstance(step, Pause)
    assert (step.distribution, step.variable, step.timewait) == (distribution, "", False)


def test_a_pause_may_have_the_length_of_a_variable_and_timewait_is_one() -> None:
    found = clean(f'{INVITE}<pause variable="1"/><timewait milliseconds="4000"/>')
    pause, wait = found.steps[1:]
    assert isinstance(pause, Pause)
    assert isinstance(wait, Pause)
    assert (pause.variable, pause.distribution, wait.timewait) == ("1", None, True)


def test_labels_are_numbers_of_steps_wherever_they_stand() -> None:
    found = clean(
        f'<label id="1"/>{INVITE}<recv response="486" optional="true" next="end"/><recv response="200" ontimeout="1"/>'
        f'<label id="end"/><label id="_unexp.main"/>{ACK}<nop next="last"/><label id="last"/>'
    )
    assert found.labels == {"1": 0, "end": 3, "_unexp.main": 3, "last": 5}
    assert (found.unexpected, found.steps[1].next, found.steps[2].ontimeout, found.steps[4].next) == (3, 3, 0, 5)
    assert isinstance(found.steps[4], Nop)
    assert found.tolerations == ()


def test_keywords_that_are_the_same_for_all_calls_become_text() -> None:
    bound = clean(f'{INVITE}<recv response="200"/>').bound({"service": "100"})
    first = bound.steps[0]
    assert isinstance(first, Send)
    assert first.message.parts[0] == "INVITE sip:100 SIP/2.0\r\nCall-ID: "
    assert isinstance(bound.steps[1], Receive)


def test_init_is_a_program_of_its_own() -> None:
    found = clean(
        f'<Global variables="n"/><label id="a"/><init><nop next="a" test="n"/><nop><action><assign assign_to="n" '
        f'value="1"/></action></nop><label id="a"/></init>{INVITE}<nop next="a" lost="10"/>'
    )
    first = found.initialization
    assert first is not None
    assert [(type(step), step.index, step.next) for step in first.steps] == [(Nop, 0, 2), (Nop, 1, None)]
    assert [action.name for action in first.steps[1].actions] == ["assign"]
    assert first.initialization is None
    assert [(step.index, step.next, step.lost) for step in found.steps] == [(0, None, 0.0), (1, 0, 0.1)]
    assert found.labels == {"a": 0}
    assert found.tolerations == ()
    assert clean(INVITE).initialization is None


def test_a_test_without_next_means_nothing() -> None:
    assert only(f'<nop test="a"/>{INVITE}').test == ""


def test_variables_have_the_scope_that_the_file_gives_them() -> None:
    found = program(
        f'<Global variables="g, h"/><User variables="u"/>{INVITE}<recv response="200"><action>'
        '<ereg regexp="(a)" search_in="msg" assign_to="1,2"/><assign assign_to="g" variable="u"/>'
        '<log message="[$1] [$2] [$h]"/></action></recv>'
    )
    assert found.global_variables == {"g", "h"}
    assert found.user_variables == {"u"}
    assert found.call_variables == {"1", "2"}
    assert found.tolerations == ()


def test_names_that_nothing_uses_are_told() -> None:
    found = program(
        f'{INVITE}<label id="a"/><recv response="200"><action><ereg regexp="()()" assign_to="1,2,3"/></action></recv>\n'
        '<Reference variables="2,9"/><nop condexec="3"/>'
    )
    assert told(found) == [
        "4: label a that nothing jumps to: a label",
        "4: variable 1 that is used once only: a variable",
        "5: Reference to 9, which is not used: nothing",
    ]


def test_what_the_file_needs_is_listed_with_the_first_line() -> None:
    found = program(
        f'{INVITE}\n<recv response="200"><action>\n<exec play_pcap_audio="a.pcap"/>\n<exec rtp_stream="b.wav,2,8"/>\n'
        '<exec rtp_stream="pause"/><exec play_dtmf="[$d]"/><exec command="ls [field0 file=x.csv]"/>\n'
        '<lookup assign_to="d" file="y.csv" key="[tenant]"/><log message="[file name=c.txt]"/></action></recv>',
        keys={"tenant": "blue"},
        allow_exec=True,
    )
    needs = found.needs
    assert faults(found) == []
    assert [(use.name, use.line) for use in needs.media] == [("a.pcap", 6), ("b.wav", 7)]
    assert [(use.name, use.line) for use in needs.fields] == [("x.csv", 8), ("y.csv", 9)]
    assert [use.name for use in needs.files] == ["c.txt"]
    assert [use.name for use in needs.keys] == ["tenant"]
    assert [use.name for use in needs.programs] == ["ls [field0 file=x.csv]"]
    assert [use.name for use in needs.keywords] == ["service", "call_id", "$", "field", "file"]
    assert [use.name for use in needs.actions] == [
        *("exec play_pcap_audio", "exec rtp_stream", "exec play_dtmf", "exec command", "lookup", "log"),
    ]


def test_the_name_of_a_file_of_media_may_be_a_key() -> None:
    actions = '<exec play_pcap_audio="[capture]"/>\n<exec rtp_stream="[stream]"/>\n<exec play_pcap_audio="[field0]"/>'
    found = program(
        f'{INVITE}\n<recv response="200"><action>\n{actions}</action></recv>',
        keys={"capture": "a.pcap", "stream": "b.wav,2", "tenant": "blue"},
    )
    assert faults(found) == ["8: [field0] is no name of a file; write -key field0 FILE, or the name itself"]
    assert [use.name for use in found.needs.media] == ["a.pcap", "b.wav", "[field0]"]
    assert found.steps[1].compiled[:2] == (Ask(PlayCapture("a.pcap")), Ask(StreamFile("b.wav", 2, -1, "")))


def test_transactions_are_checked_as_a_whole() -> None:
    start = INVITE.replace("<send>", '<send start_txn="t">')
    ack = ACK.replace("<send>", '<send ack_txn="t">')
    found = clean(f'{start}<recv response="200" response_txn="t"/>{ack}<recv response="200"/>')
    assert found.transactions == ("t",)
    assert isinstance(found.steps[3], Receive)
    assert found.steps[3].methods == ()
    assert told(program(f"{start}")) == [
        "2: no response_txn of transaction t: no response expected",
        "2: no ack_txn of transaction t: no ACK",
    ]
    assert faults(program(f'{INVITE}<recv response="200" response_txn="t"/>{ack}')) == [
        '4: transaction t is not begun; write start_txn="t"',
        '4: transaction t is not begun; write start_txn="t"',
    ]


NOT_HERE = "response_txn is for received responses; write it in <recv response=…>"
NO_STATUS = 'response="abc" of <recv> is not a whole number; write a whole number'


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("<send/>", ["2: <send> has no text; write it as <![CDATA[ … ]]>"]),
        (f"{INVITE}\n<recv/>", ['5: <recv> waits for nothing; write response="…" or request="…"']),
        (f'{INVITE}\n<recv response="7"/>', ['5: response="7" is no status code; write 100 to 699']),
        (
            f'{INVITE}\n<recv response="abc"/>',
            [f"5: {NO_STATUS}", '5: response="abc" is no status code; write 100 to 699'],
        ),
        (
            f'{INVITE}\n<recv response="200" optional="yes"/>',
            ['5: optional="yes" is not known; write true, false or global'],
        ),
        (
            f'{INVITE}\n<recv response="200" timeout="1s"/>',
            ['5: timeout="1s" of <recv> is not a whole number; write a whole number'],
        ),
        (
            f'{INVITE}\n<recv response="200" rrs="yes"/>',
            ['5: rrs="yes" of <recv> is not true or false; write true or false'],
        ),
        (
            f'{INVITE}\n<recv response="200" advance_state="false"/>',
            ['5: advance_state is for optional messages; write optional="true"'],
        ),
        (
            f'{INVITE}\n<recv response="180" optional="true"/>\n<pause/>',
            ['5: the last <recv> before <pause> is optional; write optional="false"'],
        ),
        (f'{INVITE}<nop next="x"/>', ['4: next="x": there is no such label; write <label id="x"/>']),
        (
            f'{INVITE}<recv response="200" ontimeout="x"/>',
            ['4: ontimeout="x": there is no such label; write <label id="x"/>'],
        ),
        (
            f'{INVITE}<label id="x"/><label id="x"/><nop next="x"/>',
            ["4: label x stands twice; give each a name of its own"],
        ),
        (f"{INVITE}<label/>", ['4: <label> has no id; write id="…"']),
        (
            f'{INVITE}<nop next="x" chance="2"/><label id="x"/>',
            ['4: chance="2" is no probability; write a number from 0 to 1'],
        ),
        (f"{INVITE}<timewait/><pause/>", ["4: <timewait> is not the last command; write <pause>"]),
        (f'{INVITE}<pause milliseconds="1s"/>', ['4: milliseconds="1s" of <pause> is not a number; write a number']),
        (f'{INVITE}<pause distribution="uniform" min="1"/>', ['4: <pause> has no max; write max="…"']),
        (
            f'{INVITE}<pause distribution="poisson"/>',
            [f"4: poisson is no distribution; write one of {', '.join(PARAMETERS)}"],
        ),
        (f'{INVITE}<nop counter="a\tb"/>', ['4: counter="a b" is no name; write up to 64 characters of ASCII']),
        (f"{INVITE}<xi:include/>", ["4: <xi:include> is not supported yet"]),
        (f"{INVITE}<init><foo/></init>", ["4: <foo> in <init> is not supported yet"]),
        (f"{INVITE}<action/>", ["4: <action> stands in no command; write it between <recv …> and </recv>"]),
        (f"{INVITE}<nop><action><b/></action></nop>", ["4: <b> is not supported yet"]),
        (f"{INVITE}<nop><action><closecon/></action></nop>", ["4: <closecon> is not supported yet"]),
        (
            f'{INVITE}<nop><action><exec play_pcap_video="a"/></action></nop>',
            ['4: <exec play_pcap_video="…"> is not supported yet'],
        ),
        (
            f'{INVITE}<nop><action><exec rtp_stream="apattern,1"/></action></nop>',
            ['4: <exec rtp_stream="apattern,1"> is not supported yet'],
        ),
        (
            f"{INVITE}<nop><action><exec/></action></nop>",
            ["4: <exec> does nothing; write one of command, int_cmd, play_pcap_audio, play_dtmf, rtp_stream, rtp_echo"],
        ),
        (
            f'{INVITE}<nop><action><exec command="ls"/></action></nop>',
            ['4: <exec command="ls"> runs a program; allow it with --allow-exec'],
        ),
        (f"<![CDATA[a]]>{INVITE}", ["2: a CDATA section outside of commands; write it between <send> and </send>"]),
        (
            OK.replace("<send>", '<send start_txn="t">'),
            ["2: a response begins and ends no transaction of its own; write it without"],
        ),
        (ACK.replace("<send>", '<send start_txn="t">'), ["2: an ACK begins no transaction; write ack_txn"]),
        (INVITE.replace("<send>", '<send ack_txn="t">'), ["2: ack_txn is for ACK, not for INVITE; write start_txn"]),
        (INVITE.replace("<send>", '<send response_txn="t">'), [f"2: {NOT_HERE}"]),
        ('<recv request="INVITE" response_txn="t"/>', [f"2: {NOT_HERE}"]),
        ('<recv request="INVITE"/><Global/>', ['2: <Global> has no variables; write variables="…"']),
    ],
)
def test_what_cannot_be_run_is_refused_by_line(inside: str, expected: list[str]) -> None:
    found = program(inside)
    assert faults(found) == expected
    with pytest.raises(ScenarioFileError) as caught:
        runnable(found)
    assert str(caught.value) == "\n".join(f"a.xml:{each}" for each in expected)


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        (f'{INVITE}<nop speed="1"/>', ["4: attribute speed of <nop>: nothing"]),
        (f'{INVITE}<recv response="200" request="BYE"/>', ["4: response and request in one <recv>: the request alone"]),
        (f'{INVITE}<recv response="200" timeout="" rrs=""/><pause milliseconds=""/>', []),
        (f"{INVITE}<nop><![CDATA[a]]></nop>", ["4: a CDATA section in <nop>: nothing"]),
        (f'{INVITE}<nop><action><exec int_cmd="stop"/></action></nop>', ['4: int_cmd="stop": stop_call']),
        (f'{INVITE}<nop><action><log message="a" b="c"/></action></nop>', ["4: attribute b of <log>: nothing"]),
    ],
)
def test_what_is_ignored_is_told(inside: str, expected: list[str]) -> None:
    assert told(clean(inside)) == expected


def test_a_file_without_send_and_recv_has_no_role() -> None:
    with pytest.raises(ScenarioFileError) as caught:
        program("<pause/>\n<foo/>")
    assert str(caught.value) == (
        "a.xml:1: there is neither <send> nor <recv> in it; write who begins\na.xml:3: <foo> is not supported yet"
    )


def test_pauses_and_nops_do_not_decide_who_begins() -> None:
    assert program('<nop/><pause/><recv request="INVITE"/>').role is Role.RECEIVES
    assert program("<recvCmd/>").role is Role.RECEIVES


def test_steps_and_names_have_a_bound() -> None:
    with pytest.raises(ScenarioFileError, match=f"more than {MOST_STEPS} commands"):
        program(INVITE + "<nop/>" * MOST_STEPS)
    many = program(INVITE + "".join(f'<nop counter="c{index}"/>' for index in range(33)))
    assert faults(many) == ["4: counter has more than 32 names in this file; use fewer"]


def test_many_faults_are_one_error_with_a_bound() -> None:
    found = program(INVITE + "\n<foo/>" * 25)
    with pytest.raises(ScenarioFileError) as caught:
        runnable(found)
    lines = str(caught.value).split("\n")
    assert lines[0] == "a.xml:5: <foo> is not supported yet"
    assert lines[-1] == "a.xml: 5 more faults"
    assert len(caught.value.faults) == 25
