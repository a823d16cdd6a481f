"""What still comes for a call that has ended is known by its Call-ID, for a while and within a bound."""

import pytest

from sipswarm.actors.load.sipp_files import ended_calls
from sipswarm.actors.load.sipp_files.ended_calls import KEPT, EndedCalls


def test_a_call_is_remembered_for_as_long_as_its_messages_may_be_repeated() -> None:
    calls = EndedCalls()
    calls.add(b"a", 10.0)
    calls.add(b"b", 11.0)
    assert calls.has(b"a", 10.0 + KEPT - 0.001)
    assert not calls.has(b"a", 10.0 + KEPT)
    assert calls.has(b"b", 10.0 + KEPT)
    assert len(calls) == 1


def test_a_call_that_ends_again_is_remembered_from_then_on() -> None:
    calls = EndedCalls()
    calls.add(b"a", 10.0)
    calls.add(b"a", 20.0)
    assert calls.has(b"a", 19.0 + KEPT)
    assert len(calls) == 1


def test_beyond_the_bound_the_oldest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ended_calls, "MOST", 2)
    calls = EndedCalls()
    for name in (b"a", b"b", b"c"):
        calls.add(name, 1.0)
    assert [calls.has(name, 2.0) for name in (b"a", b"b", b"c")] == [False, True, True]
