"""Scenario files with what their peers do, and what SIPp 3.6.1 does with each: rows of `test_same_file`."""

from dataclasses import replace

from sipswarm.actors.sipp.call.settings import Behaviour
from sipswarm.actors.sipp.call.statistics import Failure

from .peer_plays import (
    again_with_other_header,
    answers,
    answers_each,
    answers_first_and_third,
    answers_later,
    answers_without,
    challenges,
    disorder,
    hears,
    in_order,
    in_pause,
    in_timewait,
    info_before_ack,
    late_100,
    repeats_200,
    second_first,
    sends_info,
    third_invite,
    twice_180,
)
from .same_file_row import AS_3_6, Row
from .scenario_texts import CALL, HEAD, OPTIONAL, ask, nop, recv, say, scenario, send

PAUSE = '<pause milliseconds="700"/>'
BYE = (ask("BYE", 2, attributes='retrans="500"'), recv(200))
LABEL = '<label id="late"/>'
LATE = (LABEL, ask("CANCEL"))
BEHIND_OPTIONAL = scenario(
    ask("INVITE"),
    recv(100, OPTIONAL),
    recv(180, OPTIONAL),
    recv(200, 'timeout="600" ontimeout="late"'),
    ask("ACK"),
    *LATE,
)
ROUTES = "Record-Route: <sip:p3;lr>, <sip:p2;lr>\r\nRecord-Route: <sip:p1;lr>\r\n"
MISS = '<ereg regexp="none" search_in="msg" check_it="true" assign_to="a"/>'
HIT = '<ereg regexp="SIP" search_in="msg" check_it_inverse="true" assign_to="a"/>'
ABSENT = '<ereg regexp="x" search_in="hdr" header="X-None:" check_it="true" assign_to="a"/>'
GOOD = '<ereg regexp="SIP" search_in="msg" check_it="true" assign_to="a"/>'


def checked(actions: str) -> str:
    """A file with a check in its first answer."""
    return scenario(ask("OPTIONS", 1), recv(200, actions=actions), ask("OPTIONS", 2, "X: [$a]\n"), recv(200))


MISTAKES = (
    '<?xml version="1.0" encoding="ISO-8859-1" ?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n'
    '<scenario name="a > b & c">\n<!-- one <!-- two -->\n text between elements\n'
    + ask("OPTIONS", 1, "X-A: caf\xe9\n").replace("<send", '<send retrans="500"crlf="true" retrans="9"')
    + '<recv response="200"> optional="true"\n</recv>\n<nop display="a > b &amp; c" />'
    + ask("OPTIONS", 2).replace("\n", "\r\n")
    + recv(200)
)
"""Without an end of `scenario`."""

ROWS = [
    Row(
        name="a response without To",
        file=scenario(ask("INVITE"), recv(200), ask("ACK")),
        play=answers_without("To"),
        names=["INVITE", "CANCEL"],
        failure=Failure.UNEXPECTED_MESSAGE,
    ),
    Row(
        name="a response without From",
        file=scenario(ask("INVITE"), recv(200), ask("ACK")),
        play=answers_without("From"),
        names=["INVITE", "ACK"],
    ),
    Row(
        name="1 blanks around lines",
        file=scenario(
            "<send><![CDATA[\n\n\n \t OPTIONS sip:b@[remote_ip] SIP/2.0  \n"
            + "\n".join(f"   \t{line}\t  " for line in HEAD.split("\n"))
            + "\n\t X-A: a \t\n \tX-B: b\t \n   CSeq: 1 OPTIONS\n   Content-Length: 0   \n\n\n\n  ]]></send>",
        ),
        play=hears(1),
        names=["OPTIONS"],
        octets=True,
    ),
    Row(
        name="2 length of an indented body",
        file=scenario(
            send(
                f"MESSAGE sip:b@[remote_ip] SIP/2.0\n{HEAD}\nCSeq: 1 MESSAGE\nContent-Length: [len]\n\n"
                "    first line\n      second\n  third  \n\n\n"
            ),
            recv(200),
        ),
        play=answers_each(count=1),
        names=["MESSAGE"],
        octets=True,
    ),
    Row(
        name="3 escapes and numbers",
        file=scenario(
            ask("OPTIONS", "[cseq]", "X: \\x5b \\x5d \\x41 [cseq+2] [call_number] [msg_index] [cseq] [pid]\n"),
            recv(200),
        ),
        play=answers_each(count=1),
        names=["OPTIONS"],
        octets=True,
    ),
    Row(
        name="4 headers of the last message",
        file=scenario(
            ask("OPTIONS", 1),
            recv(200),
            ask(
                "OPTIONS",
                2,
                "[last_X-A:]\n[last_None:]\nX-B: <[last_None:]>\nX-C: [last_x-b:]\n"
                "[last_Subject:]\n[last_Content-Type:]\n",
            ),
            recv(200),
        ),
        play=answers_each("X-a:one  \r\nx-a: two\r\nX-B: b\r\n  folded\r\ns: compact\r\nc: text/plain\r\n"),
        names=["OPTIONS", "OPTIONS"],
        octets=True,
    ),
    Row(
        name="5 branches",
        file=scenario(ask("INVITE"), recv(486), ask("ACK").replace("[branch]", "[branch-2]")),
        play=answers(486),
        names=["INVITE", "ACK"],
        octets=True,
    ),
    Row(
        name="6 numbers of CSeq",
        file=scenario(*[ask(each, "[cseq]") for each in ("OPTIONS", "ACK", "CANCEL", "OPTIONS", "OPTIONS")]),
        play=hears(5),
        names=["OPTIONS", "ACK", "CANCEL", "OPTIONS", "OPTIONS"],
        octets=True,
    ),
    Row(
        name="7 routes of a response",
        file=scenario(
            ask("INVITE"),
            recv(200, 'rrs="true"'),
            ask("BYE", 2, "[routes]\n").replace("sip:[service]@[remote_ip]:[remote_port] SIP", "[next_url] SIP"),
            recv(200),
        ),
        play=answers_each(ROUTES),
        names=["INVITE", "BYE"],
        octets=True,
    ),
    Row(
        name="7a a strict router",
        file=scenario(
            ask("INVITE"),
            recv(200, 'rrs="true"'),
            ask("BYE", 2, "[routes]\n").replace("sip:[service]@[remote_ip]:[remote_port] SIP", "[next_url] SIP"),
            recv(200),
        ),
        play=answers_each("Record-Route: <sip:p2;lr>, <sip:p1>\r\n"),
        names=["INVITE", "BYE"],
        octets=True,
    ),
    Row(
        name="7b target without routes kept",
        file=scenario(
            ask("OPTIONS", 1),
            recv(200),
            ask("OPTIONS", 2, "X: [last_Request_URI] [last_cseq_number] [last_cseq_number+1]\n").replace(
                "sip:[service]@[remote_ip]:[remote_port] SIP", "[next_url] SIP"
            ),
            recv(200),
        ),
        play=answers_each(),
        names=["OPTIONS", "OPTIONS"],
        octets=True,
    ),
    Row(
        name="9 no routes",
        file=scenario(ask("INVITE"), recv(200), ask("ACK", 1, "[routes]\n"), PAUSE),
        play=answers(200),
        names=["INVITE", "ACK"],
        octets=True,
    ),
    Row(
        name="11 fields",
        file=scenario(ask("OPTIONS", 1, "X: [field0]\n[field1]\nY: <[field2]>\n"), recv(200)),
        play=answers_each(count=3),
        names=["OPTIONS"] * 3,
        octets=True,
        injection="SEQUENTIAL\n# a comment\none;A: 1;x;\ntwo;B: 2;y;\nthree\n",
        options=["-l", "1", "-r", "2"],
        calls=3,
    ),
    Row(
        name="12 printed fields",
        file=scenario(ask("OPTIONS", 1, "X: [field0] [field1]\n"), recv(200)),
        play=answers_each(count=4),
        names=["OPTIONS"] * 4,
        octets=True,
        injection="SEQUENTIAL,PRINTF=3,PRINTFOFFSET=10,PRINTFMULTIPLE=2\nuser%04d;x\n",
        options=["-l", "1", "-r", "2"],
        calls=4,
    ),
    Row(
        name="12a a comma behind the mode",
        file=scenario(ask("OPTIONS", 1, "X: [field0] [field1]\n"), recv(200)),
        play=answers_each(count=3),
        names=["OPTIONS"] * 3,
        octets=True,
        injection="SEQUENTIAL,\none;x\ntwo;y\n",
        options=["-l", "1", "-r", "2"],
        calls=3,
    ),
    Row(
        name="13 a mandatory 180",
        file=scenario(ask("INVITE"), recv(180), recv(200), ask("ACK")),
        play=answers(200),
        names=["INVITE", "CANCEL"],
        failure=Failure.UNEXPECTED_MESSAGE,
    ),
    Row(
        name="14 provisional responses in disorder",
        file=scenario(*CALL, PAUSE),
        play=disorder,
        names=["INVITE", "ACK"],
    ),
    Row(
        name="15 refused",
        file=scenario(*CALL),
        play=answers(486),
        names=["INVITE", "ACK"],
        failure=Failure.UNEXPECTED_MESSAGE,
    ),
    Row(
        name="16 a label when nothing comes",
        file=scenario(ask("INVITE"), recv(200, 'timeout="600" ontimeout="late"'), ask("ACK"), *LATE),
        play=answers(),
        names=["INVITE", "CANCEL"],
        gaps=[0.6],
    ),
    Row(
        name="16a no label when nothing comes",
        file=scenario(ask("INVITE"), recv(200, 'timeout="600"'), ask("ACK")),
        play=answers(),
        names=["INVITE"],
        failure=Failure.RECV_TIMEOUT,
    ),
    Row(
        name="16b no label after a 180",
        file=scenario(ask("INVITE"), recv(180), recv(200, 'timeout="600"'), ask("ACK")),
        play=answers(180),
        names=["INVITE", "CANCEL"],
        failure=Failure.RECV_TIMEOUT,
    ),
    Row(
        name="17 a timeout behind optional ones, after the last",
        file=BEHIND_OPTIONAL,
        play=answers(180),
        names=["INVITE", "CANCEL"],
    ),
    Row(
        name="18 the third INVITE is answered",
        file=scenario(*CALL),
        play=third_invite,
        names=["INVITE", "INVITE", "INVITE", "ACK"],
        octets=True,
        gaps=[0.5, 1.0],
    ),
    Row(
        name="19 BYE in vain",
        file=scenario(ask("OPTIONS", 1), recv(200), ask("BYE", 2, attributes='retrans="100"'), recv(200)),
        play=answers(200),
        names=["OPTIONS", "BYE", "BYE", "BYE", "BYE"],
        failure=Failure.MAX_RETRANS,
        options=["-max_retrans", "3"],
        settings=replace(AS_3_6, other_repeats=3),
        octets=True,
    ),
    Row(
        name="20 a repeated 200",
        file=scenario(*CALL, PAUSE, *BYE),
        play=repeats_200,
        names=["INVITE", "ACK", "ACK", "ACK", "BYE"],
        octets=True,
    ),
    Row(
        name="21 BYE in a pause",
        file=scenario(*CALL, PAUSE, *BYE),
        play=in_pause("BYE"),
        names=["INVITE", "ACK", "200"],
        failure=Failure.UNEXPECTED_MESSAGE,
    ),
    Row(
        name="22 OPTIONS in a pause",
        file=scenario(*CALL, PAUSE, *BYE),
        play=in_pause("OPTIONS"),
        names=["INVITE", "ACK", "BYE"],
        failure=Failure.UNEXPECTED_MESSAGE,
    ),
    Row(
        name="22a OPTIONS in a pause with -aa",
        file=scenario(*CALL, PAUSE, *BYE),
        play=in_pause("OPTIONS"),
        names=["INVITE", "ACK", "200", "BYE"],
        options=["-aa"],
        settings=replace(AS_3_6, auto_answer=True),
    ),
    Row(
        name="23 groups of an expression",
        file=scenario(
            ask("OPTIONS", 1),
            recv(200, actions='<ereg regexp="X-A: ([[:alpha:]]*)([0-9]+)(.)" search_in="msg" assign_to="1,2,3,4"/>'),
            ask("OPTIONS", 2, "X: <[$1]> <[$2]> <[$3]> <[$4]>\n"),
            recv(200),
        ),
        play=answers_each("X-A: abc123def\r\n"),
        names=["OPTIONS", "OPTIONS"],
        octets=True,
    ),
    Row(
        name="24 the longest alternative",
        file=scenario(
            ask("OPTIONS", 1),
            recv(200, actions='<ereg regexp="abc|abc123" search_in="hdr" header="X-A:" assign_to="1"/>'),
            ask("OPTIONS", 2, "X: <[$1]>\n"),
            recv(200),
        ),
        play=answers_each("X-A: abc123def\r\n"),
        names=["OPTIONS", "OPTIONS"],
        octets=True,
    ),
    *[
        Row(
            name=f"25 {name}",
            file=checked(actions),
            play=answers_each("X: 1\r\n"),
            names=["OPTIONS", "OPTIONS"],
            failure=failure,
            octets=True,
        )
        for name, actions, failure in (
            ("a miss", MISS, Failure.REGEXP),
            ("a hit", HIT, Failure.REGEXP_MATCHED),
            ("an absent header", ABSENT, Failure.HEADER_MISSING),
            ("a good one after a bad one", MISS + GOOD, Failure.REGEXP),
        )
    ],
    Row(
        name="26 a loop",
        file=scenario(
            nop('<assign assign_to="n" value="0"/>'),
            '<label id="again"/>',
            ask("OPTIONS", "[cseq]", "X: <[$n]>\n"),
            recv(200),
            nop(
                '<add assign_to="n" value="1"/><test assign_to="more" variable="n" compare="less_than" value="3"/>',
                'next="again" test="more"',
            ),
        ),
        play=answers_each(count=3),
        names=["OPTIONS"] * 3,
        octets=True,
    ),
    Row(
        name="27 conditions",
        file=scenario(
            nop(
                '<assignstr assign_to="who" value="call [call_number]"/>'
                '<strcmp assign_to="order" variable="who" value="call 1"/>'
                '<test assign_to="same" variable="order" compare="equal" value="0"/>'
            ),
            ask("OPTIONS", 1, "X: <[$same]> <[$who]> <[$order]>\n", 'condexec="same"'),
            ask("OPTIONS", 2, attributes='condexec="same" condexec_inverse="true"'),
            recv(200),
        ),
        play=answers_later,  # SIPp takes a millisecond to skip a command
        names=["OPTIONS"],
        octets=True,
    ),
    Row(
        name="27a a skipped command takes its next",
        file=scenario(
            ask("OPTIONS", 1, attributes='condexec="no" next="end"'),
            ask("OPTIONS", 2),
            '<label id="end"/>',
            ask("OPTIONS", 3),
            nop('<test assign_to="no" variable="never" compare="equal" value="3"/>', 'condexec="never"'),
        ),
        play=hears(1),
        names=["OPTIONS"],
        octets=True,
    ),
    Row(
        name="28 a global command in a pause",
        file=scenario(
            ask("INVITE"),
            recv("INFO", 'optional="global" next="answer"'),
            recv(200),
            ask("ACK"),
            PAUSE,
            nop('<log message="end"/>', 'next="wait"'),
            '<label id="answer"/>',
            say(200),
            '<label id="wait"/>',
            '<pause milliseconds="200"/>',
            *BYE,
        ),
        play=in_pause("INFO"),
        names=["INVITE", "ACK", "200", "BYE"],
    ),
    Row(
        name="28a the label of unexpected messages",
        file=scenario(
            *CALL,
            PAUSE,
            ask("BYE", 2),
            recv(200, 'next="over"'),
            '<label id="_unexp.main"/>',
            recv("INFO"),
            say(200),
            nop('<jump variable="_unexp.retaddr"/>'),
            '<label id="over"/>',
            '<pause milliseconds="100"/>',
        ),
        play=in_pause("INFO"),
        names=["INVITE", "ACK", "200", "BYE"],
    ),
    Row(
        name="31 transactions",
        file=scenario(
            ask("INVITE", 1, attributes='start_txn="call"'),
            ask("OPTIONS", 2, attributes='start_txn="question"'),
            recv(200, 'response_txn="call"', ""),
            ask("ACK", 1, attributes='ack_txn="call"'),
            recv(200, 'response_txn="question"'),
            PAUSE,
        ),
        play=in_order,
        names=["INVITE", "OPTIONS", "ACK", "ACK"],
        octets=True,
    ),
    Row(
        name="31a an answer to the other transaction",
        file=scenario(
            ask("OPTIONS", 1, attributes='start_txn="first"'),
            ask("OPTIONS", 2, attributes='start_txn="second"'),
            recv(200, 'response_txn="first"'),
            recv(200, 'response_txn="second"'),
        ),
        play=second_first,
        names=["OPTIONS", "OPTIONS", "BYE"],
        failure=Failure.UNEXPECTED_MESSAGE,
    ),
    Row(
        name="32 a prefix before the Call-ID",
        file=scenario(ask("OPTIONS").replace("[call_id]", "abc///[call_id]"), recv(200)),
        play=answers_each(count=1),
        names=["OPTIONS"],
        octets=True,
    ),
    Row(
        name="33 messages of actions speak of the message that came",
        file=scenario(
            ask("OPTIONS", 1),
            recv(200),
            ask("OPTIONS", 2),
            recv(200, actions='<assignstr assign_to="a" value="[last_CSeq:]"/>'),
            ask("OPTIONS", 3, "X: [$a]\n"),
        ),
        play=answers_each(),
        names=["OPTIONS"] * 3,
        octets=True,
    ),
    Row(
        name="33a pauses",
        file=scenario(
            nop('<assign assign_to="wait" value="300"/>'),
            ask("OPTIONS", 1),
            '<pause variable="wait"/>',
            '<pause distribution="uniform" min="100" max="200"/>',
            '<pause milliseconds="100"/>',
            "<pause/>",
            ask("OPTIONS", 2),
        ),
        play=hears(2),
        names=["OPTIONS", "OPTIONS"],
        octets=True,
        options=["-d", "400"],
        settings=replace(AS_3_6, pause=0.4),
        gaps=[0.9],
    ),
    Row(
        name="34 a message in timewait",
        file=scenario(*CALL, *BYE, '<timewait milliseconds="700"/>'),
        play=in_timewait,
        names=["INVITE", "ACK", "BYE", "BYE"],
        failure=Failure.UNEXPECTED_MESSAGE,
    ),
    Row(
        name="35 OPTIONS in a pause with -nd",
        file=scenario(*CALL, PAUSE, *BYE),
        play=in_pause("OPTIONS"),
        names=["INVITE", "ACK", "BYE"],
        options=["-nd"],
        settings=replace(AS_3_6, behaviours=frozenset()),
    ),
    Row(
        name="35a OPTIONS in a pause without BYE",
        file=scenario(*CALL, PAUSE, *BYE),
        play=in_pause("OPTIONS"),
        names=["INVITE", "ACK"],
        failure=Failure.UNEXPECTED_MESSAGE,
        options=["-default_behaviors", "all,-bye"],
        settings=replace(AS_3_6, behaviours=AS_3_6.behaviours - {Behaviour.BYE}),
    ),
    Row(
        name="35b BYE in a pause without BYE",
        file=scenario(*CALL, PAUSE, *BYE),
        play=in_pause("BYE"),
        names=["INVITE", "ACK"],
        failure=Failure.UNEXPECTED_MESSAGE,
        options=["-default_behaviors", "all,-bye"],
        settings=replace(AS_3_6, behaviours=AS_3_6.behaviours - {Behaviour.BYE}),
    ),
    Row(
        name="35c BYE in a pause with -nd",
        file=scenario(*CALL, PAUSE, *BYE),
        play=in_pause("BYE"),
        names=["INVITE", "ACK", "BYE"],
        options=["-nd"],
        settings=replace(AS_3_6, behaviours=frozenset()),
    ),
    Row(
        name="35d no label after a 180 without BYE",
        file=scenario(ask("INVITE"), recv(180), recv(200, 'timeout="600"'), ask("ACK")),
        play=answers(180),
        names=["INVITE"],
        failure=Failure.RECV_TIMEOUT,
        options=["-default_behaviors", "all,-bye"],
        settings=replace(AS_3_6, behaviours=AS_3_6.behaviours - {Behaviour.BYE}),
    ),
    Row(
        name="37 a jump in a recv",
        file=scenario(
            ask("OPTIONS", 1), recv(200, actions='<jump value="3"/>'), ask("OPTIONS", 2), ask("OPTIONS", 3), recv(200)
        ),
        play=answers_first_and_third,
        names=["OPTIONS", "OPTIONS", "OPTIONS"],
    ),
    Row(
        name="38 a late 100 ends the repetition of a BYE",
        file=scenario(*CALL, ask("BYE", 2, attributes='retrans="200"'), recv(100, OPTIONAL), recv(200)),
        play=late_100,
        names=["INVITE", "ACK", "BYE"],
    ),
    Row(
        name="39 advance_state",
        file=scenario(
            ask("INVITE"),
            recv(180, 'optional="true" advance_state="false"'),
            recv(200),
            ask("ACK", 1, "X: [last_X:]\n"),
        ),
        play=twice_180,
        names=["INVITE", "ACK"],
        octets=True,
    ),
    Row(
        name="40 stop_call in a recv",
        file=scenario(ask("INVITE"), recv(200, actions='<exec int_cmd="stop_call"/>'), ask("ACK")),
        play=answers(200),
        names=["INVITE"],
        failure=Failure.STOPPED,
    ),
    Row(
        name="40a stop_call in a nop",
        file=scenario(ask("INVITE"), recv(200), nop('<exec int_cmd="stop_call"/>'), ask("ACK")),
        play=answers(200),
        names=["INVITE", "ACK"],
    ),
    Row(
        name="41 a label after the last repetition",
        file=scenario(ask("BYE", attributes='retrans="100" ontimeout="late"'), recv(200), LABEL, ask("OPTIONS", 2)),
        play=answers(),
        names=["BYE", "BYE", "OPTIONS"],
        options=["-max_retrans", "1"],
        settings=replace(AS_3_6, other_repeats=1),
    ),
    Row(
        name="42 an optional one whose variable is not set",
        file=scenario(
            ask("INVITE"),
            recv(180, 'optional="true" next="ringing" test="never"'),
            recv(200, 'timeout="500" ontimeout="late"'),
            ask("ACK"),
            '<label id="ringing"/>',
            LABEL,
            nop('<test assign_to="never" variable="n" compare="equal" value="3"/>', 'condexec="n"'),
            ask("CANCEL"),
        ),
        play=answers(180, 200),
        names=["INVITE", "ACK", "CANCEL"],
    ),
    Row(
        name="45 the first CSeq, and one that was received",
        file=scenario(ask("OPTIONS", "[cseq]"), recv("INFO"), ask("OPTIONS", "[cseq]")),
        play=sends_info,
        names=["OPTIONS", "OPTIONS"],
        octets=True,
        options=["-base_cseq", "100"],
        settings=replace(AS_3_6, base_cseq=100),
    ),
    Row(
        name="46 a 200 without ACK so far",
        file=scenario(ask("INVITE"), recv(200), PAUSE, ask("ACK")),
        play=info_before_ack,
        names=["INVITE", "ACK", "BYE"],
        failure=Failure.UNEXPECTED_MESSAGE,
    ),
    Row(
        name="47 loose recognition",
        file=scenario(ask("OPTIONS", 1), recv(200), ask("OPTIONS", 2), recv(202)),
        play=again_with_other_header,
        names=["OPTIONS", "OPTIONS", "OPTIONS"],
        options=["-rtcheck", "loose"],
        settings=replace(AS_3_6, loose=True),
    ),
    Row(
        name="48 messages in a pause are ignored",
        file=scenario(*CALL, PAUSE, *BYE),
        play=in_pause("OPTIONS"),
        names=["INVITE", "ACK", "BYE"],
        options=["-pause_msg_ign"],
        settings=replace(AS_3_6, ignored_in_pause=True),
    ),
    Row(
        name="10 a challenge",
        file=scenario(
            ask("REGISTER", 1),
            recv(401, 'auth="true"'),
            ask("REGISTER", 2, "[authentication username=joe password=secret]\n"),
            recv(200),
        ),
        play=challenges("WWW-Authenticate", "Authorization", 401),
        names=["REGISTER", "REGISTER"],
        octets=True,
    ),
    Row(
        name="10a a challenge of a proxy",
        file=scenario(
            ask("INVITE", 1),
            recv(407, 'auth="true"'),
            ask("INVITE", 2, "[authentication username=joe password=secret]\n"),
            recv(200),
        ),
        play=challenges("Proxy-Authenticate", "Proxy-Authorization", 407),
        names=["INVITE", "INVITE"],
        octets=True,
    ),
    Row(
        name="50 two keywords on a line of which the first vanishes",
        file=scenario(
            ask("OPTIONS", 1),
            recv(200),
            ask("OPTIONS", 2, "[last_None:][last_X-A:]\nX-B: b\n[last_X-A]\n"),
            recv(200),
        ),
        play=answers_each("X-A: one\r\n"),
        names=["OPTIONS", "OPTIONS"],
        octets=True,
    ),
    Row(
        name="51 a keyword that vanishes before the empty line",
        file=scenario(
            ask("OPTIONS", 1),
            recv(200),
            send(f"OPTIONS sip:b@[remote_ip] SIP/2.0\n{HEAD}\nCSeq: 2 OPTIONS\n[last_None:]\n\nX-A: a\n"),
            recv(200),
        ),
        play=answers_each(),
        names=["OPTIONS", "OPTIONS"],
        octets=True,
    ),
    Row(
        name="52 offsets",
        file=scenario(
            ask("OPTIONS", 1),
            recv(200),
            ask(
                "OPTIONS",
                "[cseq]",
                "X: [branch-2] [branch+1] [call_number+1] [msg_index+1] [last_cseq_number+5] [cseq-1]\n",
            ),
            recv(200),
        ),
        play=answers_each(),
        names=["OPTIONS", "OPTIONS"],
        octets=True,
    ),
    Row(
        name="52a the length of no body",
        file=scenario(
            send(f"OPTIONS sip:b@[remote_ip] SIP/2.0\n{HEAD}\nCSeq: 1 OPTIONS\nContent-Length: [len]"), recv(200)
        ),
        play=answers_each(count=1),
        names=["OPTIONS"],
        octets=True,
    ),
    Row(
        name="53 mistakes of markup",
        file=MISTAKES,
        play=answers_each(),
        names=["OPTIONS", "OPTIONS"],
        octets=True,
    ),
]
