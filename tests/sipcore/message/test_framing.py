"""A stream cut anywhere gives the same messages; limits, keep-alives and deadlines of one connection."""

from pathlib import Path

import pytest

from sipswarm.sipcore.message.framing import FramingFault, FramingLimits, KeepAlive, Phase, StreamFramer
from tests.sipcore.wire import SDP, sample, sample_response

Item = bytes | KeepAlive | FramingFault
INVITE = sample(body=SDP)
BYE = sample("BYE")
OK = sample_response()


def feed(pieces: list[bytes], *, initiated: bool = False, limits: FramingLimits | None = None) -> list[Item]:
    framer = StreamFramer(0.0, initiated=initiated, limits=limits)
    return [item for piece in pieces for item in framer.feed(piece, 0.0)]


def comparable(items: list[Item]) -> list[object]:
    """A fault shows what had arrived by then, which differs with the cut; everything else must not."""
    return [(item.reason, item.status_hint) if isinstance(item, FramingFault) else item for item in items]


def torture(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((folder / "rfc4475").glob("*.dat"))]


def test_every_cut_of_every_torture_message_gives_the_same(shared_data: Path) -> None:
    cuts = 0
    for data in torture(shared_data):
        whole = comparable(feed([data]))
        for cut in range(1, len(data)):
            assert comparable(feed([data[:cut], data[cut:]])) == whole, (cut, data)
            cuts += 1
    assert cuts == 24924


def test_one_octet_a_segment_gives_the_same(shared_data: Path) -> None:
    for data in torture(shared_data):
        pieces = [data[index : index + 1] for index in range(len(data))]
        assert comparable(feed(pieces)) == comparable(feed([data]))


def test_all_messages_in_one_segment(shared_data: Path) -> None:
    whole = [data for data in torture(shared_data) if feed([data]) == [data]]
    assert len(whole) > 40
    assert feed([b"".join(whole)]) == whole
    assert feed([b"\r\n".join(whole)]) == whole


@pytest.mark.parametrize("initiated", [False, True])
def test_every_cut_of_messages_with_line_ends_between_gives_the_same(initiated: bool) -> None:
    data = b"\r\n" + INVITE + b"\r\n\r\n" + BYE + b"\r\n\r\n\r\n" + OK + b"\r\n\r\n\r\n\r\n"
    whole = feed([data], initiated=initiated)
    for cut in range(1, len(data)):
        assert feed([data[:cut], data[cut:]], initiated=initiated) == whole


def test_a_ping_is_a_double_line_end_and_a_pong_a_single_one() -> None:
    assert feed([b"\r\n\r\n"]) == [KeepAlive.PING]
    assert feed([b"\r\n", b"\r\n"]) == [KeepAlive.PING]
    assert feed([b"\r\n"]) == []
    assert feed([b"\r\n" + BYE]) == [BYE]
    assert feed([b"\r\n\r" + BYE])[0] == b"\r" + BYE
    assert feed([b"\r\n\r\n\r\n" + BYE]) == [KeepAlive.PING, BYE]
    assert feed([b"\r\n"], initiated=True) == [KeepAlive.PONG]
    assert feed([b"\r", b"\n\r\n"], initiated=True) == [KeepAlive.PONG, KeepAlive.PONG]


FAULTS = [
    ("no Content-Length", sample(drop="Content-Length"), 400),
    ("a negative one", sample().replace(b"Length: 0", b"Length: -1"), 400),
    ("two that differ", sample("INVITE", "l: 1"), 400),
    ("a huge one", sample().replace(b"Length: 0", b"Length: 99999999999999999999999"), 400),
    ("one beyond the limit", sample().replace(b"Length: 0", b"Length: 65536"), 413),
    ("digits of another script", sample().replace(b"Length: 0", "Length: ٣".encode()), 400),
    ("garbage", b"hello\r\n\r\n", 400),
    ("a lone line feed first", b"\nhello\r\n\r\n", 400),
    ("a head without end", b"INVITE sip:a SIP/2.0\r\n" + b"a: b\r\n" * 12000, 513),
]


@pytest.mark.parametrize(("data", "status"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_a_fault_ends_the_stream(data: bytes, status: int) -> None:
    framer = StreamFramer(0.0)
    first, fault = framer.feed(BYE + data + BYE, 1.0)
    assert first == BYE
    assert isinstance(fault, FramingFault)
    assert fault.status_hint == status
    assert fault.head.startswith(data[:60])
    assert framer.phase is Phase.FAILED
    assert framer.deadline is None
    assert framer.pending == 0
    assert framer.feed(BYE, 2.0) == []


def test_deadlines_run_from_the_first_octet_of_each_part() -> None:
    framer = StreamFramer(100.0, limits=FramingLimits(head_time=10, body_time=20, idle_time=120))
    assert framer.deadline == 220
    assert framer.feed(b"\r\n\r\n", 150.0) == [KeepAlive.PING]
    assert framer.deadline == 270
    framer.feed(INVITE[:1], 200.0)
    assert (framer.phase, framer.deadline) == (Phase.HEAD, 210)
    framer.feed(INVITE[1:5], 205.0)
    assert framer.deadline == 210
    framer.feed(INVITE[5:-1], 209.0)
    assert (framer.phase, framer.deadline) == (Phase.BODY, 229)
    assert framer.pending == len(INVITE) - 1
    assert framer.feed(INVITE[-1:], 220.0) == [INVITE]
    assert (framer.phase, framer.deadline) == (Phase.IDLE, 340)
    assert framer.pending == 0


def test_a_folded_content_length_is_read() -> None:
    data = INVITE.replace(b"Content-Length: ", b"l :\r\n \t")
    assert feed([data, BYE]) == [data, BYE]
