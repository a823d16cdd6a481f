"""Every event of a media worker has a consumer: the classes are walked, none is listed by hand."""

import logging
from typing import Any, get_args

import pytest

from sipswarm.actors.bus.wire import SCHEMA
from sipswarm.actors.call import notices
from sipswarm.actors.call.actor import _MEDIA_HANDLERS
from sipswarm.actors.call_worker.media_failures import EVERY, PARTS, MediaFailures
from sipswarm.actors.counting.labels import MEDIA_REFUSALS, SILENCES
from sipswarm.actors.counting.table import BY_NAME
from sipswarm.actors.counting.totals import Totals
from sipswarm.actors.handle import notice_handlers
from sipswarm.media import messages as media
from tests.actors.phones import FIGURES, Phone
from tests.actors.scenes import established

RECORDS = frozenset(each for each in vars(media).values() if isinstance(each, type) and hasattr(each, "_fields"))
EVENTS: frozenset[Any] = frozenset(get_args(media.Event))
COMMANDS: frozenset[Any] = frozenset(get_args(media.Command))
LEVELS = {"StreamSilent": SILENCES}


def samples() -> list[Any]:
    """An event of each class with values that say something, of each level and about each command."""
    made: list[Any] = []
    for kind in sorted(EVENTS, key=lambda each: each.__name__):
        values: dict[str, Any] = {}
        for name, of in kind.__annotations__.items():
            values[name] = {int: 7, float: 7.0, str: "7", bool: True}.get(of, ())
        if kind is media.StreamStatistics:
            made.append(kind(0, *FIGURES[1:]))
        elif kind is media.StreamClosed:
            made.append(kind(0, "failed: lost", FIGURES))
        elif kind is media.CommandRefused:
            made += [kind(0, command.__name__, "bad_value: 7", 0) for command in COMMANDS - {media.OpenStream}]
        elif kind is media.StreamSilent:
            made += [kind(0, level, 7.0) for level in SILENCES]
        else:
            made.append(kind(**values))
    return made


def test_every_record_of_the_vocabulary_is_a_command_or_an_event_and_crosses_processes() -> None:
    assert RECORDS == EVENTS | COMMANDS
    assert not EVENTS & COMMANDS
    assert set(SCHEMA.values()) >= RECORDS


def test_every_event_has_a_handler_and_every_notice_of_one_too() -> None:
    assert set(_MEDIA_HANDLERS) == EVENTS
    told: set[Any] = set(get_args(notices.Notice))
    assert set(notice_handlers._HANDLERS) == told


def state_of(phone: Phone) -> tuple[Any, ...]:
    """All that an event can have an effect on."""
    call = phone.call
    lines = [
        (line.port, line.closed, line.configured, line.statistics, line.figures, line.remote)
        for line in call.media.lines
    ]
    left = [list(each) for each in phone.outbox.media]
    return len(phone.outbox.notices), left, lines, call.state, call.ending.cause, call.media.digits.progress


@pytest.mark.parametrize("event", samples(), ids=lambda each: "-".join(map(str, (type(each).__name__, *each[1:2]))))
def test_every_event_has_an_effect_on_a_call(event: Any) -> None:
    made = established()
    stream = made.alice.last(media.OpenStream).stream_id
    made.alice.call.send_digits(7, "12345678", 100, "rfc4733")
    before = state_of(made.alice)
    made.alice.call.media_event(event._replace(stream_id=stream), 2.0)
    assert state_of(made.alice) != before


@pytest.mark.parametrize("command", sorted(each.__name__ for each in COMMANDS))
@pytest.mark.parametrize("reason", MEDIA_REFUSALS)
def test_every_refusal_is_counted_and_logged_with_what_where_and_how_to_mend_it(
    command: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    totals = Totals()
    failures = MediaFailures(totals)
    with caplog.at_level(logging.INFO, "sipswarm.actors.call_worker.media_failures"):
        for number in range(3):
            failures.refused(f"call{number}", command, reason, "/there: gone", 100.0 + number)
        failures.refused("later", command, reason, "/there: gone", 103.0 + EVERY)
    name = "sipswarm_media_refused_total"
    ((row, labels, (count,)),) = totals.snapshot()
    (word,) = BY_NAME[name].bound(labels)
    assert (row, word, count) == (name, reason, 4)
    if command not in PARTS or reason == "unknown_stream":
        assert caplog.messages == []
        return
    first, again = caplog.messages
    assert "call call0: " in first
    assert f"{reason}: /there: gone; " in first
    assert "docs/media.md" not in first, "every reason has its mend"
    assert again.endswith("(2 more calls were not logged)")
