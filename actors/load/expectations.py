"""What a finished call of a load missed: one pure function of its row and of what the load expects.

The call worker that held the call and the tally that adds it up use the same function, so that an expectation nobody
looked at is a failure and never a pass. The order is that of a call: what went wrong by itself, its final response, how
long it lasted, its digits, its media, and how its end was confirmed. The first that was missed is the failure.
"""

from typing import Final

from ..bus.messages import CallFinished
from ..config import LoadConfig
from ..diagnosis.failure_reasons import reason_of

AUDIBLE: Final = 0.5
"""share of the sampled audio that must be louder than -50 dBm0 where audio is expected"""
MEDIA_START: Final = 0.5
"""seconds of media that a call may lack: the peer's start, and what ends with the call"""
SHORT_START: Final = 0.2
"""the same of a call that is itself no longer than twice this; between them half of the call"""
ONE_WAY_SHARE: Final = 0.25
"""a peer whose media was there for less of the time in which it was due counts as silent"""
EARLY_SHARE: Final = 0.1
"""share of the hold that a call may be shorter than planned, because two clocks measure it"""
EARLY_MOST: Final = 0.5
"""seconds that a call may be shorter than planned, however long the hold"""
REQUEST_TIMEOUT: Final = 408
"""where the other side says it; our own limits give no code, or that of what our CANCEL brought about"""
DRAINED: Final = "drained"


def missed(row: CallFinished, load: LoadConfig) -> str:
    """The name of what a call missed, from `failure_reasons.REASONS`, or its scenario's own; empty = it passed.

    row: of the call, with `failure` where somebody has judged it before. load: what is expected.
    """
    return (
        row.failure
        or _missed_answer(row, load)
        or (_missed_within(row, load) or _missed_close(row) if row.outcome == "answered" else "")
    )


def _missed_answer(row: CallFinished, load: LoadConfig) -> str:
    """What ended the call by itself, and whether the INVITE got the final response that it should."""
    reason = reason_of(row.cause, answered=row.outcome == "answered")
    if reason == DRAINED and row.outcome == "answered":
        reason = ""  # whoever ends a run early takes calls as long as they were
    if reason:
        return reason
    if load.scenario:
        return ""  # what a scenario lets pass is what it expects
    expected = row.code == load.expect_code if load.expect_code else row.outcome == "answered"
    if expected:
        return ""
    if row.code and (row.outcome != "timeout" or row.code == REQUEST_TIMEOUT):
        return "code"
    return {"not_sent": "no_transport", "transport_error": "transport_error"}.get(row.outcome, "timeout")


def _missed_within(row: CallFinished, load: LoadConfig) -> str:
    if not load.scenario and row.cause != DRAINED and row.duration < load.hold - _forgiven(load.hold):
        return "ended_early" if row.ended_by == "remote" else "cut_short"
    return _missed_digits(row, load) or _missed_media(row, load)


def _forgiven(hold: float) -> float:
    """Seconds by which a call may be shorter than its hold."""
    return min(EARLY_MOST, EARLY_SHARE * hold)


def _missed_digits(row: CallFinished, load: LoadConfig) -> str:
    if load.scenario:
        return ""
    if row.digits_sent < sum(each.upper() in "0123456789ABCD*#?" for each in load.dtmf):
        return "digits_not_sent"
    if load.expect_dtmf and (row.digits_missed or row.digits_wrong or not row.digits_received):
        return "digits"
    return ""


def _missed_media(row: CallFinished, load: LoadConfig) -> str:
    if load.expect_media or load.expect_mos or load.expect_audio:
        if not (row.rtp_sent and row.rtp_received):
            return "one_way" if row.rtp_sent or row.rtp_received else "silent"
        if load.expect_media and _media_time(row) + _start(row.media_due) < load.media_share * row.media_due:
            return "media_share"
    if load.expect_mos and row.mos < load.expect_mos:
        return "mos"
    if load.expect_audio and row.audible < AUDIBLE:
        return "audio"
    return ""


def _start(due: float) -> float:
    return min(MEDIA_START, max(SHORT_START, due / 2))


def _media_time(row: CallFinished) -> float:
    """Seconds of media that came: in no gap, and of packets that are not missing between others either."""
    came = 1 - row.rtp_missed / row.rtp_due if row.rtp_due else 1.0
    return min(row.media_present, came * row.media_due)


def is_one_way(row: CallFinished) -> bool:
    """Media went one way only, or nearly: the peer's was there for less than a quarter of the time it was due."""
    if bool(row.rtp_sent) != bool(row.rtp_received):
        return True
    due = row.media_due
    return bool(row.rtp_received) and due >= MEDIA_START and row.media_present < ONE_WAY_SHARE * due


def _missed_close(row: CallFinished) -> str:
    """Whether both sides know that the call is over; who lost its dialog has refused our BYE (RFC 3261 15.1.1)."""
    return {"refused": "bye_refused", "unanswered": "bye_unanswered", "lost": "transport_error"}.get(row.closed, "")
