"""Times as the files of SIPp have them."""

from datetime import datetime, tzinfo


def stamp(at: float, zone: tzinfo) -> str:
    """Return date, time and seconds since 1970, separated by tabs.

    Args:
        at: seconds since 1970.
        zone: in which date and time are written.
    """
    microseconds = round(at * 1_000_000)
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{datetime.fromtimestamp(seconds, zone):%Y-%m-%d\t%H:%M:%S}.{rest:06d}\t{seconds}.{rest:06d}"


def clock(seconds: float) -> str:
    """Return a time span in whole seconds, as hours, minutes and seconds."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02d}:{minute:02d}:{second:02d}"


def span(seconds: float) -> str:
    """Return a time span in whole milliseconds, with six digits behind the seconds."""
    milliseconds = int(seconds * 1000 + 1e-6)
    return f"{clock(milliseconds // 1000)}:{milliseconds % 1000:03d}000"
