"""Link frames: every record comes back as it went, and nothing from outside raises anything but `WireError`."""

import contextlib
from typing import Any, get_args, get_origin, get_type_hints

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipswarm.actors.bus import messages, wire
from sipswarm.media import messages as media_messages
from tests.actors.hostile_texts import HOSTILE

RECORDS = sorted(wire.SCHEMA.items())
PLAIN: dict[type, st.SearchStrategy[Any]] = {
    int: st.integers(-(2**63), 2**64 - 1),
    float: st.floats(allow_nan=False),
    str: st.text(max_size=40),
    bytes: st.binary(max_size=60),
    bool: st.booleans(),
}
HEADER = (wire.VERSION, 1, 0, 0, 0, 12.5)
HELLO = (1, "call", 0, 4711)


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Anything that a field of this type may hold."""
    if get_origin(hint) is tuple:
        inner = get_args(hint)
        if inner[-1] is Ellipsis:
            return st.lists(values_of(inner[0]), max_size=4).map(tuple)
        return st.tuples(*map(values_of, inner))
    if get_args(hint):
        return st.one_of(*map(values_of, get_args(hint)))
    return PLAIN[hint]


def records_of(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Any record of a class of the schema."""
    hints = get_type_hints(kind)
    return st.tuples(*(values_of(hints[name]) for name in kind._fields)).map(kind._make)


def frame_of(*rows: Any, header: tuple[Any, ...] = HEADER) -> bytes:
    """A frame written without our own encoder."""
    packed: bytes = msgpack.packb((*header, rows))
    return packed


@pytest.mark.parametrize(("code", "kind"), RECORDS, ids=[kind.__name__ for _, kind in RECORDS])
def test_every_record_class_comes_back_as_it_went(code: int, kind: type[Any]) -> None:
    @settings(max_examples=10, deadline=None)
    @given(records_of(kind))
    def round_trip(record: Any) -> None:
        frame = wire.decode(wire.encode(3, 7, 5, 1.25, (record, record)))
        assert frame == (3, 7, 5, 1.25, [record, record], 0)
        assert [each.__class__ for each in frame.records] == [kind, kind]

    round_trip()


def test_every_record_of_both_vocabularies_has_a_code() -> None:
    told = {kind for kind in vars(messages).values() if isinstance(kind, type) and hasattr(kind, "_fields")}
    told |= set(get_args(media_messages.Command)) | set(get_args(media_messages.Event))
    told.discard(messages.Series)  # travels inside a Snapshot
    assert told == set(wire.SCHEMA.values())


def test_a_frame_without_records_comes_back() -> None:
    assert wire.decode(wire.encode(1, 2, 3, 4.0, (), 5)) == (1, 2, 3, 4.0, [], 5)


def test_a_record_outside_of_the_schema_is_our_own_bug() -> None:
    with pytest.raises(KeyError):
        wire.encode(1, 0, 0, 0.0, [("not", "ours")])


def test_an_int_stands_for_a_float_where_the_schema_says_float() -> None:
    frame = wire.decode(wire.encode(1, 0, 0, 0.0, [messages.Drain(5)]))
    assert frame.records == [messages.Drain(5.0)]
    assert type(frame.records[0].within) is float


NOT_FRAMES = {
    "no octets": b"",
    "text": b"INVITE sip:a@b SIP/2.0\r\n\r\n",
    "a number": msgpack.packb(5),
    "nil": msgpack.packb(None),
    "a map": msgpack.packb({"a": 1}),
    "a map with an array as key": b"\x81\x91\x01\x01",
    "an empty array": msgpack.packb(()),
    "too few parts": msgpack.packb((1, 1, 0, 0, 1.0)),
    "too many parts": msgpack.packb((*HEADER, (), 1)),
    "octets behind the frame": frame_of(HELLO) + b"\x00",
    "the reserved octet": b"\xc1",
    "an array said to hold four billion": b"\xdd\xff\xff\xff\xff\x01",
    "a map said to hold four billion": b"\xdf\xff\xff\xff\xff\x01\x01",
    "octets said to be four billion": b"\xc6\xff\xff\xff\xff\x01",
    "text said to be four billion": b"\xdb\xff\xff\xff\xff\x01",
    "a row said to hold four billion": b"\x96\x01\x01\x00\x00\xcb" + bytes(8) + b"\xdd\xff\xff\xff\xff",
    "deep nesting": b"\x91" * 100_000 + b"\x01",
    "deep nesting of maps": b"\x81\x01" * 100_000 + b"\x01",
    "deep nesting in a field": frame_of()[:-1] + b"\x91\x92\x01" + b"\x91" * 5000 + b"\x01",
    "text that is no UTF-8": frame_of((1, "call", 0, 4711)).replace(b"call", b"\xff\xfe\xfd\xfc"),
    "a timestamp of an odd size": b"\xc7\x03\xff\x01\x02\x03",
    "another version": frame_of(HELLO, header=(2, 1, 0, 0, 1.0)),
    "a version in words": frame_of(HELLO, header=("1", 1, 0, 0, 1.0)),
    "an incarnation in words": frame_of(HELLO, header=(1, "1", 0, 0, 1.0)),
    "a sequence that is a float": frame_of(HELLO, header=(1, 1, 0.0, 0, 1.0)),
    "an acknowledgement that is a bool": frame_of(HELLO, header=(1, 1, 0, True, 1.0)),
    "a time that is an int": frame_of(HELLO, header=(1, 1, 0, 0, 1)),
    "records that are a number": msgpack.packb((*HEADER, 5)),
    "records that are text": msgpack.packb((*HEADER, "abc")),
    "records that are octets": msgpack.packb((*HEADER, b"abc")),
    "records that are a map": msgpack.packb((*HEADER, {"a": 1})),
    "records that are nil": msgpack.packb((*HEADER, None)),
    "a row that is a number": frame_of(1),
    "a row that is octets": frame_of(b"\x01\x02"),
    "a row that is text": frame_of("ab"),
    "a row that is empty": frame_of(()),
    "a row that is a map": frame_of({1: 2}),
    "a code that is an array": frame_of(((1,), "call", 0, 1)),
    "a code that is a map": frame_of(({"a": 1}, "call", 0, 1)),
    "a code nobody has": frame_of((9999, 1)),
    "a code below zero": frame_of((-1, 1)),
    "too few fields": frame_of((1, "call", 0)),
    "too many fields": frame_of((1, "call", 0, 4711, 1)),
    "no fields": frame_of((1,)),
    "an int where text belongs": frame_of((1, 0, 0, 4711)),
    "octets where text belongs": frame_of((1, b"call", 0, 4711)),
    "a float where an int belongs": frame_of((1, "call", 0.0, 4711)),
    "a bool where an int belongs": frame_of((1, "call", True, 4711)),
    "nil where an int belongs": frame_of((1, "call", None, 4711)),
    "an int where a bool belongs": frame_of((60, 1, "127.0.0.1", 1, -1, -1)),
    "a bool where a float belongs": frame_of((31, True)),
    "an array where a float belongs": frame_of((31, (1.0,))),
    "a good record before a bad one": frame_of(HELLO, (1, "call")),
}


@pytest.mark.parametrize("data", NOT_FRAMES.values(), ids=NOT_FRAMES)
def test_what_is_no_frame_is_refused_as_a_whole(data: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.decode(data)


def decode_or_refuse(data: bytes) -> None:
    """Anything but a frame or `WireError` escapes and fails the test."""
    try:
        frame = wire.decode(data)
    except wire.WireError:
        return
    assert isinstance(frame, wire.Frame)


@settings(max_examples=1000, deadline=None)
@given(st.binary(max_size=200))
def test_any_octets_are_a_frame_or_a_wire_error(data: bytes) -> None:
    decode_or_refuse(data)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=9) | st.binary(),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(wire.SCHEMA)), st.lists(ANYTHING, max_size=8)), max_size=3))
def test_records_with_any_fields_are_records_or_a_wire_error(rows: list[tuple[int, list[Any]]]) -> None:
    decode_or_refuse(frame_of(*((code, *fields) for code, fields in rows)))


@settings(max_examples=500, deadline=None)
@given(ANYTHING)
def test_any_packed_value_is_a_frame_or_a_wire_error(value: Any) -> None:
    decode_or_refuse(msgpack.packb(value))
    decode_or_refuse(msgpack.packb((*HEADER, value)))


def test_a_frame_cut_anywhere_or_with_one_octet_changed_is_a_frame_or_a_wire_error() -> None:
    records = [messages.Hello("call", 3, 99), messages.SipReceived(0, 0, "127.0.0.1", 5060, b"INVITE"), messages.Stop()]
    whole = wire.encode(1, 2, 3, 4.5, records)
    for cut in range(len(whole)):
        with pytest.raises(wire.WireError):
            wire.decode(whole[:cut])
    for index in range(len(whole)):
        for octet in (0, 1, 0x7F, 0x80, 0x90, 0xC1, 0xDD, 0xFF):
            decode_or_refuse(whole[:index] + bytes((octet,)) + whole[index + 1 :])


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)


@settings(max_examples=300, deadline=None)
@given(st.one_of(ANY_TEXT, st.sampled_from(sorted(HOSTILE.values()))))
def test_any_text_crosses_unharmed(text: str) -> None:
    record = messages.ReplaceDialog(1, 0, text, text, text, text, early_only=True)
    assert wire.decode(wire.encode(1, 2, 3, 4.5, (record, record))).records == [record, record]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40))
def test_octets_of_a_peer_cross_unharmed_as_text(data: bytes) -> None:
    record = messages.Reloaded(data.decode("utf-8", "surrogateescape"))
    crossed = wire.decode(wire.encode(1, 2, 3, 4.5, (record,))).records[0]
    assert crossed.problem.encode("utf-8", "surrogateescape") == data


def test_what_could_not_be_packed_leaves_nothing_in_the_next_frame() -> None:
    before = wire.encode(1, 2, 3, 4.5, (messages.Stop(),))
    for bad in (messages.Reloaded("\ud800"), messages.Drain(object())):  # type: ignore[arg-type]
        with contextlib.suppress(*wire.UNSENDABLE):
            wire.encode(1, 2, 3, 4.5, (messages.Stop(), bad))
        assert wire.encode(1, 2, 3, 4.5, (messages.Stop(),)) == before


class Name(str):
    """Text of a class of its own."""


@pytest.mark.parametrize(
    ("record", "fits"),
    [
        (messages.Drain(1.0), True),
        (messages.Drain(1), True),
        (messages.Drain(True), False),
        (messages.Drain(None), False),  # type: ignore[arg-type]
        (messages.Drain("1"), False),  # type: ignore[arg-type]
        (messages.Reloaded(Name("x")), True),
        (messages.Reloaded(b"x"), False),  # type: ignore[arg-type]
        (messages.Ready("call", True), False),
        (media_messages.ProvideFrames(1, [(b"x", -1, 0, -1)]), True),  # type: ignore[arg-type]
        (media_messages.ProvideFrames(1, (), 0), False),  # type: ignore[arg-type]
        (messages.SipReceived(0, 0, "::1", 5060, bytearray(b"x")), True),  # type: ignore[arg-type]
        (("not", "ours"), False),
        (None, False),
    ],
)
def test_what_fits_is_what_the_other_end_takes(record: Any, fits: bool) -> None:
    assert wire.fits(record) == fits
    if record.__class__ in wire.SCHEMA.values():
        data = wire.encode(1, 0, 0, 0.0, (record,))
        if fits:
            assert wire.decode(data).records[0].__class__ is record.__class__
        else:
            with pytest.raises(wire.WireError):
                wire.decode(data)
