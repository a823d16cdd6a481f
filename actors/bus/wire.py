"""Link frames as octets: the schema of every record, checked in both directions. The only importer of msgpack.

A frame is the array (version, incarnation, sequence, acknowledged, late, sent_at, records); a record is the array
(code, field, field, …). Codes are part of the protocol between two processes of one release: append, never renumber.
A frame from outside that does not fit in every type and length is refused as a whole with `WireError`.

Text crosses as it is, lone surrogates included: octets of a peer that are no UTF-8 are kept as those everywhere
(`surrogateescape`), and are escaped where they are written for people.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, get_origin, get_type_hints

import msgpack

from sipswarm.media import messages as media_messages

from . import messages

VERSION: Final = 2
MAX_FRAME = 1 << 20
"""Octets; the limit set on every socket, so that a stranger cannot make us allocate more."""
UNNUMBERED: Final = -1
"""The sequence of a frame with a `Probe` or `Probed`."""


class WireError(ValueError):
    """A frame of another program: refused and counted, never handled in part."""


SCHEMA: Final[dict[int, type[tuple[Any, ...]]]] = {
    # every link
    1: messages.Hello,
    2: messages.Welcome,
    3: messages.Probe,
    4: messages.Probed,
    5: messages.StoodStill,
    # sip link
    10: messages.SipReceived,
    12: messages.SendSip,
    13: messages.SendFailed,
    14: messages.ReplaceDialog,
    15: messages.ReplaceJudged,
    16: messages.DialogReplaced,
    17: messages.Prepared,
    # control link
    30: messages.Start,
    31: messages.Drain,
    32: messages.Stop,
    33: messages.WorkerDown,
    34: messages.SetRate,
    35: messages.Quarantined,
    36: messages.Retire,
    40: messages.Ready,
    41: messages.Snapshot,
    42: messages.CallFinished,
    43: messages.LoadFinished,
    44: messages.Drained,
    45: messages.CallTraced,
    46: messages.Reloaded,
    47: messages.CallSlice,
    48: messages.Retired,
    49: messages.Removing,
    50: messages.ScenarioCounted,
    # media link
    60: media_messages.OpenStream,
    61: media_messages.ConfigureStream,
    62: media_messages.SetSource,
    63: media_messages.SetSink,
    64: media_messages.SendDigits,
    65: media_messages.StopDigits,
    66: media_messages.CloseStream,
    67: media_messages.ProvideFrames,
    68: media_messages.ExpectMedia,
    69: media_messages.StopSource,
    70: media_messages.RelayStream,
    80: media_messages.StreamOpened,
    81: media_messages.StreamRefused,
    82: media_messages.DtmfReceived,
    83: media_messages.DigitsSent,
    84: media_messages.SourceFinished,
    85: media_messages.FramesWanted,
    86: media_messages.FramesReceived,
    87: media_messages.StreamSilent,
    88: media_messages.StreamStatistics,
    89: media_messages.StreamClosed,
    90: media_messages.CommandRefused,
    91: media_messages.StreamStarted,
    92: media_messages.SinkFailed,
    93: media_messages.CommandDone,
    94: media_messages.DigitsBegun,
}


def _field_types(record: type[tuple[Any, ...]]) -> tuple[type, ...]:
    """The exact type of each field: int, float, str, bytes, bool, or tuple for any tuple of those."""
    hints = get_type_hints(record)
    fields: tuple[str, ...] = record._fields  # type: ignore[attr-defined]  # every NamedTuple has it
    return tuple(tuple if get_origin(hints[name]) is tuple else hints[name] for name in fields)


_CODES: Final = {record: code for code, record in SCHEMA.items()}
_TYPES: Final = {code: _field_types(record) for code, record in SCHEMA.items()}
_PACKED_AS: Final[dict[type, tuple[type, ...]]] = {
    float: (float, int),
    tuple: (tuple, list),
    bytes: (bytes, bytearray, memoryview),
}
"""What a field may hold that arrives as another type, the one of the schema."""
_HEAD: Final = (int, int, int, int, float)
_packer = msgpack.Packer(autoreset=True)
_packer_of_any_text = msgpack.Packer(autoreset=True, unicode_errors="surrogatepass")
"""For the few frames that the other one refuses; it costs each text field a copy."""
UNSENDABLE: Final = (KeyError, TypeError, ValueError, OverflowError)
"""What `encode` raises for a record that is none of the schema, or has a value that cannot be packed."""


class Frame(NamedTuple):
    """What came in one ZeroMQ message."""

    incarnation: int
    """Of the sender: 1, 2, 3 … for each start of its slot."""
    sequence: int
    """Records sent on this link before this frame; `UNNUMBERED` for a frame whose record has no number."""
    acknowledged: int
    """Records of this end that the sender has done with."""
    sent_at: float
    """Monotonic time; one host, one clock."""
    records: list[Any]
    late: int = 0
    """Those of the acknowledged records that came too late and were left out."""


def _widened(code: int, fields: tuple[Any, ...]) -> tuple[Any, ...]:
    """The fields with each int that stands for a float made one, as the type checker lets senders write them.

    Raises:
        WireError: any other difference from the schema.
    """
    wanted = _TYPES[code]
    fields = (
        tuple(
            float(value) if type(value) is int and kind is float else value
            for value, kind in zip(fields, wanted, strict=False)
        )
        + fields[len(wanted) :]
    )
    if tuple(map(type, fields)) != wanted:
        raise WireError(f"record {code}: fields of other number or types")
    return fields


def encode(
    incarnation: int, sequence: int, acknowledged: int, sent_at: float, records: Sequence[Any], late: int = 0
) -> bytes:
    """A frame as octets; the arguments are the fields of `Frame`.

    Raises:
        KeyError: a record's class is not in the schema (our own bug).
        TypeError, ValueError, OverflowError: a field cannot be packed.
    """
    codes = _CODES
    rows = [(codes[record.__class__], *record) for record in records]
    frame = (VERSION, incarnation, sequence, acknowledged, late, sent_at, rows)
    try:
        packed: bytes = _packer.pack(frame)
    except UnicodeEncodeError:
        packed = _packer_of_any_text.pack(frame)
    return packed


def fits(record: Any) -> bool:
    """Whether `decode` will take a record's fields; what it refuses would cost all records of its frame."""
    code = _CODES.get(record.__class__)
    if code is None:
        return False
    wanted = _TYPES[code]
    if tuple(map(type, record)) == wanted:
        return True
    return all(
        isinstance(value, _PACKED_AS.get(kind, kind)) and (kind is bool or not isinstance(value, bool))
        for value, kind in zip(record, wanted, strict=True)
    )


def decode(data: bytes) -> Frame:
    """The frame in these octets, every record as its class.

    Raises:
        WireError: not msgpack, another version, an unknown record, or a field of another type.
    """
    try:
        version, incarnation, sequence, acknowledged, late, sent_at, rows = msgpack.unpackb(
            data, use_list=False, unicode_errors="surrogatepass"
        )
    except (ValueError, TypeError, msgpack.UnpackException, RecursionError) as error:
        raise WireError(f"not a link frame: {type(error).__name__}") from error
    if version != VERSION:
        raise WireError(f"link version {version!r}, ours is {VERSION}: restart every process of the node")
    if (type(incarnation), type(sequence), type(acknowledged), type(late), type(sent_at)) != _HEAD:
        raise WireError("frame header of other types")
    records = []
    try:
        for row in rows:
            code = row[0]
            fields = row[1:]
            if tuple(map(type, fields)) != _TYPES[code]:
                fields = _widened(code, fields)
            records.append(SCHEMA[code]._make(fields))  # type: ignore[attr-defined]  # as above
    except (TypeError, KeyError, IndexError) as error:
        raise WireError(f"not a record: {type(error).__name__}") from error
    return Frame(incarnation, sequence, acknowledged, sent_at, records, late)
