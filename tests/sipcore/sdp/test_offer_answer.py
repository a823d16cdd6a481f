"""Offer/answer: the examples of RFC 3264 and RFC 4317 as rows, and every state and input of the machine."""

import itertools

import pytest

from sipswarm.sipcore.errors import LocalProtocolError, RemoteProtocolError
from sipswarm.sipcore.sdp.offer_answer import TRANSITIONS, Input, OfferAnswer, State
from tests.sipcore.descriptions import description, short

# Each row: section, then for each exchange who offers, the offer, the answer, and what Alice makes of it.
EXAMPLES = [
    (
        "RFC 3264 10.1",
        (
            "alice",
            ["audio 49170 0", "video 51372 31", "video 53000 32"],
            ["audio 49920 0", "video 0 31", "video 53000 32"],
            ["sendrecv 0>0 49920", "off", "sendrecv 32>32 53000"],
        ),
        (
            "bob",
            ["audio 65422 0", "video 0 31", "video 53000 32", "audio 51434 110 recvonly"],
            ["audio 49170 0", "video 0 31", "video 53000 32", "audio 53122 110 sendonly"],
            ["sendrecv 0>0 65422", "off", "sendrecv 32>32 53000", "sendonly 110>110 51434"],
        ),
    ),
    (
        "RFC 3264 10.2",
        ("alice", ["audio 62986 0 4 18 inactive"], ["audio 54344 0 4 inactive"], ["inactive 0,4>0,4 54344"]),
        ("alice", ["audio 62986 4"], ["audio 54344 4"], ["sendrecv 4>4 54344"]),
    ),
    (
        "RFC 4317 2.1",
        (
            "alice",
            ["audio 49170 0 8 97", "video 51372 31 32"],
            ["audio 49174 0", "video 49170 32"],
            ["sendrecv 0>0 49174", "sendrecv 32>32 49170"],
        ),
    ),
    (
        "RFC 4317 2.2",
        (
            "alice",
            ["audio 49170 0 8 97", "video 51372 31 32"],
            ["audio 49172 0 8", "video 0 31"],
            ["sendrecv 0,8>0,8 49172", "off"],
        ),
        ("alice", ["audio 51372 0", "video 0 31"], ["audio 49172 0", "video 0 31"], ["sendrecv 0>0 49172", "off"]),
    ),
    (
        "RFC 4317 2.3",
        (
            "alice",
            ["audio 49170 0 8 97", "video 51372 31 32"],
            ["audio 49172 99", "video 51374 31"],
            ["sendrecv 97>99 49172", "sendrecv 31>31 51374"],
        ),
    ),
    (
        "RFC 4317 2.4",
        (
            "alice",
            ["audio 49170 0 97", "audio 49172 98 sendonly"],
            ["audio 49172 97", "audio 49174 98 recvonly"],
            ["sendrecv 97>97 49172", "sendonly 98>98 49174"],
        ),
    ),
    (
        "RFC 4317 2.6",
        (
            "alice",
            ["audio 49170 0", "audio 51372 97 101"],
            ["audio 0 0", "audio 49170 97 101"],
            ["off", "sendrecv 97>97 49170"],
        ),
    ),
    (
        "RFC 4317 2.7",
        (
            "alice",
            ["audio 49170 99", "video 51372 31"],
            ["audio 49172 99", "video 51374 31"],
            ["sendrecv 99>99 49172", "sendrecv 31>31 51374"],
        ),
        (
            "alice",
            ["audio 49170 99", "video 51372 31 32"],
            ["audio 49172 99", "video 51374 31 32"],
            ["sendrecv 99>99 49172", "sendrecv 31,32>31,32 51374"],
        ),
    ),
    (
        "RFC 4317 2.8",
        (
            "alice",
            ["audio 49170 0 8 97", "video 51372 31 32"],
            ["audio 49174 0", "video 49172 32 c=IN IP4 otherhost.biloxi.example.com"],
            ["sendrecv 0>0 49174", "sendrecv 32>32 49172"],
        ),
    ),
    (
        "RFC 4317 3.1",
        ("alice", ["audio 49170 0 97"], ["audio 49172 97 sendonly"], ["recvonly 97>97 49172"]),
        ("bob", ["audio 49170 97"], ["audio 49178 97"], ["sendrecv 97>97 49170"]),
    ),
    (
        "RFC 4317 3.2",
        (
            "alice",
            ["audio 49170 0 97", "audio 49172 98 sendonly"],
            ["audio 49172 97", "audio 49174 98 recvonly"],
            ["sendrecv 97>97 49172", "sendonly 98>98 49174"],
        ),
        (
            "bob",
            ["audio 49172 97 sendonly", "audio 49174 98 recvonly"],
            ["audio 49170 0 97", "audio 49172 98 sendonly"],
            ["recvonly 97>97 49172", "sendonly 98>98 49174"],
        ),
    ),
    (
        "RFC 4317 4.1",
        ("alice", ["audio 49170 0 97"], ["audio 49170 97"], ["sendrecv 97>97 49170"]),
        (
            "bob",
            ["audio 49170 97", "audio 48282 98 recvonly c=IN IP4 mediaserver.biloxi.example.com"],
            ["audio 49170 97", "audio 49172 98 sendonly c=IN IP4 host.atlanta.example.com"],
            ["sendrecv 97>97 49170", "sendonly 98>98 48282"],
        ),
    ),
    (
        "RFC 4317 4.2",
        ("alice", ["audio 49170 0"], ["audio 49172 0"], ["sendrecv 0>0 49172"]),
        (
            "alice",
            ["audio 49170 0", "video 49172 31"],
            ["audio 49172 0", "video 49168 31"],
            ["sendrecv 0>0 49172", "sendrecv 31>31 49168"],
        ),
    ),
    (
        "RFC 4317 4.3",
        (
            "alice",
            ["audio 49170 97", "video 51372 31"],
            ["audio 49174 97", "video 49170 31"],
            ["sendrecv 97>97 49174", "sendrecv 31>31 49170"],
        ),
        ("bob", ["audio 49174 97", "video 0 31"], ["audio 49170 97", "video 0 31"], ["sendrecv 97>97 49174", "off"]),
    ),
    (
        "RFC 4317 5.1",
        ("alice", [], [], []),
        ("alice", ["audio 49170 97"], ["audio 49172 97"], ["sendrecv 97>97 49172"]),
    ),
]


@pytest.mark.parametrize("row", EXAMPLES, ids=[str(row[0]) for row in EXAMPLES])
def test_both_sides_of_the_examples_agree(
    row: tuple[str, *tuple[tuple[str, list[str], list[str], list[str]], ...]],
) -> None:
    alice, bob = OfferAnswer(), OfferAnswer()
    for number, (offerer, offer, answer, expected) in enumerate(row[1:]):
        answerer = "bob" if offerer == "alice" else "alice"
        asks, answers = (alice, bob) if offerer == "alice" else (bob, alice)
        said, replied = description(offerer, number + 1, *offer), description(answerer, number + 1, *answer)
        asks.local_offer(said)
        answers.remote_offer(said)
        answers.local_answer(replied)
        asks.remote_answer(replied)
        assert [short(line) for line in alice.agreed()] == expected
        # What one side sends the other receives, with the same numbers.
        for ours, theirs in zip(alice.agreed(), bob.agreed(), strict=True):
            assert ours.direction is theirs.direction.reversed
            assert (ours.send, ours.receive) == (theirs.receive, theirs.send)
            assert ours.telephone_event_send == theirs.telephone_event_receive
    assert alice.state is bob.state is State.STABLE


ONE, OTHER = description("alice", 1, "audio 4000 0"), description("bob", 1, "audio 6000 0")


def feed(machine: OfferAnswer, happened: Input) -> None:
    match happened:
        case Input.LOCAL_OFFER:
            machine.local_offer(ONE)
        case Input.REMOTE_OFFER:
            machine.remote_offer(OTHER)
        case Input.LOCAL_ANSWER:
            machine.local_answer(ONE)
        case Input.REMOTE_ANSWER:
            machine.remote_answer(OTHER)
        case Input.REJECT:
            machine.reject()


def test_every_state_and_input_does_what_the_table_says() -> None:
    local_inputs = (Input.LOCAL_OFFER, Input.LOCAL_ANSWER, Input.REJECT)
    for state, happened in itertools.product(State, Input):
        machine = OfferAnswer()
        if state is State.STABLE:
            machine.local_offer(ONE)
            machine.remote_answer(OTHER)
        elif state is State.LOCAL_OFFER:
            machine.local_offer(ONE)
        elif state is State.REMOTE_OFFER:
            machine.remote_offer(OTHER)
        assert machine.state is state
        before = (machine.local, machine.remote, machine.pending)
        step = TRANSITIONS.get((state, happened))
        if step is None:
            with pytest.raises(LocalProtocolError if happened in local_inputs else RemoteProtocolError):
                feed(machine, happened)
            assert (machine.state, (machine.local, machine.remote, machine.pending)) == (state, before)
        else:
            feed(machine, happened)
            assert machine.state is (State.IDLE if happened is Input.REJECT else step[0])


def test_an_offer_that_crosses_ours_is_a_glare_and_a_second_one_is_not() -> None:
    machine = OfferAnswer()
    offer = description("alice", 1, "audio 4000 0")
    machine.local_offer(offer)
    with pytest.raises(RemoteProtocolError) as glare:
        machine.remote_offer(offer)
    other = OfferAnswer()
    other.remote_offer(offer)
    with pytest.raises(RemoteProtocolError) as second:
        other.remote_offer(offer)
    assert (glare.value.status_hint, second.value.status_hint) == (491, 500)


def test_a_rejected_offer_leaves_what_was_agreed() -> None:
    machine = OfferAnswer()
    one, two = description("alice", 1, "audio 4000 0"), description("bob", 1, "audio 6000 0")
    assert machine.agreed() == ()
    machine.local_offer(one)
    machine.remote_answer(two)
    machine.remote_offer(description("bob", 2, "audio 7000 8"))
    machine.reject()
    assert (machine.state, machine.local, machine.remote, machine.pending) == (State.STABLE, one, two, None)
    copy = machine.copy()
    copy.local_offer(one)
    assert (machine.state, copy.state) == (State.STABLE, State.LOCAL_OFFER)


def test_lines_may_not_vanish_and_answers_must_fit() -> None:
    two = ("audio 4000 0", "audio 4002 0")
    machine = OfferAnswer()
    machine.local_offer(description("alice", 1, *two))
    for answer in (("audio 6000 0",), ("audio 6000 0", "video 6002 31")):
        with pytest.raises(RemoteProtocolError) as caught:
            machine.remote_answer(description("bob", 1, *answer))
        assert caught.value.status_hint == 488
    machine.remote_answer(description("bob", 1, *two))
    with pytest.raises(RemoteProtocolError):
        machine.remote_offer(description("bob", 2, two[0]))
    with pytest.raises(LocalProtocolError):
        machine.local_offer(description("alice", 2, two[0]))
    machine.remote_offer(description("bob", 2, *two))
    with pytest.raises(LocalProtocolError):
        machine.local_answer(description("alice", 2, two[0]))
    assert machine.state is State.REMOTE_OFFER
