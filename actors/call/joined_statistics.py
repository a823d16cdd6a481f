"""The figures of a media line whose stream was lost and has a successor, as those of one stream.

Counts and times add up. The time between the two belongs to neither: no stream was there, so that nothing was due. The
last figures of a lost stream are those of its last report, up to a second old. Pure.
"""

from typing import Final

from sipswarm.media.messages import StreamStatistics

SUMS: Final = (
    *("seconds", "packets_sent", "bytes_sent", "packets_received", "bytes_received", "packets_expected"),
    *("packets_lost", "packets_duplicate", "packets_reordered", "packets_late", "packets_discarded"),
    *("frames_skipped", "send_errors", "digits_sent", "digits_received", "rtcp_sent", "rtcp_received"),
    *("ssrc_changes", "media_due", "media_present", "packets_due", "packets_missed"),
    *("media_held", "media_removed", "packets_unreachable"),
)
"""What is added."""
GREATEST: Final = ("jitter_max_ms", "late_max_ms", "media_gap")
MEANS: Final = ("mos", "level_dbm0", "audible_ratio")
"""What is weighted by the seconds of both; one that has no value leaves it to the other."""
NO_VALUE: Final = {"mos": 0.0, "level_dbm0": -127.0, "audible_ratio": -1.0}


def joined(before: StreamStatistics | None, after: StreamStatistics | None) -> StreamStatistics | None:
    """Return the figures of a lost stream and its successor together; what is of now is the successor's."""
    if before is None or after is None:
        return before or after
    values = {name: getattr(before, name) + getattr(after, name) for name in SUMS}
    values |= {name: max(getattr(before, name), getattr(after, name)) for name in GREATEST}
    values |= {name: _mean(name, before, after) for name in MEANS}
    first = before.received_first if before.received_first >= 0 else _later(after.received_first, before.seconds)
    last = _later(after.received_last, before.seconds)
    if before.discards and after.discards:
        values["discards"] = tuple(a + b for a, b in zip(before.discards, after.discards, strict=True))
    else:
        values["discards"] = before.discards or after.discards
    return after._replace(
        loss_ratio=_share(values["packets_lost"], values["packets_expected"]),
        missed_ratio=_share(values["packets_missed"], values["packets_due"]),
        received_first=first,
        received_last=last if last >= 0 else before.received_last,
        **values,
    )


def _mean(name: str, before: StreamStatistics, after: StreamStatistics) -> float:
    values = [(getattr(each, name), each.seconds) for each in (before, after) if getattr(each, name) != NO_VALUE[name]]
    weight = sum(seconds for _, seconds in values)
    if not weight:
        return float(getattr(after, name))
    return float(sum(value * seconds for value, seconds in values) / weight)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _later(at: float, by: float) -> float:
    return at + by if at >= 0 else at
