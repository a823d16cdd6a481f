"""Media against time: what was due on a stream, what of it came, and the longest gap; packets as lists, no clock."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipswarm.media.messages import ConfigureStream
from sipswarm.media.presence import MediaTime, Presence
from tests.media.rtp_packet import RtpPacket

from .halves import Line

LOOK = 0.32
HOME = ConfigureStream(1, remote_address="192.0.2.2", remote_port=4000, dtmf_receive_payload_type=101)
WITH_NOISE = HOME._replace(receive_codecs=((0, "PCMU", 8000), (8, "PCMA", 8000), (13, "CN", 8000)))
WITHOUT_NOISE = HOME._replace(dtmf_methods=("rfc4733",))


class Sent(NamedTuple):
    """One packet of the peer, and when it comes."""

    at: float
    number: int
    timestamp: int
    pt: int = 0
    ssrc: int = 5
    octets: int = 160


def stream(begin: float, end: float, *, interval: float = 0.02, first: int = 0, ssrc: int = 5) -> list[Sent]:
    """Audio without a break from `begin` to `end`; its RTP clock runs on from the time 0."""
    count = round((end - begin) / interval)
    return [
        Sent(
            begin + n * interval,
            first + n,
            round((begin + n * interval) * 8000),
            ssrc=ssrc,
            octets=round(interval * 8000),
        )
        for n in range(count)
    ]


def paced(interval: float, at_once: int, *, octets: int = 160) -> list[Sent]:
    """Ten seconds of packets, so many at once, at a mean interval that need not be the time of audio in each."""
    return [
        Sent(n // at_once * at_once * interval, n, n * octets, octets=octets) for n in range(round(10.0 / interval))
    ]


Action = Callable[[Line, Presence, float], object]


def played(
    packets: Iterable[Sent],
    end: float,
    actions: Iterable[tuple[float, Action]] = (),
    command: ConfigureStream = HOME,
    looks_late: float = 0.0,
    event: bytes = b"",
) -> MediaTime:
    """The figures at `end`, with a look every 0.32 s; actions come at their times, `event` is the payload of events."""
    packets = list(packets)
    if command is HOME and any(packet.pt == 13 for packet in packets):
        command = WITH_NOISE
    line = Line(command)
    presence = Presence(line.stream.receiver)
    presence.expect(command, bool(command.remote_port), 0.0)

    def arrive(packet: Sent) -> Action:
        payload = event if event and packet.pt == 101 else bytes(packet.octets)
        rtp = RtpPacket(packet.pt, packet.number & 0xFFFF, packet.timestamp & 0xFFFFFFFF, packet.ssrc, payload)
        return lambda line, presence, now: line.receive(rtp, now)

    def look(line: Line, presence: Presence, now: float) -> None:
        presence.look(now)

    looks = [(n * LOOK + looks_late, look) for n in range(1, int(end / LOOK) + 1)]
    everything = [*((packet.at, arrive(packet)) for packet in packets), *actions, *looks]
    for at, action in sorted(everything, key=lambda each: each[0]):
        if at <= end:
            action(line, presence, at)
    return presence.figures(end)


def configured(**more: object) -> Action:
    command = configured_as(**more)

    def change(line: Line, presence: Presence, now: float) -> None:
        line.stream.configure(command, bool(command.remote_port))
        presence.expect(command, bool(command.remote_port), now)

    return change


def configured_as(**more: object) -> ConfigureStream:
    return HOME._replace(**more)  # type: ignore[arg-type]  # any field of the command


def reported(count: int, ssrc: int = 5) -> Action:
    return lambda line, presence, now: presence.report(ssrc, count, now)


def lossy(packets: list[Sent], lost: Callable[[int], bool]) -> list[Sent]:
    return [packet for packet in packets if not lost(packet.number)]


NOISE = Sent(1.0, 50, 8000, pt=13)
RESUMED = stream(8.0, 10.0, first=51)
OPUS = HOME._replace(receive_codecs=((0, "opus", 8000),))


@pytest.mark.parametrize(
    ("packets", "actions", "due", "present", "gap", "packets_due", "missed"),
    [
        pytest.param(stream(0, 10), (), 10, 10, 0.02, 500, 0, id="healthy"),
        pytest.param(stream(0, 1), (), 10, 1, 9.02, 499, 449, id="stops early"),
        pytest.param(stream(6, 10), (), 10, 4, 6, 500, 300, id="starts late"),
        pytest.param(stream(0.2, 10), (), 10, 10, 0.2, 500, 0, id="starts after its answer"),
        pytest.param(stream(0.45, 10), (), 10, 10, 0.45, 500, 0, id="starts late, but not too late"),
        pytest.param([], (), 10, 0, 10, 500, 500, id="never comes"),
        pytest.param([*stream(0, 3), *stream(5, 10, first=150)], (), 10, 8, 2.02, 500, 100, id="pauses and goes on"),
        pytest.param(lossy(stream(0, 10), lambda n: 150 <= n < 250), (), 10, 8, 2.02, 500, 100, id="outage"),
        pytest.param(lossy(stream(0, 10), lambda n: n % 100 == 50), (), 10, 10, 0.04, 500, 5, id="1 % lost"),
        pytest.param(lossy(stream(0, 10), lambda n: n % 4 > 1), (), 10, 10, 0.18, 498, 248, id="half lost"),
        pytest.param([each for each in stream(0, 5) for _ in (1, 2)], (), 10, 5, 5.02, 500, 250, id="each one twice"),
        pytest.param([*stream(0, 4), *stream(4.25, 10, ssrc=9)], (), 10, 10, 0.27, 500, 0, id="another source"),
        pytest.param(paced(0.01, 1), (), 10, 10, 0.02, 500, 0, id="twice real time"),
        pytest.param(paced(0.02, 1, octets=320), (), 10, 10, 0.02, 250, 0, id="40 ms in every 20 ms"),
        pytest.param(paced(0.02, 100), (), 10, 0.8, 2.02, 500, 455, id="two seconds at once, each two seconds"),
        pytest.param(paced(0.01, 100), (), 10, 1.48, 1.02, 500, 416, id="two seconds at once, each second"),
        pytest.param(paced(0.01, 20), (), 10, 10, 0.2, 500, 0, id="twice real time, ten at once"),
        pytest.param(
            lossy(paced(0.01, 1), lambda n: n % 2 == 1),
            (),
            10,
            10,
            0.02,
            500,
            250,
            id="twice real time, half of it lost",
        ),
        pytest.param(
            [each._replace(number=2 * each.number) for each in stream(0, 10)],
            (),
            10,
            10,
            0.02,
            500,
            250,
            id="odd numbers",
        ),
        pytest.param(stream(0, 10, interval=0.03), (), 10, 10, 0.04, 333, 0, id="30 ms"),
        pytest.param(stream(0, 10, interval=0.06), (), 10, 10, 0.08, 167, 0, id="60 ms"),
        pytest.param(stream(0, 10, interval=0.01), (), 10, 10, 0.02, 1000, 0, id="10 ms"),
        pytest.param(stream(0, 10, interval=0.2), (), 10, 10, 0.22, 50, 0, id="200 ms"),
        pytest.param(stream(0, 4, interval=0.06), (), 10, 4, 6.04, 168, 101, id="60 ms, stops"),
        pytest.param(
            [*stream(0, 5), *stream(5, 10, interval=0.06, first=250)], (), 10, 10, 0.08, 333, 0, id="20 to 60"
        ),
        pytest.param(
            [*stream(0, 1), *(each._replace(pt=99) for each in stream(1, 10, first=50))],
            (),
            10,
            1,
            9.02,
            499,
            449,
            id="another payload type",
        ),
        pytest.param([each._replace(timestamp=7) for each in stream(0, 10)], (), 10, 10, 0.02, 500, 0, id="no clock"),
        pytest.param([each._replace(octets=0) for each in stream(0, 10)], (), 10, 0, 10, 500, 500, id="no payload"),
        pytest.param(
            [each._replace(octets=0 if each.number >= 50 else 160) for each in stream(0, 10)],
            (),
            10,
            1,
            9.02,
            499,
            449,
            id="payload for a second",
        ),
        pytest.param([each._replace(octets=1) for each in stream(0, 10)], (), 10, 0.06, 0.02, 500, 497, id="1 octet"),
        pytest.param(
            [each._replace(number=each.number + 30000 * (each.number >= 250)) for each in stream(0, 10)],
            (),
            10,
            10,
            0.04,
            500,
            0,
            id="numbers start anew",
        ),
        pytest.param([NOISE._replace(at=0.3, number=0)], (), 10, 10, 10, 0, 0, id="one packet, on probation"),
        pytest.param([*stream(0, 1), NOISE, *RESUMED], (), 3, 3, 0.02, 151, 0, id="comfort noise and audio again"),
        pytest.param([*stream(0, 1), NOISE], (), 1, 1, 0.02, 51, 0, id="comfort noise to the end"),
        pytest.param(
            [*stream(0, 1), NOISE, *stream(8, 9, first=51)], (), 3, 2, 1.02, 150, 50, id="audio after noise stops"
        ),
        pytest.param(
            [*stream(0, 1), NOISE],
            ((5.0, reported(51)), (9.0, reported(251))),
            5,
            1,
            4,
            251,
            200,
            id="reports say more than comfort noise",
        ),
        pytest.param(
            stream(0, 1),
            ((2.0, reported(50)), (7.0, reported(50)), (9.9, reported(50))),
            10,
            1,
            9.02,
            499,
            449,
            id="reports stand still, nothing agreed",
        ),
        pytest.param(
            stream(0, 1),
            ((3.0, configured(direction="sendonly")), (8.0, configured())),
            5,
            1,
            2.02,
            249,
            199,
            id="silent beside a hold",
        ),
    ],
)
def test_what_was_due_and_what_came(
    packets: list[Sent],
    actions: tuple[tuple[float, Action], ...],
    due: float,
    present: float,
    gap: float,
    packets_due: int,
    missed: int,
) -> None:
    found = played(packets, 10.0, actions)
    if len(packets) == 1:  # a source is taken with its second packet (RFC 3550 A.1)
        present, packets_due, missed = 0, 500, 500
    assert found.due == pytest.approx(due, abs=0.05)
    assert found.present == pytest.approx(present, abs=0.05)
    assert found.gap == pytest.approx(gap, abs=0.03)
    assert found.packets_due == pytest.approx(packets_due, abs=3)
    assert found.packets_missed == pytest.approx(missed, abs=3)


@pytest.mark.parametrize("interval", [0.01, 0.02, 0.03, 0.06])
@pytest.mark.parametrize("count", [20, 50, 100])
@pytest.mark.parametrize("rest", [2.0, 2.1, 3.7])
def test_the_packets_of_a_gap_are_exact(interval: float, count: int, rest: float) -> None:
    """A peer that sends so many packets and stops, and one that goes on: none is missed twice, none is made up."""
    every = stream(0, count * interval, interval=interval)
    missing = round(rest / interval)
    end = (count + missing) * interval
    found = played(every, end)
    assert found.packets_due == pytest.approx(count + missing, abs=0.5)
    assert found.packets_missed == missing
    begin = end
    later = stream(begin, begin + 3, interval=interval, first=count)
    found = played([*every, *later], begin + 3)
    assert found.packets_missed == pytest.approx(missing, abs=0.5)
    assert found.packets_due == pytest.approx(count + missing + len(later), abs=0.5)
    lossy_numbers = [each._replace(number=each.number + missing) for each in later]
    assert played([*every, *lossy_numbers], begin + 3).packets_missed == pytest.approx(missing, abs=0.5)


@pytest.mark.parametrize("begin", [3.0, 3.1, 3.2, 3.3])
@pytest.mark.parametrize("copies", [2, 3])
def test_copies_of_events_make_no_gap_longer(begin: float, copies: int) -> None:
    first = round(begin * 50)
    digit = [Sent(begin + n * 0.02, first + n, 24000, pt=101, octets=4) for n in range(8)]
    rest = stream(begin + 0.16, 10, first=first + 8)
    once = played([*stream(0, begin), *digit, *rest], 10.0)
    several = played([*stream(0, begin), *(each for each in digit for _ in range(copies)), *rest], 10.0)
    assert several == once
    assert once.gap == pytest.approx(0.03, abs=0.02)


def test_packets_that_are_discarded_where_the_numbers_start_anew_were_due_and_missed() -> None:
    jumps = [each._replace(number=each.number + each.number // 50 * 5000) for each in stream(0, 4)]
    found = played(jumps, 4.0)
    assert (found.packets_due, found.packets_missed) == (200, 3)
    assert found.gap < 0.05


@pytest.mark.parametrize(
    ("command", "due"),
    [
        (HOME, 4),
        (HOME._replace(direction="recvonly"), 4),
        (HOME._replace(direction="sendonly"), 0),
        (HOME._replace(direction="inactive"), 0),
        (HOME._replace(remote_address="", remote_port=0), 0),
        (HOME._replace(early=True), 0),
    ],
)
def test_media_is_due_where_the_peer_may_send(command: ConfigureStream, due: float) -> None:
    found = played([], 4.0, command=command)
    assert found[:6] == MediaTime(due, 0, due, round(50 * due), round(50 * due))[:6]


@pytest.mark.parametrize(
    "hold",
    [
        configured(direction="sendonly"),
        configured(direction="inactive"),
        configured(direction="recvonly"),
        configured(remote_address="0.0.0.0", remote_port=0),
    ],
)
@pytest.mark.parametrize("music", [False, True])
def test_a_hold_is_not_due_with_or_without_music(hold: Action, music: bool) -> None:
    packets = [*stream(0, 3), *(stream(3, 6, first=150) if music else []), *stream(6, 9, first=300 if music else 150)]
    found = played(packets, 9.0, ((3.0, hold), (6.0, configured())))
    assert found.due == pytest.approx(6.0)
    assert found.present == pytest.approx(6.0)
    assert found.gap < 0.05
    assert found.packets_due == pytest.approx(300, abs=2)
    assert found.packets_missed <= 1


@pytest.mark.parametrize(
    ("packets", "surplus"),
    [
        (stream(0, 10), 0),
        (stream(0, 10, interval=0.06), 0),
        (paced(0.0195, 1), 0),
        (paced(0.018, 1), 56),
        (paced(0.01, 1), 500),
        (paced(0.01, 20), 500),
        (paced(0.02, 1, octets=320), 250),
        (paced(0.02, 100), 0),
        (paced(0.03, 1), 0),
    ],
)
def test_audio_beyond_the_time_is_surplus(packets: list[Sent], surplus: int) -> None:
    assert played(packets, 10.0).packets_surplus == pytest.approx(surplus, abs=2)


@pytest.mark.parametrize("begin", [0.1, 0.4, 0.6, 2.0])
@pytest.mark.parametrize("interval", [0.01, 0.02, 0.06])
def test_packets_and_seconds_that_were_due_agree(begin: float, interval: float) -> None:
    found = played(stream(begin, 3.0, interval=interval), 3.0)
    assert found.due == 3.0
    assert found.packets_due == 3.0 / interval
    present = found.packets_due - found.packets_missed
    assert present * interval == pytest.approx(found.present, abs=2 * interval)


REMOVED = {"remote_port": 0, "removed": True, "direction": "inactive"}


@pytest.mark.parametrize(
    ("changes", "held", "removed"),
    [
        ([(3.0, {"direction": "inactive"})], 7.0, 0.0),
        ([(3.0, {"direction": "sendonly"}), (8.0, {})], 5.0, 0.0),
        ([(3.0, {"direction": "recvonly"}), (8.0, {})], 5.0, 0.0),
        ([(3.0, REMOVED)], 0.0, 7.0),
        ([(3.0, REMOVED), (5.0, REMOVED)], 0.0, 7.0),
        ([(3.0, REMOVED), (8.0, {})], 0.0, 5.0),
        ([(3.0, {"direction": "inactive"}), (4.0, REMOVED), (9.0, {})], 1.0, 5.0),
        ([(0.0, {"direction": "inactive"})], 10.0, 0.0),
        ([(0.0, {"early": True}), (4.0, {}), (6.0, {"direction": "inactive"})], 4.0, 0.0),
        ([(0.0, {"early": True, **REMOVED}), (4.0, REMOVED)], 0.0, 6.0),
        ([], 0.0, 0.0),
    ],
)
def test_what_is_not_due_is_held_or_removed(
    changes: list[tuple[float, dict[str, object]]], held: float, removed: float
) -> None:
    first = HOME
    if changes and changes[0][0] == 0.0:
        first = configured_as(**changes.pop(0)[1])
    found = played([], 10.0, tuple((at, configured(**change)) for at, change in changes), first)
    assert [found.held, found.removed] == pytest.approx([held, removed])
    early = 4.0 if first.early else 0.0
    assert found.due == pytest.approx(10.0 - held - removed - early)


def test_early_media_is_not_due_and_makes_up_for_nothing() -> None:
    early = HOME._replace(early=True)
    found = played(stream(0, 5), 10.0, ((5.0, configured()),), early)
    assert found.due == pytest.approx(5.0)
    assert found.present == pytest.approx(0.0, abs=0.03)
    assert found.gap == pytest.approx(5.0, abs=0.03)
    assert (found.packets_due, found.packets_missed) == (250, 250)


def test_early_media_that_goes_on_is_healthy() -> None:
    early = HOME._replace(early=True)
    found = played(stream(0, 10), 10.0, ((5.0, configured()),), early)
    assert found.due == found.present == pytest.approx(5.0)
    assert found.packets_missed == 0


@pytest.mark.parametrize(("agreed", "due"), [(False, 10.0), (True, 1.0)])
def test_reports_that_stand_still_are_silence_only_where_that_is_agreed(agreed: bool, due: float) -> None:
    """A peer whose audio died goes on with its reports too; G.711 without comfort noise has no silence suppression."""
    codecs = ((0, "PCMU", 8000), (13, "CN", 8000)) if agreed else ((0, "PCMU", 8000),)
    actions = tuple((at, reported(50)) for at in (1.5, 5.0, 9.99))
    found = played(stream(0, 1), 10.0, actions, HOME._replace(receive_codecs=codecs))
    assert found.due == pytest.approx(due, abs=0.1)
    assert found.present == pytest.approx(1.0, abs=0.1)
    assert (found.packets_missed > 440) is not agreed


def test_a_codec_with_silence_suppression_is_believed_while_its_reports_agree() -> None:
    silent = [Sent(1 + n * 0.4, 50 + n, round(8000 * (1 + n * 0.4))) for n in range(20)]
    found = played([*stream(0, 1), *silent], 9.0, command=OPUS)
    assert found.packets_missed == 0
    assert found.present == found.due == pytest.approx(9.0)
    stopped = played(stream(0, 1), 9.0, command=OPUS)
    assert stopped.packets_missed == pytest.approx(400, abs=3)
    said = played(stream(0, 1), 9.0, ((4.0, reported(50)), (8.8, reported(50))), OPUS)
    assert said.due == pytest.approx(1.2, abs=0.1)
    assert said.packets_missed == 0


def test_a_digit_is_media_and_does_not_end_a_silence() -> None:
    digit = [Sent(3 + n * 0.02, 51 + n, 24000, pt=101) for n in range(10)]
    found = played([*stream(0, 1), NOISE, *digit], 10.0)
    assert found.packets_missed == 0
    assert found.due < 1.5


def test_comfort_noise_that_nobody_agreed_on_excuses_nothing() -> None:
    found = played([*stream(0, 1), NOISE], 10.0, command=WITHOUT_NOISE)
    assert found.due == 10.0
    assert found.present == pytest.approx(1.0, abs=0.05)
    often = [Sent(n * 0.2, n, 1600 * n, pt=13, octets=1) for n in range(50)]
    assert played(often, 10.0, command=WITHOUT_NOISE).present == pytest.approx(0.0, abs=0.05)


def test_events_alone_are_no_audio_but_a_digit_within_audio_is_no_gap() -> None:
    endless = [Sent(n * 0.02, n, 0, pt=101, octets=4) for n in range(500)]
    assert played(endless, 10.0).present == pytest.approx(0.0, abs=0.05)
    then = [Sent(1 + n * 0.02, 50 + n, 8000, pt=101, octets=4) for n in range(450)]
    assert played([*stream(0, 1), *then], 10.0).present == pytest.approx(2.0, abs=0.05)
    for begin in (3.0, 3.05, 3.1, 3.15, 3.2, 3.25, 3.3):  # a look sees audio before, after, or none
        for length in (5, 10, 15, 20, 40):
            first = round(begin * 50)
            packets = [Sent(begin + n * 0.02, first + n, 24000, pt=101, octets=4) for n in range(length)]
            rest = stream(begin + length * 0.02, 10, first=first + length)
            found = played([*stream(0, begin), *packets, *rest], 10.0)
            assert found.present == pytest.approx(10.0), (begin, length)
            assert found.packets_missed <= 1
    digit = [Sent(3 + n * 0.02, 150 + n, 24000, pt=101, octets=4) for n in range(40)]
    found = played([*stream(0, 3), *digit, *stream(3.8, 10, first=190)], 10.0)
    assert found.present == found.due == pytest.approx(10.0)
    assert found.packets_missed == 0


@pytest.mark.parametrize("every", [50, 100, 500])
def test_packets_that_come_at_once_make_up_for_no_gap_and_are_not_due_twice(every: int) -> None:
    """Ten seconds of audio, so many packets at once, then nothing until their time is over."""
    packets = [
        each._replace(at=each.number // every * every * 0.02 + 1e-4 * (each.number % every)) for each in stream(0, 10)
    ]
    found = played(packets, 10.0)
    assert found.packets_due == 500
    assert found.packets_missed >= 400
    assert found.present < 2.5


@pytest.mark.parametrize("late", [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3])
@pytest.mark.parametrize("octets", [1, 13, 39])
@pytest.mark.parametrize("frozen", [False, True])
def test_packets_that_hold_a_part_of_their_time_are_so_much_media(octets: int, frozen: bool, late: float) -> None:
    """20 ms apart, whenever they are looked at, and however unevenly they come."""
    packets = [
        each._replace(octets=octets, timestamp=7 if frozen else each.timestamp, at=each.at + each.number % 5 * 0.003)
        for each in stream(0, 10)
    ]
    found = played(packets, 10.0, looks_late=late)
    assert found.present == pytest.approx(10 * octets / 160, abs=0.1)
    assert found.packets_due == pytest.approx(500, abs=3)
    assert found.packets_missed == pytest.approx(500 * (1 - octets / 160), abs=10)


@pytest.mark.parametrize("late", [0.0, 0.1, 0.2, 0.3])
def test_comfort_noise_that_nobody_agreed_on_is_no_digit(late: float) -> None:
    """A second of noise between two packets of audio is no media, whenever it is looked at."""
    packets = [each if each.number % 50 == 0 else each._replace(pt=13, octets=1) for each in stream(0, 10)]
    found = played(packets, 10.0, command=WITHOUT_NOISE, looks_late=late)
    assert found.present == pytest.approx(0.0, abs=0.25)
    assert found.packets_due == pytest.approx(500, abs=22)  # noise shows a packet time of 21 ms
    assert found.packets_missed == pytest.approx(490, abs=22)


def test_audio_that_comes_in_bursts_or_too_slowly_is_missing_though_no_gap_is_long() -> None:
    burst = [each for n in range(25) for each in stream(n * 0.4, n * 0.4 + 0.2, first=n * 10)]
    slow = [Sent(n * 0.03, n, n * 160) for n in range(333)]
    for packets, came in ((burst, 5.0), (slow, 6.66)):
        found = played(packets, 10.0)
        assert found.present == pytest.approx(came, abs=0.3)
        assert found.packets_due == pytest.approx(500, abs=10)
        assert found.packets_missed == pytest.approx(500 - came * 50, abs=15)
    fast = [Sent(n * 0.01, n, n * 160) for n in range(1000)]
    assert played(fast, 10.0).packets_missed == 0


@pytest.mark.parametrize("end", [0.02, 0.1, 0.2, 0.31])
def test_a_short_call_lacks_nothing(end: float) -> None:
    for begin in (0.0, 0.2):
        found = played(stream(begin, end) if begin < end else [], end)
        assert found.due == pytest.approx(end)
        assert found.packets_missed == 0 or begin >= end


def test_packets_that_we_read_late_are_no_gap_of_the_peer() -> None:
    """Our process was busy for a second: the kernel kept what came, and the looks are late as well."""
    packets = [packet._replace(at=5.0) if 4.0 <= packet.at < 5.0 else packet for packet in stream(0, 10)]
    line = Line(HOME)
    presence = Presence(line.stream.receiver)
    presence.expect(HOME, True, 0.0)
    looks = [n * LOOK for n in range(1, 32) if not 4.0 <= n * LOOK < 5.0] + [4.999]
    for at, packet in sorted(
        [*((each.at, each) for each in packets), *((at, None) for at in looks)], key=lambda e: e[0]
    ):
        if packet is None:
            presence.look(at)
        else:
            line.receive(RtpPacket(0, packet.number, packet.timestamp, 5, bytes(160)), at)
    found = presence.figures(10.0)
    assert found.present == pytest.approx(10.0, abs=0.1)
    assert found.packets_missed == 0


@pytest.mark.parametrize("late", [0.0, 0.05, 0.1])
def test_the_start_of_a_stream_that_is_read_late_does_not_change_its_packet_time(late: float) -> None:
    packets = [packet._replace(at=max(packet.at, late)) for packet in stream(0, 0.4)]
    found = played(packets, 3.0)
    assert found.packets_due == pytest.approx(150, abs=3)
    assert found.packets_missed == pytest.approx(130, abs=3)


def test_a_burst_after_an_outage_does_not_hide_it() -> None:
    packets = [packet._replace(at=5.0) if 3.0 <= packet.at < 5.0 else packet for packet in stream(0, 10)]
    found = played(packets, 10.0)
    assert found.gap == pytest.approx(2.0, abs=LOOK)
    assert found.present == pytest.approx(8.0, abs=LOOK + 0.1)


@settings(max_examples=200, deadline=None)
@given(
    begin=st.floats(0.0, 4.0),
    length=st.floats(0.1, 4.0),
    pause=st.floats(0.0, 4.0),
    interval=st.sampled_from([0.01, 0.02, 0.03, 0.04, 0.06]),
    goes_on=st.booleans(),
    late=st.floats(0.0, 0.3),
)
def test_gaps_are_found_wherever_they_are(
    begin: float, length: float, pause: float, interval: float, goes_on: bool, late: float
) -> None:
    """A start, a pause in which the numbers stand still or go on, and an end: what is reckoned is what was played."""
    before = stream(begin, begin + length, interval=interval)
    if len(before) < 40:
        before = stream(begin, begin + 40 * interval, interval=interval)
    resumed = before[-1].at + interval + pause
    first = len(before) + (round(pause / interval) if goes_on else 0)
    after = stream(resumed, resumed + 1.0, interval=interval, first=first)
    end = after[-1].at + 2.0
    found = played([*before, *after], end, looks_late=late)
    quiet = [begin, after[0].at - before[-1].at, end - after[-1].at]
    missing = sum(each for each in quiet if each > 0.3)
    doubtful = sum(each for each in quiet if each < 0.65) + 0.1  # several short ones may add up to missing media
    assert found.due == pytest.approx(end)
    assert abs(found.present - (end - missing)) <= doubtful + 2 * interval
    assert found.gap == pytest.approx(max(quiet), abs=0.15)
    lost = pause if goes_on and quiet[1] <= 0.3 else 0.0  # by their numbers, however short the pause
    assert found.packets_missed * interval == pytest.approx(missing + lost, abs=doubtful + 4 * interval)


@settings(max_examples=200, deadline=None)
@given(
    reports=st.lists(st.tuples(st.floats(0.1, 9.9), st.integers(0, 0xFFFFFFFF) | st.integers(0, 600)), max_size=5),
    stops=st.floats(0.0, 10.0),
    codec=st.sampled_from(["PCMU", "opus", "CN"]),
)
def test_no_report_makes_figures_that_cannot_be(reports: list[tuple[float, int]], stops: float, codec: str) -> None:
    codecs = ((0, "PCMU" if codec == "CN" else codec, 8000), (13, "CN" if codec == "CN" else "PCMA", 8000))
    actions = [(at, reported(count)) for at, count in reports]
    found = played(stream(0, stops), 10.0, actions, HOME._replace(receive_codecs=codecs))
    assert 0.0 <= found.present <= found.due <= 10.0 + 1e-9
    assert 0.0 <= found.gap <= 10.0
    assert 0 <= found.packets_missed <= found.packets_due <= 600 + 20 * len(reports)
    if codec == "PCMU":
        assert found.due == pytest.approx(10.0), "reports excuse nothing that was not agreed"
        assert found.present <= stops + 0.6
