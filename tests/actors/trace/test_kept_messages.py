"""Messages that are kept in memory: by Call-ID, as a capture, bounded, and with their secrets masked."""

from sipswarm.actors.trace.kept_messages import KeptMessages
from sipswarm.actors.trace.ladder import Row
from sipswarm.actors.trace.pcap import HEADER

HERE, THERE = ("192.0.2.1", 5060), ("192.0.2.2", 5070)


def row(at: float, call_id: str, start: str = "OPTIONS sip:b@192.0.2.2 SIP/2.0", *, sent: bool = True) -> Row:
    text = f'{start}\r\nCall-ID: {call_id}\r\nCSeq: 1 OPTIONS\r\nAuthorization: Digest response="0123abcd"\r\n\r\n'
    return at, sent, "udp", HERE, THERE, text.encode(), ""


def test_each_call_id_has_its_ladder_in_the_order_of_their_first_messages() -> None:
    kept = KeptMessages(1_000_000.0)
    for each in (row(1.0, "b"), row(2.0, "a"), row(3.0, "b", "SIP/2.0 200 OK", sent=False)):
        kept.put(each)
    kept.put((4.0, False, "udp", HERE, THERE, b"no message", ""))
    ladders = kept.ladders()
    assert list(ladders) == ["b", "a", ""]
    assert [(rung.at, rung.sent) for rung in ladders["b"].rungs] == [(1.0, True), (3.0, False)]
    assert ladders["b"].clock_offset == 1_000_000.0


def test_the_oldest_make_room_by_number_and_by_octets() -> None:
    few, small = KeptMessages(0.0, most_messages=2), KeptMessages(0.0, most_octets=1)
    for at in range(5):
        few.put(row(float(at), "a"))
        small.put(row(float(at), "a"))
    assert (len(few), few.left_out) == (2, 3)
    assert [rung.at for rung in few.ladders()["a"].rungs] == [3.0, 4.0]
    assert (len(small), small.left_out) == (1, 4), "the newest one is kept, however large"


def test_a_capture_has_both_directions_and_no_secret() -> None:
    kept = KeptMessages(0.0)
    kept.put(row(1.0, "a"))
    kept.put(row(2.0, "a", "SIP/2.0 200 OK", sent=False))
    kept.close()
    capture = kept.capture()
    assert capture.startswith(HEADER)
    assert capture.index(b"OPTIONS sip:b") < capture.index(b"SIP/2.0 200 OK")
    assert b"0123abcd" not in capture
    assert b"0123abcd" not in kept.ladders()["a"].full().encode()
