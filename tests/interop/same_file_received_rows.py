"""Scenario files whose calls the peer begins, and what SIPp 3.6.1 does with each: rows of `test_same_file`."""

from sipswarm.actors.sipp.call.statistics import Failure

from .peer_plays import calls, invites_with_routes, one_after_the_other
from .same_file_row import Row
from .scenario_texts import ask, recv, say, scenario

PAUSE = '<pause milliseconds="700"/>'

ROWS = [
    Row(
        name="8 routes of a request",
        file=scenario(
            recv("INVITE", 'rrs="true"'),
            say(200),
            recv("ACK"),
            ask("BYE", 2, "[routes]\n").replace("sip:[service]@[remote_ip]:[remote_port] SIP", "[next_url] SIP"),
            recv(200),
        ),
        play=invites_with_routes,
        names=["200", "BYE"],
        octets=True,
        peer_begins=True,
    ),
    Row(
        name="11a rows of users, whom a received call is none of",
        file=scenario(
            recv("OPTIONS"),
            say(200, "X: <[field0]> <[field1]> [userid] [users]\nY: <[field0 line=1]> <[field0 line=7]>\n"),
        ),
        play=one_after_the_other(
            calls(("OPTIONS", 1, 0.3), call_id="first"), calls(("OPTIONS", 1, 0.3), call_id="second")
        ),
        names=["200", "200"],
        injection="USER\nalice;1\nbob;2\n",
        calls=2,
        octets=True,
        peer_begins=True,
    ),
    Row(
        name="29 a repeated INVITE",
        file=scenario(recv("INVITE"), say(200), recv("ACK"), PAUSE),
        play=calls(("INVITE", 1, 0.2), ("INVITE", 1, 0.2), ("ACK", 1, 0.2)),
        names=["200", "200"],
        octets=True,
        peer_begins=True,
    ),
    Row(
        name="29a a repeated INVITE after 180 and 200",
        file=scenario(recv("INVITE"), say(180), say(200), recv("ACK"), PAUSE),
        play=calls(("INVITE", 1, 0.2), ("INVITE", 1, 0.2), ("ACK", 1, 0.2)),
        names=["180", "200"],
        failure=Failure.UNEXPECTED_MESSAGE,
        peer_begins=True,
    ),
    Row(
        name="29b a late ACK",
        file=scenario(recv("INVITE"), say(200, attributes='retrans="300"'), recv("ACK"), PAUSE),
        play=calls(("INVITE", 1, 0.5), ("ACK", 1, 0.2)),
        names=["200", "200"],
        octets=True,
        peer_begins=True,
    ),
    Row(
        name="30 OPTIONS where an INVITE is expected",
        file=scenario(recv("INVITE"), say(200), recv("ACK")),
        play=calls(("OPTIONS", 1, 0.5)),
        names=[],
        failure=Failure.UNEXPECTED_MESSAGE,
        peer_begins=True,
    ),
    Row(
        name="30a BYE where an ACK is expected",
        file=scenario(recv("INVITE"), say(200), recv("ACK")),
        play=calls(("INVITE", 1, 0.2), ("BYE", 2, 0.5)),
        names=["200", "200"],
        failure=Failure.UNEXPECTED_MESSAGE,
        peer_begins=True,
    ),
    Row(
        name="30b keywords of a receiving file",
        file=scenario(
            recv("OPTIONS"),
            say(200, "X: <[remote_ip]> [remote_port] [service] [call_number] [call_id] [users] [cseq]\n"),
        ),
        play=calls(("OPTIONS", 7, 0.3)),
        names=["200"],
        octets=True,
        peer_begins=True,
    ),
    Row(
        name="30c the prefix of a received Call-ID",
        file=scenario(recv("OPTIONS"), say(200, "X: [call_id]\n")),
        play=calls(("OPTIONS", 1, 0.3), call_id="abc///peer-2"),
        names=["200"],
        octets=True,
        peer_begins=True,
    ),
    Row(
        name="30d the call behind one that has failed",
        file=scenario(recv("INVITE"), say(200), recv("ACK")),
        play=one_after_the_other(
            calls(("OPTIONS", 1, 0.3), call_id="first"), calls(("INVITE", 1, 0.2), ("ACK", 1, 0.3), call_id="second")
        ),
        names=["200"],
        failure=Failure.UNEXPECTED_MESSAGE,
        calls=2,
        peer_begins=True,
    ),
    Row(
        name="30e requests of any method begin a call",
        file=scenario(recv("[A-Z]+", 'regexp_match="true"'), say(200)),
        play=one_after_the_other(
            *[calls((method, 1, 0.2), call_id=method) for method in ("REGISTER", "SUBSCRIBE", "MESSAGE", "BYE")]
        ),
        names=["200"] * 4,
        octets=True,
        calls=4,
        peer_begins=True,
    ),
    Row(
        name="43 CANCEL of the peer",
        file=scenario(recv("INVITE"), say(180), PAUSE, say(200), recv("ACK")),
        play=calls(("INVITE", 1, 0.2), ("CANCEL", 1, 0.5)),
        names=["180", "200"],
        failure=Failure.UNEXPECTED_MESSAGE,
        peer_begins=True,
    ),
    Row(
        name="44 an ACK of another INVITE",
        file=scenario(recv("INVITE"), say(200), recv("ACK"), '<pause milliseconds="100"/>'),
        play=calls(("INVITE", 1, 0.2), ("ACK", 5, 0.5)),
        names=["200"],
        peer_begins=True,
    ),
]
