"""What a call worker reports of calls that go on: each once as begun, and once as answered or failed."""

from sipswarm.actors.bus.messages import CallSlice
from sipswarm.actors.call.state import CallTimes, Planned
from sipswarm.actors.call_worker.call_slices import CallSlices
from sipswarm.actors.counting.slices import slice_of, start_of_slice
from sipswarm.actors.counting.spread import Spread


def times(invited: float, alerted: float, answered: float = 0.0) -> CallTimes:
    made = CallTimes()
    made.invited, made.alerted, made.answered = invited, alerted, answered
    return made


def spread(*values: float) -> tuple[float, ...]:
    made = Spread()
    for value in values:
        made.add(value)
    return made.to_tuple()


def test_a_call_counts_when_it_begins_and_with_its_delays_when_it_is_answered() -> None:
    told: list[CallSlice] = []
    slices = CallSlices(told.append)
    slices.began(10.01)
    slices.began(10.09)
    slices.began(10.11)
    call = times(10.0, 10.25, 10.5)
    slices.settled(call, Planned(9.75), 10.5)
    slices.flush()
    slices.settled(call, Planned(9.75), 99.0)  # its end: it was counted already
    slices.flush()
    slices.flush()
    assert told == [
        CallSlice(100, 2, 0, -1.0, (), ()),
        CallSlice(101, 1, 0, -1.0, (), ()),
        CallSlice(105, 0, 1, 0.25, spread(0.25), spread(0.5)),
    ]


def test_a_call_that_fails_has_a_post_dial_delay_when_anything_came_and_no_other() -> None:
    told: list[CallSlice] = []
    slices = CallSlices(told.append)
    slices.settled(times(10.0, 10.25), None, 10.5)  # refused
    slices.settled(times(10.0, 0.0), Planned(10.0), 10.5)  # nobody there
    slices.settled(times(0.0, 0.0), Planned(3.0), 10.5)  # no INVITE was sent: there are no times to take a delay from
    slices.flush()
    assert told == [CallSlice(105, 0, 0, 0.0, spread(0.25), ())]


def test_nobody_wants_them_nothing_is_counted() -> None:
    slices = CallSlices(None)
    slices.began(1.0)
    slices.settled(times(1.0, 1.1, 1.2), None, 1.2)
    slices.flush()
    assert not slices._open


def test_a_run_starts_at_the_border_of_a_slice() -> None:
    for moment in (0.0, 0.05, 12.3, 98_765.432_1, 1e6 + 0.999_999):
        start = start_of_slice(moment)
        assert moment - 1e-9 <= start < moment + 0.1 + 1e-9
        assert slice_of(start + 0.05) == slice_of(start + 0.01) == round(start * 10)
