"""Client transactions: both tables in full, every state with every input, and the timers to the millisecond."""

import pytest

from sipswarm.sipcore.errors import LocalProtocolError
from sipswarm.sipcore.message.messages import Request, Response
from sipswarm.sipcore.message.parser import parse
from sipswarm.sipcore.transaction.client_transaction import (
    INVITE_TABLE,
    NON_INVITE_TABLE,
    ClientAction,
    ClientInput,
    ClientState,
    ClientTransaction,
    cancel_request,
    failure_ack,
)
from sipswarm.sipcore.transaction.timers import TimerSettings

S, In, A = ClientState, ClientInput, ClientAction
TIMERS = TimerSettings()
BRANCH = "z9hG4bKabcdef"


def request(method: str = "INVITE") -> Request:
    return Request.build(
        method,
        "sip:bob@192.0.2.2",
        [
            ("Via", f"SIP/2.0/UDP 192.0.2.1:5060;branch={BRANCH};rport"),
            ("Max-Forwards", "70"),
            ("Route", "<sip:proxy.example.org;lr>"),
            ("From", "<sip:alice@192.0.2.1>;tag=a"),
            ("To", "<sip:bob@192.0.2.2>"),
            ("Call-ID", "1@192.0.2.1"),
            ("CSeq", f"7 {method}"),
        ],
    )


def response(status: int, method: str = "INVITE", branch: str = BRANCH) -> Response:
    return Response.build(
        status,
        None,
        [
            ("Via", f"SIP/2.0/UDP 192.0.2.1:5060;branch={branch};rport=5060"),
            ("From", "<sip:alice@192.0.2.1>;tag=a"),
            ("To", "<sip:bob@192.0.2.2>;tag=b"),
            ("Call-ID", "1@192.0.2.1"),
            ("CSeq", f"7 {method}"),
        ],
    )


def transaction(method: str = "INVITE", *, reliable: bool = False) -> ClientTransaction:
    asked = request(method)
    return ClientTransaction(asked.to_bytes(), method, asked.branch, reliable=reliable, timers=TIMERS, now=0.0)


def brought_to(state: ClientState, method: str) -> ClientTransaction:
    """A transaction in a state that its machine has."""
    made = transaction(method)
    if state is S.PROCEEDING:
        made.receive(response(100, method), 0.0)
    elif state is S.COMPLETED:
        made.receive(response(486, method), 0.0)
    elif state is S.ACCEPTED:
        made.receive(response(200, method), 0.0)
    elif state is S.TERMINATED:
        made.transport_failed(0.0)
    assert made.state is state
    return made


def feed(made: ClientTransaction, what: ClientInput, method: str) -> ClientAction:
    """Give an input, timers by letting all time pass that they need."""
    statuses = {In.PROVISIONAL: 180, In.SUCCESS: 200, In.FAILURE: 404}
    if what in statuses:
        return made.receive(response(statuses[what], method), 0.0)
    if what is In.TRANSPORT_ERROR:
        return made.transport_failed(0.0)
    return made._step(what, 0.0)


INVITE_STATES = (S.CALLING, S.PROCEEDING, S.COMPLETED, S.ACCEPTED, S.TERMINATED)
NON_INVITE_STATES = (S.TRYING, S.PROCEEDING, S.COMPLETED, S.TERMINATED)


@pytest.mark.parametrize("what", list(In), ids=lambda what: what.name)
@pytest.mark.parametrize("state", INVITE_STATES, ids=lambda state: state.name)
def test_invite_machine_does_what_its_table_says_for_every_pair(state: ClientState, what: ClientInput) -> None:
    made = brought_to(state, "INVITE")
    entered, action = INVITE_TABLE.get((state, what), (state, A.IGNORE))
    assert feed(made, what, "INVITE") is action
    assert made.state is entered


@pytest.mark.parametrize("what", list(In), ids=lambda what: what.name)
@pytest.mark.parametrize("state", NON_INVITE_STATES, ids=lambda state: state.name)
def test_non_invite_machine_does_what_its_table_says_for_every_pair(state: ClientState, what: ClientInput) -> None:
    made = brought_to(state, "BYE")
    entered, action = NON_INVITE_TABLE.get((state, what), (state, A.IGNORE))
    assert feed(made, what, "BYE") is action
    assert made.state is entered


# (state, input) -> (next, action) written once more from the RFC's figures, so that the table cannot drift.
FIGURE_5 = """
CALLING PROVISIONAL PROCEEDING DELIVER
CALLING SUCCESS ACCEPTED DELIVER
CALLING FAILURE COMPLETED DELIVER_AND_ACK
CALLING RETRANSMIT CALLING SEND
CALLING TIMEOUT TERMINATED TIME_OUT
CALLING TRANSPORT_ERROR TERMINATED FAIL
PROCEEDING PROVISIONAL PROCEEDING DELIVER
PROCEEDING SUCCESS ACCEPTED DELIVER
PROCEEDING FAILURE COMPLETED DELIVER_AND_ACK
PROCEEDING TIMEOUT TERMINATED TIME_OUT
COMPLETED FAILURE COMPLETED ACK
COMPLETED EXPIRY TERMINATED END
COMPLETED TRANSPORT_ERROR TERMINATED END
ACCEPTED SUCCESS ACCEPTED DELIVER
ACCEPTED EXPIRY TERMINATED END
"""
FIGURE_6 = """
TRYING PROVISIONAL PROCEEDING DELIVER
TRYING SUCCESS COMPLETED DELIVER
TRYING FAILURE COMPLETED DELIVER
TRYING RETRANSMIT TRYING SEND
TRYING TIMEOUT TERMINATED TIME_OUT
TRYING TRANSPORT_ERROR TERMINATED FAIL
PROCEEDING PROVISIONAL PROCEEDING DELIVER
PROCEEDING SUCCESS COMPLETED DELIVER
PROCEEDING FAILURE COMPLETED DELIVER
PROCEEDING RETRANSMIT PROCEEDING SEND
PROCEEDING TIMEOUT TERMINATED TIME_OUT
PROCEEDING TRANSPORT_ERROR TERMINATED FAIL
COMPLETED EXPIRY TERMINATED END
"""


@pytest.mark.parametrize(("figure", "table"), [(FIGURE_5, INVITE_TABLE), (FIGURE_6, NON_INVITE_TABLE)])
def test_tables_are_the_figures_of_the_rfc(
    figure: str, table: dict[tuple[ClientState, ClientInput], tuple[ClientState, ClientAction]]
) -> None:
    rows = [line.split() for line in figure.split("\n") if line]
    assert {(S[a], In[b]): (S[c], A[d]) for a, b, c, d in rows} == table


def sendings(made: ClientTransaction, until: float = 100.0) -> tuple[list[float], float, ClientAction]:
    """When it was sent, and when and how it ended."""
    times = [0.0]
    while (due := made.deadline) is not None and due <= until:
        action = made.handle_timer(due)
        if action is A.SEND:
            times.append(due)
        else:
            return times, due, action
    return times, until, A.IGNORE


#  caller            wire
#    | INVITE ------> x   0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5 s
#    |  408 (local)       32 s
TIMINGS = [
    ("INVITE", False, None, [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5], 32.0, A.TIME_OUT),
    ("INVITE", True, None, [0], 32.0, A.TIME_OUT),
    ("BYE", False, None, [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5], 32.0, A.TIME_OUT),
    ("BYE", True, None, [0], 32.0, A.TIME_OUT),
    # 17.1.2.2: after a 1xx timer E runs at T2, and timer F goes on.
    ("BYE", False, 100, [0, 0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5], 32.0, A.TIME_OUT),
    ("INVITE", False, 180, [0], 100.0, A.IGNORE),
    ("INVITE", False, 486, [0], 32.0, A.END),  # timer D
    ("INVITE", True, 486, [0], 0.0, A.END),
    ("INVITE", False, 200, [0], 32.0, A.END),  # timer M
    ("INVITE", True, 200, [0], 32.0, A.END),
    ("BYE", False, 200, [0], 5.0, A.END),  # timer K
    ("BYE", True, 200, [0], 0.0, A.END),
]


@pytest.mark.parametrize(("method", "reliable", "status", "times", "end", "how"), TIMINGS)
def test_timers_a_to_m_fire_to_the_millisecond(
    method: str, reliable: bool, status: int | None, times: list[float], end: float, how: ClientAction
) -> None:
    made = transaction(method, reliable=reliable)
    if status is not None:
        made.receive(response(status, method), 0.0)
    assert sendings(made) == (times, end, how)


def test_a_late_timer_fires_once_and_not_in_a_burst() -> None:
    made = transaction()
    assert made.handle_timer(20.0) is A.SEND
    assert made.due == 21.0
    assert made.handle_timer(20.0) is A.IGNORE


def test_a_response_belongs_by_branch_and_method() -> None:
    made = transaction()
    assert made.key == (BRANCH, "INVITE")
    assert made.matches(response(200))
    assert not made.matches(response(200, branch="z9hG4bKother"))
    assert not made.matches(response(200, "CANCEL"))


def test_the_ack_of_a_failure_repeats_via_route_and_number_and_takes_the_to_tag() -> None:
    made = transaction()
    assert made.receive(response(486), 1.0) is A.DELIVER_AND_ACK
    ack = parse(made.ack)
    assert isinstance(ack, Request)
    assert (ack.method, ack.uri, ack.cseq.number, ack.to_tag) == ("ACK", "sip:bob@192.0.2.2", 7, "b")
    assert ack.headers.get("Via") == request().headers.get("Via")
    assert ack.headers.get("Route") == "<sip:proxy.example.org;lr>"
    assert ack.headers.get("Max-Forwards") == "70"
    assert made.receive(response(486), 2.0) is A.ACK


def test_a_cancel_is_the_invite_without_to_tag() -> None:
    cancel = parse(cancel_request(transaction().data, "Reason: SIP;cause=200\r\n"))
    assert isinstance(cancel, Request)
    assert (cancel.method, cancel.cseq.number, cancel.to_tag, cancel.branch) == ("CANCEL", 7, None, BRANCH)
    assert cancel.headers.get("Reason") == "SIP;cause=200"


def test_only_requests_are_acknowledged_or_cancelled() -> None:
    data = response(200).to_bytes()
    with pytest.raises(LocalProtocolError):
        failure_ack(data, response(486))
    with pytest.raises(LocalProtocolError):
        cancel_request(data)


def test_the_wait_after_a_cancel_is_bounded_but_not_after_the_final_response() -> None:
    made = brought_to(S.PROCEEDING, "INVITE")
    assert made.deadline is None
    made.give_up_at(32.0)
    assert made.due == 32.0
    assert made.handle_timer(32.0) is A.TIME_OUT
    done = brought_to(S.COMPLETED, "INVITE")
    done.give_up_at(1.0)
    assert done.deadline == 32.0


def test_what_the_table_does_not_know_is_counted() -> None:
    made = brought_to(S.COMPLETED, "BYE")
    assert made.receive(response(200, "BYE"), 0.0) is A.IGNORE
    assert made.ignored == 1


@pytest.mark.parametrize("method", ["INVITE", "BYE"])
def test_a_request_without_a_response_is_sent_once_more_when_every_connection_is_gone(method: str) -> None:
    sent = transaction(method, reliable=True)
    sent.connections_lost(3.0)
    assert sent.due == 3.0
    assert sent.handle_timer(3.0) is A.SEND
    assert sent.due == 32.0  # timer B or F goes on as before
    assert sent.handle_timer(32.0) is A.TIME_OUT


@pytest.mark.parametrize("method", ["INVITE", "BYE"])
@pytest.mark.parametrize("status", [180, 200, 486])
def test_a_request_with_a_response_and_one_over_udp_are_not_sent_again(method: str, status: int) -> None:
    answered = transaction(method, reliable=True)
    answered.receive(response(status, method), 1.0)
    before = answered.due
    answered.connections_lost(3.0)
    assert answered.due == before
    repeating = transaction(method)
    repeating.connections_lost(0.2)
    assert repeating.due == 0.5
