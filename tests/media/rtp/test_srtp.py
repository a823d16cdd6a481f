"""SRTP: a published packet, and packets that must not get through."""

import random
import subprocess
import sys

import pytest

from sipswarm.media.rtp.srtp import KEYS_KEPT, SUITES, CryptoError, SrtpSession, new_key

CM_80 = "AES_CM_128_HMAC_SHA1_80"

RTP = bytes.fromhex("800f1234decafbadcafebabe") + b"\xab" * 16
RTCP = bytes.fromhex("80c90001cafebabe")

# The packet that libsrtp validates itself with (its test/srtp_driver.c), AES_CM_128_HMAC_SHA1_80.
VECTOR_KEY = bytes.fromhex("e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6")
VECTOR_SRTP = bytes.fromhex("800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb")


def sessions(suite: str, seed: int = 1) -> tuple[SrtpSession, SrtpSession]:
    """Both ends of a stream."""
    random_bytes = random.Random(seed).randbytes
    here, there = new_key(suite, random_bytes), new_key(suite, random_bytes)
    return SrtpSession(suite, here, there), SrtpSession(suite, there, here)


def numbered(sequence_number: int, payload: bytes = b"\xab" * 160) -> bytes:
    return b"\x80\x00" + (sequence_number & 0xFFFF).to_bytes(2) + RTP[4:12] + payload


def test_naming_the_suites_needs_no_library() -> None:
    check = "import sys, sipswarm.media.rtp.srtp; sys.exit('pylibsrtp' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_a_missing_library_is_named_with_the_extra() -> None:
    script = (
        "import sys; sys.modules['pylibsrtp'] = None\n"
        "from sipswarm.media.rtp.srtp import SrtpSession, SrtpUnavailable\n"
        f"try: SrtpSession('{CM_80}', bytes(30), bytes(30))\n"
        "except SrtpUnavailable as error: print(error)"
    )
    shown = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    assert "pip install sipswarm[srtp]" in shown


@pytest.mark.parametrize(
    ("suite", "send", "receive"),
    [("NULL", 30, 30), (CM_80, 30, 28), (CM_80, 46, 46), ("AEAD_AES_128_GCM", 30, 30)],
)
def test_a_wrong_suite_or_key_is_refused(suite: str, send: int, receive: int) -> None:
    with pytest.raises(CryptoError):
        SrtpSession(suite, bytes(send), bytes(receive))


def test_the_published_packet_comes_out() -> None:
    pytest.importorskip("pylibsrtp", reason="pylibsrtp is in the extra srtp")
    session = SrtpSession(CM_80, VECTOR_KEY, VECTOR_KEY)
    assert session.protect(RTP) == VECTOR_SRTP
    assert session.unprotect(VECTOR_SRTP) == RTP


@pytest.mark.parametrize(
    ("suite", "tag"),
    [("AEAD_AES_128_GCM", 16), ("AES_CM_128_HMAC_SHA1_80", 10), ("AES_CM_128_HMAC_SHA1_32", 4)],
)
def test_packets_go_through_and_hide_their_payload(suite: str, tag: int) -> None:
    here, there = sessions(suite)
    for sequence_number in range(65_500, 65_600):  # over the wrap of the sequence number
        packet = numbered(sequence_number)
        protected = here.protect(packet)
        assert len(protected) == len(packet) + tag
        assert protected[:12] == packet[:12]
        assert packet[12:20] not in protected
        assert there.unprotect(protected) == packet
    assert there.unprotect_rtcp(here.protect_rtcp(RTCP)) == RTCP
    assert (there.invalid, there.replayed) == (0, 0)


@pytest.mark.parametrize("suite", SUITES)
def test_reordered_and_lost_packets_do_not_matter_but_repeated_ones_are_dropped(suite: str) -> None:
    here, there = sessions(suite)
    protected = [here.protect(numbered(n)) for n in range(10)]
    for index in (0, 2, 1, 5, 4):
        assert there.unprotect(protected[index]) == numbered(index)
    assert there.unprotect(protected[1]) is None
    assert there.unprotect(protected[5]) is None
    report = here.protect_rtcp(RTCP)
    assert there.unprotect_rtcp(report) == RTCP
    assert there.unprotect_rtcp(report) is None
    assert (there.replayed, there.invalid) == (3, 0)


@pytest.mark.parametrize("suite", SUITES)
def test_a_packet_older_than_the_window_is_dropped(suite: str) -> None:
    here, there = sessions(suite)
    protected = [here.protect(numbered(n)) for n in range(1000)]
    assert there.unprotect(protected[999]) == numbered(999)
    assert there.unprotect(protected[0]) is None
    assert there.replayed == 1


@pytest.mark.parametrize("suite", SUITES)
def test_a_wrong_key_and_a_changed_octet_are_dropped(suite: str) -> None:
    here, there = sessions(suite)
    stranger, _ = sessions(suite, seed=2)
    assert there.unprotect(stranger.protect(RTP)) is None
    assert there.unprotect_rtcp(stranger.protect_rtcp(RTCP)) is None
    protected = here.protect(RTP)
    for index in range(len(protected)):
        changed = protected[:index] + bytes([protected[index] ^ 1]) + protected[index + 1 :]
        assert there.unprotect(changed) is None
    assert there.unprotect(protected) == RTP
    assert there.invalid >= len(protected)


@pytest.mark.parametrize("suite", SUITES)
def test_bytes_of_a_peer_never_raise(suite: str) -> None:
    _, there = sessions(suite)
    chance = random.Random(3)
    packets = [b"", b"\x80", bytes(1600), RTP, RTCP]
    packets += [b"\x80" + chance.randbytes(chance.randrange(60)) for _ in range(500)]
    for packet in packets:
        assert there.unprotect(packet) is None
        assert there.unprotect_rtcp(packet) is None
    assert there.invalid + there.replayed == 2 * len(packets)


@pytest.mark.parametrize("packet", [b"", b"\x80", RTP + bytes(1400)])
def test_what_is_no_packet_or_too_long_is_not_protected(packet: bytes) -> None:
    here, _ = sessions(CM_80)
    with pytest.raises(ValueError, match=r"too long|cannot protect"):
        here.protect(packet)
    with pytest.raises(ValueError, match=r"too long|cannot protect"):
        here.protect_rtcp(packet)


@pytest.mark.parametrize("suite", SUITES)
def test_a_new_key_of_one_side_leaves_the_other_direction_as_it_was(suite: str) -> None:
    here, there = sessions(suite)
    keys = [new_key(suite, random.Random(seed).randbytes) for seed in range(2, 5)]
    random_bytes = random.Random(1).randbytes
    own, peers = new_key(suite, random_bytes), new_key(suite, random_bytes)
    for number in range(65_000, 66_000):
        assert there.unprotect(here.protect(numbered(number))) == numbered(number)
    first = there.protect(numbered(1))
    assert here.unprotect(first) == numbered(1)
    reports = [here.protect_rtcp(RTCP)]
    for key in keys:
        here.rekey(suite, own, key)
        number += 1
        assert there.unprotect(here.protect(numbered(number))) == numbered(number)
        reports.append(here.protect_rtcp(RTCP))
    assert len(set(reports)) == len(reports), "no SRTCP index comes twice"
    assert [there.unprotect_rtcp(report) for report in reports] == [RTCP] * len(reports)
    here.rekey(suite, own, peers)
    assert here.unprotect(first) is None, "the replay window of a key outlives its absence"
    assert here.unprotect(there.protect(numbered(2))) == numbered(2)
    assert (here.replayed, here.invalid, there.replayed, there.invalid) == (1, 0, 0, 0)


@pytest.mark.parametrize("suite", SUITES)
def test_a_key_that_comes_back_goes_on_where_it_was(suite: str) -> None:
    here, there = sessions(suite)
    random_bytes = random.Random(1).randbytes
    own, peers = new_key(suite, random_bytes), new_key(suite, random_bytes)
    other = new_key(suite, random.Random(9).randbytes)
    for number in range(65_500, 65_600):
        there.unprotect(here.protect(numbered(number)))
    report = here.protect_rtcp(RTCP)
    here.rekey(suite, other, peers)
    assert there.unprotect(here.protect(numbered(65_600))) is None
    here.rekey(suite, own, peers)
    assert there.unprotect(here.protect(numbered(65_601))) == numbered(65_601)
    assert here.protect_rtcp(RTCP) != report


def test_a_rekey_that_cannot_be_changes_nothing() -> None:
    here, there = sessions(CM_80)
    with pytest.raises(CryptoError):
        here.rekey(CM_80, bytes(30), bytes(28))
    assert there.unprotect(here.protect(RTP)) == RTP


def test_only_so_many_keys_are_kept() -> None:
    here, _ = sessions(CM_80)
    own = new_key(CM_80, random.Random(1).randbytes)
    for number in range(3 * KEYS_KEPT):
        here.rekey(CM_80, own, number.to_bytes(30))
    assert len(here._contexts) == KEYS_KEPT + 1
