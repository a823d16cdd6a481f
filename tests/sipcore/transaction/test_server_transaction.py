"""Server transactions: both tables in full, every state with every input, keys, and the timers to the millisecond."""

import pytest

from sipswarm.sipcore.errors import LocalProtocolError
from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.transaction.server_transaction import (
    INVITE_TABLE,
    NON_INVITE_TABLE,
    ServerAction,
    ServerInput,
    ServerState,
    ServerTransaction,
    transaction_key,
)
from sipswarm.sipcore.transaction.timers import TimerSettings

S, In, A = ServerState, ServerInput, ServerAction
TIMERS = TimerSettings()


def request(
    method: str = "INVITE",
    *,
    branch: str = "z9hG4bKabcdef",
    sent_by: str = "192.0.2.1:5060",
    to_tag: str = "",
    number: int = 1,
    uri: str = "sip:bob@192.0.2.2",
    via: str = "",
) -> Request:
    to = "<sip:bob@192.0.2.2>" + (f";tag={to_tag}" if to_tag else "")
    return Request.build(
        method,
        uri,
        [
            ("Via", via or f"SIP/2.0/UDP {sent_by};branch={branch}"),
            ("From", "<sip:alice@192.0.2.1>;tag=a"),
            ("To", to),
            ("Call-ID", "1@192.0.2.1"),
            ("CSeq", f"{number} {method}"),
        ],
    )


def transaction(method: str = "INVITE", *, reliable: bool = False) -> ServerTransaction:
    key = transaction_key(request(method))
    return ServerTransaction(key, method, reliable=reliable, timers=TIMERS, now=0.0)


def brought_to(state: ServerState, method: str) -> ServerTransaction:
    """A transaction in a state that its machine has, with a last response where it can have one."""
    made = transaction(method)
    if state is S.PROCEEDING:
        made.respond(100, b"100", 0.0)
    elif state is S.COMPLETED:
        made.respond(486, b"486", 0.0)
    elif state is S.CONFIRMED:
        made.respond(486, b"486", 0.0)
        made.receive(request("ACK"), 0.0)
    elif state is S.ACCEPTED:
        made.respond(200, b"200", 0.0)
    elif state is S.TERMINATED:
        made.respond(486, b"486", 0.0)
        made.handle_timer(1000.0)
    assert made.state is state
    return made


def feed(made: ServerTransaction, what: ServerInput, method: str) -> ServerAction | None:
    """Give an input; None for an answer that the state forbids."""
    statuses = {In.PROVISIONAL: 100, In.SUCCESS: 200, In.FAILURE: 404}
    if what in statuses:
        try:
            return made.respond(statuses[what], b"x", 0.0)
        except LocalProtocolError:
            return None
    if what is In.REQUEST:
        return made.receive(request(method), 0.0)
    if what is In.ACK:
        return made.receive(request("ACK"), 0.0)
    if what is In.TRANSPORT_ERROR:
        return made.transport_failed(0.0)
    return made._step(what, 0.0)


INVITE_STATES = (S.PROCEEDING, S.COMPLETED, S.CONFIRMED, S.ACCEPTED, S.TERMINATED)
NON_INVITE_STATES = (S.TRYING, S.PROCEEDING, S.COMPLETED, S.TERMINATED)
ANSWERS = (In.PROVISIONAL, In.SUCCESS, In.FAILURE)


def expected(
    table: dict[tuple[ServerState, ServerInput], tuple[ServerState, ServerAction]],
    state: ServerState,
    what: ServerInput,
) -> tuple[ServerState, ServerAction | None]:
    found = table.get((state, what))
    if found is not None:
        return found
    return state, None if what in ANSWERS else A.IGNORE


@pytest.mark.parametrize("what", list(In), ids=lambda what: what.name)
@pytest.mark.parametrize("state", INVITE_STATES, ids=lambda state: state.name)
def test_invite_machine_does_what_its_table_says_for_every_pair(state: ServerState, what: ServerInput) -> None:
    made = brought_to(state, "INVITE")
    entered, action = expected(INVITE_TABLE, state, what)
    assert feed(made, what, "INVITE") is action
    assert made.state is entered


@pytest.mark.parametrize("what", list(In), ids=lambda what: what.name)
@pytest.mark.parametrize("state", NON_INVITE_STATES, ids=lambda state: state.name)
def test_non_invite_machine_does_what_its_table_says_for_every_pair(state: ServerState, what: ServerInput) -> None:
    made = brought_to(state, "BYE")
    entered, action = expected(NON_INVITE_TABLE, state, what)
    assert feed(made, what, "BYE") is action
    assert made.state is entered


FIGURE_7 = """
PROCEEDING REQUEST PROCEEDING SEND
PROCEEDING PROVISIONAL PROCEEDING SEND
PROCEEDING SUCCESS ACCEPTED SEND
PROCEEDING FAILURE COMPLETED SEND
PROCEEDING TRANSPORT_ERROR PROCEEDING FAIL
COMPLETED REQUEST COMPLETED SEND
COMPLETED RETRANSMIT COMPLETED SEND
COMPLETED ACK CONFIRMED CONFIRM
COMPLETED TIMEOUT TERMINATED TIME_OUT
COMPLETED TRANSPORT_ERROR COMPLETED FAIL
CONFIRMED REQUEST CONFIRMED IGNORE
CONFIRMED ACK CONFIRMED IGNORE
CONFIRMED EXPIRY TERMINATED END
ACCEPTED REQUEST ACCEPTED IGNORE
ACCEPTED SUCCESS ACCEPTED SEND
ACCEPTED ACK ACCEPTED DELIVER_ACK
ACCEPTED EXPIRY TERMINATED END
ACCEPTED TRANSPORT_ERROR ACCEPTED FAIL
"""
FIGURE_8 = """
TRYING REQUEST TRYING IGNORE
TRYING PROVISIONAL PROCEEDING SEND
TRYING SUCCESS COMPLETED SEND
TRYING FAILURE COMPLETED SEND
TRYING SLOW TRYING SEND_TRYING
TRYING TIMEOUT TERMINATED END
TRYING TRANSPORT_ERROR TRYING FAIL
PROCEEDING REQUEST PROCEEDING SEND
PROCEEDING PROVISIONAL PROCEEDING SEND
PROCEEDING SUCCESS COMPLETED SEND
PROCEEDING FAILURE COMPLETED SEND
PROCEEDING TIMEOUT TERMINATED END
PROCEEDING TRANSPORT_ERROR PROCEEDING FAIL
COMPLETED REQUEST COMPLETED SEND
COMPLETED EXPIRY TERMINATED END
COMPLETED TRANSPORT_ERROR COMPLETED FAIL
"""


@pytest.mark.parametrize(("figure", "table"), [(FIGURE_7, INVITE_TABLE), (FIGURE_8, NON_INVITE_TABLE)])
def test_tables_are_the_figures_of_the_rfc(
    figure: str, table: dict[tuple[ServerState, ServerInput], tuple[ServerState, ServerAction]]
) -> None:
    rows = [line.split() for line in figure.split("\n") if line]
    assert {(S[a], In[b]): (S[c], A[d]) for a, b, c, d in rows} == table


def history(made: ServerTransaction, until: float = 100.0) -> list[tuple[float, str]]:
    """What its timers do, and when."""
    found = []
    while (due := made.deadline) is not None and due <= until:
        action = made.handle_timer(due)
        found.append((due, action.name))
        if action is A.SEND_TRYING:
            made.respond(100, b"100", due)
    return found


REPEATS = [(0.5, "SEND"), (1.5, "SEND"), (3.5, "SEND")] + [(3.5 + 4 * n, "SEND") for n in range(1, 8)]
TIMINGS: list[tuple[str, bool, list[int], list[tuple[float, str]]]] = [
    ("INVITE", False, [100], []),
    ("INVITE", False, [486], [*REPEATS, (32.0, "TIME_OUT")]),  # timers G and H
    ("INVITE", True, [486], [(32.0, "TIME_OUT")]),
    ("INVITE", False, [200], [(32.0, "END")]),  # timer L
    ("INVITE", True, [200], [(32.0, "END")]),
    ("BYE", False, [200], [(32.0, "END")]),  # timer J
    ("BYE", True, [200], [(0.0, "END")]),
    # RFC 4320 4.1: 100 when the client's timer E reaches T2, not before; 4.2: no 408 at the end.
    ("INFO", False, [], [(3.5, "SEND_TRYING"), (32.0, "END")]),
    ("INFO", False, [100], [(32.0, "END")]),
]


@pytest.mark.parametrize(("method", "reliable", "answers", "events"), TIMINGS)
def test_timers_g_to_l_fire_to_the_millisecond(
    method: str, reliable: bool, answers: list[int], events: list[tuple[float, str]]
) -> None:
    made = transaction(method, reliable=reliable)
    for status in answers:
        made.respond(status, b"x", 0.0)
    assert history(made) == events


@pytest.mark.parametrize(("reliable", "end"), [(False, 6.0), (True, 1.0)])
def test_after_the_ack_timer_i_absorbs_repetitions(reliable: bool, end: float) -> None:
    made = transaction(reliable=reliable)
    made.respond(486, b"486", 0.0)
    assert made.receive(request("ACK"), 1.0) is A.CONFIRM
    assert history(made) == [(end, "END")]


def test_a_408_to_a_non_invite_request_is_never_sent() -> None:
    made = transaction("INFO")
    assert made.respond(408, b"408", 1.0) is A.END
    assert made.state is S.TERMINATED
    assert made.deadline is None
    assert made.last == b""


def test_only_100_may_precede_the_answer_to_a_non_invite_request() -> None:
    with pytest.raises(LocalProtocolError, match="4320"):
        transaction("INFO").respond(180, b"180", 0.0)


def test_a_repetition_before_any_answer_gets_nothing() -> None:
    made = transaction()
    assert made.receive(request(), 0.1) is A.IGNORE
    assert made.ignored == 1
    made.respond(180, b"180", 0.2)
    assert made.receive(request(), 0.3) is A.SEND


def test_a_timer_before_its_time_does_nothing() -> None:
    assert transaction("INFO").handle_timer(1.0) is A.IGNORE


def test_a_late_timer_g_fires_once_and_not_in_a_burst() -> None:
    made = transaction()
    made.respond(486, b"486", 0.0)
    assert made.handle_timer(20.0) is A.SEND
    assert made.due == 21.0


SAME = [
    (request(), request(), True),
    (request(), request("ACK", to_tag="b"), True),
    (request(), request(branch="z9hG4bKother"), False),
    (request(), request(sent_by="192.0.2.9:5060"), False),  # 17.2.3: the branch alone is not enough
    (request(), request("CANCEL"), False),
    (request(sent_by="HOST.example"), request(sent_by="host.EXAMPLE"), True),
    # RFC 2543: no magic cookie
    (request(branch="1"), request("ACK", branch="1", to_tag="b"), True),
    (request(branch="1"), request(branch="1", number=2), False),
    (request(branch="1"), request(branch="1", uri="sip:carol@192.0.2.2"), False),
    (request(via="SIP/2.0/UDP a.example"), request(via="SIP/2.0/UDP a.example"), True),
    (request(via="SIP/2.0/UDP a.example"), request(via="SIP/2.0/UDP b.example"), False),
]


@pytest.mark.parametrize(("one", "other", "same"), SAME)
def test_requests_share_a_transaction_by_branch_sent_by_and_method(one: Request, other: Request, same: bool) -> None:
    assert (transaction_key(one) == transaction_key(other)) is same
