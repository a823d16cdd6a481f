"""What a call worker remembers of its SIP: bounded, by call, forgotten with it; and the file of `--sip-trace`."""

import stat
import struct
from pathlib import Path

import pytest

from sipswarm.actors.bus.messages import CallTraced, SipReceived
from sipswarm.actors.config import LoadConfig, NodeConfig
from sipswarm.actors.counting.totals import Totals
from sipswarm.actors.errors import ConfigurationError
from sipswarm.actors.trace import file as trace_file
from sipswarm.actors.trace import recorder
from sipswarm.actors.trace.pcap import HEADER
from sipswarm.actors.trace.recorder import MOST_FAILURES, MOST_MESSAGES, MOST_OCTETS, SipTrace
from sipswarm.sipcore.message.hop import Hop

HOPS = [Hop("udp", "127.0.0.1", 5060), Hop("tcp", "::1", 5061)]
PEER = ("127.0.0.1", 5070)


def message(call_id: str = "a", start: str = "INVITE sip:b@127.0.0.1 SIP/2.0", more: str = "") -> bytes:
    return f"{start}\r\nCall-ID: {call_id}\r\nCSeq: 1 INVITE\r\n{more}\r\n".encode()


def received(data: bytes, listener: int = 0) -> SipReceived:
    return SipReceived(listener, 0, *PEER, data)


def trace(*, of_load: bool = False) -> SipTrace:
    clock = iter(range(10**6))
    return SipTrace(HOPS, now=lambda: float(next(clock)), clock_offset=0.0, ladders=True, of_load=of_load)


def test_both_directions_of_a_call_are_kept_and_those_of_others_are_not() -> None:
    made = trace()
    record = made.begin("a")
    assert record is not None
    made.sent(0, message("a"), PEER)
    made.sent(0, message("b"), PEER)
    made.sent(0, b"no call-id", PEER)
    made.received("a", received(message("a", "SIP/2.0 180 Ringing"), listener=1))
    rungs = record.ladder().rungs
    assert [(each.at, each.sent, each.transport, each.local[1], each.remote) for each in rungs] == [
        (0.0, True, "udp", 5060, PEER),
        (3.0, False, "tcp", 5061, PEER),
    ]


def test_an_incoming_call_begins_with_the_invite_that_made_it_and_a_strangers_message_is_not_kept() -> None:
    made = trace()
    made.received("b", received(message("b")))
    made.received("a", received(message("a")))
    first, second = made.begin("a"), made.begin("b")
    assert first is not None
    assert second is not None
    assert [each.data for each in first.ladder().rungs] == [message("a")]
    assert second.ladder().rungs == ()


@pytest.mark.parametrize(("octets", "kept"), [(10, MOST_MESSAGES), (MOST_OCTETS // 4, 3), (MOST_OCTETS * 2, 1)])
def test_a_record_keeps_the_newest_and_counts_what_it_left_out(octets: int, kept: int) -> None:
    made = trace()
    record = made.begin("a")
    assert record is not None
    for number in range(100):
        made.sent(0, message("a", more=f"X: {number}{'x' * octets}\r\n"), PEER)
    ladder = record.ladder()
    assert (len(ladder.rungs), ladder.left_out) == (kept, 100 - kept)
    assert b"X: 99" in ladder.rungs[-1].data
    assert record.octets == sum(len(each.data) for each in ladder.rungs)


def test_a_call_is_forgotten_when_the_last_with_its_call_id_is() -> None:
    made = trace()
    record = made.begin("a")
    assert made.begin("a") is record  # the other end is in this worker too
    for expected in (1, 2, 2):
        made.sent(0, message("a"), PEER)
        assert record is not None
        assert len(record.rows) == expected
        made.end("a")
    made.end("unknown")


def test_the_supervisor_hears_of_the_first_failed_calls_only_and_of_no_secret() -> None:
    made = trace(of_load=True)
    record = made.begin("a")
    made.sent(0, message("a", more='Authorization: Digest response="5ecre7"\r\n'), PEER)
    told: list[CallTraced] = []
    for _ in range(30):
        made.tell(told.append, "a", record)
    assert len(told) == MOST_FAILURES == 20
    assert b'response="xxxxxx"' in told[0].rungs[0][5]
    silent = trace()
    silent.tell(told.append, "a", record)
    made.tell(None, "a", record)
    assert len(told) == 20


@pytest.mark.parametrize(
    ("config", "traces"),
    [
        (NodeConfig("", (), 0), False),
        (NodeConfig("", (), 0, load=LoadConfig("sip:a@b")), False),
        (NodeConfig("", (), 0, ladders=True), True),
    ],
)
def test_a_worker_traces_when_it_is_told_to(config: NodeConfig, traces: bool) -> None:
    assert (recorder.of(config, HOPS, lambda: 0.0, Totals()) is not None) is traces


# ---- the file


def frames(path: Path) -> list[bytes]:
    """The packets of a capture file."""
    octets = path.read_bytes()
    assert octets.startswith(HEADER)
    found, at = [], len(HEADER)
    while at < len(octets):
        length = struct.unpack("<I", octets[at + 8 : at + 12])[0]
        found.append(octets[at + 16 : at + 16 + length])
        at += 16 + length
    assert at == len(octets)
    return found


def dropped(totals: Totals) -> float:
    return totals.cell("sipswarm_queue_dropped_total", "sip_trace").value


def test_several_workers_write_whole_messages_into_one_file_that_is_their_owners(tmp_path: Path) -> None:
    path = tmp_path / "all.pcap"
    path.write_bytes(b"from before")
    path.chmod(0o644)
    trace_file.create(str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    totals = Totals()
    config = NodeConfig("", (), 0, sip_trace=str(path))
    workers = [recorder.of(config, HOPS, lambda: 1.0, totals) for _ in range(3)]
    for number in range(1000):
        worker = workers[number % 3]
        assert worker is not None
        worker.sent(0, message(str(number), more='Authorization: Digest response="5ecre7"\r\n'), PEER)
    for worker in workers:
        assert worker is not None
        worker.close()
    found = frames(path)
    assert len(found) == 1000
    assert all(b'response="xxxxxx"' in each for each in found)
    assert dropped(totals) == 0


def test_messages_beyond_the_bound_are_dropped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "all.pcap"
    trace_file.create(str(path))
    totals = Totals()
    made = trace_file.TraceFile(str(path), totals, clock_offset=0.0)
    many = trace_file.WAITING * 40
    for _ in range(many):
        made.put((0.0, True, "udp", PEER, PEER, b"x", ""))
    made.close()
    assert dropped(totals) > 0
    assert len(frames(path)) + dropped(totals) == many


def test_a_file_that_is_gone_costs_its_messages_and_nothing_else(tmp_path: Path) -> None:
    totals = Totals()
    made = trace_file.TraceFile(str(tmp_path / "gone" / "x.pcap"), totals, clock_offset=0.0)
    made.close()
    for _ in range(5):
        made.put((0.0, True, "udp", PEER, PEER, b"x", ""))
    assert dropped(totals) == 5


def test_a_place_that_cannot_be_written_or_is_a_link_is_refused_with_the_fix(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    for name in ("no/such/folder.pcap", "link", ""):
        with pytest.raises(ConfigurationError, match=r"--sip-trace .*; give a plain file"):
            trace_file.create(str(tmp_path / name))
    assert not (tmp_path / "target").exists()
