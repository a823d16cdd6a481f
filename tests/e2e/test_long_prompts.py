"""A prompt of ten minutes costs the other calls of its media worker no frame, and is heard from its first one."""

import asyncio
import csv
from itertools import pairwise
from pathlib import Path

import pytest

from sipswarm.actors.cli import main
from sipswarm.media.sources import FileFrames, Format
from tests.e2e.agents import agent
from tests.e2e.test_command_line import WORKERS, Running, was
from tests.e2e.test_renegotiated_media import Phone, arrived
from tests.e2e.waiting import again_after_a_stop
from tests.media.rtp_packet import RtpPacket
from tests.media.test_long_files import mp3, wav

LINE = "m=audio PORT RTP/AVP 0"
MOST_LATE = 5
"""Frames that a busy machine may cost. A file of ten minutes that is read at once costs 130 to 250."""


@pytest.fixture(scope="module", params=["wav", "mp3"])
def prompt(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten minutes of 44,100 Hz."""
    folder = tmp_path_factory.mktemp("prompt")
    return wav(folder / "long.wav", 600) if request.param == "wav" else mp3(folder / "long.mp3", 10)


@again_after_a_stop
def test_another_call_loses_no_frame_while_a_long_file_begins_and_the_file_is_heard_whole(prompt: Path) -> None:
    other, long = Phone(LINE), Phone(LINE)
    heard: dict[Phone, list[RtpPacket]] = {other: [], long: []}

    async def take(seconds: float) -> None:
        for _ in range(round(seconds / 0.1)):
            await asyncio.sleep(0.1)
            for phone, packets in heard.items():
                packets += [RtpPacket.parse(each) for each in arrived(phone.rtp)]

    async def main() -> None:
        async with asyncio.timeout(60), agent() as alice, other, long:
            one = await alice.invite(other.uri(), init_media=alice.rtp("silence"))
            two = await alice.invite(long.uri(), init_media=alice.rtp("silence"))
            await take(0.5)
            playing = asyncio.ensure_future(two.play(str(prompt)))
            await take(4.0)
            two.stop_playing()
            assert await playing == ""
            await one.bye()
            await two.bye()

    try:
        asyncio.run(main())
    finally:
        other.close()
        long.close()
    for packets in heard.values():
        assert len(packets) > 180
        assert max((b.timestamp - a.timestamp) // 160 for a, b in pairwise(packets)) <= 1 + MOST_LATE
    reading = FileFrames().reading(str(prompt), Format("PCMU", 8000, 160, 160))
    while len(reading.frames) < 150:
        reading.read()
    payloads = {packet.payload for packet in heard[long]}
    assert reading.frames[0] in payloads
    assert sum(frame in payloads for frame in reading.frames[:150]) >= 150 - 2 * MOST_LATE


def test_a_robot_answers_with_a_long_file_and_its_calls_hear_it_without_a_gap(prompt: Path, tmp_path: Path) -> None:
    running = Running(
        "answer", "--media", f"play:{prompt}", "--listen", "udp:127.0.0.1:0", "--metrics", "off", *WORKERS
    )
    try:
        address = running.line().removeprefix("listening on udp:")
        arguments = [
            "-m",
            "4",
            "-r",
            "2",
            "-d",
            "3s",
            "--media",
            "silence",
            *WORKERS,
            "--quiet",
            "--out",
            str(tmp_path),
        ]
        code = main(["load", f"robot@{address}", *arguments, "--expect-audio", "--fail-on-error"])
    finally:
        running.close()
    assert was(code, 0)
    with (tmp_path / "calls.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["failure"] for row in rows] == [""] * 4
    assert max(float(row["media_gap"]) for row in rows) < 0.5
