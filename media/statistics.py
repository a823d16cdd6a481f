"""The figures of one stream, drawn up for its owner: `StreamStatistics` with loss, jitter, level and MOS-CQE.

It has the time of the stream brought up to now, reads the counters of sender, receiver and RTCP, and derives the rest.
It must not change a counter: the same figures are drawn up again later.
"""

import math

from . import totals
from .audio import quality
from .endpoint import StreamEndpoint
from .messages import ONE_WAY_SHARE, StreamStatistics
from .presence import MediaTime
from .receiver import FULL_SCALE_DBM0, Receiver

JITTER_BUFFER = 0.06
"""Seconds that a playout buffer is taken to add where audio is not decoded."""
START = 0.5
"""Seconds of audio that a stream may lack: the peer's start, and what ends with the call."""
PACKETS_TO_JUDGE = 25
"""Fewer packets than this decide nothing about one-way media."""


def statistics_of(endpoint: StreamEndpoint, now: float) -> StreamStatistics:
    """Everything counted on one stream.

    Args:
        now: seconds, monotonic.
    """
    stream = endpoint.stream
    sender = stream.sender
    receiver = stream.receiver
    reception = receiver.reception
    received, expected, unique, octets = receiver.counts()
    *_, reordered, loss_runs = receiver.earlier
    jitter = 0.0
    jitter_max = receiver.jitter_max
    if reception is not None:
        reordered += reception.reordered
        loss_runs += reception.loss_runs
        jitter = reception.jitter16 / 16 / reception.clock_rate
        jitter_max = max(jitter_max, reception.jitter16_max / 16 / reception.clock_rate)
    lost = max(0, expected - unique - receiver.thrown)
    ratio = lost / expected if expected else 0.0
    bursts = quality.burst_ratio(lost, loss_runs, expected)
    rtcp = endpoint.rtcp
    late = receiver.late
    mos = 0.0
    codec = receiver.codec or sender.codec
    time = endpoint.presence.figures(now)
    missed_ratio = time.packets_missed / time.packets_due if time.packets_due else 0.0
    if received or time.packets_missed:
        delay = max(rtcp.round_trip, 0.0) / 2 + JITTER_BUFFER
        missing, of = (time.packets_missed, time.packets_due) if time.packets_due else (lost, expected)
        unplayed = late + time.packets_surplus
        of += time.packets_surplus
        heard_loss = min(1.0, (missing + unplayed) / of) if of else 0.0
        mos = quality.mos_cqe(codec, heard_loss, bursts, delay) or 0.0
    address, port = endpoint.remote() if receiver.last_at >= 0 else ("", 0)
    return StreamStatistics(
        stream_id=stream.stream_id,
        seconds=now - stream.opened_at,
        codec=codec,
        packets_sent=sender.packets_sent,
        bytes_sent=sender.bytes_sent,
        packets_received=received,
        bytes_received=octets,
        packets_expected=expected,
        packets_lost=lost,
        loss_ratio=ratio,
        burst_ratio=bursts,
        packets_duplicate=received - unique,
        packets_reordered=reordered,
        packets_late=late,
        packets_discarded=sum(receiver.discards) - receiver.discards[totals.DUPLICATE],
        discards=tuple(receiver.discards),
        jitter_ms=jitter * 1000,
        jitter_max_ms=jitter_max * 1000,
        round_trip_ms=rtcp.round_trip * 1000 if rtcp.round_trip >= 0 else -1.0,
        remote_loss_ratio=rtcp.remote_loss.ratio,
        remote_jitter_ms=rtcp.remote_jitter * 1000 / sender.clock_rate if rtcp.remote_jitter >= 0 else -1.0,
        mos=mos,
        level_dbm0=_level(receiver),
        audible_ratio=_audible(receiver, time),
        frames_skipped=sender.frames_skipped,
        send_errors=sender.send_errors,
        late_max_ms=sender.late_max * 1000,
        digits_sent=sender.digits_sent,
        digits_received=receiver.digits_received,
        rtcp_sent=rtcp.sent,
        rtcp_received=rtcp.received,
        remote_address=address,
        remote_port=port,
        ssrc=sender.ssrc,
        remote_ssrc=reception.ssrc if reception is not None else 0,
        ssrc_changes=receiver.ssrc_changes,
        received_first=receiver.first_at - stream.opened_at if receiver.first_at >= 0 else -1.0,
        received_last=receiver.last_at - stream.opened_at if receiver.last_at >= 0 else -1.0,
        one_way=one_way(endpoint.settings.direction, sender.packets_sent, received, time),
        media_due=time.due,
        media_present=time.present,
        media_gap=time.gap,
        packets_due=time.packets_due,
        packets_missed=time.packets_missed,
        missed_ratio=missed_ratio,
        media_held=time.held,
        media_removed=time.removed,
        packets_unreachable=endpoint.destination.packets,
    )


def _audible(receiver: Receiver, time: MediaTime) -> float:
    """Share of the audio that was due and louder than -50 dBm0: audio that never came does not count."""
    samples, _, audible = receiver.level_samples
    if not samples:
        return -1.0
    due = time.due - START
    return audible / samples * (min(1.0, time.present / due) if due > 0 else 1.0)


def _level(receiver: Receiver) -> float:
    """Mean level of the sampled packets in dBm0."""
    samples, total, _ = receiver.level_samples
    if not samples or total <= 0:
        return -127.0
    return max(-127.0, FULL_SCALE_DBM0 + 10 * math.log10(total / samples / (32768.0**2 / 2)))


def one_way(direction: str, sent: int, received: int, time: MediaTime) -> str:
    """Which side was silent, if one was though the direction has both send: "", "peer" or "local".

    Args:
        sent, received: RTP packets.
        time: when media was due and came.
    """
    if direction != "sendrecv" or max(sent, received) < PACKETS_TO_JUDGE:
        return ""
    if not received or (time.packets_due >= PACKETS_TO_JUDGE and time.present < ONE_WAY_SHARE * time.due):
        return "peer" if sent else "local" if received else ""
    return "" if sent else "local"
