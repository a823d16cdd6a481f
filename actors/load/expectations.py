"""The expectation that a finished call of a load missed: one pure function of its row and of the load.

The call worker that held the call and the tally that adds it up use the same function. So an expectation that was not
checked is a failure and never a pass. The order is that of a call: a fault by itself, its final response, its duration,
its digits, its media, and how its end was confirmed. The first that was missed is the failure. What a call misses that
lost its media worker is no judgement of the other side, which got a re-INVITE or silence that was not planned. Nor is
what a standstill of a process of ours explains, or an outage of the network of this host.
"""

from typing import Final

from sipswarm.media.messages import ONE_WAY_SHARE, UNREACHABLE_SHARE

from ..bus.messages import CallFinished
from ..config import CALL_METHOD, LoadConfig
from ..diagnosis.failure_reasons import OF_CHALLENGES, REASONS, Blame, blame_of, reason_of

AUDIBLE: Final = 0.5
"""Share of the sampled audio that must be louder than -50 dBm0 where audio is expected."""
REMOVED: Final = 0.5
"""Share of the time of a call in which the peer may have removed the media line where media is expected."""
MEDIA_START: Final = 0.5
"""Seconds of media that a call may lack: the peer's start, and the packets that end with the call."""
SHORT_START: Final = 0.2
"""The same of a call that is itself no longer than twice this; between them half of the call."""
EARLY_SHARE: Final = 0.1
"""Share of the hold that a call may be shorter than planned, because two clocks measure it."""
EARLY_LEAST: Final = 0.002
"""Seconds by which our own end of a call may be early in any case: timers count in whole milliseconds."""
EARLY_MOST: Final = 0.5
"""Seconds that a call may be shorter than planned, whatever the hold."""
REQUEST_TIMEOUT: Final = 408
"""Final status of a peer's own limit; the local limits give no code, or that of the response to a CANCEL."""
DRAINED: Final = "drained"
"""Cause of a call that the end of the run ended."""
INTERRUPTED: Final = "media_interrupted"
"""What a call misses that had no media worker for a time."""
LOST: Final = "media_lost"
"""What a call misses that had none at its end."""
STOOD_STILL: Final = "stood_still"
"""What a call misses because a process of ours stood still."""
NETWORK_DOWN: Final = "network_down"
"""What a call misses because the network of this host was away."""
OF_THIS_HOST: Final = frozenset({STOOD_STILL, NETWORK_DOWN})
LEAST_REFUSED: Final = 3
REFUSED: Final = 0.01
"""Packets of a call that the system may refuse, by number and as a share, before that explains anything."""
BY_MEDIA: Final = frozenset({"digits", "digits_not_sent"})
"""What any standstill of its media worker explains, or of its call worker."""
BY_QUALITY: Final = {"mos": 0.01, "audio": 0.1}
"""What a standstill explains that took at least this share of the time in which media was due: less would not show in
the figure (for the MOS see ITU-T G.107 section 7.5)."""
BY_SIGNALLING: Final = frozenset({"ended_early", "session_expired", "dialog_gone", "bye_refused", "lapsed"})
"""What any standstill of its call worker or of the dispatcher explains."""
BY_WAITING: Final = {
    **dict.fromkeys(("timeout", "recv_timeout", "max_retrans"), True),
    **dict.fromkeys(("no_ack", "bye_unanswered", "removal_unanswered"), False),
}
"""What a standstill explains that took `WAITED` of the time of waiting: the other side repeats what is not
acknowledged. Whether that time is at most the call's; else it is `LONGEST_WAIT`."""
WAITED: Final = 0.5
LONGEST_WAIT: Final = 32.0
"""Seconds for which requests and responses are repeated, 64*T1 (RFC 3261 section 17)."""
NO_CALL: Final = "no_call"
"""The outcome of a run of a scenario that placed no call."""


def missed(row: CallFinished, load: LoadConfig) -> str:
    """Return the expectation that a call missed, of `failure_reasons.REASONS`, or its scenario's own.

    Args:
        row: of the call, with `failure` where it was judged before.
        load: the expectations.

    Returns:
        Its name; empty = the call passed.
    """
    answered = row.outcome == "answered"
    failure = (
        row.failure
        or _missed_answer(row, load)
        or (_missed_within(row, load) or _missed_close(row, load) if answered else "")
    )
    return _of_lost_media(row, failure, answered=answered) or _of_this_host(row, failure, load) or failure


def _of_lost_media(row: CallFinished, failure: str, *, answered: bool) -> str:
    """Return the failure of a call that lost its media worker instead of one of the other side; empty = none.

    An answered call with a gap has failed, whatever else it did.
    """
    if not (row.media_moved or row.media_lost):
        return ""
    if blame_of(failure) is Blame.SUT if failure else answered and row.media_moved:
        return LOST if row.media_lost else INTERRUPTED
    return ""


def _of_this_host(row: CallFinished, failure: str, load: LoadConfig) -> str:
    """Return the failure of a call instead of one of the other side that this host explains; empty = none."""
    if not failure or blame_of(failure) is not Blame.SUT:
        return ""
    if (row.stood_still or row.media_stood_still) and _is_explained(
        row, failure, load, row.stood_still, row.stood_still + row.media_stood_still
    ):
        return STOOD_STILL
    away = max(row.network_down, _refused_seconds(row))
    if not away:
        return ""
    explained = _is_explained(row, failure, load, row.network_down, away) or _is_lost_here(row, failure, away)
    return NETWORK_DOWN if explained else ""


def _refused_seconds(row: CallFinished) -> float:
    """Seconds of a call in which the system refused to send its media; a few packets are none."""
    if row.rtp_refused < LEAST_REFUSED or row.rtp_refused <= REFUSED * row.rtp_sent:
        return 0.0
    return min(1.0, row.rtp_refused / row.rtp_sent) * row.duration if row.rtp_sent else row.duration


def _is_explained(row: CallFinished, failure: str, load: LoadConfig, of_signalling: float, of_media: float) -> bool:
    """Whether the failure follows from seconds in which this host had no signalling, or no media."""
    if failure in BY_MEDIA or failure not in REASONS:
        return True
    if failure in BY_QUALITY:
        return of_media >= BY_QUALITY[failure] * row.media_due
    if failure in ("silent", "one_way") and not (row.rtp_sent and row.rtp_received):
        due = max(row.media_due, row.duration)
        return due <= of_media + _start(due)
    if failure == "media_share":
        return _media_time(row) + of_media + _start(row.media_due) >= load.media_share * row.media_due
    if failure in BY_WAITING:
        waited = min(row.ended - row.started, LONGEST_WAIT) if BY_WAITING[failure] else LONGEST_WAIT
        return of_signalling >= WAITED * waited
    return failure in BY_SIGNALLING and of_signalling > 0


def _is_lost_here(row: CallFinished, failure: str, away: float) -> bool:
    """Whether so much of the loss that the other side reported was lost on this host that the rest is no failure."""
    if failure != "one_way" or not (row.rtp_sent and row.rtp_received):
        return False
    return row.remote_loss * row.duration - away <= (1 - ONE_WAY_SHARE) * row.duration


def _missed_answer(row: CallFinished, load: LoadConfig) -> str:
    """Return the fault that ended the call by itself, or that of the final response to its INVITE."""
    reason = reason_of(row.cause, answered=row.outcome == "answered")
    if reason == DRAINED and row.outcome == "answered":
        reason = ""  # calls of a run that ends early may be as short as they are
    if reason:
        return reason
    if load.scenario:
        return ""  # a scenario judges its responses itself
    expected = row.code == load.expect_code if load.expect_code else row.outcome == "answered"
    if expected:
        return ""
    if row.cause in OF_CHALLENGES:
        return row.cause
    if row.code and (row.outcome != "timeout" or row.code == REQUEST_TIMEOUT):
        return "code"
    return {"not_sent": "no_transport", "transport_error": "transport_error"}.get(row.outcome, "timeout")


def _missed_within(row: CallFinished, load: LoadConfig) -> str:
    if not load.scenario and row.cause != DRAINED:
        remote = row.ended_by == "remote"
        if row.duration < load.hold - _forgiven(load.hold, 0.0 if remote else EARLY_LEAST):
            return "ended_early" if remote else "cut_short"
    return _missed_digits(row, load) or _missed_media(row, load)


def _forgiven(hold: float, least: float) -> float:
    """Seconds by which a call may be shorter than its hold."""
    return min(EARLY_MOST, max(least, EARLY_SHARE * hold))


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
        if _is_unreachable(row):
            return "media_unreachable"
        if _is_lost_on_the_way(row):
            return "one_way"
        if row.media_removed > REMOVED * (max(0.0, row.media_due) + row.media_removed):
            return "media_removed"
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
    """Whether media went one way only, or nearly.

    Nearly: the peer's media was there for less than a quarter of the time it was due, or less than a quarter of ours
    arrived by the peer's own reports, or most of ours went where nobody takes it. A call that ended before its media
    had time to begin is not one-way.
    """
    if _is_lost_on_the_way(row) or _is_unreachable(row):
        return True
    due = row.media_due
    if bool(row.rtp_sent) != bool(row.rtp_received):
        return max(0.0, due) + row.media_held + row.media_removed >= SHORT_START
    return bool(row.rtp_received) and due >= MEDIA_START and row.media_present < ONE_WAY_SHARE * due


def _is_lost_on_the_way(row: CallFinished) -> bool:
    """Whether less than a quarter of what was sent arrived, by the peer's reports; without reports nothing is known."""
    return row.remote_loss > 1 - ONE_WAY_SHARE


def _is_unreachable(row: CallFinished) -> bool:
    """Whether ICMP reported most of what was sent as undelivered; hosts send few errors, and some none."""
    return row.unreachable_share > UNREACHABLE_SHARE


def _missed_close(row: CallFinished, load: LoadConfig) -> str:
    """Whether both sides have the end of the call, registration or subscription confirmed.

    A peer that lost its dialog has refused the BYE (RFC 3261 section 15.1.1).
    """
    if row.closed == "lost":
        return "transport_error"
    what = "bye" if load.method == CALL_METHOD else "removal"
    return f"{what}_{row.closed}" if row.closed in ("refused", "unanswered") else ""
