"""What is kept of a call outside of its process, as plain values: its times, its agreement, and its streams.

`CallActor.keep` and `CallMedia.keep` write it, their `take_over` reads it in the next process of the slot. The SIP side
is `sipcore.session.session_record`.
"""

from typing import NamedTuple


class KeptStream(NamedTuple):
    """One stream, which lives in a media worker."""

    stream_id: int
    port: int
    rtcp_port: int
    crypto: tuple[tuple[int, str, str, str], ...]
    """The local SRTP keys, one per suite."""
    events: tuple[int, ...] | None
    """Codes of the telephone-events that the peer accepts; None = no event was agreed."""
    may_send: bool


class KeptRecordings(NamedTuple):
    """The files that a call records into."""

    lost: int
    """How many of them have lost their writer: the first ones."""
    names: tuple[str, ...]
    """Of the files, in order."""
    wanted: tuple[str, ...]
    """The name that the user gave, for each of them; empty = the same."""


class KeptMedia(NamedTuple):
    """The agreement of a call and its streams."""

    worker: int
    """Index of the media worker."""
    wanted: bool
    sdp_id: int
    local: bytes
    remote: bytes
    protocols: tuple[str, ...]
    streams: tuple[tuple[object, ...], ...]
    """`KeptStream` as plain tuples."""
    sink: tuple[str | int | float, ...]
    """Where the received audio goes, a `media.messages.SinkSpec`; empty = as that of a new call."""
    recordings: tuple[object, ...]
    """`KeptRecordings` as a plain tuple; empty = none."""


class KeptCall(NamedTuple):
    """The actor of a call."""

    begun: float
    """Monotonic seconds, as the other times."""
    invited: float
    answered: float
    status: int
    """Of the final response to the first INVITE; 0 = none yet."""
    media: tuple[object, ...]
    """`KeptMedia` as a plain tuple; empty before an agreement."""
