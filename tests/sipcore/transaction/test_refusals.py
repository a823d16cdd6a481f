"""Refused requests are remembered as long as they may be repeated, and no longer, and never too many of them."""

from sipswarm.sipcore.transaction.refusals import LIFETIME, MOST, Refusals


def test_the_repetition_of_a_refused_request_is_known_until_it_can_come_no_more() -> None:
    refusals = Refusals()
    assert not refusals
    refusals.note(b"INVITE a", 503, 10.0)
    assert refusals
    assert refusals.status_of(b"INVITE a", 10.0)
    assert refusals.status_of(b"INVITE a", 10.0 + LIFETIME - 0.01)
    assert not refusals.status_of(b"INVITE b", 11.0), "another try has another branch"
    assert not refusals.status_of(b"INVITE a", 10.0 + LIFETIME)
    assert not refusals, "nothing is kept for longer"


def test_refused_once_more_it_is_known_for_longer() -> None:
    refusals = Refusals()
    refusals.note(b"a", 503, 0.0)
    refusals.note(b"b", 503, 5.0)
    refusals.note(b"a", 480, 10.0)
    assert refusals.status_of(b"a", LIFETIME + 9.0) == 480
    assert not refusals.status_of(b"b", LIFETIME + 9.0)


def test_those_that_are_over_leave_when_others_come() -> None:
    refusals = Refusals()
    for number in range(20):
        refusals.note(b"%d" % number, 503, float(number))
    refusals.note(b"last", 503, 10.0 + LIFETIME)
    assert not refusals.status_of(b"10", 10.0 + LIFETIME)
    assert refusals.status_of(b"11", 10.0 + LIFETIME)


def test_the_oldest_leaves_when_there_are_too_many() -> None:
    refusals = Refusals()
    for number in range(MOST + 2):
        refusals.note(b"%d" % number, 503, 1.0)
    assert [refusals.status_of(b"%d" % number, 2.0) for number in (0, 1, 2, MOST + 1)] == [0, 0, 503, 503]
