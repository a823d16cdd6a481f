"""SIPp streams files to us and changes the codec by re-INVITEs: our recording, and what it gets, as FFmpeg hears them.

SIPp 3.6.1 has `rtp_stream` for files only: it knows no patterns (`apattern`) and checks nothing of what comes.
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sipswarm.actors.handle.call import Call
from tests.e2e.agents import agent, note
from tests.e2e.test_foreign_decoder import G722, PCMA, PCMU, judge, written
from tests.media.rtp_packet import RtpPacket

from .capture import Recording, skip_unless_capturing
from .conftest import Start
from .node import LoadResult, load
from .processes import own_host
from .sipp import SCENARIOS, Sipp, Verdict
from .tones import encoded, heard

CODECS = (("pcm_mulaw", 8000, 440.0, 0), ("pcm_alaw", 8000, 700.0, 8), ("g722", 16000, 1000.0, 9))
SECONDS = 1.2
PEAK = 9000


def streams(folder: Path) -> Path:
    """The scenario with its three files."""
    text = (SCENARIOS / "uac_streams.xml").read_text()
    for word, (encoder, rate, hz, payload_type) in zip(("FIRST", "SECOND", "THIRD"), CODECS, strict=True):
        name = f"{encoder}.raw"
        (folder / name).write_bytes(encoded(encoder, rate, hz, SECONDS, PEAK))
        text = text.replace(f'"{word}"', f'"{name},1,{payload_type}"')
    path = folder / "streams.xml"
    path.write_text(text)
    return path


def called(folder: Path, start: Start, host: str, caller_host: str, **param: Any) -> tuple[Verdict, Call]:
    """A call of SIPp to a user agent of ours, from begin to end."""
    calls: list[Call] = []

    async def main() -> Verdict:
        async with (
            asyncio.timeout(40),
            agent("sip:robot@127.0.0.1", f"udp:{host}:0", codecs=("pcmu", "pcma", "g722")) as ua,
        ):
            ua.listen(cb_create=lambda call, request: note(calls, call), **param)
            remote = f"{host}:{ua.legs[0].port}"
            caller = start(
                Sipp(folder, "caller", remote=remote, scenario=streams(folder), calls=1, seconds=30, host=caller_host)
            )
            verdict = await asyncio.to_thread(caller.verdict)
            await calls[0].over()
            return verdict

    verdict = asyncio.run(main())
    assert verdict.exit_code == 0, verdict.account
    assert (calls[0].cause, calls[0].by) == ("bye", "remote")
    return verdict, calls[0]


def is_heard(path: Path, call: Call) -> None:
    """A recording has the three tones, whole and in order."""
    tones = [hz for _, _, hz, _ in CODECS]
    found = heard(path, *tones)
    assert [each.hz for each in found.stretches] == tones, found
    for each in found.stretches:
        assert each.seconds == pytest.approx(SECONDS, abs=0.3), found
        assert each.peak == pytest.approx(PEAK, rel=0.05), found
    assert found.noisy <= 15, "at the ends of each stream, and where a busy machine was late; another codec is 60"
    assert call.statistics is not None
    assert call.statistics.packets_lost == 0
    assert call.statistics.packets_discarded == 0


def test_what_sipp_streams_in_three_codecs_is_what_we_record(tmp_path: Path, start: Start) -> None:
    path = tmp_path / "heard.wav"
    _, call = called(tmp_path, start, own_host(), own_host(), init_media=lambda call, param: call.record(str(path)))
    is_heard(path, call)


def test_what_our_load_streams_by_the_same_file_is_what_we_record(tmp_path: Path) -> None:
    path, calls, host = tmp_path / "heard.wav", list[Call](), own_host()

    async def main() -> LoadResult:
        async with (
            asyncio.timeout(60),
            agent("sip:robot@127.0.0.1", f"udp:{host}:0", codecs=("pcmu", "pcma", "g722")) as ua,
        ):
            ua.listen(
                cb_create=lambda call, request: note(calls, call),
                init_media=lambda call, param: call.record(str(path)),
            )
            target = f"robot@{host}:{ua.legs[0].port}"
            arguments = ["-sf", str(streams(tmp_path)), "-m", "1"]
            result = await asyncio.to_thread(load, tmp_path, target, arguments, 40)
            await calls[0].over()
            return result

    result = asyncio.run(main())
    assert result.verdict == 0, result.account
    is_heard(path, calls[0])


def test_what_sipp_gets_in_three_codecs_is_the_file(tmp_path: Path, start: Start) -> None:
    skip_unless_capturing()
    ours, theirs = own_host(), own_host()
    recording = start(Recording(tmp_path, f"udp and dst host {theirs}", (theirs, 9)))
    called(tmp_path, start, ours, theirs, media=f"play:{written(tmp_path)}")
    recording.stop()
    packets = []
    for source, payload in recording.rows("ip.src", "udp.payload"):
        data = bytes.fromhex(payload)
        if source == ours and len(data) > 12 and data[0] == 0x80 and data[1] & 0x7F in (0, 8, 9):
            packets.append(RtpPacket.parse(data))
    judge(packets, (PCMU, PCMA, G722))
