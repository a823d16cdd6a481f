"""Counts by reason what a media worker refused or gave up, and logs it with cause, place and remedy.

It logs one line a minute for each reason: a file that is missing is missing for a thousand calls. The next line gives
the number of those that were left out. It must not hold a call.
"""

import logging
from typing import Final

from sipswarm.media.refusal import Refusal

from ..call.notices import WRITE_FAILED
from ..counting.totals import Totals
from ..diagnosis.failure_reasons import with_detail
from ..diagnosis.foreign_text import shown

EVERY: Final = 60.0
"""Seconds between two lines about one reason."""
MOST: Final = 256
"""Reasons that are remembered."""
_logger = logging.getLogger(__name__)
PARTS: Final = {
    "OpenStream": "stream",
    "SetSource": "source",
    "SetSink": "sink",
    "ConfigureStream": "configuration",
}
"""The subject of each kind of command."""
_TEXTS: Final = {
    "stream": "no media stream",
    "source": "what it was to send cannot be sent",
    "sink": "what it received cannot be recorded",
    "configuration": "what was negotiated cannot be sent or received",
}
_MENDS: Final = {
    "no_file": "put the file or its folder there, readable and writable for this user",
    "bad_file": "name a whole, regular file of a format that docs/cli.md lists under Audio files",
    "bad_value": "look at what the script, the command line or the peer asks for",
    "no_srtp": "pip install 'sipswarm[srtp]'",
    WRITE_FAILED: "make room on the disk, or record elsewhere",
    "failed": "report this bug with the traceback that the media worker logged",
    "no_port": "widen --rtp-ports",
    "no_descriptor": "raise ulimit -n, or fs.epoll.max_user_watches",
    "limit": "add --media-workers",
    "bad_address": "look at --listen",
}


class MediaFailures:
    """The media failures of one call worker.

    Args:
        totals: of the process.
    """

    __slots__ = ("_told", "_totals")

    def __init__(self, totals: Totals) -> None:
        self._totals = totals
        self._told: dict[tuple[str, str, str], list[float]] = {}  # time of the last line, and the number left out since

    def refused(self, call_id: str, command: str, reason: str, detail: str, now: float) -> None:
        """Count and log a command that was refused, or whose work failed.

        Args:
            command: class name.
            reason: one of a closed set.
            detail: the subject and its place.
            now: monotonic seconds.
        """
        what = PARTS.get(command, "")
        self._totals.cell("sipswarm_media_refused_total", reason).value += 1
        text = _TEXTS.get(what)
        if text is None or reason == Refusal.UNKNOWN_STREAM.value:
            return  # a late command: its stream is closed by now
        key = (what, reason, detail)
        told = self._told.get(key)
        if told is not None and now - told[0] < EVERY:
            told[1] += 1
            return
        self._told.pop(key, None)
        if len(self._told) >= MOST:
            del self._told[next(iter(self._told))]
        self._told[key] = [now, 0]
        left_out = f" ({told[1]:.0f} more calls were not logged)" if told is not None and told[1] else ""
        mend = _MENDS.get(reason, "see docs/media.md")
        how = "failed" if reason == WRITE_FAILED else "was refused"
        why = with_detail(reason, detail)
        line = "call %s: %s %s: %s; %s: %s%s"
        _logger.warning(line, shown(call_id), command, how, shown(why), text, mend, left_out)

    def silent(self, call_id: str, level: str, seconds: float) -> None:
        """Count and log missing RTP.

        Args:
            level: warning or limit.
            seconds: how long nothing was received.
        """
        self._totals.cell("sipswarm_media_silent_total", level).value += 1
        _logger.info("call %s: no RTP for %.0f s though some is due (%s)", shown(call_id), seconds, level)
