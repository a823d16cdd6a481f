"""The kinds of records between processes: by what is lost when one of them is, and by what is done about it.

Only SIP that a peer sent as a datagram may expire on its way, because the peer repeats it (RFC 3261 sections 17.1 and
13.3.1.4). Everything else waits for its receiver, or is given back to its sender. Pure data.
"""

from typing import Any, Final

from sipswarm.media import messages as media

from ..counting.labels import RECORD_KINDS
from . import messages

DATAGRAM: Final = "sip_datagram"
CONNECTION: Final = "sip_connection"
_RECORDS: Final[dict[str, tuple[type[Any], ...]]] = {
    "sip_out": (messages.SendSip,),
    "sip_between": (
        messages.SendFailed,
        messages.ReplaceDialog,
        messages.ReplaceJudged,
        messages.DialogReplaced,
    ),
    "media_command": (
        media.OpenStream,
        media.ConfigureStream,
        media.SetSource,
        media.SetSink,
        media.SendDigits,
        media.StopDigits,
        media.CloseStream,
        media.ProvideFrames,
        media.ExpectMedia,
        media.StopSource,
        media.RelayStream,
    ),
    "media_event": (
        media.StreamOpened,
        media.StreamRefused,
        media.DtmfReceived,
        media.DigitsBegun,
        media.DigitsSent,
        media.SourceFinished,
        media.FramesWanted,
        media.FramesReceived,
        media.StreamSilent,
        media.StreamStatistics,
        media.StreamClosed,
        media.CommandRefused,
        media.StreamStarted,
        media.SinkFailed,
        media.CommandDone,
    ),
    "call_record": (
        messages.CallFinished,
        messages.CallSlice,
        messages.CallTraced,
        messages.LoadFinished,
        messages.ScenarioCounted,
    ),
    "snapshot": (messages.Snapshot,),
}
CONTROL: Final = "control"
"""Every other record."""
KINDS: Final = RECORD_KINDS
_KIND_OF: Final = {record: kind for kind, records in _RECORDS.items() for record in records}


def kind_of(record: Any) -> str:
    """Return the kind of a record."""
    if record.__class__ is messages.SipReceived:
        return CONNECTION if record[1] else DATAGRAM
    return _KIND_OF.get(record.__class__, CONTROL)


def may_expire(record: Any) -> bool:
    """Whether a record may be left out when it comes too late, because its peer repeats it."""
    return record.__class__ is messages.SipReceived and not record[1]
