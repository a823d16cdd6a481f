"""When a process stood still, and which calls that falls into; times are given."""

import pytest

from sipswarm.actors.bus.messages import StoodStill
from sipswarm.actors.bus.standstills import KEPT, LONGEST, Pulse, Standstills


def test_a_late_beat_is_a_standstill_that_is_told_once() -> None:
    pulse, told = Pulse(), list[StoodStill]()
    pulse.attend(told.append)
    pulse.look(1000.0)  # nothing is due yet
    pulse.expect(10.0)
    pulse.look(10.0 + LONGEST)
    assert not told
    pulse.look(12.0)
    pulse.look(12.1)
    assert told == [StoodStill(10.0, 12.0)]
    pulse.expect(12.2)
    pulse.look(12.3)
    pulse.look(13.0)
    assert told[1:] == [StoodStill(12.2, 13.0)]


def test_a_call_has_the_part_of_each_standstill_that_came_after_its_begin() -> None:
    stills = Standstills()
    assert stills.columns(0.0, 100.0) == {}
    stills.add(StoodStill(10.0, 12.0))
    stills.add(StoodStill(20.0, 21.0))
    stills.add(StoodStill(30.0, 33.0), 1)
    assert stills.columns(11.0, 40.0) == {"stood_still": 2.0, "media_stood_still": 3.0}
    assert stills.columns(12.0, 40.0, {1}) == {"stood_still": 1.0, "media_stood_still": 3.0}
    assert stills.columns(31.0, 40.0, {1}) == {"stood_still": 0.0, "media_stood_still": 2.0}
    assert stills.columns(31.0, 40.0) == {"stood_still": 0.0, "media_stood_still": 2.0}
    assert stills.columns(31.0, 40.0, {0, 2}) == {"stood_still": 0.0, "media_stood_still": 0.0}
    assert stills.columns(33.0, 40.0) == {"stood_still": 0.0, "media_stood_still": 0.0}


def test_a_standstill_of_the_own_process_is_known_before_its_next_beat() -> None:
    pulse = Pulse()
    stills = Standstills(pulse)
    pulse.expect(10.0)
    assert stills.columns(9.0, 13.0) == {"stood_still": 3.0, "media_stood_still": 0.0}


def test_only_the_newest_ones_are_kept() -> None:
    stills = Standstills()
    for at in range(2 * KEPT):
        stills.add(StoodStill(float(at), at + 0.6))
    assert stills.columns(0.0, 1000.0)["stood_still"] == pytest.approx(0.6 * KEPT)
