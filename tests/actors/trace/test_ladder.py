"""Ladders: who sent what and when, readable at 100 columns, with nothing in it that a terminal obeys."""

import pytest

from sipswarm.actors.diagnosis.foreign_text import shown as plain_text
from sipswarm.actors.trace.ladder import WIDTH, Ladder, Rung

US, PEER, OTHER = ("127.0.0.1", 5060), ("127.0.0.1", 5070), ("127.0.0.1", 5080)
INVITE = (
    b"INVITE sip:bob@127.0.0.1:5070 SIP/2.0\r\nCSeq: 1 INVITE\r\n"
    b'Proxy-Authorization: Digest username="a", response="5ecre7"\r\n\r\nv=0\r\n'
)
BUSY = b"SIP/2.0 486 Busy Here\r\ncseq : 1 INVITE\r\n\r\n"
ACK = b"ACK sip:bob@127.0.0.1:5070 SIP/2.0\r\nCSeq: 1 ACK\r\n\r\n"


def rung(at: float, sent: bool, data: bytes, remote: tuple[str, int] = PEER, transport: str = "udp") -> Rung:
    return Rung(100.0 + at, sent, transport, US, remote, data)


def test_a_ladder_tells_the_story_of_a_call() -> None:
    ladder = Ladder(
        [rung(0.0, True, INVITE), rung(0.5, True, INVITE), rung(0.75, False, BUSY), rung(0.751, True, ACK, OTHER)],
        clock_offset=1_700_000_000.0,
    )
    assert str(ladder).splitlines() == [
        "2023-11-14 22:15:00.000 UTC",
        "  seconds     step  127.0.0.1:5060                          127.0.0.1:5070",
        "   0.0000           |-- INVITE sip:bob@127.0.0.1:5070 ------------------>|  SDP",
        "   0.5000  +0.5000  |.. INVITE sip:bob@127.0.0.1:5070 ..................>|  again (2), SDP",
        "   0.7500  +0.2500  |<---------------------------------- 486 Busy Here --|  to INVITE",
        "   0.7510  +0.0010  |-- ACK sip:bob@127.0.0.1:5070 --------------------->|  to 127.0.0.1:5080",
    ]


def test_the_messages_in_full_follow_with_secrets_masked() -> None:
    text = Ladder([rung(0.0, True, INVITE), rung(0.1, False, BUSY), rung(0.5, True, INVITE)]).full()
    assert "1. 0.0000  127.0.0.1:5060 -> 127.0.0.1:5070, " in text
    assert "2. 0.1000  127.0.0.1:5070 -> 127.0.0.1:5060, " in text
    assert '    Proxy-Authorization: Digest username="a", response="xxxxxx"\n\n    v=0\n' in text
    assert "5ecre7" not in text
    assert text.endswith(f"\n\n3. 0.5000  127.0.0.1:5060 -> 127.0.0.1:5070, {len(INVITE)} octets, the same as 1")


@pytest.mark.parametrize(
    "data",
    [
        b"INVITE sip:" + b"u" * 300 + b"@127.0.0.1 SIP/2.0\r\nCSeq: 1 " + b"M" * 300 + b"\r\n\r\n",
        b"SIP/2.0 480 " + b"\xf0\x9f\x98\x80" * 90 + b"\r\nCSeq: 1 " + b"M" * 300 + b"\r\n\r\n",
        b"SIP/2.0 480\r\nno cseq\r\n\r\n",
        b"\r\n\r\n",
        b"",
    ],
)
def test_no_line_is_wider_than_the_page(data: bytes) -> None:
    for transport in ("udp", "tls"):
        lines = str(Ladder([rung(0.0, True, data, transport=transport), rung(9.0, False, data, OTHER)], 7)).splitlines()
        assert max(map(len, lines)) <= WIDTH
    assert "(7 earlier messages are left out)" in lines[2]


@pytest.mark.parametrize(
    ("octets", "shown"),
    [
        (b"a\x1b[31m\x07", "a\\x1b[31m\\x07"),
        (b"a\r\nb\tc\x7f", "a\\x0d\\x0ab\\x09c\\x7f"),
        (b"\xff\xc3\xa9", "\\xffé"),
        ("‮".encode(), "\\u202e"),
    ],
)
def test_controls_and_what_is_no_text_stand_as_escapes(octets: bytes, shown: str) -> None:
    assert plain_text(octets) == shown
    full = Ladder(
        [rung(0.0, False, b"INVITE sip:" + octets + b" SIP/2.0\r\nX: " + octets + b"\r\n\r\n" + octets)]
    ).full()
    assert all(each.isprintable() or each == "\n" for each in full)


def test_a_ladder_without_messages_says_so() -> None:
    assert str(Ladder()) == Ladder().full()
    assert str(Ladder()).startswith("no message was recorded; UserAgent(trace=True)")
